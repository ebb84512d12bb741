"""What the engines are measured with: function bodies, the graph of each work for dualdag, and its plain loop.

The hand-written programs of `_engine_programs` call the same bodies with the same literals.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import dualdag as dag
from examples.lcs.blocks import block, letters, plain

SIDE = 60
REDUCERS = 20
PAUSE = 0.05


def noop(i: int) -> int:
    return i << 32 | os.getpid()


def gather(xs: Sequence[int]) -> tuple[int, int]:
    """Return the sum, and in how many processes the no-ops ran."""
    return sum(x >> 32 for x in xs), len({x & 0xFFFFFFFF for x in xs})


def same(i: int) -> int:
    return i


def add_all(*xs: int) -> int:
    return sum(xs)


def step(x: int) -> int:
    return x + 1


def pause(i: int) -> int:
    time.sleep(PAUSE)
    return i


def last(edges: tuple[np.ndarray, np.ndarray]) -> int:
    return int(edges[0][-1])


def deal(i: int) -> list[np.ndarray]:
    """Map: a partition of 1 MB, dealt out to the reducers."""
    numbers = np.random.default_rng(i).integers(0, 1 << 40, 125_000)
    return [numbers[numbers % REDUCERS == k] for k in range(REDUCERS)]


def collect(parts: Sequence[np.ndarray]) -> int:
    return int(np.concatenate(list(parts)).sum())


def collect_each(*parts: np.ndarray) -> int:
    return collect(parts)


def pieces(side: int) -> tuple[list[str], list[str]]:
    """Return the letters of each row and each column of blocks."""
    first, second = letters(1, side * SIDE), letters(2, side * SIDE)
    cuts = range(0, side * SIDE, SIDE)
    return [first[i : i + SIDE] for i in cuts], [second[i : i + SIDE] for i in cuts]


@cache
def task(function: Callable[..., Any], persist: Any = "auto", **options: Any) -> Any:
    return dag.task(function, persist=persist, **options)


def noops(size: int, persist: Any, engine: str) -> Any:
    leaf = task(noop, False)
    return task(gather)([leaf(i) for i in range(size)])


def kept(size: int, persist: Any, engine: str) -> Any:
    leaf = task(same, persist)
    return task(add_all)(*[leaf(i) for i in range(size)])


def chain(size: int, persist: Any, engine: str) -> Any:
    node, link = task(same, persist)(0), task(step, persist)
    for _ in range(size - 1):
        node = link(node)
    return node


def wavefront(size: int, persist: Any, engine: str) -> Any:
    fill, (down, across) = task(block, persist), pieces(size)
    above: list[Any] = [None] * size
    for rows in down:
        before = None
        for j, columns in enumerate(across):
            before = above[j] = fill(rows, columns, above[j], before)
    return task(last)(before)


def tree(size: int, persist: Any, engine: str) -> Any:
    leaf, add = task(same, persist), task(add_all, persist)
    level = [leaf(i) for i in range(size)]
    while len(level) > 1:
        level = [add(*level[i : i + 8]) for i in range(0, len(level), 8)]
    return level[0]


def mapreduce(size: int, persist: Any, engine: str) -> Any:
    mapper, reducer = task(deal, False, nout=REDUCERS), task(collect, persist)
    parts = [mapper(i) for i in range(size)]
    return task(add_all)(*[reducer([one[k] for one in parts]) for k in range(REDUCERS)])


def pauses(size: int, persist: Any, engine: str) -> Any:
    one = task(pause, persist)
    if engine in ("ray", "dask"):
        one = _with_slot(persist)
    return task(add_all)(*[one(i) for i in range(size)])


@cache
def _with_slot(persist: Any) -> Any:
    return dag.task(pause, persist=persist, num_cpus=1, resources={"slot": 1})


def _plain_mapreduce(size: int) -> int:
    parts = [deal(i) for i in range(size)]
    return sum(collect([one[k] for one in parts]) for k in range(REDUCERS))


def _plain_wavefront(size: int) -> int:
    return int(plain(letters(1, size * SIDE), letters(2, size * SIDE))[-1])


@dataclass(frozen=True)
class Work:
    """One row of the table: how large it is, how large its warm-up, its graph and its answer."""

    title: str
    size: int
    warm: int
    graph: Callable[[int, Any, str], Any]
    answer: Callable[[int], Any]
    hand: str
    persist: Any = "auto"
    peers: bool = False


_TREE, _PAUSES = "tree reduction, 4096 leaves by 8", "200 tasks of 50 ms with resources set"
_MAP = "map-reduce 50 x 20, partitions of 1 MB"


def _sum(n: int) -> int:
    return n * (n - 1) // 2


WORKS = {
    "noops": Work("10,000 no-ops", 10_000, 200, noops, _sum, "noops", False),
    "chain": Work("chain of 1,000 no-ops", 1000, 50, chain, lambda n: n - 1, "chain"),
    "wavefront": Work("LCS wavefront, 2,500 blocks", 50, 5, wavefront, _plain_wavefront, "wavefront"),
    "tree": Work(_TREE, 4096, 64, tree, _sum, "tree"),
    "mapreduce": Work(_MAP, 50, 4, mapreduce, _plain_mapreduce, "mapreduce"),
    "pauses": Work(_PAUSES, 200, 4, pauses, _sum, "pauses"),
    "pauses_kept": Work(_PAUSES + ", kept", 200, 4, pauses, _sum, "pauses", True),
    "noops_kept": Work("10,000 no-ops, kept", 10_000, 200, kept, _sum, "noops", True),
    "peers_noops": Work("200 no-ops", 200, 10, noops, _sum, "noops", False, peers=True),
    "peers_pauses": Work("200 tasks of 50 ms", 200, 4, pauses, _sum, "pauses", peers=True),
}
