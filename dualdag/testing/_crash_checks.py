"""What must hold of a store whatever happened to those who wrote to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from blake3 import blake3

import dualdag as dag
from dualdag.errors import CorruptObjectError
from dualdag.store import Store, Version, open_store
from dualdag.store._facts import Batch, Fact
from dualdag.store._series import entries
from dualdag.testing._crashes import Place

__all__ = ["DAMAGE", "is_whole", "leads_somewhere", "opened", "quietly", "recorded", "run"]

#: What a store warns of that has names of files which are not whole.
DAMAGE = ("damaged", "marker", "left out", "is gone")
#: And one whose place has no way to give a name to one writer alone.
_LOOSE = "only one run at a time"


def opened(place: Place) -> Store:
    """Return the store of a place.

    Parameters
    ----------
    place : Place
        Where it lies.
    """
    return open_store(place.url, durable=place.durable)


def run(place: Place, target: Any, **options: Any) -> Any:
    """Return what a run in this very process gives.

    Parameters
    ----------
    place : Place
        Where its store lies.
    target : node or list of nodes
        What is asked for.
    **options
        Of `dualdag.run`.
    """
    return dag.run(target, backend="sync", store=place.url, durable=place.durable, progress="off", **options)


def quietly(place: Place, do: Callable[[], Any], *allowed: str) -> Any:
    """Return what `do` gives, which may warn of nothing but what is expected.

    Parameters
    ----------
    place : Place
        Where names of files may be of half ones, warnings of damage are expected.
    do : callable
        What to do.
    *allowed
        Words of further warnings that are.
    """
    words = (*allowed, *(() if place.whole else (*DAMAGE, _LOOSE)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = do()
    for one in caught:
        told = str(one.message)
        if issubclass(one.category, UserWarning) and not any(word in told for word in words):
            raise AssertionError(f"it warned: {told}")
    return found


def recorded(store: Store, nodes: Sequence[Any]) -> dict[int, bytes]:
    """Return the values of those nodes that are recorded and kept, by position.

    Parameters
    ----------
    store : Store
        Where.
    nodes : sequence of nodes
        With no file above them.
    """
    traces = [bytes.fromhex(node.key.rpartition("-")[2]) for node in nodes]
    found = store.records(traces)
    return {
        k: store.load(record.checksum, record.codec)
        for k, trace in enumerate(traces)
        if (record := found.get(trace)) is not None and record.checksum is not None
    }


def is_whole(place: Place, store: Store) -> None:
    """Make sure that every file which has its name is what was meant to have it.

    Parameters
    ----------
    place : Place
        Where there are names of half files, nothing is asked.
    store : Store
        The store there.
    """
    if not place.whole:
        return
    for path in _files(store):
        data = store._fs.get(path)
        if data is None:
            continue
        if path.startswith("objects/"):
            good = blake3(data).hexdigest() == path.removeprefix("objects/").replace("/", "")
        else:
            good = store._sealer.layout_of(data, path) is not None
        assert good, f"{path} has its name and is not whole ({len(data)} bytes)"


def leads_somewhere(store: Store) -> None:
    """Make sure that no record, fact or version names an object that is not there.

    Parameters
    ----------
    store : Store
        Which was not collected, and lost nothing.
    """
    named: set[bytes] = set()
    for path in _files(store):
        data = store._fs.get(path) or b""
        for kind in (Batch, Fact, Version):
            try:
                named.update(_checksums(store._sealer.unseal(data, kind, path)))
            except CorruptObjectError:
                continue
    gone = named - store.has_objects(named)
    assert not gone, f"{len(gone)} objects are named and not there"


def _checksums(told: object) -> list[bytes]:
    if isinstance(told, Version):
        return [told.checksum]
    records = told.records if isinstance(told, Batch) else [told.record] if isinstance(told, Fact) else []
    return [record.checksum for record in records if record.checksum is not None]


def _files(store: Store) -> Iterator[str]:
    names = store._fs.names
    for folder in ("facts", "unstable"):
        yield from (f"{folder}/{name}" for name in names(folder))
    for top in ("objects", "batches", "runs"):
        for folder in names(top):
            yield from (f"{top}/{folder}/{name}" for name in names(f"{top}/{folder}"))
    for artifact in names("artifacts"):
        for folder in ("versions", "confirmations"):
            yield from (path for n, path, _ in entries(store._fs, f"artifacts/{artifact}/{folder}") if n)
