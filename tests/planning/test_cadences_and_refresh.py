"""What is pinned, what is due, and what refresh reaches."""

from __future__ import annotations

from datetime import timedelta

import pytest

import dualdag as dag
from dualdag.errors import CorruptObjectError, GraphError
from dualdag.graph import compile_graph
from dualdag.planning import own_part
from tests.planning.test_plan import Bench, add, fetch, half, read


@pytest.fixture
def bench():
    return Bench()


def daily_and_weekly(*, top=0):
    raw = read(dag.file("mem://a")).named("raw")
    daily = half(raw).artifact("daily", cadence="1d")
    return daily, add(daily, top).artifact("weekly", cadence="7d")


def test_what_is_not_due_is_pinned_and_nothing_above_it_is_looked_at(bench):
    bench.run(*daily_and_weekly())
    bench.files.contents.clear()  # not even whether the file is there
    bench.now += timedelta(hours=1)
    assert bench.rows(*daily_and_weekly()) == {
        "daily": ("pinned", "not due until 2026-03-03 08:00 UTC"),
        "weekly": ("pinned", "not due until 2026-03-09 08:00 UTC"),
    }


def test_a_due_artifact_says_since_when(bench):
    bench.run(*daily_and_weekly())
    bench.now += timedelta(days=1)
    assert bench.rows(*daily_and_weekly())["daily"] == ("reuse", "due since 2026-03-03 08:00 UTC; found in the store")


def test_a_pinned_artifact_above_a_reused_one_is_not_listed(bench):
    daily, _ = daily_and_weekly()
    bench.run(add(daily, 1).named("top"))
    assert bench.actions(add(daily, 1).named("top")) == {"top": "reuse"}
    assert bench.actions(add(daily, 2).named("top")) == {"daily": "pinned", "top": "run"}


def test_no_action_look_up_is_needed_while_an_input_is_pinned(bench):
    _, weekly = daily_and_weekly()
    top = add(weekly).named("top")
    bench.run(top)
    bench.now += timedelta(days=2)
    bench.store.asked.clear()
    assert bench.actions(top) == {"top": "reuse"}
    assert [len(keys) for keys in bench.store.asked] == [1]


def test_an_artifact_found_equal_is_confirmed_and_pinned_again(bench):
    bench.run(*daily_and_weekly())
    bench.now += timedelta(days=1)
    bench.run(*daily_and_weekly())
    assert [v.number for v in bench.store.history["daily"]] == [1]
    bench.now += timedelta(hours=23)
    assert bench.actions(*daily_and_weekly())["daily"] == "pinned"


def test_a_user_made_on_the_day_of_a_confirmation_is_found_while_that_is_pinned(bench):
    daily, _ = daily_and_weekly()
    bench.run(daily)
    bench.files.write("mem://a", "11")  # half of it is the same
    bench.now += timedelta(days=1)
    bench.run(add(daily, 7).named("new"))
    bench.store.asked.clear()
    assert bench.actions(add(daily, 7).named("new")) == {"new": "reuse"}
    assert [len(keys) for keys in bench.store.asked] == [1]


def test_a_change_of_the_own_part_makes_it_due_at_once(bench):
    bench.run(*daily_and_weekly())
    rows = bench.rows(*daily_and_weekly(top=1))
    assert rows["daily"][0] == "pinned"
    assert rows["weekly"] == ("run", "its own part changed; never run with this function and these arguments")


def test_an_own_part_that_gave_the_same_bytes_is_pinned_too(bench):
    daily, _ = daily_and_weekly()
    other = half(half(daily.named("x"))).artifact("q", cadence="7d")
    same = half(half(add(daily))).artifact("q", cadence="7d")
    bench.run(other)
    assert bench.rows(same)["q"][1].startswith("its own part changed; ")
    bench.run(same)
    assert len(bench.store.history["q"]) == 1
    assert bench.actions(same) == {"q": "pinned"}


