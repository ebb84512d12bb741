"""What is told to Graphviz about a picture's shape: direction, grids in place of strips, distance of ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualdag.report._boxes import Box, Picture

__all__ = ["Arrow", "Bundle", "Layout", "distance", "layouts_of"]

#: What a picture should be, width by height: a window, a page lying.
_ASPECT = 1.5
#: More boxes side by side that only one box takes, or gives, become a grid with one arrow.
_MANY = 12
_ASIDE = {"LR": 14, "TB": 20}
_APART = {"LR": 44, "TB": 38}


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow, or with `hidden` only a wish that one box stands before another.

    Parameters
    ----------
    start, end : int
        Positions of boxes.
    hidden : bool
        Whether it is not drawn.
    bundle : int or None
        The bundle that it begins or ends at, in place of a box in it.
    """

    start: int
    end: int
    hidden: bool = False
    bundle: int | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Boxes drawn as a grid.

    Parameters
    ----------
    cells : list of list of int
        Per place of the grid, the boxes there, the first one farthest up.
    end : int or None
        The box that takes all of them, or that all of them take; None for boxes without any arrow.
    into : bool
        Whether the box takes them.
    shared : tuple of int
        The boxes that every place takes; each has one arrow to the whole grid.
    """

    cells: list[list[int]]
    end: int | None
    into: bool = True
    shared: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture is laid out.

    Parameters
    ----------
    direction : {"LR", "TB"}
        Which way arrows run.
    ranksep : float
        Inches between ranks.
    arrows : list of Arrow
        All that is drawn or wished.
    bundles : list of Bundle
        Grids.
    """

    direction: str
    ranksep: float
    arrows: list[Arrow]
    bundles: list[Bundle] = field(default_factory=list)


def layouts_of(picture: Picture) -> list[Layout]:
    """Return the layouts of both directions, first the one that should come nearer to the wanted shape.

    Parameters
    ----------
    picture : Picture
        What is drawn.
    """
    bundles = _bundles(picture)
    size = _size(picture.boxes)
    found = [_laid(picture, bundles, direction, size) for direction in ("LR", "TB")]
    return [layout for _, layout in sorted(found, key=lambda pair: distance(pair[0]))]


def distance(shape: float) -> float:
    """Return how far a shape, width by height, is from the wanted one."""
    return abs(math.log(shape / _ASPECT))


def _laid(picture: Picture, bundles: list[Bundle], direction: str, size: tuple[float, float]) -> tuple[float, Layout]:
    """Return the guessed shape, width by height, and the layout in one direction."""
    width, height = size
    along = (width if direction == "LR" else height) + _APART[direction]
    aside = (height if direction == "LR" else width) + _ASIDE[direction]
    wish = _ASPECT if direction == "LR" else 1 / _ASPECT
    arrows = _arrows(picture, bundles, along, aside, wish)
    deep, wide = _extent(picture, arrows)
    stretch = 1.0
    if deep > 1:
        # Ranks farther apart make a strip less narrow, and long arrows easier to follow.
        stretch = (wish * 0.8 * wide * aside / deep - (along - _APART[direction])) / _APART[direction]
        stretch = min(2.2, max(1.0, stretch))
    along += (stretch - 1) * _APART[direction]
    shape = deep * along / (wide * aside)
    ranksep = _APART[direction] / 72 * stretch
    return (shape if direction == "LR" else 1 / shape), Layout(direction, round(ranksep, 2), arrows, bundles)


def _size(boxes: list[Box]) -> tuple[float, float]:
    """Return how wide and high a box is on average, in points."""
    if not boxes:
        return 1.0, 1.0
    wide = [max(7 * len(box.title), *(5.5 * len(line) for line in box.lines), 20.0) for box in boxes]
    return 22 + sum(wide) / len(boxes), 26 + 15 * sum(len(box.lines) for box in boxes) / len(boxes)


