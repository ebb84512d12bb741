"""Whatever fails at any step of what is done to a store, the next process finds all that was recorded.

A sample by default; every point with ``--full``, which prints the table of points tried and survived.
"""

from __future__ import annotations

import os

import pytest

from dualdag.testing._crash_housekeeping import OPERATIONS
from dualdag.testing._crash_places import PLACES, has_s3, s3_place
from dualdag.testing._crashes import sweep, table

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="those who are stopped are forks"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.timeout(0),
]

#: Of each operation, at the most so many crash points and so many with another fault are tried by default.
SAMPLE = {"folder": 3, "folder without hard links": 2, "memory": 2}
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
def test_faults_at_every_step(place, operation, tallies, full):
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
