"""`FaultFS`: a filesystem that fails at the step it is told to, to see what a store makes of it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from fsspec import AbstractFileSystem, filesystem

from dualdag.store import _machine

__all__ = ["CRASHED", "FAULTS", "FaultFS", "Step"]

R = TypeVar("R")

#: Exit status of a process that `FaultFS` ended.
CRASHED = 86
_ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EACCES": errno.EACCES}
#: What can happen at a step.
FAULTS = ("before", "torn", "after", *_ERRORS, "timeout", "lost answer", "stale")
#: What changes something, so that a crash before, in or after it leaves another state.
_CHANGES = frozenset({"mkdir", "create", "write", "fsync", "link", "rename", "put", "delete"})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was asked of a filesystem.

    Parameters
    ----------
    number : int
        From 0, in the order in which they were asked for.
    operation : str
        ``mkdir``, ``create``, ``write``, ``fsync``, ``link``, ``rename``, ``put`` (a conditional one is
        ``put if absent``), ``delete``, ``list``, ``read`` or ``size``.
    path : str
        What it was asked of; of a link or a rename, the new name.
    """

    number: int
    operation: str
    path: str

    @property
    def changes(self) -> bool:
        """Whether a crash before, in or after it leaves another state."""
        return self.operation.partition(" ")[0] in _CHANGES


class _Faults:
    """Counts steps and lets the chosen ones fail."""

    def __init__(self, at: int | Collection[int] | None, fault: str) -> None:
        if fault not in FAULTS:
            raise ValueError(f"fault={fault!r} is none of {', '.join(FAULTS)}.")
        self.at = frozenset() if at is None else frozenset({at}) if isinstance(at, int) else frozenset(at)
        self.fault = fault
        self.steps: list[Step] = []
        self._lists: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, operation: str, path: str, do: Callable[[], R], tear: Callable[[], object] | None = None) -> R:
        with self._lock:
            step = Step(len(self.steps), operation, path)
            self.steps.append(step)
        if step.number not in self.at:
            found = do()
            if operation == "list":
                self._lists[path] = found
            return found
        return self._fail(step, do, tear)

    def _fail(self, step: Step, do: Callable[[], R], tear: Callable[[], object] | None) -> R:
        fault = self.fault
        if fault in _ERRORS:
            raise OSError(_ERRORS[fault], os.strerror(_ERRORS[fault]), step.path)
        if fault == "timeout":
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), step.path)
        if fault == "stale":
            if step.operation == "list":
                # What it gave when it was last asked; nothing, if it never was.
                return cast("R", self._lists.get(step.path, []))
            return do()
        if fault == "torn" and tear is not None:
            tear()
        if fault in ("after", "lost answer"):
            do()
        if fault == "lost answer":
            raise TimeoutError(errno.ETIMEDOUT, "done, but the answer never came", step.path)
        os._exit(CRASHED)


