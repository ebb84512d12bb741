"""Aligned plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(head: Sequence[str], rows: Sequence[Sequence[str] | None], gap: str) -> str:
    """Return rows under a head as aligned columns.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : sequence of sequences of str
        The cells; None for rows left out.
    gap : str
        What to write in place of them.

    Examples
    --------
    >>> print(text_table(("node", "action"), [("raw", "run"), None], "... 3 more ..."))
    node  action
    ----  ------
    raw   run
    ... 3 more ...
    """
    full = [row for row in rows if row is not None]
    widths = [max(map(len, column)) for column in zip(head, *full, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    lines = [line(head), line(["-" * width for width in widths])]
    lines += [gap if row is None else line(row) for row in rows]
    return "\n".join(lines)
