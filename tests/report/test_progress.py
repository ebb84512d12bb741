"""Progress: few lines in a pipe, bars on a terminal, and nothing that can end a run."""

from __future__ import annotations

import io
import sys
import threading
import time
from types import SimpleNamespace

import pytest

import dualdag as dag
from dualdag.execution import Event
from dualdag.graph import compile_graph
from dualdag.report import _lines, progress
from dualdag.report._live import Live
from dualdag.report._state import RunState


class FakePlan:
    """A plan in which everything runs."""

    def __init__(self, nodes):
        self.graph = compile_graph(nodes)
        self.actions = bytearray(2 if n.op.kind == "call" else 0 for n in self.graph.nodes)

    @property
    def counts(self):
        return {"reuse": 0, "run": self.actions.count(2), "check": self.actions.count(3), "pinned": 0}


def event(kind, plan=None, i=-1, **more):
    label = plan.graph.label(i) if plan is not None and i >= 0 else ""
    return Event(kind, time.time(), i, label, **more)


@pytest.fixture
def plan():
    part = dag.task(lambda *args: 1, version="part")
    upper = part([part(i) for i in range(5)]).artifact("upper")
    return FakePlan([part(upper, part(9)).artifact("lower"), part(7)])


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def places(plan):
    return {plan.graph.label(i): i for i, extra in plan.graph.extras.items()}


def test_state_counts_by_artifact(plan):
    state = RunState()
    at = places(plan)
    state.take(event("plan", data=plan))
    assert state.total == 9
    assert {a.name: a.total for a in state.artifacts.values()} == {"upper": 6, "lower": 2}
    state.take(event("start", plan, at["upper"]))
    assert [label for label, _ in state.running.values()] == ["upper"]
    state.take(event("done", plan, at["upper"]))
    upper = state.artifact(at["upper"])
    assert (upper.ran, upper.ended, state.running) == (1, True, {})
    state.take(event("failed", plan, at["lower"]))
    lower = state.artifact(at["lower"])
    assert (lower.failed, lower.ended, state.done) == (1, False, 2)
    # A later plan of the run counts what is left on top of what was done.
    plan.actions[at["upper"]] = 1
    state.take(event("plan", data=plan))
    assert state.total == 2 + 8
    assert state.artifact(at["upper"]).total == 1 + 5


def test_what_waits_in_the_backend_is_not_running(plan):
    state = RunState()
    state.take(event("plan", data=plan, slots=2))
    for i in range(4):
        state.take(event("start", plan, i))
    assert list(state.running) == [0, 1]
    state.take(event("done", plan, 1))
    state.take(event("retry", plan, 3))
    assert list(state.running) == [0, 2]
    state.take(event("run-end"))
    assert not state.running


