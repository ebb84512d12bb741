"""What ops do to concrete pandas objects, on any worker.

Ops are functions of this module, one per label, so that nodes have readable names and travel by
reference; what they do is in the steps.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from dualdag.frames._steps import Step, resolve, thaw

__all__ = ["KERNEL_VERSION", "kernel", "run_step", "run_steps", "unload"]

#: Counts in the key of every op: raised when an op's answer changes.
KERNEL_VERSION = 1


def _reflected(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, other: op(other, value)


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "@": operator.matmul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "divmod()": divmod,
}
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _get_through(indexer: str) -> Callable[[Any, Any], Any]:
    return lambda value, key: getattr(value, indexer)[key]


def _types(value: Any) -> list[str]:
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__]


_OPERATORS: dict[str, Callable[..., Any]] = {
    **_BINARY,
    **{f"r{name}": _reflected(op) for name, op in _BINARY.items()},
    **_COMPARED,
    "neg": operator.neg,
    "pos": operator.pos,
    "invert": operator.invert,
    "abs()": abs,
    "round()": round,
    "[]": operator.getitem,
    **{f"{name}[]": _get_through(name) for name in ("loc", "iloc", "at", "iat")},
    "len()": len,
    "bool()": bool,
    "in()": operator.contains,
    "types()": _types,
    "ufunc": lambda value, ufunc, inputs, place, kwargs: ufunc(*inputs[:place], value, *inputs[place:], **kwargs),
}


def _set_item(obj: Any, key: Any, value: Any) -> None:
    obj[key] = value


def _set_through(indexer: str) -> Callable[[Any, Any, Any], None]:
    def change(obj: Any, key: Any, value: Any) -> None:
        getattr(obj, indexer)[key] = value

    return change


def _set_index_names(obj: Any, axis: str, names: Any) -> None:
    # The labels may be shared with other frames: they get labels of their own to name.
    setattr(obj, axis, getattr(obj, axis).set_names(names))


_CHANGES: dict[str, Callable[..., Any]] = {
    "[]=": _set_item,
    **{f"{name}[]=": _set_through(name) for name in ("loc", "iloc", "at", "iat")},
    "attr=": setattr,
    "names=": _set_index_names,
    "del=": operator.delitem,
    "flags=": lambda obj, name, value: setattr(obj.flags, name, value),
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "//=": operator.ifloordiv,
    "%=": operator.imod,
    "**=": operator.ipow,
    "&=": operator.iand,
    "|=": operator.ior,
    "^=": operator.ixor,
}


def run_steps(source: Any, steps: tuple[Step, ...]) -> Any:
    """Return what the steps make of a value.

    Parameters
    ----------
    source : object
        A pandas object; None where the first step is a function of pandas.
    steps : tuple of Step
        What to do, in order.
    """
    value = source
    for name, args, kwargs in steps:
        value = run_step(value, name, thaw(args), thaw(kwargs))
    return unload(value)


def run_step(value: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what one step makes of a value; its arguments are pandas's own."""
    if name in _OPERATORS:
        return _OPERATORS[name](value, *args)
    if name[0] == ".":
        return getattr(value, name[1:])
    if name in _CHANGES:
        changed = value.copy(deep=False)
        _CHANGES[name](changed, *args)
        return changed
    if name[-1] == "=":
        changed = value.copy(deep=False)
        getattr(changed, name[:-1])(*args, **kwargs)
        return changed
    if name.startswith("pandas."):
        return resolve(name)(*args, **kwargs)
    return getattr(value, name)(*args, **kwargs)


def unload(value: Any) -> Any:
    """Return a result that can be kept: an iterator is read to its end."""
    if isinstance(value, (Iterator, zip, map)):
        return list(value)
    return value


_made: dict[str, Callable[..., Any]] = {}


def kernel(label: str) -> Callable[..., Any]:
    """Return the function of the op of this label; the same one each time."""
    found = _made.get(label)
    if found is None:

        def op(source: Any, steps: tuple[Step, ...]) -> Any:
            return run_steps(source, steps)

        op.__name__ = label
        op.__qualname__ = f"op_{label}"
        found = _made.setdefault(label, op)
    return found


def __getattr__(name: str) -> Any:
    if name.startswith("op_"):
        return kernel(name.removeprefix("op_"))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _read_folder(files: list[str], reader: str, folder: str, kwargs: dict[str, Any]) -> Any:
    del files  # they are what the result depends on; pandas finds them again by itself
    return resolve(reader)(folder, **kwargs)


def _concat_files(parts: list[Any]) -> Any:
    """Return the rows of several files; a plain range as labels continues over them."""
    import pandas as pd

    fresh = all(_counts_rows(part) for part in parts)
    return pd.concat(parts, ignore_index=fresh)


def _counts_rows(part: Any) -> bool:
    import pandas as pd

    index = part.index
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None


_OPERATORS["accessor"] = lambda value, cls: cls(value)
_OPERATORS["read"] = lambda path, reader, kwargs: resolve(reader)(path, **kwargs)
_OPERATORS["read folder"] = _read_folder
_OPERATORS["concat files"] = _concat_files
