"""Artifacts with their lineage, from one store to another.

The order is that of a run: objects, records, then the version that leads to them.  All of it is put if absent, so a
copy that was killed goes on where it was when it is begun again.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from dualdag.errors import CodecError, CorruptObjectError, StoreError
from dualdag.store._fs import shown
from dualdag.store._leases import Lease, default_seconds
from dualdag.store._mark import addresses, lineage_of

if TYPE_CHECKING:
    from dualdag.store._facts import Record, Version
    from dualdag.store._store import Store

__all__ = ["Copied", "copy"]

#: Keys looked up, and objects looked for, at once.
_PAGE = 500
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Parameters
    ----------
    artifacts : tuple of str
        Names, those above the ones that were asked for too.
    versions, records, objects : int
        How many of each.
    nbytes : int
        Bytes of the objects.
    there : int
        How many versions and objects were there already.
    lost : int
        Objects of results between that are gone from the original, or damaged there; runs make them again.
    """

    artifacts: tuple[str, ...] = ()
    versions: int = 0
    records: int = 0
    objects: int = 0
    nbytes: int = 0
    there: int = 0
    lost: int = 0


class _Copying:
    """A copy that goes on."""

    def __init__(self, source: Store, target: Store, progress: Callable[[int, int], None] | None) -> None:
        self.source = source
        self.target = target
        self.progress = progress or (lambda *_: None)
        self.wanted: list[Version] = []
        self._here: set[str] | None = None
        #: Objects that are known to be there.
        self.met: set[bytes] = set()
        self.count = dict.fromkeys(("versions", "records", "objects", "nbytes", "there", "lost"), 0)

    # What is to be copied.

    def chosen(self, names: Sequence[str], number: int | None, every: bool) -> dict[str, list[Version]]:
        """Return the versions of each name, the oldest first; with those of artifacts above them."""
        found: dict[str, list[Version]] = {}
        for name in dict.fromkeys(names or self.source._artifacts.names()):
            if every and number is None:
                found[name] = list(reversed(self.source._artifacts.versions(name)))
            else:
                found[name] = [self.source.version(name, number)]
        asked = set(found)
        todo = list(itertools.chain.from_iterable(found.values()))
        while todo:
            version = todo.pop()
            for above in self._above(version, asked):
                known = found.setdefault(above.name, [])
                if above not in known:
                    known.append(above)
                    known.sort(key=lambda one: one.number)
                    todo.append(above)
        self.wanted = list(itertools.chain.from_iterable(found.values()))
        return {name: self._new(name, versions, name in asked) for name, versions in found.items()}

    def _above(self, version: Version, asked: Set[str]) -> Iterator[Version]:
        """Yield the versions of other artifacts that a version was made from, as far as they are there."""
        made_of = lineage_of(self.source, version)
        told: Mapping[str, Any] = made_of.get("artifacts") or {}
        digests = {name: one.get("digest") for name, one in told.items()} or made_of.get("inputs", {})
        if digests and self._here is None:
            self._here = set(self.source._artifacts.names())
        for name in (digests.keys() - asked) & (self._here or set()):
            versions = self.source._artifacts.readable(name)
            found = next((one for one in versions if one.digest.hex() == digests[name]), None)
            if found is not None:
                yield found

    def _new(self, name: str, versions: list[Version], asked: bool) -> list[Version]:
        """Return those that are not there yet; they must come after what is there."""
        there = list(self.target._artifacts.readable(name))
        known = {_same(one) for one in there}
        newest = there[0] if there else None
        new = [one for one in versions if _same(one) not in known]
        self.count["there"] += len(versions) - len(new)
        late = self._late(name, new, newest)
        if late and asked and newest is not None:
            raise StoreError(
                f"store {shown(self.target.url)} has a version of {name!r} (number {newest.number}) that is newer "
                f"than version {late[-1].number} of {shown(self.source.url)}, which would become the newest there. "
                "Copy a newer one with --version, name other artifacts, or copy into another store."
            )
        return [one for one in new if one not in late]

    def _late(self, name: str, new: Sequence[Version], newest: Version | None) -> list[Version]:
        """Return those that are older than the newest one there: as they are numbered here, else by their times."""
        if newest is None or not new:
            return []
        ours = next((one.number for one in self.source._artifacts.readable(name) if _same(one) == _same(newest)), 0)
        return [one for one in new if (one.number < ours if ours else one.created < newest.created)]

    # Objects.

    def objects(self, wanted: Iterable[tuple[bytes, bool]]) -> None:
        """Copy objects, each with whether it must be there."""
        rest = iter(wanted)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="dualdag copy") as pool:
            going: set[Future[int]] = set()
            try:
                while page := list(itertools.islice(rest, _PAGE)):
                    asked = {one: must for one, must in page if len(one) == 32 and one not in self.met}
                    there = self._whole(asked)
                    self.met |= there
                    self.count["there"] += len(there)
                    for address in asked.keys() - there:
                        going.add(pool.submit(self._object, address, asked[address]))
                        if len(going) >= 2 * _THREADS:
                            going = self._done(going)
                while going:
                    going = self._done(going)
            except BaseException:
                for one in going:
                    one.cancel()
                raise

    def _whole(self, addresses: Iterable[bytes]) -> set[bytes]:
        """Return those that are there, and not with fewer bytes than they have here: a copy may have been killed."""
        theirs = self.target._objects.sizes(addresses)
        ours = self.source._objects.sizes(theirs)
        return {address for address, size in theirs.items() if ours.get(address, size) == size}

    def _done(self, going: set[Future[int]]) -> set[Future[int]]:
        done, rest = wait(going, return_when=FIRST_COMPLETED)
        for one in done:
            nbytes = one.result()
            if nbytes < 0:
                self.count["lost"] += 1
                continue
            self.count["objects"] += 1
            self.count["nbytes"] += nbytes
        self.progress(self.count["objects"], self.count["nbytes"])
        return rest

    def _object(self, address: bytes, must: bool) -> int:
        try:
            nbytes = self.target._objects.take(self.source._objects, address)
        except CorruptObjectError:
            if must:
                raise
            return -1
        self.met.add(address)
        return nbytes

    # Records.

    def records(self, keys: Sequence[bytes]) -> None:
        """Copy what is in force of keys, with the objects that it names."""
        for start in range(0, len(keys), _PAGE):
            asked = list(dict.fromkeys(keys[start : start + _PAGE]))
            found = {key: self._allowed(record) for key, record in self.source.records(asked).items()}
            self.objects((one.checksum, False) for one in found.values() if one.checksum is not None)
            there = self.target.records(asked)
            new = {key: one for key, one in found.items() if not _known(there.get(key), one)}
            own = {id(one): one for key, one in new.items() if key == one.trace}
            further = [(key, one) for key, one in new.items() if id(one) not in own]
            if new:
                self.target.put_records(list(own.values()), further)
                self.count["records"] += len(new)
            self._supersede(found)

    def _takes(self, codec: str) -> bool:
        from dualdag.store._codecs import is_safe

        return self.target.payload != "safe" or is_safe(codec)

    def _allowed(self, record: Record) -> Record:
        if record.codec and not self._takes(record.codec):
            return msgspec.structs.replace(record, checksum=None, codec="", kept=False)
        return record

    def _supersede(self, found: Mapping[bytes, Record]) -> None:
        """Let what a refresh put in force be so there too: else the keys below it would be others."""
        late, there = self.source.superseded(), self.target.superseded()
        for record in {one.action: one for key, one in found.items() if key in late or one.action in late}.values():
            if record.action not in there:
                self.target.supersede(record)

    def further(self) -> None:
        """Copy what else gave the value of a version: arguments, or inputs, that made no difference to it."""
        wanted = {(one.digest, one.function) for one in self.wanted}
        for keys in self.source._records.pages() if wanted else ():
            found = self.source.records(keys)
            self.records([key for key, one in found.items() if (one.digest, one.function) in wanted])

    # Versions.

    def version(self, version: Version) -> None:
        """Copy a version with all that leads to it."""
        if not self._takes(version.codec):
            raise CodecError(
                f"version {version.number} of {version.name!r} is stored as {version.codec}, whose bytes can run code, "
                f'and {shown(self.target.url)} was opened with payload="safe", which takes no such thing.'
            )
        self.objects((one, True) for one in addresses(version))
        made_of = lineage_of(self.source, version)
        self.records([version.trace, version.action, *map(bytes.fromhex, made_of.get("lineage", ()))])
        self.target._artifacts.add(version, at_least=version.number)
        self.count["versions"] += 1

    def confirmation(self, name: str) -> None:
        """Copy the newest confirmation, if it is of the version that is the newest in both."""
        ours, theirs = (next(store._artifacts.readable(name), None) for store in (self.source, self.target))
        found = self.source.last_confirmed(name)
        if ours is None or theirs is None or _same(ours) != _same(theirs) or found is None:
            return
        before = self.target.last_confirmed(name)
        if found.version == ours.number and (before is None or before.created < found.created):
            self.target.confirm(msgspec.structs.replace(found, version=theirs.number))


