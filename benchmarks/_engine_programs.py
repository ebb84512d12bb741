"""The same works written by hand for each engine, as its manual does, and timed beside dualdag in one process.

`main` is run in a fresh process by `benchmarks.engines`; the last line that it prints is a JSON document.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import _engine_peers as peers
from benchmarks import _engine_work as w

CHUNK = 128
TILE = 10


def chunk_noops(start: int, stop: int) -> list[int]:
    return [w.noop(i) for i in range(start, stop)]


def chunk_chain(size: int) -> int:
    x = w.same(0)
    for _ in range(size - 1):
        x = w.step(x)
    return x


def chunk_tree(start: int, stop: int) -> int:
    level = [w.same(i) for i in range(start, stop)]
    while len(level) > 1:
        level = [w.add_all(*level[i : i + 8]) for i in range(0, len(level), 8)]
    return level[0]


def chunk_blocks(down: list[str], across: list[str], above: Any, before: Any) -> tuple[list[Any], list[Any]]:
    """Fill a tile of blocks: edges of the tile above and of the one before it in, its own out."""
    row = list(above[0]) if above else [None] * len(across)
    rights = []
    for i, rows in enumerate(down):
        left = before[1][i] if before else None
        for j, columns in enumerate(across):
            left = row[j] = w.block(rows, columns, row[j], left)
        rights.append(left)
    return row, rights


def tile_last(tile: tuple[list[Any], list[Any]]) -> int:
    return w.last(tile[0][-1])


def _tiles(size: int, fill: Callable[..., Any]) -> Any:
    """Lay out the wavefront in tiles; returns the last."""
    down, across = w.pieces(size)
    cuts = range(0, size, TILE)
    above: list[Any] = [None] * len(cuts)
    before = None
    for i in cuts:
        before = None
        for j, start in enumerate(cuts):
            before = above[j] = fill(down[i : i + TILE], across[start : start + TILE], above[j], before)
    return before


def _blocks(size: int, fill: Callable[..., Any]) -> Any:
    down, across = w.pieces(size)
    above: list[Any] = [None] * size
    before = None
    for rows in down:
        before = None
        for j, columns in enumerate(across):
            before = above[j] = fill(rows, columns, above[j], before)
    return before


def _reduced(size: int, leaf: Callable[[int], Any], add: Callable[..., Any]) -> Any:
    level = [leaf(i) for i in range(size)]
    while len(level) > 1:
        level = [add(*level[i : i + 8]) for i in range(0, len(level), 8)]
    return level[0]


class Ray:
    """A local cluster of two slots that nothing else joins, and each work written for it."""

    def __init__(self, folder: str) -> None:
        import ray

        self.ray = ray
        # "local": never a cluster that somebody else started on this machine.
        ray.init(
            address="local", num_cpus=2, resources={"slot": 2}, include_dashboard=False,
            logging_level="ERROR", log_to_driver=False,
        )  # fmt: skip
        self.backend: Any = "ray"
        self.remote = functools.cache(ray.remote)

    def close(self) -> None:
        self.ray.shutdown()

    def noops(self, size: int) -> Any:
        leaf = self.remote(w.noop)
        return w.gather(self.ray.get([leaf.remote(i) for i in range(size)]))

    def noops_by_hand(self, size: int) -> Any:
        many = self.remote(chunk_noops)
        parts = self.ray.get([many.remote(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK)])
        return w.gather([x for part in parts for x in part])

    def chain(self, size: int) -> Any:
        ref, link = self.remote(w.same).remote(0), self.remote(w.step)
        for _ in range(size - 1):
            ref = link.remote(ref)
        return self.ray.get(ref)

    def chain_by_hand(self, size: int) -> Any:
        return self.ray.get(self.remote(chunk_chain).remote(size))

    def wavefront(self, size: int) -> Any:
        return w.last(self.ray.get(_blocks(size, self.remote(w.block).remote)))

    def wavefront_by_hand(self, size: int) -> Any:
        return tile_last(self.ray.get(_tiles(size, self.remote(chunk_blocks).remote)))

    def tree(self, size: int) -> Any:
        return self.ray.get(_reduced(size, self.remote(w.same).remote, self.remote(w.add_all).remote))

    def tree_by_hand(self, size: int) -> Any:
        part = self.remote(chunk_tree)
        parts = [part.remote(i, min(i + 512, size)) for i in range(0, size, 512)]
        return self.ray.get(self.remote(w.add_all).remote(*parts))

    def mapreduce(self, size: int) -> Any:
        mapper = self.remote(w.deal).options(num_returns=w.REDUCERS)
        reducer = self.remote(w.collect_each)
        parts = [mapper.remote(i) for i in range(size)]
        return sum(self.ray.get([reducer.remote(*[one[k] for one in parts]) for k in range(w.REDUCERS)]))

    def pauses(self, size: int) -> Any:
        one = self.remote(w.pause).options(num_cpus=1, resources={"slot": 1})
        return sum(self.ray.get([one.remote(i) for i in range(size)]))


class Dask:
    """A local cluster of two processes, and each work written for it with ``dask.delayed``."""

    def __init__(self, folder: str) -> None:
        import dask
        import distributed

        self.dask, self.delayed = dask, functools.cache(dask.delayed)
        self.cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            resources={"slot": 1}, local_directory=folder,
        )  # fmt: skip
        self.client = self.backend = distributed.Client(self.cluster)

    def close(self) -> None:
        self.client.close()
        self.cluster.close()

    def noops(self, size: int) -> Any:
        leaf = self.delayed(w.noop)
        return self.delayed(w.gather)([leaf(i) for i in range(size)]).compute()

    def noops_by_hand(self, size: int) -> Any:
        many = self.delayed(chunk_noops)
        parts = self.dask.compute(*[many(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK)])
        return w.gather([x for part in parts for x in part])

    def chain(self, size: int) -> Any:
        node, link = self.delayed(w.same)(0), self.delayed(w.step)
        for _ in range(size - 1):
            node = link(node)
        return node.compute()

    def chain_by_hand(self, size: int) -> Any:
        return self.delayed(chunk_chain)(size).compute()

    def wavefront(self, size: int) -> Any:
        return self.delayed(w.last)(_blocks(size, self.delayed(w.block))).compute()

    def wavefront_by_hand(self, size: int) -> Any:
        return self.delayed(tile_last)(_tiles(size, self.delayed(chunk_blocks))).compute()

    def tree(self, size: int) -> Any:
        return _reduced(size, self.delayed(w.same), self.delayed(w.add_all)).compute()

    def tree_by_hand(self, size: int) -> Any:
        part = self.delayed(chunk_tree)
        return self.delayed(w.add_all)(*[part(i, min(i + 512, size)) for i in range(0, size, 512)]).compute()

    def mapreduce(self, size: int) -> Any:
        mapper, reducer = self.dask.delayed(w.deal, nout=w.REDUCERS), self.delayed(w.collect)
        parts = [mapper(i) for i in range(size)]
        return sum(self.dask.compute(*[reducer([one[k] for one in parts]) for k in range(w.REDUCERS)]))

    def pauses(self, size: int) -> Any:
        with self.dask.annotate(resources={"slot": 1}):
            nodes = [self.delayed(w.pause)(i) for i in range(size)]
        return sum(self.dask.compute(*nodes, optimize_graph=False))


class Embedded:
    """dualdag's own processes; beside them the same bodies in one thread, without any engine."""

    def __init__(self, folder: str) -> None:
        self.backend: Any = "processes"

    def close(self) -> None:
        w.dag.shutdown()

    def noops(self, size: int) -> Any:
        return w.gather(chunk_noops(0, size))

    def chain(self, size: int) -> Any:
        return chunk_chain(size)

    def wavefront(self, size: int) -> Any:
        return w.last(_blocks(size, w.block))

    def tree(self, size: int) -> Any:
        return chunk_tree(0, size)

    def mapreduce(self, size: int) -> Any:
        parts = [w.deal(i) for i in range(size)]
        return sum(w.collect([one[k] for one in parts]) for k in range(w.REDUCERS))


