"""Housekeeping that is tried with faults: checking, collecting, copying."""

from __future__ import annotations

from dataclasses import replace

import dualdag as dag
from dualdag.testing._crash_checks import DAMAGE, is_whole, leads_somewhere, opened, quietly, run
from dualdag.testing._crash_operations import WRITING, act_chain, check_heal, is_price, marks, newest, prepare_heal
from dualdag.testing._crash_sharing import TAKE_OVER
from dualdag.testing._crash_tasks import marked, price
from dualdag.testing._crashes import Operation, Place
from dualdag.testing._store_suite_base import a_record

__all__ = ["OPERATIONS"]


def _act_repair(place: Place) -> None:
    opened(place).check(repair=True)


def _check_repair(place: Place) -> None:
    def check() -> None:
        store = opened(place)
        one = a_record("one")
        rows = store.records([one.trace, one.action]).values()
        assert all(record.digest == one.digest for record in rows), "what was edited was read as good"
        store.check(repair=True, restart=True)
        found = store.check(restart=True)
        assert found.whole, found.problems
        is_whole(place, store)
        store.close()
        check_heal(place)

    quietly(place, check, *DAMAGE)


def _prepare_repair(place: Place) -> None:
    prepare_heal(place)
    store = opened(place)
    store.put_records([a_record("one")])
    store.supersede(a_record("one"))
    facts = [f"facts/{name}" for name in store._fs.names("facts")]
    for path in (f"batches/00000000/{store._fs.names('batches/00000000')[-1]}", *facts):
        data = store._fs.get(path)
        assert data is not None
        store._fs.remove(path)
        # It decodes: only its seal tells.
        store._fs.put_if_absent(path, [data.replace(b"d" + b"." * 31, b"e" + b"." * 31)])


def _prepare_gc(place: Place) -> None:
    act_chain(place)
    for number in (1, 2, 3):
        is_price(place, number)


def _act_gc(place: Place) -> None:
    opened(place).gc(keep=1, older_than=0, grace=0, dry_run=False)


def _check_gc(place: Place) -> None:
    def check() -> None:
        store = opened(place)
        is_whole(place, store)
        assert newest(place, store, "price")[0] == 3
        assert len(dag.load("last", store=place.url)) > 0
        before = marked(marks(place))
        is_price(place, 3)
        act_chain(place)
        assert marked(marks(place)) == before, "what is an artifact was collected"
        _act_gc(place)
        again = opened(place).gc(keep=1, older_than=0, grace=0, dry_run=False)
        assert (again.versions, again.objects) == (0, 0)
        assert [row.version for row in store.versions("price")] == [3]
        # What was collected is made again.
        is_price(place, 1)

    quietly(place, check)


def _copied(place: Place) -> Place:
    return replace(place, url=f"{place.url}-copy")


def _prepare_copy(place: Place) -> None:
    act_chain(place)
    is_price(place, 1)
    is_price(place, 2)


def _act_copy(place: Place) -> None:
    opened(place).copy_to(opened(_copied(place)), all_versions=True)


def _check_copy(place: Place) -> None:
    def check() -> None:
        there, target = _copied(place), opened(_copied(place))
        is_whole(there, target)
        leads_somewhere(target)
        # Where a name can be had by an empty file, a version may be damaged until the copy is made again.
        for row in target.artifacts() if place.whole else ():
            dag.load(row.name, store=there.url)
        _act_copy(place)
        for row in target.artifacts():
            dag.load(row.name, store=there.url)
        before = marked(marks(place))
        assert int.from_bytes(run(there, price(marks(place), 2))[:8], "big") == 2
        act_chain(there)
        assert marked(marks(place)) == before, "what was copied was run again"
        assert [row.nbytes for row in target.versions("price")] == [
            row.nbytes for row in opened(place).versions("price")
        ]
        is_whole(there, target)

    quietly(place, check)


#: Every operation that is tried, by name.
OPERATIONS = {
    operation.name: operation
    for operation in (
        *WRITING,
        TAKE_OVER,
        Operation("verify --repair", _act_repair, _check_repair, _prepare_repair),
        Operation("gc", _act_gc, _check_gc, _prepare_gc, waited_for=True),
        Operation("cp", _act_copy, _check_copy, _prepare_copy),
    )
}
