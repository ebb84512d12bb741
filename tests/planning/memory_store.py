"""A store in memory with the look-ups that planning makes, and the writes that a run makes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Record:
    own: bytes
    trace: bytes
    action: bytes
    digest: bytes
    checksum: bytes | None = None


@dataclass(frozen=True, slots=True)
class Version:
    name: str
    number: int
    digest: bytes
    checksum: bytes
    trace: bytes
    own_part: bytes
    created: float


@dataclass(frozen=True, slots=True)
class Confirmation:
    name: str
    version: int
    created: float
    trace: bytes
    own_part: bytes


class MemoryStore:
    """Facts by action key; a trace key is another name of an action key."""

    def __init__(self):
        self.facts: dict[bytes, list[Record]] = {}
        self.names: dict[bytes, bytes] = {}
        self.objects: set[bytes] = set()
        self.history: dict[str, list[Version]] = {}
        self.confirmed: dict[str, Confirmation] = {}
        self.marked: set[bytes] = set()
        self.damaged: set[str] = set()
        self.parts: dict[str, object] = {}  # own parts of artifacts as last made, spelled out
        self.lookups = Counter()
        self.asked: list[list[bytes]] = []
        self.log: dict[bytes, bytes] = {}  # action key -> digest of what was last made under it

    def _in_force(self, key):
        facts = self.facts.get(self.names.get(key, key))
        return facts[-1] if facts else None

    # What planning asks.

    def records(self, keys):
        keys = list(keys)
        self.asked.append(keys)
        self.lookups["records"] += len(keys)
        return {key: found for key in keys if (found := self._in_force(key)) is not None}

    def durations(self, owns):
        known = {record.own for facts in self.facts.values() for record in facts}
        return dict.fromkeys(known.intersection(owns), 0.0)

    def has_objects(self, checksums):
        return set(checksums) & self.objects

    def superseded(self):
        self.lookups["superseded"] += 1
        late = {a: facts[-1].digest for a, facts in self.facts.items() if len({f.digest for f in facts}) > 1}
        return {**late, **{t: late[a] for t, a in self.names.items() if a in late}}

    def unstable(self):
        self.lookups["unstable"] += 1
        return set(self.marked)

    def latest(self, name):
        from dualdag.errors import CorruptObjectError

        self.lookups["latest"] += 1
        if name in self.damaged:
            raise CorruptObjectError(f"version of {name}")
        return self.history[name][-1] if self.history.get(name) else None

    def last_confirmed(self, name):
        return self.confirmed.get(name)

    def all_actions(self):
        return set(self.facts)

    def snapshot(self):
        facts = {action: tuple(found) for action, found in self.facts.items()}
        history = {name: tuple(found) for name, found in self.history.items()}
        return facts, dict(self.names), set(self.objects), history, dict(self.confirmed), set(self.marked)

    # What a run writes.

    def put_record(self, record, *, keep=False):
        """Record a result unless there is one; return the one in force."""
        if keep:
            self.objects.add(record.checksum)
        known = self._in_force(record.trace) or self._in_force(record.action)
        if known is None:
            self.facts[record.action] = [record]
            known = record
        elif known.checksum is None and record.checksum is not None and known.digest == record.digest:
            known = replace(known, checksum=record.checksum)
            self.facts[known.action][-1] = known
        self.names.setdefault(record.trace, known.action)
        return known

    def supersede(self, record):
        self.objects.add(record.checksum)
        self.facts.setdefault(record.action, []).append(record)
        self.names[record.trace] = record.action
        return record

    def mark_unstable(self, fingerprint):
        self.marked.add(fingerprint)

    def add_version(self, version):
        history = self.history.setdefault(version.name, [])
        history.append(replace(version, number=len(history) + 1))
        return history[-1]

    def confirm(self, confirmation):
        self.confirmed[confirmation.name] = confirmation
