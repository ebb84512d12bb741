"""Any other place as a store's, through fsspec."""

from __future__ import annotations

import os
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from dualdag.errors import StoreError
from dualdag.store._exclusive import Found, Way, find_way, place_of
from dualdag.store._fs import Buffers, Entry, FileSystem, LocalFolder, explained, shown
from dualdag.store._machine import current
from dualdag.store._refused import without_password

__all__ = ["open_remote"]

A = TypeVar("A")
B = TypeVar("B")
_EXTRAS = {"s3": 'pip install "dualdag[s3]"', "s3a": 'pip install "dualdag[s3]"'}
#: More bytes than this go through a temporary file, so that they are not in memory twice.
_JOINED = 1 << 26
_PIECE = 1 << 22
_AT_ONCE = 16
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_memory_lock = threading.Lock()
#: What was found out in this process about places: how a name is given there to one writer alone.
_tried: dict[tuple[object, ...], Found] = {}
_trying = threading.Lock()
#: Protocols of object stores, which have no folders.
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "cos", "obs", "tos", "r2"})


class AnyFileSystem:
    """A place that fsspec reaches.

    Parameters
    ----------
    url : str
        As it was given.
    fs : fsspec.AbstractFileSystem
        Made without a cache of listings, which would hide what other writers do.
    root : str
        The path in it.
    """

    def __init__(self, url: str, fs: Any, root: str) -> None:
        self.url = url
        self.local: Path | None = None
        self._fs = fs
        self._root = root.rstrip("/")
        protocols = fs.protocol if isinstance(fs.protocol, (tuple, list)) else (fs.protocol,)
        self._in_memory = "memory" in protocols
        self._has_buckets = not _BUCKETS.isdisjoint(protocols)

    def _path(self, path: str) -> str:
        if ".." in path.split("/"):
            raise StoreError(f"store {shown(self.url)}: {path!r} is no path inside it.")
        return f"{self._root}/{path}"

    @explained("write to it", Exception)
    def put_if_absent(self, path: str, parts: Buffers) -> bool:
        """Write a file whole unless there is one; say whether it was written."""
        with _gathered(parts) as (data, file):
            target = self._path(path)
            if self._in_memory:
                return self._put_in_memory(target, data if data is not None else Path(file).read_bytes())
            way = self._way().way
            if way is None:
                return self._put_unless_seen(target, data, file)
            try:
                self._put(target, data, file, way)
            except FileExistsError:
                # The answer to a put that worked can get lost; tried again, it says this.
                return data is not None and len(data) < _PIECE and self.get(path) == data
            except (TimeoutError, ConnectionError):
                # The answer never came: what lies there now tells whether the file is there, and whose it is.
                found = self.get(path)
                if found is None:
                    raise
                return found == data
            return True

    def _put(self, target: str, data: bytes | None, file: str, way: Way | None = None) -> None:
        def put() -> None:
            if way is None:
                self._fs.pipe_file(target, data) if data is not None else self._fs.put_file(file, target)
            elif data is None and way.put_file is not None:
                way.put_file(self._fs, file, target)
            else:
                way.put(self._fs, target, data if data is not None else Path(file).read_bytes())

        try:
            put()
        except FileNotFoundError:
            # Where there are folders one has to be made; where there are none a bucket is not there.
            if self._has_buckets:
                raise
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            put()

    def _put_in_memory(self, target: str, data: bytes) -> bool:
        # In one process's memory there is no conditional put, but a lock serves.
        with _memory_lock:
            if self._fs.exists(target):
                return False
            self._fs.pipe_file(target, data)
            return True

    def _put_unless_seen(self, target: str, data: bytes | None, file: str) -> bool:
        if self._fs.exists(target):
            return False
        self._put(target, data, file)
        return True

    def _way(self) -> Found:
        """Return how a name is given to one writer alone; tried once for a place and process."""
        place = place_of(self._fs)
        with _trying:
            found = _tried.get(place)
            if found is None:
                # The folder has to be there, where there are any.
                path = self._path(f"scratch/{uuid.uuid4().hex}")
                self._put(path, b"dualdag", "")
                self._fs.rm_file(path)
                found = _tried[place] = find_way(self._fs, self._path("scratch"))
                if found.way is None:
                    warnings.warn(f"store {shown(self.url)}: {self._loose(found)}.", stacklevel=2)
        return found

    def _loose(self, found: Found) -> str:
        return (
            f"{type(self._fs).__name__} can't be told not to replace a file ({found.fault}), so only one run at a "
            "time may write to this store"
        )

    def exclusive(self) -> tuple[bool, str]:
        """Say whether a name is given to one writer alone, and how, or why not."""
        if self._in_memory:
            return True, "a lock"
        found = self._way()
        return (False, self._loose(found)) if found.way is None else (True, found.way.name)

    @explained("read it", Exception)
    def get(self, path: str) -> bytes | None:
        """Return a file's bytes, or None if there is none."""
        try:
            return bytes(self._fs.cat_file(self._path(path)))
        except _ABSENT:
            return None

    def get_many(self, paths: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of several files, None for those that are not there."""
        return self._together(self.get, paths)

    @explained("read it", Exception)
    def size(self, path: str) -> int | None:
        """Return a file's size, or None if there is none."""
        try:
            found = self._fs.info(self._path(path))
        except _ABSENT:
            return None
        return None if found.get("type") == "directory" else int(found.get("size") or 0)

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """Return the size of each file, None where there is none."""
        return self._together(self.size, paths)

    def _together(self, call: Callable[[A], B], many: Sequence[A]) -> list[B]:
        """Call for each, several at once: a round trip takes longer than its work."""
        if len(many) < 2 or self._in_memory:
            return [call(one) for one in many]
        with ThreadPoolExecutor(min(_AT_ONCE, len(many)), thread_name_prefix="dualdag store") as pool:
            return list(pool.map(call, many))

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces."""
        with self._fs.open(self._path(path), "rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    @explained("list it", Exception)
    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; none if there is no such folder."""
        path = self._path(folder).rstrip("/")
        try:
            self._fs.invalidate_cache()
            found = [str(name).rstrip("/") for name in self._fs.ls(path, detail=False)]
        except _ABSENT:
            return []
        # Some list the folder itself.
        here = path.strip("/")
        return sorted({name.rpartition("/")[2] for name in found if name.strip("/") != here})

    def names_many(self, folders: Sequence[str]) -> list[list[str]]:
        """Return the sorted names in each of several folders."""
        return self._together(self.names, folders)

    @explained("list it", Exception)
    def entries(self, folder: str) -> list[Entry]:
        """Return what lies in a folder, by name; nothing if there is no such folder."""
        path = self._path(folder).rstrip("/")
        try:
            self._fs.invalidate_cache()
            found = self._fs.ls(path, detail=True)
        except _ABSENT:
            return []
        here = path.strip("/")
        made = (_entry(one) for one in found if str(one["name"]).strip("/") != here)
        return sorted({one.name: one for one in made}.values())

    @explained("write to it", Exception)
    def replace(self, path: str, data: bytes) -> None:
        """Write a file whole in place of the damaged one that has its name."""
        self._put(self._path(path), data, "")

    @explained("remove from it", Exception)
    def remove(self, path: str) -> None:
        """Remove a file if there is one."""
        try:
            self._fs.rm_file(self._path(path))
        except FileNotFoundError:
            pass

    def prune(self, folder: str) -> None:
        """Remove a folder if it is empty, where there are folders."""
        if not self._has_buckets and not self.names(folder):
            try:
                self._fs.rmdir(self._path(folder))
            except Exception:  # noqa: BLE001 - an empty folder harms nobody
                return

    @explained("write to it", Exception)
    def move_aside(self, path: str, to: str) -> None:
        """Move a damaged file out of the way, so that its name can be written again."""
        data = self.get(path)
        if data is not None:
            self._put(self._path(to), data, "")
            self.remove(path)


#: What the filesystems of fsspec call the time at which a file was written.
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


def _entry(told: Mapping[str, Any]) -> Entry:
    when = next((told[name] for name in _TIMES if told.get(name) is not None), None)
    if isinstance(when, datetime):
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    name = str(told["name"]).rstrip("/").rpartition("/")[2]
    modified = float(when) if isinstance(when, (int, float)) else None
    return Entry(name, int(told.get("size") or 0), modified, told.get("type") == "directory")


class _gathered:  # noqa: N801 - used as a function
    """Bring parts together, in memory or, where they are large, in a temporary file."""

    def __init__(self, parts: Buffers) -> None:
        self._parts = parts
        self._file = ""

    def __enter__(self) -> tuple[bytes | None, str]:
        held: list[bytes | bytearray | memoryview] = []
        size = 0
        rest = iter(self._parts)
        for part in rest:
            held.append(part)
            size += memoryview(part).nbytes
            if size > _JOINED:
                return None, self._spool(held, rest)
        return (held[0] if len(held) == 1 and isinstance(held[0], bytes) else b"".join(held)), ""

    def _spool(self, held: Sequence[Any], rest: Iterator[Any]) -> str:
        handle, self._file = tempfile.mkstemp(prefix="dualdag-")
        with os.fdopen(handle, "wb") as file:
            for part in held:
                file.write(part)
            for part in rest:
                file.write(part)
        return self._file

    def __exit__(self, *exc: object) -> None:
        if self._file:
            Path(self._file).unlink(missing_ok=True)


def open_remote(url: str, options: Mapping[str, Any], *, durable: bool = False) -> FileSystem:
    """Return the place that an fsspec URL names.

    Parameters
    ----------
    url : str
        Any fsspec URL.
    options : mapping
        Passed to fsspec.
    durable : bool
        Whether writes are fsynced, if it turns out to be a folder of this machine.

    Raises
    ------
    StoreError
        When a package for the protocol is missing or no filesystem is known for it.
    """
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    protocol = url.partition("://")[0].rpartition("::")[2]
    try:
        fs, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=protocol != "memory", **options)
    except ImportError as error:
        line = _EXTRAS.get(protocol) or _pip_line(known_implementations.get(protocol, {}).get("err", ""))
        line = line or f"pip install the fsspec package for {protocol}"
        raise StoreError(f"store {shown(url)} needs a package that is not installed: {line}") from error
    except Exception as error:  # what a protocol raises for a URL it can't use is its own affair
        raise StoreError(
            f"store {shown(url)}: can't open {protocol}://; {without_password(str(error), url)}"
        ) from error
    folder = _folder_of(fs, root)
    if folder is not None:
        return LocalFolder(folder, durable=durable)
    return AnyFileSystem(url, current().filesystem(fs), root)


def _folder_of(fs: Any, root: str) -> str | None:
    """Return the folder of this machine that a filesystem leads to: what fsspec does there lets several win."""
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    if type(fs) is LocalFileSystem:
        return root
    return _folder_of(fs.fs, fs._join(root)) if type(fs) is DirFileSystem else None


def _pip_line(text: str) -> str | None:
    words = [word.strip("\"'`.,()") for word in text.replace("Please install ", "Install ").split()]
    if "Install" in words and words.index("Install") + 1 < len(words):
        return f"pip install {words[words.index('Install') + 1]}"
    return None
