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
        # Bytecode of a file edited twice in one second, to the same size, would be taken for good.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
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


def arrive(folder: Path, until: str) -> None:
    subprocess.run([sys.executable, "flights/layout.py", "--until", until], cwd=folder, check=True)


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example in which ten days have arrived and been run."""
    folder = tmp_path_factory.mktemp("flights")
    ignored = shutil.ignore_patterns("data", "__pycache__")
    shutil.copytree(EXAMPLES / "flights", folder / "flights", ignore=ignored)
    arrive(folder, "2013-01-10")
    assert dualdag("run", "flights/flow.py", cwd=folder)["executed"] == 10 + 45
    return folder


class TestFlights:
    def test_artifacts(self, flights: Path) -> None:
        import dualdag as dag

        store = flights / ".dualdag"
        clean = dag.load("clean", version=1, store=store)
        assert clean["date"].nunique() == 10
        assert len(clean) == 8_832
        delays = dag.load("delays_by_carrier", version=1, store=store)
        assert delays["flights"].sum() == len(clean)
        effect = dag.load("weather_effect", store=store)
        assert set(effect["measure"]) == {"rain", "wind", "sight"}
        assert 0.5 < dag.load("delay_model", store=store)["auc"] < 1

    def test_report_is_one_page(self, flights: Path) -> None:
        command = [sys.executable, "-m", "dualdag", "get", "report", "-o", "out.html"]
        subprocess.run(command, cwd=flights, check=True, capture_output=True)
        page = (flights / "out.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert page.count("<svg") == 4
        assert 'src="' not in page

    def test_second_run_runs_nothing_on_any_backend(self, flights: Path) -> None:
        for backend in ("sync", "local", "processes"):
            assert dualdag("run", "flights/flow.py", cwd=flights, DUALDAG_BACKEND=backend)["executed"] == 0

    def test_processes_give_the_same(self, flights: Path, tmp_path: Path) -> None:
        import dualdag as dag

        dualdag(
            "run",
            "flights/flow.py",
            "--store",
            str(tmp_path / "other"),
            "--backend",
            "processes",
            cwd=flights,
        )
        for name in ("clean", "delays_by_carrier", "weather_effect", "delay_model", "report"):
            here, there = (dag.store(s).versions(name)[0] for s in (flights / ".dualdag", tmp_path / "other"))
            assert here.digest == there.digest, name

    def test_a_new_day_costs_one_day(self, flights: Path) -> None:
        arrive(flights, "2013-01-11")
        summary = dualdag("run", "flights/flow.py", cwd=flights)
        # The new day, all days together, six steps to the line of days, the page; the rest is not due.
        assert summary["executed"] == 9
        actions = {row["name"]: row["action"] for row in summary["artifacts"]}
        assert actions["clean"] == actions["report"] == "run"
        assert actions["delays_by_carrier"] == actions["weather_effect"] == actions["delay_model"] == "pinned"

    def test_edits(self, flights: Path) -> None:
        dualdag("run", "flights/flow.py", cwd=flights)
        days = len(list((flights / "flights" / "data" / "flights").iterdir()))
        helpers, plots = flights / "flights" / "cleaning.py", flights / "flights" / "plots.py"
        before = helpers.read_text()

        helpers.write_text(
            "# Tidy.\n\n" + before.replace("hour = hour_of(clock)", "hour = (  # local\n        hour_of(clock)\n    )")
        )
        assert dualdag("plan", "flights/flow.py", cwd=flights)["counts"]["run"] == 0
        helpers.write_text(before.replace("hour < 18", "hour < 19"))
        assert dualdag("plan", "flights/flow.py", cwd=flights)["counts"]["run"] == days
        helpers.write_text(before)
        assert dualdag("plan", "flights/flow.py", cwd=flights)["counts"]["run"] == 0

        plots.write_text(plots.read_text().replace("#2b6cb0", "#2c5282"))
        plan = dualdag("plan", "flights/flow.py", cwd=flights)
        would_run = {row["name"] for row in plan["nodes"] if row["action"] == "run"}
        # The steps to its input `by_day` are so quick that they may not have been kept.
        assert "report" in would_run
        assert not would_run & {"clean", "clean_day", "delays_by_carrier", "weather_effect", "delay_model"}

    def test_refresh_stops_where_bytes_are_equal(self, flights: Path) -> None:
        dualdag("run", "flights/flow.py", "--refresh", "delay_model", cwd=flights)
        summary = dualdag("run", "flights/flow.py", "--refresh", "delay_model", cwd=flights)
        actions = {row["name"]: row["action"] for row in summary["artifacts"]}
        assert actions["delay_model"] == "run"
        assert actions["report"] == "reuse"
