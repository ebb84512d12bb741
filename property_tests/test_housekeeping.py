"""Runs, edits, housekeeping, deletion, copies and disk errors in any order, against a dict of what must be there."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import dualdag as dag
from dualdag.errors import ArtifactNotFoundError, StoreError
from dualdag.store import _live, open_store
from dualdag.store._mark import addresses
from dualdag.testing import FaultFS

# The thread of a journal tells of errors of the disk, as it should.
pytestmark = pytest.mark.filterwarnings("ignore")

LARGE = 5_000
START = datetime(2026, 1, 1, tzinfo=UTC)
stores = st.integers(0, 1)
faults = st.one_of(st.none(), st.none(), st.integers(0, 60))


@dag.task
def part(n: int) -> bytes:
    return b"%d" % n * LARGE


@dag.task
def whole(data: bytes, tail: bytes) -> bytes:
    return data + tail


class Housekeeping(RuleBasedStateMachine):
    """The versions that must be there: by store, number and what each holds; whatever else happens they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.urls = [str(Path(self.folder.name) / name) for name in ("one", "two")]
        self.there: list[dict[int, tuple[bytes, datetime]]] = [{}, {}]
        self.top = [0, 0]
        self.now = START

    def add(self, which: int, value: bytes, created: datetime, at_least: int = 1) -> None:
        there = self.there[which]
        if not there or there[max(there)][0] != value:
            self.top[which] = max(self.top[which] + 1, at_least)
            there[self.top[which]] = value, created

    def attempt(self, fault: int | None, do: Any) -> bool:
        """Do it, with an error of the disk at some step; return whether it was done."""
        try:
            with FaultFS(at=fault, fault="EIO"):
                do()
        except StoreError:
            if fault is None:
                raise
            return False
        return True

    @rule(which=stores, n=st.integers(0, 2), tail=st.sampled_from([b".", b"!"]), fault=faults)
    def run(self, which: int, n: int, tail: bytes, fault: int | None) -> None:
        self.now += timedelta(hours=1)
        node = whole(part.options(persist=True)(n), tail).artifact("whole")

        def do() -> None:
            given = dag.run(node, store=self.urls[which], backend="sync", progress="off", now=self.now)
            assert given == b"%d" % n * LARGE + tail

        if not self.attempt(fault, do):
            do()
        # What a run that failed had published already is of that run's time.
        self.add(which, b"%d" % n * LARGE + tail, self.now)

    @rule(which=stores, keep=st.sampled_from([None, 1, 2]), age=st.sampled_from([None, 0]), fault=faults)
    def gc(self, which: int, keep: int | None, age: int | None, fault: int | None) -> None:
        running: list[str] = []

        def do() -> None:
            running[:] = open_store(self.urls[which]).gc(keep=keep, older_than=age, grace=0).runs

        if not self.attempt(fault, do):
            do()
        there = self.there[which]
        if keep is not None or age is not None:
            left = sorted(there)[-(keep or 1) :]
            self.there[which] = {number: there[number] for number in left}
        # A run that could not write how it ended is taken for one that goes on.
        if age is not None and not running:
            store = open_store(self.urls[which])
            wanted = {
                f"{one.hex()[:2]}/{one.hex()[2:]}"
                for version in (store.version("whole", number) for number in self.there[which])
                for one in addresses(version)
                if len(one) == 32
            }
            found = {
                f"{p.parent.name}/{p.name}"
                for p in Path(store.url, "objects").rglob("*")
                if p.is_file() and p.suffix != ".tmp"
            }
            assert found == wanted

    @rule(which=stores, fault=faults)
    def delete(self, which: int, fault: int | None) -> None:
        store = open_store(self.urls[which])
        if not self.there[which]:
            with pytest.raises(ArtifactNotFoundError):
                store.delete("whole")
            return
        done = self.attempt(fault, lambda: store.delete("whole"))
        gone = not store._artifacts.names()
        assert gone or not done
        if gone:
            self.there[which] = {}
            self.top[which] += 1

    @rule(source=stores, every=st.booleans(), fault=faults)
    def copy(self, source: int, every: bool, fault: int | None) -> None:
        target = 1 - source
        ours, theirs = self.there[source], self.there[target]

        def do() -> None:
            open_store(self.urls[source]).copy_to(open_store(self.urls[target]), all_versions=every)

        if not Path(self.urls[source]).exists():
            with pytest.raises(StoreError, match="there is no store"):
                do()
            return
        chosen = sorted(ours)[0 if every else -1 :]
        newest = theirs[max(theirs)] if theirs else None
        new = [number for number in chosen if ours[number] not in theirs.values()]
        if newest is not None and any(ours[number][1] < newest[1] for number in new):
            with pytest.raises(StoreError, match="newer"):
                do()
            return
        if not self.attempt(fault, do):
            do()
        for number in new:
            self.add(target, *ours[number], at_least=number)

    @rule(which=stores)
    def forget(self, which: int) -> None:
        for path in Path(self.urls[which], "cache").glob("*"):
            path.unlink()

    @invariant()
    def all_is_there(self) -> None:
        for which, there in enumerate(self.there):
            store = open_store(self.urls[which])
            found = store.versions("whole") if there else []
            assert {row.version: row.created for row in found} == {n: created for n, (_, created) in there.items()}
            assert [row.version for row in found] == sorted(there, reverse=True)
            for number, (value, _) in there.items():
                version = store.version("whole", number)
                assert store.load(version.checksum, version.codec) == value
            store.close()

    def teardown(self) -> None:
        self.folder.cleanup()


@pytest.fixture(autouse=True)
def soon_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a mark that could not be removed hold nobody up for long."""
    monkeypatch.setattr(_live, "_STALE", 0.1)


TestHousekeeping = Housekeeping.TestCase
TestHousekeeping.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
