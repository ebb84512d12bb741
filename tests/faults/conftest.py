"""`--full`: all seeds, in place of a sample."""

from __future__ import annotations

import importlib.util

import pytest

from tests.faults import rig

#: What each engine needs.
ENGINES = {"processes": "", "dask": "distributed", "ray": "ray"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="all seeds of the faults")


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    """Return the name of an engine that is installed."""
    needs = ENGINES[request.param]
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    return request.param


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Say whether all seeds are asked for."""
    return bool(request.config.getoption("--full", default=False))


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
