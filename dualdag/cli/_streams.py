"""Standard output that holds what was asked for, and nothing else."""

from __future__ import annotations

import json
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["discard_output", "json_only", "make_safe"]

_HOME = str(Path(__file__).resolve().parent.parent)


def make_safe() -> None:
    """Make the console show what it has no character for as an escape, and warnings of ours as one line; have one."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever called; what is opened next would else become standard output.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - no path of anybody's
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    usual = warnings.formatwarning

    def formatted(message: Any, category: Any, filename: str, lineno: int, line: str | None = None) -> str:
        if filename.startswith(_HOME):
            return f"warning: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = formatted


@contextmanager
def json_only() -> Iterator[Callable[[Any], None]]:
    """Send all output of the block to standard error, that of tasks and their processes too.

    Yields
    ------
    callable
        Takes the document, and writes it to what was standard output.
    """
    real = sys.stdout
    sys.stdout = sys.stderr
    kept = _turn_aside(real)

    def emit(document: Any) -> None:
        text = json.dumps(document, default=str, indent=2) + "\n"
        if kept is None:
            real.write(text)
        else:
            with os.fdopen(os.dup(kept), "w", encoding="ascii") as out:
                out.write(text)

    try:
        yield emit
    finally:
        sys.stdout = real
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _turn_aside(real: Any) -> int | None:
    """Point file descriptor 1 at standard error, and return another that is what it was."""
    try:
        if real.fileno() != 1:
            return None
        real.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    except (OSError, ValueError, AttributeError):
        return None
    return kept


def discard_output() -> None:
    """Send further output nowhere: what reads ours has enough of it, as `head` does, or can't take it."""
    if sys.stdout is sys.stderr:
        return  # only the document went elsewhere
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of anybody's
        try:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        except (OSError, ValueError, AttributeError):
            sys.stdout = sys.stderr
