"""Lists of names, written as text."""

from __future__ import annotations

__all__ = ["words"]


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set.

    Examples
    --------
    >>> sorted(words("head tail"))
    ['head', 'tail']
    """
    return frozenset(text.split())
