"""What is tried with faults: each operation, and what must hold after it was stopped at any step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dualdag as dag
from dualdag.errors import ArtifactNotFoundError, CorruptObjectError
from dualdag.store import Store
from dualdag.testing._crash_checks import DAMAGE, is_whole, leads_somewhere, opened, quietly, recorded, run
from dualdag.testing._crash_tasks import chain, marked, mix, mixed, pair, price
from dualdag.testing._crashes import Operation, Place
from dualdag.testing._store_suite_base import a_record, a_version

__all__ = ["NODES", "WRITING", "act_chain", "check_chain", "check_heal", "is_price", "marks", "newest", "prepare_heal"]

NODES = 20
_START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def marks(place: Place) -> str:
    return str(place.folder / "marks")


def _expected(size: int) -> list[bytes]:
    values: list[bytes] = []
    for name in range(size):
        values.append(mixed(name, values[-2:]))
    return values


# A run.


def _run_chain(place: Place) -> Any:
    return run(place, chain(marks(place), NODES)[-1].artifact("last"))


def act_chain(place: Place) -> None:
    assert _run_chain(place) == _expected(NODES)[-1]


def check_chain(place: Place) -> None:
    quietly(place, lambda: _resume(place))


def _resume(place: Place) -> None:
    expected, nodes, store = _expected(NODES), chain(marks(place), NODES), opened(place)
    is_whole(place, store)
    leads_somewhere(store)
    kept = recorded(store, nodes)
    assert all(value == expected[k] for k, value in kept.items())
    store.close()
    before = marked(marks(place))
    act_chain(place)
    again = marked(marks(place))[len(before) :]
    assert not {str(k) for k in kept} & set(again), f"recorded, and run again: {again}"
    assert len(set(before) & set(again)) <= 1, f"one was in flight, and these ran again: {again}"
    _is_settled(place)


def _is_settled(place: Place) -> None:
    """Make sure that the answer is there, and that nothing is left to do."""
    before = marked(marks(place))
    act_chain(place)
    assert marked(marks(place)) == before
    assert dag.load("last", store=place.url) == _expected(NODES)[-1]
    store = opened(place)
    is_whole(place, store)
    assert len(store.versions("last")) == 1


# Publishing a version, with a confirmation.


def is_price(place: Place, number: int, hours: int = 0) -> None:
    node = price(marks(place), number)
    value = run(place, node, now=_START + timedelta(hours=hours))
    assert int.from_bytes(value[:8], "big") == number


def _check_publish(place: Place) -> None:
    def check() -> None:
        store = opened(place)
        is_whole(place, store)
        leads_somewhere(store)
        _confirmations_are_of_versions(store, "price")
        latest = newest(place, store, "price")
        assert latest[0] in (1, 2)
        before = marked(marks(place))
        is_price(place, 2)
        ran = marked(marks(place))[len(before) :]
        assert latest[0] == 1 or not ran, "what had a version was run again"
        store.refresh()
        assert newest(place, store, "price")[0] == 2
        values = [
            _first(store.load(store.version("price", row.version).checksum, "bytes")) for row in store.versions("price")
        ]
        assert values == [2, 1], values

    quietly(place, check)


def _first(value: bytes) -> int:
    return int.from_bytes(value[:8], "big")


def newest(place: Place, store: Store, name: str) -> tuple[int, int]:
    """Return the first number of the newest version's value, and the version's number."""
    try:
        version = store.version(name)
    except CorruptObjectError:
        # Where a name can be taken by half a file the one before it serves.
        assert not place.whole
        version = store.version(name, store.versions(name)[0].version)
    return _first(store.load(version.checksum, version.codec)), version.number


def _confirmations_are_of_versions(store: Store, name: str) -> None:
    confirmed = store.last_confirmed(name)
    if confirmed is not None:
        store.version(name, confirmed.version)


def _act_confirm(place: Place) -> None:
    value = run(place, _hourly(place), now=_START + timedelta(hours=2))
    assert value == mixed(0, [])


def _hourly(place: Place) -> Any:
    return mix(0, marks(place), []).artifact("hourly", cadence="1h")


def _check_confirm(place: Place) -> None:
    def check() -> None:
        store = opened(place)
        is_whole(place, store)
        _confirmations_are_of_versions(store, "hourly")
        before = marked(marks(place))
        _act_confirm(place)
        confirmed = store.last_confirmed("hourly")
        assert confirmed is not None
        assert (confirmed.version, confirmed.created) == (1, (_START + timedelta(hours=2)).timestamp())
        assert [row.version for row in store.versions("hourly")] == [1]
        assert marked(marks(place)) == before, "what was recorded was run again"

    quietly(place, check)


# Refresh.


def _outside(place: Place, number: int | None = None) -> str:
    path = place.folder / "outside"
    if number is not None:
        path.write_text(str(number))
    return str(path)


def _pair(place: Place, number: int, **options: Any) -> int:
    """Return what both artifacts took from the feed."""
    left, right = run(place, pair(marks(place), _outside(place), number), **options)
    assert (left[:4], right[:5], left[4:]) == (b"left", b"right", right[5:])
    return _first(left[4:])


def _prepare_refresh(place: Place) -> None:
    _outside(place, 1)
    assert _pair(place, 2) == 101
    _outside(place, 2)


def _act_refresh(place: Place) -> None:
    assert _pair(place, 2, refresh=["feed"]) == 102


def _check_refresh(place: Place) -> None:
    quietly(place, lambda: _after_refresh(place))


def _after_refresh(place: Place) -> None:
    store = opened(place)
    is_whole(place, store)
    leads_somewhere(store)
    seen = [_of_side(place, store, name) for name in ("left", "right")]
    assert set(seen) <= {101, 102}
    # The next plain run tells what is in force.  What was published from it is not taken back.
    found = _pair(place, 2)
    assert found in (101, 102)
    assert found >= max(seen), f"{found} after {seen}: an old result came back"
    _everywhere(place, found)
    _act_refresh(place)
    _everywhere(place, 102)
    assert [_of_side(place, opened(place), name) for name in ("left", "right")] == [102, 102]


def _everywhere(place: Place, number: int) -> None:
    """Make sure that every derivation of the feed gives the same, and that none runs it again."""
    before = marked(marks(place))
    assert [_pair(place, derivation) for derivation in (3, 2, 3)] == [number] * 3
    assert marked(marks(place)) == before


def _of_side(place: Place, store: Store, name: str) -> int:
    try:
        version = store.version(name)
    except CorruptObjectError:
        assert not place.whole
        version = store.version(name, store.versions(name)[0].version)
    return _first(store.load(version.checksum, version.codec)[len(name) :])


# Healing.


def prepare_heal(place: Place) -> None:
    act_chain(place)
    store = opened(place)
    nodes = chain(marks(place), NODES)
    keys = [bytes.fromhex(node.key.rpartition("-")[2]) for node in nodes]
    found = store.records(keys)
    for name, damage in ((4, _flip), (6, _cut), (8, None)):
        text = found[keys[name]].checksum.hex()  # type: ignore[union-attr]
        path = f"objects/{text[:2]}/{text[2:]}"
        data = store._fs.get(path)
        assert data is not None
        store._fs.remove(path)
        if damage is not None:
            store._fs.put_if_absent(path, [damage(data)])


def _flip(data: bytes) -> bytes:
    return data[:3] + bytes([data[3] ^ 1]) + data[4:]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _act_heal(place: Place) -> None:
    nodes = chain(marks(place), NODES)
    value = run(place, mix(100, marks(place), [nodes[4], nodes[6], nodes[8]]))
    expected = _expected(NODES)
    assert value == mixed(100, [expected[4], expected[6], expected[8]])


def check_heal(place: Place) -> None:
    def check() -> None:
        before = marked(marks(place))
        _act_heal(place)
        healed = marked(marks(place))
        assert {"4", "6", "8", "100"} >= set(healed[len(before) :]), "more than what was damaged was run again"
        _act_heal(place)
        assert marked(marks(place)) == healed, "what was healed was run again"
        store = opened(place)
        is_whole(place, store)
        kept = recorded(store, chain(marks(place), NODES))
        assert kept == dict(enumerate(_expected(NODES)))

    quietly(place, check, *DAMAGE)


# Deleting, two writers, the marker.


def _prepare_delete(place: Place) -> None:
    store = opened(place)
    for number in range(3):
        store.add_version(a_version(store, "gone", number))
        store.add_version(a_version(store, "stays", number))


def _act_delete(place: Place) -> None:
    assert opened(place).delete("gone") == 3


def _check_delete(place: Place) -> None:
    def check() -> None:
        store = opened(place)
        is_whole(place, store)
        try:
            assert [row.version for row in store.versions("gone")] == [3, 2, 1]
        except ArtifactNotFoundError:
            assert store.latest("gone") is None
        else:
            store.delete("gone")
        assert [row.name for row in store.artifacts()] == ["stays"]
        # A number is never used again.
        assert store.add_version(a_version(store, "gone", 1)).number >= 5
        assert [row.version for row in store.versions("stays")] == [3, 2, 1]

    quietly(place, check)


def _second(store: Store, value: str) -> Any:
    saved = store.save(value * 10_000)
    return a_record("one", value, checksum=saved.checksum)


def _act_second_writer(place: Place) -> None:
    ours, theirs = opened(place), opened(place)
    ours.records([a_record("one").trace])
    (first,) = theirs.put_records([_second(theirs, "a")])
    (won,) = ours.put_records([_second(ours, "b")])
    assert won == first, "the second writer did not take the winner's"


def _check_second_writer(place: Place) -> None:
    def check() -> None:
        store = opened(place)
        is_whole(place, store)
        key = a_record("one")
        found = store.records([key.trace, key.action])
        assert len(found) in (0, 2)
        (won,) = store.put_records([_second(store, "c")])
        assert not found or won in found.values(), "what was recorded first is not in force"
        again = opened(place).records([key.trace, key.action])
        assert set(again) == {key.trace, key.action}
        assert set(again.values()) == {won}
        value = store.load(won.checksum, won.codec)  # type: ignore[arg-type]
        assert value == value[0] * 10_000

    quietly(place, check)


def _prepare_marker(place: Place) -> None:
    store = opened(place)
    store.put_records([a_record("one")])
    store._fs.remove("layout.json")
    store._fs.put_if_absent("layout.json", [b"{lay"])


def _act_marker(place: Place) -> None:
    store = opened(place)
    assert store.records([a_record("one").trace])
    store.put_records([a_record("two")])


def _check_marker(place: Place) -> None:
    quietly(place, lambda: _act_marker(place), *DAMAGE)
    store = opened(place)
    quietly(place, store.refresh)
    assert len(store.records([a_record("one").trace, a_record("two").trace])) == 2


#: What writes to a store.
WRITING = (
    Operation("run of 20 nodes", act_chain, check_chain),
    Operation("publish a version", lambda p: is_price(p, 2), _check_publish, lambda p: is_price(p, 1)),
    Operation("confirm a version", _act_confirm, _check_confirm, lambda p: run(p, _hourly(p), now=_START)),
    Operation("refresh", _act_refresh, _check_refresh, _prepare_refresh),
    Operation("heal damaged objects", _act_heal, check_heal, prepare_heal),
    Operation("delete an artifact", _act_delete, _check_delete, _prepare_delete),
    Operation("second writer", _act_second_writer, _check_second_writer),
    Operation("mend the marker", _act_marker, _check_marker, _prepare_marker),
)
