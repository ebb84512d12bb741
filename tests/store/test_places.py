"""Places that refuse: full, read-only, missing packages, replacing what exists."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from dualdag.errors import CorruptObjectError, StoreError
from dualdag.store import File, open_store
from dualdag.store import _remote as remote
from dualdag.store._exclusive import Found, Way, place_of
from dualdag.testing._store_suite_base import a_record, a_version


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB of our own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode
    except OSError:
        done = 1
    if done:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk):
    store = open_store(str(small_disk / "store"))
    one = a_record("one")
    store.put_records([one])
    kept = store.save("kept")
    with pytest.raises(StoreError, match=r"the disk is full: free some space") as caught:
        store.save(os.urandom(400_000))
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert not list(small_disk.rglob("*.tmp"))
    (small_disk / "ballast").write_bytes(b"")
    with pytest.raises(OSError, match="No space"), (small_disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    for write in (
        lambda: store.put_records([a_record("two")]),
        lambda: store.supersede(a_record("one", "other")),
        lambda: store.start_run("r", {}),
        lambda: store.add_version(a_version(store, "x", "a value")),
    ):
        with pytest.raises(StoreError, match="full"):
            write()
    store.close()
    again = open_store(str(small_disk / "store"))
    assert again.records([one.trace]) == {one.trace: one}
    assert again.load(kept.checksum, kept.codec) == "kept"
    (small_disk / "ballast").unlink()
    assert again.put_records([a_record("two")]) == [a_record("two")]


def test_a_read_only_disk(small_disk, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url = str(small_disk / "store")
    one = a_record("one")
    store = open_store(url)
    store.put_records([one])
    store.add_version(a_version(store, "x", 1))
    saved = store.save([1])
    store._fs.remove("layout.json")
    store._fs.put_if_absent("layout.json", [b'{"layout": 1, "id": "a"}'])
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = open_store(url)
    assert store.records([one.trace]) == {one.trace: one}
    assert store.load(saved.checksum, saved.codec) == [1]
    assert [row.version for row in store.versions("x")] == [1]
    for write in (
        lambda: store.save([0] * 5000),
        lambda: store.put_records([one]),
        lambda: store.delete("x"),
        store.self_test,
    ):
        with pytest.raises(StoreError, match="read-only"):
            write()
    journal = store.start_run("r", {})
    journal.append({})
    journal.close()
    assert store.runs() == []
    store.close()
    assert list((tmp_path / "cache").rglob("index.sqlite"))


def test_a_damaged_object_that_cannot_be_set_aside(small_disk):
    store = open_store(str(small_disk / "store"))
    saved = store.save([1] * 5000)
    path = small_disk / "store" / "objects" / saved.checksum.hex()[:2] / saved.checksum.hex()[2:]
    path.chmod(0o644)
    path.write_bytes(b"[2]")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(CorruptObjectError, match="can't be set aside"):
        store.load(saved.checksum, saved.codec)


def test_no_rights(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    store = open_store(str(tmp_path / "store"))
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match="no right to do so"):
        store.save(1)
    assert store.start_run("r", {}).close() is None


def test_what_the_place_refuses_is_always_a_store_error(tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "store"))
    store.add_version(a_version(store, "x", 1))

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "listdir", refuse)
    for read in (
        lambda: store.latest("x"),
        store.artifacts,
        lambda: store.last_confirmed("x"),
        store.runs,
        store.unstable,
    ):
        with pytest.raises(StoreError, match="can't read it; OSError.*Input/output"):
            read()


def test_a_half_object_of_another_tool_is_written_again(tmp_path):
    store = open_store(str(tmp_path / "store"))
    whole = "whole" * 5000
    saved = store.save(whole)
    path = tmp_path / "store" / "objects" / saved.checksum.hex()[:2] / saved.checksum.hex()[2:]
    path.chmod(0o644)
    path.write_bytes(b'"who')
    assert store.save(whole) == saved
    assert store.load(saved.checksum, saved.codec) == whole
    assert len(store._fs.names("damaged")) == 1


def test_a_file_that_changes_while_it_is_stored(tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "store"))
    path = tmp_path / "page"
    path.write_bytes(b"first")
    publish = store._objects._publish

    def late(*args):
        path.write_bytes(b"other")
        publish(*args)

    monkeypatch.setattr(store._objects, "_publish", late)
    with pytest.raises(StoreError, match="changed while it was put into the store"):
        store.save(File(path))
    assert not [p for p in (tmp_path / "store" / "objects").rglob("*") if p.is_file()]


def test_a_store_that_was_emptied_while_open(tmp_path):
    import shutil

    store = open_store(str(tmp_path / "store"))
    data = b"first" * 5000
    first = store.put_object(data)
    shutil.rmtree(tmp_path / "store")
    assert store.has_objects([first]) == set()
    assert store.get_object(store.put_object(data)) == data


@pytest.fixture
def no_s3fs(monkeypatch):
    """Let s3fs be missing, though a test before this may have loaded it."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3", raising=False)


def test_a_missing_package_names_its_pip_line(monkeypatch, no_s3fs):
    with pytest.raises(StoreError, match=r'pip install "dualdag\[s3\]"'):
        open_store("s3://bucket/team")
    with pytest.raises(StoreError, match="nosuch"):
        open_store("nosuch://bucket")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StoreError, match="pip install gcsfs"):
        open_store("gs://bucket/team")


