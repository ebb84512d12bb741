"""Part of `StoreSuite`: objects, and records of results."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from dualdag.errors import CodecError, CorruptObjectError
from dualdag.store import SMALL, File, Record, Store, open_store
from dualdag.testing._store_suite_base import StoreBase, a_record, a_version

__all__ = ["RecordTests"]


class RecordTests(StoreBase):
    """Objects are found by checksum, results by key."""

    # Objects.

    def test_opening_writes_nothing(self, store: Store) -> None:
        assert store.records([b"x" * 20]) == {}
        assert store.artifacts() == []
        assert store._fs.names("") == []

    @pytest.mark.parametrize("value", [None, 0, "text", [1, [2, None]], {"a": 1.5}, b"bytes", (1, 2), {1, 2}])
    def test_values_come_back(self, store: Store, value: Any) -> None:
        saved = store.save(value)
        again = store.load(saved.checksum, saved.codec)
        assert again == value
        assert type(again) is type(value)
        assert store.has_objects([saved.checksum, b"n" * 32]) == {saved.checksum}

    def test_equal_bytes_are_one_object(self, store: Store) -> None:
        assert store.put_object(b"same") == store.put_object([b"sa", b"me"])
        assert store.put_object(b"same") != store.put_object(b"other")
        assert store.get_object(store.put_object(b"")) == b""

    def test_a_damaged_object_is_never_decoded(self, store: Store) -> None:
        value = {"a": "x" * 10_000}
        saved = store.save(value)
        text = saved.checksum.hex()
        path = f"objects/{text[:2]}/{text[2:]}"
        self.damage(store, path)
        with pytest.raises(CorruptObjectError, match="damaged"):
            store.load(saved.checksum, saved.codec)
        assert not store.has_objects([saved.checksum])
        with pytest.raises(CorruptObjectError, match="gone"):
            store.load(saved.checksum, saved.codec)
        assert store.save(value) == saved
        assert store.load(saved.checksum, saved.codec) == value

    @pytest.mark.parametrize("size", [0, 1, 29, 30, 31, 32, 4095, 4096, 4097])
    def test_a_small_value_lies_in_its_address(self, store: Store, size: int) -> None:
        data = b"=" * size
        saved = store.save(data)
        assert saved.nbytes == size
        assert store.load(saved.checksum, saved.codec) == data
        assert store.get_object(store.put_object([data[:1], data[1:]])) == data
        assert store.has_objects([saved.checksum]) == {saved.checksum}
        assert bool(store._fs.names("objects")) == (size > SMALL)

    @pytest.mark.parametrize("size", [5000, 3 << 20])
    def test_writing_an_object_again_mends_it(self, store: Store, tmp_path: Path, size: int) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"x" * size)
        saved = store.save(b"x" * size)
        for value in (b"x" * size, File(file)):
            self.damage(store, f"objects/{saved.checksum.hex()[:2]}/{saved.checksum.hex()[2:]}")
            assert store.save(value).checksum == saved.checksum
            assert store.get_object(saved.checksum) == b"x" * size

    def test_large_values_and_files(self, store: Store, tmp_path: Path) -> None:
        large = bytes(range(256)) * (1 << 14) + b"end"
        saved = store.save(large)
        assert saved.nbytes == len(large)
        assert store.load(saved.checksum, saved.codec) == large
        (tmp_path / "page.html").write_bytes(large)
        kept = store.save(File(tmp_path / "page.html"))
        assert (kept.checksum, kept.codec, kept.nbytes) == (saved.checksum, "file", len(large))
        assert Path(store.load(kept.checksum, "file")).read_bytes() == large
        self.damage(store, f"objects/{kept.checksum.hex()[:2]}/{kept.checksum.hex()[2:]}")
        with pytest.raises(CorruptObjectError, match="damaged"):
            store.load(kept.checksum, "file")
        with pytest.raises(CorruptObjectError, match="gone"):
            store.load(kept.checksum, "file")

    def test_a_value_that_no_codec_takes(self, store: Store) -> None:
        with pytest.raises(CodecError, match="lock"):
            store.save(threading.Lock())

    # Records.

    def test_records_are_found_by_both_keys(self, store: Store, url: str) -> None:
        one, two = a_record("one"), a_record("two")
        assert store.put_records([one, two]) == [one, two]
        for opened in (store, open_store(url)):
            assert opened.records([one.trace, two.action, b"n" * 20]) == {one.trace: one, two.action: two}
            assert opened.durations([one.own, b"n" * 20]) == {one.own: one.seconds}

    def test_the_second_writer_takes_the_first_ones_result(self, store: Store, url: str) -> None:
        other = open_store(url)
        assert other.records([b"x" * 20]) == {}
        first, second = a_record("x", "first"), a_record("x", "second")
        store.put_records([first])
        assert other.put_records([second]) == [first]
        assert other.records([first.trace]) == {first.trace: first}
        assert open_store(url).records([first.trace]) == {first.trace: first}

    def test_another_name_of_a_result(self, store: Store, url: str) -> None:
        one = a_record("one")
        store.put_records([one])
        store.put_records([], [(b"alias".ljust(20), one)])
        assert open_store(url).records([b"alias".ljust(20)]) == {b"alias".ljust(20): one}

    def test_a_result_kept_later_is_known_to_be_there(self, store: Store, url: str) -> None:
        store.put_records([a_record("x")])
        kept = a_record("x", checksum=b"c" * 32)
        assert store.put_records([kept]) == [kept]
        assert open_store(url).records([kept.trace])[kept.trace] == kept

    def test_a_later_fact_outranks_an_earlier_one(self, store: Store, url: str) -> None:
        first, second, third = (a_record("x", d) for d in ("first", "second", "third"))
        store.put_records([first])
        assert store.superseded() == {}
        store.supersede(second)
        open_store(url).supersede(third)
        for opened in (open_store(url),):
            assert opened.records([first.trace, first.action]) == {first.trace: third, first.action: third}
            assert opened.superseded() == {first.trace: third.digest, first.action: third.digest}
        store.refresh()
        assert store.records([first.trace]) == {first.trace: third}

    def test_a_later_fact_outranks_every_name_of_a_result(self, store: Store, url: str) -> None:
        first, again = a_record("x", "first"), a_record("x", "first", trace="another run")
        named, renamed = b"named before".ljust(20), b"named after".ljust(20)
        store.put_records([first], [(named, first)])
        store.put_records([again])
        other = open_store(url)
        assert other.superseded() == {}
        second = a_record("x", "second", trace="the trace of the refresh")
        store.supersede(second)
        store.put_records([], [(renamed, second)])
        self.forget_index(other)
        other.refresh()
        keys = [first.trace, again.trace, named, renamed, second.trace, first.action]
        for opened in (store, other, open_store(url)):
            assert opened.records(keys) == dict.fromkeys(keys, second)
            assert opened.superseded() == dict.fromkeys(keys, second.digest)

    def test_an_unreadable_fact_hides_the_older_one(self, store: Store, url: str) -> None:
        first, second = a_record("x", "first"), a_record("x", "second")
        store.put_records([first])
        store.supersede(second)
        self.damage(store, f"facts/{first.trace.hex()}-000001")
        with pytest.warns(UserWarning, match="damaged"):
            assert open_store(url).records([first.trace]) == {}

    @pytest.mark.parametrize("lost", [["trace"], ["action"], ["action", "trace"]])
    def test_an_unreadable_fact_is_followed_by_the_next(self, store: Store, url: str, lost: list[str]) -> None:
        first, second, third = (a_record("x", d) for d in ("first", "second", "third"))
        store.put_records([first])
        store.supersede(second)
        for key in lost:
            self.damage(store, f"facts/{getattr(first, key).hex()}-000001")
        self.forget_index(store)
        again = open_store(url)
        with pytest.warns(UserWarning, match="damaged"):
            assert again.records([first.trace]) == {}
        won = third if "action" in lost else second
        assert again.put_records([third]) == [won]
        for opened in (again, open_store(url)):
            keys = [first.trace, first.action]
            assert opened.records(keys) == dict.fromkeys(keys, won)
            assert opened.superseded() == dict.fromkeys(keys, won.digest)

    def test_a_damaged_batch_counts_as_absent(self, url: str) -> None:
        store = open_store(url)
        one, two = a_record("one"), a_record("two")
        store.put_records([one])
        store.put_records([two])
        store.close()
        self.damage(store, "batches/00000000/000000000000")
        self.forget_index(store)
        with pytest.warns(UserWarning, match="damaged"):
            again = open_store(url)
            assert again.records([one.trace, two.trace]) == {two.trace: two}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert again.put_records([one]) == [one]
            assert open_store(url).records([one.trace]) == {one.trace: one}

    def forget_index(self, store: Store) -> None:
        """Delete the cache that finds records; the store must do without."""
        store.close()
        path = store._index_path()
        if path is not None:
            for found in path.parent.glob(f"{path.name}*"):
                found.unlink(missing_ok=True)

    def test_the_index_may_be_deleted_or_damaged(self, url: str) -> None:
        store = open_store(url)
        one = a_record("one")
        store.put_records([one])
        self.forget_index(store)
        assert open_store(url).records([one.trace]) == {one.trace: one}
        path = store._index_path()
        if path is not None:
            self.forget_index(store)
            path.write_bytes(b"no database" * 100)
            assert open_store(url).records([one.trace]) == {one.trace: one}

    def test_two_writers_who_supersede_at_once_agree(self, store: Store, url: str) -> None:
        first, mine, theirs = (a_record("x", d) for d in ("first", "mine", "theirs"))
        store.put_records([first])
        put, other = store._fs.put_if_absent, open_store(url)

        def interrupted(path: str, parts: Any) -> bool:
            done = put(path, parts)
            store._fs.put_if_absent = put  # type: ignore[method-assign]
            other.supersede(theirs)
            return done

        store.superseded()
        store._fs.put_if_absent = interrupted  # type: ignore[method-assign]
        store.supersede(mine)
        found = []
        for opened in (store, other, open_store(url)):
            opened.refresh()
            found.append((opened.records([first.trace, first.action]), dict(opened.superseded())))
        assert found[0] == found[1] == found[2]
        assert len({record.digest for record in found[0][0].values()} | set(found[0][1].values())) == 1

    def test_facts_of_other_writers_wait_for_a_refresh(self, store: Store, url: str) -> None:
        first, second = a_record("x", "first"), a_record("x", "second")
        store.put_records([first])
        assert store.superseded() == {}
        open_store(url).supersede(second)
        assert store.records([first.trace]) == {first.trace: first}
        store.refresh()
        assert store.records([first.trace]) == {first.trace: second}

    def test_a_file_under_another_name_counts_as_damaged(self, store: Store, url: str) -> None:
        one, two = a_record("one"), a_record("two")
        store.supersede(one)
        store.supersede(two)
        path = f"facts/{one.trace.hex()}-000001"
        other = store._fs.get(f"facts/{two.trace.hex()}-000001")
        assert other is not None
        store._fs.remove(path)
        store._fs.put_if_absent(path, [other])
        self.forget_index(store)
        with pytest.warns(UserWarning, match="not those that were written there"):
            assert open_store(url).records([one.trace, two.trace]) == {two.trace: two}
        store.add_version(a_version(store, "x", 1))
        copy = store._fs.get("artifacts/x/versions/00000001")
        assert copy is not None
        store._fs.put_if_absent("artifacts/y/versions/00000001", [copy])
        with pytest.raises(CorruptObjectError):
            store.latest("y")

    def test_many_batches(self, store: Store, url: str) -> None:
        for k in range(30):
            store.put_records([a_record(f"{k}-{i}") for i in range(3)])
        keys = [a_record(f"{k}-{i}").action for k in range(30) for i in range(3)]
        assert len(open_store(url).records(keys)) == 90
        store.close()
        assert len(store.records(keys)) == 90
        assert len(open_store(url).records([*keys, *(b"%020d" % i for i in range(2000))])) == 90
        assert len(open_store(url).durations(a_record(f"{k}-0").own for k in range(2000))) == 30

    def test_unstable_tasks_are_remembered(self, store: Store, url: str) -> None:
        store.mark_unstable(b"u" * 20)
        store.mark_unstable(b"u" * 20)
        assert store.unstable() == open_store(url).unstable() == {b"u" * 20}

    def test_many_writers_at_once(self, url: str) -> None:
        stores = [open_store(url) for _ in range(4)]
        won: list[list[Record]] = [[] for _ in stores]

        def write(k: int) -> None:
            for i in range(15):
                won[k] += stores[k].put_records([a_record(f"{i}", f"of {k}")])

        threads = [threading.Thread(target=write, args=(k,)) for k in range(len(stores))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        keys = [a_record(f"{i}").trace for i in range(15)]
        truth = open_store(url).records(keys)
        assert len(truth) == 15
        for found in won:
            assert [r.digest for r in found] == [truth[key].digest for key in keys]
