"""What `dualdag doctor` tells of engines, installed or not."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import time

import pytest
from click.testing import CliRunner

from dualdag.cli import _engines
from dualdag.cli._main import cli


def look(*arguments, status=0):
    result = CliRunner().invoke(cli, ["doctor", "--json", *arguments])
    assert result.exit_code == status, result.output
    return {check["what"]: check for check in json.loads(result.stdout)["checks"]}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("DASK_SCHEDULER_ADDRESS", "RAY_ADDRESS", "DUALDAG_BACKEND"):
        monkeypatch.delenv(name, raising=False)


def test_every_backend_is_told_of_and_nothing_is_started():
    start = time.monotonic()
    checks = look()
    assert time.monotonic() - start < 30
    for name in ("sync", "local", "processes", "dask", "ray", "ray-workflow"):
        assert checks[f"backend {name}"]["state"] in {"ok", "missing"}, checks[f"backend {name}"]
    for name in ("dask", "ray", "ray-workflow"):
        check = checks[f"backend {name}"]
        if check["state"] == "missing":
            assert check["fix"].startswith('pip install "dualdag['), check
        else:
            assert "a run starts a cluster of its own on this machine" in check["found"]


def test_an_engine_that_is_missing(monkeypatch):
    for name in ("dask", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    check = look()["backend dask"]
    assert (check["state"], check["found"]) == ("missing", "not installed")
    assert check["fix"] == 'pip install "dualdag[dask]"'


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs Dask")
def test_how_a_run_would_reach_its_cluster(monkeypatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        place = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", place)
        assert f"a run joins {place} (from DASK_SCHEDULER_ADDRESS)" in look()["backend dask"]["found"]
    check = look(status=3)["backend dask"]
    assert check["state"] == "problem"
    assert f"nothing answers at {place}" in check["found"]
    assert check["fix"] == "start it there, or unset DASK_SCHEDULER_ADDRESS"
    monkeypatch.setenv("DUALDAG_BACKEND", "dask://threads")
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS")
    assert "a run is in this process" in look()["backend dask"]["found"]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs Dask")
def test_a_task_is_run_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(_engines, "_PACKAGES", {"dask": ("dask", "distributed")})
    check = look("--start")["backend dask"]
    assert check["state"] == "ok"
    assert "; ran a task in " in check["found"]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs Dask")
def test_an_engine_that_never_answers_is_ended(monkeypatch):
    monkeypatch.setattr(_engines, "_PACKAGES", {"dask": ("dask", "distributed")})
    monkeypatch.setattr(_engines, "_PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(_engines, "_START", 1.0)
    check = look("--start", status=3)["backend dask"]
    assert "did not run a task within 1 s" in check["found"]
