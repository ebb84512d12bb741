"""Input files: known by their content, recognised by a token that costs no read.

A local file's token is what ``os.stat`` tells, ctime included: copying an older file over it, or putting its
mtime back, moves that.  A remote file's is its version, its etag, or its time.  A token so young that another
write could have got the same one is *racy*, as in git's index: what was read under it is not relied on.
"""

from __future__ import annotations

import glob as globbing
import os
import stat
import sys
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from dualdag.errors import StoreError
from dualdag.hashing._atoms import is_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = ["FileToken", "digest_file", "expand", "file_token", "local_path", "local_token"]

_BUFFER = 1 << 20
_TRIES = 3
#: How long two writes may share a stamp: two seconds on FAT, a tick of the clock where stamps are known fine.
_MARGIN = 2_000_000_000
_FINE_MARGIN = 10_000_000
#: What file systems call the time of the last change.
_TIMES = ("lastmodified", "mtime", "modified", "updated", "timemodified")
_FINE = frozenset({"ext4", "xfs", "btrfs", "tmpfs", "f2fs", "zfs", "bcachefs"})


@dataclass(frozen=True, slots=True)
class FileToken:
    """What a file looked like, without reading it.

    Parameters
    ----------
    url : str
        The file.
    token : str
        Equal for an unchanged file; ``""`` when nothing tells, and it must be read.
    racy : bool
        Whether a later write could have the same token.
    digest : bytes or None
        The content's digest, where looking was reading.
    when : float or None
        Of a remote file, the time of its last change where that is told, in seconds since 1970.
    """

    url: str
    token: str
    racy: bool
    digest: bytes | None = None
    when: float | None = field(default=None, compare=False)

    @property
    def told(self) -> tuple[int | None, float | None]:
        """The size, and the time of the last change in seconds since 1970, where the token tells them."""
        parts = self.token.split(":")
        if len(parts) == 4 and all(part.lstrip("-").isdigit() for part in parts):
            return int(parts[0]), int(parts[1]) / 1e9
        size = int(parts[-1]) if parts[-1].isdigit() and parts[0] != "content" else None
        return size, self.when


def local_path(url: str) -> str | None:
    """Return the path of a local file; None for a URL of any other kind.

    Parameters
    ----------
    url : str
        A path, or a URL.

    Examples
    --------
    >>> local_path("data/a.csv"), local_path("file:///tmp/a.csv"), local_path("s3://bucket/a.csv")
    ('data/a.csv', '/tmp/a.csv', None)
    """
    for prefix in ("file://", "local://"):
        if url.startswith(prefix):
            path = url[len(prefix) :]
            # file:///C:/data names a drive, not a folder of the root.
            return path[1:] if os.name == "nt" and path[:1] == "/" and path[2:3] == ":" else path
    return None if "://" in url else url


def file_token(url: str) -> FileToken | None:
    """Return what a file looks like now; None if there is none.

    Parameters
    ----------
    url : str
        A local path, or any fsspec URL.

    Returns
    -------
    FileToken or None
        None for a missing file.

    Raises
    ------
    StoreError
        When the place can't be asked, or is a folder.
    """
    path = local_path(url)
    return _remote_token(url) if path is None else local_token(url, path, time.time_ns())


