"""Part of `BackendSuite`: values, their containers, and who may change them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import dualdag as dag
from dualdag.testing._suite_base import SuiteBase

__all__ = ["ValueTests"]


class ValueTests(SuiteBase):
    """Values, the containers they stand in, and who may change them."""

    # Values.

    def test_plain_values(self) -> None:
        """Plain values come back equal and of the same type."""
        t = self.tasks
        assert self.run(t.add(1, 2)) == 3
        values: list[Any] = [None, 0, "", (), [], {}, (1,), b"", float("inf"), {"a": (1, [2])}, {1, 2}]
        for value in values:
            got = self.run(t.same(value))
            assert got == value
            assert type(got) is type(value)

    def test_same_container_comes_back(self) -> None:
        """What is asked for in a container comes back in such a container."""
        t = self.tasks
        one, two = t.add(1, 1), t.add(2, 2)
        assert self.run({"a": [one, (two, 5)], "b": one}) == {"a": [2, (4, 5)], "b": 2}

    def test_nodes_in_containers(self) -> None:
        """Nodes in lists, tuples, sets and nested dicts are replaced by their values."""
        t = self.tasks
        one, two = t.add(0, 1), t.add(0, 2)
        assert self.run(t.total([one, two, 10])) == 13
        assert self.run(t.total((one, two))) == 3
        assert self.run(t.total({one, two})) == 3
        assert self.run(t.listed({"k": one, "n": {"m": [two]}})) == [[{"k": 1, "n": {"m": [2]}}], {}]

    def test_nodes_in_fields(self) -> None:
        """Nodes in dataclasses' fields are replaced by their values."""
        t = self.tasks
        assert self.run(t.pair_sum(t.Pair(t.add(0, 1), t.add(0, 2)))) == 3
        assert self.run(t.pair_sum(t.make_pair(t.add(3, 4), 5))) == 12

    def test_keywords_and_defaults(self) -> None:
        """Keywords and defaults arrive."""
        t = self.tasks
        assert self.run(t.listed(1, t.add(1, 1), b=t.add(2, 2), a="x")) == [[1, 2], {"a": "x", "b": 4}]
        assert self.run(t.add(t.add(1))) == 3
        assert self.run(t.add(y=t.add(1), x=5)) == 7

    def test_diamond_runs_once(self) -> None:
        """A node that is used often runs once."""
        t = self.tasks
        top = t.counted(self.folder, "top", 1)
        left, right = t.add(top, 1), t.add(top, 2)
        assert self.run(t.total([left, right, top, top])) == 7
        assert self.marks("top") == 1

    def test_nout(self) -> None:
        """A result unpacks into `nout` nodes."""
        t = self.tasks
        one, two, three = t.three(5)
        assert self.run([three, one, two]) == [7, 5, 6]
        assert self.run(t.three(5)) == (5, 6, 7)

    @pytest.mark.parametrize("kind", ["three", "dict", "text", "generator"])
    def test_nout_is_strict(self, kind: str) -> None:
        """A result of another length, a dict, a text or a generator does not unpack."""
        with pytest.raises((dag.GraphError, dag.CodecError), match="wrong_count"):
            self.run(self.tasks.wrong_count(kind))

    def test_item_of_a_node(self) -> None:
        """An item of a node is a node."""
        t = self.tasks
        assert self.run(t.same({"k": [1, 2]})["k"][1]) == 2

    def test_after(self) -> None:
        """A node runs after those it was told to."""
        t = self.tasks
        first = t.counted(self.folder, "first", 1)
        second = t.nth(self.folder, "first").after(first)
        assert self.run(second) == 2

    def test_values_and_literals(self) -> None:
        """`dag.value` gives a literal, whoever changes what they got of it."""
        t = self.tasks
        literal = dag.value([1, 2, 3])
        assert self.run([t.total(literal), literal]) == [6, [1, 2, 3]]
        self.run(literal).append(4)
        assert self.run(literal) == [1, 2, 3]

    def test_frames_and_arrays(self) -> None:
        """Frames and arrays pass."""
        pytest.importorskip("pandas")
        t = self.tasks
        frame = self.run(t.make_frame(4))
        assert list(frame.columns) == ["x", "y", "z"]
        assert frame["y"].sum() == 6.0
        assert self.run(t.array_sum(t.make_array(10))) == 45.0

    def test_large_values(self) -> None:
        """Values of 20 MB pass, kept or not."""
        pytest.importorskip("numpy")
        t = self.tasks
        array = t.make_array(2_500_000)  # 20 MB
        kept = t.same(array).options(persist=True)
        loose = t.same(kept).options(persist=False)
        expected = 2_500_000 * 2_499_999 / 2
        assert self.run([t.array_sum(array), t.array_sum(kept), t.array_sum(loose)]) == [expected] * 3
        assert self.run(t.same("x" * 300_000)) == "x" * 300_000

    # Mutation.

    def test_a_task_has_its_own_copy(self) -> None:
        """A list that a task changes is its own copy."""
        t = self.tasks
        values = t.same([1])
        assert self.run([t.append(values, k) for k in (2, 3, 4)] + [values]) == [[1, 2], [1, 3], [1, 4], [1]]
        assert self.run([t.append(values, k) for k in (2, 3, 4)] + [values]) == [[1, 2], [1, 3], [1, 4], [1]]

    def test_literals_are_not_changed(self) -> None:
        """A literal that a task changes is its own copy; the caller's stays."""
        t = self.tasks
        mine = [1]
        nodes = [t.append(mine, 2), t.append(mine, 3)]
        assert self.run(nodes) == [[1, 2], [1, 3]]
        assert mine == [1]
        assert self.run(nodes, store=self.store + "-other") == [[1, 2], [1, 3]]

    def test_arrays_and_frames_may_be_changed(self) -> None:
        """Arrays and frames can be written to, and are the task's own."""
        pytest.importorskip("pandas")
        t = self.tasks
        array, frame = t.make_array(4), t.make_frame(3)
        got = self.run([t.poke_array(array), t.poke_array(t.same(array)), t.array_sum(array)])
        assert got == [105.0, 105.0, 6.0]
        poked, clean = self.run([t.poke_frame(frame), frame])
        assert poked == 102.0
        assert list(clean["x"]) == [0, 1, 2]
        # Items of results, which an engine may pass together.
        lists = [t.same([t.make_array(2), t.make_array(2_000 + k), t.make_array(k)]) for k in range(12)]
        items = [one[1] for one in lists]
        sums = [(2_000 + k) * (1_999 + k) / 2 for k in range(12)]
        assert self.run([t.array_sum(item) for item in items]) == sums
        got = self.run([f(item) for item in items for f in (t.poke_array, t.poke_array, t.array_sum)])
        assert got == [x for sum_ in sums for x in (sum_ + 99, sum_ + 99, sum_)]

    def test_results_belong_to_the_caller(self) -> None:
        """What the caller gets is the caller's own, and can be written to."""
        t = self.tasks
        got = self.run(t.same([1, 2]))
        got.append(3)
        assert self.run(t.same([1, 2])) == [1, 2]
        array = pytest.importorskip("numpy") and self.run(t.make_array(3))
        array[0] = 7.0
        assert self.run(t.make_array(3))[0] == 0.0

    # What can't be.

    @pytest.mark.parametrize("name", ["generator", "coroutine", "unpicklable"])
    def test_results_that_have_no_content(self, name: str) -> None:
        """A generator, a coroutine or a lock as a result is an error that names the task."""
        with pytest.raises(dag.CodecError, match=name):
            self.run(getattr(self.tasks, name)(3))

    @pytest.mark.parametrize("name", ["returns_node", "returns_nodes", "runs_graph"])
    def test_no_graphs_inside_tasks(self, name: str) -> None:
        """A graph that is returned, or run, by a task is an error that names it."""
        with pytest.raises(dag.GraphError, match=name):
            self.run(getattr(self.tasks, name)(3))

    def test_unpicklable_argument(self) -> None:
        """An argument that can't be hashed or sent is an error that names the node."""
        with pytest.raises(dag.CodecError, match="helped"):
            self.run(self.tasks.helped(1, threading.Lock()))

    # Size.

    def test_chain(self) -> None:
        """A chain of 5,000 tasks is no recursion."""
        node = self.tasks.step(0)
        for _ in range(4_999):
            node = self.tasks.step(node)
        assert self.run(node) == 5_000

    def test_fan_in(self) -> None:
        """A task takes 5,000 results."""
        t = self.tasks
        assert self.run(t.total([t.step(i) for i in range(5_000)])) == 12_502_500

    def test_wavefront(self) -> None:
        """A wavefront gives what a loop gives."""
        t = self.tasks
        grid = [[t.step(0)] * 12 for _ in range(12)]
        for i in range(1, 12):
            for j in range(1, 12):
                grid[i][j] = t.total([grid[i - 1][j], grid[i][j - 1]])
        assert self.run(grid[-1][-1]) == 705_432

    def test_long_chain(self) -> None:
        """A chain of 100,000 tasks passes."""
        self.needs(self.long, "not tried: it takes long")
        node = self.tasks.step(0)
        for _ in range(99_999):
            node = self.tasks.step(node)
        assert self.run(node) == 100_000

    def test_wide_fan_in(self) -> None:
        """A task takes 100,000 results."""
        self.needs(self.long, "not tried: it takes long")
        t = self.tasks
        assert self.run(t.total([t.step(i) for i in range(100_000)])) == 5_000_050_000
