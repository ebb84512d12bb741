"""`dag.diff`: values of every kind, and what versions were made of."""

from __future__ import annotations

import dataclasses
from enum import Enum
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dualdag as dag
from dualdag.explaining import diff_values


@dataclasses.dataclass
class Point:
    x: int
    tags: list


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b


class Model:
    def __init__(self, alpha):
        self.alpha = alpha

    def get_params(self, deep=True):
        return {"alpha": self.alpha}


def fitted(alpha, coef):
    made = Model(alpha)
    made.coef_ = np.array(coef)
    return made


def lines(one, two, **options):
    found = diff_values(one, two, **options)
    assert not found.equal
    return list(found.lines)


def test_frames_by_key():
    one = pd.DataFrame({"id": [1, 2, 3], "v": [1.0, 2.0, np.nan], "s": ["a", "b", "c"], "gone": 1})
    two = pd.DataFrame({"id": [2, 3, 4], "v": [2.5, np.nan, 0.0], "s": ["b", "c", "d"], "new": [True] * 3})
    assert lines(one, two) == [
        "rows: 3 -> 3 (1 added, 1 removed, 1 changed), matched by id",
        "column new (bool) added",
        "column gone (int64) removed",
        "added: 4",
        "removed: 1",
        "v: 1 value changed, at most 0.5 apart",
        "  2: 2.0 -> 2.5",
    ]
    found = diff_values(one, two).to_dict()
    assert found["rows"] == [3, 3]
    assert found["columns"]["removed"] == [["gone", "int64"]]
    assert found["changed"][0]["samples"] == [{"key": "2", "was": "2.0", "now": "2.5"}]


def test_frames_by_a_chosen_key_an_index_and_position():
    one = pd.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "x"], "v": [1, 2, 3]})
    two = one.assign(v=[1, 5, 3]).iloc[[2, 0, 1]].reset_index(drop=True)
    found = diff_values(one, two, key=("a", "b"))
    assert found.found["key"] == ["a", "b"]
    assert found.found["order"] == "changed"
    assert "  1, 'y': 2 -> 5" in found.lines
    with pytest.raises(dag.ConfigError, match="no column of both versions"):
        diff_values(one, two, key=("c",))
    assert "matched by b" in lines(one.set_index("b"), two.set_index("b"))[0]
    same = pd.DataFrame({"a": [1, 1], "b": [0.5, 1.5]})
    assert (
        lines(same, same.assign(b=[0.5, 2.5]))[0] == "rows: 2 -> 2 (0 added, 0 removed, 1 changed), matched by position"
    )


def test_frames_with_repeated_keys_types_and_odd_cells():
    one = pd.DataFrame({"v": [1, 2, 3]}, index=pd.Index(["a", "a", "b"], name="k"))
    two = pd.DataFrame({"v": [1, 9, 3]}, index=pd.Index(["a", "a", "b"], name="k"))
    assert "  'a', 1: 2 -> 9" in lines(one, two)
    assert "column v: int64 -> float64" in lines(one, one.astype(float))
    cells = pd.DataFrame({"v": [[1], [2, 3]]})
    assert "  1: [2, 3] -> [4]" in lines(cells, pd.DataFrame({"v": [[1], [4]]}))
    twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
    assert any(line.startswith("x (2): 1 value") for line in lines(twice, pd.DataFrame([[1, 3]], columns=["x", "x"])))
    texts = pd.DataFrame({"v": ["1", "2"]})
    assert "column v: str -> int64" in lines(texts, pd.DataFrame({"v": [1, 2]}))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (pl.DataFrame({"k": ["a", "b"], "x": [1, None]}), pl.DataFrame({"k": ["a", "b"], "x": [2, None]})),
        (pa.table({"k": ["a", "b"], "x": [1, None]}), pa.table({"k": ["a", "b"], "x": [2, None]})),
    ],
)
def test_other_frames(one, two):
    found = diff_values(one, two)
    assert (found.found["key"], found.found["rows_changed"]) == (["k"], 1)
    assert found.found["changed"][0]["column"] == "x"
    assert diff_values(one, one).equal


