"""One thing that differs, in words and as data."""

from __future__ import annotations

import difflib
import os.path
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dualdag.explaining._making import InputFile

__all__ = ["WIDTH", "Cause", "cut", "file_text", "listed", "place_text", "unified", "wrapped"]

#: Columns that what is printed keeps to.
WIDTH = 100
_MOST_LINES = 40
_MOST_CAUSES = 40
_MOST_DIFF = 20_000


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs.

    Parameters
    ----------
    kind : str
        ``"never"``, ``"refresh"``, ``"due"``, ``"lost"``, ``"damaged"``, ``"code"``, ``"global"``,
        ``"closure"``, ``"default"``, ``"attribute"``, ``"import"``, ``"task"``, ``"argument"``,
        ``"parameter"``, ``"step"``, ``"input"``, ``"file"``, ``"artifact"``, ``"value"``, ``"package"``,
        ``"python"``, ``"record"`` or ``"unknown"``.
    text : str
        What, as a sentence without its full stop.
    where : str
        File and line, where there is one.
    was, now : str
        The two states, where they can be told.
    diff : str
        Of code: a unified diff.
    through : tuple of str
        The way from the cause to what was asked about.
    """

    kind: str
    text: str
    where: str = ""
    was: str = ""
    now: str = ""
    diff: str = ""
    through: tuple[str, ...] = ()

    def below(self, name: str) -> Cause:
        """Return this cause as that of something further down."""
        return replace(self, through=(*self.through, name))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "kind": self.kind, "text": self.text, "where": self.where, "was": self.was, "now": self.now,
            "diff": self.diff, "through": list(self.through),
        }  # fmt: skip

    def lines(self, names: tuple[str, str] = ("was", "now")) -> list[str]:
        """Return it as lines for people, the first one without an indent.

        Parameters
        ----------
        names : tuple of str
            What the two states are called.
        """
        where = f" ({place_text(self.where)})" if self.where else ""
        found = wrapped(self.text + where, "", "  ")
        wide = max(map(len, names))
        for name, state in zip(names, _apart(self.was, self.now, WIDTH - wide - 7), strict=True):
            if state:
                found.append(cut(f"  {name.ljust(wide)}  {state}"))
        if self.diff:
            rows = self.diff.splitlines()
            found += [cut(f"    {row}") for row in rows[:_MOST_LINES]]
            if len(rows) > _MOST_LINES:
                found.append(f"    ... {len(rows) - _MOST_LINES} lines more; --json has them all")
        # A task's function and its step often have one name.
        way = [name for k, name in enumerate(self.through) if k == 0 or name != self.through[k - 1]]
        if len(way) > 1:
            found += wrapped("through " + " -> ".join(way), "  ", "    ")
        return found


def listed(causes: Sequence[Cause], names: tuple[str, str]) -> list[str]:
    """Return causes as a numbered list, an empty line before each.

    Parameters
    ----------
    causes : sequence of Cause
        Of very many, the first are told.
    names : tuple of str
        What the two states are called.
    """
    lines = []
    for number, one in enumerate(causes[:_MOST_CAUSES], 1):
        head, *rest = one.lines(names)
        lines += ["", f"{number}. {head}", *(f" {row}" for row in rest)]
    if len(causes) > _MOST_CAUSES:
        lines += ["", f"and {len(causes) - _MOST_CAUSES} more; --json lists them all"]
    return lines


def _apart(was: str, now: str, most: int) -> tuple[str, str]:
    """Return two states, of long ones the part where they begin to differ."""
    if max(len(was), len(now)) <= most or not was or not now:
        return was, now
    same = next(
        (k for k, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), min(len(was), len(now))
    )
    start = max(0, min(same - most // 3, max(len(was), len(now)) - most))
    return ("..." + was[start:], "..." + now[start:]) if start else (was, now)


def cut(text: str, most: int = WIDTH) -> str:
    """Return a line, or its beginning where it is longer.

    Examples
    --------
    >>> cut("abcdefgh", 6)
    'abc...'
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def wrapped(text: str, first: str, rest: str) -> list[str]:
    """Return text as lines of at most 100 columns, broken between words."""
    import textwrap

    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def place_text(place: str) -> str:
    """Return a file and line, from the working folder where it lies below that.

    Examples
    --------
    >>> place_text("/elsewhere/flow.py:3")
    '/elsewhere/flow.py:3'
    """
    if not os.path.isabs(place):  # noqa: PTH117 - a place is no path, it ends in a line
        return place
    folder = f"{Path.cwd()}{os.sep}"
    return place.removeprefix(folder)


def file_text(file: InputFile) -> str:
    """Return what a file looked like: size, time and the beginning of its digest."""
    from datetime import UTC, datetime

    when = "" if file.when is None else _when(datetime.fromtimestamp(file.when, UTC))
    # To the byte: a line more of a large file is a change too.
    size = "" if file.size is None else f"{file.size:,} B"
    parts = [size, when, f"digest {file.digest[:12]}" if file.digest else "not read yet"]
    return ", ".join(part for part in parts if part)


def _when(when: Any) -> str:
    return str(when.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f"))[:-3]


def unified(was: str, now: str, before: str, after: str, context: int = 3) -> str:
    """Return a unified diff of two texts; of very long ones, of their beginnings.

    Parameters
    ----------
    was, now : str
        The texts.
    before, after : str
        What they are called.
    context : int
        Lines around each change.
    """
    one, two = _rows(was), _rows(now)
    rows = difflib.unified_diff(one, two, before, after, n=context, lineterm="")
    return "\n".join(_capped(rows))


def _rows(text: str) -> list[str]:
    return text.splitlines()[:_MOST_DIFF]


def _capped(rows: Iterable[str]) -> Iterable[str]:
    for k, row in enumerate(rows):
        if k == _MOST_DIFF:
            yield "... cut here"
            return
        yield row.rstrip() if row.startswith(" ") else row
