"""The shipped suite over local folders and memory, and what concerns local folders alone."""

from __future__ import annotations

import ast
import os
import stat
import uuid
from pathlib import Path

import pytest

import dualdag
from dualdag.errors import StoreError
from dualdag.store import open_store
from dualdag.testing import StoreSuite


class TestLocal(StoreSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return str(tmp_path / "store")


class TestLocalDurable(StoreSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return str(tmp_path / "store")

    @pytest.fixture
    def store(self, url):
        return open_store(url, durable=True)


class TestFileUrl(StoreSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"file://{tmp_path}/store"


class TestMemory(StoreSuite):
    @pytest.fixture
    def url(self):
        return f"memory://{uuid.uuid4().hex}"


def test_a_folder_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_args):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = open_store(str(tmp_path / "store"))
    checksum = store.put_object(b"data")
    assert store.put_object(b"data") == checksum
    assert store.get_object(checksum) == b"data"
    assert "refuses" in store.self_test()


def test_nothing_temporary_is_left(tmp_path):
    store = open_store(str(tmp_path / "store"))
    for k in range(20):
        store.put_object(b"%d" % (k % 5))
    assert not list((tmp_path / "store").rglob("*.tmp"))


@pytest.mark.parametrize("point", ["write", "link"])
def test_a_crash_while_writing_leaves_no_half_file(tmp_path, monkeypatch, point):
    store = open_store(str(tmp_path / "store"))
    kept = store.put_object(b"kept")
    real = getattr(os, point)

    def crash(*args):
        if point == "write":
            real(args[0], args[1][:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, point, crash)
    with pytest.raises(KeyboardInterrupt):
        store.put_object(b"never finished")
    monkeypatch.undo()
    again = open_store(str(tmp_path / "store"))
    assert again.get_object(kept) == b"kept"
    assert again.get_object(again.put_object(b"never finished")) == b"never finished"


def test_objects_are_read_only(tmp_path):
    store = open_store(str(tmp_path / "store"))
    checksum = store.put_object(b"data")
    path = tmp_path / "store" / "objects" / checksum.hex()[:2] / checksum.hex()[2:]
    assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def test_a_store_path_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        open_store(str(tmp_path / "file"))


def test_a_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError):
        open_store(str(tmp_path / "file" / "store")).put_object(b"x")


def test_a_million_keys_against_an_empty_store_cost_no_look_up(tmp_path):
    store = open_store(str(tmp_path / "store"))
    assert store.records(b"%020d" % i for i in range(1_000_000)) == {}
    assert store._fs.names("") == []


#: Where bytes may be unpickled: what was stored in one place; else only what this process or its own
#: workers pickled (a job, a failure, a copy of an argument), which never was in the store.
UNPICKLERS = {"store/_codecs.py", "execution/_payload.py", "execution/_failures.py", "execution/_copies.py"}


def test_one_place_decodes():
    root = Path(dualdag.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            base = getattr(getattr(node, "value", None), "id", "")
            if name in ("load", "loads", "Unpickler") and base in ("pickle", "cloudpickle", "_pickle"):
                found.add(path.relative_to(root).as_posix())
    assert found - {"testing/_store_suite.py", "testing/_backend_suite.py"} <= UNPICKLERS
    assert "store/_codecs.py" in found
