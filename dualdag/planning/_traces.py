"""Trace keys, inputs first: what a node is made of, with files by content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from hashlib import blake2b

from dualdag.graph import Graph
from dualdag.hashing import hash_key

__all__ = ["effective_key", "trace_keys"]

Keys = list[bytes | None]


def effective_key(trace: bytes, superseded: Mapping[bytes, bytes]) -> bytes:
    """Return what stands for a node in the trace keys of its users.

    Parameters
    ----------
    trace : bytes
        The node's trace key.
    superseded : mapping of bytes to bytes
        Every superseded key, with the latest digest.

    Returns
    -------
    bytes
        The trace key while only its first fact exists; else another that follows the latest digest,
        so that users miss and go by their action keys.
    """
    digest = superseded.get(trace)
    return trace if digest is None else hash_key(b"superseded", trace, digest)


def trace_keys(
    graph: Graph,
    reached: bytearray | None,
    given: Mapping[int, bytes | None],
    hidden: Set[int],
    superseded: Mapping[bytes, bytes],
) -> tuple[Keys, Keys]:
    """Return trace keys and effective trace keys by position; None where not known yet.

    Parameters
    ----------
    graph : Graph
        What is planned.
    reached : bytearray or None
        1 for what is looked at; None for all.
    given : mapping of int to bytes or None
        Keys of files and pinned artifacts; None for a file whose content is not known.
    hidden : set of int
        Nodes whose value will be another when they have run: nothing below them is known.
    superseded : mapping of bytes to bytes
        Every superseded key, with the latest digest.
    """
    nodes, inputs = graph.nodes, graph.inputs
    effective: Keys = [None] * len(nodes)
    apart: dict[int, bytes | None] = {}
    first = _plain_until(given, hidden, superseded, len(nodes))
    if first:
        effective[:first] = [node._key for node in nodes[:first]]
    for i in _positions(reached, first, len(nodes)):
        if i in given:
            effective[i] = given[i]
            continue
        try:
            # What hashing.combine does, written out: this line runs once per node of every plan.
            key = blake2b(
                nodes[i]._own + b"".join([effective[j] for j in inputs[i]]),  # type: ignore[misc]
                digest_size=20,
            ).digest()
        except TypeError:  # an input has no key yet
            continue
        if key in superseded or i in hidden:
            apart[i] = key
            effective[i] = None if i in hidden else effective_key(key, superseded)
        else:
            effective[i] = key
    if not apart:
        return effective, effective
    traces = effective.copy()
    for i, trace in apart.items():
        traces[i] = trace
    return traces, effective


def _plain_until(
    given: Mapping[int, bytes | None], hidden: Set[int], superseded: Mapping[bytes, bytes], count: int
) -> int:
    """Return up to where trace keys are node keys: no file, pinned or superseded node is above."""
    if superseded:
        return 0
    return min((*given, *hidden), default=count)


def _positions(reached: bytearray | None, first: int, count: int) -> Iterable[int]:
    if reached is None:
        return range(first, count)
    return [i for i in range(first, count) if reached[i]]