def test_lines_tell_of_artifacts_and_failures_only(plan, capsys):
    at = places(plan)
    with progress("lines") as (listener,):
        listener(event("plan", data=plan))
        for i in range(len(plan.graph)):
            if i not in at.values():
                listener(event("start", plan, i))
                listener(event("done", plan, i, seconds=0.1))
        listener(event("done", plan, at["upper"], seconds=2, nbytes=1500))
        listener(event("failed", plan, at["lower"], message="ValueError: no\ngood"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["upper: done in 2.0 s, 1.5 kB", "lower: failed after 0 us: ValueError: no good"]


def test_lines_are_few(capsys):
    part = dag.task(lambda i: i, version="part")
    plan = FakePlan([part(i).artifact(f"a{i}") for i in range(500)])
    with progress("lines") as (listener,):
        listener(event("plan", data=plan))
        for i in range(500):
            listener(event("done", plan, i))
        for i in range(100):
            listener(event("failed", plan, i, message="bad"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 40
    assert lines[-2:] == ["... and 496 artifacts more", "... and 80 failures more"]


def test_lines_tell_of_what_takes_long(plan, capsys, monkeypatch):
    monkeypatch.setattr(_lines, "_LONG", 0.05)
    monkeypatch.setattr(_lines, "_BEAT", 0.2)
    monkeypatch.setattr(_lines, "_TICK", 0.01)
    said = ""
    with progress("lines") as (listener,):
        listener(event("plan", data=plan))
        listener(event("start", plan, places(plan)["upper"]))
        until = time.monotonic() + 30
        while "running: upper (" not in said and time.monotonic() < until:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert "upper: started\n" in said
    assert "0 of 9 done; running: upper (" in said


def test_lines_tell_again_of_what_is_long_waited_for(plan, capsys, monkeypatch):
    monkeypatch.setattr(_lines, "_BEAT", 0.2)
    monkeypatch.setattr(_lines, "_TICK", 0.01)
    said = ""
    with progress("lines") as (listener,):
        listener(event("plan", data=plan))
        listener(event("waiting", plan, places(plan)["upper"], message="waits for run x, which makes it"))
        until = time.monotonic() + 30
        while "0 of 9 done;" not in said and time.monotonic() < until:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.startswith("upper: waits for run x, which makes it\n")
    assert "0 of 9 done; upper waits for run x, which makes it\n" in said


def test_off_and_a_run_with_nothing_to_do_say_nothing(plan, capsys):
    with progress("off") as listeners:
        assert listeners == ()
    plan.actions[:] = bytes(len(plan.actions))
    threads = threading.active_count()
    with progress("auto") as (listener,):
        listener(event("run-start"))
        listener(event("plan", data=plan))
        listener(event("run-end"))
        assert threading.active_count() == threads
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_no_cursor_codes_whatever_the_environment(plan, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("bar") as (listener,):
        listener(event("plan", data=plan))
        listener(event("done", plan, places(plan)["upper"]))
    assert "\x1b" not in capsys.readouterr().err


def test_bars_on_a_terminal(plan, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    at = places(plan)
    with progress("auto") as (listener,):
        listener(event("plan", data=plan))
        listener(event("start", plan, 0))
        time.sleep(0.25)
        listener(event("failed", plan, at["lower"], message="[bold]not markup[/bold]"))
        listener(event("done", plan, at["upper"]))
        listener(event("run-end"))
    text = screen.getvalue()
    assert "upper" in text
    assert "0/6" in text
    assert "[bold]not markup" in text
    assert text.count("\n") < 200
    # Drawn by a timer: events alone draw nothing.
    with progress("auto") as (listener,):
        listener(event("plan", data=plan))
        before = len(screen.getvalue())
        for _ in range(2000):
            listener(event("start", plan, 0))
        assert len(screen.getvalue()) - before < 20_000


def test_a_dumb_terminal_gets_lines(plan, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "dumb")
    with progress("auto") as (listener,):
        listener(event("plan", data=plan))
        listener(event("done", plan, places(plan)["upper"]))
    assert screen.getvalue() == "upper: done in 0 us, 0 B\n"


def test_more_artifacts_than_rows(monkeypatch):
    from rich.console import Console

    part = dag.task(lambda i: i, version="part")
    plan = FakePlan([part(i).artifact(f"a{i}") for i in range(30)])
    live = Live(Console(file=io.StringIO(), width=100, height=10))
    live.state.take(event("plan", data=plan))
    for i in range(20):
        live.state.take(event("done", plan, i))
    table = live.draw()
    assert table.row_count == 7
    names = [str(cell) for cell in table.columns[0].cells]
    assert names == ["a20", "a21", "a22", "a23", "a24", "a25", "all, 24 artifacts not shown"]


def test_two_runs_at_once_draw_once(plan, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress("auto") as (one,), progress("auto") as (two,):
        assert isinstance(one._view, Live)
        assert isinstance(two._view, _lines.Lines)
    with progress("auto") as (one,):
        assert isinstance(one._view, Live)


def test_a_closed_pipe_ends_nothing(plan, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    with progress("auto") as (listener,):
        listener(event("plan", data=plan))
        listener(event("done", plan, places(plan)["upper"]))
        listener(event("done", plan, places(plan)["lower"]))


def test_notebook(plan, monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda bundle, raw: shown.append(bundle))

    def display(bundle, *, raw, display_id):
        assert raw
        assert display_id
        shown.append(bundle)
        return handle

    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    with progress("auto") as (listener,):
        listener(event("plan", data=plan))
        listener(event("done", plan, places(plan)["upper"]))
    assert "upper" in shown[0]["text/html"]
    assert shown[-1]["text/plain"].startswith("1 run in")


def test_a_run_told_in_lines(capsys):
    add = dag.task(lambda x, y: x + y)
    node = add(add(1, 2), 3).artifact("sum")
    assert dag.run(node, store="memory://progress", progress="lines") == 6
    assert capsys.readouterr().err.startswith("sum: done in ")
    assert dag.run(node, store="memory://progress", progress="lines") == 6
    assert capsys.readouterr().err == ""
