"""Several runs on one store share the work; who dies, falls silent or fails is taken over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.execution import _sharing
from dualdag.store import Claims, _leases, open_store
from tests.execution import shared_work
from tests.execution.shared_work import answer, fragile, graph, leaf, once, total

HERE = Path(__file__).parents[2]


@contextmanager
def at_work(count, folder, store, *, processes=1, clients=1, backends=("local",), pace="quick", skews=(0,), lease=0):
    """Start processes that run the same graph, and end those that are left."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE / "backends")])}
    made = []
    try:
        for k in range(processes):
            words = [count, folder / "marks", pace, store, backends[k % len(backends)], clients, skews[k % len(skews)]]
            command = [sys.executable, shared_work.__file__, *map(str, words), str(lease)]
            made.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        yield made
    finally:
        for one in made:
            one.kill()
            one.communicate()


def done(processes):
    for one in processes:
        _, errors = one.communicate(timeout=100)
        assert one.returncode == 0, errors


def marks(folder):
    path = folder / "marks"
    return Counter(map(int, path.read_text().split())) if path.exists() else Counter()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def check_store(url, count):
    """One record a node, no lease left, and next to no claims."""
    store = open_store(str(url))
    records = [record for run in store.runs() for record in store.run(run.id)[1] if record["kind"] == "done"]
    assert len({event["key"] for event in records}) == count
    fs = store._fs
    assert fs.names("leases") == []
    return store


@pytest.mark.parametrize(("count", "pace"), [(20, "quick"), (200, "quick"), (20, "instant")])
def test_eight_processes_share_a_run(count, pace, tmp_path):
    with at_work(count, tmp_path, tmp_path / "store", processes=8, pace=pace) as processes:
        done(processes)
    made = marks(tmp_path)
    assert len(made) == count
    assert made.total() <= 1.1 * count
    check_store(tmp_path / "store", count)


def test_different_backends_share_a_run_though_clocks_are_an_hour_off(tmp_path):
    backends = ("local", "processes", "sync")
    with at_work(60, tmp_path, tmp_path / "store", processes=3, backends=backends, skews=(0, 3600, -3600)) as processes:
        done(processes)
    made = marks(tmp_path)
    assert len(made) == 60
    assert made.total() <= 66
    check_store(tmp_path / "store", 60)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_who_is_killed_or_falls_silent_is_taken_over_within_its_lease(sign, tmp_path):
    store = tmp_path / "store"
    with at_work(8, tmp_path, store, pace="slow", lease=2) as processes:
        wait_until(lambda: marks(tmp_path).total() >= 2)
        processes[0].send_signal(sign)
        before = marks(tmp_path)
        began = time.monotonic()
        with at_work(8, tmp_path, store, pace="slow", lease=2) as others:
            done(others)
        took = time.monotonic() - began
        again = marks(tmp_path) - before
        # What was in flight when the signal came, and nothing else, is made twice.
        assert set(before + again) == set(range(8))
        assert (before + again).total() <= 8 + 2
        if sign == signal.SIGKILL:
            return
        assert took < 60
        processes[0].send_signal(signal.SIGCONT)
        done(processes)
        assert marks(tmp_path).total() <= 8 + 2 + 2
    check_store(store, 8)


def test_a_rerun_after_a_crash_does_not_wait_for_the_lease(tmp_path):
    with at_work(4, tmp_path, tmp_path / "store", pace="slow", lease=1000) as processes:
        wait_until(lambda: marks(tmp_path).total() >= 2)
        processes[0].kill()
        processes[0].wait()
    once(4, str(tmp_path / "marks"), "slow", str(tmp_path / "store"), "local")


def events_of(store, kind):
    return [event for run in store.runs() for event in store.run(run.id)[1] if event["kind"] == kind]


def test_a_run_waits_for_another_and_says_so(tmp_path):
    store = str(tmp_path / "store")
    with at_work(2, tmp_path, store, pace="slow") as processes:
        wait_until(lambda: marks(tmp_path).total() == 2)
        result = dag.run(graph(2, str(tmp_path / "marks"), "slow"), store=store, backend="local", progress="off")
        done(processes)
    assert result == answer(2)
    assert marks(tmp_path).total() == 2
    other = open_store(store)
    waiting, reused = events_of(other, "waiting"), events_of(other, "reuse")
    assert [event["message"].partition("waits for run ")[0] for event in waiting] == [""]
    assert len(reused) == 2
    assert all(event["message"].startswith("made by run ") for event in reused)
    key = waiting[0]["key"]
    run = next(run.id for run in other.runs() if any(event["kind"] == "waiting" for event in other.run(run.id)[1]))
    command = [sys.executable, "-m", "dualdag", "log", run, key, "--store", store]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "waits for run" in said
    assert "made by run" in said


