"""While a task or a user function runs, every name of `dualdag.pandas` is pandas's own."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

import dualdag as dag
import dualdag.pandas as pd
from dualdag.graph import task_scope
from dualdag.pandas import DataFrame, Series, concat, to_numeric


@dag.task
def look(frame: Any) -> dict[str, bool]:
    made = pd.DataFrame({"x": [1]})
    return {
        "same class": pd.DataFrame is pandas.DataFrame and pd.read_csv is pandas.read_csv,
        "given": isinstance(frame, pd.DataFrame) and isinstance(frame, DataFrame) and type(frame) is pandas.DataFrame,
        "no series": not isinstance(frame, Series),
        "made": type(made) is pandas.DataFrame and type(DataFrame({"x": [1]})) is pandas.DataFrame,
        "function": type(concat([made, made])) is pandas.DataFrame,
        "class method": type(DataFrame.from_dict({"a": [1]})) is pandas.DataFrame,
        "unbound": pd.DataFrame.sum is pandas.DataFrame.sum and DataFrame.sum(made).tolist() == [1],
        "submodule": pd.api.types.is_numeric_dtype is pandas.api.types.is_numeric_dtype,
        "numbers": to_numeric(pandas.Series(["1"])).tolist() == [1],
        "subclass": issubclass(pandas.DataFrame, DataFrame),
    }


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_names_are_pandas_own_in_tasks(backend: str) -> None:
    frame = pd.DataFrame({"x": [1, 2]})
    told = dag.run(look(frame[frame.x > 1]), backend=backend, progress="off", store="store")
    assert told == dict.fromkeys(told, True)


@pytest.mark.parametrize("backend", ["local", "processes"])
def test_chains_run_on_every_backend(backend: str) -> None:
    frame = pd.DataFrame({"k": ["a", "b", "a"], "x": [1, 2, 3], "t": pd.date_range("2024-01-01", periods=3)})
    limit = 0
    chains = [
        frame.groupby("k").apply(lambda d: pd.Series({"n": len(d), "m": d.x.max() + limit})),
        frame.assign(y=lambda d: d.x.to_numpy() * 2).y.sum(),
        frame.k.str.upper().rename("K"),
        frame.loc[frame.x > frame.x.mean(), "k"],
        frame.set_index("t").x.resample("2D").agg(["sum", "max"]),
    ]
    got = dag.run(chains, backend=backend, progress="off", store="store")
    with task_scope("as in a task"):
        own = pandas.DataFrame({"k": ["a", "b", "a"], "x": [1, 2, 3], "t": pandas.date_range("2024-01-01", periods=3)})
    assert got[0].m.tolist() == [3, 2]
    assert got[1] == 12
    assert got[2].tolist() == ["A", "B", "A"]
    assert got[3].tolist() == ["a"]
    pandas.testing.assert_frame_equal(got[4], own.set_index("t").x.resample("2D").agg(["sum", "max"]))


def test_user_functions_get_pandas_objects(evaluator: Any) -> None:
    frame = pd.DataFrame({"k": ["a", "b"], "x": [1, 2]})
    seen = frame.groupby("k").apply(lambda d: [isinstance(d, pd.DataFrame), hasattr(d, "compute")])
    assert seen.compute().tolist() == [[True, False]] * 2
    assert frame.apply(lambda c: isinstance(c, pd.Series)).compute().all()
    assert frame.x.map(lambda v: isinstance(v, pd.Series)).compute().tolist() == [False, False]


def test_lazy_objects_outside_and_values_both_are_what_they_seem(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [1]})
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(frame.compute(), pd.DataFrame)
    assert not isinstance(frame.compute(), pd.Series)
    assert isinstance(frame.index, pd.Index)
    assert isinstance(frame.index, pd.RangeIndex)
    assert not isinstance(3, pd.DataFrame)
    assert issubclass(pd.DatetimeIndex, pd.Index)


def test_tasks_and_lazy_objects_mix(evaluator: Any) -> None:
    @dag.task
    def total(table: Any, parts: list[Any], factor: float) -> float:
        return float(table.x.sum() + sum(part.sum() for part in parts)) * factor

    frame = pd.DataFrame({"x": [1, 2, 3]})
    node = total(frame[frame.x > 1], [frame.x, frame.x + 1], factor=frame.x.max())
    assert dag.run({"answer": node, "frame": frame})["answer"] == 60.0
    assert pd.from_node(node) + frame.x.sum() == 66.0


def test_a_lazy_object_in_a_function_is_told_of(real: None) -> None:
    frame = pd.DataFrame({"x": [1, 2, 3]})
    mean = frame.x.mean()
    with pytest.raises(dag.FingerprintError, match="mean"):
        frame.apply(lambda c: c > mean)


def test_names_of_expressions_are_taken_from_the_code_around(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "k": ["a", "b", "a"]})

    def chosen(limit: int, names: list[str]) -> Any:
        return frame.query("x >= @limit and k in @names")

    assert chosen(2, ["a"]).compute().x.tolist() == [3]
    assert chosen(1, ["a"]).compute().x.tolist() == [1, 3]
    assert chosen(1, ["a"]).__dualdag_node__().key != chosen(2, ["a"]).__dualdag_node__().key
    mean = frame.x.mean()
    assert frame.query("x > @mean and @mean > 1").compute().x.tolist() == [3]
    assert pd.eval("frame.x + mean").compute().tolist() == [3.0, 4.0, 5.0]
