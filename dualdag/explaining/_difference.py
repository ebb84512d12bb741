"""How two values differ: what is said of it, and the same as data."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SAMPLES", "Difference", "shown"]

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


def shown(value: Any) -> str:
    """Return a value as short text."""
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    try:
        text = str(value) if type(value).__name__ in {"Timestamp", "Timedelta", "NaTType"} else _repr.repr(value)
    except Exception:  # noqa: BLE001 - the class is someone else's
        text = f"<{type(value).__qualname__}>"
    return " ".join(text.split())