def test_series_and_empty_frames():
    days = pd.date_range("2026-01-01", periods=3)
    assert "added: 2026-01-03 00:00:00" in lines(pd.Series([1, 2], days[:2]), pd.Series([1, 2, 3], days))
    empty = pd.DataFrame({"a": []})
    assert diff_values(empty, empty).equal
    assert lines(empty, pd.DataFrame({"a": [1.0]}))[0].startswith("rows: 0 -> 1 (1 added")


def test_a_key_that_is_repeated_in_one_version_only():
    one = pd.DataFrame({"k": ["a", "b"], "v": [1, 2]})
    two = pd.DataFrame({"k": ["a", "b", "b"], "v": [1, 2, 3]})
    for found in (diff_values(one, two, key=("k",)), diff_values(one.set_index("k"), two.set_index("k"))):
        assert (found.found["added"], found.found["removed"], found.found["changed"]) == (1, 0, [])


def test_a_column_that_is_called_as_the_index():
    one = pd.DataFrame({"index": [1, 2]}, index=["a", "b"])
    assert "  'b': 2 -> 9" in lines(one, one.assign(index=[1, 9]))


def test_indexes():
    one = pd.DataFrame({"v": [1, 2]}, index=pd.Index(["a", "b"], name="k"))
    assert "index: k (str) -> m (str)" in lines(one, one.rename_axis("m"))
    assert any(line.startswith("index: k (str) -> k (str), ") for line in lines(one, one.set_index("v", append=True)))
    assert "index: k (str) -> none" in lines(one, one.reset_index(drop=True))
    spans = pd.IntervalIndex.from_tuples([(0, 2), (1, 3)])
    assert any("2 -> 5" in line for line in lines(one.set_index(spans), pd.DataFrame({"v": [1, 5]}, spans)))
    pairs = [pd.MultiIndex.from_tuples([(1, 2), (2, n)]) for n in (3, 4)]
    assert diff_values(pairs[0], pairs[0]).equal
    assert not diff_values(*pairs).equal


def test_keys_of_any_cells():
    one = pd.DataFrame({"k": [[1], [2]], "c": pd.Categorical(["a", "b"]), "v": [1, 2]})
    two = pd.DataFrame({"k": [[1], [2]], "c": pd.Categorical(["a", "b"], categories=["b", "a"]), "v": [1, 3]})
    assert "  '[2]': 2 -> 3" in lines(one, two, key=("k",))
    assert "  'b': 2 -> 3" in lines(one, two, key=("c",))
    assert "  '[2]', 'b': 2 -> 3" in lines(one, two, key=("k", "c"))


def test_what_compares_equal_and_is_not_the_same():
    one = pd.DataFrame({"k": [1, 2], "v": pd.Series([np.nan, "x"], dtype=object), "z": [0.0, 1.0]})
    two = pd.DataFrame({"k": [1, 2], "v": pd.Series([None, "x"], dtype=object), "z": [-0.0, 1.0]})
    assert diff_values(one, two).found["beyond"] == ["v", "z"]
    assert diff_values(one, one.copy()).equal
    kinds = [pd.DataFrame({"c": pd.Categorical(["a", "b"], names, ordered=o)}) for names, o in _KINDS]
    assert "column c: category of 'a', 'b' -> category of 'b', 'a'" in lines(kinds[0], kinds[1])
    assert "column c: category of 'a', 'b' -> category of 'a', 'b', in order" in lines(kinds[0], kinds[2])
    assert lines(pd.Series([1, 2]), pd.DataFrame({"value": [1, 2]}))[1] == "pandas.Series -> pandas.DataFrame"


_KINDS = ((["a", "b"], False), (["b", "a"], False), (["a", "b"], True))


