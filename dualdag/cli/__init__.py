"""The `dualdag` command: each subcommand is a few lines over the public API."""

from __future__ import annotations

from dualdag.cli._main import main

__all__ = ["main"]
