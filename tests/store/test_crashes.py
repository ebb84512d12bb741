"""A run that ends at any step of what it does to its store is resumed by the next one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.testing import FaultFS
from dualdag.testing._faults import CRASHED

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@dag.task
def mix(name, marks, values):
    with Path(marks).open("a") as file:
        file.write(f"{name}\n")
    return (sum(values) * 31 + name) % 1_000_003


def graph(marks):
    """Return 20 nodes, each of which takes two before it; the last is an artifact."""
    kept = mix.options(persist=True)
    nodes = [kept(0, marks, [1]), kept(1, marks, [2])]
    for name in range(2, 20):
        nodes.append(kept(name, marks, nodes[-2:]))
    return nodes[-1].artifact("last")


def in_a_child(do):
    """Return the exit status of a fork that does it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            do()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def answer():
    values = [31 % 1_000_003, (2 * 31 + 1) % 1_000_003]
    for name in range(2, 20):
        values.append((sum(values[-2:]) * 31 + name) % 1_000_003)
    return values[-1]


def begun(marks):
    return marks.read_text().split() if marks.exists() else []


def run(folder):
    return dag.run(graph(str(folder / "marks")), backend="sync", store=folder / "store", progress="off")


@pytest.mark.parametrize("fault", ["before", "torn", "after"])
def test_every_step_of_a_run_in_a_folder(fault, tmp_path):
    tried = 0
    for k in range(10_000):
        folder = tmp_path / f"{k}"
        folder.mkdir()

        def first(folder=folder, k=k):
            with FaultFS(at=k, fault=fault) as faults:
                run(folder)
            assert k >= len(faults.steps)

        status = in_a_child(first)
        if status == 0:
            break
        assert status == CRASHED, k
        tried += 1

        def second(folder=folder):
            assert run(folder) == answer()

        assert in_a_child(second) == 0, k
        again = len(begun(folder / "marks")) - 20
        assert again <= 1, (k, again)
    assert tried > 100
