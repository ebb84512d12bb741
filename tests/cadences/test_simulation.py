"""What is due when, for days on end, beside a reference that knows only the definitions.

``SIMULATE=20x90`` in the environment: twenty histories of ninety days with a tick each hour, in place of one of ninety
days with a tick each four hours, and a short one.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cadences import world as worlds
from tests.cadences.reference import Reference, cron_times
from tests.cadences.simulation import CRONS, simulate
from tests.cadences.world import SOURCES, World, artifacts

_SEEDS, _, _DAYS = os.environ.get("SIMULATE", "").partition("x")
HISTORIES = [(seed, int(_DAYS), 1) for seed in range(int(_SEEDS))] if _DAYS else [(0, 90, 4), (1, 25, 1)]


@pytest.mark.parametrize(("seed", "days", "every"), HISTORIES)
@pytest.mark.timeout(600)
def test_every_tick_of_a_history_is_as_defined(seed, days, every):
    happened = simulate(seed, days, every)
    for what in (
        "data",
        "edits",
        "clock set back",
        "sleeps",
        "ticks with nothing due",
        "confirmations",
        "made by hand",
    ):
        assert happened[what], what
    assert happened["ticks"] > 4 * days


FLOW = """
import dualdag as dag

PAD = {pad}

{helpers}

{functions}

task = {{name: dag.task(globals()[name]) for name in {names}}}
a, b = (task["read"](dag.file(f"{{name}}.txt")) for name in "ab")
feed = task["feed"](a).artifact("feed")
merged = task["merged"](task["clean"](feed), b).artifact("merged", cadence="6h")
daily = task["daily"](merged).artifact("daily", cadence="1d")
weekly = task["weekly"](daily).artifact("weekly", cadence="7d")
morning = task["morning"](merged, a).artifact("morning", cadence="{crons[0][0]}", tz="{crons[0][1]}")
often = task["often"](merged).artifact("often", cadence="{crons[1][0]}", tz="{crons[1][1]}")
hand = task["hand"](a).artifact("hand", cadence="manual")
ice = task["ice"](b).artifact("ice", cadence="frozen")
task["report"](hand, ice, weekly, morning).artifact("report")
"""


def write_flow(world):
    functions = [SOURCES[name].format(effect=world.effects[name], note=world.notes[name]) for name in SOURCES]
    helpers = [inspect.getsource(one) for one in (worlds.told, worlds.number)]
    text = FLOW.format(
        pad=worlds.PAD, helpers="\n".join(helpers), functions="\n".join(functions), names=list(SOURCES), crons=CRONS
    )
    Path("flow.py").write_text(text)


def test_ticks_of_the_command_itself():
    """Processes that a clock starts, in the night when clocks go forward in Berlin."""
    rng = random.Random(20260329)
    world = World.new(Path.cwd())
    now = datetime(2026, 3, 28, 5, tzinfo=UTC)
    times = {text: cron_times(text, tz, now - timedelta(days=9), now + timedelta(days=9)) for text, tz in CRONS}
    reference = Reference(artifacts(CRONS), times)
    for step in range(10):
        write_flow(world)
        Path("pyproject.toml").write_text(f"[tool.dualdag]\nnow = {now.isoformat()}\n")
        command = [sys.executable, "-m", "dualdag", "run", "flow.py", "--due", "--json", "--backend", "sync"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        ran = {row["name"] for row in found["artifacts"] if row["action"] == "run"}
        assert ran == reference.tick(world, now), (step, now)
        assert datetime.fromisoformat(found["now"]) == now
        versions = {row["name"]: row["version"] for row in found["artifacts"]}
        assert versions == {name: len(reference.kept[name].versions) for name in versions}
        now += timedelta(hours=rng.choice((1, 3, 6, 9)), minutes=rng.randrange(60))
        if step % 2:
            world.write(rng.choice("ab"), rng.randrange(10))
        if step in (4, 7):
            world.effects[rng.choice(("merged", "weekly", "clean"))] += 1
        if step == 6:
            now -= timedelta(days=2)
    assert reference.kept["morning"].confirmed or len(reference.kept["morning"].versions) > 1
