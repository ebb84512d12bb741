"""`FaultFS`: a filesystem that fails at the step it is told to, to see what a store makes of it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar, cast

from fsspec import AbstractFileSystem, filesystem, register_implementation

from dualdag.store import _machine

__all__ = ["CHANGES", "CRASHED", "CRASHES", "ERRORS", "FaultFS", "Killed", "Step"]

R = TypeVar("R")

#: Exit status of a process that `FaultFS` ended.
CRASHED = 86
_NUMBERS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EACCES": errno.EACCES}
#: How a process can end at a step.
CRASHES = ("before", "torn", "after")
#: What else can happen there.
ERRORS = (*_NUMBERS, "timeout", "lost answer", "asked twice", "stale list")
#: What changes something, so that a crash before, in or after it leaves another state.
CHANGES = frozenset({"mkdir", "create", "write", "fsync", "link", "rename", "put", "put if absent", "delete"})
#: What clients of a place ask for again by themselves when an answer is lost.
_ASKED_TWICE = frozenset({"link", "put if absent"})


class Killed(BaseException):
    """What a step raises in place of ending the process."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was asked of a filesystem.

    Parameters
    ----------
    number : int
        From 0, in the order in which they were asked for.
    operation : str
        ``mkdir``, ``create``, ``write``, ``fsync``, ``link``, ``rename``, ``put``, ``put if absent``, ``delete``,
        ``list``, ``read`` or ``size``.
    path : str
        What it was asked of; of a link or a rename, the new name.
    """

    number: int
    operation: str
    path: str


class _Faults:
    """Counts steps and lets the chosen ones fail."""

    def __init__(self, at: int | Collection[int] | None, fault: str, only: Collection[str] | None, exits: bool) -> None:
        if fault not in (*CRASHES, *ERRORS):
            raise ValueError(f"fault={fault!r} is none of {', '.join((*CRASHES, *ERRORS))}.")
        self.at = frozenset() if at is None else frozenset({at}) if isinstance(at, int) else frozenset(at)
        self.fault = fault
        self.only = only
        self.exits = exits
        self.steps: list[Step] = []
        self._dead = False
        self._lists: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __call__(
        self,
        operation: str,
        path: str,
        do: Callable[[], R],
        tear: Callable[[], object] | None = None,
        told: str = "names",
    ) -> R:
        if self._dead:
            raise Killed(f"{operation} of {path}, by a process that is dead")
        if self.only is not None and operation not in self.only:
            return do()
        with self._lock:
            step = Step(len(self.steps), operation, path)
            self.steps.append(step)
        if step.number not in self.at:
            found = do()
            if operation == "list":
                self._lists[path, told] = found
            return found
        if self.fault == "stale list" and operation == "list":
            # What it gave when it was last asked; nothing, if it never was.
            return cast("R", self._lists.get((path, told), []))
        return self._fail(step, do, tear)

    def _fail(self, step: Step, do: Callable[[], R], tear: Callable[[], object] | None) -> R:
        fault, where = self.fault, step.path
        if fault in _NUMBERS:
            raise OSError(_NUMBERS[fault], os.strerror(_NUMBERS[fault]), where)
        if fault == "timeout":
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), where)
        if fault == "lost answer":
            do()
            raise TimeoutError(errno.ETIMEDOUT, "the answer never came", where)
        if fault == "asked twice" and step.operation in _ASKED_TWICE:
            do()
        if fault in ERRORS:
            return do()
        if fault == "torn" and tear is not None:
            tear()
        if fault == "after":
            do()
        self._end(step)
        raise AssertionError  # pragma: no cover - it ended

    def _end(self, step: Step) -> None:
        if self.exits:
            os._exit(CRASHED)
        self._dead = True
        raise Killed(f"{self.fault} step {step.number}, {step.operation} of {step.path}")


class FaultFS(AbstractFileSystem):  # type: ignore[misc]
    """A filesystem that fails at the steps it is told to.

    In a ``with`` statement it stands before all that stores opened there ask of the operating system and of
    fsspec.  It also wraps any one filesystem of fsspec: given as `fs`, or by URL, as in
    ``fault::s3://bucket/store``.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem, optional
        What to wrap.
    at : int or collection of int, optional
        Numbers of the steps that fail; without it steps are only counted.
    fault : str
        What happens there. The process ends (`os._exit` with `CRASHED`) ``"before"`` the step, with half of its
        bytes written (``"torn"``) or ``"after"`` it; ``"EIO"``, ``"ENOSPC"``, ``"EACCES"`` and ``"timeout"`` are
        raised in its place; ``"lost answer"`` does it and raises a timeout; ``"asked twice"`` does a link or a
        conditional put twice, as a client that lost the answer may, and tells what the second one said;
        ``"stale list"`` lets a listing tell what it told the last time.
    only : collection of str, optional
        Operations that count as steps (see `Step`); all, without it.
    exits : bool
        Whether a crash ends the process. If not, `Killed` is raised there and at every step after it: for what
        lives in the process's own memory.
    links : bool
        Whether folders have hard links; FAT and some network folders have none.
    target_protocol, target_options, fo
        What fsspec gives for a URL.

    Attributes
    ----------
    steps : list of Step
        What was asked for so far.

    Examples
    --------
    >>> import tempfile
    >>> from dualdag.errors import StoreError
    >>> from dualdag.store import open_store
    >>> with tempfile.TemporaryDirectory() as folder, FaultFS(at=0, fault="ENOSPC", only={"write"}) as faults:
    ...     try:
    ...         open_store(folder).save([1, 2])
    ...     except StoreError as error:
    ...         print(str(error).partition("; ")[2])
    ...     [step.operation for step in faults.steps]
    the disk is full: free some space; what was kept before is untouched.
    ['write']
    """

    protocol: str | tuple[str, ...] = "fault"
    cachable = False

    def __init__(
        self,
        fs: AbstractFileSystem | None = None,
        *,
        at: int | Collection[int] | None = None,
        fault: str = "before",
        only: Collection[str] | None = None,
        exits: bool = True,
        links: bool = True,
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        fo: str = "",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if fs is None and target_protocol is not None:
            fs = filesystem(target_protocol, **(target_options or {}))
        self._faults = _Faults(at, fault, only, exits)
        self._links = links
        self._before: list[_machine.Machine] = []
        self.fs = fs
        # Of a chained URL fsspec gives the inner one away, and asks for paths below it.
        self._root = ""
        if fs is not None:
            self._root = str(fs._strip_protocol(fo)).rstrip("/") if fo else ""
            # A store asks for these to know whether there are folders, or only a process's memory.
            self.protocol = ("fault", *((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol))

    @property
    def steps(self) -> list[Step]:
        """What was asked for so far."""
        return self._faults.steps

    def around(self, fs: AbstractFileSystem) -> FaultFS:
        """Return a wrapper of `fs` that counts on with this one.

        Parameters
        ----------
        fs : fsspec.AbstractFileSystem
            What to wrap.
        """
        made = FaultFS(fs)
        made._faults = self._faults
        return made

    def __enter__(self) -> Self:
        self._before.append(_machine.put_in_place(_FaultyMachine(self, _machine.current(), self._faults, self._links)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _machine.put_in_place(self._before.pop())

    # What stores ask of a filesystem.

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return "" if path == "fault://" else path

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> Any:
        """Write a file whole."""
        return self._faults(
            "put if absent" if mode == "create" else "put",
            path,
            lambda: self._wrapped.pipe_file(self._root + path, value, mode=mode, **options),
            self._torn(path, value),
        )

    def put_file(self, lpath: str, rpath: str, callback: Any = None, mode: str = "overwrite", **options: Any) -> Any:
        """Write a file whole, from one of this machine."""
        more = options if callback is None else options | {"callback": callback}
        return self._faults(
            "put if absent" if mode == "create" else "put",
            rpath,
            lambda: self._wrapped.put_file(lpath, self._root + rpath, mode=mode, **more),
        )

    def _torn(self, path: str, value: bytes) -> Callable[[], object] | None:
        # Only what writes as a file is written can stop in the middle: object stores and memory take all or nothing.
        if {"file", "local"}.isdisjoint(self.protocol):
            return None
        return lambda: self._wrapped.pipe_file(self._root + path, value[: len(value) // 2])

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> Any:
        """Return a file's bytes."""
        return self._faults(
            "read", path, lambda: self._wrapped.cat_file(self._root + path, start=start, end=end, **options)
        )

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return self._faults("read", path, lambda: self._wrapped.open(self._root + path, mode, **options))

    def info(self, path: str, **options: Any) -> Any:
        """Return what is known of a file."""
        return self._faults("size", path, lambda: self._wrapped.info(self._root + path, **options))

    def exists(self, path: str, **options: Any) -> bool:
        """Say whether there is such a file."""
        return bool(self._faults("size", path, lambda: self._wrapped.exists(self._root + path, **options)))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """List a folder."""
        return self._faults(
            "list",
            path,
            lambda: self._wrapped.ls(self._root + path, detail=detail, **options),
            told="entries" if detail else "names",
        )

    def rm_file(self, path: str) -> Any:
        """Remove a file."""
        return self._faults("delete", path, lambda: self._wrapped.rm_file(self._root + path))

    def makedirs(self, path: str, exist_ok: bool = False) -> Any:
        """Make a folder."""
        return self._faults("mkdir", path, lambda: self._wrapped.makedirs(self._root + path, exist_ok=exist_ok))

    def invalidate_cache(self, path: str | None = None) -> None:
        """Let the wrapped filesystem forget what it listed."""
        self._wrapped.invalidate_cache(path)

    @property
    def _wrapped(self) -> Any:
        if self.fs is None:
            raise ValueError("this FaultFS wraps no filesystem: give one, or use it in a with statement.")
        return self.fs


