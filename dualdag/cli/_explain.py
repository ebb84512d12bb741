"""What `why`, `show` and `diff` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dualdag.cli._command import Answer
from dualdag.cli._output import due_text, plain
from dualdag.errors import ArtifactNotFoundError, StoreError
from dualdag.explaining import lineage, lineage_lines, place_text, read_making, wrapped
from dualdag.report import bytes_text, print_table, seconds_text, when_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from dualdag.explaining import Function, Making, Why
    from dualdag.store import Artifact, Store, Version

__all__ = ["of_artifact", "of_reasons"]

_MOST = 8


def of_reasons(reasons: Sequence[Why]) -> Answer:
    """Return why artifacts would run, or would not."""
    return Answer({"artifacts": [one.to_dict() for one in reasons]}, lambda: print("\n\n".join(map(str, reasons))))


def of_artifact(store: Store, name: str, number: int | None, depth: int, limit: int, *, code: bool) -> Answer:
    """Return the newest versions of an artifact, and all that is known of one version."""
    try:
        rows = store.versions(name, limit + 1)
    except ArtifactNotFoundError:
        store.version(name)  # says so itself where there are versions and none can be read
        raise
    version = store.version(name, rows[0].version if number is None else number)
    made = read_making(store, version)
    if made.problem:
        click.echo(f"warning: of version {version.number} not all can be told: {made.problem}", err=True)
    tree = lineage(store, version, depth)
    due = rows[0].due
    document = {
        "artifact": name,
        "cadence": version.cadence,
        "due": None if due is None else due.isoformat(),
        "version": version.number,
        "run": version.run,
        "codec": version.codec,
        "versions": [plain(row) for row in rows[:limit]],
        "older": len(rows) > limit,
        "details": _details(store, version),
        "functions": [plain(one) for one in made.functions],
        "packages": dict(made.packages),
        "lineage": tree,
    }
    return Answer(document, lambda: _show_artifact(rows, limit, version, made, tree, due, code=code))


def _details(store: Store, version: Version) -> dict[str, Any]:
    try:
        return {} if version.details is None else store.details(version.details)
    except (StoreError, ValueError):
        return {}


def _show_artifact(
    rows: Sequence[Artifact],
    limit: int,
    version: Version,
    made: Making,
    tree: Mapping[str, Any],
    due: datetime | None,
    *,
    code: bool,
) -> None:
    cells = [
        [str(r.version), when_text(r.created), seconds_text(r.seconds), bytes_text(r.nbytes), r.digest[:16]]
        for r in rows[:limit]
    ]
    print_table(["version", "made", "seconds", "bytes", "digest"], cells, right=[0, 2, 3])
    if len(rows) > limit:
        print(f"and older ones; --limit {10 * limit} lists more")
    print(f"\nversion {version.number}")
    for title, found in _facts(
        version, made, due_text(version.cadence, due) if version.number == rows[0].version else ""
    ).items():
        shown = [text for text in found if text]
        for k, text in enumerate(shown[:_MOST]):
            print("\n".join(wrapped(text, f"  {title if k == 0 else '':<12} ", " " * 17)))
        if len(shown) > _MOST:
            print(f"  {'':<12} and {len(shown) - _MOST} more; --json lists them all")
    print("\nlineage")
    for line in lineage_lines(tree):
        print(line)
    if code:
        _show_code(made.functions)


def _facts(version: Version, made: Making, due: str) -> dict[str, list[str]]:
    """Return what is noted of a version: title -> lines."""
    dirty = {True: ", with changes to tracked files", None: ", with or without changes", False: ""}[made.dirty]
    machine = made.machine
    return {
        "made by run": [version.run],
        "made at": [place_text(made.made_at)],
        "cadence": [version.cadence or "on change"],
        "due": [due],
        "stored as": [version.codec],
        "key": [version.trace.hex()],
        "parameters": [f"{name} = {text}" for name, text in made.parameters.items()],
        "functions": [f"{one.name} ({_place(one)})" for one in made.functions if one.is_code],
        "reads": [f"{one.name} = {one.detail}" for one in made.functions if one.detail and not one.is_code],
        "packages": [f"{name} {number}" for name, number in made.packages.items()],
        "commit": [f"{made.commit}{dirty}" if made.commit else ""],
        "made with": [", ".join(
            text for text in (
                f"Python {machine['python']}" if "python" in machine else "", machine.get("platform", ""),
                f"dualdag {machine['dualdag']}" if "dualdag" in machine else "",
            ) if text
        )],
    }  # fmt: skip


def _place(one: Function) -> str:
    return f"{place_text(one.file)}:{one.line}" if one.line else place_text(one.file)


def _show_code(functions: Sequence[Function]) -> None:
    for one in functions:
        if one.source:
            print(f"\n# {one.kind} {one.name}, {_place(one)}")
            print(one.source.rstrip("\n"))