@pytest.mark.parametrize("frame", [pl.DataFrame, pa.table, pd.DataFrame], ids=["polars", "arrow", "pandas"])
def test_large_numbers(frame):
    found = lines(
        *(frame({"k": ["a", "b"], "v": [2**60 + n, None if frame is not pd.DataFrame else 0]}) for n in (0, 1))
    )
    assert "  'a': 1152921504606846976 -> 1152921504606846977" in found
    found = diff_values(*(np.array([n, 0], "u8") for n in (2**63, 2**63 + 3)))
    assert found.lines[0] == "1 of 2 values differ, at most 3 apart"
    import json

    without_bound = diff_values(pd.DataFrame({"v": [np.inf, 1.0]}), pd.DataFrame({"v": [0.0, 2.0]}))
    json.dumps([without_bound.to_dict(), diff_values(np.array([np.inf]), np.array([1.0])).to_dict()], allow_nan=False)


def test_large_frames_cost_little_beside_themselves():
    import tracemalloc

    count = 300_000
    one = pd.DataFrame({"id": np.arange(count), **{f"c{k}": np.random.default_rng(k).random(count) for k in range(12)}})
    two = one.copy()
    two.loc[count // 2, "c5"] = 9.0
    size = one.memory_usage().sum()
    tracemalloc.start()
    found = diff_values(one, two)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.found["rows_changed"] == 1
    assert peak < size


def test_arrays():
    one = np.arange(6.0).reshape(2, 3)
    two = one.copy()
    two[1, 2] = 9
    assert lines(one, two) == ["1 of 6 values differ, at most 4 apart", "  [1, 2]: 5.0 -> 9.0"]
    assert lines(one, one.ravel()) == ["shape: (2, 3) -> (6,)"]
    assert lines(one, one.astype("f4")) == ["dtype: float64 -> float32"]
    holes = np.array([1.0, np.nan])
    assert diff_values(holes, holes.copy()).equal
    assert lines(np.array(["a"]), np.array(["b"]))[0] == "1 of 1 values differ"


def test_plain_data():
    assert lines({"a": [1, {"b": 2}], "c": 1}, {"a": [1, {"b": 3}], "d": 2}) == [
        "['a'][1]['b']: 2 -> 3",
        "['c']: 1 was taken away",
        "['d']: 2 was added",
    ]
    assert lines([1, 2, 3, 4], [1, 9, 2, 3, 4]) == ["[1]: 9 was added"]
    assert lines({1, 2}, {2, 3}) == ["set: 1 was taken away", "set: 3 was added"]
    assert lines(1, 2.5) == ["int: 1 -> 2.5"]
    assert lines((1,), [1])[0].startswith("tuple")
    assert lines(True, False) == ["bool: True -> False"]
    assert diff_values(float("nan"), float("nan")).equal
    assert lines(list(range(5000)), list(range(5001))) == ["[5000]: 5000 was added"]
    assert lines([0] * 5000, [1] * 5000)[-1] == "and at least 980 more; --json lists them"


def test_text_and_bytes():
    assert lines("a\nb\n", "a\nc\n")[-2:] == ["-b", "+c"]
    assert lines(b"\x00\x01", b"\x00\x02")[1].startswith("-> 2 B, digest ")
    assert lines(b"one", b"two")[-2:] == ["-one", "+two"]


def test_what_a_unified_diff_does_not_show():
    assert lines("a\n", "a")[1] == "unlike from character 2 on: 'a\\n' -> 'a'"
    assert lines("a\r\nb", "a\nb")[1].startswith("unlike from character 2 on")
    assert lines("a ", "a")[-2:] == ["-a ", "+a"]
    long = ["x" * 5000 + mark + "y" * 5000 for mark in "12"]
    assert (
        lines(*long)[0]
        == "unlike from character 5,001 on: 'xxxxxxxxxx1yyyyyyyyyyyyyyyyyyy' -> 'xxxxxxxxxx2yyyyyyyyyyyyyyyyyyy'"
    )
    assert lines(*("x\n" * 600_000 + mark for mark in "12"))[0].startswith("unlike from character 1,200,001 on")
    assert lines(*({"t": text} for text in long)) == [
        "['t']: ...'xxxxxxxxxx1yyyyyyyyyyyyyyyyyyy' -> ...'xxxxxxxxxx2yyyyyyyyyyyyyyyyyyy'"
    ]


def test_small_differences_of_plain_data():
    assert lines(1, 1.0) == ["int: 1 -> 1.0"]
    assert lines([0.0], [-0.0]) == ["[0]: 0.0 -> -0.0"]
    assert lines({"a": 1, "b": 2}, {"b": 2, "a": 1}) == ["dict: keys stand in another order"]
    assert lines({"e": Colour.RED}, {"e": Colour.BLUE}) == ["['e']: <Colour.RED: 1> -> <Colour.BLUE: 2>"]
    assert lines(PurePosixPath("a"), PurePosixPath("b"))[0].endswith("PurePosixPath('a') -> PurePosixPath('b')")
    odd = [np.array([np.arange(n), None], dtype=object) for n in (2, 3)]
    assert "1 of 2 values differ" in lines(*odd)
    assert lines(np.array(["2024", "NaT"], "M8[ns]"), np.array(["2025", "NaT"], "M8[ns]"))[0] == "1 of 2 values differ"
    assert diff_values(np.array(["NaT"], "M8[s]"), np.array(["NaT"], "M8[s]")).equal


def test_an_object_that_holds_itself():
    class Ring:
        def __init__(self, n):
            self.n, self.me = n, self

    assert lines(Ring(1), Ring(2)) == ["n: 1 -> 2"]


class Colour(Enum):
    RED = 1
    BLUE = 2


def test_models_and_objects():
    assert lines(fitted(1.0, [1.0, 2.0]), fitted(0.5, [1.0, 2.5])) == [
        "alpha: 1.0 -> 0.5",
        "coef_: 1 of 2 values differ, at most 0.5 apart",
    ]
    assert lines(Point(1, ["a"]), Point(2, ["a", "b"])) == ["x: 1 -> 2", "tags[1]: 'b' was added"]
    assert lines(Slotted(1, 2), Slotted(1, 3)) == ["b: 2 -> 3"]
    from sklearn.linear_model import Ridge

    told = lines(Ridge(alpha=1.0).fit([[1.0], [2.0]], [1, 2]), Ridge(alpha=2.0).fit([[1.0], [2.0]], [1, 2]))
    assert told[0] == "alpha: 1.0 -> 2.0"
    assert told[1].startswith("coef_: 1 of 1 values differ")


@dag.task
def page(n):
    Path("page.txt").write_text(f"title\n{n}\n")
    return dag.File("page.txt")


@dag.task
def frame(n):
    return pd.DataFrame({"id": range(3), "v": [0, n, 2]})


def test_versions():
    for n in (1, 5):
        dag.run([frame(n).artifact("frame"), page(n).artifact("page")], backend="sync", progress="off")
    found = dag.diff("frame", 1, 2)
    assert found.value.kind == "frame"
    assert "    1: 1 -> 5" in str(found)
    assert [(one.kind, one.was, one.now) for one in found.changes] == [("argument", "1", "5")]
    assert found.to_dict()["value"]["rows_changed"] == 1
    assert dag.diff("frame", 1).versions == (1, 2)
    assert dag.diff("page", 1, 2).value.lines[-2:] == ("-1", "+5")
    same = dag.diff("frame", 2, 2)
    assert same.equal
    assert "the values are equal" in str(same)
    assert "is the same" in str(same)
    with pytest.raises(dag.ArtifactNotFoundError, match="no version 7"):
        dag.diff("frame", 1, 7)
    for number in ("1", 1.0):
        with pytest.raises(dag.ArtifactNotFoundError, match="no version"):
            dag.load("frame", number)


def test_values_that_can_not_be_read_any_more(tmp_path, monkeypatch):
    import sys

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "gone_module.py").write_text("class Thing:\n    def __init__(self, n):\n        self.n = n\n")
    import gone_module

    make = dag.task(gone_module.Thing)
    for n in (1, 2):
        make(n).artifact("thing").compute(backend="sync", progress="off")
    assert dag.diff("thing", 1, 2).value.lines == ("n: 1 -> 2",)
    (tmp_path / "gone_module.py").unlink()
    monkeypatch.delitem(sys.modules, "gone_module")
    found = dag.diff("thing", 1, 2)
    assert found.value.kind == "digest"
    assert "gone_module" in found.notes[0]
    with pytest.raises(dag.CodecError, match="gone_module"):
        dag.load("thing", 1)
