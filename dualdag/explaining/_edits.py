"""Steps that were put between two others, or taken out, so that what lies above them goes together all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from dualdag.explaining._calls import function_name, is_chain

if TYPE_CHECKING:
    from dualdag.explaining._making import Making

__all__ = ["Edit", "find_edit"]


class Edit(NamedTuple):
    """Steps that one of two makings has and the other has not, and the two places that go together above them."""

    added: bool
    places: tuple[int, ...]
    pair: tuple[int, int]


def find_edit(
    makings: tuple[Making, Making], places: tuple[int, int], signs: tuple[list[bytes], list[bytes]]
) -> Edit | None:
    """Return the steps that came or went where two steps differ; None where they go together themselves.

    Parameters
    ----------
    makings : tuple of Making
        The older one and the newer one.
    places : tuple of int
        A step of each.
    signs : tuple of list of bytes
        A hash of each step and all above it.
    """
    one, two = (made.steps[place] for made, place in zip(makings, places, strict=True))
    if "call" not in (one.kind, two.kind) or one.own == two.own:
        return None
    found = _nearest(makings, places, lambda i, j: signs[0][i] == signs[1][j])
    if found is not None:
        return found
    above = [
        Counter(sign[k] for k in _inputs(made, place)) for made, place, sign in zip(makings, places, signs, strict=True)
    ]
    shapes = [_shape(made, place) for made, place in zip(makings, places, strict=True)]
    if above[0] == above[1] or shapes[0] == shapes[1]:
        return None
    then, now = makings
    return _nearest(makings, places, lambda i, j: then.steps[i].own == now.steps[j].own) or _nearest(
        makings, places, lambda i, j: _shape(then, i) == _shape(now, j)
    )


def _nearest(makings: tuple[Making, Making], places: tuple[int, int], alike: Callable[[int, int], bool]) -> Edit | None:
    """Return the shorter way from one of two steps up to one that is like the other."""
    i, j = places
    added = _way(makings[1], j, lambda k: alike(i, k))
    removed = _way(makings[0], i, lambda k: alike(k, j))
    if added and (not removed or len(added) <= len(removed)):
        return Edit(added=True, places=added[:-1], pair=(i, added[-1]))
    return Edit(added=False, places=removed[:-1], pair=(removed[-1], j)) if removed else None


def _way(made: Making, start: int, fits: Callable[[int], bool]) -> tuple[int, ...]:
    """Return the shortest way from a step up to another that fits, both included."""
    ways: dict[int, tuple[int, ...]] = {start: (start,)}
    order = [start]
    for k in order:  # grows while it is read
        for j in _inputs(made, k):
            if j not in ways:
                ways[j] = (*ways[k], j)
                if fits(j):
                    return ways[j]
                order.append(j)
    return ()


def _inputs(made: Making, place: int) -> list[int]:
    return [j for j in made.steps[place].inputs if j < len(made.steps)]


def _shape(made: Making, place: int) -> tuple[str, ...]:
    """Return what a step does, whatever it is given."""
    step = made.steps[place]
    if is_chain(step):
        return tuple(name for name, _, _ in step.args)
    return (step.kind, function_name(made, step) if step.kind == "call" else step.label)
