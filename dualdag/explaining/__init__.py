"""Explaining: why something would run, how two versions differ, what an artifact came from, what runs did."""

from __future__ import annotations

from dualdag.explaining._cause import Cause, place_text, wrapped
from dualdag.explaining._lineage import lineage, lineage_lines
from dualdag.explaining._making import Function, Making, read_making
from dualdag.explaining._why import Why, explain, read_cheap_files

__all__ = [
    "Cause",
    "Function",
    "Making",
    "Why",
    "explain",
    "lineage",
    "lineage_lines",
    "place_text",
    "read_cheap_files",
    "read_making",
    "wrapped",
]