def _bundles(picture: Picture) -> list[Bundle]:
    """Return what is drawn as grids: many boxes that one box alone takes, that take one box alone, or nothing."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for a, b in picture.edges:
        above.setdefault(b, []).append(a)
        below.setdefault(a, []).append(b)
    bundles = []
    for b, inputs in above.items():
        alone = [a for a in inputs if len(below[a]) == 1]
        if len(alone) > _MANY:
            cells = [_cell(a, above, below) for a in alone]
            bundles.append(Bundle(cells, b, shared=_shared(cells, above)))
    taken = {k for bundle in bundles for cell in bundle.cells for k in cell}
    for a, users in below.items():
        ends = [b for b in users if b not in below and len(above[b]) == 1]
        if len(ends) > _MANY and a not in taken:
            bundles.append(Bundle([[b] for b in ends], a, into=False))
    single = [k for k in range(len(picture.boxes)) if k not in above and k not in below]
    if len(single) > _MANY:
        bundles.append(Bundle([[k] for k in single], None))
    # A grid within a cell of another would be a grid of its own: the outer one is taken apart.
    inner = {b.end for b in bundles if b.into}
    return [b for b in bundles if not any(k in inner for cell in b.cells for k in cell)]


def _shared(cells: list[list[int]], above: dict[int, list[int]]) -> tuple[int, ...]:
    """Return what stands above every cell, where nothing else stands above any of them."""
    inputs = {frozenset(above.get(cell[0], ())) for cell in cells}
    return tuple(sorted(inputs.pop())) if len(inputs) == 1 else ()


def _cell(box: int, above: dict[int, list[int]], below: dict[int, list[int]]) -> list[int]:
    """Return a box and what only it depends on, in a line; more than a line is left to the layout."""
    line = [box]
    while len(line) < 6:
        inputs = above.get(line[0], [])
        if len(inputs) != 1 or len(below[inputs[0]]) != 1:
            break
        line.insert(0, inputs[0])
    return line


def _arrows(picture: Picture, bundles: list[Bundle], along: float, aside: float, wish: float) -> list[Arrow]:
    bundled: set[tuple[int, int]] = set()
    arrows = []
    for number, bundle in enumerate(bundles):
        count = len(bundle.cells)
        depth = max(len(cell) for cell in bundle.cells)
        columns = min(count, max(1, round(math.sqrt(wish * count * aside / (depth * along)))))
        rows = math.ceil(count / columns)
        lines = [bundle.cells[row::rows] for row in range(rows)]
        for line in lines:
            arrows += [Arrow(one[-1], two[0], hidden=True) for one, two in pairwise(line)]
        if bundle.end is None:
            continue
        into = bundle.shared if bundle.into else (bundle.end,)
        pairs = [(box, line[0][0]) for box in into for line in lines]
        pairs += [(line[-1][-1], bundle.end) for line in lines if bundle.into]
        for k, (a, b) in enumerate(pairs):
            shown = k % rows == (rows - 1) // 2
            arrows.append(Arrow(a, b, hidden=not shown, bundle=number if shown else None))
        for cell in bundle.cells:
            bundled.update((box, cell[0]) for box in into)
            if bundle.into:
                bundled.add((cell[-1], bundle.end))
    return arrows + [Arrow(a, b) for a, b in picture.edges if (a, b) not in bundled]


def _extent(picture: Picture, arrows: list[Arrow]) -> tuple[int, int]:
    """Return how many ranks there are, and how many boxes stand in the fullest one."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for arrow in arrows:
        above.setdefault(arrow.end, []).append(arrow.start)
        below.setdefault(arrow.start, []).append(arrow.end)
    waiting = {k: len(above.get(k, ())) for k in range(len(picture.boxes))}
    ready = [k for k, count in waiting.items() if not count]
    ranks = dict.fromkeys(ready, 0)
    while ready:
        box = ready.pop()
        for user in below.get(box, ()):
            ranks[user] = max(ranks.get(user, 0), ranks[box] + 1)
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    levels: dict[int, int] = {}
    for k, rank in ranks.items():
        # An input stands right before what takes it, however far down that is.
        users = below.get(k, ())
        place = rank if above.get(k) or not users else min(ranks[u] for u in users) - 1
        levels[place] = levels.get(place, 0) + 1
    return max(levels, default=0) + 1, max(levels.values(), default=1)
