"""What pandas's classes offer: names, whether they are methods, signatures, documentation."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from dualdag.frames._steps import resolve

__all__ = ["INDEX_CLASSES", "nature", "offers", "owner_class", "public", "returns", "signature"]

#: Classes of pandas that are indexes.
INDEX_CLASSES = (
    "Index",
    "RangeIndex",
    "MultiIndex",
    "CategoricalIndex",
    "DatetimeIndex",
    "TimedeltaIndex",
    "PeriodIndex",
    "IntervalIndex",
)
_TYPING = (
    "DataFrameGroupBy",
    "SeriesGroupBy",
    "Resampler",
    "Rolling",
    "Expanding",
    "ExponentialMovingWindow",
    "Window",
    "RollingGroupBy",
    "ExpandingGroupBy",
    "ExponentialMovingWindowGroupBy",
)
# Where only the values tell which class it is, this one has the names.
_STAND_INS = {"UnknownGroupBy": "DataFrameGroupBy", "Unknown": "DataFrame"}


@lru_cache(maxsize=256)
def owner_class(owner: str) -> Any:
    """Return pandas's class of this name: ``"DataFrame"``, ``"SeriesGroupBy"``, ``"Series.str"``."""
    owner = _STAND_INS.get(owner, owner)
    if owner in _TYPING:
        return resolve(f"api.typing.{owner}")
    return resolve(owner)


@lru_cache(maxsize=256)
def public(owner: str) -> frozenset[str]:
    """Return the public names of a class; ``"Unknown"`` has those of frames and series.

    Indexes have the names of all kinds of index, since which kind one is only the values may tell.
    """
    if owner == "UnknownGroupBy":
        return public("DataFrameGroupBy") | public("SeriesGroupBy")
    if owner == "Unknown":
        return public("DataFrame") | public("Series")
    classes = INDEX_CLASSES if owner == "Index" else (owner,)
    return frozenset(n for one in classes for n in dir(owner_class(one)) if not n.startswith("_"))


def offers(owner: str, name: str) -> bool:
    """Tell whether a class has a public name; an accessor may have been registered a moment ago."""
    if name in public(owner):
        return True
    return not name.startswith("_") and name in getattr(owner_class(owner), "_accessors", ())


def _static(owner: str, name: str) -> tuple[str, Any]:
    """Return the class that offers a name of `owner`, and what is written there."""
    candidates: tuple[str, ...] = (owner,)
    if owner == "Index":
        candidates = INDEX_CLASSES
    elif owner == "Unknown":
        candidates = ("DataFrame", "Series", *INDEX_CLASSES)
    elif owner == "UnknownGroupBy":
        candidates = ("DataFrameGroupBy", "SeriesGroupBy")
    for one in candidates:
        found = inspect.getattr_static(owner_class(one), name, None)
        if found is not None:
            return one, found
    return owner, None


@lru_cache(maxsize=4096)
def nature(owner: str, name: str) -> str:
    """Return ``"method"``, ``"constructor"``, ``"accessor"`` or ``"property"``."""
    _, found = _static(owner, name)
    if isinstance(found, (classmethod, staticmethod)):
        return "constructor"
    if type(found).__name__ in ("Accessor", "CachedAccessor"):
        return "accessor"
    return "method" if callable(found) and not isinstance(found, property) else "property"


@lru_cache(maxsize=4096)
def signature(owner: str, name: str) -> inspect.Signature | None:
    """Return the signature of a method without ``self``, or None where it can't be told.

    For ``"Unknown"`` there is one only if frames and series take the same.
    """
    if owner == "Unknown":
        return _common_signature(name)
    one, found = _static(owner, name)
    if found is None:
        return None
    try:
        full = inspect.signature(getattr(owner_class(one), name))
    except (TypeError, ValueError):
        return None
    params = list(full.parameters.values())
    if nature(owner, name) == "method" and params:
        params = params[1:]
    return full.replace(parameters=params)


def _common_signature(name: str) -> inspect.Signature | None:
    found = [signature(one, name) for one in ("DataFrame", "Series", "Index") if name in public(one)]
    first = found[0] if found else None
    if first is None or any(other is None for other in found):
        return None
    shapes = [
        [(p.name, p.kind, repr(p.default)) for p in other.parameters.values()] for other in found if other is not None
    ]
    return first if all(shape == shapes[0] for shape in shapes) else None


@lru_cache(maxsize=4096)
def returns(owner: str, name: str) -> str:
    """Return how pandas annotates what a method or property gives, or ``""``."""
    one, found = _static(owner, name)
    target = found.fget if isinstance(found, property) else getattr(owner_class(one), name, None)
    note = getattr(target, "__annotations__", {}).get("return", "")
    return note if isinstance(note, str) else getattr(note, "__name__", "")
