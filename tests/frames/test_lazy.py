"""What lazy objects know and show without running, and where they run."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas
import pytest

import dualdag as dag
import dualdag.pandas as pd
from dualdag.errors import GraphError
from tests.frames.world import assert_same, world


def test_columns_and_types_are_known_without_running(evaluator: Any) -> None:
    names = world(pd)
    df, right = names["df"], names["right"]
    made = df[df.i > 3].merge(right, on="k").rename(columns={"v": "w"}).assign(z=1)
    assert list(made.columns) == ["k", "g", "i_x", "f", "b", "t", "w", "i_y", "z"]
    assert list(made.groupby(["k", "g"]).agg(n=("w", "sum"), m=("z", "mean")).reset_index().columns) == [
        "k", "g", "n", "m",
    ]  # fmt: skip
    assert df.sort_values("i").head()[["i", "f"]].dtypes.tolist() == [np.dtype("int64"), np.dtype("float64")]
    assert df.i.dtype == "int64"
    assert (df.i + 1).name == "i"
    assert evaluator.ran == []


def test_what_is_not_known_is_asked_for(evaluator: Any) -> None:
    names = world(pd)
    wide = names["df"].pivot_table(values="i", index="k", columns="g")
    assert list(wide.columns) == [1, 2, 3]
    assert evaluator.ran == ["pivot_table", "columns"]
    assert names["df"].i.astype(float).map(lambda v: int(v)).dtype == "int64"


def test_looking_runs_nothing_and_never_fails(evaluator: Any) -> None:
    names = world(pd)
    df = names["df"]
    shown = [df, df.i, df.i.sum(), df.index, df.pivot_table(index="k"), df.groupby("k").apply(len), df.query("oops")]
    for one in shown:
        assert repr(one).startswith(f"<lazy {type(one).__name__}")
        assert "lazy" in one._repr_html_()
    assert "int64" in repr(df)
    assert "<td>int64</td>" in df._repr_html_()
    assert evaluator.ran == []
    with dag.configure(interactive=True):
        assert "12" not in repr(df.head(2))
        assert "pie" in repr(names["words"])
        assert "<table" in df._repr_html_()
        assert "UndefinedVariableError" in repr(df.query("oops"))
    assert evaluator.ran


def test_explain_tells_how_each_op_runs() -> None:
    names = world(pd)
    told = names["df"].sort_values("i").head(2).explain().splitlines()
    assert told == [
        "#0 value(): input",
        "#1 sort_values(#0): pandas's own on one partition",
        "#2 head(#1): pandas's own on one partition",
    ]
    assert names["df"].npartitions == 1


def test_truth_of_frames_is_not_told() -> None:
    names = world(pd)
    for one in (names["df"], names["df"].i, names["df"].index):
        with pytest.raises(ValueError, match="ambiguous"):
            bool(one)


@pytest.mark.parametrize(
    ("source", "error", "near"),
    [
        ('df["ii"]', KeyError, "'i'"),
        ('df.__delitem__("ii")', KeyError, "'i'"),
        ('df.groupby("kk")', KeyError, "'k'"),
        ('df.sort_values(["i", "ff"])', KeyError, "'f'"),
        ("df.sort_value", AttributeError, "'sort_values'"),
        ("df.i.summ", AttributeError, "'sum'"),
        ('df.groupby("k").summ', AttributeError, "'sum'"),
        ("df.k.str.uper", AttributeError, "'upper'"),
        ("df.sort_values('i', ascendin=True)", TypeError, "'ascending'"),
        ("df.groupby('k').agg(n=('ii', 'sum'))", KeyError, "'i'"),
        ("pd.read_cvs('x')", AttributeError, "'read_csv'"),
        ("pd.merge(df, right, on='kk')", KeyError, "'k'"),
    ],
)
def test_errors_stand_at_the_line_and_name_what_is_near(source: str, error: type[Exception], near: str) -> None:
    names = {**world(pd)}
    with pytest.raises(error, match=f"Did you mean .*{near}") as caught:
        eval(compile(source, "users_flow.py", "eval"), {**names, "__name__": "users_flow"})
    if error is not AttributeError or "read_cvs" not in source:
        assert "users_flow.py:1" in str(caught.value)
        assert isinstance(caught.value, dag.DualdagError)
        assert isinstance(caught.value, GraphError)


def test_scalars_are_lazy_until_python_needs_them(evaluator: Any) -> None:
    df = world(pd)["df"]
    mean = df.i.mean()
    lazily = [mean + 1, 1 - mean, -mean, mean > 3, mean == mean, abs(mean), round(mean, 1), divmod(mean, 2)[0]]
    lazily.append(df[df.i > mean])
    assert evaluator.ran == []
    assert [float(one) for one in lazily[:2]] == [6.5, -4.5]
    assert f"{mean:.2f}|{mean}|{mean!s}" == "5.50|5.5|5.5"
    assert int(mean) == 5
    assert bool(mean > 3)
    assert np.sqrt(mean) == np.sqrt(5.5)
    assert np.asarray(mean).item() == 5.5
    assert {mean: 1}[5.5] == 1
    assert mean in (1, 5.5)
    assert isinstance(df.t.max().compute(), pandas.Timestamp)
    assert df.t.max().day == 2
    with pytest.raises(AttributeError):
        mean.x = 1


def test_unknown_values_take_what_they_may_be(evaluator: Any) -> None:
    df = world(pd)["df"]
    found = df.loc[2]
    assert type(found).__name__ == "Unknown"
    assert (found["i"] + 1).compute() == 9
    assert found.i == 8
    assert list(found.index) == list(df.columns)
    assert isinstance(found, pd.Series)
    assert not isinstance(found, pd.DataFrame)
    counted = df.groupby("k").apply(lambda d: pd.Series({"n": len(d), "m": d.i.max()}))
    assert list(counted.columns) == ["n", "m"]
    assert (counted.n + counted["m"]).sort_values().iloc[-1].compute() == counted.compute().sum(axis=1).max()
    assert float(df.groupby("k").apply(len).sum()) == 11


def test_from_node(evaluator: Any) -> None:
    @dag.task
    def make(n: int) -> Any:
        return pandas.DataFrame({"x": range(n)})

    @dag.task
    def told(n: int) -> pandas.DataFrame:
        return pandas.DataFrame({"x": range(n)})

    assert pd.from_node(make(4)).x.sum().compute() == 6
    assert type(pd.from_node(told(4))).__name__ == "DataFrame"
    assert list(pd.from_node(told(4)).columns) == ["x"]
    frame = pd.DataFrame({"y": [1]})
    assert pd.from_node(frame).__dualdag_node__().key == frame.__dualdag_node__().key
    with pytest.raises(TypeError, match="takes a node"):
        pd.from_node(3)


def test_objects_change_alone(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    alias, part, twin, deep = frame, frame[["x"]], frame.copy(), copy.deepcopy(frame)
    before = frame.__dualdag_node__().key
    for change in (lambda: frame.insert(0, "a", 0), lambda: frame.drop(columns="y", inplace=True)):
        assert change() is None
    frame["x"] = 0
    frame.loc[0, "x"] = 7
    assert list(alias.columns) == list(frame.columns) == ["a", "x"]
    assert frame.compute().x.tolist() == [7, 0]
    assert part.compute().x.tolist() == [1, 2]
    assert twin.__dualdag_node__().key == deep.__dualdag_node__().key == before
    assert frame.fillna(0, inplace=True) is frame  # as pandas 3 has it


def test_what_is_no_column_is_kept_beside(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [1]})
    with pytest.warns(UserWarning, match="new attribute name"):
        frame.y = [1]
    assert frame.y == [1]
    assert list(frame.columns) == ["x"]
    with pytest.raises(AttributeError):
        frame.shape = (1, 2)


def test_numpy_gets_arrays(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert_same(np.asarray(frame.x), np.array([1.0, 2.0]))
    assert_same(np.asarray(frame, dtype=int), np.array([[1], [2]]))
    assert np.concatenate([frame.x, frame.x]).shape == (4,)
    assert np.add.reduce(frame.x) == 3.0
    assert type(np.exp(frame)).__name__ == "DataFrame"
    assert type(pandas.Series([1, 2]) + frame.x).__name__ == "Series"
    assert hasattr(pandas.Series([1, 2]) + frame.x, "compute")


def test_functions_that_need_values_are_called_where_they_are(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [1, 2, 3]})
    made = frame.assign(y=lambda d: np.where(d.x > 1, "a", "b"), z=lambda d: len(d), w=lambda d: d.z + 1)
    assert evaluator.ran == []
    assert list(made.columns) == ["x", "y", "z", "w"]
    assert made.compute().w.tolist() == [4, 4, 4]
    assert made.compute().y.tolist() == ["b", "a", "a"]
    assert frame[lambda d: d.x.to_numpy() > 1].compute().x.tolist() == [2, 3]


def test_persist_artifact_and_plan(real: None) -> None:
    frame = pd.DataFrame({"x": [1, 2]}).named("start") + 1
    kept = frame.persist(store="memory://persisted")
    assert type(kept) is type(frame)
    assert kept.plan(store="memory://persisted").counts["run"] == 0
    made = frame.artifact("more", cadence="1d")
    assert made.compute(store="memory://persisted").x.tolist() == [2, 3]
    assert_same(dag.load("more", store="memory://persisted"), made.compute(store="memory://persisted"))
    assert list(made.columns) == ["x"]


def test_scikit_learn_sees_the_columns_of_a_lazy_frame(evaluator: Any) -> None:
    compose = pytest.importorskip("sklearn.compose")
    linear_model = pytest.importorskip("sklearn.linear_model")
    df = world(pd)["df"]
    model = linear_model.LinearRegression().fit(df[["i", "g"]], df.i)
    assert list(model.feature_names_in_) == ["i", "g"]
    chosen = compose.make_column_transformer(("passthrough", ["g"])).set_output(transform="pandas")
    pandas.testing.assert_index_equal(chosen.fit_transform(df).columns, pandas.Index(["passthrough__g"]))


def test_windows_tell_their_arguments(evaluator: Any) -> None:
    df = world(pd)["df"]
    window = df[["i"]].rolling(3, min_periods=2)
    assert (window.window, window.min_periods, window.closed) == (3, 2, None)
    assert df.i.ewm(span=4).span == 4
    assert df.groupby("k").rolling(3).window == 3
