"""A store reads and writes nothing outside of its folder, and what it makes there is its owner's."""

from __future__ import annotations

import os
import stat
import time
import uuid
import warnings

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdag as dag
from dualdag.errors import CorruptObjectError, GraphError, StoreError
from dualdag.store import Confirmation, open_store
from dualdag.store._fs import LocalFolder, open_filesystem
from dualdag.store._seal import seal
from dualdag.testing._store_suite_base import a_record, a_version

posix = pytest.mark.skipif(os.name != "posix", reason="links and rights as POSIX has them")
NAMES = ["../evil", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "con", "NUL.txt", "com1", "a\n", "a ", "ａ", "x" * 200,
         "simplecache::file:///etc/hostname", "file:///etc/hostname", "a\0b", "~", "-rf", "a.", "%2e%2e"]  # fmt: skip


@dag.task
def one(n=1):
    return b"x" * 10_000 * n


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("not yours")
    return folder


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def filled(url):
    store = open_store(url)
    store.put_records([a_record("x")])
    store.add_version(a_version(store, "x", ["y" * 10_000]))
    store.start_run("r1", {}).close()
    store.close()
    return store


# Links.


@posix
@pytest.mark.parametrize(
    "folder", ["objects", "batches", "artifacts", "artifacts/x", "artifacts/x/versions", "facts", "runs"]
)
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_leads_out_is_not_followed(tmp_path, outside, folder, there):
    root = tmp_path / "store"
    filled(str(root))
    if (root / folder).exists():
        os.rename(root / folder, tmp_path / "before")
    target = outside if there else outside / "later"
    (root / folder).symlink_to(target, target_is_directory=True)
    before = everything(outside)
    with pytest.raises(StoreError, match="outside of it, which is not followed"):
        store = open_store(str(root))
        store.records([a_record("x").trace])
        store.supersede(a_record("x", "other"))
        store.put_object(b"z" * 10_000)
        store.start_run("r2", {}).close()
        store.add_version(a_version(store, "x", 2))
        store.runs()
    assert everything(outside) == before
    assert list(outside.iterdir()) == [outside / "secret.txt"]


@posix
def test_a_file_that_leads_out_counts_as_damaged(tmp_path, outside):
    root = tmp_path / "store"
    store = filled(str(root))
    checksum = store.put_object(b"z" * 10_000)
    path = root / "objects" / checksum.hex()[:2] / checksum.hex()[2:]
    # The very bytes: it is not opened at all.
    (outside / "same").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside / "same")
    with pytest.warns(UserWarning, match="leads out of the store"), pytest.raises(CorruptObjectError, match="damaged"):
        store.get_object(checksum)
    assert not path.is_symlink()
    assert store.put_object(b"z" * 10_000) == checksum
    path.unlink()
    path.symlink_to(outside / "nowhere")
    # A link to nowhere takes the name; it is set aside, and what is stored is there.
    again = open_store(str(root))
    assert again.put_object(b"z" * 10_000) == checksum
    assert again.get_object(checksum) == b"z" * 10_000
    assert not (outside / "nowhere").exists()
    batch = root / "batches/00000000/000000000000"
    os.rename(batch, outside / "batch")
    batch.symlink_to(outside / "batch")
    (root / "cache/index.sqlite").unlink()
    with pytest.warns(UserWarning, match=r"leads out|damaged"):
        assert open_store(str(root)).records([a_record("x").trace]) == {}
    assert everything(outside)[outside / "batch"]


@posix
def test_what_waits_for_ever_or_is_no_file_counts_as_damaged(tmp_path):
    root = tmp_path / "store"
    store = filled(str(root))
    store.put_records([a_record("y")])
    store.close()
    begun = time.monotonic()
    first, second = root / "batches/00000000/000000000000", root / "batches/00000000/000000000001"
    first.unlink()
    os.mkfifo(first)
    second.unlink()
    second.mkdir()
    (root / "cache/index.sqlite").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        again = open_store(str(root))
        assert again.records([a_record("x").trace, a_record("y").trace]) == {}
        assert again.put_records([a_record("x")]) == [a_record("x")]
    assert time.monotonic() - begun < 60


@posix
def test_links_inside_and_to_the_store_itself_are_followed(tmp_path):
    root = tmp_path / "store"
    filled(str(root))
    (tmp_path / "other-name").symlink_to(root, target_is_directory=True)
    os.rename(root / "artifacts", root / "elsewhere")
    (root / "artifacts").symlink_to("elsewhere", target_is_directory=True)
    batch = root / "batches/00000000/000000000000"
    os.rename(batch, root / "batches/kept")
    batch.symlink_to("../kept")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = open_store(str(tmp_path / "other-name"))
        assert store.records([a_record("x").trace])
        assert store.add_version(a_version(store, "x", 2)).number == 2


@posix
@pytest.mark.parametrize("name", ["index.sqlite", "files.sqlite"])
def test_caches_are_not_kept_where_a_link_leads(tmp_path, outside, name, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    root = tmp_path / "store"
    filled(str(root))
    (tmp_path / "data.csv").write_text("a\n1\n")
    (root / "cache" / name).unlink(missing_ok=True)
    (root / "cache" / name).symlink_to(outside / "victim")
    with dag.configure(store=str(root), progress="off", backend="sync"):
        import dualdag.pandas as pd

        assert len(pd.read_csv(str(tmp_path / "data.csv")).compute()) == 1
    assert list(outside.iterdir()) == [outside / "secret.txt"]


# Rights.


@posix
def test_a_store_that_is_made_here_is_its_owners(tmp_path):
    before = os.umask(0o022)
    try:
        filled(str(tmp_path / "deep/er/store"))
        assert stat.S_IMODE((tmp_path / "deep/er/store").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "deep/er").stat().st_mode) == 0o755
        (tmp_path / "data.csv").write_text("a\n1\n")
        with dag.configure(store=str(tmp_path / "planned"), progress="off", backend="sync"):
            import dualdag.pandas as pd

            pd.read_csv(str(tmp_path / "data.csv")).compute()
        assert stat.S_IMODE((tmp_path / "planned").stat().st_mode) == 0o700
    finally:
        os.umask(before)


