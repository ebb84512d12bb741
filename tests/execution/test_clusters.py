"""Cheap nodes share jobs: how many, and that nothing about a single node changes by it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.execution._clusters import MOST
from dualdag.execution._schedule import Scheduler


@dag.task
def leaf(i):
    return i


@dag.task
def given(x):
    return x


@dag.task
def step(x):
    return x + 1


@dag.task
def total(*xs):
    return sum(xs)


@dag.task(retries=1, retry_on=OSError)
def flaky(i, folder):
    if i % 7 == 0:
        path = Path(folder, str(i))
        if not path.exists():
            path.touch()
            raise OSError(i)
    return i


@dag.task
def broken(i):
    if i == 57:
        raise ValueError(f"node {i}")
    return i


@dag.task
def deadly(i):
    if i == 57:
        os.kill(os.getpid(), signal.SIGKILL)
    return i


@pytest.fixture
def sizes(monkeypatch):
    """How many nodes each job had."""
    found, submit = [], Scheduler._submit

    def count(self, members, **more):
        found.append(len(members))
        submit(self, members, **more)

    monkeypatch.setattr(Scheduler, "_submit", count)
    return found


def run(node, tmp_path, backend="processes", **options):
    return dag.run(node, backend=backend, workers=2, store=str(tmp_path / "store"), progress="off", **options)


def test_a_fan_of_cheap_nodes_takes_few_jobs(tmp_path, sizes):
    assert run(total(*[leaf(i) for i in range(2_000)]), tmp_path) == sum(range(2_000))
    assert sum(sizes) == 2_001
    assert max(sizes) <= MOST
    assert len(sizes) < 200


def test_a_chain_of_cheap_nodes_takes_few_jobs(tmp_path, sizes):
    node = leaf(0)
    for _ in range(1_000):
        node = step(node)
    assert run(node, tmp_path) == 1_000
    assert len(sizes) < 100
    assert dag.plan(node, store=str(tmp_path / "store")).counts["run"] == 0


def test_a_tree_takes_its_subtrees_along(tmp_path, sizes):
    row = [leaf(i) for i in range(512)]
    while len(row) > 1:
        row = [total(*row[k : k + 8]) for k in range(0, len(row), 8)]
    assert run(row[0], tmp_path) == sum(range(512))
    assert len(sizes) < 150


@dag.task
def grown(xs, k):
    xs.append(k)
    return len(xs)


def test_each_node_of_a_job_has_its_own_copy_of_what_they_share(tmp_path, sizes):
    shared = given([1])
    assert run(total(*[grown(shared, k) for k in range(300)]), tmp_path) == 600
    assert max(sizes) > 20


def test_what_is_picked_from_a_result_rides_along(tmp_path, sizes):
    @dag.task(nout=5)
    def deal(i):
        return [[i, k] for k in range(5)]

    @dag.task
    def spoilt(hand, other):
        hand.append(7)
        return [hand, other[hand[1]]]

    hands = [deal(i) for i in range(6)]
    found = run([spoilt(hand[k], hand) for hand in hands for k in range(5)], tmp_path)
    assert found == [[[i, k, 7], [i, k]] for i in range(6) for k in range(5)]
    assert sizes[:4] == [6] * 4


def test_nodes_that_take_long_get_jobs_of_their_own(tmp_path, sizes):
    @dag.task
    def slow(i):
        import time

        time.sleep(0.03)
        return i

    assert run(total(*[slow(i) for i in range(20)]), tmp_path) == sum(range(20))
    assert max(sizes) == 1


def test_threads_need_none(tmp_path, sizes):
    run(total(*[leaf(i) for i in range(200)]), tmp_path, "local")
    assert max(sizes) == 1


def test_one_failure_takes_only_what_is_below_it(tmp_path):
    nodes = [step(broken(i)).named(f"n{i}") for i in range(300)]
    with pytest.raises(ExceptionGroup) as caught:
        run(nodes, tmp_path, keep_going=True)
    [error] = caught.value.exceptions
    assert isinstance(error, ValueError)
    assert error.args == ("node 57",)
    left = [node for i, node in enumerate(nodes) if i != 57]
    assert dag.plan(left, store=str(tmp_path / "store")).counts["run"] == 0


def test_retries_are_per_node(tmp_path):
    (tmp_path / "marks").mkdir()
    nodes = [flaky(i, str(tmp_path / "marks")) for i in range(200)]
    assert run(nodes, tmp_path) == list(range(200))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_node_that_kills_its_worker_is_named_and_the_others_are_done(tmp_path):
    nodes = [deadly(i).named(f"n{i}") for i in range(300)]
    with pytest.raises(ExceptionGroup) as caught:
        run(nodes, tmp_path, keep_going=True)
    [error] = caught.value.exceptions
    assert isinstance(error, dag.WorkerLostError)
    assert "'n57'" in str(error)
    left = [node for i, node in enumerate(nodes) if i != 57]
    assert dag.plan(left, store=str(tmp_path / "store")).counts["run"] == 0


def test_what_is_kept_and_what_is_a_version_is_as_without_clusters(tmp_path):
    node = leaf(0)
    for k in range(60):
        node = step(node)
        if k % 7 == 0:
            node = node.artifact(f"a{k}")
    run(total(*[leaf(i) for i in range(50)]), tmp_path)
    assert run(node, tmp_path) == 60
    assert [dag.load(f"a{k}", store=str(tmp_path / "store")) for k in range(0, 60, 7)] == list(range(1, 61, 7))


def test_what_no_other_job_asks_for_does_not_leave_the_worker(tmp_path, monkeypatch):
    from dualdag.execution.embedded._processes import _ProcessesSession

    held = []
    take = _ProcessesSession._take

    def look(self, busy, answer):
        take(self, busy, answer)
        held.append(len(self._values))

    monkeypatch.setattr(_ProcessesSession, "_take", look)
    node = leaf(0)
    for _ in range(500):
        node = step(node)
    assert run(node, tmp_path) == 500
    assert max(held) < 10


def test_what_is_recorded_tells_how_large_clusters_are_from_the_first_job_on(tmp_path, sizes):
    run(total(*[leaf(i) for i in range(400)]), tmp_path)
    del sizes[:]
    nodes = [leaf(i) for i in range(400)]
    run(total(*nodes), tmp_path, refresh=nodes)
    # Without it the first four would be single nodes, whose times nothing is known of.
    assert max(sizes[:4]) > 1
