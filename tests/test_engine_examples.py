"""The examples that run on any engine: same digests as their pages say, and the plain answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
BACKENDS = ("sync", "local", "processes")
#: Those of an engine, and the package that it takes.
ENGINES = {"dask": "distributed", "dask://threads": "dask", "dask://sync": "dask", "ray": "ray"}
ARTIFACTS = {"lcs": ("lcs_last_row", "lcs_length"), "wordcount": ("book_words", "frequent_book_words")}


def command(folder: Path, *arguments: str, **variables: str) -> str:
    """Run Python with these arguments in the folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **variables},
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def dualdag(folder: Path, *arguments: str, **variables: str) -> Any:
    return json.loads(command(folder, "-m", "dualdag", *arguments, "--json", **variables))


def told(example: str) -> dict[str, list[str]]:
    """Return the table of the example's page: backend -> digests."""
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z:/-]+)` \| `([0-9a-f]{16})` \| `([0-9a-f]{16})` \|$", page, re.MULTILINE)
    return {name: digests for name, *digests in rows}


@pytest.mark.parametrize("example", ARTIFACTS)
def test_page_tells_of_one_answer(example: str) -> None:
    table = told(example)
    assert set(table) >= {*BACKENDS, *ENGINES}
    assert len({tuple(digests) for digests in table.values()}) == 1


@pytest.mark.parametrize("backend", [*BACKENDS, *ENGINES])
@pytest.mark.parametrize("example", ARTIFACTS)
def test_backend_by_the_variable_alone(example: str, backend: str, tmp_path: Path) -> None:
    if backend in ENGINES:
        pytest.importorskip(ENGINES[backend])
    flow = str(EXAMPLES / example / "flow.py")
    assert dualdag(tmp_path, "run", flow, DUALDAG_BACKEND=backend)["executed"] > 500
    found = {row["name"]: row["digest"][:16] for row in dualdag(tmp_path, "ls")}
    assert [found[name] for name in ARTIFACTS[example]] == told(example)[backend]
    assert command(tmp_path, str(EXAMPLES / example / "check.py")).startswith("equal: ")
    for other in BACKENDS:
        assert dualdag(tmp_path, "run", flow, DUALDAG_BACKEND=other)["executed"] == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_flights_give_equal_bytes(engine: str, tmp_path: Path) -> None:
    pytest.importorskip(ENGINES[engine])
    digests = {}
    for backend in ("local", engine):
        folder = tmp_path / backend
        folder.mkdir()
        dualdag(folder, "run", str(EXAMPLES / "flights" / "flow.py"), DUALDAG_BACKEND=backend)
        digests[backend] = {row["name"]: row["digest"] for row in dualdag(folder, "ls")}
    assert len(digests["local"]) == 5
    assert digests[engine] == digests["local"]


def test_blocks_that_do_not_fill_the_table(tmp_path: Path) -> None:
    flow = str(EXAMPLES / "lcs" / "flow.py")
    assert dualdag(tmp_path, "run", flow, "--param", "length=130")["executed"] == 9 + 2
    assert "of 130 letters" in command(tmp_path, str(EXAMPLES / "lcs" / "check.py"), "130")


def test_other_length_of_the_list_runs_one_task(tmp_path: Path) -> None:
    flow = str(EXAMPLES / "wordcount" / "flow.py")
    dualdag(tmp_path, "run", flow)
    assert dualdag(tmp_path, "run", flow, "--param", "top=3")["executed"] == 1
    assert command(tmp_path, "-m", "dualdag", "get", "frequent_book_words").count("(") == 3
