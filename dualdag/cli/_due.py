"""`dualdag run FLOW --due`: what is due and nothing else, and what comes next."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag import _api
from dualdag.cli import _errors
from dualdag.cli._command import Answer, users_code
from dualdag.cli._locks import taken
from dualdag.cli._output import NEVER_DUE, of_run, show_run
from dualdag.config import settings, user_cache_folder
from dualdag.report import print_table, until_text, zoned_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.execution import RunResult
    from dualdag.graph import Cadence, Node
    from dualdag.planning import Plan
    from dualdag.store import Store

__all__ = ["of_due"]


@dataclass(slots=True)
class _Tick:
    """What one call found and did."""

    now: datetime
    cadences: dict[str, Cadence]
    due: dict[str, str] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    next: dict[str, datetime | None] = field(default_factory=dict)
    result: RunResult | None = None


def of_due(chosen: Mapping[str, Node[Any]], *, store: str | None, **options: Any) -> Answer:
    """Run what is due of some artifacts, and say what comes next.

    Parameters
    ----------
    chosen : mapping of str to Node
        Artifacts by name; others are looked at as far as these need them.
    store : str or None
        Where results live.
    **options
        As for `dualdag.run`; all that does not depend on a failure is run, or one broken artifact would keep
        the others from ever being made.
    """
    from dualdag.store import open_with

    chosen_settings = settings(store=store)
    now = chosen_settings.now or datetime.now(UTC)
    tick = _Tick(now, {spec.name: spec.cadence for node in chosen.values() for spec in node.extra.artifacts})
    tick.cadences = {name: tick.cadences[name] for name in chosen}
    asked = [node for name, node in chosen.items() if tick.cadences[name].kind not in NEVER_DUE]
    if asked:
        plan = _api.plan(asked, store=store, now=now)
        with closing(open_with(chosen_settings)) as opened:
            _run(
                tick, plan, opened, _lock_folder(chosen_settings.store), options | {"store": store, "keep_going": True}
            )
    return _answer(tick)


def _run(tick: _Tick, plan: Plan, store: Store, locks: Path, options: Mapping[str, Any]) -> None:
    from dualdag.planning import due_artifacts, upcoming

    due = due_artifacts(plan, store)
    names = {i: [spec.name for spec in plan.graph.artifacts(i)] for i in due}
    tick.due = {name: why for i, why in due.items() for name in names[i]}
    if not due:
        tick.next = upcoming(plan)
        return
    with taken(locks, tick.due) as tick.busy:
        held_up = _held_up(plan, {i for i in due if not tick.busy.keys().isdisjoint(names[i])})
        tick.left = [spec.name for i in sorted(held_up & due.keys()) for spec in plan.graph.artifacts(i)]
        targets = [plan.graph.nodes[i] for i in plan.targets if i not in held_up]
        if not due.keys() <= held_up:
            with users_code(_errors.FAILED):
                tick.result = _api.run_result(targets, now=tick.now, want_values=False, return_failures=True, **options)
    tick.next = upcoming(plan, store)


def _held_up(plan: Plan, busy: set[int]) -> set[int]:
    """Return what another run is making, and what takes it from there: the next call finds it made."""
    found = set(busy)
    if busy:
        for i, inputs in enumerate(plan.graph.inputs):
            if i not in plan.pins and not found.isdisjoint(inputs):
                found.add(i)
    return found


def _lock_folder(store: str) -> Path:
    if "://" not in store:
        return Path(store) / "cache" / "due"
    return user_cache_folder() / "due" / blake2b(store.encode(), digest_size=16).hexdigest()


def _answer(tick: _Tick) -> Answer:
    status, error = _errors.DONE, None
    document: dict[str, Any] = {"run": None, "executed": 0, "counts": {}, "artifacts": []}
    if tick.result is not None:
        ran = of_run(tick.result)
        status, error = ran.status, ran.error
        document = ran.document | {"artifacts": [row._asdict() for row in tick.result.rows if row.name in tick.due]}
    document |= {
        "now": tick.now.isoformat(),
        "due": [{"name": name, "reason": why} for name, why in tick.due.items()],
        "left": [{"name": name, "process": tick.busy.get(name)} for name in tick.left],
        "next": [_next_row(tick, name) for name in _in_order(tick)],
    }
    return Answer(document, lambda: _show(tick), status, error)


def _next_row(tick: _Tick, name: str) -> dict[str, Any]:
    cadence, at = tick.cadences[name], tick.next.get(name)
    return {
        "name": name,
        "cadence": cadence.text,
        "tz": cadence.tz,
        "at": None if at is None else at.isoformat(),
        "seconds": None if at is None else max(0.0, (at - tick.now).total_seconds()),
    }


def _in_order(tick: _Tick) -> list[str]:
    """Return the names as they come due; those that the clock has no say in come last."""
    return sorted(tick.cadences, key=lambda name: at.timestamp() if (at := tick.next.get(name)) else float("inf"))


def _show(tick: _Tick) -> None:
    if tick.result is not None:
        show_run(tick.result, only=tick.due)
    elif not tick.due:
        print(f"nothing is due at {zoned_text(tick.now)}")
    for name in tick.left:
        maker = tick.busy.get(name)
        print(
            f"{name}: left to " + (f"process {maker}, which is making it" if maker else "the run that makes its input")
        )
    print()
    rows = []
    for name in _in_order(tick):
        cadence, at = tick.cadences[name], tick.next.get(name)
        when = NEVER_DUE.get(cadence.kind, "on change") if at is None else zoned_text(at)
        rows.append([name, str(cadence), when, "" if at is None else until_text(at - tick.now)])
    print_table(["artifact", "cadence", "next", ""], rows)
