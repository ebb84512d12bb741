"""Leases: who is alive, whatever the clocks say; fences; what is left behind. Time is told by the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from dualdag.store import Claims, _claims, _leases, _watch, open_store
from dualdag.store._leases import Lease
from dualdag.store._process import Process, has_ended, this_process
from dualdag.store._watch import Watch, live_leases

SECONDS = 9.0


class Place:
    """A place whose files are dated by whoever writes them: `skew` is how far that clock is off."""

    def __init__(self, fs, time, skew=0.0):
        self.fs, self.time, self.skew = fs, time, skew
        self.dates = {}

    def __getattr__(self, name):
        return getattr(self.fs, name)

    def on_another_machine(self, skew):
        other = Place(self.fs, self.time, skew)
        other.dates = self.dates
        return other

    def put_if_absent(self, path, parts):
        put = self.fs.put_if_absent(path, parts)
        if put:
            self.dates[path] = 1e9 + self.time[0] + self.skew
        return put

    def entries(self, folder):
        return [one._replace(modified=self.dates.get(f"{folder}/{one.name}")) for one in self.fs.entries(folder)]


@pytest.fixture
def now(monkeypatch):
    time = [100.0]
    for module in (_leases, _watch):
        monkeypatch.setattr(module, "clock", lambda: time[0])
    monkeypatch.setattr(Lease, "_go_on", lambda self: None)
    return time


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path, now):
    url = str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}{os.getpid()}"
    return Place(open_store(url)._fs, now)


def looked(watch, run, epoch=1):
    watch.look()
    watch.meet([run])
    return watch.alive(run, epoch)


@pytest.mark.parametrize("skew", [0.0, -3600.0, 3600.0])
def test_a_lease_lives_while_its_heart_beats_and_not_after_it_was_given_up(place, now, skew):
    mine = Lease(place, "mine", SECONDS)
    theirs = Lease(place.on_another_machine(skew), "theirs", SECONDS)
    watch = Watch(mine)
    for second in range(100):
        now[0] += 1.0
        if not second % 3:
            theirs.beat()
            mine.beat()
        assert looked(watch, "theirs")
    assert len(place.names("leases")) == 2
    theirs.close()
    assert not looked(watch, "theirs")
    mine.close()
    assert place.names("leases") == []


@pytest.mark.parametrize("skew", [0.0, -3600.0, 3600.0])
def test_who_falls_silent_is_fenced_within_its_lease_and_goes_on_in_another_epoch(place, now, skew):
    mine = Lease(place, "mine", SECONDS)
    theirs = Lease(place.on_another_machine(skew), "theirs", SECONDS)
    watch = Watch(mine)
    silent = 0.0
    while looked(watch, "theirs"):
        now[0] += 0.5
        silent += 0.5
    assert SECONDS / 2 < silent <= SECONDS + 3
    assert silent > SECONDS or skew < 0
    assert not looked(watch, "theirs")
    assert theirs.epoch == 1
    assert theirs.ensure() == 2
    assert looked(watch, "theirs", epoch=2)
    assert not looked(watch, "theirs", epoch=1)
    for lease in (mine, theirs):
        lease.close()
    assert place.names("leases") == []


def test_who_comes_long_after_waits_half_a_lease_only(place, now):
    Lease(place, "theirs", SECONDS)
    now[0] += 1000.0
    mine = Lease(place, "mine", SECONDS)
    watch = Watch(mine)
    assert looked(watch, "theirs")
    now[0] += SECONDS / 2 + 0.1
    assert not looked(watch, "theirs")


def test_a_fence_that_comes_after_the_heartbeat_is_none(place, now):
    mine, theirs = Lease(place, "mine", SECONDS), Lease(place, "theirs", SECONDS)
    watch = Watch(mine)
    watch.meet(["theirs"])
    now[0] += 2 * SECONDS
    theirs.beat()
    assert watch.alive("theirs", 1)
    assert looked(watch, "theirs")


def test_a_heartbeat_after_its_lease_was_tidied_up_begins_another_epoch(place):
    theirs = Lease(place, "theirs", SECONDS)
    for name in place.names("leases"):
        place.remove(f"leases/{name}")
    theirs.beat()
    assert theirs.epoch == 2


def test_who_relies_on_a_lease_after_a_sleep_looks_at_it_first(place, now):
    theirs = Lease(place, "theirs", SECONDS)
    assert theirs.ensure() == 1
    assert place.names("leases") == ["theirs.00000001"]
    now[0] += SECONDS
    assert theirs.ensure() == 1
    assert place.names("leases") == ["theirs.00000002"]


def test_what_is_known_to_have_ended_is_dead_at_once_and_leaves_nothing(place):
    if place.local is None or not this_process().machine:
        pytest.skip("nothing is known of processes here")
    code = f"""
import os
from dualdag.store import open_store
from dualdag.store._leases import Lease
Lease(open_store({place.url!r})._fs, "theirs", 1000.0)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    mine = Lease(place, "mine", SECONDS)
    assert not looked(Watch(mine), "theirs")
    assert place.names("leases") == ["mine.00000001"]


def test_processes_are_told_apart_by_their_start():
    me = this_process()
    assert not has_ended(me)
    assert not has_ended(me._replace(machine="another", number=1 << 22))
    assert not has_ended(Process("", 1 << 22, "1"))
    if me.machine:
        assert has_ended(me._replace(began="1"))
        assert has_ended(me._replace(number=(1 << 22) + 1))


def test_live_leases_are_told_and_those_of_long_ago_removed(place, monkeypatch):
    store = open_store(place.url)
    assert live_leases(store) == set()
    Lease(place, "mine", 100.0)
    assert live_leases(store) == {"mine"}
    assert live_leases(open_store(place.url, readonly=True)) == {"mine"}
    monkeypatch.setattr(_watch, "DAY", -1.0)
    assert live_leases(store) == set()
    assert place.names("leases") == []


def test_a_lease_that_cant_be_read_is_alive_until_it_was_silent_for_long(place, now):
    place.put_if_absent("leases/torn.00000003", [b"not a heartbeat"])
    watch = Watch(Lease(place, "mine", SECONDS))
    assert looked(watch, "torn")
    now[0] += SECONDS + 3
    assert not looked(watch, "torn")


@pytest.mark.parametrize("alive", [True, False])
def test_what_many_runs_left_behind_takes_few_calls(alive, place, now, monkeypatch):
    monkeypatch.setattr(_claims, "clock", lambda: now[0])
    for k in range(40):
        lease = Lease(place, f"run{k}", SECONDS)
        Claims(lease).take([bytes([k]) * 16])
        if not alive:
            lease.close()
    mine = Claims(Lease(place, "mine", SECONDS))
    calls = Counter()
    for name in ("get", "get_many", "entries"):
        real = getattr(place, name)
        monkeypatch.setattr(
            place, name, lambda *a, name=name, real=real: calls.update([name]) or real(*a), raising=False
        )
    keys = [bytes([k]) * 16 for k in range(45)]
    assert len(mine.take(keys)) == (5 if alive else 45)
    assert calls.total() <= 8


def test_the_heart_beats_by_itself(tmp_path):
    fs = open_store(str(tmp_path))._fs
    lease = Lease(fs, "mine", 0.1)
    end = time.monotonic() + 30
    while fs.names("leases")[0:1] < ["mine.00000004"]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(fs.names("leases")) <= 2
    lease.close()
    assert fs.names("leases") == []