def test_code_above_an_upstream_artifact_is_not_of_the_own_part(bench):
    def weekly(middle):
        return add(middle.artifact("middle", cadence="1h")).artifact("weekly", cadence="7d")

    one, two = weekly(half(1)), weekly(half(half(1)))
    parts = [own_part(graph, graph.targets[0]) for graph in (compile_graph([one]), compile_graph([two]))]
    assert one.key != two.key
    assert parts[0] == parts[1]


def test_the_own_part_follows_urls_and_arguments():
    def part(node):
        graph = compile_graph([node])
        return own_part(graph, graph.targets[0])

    nodes = [
        add(dag.file("mem://a")),
        add(dag.file("mem://b")),
        add(1),
        add(dag.value(1)),
        half(1),
        add(1).after(add(2)),
    ]
    assert len({part(node) for node in nodes}) == len(nodes)
    assert part(add(half(1))) != part(add(half(1).artifact("x")))


def test_a_lost_value_makes_a_pinned_artifact_due(bench):
    bench.run(*daily_and_weekly())
    bench.lose(5)
    assert bench.rows(daily_and_weekly()[0])["daily"][1] == (
        "the value of its last version is gone; its value is gone from the store"
    )


def test_a_damaged_version_makes_it_due(bench):
    bench.run(*daily_and_weekly())
    bench.store.damaged.add("daily")
    assert bench.rows(*daily_and_weekly())["daily"][1].startswith("its last version can't be read; ")


@pytest.mark.parametrize("cadence", ["manual", "frozen"])
def test_what_is_made_by_hand_is_made_once(bench, cadence):
    def node(top):
        return add(read(dag.file("mem://a")), top).artifact("x", cadence=cadence)

    assert bench.actions(node(0))["x"] == "run"
    bench.run(node(0))
    bench.files.write("mem://a", "3")
    bench.now += timedelta(days=1000)
    assert bench.actions(node(1)) == {"x": "pinned"}


@pytest.mark.parametrize(
    ("cadence", "todo"),
    [("manual", r"name it to make it again \(refresh=\['x'\]\), or edit"), ("frozen", "edit its cadence to make")],
)
@pytest.mark.parametrize("how", ["value", "version"])
def test_a_lost_one_made_by_hand_is_not_made_again_unasked(bench, cadence, todo, how):
    node = half(6).artifact("x", cadence=cadence)
    bench.run(node)
    if how == "value":
        bench.lose(3)
    else:
        bench.store.damaged.add("x")
    with pytest.raises(CorruptObjectError, match=rf"artifact 'x' .* is {cadence}, .* lost or damaged: {todo}"):
        bench.plan(node)
    if cadence == "manual":
        assert bench.actions(node, refresh=["x"]) == {"x": "run"}
    assert bench.actions(half(6).artifact("x", cadence="1d"))["x"] in {"run", "reuse"}


def test_a_lost_one_above_a_pinned_artifact_is_no_matter(bench):
    by_hand = half(6).artifact("x", cadence="manual")
    top = add(by_hand).artifact("top", cadence="7d")
    bench.run(add(top, 40).artifact("whole", cadence="7d"))
    bench.store.damaged.add("x")
    assert bench.actions(add(top, 40).artifact("whole", cadence="7d")) == {"whole": "pinned"}


# Refresh.


def test_a_named_node_runs_above_a_pinned_artifact_which_is_checked(bench):
    bench.run(*daily_and_weekly())
    assert bench.rows(*daily_and_weekly(), refresh=["raw"]) == {
        "raw": ("run", "named in refresh"),
        "daily": ("check", "raw, above it, is named in refresh; an input runs first: raw"),
        "weekly": ("check", "raw, above it, is named in refresh; an input is checked first: daily"),
    }


