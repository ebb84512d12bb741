"""Runs that go on, and how a collector of garbage and a run keep out of each other's way.

A run begins its journal and then looks for collectors; a collector leaves its mark and then looks for journals, and
removes a few files at a time between the two looks.  So, as in Dekker's algorithm, one of the two sees the other: a
collector stops where a run began, and a run waits for what the collector is about to remove just then.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dualdag.store._facts import Begin
from dualdag.store._fs import FileSystem
from dualdag.store._leases import clock
from dualdag.store._own import is_scratch
from dualdag.store._process import Process, has_ended, this_process
from dualdag.store._seal import REFUSED
from dualdag.store._watch import live_leases

__all__ = ["SLICE", "Runs", "collecting", "together", "wait_for_collectors"]

if TYPE_CHECKING:
    from dualdag.store._handle import Handle

A = TypeVar("A")
B = TypeVar("B")

_FOLDER = "gc"
#: Seconds after which a run without an end counts as killed.
_DAY = 86_400.0
#: Seconds that a collector may take for what it removes at once, and after which its mark is a dead one's.
SLICE, _STALE = 1.0, 30.0
_AT_ONCE = 16


@contextmanager
def collecting(fs: FileSystem) -> Iterator[None]:
    """Leave a mark while something is removed: runs that begin meanwhile wait.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    """
    path = f"{_FOLDER}/{uuid.uuid4().hex}"
    fs.put_if_absent(path, [msgspec.json.encode(this_process())])
    try:
        yield
    finally:
        fs.remove(path)


def wait_for_collectors(fs: FileSystem) -> None:
    """Return once nothing is removed that was found to be garbage before this run began.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies; the journal of the run was begun.
    """
    began = clock()
    marks = set(filter(is_scratch, fs.names(_FOLDER)))
    while marks:
        for name in list(marks):
            # Each mark stands for a second or so: the collector of one that stays was killed.
            if clock() - began > _STALE or _is_dead(fs.get(f"{_FOLDER}/{name}")):
                fs.remove(f"{_FOLDER}/{name}")
                marks.discard(name)
        time.sleep(0.02)
        # Those that came later know of this run.
        marks &= set(fs.names(_FOLDER))


def _is_dead(mark: bytes | None) -> bool:
    """Say whether a collector is known to be dead: one of this machine, whose process is not there."""
    try:
        return mark is not None and has_ended(msgspec.json.decode(mark, type=Process))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def together(fs: FileSystem, call: Callable[[A], B], many: Sequence[A]) -> list[B]:
    """Call for each; where a round trip takes longer than its work, several at once.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    call : callable
        Asks something of it.
    many : sequence
        What for.
    """
    if fs.local is not None or len(many) < 2 or fs.url.startswith("memory:"):
        return [call(one) for one in many]
    with ThreadPoolExecutor(min(_AT_ONCE, len(many)), thread_name_prefix="dualdag store") as pool:
        return list(pool.map(call, many))


class Runs:
    """Which runs there are, and which of them go on.

    Parameters
    ----------
    store : Handle
        Where they are.
    now : float
        By the store's clock.
    tidy : bool
        Whether leases of runs that are over may be removed.
    """

    def __init__(self, store: Handle, now: float, *, tidy: bool = True) -> None:
        self._store = store
        self._tidy = tidy
        self._fs = store._fs
        self._now = now
        #: Names of those that ended, or were killed.
        self.ended: set[str] = set()
        self._began = clock()
        #: Names of those that go on.
        self.live: set[str] = set()
        self.look()

    def look(self) -> set[str]:
        """Look again; return the names of runs that began or were seen to go on since the last time."""
        leases = live_leases(self._store, tidy=self._tidy)
        new = [name for name in self._fs.names("runs") if name not in self.ended or name in leases]
        found = together(self._fs, lambda name: self._goes_on(name, leased=name in leases), new)
        # One whose lease outlived it was told of when it was first seen to have ended.
        states = {
            name: goes_on
            for name, goes_on in zip(new, found, strict=True)
            if goes_on is not False or name not in self.ended
        }
        for name, goes_on in states.items():
            (self.ended.add if goes_on is False else self.ended.discard)(name)
        # One that has not begun yet will see the mark of whoever removes something now.
        met = {*(name for name, goes_on in states.items() if goes_on is not None), *(leases - self.ended)}
        self.live = met - self.ended
        return met

    def _goes_on(self, name: str, *, leased: bool) -> bool | None:
        """Say whether a run goes on; None if it has not begun yet."""
        files = {one.name: one for one in self._fs.entries(f"runs/{name}") if not one.name.endswith(".tmp")}
        if not files:
            return None
        begin = files.get("begin")
        if "end" in files:
            return False
        if leased:
            # However long ago it began.
            return True
        if begin is None:
            return False
        if begin.modified is not None and begin.modified <= self._now + clock() - self._began - _DAY:
            return False
        path = f"runs/{name}/begin"
        try:
            began = self._store._sealer.unseal(self._fs.get(path) or b"", Begin, path)
        except REFUSED:
            return True
        return not has_ended(Process(began.machine, began.process, began.since))
