"""Two handles on one store, driven at random, against a dict that knows what must be in force."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError
from dualdag.store import Record, Version, open_store

KEYS = [f"k{i}" for i in range(4)]
keys = st.sampled_from(KEYS)
digests = st.sampled_from(["a", "b", "c"])
writers = st.integers(0, 1)


def key(text: str) -> bytes:
    return text.encode().ljust(20, b".")


def record(name: str, digest: str, kept: bool) -> Record:
    sum_of = key(digest).ljust(32, b".") if kept else None
    return Record(
        own=key(f"o{name}"), trace=key(f"t{name}"), action=key(f"a{name}"), digest=key(digest).ljust(32, b"."),
        checksum=sum_of, codec="json" if kept else "", kept=kept,
    )  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def files_for_small_values():
    """Let small values be objects too, so that they can get lost."""
    with patch("dualdag.store._objects.SMALL", -1):
        yield


class StoreMachine(RuleBasedStateMachine):
    """A record in force changes only by a later fact, or by learning that its value was kept."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = str(Path(self.folder.name) / "store")
        self.stores = [open_store(self.url), open_store(self.url)]
        self.first: dict[str, Record] = {}
        self.late: dict[str, Record] = {}
        self.aliases: dict[str, str] = {}
        self.versions: list[tuple[int, str]] = []
        self.number = 0
        self.objects: set[str] = set()

    def in_force(self, name: str) -> Record | None:
        return self.late.get(name) or self.first.get(name)

    @rule(writer=writers, rows=st.lists(st.tuples(keys, digests, st.booleans()), min_size=1, max_size=3))
    def put(self, writer: int, rows: list[tuple[str, str, bool]]) -> None:
        batch = [record(*row) for row in {row[0]: row for row in rows}.values()]
        self.stores[writer].refresh()
        won = self.stores[writer].put_records(batch)
        for made, found in zip(batch, won, strict=True):
            name = made.trace[1:].rstrip(b".").decode()
            old = self.first.get(name)
            if old is None or (old.digest == made.digest and not old.kept and made.kept):
                self.first[name] = made
            assert found == self.in_force(name)

    @rule(writer=writers, name=keys, digest=digests)
    def supersede(self, writer: int, name: str, digest: str) -> None:
        self.stores[writer].refresh()
        made = record(name, digest, True)
        self.stores[writer].supersede(made)
        self.late[name] = made

    @rule(writer=writers, alias=st.sampled_from(["x", "y"]), name=keys)
    def name_again(self, writer: int, alias: str, name: str) -> None:
        self.stores[writer].refresh()
        known = self.first.get(name)
        if known is not None:
            self.stores[writer].put_records([], [(key(alias), known)])
            self.aliases.setdefault(alias, name)

    @rule(writer=writers, digest=digests)
    def publish(self, writer: int, digest: str) -> None:
        saved = self.stores[writer].save(digest)
        self.objects.add(digest)
        made = self.stores[writer].add_version(
            Version("art", 0, key(digest), saved.checksum, saved.codec, 1, b"t", b"o", b"a", 0.0, 0.0, None, "UTC", "r")
        )
        if not self.versions or self.versions[-1][1] != digest:
            self.number += 1
            self.versions.append((self.number, digest))
        assert made.number == self.number

    @rule(writer=writers)
    def delete(self, writer: int) -> None:
        if not self.versions:
            with pytest.raises(ArtifactNotFoundError):
                self.stores[writer].delete("art")
            return
        assert self.stores[writer].delete("art") == len(self.versions)
        self.versions = []
        self.number += 1

    @rule(writer=writers, digest=digests)
    def damage(self, writer: int, digest: str) -> None:
        if digest not in self.objects:
            return
        checksum = self.stores[writer].save(digest).checksum
        path = Path(self.url, "objects", checksum.hex()[:2], checksum.hex()[2:])
        path.chmod(0o644)
        path.write_bytes(b'"?"')
        with pytest.raises(CorruptObjectError, match="damaged"):
            self.stores[writer].load(checksum, "json")
        assert not self.stores[1 - writer].has_objects([checksum])
        self.objects.discard(digest)

    @rule(writer=writers)
    def reopen(self, writer: int) -> None:
        self.stores[writer].close()
        self.stores[writer] = open_store(self.url)

    @rule(writer=writers)
    def forget(self, writer: int) -> None:
        for store in self.stores:
            store.close()
        for path in Path(self.url, "cache").glob("index*"):
            path.unlink()
        self.stores = [open_store(self.url), open_store(self.url)]

    @invariant()
    def both_agree(self) -> None:
        for store in self.stores:
            store.refresh()
            for letter in "ta":
                found = store.records([key(f"{letter}{name}") for name in KEYS])
                assert found == {key(f"{letter}{n}"): r for n in KEYS if (r := self.in_force(n)) is not None}
            known = store.records(map(key, self.aliases))
            assert {k: r.digest for k, r in known.items()} == {
                key(alias): r.digest for alias, name in self.aliases.items() if (r := self.in_force(name)) is not None
            }
            latest = store.latest("art")
            assert (latest and (latest.number, latest.digest)) == (
                (self.versions[-1][0], key(self.versions[-1][1])) if self.versions else None
            )
            late = {key(f"{letter}{name}"): r.digest for name, r in self.late.items() for letter in "ta"}
            late |= {key(a): self.late[name].digest for a, name in self.aliases.items() if name in self.late}
            assert store.superseded() == late

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
