"""Engines that are installed, and drivers to strike."""

from __future__ import annotations

import importlib.util

import pytest

from tests.faults import rig

#: What each engine needs.
ENGINES = {"processes": "", "dask": "distributed", "ray": "ray"}


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    """Return the name of an engine that is installed."""
    needs = ENGINES[request.param]
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    return request.param


@pytest.fixture
def drivers():
    """Return what starts drivers; they are ended with the test, and what they wrote is shown if it fails."""
    made = []

    def start(*args, **given):
        made.append(rig.Driver(*args, **given))
        return made[-1]

    yield start
    for driver in made:
        print(driver.complaint()[-3000:])
        driver.close()
