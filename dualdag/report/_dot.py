"""A picture as DOT: text that Graphviz lays out."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from dualdag.report._palette import BACKGROUND, EDGE, STYLES, TEXT, TEXT_SMALL

if TYPE_CHECKING:
    from dualdag.report._boxes import Box, Picture
    from dualdag.report._layout import Arrow, Layout

__all__ = ["dot_text", "plain_text"]


def dot_text(picture: Picture, layout: Layout) -> str:
    """Return a picture as DOT.

    Ids are ``n0``, ``n1``, ...: nothing that a user wrote is an id, and labels are escaped.

    Parameters
    ----------
    picture : Picture
        What to draw.
    layout : Layout
        How it is laid out.
    """
    nodesep = 0.16 if layout.direction == "LR" else 0.25
    lines = [
        "digraph dualdag {",
        f'  graph [rankdir={layout.direction}, bgcolor="{BACKGROUND[0]}", fontname="Helvetica", fontsize=12,',
        f"    nodesep={nodesep}, ranksep={layout.ranksep}, pad=0.25, compound=true,",
        f'    pack=14, packmode="graph", labelloc=t, labeljust=l, label={_heading(picture)}]',
        '  node [shape=box, fontname="Helvetica", fontsize=12, margin="0.13,0.06", height=0.3, width=0.6]',
        f'  edge [color="{EDGE[0]}", arrowsize=0.6, penwidth=1]',
    ]
    lines += [f"  n{k} [{_attributes(k, box)}]" for k, box in enumerate(picture.boxes)]
    for number, bundle in enumerate(layout.bundles):
        inside = " ".join(f"n{k}" for cell in bundle.cells for k in cell)
        border = f'style="rounded,dotted", color="{EDGE[0]}"' if bundle.end is not None else "peripheries=0"
        look = f'{border}, margin=10, label=""'
        lines.append(f"  subgraph cluster_{number} {{ graph [{look}]; {inside} }}")
    lines += [_arrow(arrow, layout) for arrow in layout.arrows]
    return "\n".join([*lines, "}", ""])


def _arrow(arrow: Arrow, layout: Layout) -> str:
    options = ["style=invis"] if arrow.hidden else []
    if arrow.bundle is not None:
        inside = any(arrow.start in cell for cell in layout.bundles[arrow.bundle].cells)
        side = "ltail" if inside else "lhead"
        options.append(f"{side}=cluster_{arrow.bundle}, penwidth=2")
    look = f" [{', '.join(options)}]" if options else ""
    return f"  n{arrow.start} -> n{arrow.end}{look}"


def plain_text(text: str) -> str:
    """Return text without characters that XML can't hold.

    Examples
    --------
    >>> plain_text("a" + chr(0) + "b")
    'a?b'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def _markup(text: str) -> str:
    # Graphviz reads entities in all text, and a backslash with a letter as something of the graph's.
    return escape(plain_text(text), quote=True).replace("\\", "&#92;&#92;")


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
    # Of a tooltip, escapes are undone once more than of a label.
    lines = [_markup(line).replace("&#92;", "&#92;&#92;") for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'


def _label(box: Box) -> str:
    title = _markup(box.title) or " "
    colour = TEXT[0] if box.kind == "task" else TEXT_SMALL[0]
    size = 14 if box.artifact else 12 if box.kind == "task" else 11
    rows = [f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{f"<B>{title}</B>" if box.artifact else title}</FONT>']
    rows += [f'<FONT POINT-SIZE="10" COLOR="{TEXT_SMALL[0]}">{_markup(line)}</FONT>' for line in box.lines]
    if len(rows) == 1:
        return f"<{rows[0]}>"
    cells = "".join(f'<TR><TD CELLPADDING="1">{row}</TD></TR>' for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0">{cells}</TABLE>>'


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
                f'<TD BGCOLOR="{style.fill}" COLOR="{style.line}" BORDER="1" CELLPADDING="4" STYLE="ROUNDED">'
                f'<FONT POINT-SIZE="11" COLOR="{TEXT[0]}">{text}</FONT></TD>'
            )
    if not cells:
        return '""'
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="6"><TR>{"".join(cells)}</TR></TABLE>>'
