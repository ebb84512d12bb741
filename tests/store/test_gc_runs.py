"""A collector of garbage and the runs that go on: none loses anything."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.store import _artifacts, _gc, open_store
from dualdag.store import _live as live_room
from dualdag.store._claims import open_claims
from dualdag.store._leases import Beat, path_of
from dualdag.store._mark import Limits
from dualdag.store._process import this_process
from dualdag.testing import FaultFS
from dualdag.testing._store_suite_base import a_version
from tests.store.test_gc import LARGE, flow, make, objects, wanted

NEVER = float("inf")


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "store")


def test_while_a_run_goes_on_all_objects_stay(url):
    make(url, 1)
    store = open_store(url)
    journal = store.start_run("r", {})
    before = objects(url)
    found = store.gc(older_than=0, grace=0)
    assert (found.objects, found.waiting, found.runs) == (0, 1, ("r",))
    assert objects(url) == before
    journal.close()
    assert store.gc(older_than=0, grace=0).objects == 1


def test_a_run_of_days_goes_on_while_it_has_a_lease(url):
    make(url, 1)
    store = open_store(url)
    journal = store.start_run("r", {})
    os.utime(Path(url, "runs", "r", "begin"), (1, 1))
    claims = open_claims(store, "r")
    found = store.gc(older_than=0, grace=0)
    assert (found.objects, found.waiting, found.runs) == (0, 1, ("r",))
    claims.close()
    assert store.gc(older_than=0, grace=0).objects == 1
    journal.close()


def test_a_run_waits_for_what_is_removed_just_then(url):
    store = open_store(url)
    store.put_object(b"x" * LARGE)
    begun = threading.Event()

    def begin():
        open_store(url).start_run("r", {})
        begun.set()

    with live_room.collecting(store._fs):
        thread = threading.Thread(target=begin)
        thread.start()
        assert not begun.wait(0.2)
    assert begun.wait(10)
    thread.join()


def test_a_collector_that_was_killed_holds_nobody_up_for_long(url, monkeypatch):
    monkeypatch.setattr(live_room, "_STALE", 0.2)
    store = open_store(url)
    store.put_object(b"x" * LARGE)
    store._fs.put_if_absent(f"gc/{'d' * 32}", [b"gc"])
    store.start_run("r", {})
    assert store._fs.names("gc") == []


def test_a_lease_that_outlived_its_run_holds_nothing_up(url):
    make(url, 1)
    make(url, 2)
    with FaultFS(at=range(100), fault="EIO", only={"delete"}):
        make(url, 3)
    store = open_store(url)
    assert store._fs.names("leases")
    assert store.gc(keep=1, older_than=0, grace=0, dry_run=False).objects > 0
    assert store.gc(keep=1, older_than=0, grace=0, dry_run=True).objects == 0


@pytest.mark.parametrize("seed", range(100))
def test_a_run_comes_in_between(url, seed, full):
    """A run begins at any step of a collection, and may count on any garbage: it loses none of it."""
    if seed % 3 and not full:
        pytest.skip("a sample without --full")
    for n in range(3):
        make(url, n)
    store = open_store(url)
    store.delete("whole")
    kind, at, wait = seed % 4, seed // 4 % 6, (seed // 24) * 0.01
    n, refresh = [(0, []), (1, ["whole"]), (2, "all"), (7, [])][kind]
    steps, runs, values = [], [], []

    def run():
        values.append(
            dag.run(flow(n), store=url, backend="sync", progress="off", refresh=refresh if wanted(store) else [])
        )

    def step(name):
        if len(steps) == at:
            thread = threading.Thread(target=run)
            runs.append(thread)
            thread.start()
            time.sleep(wait)
        steps.append(name)

    def limits(now):
        return Limits(None, NEVER, NEVER, NEVER, None)

    _gc.collect(store, limits=limits, dry_run=False, step=step)
    for thread in runs:
        thread.join()
    if not runs:
        run()
    assert values == [b"%d" % n * LARGE + b"."]
    assert wanted(store) <= objects(url)
    assert dag.load("whole", store=url) == values[0]
    result = _gc.collect(open_store(url), limits=limits, dry_run=False)
    assert result.waiting == 0
    assert objects(url) == wanted(store)


def test_a_version_that_goes_while_it_is_looked_for_is_no_damage(url, monkeypatch, recwarn):
    store = open_store(url)
    for k in range(2):
        store.add_version(a_version(store, "x", f"{k}", created=float(k)))
    listed, left = store._fs.names_many, [2]

    def and_then_another_comes(folders):
        found = listed(folders)
        if left[0]:
            left[0] -= 1
            other = open_store(url)
            other.add_version(a_version(other, "x", f"after {other.latest('x').number}"))
            other.gc(keep=1, grace=0)
        return found

    monkeypatch.setattr(store._fs, "names_many", and_then_another_comes)
    assert store.latest("x").number == 4
    left[0] = 1
    assert store.version("x").number == 5
    monkeypatch.undo()
    numbers = store._artifacts.readable("x")
    store.add_version(a_version(store, "x", "the last"))
    listed_before = iter([6, 5, 4])
    monkeypatch.setattr(_artifacts, "descending", lambda *_: listed_before)
    assert [one.number for one in numbers] == [6, 5]
    assert not recwarn.list


def test_a_dry_run_writes_and_removes_nothing(url):
    make(url, 1)
    store = open_store(url)
    lease = Beat("gone", 1, 10.0, *this_process()._replace(number=2**22 + 1))
    path = path_of("gone", 1)
    store._fs.put_if_absent(path, [store._sealer.seal(lease, path)])
    there = [Path(url), *(path for path in Path(url).rglob("*") if "cache" not in path.parts)]
    before = {path: path.stat().st_mtime_ns for path in there}
    found = store.gc(older_than=0, grace=0, dry_run=True)
    assert (found.runs, found.objects) == ((), 1)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert store.gc(older_than=0, grace=0).objects == 1
    assert store._fs.get(path) is None
