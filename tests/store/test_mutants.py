"""The tries with faults tell a store that has one of its safeguards taken out from a good one."""

from __future__ import annotations

import os

import pytest

from dualdag.store import open_store
from dualdag.testing._crash_housekeeping import OPERATIONS
from dualdag.testing._crash_places import PLACES
from dualdag.testing._crashes import apart, sweep
from dualdag.testing._faults import FaultFS
from tests.store.mutants import MUTANTS

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="those who are stopped are forks"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.timeout(0),
]


def failures(mutant, report, *, patched):
    """Return how many of the tries fail, in a process of their own."""

    def tries():
        if patched:
            mutant.patch()
        tallies = sweep(OPERATIONS[mutant.operation], PLACES["folder"], faults=mutant.faults, sample=mutant.sample)
        return {"failed": sum(len(tally.failures) for tally in tallies), "tried": sum(t.tried for t in tallies)}

    status, told, said = apart(tries, report, patience=600)
    assert status == 0, said
    assert told["tried"]
    return told["failed"]


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_safeguard_that_is_gone_is_missed(name, tmp_path):
    assert failures(MUTANTS[name], tmp_path / "good", patched=False) == 0
    assert failures(MUTANTS[name], tmp_path / "bad", patched=True) > 0, "the tries did not tell the difference"


def test_durable_stores_sync_before_they_publish(tmp_path):
    with FaultFS() as faults:
        open_store(str(tmp_path / "store"), durable=True).save(b"x" * 10_000)
    steps = faults.steps
    links = [step.number for step in steps if step.operation == "link"]
    assert links
    for k in links:
        before, after = steps[k - 1], steps[k + 1]
        assert (before.operation, after.operation) == ("fsync", "fsync")
        assert os.path.dirname(before.path) == after.path == os.path.dirname(steps[k].path)
