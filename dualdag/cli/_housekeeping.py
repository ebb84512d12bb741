"""`dualdag gc`, `dualdag ls --sizes` and `dualdag cp`: space, and moving."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from dualdag.cli._command import Answer, wants_json
from dualdag.report import bytes_text, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.store import Collected, Copied, Space, Store

__all__ = ["of_collected", "of_copy", "of_sizes"]


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
    counts = {"version": found.versions, "confirmation": found.confirmations, "object": found.objects,
              "record": found.records, "journal": found.journals, "leftover": found.leftovers}  # fmt: skip
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
        print(f"it is not known that you made {store.url}: nothing was removed; with --no-dry-run it is")


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


#: Seconds between two lines of progress.
_EVERY = 1.0


def of_copy(source: str, target: str, names: Sequence[str], *, number: int | None, all_versions: bool) -> Answer:
    """Copy artifacts from one store to another.

    Parameters
    ----------
    source, target : str
        URLs.
    names : sequence of str
        Of artifacts; none means all.
    number : int or None
        Which version; None for the newest.
    all_versions : bool
        Whether to copy all of them.
    """
    import dualdag

    if number is not None and (all_versions or len(names) != 1):
        raise click.UsageError("--version N goes with the name of one artifact, and without --all-versions.")
    told = time.monotonic()

    def progress(objects: int, nbytes: int) -> None:
        nonlocal told
        if time.monotonic() - told > _EVERY and sys.stderr.isatty() and not wants_json():
            told = time.monotonic()
            click.echo(f"{_many(objects, 'object')} copied: {bytes_text(nbytes)}", err=True)

    found = dualdag.store(source).copy_to(
        dualdag.store(target), *names, version=number, all_versions=all_versions, progress=progress
    )
    return Answer(dataclasses.asdict(found), lambda: _show_copied(found))


def _show_copied(found: Copied) -> None:
    counts = {"version": found.versions, "record": found.records, "object": found.objects}
    told = ", ".join(_many(count, name) for name, count in counts.items() if count) or "nothing new"
    names = ", ".join(found.artifacts[:8]) + (" ..." if len(found.artifacts) > 8 else "")
    print(f"{told} copied: {bytes_text(found.nbytes)}" + (f" ({names})" if names else ""))
    if found.there:
        print(f"{found.there:,} versions and objects were there already")
    if found.lost:
        print(f"{_many(found.lost, 'object')} of results between are gone: runs make them again")
