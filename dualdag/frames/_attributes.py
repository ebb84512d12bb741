"""Attributes of frames and series that are objects of their own: attrs, flags, style."""

from __future__ import annotations

from typing import Any

from dualdag.frames._ops import derive
from dualdag.frames._run import ask
from dualdag.frames._steps import freeze, step

__all__ = ["Attrs", "Flags", "attrs", "flags", "style"]


class Attrs(dict[Any, Any]):
    """A frame's attrs; what is changed in it is changed in the frame."""

    __slots__ = ("_table",)

    def __init__(self, table: Any, given: dict[Any, Any]) -> None:
        super().__init__(given)
        self._table = table

    def _settle(self) -> None:
        handle = self._table._handle
        self._table._become(derive(handle, (step("attr=", "attrs", freeze(dict(self))),), handle.kind))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._settle()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._settle()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take over names and values."""
        super().update(*args, **kwargs)
        self._settle()

    def pop(self, *args: Any) -> Any:
        """Take a name out and return its value."""
        found = super().pop(*args)
        self._settle()
        return found

    def clear(self) -> None:
        """Take all names out."""
        super().clear()
        self._settle()


class Flags:
    """A frame's flags; what is set in them is set in the frame.

    Parameters
    ----------
    table : Lazy
        Whose flags they are.
    """

    __slots__ = ("_table",)

    def __init__(self, table: Any) -> None:
        self._table = table

    @property
    def allows_duplicate_labels(self) -> bool:
        """Whether labels may repeat."""
        return bool(ask(self._table._handle, (step(".flags"), step(".allows_duplicate_labels"))))

    @allows_duplicate_labels.setter
    def allows_duplicate_labels(self, value: bool) -> None:
        handle = self._table._handle
        made = step("flags=", "allows_duplicate_labels", value)
        self._table._become(derive(handle, (made,), handle.kind))

    def __getitem__(self, key: str) -> bool:
        if key != "allows_duplicate_labels":
            raise KeyError(key)
        return self.allows_duplicate_labels

    def __setitem__(self, key: str, value: bool) -> None:
        if key != "allows_duplicate_labels":
            raise ValueError(f"Unknown flag {key}. Must be one of ['allows_duplicate_labels']")
        self.allows_duplicate_labels = value


def attrs(self: Any) -> Attrs:
    """Return ``self.attrs``."""
    return Attrs(self, ask(self._handle, (step(".attrs"),)))


def flags(self: Any) -> Flags:
    """Return ``self.flags``."""
    return Flags(self)


def style(self: Any) -> Any:
    """Return ``self.style`` of the computed frame."""
    return self.compute().style
