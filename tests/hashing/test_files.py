"""Input files: tokens without a read, digests by content, and a cache that may be lost at any time."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import time

import fsspec
import pytest
from blake3 import blake3
from fsspec.implementations.memory import MemoryFileSystem

from dualdag.errors import StoreError
from dualdag.hashing import DigestCache, FileToken, digest_file, expand, file_token
from dualdag.hashing import _file_tokens as tokens


@pytest.fixture
def old(tmp_path):
    """Return a maker of files that were written an hour ago, as far as their stamps tell."""

    def make(name, content=b"content"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    return make


class Tagged(MemoryFileSystem):
    """A remote file system: each write gives a file a new etag."""

    protocol = "tagged"
    store: dict = {}  # noqa: RUF012 - shared by all instances, as in its base
    pseudo_dirs = [""]  # noqa: RUF012
    told: dict = {}  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.removeprefix("tagged://").strip("/")

    def info(self, path, **_):
        found = super().info(path)
        del found["created"]
        return {**found, **self.told.get(self._strip_protocol(path), {})}


fsspec.register_implementation("tagged", Tagged, clobber=True)


def remote(name, content, **told):
    system = fsspec.filesystem("tagged")
    system.pipe_file(f"/{name}", content)
    Tagged.told[system._strip_protocol(f"/{name}")] = told
    return f"tagged://{name}"


# Tokens.


def test_a_token_follows_size_time_and_inode(old):
    path = old("a.csv", b"one")
    first = file_token(path)
    assert file_token(path).token == first.token
    old("a.csv", b"longer")
    assert file_token(path).token != first.token
    assert file_token(path + ".missing") is None
    assert file_token(path + "/below") is None


def test_a_copy_with_the_old_time_is_noticed(old):
    path, other = old("a.csv", b"one"), old("b.csv", b"two")
    first = file_token(path)
    stat = os.stat(path)
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    shutil.copy2(other, path)
    now = os.stat(path)
    assert (now.st_size, now.st_mtime_ns, now.st_ino) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    assert file_token(path).token != first.token


def test_a_young_token_is_racy_until_the_margin_has_passed(old, monkeypatch):
    path = old("a.csv")
    monkeypatch.setattr(tokens, "_kind_of_device", lambda _: "vfat")
    assert file_token(path).racy
    later = time.time_ns() + 3 * 10**9
    monkeypatch.setattr(tokens.time, "time_ns", lambda: later)
    assert not file_token(path).racy


def test_the_margin_follows_the_file_system(old, monkeypatch):
    found = os.stat(old("a.csv"))
    monkeypatch.setattr(tokens, "_kind_of_device", lambda _: "vfat")
    assert tokens._margin(found) == 2 * 10**9
    monkeypatch.setattr(tokens, "_kind_of_device", lambda _: "ext4")
    whole_seconds = os.stat_result([*found[:10], *[None] * 3, 10**18, 10**18, 10**18])
    assert tokens._margin(whole_seconds) == 2 * 10**9
    fine = os.stat_result([*found[:10], *[None] * 3, 10**18 + 1, 10**18 + 1, 10**18 + 1])
    assert tokens._margin(fine) == 10**7


def test_a_file_written_in_the_future_is_racy(old):
    path = old("a.csv")
    ahead = time.time() + 3600
    os.utime(path, (ahead, ahead))
    assert file_token(path).racy


def test_folders_and_devices_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"is a folder.*dag.files"):
        file_token(str(tmp_path))
    with pytest.raises(StoreError, match="no regular file"):
        file_token(os.devnull)
    with pytest.raises(StoreError, match="can't be looked at"):
        file_token("a\0b")


def test_a_local_file_needs_no_fsspec(old):
    path = old("a.csv")
    code = (
        "import sys; import dualdag.hashing as h;"
        f"h.file_token({path!r}); h.digest_file({path!r}); h.expand({path!r});"
        f"h.DigestCache(None).lookup({path!r});"
        "print([m for m in ('fsspec', 'pandas', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_file_urls_are_local(old):
    path = old("a.csv")
    assert file_token("file://" + path).token == file_token(path).token
    assert digest_file("file://" + path) == digest_file("local://" + path) == digest_file(path)


# Remote tokens.


def test_a_memory_file_is_known_by_its_bytes():
    system = fsspec.filesystem("memory")
    system.pipe_file("/tokens/a", b"one")
    first = file_token("memory://tokens/a")
    time.sleep(0.01)
    system.pipe_file("/tokens/a", b"one")
    assert file_token("memory://tokens/a") == first
    assert first.digest == blake3(b"one").digest() == digest_file("memory://tokens/a")
    system.pipe_file("/tokens/a", b"two")
    assert file_token("memory://tokens/a").token != first.token
    assert file_token("memory://tokens/none") is None
    assert DigestCache(None).lookup("memory://tokens/a") == blake3(b"two").digest()
    with pytest.raises(StoreError, match="folder"):
        file_token("memory://tokens")


@pytest.mark.parametrize(
    ("told", "racy"),
    [
        ({"ETag": '"a-2"'}, False),
        ({"VersionId": "v1", "ETag": '"a"'}, False),
        ({"VersionId": "null", "etag": "a"}, False),
        ({"generation": "17"}, False),
        ({"LastModified": "2020-01-01T00:00:00+00:00"}, False),
        ({"Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT"}, False),
        ({"mtime": 1577836800.0}, False),
        ({"modified": "what?"}, True),
    ],
)
def test_what_a_remote_file_system_tells(told, racy):
    url = remote("a.csv", b"content", **told)
    found = file_token(url)
    assert found.token
    assert found.racy is racy
    name = next(iter(told))
    assert file_token(remote("a.csv", b"content", **{**told, name: "2020-02-02T00:00:00"})).token != found.token


def test_a_remote_file_tells_its_size_and_time_beside_an_etag():
    stamps = {"ETag": "a", "LastModified": "2020-01-01T00:00:00+00:00"}
    assert file_token(remote("a.csv", b"content", **stamps)).told == (7, 1577836800.0)
    assert file_token(remote("a.csv", b"content", mtime=1577836800.0)).told == (7, 1577836800.0)
    assert file_token(remote("a.csv", b"content", ETag="a")).told == (7, None)
    # The time is no part of what tells files apart.
    assert file_token(remote("a.csv", b"content", **stamps)) == file_token(remote("a.csv", b"content", ETag="a"))


def test_a_remote_file_written_just_now_is_racy():
    assert file_token(remote("a.csv", b"x", mtime=time.time())).racy


def test_a_remote_file_that_tells_nothing_is_always_read():
    url = remote("a.csv", b"x")
    cache = DigestCache(None)
    cache.put(url, file_token(url), digest_file(url))
    assert cache.lookup_many([url]) == {url: None}
    assert cache.digest(url) == blake3(b"x").digest()


def test_an_equal_etag_needs_no_read(monkeypatch):
    url = remote("a.csv", b"x", ETag="1")
    cache = DigestCache(None)
    assert cache.digest(url) == blake3(b"x").digest()
    monkeypatch.setattr(tokens, "_read", None)
    assert cache.digest(url) == blake3(b"x").digest()
    remote("a.csv", b"x", ETag="2")
    assert cache.lookup(url) is None


def test_places_that_cannot_be_asked():
    with pytest.raises(StoreError, match="nosuchprotocol"):
        file_token("nosuchprotocol://a")
    with pytest.raises(StoreError):
        digest_file("nosuchprotocol://a")


# Digests.


def test_a_digest_is_of_the_content(old):
    content = os.urandom(3_000_000)
    assert digest_file(old("a.bin", content)) == blake3(content).digest() == digest_file(remote("b.bin", content))
    assert digest_file(old("empty", b"")) == blake3().digest()
    with pytest.raises(StoreError, match="no such file"):
        digest_file("none.csv")


def test_a_file_that_moves_while_it_is_read_is_read_again(old, monkeypatch):
    path, reads, read = old("a.csv", b"0"), [], tokens._read

    def moving(url):
        made = read(url)
        reads.append(made)
        if len(reads) < 3:
            old("a.csv", b"0" * (len(reads) + 1))
        return made

    monkeypatch.setattr(tokens, "_read", moving)
    assert digest_file(path) == blake3(b"000").digest()
    assert len(reads) == 3


def test_a_file_that_keeps_moving_is_an_error(old, monkeypatch):
    path, read = old("a.csv", b"0"), tokens._read

    def moving(url):
        made = read(url)
        old("a.csv", made)
        os.truncate(path, os.stat(path).st_size + 1)
        return made

    monkeypatch.setattr(tokens, "_read", moving)
    with pytest.raises(StoreError, match=r"a\.csv changed each of the 3 times"):
        digest_file(path)


def test_a_file_that_cannot_be_read(old, monkeypatch):
    path = old("a.csv")

    def denied(_):
        raise PermissionError("denied")

    monkeypatch.setattr(tokens, "_read", denied)
    with pytest.raises(StoreError, match=r"a\.csv can't be read.*denied"):
        digest_file(path)


# Patterns.


def test_a_folder_is_no_pattern(tmp_path):
    (tmp_path / "part.csv").write_text("x")
    for folder in (tmp_path.as_posix(), f"{tmp_path.as_posix()}/"):
        with pytest.raises(StoreError, match=r"is a folder.*/\*\*"):
            expand(folder)
    assert expand(f"{tmp_path.as_posix()}/**") == [f"{tmp_path.as_posix()}/part.csv"]


def test_patterns_are_expanded_in_order(old, tmp_path, monkeypatch):
    for name in ("data/b.csv", "data/a.csv", "data/deep/er/c.csv", "data/x.txt", ".hidden/d.csv"):
        old(name)
    base = tmp_path.as_posix()
    assert expand(f"{base}/data/*.csv") == [f"{base}/data/a.csv", f"{base}/data/b.csv"]
    assert expand(f"{base}/**/*.csv") == [
        f"{base}/data/a.csv",
        f"{base}/data/b.csv",
        f"{base}/data/deep/er/c.csv",
    ]
    assert expand(f"{base}/data/**") == [f"{base}/data/{name}" for name in ("a.csv", "b.csv", "deep/er/c.csv", "x.txt")]
    assert expand(f"{base}/data/a.csv") == [f"{base}/data/a.csv"]
    assert expand(f"{base}/none/*") == []
    assert expand(f"file://{base}/data/?.csv") == [f"file://{base}/data/a.csv", f"file://{base}/data/b.csv"]
    monkeypatch.chdir(tmp_path)
    assert expand("data/[ab].csv") == ["data/a.csv", "data/b.csv"]


def test_remote_patterns():
    system = fsspec.filesystem("memory")
    for name in ("b.csv", "a.csv", "deep/c.csv", "x.txt"):
        system.pipe_file(f"/patterns/{name}", b"")
    assert expand("memory://patterns/*.csv") == ["memory:///patterns/a.csv", "memory:///patterns/b.csv"]
    assert expand("memory://patterns/**/*.csv")[-1] == "memory:///patterns/deep/c.csv"
    assert len(expand("memory://patterns/**")) == 4
    assert expand("memory://patterns/none*") == []
    with pytest.raises(StoreError, match="nosuchprotocol"):
        expand("nosuchprotocol://a/*")


def test_tokens_are_plain_values():
    token = FileToken("a", "1", racy=False)
    assert pickle.loads(pickle.dumps(token)) == token


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_text_is_told_of(old, tmp_path):
    old("good.txt")
    try:
        with open(os.fsencode(tmp_path) + b"/bad\xff.txt", "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(StoreError, match=r"bad\\udcff.txt', whose name is no UTF-8 text: rename it"):
        expand(f"{tmp_path}/*.txt")
    assert expand(f"{tmp_path}/g*.txt")
