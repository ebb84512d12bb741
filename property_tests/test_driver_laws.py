"""Whole histories through the driver and a store on disk: values, what runs and what is published are the model's."""

from __future__ import annotations

import random
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualdag.errors import CorruptObjectError
from dualdag.execution import get_backend, run_graph
from dualdag.execution._clusters import Clusters
from dualdag.graph import map_nodes
from dualdag.hashing import digest_value
from dualdag.planning import FileView
from dualdag.planning._refresh import forced_positions
from dualdag.store import open_store
from dualdag.testing import _strategies
from dualdag.testing._strategies import recipes
from property_tests.reference_model import Model, show
from tests.planning.plan_world import NAMES, World, draw_history, happen, histories, refresh_of

NOISY = (2, 3)  # codes of functions that give other values after each "bump" of a history
seeds = st.integers(0, (1 << 32) - 1)
# The worlds' functions stay in this process, so these are Dask's schedulers for one process.
BACKENDS = ("sync", "sync", "local", *(("dask://threads", "dask://sync") if find_spec("distributed") else ()))
plain_result = _strategies.result


@pytest.fixture(autouse=True, scope="module")
def files_for_small_values():
    """Let small values be objects too, so that they can get lost."""
    with patch("dualdag.store._objects.SMALL", -1):
        yield


class Disk(World):
    """A world whose files and results lie on disk, and whose graphs the driver runs."""

    def __init__(self, folder, recipe, noisy, backend="sync"):
        super().__init__(recipe, frozenset(noisy), files=DiskFiles(folder))
        self.folder, self.backend = folder, backend
        self.scratch_store = open_store("memory://")
        self.stop_at(-1, None)

    def graph(self):
        with patch("tests.planning.plan_world.FOLDER", self.folder), patch.object(_strategies, "result", self.result):
            return super().graph()

    def stop_at(self, call, error):
        """Let one of the calls from now on raise."""
        self.calls, self.last_call, self.error = count(), call, error

    def result(self, code, spread, nout, *args, **kwargs):
        """Do a step's work, with the noise of this world."""
        if next(self.calls) == self.last_call:
            raise self.error
        value = plain_result(code, spread, nout, *args, **kwargs)
        noise = self.bumps % 3 if code in self.noisy else 0
        value = tuple(v + noise for v in value) if isinstance(value, tuple) else value + noise
        self.objects[show(value)] = value
        return value

    def run(self, graph, refresh=()):
        """Run; return the result, and how often each function was called with the same arguments."""
        ran = Counter()

        def listen(event):
            if event.kind == "done":
                ran[graph.nodes[event.position]._own] += 1

        store = open_store(f"{self.folder}/store")
        try:
            result = run_graph(
                graph,
                store=store,
                backend=get_backend(self.backend, workers=2),
                files=FileView(),
                refresh=refresh,
                now=self.now,
                listeners=[listen],
            )
        finally:
            store.close()
        return result, ran

    def lose(self, values):
        for value in values:
            checksum = self.scratch_store.save(value).checksum.hex()
            for path in Path(self.folder, "store", "objects").rglob(f"*{checksum[4:]}*"):
                path.unlink()

    def published(self):
        """Return the digests of the versions of each artifact, the oldest first."""
        store = open_store(f"{self.folder}/store")
        try:
            names = {row.name for row in store.artifacts()}
            return {name: [row.digest for row in reversed(store.versions(name))] for name in names}
        finally:
            store.close()


class DiskFiles:
    """Files of a world; none is ever known without a read."""

    def __init__(self, folder):
        self.folder, self.read = folder, {}
        self.contents = {f"{folder}/{name}": name for name in NAMES}
        for url, text in self.contents.items():
            Path(url).write_text(text)

    def expand(self, _):
        return sorted(self.contents)

    def write(self, url, text):
        name = Path(url).name
        self.contents[f"{self.folder}/{name}"] = text
        Path(self.folder, name).write_text(text)


