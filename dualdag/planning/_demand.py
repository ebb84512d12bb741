"""From what is known to what is done: which digests and values are wanted, users before inputs."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from dualdag.graph import Graph
from dualdag.planning._lookup import Known

__all__ = ["CHECK", "PINNED", "REUSE", "RUN", "Decisions", "Why", "decide"]

REUSE, RUN, CHECK, PINNED = 1, 2, 3, 4

# What a node's users want of it.  PERHAPS: its value, should one of them turn out to run.
PERHAPS, DIGEST, VALUE = 1, 2, 4
_IS_VALUE = bytes(int(want >= VALUE) for want in range(256))


class Why:
    """Codes of reasons; the sentences are made when someone reads them."""

    FOUND, BY_INPUTS, FORCED, NEVER, NO_FIT, VALUE, UNKNOWN, PERHAPS, PINNED = range(1, 10)


@dataclass(slots=True)
class Decisions:
    """What is done about each node, by position.

    Parameters
    ----------
    actions : bytearray
        0 for what is not listed.
    why : bytearray
        Codes of reasons.
    wanted : bytearray
        1 where the value is wanted, not only the digest.
    wanted_by : dict of int to int
        Of nodes with a record: a user that wants the value, one that runs for sure if there is any.
    renewed : set of int
        Nodes that run for their value and are not sure to give the same again.
    """

    actions: bytearray
    why: bytearray
    wanted: bytearray = field(default_factory=bytearray)
    wanted_by: dict[int, int] = field(default_factory=dict)
    renewed: set[int] = field(default_factory=set)


def decide(
    graph: Graph,
    known: Known,
    roots: list[int],
    *,
    pins: Container[int],
    forced: Container[int],
    hidden: Container[int],
    unstable: Callable[[int], bool],
) -> Decisions:
    """Say for each node that matters whether it is reused, pinned, run or checked.

    One pass from the roots: what a node's users want is settled before it is met.

    Parameters
    ----------
    graph : Graph
        What is planned.
    known : Known
        What the look-ups found.
    roots : list of int
        What is asked for, besides the targets.
    pins : container of int
        Pinned artifacts.
    forced : container of int
        What refresh names.
    hidden : container of int
        Nodes that run whatever the store says: those of `forced`, and unstable ones without a value.
    unstable : callable
        Takes a position; whether that node may give other bytes when it is run again.
    """
    inputs, nodes, records = graph.inputs, graph.nodes, known.records
    need = bytearray(len(inputs))
    made = Decisions(bytearray(len(inputs)), bytearray(len(inputs)))
    actions, why = made.actions, made.why
    for i in (*roots, *graph.targets):
        need[i] = VALUE
    for i in range(max((*roots, *graph.targets), default=-1), -1, -1):
        want = need[i]
        if not want or (not inputs[i] and nodes[i]._op.kind != "call"):
            continue
        if i in pins:
            action, reason = PINNED, Why.PINNED
        elif i in hidden:
            action, reason = RUN, Why.FORCED if i in forced else Why.VALUE
        elif i in records:
            action, reason = _recorded(i, want, known)
            if reason == Why.VALUE and unstable(i):
                made.renewed.add(i)
        else:
            action, reason = _unrecorded(i, want, known, inputs[i])
        actions[i], why[i] = action, reason
        if action == RUN or action == CHECK:
            _pass_on(graph, i, action, reason, need)
            if records:
                _note_users(i, inputs[i], action, made, records)
    made.wanted = need.translate(_IS_VALUE)
    return made


def _recorded(i: int, want: int, known: Known) -> tuple[int, int]:
    if known.present[i] or want == DIGEST:
        return REUSE, Why.BY_INPUTS if i in known.aliases else Why.FOUND
    return (RUN, Why.VALUE) if want >= VALUE else (CHECK, Why.PERHAPS)


def _unrecorded(i: int, want: int, known: Known, inputs: tuple[int, ...]) -> tuple[int, int]:
    if want == PERHAPS:
        return CHECK, Why.PERHAPS
    if known.fresh[i]:
        return RUN, Why.NEVER
    sure = known.sure
    return (RUN, Why.NO_FIT) if all([sure[j] for j in inputs]) else (CHECK, Why.UNKNOWN)


def _pass_on(graph: Graph, i: int, action: int, reason: int, need: bytearray) -> None:
    """Add what the node at `i` wants of its inputs; of those it only runs after, never the value."""
    inputs = graph.inputs[i]
    extra = graph.extras.get(i)
    count = len(inputs) - extra.after if extra is not None else len(inputs)
    value = VALUE if action == RUN else PERHAPS if reason == Why.PERHAPS else PERHAPS | DIGEST
    for j in inputs[:count]:
        need[j] |= value
    for j in inputs[count:]:
        need[j] |= PERHAPS if reason == Why.PERHAPS else DIGEST


def _note_users(i: int, inputs: tuple[int, ...], action: int, made: Decisions, records: Container[int]) -> None:
    for j in inputs:
        if j in records and (action == RUN or j not in made.wanted_by):
            made.wanted_by[j] = i
