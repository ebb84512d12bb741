"""`FaultFS`: a filesystem that fails at the step it is told to, to see what a store makes of it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from fsspec import AbstractFileSystem, filesystem, register_implementation

from dualdag.store import _machine
from dualdag.testing._fault_steps import CHANGES, CRASHED, CRASHES, ERRORS, Faults, Killed, Step

__all__ = ["CHANGES", "CRASHED", "CRASHES", "ERRORS", "FaultFS", "Killed", "Step"]


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
        self._faults = Faults(at, fault, only, exits)
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
        if mode == "rb":
            return self._faults("read", path, lambda: self._wrapped.open(self._root + path, mode, **options))
        there = self._wrapped.exists(self._root + path)
        if "x" in mode and there:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        before = self._wrapped.cat_file(self._root + path) if "a" in mode and there else b""
        kind = "create" if "x" in mode else "overwrite"
        return _Written(lambda data: self.pipe_file(path, data, mode=kind), bytes(before))

    def cp_file(self, path1: str, path2: str, **options: Any) -> Any:
        """Copy a file."""
        return self._faults(
            "put", path2, lambda: self._wrapped.cp_file(self._root + path1, self._root + path2, **options)
        )

    def mv(self, path1: str, path2: str, **options: Any) -> Any:
        """Give a file another name."""
        return self._faults(
            "rename", path2, lambda: self._wrapped.mv(self._root + path1, self._root + path2, **options)
        )

    def info(self, path: str, **options: Any) -> Any:
        """Return what is known of a file."""
        return self._faults("size", path, lambda: self._wrapped.info(self._root + path, **options))

    def exists(self, path: str, **options: Any) -> bool:
        """Say whether there is such a file."""
        return bool(self._faults("size", path, lambda: self._wrapped.exists(self._root + path, **options)))

    def modified(self, path: str) -> Any:
        """Return when a file was written."""
        return self._faults("size", path, lambda: self._wrapped.modified(self._root + path))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """List a folder."""
        return self._faults(
            "list", path, lambda: self._below(path, detail, options), told="entries" if detail else "names"
        )

    def _below(self, path: str, detail: bool, options: dict[str, Any]) -> list[Any]:
        found = self._wrapped.ls(self._root + path, detail=detail, **options)
        if not self._root:
            return list(found)
        if detail:
            return [one | {"name": str(one["name"]).removeprefix(self._root)} for one in found]
        return [str(name).removeprefix(self._root) for name in found]

    def rm_file(self, path: str) -> Any:
        """Remove a file."""
        return self._faults("delete", path, lambda: self._wrapped.rm_file(self._root + path))

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, and folders with what is in them, each in a step of its own."""
        for one in reversed(self.expand_path(path, recursive=recursive, maxdepth=maxdepth)):
            (self.rmdir if self._wrapped.isdir(self._root + one) else self.rm_file)(one)

    def rmdir(self, path: str) -> Any:
        """Remove an empty folder."""
        return self._faults("delete", path, lambda: self._wrapped.rmdir(self._root + path))

    def mkdir(self, path: str, create_parents: bool = True, **options: Any) -> Any:
        """Make a folder."""
        return self._faults("mkdir", path, lambda: self._wrapped.mkdir(self._root + path, create_parents, **options))

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


class _Written(io.BytesIO):
    """A file that is put in its place whole when it is closed."""

    def __init__(self, put: Callable[[bytes], object], before: bytes) -> None:
        super().__init__()
        self._put = put
        self.write(before)

    def close(self) -> None:
        if not self.closed:
            data = self.getvalue()
            super().close()
            self._put(data)


register_implementation("fault", FaultFS, clobber=True)


class _FaultyMachine(_machine.Machine):
    """The operating system, with faults before it."""

    def __init__(self, owner: FaultFS, real: _machine.Machine, faults: Faults, links: bool) -> None:
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
