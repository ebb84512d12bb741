"""Figures of the engines: the same work by dualdag and written by hand, in one process with one warm cluster."""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks import _engine_memory
from benchmarks._engine_work import WORKS
from benchmarks._harness import child, spread, verdict

Row = tuple[str, str, str, str]

#: The module that says whether an engine is installed; dualdag's own processes always are.
ENGINES = {"ray": "ray", "dask": "distributed", "processes": ""}

#: At most this many times what the program written by hand takes, by figure and engine.
LIMITS = {
    "noops": {"ray": 0.15, "dask": 0.12},
    "chain": {"ray": 0.05, "dask": 0.05},
    "wavefront": {"ray": 0.4, "dask": 0.6},
    "tree": {"ray": 0.2, "dask": 0.2},
    "mapreduce": {"ray": 1.1, "dask": 1.1},
    "pauses": {"ray": 1.1, "dask": 1.1},
    "pauses_kept": {"ray": 1.15, "dask": 1.15},
}
PER_NODE = 0.5e-3  # s, of a no-op that is kept
AGAIN = 0.2  # s, of a run with nothing to do

#: A guard, since clusters and workers are spawned: they import this file again.
PROGRAM = """
import sys
from benchmarks._engine_programs import main

if __name__ == "__main__":
    main(*sys.argv[1:])
"""

CHUNKED = {
    "noops": "128 a task by hand",
    "chain": "all links in one task by hand",
    "wavefront": "tiles of 10 x 10 by hand",
    "tree": "subtrees of height 3 by hand",
}


def _run(kind: str, engine: str, name: str, number: int, folder: str) -> dict[str, Any] | str:
    """Return what a fresh process found, or the last line of what went wrong."""
    try:
        found: dict[str, Any] = child(PROGRAM, kind, engine, name, str(number), folder)
    except RuntimeError as error:
        return str(error).strip().splitlines()[-1]
    return found


def _ours(name: str, engine: str, title: str, times: dict[str, list[float]]) -> list[Row]:
    """Return the row that is held to a limit, and that of the program written by hand."""
    ours, hand = times.get("ours"), times.get("hand")
    if not ours:
        return []
    mine = statistics.median(ours)
    text = spread(ours)
    must, met = "", ""
    if hand:
        ratio = mine / statistics.median(hand)
        text += f"; {ratio:.3g}x"
        if limit := LIMITS.get(name, {}).get(engine):
            must, met = f"<= {limit:g}x", verdict(ratio, limit)
    if name == "noops_kept":
        per = mine / WORKS[name].size
        text += f"; {per * 1e3:.3g} ms a node"
        must, met = f"<= {PER_NODE * 1e3:g} ms a node", verdict(per, PER_NODE)
    return [(f"{title}: dualdag", text, must, met)]


def _again(name: str, engine: str, title: str, repeat: int, folder: str) -> list[Row]:
    """Return the row of the second run, each time in a fresh process that imports no engine."""
    found = [_run("again", engine, name, repeat, folder) for _ in range(repeat)]
    wrong = [one for one in found if isinstance(one, str)]
    label = f"{title}: dualdag, unchanged, fresh process, no engine imported"
    if wrong:
        return [(label, f"failed: {wrong[0]}", f"<= {AGAIN:g} s", "no")]
    seconds = [one["seconds"] for one in found if not isinstance(one, str)]
    return [(label, spread(seconds), f"<= {AGAIN:g} s", verdict(statistics.median(seconds), AGAIN))]


def _on(engine: str, name: str, repeat: int, folder: str) -> list[Row]:
    work = WORKS[name]
    title = f"{work.title}, `{engine}`"
    if ENGINES[engine] and find_spec(ENGINES[engine]) is None:
        return [(title, f"{ENGINES[engine]} is not installed", "", "")]
    found = _run("measure", engine, name, repeat, folder)
    if isinstance(found, str):
        return [(title, f"failed: {found}", "", "no")]
    times, failed = found["times"], found["failed"]
    rows = _ours(name, engine, title, times)
    if found["why"]:
        rows.append((f"{title}: dualdag", found["why"], "", ""))
    by_hand = "written by hand" if ENGINES[engine] else "one thread, no engine"
    names = {"hand": by_hand, "chunked": CHUNKED.get(work.hand, "")}
    for side, values in times.items():
        label = names.get(side, side)
        if side in failed:
            rows.append((f"- {label if side != 'ours' else 'dualdag'}", f"failed: {failed[side]}", "",
                         "no" if side == "ours" else ""))  # fmt: skip
        elif side != "ours":
            rows.append((f"- {label}", spread(values), "", ""))
    if times.get("ours") and "ours" not in failed and not work.peers:
        rows += _again(name, engine, title, repeat, folder)
    return rows


def figure(name: str, repeat: int) -> list[Row]:
    """Measure one work on every engine."""
    rows = []
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            rows += _on(engine, name, repeat, folder)
    return rows


FIGURES: dict[str, Callable[[int], list[Row]]] = {name: functools.partial(figure, name) for name in WORKS}
FIGURES["memory"] = _engine_memory.figure
