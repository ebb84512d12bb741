"""What cadences mean, written from API.md and SEMANTICS.md alone: a plain model of a few artifacts in a store.

An artifact is looked at in every tick, the ones above it first.  Values are texts; two are the same result where they
are the same text.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import timedelta

from property_tests.cron_reference import Cron

GRACE = timedelta(seconds=60)


@dataclass(frozen=True)
class Made:
    """A version, or the confirmation of one: when, the value, and the own part that gave it."""

    created: object
    value: str
    own: object


@dataclass
class Kept:
    """What the store holds of one artifact."""

    versions: list[Made] = field(default_factory=list)
    confirmed: list[tuple[int, Made]] = field(default_factory=list)


class Lost(Exception):
    """The version of a manual or frozen artifact is gone."""


class Reference:
    """Artifacts by name, inputs before their users.

    Parameters
    ----------
    artifacts : mapping of str to Artifact
        Each has `cadence`, `inputs` (names of artifacts), `own(world)`, `action(world, values)` (the function and
        what it is called with) and `make(world, *values)`.
    crons : mapping of str to list of datetime
        All times of each cron cadence within the simulation, found minute by minute.
    """

    def __init__(self, artifacts, crons):
        self.artifacts = artifacts
        self.crons = crons
        self.kept = {name: Kept() for name in artifacts}
        self.recorded = set()  # the actions of all that ever ran
        self.objects = set()  # values whose bytes are there

    def due(self, name, world, now):
        """`Due` of SEMANTICS.md, "Cadence"."""
        artifact, kept = self.artifacts[name], self.kept[name]
        if not kept.versions:
            return True
        last = kept.versions[-1]
        if artifact.cadence in ("manual", "frozen"):
            if last.value not in self.objects:
                raise Lost(name)
            return False
        if artifact.cadence is None or last.value not in self.objects:
            return True
        made = [last.created]
        own = last.own
        if kept.confirmed:
            number, confirmation = kept.confirmed[-1]
            made.append(confirmation.created)
            if number == len(kept.versions):
                own = confirmation.own
        if own != artifact.own(world):
            return True
        since = min(max(made), now)  # a version dated in the future counts as made now
        if artifact.cadence in self.crons:
            times = self.crons[artifact.cadence]
            return bisect_right(times, now) > bisect_right(times, since)
        interval = artifact.interval
        return now >= since + interval - min(interval / 100, GRACE)

    def tick(self, world, now, names=None, refresh=()):
        """One run of what is due: return what ran; what needs a lost one is `broken`, and holds up no other."""
        by_clock = [n for n, a in self.artifacts.items() if a.cadence not in ("manual", "frozen")]
        wanted = names or [n for n in self.artifacts if n in by_clock or not self.kept[n].versions]
        due, self.broken = {}, set()
        for target in wanted:
            try:
                due |= self._look_at(target, world, now, refresh)
            except Lost:
                self.broken.add(target)
        if self.broken == set(wanted):
            raise Lost
        return {name for name in self.artifacts if due.get(name) and self._make(name, world, now, name in refresh)}

    def _look_at(self, target, world, now, refresh):
        due, looked_at = {}, [target]
        for name in looked_at:  # users first: what is above a pinned one is not looked at for its sake
            if name not in due:
                due[name] = name in refresh or self.due(name, world, now)
                looked_at += self.artifacts[name].inputs if due[name] else ()
        return due

    def _make(self, name, world, now, forced):
        """Make one that is due, from the last values of those above it; say whether its function ran."""
        artifact, kept = self.artifacts[name], self.kept[name]
        values = tuple(self.kept[above].versions[-1].value for above in artifact.inputs)
        value = artifact.make(world, *values)
        action = artifact.action(world, values)
        ran = forced or action not in self.recorded or value not in self.objects
        self.recorded.add(action)
        self.objects.add(value)
        made = Made(now, value, artifact.own(world))
        if not kept.versions or kept.versions[-1].value != value:
            kept.versions.append(made)
        elif artifact.cadence is not None:
            kept.confirmed.append((len(kept.versions), made))
        return ran


def cron_times(text, tz, start, end):
    """All times of a cron cadence, each minute looked at."""
    return Cron(text, tz).times(start, end)