@posix
def test_a_folder_that_was_made_for_a_team_stays_shared(tmp_path):
    before = os.umask(0o002)
    try:
        root = tmp_path / "team"
        root.mkdir()
        root.chmod(0o2770)
        filled(str(root))
        assert stat.S_IMODE(root.stat().st_mode) == 0o2770
        for folder in (path for path in root.rglob("*") if path.is_dir()):
            assert folder.stat().st_mode & 0o070 == 0o070, folder
        for file in (path for path in root.rglob("*") if path.is_file()):
            assert file.stat().st_mode & 0o040, file
    finally:
        os.umask(before)


# Names.


@pytest.mark.parametrize("name", NAMES)
def test_names_at_every_door(tmp_path, name):
    store = open_store(str(tmp_path / "store"))
    for call in (store.latest, store.version, store.versions, store.delete, store.last_confirmed):
        with pytest.raises(GraphError):
            call(name)
    with pytest.raises(GraphError):
        store.add_version(a_version(store, name, 1))
    with pytest.raises(GraphError):
        dag.load(name, store=str(tmp_path / "store"))
    with pytest.raises(GraphError):
        one().artifact(name)
    with pytest.raises(StoreError, match="can't name a run"):
        store.start_run("../" + name, {})
    assert {path.name for path in tmp_path.iterdir()} <= {"store"}


@settings(max_examples=1000)
@given(st.one_of(st.text(max_size=30), st.text("abAB._-~/\\:", max_size=12), st.sampled_from(NAMES)))
def test_what_names_an_artifact_names_a_file_in_its_folder(name):
    from dualdag.store._artifacts import artifact_folder

    try:
        folder = artifact_folder(name)
    except GraphError:
        return
    assert os.path.normpath(folder) == folder
    assert folder.startswith("artifacts/")
    assert folder.count("/") == 1
    assert folder == folder.lower() or "~" in folder or name == name.lower()


def test_names_that_a_listing_gives(tmp_path, monkeypatch):
    store = filled(str(tmp_path / "store"))
    names = store._fs.names
    hostile = ["..", "x/../../y", "a b", "Über", "x~", "X~00000000", "nul"]
    asked = []

    def listed(folder):
        asked.append(folder)
        return sorted([*names(folder), *(hostile if folder in ("artifacts", "runs") else [])])

    monkeypatch.setattr(store._fs, "names", listed)
    assert [row.name for row in store.artifacts()] == ["x"]
    assert [row.id for row in store.runs()] == ["r1"]
    assert not [folder for folder in asked if ".." in folder]


@pytest.mark.parametrize("path", ["../x", "objects/../../x", "..", "a/./b/c"])
def test_paths_that_leave_the_root(tmp_path, path):
    for fs in (
        LocalFolder(str(tmp_path / "store"), durable=False),
        open_filesystem(f"memory://{uuid.uuid4().hex}", durable=False, options={}),
    ):
        if isinstance(fs, LocalFolder) and path == "..":
            continue  # a folder, which no file is read from
        if "/./" in path and not isinstance(fs, LocalFolder):
            continue
        with pytest.raises(StoreError, match="no path inside"):
            fs.put_if_absent(path + "/y", [b"z"])
    assert list(tmp_path.iterdir()) == []


# URLs.


def test_what_a_version_tells_of_is_never_opened(tmp_path, monkeypatch):
    """Names of files in a version's details are compared and shown, whatever they are."""
    import builtins
    import json

    import fsspec

    store = filled(str(tmp_path / "store"))
    opened = []
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda *args, **_: opened.append(args))
    for made_at in ({"file": "simplecache::http://169.254.169.254/x", "line": 1}, {"file": 3}, [1], {"file": ["x"]}, 7):
        details = store.put_object(json.dumps({"made_at": made_at}).encode())
        version = a_version(store, "daily", str(made_at))
        store.add_version(msgspec.structs.replace(version, details=details))
        with dag.configure(store=str(tmp_path / "store"), progress="off", backend="sync"):
            assert dag.run(one().artifact("daily")) == b"x" * 10_000
    assert opened == []
    assert builtins.open is open


@pytest.mark.parametrize("change", [{"name": "../../evil"}, {"name": "y"}, {"number": 7}, {"created": float("nan")},
                                    {"created": 1e300}])  # fmt: skip
def test_a_version_that_tells_of_something_else(tmp_path, change):
    store = filled(str(tmp_path / "store"))
    path = "artifacts/x/versions/00000002"
    forged = msgspec.structs.replace(msgspec.structs.replace(store.version("x"), number=2), **change)
    (tmp_path / "store" / path).write_bytes(seal(forged, path))
    with pytest.raises(CorruptObjectError, match="damaged"):
        store.version("x")
    with pytest.warns(UserWarning, match="left out"):
        assert [(row.name, row.version) for row in store.artifacts()] == [("x", 1)]
    assert store.add_version(a_version(store, "x", 3)).number == 3
    store.confirm(Confirmation("x", 3, 2.0, b"t" * 20, b"o" * 20))
    path = "artifacts/x/confirmations/00000002"
    (tmp_path / "store" / path).write_bytes(seal(Confirmation("y", 3, 9.0, b"t" * 20, b"o" * 20), path))
    with pytest.warns(UserWarning, match="left out"):
        assert store.last_confirmed("x").created == 2.0