register_implementation("fault", FaultFS, clobber=True)


class _FaultyMachine(_machine.Machine):
    """The operating system, with faults before it."""

    def __init__(self, owner: FaultFS, real: _machine.Machine, faults: _Faults, links: bool) -> None:
        self._owner = owner
        self._real = real
        self._faults = faults
        self._links = links

    def mkdir(self, folder: str, mode: int = 0o777) -> None:
        # Those that are there already are no step.
        if not Path(folder).is_dir():
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
        if not self._links:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), to)
        self._faults("link", to, lambda: self._real.link(path, to))

    def rename(self, path: str, to: str) -> None:
        self._faults("rename", to, lambda: self._real.rename(path, to))

    def unlink(self, path: str) -> None:
        self._faults("delete", path, lambda: self._real.unlink(path))

    def rmdir(self, folder: str) -> None:
        self._faults("delete", folder, lambda: self._real.rmdir(folder))

    def read(self, path: str, most: int) -> bytes:
        return self._faults("read", path, lambda: self._real.read(path, most))

    def open(self, path: str) -> BinaryIO:
        return self._faults("read", path, lambda: self._real.open(path))

    def size(self, path: str) -> int:
        return self._faults("size", path, lambda: self._real.size(path))

    def names(self, folder: str) -> list[str]:
        return self._faults("list", folder, lambda: self._real.names(folder))

    def entries(self, folder: str) -> list[tuple[str, os.stat_result]]:
        return self._faults("list", folder, lambda: self._real.entries(folder), told="entries")

    def filesystem(self, fs: Any) -> Any:
        return self._owner.around(self._real.filesystem(fs))
