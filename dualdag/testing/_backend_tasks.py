"""Tasks of `BackendSuite`.

The suite copies this file to a folder of its own and imports it from there, so that to dualdag it is a
user's project: it is read by fingerprints, named in messages, and sent to workers like any flow.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import dualdag as dag


@dataclasses.dataclass(frozen=True)
class Pair:
    """Holds nodes in its fields."""

    left: Any
    right: Any = 0


class TwoPartError(Exception):
    """An exception whose ``__init__`` does not take ``args`` back."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class KeywordError(Exception):
    """An exception that is made by keyword only."""

    def __init__(self, *, what: str) -> None:
        super().__init__()
        self.what = what

    def __str__(self) -> str:
        return f"no {self.what}"


class ProjectStopError(BaseException):
    """Not even an Exception."""


def mark(folder: str, name: str) -> int:
    """Leave a mark that a task ran, and return how many of that name there are now."""
    while True:
        count = len(list(Path(folder).glob(f"{name}-*")))
        try:
            Path(folder, f"{name}-{count}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return count + 1


@dag.task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@dag.task(persist=False)
def step(x: int) -> int:
    return x + 1


@dag.task
def total(values: Any) -> Any:
    return sum(values)


@dag.task
def same(value: Any) -> Any:
    return value


@dag.task
def listed(*args: Any, **kwargs: Any) -> Any:
    return [list(args), dict(sorted(kwargs.items()))]


@dag.task
def pair_sum(pair: Pair) -> Any:
    return pair.left + pair.right


@dag.task
def make_pair(left: Any, right: Any) -> Pair:
    return Pair(left, right)


@dag.task(nout=3)
def three(x: int) -> tuple[int, int, int]:
    return x, x + 1, x + 2


@dag.task(nout=2)
def wrong_count(kind: str) -> Any:
    return {"three": (1, 2, 3), "dict": {"a": 1, "b": 2}, "text": "ab", "generator": (i for i in range(2))}[kind]


@dag.task
def counted(folder: str, name: str, value: Any) -> Any:
    mark(folder, name)
    return value


@dag.task
def nth(folder: str, name: str, *values: Any) -> int:
    """Give how often it ran."""
    return mark(folder, name)


@dag.task
def append(values: list[Any], item: Any) -> list[Any]:
    values.append(item)
    return values


@dag.task
def poke_array(array: Any) -> float:
    array[0] = 99
    return float(array.sum())


@dag.task
def poke_frame(frame: Any) -> float:
    frame["x"] = 0
    frame.loc[0, "y"] = 99.0
    return float(frame["y"].sum())


@dag.task
def make_frame(rows: int) -> Any:
    import pandas as pd

    return pd.DataFrame({"x": range(rows), "y": [float(i) for i in range(rows)], "z": ["a"] * rows})


@dag.task
def make_array(count: int) -> Any:
    import numpy as np

    return np.arange(count, dtype="float64")


@dag.task
def array_sum(array: Any) -> float:
    return float(array.sum())


@dag.task
def fail(message: str, *_: Any) -> NoReturn:
    raise ValueError(message, 7)


@dag.task
def fail_two_part(code: int) -> NoReturn:
    raise TwoPartError(code, "because")


@dag.task
def fail_keyword(what: str) -> NoReturn:
    raise KeywordError(what=what)


@dag.task
def fail_with_cause(x: int) -> float:
    try:
        return x / 0
    except ZeroDivisionError as error:
        new = RuntimeError("outer")
        new.add_note("a note of the task")
        raise new from error


@dag.task
def fail_group(x: int) -> NoReturn:
    raise ExceptionGroup("many", [ValueError(x), KeyError("k")])


@dag.task
def fail_builtin(kind: str) -> Any:
    if kind == "stop":
        raise StopIteration(5)
    if kind == "os":
        return Path("/no/such/file/at/all").read_text()
    if kind == "unicode":
        return b"\xff".decode()
    if kind == "base":
        raise ProjectStopError(1, 2)
    if kind == "exit":
        raise SystemExit(3)
    raise KeyError(kind)


@dag.task
def deep(x: int) -> int:
    return deep.fn(x + 1)


@dag.task(retries=3)
def flaky(folder: str, good: int) -> int:
    count = mark(folder, "flaky")
    if count < good:
        raise OSError(f"attempt {count}")
    return count


@dag.task(retries=3, retry_on=(KeyError,))
def flaky_of_another_kind(folder: str) -> int:
    raise OSError(mark(folder, "other"))


@dag.task(timeout=0.3)
def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@dag.task
def late_mark(folder: str, seconds: float) -> int:
    time.sleep(seconds)
    return mark(folder, "late")


@dag.task(timeout=30)
def quick(x: int) -> int:
    return x + 1


@dag.task
def nap(seconds: float, value: Any) -> Any:
    time.sleep(seconds)
    return value


@dag.task
def read(path: str) -> str:
    return Path(path).read_text()


@dag.task
def read_all(paths: list[str]) -> dict[str, str]:
    return {Path(path).name: Path(path).read_text() for path in paths}


@dag.task
def write_file(folder: str, text: str) -> dag.File:
    path = Path(folder, f"result-{os.getpid()}.txt")
    path.write_text(text)
    return dag.File(path)


@dag.task
def read_file(file: Any) -> str:
    return Path(file).read_text()


@dag.task
def write_to(path: str, text: str) -> str:
    """Change the file that it reads."""
    Path(path).write_text(text)
    return text


@dag.task
def parity(x: int) -> int:
    return x % 2


@dag.task
def generator(x: int) -> Iterator[int]:
    return (i for i in range(x))


@dag.task
async def coroutine(x: int) -> int:
    return x


@dag.task
def unpicklable(x: int) -> Any:
    import threading

    return threading.Lock(), x


@dag.task
def returns_node(x: int) -> Any:
    return add(x, 1)


@dag.task
def returns_nodes(x: int) -> Any:
    return [add(x, 1)]


@dag.task
def runs_graph(x: int) -> Any:
    return dag.run(add(x, 1))


@dag.task(ignore=("helper",))
def helped(x: int, helper: Any) -> int:
    del helper
    return x


@dag.task(deterministic=False)
def moment(folder: str) -> str:
    return f"{mark(folder, 'moment')} {time.time_ns()}"


@dag.task
def kill_once(folder: str) -> int:
    count = mark(folder, "kill")
    if count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return count


@dag.task
def kill_always(folder: str) -> NoReturn:
    mark(folder, "killed")
    os._exit(3)


@dag.task
def pid(*_: Any) -> int:
    return os.getpid()


class Place(NamedTuple):
    """A tuple with names."""

    row: int
    column: int


@dataclasses.dataclass(frozen=True)
class Scaler:
    """Has a method that can be a task."""

    factor: int

    def scaled(self, x: int) -> int:
        return self.factor * x


@dag.task
def repeat(text: str, count: int) -> str:
    return text * count


@dag.task
def say(x: int) -> int:
    print(f"this is {x}")  # noqa: T201 - that is what it is for
    return x


@dag.task
def unless(x: int, bad: int) -> int:
    if x == bad:
        raise ValueError(x)
    return x


def closure(offset: int) -> Any:
    """Return a node of a function that closes over an argument."""

    @dag.task
    def shifted(x: int) -> int:
        return x + offset

    return shifted(1)


def failing_node(message: str) -> tuple[Any, int]:
    """Return a node that fails, and the line that makes it."""
    import inspect

    frame = inspect.currentframe()
    assert frame is not None
    return fail(message), frame.f_lineno
