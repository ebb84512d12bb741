"""Laws of plans: the planner against a slow model, the laws themselves, and the laws against a planner gone wrong."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualdag.errors import CorruptObjectError
from dualdag.graph import map_nodes
from property_tests.reference_model import Model, show
from tests.planning.plan_laws import Twins, check_history, check_results
from tests.planning.plan_mutations import MUTATIONS
from tests.planning.plan_runner import steps_of_run
from tests.planning.plan_world import World, draw_history, draw_recipe, happen, histories, refresh_of

NOISY = (2, 3)  # codes of functions that give other values after each "bump" of a history
seeds = st.integers(0, (1 << 32) - 1)


def check_against_model(history, noisy=()):
    """Let a history happen to the planner, carried out simply, and to the model; all must be the same."""
    recipe, rounds = history
    world, model = World(recipe, frozenset(noisy)), Model()
    for events, number in rounds:
        for event in events:
            model.objects -= {show(value) for value in happen(world, event)}
        model.read = {url: text for url, text in model.read.items() if url in world.files.read}
        graph = world.graph()
        if graph is None:
            return
        refresh = refresh_of(world, graph, number)
        contents, now = world.files.contents, world.now.timestamp()
        try:
            plan = world.plan(graph, refresh)
        except CorruptObjectError:
            return
        assert list(map(plan.action, range(len(graph)))) == model.plan(graph, contents, plan.forced, now).actions
        run = world.run(graph, refresh)

        def compute(i, given, graph=graph):
            values = {graph.nodes[j]._key: value for j, value in given.items()}
            node = graph.nodes[i]
            args, named = (map_nodes(part, lambda n: values[n._key]) for part in (node.args, dict(node.kwargs)))
            return world.compute(node, args, named)

        wanted = model.run(graph, contents, plan.forced, now, compute)
        assert list(map(run.plan.action, range(len(graph)))) == wanted.plan.actions
        assert Counter(i for i, _ in run.executed) == Counter(wanted.executed)
        assert run.values == wanted.values
        assert published(world) == {name: [made.digest for made in rows] for name, rows in model.versions.items()}
        assert set(world.store.confirmed) == set(model.confirmed)


def published(world):
    objects = world.objects
    return {name: [show(objects[v.checksum]) for v in rows] for name, rows in world.store.history.items()}


@given(histories)
def test_actions_are_those_of_the_model(history):
    check_against_model(history)


@given(histories)
def test_actions_are_those_of_the_model_for_unstable_tasks(history):
    check_against_model(history, NOISY)


@settings(max_examples=300)
@given(seeds, st.sampled_from(((), NOISY)))
def test_actions_are_those_of_the_model_for_denser_histories(seed, noisy):
    check_against_model(draw_history(random.Random(seed)), noisy)


@given(histories)
def test_the_laws_hold(history):
    check_history(history)


@settings(max_examples=300)
@given(seeds, st.sampled_from(((), NOISY)))
def test_the_laws_hold_for_denser_histories(seed, noisy):
    check_history(draw_history(random.Random(seed)), noisy)


@settings(max_examples=200)
@given(seeds, st.booleans())
def test_two_writers_agree(seed, noisy):
    """Their tasks are deterministic, or kept: then the second takes what the first one made."""
    rng = random.Random(seed)
    recipe = draw_recipe(rng)
    for i, step in enumerate(recipe.steps):
        if step.kind == "call" and step.code in NOISY:
            recipe = recipe.edited(i, options=(("deterministic", False),))
    world = World(recipe, frozenset(NOISY if noisy else ()))
    graph = world.graph()
    if graph is None:
        return
    one, two = interleaved(world, graph, rng)
    assert one.values == two.values
    try:
        check_results(world_of_what_is_in_force(world), graph, two)
    except Twins:
        return
    assert not world.run(graph).executed
    assert world.run(graph).values == one.values


def interleaved(world, graph, rng):
    """Let two writers run, each a step at a time; what is noisy gives each of them something else."""

    def compute(who):
        def computed(*args):
            world.bumps = who
            return world.compute(*args)

        return computed

    writers = {
        who: steps_of_run(graph, world.store, world.objects, world.files, compute(who), now=world.now) for who in (0, 1)
    }
    done = {}
    with world.in_place():
        while writers:
            who = rng.choice(sorted(writers))
            try:
                next(writers[who])
            except StopIteration as end:
                done[who] = end.value
                del writers[who]
    return done[0], done[1]


def world_of_what_is_in_force(world):
    """What a second writer made and threw away is not what was last made."""
    world.store.log = {action: facts[-1].digest for action, facts in world.store.facts.items()}
    return world


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planner_without_one_definition_breaks_a_law(name, monkeypatch):
    MUTATIONS[name](monkeypatch)
    assert any(breaks_a_law(seed, noisy) for seed in range(450) for noisy in ((), NOISY))


def breaks_a_law(seed, noisy):
    try:
        check_history(draw_history(random.Random(seed)), noisy)
    except (AssertionError, KeyError):
        return True
    return False


def test_the_same_histories_break_no_law_of_the_whole_planner():
    assert not any(breaks_a_law(seed, noisy) for seed in range(450) for noisy in ((), NOISY))
