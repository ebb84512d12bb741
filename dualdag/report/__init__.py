"""Reports: progress, tables and pictures; they read events and plans and never drive them."""

from __future__ import annotations

from dualdag.report._progress import progress
from dualdag.report._tables import bytes_text, print_table, seconds_text, table_text, when_text

__all__ = ["bytes_text", "print_table", "progress", "seconds_text", "table_text", "when_text"]
