"""Every exception that dualdag raises.

Each class is also the builtin exception a caller would expect, so that code which knows nothing of
dualdag can still catch it.  Messages say what was wrong, where (node, file and line of the user's
code) and what to do.
"""

from __future__ import annotations

__all__ = [
    "ArtifactNotFoundError",
    "BackendError",
    "BackendNotInstalledError",
    "CodecError",
    "ConfigError",
    "CorruptObjectError",
    "DualdagError",
    "FingerprintError",
    "GraphError",
    "StoreError",
    "TaskError",
    "TaskTimeoutError",
    "UntrustedRecordError",
    "WorkerLostError",
    "did_you_mean",
]


class DualdagError(Exception):
    """Root of every exception of dualdag."""

    def __str__(self) -> str:
        # KeyError quotes its argument and OSError reformats it; a sentence must stay a sentence.
        return str(self.args[0]) if self.args else ""


class GraphError(DualdagError, ValueError):
    """The graph, or the use of a node, does not make sense."""


class FingerprintError(DualdagError, TypeError):
    """A function or value has no content that can be hashed."""


class ArtifactNotFoundError(DualdagError, KeyError):
    """No artifact of that name, or no such version of it."""


class StoreError(DualdagError, OSError):
    """The store can't be opened, read or written."""


class CorruptObjectError(StoreError):
    """Stored bytes differ from what was written."""


class UntrustedRecordError(StoreError):
    """A record is unsigned, or its signature does not fit."""


class BackendError(DualdagError, RuntimeError):
    """A backend can't be used as asked."""


class BackendNotInstalledError(BackendError, ImportError):
    """The engine behind a backend is not installed."""


class WorkerLostError(BackendError):
    """The process that ran a task ended before the task did."""


class TaskTimeoutError(DualdagError, TimeoutError):
    """A task took longer than its ``timeout``."""


class TaskError(DualdagError, RuntimeError):
    """A task failed with an exception that can't be rebuilt here."""


class ConfigError(DualdagError, ValueError):
    """A setting has a value that makes no sense."""


class CodecError(DualdagError, TypeError):
    """No codec can store this value, or stored bytes can't be decoded."""


def did_you_mean(name: str, known: object, *, limit: int = 3) -> str:
    """Return a sentence with the names nearest to `name`, or what there is.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What exists.
    limit : int
        How many names to show at the most.

    Returns
    -------
    str
        A sentence that starts with a space, or ``""`` when nothing is known.

    Examples
    --------
    >>> did_you_mean("revenu", ["revenue", "costs"])
    " Did you mean 'revenue'?"
    """
    import difflib

    names = sorted(str(k) for k in known)  # type: ignore[attr-defined]
    near = difflib.get_close_matches(name, names, n=limit, cutoff=0.6)
    if near:
        return " Did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not names:
        return ""
    shown = ", ".join(repr(n) for n in names[:10])
    return f" There is: {shown}{', ...' if len(names) > 10 else ''}."
