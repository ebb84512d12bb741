"""Which backend a name means."""

from __future__ import annotations

import importlib.metadata

import pytest

import dualdag as dag
from dualdag.execution import get_backend, shutdown
from dualdag.execution._table import BACKENDS
from dualdag.execution.embedded._sync import SyncBackend


def test_one_backend_per_name_and_setting():
    assert get_backend("local", workers=2) is get_backend("local", workers=2)
    assert get_backend("local", workers=2) is not get_backend("local", workers=3)


@pytest.mark.parametrize(("name", "line"), [
    ("dask", 'pip install "dualdag[dask]"'),
    ("dask://host:8786", 'pip install "dualdag[dask]"'),
    ("ray", 'pip install "dualdag[ray]"'),
    ("ray-workflow", 'pip install "dualdag[ray-workflow]"'),
])  # fmt: skip
def test_a_missing_engine_tells_how_to_install_it(name, line, monkeypatch):
    place = BACKENDS[name.partition("://")[0]]
    monkeypatch.setitem(BACKENDS, name.partition("://")[0], place._replace(module="no_such_engine"))
    with pytest.raises(dag.BackendNotInstalledError) as caught:
        get_backend(name)
    assert line in str(caught.value)
    assert isinstance(caught.value, ImportError)


def test_unknown_names_tell_the_nearest():
    with pytest.raises(dag.BackendError, match="'processes'"):
        get_backend("process")
    with pytest.raises(dag.BackendError, match="no backend"):
        dag.run(dag.task(len)([1]), backend="nonsense", progress="off")


def test_what_is_no_backend():
    with pytest.raises(dag.BackendError, match="no backend"):
        get_backend(42)


def test_a_backend_object_is_taken_as_it_is():
    mine = SyncBackend()
    assert get_backend(mine) is mine
    assert dag.run(dag.task(len)([1, 2]), backend=mine, progress="off") == 2


class _Point:
    name = "mine"
    value = "mine_package:Mine"
    dist = None

    def __init__(self, load):
        self.load = load


def test_entry_points(monkeypatch):
    points = [_Point(lambda: SyncBackend)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    assert get_backend("mine://here").name == "sync"
    shutdown()
    with pytest.raises(dag.BackendError, match="'mine'"):
        get_backend("mime")


def test_entry_point_that_cannot_be_loaded(monkeypatch):
    def broken():
        raise ImportError("no module named gone")

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [_Point(broken)])
    with pytest.raises(dag.BackendNotInstalledError, match="pip install"):
        get_backend("mine")


def test_shutdown_closes_what_was_opened():
    class Closing(SyncBackend):
        closed = False

        def close(self):
            Closing.closed = True

    from dualdag.execution import _table

    _table._open["closing"] = Closing()
    shutdown()
    assert Closing.closed
    assert not _table._open
