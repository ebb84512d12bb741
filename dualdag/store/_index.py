"""An index of the record batches: a cache beside the store, which may be deleted at any time.

What this process learns is held in memory and goes to the file in large pieces: a file that is behind
is brought up to date from the batches by whoever opens it next.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from dualdag.store._facts import Batch, Record
from dualdag.store._index_file import begin, connect, state_of, unlink
from dualdag.store._rows import fold, from_row, to_row

__all__ = ["Index", "IndexLostError"]

_ASKED = 500
#: Keys, and bytes of small values, held in memory before they go to the file.
_HELD, _HELD_BYTES = 40_000, 32 << 20
#: Keys that are worth a transaction when there is time for one.
_WORTH = 500

#: What a damaged file can give.
_DAMAGED = (sqlite3.Error, msgspec.DecodeError, ValueError, LookupError, RecursionError)


class IndexLostError(Exception):
    """The index turned out to be damaged; it was emptied, and has to be filled again."""


class Index:
    """Records by trace and action key.

    Parameters
    ----------
    places : callable
        Returns the name of the store and the files that the index may lie in, the best first; None
        while the store has no name, which is until something is written to it.
    """

    def __init__(self, places: Callable[[], tuple[str, Sequence[Path]] | None]) -> None:
        self._places = places
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._path: Path | None = None
        self._finalizer: Callable[[], Any] = bool
        self._forget()
        self._open()

    def _forget(self) -> None:
        self.next = 0
        #: Number and first bytes of the newest batch that the file knows.
        self.newest: tuple[int, bytes] | None = None
        self._newest_held: tuple[int, bytes] | None = None
        self._rows = 0
        self._held: dict[bytes, Record] = {}
        self._bytes = 0
        self._more: dict[bytes, list[Record]] = {}
        #: Trace keys held, by action key.
        self._named: dict[bytes, list[bytes]] = {}
        self._owns: dict[bytes, float] = {}
        self._facts: dict[bytes, tuple[int, Record, int]] = {}

    @property
    def empty(self) -> bool:
        """Whether no record is known."""
        return not self._held and not self._rows

    # The file.

    def _open(self) -> None:
        found = self._places()
        if found is None:
            return
        name, paths = found
        for path in paths:
            for _ in range(2):
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    self._connect(str(path), name)
                except sqlite3.OperationalError as error:
                    # Locked by another process, or there is no room or right: not a reason to delete it.
                    self._disconnect()
                    if "malformed" not in str(error):
                        break
                    unlink(path)
                except OSError:
                    break
                except _DAMAGED:
                    self._disconnect()
                    unlink(path)
                else:
                    self._path = path
                    return
        self._connect(":memory:", name)

    def _connect(self, file: str, name: str) -> None:
        self._db = connect(file)
        self._finalizer = weakref.finalize(self, _close, self._db, os.getpid())
        self._read_state(begin(self._db, name))

    def _state(self) -> dict[str, Any]:
        assert self._db is not None  # noqa: S101 - asked only with a file
        return state_of(self._db)

    def _read_state(self, state: Mapping[str, Any]) -> None:
        self.next = max(self.next, state.get("next", 0))
        self._rows = state.get("keys", 0)
        self.newest = (state["next"] - 1, state["head"]) if state.get("next") else None

    def _disconnect(self) -> None:
        self._finalizer()
        self._db = None

    def reset(self) -> None:
        """Forget everything, the file too."""
        with self._lock:
            self._disconnect()
            if self._path is not None:
                unlink(self._path)
            self._path = None
            self._forget()
            self._open()

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Turn what a damaged file gives into IndexLostError, with the index emptied."""
        try:
            yield
        except _DAMAGED as error:
            self.reset()
            raise IndexLostError(str(error)) from error

    def close(self) -> None:
        """Write what is held and close the file."""
        with self._lock:
            self.flush()
            self._disconnect()

    def tidy(self) -> None:
        """Write what is held if it is worth a transaction."""
        if len(self._held) > _WORTH:
            self.flush()

    # Learning.

    def add(self, batches: Sequence[tuple[int, bytes, Batch]]) -> None:
        """Take batches in, in the order of their numbers.

        Parameters
        ----------
        batches : sequence of (int, bytes, Batch)
            Number, first bytes of the file, what it holds.
        """
        with self._lock:
            for number, head, batch in batches:
                for record in batch.records:
                    self._hold(record.trace, record)
                    self._hold(record.action, record)
                    self._owns[record.own] = record.seconds
                    self._bytes += len(record.checksum or b"")
                for trace, record in batch.aliases:
                    self._hold(trace, record)
                    self._hold(record.action, record)
                self.next = max(self.next, number + 1)
                self._newest_held = number, head
                if len(self._held) > _HELD or self._bytes > _HELD_BYTES:
                    self.flush()

    def _hold(self, key: bytes, record: Record) -> None:
        first = self._held.setdefault(key, record)
        if first is not record:
            self._more.setdefault(key, [first]).append(record)
        if key != record.action:
            self._named.setdefault(record.action, []).append(key)

    def add_facts(self, facts: Mapping[bytes, tuple[int, Record, int]]) -> None:
        """Take in superseding facts that were read, by key: number, record, number of the action key's."""
        with self._lock:
            self._facts.update(facts)

    def flush(self) -> None:
        """Write what is held to the file; where that fails it stays in memory."""
        with self._lock:
            if not self._held and not self._facts and self._newest_held is None:
                return
            if self._db is None:
                self._open()
            db = self._db
            if db is None:
                return
            try:
                db.execute("BEGIN IMMEDIATE")
                try:
                    self._write(db)
                    db.execute("COMMIT")
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                self._read_state(self._state())
            except _DAMAGED:
                return
            self._held, self._more, self._named, self._owns, self._facts = {}, {}, {}, {}, {}
            self._newest_held, self._bytes = None, 0

    def _write(self, db: sqlite3.Connection) -> None:
        state = self._state()
        if self._held:
            self._write_records(db, state)
        db.executemany("INSERT OR REPLACE INTO owns VALUES (?, ?)", self._owns.items())
        rows = ((key, number, to_row(record), of) for key, (number, record, of) in self._facts.items())
        db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)
        if self._newest_held is not None and self._newest_held[0] >= state.get("next", 0):
            number, head = self._newest_held
            values = [("next", number + 1), ("head", head)]
            db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values)

    def _write_records(self, db: sqlite3.Connection, state: Mapping[str, Any]) -> None:
        known = self._from_file(list(self._held)) if self._rows or state.get("keys") else {}
        number = db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0]
        bodies: list[tuple[int, bytes]] = []
        keys: list[tuple[bytes, int, bytes | None]] = []
        made: dict[int, int] = {}
        for key in self._held:
            old = known.get(key)
            record = fold(old, self._candidates(key))
            if record is old:
                continue
            own = key in (record.trace, record.action)
            row = made.get(id(record)) if own else None
            if row is None:
                number += 1
                row = number
                bodies.append((row, to_row(record, b"" if own else key)))
                if own:
                    made[id(record)] = row
            keys.append((key, row, record.action if key != record.action else None))
        db.executemany("INSERT INTO records VALUES (?, ?)", bodies)
        db.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", keys)
        count = state.get("keys", 0) + len(keys)
        db.execute("INSERT OR REPLACE INTO state VALUES ('keys', ?)", (count,))

    # Asking.

    def _candidates(self, key: bytes) -> Sequence[Record]:
        return self._more.get(key) or (self._held[key],)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        """Return the records of those keys that have one.

        Parameters
        ----------
        keys : sequence of bytes
            Trace or action keys.

        Raises
        ------
        IndexLostError
            When the file is damaged.
        """
        with self._lock:
            if self.empty:
                return {}
            with self._whole():
                found = self._from_file(keys) if self._rows else {}
            held = self._held
            for key in [key for key in keys if key in held] if held else ():
                found[key] = fold(found.get(key), self._candidates(key))
            return found

    def _from_file(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        if len(keys) > _ASKED and len(keys) * 8 > self._rows:
            # Going through the whole table is quicker than finding so many one by one.
            wanted = set(keys)
            rows = self._ask("SELECT key, record FROM keys")
            ids = {key: number for key, number in rows if key in wanted}
            bodies = self._bodies(set(ids.values()))
            made: dict[bytes, Record] = {}
            for key, number in ids.items():
                made[key] = from_row(bodies[number], key)
            return made
        query = "SELECT k.key, r.body FROM keys k JOIN records r ON r.id=k.record WHERE k.key IN "
        return {key: from_row(row, key) for key, row in self._ask_for(query, keys)}

    def _bodies(self, ids: set[int]) -> dict[int, bytes]:
        if len(ids) * 8 > self._rows:
            return {number: body for number, body in self._ask("SELECT id, body FROM records") if number in ids}
        return dict(self._ask_for("SELECT id, body FROM records WHERE id IN ", list(ids)))

    def held(self) -> list[bytes]:
        """Return the keys that are in memory alone, as after a `flush` that failed."""
        with self._lock:
            return list(self._held)

    def page(self, after: bytes, size: int) -> list[bytes]:
        """Return the first `size` keys above `after` that the file has; `flush` takes all there."""
        with self._lock, self._whole():
            query = "SELECT key FROM keys WHERE key > ? ORDER BY key LIMIT ?"
            return [key for (key,) in self._ask(query, (after, size))] if self._rows else []

    def durations(self, owns: Sequence[bytes]) -> dict[bytes, float]:
        """Return the seconds that those of `owns` took which were ever recorded.

        Parameters
        ----------
        owns : sequence of bytes
            Hashes of nodes without their inputs.

        Raises
        ------
        IndexLostError
            When the file is damaged.
        """
        with self._lock:
            if self.empty:
                return {}
            found = {own: self._owns[own] for own in owns if own in self._owns} if self._owns else {}
            if not self._rows:
                return found
            with self._whole():
                if len(owns) > _ASKED and len(owns) * 8 > self._rows:
                    wanted = set(owns)
                    there = {own: took for own, took in self._ask("SELECT * FROM owns") if own in wanted}
                else:
                    there = dict(self._ask_for("SELECT * FROM owns WHERE own IN ", owns))
                return there | found

    def names(self, actions: Set[bytes]) -> dict[bytes, Record]:
        """Return the trace keys whose records have one of `actions`, with these records.

        Parameters
        ----------
        actions : set of bytes
            Action keys.

        Raises
        ------
        IndexLostError
            When the file is damaged.
        """
        with self._lock:
            found = {key for action in actions for key in self._named.get(action, ())}
            if self._rows:
                with self._whole():
                    rows = self._ask_for("SELECT key FROM keys WHERE action IN ", list(actions))
                    found.update(key for (key,) in rows)
            return {key: r for key, r in self.find(list(found - actions)).items() if r.action in actions}

    def facts(self) -> dict[bytes, tuple[int, Record, int]]:
        """Return the superseding facts that were read before, by key, as `add_facts` took them.

        Raises
        ------
        IndexLostError
            When the file is damaged.
        """
        with self._lock, self._whole():
            rows = list(self._ask("SELECT * FROM facts")) if self._db is not None else []
            return {key: (number, from_row(row, key), of) for key, number, row, of in rows} | self._facts

    def _ask(self, query: str, values: Sequence[Any] = ()) -> Iterable[Any]:
        assert self._db is not None  # noqa: S101 - asked only with a file
        return self._db.execute(query, values)

    def _ask_for(self, query: str, many: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(many), _ASKED):
            part = many[start : start + _ASKED]
            # All at once: what is left half read can't be let go of once the file is closed.
            yield from list(self._ask(f"{query} ({','.join('?' * len(part))})", part))


def _close(db: sqlite3.Connection, process: int) -> None:
    # A fork must leave its parent's file alone.
    if os.getpid() == process:
        db.close()
