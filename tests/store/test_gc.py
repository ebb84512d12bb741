"""What goes, what stays, and that a run in progress loses nothing."""

from __future__ import annotations

import os
import shutil
import time
import traceback
from pathlib import Path

import msgspec
import pytest

import dualdag as dag
from dualdag.errors import ConfigError
from dualdag.store import open_store
from dualdag.store._facts import Confirmation
from dualdag.store._mark import addresses
from dualdag.testing import FaultFS
from dualdag.testing._faults import CRASHED
from dualdag.testing._store_suite_base import a_record, a_version

LARGE = 10_000
NEVER = float("inf")


@dag.task
def part(n):
    return b"%d" % n * LARGE


@dag.task
def whole(data, tail):
    return data + tail


def flow(n, tail=b"."):
    return whole(part.options(persist=True)(n), tail).artifact("whole")


def make(url, n, **options):
    return dag.run(flow(n, **options), store=url, backend="sync", progress="off")


def objects(url):
    return {path for path in Path(url, "objects").rglob("*") if path.is_file()}


def wanted(store):
    """Return where the objects of all versions lie."""
    found = set()
    for name in store._artifacts.names():
        for version in store._artifacts.readable(name):
            for address in addresses(version):
                if len(address) == 32:
                    found.add(Path(store.url, "objects", address.hex()[:2], address.hex()[2:]))
    return found


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "store")


def test_what_nothing_leads_to_goes_and_versions_stay(url):
    for n in range(4):
        make(url, n)
    store = open_store(url)
    assert store.gc().objects == 0
    before = objects(url)
    would = store.gc(older_than=0, keep=4, grace=0, dry_run=True)
    assert objects(url) == before
    went = store.gc(older_than=0, keep=4, grace=0)
    assert (went.objects, went.nbytes, went.left) == (would.objects, would.nbytes, would.left)
    assert went.objects == 4
    assert objects(url) == wanted(store)
    assert [row.version for row in store.versions("whole")] == [4, 3, 2, 1]
    # The records stay: nothing has to run.
    assert dag.plan(flow(0), store=url).counts["run"] == 0


def test_the_newest_version_always_stays(url):
    for n in range(3):
        make(url, n)
    store = open_store(url)
    went = store.gc(older_than=0, grace=0)
    assert went.versions == 2
    assert [(row.name, row.goes, row.versions) for row in went.artifacts] == [("whole", 2, 3)]
    assert [row.version for row in store.versions("whole")] == [3]
    assert store.gc(keep=1, older_than=0, grace=0).versions == 0
    assert dag.load("whole", store=url) == b"2" * LARGE + b"."
    make(url, 3)
    assert [row.version for row in store.versions("whole")] == [4, 3]


@pytest.mark.parametrize(("keep", "older", "left"), [(2, None, 2), (None, "1h", 1), (2, "1h", 2), (1, "10d", 3)])
def test_keep_and_older_than(url, keep, older, left):
    store = open_store(url)
    now = time.time()
    for days in (3, 2, 1):
        store.add_version(a_version(store, "x", f"{days}", created=now - days * 86_400))
    assert store.gc(keep=keep, older_than=older).versions == 3 - left
    assert len(store.versions("x")) == left


def test_values_of_versions_that_were_asked_to_go_are_freed_though_they_are_young(url):
    for n in (0, 1, 2, 0):
        make(url, n)
    store = open_store(url)
    # Of the results on the way those of the last 30 days stay; version 4 has the value of version 1.
    went = store.gc(keep=2)
    assert (went.versions, went.objects, went.young) == (2, 1, 0)
    assert [(row.name, row.goes, row.freed) for row in went.artifacts] == [("whole", 2, LARGE + 1)]
    assert [dag.load("whole", version=row.version, store=url) for row in store.versions("whole")] == [
        b"0" * LARGE + b".",
        b"2" * LARGE + b".",
    ]
    assert dag.run(flow(1), store=url, progress="off") == b"1" * LARGE + b"."


