"""What the subcommands found: tables for people, plain data for programs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dualdag.cli._command import Answer
from dualdag.cli._errors import DONE, FAILED
from dualdag.config import settings
from dualdag.report import bytes_text, print_table, seconds_text, until_text, when_text, zoned_text

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from dualdag.execution import RunResult
    from dualdag.planning import Plan
    from dualdag.store import Artifact, Store

__all__ = [
    "NEVER_DUE",
    "due_text",
    "of_artifacts",
    "of_plan",
    "of_run",
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
    found = store.artifacts()
    return Answer([plain(row) for row in found], lambda: _show_artifacts(store, found))


def _show_artifacts(store: Store, found: Sequence[Artifact]) -> None:
    if not found:
        print(f"no artifacts in {store.url}: dualdag run FLOW makes them")
        return
    rows = [
        [r.name, str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes),
         r.cadence or "on change", due_text(r.cadence, r.due)]
        for r in found
    ]  # fmt: skip
    print_table(["artifact", "version", "made", "seconds", "bytes", "cadence", "due"], rows, right=[1, 3, 4])


def _now() -> datetime:
    return settings().now or datetime.now(UTC)


def due_text(cadence: str | None, due: datetime | None) -> str:
    """Return when an artifact comes due, in words."""
    if due is None:
        return NEVER_DUE.get(cadence or "", "on change")
    left = until_text(due - _now())
    return left if left == "now" else f"{zoned_text(due)}, {left}"


def plain(row: Any) -> dict[str, Any]:
    """Return a row as plain data; times as ISO 8601."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in dataclasses.asdict(row).items()
    }
