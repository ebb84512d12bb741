"""Any chain gives what pandas gives, or raises what pandas raises."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualdag.pandas as lazy
from dualdag.frames import AttributeNotFoundError, ColumnNotFoundError
from tests.frames.conftest import Evaluator
from tests.frames.world import assert_same, kind_of, value_of

COLUMNS = ("a", "f", "k", "b")
COLUMN = st.sampled_from([*COLUMNS, "z"])
NUMBER = st.sampled_from(["a", "f"])
KEYS = st.sampled_from(['"k"', '"b"', '"a"', '["k", "b"]', '["b", "a"]'])
SMALL = st.integers(-2, 4)
HOW = st.sampled_from(["sum", "mean", "min", "max", "count", "size", "first", "last", "nunique", "std"])


@st.composite
def tables(draw: st.DrawFn) -> pandas.DataFrame:
    rows = draw(st.integers(0, 7))
    column = {
        "a": st.integers(-3, 3),
        "f": st.sampled_from([0.0, 1.5, -2.25, np.nan, 4.0]),
        "k": st.sampled_from(["x", "y", "zz", None]),
        "b": st.booleans(),
    }
    types = {"a": "int64", "f": "float64", "k": "str", "b": "bool"}
    made = pandas.DataFrame(
        {
            name: pandas.Series(draw(st.lists(one, min_size=rows, max_size=rows)), dtype=types[name])
            for name, one in column.items()
        }
    )
    if draw(st.booleans()):
        made.index = pandas.Index(draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows)), name="lab")
    return made


def _op(template: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries(parts).map(lambda chosen: template.format(**chosen))


OPS = st.one_of(
    _op("d[d.{c} > {n}]", c=NUMBER, n=SMALL),
    _op("d[d.{c} > d.{c}.mean()]", c=NUMBER),
    _op("d[d['k'] == 'x']"),
    _op("d[~d.b]"),
    _op("d[d.k.isin(['x', 'zz']) | d.f.isna()]"),
    _op("d.assign({o}=d.{c} * {n})", o=COLUMN, c=NUMBER, n=SMALL),
    _op("d.assign(z=lambda t: t.{c}.fillna({n}), a=lambda t: t.z + 1)", c=NUMBER, n=SMALL),
    _op("d.sort_values('{c}', ascending={o}, na_position='{p}', kind='stable')", c=COLUMN, o=st.booleans(),
        p=st.sampled_from(["first", "last"])),
    _op("d.sort_values(['b', '{c}'])", c=COLUMN),
    _op("d.sort_index()"),
    _op("d.head({n})", n=SMALL),
    _op("d.tail({n})", n=SMALL),
    _op("d.iloc[{i}:{j}]", i=SMALL, j=SMALL),
    _op("d.loc[d.{c} >= {n}, ['k', '{c}', 'b', 'a', 'f']]", c=NUMBER, n=SMALL),
    _op("d.drop_duplicates('{c}')", c=NUMBER),
    _op("d.dropna(subset=['{c}'])", c=COLUMN),
    _op("d.fillna({{'f': {n}, 'k': 'none'}})", n=SMALL),
    _op("d.rename(columns={{'{c}': '{o}'}})", c=COLUMN, o=COLUMN),
    _op("d.drop(columns='{c}')", c=COLUMN),
    _op("d.reset_index(drop={o})", o=st.booleans()),
    _op("d.set_index('{c}', drop={o}).reset_index()", c=COLUMN, o=st.booleans()),
    _op("d.merge(right, on='k', how='{h}')", h=st.sampled_from(["inner", "left", "right", "outer"])),
    _op("d.groupby({k}).agg(a=('a', '{h}'), f=('f', '{g}')).reset_index()", k=KEYS, h=HOW, g=HOW),
    _op("d.groupby({k}, as_index=False, sort={o}, dropna={p}).{c}.{h}()", k=KEYS, o=st.booleans(), p=st.booleans(),
        c=NUMBER, h=HOW),
    _op("d.assign(f=d.groupby({k}).{c}.transform('{h}'))", k=KEYS, c=NUMBER, h=st.sampled_from(["sum", "mean", "max"])),
    _op("d.groupby({k}).head({n})", k=KEYS, n=SMALL),
    _op("d.groupby('k').apply(lambda g: pd.Series({{'a': g.a.sum(), 'f': len(g)}})).reset_index()"),
    _op("pd.concat([d, d.head({n})], ignore_index={o})", n=SMALL, o=st.booleans()),
    _op("d.astype({{'a': 'float64'}})"),
    _op("d.replace({{'k': {{'x': 'w'}}}})"),
    _op("d.assign(k=d.k.str.upper(), b=d.k.str.len() > 1)"),
    _op("d.assign(a=d.a.where(d.b, {n}), f=d.f.shift({n}))", n=SMALL),
    _op("d.assign(f=d.f.cumsum().rank())"),
    _op("d.assign(f=d.f.rolling(2, min_periods=1).mean())"),
    _op("d.query('{c} > {n}')", c=NUMBER, n=SMALL),
    _op("d.melt(id_vars='k', value_vars=['a', 'f']).rename(columns={{'value': 'f'}})"),
    _op("d.nlargest({n}, '{c}')", n=SMALL, c=NUMBER),
    _op("d.where(d.b)"),
    _op("changed(d, '{c}', {n})", c=COLUMN, n=SMALL),
    _op("d.pipe(lambda t: t[['{c}', 'k']].assign(a=1, f=2.0, b=True))", c=COLUMN),
)  # fmt: skip
ENDS = st.one_of(
    st.just("d"),
    _op("d['{c}']", c=COLUMN),
    _op("d.{c}.{h}()", c=COLUMN, h=HOW),
    _op("d.groupby({k}).size()", k=KEYS),
    _op("d.value_counts(['k', 'b'])"),
    _op("d.k.value_counts(dropna=False)"),
    _op("d.describe()"),
    _op("d.isna().sum()"),
    _op("d.pivot_table(index='k', columns='b', values='{c}', aggfunc='{h}')", c=NUMBER, h=HOW),
    _op("d[['a', 'f']].sum(axis=1)"),
    _op("d.index"),
    _op("d.agg({{'a': ['min', 'max'], 'f': ['sum', 'mean']}})"),
)


def changed(table: Any, column: str, number: int) -> Any:
    """Change a copy in place, in the ways that there are."""
    made = table.copy()
    made[column] = made["a"] + number
    made.loc[made["b"], "f"] = number
    made["f"] += 1
    made.drop(columns="b", inplace=True)
    made.insert(0, "b", made[column] > 0)
    return made


def follow(pd: Any, start: pandas.DataFrame, ops: list[str], end: str) -> tuple[str, Any]:
    right = pandas.DataFrame({"k": ["x", "x", "y", None], "v": [1, 2, 3, 4]})
    scope: dict[str, Any] = {"pd": pd, "np": np, "changed": changed, "right": pd.DataFrame(right)}
    try:
        scope["d"] = pd.DataFrame(start)
        for op in ops:
            scope["d"] = eval(op, scope)
        made = eval(end, scope)
        return "value", (made, value_of(made))
    except Exception as error:  # noqa: BLE001 - it is what is compared
        return "error", error


@pytest.fixture(autouse=True, scope="module")
def evaluated() -> Iterator[None]:
    """Run graphs with the small evaluator: what is held here is the graph that chains make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dualdag._api.run", Evaluator())
        yield


