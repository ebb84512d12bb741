"""How far a check of a store came, in a file that may be deleted at any time.

It holds what a check would else have to hold in memory: which objects are named, and by what.  A unit is a
folder or so: what was found in it is written in one transaction with the note that it was looked at.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

__all__ = ["Checkpoint", "Names", "Unit"]

_VERSION = 2
#: Seconds after which what was found whole says little.
_FRESH = 7 * 86_400.0
_GONE = "missing"
_TABLES = """
CREATE TABLE unit (name TEXT PRIMARY KEY, kind TEXT, files INTEGER, nbytes INTEGER, records INTEGER,
                   dropped INTEGER, final INTEGER) WITHOUT ROWID;
CREATE TABLE named (checksum BLOB PRIMARY KEY, level INTEGER, who TEXT) WITHOUT ROWID;
CREATE TABLE problem (path TEXT PRIMARY KEY, unit TEXT, kind TEXT, told TEXT, who TEXT, done TEXT) WITHOUT ROWID;
CREATE TABLE orphan (checksum BLOB PRIMARY KEY, nbytes INTEGER) WITHOUT ROWID;
CREATE TABLE leftover (path TEXT PRIMARY KEY, unit TEXT, nbytes INTEGER, modified REAL) WITHOUT ROWID;
CREATE TABLE strange (path TEXT PRIMARY KEY, unit TEXT) WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


class Names(IntEnum):
    """How much an object is needed by what names it."""

    TOLD = 0
    RECORD = 1
    VERSION = 2


class Unit:
    """What was found in one folder.

    Parameters
    ----------
    db : sqlite3.Connection
        In a transaction.
    name, kind : str
        Which folder, and what lies in it.
    """

    def __init__(self, db: sqlite3.Connection, name: str, kind: str) -> None:
        self._db = db
        self.name = name
        self.kind = kind
        self.files = self.nbytes = self.records = self.dropped = 0
        #: Whether it need not be looked at again by a call that goes on from here, if nothing is wrong in it.
        self.final = True
        self.whole = True

    def read(self, nbytes: int) -> None:
        """Count a file that was read."""
        self.files += 1
        self.nbytes += nbytes

    def named(self, rows: Iterable[tuple[bytes, int, str]]) -> None:
        """Take in objects that are named: checksum, how much they are needed, by what."""
        self._db.executemany(
            "INSERT INTO named VALUES (?, ?, ?) ON CONFLICT (checksum) DO UPDATE SET "
            "who=excluded.who, level=excluded.level WHERE excluded.level > level",
            rows,
        )

    def problem(self, path: str, kind: str, told: str, who: str = "") -> None:
        """Take in what is wrong."""
        self.whole = False
        self._db.execute(
            "INSERT OR REPLACE INTO problem VALUES (?, ?, ?, ?, ?, '')", (path, self.name, kind, told, who)
        )

    def orphans(self, rows: Iterable[tuple[bytes, int]]) -> None:
        """Take in objects that nothing names: checksum and size."""
        self._db.executemany("INSERT OR REPLACE INTO orphan VALUES (?, ?)", rows)

    def leftover(self, path: str, nbytes: int, modified: float | None) -> None:
        """Take in a file that nobody needs."""
        self._db.execute("INSERT OR REPLACE INTO leftover VALUES (?, ?, ?, ?)", (path, self.name, nbytes, modified))

    def strange(self, path: str) -> None:
        """Take in a name that is none of a store's."""
        self._db.execute("INSERT OR REPLACE INTO strange VALUES (?, ?)", (path, self.name))


