"""How two values differ: what is said of it, and the same as data."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SAMPLES", "Difference", "around", "first_unlike", "largest_gap", "shown"]

#: Examples that are given of each kind of change.
SAMPLES = 5
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _repr.maxset = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """How two values differ.

    Parameters
    ----------
    kind : str
        How they were compared: ``"frame"``, ``"series"``, ``"array"``, ``"plain"``, ``"text"``,
        ``"object"``, ``"file"``, ``"bytes"``, ``"type"`` or ``"digest"``.
    equal : bool
        Whether nothing differs.
    lines : tuple of str
        For people.
    found : mapping
        For programs: plain data.
    """

    kind: str
    equal: bool
    lines: tuple[str, ...] = ()
    found: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kind": self.kind, "equal": self.equal, **self.found}


#: What says itself better than it represents itself.
_SAID = frozenset({"Timestamp", "Timedelta", "NaTType", "datetime64", "timedelta64"})


def largest_gap(was: Any, now: Any) -> float | None:
    """Return the largest finite distance between numbers that stand in the same places; None where there is none.

    Parameters
    ----------
    was, now : numpy.ndarray or pandas.Series
        Of equal length.
    """
    import numpy as np

    kinds = was.dtype.kind, now.dtype.kind
    if not set(kinds) <= set("iuf"):
        return None
    if "f" in kinds or kinds[0] != kinds[1]:
        one, two = (np.asarray(numbers, dtype=float) for numbers in (was, now))
        with np.errstate(all="ignore"):
            apart = np.abs(one - two)
        apart = apart[np.isfinite(apart)]
    else:
        both = [numbers[~(was.isna() | now.isna())] if hasattr(was, "isna") else numbers for numbers in (was, now)]
        one, two = (np.asarray(numbers, dtype=f"{kinds[0]}8") for numbers in both)
        # Without a sign there is room for the distance of any two of them.
        apart = np.maximum(one, two).astype("u8") - np.minimum(one, two).astype("u8")
    return apart.max().item() if len(apart) else None


def shown(value: Any) -> str:
    """Return a value as short text."""
    if type(value).__module__ == "numpy" and type(value).__name__ not in _SAID and getattr(value, "ndim", 1) == 0:
        value = value.item()
    try:
        text = str(value) if type(value).__name__ in _SAID else _repr.repr(value)
    except Exception:  # noqa: BLE001 - the class is someone else's
        text = f"<{type(value).__qualname__}>"
    return " ".join(text.split())


def first_unlike(one: str | bytes, two: str | bytes) -> int:
    """Return where two texts begin to differ.

    Examples
    --------
    >>> first_unlike("abc", "abd"), first_unlike("ab", "abc")
    (2, 2)
    """
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def around(text: str | bytes, at: int) -> str | bytes:
    """Return the part of a text around a place.

    Examples
    --------
    >>> around("the quick brown fox jumps over the lazy dog", 20)
    'brown fox jumps over the lazy '
    """
    return text[max(0, at - 10) : at + 20]
