"""Explaining: why something would run, how two versions differ, what an artifact came from, what runs did."""

from __future__ import annotations

from dualdag.explaining._cause import Cause, place_text, wrapped
from dualdag.explaining._diff import Diff, diff_versions
from dualdag.explaining._difference import Difference
from dualdag.explaining._lineage import lineage, lineage_lines
from dualdag.explaining._making import Function, Making, read_making
from dualdag.explaining._values import diff_values
from dualdag.explaining._why import Why, explain, read_cheap_files

__all__ = [
    "Cause",
    "Diff",
    "Difference",
    "Function",
    "Making",
    "Why",
    "diff_values",
    "diff_versions",
    "explain",
    "lineage",
    "lineage_lines",
    "place_text",
    "read_cheap_files",
    "read_making",
    "wrapped",
]
