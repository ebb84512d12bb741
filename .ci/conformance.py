"""Write docs/conformance.md: which behaviour of `BackendSuite` was seen on which backend.

``python .ci/conformance.py [--also PYTHON]...`` runs the suite with this Python, and with others whose
environments have engines that can't be installed beside the ones here (the last Ray that has workflows),
and merges what they saw. Exits with 1 where a behaviour failed.
"""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUITE = "tests/backends/test_suite.py"
PAGE = ROOT / "docs" / "conformance.md"
#: Class of the test module -> what the column says.
COLUMNS = {
    "TestSync": "sync",
    "TestLocal": "local",
    "TestProcesses": "processes",
    "TestDask": "dask",
    "TestDaskThreads": "dask://threads",
    "TestDaskSync": "dask://sync",
    "TestRay": "ray",
    "TestRayWorkflow": "ray-workflow",
    "TestStranger": "a stranger's",
}
_MISSING = ("distributed is not installed", "Ray is not installed", "needs Ray", "nothing builds")
_PASSED, _FAILED, _ABSENT = "✓", "✗", "-"
_ENGINES = """
from importlib.metadata import PackageNotFoundError, version
for name in ("dask", "ray"):
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
"""
_HEAD = """# What each backend was seen to do

Rows are the behaviours of `dualdag.testing.BackendSuite`, columns the backends that were held to it, each by the
same file. {passed} means that it was seen, a letter that the backend does not have it, for the reason below.
`a stranger's` is the backend in `tests/third_party_backend`, installed as a package of its own.

Written by `python .ci/conformance.py`, on Python {python} with {engines}.
"""


def behaviours() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the parts of the suite: what each says of itself, and its tests with what each says."""
    from dualdag.testing import BackendSuite

    parts = []
    for part in BackendSuite.__bases__:
        tests = [(name, (inspect.getdoc(fn) or name)) for name, fn in vars(part).items() if name.startswith("test_")]
        parts.append(((inspect.getdoc(part) or part.__name__).rstrip("."), tests))
    return parts


def observe(python: str, folder: Path, classes: list[str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Run some classes of the suite; return, by class and test, the outcomes and why."""
    told = folder / "told.xml"
    command = [python, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", f"--junitxml={told}"]
    subprocess.run([*command, *(f"{SUITE}::{one}" for one in classes)], cwd=ROOT, check=False)
    seen: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for case in ET.parse(told).iter("testcase"):
        key = case.get("classname", "").rpartition(".")[2], case.get("name", "").partition("[")[0]
        failed = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped")
        outcome = "failed" if failed else "passed" if skipped is None else "skipped"
        seen.setdefault(key, []).append((outcome, skipped.get("message", "") if skipped is not None else ""))
    return seen


def cell(outcomes: list[tuple[str, str]], reasons: dict[str, str]) -> str:
    """Return what the table says of the outcomes of one behaviour; new reasons get a letter."""
    if not outcomes:
        return _ABSENT
    if any(outcome == "failed" for outcome, _ in outcomes):
        return _FAILED
    why = next((reason for outcome, reason in outcomes if outcome == "skipped"), None)
    if why is None:
        return _PASSED
    return reasons.setdefault(why, chr(ord("a") + len(reasons)))


def page(seen: dict[tuple[str, str], list[tuple[str, str]]], engines: list[str]) -> tuple[str, bool]:
    """Return the page, and whether nothing failed."""
    reasons: dict[str, str] = {}
    columns = {one: title for one, title in COLUMNS.items() if any(key[0] == one for key in seen)}
    counts = {one: [0, 0, 0] for one in columns}
    body: list[str] = []
    for says, tests in behaviours():
        body += [
            "",
            f"## {says}",
            "",
            "| behaviour | " + " | ".join(f"`{c}`" for c in columns.values()) + " |",
        ]
        body.append("|---|" + ":-:|" * len(columns))
        for test, behaviour in tests:
            cells = [cell(seen.get((one, test), []), reasons) for one in columns]
            for one, mark in zip(columns, cells, strict=True):
                counts[one][0 if mark == _PASSED else 2 if mark == _FAILED else 1] += 1
            body.append(f"| {behaviour} | " + " | ".join(cells) + " |")
    head = [_HEAD.format(passed=_PASSED, python=".".join(map(str, sys.version_info[:2])), engines=", ".join(engines))]
    head += ["| backend | seen | does not have it | failed |", "|---|--:|--:|--:|"]
    head += [f"| `{columns[one]}` | {a} | {b} | {c} |" for one, (a, b, c) in counts.items()]
    foot = ["", "## Reasons", "", *(f"- {letter}: {why}" for why, letter in reasons.items())]
    return "\n".join([*head, *body, *foot]) + "\n", not any(c for _, _, c in counts.values())


def main() -> int:
    """Run the suite everywhere, and write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--also", metavar="PYTHON", action="append", default=[])
    given: Any = asked.parse_args()
    seen: dict[tuple[str, str], list[tuple[str, str]]] = {}
    engines: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for python in (sys.executable, *given.also):
            left = [one for one in COLUMNS if one not in {key[0] for key in seen}]
            told = observe(python, Path(folder), left)
            # Where an engine is missing, its whole class is skipped: another Python may have it.
            seen |= {k: o for k, o in told.items() if not all(why.startswith(_MISSING) for _, why in o)}
            said = subprocess.run([python, "-c", _ENGINES], capture_output=True, text=True, check=True)
            engines |= dict.fromkeys(said.stdout.splitlines())
    text, good = page(seen, list(engines))
    PAGE.write_text(text, encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "backends")]
    sys.exit(main())
