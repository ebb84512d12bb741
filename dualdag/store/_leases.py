"""Leases: which runs are at work on a store.

A run writes a heartbeat under the next number again and again.  Who finds that it fell silent puts a *fence*
under that number: the run's next heartbeat can't be written any more, and so it learns that it was given up.  It
begins another *epoch* then, and what it claimed in the one before is not its own any more.

No clock of one machine is held against another's: a lease has run out when its newest heartbeat was watched for
its whole length and none followed, or for half of it and the place itself dates it that much before our own.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from dualdag.errors import StoreError
from dualdag.store._process import Process, has_ended, this_process
from dualdag.store._seal import REFUSED
from dualdag.store._sealer import UNSIGNED, Sealer

if TYPE_CHECKING:
    from dualdag.store._fs import Entry, FileSystem
    from dualdag.store._handle import Handle

__all__ = ["Beat", "Lease", "Watch", "clock", "default_seconds", "live_leases"]

#: How long a run may be silent, in a folder of this machine and elsewhere.
SECONDS_HERE, SECONDS_ELSEWHERE = 10.0, 30.0
#: Heartbeats in the length of a lease.
BEATS = 3
#: What dates of files are rounded to, at the most.
_GRAIN_HERE, _GRAIN_ELSEWHERE = 0.1, 2.0
#: What nobody watched is removed after so many seconds by the place's own dates.
DAY = 86400.0


class Beat(msgspec.Struct, frozen=True):
    """A heartbeat of a run, or a fence in its place.

    Parameters
    ----------
    run : str
        Whose lease it is.
    epoch : int
        How often it was taken; of a fence, the epoch that ends here.
    seconds : float
        How long the run may be silent.
    machine, process, began
        Which process runs it; see `Process`.
    fenced : str
        The run that wrote this in place of the one whose lease it is.
    """

    run: str
    epoch: int
    seconds: float
    machine: str = ""
    process: int = 0
    began: str = ""
    fenced: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether its process is known to have ended."""
        return has_ended(Process(self.machine, self.process, self.began))


def clock() -> float:
    """Return seconds that nobody sets, and that go on while the machine sleeps where it can tell."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def default_seconds(fs: FileSystem) -> float:
    """Return how long a run may be silent at a place.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    """
    return SECONDS_ELSEWHERE if fs.local is None else SECONDS_HERE


def path_of(run: str, number: int) -> str:
    """Return where a heartbeat lies."""
    return f"leases/{run}.{number:08d}"


def listed(entries: Iterable[Entry]) -> dict[str, dict[int, float | None]]:
    """Return the numbers of each run's heartbeats, sorted, with when they were written by the place's own clock.

    Parameters
    ----------
    entries : iterable of Entry
        What lies in the folder.

    Examples
    --------
    >>> from dualdag.store._fs import Entry
    >>> listed([Entry("b.00000004", 1, 7.0, False), Entry("b.00000003", 1, 5.0, False), Entry("notes", 1, 5.0, False)])
    {'b': {3: 5.0, 4: 7.0}}
    """
    found: dict[str, dict[int, float | None]] = {}
    for entry in entries:
        run, _, digits = entry.name.rpartition(".")
        if run and len(digits) >= 8 and digits.isascii() and digits.isdigit():
            found.setdefault(run, {})[int(digits)] = entry.modified
    return {run: dict(sorted(of.items())) for run, of in found.items()}


def read_beat(fs: FileSystem, sealer: Sealer, run: str, number: int) -> Beat | None:
    """Return a heartbeat; None where it is not there or can't be read."""
    path = path_of(run, number)
    try:
        return sealer.unseal(fs.get(path) or b"", Beat, path)
    except REFUSED:
        return None


