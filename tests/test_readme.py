"""The README's two lines are what they should be, and every block of the manual runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))


def setup_line(number: int) -> str:
    command = [sys.executable, str(ROOT / ".ci" / "blocks.py"), "--setup", str(number)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def first_block() -> list[str]:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert found
    return found[1].splitlines()


def test_first_block_has_two_lines_that_each_set_up() -> None:
    lines = first_block()
    assert len(lines) == 2
    assert [setup_line(1), setup_line(2)] == lines
    for line in lines:
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install")
    assert lines[0].endswith("dualdag run examples/flights/flow.py")
    assert lines[1].endswith("-m pytest")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_block_runs(page: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / ".ci" / "blocks.py"), str(page)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_block_fails(tmp_path: Path) -> None:
    # Without this, a runner that skips everything would pass all the tests above.
    for number, text in enumerate(("```python\n>>> 1 + 1\n3\n```", "```python\n1 / 0\n```", "```sh\nfalse\n```")):
        page = tmp_path / f"{number}.md"
        page.write_text(text + "\n")
        command = [sys.executable, str(ROOT / ".ci" / "blocks.py"), str(page)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
