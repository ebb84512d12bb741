"""Readers know files by content; writers leave a whole file or none."""

from __future__ import annotations

import io
import os
import sqlite3
from pathlib import Path
from typing import Any

import pandas
import pytest

import dualdag as dag
import dualdag.pandas as pd
from dualdag.graph import compile_graph
from tests.frames.world import assert_same

FRAME = pandas.DataFrame(
    {"k": ["a", "b", None], "x": [1, 2, 3], "f": [0.5, None, 2.0], "t": pandas.date_range("2024-01-01", periods=3)}
)


def lay_out(days: int) -> None:
    Path("data").mkdir(exist_ok=True)
    for day in range(days):
        part = pandas.DataFrame({"day": [day] * 3, "delay": [day, 20.0, 40.0], "carrier": ["UA", "AA", "B6"]})
        part.to_csv(f"data/flights-{day}.csv", index=False)
        part.to_parquet(f"data/flights-{day}.parquet")
    pandas.DataFrame({"carrier": ["UA", "AA", "B6"], "name": ["United", "American", "JetBlue"]}).to_csv(
        "data/airlines.csv", index=False
    )


def test_a_pattern_reads_all_files_as_concat_would(evaluator: Any) -> None:
    lay_out(3)
    parts = [pandas.read_csv(f"data/flights-{day}.csv") for day in range(3)]
    flights = pd.read_csv("data/flights-*.csv")
    assert list(flights.columns) == ["day", "delay", "carrier"]
    assert evaluator.ran == []
    assert_same(flights.compute(), pandas.concat(parts, ignore_index=True))
    assert evaluator.ran == ["read_csv", "read_csv", "read_csv", "concat_files"]
    assert_same(
        pd.read_csv("data/flights-*.csv", index_col="carrier").compute(),
        pandas.concat([part.set_index("carrier") for part in parts]),
    )
    assert_same(flights[flights.delay > 15].compute().index, pandas.Index([1, 2, 4, 5, 7, 8]))
    assert_same(pd.read_parquet("data/flights-*.parquet").compute(), pandas.concat(parts, ignore_index=True))
    assert_same(pd.read_csv(Path("data/flights-1.csv")).compute(), parts[1])


def test_one_new_file_costs_one_read_and_the_combination(real: None) -> None:
    def delays() -> Any:
        flights = pd.read_csv("data/flights-*.csv")
        return (
            flights[flights.delay > 15]
            .merge(pd.read_csv("data/airlines.csv"), on="carrier")
            .groupby("name")
            .agg(flights=("day", "size"), mean=("delay", "mean"))
            .sort_values("mean", ascending=False)
        )

    lay_out(3)
    with dag.configure(store="memory://new-file"):
        first = delays()
        assert first.plan().counts["run"] > 0
        assert first.compute().flights.tolist() == [3, 3]
        again = delays()
        assert again.plan().counts == {"reuse": 1, "run": 0, "check": 0, "pinned": 0}
        old = Path("data/flights-1.csv").read_bytes()
        Path("data/flights-1.csv").write_bytes(old)
        assert delays().compute().flights.tolist() == [3, 3]
        lay_out(4)
        assert delays().compute().flights.tolist() == [4, 4]
        keys = {n.key for n in compile_graph([again.__dualdag_node__()]).nodes}
        reads = [n for n in compile_graph([delays().__dualdag_node__()]).nodes if n.label == "read_csv"]
        assert len([n for n in reads if n.key not in keys]) == 1


def test_a_changed_file_is_read_again(real: None) -> None:
    Path("x.csv").write_text("a\n1\n", encoding="utf-8")
    with dag.configure(store="memory://changed-file"):
        assert pd.read_csv("x.csv").a.sum() == 1
        Path("x.csv").write_text("a\n41\n", encoding="utf-8")
        assert pd.read_csv("x.csv").a.sum() == 41
        Path("x.csv").write_text("b\n5\n", encoding="utf-8")
        assert list(pd.read_csv("x.csv").columns) == ["b"]


def test_what_is_not_there_is_told_at_the_line() -> None:
    lay_out(1)
    with pytest.raises(FileNotFoundError, match="test_files.py.*Did you mean 'airlines.csv'"):
        pd.read_csv("data/airline.csv")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        pd.read_csv("data/nope-*.csv")
    with pytest.raises(FileNotFoundError):
        pd.read_parquet("memory://nope/x.parquet")


@pytest.mark.parametrize(
    ("name", "writing", "reading"),
    [
        ("x.csv", {"index": False}, {"parse_dates": ["t"]}),
        ("x.csv.gz", {}, {"index_col": 0}),
        ("x.csv.zip", {}, {"index_col": 0}),
        ("x.parquet", {}, {}),
        ("x.parquet", {}, {"columns": ["x", "k"]}),
        ("x.feather", {}, {}),
        ("x.json", {}, {}),
        ("x.json", {"orient": "records", "lines": True}, {"lines": True}),
        ("x.pickle", {}, {}),
        ("x.orc", {}, {}),
        ("x.dta", {}, {}),
        ("x.html", {}, {}),
    ],
)
def test_files_are_as_pandas_writes_and_reads_them(
    name: str, writing: dict[str, Any], reading: dict[str, Any], evaluator: Any
) -> None:
    kind = {"dta": "stata"}.get(name.split(".")[1], name.split(".")[1])
    own = FRAME.drop(columns="t") if kind == "json" else FRAME  # how dates are written will change
    lazy = pd.DataFrame(own)
    assert getattr(lazy, f"to_{kind}")(name, **writing) is None
    Path("own").mkdir()
    getattr(own, f"to_{kind}")(f"own/{name}", **writing)
    if name.endswith((".csv", ".json", ".html", ".parquet")):
        assert Path(name).read_bytes() == Path(f"own/{name}").read_bytes()
    if kind != "html":
        read = getattr(pd, f"read_{kind}")(name, **reading)
        assert_same(read.compute(), getattr(pandas, f"read_{kind}")(f"own/{name}", **reading))
    assert sorted(os.listdir()) == sorted(["own", name])


