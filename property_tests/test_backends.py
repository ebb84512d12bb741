"""The same graph on every backend: equal values, keys, records, versions and exceptions; `sync` is the reference."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdag as dag
from dualdag.testing._strategies import build, evaluate, recipes, write_files
from property_tests.runs import FILES, START, recorded, run
from tests.backends import engines

#: Backend -> how many graphs in a short run: what starts processes or writes files for each job takes longer.
GRAPHS = {
    "local": 40,
    "processes": 25,
    "dask://threads": 40,
    "dask://sync": 40,
    "dask": 15,
    "ray": 15,
    "ray-workflow": 4,
}
NEEDS = {"dask": engines.needs_dask, "ray": engines.needs_ray, "ray-workflow": engines.needs_workflows}
CLUSTERS = {"dask": engines.dask_cluster, "ray": engines.ray_cluster}

pytestmark = [
    pytest.mark.timeout(0),
    *[pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("FutureWarning", "ResourceWarning")],
]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=NEEDS.get(name.partition("://")[0], ())) for name in GRAPHS],
)
def engine(request):
    """The name of a backend, and what ``backend=`` takes for it; each cluster is started once, one at a time."""
    name = request.param
    with CLUSTERS.get(name, lambda: nullcontext(name))() as backend:
        yield name, backend
    dag.shutdown()


def graphs(engine, share=1.0):
    """Return the settings of a test: more graphs with a profile that asks for more."""
    few = max(2, round(GRAPHS[engine[0]] * share))
    return settings(max_examples=few * max(1, settings.default.max_examples // 100))


def test_values_and_records(engine):
    @graphs(engine)
    @given(recipe=recipes(artifacts=False))
    def check(recipe):
        with tempfile.TemporaryDirectory() as folder:
            write_files(folder, FILES)
            known = []
            for backend in ("sync", engine[1]):
                store = f"{folder}/store-{len(known)}"
                values, result, ran = run(build(recipe, folder), store, backend)
                assert values == evaluate(recipe, folder)
                assert all(count == 1 for count in ran.values())
                known.append((recorded(build(whole(recipe), folder), store), result.executed))
            assert known[0] == known[1]
            # What one backend recorded, the other finds.
            _, result, _ = run(build(recipe, folder), f"{folder}/store-1", "sync")
            assert result.executed == 0

    check()


def test_failures_cached_parts_and_days(engine):
    @graphs(engine)
    @given(
        recipe=recipes(failures=True),
        keep_going=st.booleans(),
        hours=st.integers(0, 40),
        part=st.integers(0, 7),
    )
    def check(recipe, keep_going, hours, part):
        with tempfile.TemporaryDirectory() as folder:
            write_files(folder, FILES)
            expected, known = story(recipe, folder, "sync", True, hours, part)
            told, found = story(recipe, folder, engine[1], keep_going, hours, part)
            for one, other in zip(expected, told, strict=True):
                if keep_going or type(one) is list:
                    assert other == one
                else:
                    # Which of several failures comes first follows who was quicker.
                    assert other <= one
                    assert len(other) == 1
            if keep_going or all(type(one) is list for one in expected):
                assert found == known
            else:
                assert found[0].items() <= known[0].items()

    check()


def whole(recipe):
    """Return the recipe with every step asked for."""
    return replace(recipe, targets=tuple(range(len(recipe.steps))))


def story(recipe, folder, backend, keep_going, hours, part):
    """Run a part of a recipe, then what it asks for, then, some hours later, every step.

    Return for each run its values, or the failures as a set; and what is recorded and published after them.
    """
    store = f"{folder}/store-{backend.partition(':')[0]}-{keep_going}"
    later = START + timedelta(hours=hours)
    first = replace(recipe, targets=(part % len(recipe.steps),))
    runs = [(first, START), (recipe, START), (whole(recipe), later)]
    told = [outcome(build(one, folder), store, backend, keep_going, when) for one, when in runs]
    opened = dag.store(store)
    versions = {row.name: [version.digest for version in opened.versions(row.name)] for row in opened.artifacts()}
    return told, (recorded(build(whole(recipe), folder), store, later), versions)


def outcome(nodes, store, backend, keep_going, now):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            return dag.run(
                nodes, backend=backend, store=store, workers=2, keep_going=keep_going, now=now, progress="off"
            )
    except ExceptionGroup as group:
        return {shown(error) for error in group.exceptions}
    except Exception as error:  # noqa: BLE001 - compared with the other backend's
        return {shown(error)}


def shown(error):
    return type(error), error.args, tuple(error.__notes__)
