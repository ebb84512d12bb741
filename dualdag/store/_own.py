"""Names that dualdag gives to what may be removed: a store may lie in a folder that holds other things, too."""

from __future__ import annotations

import re

__all__ = ["OWN", "is_journal", "is_scratch", "is_set_aside", "is_temporary"]

#: What lies at the top of a store and tells of results.
OWN = frozenset({"artifacts", "batches", "cache", "facts", "objects", "runs", "unstable"})

_TEMPORARY = re.compile(r"\.[0-9a-f]+-[0-9a-f]+-[0-9a-f]+\.tmp", re.ASCII)
_SCRATCH = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ASIDE = re.compile(r".+-[0-9a-f]{8}", re.ASCII)
_JOURNAL = re.compile(r"begin|end|[0-9]{8,}", re.ASCII)


def is_temporary(name: str) -> bool:
    """Say whether a name is that of a file which is being written.

    Parameters
    ----------
    name : str
        Without its folder.

    Examples
    --------
    >>> is_temporary(".0123456789ab-1f-0.tmp"), is_temporary("notes.tmp")
    (True, False)
    """
    return _TEMPORARY.fullmatch(name) is not None


def is_scratch(name: str) -> bool:
    """Say whether a name is that of a file for a moment, in ``scratch/`` or ``gc/``.

    Parameters
    ----------
    name : str
        Without its folder.
    """
    return _SCRATCH.fullmatch(name) is not None


def is_set_aside(name: str) -> bool:
    """Say whether a name is that of a file in ``damaged/`` which was set aside.

    Parameters
    ----------
    name : str
        Without its folder.
    """
    return _ASIDE.fullmatch(name) is not None


def is_journal(name: str) -> bool:
    """Say whether a name is that of a piece of a run's journal.

    Parameters
    ----------
    name : str
        Without its folder.
    """
    return _JOURNAL.fullmatch(name) is not None
