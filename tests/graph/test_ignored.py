"""Arguments left out of keys: however a call is spelled, they leave no trace in its key."""

from __future__ import annotations

import threading

import pytest

import dualdag as dag
from dualdag.errors import GraphError


@dag.task(ignore=("jobs",))
def fit(x, jobs=1, depth=2):
    return x, jobs, depth


@dag.task(ignore=("jobs",))
def stacked(x, jobs, /, y, *rest, **more):
    return x, jobs, y, rest, more


@dag.task(ignore=("notes",))
def noted(x, *notes):
    return x, notes


def test_what_follows_an_ignored_argument_is_spelled_freely():
    assert fit(1, depth=3) == fit(1, 4, 3) == fit(1, jobs=9, depth=3) == fit(1, depth=3, jobs=1)
    assert fit(1) == fit(1, 4) == fit(1, 4, 2) == fit(1, depth=2)
    assert fit(1, depth=3) != fit(1)
    assert dag.run(fit(1, 4, 3), store="memory://ignored") == (1, 4, 3)


def test_an_ignored_argument_may_stand_before_others():
    assert stacked(1, 2, 3, 4, k=5) == stacked(1, 9, 3, 4, k=5)
    assert stacked(1, 2, 3) == stacked(1, 9, y=3)
    assert stacked(1, 2, 3, 4) != stacked(1, 2, 3)
    assert stacked(1, 2, 3, jobs=1) != stacked(1, 2, 3, jobs=2)


def test_all_of_the_rest_may_be_ignored():
    assert noted(1) == noted(1, "a") == noted(1, "b", "c")
    assert dag.run(noted(1, "b", "c"), store="memory://ignored-rest") == (1, ("b", "c"))


def test_what_is_ignored_may_be_anything_but_a_node():
    assert fit(1, jobs=threading.Lock()) == fit(1)
    with pytest.raises(GraphError, match="holds"):
        fit(1, jobs=[fit(2)])


def test_names_of_no_argument():
    with pytest.raises(GraphError, match="jobz"):
        dag.task(ignore=("jobz",))(fit.fn)
    with pytest.raises(GraphError, match="more"):
        dag.task(ignore=("more",))(stacked.fn)
