"""An index of the record batches: a cache beside the store, which may be deleted at any time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from dualdag.store._facts import Batch, Record

__all__ = ["Index"]

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, body BLOB NOT NULL, digest BLOB NOT NULL, kept INTEGER);
CREATE TABLE IF NOT EXISTS keys (key BLOB PRIMARY KEY, record INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owns (own BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (batch INTEGER PRIMARY KEY);
"""
_MANY = 500


class Index:
    """Records by trace and action key.

    Parameters
    ----------
    path : Path or None
        The cache's file; None keeps the index in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._db = self._open(path)
        row = self._db.execute("SELECT max(batch) FROM seen").fetchone()
        self.next: int = 0 if row[0] is None else row[0] + 1
        self.empty: bool = self._db.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is None

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            for attempt in (0, 1):
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    return self._connect(str(path))
                except (sqlite3.Error, OSError):
                    # Damaged or of another version: it is only a cache.
                    if attempt == 0:
                        try:
                            path.unlink(missing_ok=True)
                        except OSError:
                            break
        self._path = None
        return self._connect(":memory:")

    @staticmethod
    def _connect(name: str) -> sqlite3.Connection:
        db = sqlite3.connect(name, check_same_thread=False, timeout=5.0, isolation_level=None)
        if name != ":memory:":
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            db.close()
            raise sqlite3.DatabaseError("another version")
        db.executescript(_TABLES)
        db.execute(f"PRAGMA user_version={_VERSION}")
        return db

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add(self, batches: Sequence[tuple[int, Batch]]) -> None:
        """Take batches in, in the order of their numbers; of two records for a key the first stays."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for number, batch in batches:
                    if self._db.execute("SELECT 1 FROM seen WHERE batch=?", (number,)).fetchone() is None:
                        self._take(number, batch)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self.next = max(self.next, batches[-1][0] + 1)
            self.empty = False

    def _take(self, number: int, batch: Batch) -> None:
        db = self._db
        db.execute("INSERT INTO seen VALUES (?)", (number,))
        for record in batch.records:
            self._put(record, (record.trace, record.action))
        for trace, record in batch.aliases:
            self._put(record, (trace, record.action))
        db.executemany("INSERT OR IGNORE INTO owns VALUES (?)", [(r.own,) for r in batch.records])

    def _put(self, record: Record, keys: Iterable[bytes]) -> None:
        db = self._db
        body = msgspec.msgpack.encode(record)
        made = None
        for key in dict.fromkeys(keys):
            old = db.execute("SELECT r.id, r.digest, r.kept FROM keys k JOIN records r ON r.id=k.record WHERE k.key=?",
                             (key,)).fetchone()  # fmt: skip
            if old is not None and not (old[1] == record.digest and not old[2] and record.checksum is not None):
                continue
            if made is None:
                cursor = db.execute("INSERT INTO records (body, digest, kept) VALUES (?, ?, ?)",
                                    (body, record.digest, record.checksum is not None))  # fmt: skip
                made = cursor.lastrowid
            db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (key, made))

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        """Return the records of those keys that have one."""
        if self.empty:
            return {}
        decode = msgspec.msgpack.Decoder(Record).decode
        found: dict[bytes, Record] = {}
        with self._lock:
            for start in range(0, len(keys), _MANY):
                part = keys[start : start + _MANY]
                marks = ",".join("?" * len(part))
                query = f"SELECT k.key, r.body FROM keys k JOIN records r ON r.id=k.record WHERE k.key IN ({marks})"  # noqa: S608 - question marks alone
                for key, body in self._db.execute(query, part):
                    found[key] = decode(body)
        return found

    def owns(self, owns: Sequence[bytes]) -> set[bytes]:
        """Return those of `owns` that were ever recorded."""
        if self.empty:
            return set()
        found: set[bytes] = set()
        with self._lock:
            for start in range(0, len(owns), _MANY):
                part = owns[start : start + _MANY]
                marks = ",".join("?" * len(part))
                query = f"SELECT own FROM owns WHERE own IN ({marks})"  # noqa: S608 - question marks alone
                found.update(row[0] for row in self._db.execute(query, part))
        return found
