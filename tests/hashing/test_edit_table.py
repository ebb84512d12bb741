"""The table of edits: fingerprints change when, and only when, what a function gives could change.

Every version of every program is fingerprinted in fresh processes under three hash seeds, the two
versions of an edit in folders of different names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hashing import edits_code, edits_odd, edits_reach, edits_stay, edits_values
from tests.hashing.edits import EDITS, Edit

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# The pages of the table, each adding its edits as it is imported.
PAGES = (edits_stay, edits_code, edits_values, edits_reach, edits_odd)
SEEDS = ("1", "2", "3")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def start(base: Path, which: str, seed: str, python: str = sys.executable) -> subprocess.Popen[str]:
    listing = {}
    home = base / f"{which}-{seed}"
    for i, edit in enumerate(EDITS):
        # The path must not count, so no two are alike.
        folder = home / f"{which}{seed}_{i}" / ("a" if which == "before" else "another")
        write(folder, edit.before if which == "before" else edit.after)
        at = which == "after"
        listing[edit.name] = {"folder": str(folder), "load": edit.load[at], "env": edit.env[at]}
    shutil.copy(HERE / "dualdag_stub.py", home)
    (home / "listing.json").write_text(json.dumps(listing))
    env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, str(HERE / "edit_child.py"), str(home / "listing.json"), which]
    return subprocess.Popen(command, env=env, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, str]]:
    base = tmp_path_factory.mktemp("edits")
    found = {}
    for seed in SEEDS:  # two at a time
        running = {which: start(base, which, seed) for which in ("before", "after")}
        for which, child in running.items():
            out, err = child.communicate(timeout=100)
            assert child.returncode == 0, err
            found[which, seed] = json.loads(out)
    return found


def verdict(edit: Edit, digests: dict[tuple[str, str], dict[str, str]]) -> str:
    before = {digests["before", seed][edit.name] for seed in SEEDS}
    after = {digests["after", seed][edit.name] for seed in SEEDS}
    refused = [text for text in (*before, *after) if text.startswith("FingerprintError")]
    if refused:
        return refused[0]
    if len(before) > 1 or len(after) > 1:
        return "differs between hash seeds"
    if (before == after) == (edit.must == "stay"):
        return "right"
    return "wrongly kept" if before == after else "wrongly changed"


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_edit(edit: Edit, digests: dict[tuple[str, str], dict[str, str]]) -> None:
    assert verdict(edit, digests) == "right"


def test_score(digests: dict[tuple[str, str], dict[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    right = sum(verdict(edit, digests) == "right" for edit in EDITS)
    rows = len({edit.row for edit in EDITS})
    with capsys.disabled():
        print(f"\nedit table: {right} of {len(EDITS)} edits in {rows} rows")
    assert right == len(EDITS) >= 116
    assert len({edit.name for edit in EDITS}) == len(EDITS)
