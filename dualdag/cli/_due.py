"""`dualdag run FLOW --due`: what is due and nothing else, and what comes next."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag import _api
from dualdag.cli import _errors
from dualdag.cli._command import Answer, users_code
from dualdag.cli._locks import Locks
from dualdag.cli._output import NEVER_DUE, of_run, show_run
from dualdag.config import settings, user_cache_folder
from dualdag.errors import DualdagError
from dualdag.report import print_table, until_text, zoned_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.execution import Event, RunResult
    from dualdag.graph import Cadence, Node
    from dualdag.planning import Plan
    from dualdag.store import Store

__all__ = ["of_due"]

#: Seconds between two looks at what another process is making.
_POLL = 0.2


@dataclass(slots=True)
class _Tick:
    """What one call found and did."""

    now: datetime
    cadences: dict[str, Cadence]
    due: dict[str, str] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    broken: dict[str, DualdagError] = field(default_factory=dict)
    next: dict[str, datetime | None] = field(default_factory=dict)
    results: list[RunResult] = field(default_factory=list)


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
    now = _now()
    tick = _Tick(now, {spec.name: spec.cadence for node in chosen.values() for spec in node.extra.artifacts})
    tick.cadences = {name: tick.cadences[name] for name in chosen}
    with closing(open_with(chosen_settings)) as opened:
        asked = {
            name: node
            for name, node in chosen.items()
            if tick.cadences[name].kind not in NEVER_DUE or _was_never_made(name, opened)
        }
        if asked:
            plan = _planned(tick, asked, store)
            folder = _lock_folder(chosen_settings.store)
            _run(tick, plan, opened, folder, options | {"store": store, "keep_going": True})
    return _answer(tick)


def _was_never_made(name: str, store: Store) -> bool:
    try:
        return store.latest(name) is None
    except DualdagError:
        return False


def _planned(tick: _Tick, asked: Mapping[str, Node[Any]], store: str | None) -> Plan:
    """Return a plan of all that can be planned; what lacks an input file, say, holds up no other."""
    try:
        return _api.plan(list(asked.values()), store=store, now=tick.now)
    except DualdagError:
        for name, node in asked.items():
            try:
                _api.plan(node, store=store, now=tick.now)
            except DualdagError as error:
                tick.broken[name] = error
        if len(tick.broken) == len(asked):
            raise
    return _api.plan([node for name, node in asked.items() if name not in tick.broken], store=store, now=tick.now)


def _now() -> datetime:
    return settings().now or datetime.now(UTC)


def _run(tick: _Tick, plan: Plan, store: Store, folder: Path, options: Mapping[str, Any]) -> None:
    from dualdag.planning import due_artifacts, upcoming

    due = due_artifacts(plan, store)
    tick.due = {spec.name: why for i, why in due.items() for spec in plan.graph.artifacts(i)}
    if not due:
        tick.next = upcoming(plan)
        return
    with Locks(folder) as locks:
        waiting = _own(tick, plan, due, locks)
        while waiting:
            ready = [i for i, names in waiting.items() if locks.take_all(names)]
            if not ready:
                time.sleep(_POLL)
                # What is made after a wait was made then, not when the wait began.
                tick.now = _now()
                continue
            _carry_out(tick, [plan.graph.nodes[i] for i in ready], locks, options)
            for i in ready:
                locks.release(waiting.pop(i))
    tick.next = upcoming(plan, store)


def _own(tick: _Tick, plan: Plan, due: Mapping[int, str], locks: Locks) -> dict[int, set[str]]:
    """Take the artifacts that nobody makes; return the targets that are left to us, and what is due for each.

    What waits holds no lock but those of its targets, and waits for what lies above them: so nobody waits in
    a circle.  And as it holds these, calls that come after it leave them to it, and do not wait too.
    """
    names = {i: {spec.name for spec in plan.graph.artifacts(i)} for i in due}
    tick.busy = {name: holder for name in sorted(tick.due) if (holder := locks.take(name)) is not None}
    if not tick.busy:
        everything = set(tick.due)
        return {i: everything for i in plan.targets if i not in plan.pins}
    wanted: dict[int, set[str]] = {}
    for i in plan.targets:
        above = _above(plan, i)
        needed = set().union(*(names[j] for j in due if j in above))
        if needed and tick.busy.keys().isdisjoint(names.get(i, ())):
            wanted[i] = needed
    tick.left = [spec.name for i in plan.targets if i in due and i not in wanted for spec in plan.graph.artifacts(i)]
    locks.release(tick.due.keys() - set().union(*(names.get(i, set()) for i in wanted)))
    return wanted


def _above(plan: Plan, i: int) -> set[int]:
    """Return what a target is made of, itself included, down to what is pinned."""
    found, stack = {i}, [i]
    while stack:
        new = {j for j in plan.graph.inputs[stack.pop()] if j not in plan.pins} - found
        found |= new
        stack.extend(new)
    return found


def _carry_out(tick: _Tick, targets: list[Node[Any]], locks: Locks, options: Mapping[str, Any]) -> None:
    def made(event: Event) -> None:
        # A long run lets go of what it has made, so that this may be made again before the rest is.
        if event.kind in {"version", "confirmed"}:
            locks.release([event.label])

    with users_code(_errors.FAILED):
        result = _api.run_result(
            targets, now=tick.now, want_values=False, return_failures=True, listeners=[made], **options
        )
    tick.results.append(result)


def _lock_folder(store: str) -> Path:
    from dualdag.store._bounds import leads_out

    beside = Path(store) / "cache" / "due"
    if "://" not in store and not leads_out(store, str(beside)):
        return beside
    return user_cache_folder() / "due" / blake2b(store.encode(), digest_size=16).hexdigest()


def _answer(tick: _Tick) -> Answer:
    from dualdag.execution import as_group

    ran = [of_run(result) for result in tick.results]
    failures = [error for result in tick.results for error in result.failures]
    document = {
        "now": tick.now.isoformat(),
        "runs": [answer.document["run"] for answer in ran],
        "executed": sum(result.executed for result in tick.results),
        "artifacts": [row._asdict() for result in tick.results for row in result.rows if row.name in tick.due],
        "due": [{"name": name, "reason": why} for name, why in tick.due.items()],
        "broken": [{"name": name, "reason": str(error)} for name, error in tick.broken.items()],
        "left": [{"name": name, "process": tick.busy.get(name)} for name in tick.left],
        "next": [_next_row(tick, name) for name in _in_order(tick)],
    }
    if not tick.broken:
        error = as_group(failures) if failures else None
        return Answer(document, lambda: _show(tick), _errors.FAILED if error else _errors.DONE, error)
    # One missing file is the fault of many artifacts, and is told of once.
    faults = {str(error): error for error in tick.broken.values()}
    told = BaseExceptionGroup(
        f"not made: {', '.join(tick.broken)}; what was due besides was seen to", [*faults.values(), *failures]
    )
    status = _errors.FAILED if failures else max(map(_errors.status_of, faults.values()))
    return Answer(document, lambda: _show(tick), status, told)


def _next_row(tick: _Tick, name: str) -> dict[str, Any]:
    cadence, at = tick.cadences[name], _at(tick, name)
    return {
        "name": name,
        "cadence": cadence.text,
        "tz": cadence.tz,
        "at": None if at is None else at.isoformat(),
        "seconds": None if at is None else max(0.0, (at - tick.now).total_seconds()),
    }


def _in_order(tick: _Tick) -> list[str]:
    """Return the names as they come due; those that the clock has no say in come last."""
    return sorted(tick.cadences, key=lambda name: at.timestamp() if (at := _at(tick, name)) else float("inf"))


def _at(tick: _Tick, name: str) -> datetime | None:
    return tick.now if name in tick.broken else tick.next.get(name)


def _show(tick: _Tick) -> None:
    for result in tick.results:
        show_run(result, only=tick.due)
    if not tick.due and not tick.broken:
        print(f"nothing is due at {zoned_text(tick.now)}")
    for name in tick.broken:
        print(f"{name}: can't be made")
    for name in tick.left:
        maker = f"process {tick.busy[name]}" if tick.busy.get(name) else "another process"
        print(f"{name}: left to {maker}, which is making it")
    print()
    rows = []
    for name in _in_order(tick):
        cadence, at = tick.cadences[name], _at(tick, name)
        when = NEVER_DUE.get(cadence.kind, "on change") if at is None else zoned_text(at)
        rows.append([name, str(cadence), when, "" if at is None else until_text(at - tick.now)])
    print_table(["artifact", "cadence", "next", ""], rows)
