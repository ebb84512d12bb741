"""Reports: progress, tables and pictures; they read events and plans and never drive them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.report._plans import plan_rows
from dualdag.report._progress import progress
from dualdag.report._tables import (
    bytes_text,
    print_table,
    seconds_text,
    table_text,
    until_text,
    when_text,
    zoned_text,
)

if TYPE_CHECKING:
    from dualdag.report._draw import FORMATS, draw

__all__ = [
    "FORMATS",
    "bytes_text",
    "draw",
    "plan_rows",
    "print_table",
    "progress",
    "seconds_text",
    "table_text",
    "until_text",
    "when_text",
    "zoned_text",
]


def __getattr__(name: str) -> Any:
    if name in {"FORMATS", "draw"}:  # every run shows progress, few draw
        from dualdag.report import _draw

        return getattr(_draw, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
