from hypothesis import given, settings

from dualdag.errors import CorruptObjectError
from property_tests.reference_model import Model
from tests.planning.plan_world import World, happen, histories, refresh_of


def against_model(recipe, rounds, noisy):
    world = World(recipe, frozenset(noisy))
    model = Model()
    for events, refresh in rounds:
        for event in events:
            lost = happen(world, event)
            model.objects -= {repr(v) for v in lost}
        for url in list(model.read):
            if url not in world.files.read:
                del model.read[url]
        graph = world.graph()
        if graph is None:
            return
        named = refresh_of(world, graph, refresh)
        now = world.now.timestamp()
        try:
            plan = world.plan(graph, named)
        except CorruptObjectError:
            return
        expected = model.plan(graph, world.files.contents, plan.forced, now)
        assert [plan.action(i) for i in range(len(graph))] == expected.actions
        done = world.run(graph, named)

        def compute(i, given):
            from dualdag.graph import map_nodes

            by = {graph.nodes[j]._key: v for j, v in given.items()}
            node = graph.nodes[i]
            return world.compute(
                node, map_nodes(node.args, lambda n: by[n._key]), map_nodes(dict(node.kwargs), lambda n: by[n._key])
            )

        wanted = model.run(graph, world.files.contents, plan.forced, now, compute)
        assert [done.plan.action(i) for i in range(len(graph))] == wanted.plan.actions
        assert done.values == wanted.values
        assert sorted(i for i, _ in done.executed) == sorted(wanted.executed)


@settings(deadline=None, max_examples=6000)
@given(histories)
def test_det(history):
    recipe, rounds = history
    against_model(recipe, rounds, ())


@settings(deadline=None, max_examples=6000)
@given(histories)
def test_noisy(history):
    recipe, rounds = history
    against_model(recipe, rounds, (2, 3))
