"""What the parts of `StoreSuite` share: a place for each test, and records to put there."""

from __future__ import annotations

from typing import Any

import pytest

from dualdag.store import Record, Store, Version, open_store

__all__ = ["StoreBase", "a_record", "a_version"]


def a_record(name: str, digest: str = "d", *, checksum: bytes | None = None, trace: str | None = None) -> Record:
    """Return a record whose keys are made of `name`."""

    def key(text: str, size: int = 20) -> bytes:
        return text.encode().ljust(size, b".")

    return Record(
        own=key(f"own {name}"), trace=key(trace or f"trace {name}"), action=key(f"action {name}"),
        digest=key(digest, 32), checksum=checksum, codec="json" if checksum else "", kept=checksum is not None,
    )  # fmt: skip


def a_version(store: Store, name: str, value: Any, *, created: float = 0.0) -> Version:
    """Return a version of an artifact whose value is stored."""
    saved = store.save(value)
    return Version(
        name=name, number=0, digest=repr(value).encode().ljust(32, b"."), checksum=saved.checksum,
        codec=saved.codec, nbytes=saved.nbytes, trace=b"t" * 20, own_part=b"o" * 20, action=b"a" * 20,
        created=created, seconds=0.1, cadence="1d", tz="UTC", run="r",
    )  # fmt: skip


class StoreBase:
    """What the parts of the suite share: a place of its own for each test."""

    @pytest.fixture
    def url(self) -> str:
        """Return the URL of an empty place."""
        raise NotImplementedError("override the fixture `url`")

    @pytest.fixture
    def store(self, url: str) -> Store:
        """Return a store at that place."""
        return open_store(url)

    def damage(self, store: Store, path: str) -> None:
        """Change the last byte of a file of the store behind its back."""
        data = store._fs.get(path)
        assert data is not None
        store._fs.remove(path)
        assert store._fs.put_if_absent(path, [data[:-1] + bytes([data[-1] ^ 1])])
