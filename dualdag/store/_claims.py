"""Claims: what each run that is at work is going to make, so that runs on one store share the work.

A claim is a file under the next number that is free, as a batch of records is.  Who writes it has read all that
came before, and leaves out what others hold: those whose lease lives in the epoch of their claim.  What was made is
dropped by removing the file, what is given up by a later claim in its place.  A number must not be given twice to
runs that don't see each other: the highest is never removed, nor any before every listing without it is too old
for a claim to be based on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import msgspec

from dualdag.store._leases import Lease, clock, default_seconds
from dualdag.store._seal import REFUSED
from dualdag.store._watch import Watch

if TYPE_CHECKING:
    from dualdag.store._handle import Handle

__all__ = ["Claim", "Claims", "open_claims"]

#: Bytes of a key that stand for it.
_PREFIX = 16
#: Seconds from a listing to the claim that is based on it, in a folder of this machine and elsewhere.
WINDOW_HERE, WINDOW_ELSEWHERE = 0.25, 2.0


class Claim(msgspec.Struct, frozen=True):
    """What a run is going to make.

    Parameters
    ----------
    run : str
        Which run.
    epoch : int
        Of its lease.
    keys : bytes
        First bytes of each key, one after the other.
    instead : list of int
        Numbers of earlier claims of the run, which this one takes the place of.
    """

    run: str
    epoch: int
    keys: bytes
    instead: list[int] = []


def _path(number: int) -> str:
    return f"claims/{number:012d}"


class Claims:
    """The claims of a store, as one run sees and makes them.

    Parameters
    ----------
    lease : Lease
        The run's.

    Attributes
    ----------
    news : bool
        Whether others claimed, made or gave up anything since this was last set to False.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.watch = Watch(lease)
        self.news = True
        self._fs = lease.fs
        self._epoch = lease.epoch
        self._window = WINDOW_HERE if self.here else WINDOW_ELSEWHERE
        self._looked = 0.0
        self._top = 0
        #: Others' claims by number, None for those that are nobody's any more; and who names a key.
        self._others: dict[int, Claim | None] = {}
        self._dates: dict[int, float | None] = {}
        self._named: dict[bytes, list[int]] = {}
        #: What each own claim names and what of it is left to do, since when it is there, and a key's newest claim.
        self._told: dict[int, frozenset[bytes]] = {}
        self._left: dict[int, set[bytes]] = {}
        self._since: dict[int, float] = {}
        self._mine: dict[bytes, int] = {}

    @property
    def here(self) -> bool:
        """Whether the store is a folder of this machine."""
        return self._fs.local is not None

    # What others do.

    def look(self) -> None:
        """See what others claimed and gave up since: one listing."""
        self._looked = clock()
        self._dates = {
            int(one.name): one.modified
            for one in self._fs.entries("claims")
            if len(one.name) >= 12 and one.name.isascii() and one.name.isdigit()
        }
        for number in self._others.keys() - self._dates.keys():
            self._forget(number)
            del self._others[number]
        new = sorted(n for n in self._dates if n not in self._others and n not in self._left)
        top = max((self._top, *self._dates))
        self.news |= bool(new) or top > self._top
        self._top = top
        for number, data in zip(new, self._fs.get_many([_path(n) for n in new]), strict=True):
            if data:  # else its name was taken and it follows at once, or it has just been removed
                self._learn(number, data)
        self._sweep()

    def _learn(self, number: int, data: bytes) -> None:
        try:
            claim = self.lease.sealer.unseal(data, Claim, _path(number))
        except REFUSED:
            # Nobody's: it costs a rerun at the most.
            self._others[number] = None
            return
        self._others[number] = claim
        for key in _split(claim.keys):
            self._named.setdefault(key, []).append(number)
        for replaced in claim.instead:
            self._forget(replaced)

    def _forget(self, number: int) -> None:
        """Let a claim be nobody's."""
        claim = self._others.get(number)
        if claim is None:
            return
        self._others[number] = None
        self.news = True  # what it named is made by now, or is to be made by others
        for key in _split(claim.keys):
            numbers = self._named[key]
            numbers.remove(number)
            if not numbers:
                del self._named[key]

    def holder(self, key: bytes) -> str | None:
        """Return the run that holds a key, as of the last looks; None where it is free or this run's own.

        Parameters
        ----------
        key : bytes
            Of a node.
        """
        named = [self._others[number] for number in sorted(self._named.get(key[:_PREFIX], ()))]
        others = [claim for claim in named if claim is not None and claim.run != self.lease.run]
        if others:
            self.watch.meet({claim.run for claim in others})
        return next((claim.run for claim in others if self.watch.alive(claim.run, claim.epoch)), None)

    def tidy(self) -> None:
        """Let go of the claims of runs that are over."""
        self.watch.look()
        self.watch.meet({claim.run for claim in self._others.values() if claim is not None} - {self.lease.run})
        for number, claim in list(self._others.items()):
            if claim is not None and (claim.run == self.lease.run or not self.watch.alive(claim.run, claim.epoch)):
                self._forget(number)
            if self._others[number] is None and number != self._top:
                written, now = self._dates.get(number), self.lease.now()
                if written is not None and now is not None and now - written > 3 * self._window:
                    self.lease.litter(_path(number))

    def _sweep(self) -> None:
        """Remove own claims that nothing is left of."""
        if len(self._left) > 1 or self._top not in self._left:
            for number, left in list(self._left.items()):
                if not left and number != self._top and clock() - self._since[number] > 2 * self._window:
                    del self._left[number], self._told[number], self._since[number]
                    self.lease.litter(_path(number))

    # What this run does.

    def take(self, keys: Collection[bytes]) -> set[bytes]:
        """Claim keys; return those that this run holds from now on.

        Parameters
        ----------
        keys : collection of bytes
            Of nodes; those that live others hold are left out.

        Raises
        ------
        StoreError
            When nothing can be written.
        """
        self._renew()
        while True:
            self.look()
            if self._others:
                self.tidy()
            free = {key for key in keys if key[:_PREFIX] not in self._mine and self.holder(key) is None}
            if not free or self._put([key[:_PREFIX] for key in free]):
                break
        if free and clock() - self._looked > self._window:
            self._yield(free)
        return {key for key in keys if key[:_PREFIX] in self._mine}

    def _yield(self, keys: Iterable[bytes]) -> None:
        """After a claim that came too late for the listing it was based on: leave others what they took meanwhile."""
        self.look()
        self.tidy()
        for key in keys:
            if self.holder(key) is not None:
                self._left[self._mine.pop(key[:_PREFIX])].discard(key[:_PREFIX])

    def _put(self, keys: Collection[bytes], instead: Collection[int] = ()) -> bool:
        number = self._top + 1
        path = _path(number)
        claim = Claim(self.lease.run, self._epoch, b"".join(keys), list(instead))
        if not self._fs.put_if_absent(path, [self.lease.sealer.seal(claim, path)]):
            self.look()
            if self._top < number:
                # It is there, though no listing tells of it yet.
                self._top, self.news = number, True
                self._learn(number, self._fs.get(path) or b"")
            return False
        self._top = number
        self._since[number] = clock()
        self._left[number] = set(keys)
        self._told[number] = frozenset(keys)
        self._mine.update(dict.fromkeys(keys, number))
        return True

    def _renew(self) -> None:
        """After a fence: claim again what is still being done and nobody else took."""
        epoch = self.lease.ensure()
        if epoch == self._epoch:
            return
        self._epoch = epoch
        keys, old = list(self._mine), list(self._left)
        self._mine.clear()
        self._left.clear()
        self._told.clear()
        self._since.clear()
        self.news = True
        self._others.update(dict.fromkeys(old))
        while keys:
            self.look()
            self.tidy()
            keys = [key for key in keys if self.holder(key) is None]
            if keys and self._put(keys):
                return

    def done(self, key: bytes) -> None:
        """Note that what a key stands for was made and is recorded.

        Parameters
        ----------
        key : bytes
            As for `take`; one that is not held is nothing to note.
        """
        number = self._mine.pop(key[:_PREFIX], None)
        if number is not None:
            self._left[number].discard(key[:_PREFIX])

    def give_up(self, keys: Iterable[bytes]) -> None:
        """Let others have keys that this run holds, at once.

        Parameters
        ----------
        keys : iterable of bytes
            As for `take`.

        Raises
        ------
        StoreError
            When nothing can be written.
        """
        given = {key[:_PREFIX] for key in keys if key[:_PREFIX] in self._mine}
        for key in given:
            self._left[self._mine.pop(key)].discard(key)
        # A key that was made, lost and claimed anew is named by an earlier claim too.
        numbers = {number for number, told in self._told.items() if told & given}
        rest = [key for number in numbers for key in self._left[number]]
        while numbers and not self._put(rest, numbers):
            pass
        for number in numbers:
            # A look in between may have swept it away.
            self._left.get(number, set()).clear()

    def close(self) -> None:
        """Give up everything, the lease too."""
        try:
            for left in self._left.values():
                left.clear()
            self._sweep()
            if self.here:
                self.watch.look()
                if not self.watch.others():
                    # Whoever comes after this look sees the highest number, so that none before it is needed.
                    over = [number for number, claim in self._others.items() if claim is None]
                    for number in (*self._left, *over):
                        if number < self._top:
                            self.lease.litter(_path(number))
        finally:
            self.lease.close()


def _split(keys: bytes) -> list[bytes]:
    return [keys[at : at + _PREFIX] for at in range(0, len(keys), _PREFIX)]


def open_claims(store: Handle, run: str, seconds: float | None = None) -> Claims:
    """Take a lease for a run, and return the claims that it can make.

    Parameters
    ----------
    store : Store
        Where the run keeps its results.
    run : str
        The run's id.
    seconds : float, optional
        How long it may be silent.

    Raises
    ------
    StoreError
        When nothing can be written.
    """
    store._may_write()
    fs = store._fs
    lease = Lease(fs, run, default_seconds(fs) if seconds is None else seconds, store._sealer)
    claims = Claims(lease)
    claims.watch.sweep()
    return claims
