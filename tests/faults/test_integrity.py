"""No damage to any file of a store gives a wrong value or ends the interpreter, and a run heals it.

A sample by default; ``--full`` makes 10,000 mutations per codec and kind of file, of which one in twenty is healed
by a run and checked by `verify` (``DAMAGE_COUNT``, ``DAMAGE_EVERY`` and ``DAMAGE_REPORT`` say otherwise).
"""

from __future__ import annotations

import os
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.errors import StoreError
from dualdag.store._objects import object_path
from tests.faults import damage, damage_work

# Loaded once, and not in each child; used in children alone, as their threads do not live through a fork.
for name in ("pandas", "pyarrow", "polars"):
    pytest.importorskip(name)

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="forks"), pytest.mark.timeout(36_000)]
SEED = "integrity"


class Case:
    """A store, the files of it that are damaged, and how it is read and healed."""

    def __init__(self, folder, nodes, pick, *, without=()):
        self.url = str(folder / "store")
        self.store = damage.Store(self.url)
        self.nodes = nodes
        self.pick = pick
        #: Beginnings of names that are left out: what the index remembers would else hide what is damaged.
        self.without = tuple(without)

    def run(self, **more):
        return dag.run(self.nodes(), store=self.url, backend="sync", progress="off", **more)

    def build(self):
        """Fill the store in a child, since some engines' threads do not live through a fork."""

        def do():
            damage_work.register()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.prepare()
                values = self.run()
                opened = dag.store(self.url)
                names = [row.name for row in opened.artifacts()]
                versions = {name: opened.version(name) for name in names}
                keys = [key for one in versions.values() for key in (one.trace, one.action)]
                keys += map(bytes.fromhex, {one.name.partition("-")[0] for one in Path(self.url).glob("facts/*")})
                return {
                    "values": [damage_work.content(one) for one in values],
                    "versions": {
                        name: damage_work.content(opened.load(one.checksum, one.codec))
                        for name, one in versions.items()
                    },
                    "loads": [
                        (one.checksum.hex(), one.codec, damage_work.content(opened.load(one.checksum, one.codec)))
                        for one in versions.values()
                    ],
                    "objects": [object_path(one.checksum) for one in versions.values() if len(one.checksum) == 32],
                    "keys": {key.hex(): one.digest.hex() for key, one in opened.records(keys).items()},
                }

        self.told = damage.in_child(do)
        self.store.remember(without=self.without)
        self.targets = [family for family in self.pick(self) if family]
        assert self.targets, "nothing to damage"

    def prepare(self):
        """Do what comes before the last run."""

    def named(self, *beginnings):
        return [name for name in self.store.files if name.startswith(beginnings)]

    # In the children.

    def watch(self):
        if not hasattr(self, "unknown"):
            damage_work.register()
            good, self.unknown = damage.verified_spy()
            self.good = good
            for name, data in self.store.files.items():
                if name.startswith("objects/"):
                    good.add(damage.blake3(data).digest())
            self.inline_are_good()
            self.opened = dag.store(self.url)

    def inline_are_good(self):
        from dualdag.store._address import held

        self.store.put_back()
        opened = dag.store(self.url)
        addresses = [opened.version(row.name).checksum for row in opened.artifacts()]
        addresses += [
            one.checksum for one in opened.records([bytes.fromhex(key) for key in self.told["keys"]]).values()
        ]
        opened.close()
        self.good.update(damage.blake3(data).digest() for one in addresses if one and (data := held(one)) is not None)

    def read(self):
        del self.unknown[:]
        try:
            said = [
                damage_work.read_back(self.url, self.told["versions"]),
                damage_work.records_back(self.url, self.told["keys"]),
            ]
        except StoreError:  # it can't be opened
            return "refused"
        if self.unknown:
            return f"unverified: {self.unknown}"
        return next(
            (one for one in said if one not in ("right", "refused")), "refused" if "refused" in said else "right"
        )

    def read_values(self):
        """Read the values alone, where nothing else is damaged."""
        del self.unknown[:]
        said = damage_work.values_back(self.opened, self.told["loads"])
        return f"unverified: {self.unknown}" if self.unknown else said

    def is_right(self, values):
        return [damage_work.content(one) for one in values] == self.told["values"]

    def heal(self):
        values = self.run()
        if not self.is_right(values):
            return f"wrong: a run gives {[damage_work.content(one) for one in values]}"
        opened = dag.store(self.url)
        try:
            found = opened.check(repair=True)
            again = opened.check() if found.found else found
        finally:
            opened.close()
        if not again.whole:
            return f"not whole: {again.problems}"
        if not self.is_right(self.run()):
            return "wrong: a run after the repair"
        return "healed"