def test_a_damaged_newest_version_hides_no_other(url):
    store = open_store(url)
    for k in range(3):
        store.add_version(a_version(store, "x", f"{k}" * LARGE))
    path = Path(url, "artifacts", "x", "versions", "00000003")
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="left out"):
        store.gc(keep=1, older_than=0, grace=0)
    assert path.exists()
    assert store.version("x", 2).number == 2
    assert len(objects(url)) == 1


def test_what_a_refresh_gave_stays_while_a_version_tells_of_it(url):
    make(url, 1)
    dag.run(flow(1), store=url, backend="sync", progress="off", refresh="all")
    store = open_store(url)
    trace = next(iter(dag.plan(flow(1), store=url).nodes)).node.key
    assert trace
    upstream = store.records([record for keys in store._records.pages() for record in keys])
    [old] = {one.action: one for one in upstream.values() if "part" in one.function}.values()
    value = store.save(b"later" * LARGE)
    store.supersede(type(old)(**{**{f: getattr(old, f) for f in old.__struct_fields__}, "checksum": value.checksum,
                                 "digest": b"another".ljust(32)}))  # fmt: skip
    store.gc(older_than=0, grace=0)
    assert store.has_objects([value.checksum])
    assert not store.has_objects([old.checksum])


def test_old_facts_go_and_the_newest_stays(url):
    store = open_store(url)
    store.put_records([a_record("x")])
    for k in range(3):
        store.supersede(a_record("x", f"{k}"))
    assert store.gc(grace=0).records == 4
    assert open_store(url).records([a_record("x").trace])[a_record("x").trace].digest == a_record("x", "2").digest
    store.supersede(a_record("x", "3"))
    assert sorted(name[-6:] for name in store._fs.names("facts")) == ["000003", "000003", "000004", "000004"]


def test_young_objects_stay(url):
    store = open_store(url)
    store.put_object(b"x" * LARGE)
    found = store.gc()
    assert (found.objects, found.young) == (0, 1)
    for path in objects(url):
        os.utime(path, (time.time() - 7200,) * 2)
    assert store.gc().objects == 1


def test_journals_go_when_they_are_old_and_made_nothing_that_stays(url):
    for n in range(3):
        make(url, n)
    store = open_store(url)
    store.start_run("killed", {})
    assert store.gc(older_than=0, grace=0, keep=1).journals == 2
    assert [run.status for run in store.runs()] == ["unfinished", "done"]
    begin = Path(url, "runs", "killed", "begin")
    os.utime(begin, (time.time() - 90_000,) * 2)
    assert store.gc(older_than=0, grace=0, keep=1).journals == 1
    assert [run.status for run in store.runs()] == ["done"]
    assert len(os.listdir(f"{url}/runs")) == 1


def test_leftovers_go_after_a_day(url):
    store = open_store(url)
    store.put_object(b"x" * LARGE)
    folder = next(iter(objects(url))).parent
    for name, hours in ((".a-1-0.tmp", 1), (".b-1-0.tmp", 30)):
        (folder / name).write_bytes(b"left")
        os.utime(folder / name, (time.time() - hours * 3600,) * 2)
    assert store.gc(grace=0).leftovers == 1
    assert {path.name for path in folder.iterdir()} == {".a-1-0.tmp"}


@pytest.mark.parametrize("folder", ["versions", "versions/00001", "confirmations", "confirmations/00001"])
def test_leftovers_of_artifacts_go_too(url, folder):
    store = open_store(url)
    store.add_version(a_version(store, "x", "1"))
    left = Path(url, "artifacts", "x", folder, ".b-1-0.tmp")
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"left")
    assert store.gc().leftovers == 0
    os.utime(left, (1, 1))
    assert store.gc(dry_run=True).leftovers == 1
    assert store.gc().leftovers == 1
    assert not left.exists()


