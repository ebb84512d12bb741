"""Input files, and a cache of their digests beside the store, which may go or be damaged at any time."""

from __future__ import annotations

import os
import threading
import time
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dualdag.hashing._file_tokens import FileToken, digest_file, expand, file_token, local_path, local_token

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["DigestCache", "FileToken", "digest_file", "expand", "file_token", "local_path"]

R = TypeVar("R")

_LAYOUT = 1
_BATCH = 500
_CONNECTIONS = 16
_CREATE = """CREATE TABLE IF NOT EXISTS files
    (url TEXT PRIMARY KEY, token TEXT, digest BLOB, seal BLOB) WITHOUT ROWID"""


class DigestCache:
    """Content digests of files, by URL and token.

    Nothing here is ever an error: what can't be read is not known, what can't be written is kept for this
    process only, and a damaged file is made anew.

    Parameters
    ----------
    path : str, path or None
        The cache's file; its folder is made when needed. None keeps it in memory.
    """

    __slots__ = ("_connection", "_known", "_lock", "_owner", "path")

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.path = None if path is None else Path(path)
        self._known: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    def __reduce__(self) -> tuple[type[DigestCache], tuple[Path | None]]:
        return DigestCache, (self.path,)

    def lookup(self, url: str) -> bytes | None:
        """Return the digest of a file's content if it is known without a read.

        Parameters
        ----------
        url : str
            A local path, or any fsspec URL.

        Returns
        -------
        bytes or None
            None when the file is new, was touched, is missing, or was too young to tell when it was read.

        Raises
        ------
        StoreError
            When the place can't be asked.
        """
        return self.lookup_many((url,)).get(url)

    def lookup_many(self, urls: Iterable[str]) -> dict[str, bytes | None]:
        """Return the digests of files that are known without a read.

        Parameters
        ----------
        urls : iterable of str
            Local paths, or fsspec URLs.

        Returns
        -------
        dict
            URL -> digest, or None for a file that must be read first; a missing file is left out.

        Raises
        ------
        StoreError
            When a place can't be asked.
        """
        tokens = _tokens(urls)
        known = self._known
        found = {one.url: one.digest or _fitting(one, known) for one in tokens}
        asked = [one.url for one in tokens if found[one.url] is None and one.token]
        if asked:
            stored: dict[str, tuple[str, bytes]] = self._guarded(lambda db: _select(db, asked), {})
            found.update({one.url: _fitting(one, stored) for one in tokens if one.url in stored})
        return found

    def put(self, url: str, token: FileToken | None, digest: bytes) -> None:
        """Remember a file's digest.

        Parameters
        ----------
        url : str
            The file.
        token : FileToken or None
            What it looked like *before* it was read; a racy token is not remembered.
        digest : bytes
            What `digest_file` returned.
        """
        self.put_many([(url, token, digest)])

    def put_many(self, rows: Iterable[tuple[str, FileToken | None, bytes]]) -> None:
        """Remember several files' digests at once.

        Parameters
        ----------
        rows : iterable of (url, token, digest)
            As for `put`.
        """
        kept = {url: (one.token, digest) for url, one, digest in rows if one and one.token and not one.racy}
        if not kept:
            return
        self._known.update(kept)
        full = [(url, token, digest, _seal(url, token, digest)) for url, (token, digest) in kept.items()]

        def write(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", full)
            db.execute("COMMIT")

        self._guarded(write, None)

    def digest(self, url: str) -> bytes:
        """Return a file's digest, read only if it is not known; what was read is remembered.

        Parameters
        ----------
        url : str
            A local path, or any fsspec URL.

        Raises
        ------
        StoreError
            When the file is missing, can't be read, or keeps changing.
        """
        known = self.lookup(url)
        if known is not None:
            return known
        token = file_token(url)
        digest = digest_file(url)
        self.put(url, token, digest)
        return digest

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._owner == os.getpid():
            connection.close()

    def _guarded(self, use: Callable[[sqlite3.Connection], R], otherwise: R) -> R:
        """Return what `use` makes of the database, or `otherwise` when there is none to be had."""
        if self.path is None:
            return otherwise
        import sqlite3

        with self._lock:
            for attempt in range(2):
                try:
                    return use(self._connected(self.path))
                except sqlite3.OperationalError:  # locked, read-only, disk full
                    self._drop()
                    return otherwise
                except sqlite3.Error:
                    self._drop()
                    if attempt or not _removed(self.path):
                        return otherwise
                except (OSError, UnicodeError):  # a folder that can't be made, a name that is no text
                    return otherwise
        return otherwise

    def _connected(self, path: Path) -> sqlite3.Connection:
        # A connection does not survive a fork; the child makes its own and lets the parent's be.
        if self._connection is not None and self._owner == os.getpid() and path.exists():
            return self._connection
        import sqlite3

        self._drop()
        # A store that is made by this is as private as one that is made by its first record.
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        made = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            made.execute("PRAGMA synchronous=OFF")
            if made.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                made.execute("DROP TABLE IF EXISTS files")
                made.execute(_CREATE)
                made.execute(f"PRAGMA user_version={_LAYOUT}")
        except BaseException:
            made.close()
            raise
        self._connection, self._owner = made, os.getpid()
        return made


def _tokens(urls: Iterable[str]) -> list[FileToken]:
    now = time.time_ns()
    tokens: list[FileToken | None] = []
    remote: list[str] = []
    for url in urls:
        path = local_path(url)
        if path is None:
            remote.append(url)
        else:
            tokens.append(local_token(url, path, now))
    if len(remote) > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(_CONNECTIONS, len(remote))) as pool:
            tokens += pool.map(file_token, remote)
    else:
        tokens += map(file_token, remote)
    return [one for one in tokens if one is not None]


def _fitting(token: FileToken, known: dict[str, tuple[str, bytes]]) -> bytes | None:
    told, digest = known.get(token.url, ("", None))
    return digest if told and told == token.token else None


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch


def _select(db: sqlite3.Connection, urls: list[str]) -> dict[str, tuple[str, bytes]]:
    found: dict[str, tuple[str, bytes]] = {}
    for batch in _batches(urls):
        marks = ",".join("?" * len(batch))
        rows = db.execute(f"SELECT url, token, digest, seal FROM files WHERE url IN ({marks})", batch)  # noqa: S608
        for url, token, digest, seal in rows:
            # A flipped bit must not become a file's content.
            if isinstance(digest, bytes) and _is_text(url, token) and seal == _seal(url, token, digest):
                found[url] = token, digest
    return found


def _is_text(*values: Any) -> bool:
    return all(isinstance(one, str) for one in values)


def _seal(url: str, token: str, digest: bytes) -> bytes:
    told = f"{len(url)}:{url}{token}".encode("utf-8", "surrogatepass")
    return blake2b(told + digest, digest_size=8).digest()


def _removed(path: Path) -> bool:
    try:
        for name in (path, path.with_name(path.name + "-journal")):
            name.unlink(missing_ok=True)
    except OSError:
        return False
    return True
