"""`FaultFS`: what it counts, and what it lets fail."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest
from fsspec import filesystem

from dualdag.errors import StoreError
from dualdag.store import open_store
from dualdag.testing import FaultFS
from dualdag.testing.__main__ import main
from dualdag.testing._crashes import apart
from dualdag.testing._faults import CRASHED, Killed

LARGE = b"x" * 10_000
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def operations(faults):
    return [step.operation for step in faults.steps]


def test_steps_are_counted_and_do_what_they_do(tmp_path):
    with FaultFS() as faults:
        store = open_store(str(tmp_path / "store"))
        checksum = store.put_object(LARGE)
        assert store.get_object(checksum) == LARGE
        assert store._fs.names("objects")
    assert [step.number for step in faults.steps] == list(range(len(faults.steps)))
    assert {"mkdir", "create", "write", "link", "delete", "read", "list", "size"} >= set(operations(faults))
    assert operations(faults).count("link") == 2
    # Outside of it nothing is counted any more.
    before = len(faults.steps)
    assert open_store(str(tmp_path / "store")).get_object(checksum) == LARGE
    assert len(faults.steps) == before


@pytest.mark.parametrize("fault", ["EIO", "ENOSPC", "EACCES", "timeout", "lost answer"])
def test_a_refusal_is_one_clear_error(tmp_path, fault):
    url = str(tmp_path / "store")
    with FaultFS(at=1, fault=fault, only={"link"}), pytest.raises(StoreError, match="can't write to it; ") as caught:
        open_store(url).put_object(LARGE)
    assert isinstance(caught.value.__cause__, OSError)
    assert open_store(url).get_object(open_store(url).put_object(LARGE)) == LARGE


def test_a_link_that_was_asked_for_twice(tmp_path):
    with FaultFS(at={0, 1}, fault="asked twice", only={"link"}) as faults:
        store = open_store(str(tmp_path / "store"))
        assert store.get_object(store.put_object(LARGE)) == LARGE
    assert operations(faults) == ["link", "link"]


def test_a_list_that_is_stale(tmp_path):
    fs = open_store(str(tmp_path / "store"))._fs
    assert fs.put_if_absent("folder/a", [b"a"])
    with FaultFS(at=1, fault="stale list", only={"list"}):
        assert fs.names("folder") == ["a"]
        assert fs.put_if_absent("folder/b", [b"b"])
        assert fs.names("folder") == ["a"]
        assert fs.names("folder") == ["a", "b"]


def test_a_crash_that_is_raised_leaves_a_process_that_does_nothing_more(tmp_path):
    url = str(tmp_path / "store")
    with FaultFS(at=1, fault="before", only={"link"}, exits=False):
        store = open_store(url)
        with pytest.raises(Killed):
            store.put_object(LARGE)
        with pytest.raises(Killed):
            store._fs.names("objects")
    assert open_store(url)._fs.names("batches") == []


@forks
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(("fault", "size"), [("before", 0), ("torn", 5_000), ("after", 10_000)])
def test_a_crash_ends_the_process_there(tmp_path, fault, size):
    def crash():
        with FaultFS(at=1, fault=fault, only={"write"}):
            open_store(str(tmp_path / "store")).put_object(LARGE)

    assert apart(crash, tmp_path / "report")[0] == CRASHED
    (left,) = (tmp_path / "store" / "objects").rglob("*.tmp")
    assert left.stat().st_size == size


def test_a_folder_without_hard_links(tmp_path):
    with FaultFS(links=False) as faults:
        store = open_store(str(tmp_path / "store"))
        assert store.get_object(store.put_object(LARGE)) == LARGE
    assert "link" not in operations(faults)
    assert "rename" in operations(faults)


@pytest.mark.filterwarnings("ignore:.*only one run at a time")
@pytest.mark.parametrize("inner", ["memory://{}", "file://{}"])
def test_by_url(tmp_path, inner):
    url = "fault::" + inner.format(f"{tmp_path}/{uuid.uuid4().hex}")
    checksum = open_store(url).put_object(LARGE)
    assert open_store(url.removeprefix("fault::")).get_object(checksum) == LARGE
    failing = open_store(url, options={"fault": {"at": 0, "fault": "ENOSPC", "only": ["put", "put if absent"]}})
    with pytest.raises(StoreError, match="the disk is full"):
        failing.put_object(LARGE[1:])


def test_around_a_filesystem():
    fs = FaultFS(filesystem("memory"), at=1, fault="EIO")
    path = f"/{uuid.uuid4().hex}/a"
    fs.pipe_file(path, b"a")
    with pytest.raises(OSError, match="rror"):
        fs.cat_file(path)
    assert fs.cat_file(path) == b"a"
    assert fs.exists(path)
    assert operations(fs) == ["put", "read", "read", "size"]


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_whatever_is_asked_of_a_wrapped_filesystem_is_a_step_and_is_done(kind, tmp_path):
    fs = FaultFS(filesystem(kind))
    top = f"{tmp_path.as_posix()}/top"

    def steps(do):
        before = len(fs.steps)
        do()
        return [operation for operation in operations(fs)[before:] if operation != "size"]

    assert steps(lambda: fs.mkdir(top)) == ["mkdir"]
    assert steps(lambda: fs.makedirs(f"{top}/a/b")) == ["mkdir"]
    assert steps(lambda: fs.write_text(f"{top}/a/x", "ab")) == ["put"]
    with fs.open(f"{top}/a/x", "ab") as file:
        file.write(b"c")
    with pytest.raises(FileExistsError):
        fs.open(f"{top}/a/x", "xb")
    assert steps(lambda: fs.mv(f"{top}/a/x", f"{top}/a/y")) == ["rename"]
    assert steps(lambda: fs.cp(f"{top}/a/y", f"{top}/z")) == ["put"]
    assert fs.cat_file(f"{top}/z") == fs.cat_file(f"{top}/a/y") == b"abc"
    assert fs.modified(f"{top}/z") is not None
    assert sorted(name.rpartition("/")[2] for name in fs.find(top)) == ["y", "z"]
    assert steps(lambda: fs.rmdir(f"{top}/a/b")) == ["delete"]
    assert [one for one in steps(lambda: fs.rm(top, recursive=True)) if one != "list"] == ["delete"] * 4
    assert not fs.exists(top)


@pytest.mark.parametrize("mode", ["wb", "xb", "ab"])
def test_writing_to_a_file_that_was_opened_can_fail(mode):
    fs = FaultFS(filesystem("memory"), at=0, fault="ENOSPC", only={"put", "put if absent"})
    path = f"/{uuid.uuid4().hex}"
    file = fs.open(path, mode)
    file.write(b"abc")
    with pytest.raises(OSError, match="space"):
        file.close()
    assert not fs.exists(path)


def test_a_wrapped_place_lists_what_lies_below_it(tmp_path):
    from fsspec.core import url_to_fs

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"abc")
    fs, root = url_to_fs(f"fault::file://{tmp_path.as_posix()}")
    assert fs.cat_file(f"{root}/a/x") == b"abc"
    assert fs.find(f"{root}/a") == [f"{root}/a/x"]
    fs.rm(f"{root}/a", recursive=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_fault():
    with pytest.raises(ValueError, match="torn"):
        FaultFS(fault="fire")
    with pytest.raises(ValueError, match="wraps no filesystem"):
        FaultFS().ls("/")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["foldr"], 2, "there is no place 'foldr'. Did you mean 'folder'?"),
        (["folder", "--operation", "cpp"], 2, "there is no operation 'cpp'. Did you mean 'cp'?"),
        (["folder", "--points", "0"], 2, "'0' is no whole number from 1 on"),
        (["nosuch://x"], 3, "error: store nosuch://x"),
    ],
)
def test_the_command_refuses_what_it_cant_try(words, status, told, capsys):
    try:
        ended = main(words)
    except SystemExit as error:
        ended = error.code
    assert ended == status
    assert told in capsys.readouterr().err


@forks
def test_the_table_of_the_command(tmp_path):
    command = [sys.executable, "-m", "dualdag.testing", "folder", str(tmp_path / "mine"), "--points", "1"]
    command += ["--operation", "second writer"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "| all | | 2 | 2 | 2 | 2 |"