def check_against_model(history, noisy=(), backend="sync"):
    recipe, rounds = history
    if noisy:
        # What is noisy may be found again by chance where another node leaves an equal value.
        for i in range(len(recipe.steps)):
            recipe = recipe.edited(i, spread=1 << 30)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), cheap():
        warnings.simplefilter("ignore")
        world, model, lost = Disk(folder, recipe, noisy, backend), Model(), False
        for events, number in rounds:
            for event in events:
                values = happen(world, event)
                model.objects -= set(map(show, values))
                lost |= bool(values)
            graph = world.graph()
            if graph is None:
                return
            refresh = refresh_of(world, graph, number)
            named = forced_positions(graph, refresh)
            model.read = {}
            try:
                result, ran = world.run(graph, refresh)
            except CorruptObjectError:
                return
            wanted = model.run(graph, world.files.contents, named, world.now.timestamp(), computed(graph))
            assert result.values == wanted.values
            published = {
                name: [digest_value(model.values[one.digest]).hex() for one in rows]
                for name, rows in model.versions.items()
            }
            if noisy:
                # A version may be made before a contradiction elsewhere makes the run plan again.
                assert {name: rows[-1] for name, rows in world.published().items()} == {
                    name: rows[-1] for name, rows in published.items()
                }
            else:
                assert world.published() == published
                check_executed(graph, ran, Counter(graph.nodes[i]._own for i in wanted.executed), lost=lost)


def cheap():
    """Let no result be kept for what it cost, which follows how busy the machine is."""
    return patch("dualdag.execution._work.worth_keeping", lambda seconds, nbytes, *, local: False)


def check_executed(graph, ran, needed, *, lost):
    """Nothing runs that the model does not run, but for what the driver could not know or had let go of.

    Of two nodes that do the same, or two lost values that are equal, the model makes one and finds the other.
    """
    assert needed <= ran
    twins = {own for own, count in Counter(node._own for node in graph.nodes).items() if count > 1}
    assert lost or (ran - needed).keys() <= twins


def computed(graph):
    def compute(i, given):
        values = {graph.nodes[j]._key: value for j, value in given.items()}
        node = graph.nodes[i]
        args, named = (map_nodes(part, lambda n: values[n._key]) for part in (node.args, dict(node.kwargs)))
        return node.op.fn(*args, **named)

    return compute


@settings(max_examples=60)
@given(histories)
def test_a_run_does_what_the_model_does(history):
    check_against_model(history)


@settings(max_examples=60)
@given(seeds, st.sampled_from(((), NOISY)), st.sampled_from(BACKENDS), st.booleans())
def test_a_run_does_what_the_model_does_for_denser_histories(seed, noisy, backend, clustered):
    with clusters() if clustered else nullcontext():
        check_against_model(draw_history(random.Random(seed)), noisy, backend)


@contextmanager
def clusters():
    """Let as many nodes as can be share a job, on a backend that would give each its own."""
    price = {"price": 1.0}
    with (
        patch.object(Clusters, "expected", lambda self, i: 1e-6),
        patch.multiple("dualdag.execution.embedded._sync._SyncSession", **price),
        patch.multiple("dualdag.execution.embedded._local._LocalSession", **price),
    ):
        yield


class Failure(Exception):
    """Raised by a step in the middle of a run."""


@settings(max_examples=60)
@given(
    recipes(artifacts=False),
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from((Failure, KeyboardInterrupt)), st.booleans()), max_size=3),
    st.sampled_from(BACKENDS),
)
def test_what_stops_in_the_middle_is_taken_up(recipe, stops, backend):
    with tempfile.TemporaryDirectory() as folder, cheap():
        world = Disk(folder, recipe, (), backend)
        for after, error, persist in stops:
            world.stop_at(after, error)
            world.recipe = replace(
                recipe, steps=tuple(replace(one, options=(("persist", persist),)) for one in recipe.steps)
            )
            with suppress(Failure, KeyboardInterrupt):
                world.run(world.graph())
        world.stop_at(-1, None)
        world.recipe = recipe
        graph = world.graph()
        result, _ = world.run(graph)
        values = world.scratch(graph, {})
        assert result.values == {i: values[i] for i in graph.targets}
        again, ran = world.run(world.graph())
        assert (again.values, ran) == (result.values, Counter())
