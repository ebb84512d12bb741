"""A picture as DOT: text that Graphviz lays out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from dualdag.report._palette import BACKGROUND, EDGE, STYLES, TEXT, TEXT_SMALL

if TYPE_CHECKING:
    from dualdag.report._boxes import Box, Picture

__all__ = ["dot_text", "plain_text"]

#: What a picture should be, width by height: a window, a page lying.
_ASPECT = 1.5
_BOX = (150, 46)
_GAP = {"LR": (60, 14), "TB": (22, 44)}


def dot_text(picture: Picture) -> str:
    """Return a picture as DOT.

    Ids are ``n0``, ``n1``, ...: nothing that a user wrote is an id, and labels are escaped.

    Parameters
    ----------
    picture : Picture
        What to draw.
    """
    steps = _staggered(picture)
    direction = _direction(picture, steps)
    lines = [
        "digraph dualdag {",
        f'  graph [rankdir={direction}, bgcolor="{BACKGROUND[0]}", fontname="Helvetica", fontsize=12, pad=0.25,',
        f"    nodesep={0.16 if direction == 'LR' else 0.25}, ranksep={0.55 if direction == 'LR' else 0.5},",
        f"    pack=14, packmode=graph, labelloc=t, labeljust=l, label={_heading(picture)}]",
        '  node [shape=box, fontname="Helvetica", fontsize=12, margin="0.13,0.06", height=0.3, width=0.6]',
        f'  edge [color="{EDGE[0]}", arrowsize=0.6, penwidth=1]',
    ]
    lines += [f"  n{k} [{_attributes(k, box)}]" for k, box in enumerate(picture.boxes)]
    lines += [
        f"  n{a} -> n{b}{f' [minlen={step}]' if (step := steps.get((a, b), 1)) > 1 else ''}"
        for a, b in picture.edges
    ]
    return "\n".join([*lines, "}", ""])


def plain_text(text: str) -> str:
    """Return text without characters that XML can't hold.

    Examples
    --------
    >>> plain_text("a" + chr(0) + "b")
    'a?b'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def _markup(text: str) -> str:
    return escape(plain_text(text), quote=True)


def _quoted(text: str) -> str:
    # Graphviz reads entities and backslashes in quoted text too.
    return '"' + _markup(text).replace("\\", "\\\\") + '"'


def _attributes(k: int, box: Box) -> str:
    style = STYLES["input" if box.kind != "task" else box.action]
    shapes = {"file": "note", "value": "box", "task": "box"}
    border = {"bold": "filled,rounded", "solid": "filled,rounded", "dashed": "filled,rounded,dashed"}[style.border]
    width = 2.2 if box.artifact else 1.6 if style.border == "bold" else 1.0
    tip = "\n".join(f"{name}: {text}" for name, text in box.facts.items())
    return (
        f'id=n{k}, shape={shapes[box.kind]}, style="{border if box.kind != "file" else "filled"}", '
        f'fillcolor="{style.fill}", color="{style.line}", penwidth={width}, '
        f"tooltip={_tooltip(tip)}, label={_label(box)}"
    )


def _tooltip(text: str) -> str:
    return "\\n".join(_quoted(line)[1:-1] for line in text.split("\n")).join('""')


def _label(box: Box) -> str:
    title = _markup(box.title) or " "
    colour = TEXT[0] if box.kind == "task" else TEXT_SMALL[0]
    size = 14 if box.artifact else 12 if box.kind == "task" else 11
    rows = [f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{f"<B>{title}</B>" if box.artifact else title}</FONT>']
    rows += [f'<FONT POINT-SIZE="10" COLOR="{TEXT_SMALL[0]}">{_markup(line)}</FONT>' for line in box.lines]
    return f"<{'<BR/>'.join(rows)}>"


def _heading(picture: Picture) -> str:
    """Return title and legend as a table; only what is in the picture is explained."""
    cells = []
    if picture.title:
        title = f'<FONT POINT-SIZE="15" COLOR="{TEXT[0]}"><B>{_markup(picture.title)}</B></FONT>'
        cells.append(f'<TD ALIGN="LEFT">{title}</TD><TD WIDTH="14"></TD>')
    shown = {box.action for box in picture.boxes if box.kind == "task"}
    for action, style in STYLES.items():
        if picture.counts and action in shown and action != "input":
            text = f"{action} {picture.counts[action]}" if action else "not looked at"
            cells.append(
                f'<TD BGCOLOR="{style.fill}" COLOR="{style.line}" BORDER="1" CELLPADDING="3" STYLE="ROUNDED">'
                f'<FONT POINT-SIZE="11" COLOR="{TEXT[0]}">&nbsp;{text}&nbsp;</FONT></TD>'
            )
    if not cells:
        return '""'
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="6"><TR>{"".join(cells)}</TR></TABLE>>'


def _ranks(picture: Picture, steps: dict[tuple[int, int], int]) -> list[int]:
    """Return how far from the inputs each box stands; boxes come before their users, but in folded cycles."""
    ranks = [0] * len(picture.boxes)
    for a, b in sorted(picture.edges, key=lambda edge: edge[1]):
        if a < b:
            ranks[b] = max(ranks[b], ranks[a] + steps.get((a, b), 1))
    return ranks


def _direction(picture: Picture, steps: dict[tuple[int, int], int]) -> str:
    """Return the direction that comes nearest to the wanted shape."""
    if not picture.boxes:
        return "LR"
    ranks = _ranks(picture, steps)
    connected = {k for edge in picture.edges for k in edge}
    levels: dict[int, int] = {}
    for k, rank in enumerate(ranks):
        if k in connected:
            levels[rank] = levels.get(rank, 0) + 1
    deep, wide = max(ranks) + 1, max(levels.values(), default=1)
    away = {}
    for direction, (gap_x, gap_y) in _GAP.items():
        across, down = (deep, wide) if direction == "LR" else (wide, deep)
        shape = across * (_BOX[0] + gap_x) / (down * (_BOX[1] + gap_y))
        away[direction] = abs(math.log(shape / _ASPECT))
    return min(away, key=lambda direction: away[direction])


def _staggered(picture: Picture) -> dict[tuple[int, int], int]:
    """Return how many ranks an arrow crosses where many end, or begin, at one box: rows instead of a strip."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for a, b in picture.edges:
        above.setdefault(b, []).append(a)
        below.setdefault(a, []).append(b)
    steps: dict[tuple[int, int], int] = {}
    for b, inputs in above.items():
        alone = [a for a in inputs if len(below[a]) == 1]
        for k, rows in _rows(alone):
            # What hangs on an input moves with it, so rows stand as far apart as the longest of these is high.
            steps[alone[k], b] = 1 + rows * _height(alone[k], above, below)
    for a, users in below.items():
        ends = [b for b in users if b not in below and len(above[b]) == 1]
        for k, rows in _rows(ends):
            steps[a, ends[k]] = 1 + rows
    return steps


def _rows(boxes: list[int]) -> Iterable[tuple[int, int]]:
    count = len(boxes)
    if count <= 12:
        return ()
    rows = max(2, round(math.sqrt(count / 3.5)))
    return [(k, k % rows) for k in range(count)]


def _height(box: int, above: dict[int, list[int]], below: dict[int, list[int]]) -> int:
    """Return how many boxes deep is what only `box` takes."""
    height = 1
    level = [box]
    while height < 4:
        level = [a for b in level for a in above.get(b, ()) if len(below[a]) == 1]
        if not level:
            break
        height += 1
    return height