def _in_order(chosen: Mapping[str, Sequence[Version]]) -> list[Version]:
    """Return versions by their times; of one artifact by their numbers, whatever clocks said."""
    found = []
    for versions in chosen.values():
        times = itertools.accumulate((one.created for one in versions), max)
        found += [(time, one.name, one.number, one) for time, one in zip(times, versions, strict=True)]
    return [row[-1] for row in sorted(found, key=lambda row: row[:3])]


def _same(version: Version) -> tuple[Any, ...]:
    return version.digest, version.checksum, version.trace, version.created, version.run


def _known(there: Record | None, record: Record) -> bool:
    """Say whether the other store knows as much; if it holds another result, that one stays."""
    return there is not None and (
        there.digest != record.digest or there.checksum is not None or record.checksum is None
    )


def copy(
    source: Store,
    target: Store,
    names: Sequence[str],
    *,
    version: int | None,
    all_versions: bool,
    progress: Callable[[int, int], None] | None,
) -> Copied:
    """Copy artifacts with their lineage to another store.

    Parameters
    ----------
    source, target : Store
        From where, and where to.
    names : sequence of str
        Of artifacts; none means all.
    version : int or None
        Which; the newest by default.
    all_versions : bool
        Whether to copy all of them.
    progress : callable or None
        Told how many objects were copied, and their bytes.
    """
    if source._index_places() is None:
        raise StoreError(f"there is no store at {shown(source.url)}, so nothing can be copied from there.")
    source.refresh()
    target.refresh()
    copying = _Copying(source, target, progress)
    chosen = copying.chosen(names, version, all_versions)
    target._may_write()
    for task in source.unstable() - target.unstable():
        target.mark_unstable(task)
    # What goes on there knows by the journal and the lease that its objects are not garbage.
    run_id = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + uuid.uuid4().hex[:8]
    journal = target.start_run(run_id, {"copy of": shown(source.url), "artifacts": list(chosen)})
    lease = Lease(target._fs, run_id, default_seconds(target._fs), target._sealer)
    status = "failed"
    try:
        for one in _in_order(chosen):
            copying.version(one)
        copying.further()
        for name in chosen:
            copying.confirmation(name)
        status = "done"
    finally:
        lease.close()
        journal.close(status)
    return Copied(tuple(sorted(chosen)), **copying.count)
