"""What a command says when something is wrong, and the status it exits with."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from dualdag.errors import (
    BackendError,
    DualdagError,
    StoreError,
    TaskError,
    TaskTimeoutError,
    WorkerLostError,
)

__all__ = ["DONE", "FAILED", "INTERRUPTED", "UNUSABLE", "USAGE", "UsersError", "describe", "say", "status_of"]

DONE = 0
FAILED = 1
USAGE = 2
UNUSABLE = 3
INTERRUPTED = 130

_HOME = Path(__file__).resolve().parent.parent
# Of a traceback, what shows how a command came to the user's code, and nothing of that code.
_OURS = (str(_HOME) + "/", str(_HOME) + "\\", "<frozen importlib", "<frozen runpy")
_FOLDERS = ("/click/", "/dualdag_dask/", "/dualdag_ray/")
_OF_A_TASK = (TaskError, TaskTimeoutError, WorkerLostError)


class UsersError(Exception):
    """Wraps what the user's own code raised: a flow while it was imported, or a task.

    Parameters
    ----------
    status : int
        What the command exits with, where the error's class does not say another.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def status_of(error: BaseException, *, users: int | None = None) -> int:
    """Return the exit status for an error.

    Parameters
    ----------
    error : BaseException
        What was raised.
    users : int or None
        The status for the user's own exceptions; None where no code of the user's ran.
    """
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if users == FAILED and isinstance(error, _OF_A_TASK):
        return FAILED
    if isinstance(error, (StoreError, BackendError)):
        return UNUSABLE
    if isinstance(error, DualdagError):
        # A run adds a note that names the node to what went wrong in a task.
        return FAILED if users == FAILED and getattr(error, "__notes__", None) else USAGE
    return FAILED if users is None else users


def describe(error: BaseException, status: int) -> dict[str, Any]:
    """Return an error as a JSON document.

    Parameters
    ----------
    error : BaseException
        What was raised.
    status : int
        What the command exits with.
    """
    return {"error": {"status": status, **_described(error)}}


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    found: dict[str, Any] = {
        "type": kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        "message": "interrupted" if isinstance(error, KeyboardInterrupt) else _text(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
    }
    if isinstance(error, BaseExceptionGroup):
        found["errors"] = [_described(one) for one in error.exceptions]
    if isinstance(error, BaseExceptionGroup) and not _users_frames(error):
        return found
    if not isinstance(error, (DualdagError, KeyboardInterrupt)):
        found["traceback"] = _traceback(error)
    return found


def say(error: BaseException) -> str:
    """Return what to tell a person: a line for an error of ours, the user's traceback for one of theirs.

    Parameters
    ----------
    error : BaseException
        What was raised.
    """
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; what had finished is kept\n"
    if isinstance(error, BaseExceptionGroup) and not _users_frames(error):
        parts = [say(one) for one in error.exceptions]
        return "\n".join([*parts, f"error: {error.message}\n"])
    if isinstance(error, DualdagError):
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        return f"error: {' '.join(f'{_text(error)}{notes}'.split())}\n"
    return _traceback(error)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<unprintable {type(error).__qualname__}>"


def _users_frames(error: BaseException) -> bool:
    """Return whether code of the user's raised it: a group is else a run's list of failures."""
    return any(not _is_ours(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def _traceback(error: BaseException) -> str:
    """Return the traceback without frames of ours; whole where there are no others, as that is a bug of ours."""
    shown = traceback.TracebackException.from_exception(error)
    cut = traceback.TracebackException.from_exception(error)
    _cut(cut)
    if cut.stack or not shown.stack or isinstance(error, SyntaxError):
        return "".join(cut.format())
    text = "".join(shown.format())
    return f"{text}This is a bug of dualdag; please report it with the output of `dualdag doctor`.\n"


def _cut(shown: traceback.TracebackException) -> None:
    pending: list[traceback.TracebackException | None] = [shown]
    while pending:
        one = pending.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if not _is_ours(frame.filename)]
            pending += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS) or any(folder in file.replace("\\", "/") for folder in _FOLDERS)
