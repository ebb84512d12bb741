"""Leases: which runs are at work on a store.

A run writes a heartbeat under the next number again and again.  Who finds that it fell silent puts a *fence*
under that number: the run's next heartbeat can't be written any more, and so it learns that it was given up.  It
begins another *epoch* then, and what it claimed in the one before is not its own any more.

What others see of it is in `_watch`.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from dualdag.errors import StoreError
from dualdag.store._process import Process, has_ended, this_process
from dualdag.store._seal import REFUSED
from dualdag.store._sealer import UNSIGNED, Sealer

if TYPE_CHECKING:
    from dualdag.store._fs import Entry, FileSystem

__all__ = ["Beat", "Lease", "clock", "default_seconds", "listed", "path_of", "place_time", "read_beats"]

#: How long a run may be silent, in a folder of this machine and elsewhere.
SECONDS_HERE, SECONDS_ELSEWHERE = 10.0, 30.0
#: Heartbeats in the length of a lease.
BEATS = 3
#: What is left behind for others to remove, and is removed between two heartbeats, at the most.
_SWEPT = 16


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


def read_beats(fs: FileSystem, sealer: Sealer, numbers: Mapping[str, int]) -> dict[str, Beat | None]:
    """Return heartbeats by run; None for those that are not there or can't be read.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    sealer : Sealer
        Checks what is read.
    numbers : mapping
        Of the heartbeats, by run.
    """
    paths = [path_of(run, number) for run, number in numbers.items()]
    found: dict[str, Beat | None] = {}
    for run, path, data in zip(numbers, paths, fs.get_many(paths), strict=True):
        try:
            found[run] = sealer.unseal(data or b"", Beat, path)
        except REFUSED:
            found[run] = None
    return found


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
        self._litter: dict[str, None] = {}
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
            self._litter[path] = None

    def _clear(self) -> None:
        # A heartbeat must not wait for long: what is left others remove.
        for path in list(self._litter)[:_SWEPT]:
            self.fs.remove(path)
            del self._litter[path]

    def close(self) -> None:
        """Give the lease up."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._clear()
            # Of one that was given up, the fence.
            for number in (self._number, self._number + 1):
                self.fs.remove(path_of(self.run, number))


def place_time(fs: FileSystem) -> float | None:
    """Return what time it is by a place's own clock; None where it has none. Writes a scratch file."""
    name = uuid.uuid4().hex
    fs.put_if_absent(f"scratch/{name}", [b"dualdag"])
    try:
        return next((one.modified for one in fs.entries("scratch") if one.name == name), None)
    finally:
        fs.remove(f"scratch/{name}")
