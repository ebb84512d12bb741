"""`Store.check`: what it finds, what it mends, and that it goes on where it was stopped."""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path

import msgspec
import pytest

from dualdag.errors import CorruptObjectError, StoreError
from dualdag.store import Problem, _checking, _checkpoint, _verify, open_store
from dualdag.store import _seal as seal_room
from dualdag.store._facts import Begin, Confirmation, End, Fact
from dualdag.store._objects import object_path
from dualdag.testing import FaultFS
from dualdag.testing._faults import CRASHED
from dualdag.testing._store_suite_base import a_record, a_version

BIG = "x" * 10_000
places = pytest.mark.parametrize("place", ["folder", "memory"])


@pytest.fixture
def store(place, tmp_path):
    url = str(tmp_path / "store") if place == "folder" else f"memory://{tmp_path.name}-{time.time_ns()}"
    return filled(open_store(url))


@pytest.fixture
def folder(tmp_path):
    return filled(open_store(str(tmp_path / "store")))


def filled(store):
    """Put one of each kind into a store."""
    store.put_records([a_record("one", checksum=store.save(BIG + "one").checksum)])
    store.put_records([a_record("two"), a_record("three", checksum=store.save(BIG + "three").checksum)])
    store.add_version(a_version(store, "big", BIG))
    store.add_version(a_version(store, "big", BIG + "2"))
    store.confirm(Confirmation("big", 2, 1.0, b"t" * 20, b"o" * 20))
    store.supersede(a_record("one", "other", checksum=store.save(BIG + "other").checksum))
    store.mark_unstable(b"task")
    journal = store.start_run("run-1", {})
    journal.append({"a": 1})
    journal.close()
    return store


def files(store, top=""):
    found = []
    for one in store._fs.entries(top):
        path = f"{top}/{one.name}".strip("/")
        found += files(store, path) if one.folder else [path]
    return [path for path in found if not path.startswith("cache/")]


def damage(store, path, how=lambda data: data[:-1] + bytes([data[-1] ^ 1])):
    store._fs.replace(path, how(store._fs.get(path)))


def quiet_open(store):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_store(store.url)


@places
def test_a_whole_store(store):
    found = store.check()
    assert found.whole
    assert not found.problems
    assert found.counts == {
        "batches": 2, "confirmations": 1, "facts": 2, "journals": 3, "markers": 1, "objects": 5, "records": 5,
        "unstable": 1, "versions": 2,
    }  # fmt: skip
    assert (found.orphans, found.dropped, found.leftovers, found.strange) == (0, 0, 0, ())
    assert found.files == len(files(store))
    assert found.nbytes == sum(len(store._fs.get(path)) for path in files(store))
    assert not found.resumed
    assert open_store(store.url, readonly=True).check().counts == found.counts


