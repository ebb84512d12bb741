"""What a plan says about each node, and how it shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

import dualdag as dag
from dualdag.errors import GraphError
from dualdag.graph import compile_graph
from dualdag.planning import FileView, plan_graph
from tests.planning.memory_store import MemoryStore
from tests.planning.plan_runner import Files, checksum_of, run

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@dag.task
def read(path):
    return int(_files.contents[path])


@dag.task
def half(n):
    return n // 2


@dag.task
def add(*numbers):
    return sum(numbers)


@dag.task(deterministic=False)
def fetch(n):
    return n + _files.clock


_files: Files = Files({})


class Bench:
    """A store in memory, files in memory, and a clock."""

    def __init__(self):
        global _files
        self.files = _files = Files({"mem://a": "10", "mem://b": "20"})
        _files.clock = 0
        self.store, self.objects, self.now = MemoryStore(), {}, NOW

    def plan(self, *targets, refresh=()):
        graph = compile_graph(targets)
        view = FileView(self.files)
        view.scan(graph)
        return plan_graph(graph, store=self.store, files=view, refresh=refresh, now=self.now)

    def rows(self, *targets, refresh=()):
        return {row.name: (row.action, row.reason) for row in self.plan(*targets, refresh=refresh).nodes}

    def actions(self, *targets, refresh=()):
        return {name: action for name, (action, _) in self.rows(*targets, refresh=refresh).items()}

    def run(self, *targets, refresh=()):
        def compute(node, args, kwargs):
            return node.fn(*args, **kwargs)

        graph = compile_graph(targets)
        return run(graph, self.store, self.objects, self.files, compute, now=self.now, refresh=refresh)

    def lose(self, *values):
        self.store.objects -= {checksum_of(value) for value in values}


@pytest.fixture
def bench():
    return Bench()


def pipeline():
    a = read(dag.file("mem://a")).named("a")
    b = read(dag.file("mem://b")).named("b")
    return add(half(a).named("half"), b).named("sum")


def test_all_of_a_new_graph_is_to_run(bench):
    never = ("run", "never run with this function and these arguments")
    assert bench.rows(pipeline()) == dict.fromkeys(("a", "half", "b", "sum"), never)


def test_nothing_above_a_result_is_listed(bench):
    bench.run(pipeline())
    assert bench.rows(pipeline()) == {"sum": ("reuse", "found in the store")}


def test_inputs_are_neither_listed_nor_counted(bench):
    literal = dag.value(3)
    plan = bench.plan(add(literal, dag.file("mem://a")).named("sum"), literal)
    assert [row.name for row in plan.nodes] == ["sum"]
    assert plan.counts == {"reuse": 0, "run": 1, "check": 0, "pinned": 0}


def test_below_an_unread_file_all_is_checked(bench):
    bench.run(pipeline())
    bench.files.write("mem://a", "10")
    assert bench.rows(pipeline()) == {
        "a": ("check", "its file mem://a was not read yet"),
        "half": ("check", "an input is checked first: a"),
        "b": ("check", "its value was not kept; runs only if sum runs"),
        "sum": ("check", "an input is checked first: half"),
    }


def test_a_touched_file_with_the_same_bytes_costs_one_look_up_a_target(bench):
    bench.run(pipeline())
    bench.files.write("mem://a", "10")
    bench.files.digest("mem://a")
    bench.store.lookups.clear()
    assert bench.actions(pipeline()) == {"sum": "reuse"}
    assert bench.store.lookups == {"records": 1, "superseded": 1, "unstable": 1}


def test_a_changed_file_runs_what_reads_it_and_checks_the_rest(bench):
    bench.run(pipeline())
    bench.files.write("mem://a", "11")
    bench.files.digest("mem://a")
    assert bench.rows(pipeline()) == {
        "a": ("run", "never run with these values of its inputs"),
        "half": ("check", "an input runs first: a"),
        "b": ("check", "its value was not kept; runs only if sum runs"),
        "sum": ("check", "an input is checked first: half"),
    }
    assert [i for i, _ in bench.run(pipeline()).executed] == [1, 2]  # half of 11 is that of 10


def test_a_kept_sibling_is_reused_where_another_is_checked(bench):
    target = add(read(dag.file("mem://a")).named("a"), read(dag.file("mem://b")).named("b").options(persist=True))
    bench.run(target)
    bench.files.write("mem://a", "11")
    assert bench.actions(target)["b"] == "reuse"


def test_a_value_that_a_run_needs_is_made_again(bench):
    a = read(dag.file("mem://a")).named("a")
    bench.run(half(a))
    rows = bench.rows(add(a, 1).named("more"))
    assert rows["a"] == ("run", "its value is needed by more and was not kept")


def test_a_digest_is_enough_for_a_result_found_by_its_inputs(bench):
    a, other = read(dag.file("mem://a")).named("a"), dag.file("mem://b")
    bench.run(half(a).named("half"))
    # Another way to the same bytes: its trace key is new, its action key is not.
    bench.files.write("mem://b", "010")
    assert bench.run(read(other)).values
    assert bench.rows(half(read(other)).named("other half")) == {
        "other half": ("reuse", "found in the store for the same values of its inputs")
    }


def test_what_only_runs_before_is_not_wanted_by_value(bench):
    first = read(dag.file("mem://a")).named("first")
    bench.run(first.artifact("kept"))
    bench.lose(10)
    second = read(dag.file("mem://b")).after(first).named("second")
    assert bench.actions(second) == {"first": "reuse", "second": "run"}


def test_a_lost_target_is_made_again_from_what_is_needed_only(bench):
    bench.run(pipeline())
    bench.lose(25)
    rows = bench.rows(pipeline())
    assert rows["sum"] == ("run", "its value is asked for and was not kept")
    assert rows["half"] == ("run", "its value is needed by sum and was not kept")
    assert bench.run(pipeline()).values == {5: 25}


def test_an_unstable_task_without_its_value_hides_all_below_it(bench):
    target = half(fetch(1).named("fetched")).artifact("low")
    bench.run(target)
    bench.lose(1)
    more = add(fetch(1), 5).named("more")
    assert bench.rows(more, target) == {
        "fetched": ("run", "its value is needed by more and was not kept"),
        "low": ("check", "an input runs first: fetched"),
        "more": ("run", "never run with this function and these arguments"),
    }


def test_artifacts_on_the_way_are_asked_for_too(bench):
    middle = half(read(dag.file("mem://a")))
    bench.run(add(middle))
    rows = bench.rows(add(middle.artifact("middle")).named("top"))
    assert rows["middle"] == ("run", "its value is gone from the store")
    assert rows["top"][0] == "reuse"


def test_two_names_of_one_node_are_planned_as_one(bench):
    node = half(read(dag.file("mem://a")))
    plan = bench.plan(node.artifact("x"), node.artifact("y"))
    assert plan.counts["run"] == 2
    assert set(plan.due) == {"x", "y"}


def test_a_clock_without_a_zone_is_refused(bench):
    bench.now = datetime(2026, 3, 2)  # noqa: DTZ001
    with pytest.raises(GraphError, match="has no time zone"):
        bench.plan(pipeline())


def test_an_input_can_be_no_artifact(bench):
    with pytest.raises(GraphError, match=r"artifact 'x' .* is an input, not a result"):
        bench.plan(dag.file("mem://a").artifact("x"))


def test_planning_writes_nothing_and_is_repeatable(bench):
    bench.run(pipeline().artifact("s", cadence="1d"))
    before = bench.store.snapshot()
    bench.now += timedelta(days=2)
    one, two = bench.plan(pipeline().artifact("s", cadence="1d")), bench.plan(pipeline().artifact("s", cadence="1d"))
    assert str(one) == str(two)
    assert bench.store.snapshot() == before


# How it shows.


def test_a_plan_prints_as_a_table(bench):
    bench.run(pipeline())
    bench.files.write("mem://a", "12")
    assert str(bench.plan(pipeline())).splitlines() == [
        "node  action  reason",
        "----  ------  ---------------------------------------------",
        "a     check   its file mem://a was not read yet",
        "half  check   an input is checked first: a",
        "b     check   its value was not kept; runs only if sum runs",
        "sum   check   an input is checked first: half",
        "reuse 0, run 0, check 4, pinned 0",
    ]


def test_a_long_plan_is_cut_in_the_middle(bench):
    plan = bench.plan(*[half(k).named(f"n{k}") for k in range(100)])
    lines = str(plan).splitlines()
    assert len(lines) == 44
    assert lines[22] == "... 60 more ..."
    assert len(plan.table(None).splitlines()) == 103
    assert plan.table(3).splitlines()[2:] == [
        "n0    run     never run with this function and these arguments",
        "n1    run     never run with this function and these arguments",
        "... 97 more ...",
        "n99   run     never run with this function and these arguments",
        "reuse 0, run 100, check 0, pinned 0",
    ]


def test_a_plan_is_ready_for_json(bench):
    plan = bench.plan(half(1).named("x"))
    told = json.loads(json.dumps(plan.to_dict()))
    assert told["counts"] == {"reuse": 0, "run": 1, "check": 0, "pinned": 0}
    assert told["nodes"] == [
        {
            "key": plan.nodes[0].node.key,
            "name": "x",
            "action": "run",
            "reason": "never run with this function and these arguments",
        }
    ]


def test_rows_are_a_sequence(bench):
    plan = bench.plan(pipeline())
    assert len(plan) == len(plan.nodes) == 4
    assert plan.nodes[-1].name == "sum"
    assert [row.name for row in plan.nodes[:2]] == [row.name for row in plan.nodes][:2]
    assert repr(plan) == "<Plan reuse 0, run 4, check 0, pinned 0>"
    assert repr(plan.nodes) == "<4 rows of a plan>"


def test_known_digests_are_told(bench):
    bench.run(pipeline())
    bench.files.write("mem://b", "21")
    plan = bench.plan(pipeline())
    told = {plan.graph.label(i): plan.digest(i) is not None for i in range(len(plan.graph))}
    assert told == {"mem://a": True, "a": True, "half": True, "mem://b": False, "b": False, "sum": False}


def test_a_chain_of_100_000_costs_few_look_ups(bench):
    node = read(dag.file("mem://a"))
    for _ in range(100_000):
        node = half(node)
    graph = compile_graph([node])
    view = FileView(bench.files)
    view.scan(graph)
    plan = plan_graph(graph, store=bench.store, files=view, now=NOW)
    assert plan.counts["run"] == 100_001
    # As if all had been recorded, under other keys: each has to be looked up, in few batches.
    bench.store.durations = lambda owns: dict.fromkeys(owns, 0.0)
    bench.files.digest("mem://a")
    view.scan(graph)
    assert plan_graph(graph, store=bench.store, files=view, now=NOW).counts["check"] == 100_000
    assert len(bench.store.asked) < 50
