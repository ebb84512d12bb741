"""`dualdag run FLOW --due`: called by a clock, again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli
from dualdag.store._machine import Machine, put_in_place

FLOW = """
import dualdag as dag

@dag.task
def read(path):
    with open(path) as f:
        return int(f.read())

@dag.task
def double(n):
    return 2 * n

@dag.task
def text(n):
    return f"{n}"

@dag.task
def again(path):
    with open(path) as f:
        return text.fn(f.read())

daily = read(dag.file("n.txt")).artifact("daily", cadence="1d")
double(daily).artifact("weekly", cadence="7d")
again(dag.file("n.txt")).artifact("always")
double(3).artifact("by-hand", cadence="manual")
double(4).artifact("ice", cadence="frozen")
text(double(5)).artifact("morning", cadence="0 6 * * *", tz="Europe/Berlin")
"""
ROOT = Path(__file__).resolve().parents[2]
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_flow(own_modules):
    Path("flow.py").write_text(FLOW)
    Path("n.txt").write_text("1")


def call(now, *arguments, status=0):
    with dag.configure(now=now):
        result = CliRunner().invoke(cli, ["run", "flow.py", "--due", "--backend", "sync", *arguments])
    assert result.exit_code == status, result.output
    return result


def tick(now, *arguments, status=0):
    """Return what was done about each artifact that was due."""
    found = json.loads(call(now, *arguments, "--json", status=status).stdout)
    return {row["name"]: row["action"] for row in found["artifacts"]}


def test_what_is_due_and_nothing_else():
    by_clock = {"daily": "run", "weekly": "run", "always": "run", "morning": "run"}
    assert tick(MONDAY) == by_clock | {"by-hand": "run", "ice": "run"}
    assert tick(MONDAY + timedelta(minutes=1)) == {}
    Path("n.txt").write_text("20")
    assert tick(MONDAY + timedelta(hours=1)) == {"always": "run"}
    assert tick(MONDAY + timedelta(hours=23)) == {"morning": "reuse"}
    assert tick(MONDAY + timedelta(days=1)) == {"daily": "run"}
    assert [dag.load(name) for name in ("daily", "weekly", "always")] == [20, 2, "20"]
    assert tick(MONDAY + timedelta(days=7))["weekly"] == "run"
    assert {name: dag.store().version(name).number for name in ("by-hand", "ice")} == {"by-hand": 1, "ice": 1}


def test_what_comes_next(in_zone):
    in_zone("America/New_York")
    call(MONDAY)
    lines = call(MONDAY + timedelta(hours=3)).stdout.splitlines()
    found = json.loads(call(MONDAY + timedelta(hours=3), "--json").stdout)
    assert lines[0] == "nothing is due at 2026-03-02 06:00 EST"
    assert [" ".join(line.split()) for line in lines[4:]] == [
        "morning 0 6 * * * (Europe/Berlin) 2026-03-03 00:00 EST in 18 h",
        "daily 1d 2026-03-03 03:00 EST in 21 h",
        # The clocks of New York go forward on the day before.
        "weekly 7d 2026-03-09 04:00 EDT in 6 d 21 h",
        "always on change on change",
        "by-hand manual when named in --refresh",
        "ice frozen when its cadence is edited",
    ]
    assert found["runs"] == []
    assert [(row["name"], row["seconds"]) for row in found["next"][:2]] == [("morning", 64800.0), ("daily", 75600.0)]
    assert found["next"][2]["at"] == "2026-03-09T08:00:00+00:00"


class Counting(Machine):
    def __init__(self):
        self.calls = []

    def read(self, path, most):
        self.calls.append(("read", path))
        return super().read(path, most)

    def names(self, folder):
        self.calls.append(("names", folder))
        return super().names(folder)

    def create(self, path):
        self.calls.append(("create", path))
        return super().create(path)


def test_nothing_due_is_quick(monkeypatch):
    call(MONDAY)
    call(MONDAY + timedelta(minutes=1))
    monkeypatch.setattr("dualdag.execution.get_backend", None)  # no engine
    counting = Counting()
    before = put_in_place(counting)
    try:
        assert tick(MONDAY + timedelta(minutes=2)) == {}
    finally:
        put_in_place(before)
    kinds = [kind for kind, _ in counting.calls]
    assert "create" not in kinds  # no journal either
    # Six artifacts: two listings each, and a version; what the store itself reads first.
    assert len(kinds) <= 6 * 3 + 8


def test_a_manual_one_is_made_where_what_is_due_needs_it():
    Path("flow.py").write_text(
        FLOW + '\ntext(double(3).artifact("by-hand", cadence="manual")).artifact("user", cadence="1d")\n'
    )
    assert tick(MONDAY)["by-hand"] == "run"
    assert tick(MONDAY + timedelta(days=400))["user"] == "reuse"


def test_what_the_clock_has_no_say_in_is_due_without_any_version():
    assert tick(MONDAY, "by-hand", "ice") == {"by-hand": "run", "ice": "run"}
    assert tick(MONDAY + timedelta(days=400), "by-hand", "ice") == {}
    lines = call(MONDAY, "by-hand", "ice").stdout.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines[-2:]] == [
        "when named in --refresh",
        "when its cadence is edited",
    ]


def test_named_ones_only():
    assert tick(MONDAY, "weekly") == {"daily": "run", "weekly": "run"}
    assert tick(MONDAY, "daily") == {}
    message = call(MONDAY, "--refresh", "daily", status=2).output
    assert "--due runs what the clock says" in message
    found = json.loads(call(MONDAY, "by-hand", "--json").stdout)["next"]
    assert found == [{"name": "by-hand", "cadence": "manual", "tz": "UTC", "at": None, "seconds": None}]


def test_a_month_of_sleep_is_one_run():
    call(MONDAY)
    Path("n.txt").write_text("7")
    later = MONDAY + timedelta(days=30)
    assert tick(later) == {"daily": "run", "weekly": "run", "always": "run", "morning": "reuse"}
    assert tick(later + timedelta(minutes=1)) == {}
    assert len(dag.store().versions("daily")) == 2


def test_the_clock_set_back():
    call(MONDAY)
    assert tick(MONDAY - timedelta(days=2)) == {}
    Path("n.txt").write_text("5")
    assert tick(MONDAY - timedelta(days=2)) == {"always": "run"}
    row = json.loads(call(MONDAY - timedelta(days=2), "daily", "--json").stdout)["next"][0]
    assert row["at"] == "2026-03-03T08:00:00+00:00"  # when it will be, not a day from now, each day anew
    assert tick(MONDAY + timedelta(days=1, minutes=-16)) == {"morning": "reuse"}
    assert tick(MONDAY + timedelta(days=1)) == {"daily": "run"}


def test_an_old_value_that_comes_back_is_a_change():
    call(MONDAY)
    Path("n.txt").write_text("2")
    call(MONDAY + timedelta(minutes=1))
    Path("n.txt").write_text("1")
    assert tick(MONDAY + timedelta(minutes=2)) == {"always": "reuse"}
    assert dag.load("always") == "1"
    assert tick(MONDAY + timedelta(minutes=3)) == {}


def test_old_code_that_comes_back_is_a_change():
    call(MONDAY)
    Path("flow.py").write_text(FLOW.replace('return f"{n}"', 'return f"{n}!"'))
    assert tick(MONDAY + timedelta(minutes=1)) == {"always": "run", "morning": "run"}
    Path("flow.py").write_text(FLOW.replace('cadence="0 6 * * *"', 'cadence="frozen"'))
    assert tick(MONDAY + timedelta(minutes=2)) == {"always": "reuse"}
    assert dag.load("always") == "1"
    assert tick(MONDAY + timedelta(minutes=3)) == {}


def test_a_value_that_is_gone_is_due():
    Path("flow.py").write_text(FLOW.replace('return f"{n}"', 'return f"{n}" * 10_000'))
    call(MONDAY)
    for path in Path(".dualdag/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    assert tick(MONDAY + timedelta(minutes=1)).keys() >= {"always", "morning"}
    assert tick(MONDAY + timedelta(minutes=2)) == {}
    assert dag.load("always") == "1" * 10_000


def test_a_broken_one_holds_up_no_other():
    Path("flow.py").write_text('import dualdag as dag\ndag.task(int)("x").artifact("aaa", cadence="1h")\n' + FLOW)
    for minute in range(2):
        result = call(MONDAY + timedelta(minutes=minute), status=1)
        assert "invalid literal" in result.stderr
        assert "aaa" in result.stdout
    assert dag.load("weekly") == 2
    rows = json.loads(call(MONDAY + timedelta(minutes=3), "--json", status=1).stdout)
    assert [(row["name"], row["action"]) for row in rows["artifacts"]] == [("aaa", "failed")]
    assert rows["next"][0]["name"] == "aaa"
    assert rows["next"][0]["seconds"] == 0


def test_a_missing_file_holds_up_no_other():
    Path("flow.py").write_text(FLOW + '\nlost = read(dag.file("m.txt")).artifact("lost", cadence="1d")\n'
                               'double(lost).artifact("below", cadence="1d")\n')  # fmt: skip
    result = call(MONDAY, status=2)
    assert result.stderr.count("m.txt: there is no such file") == 1
    assert "lost: can't be made\nbelow: can't be made\n" in result.stdout
    assert dag.load("weekly") == 2
    found = json.loads(call(MONDAY + timedelta(minutes=1), "--json", status=2).stdout)
    assert (found["artifacts"], [row["name"] for row in found["broken"]]) == ([], ["lost", "below"])
    assert [row["name"] for row in found["next"] if row["seconds"] == 0] == ["lost", "below"]
    assert found["error"]["message"].startswith("not made: lost, below")
    Path("m.txt").write_text("8")
    assert tick(MONDAY + timedelta(minutes=2)) == {"lost": "run", "below": "run"}
    Path("m.txt").unlink()
    assert tick(MONDAY + timedelta(minutes=3)) == {}  # pinned: nothing above is looked at
    assert "m.txt" in call(MONDAY + timedelta(days=2), "lost", status=2).stderr


SLOW = """
import pathlib, time
import dualdag as dag

