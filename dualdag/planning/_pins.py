"""Which artifacts are pinned: not due, so that their last version is used."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from dualdag.errors import CorruptObjectError, UntrustedRecordError
from dualdag.graph import ArtifactSpec, Graph, is_due
from dualdag.planning._refresh import forced_above

if TYPE_CHECKING:
    from dualdag.store import Confirmation, Store, Version

__all__ = ["Pin", "Pins", "pin_key"]

_HELD = frozenset({"manual", "frozen"})


class Pin(NamedTuple):
    """The version that stands for a pinned artifact, and the trace key that does."""

    version: Version
    key: bytes


class _Last(NamedTuple):
    version: Version | None
    confirmed: Confirmation | None
    damaged: CorruptObjectError | UntrustedRecordError | None


def pin_key(version: Version, confirmed: Confirmation | None) -> bytes:
    """Return the trace key of a pinned artifact: of what it was last made, or found equal, from.

    The number and the time of the version stay out of it, so that a user of the artifact has one
    trace key on the day its input was made and while that is pinned.
    """
    if confirmed is not None and confirmed.version == version.number:
        return confirmed.trace
    return version.trace


def _times(version: Version | None, confirmed: Confirmation | None) -> tuple[float | None, float | None]:
    return None if version is None else version.created, None if confirmed is None else confirmed.created


def _own_part_of(version: Version, confirmed: Confirmation | None) -> bytes:
    """Return the own part that last gave the version's bytes."""
    if confirmed is not None and confirmed.version == version.number:
        return confirmed.own_part
    return version.own_part


class Pins:
    """Decides, artifact by artifact, whether it is due; asks the store about each name once.

    Parameters
    ----------
    graph : Graph
        What is planned.
    store : Store
        Knows versions, confirmations and which objects are there.
    forced : set of int
        What refresh names.
    own : dict of int to bytes
        Own parts, by position.
    now : datetime
        The clock of the plan.
    """

    def __init__(self, graph: Graph, store: Store, forced: set[int], own: dict[int, bytes], now: datetime) -> None:
        self._graph = graph
        self._store = store
        self._forced = forced
        self._own = own
        self._now = now
        self._last: dict[str, _Last] = {}
        self._lost: set[int] = set()
        held = [i for i in own if self._kind(i) in _HELD and self._has_version(i)] if forced else []
        self._above = forced_above(graph, forced, held)

    def may_pin(self, i: int) -> bool:
        """Say whether the artifact at `i` has a cadence that can pin it."""
        return self._kind(i) != "change"

    def decide(self, i: int) -> tuple[Pin | None, str]:
        """Return what the artifact at `i` is pinned to, None if it is due, and why.

        Raises
        ------
        CorruptObjectError
            When the last version of a manual or frozen artifact can't be read.
        UntrustedRecordError
            When it is not accepted.
        """
        due, why = self._is_due(i)
        return (None, why) if due else (self._newest(i), why)

    def times(self) -> dict[str, tuple[float | None, float | None]]:
        """Return, for each name that was asked about, when its last version was made and found equal."""
        return {name: _times(last.version, last.confirmed) for name, last in self._last.items()}

    def drop_lost(self, pins: dict[int, Version]) -> bool:
        """Make those due whose value is gone; return whether there were any.

        Raises
        ------
        CorruptObjectError
            When it is the value of a manual or frozen artifact.
        """
        if not pins:
            return False
        there = self._store.has_objects({version.checksum for version in pins.values()})
        lost = [i for i, version in pins.items() if version.checksum not in there]
        for i in lost:
            if self._kind(i) in _HELD:
                raise _lost_error(self._graph.artifacts(i)[0], f"the value of its version {pins[i].number}")
        self._lost.update(lost)
        return bool(lost)

    def _kind(self, i: int) -> str:
        return self._graph.artifacts(i)[0].cadence.kind

    def _is_due(self, i: int) -> tuple[bool, str]:
        kind = self._kind(i)
        specs = self._graph.artifacts(i)
        if i in self._forced:
            return True, "named in refresh"
        if kind == "change":
            return True, "made again on any change"
        if kind in _HELD:
            return self._held_is_due(specs)
        if i in self._lost:
            return True, "the value of its last version is gone"
        if self._above is not None and self._above[i] >= 0:
            return True, f"{self._graph.label(self._above[i])}, above it, is named in refresh"
        why = ""
        for spec in specs:
            due, why = self._name_is_due(spec, self._own[i])
            if due:
                return True, why
        return False, why

    def _held_is_due(self, specs: Iterable[ArtifactSpec]) -> tuple[bool, str]:
        due, why = True, ""
        for spec in specs:
            last = self._of(spec.name)
            if isinstance(last.damaged, UntrustedRecordError):
                raise last.damaged
            if last.damaged is not None:
                raise _lost_error(spec, "its last version")
            made = None if last.version is None else last.version.created
            due, why = is_due(spec.cadence, last=made, confirmed=None, now=self._now)
            if not due:
                break
        return due, why

    def _name_is_due(self, spec: ArtifactSpec, own: bytes) -> tuple[bool, str]:
        version, confirmed, damaged = self._of(spec.name)
        if damaged is not None:
            why = "is not accepted" if isinstance(damaged, UntrustedRecordError) else "can't be read"
            return True, f"its last version {why}"
        if version is not None and own != _own_part_of(version, confirmed):
            return True, "its own part changed"
        made, found_equal = _times(version, confirmed)
        return is_due(spec.cadence, last=made, confirmed=found_equal, now=self._now)

    def _of(self, name: str) -> _Last:
        if name not in self._last:
            try:
                version = self._store.latest(name)
            except (CorruptObjectError, UntrustedRecordError) as error:
                if isinstance(error, UntrustedRecordError):
                    warnings.warn(str(error), stacklevel=2)
                self._last[name] = _Last(None, None, error)
            else:
                confirmed = None if version is None else self._store.last_confirmed(name)
                self._last[name] = _Last(version, confirmed, None)
        return self._last[name]

    def _has_version(self, i: int) -> bool:
        found = (self._of(spec.name) for spec in self._graph.artifacts(i))
        return any(last.version is not None or last.damaged is not None for last in found)

    def _newest(self, i: int) -> Pin:
        # Names of one node are made together; where one was made elsewhere too, the later one counts.
        lasts = [self._of(spec.name) for spec in self._graph.artifacts(i)]
        made = [(last.version, last.confirmed) for last in lasts if last.version is not None]
        version, confirmed = max(made, key=lambda pair: pair[0].created)
        return Pin(version, pin_key(version, confirmed))


def _lost_error(spec: ArtifactSpec, what: str) -> CorruptObjectError:
    kind = spec.cadence.kind
    todo = (
        f"name it to make it again (refresh=[{spec.name!r}]), or edit its cadence"
        if kind == "manual"
        else "edit its cadence to make it again"
    )
    return CorruptObjectError(f"artifact {spec.name!r} ({spec.site}) is {kind}, and {what} is lost or damaged: {todo}.")
