"""Files of a store: put if absent, get, list; a folder of this machine by plain system calls, else through fsspec."""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dualdag.errors import StoreError
from dualdag.store._bounds import LINK, Bounds
from dualdag.store._machine import current
from dualdag.store._refused import READ_ONLY, describe, explained, shown

__all__ = ["LARGEST", "READ_ONLY", "Buffers", "Entry", "FileSystem", "LocalFolder", "describe", "explained", "numbered",
           "open_filesystem", "shown"]  # fmt: skip

Buffers = Iterable[bytes | bytearray | memoryview]

#: Bytes of what a store writes down about itself; a longer file is damaged, and takes no memory.
LARGEST = 1 << 30
_PIECE = 1 << 22
#: What a folder says that has no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, None}

#: What lies where a file should, and is none.
_NO_FILE = {errno.EISDIR}


class Entry(NamedTuple):
    """What a listing tells: of a file its size, and when it was written, in seconds since 1970, if that is known."""

    name: str
    nbytes: int
    modified: float | None
    folder: bool


class FileSystem(Protocol):
    """A tree of files that are written once; paths are relative, with forward slashes.

    Every method raises StoreError, with the cause, for what the place refuses.
    """

    url: str
    local: Path | None

    def put_if_absent(self, path: str, parts: Buffers) -> bool:
        """Write a file whole unless there is one; say whether it was written."""

    def get(self, path: str) -> bytes | None:
        """Return a file's bytes, or None if there is none."""

    def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of several files, None for those that are not there."""

    def size(self, path: str) -> int | None:
        """Return a file's size, or None if there is none."""

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Return the size of each file, None where there is none."""

    def pieces(self, path: str) -> Iterable[bytes]:
        """Yield a file's bytes in pieces."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; none if there is no such folder."""

    def names_many(self, folders: Sequence[str]) -> list[list[str]]:
        """Return the sorted names in each of several folders."""

    def entries(self, folder: str) -> list[Entry]:
        """Return what lies in a folder, by name, temporary files too; nothing if there is no such folder."""

    def replace(self, path: str, data: bytes) -> None:
        """Write a file whole in place of the damaged one that has its name."""

    def remove(self, path: str) -> None:
        """Remove a file if there is one."""

    def prune(self, folder: str) -> None:
        """Remove a folder if it is empty, where there are folders."""

    def move_aside(self, path: str, to: str) -> None:
        """Move a damaged file out of the way, so that its name can be written again."""

    def exclusive(self) -> tuple[bool, str]:
        """Say whether a name is given to one writer alone, and how, or why not."""


def numbered(names: Iterable[str], digits: int) -> list[int]:
    """Return the numbers that are names of files, sorted; what else lies in a folder is none of ours.

    Parameters
    ----------
    names : iterable of str
        As `FileSystem.names` gave them.
    digits : int
        How many each name has at least; what no 64 bits hold is none of ours either.

    Examples
    --------
    >>> numbered(["00000002", "00000001", "7", "Thumbs.db"], 8)
    [1, 2]
    """
    return sorted(int(name) for name in names if digits <= len(name) <= 18 and name.isascii() and name.isdigit())


