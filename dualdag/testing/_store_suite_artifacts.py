"""Part of `StoreSuite`: artifacts, journals, and the store as a whole."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError, GraphError, StoreError
from dualdag.store import Confirmation, Store, _series, open_store
from dualdag.testing._store_suite_base import StoreBase, a_record, a_version

__all__ = ["ArtifactTests"]


class ArtifactTests(StoreBase):
    """Versions are numbered, journals told apart, and a store says what it can't do."""

    # Artifacts.

    def test_versions_are_numbered_and_newest_first(self, store: Store, url: str) -> None:
        for k in range(3):
            assert store.add_version(a_version(store, "x", k, created=10.0 - k)).number == k + 1
        other = open_store(url)
        latest = other.latest("x")
        assert latest is not None
        assert latest.number == 3
        assert [r.version for r in other.versions("x")] == [3, 2, 1]
        assert [r.name for r in other.artifacts()] == ["x"]
        first = other.version("x", 1)
        assert other.load(first.checksum, first.codec) == 0

    def test_two_writers_of_one_version(self, store: Store, url: str) -> None:
        """Two runs of one flow that end together make one version."""
        made = store.add_version(a_version(store, "x", 1, created=1.0))
        assert open_store(url).add_version(a_version(store, "x", 1, created=2.0)) == made
        assert store.add_version(a_version(store, "x", 2)).number == 2

    def test_what_is_not_there(self, store: Store) -> None:
        store.add_version(a_version(store, "sales", 1))
        assert store.latest("sale") is None
        with pytest.raises(ArtifactNotFoundError, match="'sales'"):
            store.version("sale")
        with pytest.raises(ArtifactNotFoundError, match="no version 7"):
            store.version("sales", 7)
        with pytest.raises(KeyError):
            store.versions("nothing")

    def test_many_versions_lie_in_folders(self, store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as flat:
            flat.setattr(_series, "_GROUP", 5)
            for k in range(1, 5):
                store.add_version(a_version(store, "x", k))
        # The fourth lies where layout 1 put it.
        monkeypatch.setattr(_series, "_GROUP", 3)
        for k in range(5, 12):
            assert store.add_version(a_version(store, "x", k)).number == k
            store.confirm(Confirmation("x", k, 1e9 + k, b"t" * 20, b"o" * 20))
        names = [f"{k:08d}" for k in range(1, 5)] + ["00001", "00002", "00003"]
        assert store._fs.names("artifacts/x/versions") == sorted(names)
        other = open_store(url)
        assert [row.version for row in other.versions("x")] == list(range(11, 0, -1))
        assert [row.version for row in other.artifacts()] == [11]
        newest, confirmed = other.latest("x"), other.last_confirmed("x")
        assert newest is not None
        assert confirmed is not None
        assert (newest.number, confirmed.version) == (11, 11)
        for k in (1, 4, 7, 11):
            found = other.version("x", k)
            assert (found.number, other.load(found.checksum, found.codec)) == (k, k)
        with pytest.raises(ArtifactNotFoundError, match="no version 12; there is: 2, 3, "):
            other.version("x", 12)
        assert other.check().whole
        other.gc(keep=2, grace=0, dry_run=False)
        assert [row.version for row in other.versions("x")] == [11, 10]
        assert other.delete("x") == 2
        assert other.add_version(a_version(other, "x", 1)).number == 13
        assert [row.version for row in other.versions("x")] == [13]

    def test_confirmations(self, store: Store, url: str) -> None:
        assert store.last_confirmed("x") is None
        for k in range(3):
            store.confirm(Confirmation(name="x", version=1, created=float(k), trace=b"t" * 20, own_part=b"o" * 20))
        found = open_store(url).last_confirmed("x")
        assert found is not None
        assert found.created == 2.0

    def test_a_damaged_version(self, store: Store) -> None:
        store.add_version(a_version(store, "x", 1))
        store.add_version(a_version(store, "x", 2))
        self.damage(store, "artifacts/x/versions/00000002")
        with pytest.raises(CorruptObjectError):
            store.latest("x")
        with pytest.warns(UserWarning, match="damaged"):
            assert [r.version for r in store.versions("x")] == [1]
        assert store.add_version(a_version(store, "x", 3)).number == 3

    def test_deleting(self, store: Store) -> None:
        store.add_version(a_version(store, "x", 1))
        store.add_version(a_version(store, "y", 1))
        assert store.delete("x") == 1
        assert [r.name for r in store.artifacts()] == ["y"]
        with pytest.raises(ArtifactNotFoundError):
            store.delete("x")
        for look in (store.version, store.versions):
            with pytest.raises(ArtifactNotFoundError):
                look("x")
        assert store.latest("x") is None
        # A number is never used again, so that a journal's "version 1" stays what it was.
        assert store.add_version(a_version(store, "x", 1)).number == 3
        assert [r.version for r in store.versions("x")] == [3]
        assert store.delete("x") == 1

    def test_names_that_differ_by_case(self, store: Store) -> None:
        for name in ("sales", "Sales", "SALES"):
            store.add_version(a_version(store, name, name))
        assert [r.name for r in store.artifacts()] == ["SALES", "Sales", "sales"]
        assert len({path.lower() for path in store._fs.names("artifacts")}) == 3
        for name in ("sales", "Sales", "SALES"):
            version = store.version(name)
            assert store.load(version.checksum, version.codec) == name

    def test_rows(self, store: Store) -> None:
        store.add_version(a_version(store, "x", 1, created=86_400.0 * 365))
        (row,) = store.artifacts()
        assert row.created.isoformat() == "1971-01-01T00:00:00+00:00"
        assert row.key == f"x-{(b't' * 20).hex()}"
        assert row.due is not None

    @pytest.mark.parametrize("name", ["../x", "a\0b", "x" * 300, "", "a/b", "a\\b", "CON", "all", ".", "-x"])
    def test_names_never_leave_the_store(self, store: Store, name: str) -> None:
        for use in (store.latest, store.version, store.versions, store.delete, store.last_confirmed):
            with pytest.raises(GraphError):
                use(name)

    # Journals and the store as a whole.

    def test_journals(self, store: Store, url: str) -> None:
        journal = store.start_run("2026-a", {"flow": "f.py"})
        for k in range(3):
            journal.append({"kind": "done", "label": f"n{k}"})
        assert open_store(url).run("2026-a")[0].status == "unfinished"
        journal.close("failed")
        store.start_run("2026-b", {}).close()
        other = open_store(url)
        assert [(r.id, r.status) for r in other.runs()] == [("2026-b", "done"), ("2026-a", "failed")]
        row, events = other.run("2026-a")
        assert row.info == {"flow": "f.py"}
        assert [e["label"] for e in events] == ["n0", "n1", "n2"]
        with pytest.raises(ArtifactNotFoundError):
            other.run("2027")
        with pytest.raises(StoreError, match="already"):
            store.start_run("2026-a", {})
        with pytest.raises(StoreError, match="can't name a run"):
            store.start_run("../2026", {})

    def test_events_are_written_while_nothing_else_happens(self, store: Store, url: str) -> None:
        journal = store.start_run("slow", {"path": Path("x"), "big": 2**70, "text": "\ud800", "nested": {1: {2}}})
        journal.append({"kind": "start"})
        deadline = time.monotonic() + 20
        while not open_store(url).run("slow")[1] and time.monotonic() < deadline:
            time.sleep(0.05)
        row, events = open_store(url).run("sl")
        assert events == [{"kind": "start"}]
        assert (row.status, row.ended) == ("unfinished", None)
        assert row.info == {"path": "x", "big": str(2**70), "text": "\\ud800", "nested": {"1": [2]}}
        journal.close()
        assert open_store(url).run("slow")[0].status == "done"

    def test_read_only(self, store: Store, url: str) -> None:
        one = a_record("one")
        saved = store.save(1)
        store.put_records([one])
        store.add_version(a_version(store, "x", 1))
        again = open_store(url, readonly=True)
        assert again.records([one.trace]) == {one.trace: one}
        assert again.load(saved.checksum, saved.codec) == 1
        assert [r.version for r in again.versions("x")] == [1]
        again.start_run("nothing", {}).close()
        for write in (
            lambda: again.save(2),
            lambda: again.put_object(b""),
            lambda: again.put_records([one]),
            lambda: again.supersede(one),
            lambda: again.mark_unstable(b"u" * 20),
            lambda: again.add_version(a_version(store, "x", 2)),
            lambda: again.confirm(Confirmation("x", 1, 0.0, b"", b"")),
            lambda: again.delete("x"),
            again.self_test,
        ):
            with pytest.raises(StoreError, match="reading only"):
                write()
        assert store.runs() == []
        assert pickle.loads(pickle.dumps(again)).readonly

    def test_look_ups_are_counted(self, store: Store) -> None:
        store.put_records([a_record("one")])
        store.lookups.clear()
        store.records([b"k" * 20, b"l" * 20])
        store.has_objects([b"c" * 32])
        store.latest("x")
        assert (store.lookups["records"], store.lookups["objects"], store.lookups["versions"]) == (2, 1, 1)

    def test_pickling_opens_the_same_store(self, store: Store) -> None:
        one = a_record("one")
        store.put_records([one])
        assert pickle.loads(pickle.dumps(store)).records([one.trace]) == {one.trace: one}

    def test_a_newer_layout_is_refused(self, store: Store, url: str) -> None:
        store._fs.put_if_absent("layout.json", [b'{"layout": 99}'])
        with pytest.raises(StoreError, match="layout 99.*upgrade"):
            open_store(url)

    def test_a_damaged_marker_is_written_again(self, store: Store, url: str) -> None:
        one = a_record("one")
        store.put_records([one])
        store._fs.remove("layout.json")
        store._fs.put_if_absent("layout.json", [b"{lay"])
        with pytest.warns(UserWarning, match="marker"):
            again = open_store(url)
        assert again.records([one.trace]) == {one.trace: one}
        again.put_records([a_record("two")])
        open_store(url)

    def test_the_self_test(self, store: Store) -> None:
        assert "refuses to replace" in store.self_test()
        assert store._fs.names("scratch") == []
