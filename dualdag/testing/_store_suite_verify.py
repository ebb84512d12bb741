"""What a check of a whole store finds and mends, whatever it lies on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dualdag.errors import CorruptObjectError
from dualdag.store import Store, open_store
from dualdag.store._objects import object_path
from dualdag.testing._store_suite_base import StoreBase, a_record, a_version

__all__ = ["VerifyTests"]

_LARGE = "x" * 10_000


def _paths(store: Store, folder: str = "") -> Iterator[str]:
    for one in store._fs.entries(folder):
        path = f"{folder}/{one.name}".strip("/")
        if one.folder:
            yield from _paths(store, path)
        elif not path.startswith(("cache/", "damaged/", "scratch/")):
            yield path


class VerifyTests(StoreBase):
    """The part of the suite that deals with damage to a whole store."""

    def fill(self, store: Store) -> None:
        """Put something of each kind into it."""
        store.put_records([a_record("one", checksum=store.save(_LARGE + "one").checksum)])
        store.supersede(a_record("one", "other"))
        store.add_version(a_version(store, "big", _LARGE))
        store.add_version(a_version(store, "big", _LARGE + "2"))
        store.mark_unstable(b"task")
        store.start_run("run", {}).close()

    def test_a_whole_store_is_found_whole(self, store: Store) -> None:
        self.fill(store)
        found = store.check()
        assert found.whole
        assert found.files == len(list(_paths(store)))
        assert found.counts["objects"] == 3
        assert found.orphans == 0

    def test_damage_anywhere_is_found_and_mended(self, store: Store) -> None:
        self.fill(store)
        store.close()
        damaged = sorted(path for path in _paths(store) if path != "layout.json")
        for path in damaged:
            self.damage(store, path)
        found = open_store(store.url).check()
        assert not found.whole
        assert sorted(one.path for one in found.problems) == damaged
        with pytest.raises(CorruptObjectError, match="is not whole: .* more; dualdag verify"):
            open_store(store.url).verify()
        again = open_store(store.url)
        mended = again.verify(repair=True)
        assert mended.whole
        assert all(one.done for one in mended.problems)
        # What they needed can't be read any more, and nothing else is wrong.
        assert again.verify().whole

    @pytest.mark.filterwarnings("ignore:store:UserWarning")
    def test_what_was_replaced_stays_replaced(self, store: Store) -> None:
        self.fill(store)
        one = a_record("one")
        for key in (one.action, one.trace):
            self.damage(store, f"facts/{key.hex()}-000001")
        self.damage(store, "artifacts/big/versions/00000002")
        store.check(repair=True)
        again = open_store(store.url)
        assert again.records([one.trace, one.action]) == {}
        with pytest.raises(CorruptObjectError):
            again.latest("big")
        again.put_records([a_record("one", "third")])
        assert again.add_version(a_version(again, "big", _LARGE + "3")).number == 3
        last = open_store(store.url)
        assert last.records([one.trace])[one.trace].digest == a_record("one", "third").digest
        assert last.check().whole

    def test_a_value_that_is_gone_is_missed_by_its_version(self, store: Store) -> None:
        self.fill(store)
        version = store.version("big", 1)
        orphan = store.put_object(b"of nothing" * 1000)
        path = object_path(version.checksum)
        store._fs.remove(path)
        found = store.check()
        assert [(one.path, one.kind) for one in found.problems] == [(path, "missing")]
        assert (found.orphans, found.orphan_bytes) == (1, 10_000)
        assert store.has_objects([orphan])
