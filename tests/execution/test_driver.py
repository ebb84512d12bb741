"""What a run does besides running: events, journal, versions, keeping, planning again."""

from __future__ import annotations

import json
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import dualdag as dag
from dualdag.execution import get_backend, run_graph
from dualdag.graph import compile_graph
from dualdag.planning import FileView
from dualdag.store import open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dag.task
def add(x, y=1):
    return x + y


@dag.task
def total(values):
    return sum(values)


@dag.task
def fail(x):
    raise ValueError(x)


def run(nodes, store="store", backend="sync", **options):
    events = []
    opened = open_store(str(store))
    try:
        result = run_graph(
            compile_graph(nodes),
            store=opened,
            backend=get_backend(backend, workers=2),
            files=FileView(),
            now=options.pop("now", NOW),
            listeners=[events.append],
            **options,
        )
    finally:
        opened.close()
    return result, events


def kinds(events):
    return [event.kind for event in events]


def test_events_in_order():
    node = add(add(1), 2).named("top")
    result, events = run([node])
    assert kinds(events) == ["run-start", "plan", "start", "done", "start", "done", "run-end"]
    assert events[1].data is result.plan
    assert [event.label for event in events if event.kind == "done"] == ["add", "top"]
    assert all(one.time <= two.time for one, two in zip(events, events[1:], strict=False))
    _, events = run([node])
    assert kinds(events) == ["run-start", "plan", "run-end"]


def test_events_of_failures_retries_and_versions():
    @dag.task(retries=1)
    def twice(x):
        raise OSError("again")

    with pytest.raises(ExceptionGroup):
        run([add(1).artifact("a"), twice(1)], keep_going=True)
    rows = dag.store("store").run(dag.store("store").runs()[0].id)[1]
    told = [(row["kind"], row["label"]) for row in rows]
    for one in [("version", "a"), ("retry", "twice"), ("failed", "twice"), ("done", "a")]:
        assert one in told
    assert [row.status for row in dag.store("store").runs()] == ["failed"]


def test_a_listener_sees_a_check_that_was_found():
    @dag.task
    def parity(x):
        return x % 2

    run([add(parity(3), 10)])
    result, events = run([add(parity(5), 10)])
    assert result.executed == 1
    assert ("reuse", "add") in [(event.kind, event.label) for event in events]


def test_failing_listener_does_not_hang():
    def listener(event):
        raise RuntimeError("listener")

    for backend in ("sync", "local"):
        opened = open_store("store")
        with pytest.raises(RuntimeError, match="listener"):
            run_graph(
                compile_graph([add(1)]),
                store=opened,
                backend=get_backend(backend),
                files=FileView(),
                now=NOW,
                listeners=[listener],
            )
        opened.close()


def test_details_of_a_version(tmp_path):
    (tmp_path / "in.txt").write_text("12")

    @dag.task
    def load(path):
        return int(Path(path).read_text())

    raw = load(dag.file(tmp_path / "in.txt"))
    middle = add(raw, 1).artifact("middle")
    top = total([add(middle, 2), add(middle, 3)]).artifact("top")
    run([top], run_info={"params": {"days": 7}})
    store = open_store("store")
    try:
        one = json.loads(store.get_object(store.version("middle").details))
        two = json.loads(store.get_object(store.version("top").details))
        code = store.code(store.version("middle").code)
    finally:
        store.close()
    assert list(one["inputs"]) == [str(tmp_path / "in.txt")]
    assert len(one["lineage"]) == 1
    assert list(two["inputs"]) == ["middle"]
    assert len(two["lineage"]) == 2
    assert two["params"] == {"days": 7}
    assert [row["label"] for row in two["steps"]] == ["top", "add", "add", "middle"]
    assert two["artifacts"]["middle"]["version"] == 1
    sources = [row.get("source") for row in code["functions"] if row["kind"] == "function"]
    assert any(source and "read_text" in source for source in sources)


