"""More tasks of `BackendSuite`, copied beside the others: values and functions that are out of the ordinary."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import dualdag as dag
from dualdag.config import environment


class NoExceptionError(BaseException):
    """Not even an Exception."""


@dag.task
def same(value: Any) -> Any:
    return value


@dag.task(persist=False)
def passed(value: Any) -> Any:
    return value


@dag.task
def told(value: Any, *, times: int = 2, between: str = ", ", last: Any = None) -> str:
    return between.join([repr(value)] * times) + repr(last)


@dag.task
def popped(value: Any, name: Any) -> Any:
    """Take an item out of what was given."""
    return value.pop(name)


@dag.task
def written(array: Any) -> Any:
    array[...] = 7
    return array


@dag.task
def array_of(kind: str) -> Any:
    """Make an array that not every way of passing arrays can pass."""
    import numpy as np

    grid = np.arange(12.0).reshape(3, 4)
    makers: dict[str, Any] = {
        "structured": lambda: np.array([(1, 2.5, "a"), (2, 3.5, "b")], dtype=[("n", "i4"), ("x", "f8"), ("s", "U3")]),
        "zero-dimensional": lambda: np.array(5.0),
        "scalar": lambda: np.float32(1.5),
        "empty": lambda: np.empty((0, 3), dtype="int16"),
        "strided": lambda: grid[::2, ::-1],
        "transposed": lambda: grid.T,
        "column-major": lambda: np.asfortranarray(grid),
        "big-endian": lambda: np.arange(4, dtype=">i4"),
        "dates": lambda: np.array(["2026-01-01", "NaT"], dtype="datetime64[ns]"),
        "differences": lambda: np.array([1, 2], dtype="timedelta64[s]"),
        "complex": lambda: np.array([1 + 2j, 3 - 4j]),
        "text": lambda: np.array(["a", "bcd"]),
        "bytes": lambda: np.array([b"a", b"bcd"]),
        "objects": lambda: np.array([1, "a", None, [2]], dtype=object),
        "masked": lambda: np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
    }
    return makers[kind]()


@dag.task
def frame_of(kind: str) -> Any:
    """Make a frame that not every way of passing frames can pass."""
    import pandas as pd

    plain = pd.DataFrame({"x": [1, 2, 3], "y": ["a", "b", None]})
    makers: dict[str, Any] = {
        "categories": lambda: plain.assign(c=pd.Categorical(["u", "v", "u"], categories=["v", "u", "w"], ordered=True)),
        "levels": lambda: plain.set_index(["x", "y"]).assign(z=1.5),
        "zones": lambda: plain.set_index(pd.date_range("2026-03-29", periods=3, freq="h", tz="Europe/Berlin")),
        "empty": lambda: plain.iloc[:0],
        "nullable": lambda: plain.astype({"x": "Int64"}).assign(b=pd.array([True, None, False], dtype="boolean")),
        "repeated names": lambda: pd.concat([plain, plain], axis=1),
        "lists": lambda: plain.assign(o=[[1], [2, 3], []]),
        "series": lambda: plain["x"].rename("other"),
    }
    return makers[kind]()


@dag.task
def fail_with_lock(message: str) -> NoReturn:
    import threading

    raise ValueError(message, threading.Lock())


@dag.task
def stop_marked(folder: str) -> NoReturn:
    Path(folder, f"stopped-{time.time_ns()}").touch()
    raise NoExceptionError


@dag.task
def import_by_name(name: str, x: int) -> Any:
    """Import a module that only some processes have."""
    import importlib

    return importlib.import_module(name).double(x)


@dag.task
def complain(x: int) -> int:
    sys.stderr.write(f"complaint {x}\n")
    return x


@dag.task(persist=False)
def variable(name: str, *_: Any) -> str | None:
    return environment().get(name)


@dag.task
def kill_times(folder: str, times: int) -> int:
    """End the worker the first few times."""
    count = len(list(Path(folder).glob("kill-*")))
    Path(folder, f"kill-{count}").touch()
    if count < times:
        os._exit(3)
    return count


@dag.task
def countdown(x: int) -> int:
    """Call itself."""
    result: int = x if x <= 0 else countdown.fn(x - 1) + 1
    return result


def lambda_node(x: int) -> Any:
    """Return a node of a lambda that closes over an argument."""
    return dag.task(lambda y: y * x)(x)
