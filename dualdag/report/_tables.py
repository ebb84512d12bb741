"""Numbers and tables as people read them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

__all__ = ["bytes_text", "print_table", "seconds_text", "table_text", "until_text", "when_text", "zoned_text"]


def bytes_text(count: float | None) -> str:
    """Return a size, such as ``"1.5 MB"``.

    Examples
    --------
    >>> bytes_text(1536), bytes_text(None)
    ('1.5 kB', '')
    """
    if count is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if round(count, 1) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds_text(seconds: float | None) -> str:
    """Return a length of time, such as ``"12 ms"`` or ``"3 min 20 s"``.

    Examples
    --------
    >>> seconds_text(0.0123), seconds_text(200)
    ('12 ms', '3 min 20 s')
    """
    if seconds is None:
        return ""
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def when_text(when: datetime | None) -> str:
    """Return a time in the zone of this machine."""
    return "" if when is None else when.astimezone().isoformat(" ", "seconds")[:19]


def zoned_text(when: datetime) -> str:
    """Return a time in the zone of this machine, and the zone."""
    local = when.astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if local.second else "%Y-%m-%d %H:%M %Z")


def until_text(left: timedelta) -> str:
    """Return how long it is until then, such as ``"in 2 d 3 h"``; ``"now"`` where nothing is left.

    Examples
    --------
    >>> until_text(timedelta(hours=3, seconds=20)), until_text(timedelta(0))
    ('in 3 h', 'now')
    """
    seconds = round(left.total_seconds())
    if seconds <= 0:
        return "now"
    if seconds < 60:
        return f"in {seconds} s"
    minutes = round(seconds / 60)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return "in " + " ".join(f"{count} {unit}" for count, unit in [part for part in parts if part[0]][:2])


def table_text(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return an aligned table in plain text.

    Parameters
    ----------
    head : sequence of str
        Titles of the columns.
    rows : sequence of sequences of str
        Cells.
    right : sequence of int
        Columns that are aligned to the right.

    Examples
    --------
    >>> print(table_text(["name", "n"], [["a", "10"]], right=[1]))
    name   n
    ----  --
    a     10
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = "  ".join(f"{{:{'>' if i in right else '<'}{width}}}" for i, width in enumerate(widths)).format
    return "\n".join(line(*row).rstrip() for row in (head, ["-" * width for width in widths], *rows))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table: drawn on a terminal, plain in a pipe."""
    if not sys.stdout.isatty():
        sys.stdout.write(f"{table_text(head, rows, right=right)}\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    widths = _widths([head, *rows], console.width)
    # In a window too narrow for the table its lines go on below, as those of any program; nothing is cut off.
    console.width = max(console.width, sum(widths) + _BETWEEN * len(widths) + 1)
    table = Table(box=box.SIMPLE_HEAD)
    for i, title in enumerate(head):
        side: Literal["left", "right"] = "right" if i in right else "left"
        table.add_column(title, justify=side, overflow="fold", width=widths[i])
    for row in rows:
        table.add_row(*[Text(cell, style=_STYLES.get(cell, "")) for cell in row])
    console.print(table)


def _widths(rows: Sequence[Sequence[str]], most: int) -> list[int]:
    """Return how wide columns are in a window of a width: narrow ones as they are, the others share the rest."""
    from rich.cells import cell_len

    columns = [[str(cell) for cell in column] for column in zip(*rows, strict=True)]
    wanted = [max(map(cell_len, column)) for column in columns]
    words = [max((cell_len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    widths = [min(word, _NARROW) for word in words]
    spare = max(0, most - sum(widths) - _BETWEEN * len(widths) - 1)
    order = sorted(range(len(widths)), key=lambda i: wanted[i] - widths[i])
    for k, i in enumerate(order):
        more = min(wanted[i] - widths[i], spare // (len(order) - k))
        widths[i] += more
        spare -= more
    return widths


#: How narrow a column becomes before a word in it is broken.
_NARROW = 12
_BETWEEN = 3
_STYLES = {
    "run": "yellow",
    "check": "cyan",
    "reuse": "green",
    "pinned": "blue",
    "failed": "red",
    "not run": "red",
    "done": "green",
}
