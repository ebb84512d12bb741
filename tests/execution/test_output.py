"""What tasks print is shown, and kept with the node that printed it."""

from __future__ import annotations

import contextlib
import io
import sys
import threading

import pytest

import dualdag as dag
from dualdag.execution._output import captured_output


@dag.task
def say(n):
    print(f"out {n}")
    print(f"err {n}", file=sys.stderr)
    return n


@dag.task(timeout=30)
def say_in_time(n):
    print(f"in time {n}")
    return n


@dag.task
def much(n):
    for _ in range(1_000):
        print("x" * n)


@dag.task
def say_and_fail(n):
    print("before")
    raise ValueError(n)


def printed(store):
    """Return, by label, what the last run's nodes printed."""
    opened = dag.store(store)
    _, events = opened.run(opened.runs()[0].id)
    return {event["label"]: event["message"] for event in events if event["kind"] == "output"}


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_the_journal_has_what_each_node_printed(backend, tmp_path):
    store = str(tmp_path / "store")
    nodes = [say(i).named(f"n{i}") for i in range(20)]
    dag.run([*nodes, say_in_time(7).named("timed")], backend=backend, store=store, workers=2, progress="off")
    assert printed(store) == {f"n{i}": f"out {i}\nerr {i}\n" for i in range(20)} | {"timed": "in time 7\n"}


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_of_much_the_beginning_and_the_end_are_kept(backend, tmp_path):
    store = str(tmp_path / "store")
    dag.run(much(10_000), backend=backend, store=store, workers=1, progress="off")
    text = printed(store)["much"]
    assert len(text) < 100_000
    assert "9,935,464 characters left out" in text


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_what_a_failing_node_printed_is_kept(backend, tmp_path):
    store = str(tmp_path / "store")
    with pytest.raises(ValueError, match="1"):
        dag.run(say_and_fail(1), backend=backend, store=store, workers=1, progress="off")
    assert printed(store) == {"say_and_fail": "before\n"}


def test_it_is_shown_all_the_same_and_streams_are_put_back(capsys, tmp_path):
    streams = sys.stdout, sys.stderr
    dag.run(say(1), backend="local", store=str(tmp_path / "store"), progress="off")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("out 1\n", "err 1\n")
    assert (sys.stdout, sys.stderr) == streams


def test_threads_at_once_are_told_apart():
    texts, barrier = {}, threading.Barrier(4)

    def work(n):
        with captured_output() as output:
            barrier.wait()
            for _ in range(100):
                print(n)
            barrier.wait()
        texts[n] = output.text()

    with contextlib.redirect_stdout(io.StringIO()):
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == {n: f"{n}\n" * 100 for n in range(4)}
