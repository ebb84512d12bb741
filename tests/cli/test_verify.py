"""`dualdag verify`, in this process and interrupted in another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli


@dag.task
def big(n):
    return "x" * 10_000 + str(n)


@pytest.fixture(autouse=True)
def store():
    made = dag.store("store")
    with dag.configure(store="store", backend="sync", progress="off"):
        big(1).artifact("big").compute()
        yield made


def call(*arguments, status=0):
    result = CliRunner().invoke(cli, ["verify", *arguments])
    assert result.exit_code == status, result.output
    return result


def answer(*arguments, status=0):
    return json.loads(call(*arguments, "--json", status=status).stdout)


def damage(store):
    version = store.version("big")
    path = next(path for path in Path("store/objects").glob("*/*") if version.checksum.hex().endswith(path.name))
    path.chmod(0o644)
    path.write_bytes(b"zeros" + path.read_bytes()[5:])


def test_a_whole_store():
    assert call().stdout.splitlines()[-1] == "the store is whole"
    found = answer()
    assert found["whole"]
    assert found["counts"]["versions"] == 1


def test_damage_is_told_of_mended_and_made_again(store):
    damage(store)
    shown = call(status=3).stdout
    assert "damaged: objects/" in shown
    assert "made again by the next run that needs it: artifact big, version 1" in shown
    assert "dualdag verify --repair" in shown
    assert answer(status=3)["found"] == {"damaged": 1}
    assert "what was wrong is dealt with" in call("--repair").stdout
    found = answer(status=3)
    assert [one["kind"] for one in found["problems"]] == ["missing"]
    with pytest.raises(dag.CorruptObjectError):
        dag.load("big")
    assert big(1).artifact("big").compute() == big.fn(1)
    assert answer()["whole"]
    assert dag.load("big") == big.fn(1)


def test_many_problems_are_not_all_shown(store):
    for n in range(30):
        Path(f"store/runs/r{n}").mkdir()
        Path(f"store/runs/r{n}/begin").write_bytes(b"rubbish")
    assert "and 10 more" in call(status=3).stdout
    assert len(answer("--repair")["problems"]) == 30


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_ctrl_c_and_on_from_there(store):
    for _ in range(2000):
        store.put_object(os.urandom(5_000))
    code = (
        "import sys, time\n"
        "from dualdag.store import _verify\n"
        "look = _verify.object_looked_at\n"
        "_verify.object_looked_at = lambda *given: time.sleep(0.03) or look(*given)\n"
        "from dualdag.cli import main\n"
        "sys.argv = ['dualdag', 'verify', '--store', 'store']\n"
        "main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        notes = Path("store/cache/verify.sqlite-wal")
        until = time.monotonic() + 60
        while time.monotonic() < until and not (notes.exists() and notes.stat().st_size > 200_000):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    shown = call().stdout
    assert "gone on from where the last one was stopped" in shown
    assert "the store is whole" in shown
    assert answer()["counts"]["objects"] >= 2001
