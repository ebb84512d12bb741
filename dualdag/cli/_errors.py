"""What a command says when something is wrong, and the status it exits with."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from dualdag.errors import BackendError, DualdagError, StoreError

__all__ = ["FAILED", "INTERRUPTED", "UNUSABLE", "USAGE", "report_error"]

FAILED = 1
USAGE = 2
UNUSABLE = 3
INTERRUPTED = 130

_OURS = str(Path(__file__).resolve().parent.parent)


def report_error(error: BaseException, *, as_json: bool, failed: bool) -> int:
    """Tell of an error; return the exit status.

    Parameters
    ----------
    error : BaseException
        What was raised.
    as_json : bool
        Whether to print one JSON document instead of text.
    failed : bool
        Whether it came from running tasks, not from reading the flow or the settings.
    """
    status = _status(error, failed=failed)
    if as_json:
        print(json.dumps({"error": _described(error) | {"status": status}}))
    elif isinstance(error, KeyboardInterrupt):
        print("interrupted; what had finished is kept", file=sys.stderr)
    elif isinstance(error, DualdagError) and not isinstance(error, BaseExceptionGroup):
        print(f"error: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"  {note}", file=sys.stderr)
    else:
        _users_frames(error)
        print("".join(traceback.format_exception(error)), file=sys.stderr, end="")
    return status


def _status(error: BaseException, *, failed: bool) -> int:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, (StoreError, BackendError)):
        return UNUSABLE
    if isinstance(error, DualdagError) and not (failed and getattr(error, "__notes__", None)):
        return USAGE
    return FAILED


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    found: dict[str, Any] = {
        "type": kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        "message": str(error),
        "notes": list(getattr(error, "__notes__", ())),
    }
    if isinstance(error, BaseExceptionGroup):
        found["errors"] = [_described(one) for one in error.exceptions]
    return found


def _users_frames(error: BaseException) -> None:
    """Cut frames of dualdag and of the import system off the top of a traceback."""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not (name.startswith((_OURS, "<frozen importlib")) or "/click/" in name.replace("\\", "/")):
            break
        trace = trace.tb_next
    if trace is not None:
        error.__traceback__ = trace
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            _users_frames(one)