def tried(full, name, case, share=1, *, gone=True, read=None):
    count = int(os.environ.get("DAMAGE_COUNT", 10_000 if full else 8)) // (1 if full else share)
    every = int(os.environ.get("DAMAGE_EVERY", 20 if full else 4))
    case.build()
    began = time.monotonic()

    def damaged(*given):
        case.watch()  # puts the spy in place, once in each child, before any damage
        return damage.one(*given)

    found, examples = damage.fuzz(
        case.store, case.targets, damaged, (read or case.read, case.heal), count, SEED, every, gone=gone
    )
    if place := os.environ.get("DAMAGE_REPORT"):
        damage.report(place, name, found, time.monotonic() - began)
    print(name, dict(found))
    assert not examples, "\n".join(examples[:10])
    assert found["right"] + found["refused"] == found["tried"] > count * 0.6
    assert found["healed"] > 0


@pytest.fixture
def place(tmp_path):
    Path("input.txt").write_text("one\ntwo\n" * 10)
    return tmp_path


@pytest.mark.parametrize("codec", damage_work.LARGE)
def test_objects(codec, place, full):
    case = Case(place, lambda: damage_work.graph(codec, 12_000), lambda case: [case.told["objects"]])
    tried(full, f"object: {codec}", case, read=case.read_values)


@pytest.mark.parametrize("codec", damage_work.SMALL)
def test_small_values(codec, place, full):
    nodes = lambda: damage_work.graph(codec, 60)  # noqa: E731
    case = Case(place, nodes, lambda case: [case.named("batches/"), case.named("artifacts/")], without=["cache/"])
    tried(full, f"small: {codec}", case, share=2)


def mixed():
    return [*damage_work.graph("json", 12_000), damage_work.lines(dag.file("input.txt")).artifact("lines")]


FILES = {
    "batches": lambda case: [case.named("batches/")],
    "versions": lambda case: [[name for name in case.named("artifacts/") if "/versions/" in name]],
    "confirmations": lambda case: [[name for name in case.named("artifacts/") if "/confirmations/" in name]],
    "journal": lambda case: [case.named("runs/")],
    "marker": lambda case: [["layout.json"]],
    "index": lambda case: [["cache/index.sqlite"]],
    "file tokens": lambda case: [["cache/files.sqlite"]],
    "anything": lambda case: [list(case.store.files)],
}


@pytest.mark.parametrize("kind", FILES)
def test_files(kind, place, full):
    class Again(Case):
        def prepare(self):
            # Due again, it comes out the same: that makes a confirmation.
            self.run(now=datetime(2026, 1, 1, 0, tzinfo=UTC))
            self.run(now=datetime(2026, 1, 1, 5, tzinfo=UTC))
            dag.store(self.url).mark_unstable(b"task")

    tried(full, kind, Again(place, mixed, FILES[kind], without=["cache/"] if kind == "batches" else []))


def test_facts(place, full):
    """What a refresh replaced does not come back, whatever becomes of the fact that replaced it."""

    class Refreshed(Case):
        def prepare(self):
            self.run()
            self.run(refresh=["tick"])
            self.run(refresh=["tick"])

        def is_right(self, values):
            return values[0]["tick"] >= 3 and values[1] == damage_work.use.fn(values[0])

    def nodes():
        one = damage_work.tick().named("tick").options(persist=True)
        return [one, damage_work.use(one)]

    def pick(case):
        # One that is gone, and the older one, can't be told from a store in which nobody refreshed.
        return [case.named("facts/")]

    tried(full, "facts", Refreshed(place, nodes, pick, without=["cache/"]), gone=False)
