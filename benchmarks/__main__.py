"""``python -m benchmarks SUITE``: measure, print, and write ``benchmarks/results/<suite>.md``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks._harness import machine, table

SUITES = ("core", "engines", "store", "damage")


def main() -> None:
    """Run the figures of one suite, or those of its figures that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("figures", nargs="*", help="only these figures; none are written then")
    parser.add_argument("--repeat", type=int, default=5, help="runs per figure (medians are shown)")
    parser.add_argument("--count", type=int, default=1000, help="mutations per store (damage)")
    options = parser.parse_args()
    suite = importlib.import_module(f"benchmarks.{options.suite}")
    chosen = options.figures or list(suite.FIGURES)
    rows = []
    for name in chosen:
        print(f"... {name}", flush=True)
        for row in suite.FIGURES[name](options.count if options.suite == "damage" else options.repeat):
            rows.append(row)
            print("   ", " | ".join(row), flush=True)
    text = f"# Benchmarks: {options.suite}\n\n{machine()}\n\n{getattr(suite, 'page', table)(rows)}"
    if not options.figures:
        path = Path(__file__).parent / "results" / f"{options.suite}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"written to {path}")


if __name__ == "__main__":
    main()
