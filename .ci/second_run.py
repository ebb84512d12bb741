"""Run the flights again, unchanged: no task may run, and it must be over at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 1.5
# Machines that run many things at once are slower by up to this factor; the benchmarks hold the limit itself.
PATIENCE = 3


def main() -> None:
    """Run and judge."""
    command = [str(Path(sys.executable).parent / "dualdag"), "run", "examples/flights/flow.py", "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    summary = json.loads(done.stdout)
    print(f"{seconds:.2f} s (to reach: {LIMIT} s); executed: {summary['executed']}")
    if summary["executed"]:
        raise SystemExit(f"an unchanged second run ran tasks: {done.stdout}")
    if seconds > LIMIT * PATIENCE:
        raise SystemExit(f"an unchanged second run took {seconds:.1f} s, more than {LIMIT * PATIENCE} s")


if __name__ == "__main__":
    main()
