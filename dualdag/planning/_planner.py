"""From graph, records, files, policy and clock to a plan: a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dualdag.errors import GraphError
from dualdag.graph import Graph, Node, paused_collector
from dualdag.planning._demand import decide
from dualdag.planning._files import FileView
from dualdag.planning._lookup import Known, look_up
from dualdag.planning._plan import Plan
from dualdag.planning._refresh import forced_positions
from dualdag.planning._region import Region, find_region, roots_of
from dualdag.planning._traces import trace_keys

if TYPE_CHECKING:
    from dualdag.store import Store

__all__ = ["plan_graph"]


def plan_graph(
    graph: Graph,
    *,
    store: Store,
    files: FileView,
    refresh: Iterable[str | Node[Any]] = (),
    refreshed: Iterable[str | Node[Any]] = (),
    now: datetime,
) -> Plan:
    """Say what is to be done about each node; read no file, run nothing, write nothing.

    Parameters
    ----------
    graph : Graph
        What is asked for.
    store : Store
        What is known.
    files : FileView
        What is known of the graph's files, after `FileView.scan`.
    refresh : iterable of str or Node
        Names and nodes to run again whatever the store says, or ``"all"``.
    refreshed : iterable of str or Node
        Where a run plans again: what of `refresh` has run in it already.  It is found like any other
        result, and artifacts between it and the targets stay unpinned.
    now : datetime
        The clock, with a zone.

    Returns
    -------
    Plan
        Actions and reasons.

    Raises
    ------
    GraphError
        For a name in `refresh` that is not in the graph, a frozen artifact named there, a file that is
        missing, or a clock without a zone.
    CorruptObjectError
        When the version of a manual or frozen artifact was lost.
    """
    if now.tzinfo is None:
        raise GraphError(f"now={now!r} has no time zone: use datetime.now(UTC) or one with tzinfo.")
    with paused_collector():
        forced = forced_positions(graph, refresh)
        done = forced_positions(graph, refreshed)
        region = find_region(graph, store, forced, done, now)
        files.check(graph, region.reached, region.pins)
        return _plan(graph, store, files, forced, region, now)


def _plan(graph: Graph, store: Store, files: FileView, forced: set[int], region: Region, now: datetime) -> Plan:
    roots = roots_of(graph, region, forced)
    superseded, marked = dict(store.superseded()), store.unstable()
    given: dict[int, bytes | None] = {**files.known, **dict.fromkeys(files.unknown), **region.pin_keys}
    hidden = set(forced)

    def unstable(i: int) -> bool:
        return graph.nodes[i]._op.prefix in marked or not graph.option(i, "deterministic")

    # What the look-ups tell may move the keys they were made with: then they are made again.  Each
    # round finds at least one more such node, mostly there are none.
    wanted_by: dict[int, int] = {}
    while True:
        traces, effective = trace_keys(graph, region.reached, given, hidden, superseded)
        known = look_up(graph, store, roots, traces, pins=region.pins, files=files.known, hidden=hidden)
        late = _late_names(known, traces, superseded)
        made = decide(graph, known, roots, pins=region.pins, forced=forced, hidden=hidden, unstable=unstable)
        if not late and not made.renewed:
            break
        superseded.update(late)
        # What has to run for its value and may give another hides all below it.
        hidden |= made.renewed
        wanted_by.update((i, made.wanted_by[i]) for i in made.renewed if i in made.wanted_by)
    listed = made.actions
    return Plan(
        graph=graph,
        now=now,
        targets=graph.targets,
        actions=listed,
        why=made.why,
        wanted=made.wanted,
        traces=traces,
        effective=effective,
        records={i: r for i, r in known.records.items() if listed[i] == 1},
        recipes={i: r for i, r in known.records.items() if listed[i] in (2, 3)},
        aliases=known.aliases,
        pins={i: v for i, v in region.pins.items() if listed[i]},
        forced=forced,
        roots=roots,
        renewed=hidden - forced,
        file_digests={i: d for i, d in files.known.items() if region.reached is None or region.reached[i]},
        unknown_files={i: u for i, u in files.unknown.items() if region.reached is None or region.reached[i]},
        due=region.due,
        own_parts=region.own_parts,
        wanted_by=wanted_by | made.wanted_by,
        seconds=known.seconds,
        times=region.times,
    )


def _late_names(known: Known, traces: list[bytes | None], superseded: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the trace keys that are about to become names of superseded results."""
    found: dict[bytes, bytes] = {}
    for i, record in known.aliases.items() if superseded else ():
        trace, digest = traces[i], superseded.get(record.action)
        if trace is not None and digest is not None and superseded.get(trace) != digest:
            found[trace] = digest
    return found
