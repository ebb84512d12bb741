"""What the subcommands found: tables for people, plain data for programs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from dualdag.cli._command import Answer
from dualdag.cli._errors import DONE, FAILED
from dualdag.config import settings
from dualdag.errors import ArtifactNotFoundError, StoreError
from dualdag.report import bytes_text, print_table, seconds_text, until_text, when_text, zoned_text

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from dualdag.execution import RunResult
    from dualdag.planning import Plan
    from dualdag.store import Artifact, Run, Store

__all__ = ["NEVER_DUE", "of_artifact", "of_artifacts", "of_one_run", "of_plan", "of_run", "of_runs", "show_run"]

_MOST = 8
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
    found = [(row, _due(store, row)) for row in store.artifacts()]
    document = [_plain(row) | {"due": None if due is None else due.isoformat()} for row, due in found]
    return Answer(document, lambda: _show_artifacts(store, found))


def _show_artifacts(store: Store, found: Sequence[tuple[Artifact, datetime | None]]) -> None:
    if not found:
        print(f"no artifacts in {store.url}: dualdag run FLOW makes them")
        return
    rows = [
        [r.name, str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes),
         r.cadence or "on change", _due_text(r.cadence, due)]
        for r, due in found
    ]  # fmt: skip
    print_table(["artifact", "version", "made", "seconds", "bytes", "cadence", "due"], rows, right=[1, 3, 4])


def _due(store: Store, row: Artifact) -> datetime | None:
    """Return when an artifact comes due by the clock; None where that has no say."""
    from dualdag.graph import parse_cadence
    from dualdag.planning import comes_due

    version = store.version(row.name, row.version)
    confirmed = store.last_confirmed(row.name)
    cadence = parse_cadence(version.cadence, version.tz)
    return comes_due(cadence, version.created, None if confirmed is None else confirmed.created, _now())


def _now() -> datetime:
    return settings().now or datetime.now(UTC)


def _due_text(cadence: str | None, due: datetime | None) -> str:
    if due is None:
        return NEVER_DUE.get(cadence or "", "on change")
    left = until_text(due - _now())
    return left if left == "now" else f"{zoned_text(due)}, {left}"


def of_artifact(store: Store, name: str) -> Answer:
    """Return the versions of an artifact, and what the newest was made of."""
    try:
        rows = store.versions(name)
    except ArtifactNotFoundError:
        store.version(name)  # says so itself where there are versions and none can be read
        raise
    newest = store.version(name, rows[0].version)
    details = _details(store, newest.details)
    due = _due(store, rows[0])
    document = {
        "artifact": name,
        "cadence": newest.cadence,
        "due": None if due is None else due.isoformat(),
        "run": newest.run,
        "codec": newest.codec,
        "versions": [_plain(row) for row in rows],
        "details": details,
    }
    return Answer(document, lambda: _show_artifact(document, rows, details, due))


def _details(store: Store, checksum: bytes | None) -> dict[str, Any]:
    """Return what a version was made of; a damaged note on that hides nothing else."""
    try:
        return {} if checksum is None else store.details(checksum)
    except StoreError as error:
        click.echo(f"warning: what it was made of can't be shown: {error}", err=True)
        return {}


def _show_artifact(
    document: Mapping[str, Any], rows: Sequence[Artifact], details: Mapping[str, Any], due: datetime | None
) -> None:
    cells = [
        [str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes), r.digest[:16]]
        for r in rows
    ]
    print_table(["version", "made", "seconds", "bytes", "digest"], cells, right=[0, 2, 3])
    print(f"\nversion {rows[0].version}")
    functions = [
        f"{name} ({found['file']}:{found['line']})" if found.get("file") else name
        for name, found in details.get("functions", {}).items()
        if found.get("kind") in {"function", "class"}
    ]
    lines = {
        "made by run": [document["run"]],
        "cadence": [document["cadence"] or "on change"],
        "due": [_due_text(document["cadence"], due)],
        "stored as": [document["codec"]],
        "inputs": list(details.get("inputs", {})),
        "functions": functions,
        "packages": [f"{name} {version}" for name, version in details.get("packages", {}).items()],
        "commit": [details.get("git") or ""],
    }
    for title, found in lines.items():
        shown = [text for text in found if text]
        for k, text in enumerate(shown[:_MOST]):
            print(f"  {title if k == 0 else '':<12} {text}")
        if len(shown) > _MOST:
            print(f"  {'':<12} and {len(shown) - _MOST} more")


def of_runs(rows: Sequence[Run]) -> Answer:
    """Return a row per run, newest first."""
    return Answer([_plain(row) for row in rows], lambda: _show_runs(rows))


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
    return Answer(_plain(row) | {"events": list(events)}, lambda: _show_one_run(row, events))


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
    from dualdag.errors import ArtifactNotFoundError, did_you_mean

    names = {str(event.get("label", "")) for event in events} - {""}
    told = [e for e in events if e.get("label") == node or (len(node) > 3 and str(e.get("key", "")).startswith(node))]
    if not told:
        raise ArtifactNotFoundError(f"run {row.id} tells of no node {node!r}.{did_you_mean(node, names)}")
    return Answer(_plain(row) | {"events": told}, lambda: _show_one_node(told))


def _show_one_node(events: Sequence[Mapping[str, Any]]) -> None:
    for event in events:
        if event["kind"] == "output":
            print(event["message"].rstrip("\n"))
        elif event["kind"] != "start":
            took = seconds_text(event.get("seconds") or None)
            words = (event.get("label", ""), event["kind"], took, event.get("message", ""))
            print("-- " + " ".join(word for word in words if word))


def _plain(row: Any) -> dict[str, Any]:
    """Return a row as plain data; times as ISO 8601."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in dataclasses.asdict(row).items()
    }