def test_what_was_deleted_leaves_nothing(url):
    for n in range(3):
        make(url, n)
    store = open_store(url)
    store.delete("whole")
    went = store.gc(older_than=0, grace=0)
    assert not objects(url)
    assert went.left == 0
    make(url, 5)
    assert store.latest("whole").number == 5
    store.gc(older_than=0, grace=0)
    assert store._fs.names("artifacts/whole/versions") == ["00000005"]


def test_max_bytes_takes_the_cheapest_results_and_then_old_versions(url):
    store = open_store(url)
    now = time.time()
    for k in range(4):
        value = store.save(b"%d" % k * LARGE)
        kept = a_record(f"{k}", checksum=value.checksum)
        made = {f: getattr(kept, f) for f in kept.__struct_fields__} | {"created": now, "seconds": float(k)}
        store.put_records([type(kept)(**made)])
    for k in range(3):
        store.add_version(a_version(store, "x", f"version {k}".ljust(LARGE), created=now + k))
    gone = store.gc(max_bytes=5 * LARGE + 100, grace=0)
    assert (gone.objects, gone.versions) == (2, 0)
    there = store.records([a_record(f"{k}").trace for k in range(4)])
    assert [bool(store.has_objects([one.checksum])) for one in sorted(there.values(), key=lambda one: one.seconds)] == [
        False, False, True, True]  # fmt: skip
    gone = store.gc(max_bytes=LARGE * 2 + 100, grace=0)
    assert (gone.objects, gone.versions) == (3, 1)
    gone = store.gc(max_bytes=1, grace=0)
    assert gone.versions == 1
    assert [row.version for row in store.versions("x")] == [3]
    assert store.load(store.version("x").checksum, "json") == "version 2".ljust(LARGE)


def test_what_is_only_too_young_to_go_costs_no_version(url):
    store = open_store(url)
    for k in range(6):
        store.add_version(a_version(store, "x", f"version {k}".ljust(LARGE), created=float(k)))
    # One version makes room enough, if only in an hour.
    assert store.gc(max_bytes=5 * LARGE + 100).versions == 1
    for k in range(3):
        store.put_object(b"%d" % k * LARGE)
    value = store.save(b"result" * LARGE)
    store.put_records([msgspec.structs.replace(a_record("r", checksum=value.checksum), created=time.time())])
    assert store.gc(max_bytes=5 * LARGE + 100).versions == 0
    assert len(store.versions("x")) == 5


def test_sizes_tell_what_deleting_frees_and_what_is_shared(url):
    store = open_store(url)
    for name, values in (("a", "12"), ("b", "23")):
        for k, value in enumerate(values):
            store.add_version(a_version(store, name, value * LARGE, created=float(k)))
    found = store.sizes()
    assert [(row.name, row.versions, row.nbytes, row.shared) for row in found] == [
        ("a", 2, LARGE + 2, LARGE + 2), ("b", 2, LARGE + 2, LARGE + 2)]  # fmt: skip
    store.delete("a")
    assert store.gc(older_than=0, grace=0, keep=2).nbytes >= LARGE + 2


def test_a_dry_run_is_the_default_where_somebody_else_made_the_store(url, monkeypatch):
    make(url, 1)
    monkeypatch.setattr("dualdag.store._housekeeping.this_user", lambda: "another")
    store = open_store(url)
    assert store.gc(older_than=0, grace=0).dry_run
    assert not store.gc(older_than=0, grace=0, dry_run=False).dry_run
    monkeypatch.undo()
    assert not open_store(url).gc().dry_run


def test_a_store_that_is_not_there_is_not_made(url):
    assert open_store(url).gc().objects == 0
    assert not Path(url).exists()


