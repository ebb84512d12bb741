"""`dualdag get`: values on the screen and in files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli

FRAME = pd.DataFrame({"x": range(30), "when": pd.date_range("2026-01-01", periods=30), "s": ["é,\n"] * 30})
INDEXED = FRAME.head(3).set_index("when")


@dag.task
def page():
    Path("made.html").write_bytes(b"<p>\r\n\x00\xff")
    return dag.File("made.html")


@dag.task
def same(x):
    return x


@pytest.fixture(autouse=True)
def stored():
    values = {
        "frame": FRAME,
        "indexed": INDEXED,
        "series": FRAME["x"],
        "polars": pl.DataFrame({"x": [1, 2]}),
        "arrow": pa.table({"x": [1, 2]}),
        "array": np.arange(4.0),
        "text": "one\ntwo",
        "bytes": b"\x00\xff",
        "plain": {"a": [1, 2.5, None]},
        "odd": {1, 2},
        "long": "long" * 5000,
    }
    dag.run([same(dag.value(value)).artifact(name) for name, value in values.items()])
    dag.run(page().artifact("page"))


def get(*arguments, status=0):
    result = CliRunner().invoke(cli, ["get", *arguments])
    assert result.exit_code == status, result.output
    return result


def test_on_the_screen():
    assert get("text").stdout == "one\ntwo"
    assert get("bytes").stdout_bytes == b"\x00\xff"
    assert get("page").stdout_bytes == b"<p>\r\n\x00\xff"
    assert get("plain").stdout == "{'a': [1, 2.5, None]}\n"
    lines = get("frame").stdout.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "... 30 rows in all; -o FILE.csv writes them"
    assert get("text", "-o", "-").stdout == "one\ntwo"


def test_as_json():
    def value(name):
        return json.loads(get(name, "--json").stdout)["value"]

    assert value("plain") == {"a": [1, 2.5, None]}
    assert value("text") == "one\ntwo"
    assert value("bytes") == {"hex": "00ff"}
    assert value("indexed")["columns"] == ["x", "s"]
    assert value("polars") == value("arrow") == {"x": [1, 2]}
    assert value("array") == [0, 1, 2, 3]
    assert value("odd") in ("{1, 2}", [1, 2])
    found = json.loads(get("plain", "--json", "-o", "out.json").stdout)
    assert found == {"artifact": "plain", "version": 1, "file": "out.json", "bytes": Path("out.json").stat().st_size}


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        ("csv", lambda p: pd.read_csv(p, parse_dates=["when"])),
        ("tsv", lambda p: pd.read_csv(p, sep="\t", parse_dates=["when"])),
        ("parquet", pd.read_parquet),
        ("feather", pd.read_feather),
        ("json", lambda p: pd.read_json(p).astype({"when": "datetime64[us]"})),
        ("jsonl", lambda p: pd.read_json(p, lines=True).astype({"when": "datetime64[us]"})),
        ("pkl", pd.read_pickle),
    ],
)
def test_frames_come_back(ending, read):
    get("frame", "-o", f"out.{ending}")
    pd.testing.assert_frame_equal(read(f"out.{ending}"), FRAME, check_dtype=ending in {"parquet", "feather", "pkl"})


def test_an_index_is_kept_and_a_plain_one_left_out():
    get("indexed", "-o", "a.csv")
    assert Path("a.csv").read_text().startswith("when,x,s")
    get("series", "-o", "b.csv")
    assert Path("b.csv").read_text().startswith("x\n0\n")


@pytest.mark.parametrize("ending", ["html", "txt"])
def test_frames_to_read(ending):
    get("frame", "-o", f"out.{ending}")
    assert "2026-01-30" in Path(f"out.{ending}").read_text(encoding="utf-8")


def test_other_values():
    get("page", "-o", "out.bin")
    assert Path("out.bin").read_bytes() == b"<p>\r\n\x00\xff"
    get("text", "-o", "out.txt")
    assert Path("out.txt").read_bytes() == b"one\ntwo"
    get("bytes", "-o", "out.dat")
    assert Path("out.dat").read_bytes() == b"\x00\xff"
    get("array", "-o", "out.npy")
    assert np.load("out.npy").tolist() == [0, 1, 2, 3]
    get("polars", "-o", "p.csv")
    get("arrow", "-o", "a.parquet")
    assert Path("p.csv").read_text() == "x\n1\n2\n"
    assert pl.read_parquet("a.parquet")["x"].to_list() == [1, 2]
    get("odd", "-o", "out.pkl")
    assert pickle.loads(Path("out.pkl").read_bytes()) == {1, 2}


def test_versions():
    dag.run(same("newer").artifact("text"))
    assert get("text").stdout == "newer"
    assert get("text", "--version", "1").stdout == "one\ntwo"
    assert "has no version 9" in get("text", "--version", "9", status=2).stderr


def test_what_can_not_be_written_leaves_the_file_alone():
    Path("out.npy").write_text("before")
    assert "DataFrame: it can be written as .csv" in get("frame", "-o", "out.npy", status=2).stderr
    assert Path("out.npy").read_text() == "before"
    assert "no folder nosuch" in get("text", "-o", "nosuch/x.txt", status=2).stderr
    assert "is a folder" in get("text", "-o", ".", status=2).stderr
    assert sorted(p.name for p in Path().iterdir()) == [".dualdag", "made.html", "out.npy"]


def test_a_damaged_object():
    for path in Path(".dualdag/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x")
    assert get("long", status=3).stderr.startswith("error: ")
