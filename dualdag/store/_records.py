"""Records in batches, and the look-up that superseding facts go into."""

from __future__ import annotations

import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from dualdag.errors import CorruptObjectError, UntrustedRecordError
from dualdag.store._facts import Batch, Record, Unstable
from dualdag.store._fs import FileSystem, numbered, shown
from dualdag.store._index import Index, IndexLostError
from dualdag.store._packs import part_of
from dualdag.store._seal import HEAD, REFUSED
from dualdag.store._sealer import UNSIGNED, Sealer, warn_of_refused
from dualdag.store._superseding import Superseding

__all__ = ["Records"]

R = TypeVar("R")
#: Batches lie in folders of so many, so that a refresh lists the newest folder only.
_FOLDER = 1000
#: Seconds after which a number is not taken for free without another look.
_STALE = 60.0
_NOTHING = Batch([], [])


def _folder(number: int) -> str:
    return f"batches/{number // _FOLDER:08d}"


def _path(number: int) -> str:
    return f"{_folder(number)}/{number:012d}"


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
    sealer : Sealer, optional
        Signs what is written and checks what is read.
    """

    def __init__(self, fs: FileSystem, index: Index, lookups: Counter[str], sealer: Sealer = UNSIGNED) -> None:
        self._fs = fs
        self._index = index
        self._lookups = lookups
        self._sealer = sealer
        self._lock = threading.RLock()
        self._superseding = Superseding(fs, index, lookups, sealer)
        self._unstable: set[bytes] | None = None
        self._looked = 0.0
        self._check_index()
        self._catch_up()

    def close(self) -> None:
        """Close the index."""
        with self._lock:
            self._index.close()

    def tidy(self) -> None:
        """Do what closing would do, in part: the caller has time."""
        with self._lock:
            self._index.tidy()

    def refresh(self) -> None:
        """See what other writers did since."""
        with self._lock:
            self._superseding.refresh()
            self._unstable = None
            self._catch_up()

    # Batches.

    def _check_index(self) -> None:
        """Empty the index if the store is not the one it was filled from: put back from a copy, say."""
        newest = self._index.newest
        if newest is None or (self._fs.get(_path(newest[0])) or b"")[:HEAD] == newest[1]:
            return
        if not self._is_packed(*newest):
            self._index.reset()
            if self._sealer.keys:
                warnings.warn(
                    f"store {shown(self._fs.url)}: the newest records that were seen here are not there any more. It "
                    "was put back from a copy, or somebody took records away, which signatures can't tell.",
                    stacklevel=2,
                )

    def _is_packed(self, number: int, head: bytes) -> bool:
        """Say whether a batch was brought together with others: then the index is as good as before."""
        there = numbered(self._fs.names(_folder(number)), 12)
        last = next((found for found in there if found >= number), None)
        if last is None:
            return False
        try:
            pack = self._sealer.unseal(self._fs.get(_path(last)) or b"", Batch, _path(last))
        except REFUSED:
            return False
        return part_of(number, head) in pack.parts

    def doubt(self) -> None:
        """Look for what others wrote before the next number is taken."""
        self._looked = float("-inf")

    def _catch_up(self) -> None:
        """Read the batches that the index does not know."""
        self._looked = time.monotonic()
        while True:
            first = self._index.next
            self._lookups["listings"] += 1
            end = (first // _FOLDER + 1) * _FOLDER
            found = [number for number in numbered(self._fs.names(_folder(first)), 12) if first <= number < end]
            if found:
                self._read(found)
            if self._index.next == first or self._index.next % _FOLDER:
                return

    def _read(self, asked: Sequence[int]) -> None:
        datas = self._fs.get_many([_path(number) for number in asked])
        if None in datas:
            there = set(numbered(self._fs.names(_folder(asked[0])), 12))
            left = [number for number in asked if number in there]
            if len(left) < len(asked) and left:
                # A pack took their place, which may be one of those that were read too early.
                return self._read(left)
        found = zip(asked, datas, strict=True)
        refused: list[UntrustedRecordError] = []
        self._add([(number, (data or b"")[:HEAD], self._batch(number, data, refused)) for number, data in found])
        warn_of_refused(refused, self._fs.url, "batches of records")
        return None

    def _add(self, batches: Sequence[tuple[int, bytes, Batch]]) -> None:
        self._index.add(batches)
        self._filled(lambda: self._superseding.learn([batch for _, _, batch in batches]))

    def _batch(self, number: int, data: bytes | None, refused: list[UntrustedRecordError]) -> Batch:
        path = _path(number)
        for _ in range(5):
            if data:
                break
            # Where there are no hard links a name is taken first and the file follows at once.
            time.sleep(0.01)
            data = self._fs.get(path)
        try:
            return self._sealer.unseal(data or b"", Batch, path)
        except UntrustedRecordError as error:
            refused.append(error)
        except CorruptObjectError as error:
            # Its name stays taken, by what is left of it: numbers must go on without a gap.
            warnings.warn(
                f"store {shown(self._fs.url)}: {error} Its results count as not there and will be made again.",
                stacklevel=2,
            )
        return _NOTHING

    def put(self, records: Sequence[Record], aliases: Sequence[tuple[bytes, Record]]) -> list[Record]:
        """Publish one batch; return for each record the one in force."""
        batch = Batch(list(records), list(aliases))
        with self._lock:
            if time.monotonic() - self._looked > _STALE:
                # A number that was free then may be that of a batch which was packed since.
                self._catch_up()
            while True:
                number = self._index.next
                data = self._sealer.seal(batch, _path(number))
                if self._fs.put_if_absent(_path(number), [data]):
                    self._looked = time.monotonic()
                    break
                self._catch_up()
                if self._index.next == number:
                    # It is there, though no listing tells of it yet.
                    self._read([number])
            self._add([(number, data[:HEAD], batch)])
            named = [*((record.trace, record) for record in records), *aliases]
            found = self._in_force([record.action for _, record in named])
            self._superseding.mend((trace, found.get(record.action, record)) for trace, record in named)
        return [found.get(record.action, record) for record in records]

    # Look-ups.

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return, by trace or action key, the records in force."""
        wanted = keys if isinstance(keys, list) else list(keys)
        self._lookups["records"] += len(wanted)
        with self._lock:
            return self._in_force(wanted)

    def pages(self, size: int = 5000) -> Iterator[list[bytes]]:
        """Yield all keys that have a record, some at a time; some twice."""
        yield list(self.superseded())
        self._index.flush()
        yield list(self._index.held())
        page = [b""]
        while page := self._filled(lambda after=page[-1]: self._index.page(after, size)):  # type: ignore[misc]
            yield page

    def durations(self, owns: Iterable[bytes]) -> dict[bytes, float]:
        """Return the seconds that those of `owns` took which were ever recorded."""
        wanted = owns if isinstance(owns, list) else list(owns)
        with self._lock:
            return self._filled(lambda: self._index.durations(wanted))

    def _in_force(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        found = self._filled(lambda: self._index.find(keys))
        self._filled(lambda: self._superseding.overlay(keys, found))
        return found

    def _filled(self, ask: Callable[[], R]) -> R:
        """Ask the index; if it turns out to be damaged fill it again."""
        try:
            return ask()
        except IndexLostError:
            self._catch_up()
            return ask()

    # What outranks them.

    def superseded(self) -> Mapping[bytes, bytes]:
        """Return the digest in force of every key that was superseded."""
        with self._lock:
            return self._filled(self._superseding.digests)

    def supersede(self, record: Record) -> Record:
        """Write the next fact under the action key and the trace key."""
        with self._lock:
            self._filled(self._superseding.digests)
            self._filled(lambda: self._superseding.look_for_names({record.action}))
            self._superseding.add(record)
        return record

    def unstable(self) -> set[bytes]:
        """Return the tasks that once contradicted themselves."""
        with self._lock:
            if self._unstable is None:
                self._lookups["listings"] += 1
                self._unstable = set(map(bytes.fromhex, filter(_is_hex, self._fs.names("unstable"))))
            return set(self._unstable)

    def mark_unstable(self, task: bytes) -> None:
        """Remember that a task gave two results for the same inputs."""
        path = f"unstable/{task.hex()}"
        self._fs.put_if_absent(path, [self._sealer.seal(Unstable(task), path)])
        with self._lock:
            if self._unstable is not None:
                self._unstable.add(task)


def _is_hex(name: str) -> bool:
    return len(name) % 2 == 0 and not set(name) - set("0123456789abcdef")
