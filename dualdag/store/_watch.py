"""What a run sees of the others' leases: who is at work, who fell silent and is given up.

No clock of one machine is held against another's: a lease has run out when its newest heartbeat was watched for
its whole length and none followed, or for half of it and the place itself dates it that much before our own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from dualdag.store._leases import Beat, Lease, clock, listed, path_of, place_time, read_beats

if TYPE_CHECKING:
    from dualdag.store._handle import Handle

__all__ = ["Watch", "live_leases"]

#: What dates of files are rounded to, at the most.
_GRAIN_HERE, _GRAIN_ELSEWHERE = 0.1, 2.0
#: What nobody watched is removed after so many seconds by the place's own dates.
DAY = 86400.0


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

    def meet(self, runs: Collection[str]) -> None:
        """See what there is of runs that are about to be asked for: those that were not found are looked for again.

        Parameters
        ----------
        runs : collection of str
            Others.
        """
        if any(run not in self._seen for run in runs):
            # A listing may miss a heartbeat that comes and the one that goes meanwhile: two don't.
            self.look()
        asked = {run: seen.number for run in runs if (seen := self._seen.get(run)) is not None and not seen.asked}
        for run, beat in read_beats(self._fs, self._lease.sealer, asked).items() if asked else ():
            self._seen[run].beat, self._seen[run].asked = beat, True

    def others(self) -> list[str]:
        """Return the runs that there were leases of at the last look."""
        return list(self._seen)

    def where(self, run: str) -> str:
        """Return in words which process a run is, in parentheses; empty where that is not known.

        Parameters
        ----------
        run : str
            Another run.
        """
        seen = self._seen.get(run)
        if seen is None or seen.beat is None or not seen.beat.machine:
            return ""
        machine = "this machine" if seen.beat.machine == self._lease.process.machine else seen.beat.machine.split()[0]
        return f" (process {seen.beat.process} on {machine})"

    def alive(self, run: str, epoch: int) -> bool:
        """Return whether a run still holds what it claimed in an epoch; fence it if it fell silent.

        Parameters
        ----------
        run : str
            Another run, which was met.
        epoch : int
            Of its claim.
        """
        seen = self._seen.get(run)
        if seen is None:
            return False
        beat = seen.beat
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
        self.meet(self._seen)
        for run, seen in list(self._seen.items()):
            if (seen.beat is not None and seen.beat.has_ended) or _older(seen.written, self._lease.now(), DAY):
                self._bury(run, seen)


def _older(written: float | None, now: float | None, seconds: float) -> bool:
    return written is not None and now is not None and now - written > seconds


def live_leases(store: Handle, *, tidy: bool = True) -> set[str]:
    """Return the ids of the runs that may be at work on a store; remove the leases of those that are over.

    Parameters
    ----------
    store : Store
        Any.
    tidy : bool
        Whether something may be written, and removed, there.
    """
    fs, sealer = store._fs, store._sealer
    found = listed(fs.entries("leases"))
    tidy = tidy and not store.readonly
    now = place_time(fs) if found and tidy else None
    beats = read_beats(fs, sealer, {run: max(of) for run, of in found.items()})
    alive = set()
    for run, of in found.items():
        newest, beat = max(of), beats[run]
        if (beat is not None and beat.has_ended) or _older(of[newest], now, DAY):
            for number in of if tidy else ():
                fs.remove(path_of(run, number))
        elif beat is None or not beat.fenced:
            alive.add(run)
    return alive
