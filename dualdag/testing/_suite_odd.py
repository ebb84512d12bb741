"""Part of `BackendSuite`: what an engine of its own accord would get wrong, many cheap tasks, a script."""

from __future__ import annotations

import operator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import dualdag as dag
from dualdag.testing._suite_base import SuiteBase

__all__ = ["OddTests"]

_SCRIPT = """
import dataclasses
import dualdag as dag

@dataclasses.dataclass
class Point:
    x: int
    def shifted(self, by):
        return Point(self.x + by)

@dag.task
def make(x):
    return Point(x)

@dag.task
def shift(point, by):
    assert isinstance(point, Point), type(point)
    return point.shifted(by)

if __name__ == "__main__":
    found = dag.run(shift(make(1), 2))
    assert isinstance(found, Point), type(found)
    print("x", found.x)
    dag.shutdown()
"""


class OddTests(SuiteBase):
    """What an engine of its own accord would get wrong."""

    def test_exceptions_are_values_too(self) -> None:
        """An exception that is returned is a value."""
        found = self.run([self.tasks.same(ValueError("a value")), self.tasks.same({"error": KeyError(1)})])
        assert isinstance(found[0], ValueError)
        assert found[0].args == ("a value",)
        assert found[1]["error"].args == (1,)

    def test_tuples_stay_what_they_are(self) -> None:
        """Tuples, sets and named tuples come back as what they are."""
        t = self.tasks
        values: list[Any] = [(), (1,), ((1,),), [()], t.Place(1, 2), (t.Place(1, 2),), {1, 2}, frozenset({3})]
        found = self.run([t.same(value) for value in values])
        assert found == values
        assert [type(one) for one in found] == [type(one) for one in values]

    def test_nothing_and_what_is_false_are_values(self) -> None:
        """None and all that is false are values."""
        values: list[Any] = [None, False, 0, 0.0, "", b"", [], {}, float("inf")]
        assert self.run([self.tasks.same(self.tasks.same(value)) for value in values]) == values

    def test_functions_of_all_kinds(self) -> None:
        """Partials, builtins, ufuncs and methods are tasks."""
        numpy = pytest.importorskip("numpy")
        t = self.tasks
        nodes = [
            dag.task(sorted)([3, 1, 2]),
            dag.task(partial(pow, 2))(t.add(2)),
            dag.task(operator.itemgetter("a"))({"a": t.add(1)}),
            dag.task(numpy.add, version=1)(t.add(1), 2),
            dag.task(str.upper)("a"),
            dag.task(t.Scaler(3).scaled)(t.add(1)),
        ]
        assert self.run(nodes) == [[1, 2, 3], 8, 2, 4, "A", 6]

    @pytest.mark.parametrize("size", [100 * 1024 - 200, 100 * 1024, 100 * 1024 + 200, 10_000_000])
    def test_values_of_any_size_pass(self, size: int) -> None:
        """Values around the engines' limits of size pass: 100 KiB and 10 MB."""
        t = self.tasks
        text = t.repeat("x", size)
        assert self.run(dag.task(len)(t.same(text))) == size

    def test_two_functions_of_one_name_are_told_apart(self) -> None:
        """Functions of one name with other closures are told apart."""
        nodes = [self.tasks.closure(offset) for offset in range(20)]
        assert self.run(nodes) == [1 + offset for offset in range(20)]

    def test_what_a_task_prints_is_kept_with_it(self) -> None:
        """What a task prints is kept with its node, once."""
        t = self.tasks
        self.run([t.say(i).named(f"said{i}") for i in range(5)])
        opened = dag.store(self.store)
        _, events = opened.run(opened.runs()[0].id)
        said = {event["label"]: event["message"] for event in events if event["kind"] == "output"}
        assert said == {f"said{i}": f"this is {i}\n" for i in range(5)}

    def test_many_cheap_tasks(self) -> None:
        """A thousand cheap tasks give what they should."""
        t = self.tasks
        row = [t.add(i, 0) for i in range(1_000)]
        assert self.run(t.total(row)) == sum(range(1_000))
        assert self.executed(t.total([t.add(one, 1) for one in row])) <= 2_001

    def test_a_failure_among_many_cheap_tasks(self) -> None:
        """A failure among many cheap tasks takes none of them along."""
        t = self.tasks
        nodes = [t.unless(i, 333) for i in range(600)]
        with pytest.raises(ExceptionGroup) as caught:
            self.run(nodes, keep_going=True)
        [error] = caught.value.exceptions
        assert (type(error), error.args) == (ValueError, (333,))
        left = [node for i, node in enumerate(nodes) if i != 333]
        assert self.executed(t.total(left)) <= 600

    def test_versions_in_a_chain_of_cheap_tasks(self) -> None:
        """Artifacts within a chain of cheap tasks are published."""
        t = self.tasks
        node = t.add(0, 0)
        for k in range(300):
            node = t.add(node, 1)
            if k % 50 == 0:
                node = node.artifact(f"at-{k}")
        assert self.run(node) == 300
        assert [dag.load(f"at-{k}", store=self.store) for k in range(0, 300, 50)] == list(range(1, 301, 50))

    def test_a_script_with_classes_of_its_own(self, tmp_path: Path) -> None:
        """A script's own classes are the same class in the tasks and in the script."""
        script = tmp_path / "script.py"
        script.write_text(_SCRIPT, encoding="utf-8")
        for _ in range(2):
            program = self.script(script)
            told, complaints = program.communicate(timeout=120)
            assert program.returncode == 0, complaints
            assert told == "x 3\n"
