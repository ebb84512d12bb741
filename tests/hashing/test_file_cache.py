"""The cache of file digests: what it holds is right, and it may be damaged or lost at any time."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import time

import pytest
from blake3 import blake3

from dualdag.hashing import DigestCache, digest_file, file_token
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


@pytest.fixture
def settled(monkeypatch):
    """Let no token be racy."""
    monkeypatch.setattr(tokens, "_margin", lambda _: -1 << 62)


def test_the_cache_survives_its_process(old, tmp_path, settled):
    path, place = old("a.csv", b"one"), tmp_path / "cache" / "files.sqlite"
    cache = DigestCache(place)
    assert cache.lookup(path) is None
    assert cache.digest(path) == blake3(b"one").digest()
    for again in (cache, DigestCache(place), pickle.loads(pickle.dumps(cache))):
        assert again.lookup(path) == blake3(b"one").digest()
    old("a.csv", b"two")
    assert DigestCache(place).lookup(path) is None
    os.remove(path)
    assert DigestCache(place).lookup_many([path]) == {}
    cache.close()


def test_racy_tokens_are_not_remembered(old, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "_margin", lambda _: 1 << 62)
    path, cache = old("a.csv"), DigestCache(tmp_path / "files.sqlite")
    assert cache.digest(path) == cache.digest(path)
    assert cache.lookup(path) is None
    assert cache.lookup_many([path]) == {path: None}


def test_the_token_is_that_of_before_the_read(old, settled):
    path, cache = old("a.csv", b"one"), DigestCache(None)
    token, digest = file_token(path), digest_file(path)
    old("a.csv", b"two")
    cache.put(path, token, digest)
    assert cache.lookup(path) is None
    cache.put(path, None, digest)
    assert cache.lookup(path) is None


def test_another_process_may_know_better(old, tmp_path, settled):
    path, place = old("a.csv", b"one"), tmp_path / "files.sqlite"
    first, second = DigestCache(place), DigestCache(place)
    first.digest(path)
    old("a.csv", b"two")
    second.digest(path)
    assert first.lookup(path) == blake3(b"two").digest()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "bits", "emptied", "deleted", "folder", "other layout"])
def test_a_damaged_cache_is_no_error(old, tmp_path, settled, damage):
    paths, place = [old(f"{i}.csv", b"%d" % i) for i in range(50)], tmp_path / "files.sqlite"
    cache = DigestCache(place)
    cache.put_many((path, file_token(path), digest_file(path)) for path in paths)
    cache.close()
    content = place.read_bytes()
    if damage == "garbage":
        place.write_bytes(os.urandom(5000))
    elif damage == "truncated":
        place.write_bytes(content[: len(content) // 2])
    elif damage == "bits":
        place.write_bytes(bytes(byte ^ (i % 97 == 0) for i, byte in enumerate(content)))
    elif damage == "emptied":
        place.write_bytes(b"")
    elif damage == "other layout":
        with sqlite3.connect(place) as database:
            database.execute("DROP TABLE files")
            database.execute("CREATE TABLE files (a)")
            database.execute("PRAGMA user_version=99")
        database.close()
    else:
        place.unlink()
        if damage == "folder":
            place.mkdir()
    again = DigestCache(place)
    for path, found in again.lookup_many(paths).items():
        assert found in (None, digest_file(path))
    for path in paths:
        assert again.digest(path) == digest_file(path)
        assert again.lookup(path) == digest_file(path)
    if damage not in ("folder", "bits"):
        assert DigestCache(place).lookup(paths[0]) == digest_file(paths[0])


def test_a_deleted_cache_is_made_anew_while_it_is_open(old, tmp_path, settled):
    place = tmp_path / "cache" / "files.sqlite"
    cache, path, other = DigestCache(place), old("a.csv"), old("b.csv")
    cache.digest(path)
    shutil.rmtree(place.parent)
    cache.digest(other)
    assert DigestCache(place).lookup(other) == digest_file(other)


def test_a_flipped_digest_is_not_believed(old, tmp_path, settled):
    path, place = old("a.csv"), tmp_path / "files.sqlite"
    DigestCache(place).digest(path)
    with sqlite3.connect(place) as database:
        database.execute("UPDATE files SET digest = ?", [bytes(32)])
    database.close()
    assert DigestCache(place).lookup(path) is None


def test_a_locked_cache_is_no_error(old, tmp_path, settled):
    path, place = old("a.csv"), tmp_path / "files.sqlite"
    DigestCache(place).digest(path)
    database = sqlite3.connect(place, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        cache = DigestCache(place)
        assert cache.lookup(path) is None
        assert cache.digest(path) == digest_file(path)
        assert cache.lookup(path) == digest_file(path)
    finally:
        database.close()


def test_a_cache_that_cannot_be_written(old, settled):
    cache = DigestCache(os.path.join(os.devnull, "files.sqlite"))
    path = old("a.csv")
    assert cache.digest(path) == digest_file(path) == cache.lookup(path)


def test_names_that_are_no_text(old, settled, tmp_path):
    cache, path = DigestCache(tmp_path / "files.sqlite"), old("a\udcff.csv")
    assert cache.digest(path) == cache.lookup(path) == digest_file(path)


def test_a_thousand_files_are_known_at_once(old, tmp_path, settled):
    paths, place = [old(f"many/{i}.csv", b"%d" % i) for i in range(1000)], tmp_path / "files.sqlite"
    DigestCache(place).put_many((path, file_token(path), digest_file(path)) for path in paths)
    best = 9.0
    for _ in range(5):
        cache = DigestCache(place)
        started = time.perf_counter()
        found = cache.lookup_many(paths)
        best = min(best, time.perf_counter() - started)
    assert all(found.values())
    assert best < 0.02 * (5 if "CI" in os.environ else 1)