def test_rows_say_what_was_done():
    daily = add(1).artifact("daily", "1d")
    below = add(daily, 5).artifact("below")
    result, _ = run([below])
    assert [(r.name, r.action, r.version) for r in result.rows] == [("daily", "run", 1), ("below", "run", 1)]
    result, _ = run([below, daily], now=NOW + timedelta(hours=1))
    assert [(r.name, r.action, r.version) for r in result.rows] == [("daily", "pinned", 1), ("below", "reuse", 1)]


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_a_refresh_reaches_through_pinned_artifacts_though_the_run_plans_again(tmp_path, backend):
    @dag.task(version=1)
    def look(path):
        return int(Path(path).read_text())

    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("10")
    source = look(str(one)).named("source")
    daily = add(source, 100).artifact("daily", "1d")
    moving = look(str(two))
    run([total([daily, add(moving, 0)])], backend=backend)
    one.write_text("2")
    two.write_text("20")
    # `moving` was not kept, and gives another value than the one recorded: the run plans again.
    with pytest.warns(RuntimeWarning, match="another result"):
        result, events = run([total([daily, add(moving, 1000)])], backend=backend, refresh=["source"])
    assert kinds(events).count("plan") == 2
    assert list(result.values.values()) == [102 + 1020]
    assert dag.load("daily", store="store") == 102


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_siblings_agree_though_one_was_found_and_the_other_makes_a_lost_value_again(tmp_path, backend):
    @dag.task(version=1, deterministic=False)
    def draw(path):
        return np.full(5000, int(Path(path).read_text()))

    @dag.task
    def first(drawn, x):
        return int(drawn[0]) + x

    source = tmp_path / "source"
    source.write_text("1")
    drawn = draw(str(source))
    found = first(drawn, 100)
    run([found, total([first(drawn, 0), add(1, 1)])], backend=backend)
    [path] = [path for path in Path("store", "objects").rglob("*") if path.is_file()]
    path.unlink()
    source.write_text("7")
    nodes = [found, total([first(drawn, 0), add(1, 2)])]
    result, events = run(nodes, backend=backend)
    assert "draw" in [event.label for event in events if event.kind == "done"]
    assert list(result.values.values()) == [107, 10]
    assert run(nodes, backend=backend)[0].executed == 0


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
@pytest.mark.parametrize("target_first", [False, True])
def test_a_target_is_kept_though_another_node_ran_its_action(backend, target_first):
    @dag.task
    def first(x):
        return x + 1

    @dag.task
    def other(x):
        return 1 + x

    target, between = add(first(1), 3), add(other(1), 3)
    below = add(between, 7)
    result, _ = run([target, below] if target_first else [below, target], backend=backend)
    assert sorted(result.values.values()) == [5, 12]
    # Where the first was over and let go of before the second was ready, it runs again.
    assert result.executed in (4, 5)
    again, _ = run([target], backend=backend)
    assert again.plan.counts["reuse"] == 1
    assert again.executed == 0


def test_a_due_artifact_that_is_the_same_is_confirmed():
    node = add(1).artifact("daily", "1d")
    run([node])
    _, events = run([node], now=NOW + timedelta(days=2))
    assert "confirmed" in kinds(events)
    assert "version" not in kinds(events)
    result, events = run([node], now=NOW + timedelta(days=2, hours=1))
    assert result.rows[0].action == "pinned"
    assert "confirmed" not in kinds(events)


def test_one_node_with_two_names():
    node = add(1).artifact("one").artifact("two")
    run([node])
    assert dag.load("one", store="store") == dag.load("two", store="store") == 2


def test_versions_are_there_although_a_later_task_failed():
    with pytest.raises(ValueError, match="2"):
        run([fail(add(1).artifact("kept"))])
    assert dag.load("kept", store="store") == 2


def test_warns_of_a_global_that_a_task_changed():
    memory = {}

    @dag.task
    def remember(x):
        memory[x] = True
        return x

    with pytest.warns(RuntimeWarning, match="memory"):
        run([remember(1)])