@places
def test_each_file_that_is_damaged_is_found_and_mended(store):
    for path in files(store):
        before = {one: store._fs.get(one) for one in files(store)}
        damage(store, path)
        found = store.check()
        assert not found.whole, path
        assert [(one.path, one.kind) for one in found.problems] == [(path, "damaged")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mended = store.check(repair=True)
        assert mended.whole, path
        assert mended.problems[0].done
        again = store.check()
        # A version whose value went is not whole before a run made it again.
        assert {one.kind for one in again.problems} <= {"missing"}, path
        assert again.whole or path.startswith("objects/")
        for one in files(store):
            if one not in before:
                store._fs.remove(one)
        for one, data in before.items():
            store._fs.replace(one, data)
        assert store.check().whole


@places
def test_what_was_replaced_does_not_come_back(store):
    old, new = a_record("one"), a_record("one", "other")
    fact = f"facts/{old.action.hex()}-000001"
    version = "artifacts/big/versions/00000002"
    for path in (fact, f"facts/{old.trace.hex()}-000001", version):
        damage(store, path)
    found = store.check(repair=True)
    assert found.found == {"damaged": 3}
    assert "artifact big" in found.again
    again = quiet_open(store)
    with pytest.warns(UserWarning, match="damaged"):
        assert again.records([old.trace, old.action]) == {}
    for number in (None, 2):
        with pytest.raises(CorruptObjectError):
            again.version("big", number)
    assert again.version("big", 1).number == 1
    # A later writer's is in force again, under the next number.
    again.put_records([new])
    again.add_version(a_version(again, "big", BIG + "3"))
    assert again.records([old.trace])[old.trace].digest == new.digest
    assert again.latest("big").number == 3
    assert open_store(store.url).records([old.action])[old.action].digest == new.digest
    assert again.check().whole
    assert len([path for path in files(store) if path.startswith("damaged/")]) == 3


@places
def test_a_batch_keeps_its_number(store):
    damage(store, "batches/00000000/000000000001", lambda _: b"")
    assert store.check(repair=True).whole
    again = open_store(store.url)
    three = a_record("three")
    assert again.records([three.trace]) == {}
    assert again.records([a_record("one").trace])
    again.put_records([three])
    assert "batches/00000000/000000000002" in files(store)
    assert open_store(store.url).records([three.trace]) == {three.trace: three}


@places
def test_missing_dropped_and_orphaned(store):
    version = store.version("big", 1)
    record = store.records([a_record("three").trace])[a_record("three").trace]
    for gone in (version.checksum, record.checksum):
        store._fs.remove(object_path(gone))
    orphan = store.put_object(b"o" * 5_000)
    found = store.check()
    assert not found.whole
    assert [(one.path, one.kind) for one in found.problems] == [(object_path(version.checksum), "missing")]
    assert "artifact big, version 1" in found.problems[0].told
    assert found.again == ("artifact big, version 1",)
    assert (found.dropped, found.orphans, found.orphan_bytes) == (1, 1, 5_000)
    assert store.check(repair=True).whole
    assert store.has_objects([orphan])
    # What was deleted needs nothing any more.
    store.delete("big")
    assert store.check().whole


def test_versions_below_a_mark_of_deletion_need_nothing(folder, monkeypatch):
    monkeypatch.setattr(folder._fs, "remove", lambda path: None)
    folder.delete("big")
    monkeypatch.undo()
    for number in (1, 2):
        path = f"artifacts/big/versions/{number:08d}"
        assert path in files(folder)
    folder._fs.remove(object_path(folder.save(BIG).checksum))
    assert folder.check().whole


@places
def test_strange_names_and_leftovers(store):
    for path in ("objects/ab/short", "objects/xyz/a", "batches/00000000/Thumbs.db", "README", "facts/a-1"):
        store._fs.put_if_absent(path, [b"mine"])
    store._fs.put_if_absent(f"scratch/{'a' * 32}", [b"dualdag"])
    store._fs.put_if_absent("others/deep/file", [b"mine"])
    found = store.check()
    assert found.whole
    assert set(found.strange) == {
        "objects/ab/short", "objects/xyz", "batches/00000000/Thumbs.db", "README", "facts/a-1", "others/deep/file",
    }  # fmt: skip
    assert (found.leftovers, found.leftover_bytes) == (1, 7)


def test_temporary_files_go_when_they_are_old_and_nobody_s(folder):
    root = folder._fs.local
    gone, mine, young = (root / "objects" / f".{'a' * 12}-{pid:x}-0.tmp" for pid in (2**22 + 5, os.getpid(), 2**22 + 6))
    scratch = root / "scratch" / ("1" * 32)
    scratch.parent.mkdir()
    for path in (gone, mine, young, scratch):
        path.write_bytes(b"half")
        if path != young:
            os.utime(path, (1, 1))
    damage(folder, "runs/run-1/begin")
    found = folder.check(repair=True)
    assert found.removed == 2
    assert not gone.exists()
    assert not scratch.exists()
    assert mine.exists()
    assert young.exists()
    assert (found.leftovers, found.problems[0].path) == (2, "runs/run-1/begin")
    assert folder.check().leftovers == 3


def test_a_newer_layout_is_left_alone(folder, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(seal_room, "LAYOUT", 7)
        folder.put_records([a_record("new")])
    before = {path: folder._fs.get(path) for path in files(folder)}
    found = folder.check(repair=True)
    assert "layout 7" in found.problems[0].told
    assert [(one.path, one.kind) for one in found.problems] == [("batches/00000000/000000000002", "newer")]
    assert not found.whole
    assert {path: folder._fs.get(path) for path in files(folder)} == before


def test_a_file_that_can_t_be_read_is_told_of_and_left(folder, monkeypatch):
    path = object_path(folder.version("big", 1).checksum)
    pieces = folder._fs.pieces

    def broken(one):
        if one == path:
            raise OSError(5, "Input/output error")
        return pieces(one)

    monkeypatch.setattr(folder._fs, "pieces", broken)
    found = folder.check(repair=True)
    assert [(one.path, one.kind, one.done) for one in found.problems] == [(path, "unreadable", "")]
    assert not found.whole
    monkeypatch.undo()
    assert folder.check().whole


def test_it_goes_on_where_it_was_stopped(folder, monkeypatch):
    many = [folder.put_object(os.urandom(5_000)) for _ in range(60)]
    total = folder.check()
    read = []
    pieces = folder._fs.pieces

    def counted(path):
        read.append(path)
        return pieces(path)

    monkeypatch.setattr(folder._fs, "pieces", counted)

    def stop(files, nbytes):
        if len(read) > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.check(progress=stop)
    first = len(read)
    assert 30 < first < 60
    damaged = object_path(max(many))
    damage(folder, damaged)
    found = folder.check()
    assert found.resumed
    assert len(read) - first < 65 - 25
    assert [one.path for one in found.problems] == [damaged]
    assert (found.files, found.counts, found.orphans) == (total.files, total.counts, total.orphans)
    # It came to its end: the next one begins anew; so does one that is told to.
    del read[:]
    assert not folder.check().resumed
    assert len(read) >= 65
    del read[:]
    with pytest.raises(KeyboardInterrupt):
        folder.check(progress=stop)
    assert not folder.check(restart=True).resumed


@pytest.mark.parametrize("state", [b"", b"rubbish" * 1000, None, "cut", "middle"])
def test_notes_that_are_damaged_or_gone(folder, state):
    with pytest.raises(KeyboardInterrupt):
        folder.check(progress=interrupt_late)
    notes = folder._fs.local / "cache" / "verify.sqlite"
    assert notes.exists()
    for path in notes.parent.glob("verify.sqlite-*"):
        path.unlink()
    data = notes.read_bytes()
    if state is None:
        notes.unlink()
    elif state == "middle":
        notes.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    else:
        notes.write_bytes(data[: len(data) // 2] if state == "cut" else state)
    found = folder.check()
    assert found.whole
    assert found.counts["objects"] == 5
    assert not notes.exists()


def interrupt_late(files, nbytes):
    if files > 12:
        raise KeyboardInterrupt


def test_two_at_once(folder):
    inner = []

    def meanwhile(files, nbytes):
        if not inner:
            inner.append(None)
            inner[0] = folder.check()

    assert folder.check(progress=meanwhile).counts == inner[0].counts


def test_an_empty_place_and_one_that_may_not_be_written(tmp_path, folder):
    nothing = open_store(str(tmp_path / "nothing"))
    found = nothing.check()
    assert found.whole
    assert found.files == 0
    assert not (tmp_path / "nothing").exists()
    readonly = open_store(folder.url, readonly=True)
    assert readonly.check().whole
    with pytest.raises(StoreError, match="reading only"):
        readonly.check(repair=True)


def test_repair_fills_the_index_again(folder):
    index = folder._index_path()
    folder.close()
    index.write_bytes(b"rubbish")
    assert folder.check(repair=True).whole
    folder.close()
    assert index.read_bytes()[:6] == b"SQLite"
    assert folder.records([a_record("two").trace])


def test_a_fact_of_another_key_is_damage(folder):
    path = f"facts/{a_record('two').trace.hex()}-000001"
    folder._fs.put_if_absent(path, [folder._sealer.seal(Fact(a_record("one")), path)])
    assert folder.check().problems == (Problem(path, "damaged", "it does not tell of what lies there"),)
    assert folder.check(repair=True).whole
    assert folder.check().whole


def test_many_problems_are_counted(folder, monkeypatch):
    from dualdag.store import _checking

    monkeypatch.setattr(_checking, "LISTED", 3)
    for path in files(folder, "objects"):
        damage(folder, path, lambda data: data[:100])
    found = folder.check()
    assert found.found == {"damaged": 5}
    assert len(found.problems) == 3
    assert folder.check(repair=True).found == {"damaged": 5}
    assert all(path.startswith("damaged/") for path in files(folder) if "objects" in path)


SECRET, OTHER = "a secret of the team's", "a secret of another team"


def test_signatures(tmp_path):
    url = str(tmp_path / "store")
    filled(open_store(url, secret=SECRET)).close()
    assert open_store(url, secret=SECRET).check().whole
    assert open_store(url, secret=[OTHER, SECRET]).check().whole
    # A file of the same place in another store, signed by somebody else.
    forged = open_store(str(tmp_path / "forged"), secret=OTHER)
    forged.add_version(a_version(forged, "big", BIG))
    path = "artifacts/big/versions/00000001"
    store = open_store(url, secret=SECRET)
    mine, theirs = store._fs.get(path), forged._fs.get(path)
    store._fs.replace(path, theirs)
    found = store.check(repair=True)
    assert [(one.path, one.kind, one.done) for one in found.problems] == [(path, "untrusted", "")]
    assert not found.whole
    assert store._fs.get(path) == theirs
    store._fs.replace(path, mine)
    # What is written in the place of damage is signed.
    damage(store, "artifacts/big/versions/00000002")
    damage(store, "batches/00000000/000000000000")
    assert store.check(repair=True).found == {"damaged": 2}
    assert open_store(url, secret=SECRET).check().whole


def damaged_store(folder):
    store = filled(open_store(str(folder)))
    store.close()
    one = a_record("one")
    for path in (
        "artifacts/big/versions/00000002", "batches/00000000/000000000001",
        f"facts/{one.action.hex()}-000001", object_path(store.version("big", 1).checksum), "runs/run-1/end",
    ):  # fmt: skip
        damage(store, path)
    return store


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:store:UserWarning")
def test_a_repair_that_is_killed_at_any_step(tmp_path):
    with FaultFS() as counted:
        damaged_store(tmp_path / "first")
        first = len(counted.steps)
        open_store(str(tmp_path / "first")).check(repair=True)
    steps = [step.number - first for step in counted.steps[first:] if step.operation not in ("list", "read", "size")]
    assert len(steps) > 15
    crashed = 0
    for n, k in enumerate(steps[::3]):
        store = damaged_store(tmp_path / f"{k}")
        pid = os.fork()
        if pid == 0:
            try:
                with FaultFS(at=k, fault=("before", "torn", "after")[n % 3]):
                    open_store(store.url).check(repair=True)
            finally:
                os._exit(1)
        crashed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == CRASHED
        again = open_store(store.url)
        for _ in range(2):
            # The index may know the later one; the older one is not in force.
            found = again.records([a_record("one").action]).get(a_record("one").action)
            assert found is None or found.digest == a_record("one", "other").digest
            with pytest.raises(CorruptObjectError):
                again.latest("big")
            assert again.check(repair=True).whole
        assert {one.kind for one in again.check().problems} <= {"missing"}
    assert crashed > len(steps) // 6


@pytest.mark.parametrize("when", ["before it goes on", "before it is mended"])
def test_what_is_whole_again_is_not_mended(folder, monkeypatch, when):
    path = object_path(folder.version("big", 2).checksum)
    good = folder._fs.get(path)
    damage(folder, path)
    if when == "before it goes on":
        with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
            stopped.setattr(_verify.Walk, "_rest", raising(KeyboardInterrupt))
            folder.check()
        folder._fs.replace(path, good)
    else:
        real = _checking.repair
        monkeypatch.setattr(_checking, "repair", lambda *given: (folder._fs.replace(path, good), real(*given)))
    found = folder.check(repair=True)
    assert [one.done for one in found.problems] == ([] if found.resumed else ["it is whole by now"])
    assert folder._fs.get(path) == good


def raising(error):
    def do(*_):
        raise error

    return do


def test_what_gc_takes_meanwhile_is_not_missing(folder, monkeypatch):
    path = object_path(folder.version("big", 1).checksum)
    real = _verify.Walk._prefixes

    def prefixes(walk):
        folder._fs.remove("artifacts/big/versions/00000001")
        folder._fs.remove(path)
        return real(walk)

    monkeypatch.setattr(_verify.Walk, "_prefixes", prefixes)
    assert folder.check().whole


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are bytes on Linux")
def test_names_that_are_no_text(folder):
    top = os.fsencode(folder.url)
    os.mkdir(top + b"/\xff")
    for name in (b"\xff/a", b"objects/\xfe", b"runs/\xfe", b"\x1b[31m\n", b"\xff.tmp", b"keys\xff"):
        Path(os.fsdecode(top + b"/" + name)).write_bytes(b"ddag")
    found = folder.check(repair=True)
    assert found.whole
    assert "\\x1b[31m\\n" in found.strange
    assert "objects/\\udcfe" in found.strange


@pytest.mark.parametrize("what", ["object", "batch", "version"])
def test_a_folder_in_the_place_of_a_file(folder, what):
    path = {"object": object_path(folder.version("big", 2).checksum), "batch": "batches/00000000/000000000001",
            "version": "artifacts/big/versions/00000002"}[what]  # fmt: skip
    folder._fs.remove(path)
    Path(folder.url, path).mkdir()
    found = folder.check()
    assert [(one.path, one.kind) for one in found.problems] == [(path, "damaged")]
    assert folder.check(repair=True).whole
    assert not Path(folder.url, path).is_dir()
    assert [one.kind for one in folder.check().problems] == (["missing"] if what == "object" else [])


@pytest.mark.parametrize(
    "change",
    [{"checksum": b""}, {"checksum": b"\xab"}, {"details": b""}, {"code": b"="}, {"seconds": float("inf")},
     {"seconds": float("nan")}, {"nbytes": -1}, {"name": "other"}, {"number": 9}, {"created": float("nan")}],
)  # fmt: skip
def test_what_a_forged_version_tells(folder, change):
    path = "artifacts/big/versions/00000002"
    objects = [one for one in files(folder) if one.startswith("objects/")]
    forged = msgspec.structs.replace(folder.version("big", 2), **change)
    folder._fs.replace(path, folder._sealer.seal(forged, path))
    with pytest.raises(CorruptObjectError, match="damaged"):
        folder.latest("big")
    with pytest.warns(UserWarning, match="left out"):
        assert [row.version for row in folder.artifacts()] == [1]
    found = folder.check()
    assert [(one.path, one.kind) for one in found.problems] == [(path, "damaged")]
    for address in (b"", b"\xab", bytes.fromhex(objects[0][8:10])):
        assert folder.has_objects([address]) == set()
        with pytest.raises(CorruptObjectError):
            folder.get_object(address)
        with pytest.raises(CorruptObjectError):
            folder.load(address, "file")
    assert [one for one in files(folder) if one.startswith("objects/")] == objects


@pytest.mark.parametrize(
    "value", [End(float("nan"), "done"), Begin("run-1", 1e18, {}), Begin("run-1", float("inf"), {})]
)
def test_a_forged_journal_is_left_out(folder, value):
    path = f"runs/run-1/{type(value).__name__.lower()}"
    folder._fs.replace(path, folder._sealer.seal(value, path))
    with pytest.warns(UserWarning, match="left out"):
        assert len(folder.runs()) == (1 if isinstance(value, End) else 0)
    assert [(one.path, one.kind) for one in folder.check().problems] == [(path, "damaged")]


def test_old_notes_are_not_gone_on_with(folder, monkeypatch):
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(_verify.Walk, "_rest", raising(KeyboardInterrupt))
        folder.check()
    damage(folder, object_path(folder.version("big", 2).checksum))
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(_checkpoint.time, "time", lambda: now + 8 * 86_400)
        found = folder.check()
    assert not found.resumed
    assert found.found == {"damaged": 1}


def test_what_others_keep_in_the_folder_stays(folder):
    root = Path(folder.url)
    theirs = [root / name for name in ("scratch/thesis.txt", "notes.tmp", "own/x.tmp", "gc/data.csv", "damaged/z.csv",
                                       "objects/read.me", "runs/exp1/result.csv", "batches/00000000/x.tmp",
                                       "artifacts/x/versions/y.tmp")]  # fmt: skip
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (1e9, 1e9))
    assert folder.check(repair=True).removed == 0
    folder.start_run("run-2", {}).close()
    folder.gc(dry_run=False, older_than=0, keep=1, grace=0)
    assert all(path.read_text() == "mine" for path in theirs)


def test_a_folder_that_is_no_store(tmp_path):
    store = open_store(str(tmp_path / "project"))
    for repair in (False, True):
        assert store.check(repair=repair).whole
        assert not (tmp_path / "project").exists()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "thesis.txt").write_text("mine")
    for repair in (False, True):
        with pytest.raises(StoreError, match="there is no store in"):
            store.check(repair=repair)
    assert os.listdir(tmp_path / "project") == ["thesis.txt"]