class Checkpoint:
    """The notes of a check.

    Parameters
    ----------
    places : sequence of Path
        Files that it may lie in, the best first; none keeps it in memory.
    store : str
        Name of the store.
    restart : bool
        Whether to begin anew.
    """

    def __init__(self, places: Sequence[Path], store: str, *, restart: bool) -> None:
        self._path: Path | None = None
        self.db = self._open(places, store, restart=restart)
        self.resumed = self.one("SELECT count(*) FROM unit") > 0

    def _open(self, places: Sequence[Path], store: str, *, restart: bool) -> sqlite3.Connection:
        for path in places:
            with contextlib.suppress(OSError, sqlite3.OperationalError):  # no right to write, or another check has it
                path.parent.mkdir(parents=True, exist_ok=True)
                db = self._connect(path, store, restart=restart)
                self._path = path
                return db
        return _prepare(sqlite3.connect(":memory:", isolation_level=None), store, restart=True)

    @staticmethod
    def _connect(path: Path, store: str, *, restart: bool) -> sqlite3.Connection:
        for _ in range(2):
            db = sqlite3.connect(path, isolation_level=None, timeout=0.2)
            try:
                return _prepare(db, store, restart=restart)
            except sqlite3.OperationalError:
                db.close()
                raise
            except sqlite3.DatabaseError:
                db.close()
                _unlink(path)
        raise sqlite3.OperationalError("it can't be made")

    def one(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        return self.db.execute(query, values).fetchone()[0]

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a query, one after the other."""
        return iter(self.db.execute(query, values))

    def has(self, name: str) -> bool:
        """Say whether a unit was looked at for good."""
        return bool(self.one("SELECT count(*) FROM unit WHERE name=? AND final", name))

    @contextlib.contextmanager
    def unit(self, name: str, kind: str) -> Iterator[Unit]:
        """Give a unit to fill; it is written when the block ends well, else it is as if it had not begun."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            made = Unit(self.db, name, kind)
            # What an earlier look at it found; it may be mended since.
            self.db.execute("DELETE FROM problem WHERE unit=? AND done=''", (name,))
            self.db.execute("DELETE FROM leftover WHERE unit=?", (name,))
            yield made
            row = (name, kind, made.files, made.nbytes, made.records, made.dropped, made.final and made.whole)
            self.db.execute("INSERT OR REPLACE INTO unit VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def named_under(self, prefix: int) -> dict[bytes, tuple[int, str]]:
        """Return the objects of one folder that are named: how much they are needed, and by what."""
        last = bytes((prefix + 1,)) if prefix < 255 else b"\xff" * 33
        query = "SELECT checksum, level, who FROM named WHERE checksum >= ? AND checksum < ?"
        return {checksum: (level, who) for checksum, level, who in self.rows(query, bytes((prefix,)), last)}

    def is_doubtful(self) -> bool:
        """Say whether something is not named, or gone, that may not have been so when it was looked for."""
        return bool(
            self.one("SELECT (SELECT count(*) FROM orphan) + (SELECT count(*) FROM problem WHERE kind=?)", _GONE)
        )

    def doubt(self) -> None:
        """Forget that versions need objects, until it is told again."""
        self.db.execute("UPDATE named SET level=? WHERE level=?", (Names.RECORD, Names.VERSION))

    def settle(self) -> None:
        """Let go of objects that nothing names if something does now, and of gone ones that no version needs."""
        self.db.execute("DELETE FROM orphan WHERE checksum IN (SELECT checksum FROM named)")
        needed = "SELECT 'objects/' || lower(hex(substr(checksum, 1, 1)) || '/' || hex(substr(checksum, 2)))"
        self.db.execute(
            f"DELETE FROM problem WHERE kind=? AND done='' AND path NOT IN ({needed} FROM named WHERE level=?)",  # noqa: S608
            (_GONE, Names.VERSION),
        )

    def dealt_with(self, path: str, done: str) -> None:
        """Note what was done about a problem."""
        self.db.execute("UPDATE problem SET done=? WHERE path=?", (done, path))

    def close(self, *, finished: bool) -> None:
        """Let go of the file, and of what it holds if the check came to its end."""
        if finished:
            self.db.execute("PRAGMA user_version=0")
        self.db.close()
        if finished and self._path is not None:
            _unlink(self._path)


def _prepare(db: sqlite3.Connection, store: str, *, restart: bool) -> sqlite3.Connection:
    """Return the database ready for use, for one process alone."""
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    # A check that is killed loses its last unit; one that the machine loses begins anew.
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN EXCLUSIVE")
    if db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
        found = dict(db.execute("SELECT name, value FROM state"))
        begun = found.get("begun")
        fits = found.get("store") == store and isinstance(begun, float) and abs(time.time() - begun) < _FRESH
        if fits and not restart:
            db.execute("COMMIT")
            return db
    for (table,) in list(db.execute("SELECT name FROM sqlite_master WHERE type='table'")):
        db.execute(f"DROP TABLE {table}")
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.executemany("INSERT INTO state VALUES (?, ?)", [("store", store), ("begun", time.time())])
    db.execute(f"PRAGMA user_version={_VERSION}")
    db.execute("COMMIT")
    return db


def _unlink(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + ending).unlink(missing_ok=True)
