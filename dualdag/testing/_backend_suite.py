"""`BackendSuite`: what every backend must do, dualdag's own and a stranger's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.execution import get_backend, run_graph
from dualdag.graph import compile_graph
from dualdag.planning import FileView
from dualdag.store import open_store

__all__ = ["BackendSuite"]

_TASKS = Path(__file__).with_name("_backend_tasks.py")


class BackendSuite:
    """Tests that a backend's own suite inherits.

    Attributes
    ----------
    backend : str or object
        What ``backend=`` takes.
    kills : bool
        Whether tasks run in processes of their own, which may die.
    stops : bool
        Whether a task that takes too long is ended (a thread can't be).
    long : bool
        Whether graphs of 100,000 nodes are run too, which takes seconds to minutes.
    workers : int
        How many workers the backend is given.

    Examples
    --------
    >>> class TestMine(BackendSuite):
    ...     backend = "mine://cluster"
    """

    backend: Any = "sync"
    kills = False
    stops = False
    long = False
    workers = 2

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Give each test a store, a folder for marks, and the tasks as a project of its own."""
        self.folder = str(tmp_path / "marks")
        Path(self.folder).mkdir()
        self.store = self.make_store(tmp_path)
        project = tmp_path / "project"
        project.mkdir()
        shutil.copy(_TASKS, project / "backend_tasks.py")
        monkeypatch.syspath_prepend(str(project))
        spec = importlib.util.spec_from_file_location("backend_tasks", project / "backend_tasks.py")
        assert spec is not None
        assert spec.loader is not None
        self.tasks: Any = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "backend_tasks", self.tasks)
        spec.loader.exec_module(self.tasks)
        yield
        for warning in self.after():
            raise AssertionError(warning)

    def make_store(self, folder: Path) -> str:
        """Return the URL of a new store; for a backend that needs another kind than a folder."""
        return str(folder / "store")

    def after(self) -> list[str]:
        """Return what is left over after a test; for a backend that can tell."""
        return []

    def run(self, x: Any, **options: Any) -> Any:
        """Run on the backend under test."""
        options.setdefault("store", self.store)
        options.setdefault("workers", self.workers)
        return dag.run(x, backend=self.backend, progress="off", **options)

    def executed(self, x: Any, **options: Any) -> int:
        """Run, and return how many nodes ran."""
        count: int = self.result(x, **options).executed
        return count

    def result(self, x: Any, *, now: datetime | None = None, refresh: tuple[str, ...] = ()) -> Any:
        """Run, and return all that is known of it."""
        graph = compile_graph(dag.graph.nodes_in(x) if not isinstance(x, dag.Node) else [x])
        backend = get_backend(self.backend, workers=self.workers)
        store = open_store(self.store)
        try:
            when = now or datetime.now(UTC)
            return run_graph(graph, store=store, backend=backend, files=FileView(), refresh=refresh, now=when)
        finally:
            store.close()

    def marks(self, name: str) -> int:
        """Return how often tasks left a mark."""
        return len(list(Path(self.folder).glob(f"{name}-*")))

    # Values.

    def test_plain_values(self) -> None:
        t = self.tasks
        assert self.run(t.add(1, 2)) == 3
        values: list[Any] = [None, 0, "", (), [], {}, (1,), b"", float("inf"), {"a": (1, [2])}, {1, 2}]
        for value in values:
            got = self.run(t.same(value))
            assert got == value
            assert type(got) is type(value)

    def test_same_container_comes_back(self) -> None:
        t = self.tasks
        one, two = t.add(1, 1), t.add(2, 2)
        assert self.run({"a": [one, (two, 5)], "b": one}) == {"a": [2, (4, 5)], "b": 2}

    def test_nodes_in_containers(self) -> None:
        t = self.tasks
        one, two = t.add(0, 1), t.add(0, 2)
        assert self.run(t.total([one, two, 10])) == 13
        assert self.run(t.total((one, two))) == 3
        assert self.run(t.total({one, two})) == 3
        assert self.run(t.listed({"k": one, "n": {"m": [two]}})) == [[{"k": 1, "n": {"m": [2]}}], {}]

    def test_nodes_in_fields(self) -> None:
        t = self.tasks
        assert self.run(t.pair_sum(t.Pair(t.add(0, 1), t.add(0, 2)))) == 3
        assert self.run(t.pair_sum(t.make_pair(t.add(3, 4), 5))) == 12

    def test_keywords_and_defaults(self) -> None:
        t = self.tasks
        assert self.run(t.listed(1, t.add(1, 1), b=t.add(2, 2), a="x")) == [[1, 2], {"a": "x", "b": 4}]
        assert self.run(t.add(t.add(1))) == 3
        assert self.run(t.add(y=t.add(1), x=5)) == 7

    def test_diamond_runs_once(self) -> None:
        t = self.tasks
        top = t.counted(self.folder, "top", 1)
        left, right = t.add(top, 1), t.add(top, 2)
        assert self.run(t.total([left, right, top, top])) == 7
        assert self.marks("top") == 1

    def test_nout(self) -> None:
        t = self.tasks
        one, two, three = t.three(5)
        assert self.run([three, one, two]) == [7, 5, 6]
        assert self.run(t.three(5)) == (5, 6, 7)

    @pytest.mark.parametrize("kind", ["three", "dict", "text", "generator"])
    def test_nout_is_strict(self, kind: str) -> None:
        with pytest.raises((dag.GraphError, dag.CodecError), match="wrong_count"):
            self.run(self.tasks.wrong_count(kind))

    def test_item_of_a_node(self) -> None:
        t = self.tasks
        assert self.run(t.same({"k": [1, 2]})["k"][1]) == 2

    def test_after(self) -> None:
        t = self.tasks
        first = t.counted(self.folder, "first", 1)
        second = t.nth(self.folder, "first").after(first)
        assert self.run(second) == 2

    def test_values_and_literals(self) -> None:
        t = self.tasks
        literal = dag.value([1, 2, 3])
        assert self.run([t.total(literal), literal]) == [6, [1, 2, 3]]
        self.run(literal).append(4)
        assert self.run(literal) == [1, 2, 3]

    def test_frames_and_arrays(self) -> None:
        pytest.importorskip("pandas")
        t = self.tasks
        frame = self.run(t.make_frame(4))
        assert list(frame.columns) == ["x", "y", "z"]
        assert frame["y"].sum() == 6.0
        assert self.run(t.array_sum(t.make_array(10))) == 45.0

    def test_large_values(self) -> None:
        pytest.importorskip("numpy")
        t = self.tasks
        array = t.make_array(2_500_000)  # 20 MB
        kept = t.same(array).options(persist=True)
        loose = t.same(array).options(persist=False)
        expected = 2_500_000 * 2_499_999 / 2
        assert self.run([t.array_sum(array), t.array_sum(kept), t.array_sum(loose)]) == [expected] * 3
        assert self.run(t.same("x" * 300_000)) == "x" * 300_000

    def test_closures_lambdas_and_builtins(self) -> None:
        t = self.tasks
        assert self.run(t.closure(10)) == 11
        assert self.run(dag.task(len)([1, 2, 3])) == 3
        assert self.run(dag.task(str.upper)("a")) == "A"

    # Failures.

    def fails(self, x: Any, kind: type[BaseException], **options: Any) -> Any:
        """Run, and return the exception; it is of just that class."""
        with pytest.raises(kind) as caught:
            self.run(x, **options)
        assert type(caught.value) is kind
        return caught.value

    def test_exceptions_come_as_they_are(self) -> None:
        t = self.tasks
        error = self.fails(t.fail("bad"), ValueError)
        assert error.args == ("bad", 7)
        error = self.fails(t.fail_two_part(4), t.TwoPartError)
        assert (error.code, error.reason, str(error)) == (4, "because", "4: because")
        error = self.fails(t.fail_keyword("luck"), t.KeywordError)
        assert (error.what, str(error)) == ("luck", "no luck")

    def test_cause_and_notes(self) -> None:
        error = self.fails(self.tasks.fail_with_cause(1), RuntimeError)
        assert type(error.__cause__) is ZeroDivisionError
        assert "a note of the task" in error.__notes__

    def test_groups(self) -> None:
        error = self.fails(self.tasks.fail_group(3), ExceptionGroup)
        assert [type(e) for e in error.exceptions] == [ValueError, KeyError]
        assert error.exceptions[0].args == (3,)

    def test_builtin_exceptions(self) -> None:
        t = self.tasks
        assert self.fails(t.fail_builtin("stop"), StopIteration).value == 5
        assert self.fails(t.fail_builtin("os"), FileNotFoundError).filename == "/no/such/file/at/all"
        assert self.fails(t.fail_builtin("unicode"), UnicodeDecodeError).start == 0
        assert self.fails(t.fail_builtin("nothing"), KeyError).args == ("nothing",)
        assert self.fails(t.fail_builtin("base"), t.ProjectStopError).args == (1, 2)
        assert self.fails(t.fail_builtin("exit"), SystemExit).code == 3
        self.fails(t.deep(0), RecursionError)

    def test_note_names_node_and_line(self) -> None:
        node, line = self.tasks.failing_node("here")
        error = self.fails(node.named("the one"), ValueError)
        note = "\n".join(error.__notes__)
        assert "'the one'" in note
        assert f"backend_tasks.py:{line - 1}" in note or f"backend_tasks.py:{line}" in note

    def test_traceback_shows_the_task(self) -> None:
        error = self.fails(self.tasks.fail_with_cause(1), RuntimeError)
        frames = traceback.extract_tb(error.__traceback__)
        assert frames[-1].name == "fail_with_cause"
        assert frames[-1].filename.endswith("backend_tasks.py")
        assert not any("_work.py" in frame.filename or "_worker.py" in frame.filename for frame in frames)

    def test_first_failure_stops(self) -> None:
        t = self.tasks
        bad = t.fail("bad")
        below = t.counted(self.folder, "below", bad)
        self.fails(t.listed(below), ValueError)
        assert self.marks("below") == 0

    def test_what_was_done_is_kept(self) -> None:
        t = self.tasks
        good = t.counted(self.folder, "good", 5).options(persist=True)
        self.fails(t.fail("bad", good), ValueError)
        assert self.run(good) == 5
        assert self.marks("good") == 1

    def test_keep_going(self) -> None:
        t = self.tasks
        bad, worse = t.fail("bad"), t.fail_two_part(1)
        good = [t.counted(self.folder, f"good{i}", i) for i in range(5)]
        below = t.counted(self.folder, "below", bad)
        with pytest.raises(ExceptionGroup) as caught:
            self.run([bad, below, worse, *good], keep_going=True)
        kinds = {type(error) for error in caught.value.exceptions}
        assert kinds == {ValueError, t.TwoPartError}
        assert [self.marks(f"good{i}") for i in range(5)] == [1] * 5
        assert self.marks("below") == 0

    def test_next_run_works(self) -> None:
        t = self.tasks
        self.fails(t.fail("bad"), ValueError)
        assert self.run(t.add(1, 2)) == 3

    # Retries and time.

    def test_retries(self) -> None:
        assert self.run(self.tasks.flaky(self.folder, 3)) == 3
        assert self.marks("flaky") == 3

    def test_retries_run_out(self) -> None:
        error = self.fails(self.tasks.flaky(self.folder, 9), OSError)
        assert error.args == ("attempt 4",)
        assert self.marks("flaky") == 4

    def test_retry_on(self) -> None:
        self.fails(self.tasks.flaky_of_another_kind(self.folder), OSError)
        assert self.marks("other") == 1

    def test_timeout(self) -> None:
        t = self.tasks
        assert self.run(t.quick(1)) == 2
        start = time.monotonic()
        error = self.fails(t.slow(20.0), dag.TaskTimeoutError)
        assert time.monotonic() - start < 10
        assert "slow" in str(error)
        assert isinstance(error, TimeoutError)
        assert self.run(t.add(1, 1)) == 2

    def test_late_result_is_not_published(self) -> None:
        t = self.tasks
        self.fails(t.slow(0.6), dag.TaskTimeoutError)
        time.sleep(0.5)
        assert dag.plan(t.slow(0.6), store=self.store).counts["run"] == 1

    # Mutation.

    def test_a_task_has_its_own_copy(self) -> None:
        t = self.tasks
        values = t.same([1])
        assert self.run([t.append(values, k) for k in (2, 3, 4)] + [values]) == [[1, 2], [1, 3], [1, 4], [1]]
        assert self.run([t.append(values, k) for k in (2, 3, 4)] + [values]) == [[1, 2], [1, 3], [1, 4], [1]]

    def test_literals_are_not_changed(self) -> None:
        t = self.tasks
        mine = [1]
        nodes = [t.append(mine, 2), t.append(mine, 3)]
        assert self.run(nodes) == [[1, 2], [1, 3]]
        assert mine == [1]
        assert self.run(nodes, store=self.store + "-other") == [[1, 2], [1, 3]]

    def test_arrays_and_frames_may_be_changed(self) -> None:
        pytest.importorskip("pandas")
        t = self.tasks
        array, frame = t.make_array(4), t.make_frame(3)
        got = self.run([t.poke_array(array), t.poke_array(t.same(array)), t.array_sum(array)])
        assert got == [105.0, 105.0, 6.0]
        poked, clean = self.run([t.poke_frame(frame), frame])
        assert poked == 102.0
        assert list(clean["x"]) == [0, 1, 2]

    def test_results_belong_to_the_caller(self) -> None:
        t = self.tasks
        got = self.run(t.same([1, 2]))
        got.append(3)
        assert self.run(t.same([1, 2])) == [1, 2]
        array = pytest.importorskip("numpy") and self.run(t.make_array(3))
        array[0] = 7.0
        assert self.run(t.make_array(3))[0] == 0.0

    # Files.

    def test_files(self, tmp_path: Path) -> None:
        t = self.tasks
        path = tmp_path / "in.txt"
        path.write_text("one")
        node = t.counted(self.folder, "reader", t.read(dag.file(path)))
        assert self.run(node) == "one"
        assert self.run(node) == "one"
        assert self.marks("reader") == 1
        path.write_text("two!")
        assert self.run(node) == "two!"
        os.utime(path, (1, 1))
        assert self.run(node) == "two!"
        assert self.marks("reader") == 2

    def test_lists_of_files(self, tmp_path: Path) -> None:
        t = self.tasks
        for name in ("b", "a"):
            (tmp_path / f"{name}.csv").write_text(name)
        node = t.read_all(dag.files(tmp_path / "*.csv"))
        assert self.run(node) == {"a.csv": "a", "b.csv": "b"}
        (tmp_path / "c.csv").write_text("c")
        assert self.run(node) == {"a.csv": "a", "b.csv": "b", "c.csv": "c"}

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(dag.GraphError, match=r"nowhere\.txt"):
            self.run(self.tasks.read(dag.file(tmp_path / "nowhere.txt")))

    def test_file_that_always_moves(self, tmp_path: Path) -> None:
        path = tmp_path / "restless.txt"
        path.write_text("0")
        node = self.tasks.write_to(dag.file(path), "x")
        # The first call changes the content; the second run of the task leaves it as it is, but newer.
        with pytest.raises(dag.StoreError, match=r"restless\.txt"):
            self.run(node)

    def test_file_results(self) -> None:
        t = self.tasks
        assert self.run(t.read_file(t.write_file(self.folder, "text"))) == "text"
        got = self.run(t.write_file(self.folder, "text"))
        assert Path(got).read_text() == "text"

    # Keeping.

    def test_second_run_runs_nothing(self) -> None:
        t = self.tasks
        node = t.total([t.add(i, i) for i in range(20)])
        assert self.executed(node) == 21
        assert self.executed(node) == 0
        assert self.run(node) == 380

    def test_edit_runs_what_it_touches(self) -> None:
        t = self.tasks
        heads = [t.counted(self.folder, f"h{i}", i).options(persist=True) for i in range(3)]
        self.run(t.total(heads))
        more = [*heads, t.counted(self.folder, "new", 10)]
        assert self.run(t.total(more)) == 13
        assert [self.marks(f"h{i}") for i in range(3)] == [1, 1, 1]

    def test_early_cutoff(self) -> None:
        t = self.tasks
        below = t.counted(self.folder, "below", t.parity(3))
        assert self.run(below) == 1
        other = t.counted(self.folder, "below", t.parity(5))
        assert self.run(other) == 1
        assert self.marks("below") == 1

    def test_handle_without_object_is_a_recipe(self) -> None:
        t = self.tasks
        loose = t.counted(self.folder, "loose", 4)
        assert self.run(t.add(loose, 1)) == 5
        assert self.run(t.add(loose, 2)) == 6
        assert self.run([t.add(loose, 1), t.add(loose, 2)]) == [5, 6]
        assert self.marks("loose") <= 2

    def test_equal_actions_run_once(self) -> None:
        t = self.tasks
        # Two keys, one action: what they take has the same bytes.
        one = t.counted(self.folder, "twin", t.parity(1))
        two = t.counted(self.folder, "twin", t.parity(3))
        assert self.run([one, two]) == [1, 1]
        assert self.marks("twin") == 1
        assert self.executed([one, two]) == 0

    def test_persist(self) -> None:
        t = self.tasks
        kept = t.counted(self.folder, "kept", 1).options(persist=True)
        never = t.counted(self.folder, "never", 2).options(persist=False)
        costly = t.nap(0.3, t.counted(self.folder, "auto", 3))
        self.run(t.total([kept, never, costly]))
        assert dag.plan(kept, store=self.store).counts == {"reuse": 1, "run": 0, "check": 0, "pinned": 0}
        assert dag.plan(never, store=self.store).counts == {"reuse": 0, "run": 1, "check": 0, "pinned": 0}
        assert dag.plan(costly, store=self.store).counts == {"reuse": 1, "run": 0, "check": 0, "pinned": 0}
        assert self.run(never) == 2
        assert self.run(never) == 2
        assert self.marks("never") == 3

    def test_artifacts(self) -> None:
        t = self.tasks
        raw = t.counted(self.folder, "raw", [1, 2]).artifact("raw")
        sum_ = t.total(raw).artifact("sum")
        assert self.run(sum_) == 3
        assert dag.load("raw", store=self.store) == [1, 2]
        assert dag.load("sum", store=self.store) == 3
        self.run(sum_)
        assert len(dag.store(self.store).versions("sum")) == 1
        rows = {row.name: (row.action, row.version) for row in self.result(sum_).rows}
        assert rows == {"raw": ("reuse", 1), "sum": ("reuse", 1)}

    def test_versions_follow_the_value(self) -> None:
        t = self.tasks
        self.run(t.add(1, 1).artifact("a"))
        self.run(t.add(0, 2).artifact("a"))
        assert [v.version for v in dag.store(self.store).versions("a")] == [1]
        self.run(t.add(5, 5).artifact("a"))
        assert [v.version for v in dag.store(self.store).versions("a")] == [2, 1]
        assert dag.load("a", 1, store=self.store) == 2

    def test_cadence(self) -> None:
        t = self.tasks
        node = t.nth(self.folder, "daily").artifact("daily", "1d")
        day = datetime(2026, 1, 1, tzinfo=UTC)
        assert self.run(node, now=day) == 1
        assert self.run(node, now=day + timedelta(hours=5)) == 1
        # A day later it is due, and found: nothing above it changed.
        assert self.run(node, now=day + timedelta(days=1)) == 1
        assert dag.plan(node, store=self.store, now=day + timedelta(days=1, hours=5)).counts["pinned"] == 1

    def test_refresh(self) -> None:
        t = self.tasks
        top = t.nth(self.folder, "top").named("top")
        below = t.add(top, 100)
        assert self.run(below) == 101
        assert self.run(below, refresh=["top"]) == 102
        assert self.run(below) == 102
        assert self.executed(below) == 0
        assert self.run(t.add(top, 200)) == 202

    def test_refresh_that_gives_the_same(self) -> None:
        t = self.tasks
        top = t.counted(self.folder, "top", 1).named("top")
        below = t.counted(self.folder, "below", top)
        self.run(below)
        assert self.run(below, refresh="top") == 1
        assert (self.marks("top"), self.marks("below")) == (2, 1)

    def test_not_deterministic(self) -> None:
        t = self.tasks
        first = t.moment(self.folder)
        one, two = t.same(first), t.listed(first)
        got_one, got_two = self.run([one, two])
        assert got_two == [[got_one], {}]
        assert self.run(t.add(first, "!")) == got_one + "!"
        assert self.marks("moment") == 1

    def test_unstable_task_is_found_out(self) -> None:
        t = self.tasks
        loose = t.nth(self.folder, "loose")
        assert self.run(t.add(loose, 10)) == 11
        with pytest.warns(RuntimeWarning, match="nth"):
            assert self.run([t.add(loose, 10), t.add(loose, 20)]) == [12, 22]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert self.run([t.add(loose, 10), t.add(loose, 20), t.add(loose, 30)]) == [12, 22, 32]

    def test_lost_object_is_made_again(self) -> None:
        t = self.tasks
        node = t.counted(self.folder, "made", [1, 2]).options(persist=True)
        assert self.run(node) == [1, 2]
        for path in Path(self.store, "objects").rglob("*"):
            if path.is_file():
                path.chmod(0o644)
                path.write_bytes(b"damaged")
        with pytest.warns(Warning, match="counted"):
            assert self.run(node) == [1, 2]
        assert self.run(t.append(node, 3)) == [1, 2, 3]
        assert self.marks("made") == 2

    # What can't be.

    @pytest.mark.parametrize("name", ["generator", "coroutine", "unpicklable"])
    def test_results_that_have_no_content(self, name: str) -> None:
        with pytest.raises(dag.CodecError, match=name):
            self.run(getattr(self.tasks, name)(3))

    @pytest.mark.parametrize("name", ["returns_node", "returns_nodes", "runs_graph"])
    def test_no_graphs_inside_tasks(self, name: str) -> None:
        with pytest.raises(dag.GraphError, match=name):
            self.run(getattr(self.tasks, name)(3))

    def test_unpicklable_argument(self) -> None:
        with pytest.raises(dag.CodecError, match="helped"):
            self.run(self.tasks.helped(1, threading.Lock()))

    # Size.

    def test_chain(self) -> None:
        node = self.tasks.step(0)
        for _ in range(1_999):
            node = self.tasks.step(node)
        assert self.run(node) == 2_000

    def test_fan_in(self) -> None:
        t = self.tasks
        assert self.run(t.total([t.step(i) for i in range(2_000)])) == 2_001_000

    def test_wavefront(self) -> None:
        t = self.tasks
        grid = [[t.step(0)] * 12 for _ in range(12)]
        for i in range(1, 12):
            for j in range(1, 12):
                grid[i][j] = t.total([grid[i - 1][j], grid[i][j - 1]])
        assert self.run(grid[-1][-1]) == 705_432

    def test_long_chain(self) -> None:
        self.needs(self.long, "takes long")
        node = self.tasks.step(0)
        for _ in range(99_999):
            node = self.tasks.step(node)
        assert self.run(node) == 100_000

    def test_wide_fan_in(self) -> None:
        self.needs(self.long, "takes long")
        t = self.tasks
        assert self.run(t.total([t.step(i) for i in range(100_000)])) == 5_000_050_000

    # Several runs at once.

    def test_two_threads_run_at_once(self) -> None:
        t = self.tasks
        got: dict[int, Any] = {}

        def one(k: int) -> None:
            got[k] = self.run(t.total([t.add(i, k) for i in range(50)]))

        threads = [threading.Thread(target=one, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == {k: 1225 + 50 * k for k in range(3)}

    def test_environment_is_left_alone(self) -> None:
        before = dict(os.environ)
        here, paths = Path.cwd(), list(sys.path)
        self.run(self.tasks.add(1, 2))
        assert dict(os.environ) == before
        assert (Path.cwd(), sys.path) == (here, paths)

    # Workers that die.

    def test_killed_worker(self) -> None:
        self.needs(self.kills, "tasks run in this process")
        t = self.tasks
        others = [t.nap(0.05, i) for i in range(6)]
        got = self.run([t.kill_once(self.folder), *others])
        assert got == [2, *range(6)]

    def test_worker_that_always_dies(self) -> None:
        self.needs(self.kills, "tasks run in this process")
        t = self.tasks
        good = [t.counted(self.folder, f"good{i}", i).options(persist=True) for i in range(3)]
        with pytest.raises(ExceptionGroup) as caught:
            self.run([t.kill_always(self.folder), *good], keep_going=True)
        (error,) = caught.value.exceptions
        assert isinstance(error, dag.WorkerLostError)
        assert "kill_always" in str(error)
        assert [self.marks(f"good{i}") for i in range(3)] == [1, 1, 1]
        assert self.run(t.add(1, 1)) == 2

    def needs(self, there: bool, why: str) -> None:
        """Skip a test of what a backend does not do."""
        if not there:
            pytest.skip(why)
