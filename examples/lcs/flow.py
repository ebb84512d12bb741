"""Longest common subsequence of two random strings, as a wavefront of blocks.

Run it with ``dualdag run examples/lcs/flow.py``; ``--param length=600`` for a smaller one.
"""

from __future__ import annotations

import numpy as np
from blocks import Edges, block, letters

import dualdag as dag

SIDE = 60

fill_block = dag.task(block)


@dag.task
def last_row(bottoms: list[Edges]) -> np.ndarray:
    """Put the bottom rows of the last blocks together; each begins with the end of the one before it."""
    return np.concatenate([bottoms[0][0][:1], *(bottom[1:] for bottom, _right in bottoms)])


@dag.task
def length_of(row: np.ndarray) -> int:
    """Return the length of the longest common subsequence."""
    return int(row[-1])


def pieces(text: str) -> list[str]:
    """Cut a string into what one block sees of it."""
    return [text[i : i + SIDE] for i in range(0, len(text), SIDE)]


def wavefront(first: str, second: str) -> list[dag.Node[Edges]]:
    """Return the last row of blocks; each needs the one above it and the one before it."""
    across = pieces(second)
    above: list[dag.Node[Edges] | None] = [None] * len(across)
    for rows in pieces(first):
        before: dag.Node[Edges] | None = None
        for j, columns in enumerate(across):
            before = above[j] = fill_block(rows, columns, above[j], before)
    return [node for node in above if node is not None]


length = dag.param("length", 3000)
first, second = letters(dag.param("seed", 1), length), letters(dag.param("seed", 1) + 1, length)
row = last_row(wavefront(first, second)).artifact("lcs_last_row")
answer = length_of(row).artifact("lcs_length")
