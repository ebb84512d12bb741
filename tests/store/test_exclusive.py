"""Places that let several writers have one name are found out, and what is right there is done instead."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from dualdag.store import _exclusive, open_store
from dualdag.store import _remote as remote
from dualdag.store._fs import LocalFolder


class Fake(MemoryFileSystem):
    """A place of its own kind; not "memory", which has a lock."""

    protocol = "fake"
    cachable = False
    _lock = threading.Lock()

    def write(self, path, data):
        super().pipe_file(path, data)


class Right(Fake):
    def pipe_file(self, path, value, mode="overwrite", **more):
        with self._lock:
            if mode == "create" and self.exists(path):
                raise FileExistsError(path)
            self.write(path, value)


class IgnoresTheMode(Fake):
    """As obstore.fsspec does."""

    def pipe_file(self, path, value, mode="overwrite", **more):
        self.write(path, value)


class LooksFirst(Fake):
    """As fsspec's own put does, in a class that has one of its own."""

    def pipe_file(self, path, value, mode="overwrite", **more):
        if mode == "create" and self.exists(path):
            raise FileExistsError(path)
        time.sleep(0.3)  # all of them have looked by then, on a busy machine too
        self.write(path, value)


class ReplacesByEmpty(Right):
    """As s3fs's open("xb") does."""

    def pipe_file(self, path, value, mode="overwrite", **more):
        super().pipe_file(path, value, mode=mode if value else "overwrite")


class KnowsNoMode(Fake):
    def pipe_file(self, path, value, **more):
        if more.get("mode", "overwrite") != "overwrite":
            raise ValueError(more["mode"])
        self.write(path, value)


class Lies(Fake):
    def pipe_file(self, path, value, mode="overwrite", **more):
        there = self.exists(path)
        self.write(path, value)
        if mode == "create" and there:
            raise FileExistsError(path)


@pytest.fixture(autouse=True)
def nothing_was_tried(monkeypatch):
    monkeypatch.setattr(remote, "_tried", {})


def place(kind):
    return remote.AnyFileSystem("fake://place", kind(), f"/{uuid.uuid4().hex}")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (IgnoresTheMode, "replaces a file"),
        (LooksFirst, "of 16 writers at once"),
        (ReplacesByEmpty, "by an empty one"),
        (KnowsNoMode, "has none"),
        (Lies, "though it says that it does not"),
    ],
)
def test_what_is_wrong_with_a_place_is_found_and_told(kind, fault):
    fs = place(kind)
    with pytest.warns(UserWarning, match="only one run at a time may write") as told:
        assert fs.put_if_absent("a", [b"first"])
    assert fault in str(told[0].message)
    assert kind.__name__ in str(told[0].message)
    alone, why = fs.exclusive()
    assert not alone
    assert fault in why
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not fs.put_if_absent("a", [b"second"])
        assert not fs.put_if_absent("a", [b""])
    assert fs.get("a") == b"first"
    assert fs.names("scratch") == []


def test_a_place_that_is_right_is_tried_once(monkeypatch):
    fs = place(Right)
    assert fs.put_if_absent("a", [b"first"])
    assert fs.exclusive() == (True, "a conditional put")
    monkeypatch.setattr(remote, "find_way", None)
    assert not fs.put_if_absent("a", [b"second"])
    assert _exclusive.race(fs) == 1


class LocalThroughFsspec(LocalFileSystem):
    protocol = "thus"


def test_what_fsspec_does_in_a_folder_is_known_to_look_first(tmp_path):
    fs = remote.AnyFileSystem("thus://", LocalThroughFsspec(auto_mkdir=True), str(tmp_path))
    with pytest.warns(UserWarning, match="looks whether there is a file, and writes then"):
        assert fs.put_if_absent("a", [b"first"])


@pytest.mark.parametrize("url", ["file://{}/store", "local://{}/store", "dir::file://{}/store"])
def test_a_folder_by_any_url_is_published_to_by_hard_links(url, tmp_path):
    store = open_store(url.format(tmp_path))
    assert isinstance(store._fs, LocalFolder)
    assert store.self_test() == "writes, reads, lists and removes; refuses to replace, by a hard link"
    fs = store._fs
    for k in range(20):
        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(lambda n, k=k: fs.put_if_absent(f"x/{k}", [b"%d" % n]), range(16))) == 1


def test_the_self_test_tells_of_a_place_where_one_run_at_a_time_may_write(monkeypatch):
    import fsspec

    fsspec.register_implementation("ignores", IgnoresTheMode, clobber=True)
    monkeypatch.setattr(IgnoresTheMode, "protocol", "ignores")
    with pytest.warns(UserWarning, match="only one run at a time"):
        told = open_store(f"ignores://{uuid.uuid4().hex}/store").self_test()
    assert "only one run at a time may write" in told
    assert "refuses to replace" not in told


def test_the_self_test_finds_a_place_that_only_seems_right(monkeypatch, tmp_path):
    from dualdag.errors import StoreError

    store = open_store(str(tmp_path))
    monkeypatch.setattr("dualdag.store._handle.race", lambda place: 2)
    with pytest.raises(StoreError, match="lets 2 writers at once have one name"):
        store.self_test()


def test_obstore_is_told_by_its_own_put():
    obstore_fs = pytest.importorskip("obstore.fsspec", exc_type=ImportError)
    fs = remote.AnyFileSystem("memory", obstore_fs.FsspecStore("memory"), f"/{uuid.uuid4().hex}")
    fs._in_memory = False
    assert fs.put_if_absent("a", [b"first"])
    assert fs.exclusive() == (True, "obstore's conditional put")
    assert not fs.put_if_absent("a", [b"second"])
    assert fs.get("a") == b"first"
