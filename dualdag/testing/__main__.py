"""``python -m dualdag.testing``: tries every operation on stores with faults, and prints a table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dualdag.errors import StoreError, did_you_mean
from dualdag.store import open_store
from dualdag.testing._crash_housekeeping import OPERATIONS
from dualdag.testing._crash_places import PLACES, at_url, has_s3, s3_place
from dualdag.testing._crashes import Place, Tally, sweep, table

_S3 = "S3 (moto)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, and return the status to exit with: 1 if a point was not survived, 3 if a place is of no use.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line.
    """
    parser = argparse.ArgumentParser(
        "python -m dualdag.testing",
        description="Tries operations on stores with a fault at each of their steps, and prints\n"
        "how many points were tried and survived.",
        epilog=f"{_listed('places:', (*PLACES, _S3))}\n\n{_listed('operations:', OPERATIONS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "place",
        nargs="*",
        help="one of those below, or the URL or path of another, where what is tried stays; without it all",
    )
    parser.add_argument("--points", type=_count, help="how many of each operation and place, in place of all")
    parser.add_argument("--seed", type=int, default=0, help="chooses which")
    parser.add_argument("--operation", action="append", metavar="NAME", help="only this one; may be repeated")
    given = parser.parse_args(arguments)
    for what, names, known in (("operation", given.operation or (), OPERATIONS), ("place", given.place, _known())):
        for name in names:
            if name not in known and (what == "operation" or not _is_path(name)):
                parser.error(f"there is no {what} {name!r}.{did_you_mean(name, known)}")
    try:
        tallies = _tried(given)
    except StoreError as error:
        sys.stderr.write(f"error: {error}\n")
        return 3
    sys.stdout.write(f"{table(tallies)}\n")
    return 0 if all(tally.tried == tally.survived for tally in tallies) else 1


def _listed(title: str, names: Iterable[str]) -> str:
    return "\n".join((title, *(f"  {name}" for name in names)))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _known() -> list[str]:
    return [*PLACES, *([_S3] if has_s3() else [])]


def _is_path(name: str) -> bool:
    return "://" in name or "/" in name or os.sep in name


def _tried(given: argparse.Namespace) -> list[Tally]:
    tallies: list[Tally] = []
    with ExitStack() as stack:
        for name in given.place or _known():
            place = _place(name, stack)
            for operation in given.operation or OPERATIONS:
                found = sweep(OPERATIONS[operation], place, name=name, sample=given.points, seed=given.seed)
                tallies += found
                for failure in (failure for tally in found for failure in tally.failures):
                    sys.stderr.write(f"{failure}\n")
    return tallies


def _place(name: str, stack: ExitStack) -> Callable[[Path], Place]:
    if name == _S3:
        return stack.enter_context(s3_place())
    if name not in PLACES:
        # Said once, and not for every point.
        open_store(at_url(name)(Path()).url).self_test()
    return PLACES.get(name) or at_url(name)


if __name__ == "__main__":
    sys.exit(main())