@given(start=tables(), ops=st.lists(OPS, max_size=5), end=ENDS)
def test_any_chain_equals_pandas(start: pandas.DataFrame, ops: list[str], end: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told, wanted = follow(pandas, start, ops, end)
        told_lazily, got = follow(lazy, start, ops, end)
    if told == "error":
        assert told_lazily == "error", f"pandas raises {wanted!r}"
        # Of two errors in a chain, the one that the schema tells comes first.
        assert isinstance(got, (type(wanted), ColumnNotFoundError, AttributeNotFoundError)), (
            f"pandas raises {wanted!r}, not {got!r}"
        )
        return
    if told_lazily == "error":
        # A list of as many names as there are rows is a list of groups to pandas if one of them is no
        # column; the schema can't tell how many rows there will be, and such a name is an error to us.
        if isinstance(got, ColumnNotFoundError):
            assert any(one in str(got) for one in (".groupby", ".value_counts", ".pivot_table"))
            return
        raise got
    assert_same(got[1], wanted[1])
    handle = got[0]._handle
    assert handle.kind in ("any", kind_of(got[1]))
    if handle.kind == "series" and handle.meta is not None:
        assert handle.meta.obj.name == got[1].name
        assert list(handle.meta.obj.index.names) == list(got[1].index.names)
        assert not handle.meta.exact or handle.meta.obj.dtype == got[1].dtype
    if handle.kind == "frame" and handle.meta is not None:
        assert list(handle.meta.obj.columns) == list(got[1].columns)
        assert list(handle.meta.obj.index.names) == list(got[1].index.names)
        assert not handle.meta.exact or list(handle.meta.obj.dtypes) == list(got[1].dtypes)
