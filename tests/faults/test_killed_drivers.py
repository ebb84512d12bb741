"""A driver that is killed: nothing of its own is left running, and the next run takes up what was recorded."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from contextlib import nullcontext

import psutil
import pytest

from tests.faults import fault_work, rig

SLOTS = 2
#: A result is recorded ten milliseconds after it came in, at the latest; here others run on the machine too.
RECENT = 0.25

PLACES = ["processes", "dask", "ray", "dask elsewhere", "ray elsewhere"]


@pytest.fixture(params=PLACES)
def place(request):
    engine, _, elsewhere = request.param.partition(" ")
    needs = {"processes": "", "dask": "distributed", "ray": "ray"}[engine]
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    with rig.external(engine) if elsewhere else nullcontext(({}, None)) as (environment, cluster):
        yield engine, environment, cluster


def processes_of(cluster):
    return {one.pid: one for one in psutil.Process(cluster.pid).children(recursive=True)} if cluster else {}


def start(drivers, place, folder, seconds, ended):
    """Start a run, and wait until so many nodes have ended."""
    engine, environment, _ = place
    driver = drivers(engine, environment=environment)
    assert driver.hear() == {"ready": True}
    marks = rig.Marks(folder / "marks")
    driver.ask(store=str(folder / "store"), marks=str(marks.path), seconds=seconds, keep=True)
    rig.until(lambda: len(marks.ended()) >= ended, what="the first part of the run")
    return driver, marks


def finish(drivers, place, folder, marks, struck):
    """Run again; check the answer, and that only what was in flight was run again; return how many that were."""
    engine, environment, _ = place
    before, ended = marks.begun(), marks.ended()
    driver = drivers(engine, environment=environment)
    assert driver.hear() == {"ready": True}
    driver.ask(store=str(folder / "store"), marks=str(marks.path), seconds=0.05, keep=True)
    assert driver.hear() == {"value": fault_work.answer()}
    after = marks.begun()
    again = [name for name in before if after[name] > before[name]]
    old = [name for name in again if ended.get(name, struck) < struck - RECENT]
    assert not old, f"run again though they had ended {RECENT} s before"
    when = {name: float(at) for kind, name, _, at in marks.lines()[::-1] if kind == "begin"}
    lost = [name for name in again if when[name] <= struck]
    return len(lost), len(again)


def test_next_run_recomputes_what_was_in_flight(place, drivers, tmp_path):
    cluster = place[2]
    theirs = processes_of(cluster)
    driver, marks = start(drivers, place, tmp_path, 0.05, 60)
    own = [one for pid, one in driver.family().items() if pid != driver.process.pid]
    assert own or cluster
    struck = time.time()
    driver.process.kill()
    driver.process.wait()
    assert rig.gone(own, 15) == [], "processes outlive the driver that started them"
    if cluster:
        assert cluster.poll() is None
        rig.until(lambda: rig.quiet(marks), what="workers being idle")
        assert set(processes_of(cluster)) & set(theirs), "the cluster of others is still there"
    lost, again = finish(drivers, place, tmp_path, marks, struck)
    print(f"{place[0]}{' elsewhere' if cluster else ''}: in flight {lost}, run again {again}")
    # What each slot was at, and what it had done in the last ten milliseconds.
    assert lost <= 2 * SLOTS


@pytest.mark.parametrize("whom", ["the driver", "its group"])
def test_ctrl_c(place, whom, drivers, full, tmp_path):
    if whom == "the driver" and not full:
        pytest.skip("takes long: with --full")
    cluster = place[2]
    driver, marks = start(drivers, place, tmp_path, 0.05, 40)
    own = [one for pid, one in driver.family().items() if pid != driver.process.pid]
    struck = time.time()
    if whom == "the driver":
        driver.process.send_signal(signal.SIGINT)
    else:
        os.killpg(driver.process.pid, signal.SIGINT)
    code = driver.process.wait(30)
    took = time.time() - struck
    assert code == 130, driver.complaint()[-2000:]
    assert driver.hear() == {"interrupted": True}
    print(f"{place[0]}{' elsewhere' if cluster else ''}, {whom}: {took:.1f} s")
    assert took < 5
    assert rig.gone(own, 10) == [], "processes outlive the driver that started them"
    if cluster:
        assert cluster.poll() is None
        rig.until(lambda: rig.quiet(marks), what="workers being idle")
    finish(drivers, place, tmp_path, marks, struck)
