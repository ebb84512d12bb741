"""`dualdag gc` and `dualdag ls --sizes`: space."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from dualdag.cli._command import Answer
from dualdag.report import bytes_text, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.store import Collected, Space, Store

__all__ = ["of_collected", "of_sizes"]


def of_collected(store: Store, found: Collected, *, chosen: bool) -> Answer:
    """Return what went, or would.

    Parameters
    ----------
    store : Store
        Where.
    found : Collected
        What `Store.gc` gave.
    chosen : bool
        Whether a dry run was asked for, or its opposite.
    """
    return Answer(dataclasses.asdict(found), lambda: _show(store, found, chosen=chosen))


def _show(store: Store, found: Collected, *, chosen: bool) -> None:
    rows = [row for row in found.artifacts if row.goes]
    if rows:
        cells = [[r.name, str(r.goes), str(r.versions), bytes_text(r.freed), bytes_text(r.nbytes)] for r in rows]
        title = "would go" if found.dry_run else "went"
        print_table(["artifact", title, "of versions", "frees", "of bytes"], cells, right=[1, 2, 3, 4])
    counts = {"version": found.versions, "object": found.objects, "record": found.records,
              "journal": found.journals, "leftover": found.leftovers}  # fmt: skip
    told = ", ".join(_many(count, name) for name, count in counts.items() if count) or "nothing"
    print(
        f"{told} {'would go' if found.dry_run else 'went'}: {bytes_text(found.nbytes)}; {bytes_text(found.left)} stay"
    )
    if found.batches:
        verb = "would be" if found.dry_run else "were"
        print(f"{_many(found.batches, 'file')} of records {verb} brought together")
    if found.young:
        print(f"{_many(found.young, 'object')} that nothing leads to stay for now: written lately")
    if found.runs:
        running = ", ".join(found.runs[:3])
        print(f"{_many(found.waiting, 'object')} stay while a run goes on ({running}): run gc again when it has ended")
    if found.dry_run and not chosen:
        print(f"somebody else made {store.url}: nothing was removed; with --no-dry-run it is")


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def of_sizes(found: Sequence[Space]) -> Answer:
    """Return what each artifact takes.

    Parameters
    ----------
    found : sequence of Space
        What `Store.sizes` gave.
    """
    document: list[dict[str, Any]] = [
        {"name": row.name, "versions": row.versions, "nbytes": row.nbytes, "shared": row.shared} for row in found
    ]
    return Answer(document, lambda: _show_sizes(found))


def _show_sizes(found: Sequence[Space]) -> None:
    if not found:
        click.echo("no artifacts: dualdag run FLOW makes them")
        return
    rows = [[r.name, str(r.versions), bytes_text(r.nbytes), bytes_text(r.shared)] for r in found]
    print_table(["artifact", "versions", "bytes", "shared"], rows, right=[1, 2, 3])
