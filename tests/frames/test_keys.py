"""One meaning, one key: in whatever spelling, process and order."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import cloudpickle
import pytest

import dualdag.pandas as pd
from tests.frames.world import result, world

SPELLINGS = [
    ('df.sort_values("i")', 'df.sort_values(by="i")', 'df.sort_values(["i"])', 'df.sort_values(by=("i",))'),
    ('df.sort_values("i")', 'df.sort_values("i", axis="index", ascending=[True], inplace=False)'),
    ('df.sort_values(["g", "i"])', 'df.sort_values(by=("g", "i"))'),
    ('df["i"]', "df.i", 'df.get("i")'),
    ('df.drop("i", axis=1)', 'df.drop(columns="i")', 'df.drop(columns=["i"])', 'df.drop("i", axis="columns")'),
    ('df.rename({"i": "j"}, axis=1)', 'df.rename(columns={"i": "j"})'),
    ("df.isna()", "df.isnull()", "pd.isna(df)", "pd.isnull(df)"),
    ("n + 1", "n.add(1)", "np.add(n, 1)"),
    ("n / 2", "n.div(2)", "n.truediv(2)", "n.divide(2)", "np.divide(n, 2)"),
    ("n > 2", "n.gt(2)", "np.greater(n, 2)"),
    ('df.merge(right, on="k")', 'pd.merge(df, right, "inner", "k")', 'pd.merge(right=right, left=df, on=["k"])'),
    ("df.melt(id_vars='k')", "pd.melt(df, id_vars=['k'])", "pd.melt(frame=df, id_vars='k')"),
    ("df.assign(z=df.i + 1)", "df.assign(z=lambda d: d.i + 1)", 'df.assign(z=pd.col("i") + 1)'),
    ("df.assign(z=df.i + 1)", 'df["z"] = df.i + 1; r = df'),
    ("df[df.i > 3]", "df[lambda d: d.i > 3]"),
    ("df.loc[df.i > 3, 'f']", "df.loc[lambda d: d.i > 3, 'f']"),
    ("df.drop_duplicates('g')", "df.drop_duplicates(subset=['g'])", "df.drop_duplicates(['g'], keep='first')"),
    ("df.dropna(subset='f')", "df.dropna(subset=['f'])"),
    ('df.groupby("k").i.sum()', 'df.groupby("k")["i"].sum()', 'df.groupby(by="k", sort=True).i.sum()'),
    (
        'df.groupby("k").agg(n=("i", "size"))',
        'df.groupby("k").aggregate(n=("i", "size"))',
        'df.groupby("k").agg(n=pd.NamedAgg("i", "size"))',
    ),
    ("df.i.sum()", "df.i.sum(skipna=True)", "pd.Series.sum(df.i)", "df.i.sum(axis=0)"),
    ("df.head()", "df.head(5)", "df.head(n=5)"),
    ("df", "df.copy()", "pd.DataFrame(df)"),
    ("df.T", "df.transpose()"),
    ("df.i.kurt()", "df.i.kurtosis()"),
    ("df.pipe(lambda d: d.i)", "df.i"),
    ('df.drop(columns="i", inplace=True); r = df', 'df.drop(columns="i")'),
    ('df.pop("i"); r = df', 'del df["i"]; r = df'),
]
DIFFERENT = """
df.sort_values("i")
df.sort_values("i", ascending=False)
df.sort_values("g")
df.i + 1
df.i + 1.0
df.i + True
df.i - 1
1 - df.i
df.groupby("k").i.sum()
df.groupby(["k"]).i.sum()
df.groupby("k", sort=False).i.sum()
df.groupby("k").i.mean()
df.groupby("g").i.sum()
df.groupby("k").f.sum()
df[["i"]]
df["i"]
df.i.map(lambda x: x + 1)
df.i.map(lambda x: x + 2)
df.i.apply(lambda x: x + 1)
df.iloc[0]
df.loc[0]
df.iloc[[0]]
df.iloc[0:1]
df.agg("sum")
df.agg(["sum"])
df.i.rolling(2).sum()
df.i.rolling(3).sum()
df.i.expanding(2).sum()
df.fillna(0)
df.fillna(False)
df.fillna("0")
df.assign(a=1, b=2)
df.assign(b=2, a=1)
"""


def key(source: str) -> str:
    made = result(source, pd).__dualdag_node__()
    return str(made.key)


@pytest.mark.parametrize(
    "spellings", SPELLINGS, ids=[one[0] for one in SPELLINGS[:1]] + list(map(str, range(1, len(SPELLINGS))))
)
def test_spellings_of_one_meaning_are_one_node(spellings: tuple[str, ...]) -> None:
    assert len({key(one) for one in spellings}) == 1


def test_other_meanings_are_other_nodes() -> None:
    sources = DIFFERENT.strip().splitlines()
    assert len({key(one) for one in sources}) == len(sources)


def test_nodes_have_readable_names() -> None:
    names = world(pd)
    df, words = names["df"], names["words"]
    assert df.sort_values("i").__dualdag_node__().label == "sort_values"
    assert df.groupby("k").i.sum().__dualdag_node__().label == "groupby_getitem_sum"
    assert words.str.upper().__dualdag_node__().label == "str_upper"
    assert (df.i + 1).__dualdag_node__().label == "add"
    assert df.groupby("k").size().__dualdag_node__().key.startswith("groupby_size-")


PROGRAM = """
import sys
import dualdag.pandas as pd
from tests.frames.world import result
for source in sys.stdin.read().strip().splitlines():
    print(result(source, pd).__dualdag_node__().key)
"""
MORE = """
df.merge(right, on="k").groupby("k").apply(lambda d: pd.Series({"n": len(d)}))
df.assign(z=lambda d: np.where(d.i > 3, {"b", "a"} and 1, 2))
df[df.k.isin({"a", "b", "c"})]
pd.concat([df, right]).drop_duplicates()
df.groupby(pd.Grouper(key="t", freq="D")).i.agg(["sum", np.mean])
n.apply(pd.Series.sum)
"""


def test_keys_are_the_same_in_other_processes() -> None:
    sources = [*DIFFERENT.strip().splitlines(), *MORE.strip().splitlines()]
    here = [key(one) for one in sources]
    for seed in ("0", "77"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            input="\n".join(sources), capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.stdout.split() == here


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_lazy_objects_can_be_pickled(pickler: Any, evaluator: Any) -> None:
    names = world(pd)
    for made in (
        names["df"].groupby("k").agg(n=("i", "size")).sort_values("n"),
        names["df"].i.sum(),
        names["words"].str.upper(),
        names["n"].index,
    ):
        again = pickler.loads(pickler.dumps(made))
        assert type(again) is type(made)
        assert again.__dualdag_node__().key == made.__dualdag_node__().key
        assert str(again.compute()) == str(made.compute())
    frame = pickler.loads(pickler.dumps(names["df"][["i", "f"]]))
    assert list(frame.columns) == ["i", "f"]


def test_a_long_chain_recurses_nowhere(evaluator: Any) -> None:
    frame = pd.DataFrame({"x": [0]})
    for _ in range(3000):
        frame = frame + 1
    assert list(frame.columns) == ["x"]
    assert frame.compute().x.tolist() == [3000]
    assert pickle.loads(pickle.dumps(frame)).__dualdag_node__().key == frame.__dualdag_node__().key
