"""What of a plan is due, and when the rest will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualdag.errors import CorruptObjectError
from dualdag.graph import ArtifactSpec, comes_due

if TYPE_CHECKING:
    from datetime import datetime

    from dualdag.planning._plan import Plan
    from dualdag.store import Store

__all__ = ["due_artifacts", "upcoming"]


def due_artifacts(plan: Plan, store: Store) -> dict[int, str]:
    """Return the artifacts that a run of a plan would do anything about, by position, and why.

    That is every artifact with a cadence that is not pinned, as the time of its run is to be written
    down even where nothing changed; and of those without one, what changed.

    Parameters
    ----------
    plan : Plan
        Says what is pinned and what is found.
    store : Store
        Where the values have their names.
    """
    found = {}
    for i in sorted(plan.graph.extras):
        specs = plan.graph.artifacts(i)
        if not specs or not plan.actions[i] or i in plan.pins:
            continue
        reused = specs[0].cadence.kind == "change" and plan.action(i) == "reuse"
        if not reused or not all(_is_in_force(plan, i, spec, store) for spec in specs):
            found[i] = plan.reason(i)
    return found


def _is_in_force(plan: Plan, i: int, spec: ArtifactSpec, store: Store) -> bool:
    """Return whether the last version of a name has the value that was found."""
    try:
        last = store.latest(spec.name)
    except CorruptObjectError:
        return False
    return last is not None and last.digest == plan.digest(i)


def upcoming(plan: Plan, store: Store | None = None) -> dict[str, datetime | None]:
    """Return when the clock makes each artifact due that a plan looked at; None where it has no say.

    Parameters
    ----------
    plan : Plan
        Knows when what it looked at was last made.
    store : Store, optional
        Asked again about what the plan did not pin, as after a run.
    """
    found = {}
    for i in sorted(plan.graph.extras):
        for spec in plan.graph.artifacts(i) if plan.actions[i] else ():
            times = plan.times.get(spec.name)
            if store is not None and times is not None and i not in plan.pins:
                times = _times(spec.name, store)
            found[spec.name] = None if times is None else comes_due(spec.cadence, *times, plan.now)
    return found


def _times(name: str, store: Store) -> tuple[float | None, float | None]:
    try:
        last = store.latest(name)
    except CorruptObjectError:
        return None, None
    confirmed = None if last is None else store.last_confirmed(name)
    return None if last is None else last.created, None if confirmed is None else confirmed.created
