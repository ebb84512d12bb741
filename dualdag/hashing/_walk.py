"""Digest of anything that can be pickled: the structure that pickle would write, told canonically.

An object counts by what rebuilds it: a callable by its name, the arguments, the state, the items.  That one
object stands in two places does not matter, only what stands there; so a value has one digest before and
after it is stored.  Pickle's own bytes would not do: they tell shared from equal, and a set's order.

All objects are numbered first, without recursion.  Then each gets its digest after those it holds; objects
that hold each other in a circle get theirs together, refined until no more of them can be told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, DualdagError
from dualdag.hashing._shapes import Shape, UnopenedError, is_scalar, opened, scalar
from dualdag.hashing._streams import seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["walk"]


class _Table:
    """Every object reached, by number: what it is, and what it holds as numbers or digests."""

    __slots__ = ("digests", "held", "inner", "kept", "numbers", "ordered", "tags")

    def __init__(self) -> None:
        # Objects made on the way are kept, or their ids would be given away again.
        self.kept: list[Any] = []
        self.held: list[int] = []
        self.numbers: dict[int, int] = {}
        self.tags: list[bytes] = []
        self.inner: list[list[int | bytes]] = []
        self.ordered: list[bool] = []
        self.digests: list[bytes | None] = []

    def number(self, obj: Any, holder: int) -> int | bytes:
        """Return the number of an object, a new one if it was not met before; a scalar's digest."""
        if is_scalar(type(obj)):
            return scalar(obj)
        known = self.numbers.get(id(obj))
        if known is None:
            known = self.numbers[id(obj)] = len(self.kept)
            self.kept.append(obj)
            self.held.append(holder)
        return known

    def enter(self, at: int, made: bytes | Shape) -> None:
        """Note what the object of a number opened into."""
        shape = Shape(b"", []) if isinstance(made, bytes) else made
        self.digests.append(made if isinstance(made, bytes) else None)
        self.tags.append(shape.tag)
        self.ordered.append(shape.ordered)
        self.inner.append([self.number(one, at) for one in shape.inner])

    def way_to(self, at: int) -> str:
        """Return how to get to an object, as in ``result['model'].conn``."""
        steps: list[str] = []
        while at >= 0:
            holder = self.held[at]
            if holder >= 0:
                steps.append(_step(self.kept[holder], self.kept[at]))
            at = holder
        return "result" + "".join(reversed(steps))

    def made_of(self, at: int, colours: dict[int, bytes]) -> bytes:
        """Return the digest of one object from those of what it holds."""
        parts = [
            one if isinstance(one, bytes) else colours[one] if one in colours else self.digests[one] or b""
            for one in self.inner[at]
        ]
        return seal(self.tags[at], *(parts if self.ordered[at] else sorted(parts)))


def _step(holder: Any, obj: Any) -> str:
    if isinstance(holder, dict):
        return next((f"[{key!r:.60}]" for key, one in holder.items() if one is obj), "")
    if isinstance(holder, (list, tuple)):
        return next((f"[{i}]" for i, one in enumerate(holder) if one is obj), "")
    names = getattr(holder, "__dict__", None)
    if isinstance(names, dict):
        return next((f".{name}" for name, one in names.items() if one is obj), "")
    return ""


def walk(obj: Any, opener: Callable[[Any], bytes | Shape] = opened) -> bytes:
    """Return the digest of a value, whatever it holds.

    Parameters
    ----------
    obj : object
        The value.
    opener : callable
        Opens `obj` itself; what it holds is opened as usual.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    CodecError
        For what has no content to store: it says what came, where it stands and what to do.
    """
    table = _Table()
    table.kept.append(obj)
    table.held.append(-1)
    table.numbers[id(obj)] = 0
    at = 0
    try:
        while at < len(table.kept):
            table.enter(at, opened(table.kept[at]) if at else opener(obj))
            at += 1
    except UnopenedError as error:
        where = f"{table.way_to(at)} is" if at else "this is"
        raise CodecError(f"{where} {error.what}: {error.advice}.") from error.__cause__
    except DualdagError:
        raise
    except RecursionError as error:
        raise CodecError(f"{table.way_to(at)} is nested too deep to be hashed.") from error
    except Exception as error:
        kind = type(table.kept[at])
        raise CodecError(
            f"{table.way_to(at)}, a {kind.__module__}.{kind.__qualname__}, failed to show its content "
            f"({type(error).__name__}: {error}): correct its __reduce__ or __getstate__, or teach dualdag "
            "the class with dag.register(cls, digest=..., codec=...)."
        ) from error
    return table.digests[0] or _settle(table)


def _settle(table: _Table) -> bytes:
    """Give every object its digest, the innermost first (Tarjan's components, on a stack of our own)."""
    inner, digests = table.inner, table.digests
    order = [-1] * len(inner)
    low = [0] * len(inner)
    waiting = [0]
    path: list[tuple[int, Iterator[int | bytes]]] = [(0, iter(inner[0]))]
    order[0], count = 0, 1
    while path:
        at, rest = path[-1]
        for child in rest:
            if isinstance(child, bytes) or digests[child] is not None:
                continue
            if order[child] < 0:
                order[child] = low[child] = count
                count += 1
                waiting.append(child)
                path.append((child, iter(inner[child])))
                break
            low[at] = min(low[at], order[child])
        else:
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[at])
            if low[at] == order[at]:
                ring = [waiting.pop()]
                while ring[-1] != at:
                    ring.append(waiting.pop())
                if len(ring) == 1 and at not in inner[at]:
                    digests[at] = table.made_of(at, {})
                else:
                    _settle_ring(table, ring)
    found = digests[0]
    assert found is not None  # noqa: S101 - the root's component is the last
    return found


def _settle_ring(table: _Table, ring: list[int]) -> None:
    """Give objects that hold each other their digests: by what can be seen from each, however far it goes.

    Each round looks one step further.  When a round tells no more of them apart than the one before, none
    ever will; which objects share a place is then no part of the answer, as it is not elsewhere.
    """
    seen = {at: seal(table.tags[at]) for at in ring}
    while True:
        further = {at: table.made_of(at, seen) for at in ring}
        if len(set(further.values())) == len(set(seen.values())):
            break
        seen = further
    # Two rings that agree in these steps agree in all that follow.
    whole = seal(b"ring", *sorted({seen[at] + further[at] for at in ring}))
    for at in ring:
        table.digests[at] = seal(b"of ring", further[at], whole)
