"""Runs of recipes, and what a store knows after them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from dualdag.execution import get_backend, run_graph
from dualdag.graph import compile_graph
from dualdag.planning import FileView, plan_graph
from dualdag.store import open_store

FILES = {"f0.txt": "zero", "f1.txt": "one", "f2.txt": "two"}
START = datetime(2026, 1, 1, tzinfo=UTC)


def run(nodes, store, backend="sync", now=START, refresh=()):
    """Run, and return the values in the order of `nodes`, the result, and how often each position ran."""
    graph = compile_graph(nodes)
    ran = Counter()

    def listen(event):
        if event.kind == "done":
            ran[event.position] += 1

    opened = open_store(store)
    try:
        result = run_graph(
            graph,
            store=opened,
            backend=get_backend(backend, workers=2),
            files=FileView(),
            now=now,
            refresh=refresh,
            listeners=[listen],
        )
    finally:
        opened.close()
    return [result.values[graph.index[node._key]] for node in nodes], result, ran


def recorded(nodes, store, now=START):
    """Return, by key, the digest that the store has for each node that it knows."""
    graph = compile_graph(nodes)
    files = FileView()
    files.scan(graph)
    opened = open_store(store)
    try:
        plan = plan_graph(graph, store=opened, files=files, now=now)
        while plan.unknown_files:
            from dualdag.hashing import digest_file

            files.learn({url: digest_file(url) for urls in plan.unknown_files.values() for url in urls})
            plan = plan_graph(graph, store=opened, files=files, now=now)
        traces = [trace for trace in plan.traces if trace is not None and len(trace) == 20]
        return {key: (r.digest, r.action, r.own) for key, r in opened.records(traces).items()}
    finally:
        opened.close()