class Lease:
    """The lease of a run of this process, kept alive by a thread.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    run : str
        The run's id.
    seconds : float
        How long it may be silent.
    sealer : Sealer, optional
        Signs what is written.

    Attributes
    ----------
    epoch : int
        How often the lease was taken.

    Raises
    ------
    StoreError
        When the first heartbeat can't be written.
    """

    def __init__(self, fs: FileSystem, run: str, seconds: float, sealer: Sealer = UNSIGNED) -> None:
        self.fs = fs
        self.sealer = sealer
        self.run = run
        self.seconds = seconds
        self.epoch = 0
        self.process = this_process()
        self._lock = threading.Lock()
        self._number = 0
        self._beaten = 0.0
        self._ahead: float | None = None
        self._stop = threading.Event()
        self._litter: list[str] = []
        self._take()
        self._thread = threading.Thread(target=self._go_on, name="dualdag lease", daemon=True)
        self._thread.start()

    def _take(self) -> None:
        """Begin an epoch, under the number after all that are there."""
        self.epoch += 1
        while True:
            there = list(listed(self.fs.entries("leases")).get(self.run, ())) if self._number else []
            number = max((self._number, *there)) + 1
            if self._put(number):
                break
            self._number = number
        for old in there:
            self.fs.remove(path_of(self.run, old))

    def _put(self, number: int) -> bool:
        path = path_of(self.run, number)
        data = self.sealer.seal(Beat(self.run, self.epoch, self.seconds, *self.process), path)
        if not self.fs.put_if_absent(path, [data]):
            return False
        self._number, self._beaten = number, clock()
        return True

    def beat(self) -> None:
        """Write a heartbeat; where the lease was given up, take it again."""
        with self._lock:
            before = self._number
            # A fence that somebody tidied up has left no name that is taken, but took ours with it.
            if self.fs.size(path_of(self.run, before)) is not None and self._put(before + 1):
                self.fs.remove(path_of(self.run, before))
            else:
                self._take()
            self._clear()

    def ensure(self) -> int:
        """Return the epoch, after a heartbeat if the last one is too long ago to rely on."""
        if clock() - self._beaten > self.seconds / 2:
            self.beat()
        return self.epoch

    def note(self, dates: dict[int, float | None]) -> None:
        """Take in when the own heartbeats were written by the place's own clock."""
        number, beaten = self._number, self._beaten
        written = dates.get(number)
        if written is not None:
            self._ahead = written - beaten

    def now(self) -> float | None:
        """Return what time it is by the place's own clock, or a little less; None where it has none."""
        return None if self._ahead is None else clock() + self._ahead

    def _go_on(self) -> None:
        while not self._stop.wait(self.seconds / BEATS):
            try:
                self.beat()
            except StoreError:
                continue  # the run meets the same trouble, and tells of it better than a thread can

    def litter(self, path: str) -> None:
        """Have a file removed when there is time: at once where that costs next to nothing."""
        if self.fs.local is not None:
            self.fs.remove(path)
        else:
            self._litter.append(path)

    def _clear(self) -> None:
        while self._litter:
            self.fs.remove(self._litter[-1])
            self._litter.pop()

    def close(self) -> None:
        """Give the lease up."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._clear()
            # Of one that was given up, the fence.
            for number in (self._number, self._number + 1):
                self.fs.remove(path_of(self.run, number))


@dataclass(slots=True)
class _Seen:
    numbers: list[int]
    written: float | None
    since: float
    beat: Beat | None = None
    asked: bool = False

    @property
    def number(self) -> int:
        return self.numbers[-1]


class Watch:
    """What a run sees of the others' leases.

    Parameters
    ----------
    lease : Lease
        Its own.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._fs = lease.fs
        self._seen: dict[str, _Seen] = {}
        self.looked = 0.0

    def look(self) -> None:
        """See which heartbeats came since: one listing."""
        found = listed(self._fs.entries("leases"))
        if self._seen.keys() - found.keys():
            # A listing may miss a heartbeat that comes and the one that goes meanwhile: two don't.
            found = listed(self._fs.entries("leases")) | found
        self._lease.note(found.pop(self._lease.run, {}))
        self.looked = now = clock()
        for run in self._seen.keys() - found.keys():
            del self._seen[run]
        for run, of in found.items():
            seen = self._seen.get(run)
            newest = max(of)
            if seen is None or seen.number != newest:
                self._seen[run] = _Seen(list(of), of[newest], now)

    def others(self) -> list[str]:
        """Return the runs that there were leases of at the last look."""
        return list(self._seen)

    def alive(self, run: str, epoch: int) -> bool:
        """Return whether a run still holds what it claimed in an epoch; fence it if it fell silent.

        Parameters
        ----------
        run : str
            Another run.
        epoch : int
            Of its claim.
        """
        if run not in self._seen:
            self.look()
        seen = self._seen.get(run)
        if seen is None:
            return False
        beat = self.beat(run)
        if beat is not None:
            if epoch < beat.epoch or (beat.fenced and epoch == beat.epoch):
                return False
            if beat.has_ended:
                self._bury(run, seen)
                return False
            if beat.fenced:
                return True  # it went on in a new epoch, which this look came too early for
        if not self._ran_out(run, seen, self._lease.seconds if beat is None else beat.seconds):
            return True
        return not self._fence(run, seen, epoch)

    def beat(self, run: str) -> Beat | None:
        """Return the newest heartbeat of another run, as of the last look; None where it can't be read."""
        seen = self._seen.get(run)
        if seen is None:
            return None
        if not seen.asked:
            seen.beat, seen.asked = read_beat(self._fs, self._lease.sealer, run, seen.number), True
        return seen.beat

    def _ran_out(self, run: str, seen: _Seen, seconds: float) -> bool:
        # What was seen at the last look is all that is known: this process may have slept since.
        watched = self.looked - seen.since
        grain = _GRAIN_ELSEWHERE if self._fs.local is None else _GRAIN_HERE
        if watched > seconds + grain:
            return True
        if watched <= seconds / 2:
            return False
        return _older(seen.written, self._lease.now(), seconds + grain)

    def _fence(self, run: str, seen: _Seen, epoch: int) -> bool:
        """Put an end to an epoch; say whether that was done before the run's next heartbeat."""
        beat, number = seen.beat or Beat(run, epoch, self._lease.seconds), seen.number + 1
        path = path_of(run, number)
        fence = msgspec.structs.replace(beat, epoch=epoch, fenced=self._lease.run)
        if not self._fs.put_if_absent(path, [self._lease.sealer.seal(fence, path)]):
            return False
        if max(listed(self._fs.entries("leases")).get(run, {number: None})) > number:
            # It went on meanwhile, so far that this number was free again.
            self._fs.remove(path)
            return False
        for old in seen.numbers:
            self._fs.remove(path_of(run, old))
        self._seen[run] = _Seen([number], None, clock(), fence, asked=True)
        return True

    def _bury(self, run: str, seen: _Seen) -> None:
        for number in seen.numbers:
            self._fs.remove(path_of(run, number))
        del self._seen[run]

    def sweep(self) -> None:
        """Remove what runs left behind that are known to have ended, or that were silent for a day."""
        self.look()
        for run, seen in list(self._seen.items()):
            beat = self.beat(run)
            if (beat is not None and beat.has_ended) or _older(seen.written, self._lease.now(), DAY):
                self._bury(run, seen)


def _older(written: float | None, now: float | None, seconds: float) -> bool:
    return written is not None and now is not None and now - written > seconds


def live_leases(store: Handle) -> set[str]:
    """Return the ids of the runs that may be at work on a store; remove the leases of those that are over.

    Parameters
    ----------
    store : Store
        Any.
    """
    fs, sealer = store._fs, store._sealer
    found = listed(fs.entries("leases"))
    now = place_time(fs) if found and not store.readonly else None
    alive = set()
    for run, of in found.items():
        newest = max(of)
        beat = read_beat(fs, sealer, run, newest)
        if (beat is not None and beat.has_ended) or _older(of[newest], now, DAY):
            for number in () if store.readonly else of:
                fs.remove(path_of(run, number))
        elif beat is None or not beat.fenced:
            alive.add(run)
    return alive


def place_time(fs: FileSystem) -> float | None:
    """Return what time it is by a place's own clock; None where it has none. Writes a scratch file."""
    name = uuid.uuid4().hex
    fs.put_if_absent(f"scratch/{name}", [b"dualdag"])
    try:
        return next((one.modified for one in fs.entries("scratch") if one.name == name), None)
    finally:
        fs.remove(f"scratch/{name}")
