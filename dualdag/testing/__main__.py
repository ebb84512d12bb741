"""``python -m dualdag.testing``: tries every operation on stores with faults, and prints a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dualdag.testing._crash_housekeeping import OPERATIONS
from dualdag.testing._crash_places import PLACES, at_url, has_s3, s3_place
from dualdag.testing._crashes import Place, Tally, sweep, table

_S3 = "S3 (moto)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, and return the status to exit with: 1 if a point was not survived.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line.
    """
    parser = argparse.ArgumentParser("python -m dualdag.testing", description="Tries operations on stores with faults.")
    parser.add_argument("place", nargs="*", help=f"any of {', '.join((*PLACES, _S3))}; or the URL of an empty place")
    parser.add_argument("--points", type=int, help="how many of each operation and place, in place of all")
    parser.add_argument("--seed", type=int, default=0, help="chooses which")
    parser.add_argument("--operation", action="append", choices=list(OPERATIONS), help="only these")
    given = parser.parse_args(arguments)
    tallies: list[Tally] = []
    with ExitStack() as stack:
        for name in given.place or [*PLACES, *([_S3] if has_s3() else [])]:
            place = _place(name, stack)
            for operation in given.operation or OPERATIONS:
                found = sweep(OPERATIONS[operation], place, name=name, sample=given.points, seed=given.seed)
                tallies += found
                for failure in (failure for tally in found for failure in tally.failures):
                    sys.stderr.write(f"{failure}\n")
    sys.stdout.write(f"{table(tallies)}\n")
    return 0 if all(tally.tried == tally.survived for tally in tallies) else 1


def _place(name: str, stack: ExitStack) -> Callable[[Path], Place]:
    if name == _S3:
        return stack.enter_context(s3_place())
    return PLACES.get(name) or at_url(name)


if __name__ == "__main__":
    sys.exit(main())
