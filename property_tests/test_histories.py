"""Histories of a graph: edits, files, days, lost objects; values are those of a run from scratch."""

from __future__ import annotations

import tempfile
import warnings
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from dualdag.graph import compile_graph
from dualdag.testing._strategies import build, evaluate, recipes, write_files
from property_tests.runs import FILES, START, run


@given(
    recipe=recipes(artifacts=False),
    edits=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.sampled_from((2, 1 << 30))), max_size=5),
    texts=st.lists(st.sampled_from(("zero", "one", "other")), min_size=6, max_size=6),
    backend=st.sampled_from(("sync", "sync", "local")),
)
@settings(max_examples=60)
def test_histories_equal_a_run_from_scratch(recipe, edits, texts, backend):
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/store"
        write_files(folder, FILES)
        for k, (step, code, spread) in enumerate([(0, 0, 2), *edits]):
            if recipe.steps[step % len(recipe.steps)].kind == "call" and k:
                recipe = recipe.edited(step % len(recipe.steps), code=code, spread=spread)
            write_files(folder, {"f1.txt": texts[k]})
            values, result, ran = run(build(recipe, folder), store, backend)
            assert values == evaluate(recipe, folder)
            assert all(count == 1 for count in ran.values())
            allowed = {i for i, action in enumerate(result.plan.actions) if action in (2, 3)}
            assert set(ran) <= allowed
            values, result, _ = run(build(recipe, folder), store, backend)
            assert values == evaluate(recipe, folder)
            assert result.executed == 0


@given(recipe=recipes(), hours=st.lists(st.integers(0, 40), min_size=1, max_size=6), picks=st.randoms())
@settings(max_examples=60)
def test_cadences_and_refresh(recipe, hours, picks):
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/store"
        write_files(folder, FILES)
        now = START
        for hour in hours:
            now += timedelta(hours=hour)
            nodes = build(recipe, folder)
            names = [
                name
                for name, places in compile_graph(nodes).named().items()
                if all(getattr(s.cadence, "kind", "") != "frozen" for i in places
                       for s in compile_graph(nodes).artifacts(i))
            ]  # fmt: skip
            refresh = [name for name in names if picks.random() < 0.3]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                values, _, ran = run(nodes, store, now=now, refresh=refresh)
            assert all(count == 1 for count in ran.values())
            # Nothing was edited, so pinned or not, all must come out as from scratch.
            assert values == evaluate(recipe, folder)
            again, result, _ = run(build(recipe, folder), store, now=now)
            assert again == values
            assert result.executed == 0


@given(
    recipe=recipes(artifacts=False),
    changes=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 3), st.sampled_from((True, False, "auto"))), max_size=6
    ),
    picks=st.randoms(),
    small=st.sampled_from((-1, 60)),
)
@settings(max_examples=60)
def test_lost_and_damaged_objects_are_made_again(recipe, changes, picks, small):
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        patch("dualdag.store._objects.SMALL", small),
    ):
        warnings.simplefilter("ignore")
        store = f"{folder}/store"
        write_files(folder, FILES)
        for step, code, persist in [(0, 0, True), *changes]:
            at = step % len(recipe.steps)
            if recipe.steps[at].kind == "call":
                recipe = recipe.edited(at, code=code, options=(("persist", persist),))
            values, _, _ = run(build(recipe, folder), store)
            assert values == evaluate(recipe, folder)
            for path in sorted(Path(store, "objects").rglob("*")):
                if path.is_file() and picks.random() < 0.4:
                    if picks.random() < 0.5:
                        path.unlink()
                    else:
                        path.chmod(0o644)
                        path.write_bytes(b"damaged")


@given(
    recipe=recipes(artifacts=False), persist=st.lists(st.sampled_from((True, False, "auto")), min_size=8, max_size=8)
)
@settings(max_examples=30)
def test_keeping_changes_no_value(recipe, persist):
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder, FILES)
        for i, step in enumerate(recipe.steps):
            if step.kind == "call":
                recipe = recipe.edited(i, options=(("persist", persist[i]),))
        for _ in range(3):
            values, _, ran = run(build(recipe, folder), f"{folder}/store")
            assert values == evaluate(recipe, folder)
            assert all(count == 1 for count in ran.values())