ENGINES: dict[str, Any] = {"ray": Ray, "dask": Dask, "processes": Embedded}


def missing(engine: str) -> str:
    """Return what keeps dualdag from running on the engine here, if anything."""
    if engine != "processes" and importlib.util.find_spec(f"dualdag_{engine}") is None:
        return f"dualdag_{engine} is not there"
    return ""


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def _checked(answer: Any, expected: int, spread: bool) -> None:
    """Hold an answer to the plain loop's, and a large fan of no-ops to at least two processes."""
    if isinstance(answer, tuple):
        answer, processes = answer
        assert processes >= 2 or not spread, "all no-ops ran in one process"
    assert answer == expected, (answer, expected)


def _storeless(run: Callable[[int], Any]) -> Callable[[int, str], Any]:
    return lambda n, _store: run(n)


def _sides(engine: str, work: w.Work, here: Any) -> dict[str, Callable[[int, str], Any]]:
    """Return what is timed: dualdag, the program written by hand, the same in chunks, the peers."""
    found: dict[str, Callable[[int, str], Any]] = {}
    if not missing(engine):
        found["ours"] = lambda n, store: w.dag.run(
            work.graph(n, work.persist, engine), backend=here.backend, store=store, workers=2, progress="off"
        )
    for side, method in (("hand", work.hand), ("chunked", work.hand + "_by_hand")):
        if (run := getattr(here, method, None)) is not None:
            found[side] = _storeless(run)
    for side, run in peers.sides(engine, here, work.hand).items() if work.peers else ():
        found[side] = _storeless(run)
    return found