def test_schema_of_a_parquet_file_is_known(evaluator: Any) -> None:
    FRAME.to_parquet("x.parquet")
    lazy = pd.read_parquet("x.parquet")
    assert_same(lazy.dtypes, FRAME.dtypes)
    assert list(pd.read_parquet("x.parquet", columns=["f"]).columns) == ["f"]
    assert evaluator.ran == []
    pandas.DataFrame({"n": pandas.array([1, None], "Int64")}).to_parquet("n.parquet")
    assert_same(pd.read_parquet("n.parquet").dtypes, pandas.read_parquet("n.parquet").dtypes)


def test_folders(evaluator: Any) -> None:
    lazy = pd.DataFrame(FRAME)
    lazy.to_parquet("out/")
    assert os.listdir("out") == ["part-00000.parquet"]
    assert_same(pd.read_parquet("out/").compute(), FRAME)
    lazy.head(1).to_parquet("out/")
    assert len(pd.read_parquet("out")) == 1
    Path("out/note.txt").write_text("kept", encoding="utf-8")
    Path("out/note.txt").rename("note.txt")
    lazy.dropna().to_parquet("parts", partition_cols=["k"])
    FRAME.dropna().to_parquet("own", partition_cols=["k"])
    assert_same(pd.read_parquet("parts").compute(), pandas.read_parquet("own"))
    lazy.to_csv("texts/", index=False)
    assert os.listdir("texts") == ["part-00000.csv"]
    lazy.to_parquet("memory://bucket/out/")
    assert_same(pd.read_parquet("memory://bucket/out/part-00000.parquet").compute(), FRAME)


def test_a_writer_that_fails_leaves_what_was_there(evaluator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = pd.DataFrame(FRAME)
    lazy.to_csv("x.csv")
    lazy.to_parquet("out/")
    before = Path("x.csv").read_bytes()

    def fail(self: Any, path: str, **kwargs: Any) -> None:
        Path(path).write_text("half", encoding="utf-8")
        raise OSError("disk full")

    monkeypatch.setattr(pandas.DataFrame, "to_csv", fail)
    monkeypatch.setattr(pandas.DataFrame, "to_parquet", fail)
    for write in (lambda: lazy.to_csv("x.csv"), lambda: lazy.to_csv("new.csv"), lambda: lazy.to_parquet("out/")):
        with pytest.raises(OSError, match="disk full"):
            write()
    assert Path("x.csv").read_bytes() == before
    assert sorted(os.listdir()) == ["out", "x.csv"]
    assert_same(pandas.read_parquet("out"), FRAME)
    with pytest.raises(OSError, match="non-existent directory"):
        lazy.to_json("nowhere/x.json")


def test_appending_and_targets_that_are_no_files(evaluator: Any) -> None:
    lazy = pd.DataFrame({"x": [1, 2]})
    lazy.to_csv("x.csv", index=False)
    lazy.to_csv("x.csv", mode="a", header=False, index=False)
    assert Path("x.csv").read_text(encoding="utf-8").split() == ["x", "1", "2", "1", "2"]
    with pytest.raises(FileExistsError):
        lazy.to_csv("x.csv", mode="x")
    assert lazy.to_csv(index=False) == "x\n1\n2\n"
    buffer = io.StringIO()
    lazy.to_csv(buffer, index=False)
    assert buffer.getvalue() == "x\n1\n2\n"
    lazy.to_csv("memory://bucket/y.csv", index=False)
    assert pd.read_csv("memory://bucket/y.csv").x.sum() == 3
    pd.to_pickle(lazy, "x.pkl")
    assert_same(pd.read_pickle("x.pkl").compute(), pandas.DataFrame({"x": [1, 2]}))


def test_what_has_no_name_is_read_at_once(evaluator: Any) -> None:
    lazy = pd.read_csv(io.StringIO("a,b\n1,2\n"))
    assert lazy.dtypes.tolist() == ["int64", "int64"]
    assert evaluator.ran == []
    Path("x.csv").write_text("a\n1\n2\n3\n", encoding="utf-8")
    assert [len(part) for part in pd.read_csv("x.csv", chunksize=2)] == [2, 1]
    with sqlite3.connect("x.db") as base:
        pandas.DataFrame({"x": [1]}).to_sql("t", base, index=False)
        assert pd.read_sql("select * from t", base).x.sum() == 1
        assert pd.DataFrame({"x": [5]}).to_sql("u", base, index=False) == 1
    base.close()


def test_the_result_of_a_task_can_be_read(evaluator: Any) -> None:
    Path("x.csv").write_text("a\n1\n", encoding="utf-8")
    assert pd.read_csv(dag.file("x.csv")).a.sum() == 1

    @dag.task
    def chosen(name: str) -> str:
        return f"{name}.csv"

    assert pd.read_csv(chosen("x")).a.sum() == 1


@pytest.mark.parametrize("target", ["x.csv", Path("x.csv"), "./x.csv"])
def test_a_frame_written_over_its_own_file_stays_what_it_was(target: Any, real: None) -> None:
    pandas.DataFrame({"x": [1, 2]}).to_csv("x.csv", index=False)
    df = pd.read_csv("x.csv")
    df["x"] += 1
    df.to_csv(target, index=False)
    assert df.x.tolist() == [2, 3]
    assert list(df.columns) == ["x"]
    df.to_csv(target, index=False)
    assert pd.read_csv("x.csv").x.tolist() == [2, 3]
