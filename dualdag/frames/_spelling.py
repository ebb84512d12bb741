"""One spelling per meaning: arguments by name, defaults left out, synonyms replaced."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dualdag.frames._errors import WrongArgumentError
from dualdag.frames._names import signature
from dualdag.frames._signs import ARITHMETIC, COMPARED
from dualdag.frames._steps import Step, freeze
from dualdag.frames._words import words
from dualdag.graph import caller_site

__all__ = ["SIGNS", "SYNONYMS", "bind", "function_signature", "spell", "spell_function"]

#: Names of one meaning; the first is what nodes are called by.
SYNONYMS = {
    "aggregate": "agg",
    "isnull": "isna",
    "notnull": "notna",
    "kurtosis": "kurt",
    "product": "prod",
    "divide": "truediv",
    "div": "truediv",
    "rdiv": "rtruediv",
    "multiply": "mul",
    "subtract": "sub",
    "to_list": "tolist",
    "weekday": "dayofweek",
    "day_of_week": "dayofweek",
    "day_of_year": "dayofyear",
    "days_in_month": "daysinmonth",
}
_OPERATORS = {**ARITHMETIC, **COMPARED, **{f"r{name}": f"r{sign}" for name, sign in ARITHMETIC.items()}}
#: Step names of the operators that methods such as ``add`` are other spellings of.
SIGNS = frozenset(_OPERATORS.values())
# Parameters for which pandas takes a label and a list of that one label as the same.
_ONE_OR_LIST = {
    "sort_values": ("by", "ascending"),
    "drop": ("columns", "index", "labels"),
    "drop_duplicates": ("subset",),
    "duplicated": ("subset",),
    "dropna": ("subset",),
    "set_index": ("keys",),
    "explode": ("column",),
    "merge": ("on", "left_on", "right_on"),
    "nlargest": ("columns",),
    "nsmallest": ("columns",),
    "melt": ("id_vars", "value_vars"),
}
_AXES = {"index": 0, "rows": 0, "columns": 1}
_PLAIN = (str, int, float, bool, type(None))
# What reductions take for NumPy's sake beside what their signatures name.
_NUMPY = frozenset({"dtype", "out", "keepdims", "initial", "where", "overwrite_input", "interpolation"})
_NUMPY_STYLE = words("all any cummax cummin cumprod cumsum kurt max mean median min prod sem skew std sum var")


def spell(owner: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Step:
    """Return the call of a method as the one step that all calls of its meaning share.

    Parameters
    ----------
    owner : str
        The class whose method it is, such as ``"DataFrame"``; ``"Unknown"`` where that is not known.
    name : str
        The method.
    args, kwargs
        As the user gave them.

    Raises
    ------
    WrongArgumentError
        Where pandas would raise TypeError for what is given or missing.
    """
    place, given = bind(owner, name, args, kwargs)
    name = SYNONYMS.get(name, name)
    args = tuple(freeze(one) for one in place)
    frozen = {key: freeze(one) for key, one in given.items()}
    if name in _OPERATORS and not args and list(frozen) == ["other"] and owner in ("DataFrame", "Series"):
        return _OPERATORS[name], (frozen["other"],), {}
    return _respell(name, args, frozen)


def spell_function(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Step:
    """Return the call of a function of pandas as a step; arguments as for `spell`."""
    known = function_signature(function)
    place, given = (args, dict(kwargs)) if known is None else _bind(known, "", name, args, kwargs)
    return name, tuple(freeze(one) for one in place), {key: freeze(one) for key, one in given.items()}


@lru_cache(maxsize=512)
def function_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a function, or None where it can't be told."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def bind(
    owner: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments by name in the signature's order, without those that equal their defaults.

    Parameters
    ----------
    owner, name, args, kwargs
        As for `spell`.
    """
    known = signature(owner, name)
    return (args, dict(kwargs)) if known is None else _bind(known, owner, name, args, kwargs)


def _bind(
    known: inspect.Signature, owner: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        bound = known.bind(*args, **kwargs)
    except TypeError as error:
        raise _wrong(name, str(error), known, kwargs) from None
    given: dict[str, Any] = {}
    place: list[Any] = []
    spread = any(p.kind is p.VAR_POSITIONAL and bound.arguments.get(n) for n, p in known.parameters.items())
    for key, param in known.parameters.items():
        if key not in bound.arguments:
            continue
        value = bound.arguments[key]
        if param.kind is param.VAR_POSITIONAL:
            place.extend(value)
        elif param.kind is param.VAR_KEYWORD:
            _check_extra(owner, name, value, known)
            given.update(value)
        elif param.kind is param.POSITIONAL_ONLY or (spread and param.kind is param.POSITIONAL_OR_KEYWORD):
            place.append(value)
        else:
            value = _one_or_list(SYNONYMS.get(name, name), key, _axis(key, value))
            if not _same(value, param.default) and not _means_nothing(owner, key, value):
                given[key] = value
    return tuple(place), given


def _check_extra(owner: str, name: str, extra: Mapping[str, Any], known: inspect.Signature) -> None:
    if owner in ("DataFrame", "Series") and name in _NUMPY_STYLE:
        for key in extra:
            if key not in _NUMPY:
                raise _wrong(name, f"got an unexpected keyword argument {key!r}", known, extra)


def _wrong(name: str, told: str, known: inspect.Signature, kwargs: Mapping[str, Any]) -> WrongArgumentError:
    near: list[str] = []
    for key in kwargs:
        if key not in known.parameters:
            near = difflib.get_close_matches(key, [n for n in known.parameters if n != "kwargs"], n=3)
            break
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return WrongArgumentError(f"{name}() at {caller_site()} {told}.{hint}")


def _axis(key: str, value: Any) -> Any:
    return _AXES.get(value, value) if key == "axis" and isinstance(value, str) else value


def _means_nothing(owner: str, key: str, value: Any) -> bool:
    """Tell of arguments that say what holds anyway, though their default is written in another way."""
    return (key == "inplace" and value is False) or (owner == "Series" and key == "axis" and value == 0)


def _same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    return type(value) in _PLAIN and type(value) is type(default) and bool(value == default)


def _one_or_list(name: str, key: str, value: Any) -> Any:
    if type(value) is list and len(value) == 1 and key in _ONE_OR_LIST.get(name, ()):
        only = value[0]
        return only if type(only) in (str, int, bool) else value
    return value


def _respell(name: str, args: tuple[Any, ...], given: dict[str, Any]) -> Step:
    axis = given.get("axis", 0)
    if name == "drop" and "labels" in given and axis in (0, 1) and not {"columns", "index"} & set(given):
        rest = {k: v for k, v in given.items() if k not in ("labels", "axis")}
        return name, args, {("columns" if axis else "index"): given["labels"], **rest}
    if name == "rename" and "mapper" in given and axis in (0, 1) and not {"columns", "index"} & set(given):
        rest = {k: v for k, v in given.items() if k not in ("mapper", "axis")}
        return name, args, {("columns" if axis else "index"): given["mapper"], **rest}
    return name, args, given
