"""What is damaged: a value for each codec, tasks that make and use them, and how they are read."""

from __future__ import annotations

import random
from pathlib import Path

import dualdag as dag
from dualdag.errors import CorruptObjectError, StoreError
from dualdag.hashing import digest_value

LARGE = ("bytes", "json", "pandas", "columns", "labels", "npy", "arrow", "polars", "pickle", "file", "class")
SMALL = ("bytes", "json", "pandas", "npy", "npy-scalar", "arrow", "polars", "pickle", "class")


class Point:
    """Of a class that has a codec of its own."""

    def __init__(self, data):
        self.data = data


def register():
    dag.register(
        Point,
        digest=lambda one: one.data,
        codec=(lambda one: b"point" + one.data, lambda data: Point(bytes(data)[5:])),
    )


def frame(rows):
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "a": rng.normal(size=rows), "b": rng.integers(0, 100, rows), "c": [f"text {i}" for i in range(rows)],
    })  # fmt: skip


def columns(rows):
    import pandas as pd

    a = frame(rows)
    return pd.DataFrame({
        "category": pd.Categorical(a.c, ordered=True), "interval": pd.arrays.IntervalArray.from_breaks(range(rows + 1)),
        "when": pd.date_range("2026-01-01", periods=rows, tz="Europe/Berlin"), "int": a.b.astype("Int64").where(a.b > 5),
        "period": pd.period_range("2026-01", periods=rows, freq="D"), "object": [None, "x"] * (rows // 2),
    })  # fmt: skip


def labels(rows):
    a = frame(rows).set_index(["b", "c"])
    a.columns.name = "labels"
    a.attrs = {"of": "fuzz"}
    return a


def value_of(codec, size):
    import numpy as np

    rng = random.Random(1)
    if codec == "bytes":
        return rng.randbytes(size)
    if codec == "json":
        return [{"name": f"row {i}", "x": i / 7, "on": i % 2 == 0} for i in range(size // 20 + 1)]
    if codec in ("pandas", "columns", "labels"):
        return {"pandas": frame, "columns": columns, "labels": labels}[codec](max(2, size // 80 * 2))
    if codec == "npy":
        return np.random.default_rng(0).normal(size=(size // 80 + 1, 8))
    if codec == "npy-scalar":
        return np.float64(0.1)
    if codec == "arrow":
        import pyarrow as pa

        return pa.table({"a": list(range(size // 8 + 1)), "b": [str(i) for i in range(size // 8 + 1)]})
    if codec == "polars":
        import polars as pl

        return pl.DataFrame({"a": list(range(size // 8 + 1)), "b": [str(i) for i in range(size // 8 + 1)]})
    if codec == "pickle":
        return (1, {"set": frozenset(range(9))}, np.arange(size, dtype="f8") if size > 1000 else 2, "x" * size)
    if codec == "class":
        return Point(rng.randbytes(size))
    path = Path("made.txt")
    path.write_bytes(rng.randbytes(size))
    return dag.File(path)


def content(value):
    """Return what tells two values apart."""
    if isinstance(value, dag.File):
        value = value.path
    if isinstance(value, str) and Path(value).is_file():
        return "file " + str(hash_bytes(Path(value).read_bytes()))
    return f"{type(value).__name__} {digest_value(value).hex()}"


def hash_bytes(data):
    from blake3 import blake3

    return blake3(data).hexdigest()


@dag.task(version=1)
def make(codec, size):
    return value_of(codec, size)


@dag.task(version=1)
def use(value):
    return [content(value)]


@dag.task(version=1)
def lines(path):
    return Path(path).read_text().splitlines()


@dag.task(deterministic=False, version=1)
def tick():
    count = Path("count")
    number = int(count.read_text()) + 1 if count.exists() else 1
    count.write_text(str(number))
    return {"tick": number, "padding": "x" * 5000}


def graph(codec, size):
    """Return the nodes of a codec's store: the value, what uses it, another value of the kind to swap with."""
    one, other = make(codec, size).artifact("one", cadence="1h"), make(codec, size + 40).artifact("other")
    return [one, use(one).artifact("used"), other, use(other).artifact("other-used")]


def read_back(url, expected):
    """Return "right" if all that is told is what was stored, "refused" if a part of it is refused."""
    opened = dag.store(url)
    said = "right"
    try:
        for name, right in expected.items():
            try:
                version = opened.latest(name)
                if version is None:
                    said = "refused"
                    continue
                found = content(opened.load(version.checksum, version.codec))
            except (CorruptObjectError, StoreError):
                said = "refused"
                continue
            if found != right:
                return f"wrong: {name} is {found}"
        opened.artifacts()
        for run in opened.runs():
            opened.run(run.id)
        for name in expected:
            opened.last_confirmed(name)
    except StoreError:
        said = "refused"
    finally:
        opened.close()
    return said


def values_back(opened, loads):
    """Return "right" if each value is what was stored, "refused" if one is refused."""
    said = "right"
    for checksum, codec, right in loads:
        try:
            found = content(opened.load(bytes.fromhex(checksum), codec))
        except CorruptObjectError:
            said = "refused"
            continue
        if found != right:
            return f"wrong: {found}"
    return said


def records_back(url, keys):
    """Return "right" if each record that is told is the one in force, "refused" if one is not told."""
    try:
        opened = dag.store(url)
        found = opened.records([bytes.fromhex(key) for key in keys])
        opened.superseded()
        opened.unstable()
        opened.close()
    except StoreError:
        return "refused"
    for key, record in found.items():
        if record.digest.hex() != keys[key.hex()]:
            return f"wrong: the record of {key.hex()} tells of {record.digest.hex()}"
    return "right" if len(found) == len(keys) else "refused"
