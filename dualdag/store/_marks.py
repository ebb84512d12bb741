"""What a collector of garbage knows of a store: in a temporary file, so that a store of any size is swept."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["ARTIFACT", "DEAD", "DROPPED", "LIVE", "Marks"]

#: Why an object stays: it does not, being part of a version that goes; it does not; a result that is wanted; part of
#: a version.
DROPPED, DEAD, LIVE, ARTIFACT = -1, 0, 1, 2

_TABLES = """
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
PRAGMA cache_size=-16000;
CREATE TABLE versions (name TEXT, number INTEGER, created REAL, run TEXT, kept INTEGER, held INTEGER,
    PRIMARY KEY (name, number)) WITHOUT ROWID;
CREATE TABLE refs (address BLOB, name TEXT, number INTEGER, PRIMARY KEY (address, name, number)) WITHOUT ROWID;
CREATE INDEX refs_of ON refs (name, number);
CREATE TABLE lineage (key BLOB PRIMARY KEY, recent INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (address BLOB PRIMARY KEY, why INTEGER NOT NULL, seconds REAL, created REAL) WITHOUT ROWID;
CREATE TABLE found (address BLOB PRIMARY KEY, nbytes INTEGER NOT NULL, why INTEGER NOT NULL, goes INTEGER NOT NULL,
    worth REAL, created REAL) WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, nbytes INTEGER NOT NULL, kind TEXT NOT NULL, place INTEGER NOT NULL)
    WITHOUT ROWID;
"""
_ASKED = 500


class Marks:
    """A temporary database; a context manager, which removes it at the end."""

    def __init__(self) -> None:
        handle, self._path = tempfile.mkstemp(prefix="dualdag-gc-", suffix=".sqlite")
        os.close(handle)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        Path(self._path).unlink(missing_ok=True)

    def put(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for many rows.

        Parameters
        ----------
        query : str
            With a place for each value.
        rows : iterable of sequence
            The values.
        """
        self._db.execute("BEGIN")
        self._db.executemany(query, rows)
        self._db.execute("COMMIT")

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query that has few.

        Parameters
        ----------
        query : str
            With a place for each value.
        values : sequence
            What goes there.
        """
        return self._db.execute(query, values).fetchall()

    def one(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Return the first value of the first row; 0 where there is none.

        Parameters
        ----------
        query : str
            With a place for each value.
        values : sequence
            What goes there.
        """
        found = self._db.execute(query, values).fetchone()
        return found[0] or 0 if found else 0

    def pages(self, query: str, values: Sequence[Any] = (), size: int = 500) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, some at a time.

        Parameters
        ----------
        query : str
            With a place for each value.
        values : sequence
            What goes there.
        size : int
            Rows at a time.
        """
        asked = self._db.execute(query, values)
        while rows := asked.fetchmany(size):
            yield rows

    def those(self, query: str, many: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that ends in ``IN``, for many values.

        Parameters
        ----------
        query : str
            Up to and with ``IN``.
        many : sequence
            The values.
        """
        for start in range(0, len(many), _ASKED):
            part = many[start : start + _ASKED]
            yield from self.ask(f"{query} ({','.join('?' * len(part))})", part)

    def want(self, objects: Iterable[tuple[bytes | None, int, float, float]]) -> None:
        """Note why objects stay: address, reason, seconds that it took to make, when.

        Parameters
        ----------
        objects : iterable of tuple
            Addresses that hold their values are passed over.
        """
        self.put(
            "INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET why=max(why, excluded.why), "
            "seconds=max(seconds, excluded.seconds), created=max(created, excluded.created)",
            # What is no number would be NULL there, and in the way of every sum.
            (
                (address, why, 0.0 if isnan(took) else took, 0.0 if isnan(created) else created)
                for address, why, took, created in objects
                if address is not None and len(address) == 32
            ),
        )