def local_token(url: str, path: str, now: int) -> FileToken | None:
    """Return the token of a local file, looked at no earlier than `now`, in nanoseconds since 1970."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a thousand of these in milliseconds
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"{url} can't be looked at: {error}.") from error
    return _token_of(url, found, now)


def _token_of(url: str, found: os.stat_result, now: int) -> FileToken:
    if stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{url} is a folder: name the files in it, as with dag.files({url.rstrip('/') + '/**'!r}).")
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{url} is no regular file: its content is gone once it is read; copy it into one first.")
    newest = max(found.st_mtime_ns, found.st_ctime_ns)
    token = f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"
    return FileToken(url, token, now - newest < _margin(found))


def _margin(found: os.stat_result) -> int:
    # Stamps in whole milliseconds or coarser come from a coarse file system, whatever its name.
    fine = found.st_mtime_ns % 1_000_000 != 0 and _kind_of_device(found.st_dev) in _FINE
    return _FINE_MARGIN if fine else _MARGIN


@cache
def _kind_of_device(device: int) -> str:
    """Return the kind of file system on a device; ``""`` where that is not told."""
    if not sys.platform.startswith("linux"):
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
            for line in lines:
                fields = line.split()
                if fields[2] == wanted:
                    return fields[fields.index("-") + 1]
    except (OSError, ValueError, IndexError):
        pass
    return ""


def _remote(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:
        raise StoreError(f"{url} can't be opened: {error}.") from error
    return system, path


def _remote_token(url: str) -> FileToken | None:
    system, path = _remote(url)
    try:
        # Listings are remembered, and would tell what another client's write has changed since.
        system.invalidate_cache(system._parent(path))
        info = system.info(path)
        # The one stamp of a file in memory is the time it was made.
        content = system.cat_file(path) if _is_memory(system) and info.get("type") == "file" else None
    except FileNotFoundError:
        return None
    except Exception as error:
        raise StoreError(f"{url} can't be looked at ({type(error).__name__}: {error}).") from error
    if info.get("type") == "directory":
        raise StoreError(f"{url} is a folder: name the files in it, with dag.files.")
    if content is not None:
        digest = blake3(content).digest()
        return FileToken(url, f"content:{digest.hex()}", racy=False, digest=digest)
    told = {name.replace("-", "").replace("_", "").lower(): value for name, value in info.items()}
    token, racy = _remote_stamp(told)
    return FileToken(url, token, racy, when=next((_seconds(told[name]) for name in _TIMES if told.get(name)), None))


def _is_memory(system: Any) -> bool:
    return "memory" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)


def _remote_stamp(told: dict[str, Any]) -> tuple[str, bool]:
    """Return the token in what a file system tells of a file, and whether it is racy."""
    for name in ("versionid", "generation", "etag"):
        value = told.get(name)
        if value not in (None, "", "null"):
            return f"{name}:{value}:{told.get('size')}", False
    for name in _TIMES:
        value = told.get(name)
        if value:
            when = _seconds(value)
            racy = when is None or time.time() - when < _MARGIN / 1e9
            return f"{name}:{value}:{told.get('size')}", racy
    return "", True


def _seconds(value: Any) -> float | None:
    """Return a point in time, however it is spelled, as seconds since 1970."""
    from datetime import datetime
    from email.utils import parsedate_to_datetime

    try:
        if isinstance(value, (int, float)):
            return float(value)
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if value[:4].isdigit() else parsedate_to_datetime(value)
        return float(value.timestamp())
    except (AttributeError, TypeError, ValueError):
        return None


def digest_file(url: str) -> bytes:
    """Return the digest of a file's content.

    The file is looked at before and after: one that moved meanwhile is read again, three times at the most.

    Parameters
    ----------
    url : str
        A local path, or any fsspec URL.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    StoreError
        When the file is missing, can't be read, or keeps changing.
    """
    for _ in range(_TRIES):
        before = file_token(url)
        if before is None:
            raise StoreError(f"{url}: there is no such file.")
        if before.digest is not None:
            return before.digest
        try:
            digest = _read(url)
        except FileNotFoundError:
            continue
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"{url} can't be read ({type(error).__name__}: {error}).") from error
        after = file_token(url)
        if after is not None and after.token == before.token:
            return digest
    raise StoreError(f"{url} changed each of the {_TRIES} times it was read: run again when nothing writes to it.")


def _read(url: str) -> bytes:
    path = local_path(url)
    opener: Callable[[], AbstractContextManager[Any]]
    if path is not None:
        local = path
        opener = lambda: open(local, "rb", buffering=0)  # noqa: E731, PTH123, SIM115
    else:
        system, remote = _remote(url)
        opener = lambda: system.open(remote, "rb")  # noqa: E731
    made = blake3()
    buffer = memoryview(bytearray(_BUFFER))
    with opener() as file:
        while count := file.readinto(buffer):
            made.update(buffer[:count])
    return made.digest()


def expand(glob: str) -> list[str]:
    """Return the files that a pattern matches, sorted; folders are left out.

    Parameters
    ----------
    glob : str
        A pattern of a local path or of any fsspec URL; ``**`` looks into folders.

    Returns
    -------
    list of str
        Paths with forward slashes, or URLs; empty if nothing matches.

    Raises
    ------
    StoreError
        When the place can't be asked, or the pattern is just the name of a folder.
    """
    path = local_path(glob)
    if path is not None:
        if os.path.isdir(path) and not globbing.has_magic(path):  # noqa: PTH112
            raise StoreError(f"{glob} is a folder: name the files in it, as with {glob.rstrip('/') + '/**'!r}.")
        head = glob[: len(glob) - len(path)] if glob.endswith(path) else "file:///"
        found = globbing.glob(path, recursive=True)  # noqa: PTH207 - keeps the pattern's own spelling
        names = sorted({head + one.replace(os.sep, "/") for one in found if not os.path.isdir(one)})  # noqa: PTH112
        foreign = next((name for name in names if not is_text(name)), None)
        if foreign is not None:
            raise StoreError(f"{glob}: it matches {foreign!r}, whose name is no UTF-8 text: rename it.")
        return names
    system, remote = _remote(glob)
    try:
        system.invalidate_cache()
        listed = system.glob(remote, detail=True)
        return sorted(system.unstrip_protocol(name) for name, info in listed.items() if info["type"] != "directory")
    except Exception as error:
        raise StoreError(f"{glob} can't be listed ({type(error).__name__}: {error}).") from error
