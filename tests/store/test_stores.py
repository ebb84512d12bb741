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
    # The rest is the same as above; test_crashes.py has more.
    operations = frozenset({"run of 20 nodes"})

    @pytest.fixture
    def url(self, tmp_path):
        return str(tmp_path / "store")

    @pytest.fixture
    def store(self, url):
        return open_store(url, durable=True)


class TestFileUrl(StoreSuite):
    # The rest is the same as above; test_crashes.py has more.
    operations = frozenset({"run of 20 nodes"})

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
    kept, data = store.put_object(b"kept" * 5000), b"never finished" * 5000
    real = getattr(os, point)

    def crash(*args):
        if point == "write":
            real(args[0], args[1][:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, point, crash)
    with pytest.raises(KeyboardInterrupt):
        store.put_object(data)
    monkeypatch.undo()
    again = open_store(str(tmp_path / "store"))
    assert again.get_object(kept) == b"kept" * 5000
    assert again.get_object(again.put_object(data)) == data


def test_a_damaged_journal_is_told_of(tmp_path):
    store = open_store(str(tmp_path / "store"))
    journal = store.start_run("r", {})
    journal.append({"kind": "done"})
    journal.close()
    piece = tmp_path / "store/runs/r/00000001"
    piece.chmod(0o644)
    piece.write_bytes(piece.read_bytes()[:20])
    with pytest.warns(UserWarning, match="runs/r/00000001.*left out"):
        assert store.run("r")[1] == []


def test_objects_are_read_only(tmp_path):
    store = open_store(str(tmp_path / "store"))
    checksum = store.put_object(b"data" * 5000)
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


#: Stored bytes are unpickled in one place.
DECODES = {"store/_codec_pickle.py"}
#: These unpickle what this run's own processes sent each other (jobs, failures, copies of arguments,
#: what was registered) and never see stored bytes.
PIPES = {
    f"execution/{name}.py"
    for name in (
        "_bytes",
        "_classes",
        "_payload",
        "_piped",
        "_failures",
        "_copies",
        "embedded/_processes",
        "embedded/_worker",
    )
}


def calls(names, bases=None):
    """Return the modules that call one of `names`, of one of `bases`."""
    root = Path(dualdag.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if name.startswith("testing/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in names:
                if bases is None or getattr(node.value, "id", "") in bases:
                    found.add(name)
            elif isinstance(node, ast.ImportFrom) and node.module in (bases or ()):
                found.update(name for alias in node.names if alias.name in names)
    return found


def test_one_place_decodes():
    found = calls({"load", "loads", "Unpickler"}, {"pickle", "cloudpickle", "_pickle", "dill", "joblib"})
    assert found <= DECODES | PIPES
    assert found >= DECODES


def test_what_unpickles_pipes_never_sees_stored_bytes():
    assert not calls({"get_object", "_fs"}) & PIPES
    # Bytes of files, and the sources that a version was made by, which are JSON.
    assert calls({"get_object"}) == {"cli/_values.py"}