def test_confirmations_go_but_for_the_newest(url):
    store = open_store(url)
    store.add_version(a_version(store, "x", "x"))
    for k in range(4):
        store.confirm(Confirmation("x", 1, float(k), b"t" * 20, b"o" * 20))
    folder = Path(url, "artifacts", "x", "confirmations")
    for number in (1, 2, 4):
        os.utime(folder / f"{number:08d}", (time.time() - 40 * 86_400,) * 2)
    assert store.gc(dry_run=True).confirmations == 2
    assert store.gc().confirmations == 2
    assert sorted(os.listdir(folder)) == ["00000003", "00000004"]
    assert store.last_confirmed("x").created == 3.0
    assert store.gc(older_than=0).confirmations == 1


@pytest.mark.parametrize("given", ["3600", "1h", "0", 3600.0])
def test_ages(url, given):
    store = open_store(url)
    store.add_version(a_version(store, "x", "1", created=time.time() - 4000))
    store.add_version(a_version(store, "x", "2", created=time.time()))
    assert store.gc(older_than=given).versions == 1


@pytest.mark.parametrize(
    "given",
    [{"keep": 0}, {"keep": "3"}, {"older_than": []}, {"older_than": "soon"}, {"max_bytes": "much"}, {"grace": -1}],
)
def test_limits_that_are_none(url, given):
    with pytest.raises(ConfigError, match=next(iter(given))):
        open_store(url).gc(**given)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_listing_that_is_out_of_date_costs_no_version(url):
    make(url, 1)
    make(url, 2)
    store = open_store(url)
    there = wanted(store)
    with FaultFS(only={"list"}) as faults:
        store.gc(keep=9, older_than=0, grace=0, dry_run=True)
    looked = {step.path for step in faults.steps}
    assert any("artifacts" in path for path in looked)
    for k in range(len(faults.steps)):
        with FaultFS(at=k, fault="stale list", only={"list"}):
            open_store(url).gc(keep=9, older_than=0, grace=0, dry_run=False)
        assert there <= objects(url), f"after {faults.steps[k]}"


@pytest.mark.parametrize("fault", ["before", "after"])
def test_every_step_of_a_collection(fault, tmp_path, full):
    base = tmp_path / "base"
    for n in range(3):
        make(str(base), n)
    store = open_store(str(base))
    for k in range(2):
        store.put_records([a_record("x")])
        store.supersede(a_record("x", f"{k}"))
    store.close()
    open_store(str(base)).start_run("killed", {})
    os.utime(base / "runs" / "killed" / "begin", (1, 1))

    def first(folder, at=None):
        with FaultFS(at=at, fault=fault) as faults:
            open_store(str(folder)).gc(keep=2, older_than=0, grace=0)
        return faults.steps

    def second(folder):
        again = open_store(str(folder))
        assert [row.version for row in again.versions("whole")][:2] == [3, 2]
        assert dag.load("whole", version=2, store=str(folder)) == b"1" * LARGE + b"."
        assert again.records([a_record("x").trace])[a_record("x").trace].digest == a_record("x", "1").digest
        assert all(run.status == "done" or run.id == "killed" for run in again.runs())
        again.gc(keep=2, older_than=0, grace=0)
        assert objects(folder) == wanted(again)
        assert make(str(folder), 2) == b"2" * LARGE + b"."
        assert again._fs.names("gc") == []

    shutil.copytree(base, tmp_path / "counted")
    steps = changing(first(tmp_path / "counted"))
    assert len(steps) > 20
    for k in steps if full else steps[::3]:
        folder = tmp_path / f"{k}"
        shutil.copytree(base, folder)
        # What can't be done, as removing a folder that is not empty, can't end "after" it.
        assert in_a_child(lambda k=k, folder=folder: first(folder, k)) in {CRASHED, 0 if fault == "after" else CRASHED}
        assert in_a_child(lambda folder=folder: second(folder)) == 0, k
        shutil.rmtree(folder)


def changing(steps):
    """Return the numbers of the steps that leave another state."""
    changes = {"mkdir", "create", "write", "fsync", "link", "rename", "put", "delete"}
    return [step.number for step in steps if step.operation.partition(" ")[0] in changes]


def in_a_child(do):
    """Return the exit status of a fork that does it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            do()
            status = 0
        except Exception:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
