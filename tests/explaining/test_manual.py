"""What the manual shows of `why`, `show` and `diff` is what they print, times and digests aside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explaining.md"
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def masked(text: str) -> str:
    text = re.sub(r"\d{8}T\d{6}-[0-9a-f]{8}", "RUN", text)
    text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{12,40}\b", "DIGEST", text)
    text = re.sub(r" *\b[\d.]+ (us|ms|s)\b", " LONG", text)
    text = re.sub(r"in \d+ h( \d+ min)?|in 1 d", "in LONG", text)
    text = re.sub(r"Python [\d.]+, \w+ \w+, dualdag [\w.]+", "MACHINE", text)
    return re.sub(r"-{3,}", "---", text).strip()


@pytest.mark.skipif(os.name == "nt", reason="its blocks are for bash")
def test_the_manual_shows_what_is_printed(tmp_path: Path) -> None:
    printed = None
    shown = 0
    for language, title, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if title:
            (tmp_path / title).parent.mkdir(exist_ok=True)
            (tmp_path / title).write_text(text, encoding="utf-8")
        elif language == "sh":
            # Of a block that ends with one that is shown, only the last line prints.
            *first, last = text.strip().splitlines()
            command = f'dualdag() {{ "{sys.executable}" -m dualdag "$@"; }}\n'
            quiet = "".join(
                f"{line} > /dev/null\n" if " > " not in line and ">>" not in line else f"{line}\n" for line in first
            )
            done = subprocess.run(
                ["bash", "-euc", command + quiet + last], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            printed = done.stdout
        elif language == "text":
            assert printed is not None
            assert masked(printed) == masked(text), printed
            assert max(map(len, printed.splitlines())) <= 100
            shown += 1
    assert shown >= 9
