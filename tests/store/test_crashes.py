"""Whatever fails at any step of what is done to a store, the next process finds all that was recorded.

A sample by default; every point with ``--full``, which prints the table of points tried and survived.
"""

from __future__ import annotations

import os

import pytest

from dualdag.store import _leases, open_store
from dualdag.testing import FaultFS
from dualdag.testing._crash_housekeeping import OPERATIONS
from dualdag.testing._crash_places import PLACES, has_s3, s3_place
from dualdag.testing._crashes import apart, sweep, table

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="those who are stopped are forks"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.timeout(0),
]

#: Of each operation, at the most so many crash points and so many with another fault are tried by default.
SAMPLE = {"folder": 3, "folder without hard links": 2}
#: Even the whole has samples there: each point takes seconds.
SAMPLE_OF_S3 = 12


@pytest.fixture(scope="module")
def tallies(request):
    """Return what the tests of this module tried; shown at the end of a full run."""
    found = []
    yield found
    if request.config.getoption("--full", default=False):
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("\n" + table(found))


def hold(operation, place, tallies, **options):
    found = sweep(OPERATIONS[operation], place, **options)
    tallies += found
    failures = [failure for tally in found for failure in tally.failures]
    assert not failures, "\n\n".join(failures)
    assert sum(tally.survived for tally in found)


@pytest.mark.parametrize("operation", list(OPERATIONS))
@pytest.mark.parametrize("place", list(PLACES))
def test_faults_at_every_step(place, operation, tallies, full, monkeypatch):
    if place == "memory":
        # Nobody can tell there that a run has ended, other than by its silence.
        monkeypatch.setattr(_leases, "SECONDS_ELSEWHERE", 3.0)
    hold(operation, PLACES[place], tallies, name=place, sample=None if full else SAMPLE.get(place, 1))


@pytest.fixture(scope="module")
def s3():
    if not has_s3():
        pytest.skip("s3fs and moto are not installed")
    with s3_place() as place:
        yield place


@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_faults_on_s3(operation, s3, tallies, full):
    if not full and operation != "publish a version":
        pytest.skip("part of --full")
    hold(operation, s3, tallies, name="S3 (moto)", sample=SAMPLE_OF_S3 if full else 1)


def test_an_answer_that_never_came_is_looked_for(s3, tmp_path):
    def tried():
        url = s3(tmp_path).url
        with FaultFS() as faults:
            # The self-test comes first.
            open_store(url).put_object(b"first" * 1000)
        last = len([step for step in faults.steps if step.operation == "put if absent"]) - 1
        with FaultFS(at=last, fault="lost answer", only={"put if absent"}) as faults:
            store = open_store(url)
            puts = [store.put_object(bytes([k]) * 10_000) for k in range(last + 2)]
        assert len(faults.steps) > last
        assert open_store(url).has_objects(puts) == set(puts)

    status, _, said = apart(tried, tmp_path / "report")
    assert status == 0, said
