"""Files of a store: put if absent, get, list; on local folders without fsspec, elsewhere through it."""

from __future__ import annotations

import errno
import os
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from dualdag.errors import StoreError

__all__ = ["READ_ONLY", "Buffers", "FileParts", "FileSystem", "describe", "open_filesystem"]

_EXTRAS = {"s3": 'pip install "dualdag[s3]"', "s3a": 'pip install "dualdag[s3]"'}
#: What the operating system says of a place that can't be written.
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
Buffers = Iterable[bytes | bytearray | memoryview]


class FileSystem(Protocol):
    """What a store asks of the place that it lies in; paths are relative, with forward slashes."""

    url: str
    local: Path | None

    def put_if_absent(self, path: str, parts: Buffers) -> bool:
        """Write a file whole unless there is one; say whether it was written."""

    def get(self, path: str) -> bytes | None:
        """Return a file's bytes, or None if there is none."""

    def exists(self, path: str) -> bool:
        """Say whether there is such a file."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; none if there is no such folder."""

    def remove(self, path: str) -> None:
        """Remove a file if there is one."""

    def move_aside(self, path: str, to: str) -> None:
        """Move a damaged file out of the way, so that its name can be written again."""


class FileParts:
    """A file in pieces, which can be gone through more than once."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with open(self._path, "rb") as file:
            while piece := file.read(1 << 22):
                yield piece


class LocalFolder:
    """A folder of this machine; needs no fsspec, whose import alone costs more than a small plan."""

    def __init__(self, root: str, *, durable: bool) -> None:
        self.local: Path | None = Path(root)
        self.url = root
        self._root = root
        self._durable = durable
        self._folders: set[str] = set()
        self._count = 0
        self._mine = f".{os.getpid():x}-{uuid.uuid4().hex[:8]}"

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def put_if_absent(self, path: str, parts: Buffers) -> bool:
        target = self._path(path)
        folder = os.path.dirname(target)
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        self._count += 1
        temporary = f"{folder}/{self._mine}-{threading.get_ident():x}-{self._count}.tmp"
        try:
            self._write(temporary, parts)
            return self._publish(temporary, target, folder)
        finally:
            try:
                os.unlink(temporary)
            except OSError:
                pass

    def _write(self, temporary: str, parts: Buffers) -> None:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o444)
        try:
            for part in parts:
                view = memoryview(part).cast("B")
                while len(view):
                    view = view[os.write(handle, view[: 1 << 30]) :]
            if self._durable:
                os.fsync(handle)
        finally:
            os.close(handle)

    def _publish(self, temporary: str, target: str, folder: str) -> bool:
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except (OSError, AttributeError):
            # No hard links here (FAT, some network folders): a rename that refuses to replace, as good as it gets.
            if os.path.exists(target):
                return False
            os.rename(temporary, target)
        if self._durable and hasattr(os, "O_DIRECTORY"):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        return True

    def get(self, path: str) -> bytes | None:
        try:
            with open(self._path(path), "rb", buffering=0) as file:
                return file.readall()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: str) -> bool:
        return os.path.exists(self._path(path))

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(n for n in os.listdir(self._path(folder)) if not n.endswith(".tmp"))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, path: str) -> None:
        try:
            os.unlink(self._path(path))
        except FileNotFoundError:
            pass

    def move_aside(self, path: str, to: str) -> None:
        target = self._path(to)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.replace(self._path(path), target)
        except FileNotFoundError:
            pass


class AnyFileSystem:
    """Any other place, through fsspec."""

    def __init__(self, url: str, fs: Any, root: str) -> None:
        self.local: Path | None = None
        self.url = url
        self._fs = fs
        self._root = root.rstrip("/")
        # In one process's memory there is no conditional put, but a lock serves.
        self._lock = threading.Lock()

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def put_if_absent(self, path: str, parts: Buffers) -> bool:
        data = b"".join(parts)
        if self._fs.protocol == "memory" or "memory" in self._fs.protocol:
            with _memory_lock:
                if self._fs.exists(self._path(path)):
                    return False
                self._fs.pipe_file(self._path(path), data)
                return True
        try:
            self._fs.pipe_file(self._path(path), data, mode="create")
        except FileExistsError:
            return False
        return True

    def get(self, path: str) -> bytes | None:
        try:
            return bytes(self._fs.cat_file(self._path(path)))
        except (FileNotFoundError, IsADirectoryError):
            return None

    def exists(self, path: str) -> bool:
        return bool(self._fs.exists(self._path(path)))

    def names(self, folder: str) -> list[str]:
        try:
            found = self._fs.ls(self._path(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(str(n).rstrip("/").rpartition("/")[2] for n in found)

    def remove(self, path: str) -> None:
        try:
            self._fs.rm_file(self._path(path))
        except FileNotFoundError:
            pass

    def move_aside(self, path: str, to: str) -> None:
        data = self.get(path)
        if data is not None:
            self._fs.pipe_file(self._path(to), data)
            self.remove(path)


_memory_lock = threading.Lock()


def open_filesystem(url: str, *, durable: bool) -> FileSystem:
    """Return the place that a URL names.

    Parameters
    ----------
    url : str
        A local path or any fsspec URL.
    durable : bool
        Whether local writes are fsynced.

    Raises
    ------
    StoreError
        When a package for the protocol is missing or the place can't be reached.
    """
    if "://" not in url or url.startswith("file://"):
        root = os.path.abspath(os.path.expanduser(url.removeprefix("file://")))
        if os.path.exists(root) and not os.path.isdir(root):
            raise StoreError(f"store {url!r}: {root} is a file, and a store is a folder. Name another path.")
        return LocalFolder(root.replace(os.sep, "/"), durable=durable)
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    protocol = url.split("://", 1)[0]
    try:
        fs, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=protocol != "memory")
    except ImportError as error:
        known = known_implementations.get(protocol, {}).get("err", "")
        line = _EXTRAS.get(protocol) or _pip_line(known) or f"pip install the fsspec package for {protocol}"
        raise StoreError(f"store {url!r} needs a package that is not installed: {line}") from error
    except ValueError as error:
        raise StoreError(f"store {url!r}: no filesystem is known for {protocol}://. {error}") from error
    return AnyFileSystem(url, fs, root)


def _pip_line(text: str) -> str | None:
    words = [w.strip("\"'`.,()") for w in text.replace("Please install ", "Install ").split()]
    if "Install" in words and words.index("Install") + 1 < len(words):
        return f"pip install {words[words.index('Install') + 1]}"
    return None


def describe(error: OSError, url: str, what: str) -> StoreError:
    """Return one clear error for what the operating system refused."""
    reasons = {
        errno.ENOSPC: "the disk is full: free some space; what was kept before is untouched",
        errno.EDQUOT: "the disk quota is used up: free some space; what was kept before is untouched",
        errno.EACCES: "there is no right to write here: change the rights, or name another store",
        errno.EPERM: "there is no right to write here: change the rights, or name another store",
        errno.EROFS: "it lies on a read-only filesystem: plan and get work, a run needs another store",
    }
    reason = reasons.get(error.errno or 0, str(error))
    return StoreError(f"store {url}: can't {what}; {reason}.")
