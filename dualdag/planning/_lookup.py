"""Looking up what the store knows, in batches: by trace key from the roots up, by action key back down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING

from dualdag.graph import Graph
from dualdag.hashing import action_key

if TYPE_CHECKING:
    from dualdag.store import Record, Store, Version

__all__ = ["Known", "look_up"]

# Fronts this near to the roots are asked for as they are; farther up, a graph that is deep and
# narrow would cost one look-up per node, so what lies above the front is asked for with it.
_EXACT_FRONTS = 8


class Known:
    """What the look-ups found, by position.

    Parameters
    ----------
    graph : Graph
        What is planned.

    Attributes
    ----------
    records : dict of int to Record
        The record in force of each node whose digest is known by one.
    aliases : dict of int to Record
        Those of them found by action key only: their trace key is not recorded yet.
    present : bytearray
        1 where the object of the record is there.
    sure : bytearray
        1 where the digest is known: by a record, as an input, or as a pinned artifact.
    fresh : bytearray
        1 where no result of the same function and arguments was ever recorded.
    visited : bytearray
        1 for all that was looked at.
    seconds : dict of bytes to float
        What nodes of the same function and arguments took, by their hash.
    """

    __slots__ = ("aliases", "fresh", "present", "records", "seconds", "sure", "visited")

    def __init__(self, graph: Graph) -> None:
        count = len(graph.nodes)
        self.records: dict[int, Record] = {}
        self.aliases: dict[int, Record] = {}
        self.seconds: dict[bytes, float] = {}
        self.present = bytearray(count)
        self.sure = bytearray(count)
        self.fresh = bytearray(count)
        self.visited = bytearray(count)


def look_up(
    graph: Graph,
    store: Store,
    roots: list[int],
    traces: list[bytes | None],
    *,
    pins: Mapping[int, Version],
    files: Mapping[int, bytes],
    hidden: Set[int],
) -> Known:
    """Ask the store about the roots and, as far as they are not there, about what lies above.

    Parameters
    ----------
    graph : Graph
        What is planned.
    store : Store
        Knows records and objects.
    roots : list of int
        What is asked for.
    traces : list of bytes or None
        Trace keys by position.
    pins : mapping of int to Version
        Where the walk ends.
    files : mapping of int to bytes
        Digests of the files that are known.
    hidden : set of int
        Nodes that run whatever the store says.
    """
    looker = _Looker(graph, store, traces, pins, files, hidden)
    looker.up(roots)
    looker.down()
    return looker.known


class _Looker:
    def __init__(
        self,
        graph: Graph,
        store: Store,
        traces: list[bytes | None],
        pins: Mapping[int, Version],
        files: Mapping[int, bytes],
        hidden: Set[int],
    ) -> None:
        self.graph = graph
        self.store = store
        self.traces = traces
        self.pins = pins
        self.files = files
        self.hidden = hidden
        self.known = Known(graph)
        self.asked = bytearray(len(graph.nodes))
        self.owns_asked: set[bytes] = set()
        self.owns_known = self.known.seconds
        self.missed: list[int] = []

    def up(self, roots: list[int]) -> None:
        """Look up fronts of nodes by trace key, until each is there or an input."""
        inputs, nodes, known = self.graph.inputs, self.graph.nodes, self.known
        visited, sure, present = known.visited, known.sure, known.present
        pins, files = self.pins, self.files
        front = roots
        for i in roots:
            visited[i] = 1
        depth = opened = 0
        while front:
            self._ask(front, opened if depth > _EXACT_FRONTS else 0, first=depth == 0)
            depth += 1
            above: list[int] = []
            for i in front:
                if present[i]:
                    continue
                opened += 1
                for j in inputs[i]:
                    if visited[j]:
                        continue
                    visited[j] = 1
                    if inputs[j]:
                        if j in pins:
                            sure[j] = 1
                        else:
                            above.append(j)
                    elif nodes[j]._op.kind == "call" and j not in pins:
                        above.append(j)
                    else:
                        sure[j] = j in pins or j in files or nodes[j]._op.kind == "value"
            front = above

    def down(self) -> None:
        """Look up by action key what was not there by trace key and whose inputs' digests are known."""
        known, inputs = self.known, self.graph.inputs
        sure = known.sure
        left = {i for i in self.missed if not known.fresh[i]}
        ready = [i for i in left if all([sure[j] for j in inputs[i]])]
        users: dict[int, list[int]] | None = None
        while ready:
            hits = self._ask_actions(ready)
            left.difference_update(ready)
            if not hits or not left:
                break
            if users is None:
                users = _users(left, inputs)
            near = {user for i in hits for user in users.get(i, ())}
            ready = [i for i in near if i in left and all([sure[j] for j in inputs[i]])]
        self._ask_objects(known.aliases)

    def _ask(self, front: list[int], ahead: int, *, first: bool) -> None:
        """Look up a front, and as many as `ahead` of what lies above it, by own part and trace key."""
        asked, known, traces, hidden = self.asked, self.known, self.traces, self.hidden
        batch = [i for i in front if not asked[i]]
        if not batch:
            return
        for i in batch:
            asked[i] = 1
        if ahead:
            batch += self._above(batch, ahead)
        if not first:
            self._ask_owns(batch)
        fresh = known.fresh
        keys = {i: key for i in batch if (key := traces[i]) is not None and not fresh[i] and i not in hidden}
        found = self.store.records(keys.values()) if keys else {}
        if found:
            got = {i: found[key] for i, key in keys.items() if key in found}
            known.records.update(got)
            for i in got:
                known.sure[i] = 1
            self._ask_objects(got)
        if first:
            self._ask_owns([i for i in batch if i not in known.records])
        self.missed += [i for i in keys if i not in known.records]

    def _above(self, batch: list[int], count: int) -> list[int]:
        """Return about `count` nodes above the batch that were not asked for, the nearest first."""
        asked, inputs, nodes, pins = self.asked, self.graph.inputs, self.graph.nodes, self.pins
        queue = list(batch)
        most = len(batch) + count
        for i in queue:
            if len(queue) >= most:
                break
            for j in inputs[i]:
                if not asked[j] and j not in pins and (inputs[j] or nodes[j]._op.kind == "call"):
                    asked[j] = 1
                    queue.append(j)
        return queue[len(batch) :]

    def _ask_owns(self, batch: Iterable[int]) -> None:
        nodes, fresh = self.graph.nodes, self.known.fresh
        unasked = {nodes[i]._own for i in batch} - self.owns_asked
        if unasked:
            self.owns_asked |= unasked
            self.owns_known.update(self.store.durations(unasked))
        there = self.owns_known
        for i in batch:
            if nodes[i]._own not in there:
                fresh[i] = 1

    def _ask_actions(self, ready: list[int]) -> list[int]:
        nodes, known = self.graph.nodes, self.known
        keys = {i: action_key(nodes[i]._own, map(self._digest, self.graph.inputs[i])) for i in ready}
        found = self.store.records(keys.values())
        hits = {i: found[key] for i, key in keys.items() if key in found}
        known.records.update(hits)
        known.aliases.update(hits)
        for i in hits:
            known.sure[i] = 1
        return list(hits)

    def _ask_objects(self, records: Mapping[int, Record]) -> None:
        sums = {r.checksum for r in records.values() if r.checksum is not None}
        there = self.store.has_objects(sums) if sums else set()
        present = self.known.present
        for i, record in records.items():
            if record.checksum in there:
                present[i] = 1

    def _digest(self, i: int) -> bytes:
        record = self.known.records.get(i)
        if record is not None:
            return record.digest
        return known_digest(self.graph, i, self.pins, self.files)


def known_digest(graph: Graph, i: int, pins: Mapping[int, Version], files: Mapping[int, bytes]) -> bytes:
    """Return the digest of an input or pinned artifact that is known."""
    pin = pins.get(i)
    if pin is not None:
        return pin.digest
    node = graph.nodes[i]
    digest: bytes = node._args[1] if node._op.kind == "value" else files[i]
    return digest


def _users(left: Set[int], inputs: list[tuple[int, ...]]) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for i in left:
        for j in inputs[i]:
            users.setdefault(j, []).append(i)
    return users
