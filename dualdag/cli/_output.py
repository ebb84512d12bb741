"""What the subcommands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.report import bytes_text, print_table, seconds_text, when_text

if TYPE_CHECKING:
    from dualdag.execution import RunResult
    from dualdag.planning import Plan
    from dualdag.store import Artifact, Run, Store

__all__ = ["artifact", "artifacts", "graph", "one_run", "plan", "run_result", "runs"]

_LONG = 60


def _print_json(document: object) -> None:
    print(json.dumps(document, default=str, indent=2))


def run_result(result: RunResult, *, as_json: bool) -> None:
    """Print what a run did: a row per artifact."""
    if as_json:
        made = [row._asdict() for row in result.rows]
        _print_json({"run": result.run_id, "executed": result.executed, "artifacts": made})
        return
    rows = [
        [
            row.name,
            row.action,
            seconds_text(row.seconds) if row.action == "run" else "",
            bytes_text(row.nbytes),
            "" if row.version is None else str(row.version),
        ]
        for row in result.rows
    ]
    print_table(["artifact", "action", "seconds", "bytes", "version"], rows, right=[2, 3, 4])
    print(f"{result.executed} {'task' if result.executed == 1 else 'tasks'} run")


def plan(found: Plan, *, as_json: bool) -> None:
    """Print a plan: a row per node, long ones cut in the middle."""
    if as_json:
        _print_json(found.to_dict())
        return
    rows = [
        [f"{name} x {count}" if count > 1 else name, action, reason] for (name, action, reason), count in _folded(found)
    ]
    if len(rows) > _LONG:
        half = _LONG // 2
        rows[half:-half] = [["...", "", f"{len(rows) - _LONG} more; --json lists them all"]]
    print_table(["node", "action", "reason"], rows)
    print(", ".join(f"{action} {count}" for action, count in found.counts.items()))


def _folded(found: Plan) -> list[tuple[tuple[str, str, str], int]]:
    """Count rows that read the same, as those of the files of a year do."""
    counts: dict[tuple[str, str, str], int] = {}
    for node in found.nodes:
        reason = node.reason
        if node.name == node.node.op.label and " was not read yet" in reason:
            reason = "its file was not read yet"
        row = (node.name, node.action, reason)
        counts[row] = counts.get(row, 0) + 1
    return list(counts.items())


def graph(found: Plan, path: Path, *, as_json: bool) -> None:
    """Draw the graph of a plan into a file."""
    from dualdag.report import draw

    picture = draw(found.graph, found, path.suffix.lower().lstrip(".") or "svg", title=path.stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    if as_json:
        _print_json({"file": str(path), "counts": found.counts})
    else:
        print(f"drawn: {path}")


def _artifact_dict(row: Artifact) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(row)


def artifacts(rows: Sequence[Artifact], *, as_json: bool) -> None:
    """Print a row per artifact."""
    if as_json:
        _print_json([_artifact_dict(row) for row in rows])
    elif not rows:
        print("no artifacts yet: dualdag run FLOW makes them")
    else:
        cells = [
            [r.name, str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes),
             r.cadence or "on change", when_text(r.due)]
            for r in rows
        ]  # fmt: skip
        print_table(["artifact", "version", "made", "seconds", "bytes", "cadence", "due"], cells, right=[1, 3, 4])


def artifact(store: Store, name: str, *, as_json: bool) -> None:
    """Print the versions of one artifact, and what the newest was made of."""
    rows = store.versions(name)
    newest = store.version(name)
    details: Mapping[str, Any] = {}
    if newest.details is not None:
        details = json.loads(store.get_object(newest.details))
    if as_json:
        _print_json({"versions": [_artifact_dict(row) for row in rows], "details": details})
        return
    cells = [
        [str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes), r.digest[:12]]
        for r in rows
    ]
    print_table(["version", "made", "seconds", "bytes", "digest"], cells, right=[0, 2, 3])
    print(f"\nversion {newest.number} was made by run {newest.run} of:")
    for kind in ("files", "functions", "packages"):
        found = details.get(kind)
        if found:
            names = list(found)
            shown = ", ".join(map(str, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            print(f"  {kind}: {shown}")


def runs(rows: Sequence[Run], *, as_json: bool) -> None:
    """Print a row per run, newest first."""
    import dataclasses

    if as_json:
        _print_json([dataclasses.asdict(row) for row in rows])
        return
    cells = []
    for row in rows:
        took = seconds_text((row.ended - row.started).total_seconds()) if row.ended else ""
        cells.append([row.id, when_text(row.started), took, row.status, str(row.info.get("backend", ""))])
    print_table(["run", "began", "took", "status", "backend"], cells, right=[2])


def one_run(row: Run, events: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print what one run did."""
    import dataclasses

    if as_json:
        _print_json(dataclasses.asdict(row) | {"events": list(events)})
        return
    print(f"run {row.id}, began {when_text(row.started)}, {row.status}")
    told = [e for e in events if e["kind"] not in ("run-start", "plan", "start", "run-end")]
    cells = [[e.get("label", ""), e["kind"], seconds_text(e.get("seconds") or None),
              bytes_text(e.get("nbytes") or None), e.get("message", "")]
             for e in told]  # fmt: skip
    print_table(["node", "what", "seconds", "bytes", ""], cells, right=[2, 3])