class LocalFolder:
    """A folder of this machine; needs no fsspec, whose import alone costs more than a small plan.

    Parameters
    ----------
    url : str
        A path, or a ``file://`` URL.
    durable : bool
        Whether writes are fsynced.
    """

    def __init__(self, url: str, *, durable: bool) -> None:
        root = os.path.abspath(os.path.expanduser(_path_of(url)))
        if os.path.exists(root) and not os.path.isdir(root):
            raise StoreError(f"store {url!r}: {root} is a file, and a store is a folder. Name another path.")
        self.url = root
        self.local: Path | None = Path(root)
        self._root = root.replace(os.sep, "/").rstrip("/")
        self._durable = durable
        self._links = True
        self._folders: set[str] = set()
        self._bounds = Bounds(self._root)
        self._count = itertools.count()
        self._mine = f".{uuid.uuid4().hex[:12]}"

    @explained("write to it")
    def put_if_absent(self, path: str, parts: Buffers) -> bool:
        """Write a file whole unless there is one; say whether it was written."""
        target = self._inside(path)
        folder = target[: target.rindex("/")]
        self._make(folder)
        temporary = self._temporary(folder)
        try:
            self._write(temporary, parts, folder)
            return self._publish(temporary, target, folder)
        finally:
            _let_go(temporary)

    def _inside(self, path: str) -> str:
        """Return the whole path of a file, whose folder is none of another place."""
        self._bounds.check(path.rpartition("/")[0])
        return f"{self._root}/{path}"

    def _temporary(self, folder: str) -> str:
        # The process is named too, since a fork goes on with its parent's count.
        return f"{folder}/{self._mine}-{os.getpid():x}-{next(self._count):x}.tmp"

    def _make(self, folder: str) -> None:
        if folder not in self._folders:
            if not os.path.isdir(self._root):
                # Whoever wants to share it makes it beforehand, for those who may.
                current().mkdir(self._root, 0o700)
            current().mkdir(folder)
            if self._durable:
                # The new folder's own name lies in the one above it.
                self._sync(os.path.dirname(folder))
            self._folders.add(folder)

    def _write(self, temporary: str, parts: Buffers, folder: str) -> None:
        machine = current()
        try:
            handle = machine.create(temporary)
        except FileNotFoundError:
            # Somebody removed the store, or emptied it, while it was open.
            self._folders.clear()
            self._make(folder)
            handle = machine.create(temporary)
        try:
            for part in parts:
                machine.write(handle, temporary, memoryview(part).cast("B"))
            if self._durable:
                machine.fsync(handle, temporary)
        finally:
            machine.close(handle)

    def _publish(self, temporary: str, target: str, folder: str) -> bool:
        if self._links:
            try:
                current().link(temporary, target)
            except FileExistsError:
                # On NFS the answer to a link that worked can get lost; asked again, it says this.
                return os.stat(temporary).st_nlink == 2
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._links = False
        if not self._links and not self._reserve(temporary, target):
            return False
        if self._durable:
            self._sync(folder)
        return True

    def _reserve(self, temporary: str, target: str) -> bool:
        """Publish where there are no hard links (FAT, some network folders).

        An empty file takes the name, which one writer alone can make; the whole file then replaces it.
        A crash in between leaves it empty: the name is taken, and what it holds counts as damaged.
        """
        try:
            current().close(current().create(target))
        except FileExistsError:
            return False
        try:
            current().rename(temporary, target)
        except OSError:
            with suppress(OSError):
                if os.stat(target).st_size == 0:
                    current().unlink(target)
            raise
        return True

    def _sync(self, folder: str) -> None:
        if hasattr(os, "O_DIRECTORY"):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                current().fsync(handle, folder)
            finally:
                os.close(handle)

    @explained("read it")
    def get(self, path: str) -> bytes | None:
        """Return a file's bytes, or None if there is none."""
        whole, most = self._inside(path), sys.maxsize if path.startswith("objects/") else LARGEST
        try:
            return current().read(whole, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in LINK:
                stands_for = self._bounds.read_link(whole)
                return b"" if stands_for is None else current().read(stands_for, most)
            if error.errno in _NO_FILE:
                return b""
            raise

    def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of several files, None for those that are not there."""
        return [self.get(path) for path in paths]

    @explained("read it")
    def size(self, path: str) -> int | None:
        """Return a file's size, or None if there is none."""
        try:
            return current().size(self._inside(path))
        except (FileNotFoundError, NotADirectoryError):
            # A link to nowhere takes the name all the same.
            return 0 if os.path.islink(f"{self._root}/{path}") else None

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Return the size of each file, None where there is none, or no more than its name (see `_reserve`)."""
        return [_filled(f"{self._root}/{path}") for path in paths]

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces."""
        whole = self._inside(path)
        try:
            yield from _pieces(whole)
        except OSError as error:
            if error.errno not in LINK | _NO_FILE:
                raise
            stands_for = self._bounds.read_link(whole) if error.errno in LINK else None
            if stands_for is not None:
                yield from _pieces(stands_for)

    @explained("read it")
    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; none if there is no such folder."""
        self._bounds.check(folder)
        try:
            return sorted(name for name in current().names(f"{self._root}/{folder}") if not name.endswith(".tmp"))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def names_many(self, folders: Sequence[str]) -> list[list[str]]:
        """Return the sorted names in each of several folders."""
        return [self.names(folder) for folder in folders]

    @explained("read it")
    def entries(self, folder: str) -> list[Entry]:
        """Return what lies in a folder, by name, temporary files too; nothing if there is no such folder."""
        self._bounds.check(folder)
        try:
            found = current().entries(f"{self._root}/{folder}")
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(Entry(name, one.st_size, one.st_mtime, stat.S_ISDIR(one.st_mode)) for name, one in found)

    @explained("write to it")
    def replace(self, path: str, data: bytes) -> None:
        """Write a file whole in place of the damaged one that has its name."""
        target = self._inside(path)
        folder = target[: target.rindex("/")]
        temporary = self._temporary(folder)
        try:
            self._write(temporary, [data], folder)
            current().rename(temporary, target)
        finally:
            _let_go(temporary)
        if self._durable:
            self._sync(folder)

    @explained("remove from it")
    def remove(self, path: str) -> None:
        """Remove a file if there is one."""
        try:
            current().unlink(self._inside(path))
        except FileNotFoundError:
            pass

    def prune(self, folder: str) -> None:
        """Remove a folder if it is empty, where there are folders."""
        try:
            self._bounds.check(folder)
            current().rmdir(f"{self._root}/{folder}")
        except OSError:
            pass

    @explained("write to it")
    def move_aside(self, path: str, to: str) -> None:
        """Move a damaged file out of the way, so that its name can be written again."""
        whole, target = self._inside(path), self._inside(to)
        current().mkdir(os.path.dirname(target))
        try:
            current().rename(whole, target)
        except FileNotFoundError:
            pass

    def exclusive(self) -> tuple[bool, str]:
        """Say whether a name is given to one writer alone, and how, or why not."""
        return True, "a hard link" if self._links else "an empty file that must not be there"


def _pieces(path: str) -> Iterator[bytes]:
    with current().open(path) as file:
        while piece := file.read(_PIECE):
            yield piece


def _filled(path: str) -> int | None:
    try:
        return os.stat(path).st_size or None
    except OSError:
        return None


def _let_go(temporary: str) -> None:
    try:
        current().unlink(temporary)
    except OSError:
        pass


def _path_of(url: str) -> str:
    path = url.removeprefix("file://").removeprefix("local://")
    if os.name == "nt" and path != url and re.match(r"/[A-Za-z]:", path):
        return path[1:]
    return path


def open_filesystem(url: str, *, durable: bool, options: Mapping[str, Any]) -> FileSystem:
    """Return the place that a URL names; nothing is made there.

    Parameters
    ----------
    url : str
        A local path or any fsspec URL.
    durable : bool
        Whether local writes are fsynced.
    options : mapping
        Passed to fsspec.

    Raises
    ------
    StoreError
        When a package for the protocol is missing or the place can't be reached.
    """
    if "::" not in url and ("://" not in url or url.startswith(("file://", "local://"))):
        return LocalFolder(url, durable=durable)
    from dualdag.store._remote import open_remote

    return open_remote(url, options, durable=durable)
