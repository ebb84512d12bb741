"""Bad input on every backend that runs tasks in other processes: one clear error, and a backend that works after it.

Engines that are not installed are skipped; each has one small cluster for all of its cases.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import dualdag as dag

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:the stored value of:RuntimeWarning"),
    pytest.mark.timeout(180),
]


def ray_version() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("ray").split(".")[:2])
    except PackageNotFoundError:
        return (0,)


WORKFLOWS = (2, 0) < ray_version() <= (2, 47)


def _dask() -> Iterator[Any]:
    pytest.importorskip("distributed")
    from dualdag_dask._connect import here, start

    made, cluster = start(2, {})
    yield made
    made.close()
    cluster.close()
    here(None)


def _ray() -> Iterator[Any]:
    if ray_version() < (2, 48):
        pytest.skip("needs Ray 2.48 or later")
    ray = pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
            object_store_memory=600_000_000, _temp_dir=folder,
        )  # fmt: skip
        yield "ray"
        dag.shutdown()
        ray.shutdown()


def _workflow() -> Iterator[Any]:
    if not WORKFLOWS:
        pytest.skip("needs Ray 2.47 or before")
    with dag.configure(workers=2):
        yield "ray-workflow"
    dag.shutdown()


def _processes() -> Iterator[Any]:
    with dag.configure(workers=2):
        yield "processes"
    dag.shutdown()


ENGINES = {"processes": _processes, "dask": _dask, "ray": _ray, "ray-workflow": _workflow}


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield from ENGINES[request.param]()


@pytest.fixture
def run(engine: Any, tmp_path: Path) -> Iterator[Any]:
    """Runs on the engine; after the test the engine has to work, and the store to be whole."""
    store = str(tmp_path / "store")

    def start(x: Any, **options: Any) -> Any:
        return dag.run(x, backend=engine, store=store, progress="off", **options)

    yield start
    assert start([double(n) for n in range(5)]) == [0, 2, 4, 6, 8]
    # Nothing half written is left either.
    assert not [path for path in Path(store).rglob("*") if "tmp" in path.name]
    dag.store(store).self_test()


@dag.task
def double(x):
    return x * 2


@dag.task(ignore=("connection",))
def fetch(url, *more, connection=None, **settings):
    return url


def told(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


# Arguments and what functions read.


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: fetch("a", {"deep": [1, LOCK]}), r"more\[0\]\['deep'\]\[1\]"),
        (lambda: fetch("a", connection=LOCK), "connection"),
        (lambda: fetch("a", retries=[LOCK]), r"retries\[0\]"),
        (lambda: fetch(double(1), connection=[{"a": LOCK}]), r"connection\[0\]\['a'\]"),
    ],
    ids=["positional", "keyword", "settings", "beside a node"],
)
def test_an_argument_that_cant_be_pickled_is_named(run, make, name):
    with pytest.raises(dag.CodecError) as caught:
        run(make())
    assert re.match(rf"argument {name} of 'fetch' \(\S*test_bad_input\.py:\d+\) is a _thread\.lock", str(caught.value))
    assert "inside the task" in str(caught.value)


def test_what_a_function_reads_and_cant_be_pickled_is_named(run):
    lock = threading.Lock()

    @dag.task
    def guarded(x):
        with lock:
            return x

    with pytest.raises(dag.CodecError, match=r"the function of 'guarded' \(\S+:\d+\) reads lock, a _thread\.lock"):
        run(guarded(1))


def test_a_large_closure_is_told_of_once_with_the_variable(run):
    # Another for each engine: a function is told of once in a process.
    table = np.full(12_500_000, time.time())

    @dag.task(persist=False)
    def total(n):
        return len(table) + n

    before = psutil.Process().memory_info().rss
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert run([total(n) for n in range(10)]) == [12_500_000 + n for n in range(10)]
    texts = [str(one.message) for one in seen if issubclass(one.category, RuntimeWarning)]
    assert len(texts) == 1, texts
    assert re.search(r"function of 'total' \(\S*test_bad_input\.py:\d+\) takes 100 MB", texts[0])
    assert "reads table (100 MB)" in texts[0]
    # Not once a job.
    assert psutil.Process().memory_info().rss - before < 800_000_000


@dag.task(persist=False)
def pick(table, n):
    table[n] += n
    return float(table[n]), len(table)


@dag.task(persist=False)
def length(data, n):
    return len(data) + n


def test_a_large_literal_is_passed_once(run, engine):
    table = dag.value(np.ones(2_500_000))
    text = "x" * 5_000_000
    nodes = [pick(table, n) for n in range(20)] + [length(text, n) for n in range(20)]
    # More than a job: the sum of all would be 500 MB.
    found = run(nodes)
    assert found == [(1.0 + n, 2_500_000) for n in range(20)] + [5_000_000 + n for n in range(20)]


# Results.


class Stubborn:
    """Pickles, and does not come back."""

    def __init__(self, n):
        self.n = n

    def __reduce__(self):
        return int, ("not a number",)


@dag.task(persist=False)
def stubborn(n):
    return Stubborn(n)


@dag.task(persist=False)
def look_at(value):
    return type(value).__name__


def test_a_result_that_cant_be_unpickled(run):
    with pytest.raises(Exception, match=r"can't be (unpickled|decoded)") as caught:
        run(stubborn(1))
    assert "'stubborn'" in told(caught.value)
    assert "test_bad_input.py" in told(caught.value)


def test_a_result_that_cant_be_unpickled_by_another_task(run):
    with pytest.raises(Exception) as caught:
        run(look_at(stubborn(2)))
    assert "not a number" in told(caught.value)
    assert re.search(r"'(look_at|stubborn)'.*test_bad_input\.py:\d+", told(caught.value), re.DOTALL)


# Exceptions.


class Unbuildable(Exception):
    def __new__(cls, part, *, whole):
        return super().__new__(cls, part)

    def __init__(self, part, *, whole):
        super().__init__(part)
        self.whole = whole

    def __str__(self):
        return "part of the whole"


@dag.task
def breaks(n):
    make = Unbuildable
    raise make(n, whole=3)


def test_an_exception_that_cant_be_rebuilt(run):
    with pytest.raises(dag.TaskError, match=r"Unbuildable: part of the whole") as caught:
        run(breaks(1))
    assert re.search(r"in 'breaks', made at \S*test_bad_input\.py:\d+", told(caught.value))
    assert "in breaks" in told(caught.value)


# Modules.


def test_a_module_that_workers_lack(run, monkeypatch):
    module = types.ModuleType("module_of_the_driver_alone")
    exec("def give(n):\n    return n + 1\n", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    @dag.task
    def use(n):
        import module_of_the_driver_alone

        return module_of_the_driver_alone.give(n)

    start = time.monotonic()
    with pytest.raises(ModuleNotFoundError, match="module_of_the_driver_alone") as caught:
        run(use(1))
    assert re.search(r"in 'use', made at \S*test_bad_input\.py:\d+", told(caught.value))
    assert time.monotonic() - start < 60


# Output.


@dag.task(persist=False)
def chatty(n):
    for k in range(10_000):
        print(f"{n} {k:06d} " + "-" * 1000)
    print("the last line")
    return n


def test_ten_megabytes_of_output_are_kept_within_a_limit(run, tmp_path):
    before = psutil.Process().memory_info().rss
    assert run([chatty(n) for n in range(4)]) == [0, 1, 2, 3]
    grown = psutil.Process().memory_info().rss - before
    assert grown < 100_000_000
    store = dag.store(str(tmp_path / "store"))
    _, events = store.run(store.runs()[0].id)
    rows = [row for row in events if row["kind"] == "output"]
    assert len(rows) == 4
    for row in rows:
        assert len(row["message"]) < 70_000
        assert row["message"].rstrip().endswith("the last line")
        assert "characters left out" in row["message"]
