"""Records: batches, superseding facts, unstable tasks."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dualdag.errors import CorruptObjectError
from dualdag.store._facts import Batch, Fact, Record, seal, unseal
from dualdag.store._fs import FileSystem
from dualdag.store._index import Index

__all__ = ["Records"]

#: Batches lie in folders of so many, so that a refresh lists the newest folder only.
_FOLDER = 1000


def _batch_path(number: int) -> str:
    return f"batches/{number // _FOLDER:08d}/{number:012d}"


class Records:
    """The records of a store.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    index : Index
        The cache that finds them by key.
    lookups : Counter
        Counts look-ups.
    """

    def __init__(self, fs: FileSystem, index: Index, lookups: Counter[str]) -> None:
        self._fs = fs
        self._index = index
        self._lookups = lookups
        self._lock = threading.RLock()
        self._late: dict[bytes, int] | None = None
        self._facts: dict[tuple[bytes, int], Record | None] = {}
        self._unstable: set[bytes] | None = None
        self.refresh()

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def refresh(self) -> None:
        """See what other writers did since."""
        with self._lock:
            self._late = None
            self._unstable = None
            self._catch_up()

    def _catch_up(self) -> None:
        """Read the batches that the index does not know."""
        found: list[tuple[int, Batch]] = []
        number = self._index.next
        folder = number // _FOLDER
        while True:
            self._lookups["listings"] += 1
            names = self._fs.names(f"batches/{folder:08d}")
            for name in names:
                if name.isdigit() and int(name) >= number:
                    found.append((int(name), self._read_batch(int(name))))
            if len(names) < _FOLDER:
                break
            folder += 1
        if found:
            self._index.add(found)

    def _read_batch(self, number: int) -> Batch:
        path = _batch_path(number)
        try:
            data = self._fs.get(path)
            return Batch([], []) if data is None else unseal(data, Batch, f"record batch {path}")
        except CorruptObjectError as error:
            # Its name stays taken, by what is left of it: numbers must go on without a gap.
            warnings.warn(f"{error} Its results count as not there and will be made again.", stacklevel=2)
            return Batch([], [])

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return, by trace or action key, the records in force."""
        wanted = list(keys)
        self._lookups["records"] += len(wanted)
        with self._lock:
            found = self._index.find(wanted)
            late = self._numbers()
            for key in wanted if late else ():
                if key in late:
                    fact = self._fact(key, late[key])
                    if fact is None:
                        found.pop(key, None)
                    else:
                        found[key] = fact
        return found

    def owns(self, owns: Iterable[bytes]) -> set[bytes]:
        """Return those of `owns` that were ever recorded."""
        return self._index.owns(list(owns))

    def put(self, records: Sequence[Record], aliases: Sequence[tuple[bytes, Record]]) -> list[Record]:
        """Publish one batch; return for each record the one in force."""
        with self._lock:
            data = seal(Batch(list(records), list(aliases)))
            while not self._fs.put_if_absent(_batch_path(self._index.next), [data]):
                before = self._index.next
                self._catch_up()
                if self._index.next == before:
                    self._index.next += 1
            number = self._index.next
            self._index.add([(number, Batch(list(records), list(aliases)))])
            found = self.find([r.action for r in records])
        return [found.get(r.action, r) for r in records]

    # Superseding facts.

    def _numbers(self) -> dict[bytes, int]:
        if self._late is None:
            self._lookups["listings"] += 1
            late: dict[bytes, int] = {}
            for name in self._fs.names("facts"):
                key, _, number = name.partition("-")
                try:
                    raw = bytes.fromhex(key)
                    late[raw] = max(late.get(raw, 0), int(number))
                except ValueError:
                    continue
            self._late = late
        return self._late

    def _fact(self, key: bytes, number: int) -> Record | None:
        if (key, number) not in self._facts:
            path = f"facts/{key.hex()}-{number:06d}"
            record: Record | None = None
            try:
                data = self._fs.get(path)
                record = None if data is None else unseal(data, Fact, f"fact {path}").record
            except CorruptObjectError as error:
                # Never the older fact: that one was replaced for a reason.
                warnings.warn(f"{error} Its result counts as not there and will be made again.", stacklevel=2)
            self._facts[key, number] = record
        return self._facts[key, number]

    def superseded(self) -> Mapping[bytes, bytes]:
        """Return the digest in force of every key that was superseded."""
        with self._lock:
            late = self._numbers()
            out: dict[bytes, bytes] = {}
            for key, number in late.items():
                fact = self._fact(key, number)
                # An unreadable fact still tells consumers that the first one is not in force.
                out[key] = fact.digest if fact is not None else b"unreadable"
            return out

    def supersede(self, record: Record) -> Record:
        """Write the next fact under the action key and the trace key."""
        data = seal(Fact(record))
        with self._lock:
            self._numbers()
            for key in dict.fromkeys((record.action, record.trace)):
                number = (self._late or {}).get(key, 0) + 1
                while not self._fs.put_if_absent(f"facts/{key.hex()}-{number:06d}", [data]):
                    number += 1
                assert self._late is not None  # noqa: S101 - read just now
                self._late[key] = number
                self._facts[key, number] = record
        return record

    # Unstable tasks.

    def unstable(self) -> set[bytes]:
        """Return the tasks that once contradicted themselves."""
        with self._lock:
            if self._unstable is None:
                self._lookups["listings"] += 1
                self._unstable = {bytes.fromhex(n) for n in self._fs.names("unstable") if len(n) == 40}
            return set(self._unstable)

    def mark_unstable(self, task: bytes) -> None:
        """Remember that a task gave two results for the same inputs."""
        self._fs.put_if_absent(f"unstable/{task.hex()}", [seal({"task": task})])
        with self._lock:
            if self._unstable is not None:
                self._unstable.add(task)