def test_no_message_shows_a_password(no_s3fs):
    with pytest.raises(StoreError) as caught:
        open_store("s3://key:secret@bucket/team")
    assert "secret" not in str(caught.value)


def test_no_place_repeats_a_password():
    pytest.importorskip("s3fs")
    # No bucket has such a name, and who refuses it names it.
    with pytest.raises(StoreError, match=r"\*\*\*@bucket") as caught:
        open_store("s3://key:secret@bucket/team").artifacts()
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(open_store("memory://key:secret@place"))


def test_a_local_store_loads_no_fsspec(tmp_path):
    code = (
        "import sys\nfrom dualdag.store import open_store\n"
        f"store = open_store({str(tmp_path / 'store')!r})\n"
        "saved = store.save({'a': 1})\nassert store.load(saved.checksum, saved.codec) == {'a': 1}\n"
        "store.records([b'k' * 20])\nstore.close()\n"
        "assert not {'fsspec', 'pandas', 'numpy', 'pyarrow'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Replacing:
    """A filesystem that takes `mode="create"` and replaces all the same."""

    protocol = "replacing"

    def __init__(self):
        from fsspec.implementations.memory import MemoryFileSystem

        self.fs = MemoryFileSystem()

    def pipe_file(self, path, data, mode="overwrite"):
        self.fs.pipe_file(path, data)

    def __getattr__(self, name):
        return getattr(self.fs, name)


def test_a_place_that_replaces_is_found_out(monkeypatch):
    monkeypatch.setattr(remote, "_tried", {})
    fs = remote.AnyFileSystem("replacing://place", Replacing(), "/replacing")
    with pytest.warns(UserWarning, match="only one run at a time"):
        assert fs.put_if_absent("a", [b"first"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not fs.put_if_absent("a", [b"second"])
    assert fs.get("a") == b"first"
    assert fs.names("scratch") == []


class Lossy(Replacing):
    """A filesystem that writes, and then says that another was first."""

    protocol = "lossy"

    def pipe_file(self, path, data, mode="overwrite"):
        if mode == "create" and self.fs.exists(path):
            raise FileExistsError(path)
        self.fs.pipe_file(path, data)
        if mode == "create":
            raise FileExistsError(path)


def test_a_put_whose_answer_was_lost_is_known_to_be_ours(monkeypatch):
    fs = remote.AnyFileSystem("lossy://place", Lossy(), "/lossy")
    way = Way("a put", lambda fs, path, data: fs.pipe_file(path, data, mode="create"))
    monkeypatch.setitem(remote._tried, place_of(fs._fs), Found(way))
    assert fs.put_if_absent("a", [b"mine"])
    assert not fs.put_if_absent("a", [b"theirs"])


def test_a_put_that_was_never_answered_is_looked_for(monkeypatch):
    fs = remote.AnyFileSystem("lossy://place", Lossy(), "/silent")
    arrives = True

    def silent(fs, path, data):
        if arrives and not fs.fs.exists(path):
            fs.fs.pipe_file(path, data)
        raise TimeoutError

    monkeypatch.setitem(remote._tried, place_of(fs._fs), Found(Way("a put", silent)))
    assert fs.put_if_absent("a", [b"mine"])
    assert not fs.put_if_absent("a", [b"theirs"])
    arrives = False
    with pytest.raises(StoreError, match="TimeoutError"):
        fs.put_if_absent("b", [b"lost"])


def test_large_parts_go_through_a_file(monkeypatch):
    monkeypatch.setattr(remote, "_JOINED", 10)
    with remote._gathered([b"12345", b"6789", bytearray(b"abc"), memoryview(b"de")]) as (data, file):
        assert data is None
        assert Path(file).read_bytes() == b"123456789abcde"
    assert not os.path.exists(file)
    with remote._gathered([b"12345"]) as (data, file):
        assert (data, file) == (b"12345", "")


def test_what_others_put_into_a_store_is_left_alone(tmp_path):
    store = open_store(str(tmp_path / "store"))
    one, two = a_record("one"), a_record("two")
    store.put_records([one])
    store.supersede(a_record("one", "later"))
    store.add_version(a_version(store, "Sales", 1))
    journal = store.start_run("run", {})
    journal.append({"kind": "done"})
    journal.close()
    store.close()
    folders = [path for path in (tmp_path / "store").rglob("*") if path.is_dir()]
    for folder in [tmp_path / "store", *folders]:
        for name in (".DS_Store", "Thumbs.db", "7", "desktop ini~", "００000000000１"):
            (folder / name).write_text("not ours")
    shutil.rmtree(tmp_path / "store" / "cache")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = open_store(str(tmp_path / "store"))
        assert again.records([one.trace])[one.trace].digest == a_record("one", "later").digest
        assert again.put_records([two]) == [two]
        assert [(row.name, row.version) for row in again.artifacts()] == [("Sales", 1)]
        assert [row.id for row in again.runs()] == ["run"]
        assert again.run("run")[1] == [{"kind": "done"}]
        assert again.unstable() == set()


@pytest.mark.parametrize("kind", ["dir", "simplecache"])
@pytest.mark.filterwarnings("ignore:.*can't be told not to replace")
def test_a_place_with_folders_that_fsspec_reaches(kind, tmp_path):
    url = f"{kind}::{tmp_path.as_uri()}/store"
    store = open_store(url)
    one = a_record("one")
    store.put_records([one])
    saved = store.save([1])
    store.close()
    again = open_store(url)
    assert again.records([one.trace]) == {one.trace: one}
    assert again.load(saved.checksum, saved.codec) == [1]
