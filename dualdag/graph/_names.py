"""Names that artifacts may have: the same on every filesystem and object store."""

from __future__ import annotations

import re

from dualdag.errors import GraphError

__all__ = ["validate_name"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,198}", re.ASCII)
# Windows keeps these for devices, with any ending; "all" is what refresh= takes.
_RESERVED = {"con", "prn", "aux", "nul", "all", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


def validate_name(name: object) -> None:
    """Raise GraphError unless `name` can name an artifact.

    Parameters
    ----------
    name : object
        What was given as a name.

    Raises
    ------
    GraphError
        When it is no text, is empty or longer than 199 characters, has characters other than
        letters, digits, ``_``, ``-`` and ``.``, starts with ``-`` or ``.``, or is a reserved word.

    Examples
    --------
    >>> validate_name("daily_revenue")
    """
    if isinstance(name, str) and _NAME.fullmatch(name) and not name.endswith("."):
        if name.partition(".")[0].lower() not in _RESERVED:
            return
        raise GraphError(f"{name!r} can't name an artifact: it is a reserved word. Take another name.")
    shown = repr(name) if len(repr(name)) <= 80 else f"{repr(name)[:77]}..."
    raise GraphError(
        f"{shown} can't name an artifact: use 1 to 199 letters, digits, '_', '-' or '.', "
        "the first a letter, a digit or '_'."
    )