@pytest.mark.parametrize("cadence", ["manual", "frozen"])
def test_what_is_made_by_hand_stays_pinned_below_a_named_node(bench, cadence):
    raw = half(6).named("raw")
    by_hand = half(raw).artifact("x", cadence=cadence)
    below = half(by_hand).artifact("y", cadence="1d")
    bench.run(below)
    assert bench.actions(below, refresh=["raw"]) == {"raw": "run", "y": "pinned"}
    assert [i for i, _ in bench.run(below, refresh=["raw"]).executed] == [0]


def test_the_refreshed_result_stays_in_force(bench):
    target = add(half(fetch(4).named("fetched"))).named("top")
    bench.run(target)
    dag_clock(bench, 2)
    assert bench.run(target).values == {2: 2}
    assert bench.run(target, refresh=["fetched"]).values == {2: 3}
    assert bench.actions(target) == {"top": "reuse"}
    assert bench.run(target).values == {2: 3}


def test_the_refreshed_result_stays_in_force_for_another_way_to_the_same_input(bench):
    def target():
        return add(fetch(half(read(dag.file("mem://a")))).named("fetched")).named("top")

    assert list(bench.run(target()).values.values()) == [5]
    bench.files.write("mem://a", "11")
    assert list(bench.run(target()).values.values()) == [5]
    dag_clock(bench, 2)
    assert list(bench.run(target(), refresh=["fetched"]).values.values()) == [7]
    bench.files.write("mem://a", "10")
    assert list(bench.run(target()).values.values()) == [7]


def test_all_names_what_is_neither_manual_nor_frozen(bench):
    nodes = [half(k).artifact(f"x{k}", cadence=c) for k, c in enumerate((None, "1d", "0 6 * * *", "manual", "frozen"))]
    bench.run(*nodes)
    assert bench.actions(*nodes, refresh=["all"]) == {
        "x0": "run", "x1": "run", "x2": "run", "x3": "pinned", "x4": "pinned",
    }  # fmt: skip
    assert bench.actions(*nodes, refresh="all") == bench.actions(*nodes, refresh=["all"])


def test_refresh_takes_nodes_and_one_name_of_several_nodes(bench):
    one, two = half(1).named("h"), half(2).named("h")
    top = add(one, two).named("top")
    bench.run(top)
    assert bench.plan(top, refresh=["h"]).counts["run"] == 2
    assert bench.plan(top, refresh=[two]).counts["run"] == 1
    assert bench.plan(top, refresh=two).counts["run"] == 1


def test_what_refresh_does_not_find_is_told(bench):
    top = add(half(1).named("revenue")).artifact("profit", cadence="frozen")
    with pytest.raises(GraphError, match=r"refresh names 'revenu', .* Did you mean 'revenue'\?"):
        bench.plan(top, refresh=["revenu"])
    with pytest.raises(GraphError, match=r"'profit' .* is frozen: give it another cadence"):
        bench.plan(top, refresh=["profit"])
    with pytest.raises(GraphError, match="is frozen"):
        bench.plan(top, refresh=[top])
    with pytest.raises(GraphError, match="is not in this graph"):
        bench.plan(top, refresh=[half(99)])
    with pytest.raises(GraphError, match="not a int"):
        bench.plan(top, refresh=[3])
    with pytest.raises(GraphError, match=r"'literal' .* is an input: there is nothing to run"):
        bench.plan(add(dag.value(1, "literal")), refresh=["literal"])


def test_what_was_refreshed_before_a_second_plan_still_unpins(bench):
    from dualdag.planning import FileView, plan_graph

    nodes = daily_and_weekly()
    bench.run(*nodes)
    graph = compile_graph(nodes)
    view = FileView(bench.files)
    view.scan(graph)
    plan = plan_graph(graph, store=bench.store, files=view, refreshed=["raw"], now=bench.now)
    assert plan.counts == {"reuse": 2, "run": 0, "check": 0, "pinned": 0}
    assert plan.forced == set()


def dag_clock(bench, value):
    bench.files.clock = value