def measure(engine: str, name: str, repeat: int, folder: str, size: int = 0) -> dict[str, Any]:
    """Time the sides of one work in turn, each with the cluster warm and dualdag with an empty store."""
    work = w.WORKS[name]
    size = size or work.size
    here = ENGINES[engine](folder)
    failed: dict[str, str] = {}
    try:
        sides = _sides(engine, work, here)
        times: dict[str, list[float]] = {side: [] for side in sides}
        for turn in range(repeat + 1):
            n = size if turn else min(work.warm, size)
            store = os.path.join(folder, f"store{turn}")
            expected = work.answer(n)
            for side, run in sides.items():
                if side in failed:
                    continue
                try:
                    seconds, answer = timed(lambda: run(n, store))
                    _checked(answer, expected, side == "ours" and n >= 1000)
                except Exception as error:  # noqa: BLE001 - the row says so
                    failed[side] = f"{type(error).__name__}: {error}"[:300]
                else:
                    times[side] += [seconds] if turn else []
    finally:
        here.close()
    return {"times": times, "why": missing(engine), "failed": failed}


def again(engine: str, name: str, folder: str, turn: str, size: int = 0) -> dict[str, Any]:
    """Build and run a work that `measure` finished, in this fresh process: nothing is to do."""
    work = w.WORKS[name]
    size = size or work.size
    store = os.path.join(folder, f"store{turn}")
    seconds, answer = timed(
        lambda: w.dag.run(work.graph(size, work.persist, engine), backend=engine, store=store, progress="off")
    )
    _checked(answer, work.answer(size), spread=False)
    loaded = [module for module in ("ray", "distributed") if module in sys.modules]
    assert not loaded, f"a run with nothing to do imported {loaded}"
    return {"seconds": seconds}


def main(kind: str, engine: str, name: str, number: str, folder: str) -> None:
    """Print what `measure` or `again` found; `number` is of repeats, or of the store to come back to."""
    if kind == "measure":
        print(json.dumps(measure(engine, name, int(number), folder)))
    else:
        print(json.dumps(again(engine, name, folder, number)))