@dag.task
def slow(x):
    with open("began", "a") as f:
        f.write("x")
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return x

@dag.task
def after(x):
    return x + 1

a = slow(1).artifact("slow", cadence="1h")
after(a).artifact("after", cadence="1h")
after(10).artifact("quick", cadence="1h")
"""


def start(*arguments, **variables):
    command = [sys.executable, "-m", "dualdag", "run", "flow.py", "--due", "--json", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | variables
    )


def until_it_began(process):
    while not Path("began").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def ended(process, status=0):
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    return json.loads(out)


def test_a_run_that_takes_longer_than_the_tick():
    """Later ticks leave what a process is making to it; the rest they make."""
    Path("flow.py").write_text(SLOW)
    first = start("slow", "after")
    try:
        until_it_began(first)
        for _ in range(2):
            found = ended(start("slow", "quick"))
            assert found["left"] == [{"name": "slow", "process": first.pid}]
        assert [row["name"] for row in found["artifacts"]] == []
        assert dag.load("quick") == 11
        assert first.poll() is None
    finally:
        Path("go").touch()
        found = ended(first)
    assert {row["name"]: row["action"] for row in found["artifacts"]} == {"slow": "run", "after": "run"}
    assert ended(start())["due"] == []
    assert Path("began").read_text() == "x"
    assert [len(dag.store().versions(name)) for name in ("slow", "after", "quick")] == [1, 1, 1]


def test_a_job_waits_for_what_it_takes():
    """Each artifact in its own job, at the same minute: none is left out, and one process at the most waits."""
    Path("flow.py").write_text(SLOW)
    first = start("slow")
    second = third = None
    try:
        until_it_began(first)
        second = start("after")
        third = start("after")
        while second.poll() is None and third.poll() is None:
            time.sleep(0.02)
    finally:
        Path("go").touch()
    assert [row["action"] for row in ended(first)["artifacts"]] == ["run"]
    found = [ended(second), ended(third)]
    assert sorted(len(one["left"]) for one in found) == [0, 1]
    assert Path("began").read_text() == "x"
    assert [len(dag.store().versions(name)) for name in ("slow", "after")] == [1, 1]


def test_what_a_long_run_has_made_may_be_made_again():
    text = SLOW.replace('after(10).artifact("quick", cadence="1h")', 'after(10).artifact("quick", cadence="1s")')
    Path("flow.py").write_text(text)
    first = start("slow", "quick")
    try:
        until_it_began(first)
        deadline = time.monotonic() + 60
        while not ended(start("quick"))["due"]:
            assert time.monotonic() < deadline
        assert first.poll() is None
    finally:
        Path("go").touch()
        ended(first)


def test_many_at_once_make_one_version():
    Path("go").touch()
    Path("flow.py").write_text(SLOW)
    running = [start() for _ in range(4)]
    for one in running:
        ended(one)
    assert Path("began").read_text() == "x"
    assert [len(dag.store().versions(name)) for name in ("slow", "after", "quick")] == [1, 1, 1]


def test_two_machines_agree_in_the_store():
    """They know nothing of each other's locks: the work may be done twice, but one version comes of it."""
    Path("flow.py").write_text(SLOW)
    url = Path("shared").absolute().as_uri()
    running = [start("--store", url, XDG_CACHE_HOME=str(Path(f"machine{k}").absolute())) for k in range(2)]
    for one in running:
        until_it_began(one)
    Path("go").touch()
    for one in running:
        assert ended(one)["left"] == []
    assert len(Path("began").read_text()) <= 2
    store = dag.store(url)
    assert [len(store.versions(name)) for name in ("slow", "after", "quick")] == [1, 1, 1]
    assert ended(start("--store", url, XDG_CACHE_HOME=str(Path("machine0").absolute())))["due"] == []


def test_a_killed_run_leaves_no_lock():
    Path("flow.py").write_text(SLOW)
    first = start("slow")
    until_it_began(first)
    first.kill()
    first.communicate(timeout=60)
    Path("go").touch()
    assert ended(start("slow"))["left"] == []
    assert dag.load("slow") == 1


def test_ls_and_show_tell_when():
    call(MONDAY)
    with dag.configure(now=MONDAY + timedelta(hours=23, minutes=59)):
        listed = CliRunner().invoke(cli, ["ls"]).stdout
        rows = {row["name"]: row["due"] for row in json.loads(CliRunner().invoke(cli, ["ls", "--json"]).stdout)}
        shown = json.loads(CliRunner().invoke(cli, ["show", "weekly", "--json"]).stdout)
        text = CliRunner().invoke(cli, ["show", "weekly"]).stdout
    assert rows["daily"] == "2026-03-03T08:00:00+00:00"
    assert rows["always"] is None
    assert shown["due"] == "2026-03-09T08:00:00+00:00"
    assert "in 1 min" in listed
    assert "on change" in listed
    assert "in 6 d" in text