def test_a_run_says_so_when_it_waits_no_longer(tmp_path):
    store = str(tmp_path / "store")
    with at_work(1, tmp_path, store, pace="slow") as processes:
        wait_until(lambda: marks(tmp_path).total() == 1)
        processes[0].send_signal(signal.SIGSTOP)
        killer = threading.Timer(1.0, processes[0].kill)
        killer.start()
        result = dag.run(graph(1, str(tmp_path / "marks"), "slow"), store=store, backend="local", progress="off")
        killer.join()
    assert result == answer(1)
    waits, goes_on = (event["message"] for event in events_of(open_store(store), "waiting"))
    if sys.platform.startswith("linux"):
        assert f"(process {processes[0].pid} on this machine), which makes it" in waits
    assert goes_on == f"run {waits.split()[3]} gave it up, so it is made here"


def test_who_waits_for_long_looks_less_often(tmp_path, monkeypatch):
    store, looks, real = str(tmp_path / "store"), [], Claims.look
    monkeypatch.setattr(_sharing, "LOOKS_HERE", (0.005, 0.01, 2.0))
    monkeypatch.setattr(_sharing, "SHARE_OF_WAIT", 0.5)
    monkeypatch.setattr(Claims, "look", lambda claims: looks.append(time.monotonic()) or real(claims))
    node = leaf(1, 2.0, str(tmp_path / "marks"))
    others = threading.Thread(target=lambda: dag.run(node, store=store, backend="local", progress="off"))
    others.start()
    wait_until(lambda: marks(tmp_path).total() == 1)
    looks.clear()
    assert dag.run(node, store=store, backend="local", progress="off") == [1, 1]
    others.join()
    assert marks(tmp_path).total() == 1
    assert 3 <= len(looks) <= 40


def test_who_fails_leaves_the_node_to_the_others(tmp_path):
    store, broken = str(tmp_path / "store"), tmp_path / "broken"
    broken.touch()
    node = fragile(1, str(tmp_path / "marks"), str(broken))
    failures = []

    def first():
        with pytest.raises(ValueError, match="node 1"):
            dag.run(node, store=store, backend="local", progress="off")
        failures.append(1)
        broken.unlink()

    thread = threading.Thread(target=first)
    thread.start()
    wait_until(lambda: marks(tmp_path).total() == 1)
    try:
        found = dag.run(node, store=store, backend="local", progress="off")
    except ValueError:
        found = 1  # it tried before the flaw was mended, and got an error of its own
    thread.join()
    assert found == 1
    assert failures == [1]
    assert marks(tmp_path).total() == 2


def test_who_is_interrupted_gives_up_all_at_once(tmp_path):
    store = tmp_path / "store"
    with at_work(8, tmp_path, store, pace="slow", lease=1000) as processes:
        wait_until(lambda: marks(tmp_path).total() >= 2)
        processes[0].send_signal(signal.SIGINT)
        processes[0].communicate(timeout=60)
        assert open_store(str(store))._fs.names("leases") == []


def test_what_is_not_recorded_or_next_to_free_is_not_claimed(tmp_path):
    @dag.task
    def nothing(n):
        return n

    store = open_store(str(tmp_path))
    dag.run([nothing.options(persist=False)(n) for n in range(100)], store=str(tmp_path), progress="off")
    assert store._fs.names("leases") == store._fs.names("claims") == []
    dag.run([nothing(n) for n in range(300)], store=str(tmp_path), backend="local", progress="off")
    numbers = [int(name) for name in store._fs.names("claims")]
    assert numbers
    assert max(numbers) <= 30


def test_steps_of_few_milliseconds_are_shared_too(tmp_path):
    def run():
        node = total([leaf(n, 0.003, str(tmp_path / "marks")) for n in range(100)])
        barrier.wait()
        found.append(dag.run(node, store=str(tmp_path / "store"), backend="local", workers=1, progress="off"))

    found: list[int] = []
    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [sum(range(100))] * 4
    made = marks(tmp_path)
    assert set(made) == set(range(100))
    assert made.total() <= 110


def test_what_is_not_kept_is_not_waited_for(tmp_path):
    @dag.task
    def large(n):
        time.sleep(0.004)
        return bytes(100_000) + bytes([n])

    @dag.task
    def last(values):
        time.sleep(0.01)
        return len(values)

    run = dag.run(last([large(n) for n in range(50)]), store=str(tmp_path), backend="local", workers=1, progress="off")
    assert run == 50
    claims = open_store(str(tmp_path))._fs.names("claims")
    # The first of its kind, before anything is known of them, and the one that is kept.
    assert max(map(int, claims)) <= 4


def test_a_run_goes_on_where_nothing_can_be_claimed(tmp_path, monkeypatch):
    from dualdag.errors import StoreError

    def refused(*_):
        raise StoreError("no")

    monkeypatch.setattr("dualdag.store._claims.Claims.take", refused)
    once(20, str(tmp_path / "marks"), "quick", str(tmp_path / "store"), "local")
    monkeypatch.setattr(_leases.Lease, "_take", refused)
    once(24, str(tmp_path / "marks"), "quick", str(tmp_path / "store"), "local")
