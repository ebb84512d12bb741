"""Names and URLs of backends that are none, and settings that make no sense: one sentence with what there is."""

from __future__ import annotations

import pytest

import dualdag as dag


@dag.task
def one(n):
    return n


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("dask//x", "there is no backend 'dask//x': write dask://x"),
        ("ray:10001", "there is no backend 'ray:10001': write ray://host:10001"),
        ("ray:/head:10001", "there is no backend 'ray:/head:10001': write ray://head:10001"),
        ("dsk", "there is no backend 'dsk'. Did you mean 'dask'?"),
        ("spark://host:7077", "there is no backend 'spark://host:7077'. There is: "),
        ("local://4", "backend 'local' runs tasks on this machine and takes no address: write 'local'"),
        (7, "backend=7 is no backend: give a name such as 'local' or 'dask://host:8786'"),
    ],
    ids=["slashes", "port", "one slash", "spelling", "scheme", "address", "number"],
)
def test_a_backend_that_is_none(backend, told, tmp_path):
    with pytest.raises(dag.BackendError) as caught:
        dag.run(one(1), backend=backend, store=tmp_path / "store")
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("workers", [0, -1, "two", 1.5, True])
def test_workers_that_make_no_sense(workers, tmp_path):
    with pytest.raises(dag.ConfigError, match=r"workers \(argument\)=.* use a whole number from 1"):
        dag.run(one(1), workers=workers, store=tmp_path / "store")
