"""Later facts about a key, which outrank what the batches say."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from dualdag.errors import CorruptObjectError, UntrustedRecordError
from dualdag.store._facts import Batch, Fact, Record
from dualdag.store._fs import FileSystem, shown
from dualdag.store._index import Index
from dualdag.store._possible import is_possible
from dualdag.store._sealer import UNSIGNED, Sealer, warn_of_refused

__all__ = ["Superseding"]

_NAME = re.compile(r"([0-9a-f]{40,64})-([0-9]{6,18})", re.ASCII)
#: Stands for the digest of a fact that can't be read: users of the key must not find what the older fact gave.
_UNREADABLE = b"unreadable"


def _path(key: bytes, number: int) -> str:
    return f"facts/{key.hex()}-{number:06d}"


class Superseding:
    """The superseding facts of a store.

    Facts of a result are written under its action key and then under its trace key.  Two writers at once
    may come first under one key each, and a result has further trace keys, which only batches tell of: so
    a trace key follows what the action key of its newest fact or, without any, of its record says, and all
    agree.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    index : Index
        Remembers those that were read.
    lookups : Counter
        Counts listings.
    sealer : Sealer, optional
        Signs what is written and checks what is read.
    """

    def __init__(self, fs: FileSystem, index: Index, lookups: Counter[str], sealer: Sealer = UNSIGNED) -> None:
        self._fs = fs
        self._index = index
        self._lookups = lookups
        self._sealer = sealer
        self._warned: set[str] = set()
        self._newest: dict[bytes, int] = {}
        self._read: dict[bytes, tuple[int, Record, int]] | None = None
        #: The action key that a trace key follows, and the other way round.
        self._followed: dict[bytes, bytes] = {}
        self._followers: dict[bytes, set[bytes]] = {}
        #: Action keys whose further trace keys were looked for.
        self._looked: set[bytes] = set()
        self._digests: dict[bytes, bytes] | None = None
        #: Keys whose newest fact can't be read.
        self._lost: set[bytes] = set()

    def refresh(self) -> None:
        """Look again at the next question."""
        self._digests = None

    def digests(self) -> Mapping[bytes, bytes]:
        """Return the digest in force of every key that was superseded."""
        if self._digests is None:
            self._list()
            self._fill()
            self._digests = {}
            self.look_for_names(self._newest.keys())
            for key in self._newest:
                self._tell(self._digests, key)
                for name in self._followers.get(key, ()):
                    self._tell(self._digests, name)
        return self._digests

    def _tell(self, digests: dict[bytes, bytes], key: bytes) -> None:
        record = self._in_force(key)
        digests[key] = record.digest if record is not None else _UNREADABLE

    def look_for_names(self, actions: Set[bytes]) -> None:
        """Let the trace keys of these actions follow them."""
        new = actions - self._looked
        if new:
            names = self._index.names(new)
            self._looked |= new
            self._name(names)

    def learn(self, batches: Iterable[Batch]) -> None:
        """Let the trace keys in new batches follow superseded actions."""
        if not self._looked:
            return
        named: list[bytes] = []
        for batch in batches:
            named += [record.trace for record in batch.records if record.action in self._looked]
            named += [trace for trace, record in batch.aliases if record.action in self._looked]
        if named:
            # The first record of a key is the one in force, whatever a later batch says.
            self._name(self._index.find(named))

    def _name(self, names: Mapping[bytes, Record]) -> None:
        for key, record in names.items():
            if key not in self._newest and record.action in self._looked:
                self._follow(key, record.action)
                if self._digests is not None and record.action in self._newest:
                    self._tell(self._digests, key)

    def overlay(self, keys: Sequence[bytes], found: dict[bytes, Record]) -> None:
        """Put what is in force of superseded keys into `found`; take out what can't be read."""
        superseded = self.digests()
        if not superseded:
            return
        # Whatever a damaged index tells of names: what shares a superseded action follows it.
        self._name({key: one for key, one in found.items() if key not in superseded and one.action in self._newest})
        for key in keys if len(keys) < len(superseded) else superseded.keys() & set(keys):
            if key in superseded:
                record = self._in_force(key)
                if record is not None:
                    found[key] = record
                else:
                    found.pop(key, None)

    def add(self, record: Record) -> None:
        """Write the next fact under the action key and the trace key; `digests` was asked before."""
        self._write(record, (record.action, record.trace))

    def mend(self, named: Iterable[tuple[bytes, Record]]) -> None:
        """Write the next fact of keys whose newest can't be read: else they would count as absent for ever.

        Parameters
        ----------
        named : iterable of (bytes, Record)
            Trace keys, and what is in force for their action keys.
        """
        for trace, record in named if self._lost else ():
            lost = [key for key in (record.action, trace) if key in self._lost]
            if lost:
                self._write(msgspec.structs.replace(record, trace=trace), lost)

    def _write(self, record: Record, keys: Iterable[bytes]) -> None:
        assert self._digests is not None  # noqa: S101 - it was asked before
        for key in dict.fromkeys(keys):
            number = self._newest.get(key, 0) + 1
            while True:
                of_action = number if key == record.action else self._newest.get(record.action, 0)
                if self._put(_path(key, number), Fact(record, of_action)):
                    break
                number += 1
            self._newest[key] = number
            self._lost.discard(key)
            self._take(key, number, Fact(record, of_action))
        for key in (record.action, *self._followers.get(record.action, ())):
            self._tell(self._digests, key)

    def _put(self, path: str, fact: Fact) -> bool:
        return self._fs.put_if_absent(path, [self._sealer.seal(fact, path)])

    def _take(self, key: bytes, number: int, fact: Fact) -> None:
        assert self._read is not None  # noqa: S101 - filled before
        self._read[key] = number, fact.record, fact.action_number
        self._index.add_facts({key: self._read[key]})
        self._follow(key, fact.record.action)

    def _follow(self, key: bytes, action: bytes) -> None:
        before = self._followed.get(key)
        if key != action and before != action:
            if before is not None:
                self._followers[before].discard(key)
            self._followed[key] = action
            self._followers.setdefault(action, set()).add(key)

    def _list(self) -> None:
        self._lookups["listings"] += 1
        newest: dict[bytes, int] = {}
        for name in self._fs.names("facts"):
            match = _NAME.fullmatch(name)
            if match is not None and len(match[1]) % 2 == 0:
                key, number = bytes.fromhex(match[1]), int(match[2])
                newest[key] = max(newest.get(key, 0), number)
        self._newest = newest

    def _fill(self) -> None:
        """Read the newest facts that were not read before."""
        if self._read is None:
            found = self._index.facts() if self._newest or self._sealer.keys else {}
            # What the index remembers of a store that was put back from a copy may be ahead of it.
            self._read = {key: fact for key, fact in found.items() if fact[0] == self._newest.get(key)}
            self._tell_of_older(found)
            for key, (_, record, _) in self._read.items():
                self._follow(key, record.action)
        known = self._read
        asked = [(key, number) for key, number in self._newest.items() if known.get(key, (0,))[0] != number]
        datas = self._fs.get_many([_path(key, number) for key, number in asked])
        self._lost = set()
        refused: list[UntrustedRecordError] = []
        for (key, number), data in zip(asked, datas, strict=True):
            made = self._unsealed(key, number, data or b"", refused)
            if made is not None:
                self._take(key, number, made)
            else:
                self._lost.add(key)
        warn_of_refused(refused, self._fs.url, "superseding facts")

        self._miss()

    def _miss(self) -> None:
        """Count action keys as lost whose newest fact was taken away: a fact of a trace key tells of it."""
        assert self._read is not None  # noqa: S101 - filled before
        for key, (number, record, of_action) in list(self._read.items()):
            if number == self._newest.get(key) and of_action > self._newest.get(record.action, 0):
                self._newest[record.action] = of_action
                self._lost.add(record.action)
                self._warn(_path(record.action, of_action), f"{_path(record.action, of_action)} is gone.")

    def _tell_of_older(self, known: Mapping[bytes, tuple[int, Record, int]]) -> None:
        if self._sealer.keys and any(fact[0] > self._newest.get(key, 0) for key, fact in known.items()):
            warnings.warn(
                f"store {shown(self._fs.url)}: later facts about some results were seen here than there are now. It "
                "was put back from a copy, or somebody took facts away, which signatures can't tell.",
                stacklevel=2,
            )

    def _unsealed(self, key: bytes, number: int, data: bytes, refused: list[UntrustedRecordError]) -> Fact | None:
        path = _path(key, number)
        told = f"{path} tells of another key."
        try:
            fact = self._sealer.unseal(data, Fact, path)
        except UntrustedRecordError as error:
            refused += [error] if path not in self._warned else []
            self._warned.add(path)
        except CorruptObjectError as error:
            told = str(error)
        else:
            if is_possible(fact, path):
                return fact
        self._warn(path, told)
        return None

    def _warn(self, path: str, told: str) -> None:
        if path not in self._warned:
            self._warned.add(path)
            # Never the older fact: that one was replaced for a reason.
            warnings.warn(
                f"store {shown(self._fs.url)}: {told} Its result counts as not there and will be made again.",
                stacklevel=2,
            )

    def _in_force(self, key: bytes) -> Record | None:
        if key in self._lost:
            return None
        action = self._followed.get(key, key)
        return self._of(action if action in self._newest else key)

    def _of(self, key: bytes) -> Record | None:
        assert self._read is not None  # noqa: S101 - filled before anything is asked
        number, record, _ = self._read.get(key, (0, None, 0))
        return record if number == self._newest[key] else None
