"""Large literals and functions: each is passed once a run, and jobs refer to it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from dualdag.execution._protocol import Handle
from dualdag.execution._work import told_size
from dualdag.graph import nodes_in
from dualdag.store import dump_pickle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Shared", "size_of"]

_KINDS = (list, tuple, dict, set, frozenset)


def size_of(value: Any) -> int:
    """Return about how many bytes a value has: its own and those of its items, no deeper.

    Parameters
    ----------
    value : object
        Any value.

    Examples
    --------
    >>> size_of(b"x" * 1000), size_of([b"x" * 1000] * 3) > 3000, size_of(7)
    (1000, True, 0)
    """
    if type(value) in _KINDS:
        items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        return 8 * len(value) + sum(map(_own_size, items))
    return _own_size(value)


def _own_size(value: Any) -> int:
    if isinstance(value, (bytes, bytearray, str)):
        return len(value)
    if type(value) in _KINDS:
        return 8 * len(value)
    return told_size(value) or 0


class Shared:
    """The large values that a run's jobs were given, by content: two of the same are one.

    Parameters
    ----------
    limit : int
        Values of fewer bytes travel with their job.
    save : callable, optional
        Puts a value where workers find it, and returns its checksum and how it is decoded; without, sessions
        pass it as they pass the driver's values, and ask `value` for it.
    """

    def __init__(self, limit: int, save: Callable[[Any], tuple[bytes, str]] | None = None) -> None:
        self.limit = limit
        self._save = save
        self._values: dict[int, Any] = {}
        self._objects: dict[int, tuple[Any, Handle]] = {}
        self._contents: dict[bytes, Handle] = {}

    def worth(self, value: Any) -> bool:
        """Return whether a literal is passed by itself: it is large, and no node stands in it.

        Parameters
        ----------
        value : object
            An argument.
        """
        return size_of(value) >= self.limit and not nodes_in(value)

    def handle(self, value: Any) -> Handle:
        """Return what stands for a large value in the jobs that take it.

        Parameters
        ----------
        value : object
            Anything that can be pickled.
        """
        known = self._objects.get(id(value))
        if known is not None:
            return known[1]
        content = blake2b(dump_pickle(value), digest_size=16).digest()
        found = self._contents.get(content)
        if found is None:
            # Steps have the numbers from 0.
            number = -1 - len(self._contents)
            found = Handle(number, *self._save(value)) if self._save is not None else Handle(number)
            if self._save is None:
                self._values[number] = value
            self._contents[content] = found
        # The object is kept, so that its number stands for it alone.
        self._objects[id(value)] = value, found
        return found

    def value(self, handle: Handle, load: Callable[[Handle], Any]) -> Any:
        """Return what the driver has of a handle: a literal of these, or what `load` reads.

        Parameters
        ----------
        handle : Handle
            From `Packer.pack`.
        load : callable
            Reads a stored value.
        """
        return self._values[handle.id] if handle.id in self._values else load(handle)
