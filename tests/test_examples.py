"""The examples do what their pages say: on a few days here, on the whole year in CI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


def dualdag(*arguments: str, cwd: Path, **variables: str) -> Any:
    """Run the command and return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "dualdag", *arguments, "--json"],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **variables},
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


class TestWords:
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        shutil.copytree(EXAMPLES / "words", tmp_path / "words")
        dualdag("run", "words/flow.py", cwd=tmp_path)
        return tmp_path

    def test_second_run_runs_nothing(self, place: Path) -> None:
        assert dualdag("run", "words/flow.py", cwd=place)["executed"] == 0

    def test_value(self, place: Path) -> None:
        import dualdag as dag

        words = dict(dag.load("frequent_words", store=place / ".dualdag"))
        assert words["rain"] == 4
        assert list(words.values()) == sorted(words.values(), reverse=True)

    def test_one_changed_text_runs_one_count(self, place: Path) -> None:
        text = place / "words" / "texts" / "station.txt"
        text.write_text(text.read_text().replace("lamps", "stars"))
        assert dualdag("run", "words/flow.py", cwd=place)["executed"] == 3

    def test_other_spacing_stops_after_the_count(self, place: Path) -> None:
        text = place / "words" / "texts" / "station.txt"
        text.write_text(text.read_text().replace(" ", "  "))
        assert dualdag("run", "words/flow.py", cwd=place)["executed"] == 1

    def test_a_constant_two_steps_away(self, place: Path) -> None:
        flow = place / "words" / "flow.py"
        flow.write_text(flow.read_text().replace('"a", "and"', '"a", "an", "and"'))
        assert dualdag("plan", "words/flow.py", cwd=place)["counts"]["run"] == 3

    def test_comments_and_parameters(self, place: Path) -> None:
        flow = place / "words" / "flow.py"
        flow.write_text("# a comment\n\n" + flow.read_text())
        assert dualdag("run", "words/flow.py", cwd=place)["executed"] == 0
        assert dualdag("run", "words/flow.py", "--param", "top=3", cwd=place)["executed"] == 1


class TestFlights:
    @pytest.fixture(scope="class")
    def place(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A copy of the example in which ten days have arrived and been run."""
        folder = tmp_path_factory.mktemp("flights")
        ignored = shutil.ignore_patterns("data", "__pycache__")
        shutil.copytree(EXAMPLES / "flights", folder / "flights", ignore=ignored)
        self.arrive(folder, "2013-01-10")
        summary = dualdag("run", "flights/flow.py", cwd=folder)
        assert summary["executed"] == 10 + 1 + 6 + 1
        return folder

    @staticmethod
    def arrive(folder: Path, until: str) -> None:
        subprocess.run([sys.executable, "flights/layout.py", "--until", until], cwd=folder, check=True)

    def test_artifacts(self, place: Path) -> None:
        import dualdag as dag

        store = place / ".dualdag"
        clean = dag.load("clean", store=store)
        assert clean["date"].nunique() == 10
        assert len(clean) == 8_636
        delays = dag.load("delays_by_carrier", store=store)
        assert delays["flights"].sum() == len(clean)
        effect = dag.load("weather_effect", store=store)
        assert set(effect["measure"]) == {"rain", "wind", "sight"}
        assert 0.5 < dag.load("delay_model", store=store)["auc"] < 1

    def test_report_is_one_page(self, place: Path) -> None:
        command = [sys.executable, "-m", "dualdag", "get", "report", "-o", "out.html"]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
        page = (place / "out.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert page.count("<svg") == 4
        assert 'src="' not in page

    def test_second_run_runs_nothing_on_any_backend(self, place: Path) -> None:
        for backend in ("sync", "local", "processes"):
            assert dualdag("run", "flights/flow.py", cwd=place, DUALDAG_BACKEND=backend)["executed"] == 0

    def test_processes_give_the_same(self, place: Path, tmp_path: Path) -> None:
        import dualdag as dag

        dualdag(
            "run", "flights/flow.py", "--store", str(tmp_path / "other"), "--backend", "processes", cwd=place
        )
        for name in ("clean", "delays_by_carrier", "weather_effect", "delay_model", "report"):
            here, there = (dag.store(s).versions(name)[0] for s in (place / ".dualdag", tmp_path / "other"))
            assert here.digest == there.digest, name
