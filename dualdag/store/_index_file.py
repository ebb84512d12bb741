"""The file of an index: its tables, and whose it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

__all__ = ["begin", "connect", "state_of", "unlink"]

_VERSION = 6
_TABLES = """
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key BLOB PRIMARY KEY, record INTEGER NOT NULL, action BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names ON keys (action) WHERE action IS NOT NULL;
CREATE TABLE IF NOT EXISTS owns (own BLOB PRIMARY KEY, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts
    (key BLOB PRIMARY KEY, number INTEGER NOT NULL, body BLOB NOT NULL, action_number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


def connect(file: str) -> sqlite3.Connection:
    """Open a file, which need not be there.

    Parameters
    ----------
    file : str
        Its path, or ``":memory:"``.
    """
    return sqlite3.connect(file, check_same_thread=False, timeout=5.0, isolation_level=None)


def begin(db: sqlite3.Connection, name: str) -> dict[str, Any]:
    """Make the tables that are not there, and return the state; sqlite3.DatabaseError if it is of another store.

    Parameters
    ----------
    db : Connection
        As `connect` gave it.
    name : str
        Of the store.
    """
    # In this order the change of mode waits for no disk: what is lost here is read again from the records.
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA journal_mode=WAL")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT")
        db.execute("INSERT OR IGNORE INTO state VALUES ('store', ?)", (name,))
    elif version != _VERSION:
        raise sqlite3.DatabaseError("of another version")
    state = state_of(db)
    if state.get("store") != name:
        raise sqlite3.DatabaseError("of another store")
    return state


def state_of(db: sqlite3.Connection) -> dict[str, Any]:
    """Return what an index knows of itself.

    Parameters
    ----------
    db : Connection
        Of its file.
    """
    return dict(db.execute("SELECT name, value FROM state"))


def unlink(path: Path) -> None:
    """Delete a file with what SQLite puts beside it.

    Parameters
    ----------
    path : Path
        Of the file.
    """
    for ending in ("", "-wal", "-shm"):
        try:
            path.with_name(path.name + ending).unlink(missing_ok=True)
        except OSError:
            pass
