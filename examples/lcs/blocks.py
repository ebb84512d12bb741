"""Blocks of the table of longest common subsequences, and the whole table in a plain loop."""

from __future__ import annotations

import random

import numpy as np

#: The last row and the last column of a block, each from its corner on: what the blocks below it and to its right need.
Edges = tuple[np.ndarray, np.ndarray]


def letters(seed: int, length: int) -> str:
    """Return a random string of four letters."""
    return "".join(random.Random(seed).choices("ACGT", k=length))  # noqa: S311 - nothing secret


def fill(rows: str, columns: str, top: np.ndarray, left: np.ndarray) -> Edges:
    """Fill one block of the table, row by row.

    `top` is the row above the block and `left` the column before it; both begin with the corner.
    """
    across = np.frombuffer(columns.encode(), np.uint8)
    row, right = top, np.empty(len(rows) + 1, np.int64)
    right[0] = top[-1]
    for i, letter in enumerate(rows.encode(), start=1):
        best = np.maximum(row[1:], row[:-1] + (across == letter))
        row = np.empty_like(row)
        row[0] = left[i]
        row[1:] = best
        np.maximum.accumulate(row, out=row)
        right[i] = row[-1]
    return row, right


def block(rows: str, columns: str, above: Edges | None, before: Edges | None) -> Edges:
    """Fill a block next to others: the bottom row of the one above, the right column of the one before it."""
    top = np.zeros(len(columns) + 1, np.int64) if above is None else above[0]
    left = np.zeros(len(rows) + 1, np.int64) if before is None else before[1]
    return fill(rows, columns, top, left)


def plain(first: str, second: str) -> np.ndarray:
    """Return the last row of the whole table, without blocks: what the wavefront must agree with."""
    across = np.frombuffer(second.encode(), np.uint8)
    row = np.zeros(len(second) + 1, np.int64)
    for letter in first.encode():
        row[1:] = np.maximum.accumulate(np.maximum(row[1:], row[:-1] + (across == letter)))
    return row
