"""What of a graph is looked at: all between the targets and the first pinned artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dualdag.errors import GraphError
from dualdag.graph import Graph
from dualdag.planning._own import own_parts
from dualdag.planning._pins import Pins

if TYPE_CHECKING:
    from datetime import datetime

    from dualdag.store import Store, Version

__all__ = ["Region", "find_region", "roots_of"]


@dataclass(slots=True)
class Region:
    """What is looked at, and where it ends.

    Parameters
    ----------
    reached : bytearray or None
        1 for each position that is looked at, the pinned ones included; None if all are.
    pins : dict of int to Version
        What stands for each pinned artifact.
    pin_keys : dict of int to bytes
        Effective trace keys of the pinned artifacts.
    due : dict of str to str
        Why each artifact in the region is due or pinned.
    own_parts : dict of str to bytes
        Own part of each artifact in the region.
    times : dict of str to pair of float or None
        When artifacts with a cadence in the region were last made, and last found equal.
    """

    reached: bytearray | None = None
    pins: dict[int, Version] = field(default_factory=dict)
    pin_keys: dict[int, bytes] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    own_parts: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


def find_region(graph: Graph, store: Store, forced: set[int], done: set[int], now: datetime) -> Region:
    """Walk from the targets to the first artifacts that are not due.

    Parameters
    ----------
    graph : Graph
        What is planned.
    store : Store
        Knows versions, confirmations and which objects are there.
    forced : set of int
        What refresh names.
    done : set of int
        What refresh named and has run already.
    now : datetime
        The clock of the plan.

    Raises
    ------
    CorruptObjectError
        When the version of a manual or frozen artifact was lost.
    GraphError
        When an input is an artifact.
    """
    places = artifact_places(graph)
    for i in places:
        _check_source(graph, i)
    own = own_parts(graph)
    pins = Pins(graph, store, forced | done, own, now)
    while True:
        region = _walk(graph, pins, places, own, forced)
        if not pins.drop_lost(region.pins):
            region.times = pins.times()
            return region


def roots_of(graph: Graph, region: Region, forced: set[int]) -> list[int]:
    """Return what is asked for: the targets, every artifact down to the pinned ones, what refresh names."""
    reached = region.reached
    wanted = {*graph.targets, *forced}
    wanted.update(i for i in artifact_places(graph) if reached is None or reached[i])
    return sorted(i for i in wanted if i not in region.pins and graph.nodes[i]._op.kind == "call")


def artifact_places(graph: Graph) -> list[int]:
    """Return the positions of all artifacts, users before their inputs."""
    return sorted((i for i, extra in graph.extras.items() if extra.artifacts), reverse=True)


def _walk(graph: Graph, pins: Pins, places: list[int], own: dict[int, bytes], forced: set[int]) -> Region:
    region = Region()

    def is_pinned(i: int) -> bool:
        pin, why = pins.decide(i)
        for spec in graph.artifacts(i):
            region.due[spec.name] = why
            region.own_parts[spec.name] = own[i]
        if pin is not None:
            region.pins[i], region.pin_keys[i] = pin
        return pin is not None

    if not any(pins.may_pin(i) for i in places):
        for i in places:
            is_pinned(i)
        return region
    inputs = graph.inputs
    reached = bytearray(len(inputs))
    for i in (*graph.targets, *forced):
        reached[i] = 1
    where = set(places)
    for i in range(len(inputs) - 1, -1, -1):
        if reached[i] and not (i in where and is_pinned(i)):
            for j in inputs[i]:
                reached[j] = 1
    if region.pins:
        region.reached = reached
    return region


def _check_source(graph: Graph, i: int) -> None:
    node = graph.nodes[i]
    if node._op.kind != "call":
        spec = graph.artifacts(i)[0]
        raise GraphError(
            f"artifact {spec.name!r} ({spec.site}) is an input, not a result: "
            "make the artifact of a task that takes it, or use .named()."
        )
