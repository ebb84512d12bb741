"""What the subcommands found: tables for people, plain data for programs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dualdag.cli._command import Answer
from dualdag.cli._errors import DONE, FAILED
from dualdag.config import settings
from dualdag.errors import ArtifactNotFoundError
from dualdag.report import bytes_text, print_table, seconds_text, until_text, when_text, zoned_text

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from dualdag.execution import RunResult
    from dualdag.planning import Plan
    from dualdag.store import Artifact, Run, Store

__all__ = [
    "NEVER_DUE",
    "due_text",
    "due_time",
    "of_artifacts",
    "of_one_run",
    "of_plan",
    "of_run",
    "of_runs",
    "plain",
    "show_run",
]

#: What the clock never makes due, and what does.
NEVER_DUE = {"manual": "when named in --refresh", "frozen": "when its cadence is edited"}
_MOST_EVENTS = 200


def of_run(result: RunResult) -> Answer:
    """Return what a run did: a row per artifact."""
    from dualdag.execution import as_group

    rows = [row._asdict() for row in result.rows]
    document = {
        "run": result.run_id,
        "executed": result.executed,
        "counts": dict(result.plan.counts),
        "artifacts": rows,
    }
    error = as_group(result.failures) if result.failures else None
    return Answer(document, lambda: show_run(result), FAILED if error else DONE, error)


def show_run(result: RunResult, only: Container[str] | None = None) -> None:
    """Print a row per artifact of a run, or of `only` some."""
    rows = [
        [
            row.name,
            row.action,
            seconds_text(row.seconds) if row.action == "run" else "",
            "" if row.version is None else bytes_text(row.nbytes),
            "" if row.version is None else str(row.version),
        ]
        for row in result.rows
        if only is None or row.name in only
    ]
    print_table(["artifact", "action", "seconds", "bytes", "version"], rows, right=[2, 3, 4])
    failed = f", {len(result.failures)} failed" if result.failures else ""
    print(f"{result.executed} {'task' if result.executed == 1 else 'tasks'} run{failed}")


def of_plan(plan: Plan) -> Answer:
    """Return a plan: a row per node, or per step where there are many."""
    return Answer(plan.to_dict(), lambda: _show_plan(plan))


def _show_plan(plan: Plan) -> None:
    from dualdag.report import plan_rows

    print_table(["node", "action", "reason"], plan_rows(plan))
    print(", ".join(f"{action} {count}" for action, count in plan.counts.items()))


def of_artifacts(store: Store) -> Answer:
    """Return a row per artifact of a store."""
    found = [(row, due_time(store, row)) for row in store.artifacts()]
    document = [plain(row) | {"due": None if due is None else due.isoformat()} for row, due in found]
    return Answer(document, lambda: _show_artifacts(store, found))


def _show_artifacts(store: Store, found: Sequence[tuple[Artifact, datetime | None]]) -> None:
    if not found:
        print(f"no artifacts in {store.url}: dualdag run FLOW makes them")
        return
    rows = [
        [r.name, str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes),
         r.cadence or "on change", due_text(r.cadence, due)]
        for r, due in found
    ]  # fmt: skip
    print_table(["artifact", "version", "made", "seconds", "bytes", "cadence", "due"], rows, right=[1, 3, 4])


def due_time(store: Store, row: Artifact) -> datetime | None:
    """Return when an artifact comes due by the clock; None where that has no say."""
    from dualdag.graph import parse_cadence
    from dualdag.planning import comes_due

    version = store.version(row.name, row.version)
    confirmed = store.last_confirmed(row.name)
    cadence = parse_cadence(version.cadence, version.tz)
    return comes_due(cadence, version.created, None if confirmed is None else confirmed.created, _now())


def _now() -> datetime:
    return settings().now or datetime.now(UTC)


def due_text(cadence: str | None, due: datetime | None) -> str:
    """Return when an artifact comes due, in words."""
    if due is None:
        return NEVER_DUE.get(cadence or "", "on change")
    left = until_text(due - _now())
    return left if left == "now" else f"{zoned_text(due)}, {left}"


def of_runs(rows: Sequence[Run]) -> Answer:
    """Return a row per run, newest first."""
    return Answer([plain(row) for row in rows], lambda: _show_runs(rows))


def _show_runs(rows: Sequence[Run]) -> None:
    if not rows:
        print("no runs yet: dualdag run FLOW makes one")
        return
    cells = [[row.id, when_text(row.started), _took(row), row.status, str(row.info.get("backend", ""))] for row in rows]
    print_table(["run", "began", "took", "status", "backend"], cells, right=[2])


def _took(row: Run) -> str:
    return seconds_text((row.ended - row.started).total_seconds()) if row.ended else ""


def of_one_run(row: Run, events: Sequence[Mapping[str, Any]]) -> Answer:
    """Return what one run did."""
    return Answer(plain(row) | {"events": list(events)}, lambda: _show_one_run(row, events))


def _show_one_run(row: Run, events: Sequence[Mapping[str, Any]]) -> None:
    took = f", took {_took(row)}" if row.ended else ""
    print(f"run {row.id}, began {when_text(row.started)}{took}, {row.status}")
    told = [event for event in events if event.get("kind") not in {None, "start", "output"}]
    if len(told) > _MOST_EVENTS:
        print(f"the last {_MOST_EVENTS} of {len(told)} events; --json lists them all")
    cells = [
        [event.get("label", ""), event["kind"], seconds_text(event.get("seconds") or None),
         bytes_text(event.get("nbytes") or None), " ".join(event.get("message", "").split())]
        for event in told[-_MOST_EVENTS:]
    ]  # fmt: skip
    if cells:
        print_table(["node", "what", "seconds", "bytes", ""], cells, right=[2, 3])
    counts = Counter(event["kind"] for event in told)
    print(", ".join(f"{kind} {count}" for kind, count in counts.items()) or "nothing had to be done")


def of_one_node(row: Run, events: Sequence[Mapping[str, Any]], node: str) -> Answer:
    """Return what a node of a run did and printed; it is named by name or by a beginning of its key."""
    from dualdag.errors import did_you_mean

    names = {str(event.get("label", "")) for event in events} - {""}
    told = [e for e in events if e.get("label") == node or (len(node) > 3 and str(e.get("key", "")).startswith(node))]
    if not told:
        raise ArtifactNotFoundError(f"run {row.id} tells of no node {node!r}.{did_you_mean(node, names)}")
    return Answer(plain(row) | {"events": told}, lambda: _show_one_node(told))


def _show_one_node(events: Sequence[Mapping[str, Any]]) -> None:
    for event in events:
        if event["kind"] == "output":
            print(event["message"].rstrip("\n"))
        elif event["kind"] != "start":
            took = seconds_text(event.get("seconds") or None)
            words = (event.get("label", ""), event["kind"], took, event.get("message", ""))
            print("-- " + " ".join(word for word in words if word))


def plain(row: Any) -> dict[str, Any]:
    """Return a row as plain data; times as ISO 8601."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in dataclasses.asdict(row).items()
    }
