"""The laws of plans, checked over one history."""

from __future__ import annotations

from dualdag.errors import CorruptObjectError
from dualdag.hashing import action_key
from dualdag.planning._demand import Why
from tests.planning.plan_runner import digest_of, part_of
from tests.planning.plan_world import World, happen, refresh_of

REUSE, RUN, CHECK, PINNED = 1, 2, 3, 4


class Twins(Exception):
    """Two nodes do the same to equal bytes: naming one of them in refresh is about both, from the next run on."""


def check_history(history, noisy=(), *, interrupt=True):
    """Let a history happen; after each run, check every law.

    Raises AssertionError for the first law that does not hold.
    """
    recipe, rounds = history
    world = World(recipe, frozenset(noisy))
    for events, number in rounds:
        for event in events:
            happen(world, event)
        graph = world.graph()
        if graph is None:
            return
        refresh = refresh_of(world, graph, number)
        try:
            for stop in range(number // 12 if interrupt else 0):
                world.interrupted(graph, refresh, (number + 5 * stop) % 8)
            check_round(world, graph, refresh)
        except CorruptObjectError:
            check_lost_by_hand(world, graph)
            return
        except Twins:
            return


def check_round(world, graph, refresh):
    """Plan, run, and run again; hold all three to the laws."""
    frozen = world.store.snapshot()
    marked = set(world.store.marked)
    asked = world.plan(graph, refresh)
    assert world.store.snapshot() == frozen, "planning wrote"
    check_pins(graph, asked, world.store)
    check_own_parts(graph, asked, world.store)
    check_never_run(graph, asked, world.store)
    had = world.store.all_actions()
    run = world.run(graph, refresh)
    plan = run.plan
    executed = {i for i, _ in run.executed}
    listed = {i for i, action in enumerate(asked.actions) if action in {RUN, CHECK}}
    if not run.warned:
        assert executed <= listed, "what is executed was neither to run nor to check"
    done = {action for _, action in run.executed}
    assert all(i in executed or run.actions.get(i) in done for i in asked.forced), "a refresh did not run"
    for i in run.warned:
        sure = any(i in plan.recipes and plan.actions[i] == RUN for plan in run.plans)
        unstable = graph.nodes[i]._op.prefix in marked or not graph.option(i, "deterministic")
        assert not (sure and unstable), "an unstable task was not expected"
    check_needless(graph, run, had)
    check_certain(run, world.store.objects)
    digests = check_results(world, graph, run)
    check_published(world, graph, plan, digests)
    check_again(world, graph, run)


def check_needless(graph, run, had):
    """No action key runs twice, but for refresh, and for a lost value that a run or the caller wants."""
    if run.warned:
        return
    actions = [action for i, action in run.executed if i not in run.plan.forced | run.plan.renewed]
    assert len(actions) == len(set(actions)), "an action key ran twice in one run"
    users = graph.consumers()
    for i, action in run.executed:
        if action in had and i not in run.plan.forced | run.plan.renewed:
            wanted = (
                i in run.plan.roots
                or i in graph.targets
                or any(
                    (user in run.tried or run.plan.actions[user] == RUN) and i in _values_of(graph, user)
                    for user in users[i]
                )
            )
            assert wanted, "a result that is recorded was made again for nobody"
            assert i in run.absent, "a result that is there was made again"


def check_certain(run, there):
    """What is to run does run, unless an equal one ran and left its value."""
    done = {action for _, action in run.executed}
    executed = {i for i, _ in run.executed}
    for i, action in enumerate(run.plan.actions):
        recipe = run.plan.recipes.get(i)
        if action == RUN and i not in executed and (recipe is None or recipe.checksum not in there):
            assert run.actions.get(i) in done, f"{run.plan.reason(i)}, and yet it did not run"


def check_pins(graph, plan, store):
    """Nothing is pinned below what refresh names, but behind the manual and the frozen."""
    held = {
        i
        for i in range(len(graph))
        for spec in graph.artifacts(i)
        if spec.cadence.kind in {"manual", "frozen"} and store.latest(spec.name) is not None
    } - plan.forced
    below = set()
    for i, inputs in enumerate(graph.inputs):
        if any(j in plan.forced or (j in below and j not in held) for j in inputs):
            below.add(i)
    assert not {i for i in plan.pins if i in below and i not in held}, "pinned below what refresh names"


def check_own_parts(graph, plan, store):
    """An artifact is due for its own part if, and only if, code or arguments down to artifacts changed."""
    for name, why in plan.due.items():
        place = graph.named()[name][0]
        kind = graph.artifacts(place)[0].cadence.kind
        if kind in {"interval", "cron"} and name in store.parts:
            changed = store.parts[name] != part_of(graph, place)
            assert not (changed and is_pinned(plan, name)), f"{name} is pinned though its own part changed"
            assert changed or "own part" not in why, f"{name}: {why}, it says"


def check_never_run(graph, plan, store):
    """What was never run with its function and arguments is to run, not to check, if its digest is wanted."""
    recorded = {record.own for facts in store.facts.values() for record in facts}
    for i, why in enumerate(plan.why):
        if why == Why.UNKNOWN:
            assert graph.nodes[i]._own in recorded, "to check, though it never ran with these arguments"


def check_results(world, graph, run):
    """Results are what the last fact of each action key says, from the inputs down, under the pins."""
    plan = run.plan
    pins = {graph.named()[name][0]: world.store.latest(name) for name in plan.due if is_pinned(plan, name)}
    digests, actions = {}, []
    for i, node in enumerate(graph.nodes):
        if i in pins:
            digests[i] = pins[i].digest
        elif node.op.kind != "call":
            digests[i] = plan.digest(i)
        elif all(digests.get(j) for j in graph.inputs[i]):
            actions.append(action_key(node._own, [digests[j] for j in graph.inputs[i]]))
            digests[i] = world.store.log.get(actions[-1])
    if world.noisy and len(set(actions)) < len(actions):
        raise Twins
    for i in graph.targets:
        if graph.nodes[i].op.kind == "call":
            assert digest_of(run.values[i]) == digests.get(i), "a result is not what was last made of its inputs"
    if not world.noisy:
        values = world.scratch(graph, {i: world.objects[version.checksum] for i, version in pins.items()})
        assert run.values == {i: values[i] for i in graph.targets}, "a result differs from plain evaluation"
    return digests


def check_published(world, graph, plan, digests):
    """Every artifact down to the pinned ones has a version whose value is there."""
    reached = set(graph.targets)
    for i in range(len(graph) - 1, -1, -1):
        specs = graph.artifacts(i)
        if i not in reached or (specs and is_pinned(plan, specs[0].name)):
            continue
        reached.update(graph.inputs[i])
        for spec in specs:
            version = world.store.latest(spec.name)
            assert version is not None, "an artifact has no version"
            assert version.digest == digests[i], "an artifact's last version is not what it is now"
            assert version.checksum in world.store.objects, "an artifact's value was not kept"


def check_again(world, graph, run):
    """An unchanged second run executes nothing and looks up nothing but the targets, by trace key."""
    world.store.asked.clear()
    plan = world.plan(graph)
    assert plan.counts["run"] == plan.counts["check"] == 0, f"a second run would run something: {plan}"
    assert sum(map(len, world.store.asked)) <= len(plan.roots), "a second plan looks up more than its targets"
    for name, why in plan.due.items():
        cadence = graph.artifacts(graph.named()[name][0])[0].cadence
        assert cadence.kind == "change" or is_pinned(plan, name), f"{name} is due again at once: {why}"
    again = world.run(graph)
    assert not again.executed
    assert again.values == run.values, "a second run gives something else"


def is_pinned(plan, name):
    return plan.due[name].startswith(("not due", "manual:", "frozen until"))


def check_lost_by_hand(world, graph):
    """Only the lost value of a manual or frozen artifact stops a plan."""
    lost = [
        spec.name
        for i in range(len(graph))
        for spec in graph.artifacts(i)
        if spec.cadence.kind in {"manual", "frozen"}
        and (version := world.store.latest(spec.name)) is not None
        and version.checksum not in world.store.objects
    ]
    assert lost, "a plan was refused though nothing of a manual or frozen artifact is lost"


def _values_of(graph, user):
    inputs = graph.inputs[user]
    return inputs[: len(inputs) - graph.extra(user).after]