def test_a_warning_points_at_the_users_line():
    memory = {}

    @dag.task
    def remember(x):
        memory[x] = True
        return x

    node = remember(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run([node])
    assert (caught[0].filename, caught[0].lineno) == (node.site.file, node.site.line)


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, backend):
    path = tmp_path / "in.txt"
    path.write_text("first")

    @dag.task
    def slow_read(name):
        text = Path(name).read_text()
        if text == "first":
            # Another program writes while this one reads.
            Path(name).write_text("second")
        return text

    node = slow_read(dag.file(path))
    result, _ = run([node], backend=backend)
    assert result.values[0 if result.plan.targets == [0] else result.plan.targets[0]] == "second"
    again, _ = run([node], backend=backend)
    assert again.executed == 0
    path.write_text("third")
    result, _ = run([node], backend=backend)
    assert list(result.values.values()) == ["third"]


def test_a_file_that_is_gone_by_the_time_it_is_read(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("text")

    @dag.task
    def remove(name):
        Path(name).unlink(missing_ok=True)
        return 1

    with pytest.raises(dag.StoreError, match=r"in\.txt"):
        run([remove(dag.file(path))])


def test_not_deterministic_wins_over_not_kept():
    @dag.task(deterministic=False, persist=False)
    def stamp(x):
        return time.time_ns()

    node = stamp(1)
    first, _ = run([node])
    second, _ = run([node])
    assert first.values == second.values


def test_back_off_holds_no_worker_and_is_not_busy(tmp_path):
    @dag.task(retries=2)
    def flaky(folder):
        count = len(list(Path(folder).glob("try-*")))
        Path(folder, f"try-{count}").touch()
        if count < 2:
            raise OSError("not yet")
        return count

    cpu = time.process_time()
    result, events = run([flaky(str(tmp_path))])
    assert list(result.values.values()) == [2]
    assert kinds(events).count("retry") == 2
    assert time.process_time() - cpu < 1.0


def test_a_store_that_refuses_records_ends_the_run(monkeypatch):
    from dualdag.store import Store

    def refuse(self, records, aliases=()):
        raise dag.StoreError("disk full")

    monkeypatch.setattr(Store, "put_records", refuse)
    for backend in ("sync", "local"):
        with pytest.raises(dag.StoreError, match="disk full"):
            run([add(1)], backend=backend)


def test_values_of_targets_are_told_apart():
    one, two = total([1, 2]), total((1, 2))
    listed = dag.task(list)((1, 2))
    same = dag.task(lambda x: x)(listed)
    result, _ = run([one, two, listed, same])
    values = list(result.values.values())
    values[-1].append(9)
    assert values[-2] == [1, 2]


def test_blas_threads_are_limited_while_tasks_run_and_put_back():
    pytest.importorskip("numpy")
    from threadpoolctl import threadpool_info

    @dag.task(persist=False, version=1)
    def threads(_):
        from threadpoolctl import threadpool_info

        return max((row["num_threads"] for row in threadpool_info()), default=1)

    before = [row["num_threads"] for row in threadpool_info()]
    found, _ = run([threads(0), threads(1)], backend="local")
    from dualdag.config import cores

    assert all(value <= max(1, cores() // 2) for value in found.values.values())
    assert [row["num_threads"] for row in threadpool_info()] == before


def test_a_run_that_finds_all_it_needs_starts_no_engine():
    class Dear:
        name = "dear"

        def open(self, run):
            raise AssertionError("opened")

        def close(self):
            pass

    node = add(1)
    run([node])
    assert dag.run([node, dag.value(3)], backend=Dear(), store="store", progress="off") == [2, 3]
    with pytest.raises(AssertionError, match="opened"):
        dag.run(add(2), backend=Dear(), store="store", progress="off")


def test_sync_closes_batches_while_a_task_runs():
    @dag.task(persist=True)
    def look(x, store):
        time.sleep(0.3)
        return len(list(Path(store, "batches").rglob("*")))

    first = add(1).options(persist=True)
    nodes = [add(k) for k in range(3)] + [look(0, str(Path("store").absolute()))]
    result, _ = run([first, *nodes])
    assert result.values[result.plan.targets[-1]] >= 1
