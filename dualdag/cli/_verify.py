"""`dualdag verify`: whether all that the store holds is what was written."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dualdag.cli._command import Answer, wants_json
from dualdag.cli._errors import DONE, UNUSABLE
from dualdag.report import bytes_text, print_table, seconds_text

if TYPE_CHECKING:
    from dualdag.store import Verification

__all__ = ["verify"]

_EVERY = 5.0
_MOST = 20


@click.option("--repair", is_flag=True, help="Set aside what is damaged, and write marker and index again.")
@click.option("--restart", is_flag=True, help="Begin anew, not where one before was stopped.")
def verify(store: str | None, *, repair: bool, restart: bool) -> Answer:
    """Read the whole store and hold it to its checksums."""
    import dualdag

    opened = dualdag.store(store)
    told = None if wants_json() else _Told()
    found = opened.check(repair=repair, restart=restart, progress=told)
    return Answer(asdict(found), lambda: _show(found), DONE if found.whole else UNUSABLE)


class _Told:
    """Tells, every five seconds, how far it came."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()

    def __call__(self, files: int, nbytes: int) -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY:
            self._last = now
            rate = bytes_text(int(nbytes / (now - self._begun)))
            print(f"{files:,} files, {bytes_text(nbytes)} read, {rate}/s", file=sys.stderr, flush=True)


def _show(found: Verification) -> None:
    rows = [[what, f"{count:,}"] for what, count in found.counts.items()]
    if rows:
        print_table(["", "how many"], rows, right=[1])
    went_on = ", gone on from where the last one was stopped" if found.resumed else ""
    print(
        f"{found.files:,} files, {bytes_text(found.nbytes)} in {seconds_text(found.seconds)}, "
        f"{bytes_text(int(found.rate))}/s{went_on}"
    )
    for one in found.problems[:_MOST]:
        done = f"; {one.done}" if one.done else ""
        print(f"{one.kind}: {one.path}: {one.told}{done}")
    more = sum(found.found.values()) - _MOST
    if more > 0:
        print(f"and {more:,} more: --json lists the first thousand")
    _show_rest(found)
    if not found.files and not found.found:
        print(f"there is nothing in {found.url} yet")
    elif found.whole:
        print("the store is whole" if not found.found else "what was wrong is dealt with")
    elif not found.repaired and found.found.keys() & {"damaged", "missing"}:
        print("the store is not whole: dualdag verify --repair sets aside what is damaged; a run makes it again")
    else:
        print("the store is not whole: what is left needs what its line says")
    if "untrusted" in found.found:
        print("what is untrusted stays as it is: for readers with this secret it is not there")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _show_rest(found: Verification) -> None:
    if found.again:
        shown = "; ".join(found.again[:_MOST])
        print(f"made again by the next run that needs it: {shown}")
    if found.dropped:
        print(f"{_many(found.dropped, 'value')} of records not kept any more; a run that needs one makes it again")
    if found.orphans:
        print(f"{_many(found.orphans, 'object')} ({bytes_text(found.orphan_bytes)}) of nothing: see dualdag gc")
    if found.removed:
        print(f"{_many(found.removed, 'leftover')} removed")
    if found.leftovers:
        size = bytes_text(found.leftover_bytes)
        print(f"{_many(found.leftovers, 'leftover')} ({size}): temporary files, and what was set aside in damaged/")
    for path in found.strange[:_MOST]:
        print(f"not of the store: {path}")