class FaultFS(AbstractFileSystem):  # type: ignore[misc]
    """A filesystem that fails at the steps it is told to.

    It wraps any fsspec filesystem: given as `fs`, or by URL (``fault::s3://bucket/store`` with
    ``options={"fault": {"at": 7, "fault": "torn"}}``).  Without one it is a context manager that stands before
    what stores in folders of this machine ask of the operating system.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem, optional
        What to wrap.
    at : int or collection of int, optional
        Numbers of the steps that fail; without it steps are only counted.
    fault : str
        What happens there. The process ends (`os._exit` with `CRASHED`) ``"before"`` the step, with half of its
        bytes written (``"torn"``) or ``"after"`` it; ``"EIO"``, ``"ENOSPC"``, ``"EACCES"`` and ``"timeout"`` are
        raised in its place; ``"lost answer"`` does it and raises a timeout; ``"stale"`` lets a listing tell what
        it told the last time.
    target_protocol, target_options, fo
        What fsspec gives for a URL.

    Attributes
    ----------
    steps : list of Step
        What was asked for so far.

    Examples
    --------
    >>> import tempfile
    >>> from dualdag.store import open_store
    >>> with tempfile.TemporaryDirectory() as folder, FaultFS(at=2, fault="ENOSPC") as faults:
    ...     try:
    ...         open_store(folder).save([1, 2])
    ...     except OSError as error:
    ...         print(type(error).__name__, faults.steps[2].operation)
    StoreError write
    """

    protocol = "fault"
    cachable = False

    def __init__(
        self,
        fs: AbstractFileSystem | None = None,
        *,
        at: int | Collection[int] | None = None,
        fault: str = "before",
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        fo: str = "",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if fs is None and target_protocol is not None:
            fs = filesystem(target_protocol, **(target_options or {}))
        self.fs = fs
        self._faults = _Faults(at, fault)
        self._before: list[_machine.Machine] = []

    @property
    def steps(self) -> list[Step]:
        """What was asked for so far."""
        return self._faults.steps

    def __enter__(self) -> Self:
        self._before.append(_machine.put_in_place(_FaultyMachine(_machine.current(), self._faults)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _machine.put_in_place(self._before.pop())

    # What stores ask of a filesystem.

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> Any:
        """Write a file whole."""
        return self._faults(
            "put if absent" if mode == "create" else "put",
            path,
            lambda: self._wrapped.pipe_file(path, value, mode=mode, **options),
            lambda: self._wrapped.pipe_file(path, value[: len(value) // 2], mode=mode, **options),
        )

    def put_file(self, lpath: str, rpath: str, callback: Any = None, mode: str = "overwrite", **options: Any) -> Any:
        """Write a file whole, from one of this machine."""
        more = options if callback is None else options | {"callback": callback}
        return self._faults(
            "put if absent" if mode == "create" else "put",
            rpath,
            lambda: self._wrapped.put_file(lpath, rpath, mode=mode, **more),
        )

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> Any:
        """Return a file's bytes."""
        return self._faults("read", path, lambda: self._wrapped.cat_file(path, start=start, end=end, **options))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return self._faults("read", path, lambda: self._wrapped.open(path, mode, **options))

    def info(self, path: str, **options: Any) -> Any:
        """Return what is known of a file."""
        return self._faults("size", path, lambda: self._wrapped.info(path, **options))

    def exists(self, path: str, **options: Any) -> bool:
        """Say whether there is such a file."""
        return bool(self._faults("size", path, lambda: self._wrapped.exists(path, **options)))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """List a folder."""
        return self._faults("list", path, lambda: self._wrapped.ls(path, detail=detail, **options))

    def rm_file(self, path: str) -> Any:
        """Remove a file."""
        return self._faults("delete", path, lambda: self._wrapped.rm_file(path))

    def makedirs(self, path: str, exist_ok: bool = False) -> Any:
        """Make a folder."""
        return self._faults("mkdir", path, lambda: self._wrapped.makedirs(path, exist_ok=exist_ok))

    def invalidate_cache(self, path: str | None = None) -> None:
        """Let the wrapped filesystem forget what it listed."""
        self._wrapped.invalidate_cache(path)

    @property
    def _wrapped(self) -> Any:
        if self.fs is None:
            raise ValueError("this FaultFS wraps no filesystem: give one, or use it in a with statement.")
        return self.fs


class _FaultyMachine(_machine.Machine):
    """The operating system, with faults before it."""

    def __init__(self, real: _machine.Machine, faults: _Faults) -> None:
        self._real = real
        self._faults = faults

    def mkdir(self, folder: str, mode: int = 0o777) -> None:
        # Those that are there already are no step.
        if not PurePath(folder).is_absolute() or not Path(folder).is_dir():
            self._faults("mkdir", folder, lambda: self._real.mkdir(folder, mode))

    def create(self, path: str) -> int:
        return self._faults("create", path, lambda: self._real.create(path))

    def write(self, file: int, path: str, data: memoryview) -> None:
        self._faults(
            "write",
            path,
            lambda: self._real.write(file, path, data),
            lambda: self._real.write(file, path, data[: data.nbytes // 2]),
        )

    def fsync(self, file: int, path: str) -> None:
        self._faults("fsync", path, lambda: self._real.fsync(file, path))

    def link(self, path: str, to: str) -> None:
        self._faults("link", to, lambda: self._real.link(path, to))

    def rename(self, path: str, to: str) -> None:
        self._faults("rename", to, lambda: self._real.rename(path, to))

    def unlink(self, path: str) -> None:
        self._faults("delete", path, lambda: self._real.unlink(path))

    def rmdir(self, folder: str) -> None:
        self._faults("delete", folder, lambda: self._real.rmdir(folder))

    def read(self, path: str) -> bytes:
        return self._faults("read", path, lambda: self._real.read(path))

    def size(self, path: str) -> int:
        return self._faults("size", path, lambda: self._real.size(path))

    def names(self, folder: str) -> list[str]:
        return self._faults("list", folder, lambda: self._real.names(folder))

    def entries(self, folder: str) -> list[tuple[str, os.stat_result]]:
        return self._faults("list", folder, lambda: self._real.entries(folder))
