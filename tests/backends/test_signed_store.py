"""A signed store behind engines: what is sent to workers holds no secret, and they need none."""

from __future__ import annotations

import contextlib

import pytest

import dualdag as dag
from tests.backends.engines import dask_cluster, needs_dask, needs_ray, ray_cluster

pytestmark = pytest.mark.timeout(300)

SECRET = "only the driver has this secret"


@dag.task
def numbers(n):
    return list(range(n)) * 2000


@dag.task
def total(values):
    return sum(values)


@contextlib.contextmanager
def processes():
    yield "processes"


@pytest.mark.parametrize(
    "engine",
    [processes, pytest.param(dask_cluster, marks=needs_dask), pytest.param(ray_cluster, marks=needs_ray)],
    ids=["processes", "dask", "ray"],
)
def test_workers_need_no_secret(engine, tmp_path):
    folder = tmp_path / "store"
    with engine() as backend, dag.configure(backend=backend, store=str(folder), secret=lambda: SECRET, progress="off"):
        assert dag.run(total(numbers(5)).artifact("total")) == 20_000
        # The second finds what the first kept, and takes from it.
        assert dag.run([numbers(5), total(numbers(6)).artifact("more")])[1] == 30_000
        assert dag.load("total") == 20_000
        dag.shutdown()
    sealed = [data for path in folder.rglob("*") if path.is_file() and (data := path.read_bytes())[:4] == b"ddag"]
    assert len(sealed) > 6
    assert {data[7] for data in sealed} == {40}
