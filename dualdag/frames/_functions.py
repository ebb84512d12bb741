"""Functions of pandas: lazy where an argument is, pandas's own elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dualdag.frames._construct import apply_function, lazily
from dualdag.frames._infer import of_function
from dualdag.frames._lazy import is_lazy, wrap
from dualdag.frames._locals import local_names
from dualdag.frames._meta import handles_in
from dualdag.frames._ops import Handle, node_of
from dualdag.frames._readers import READERS, read
from dualdag.frames._run import plain
from dualdag.frames._spelling import function_signature, spell_function
from dualdag.frames._steps import Step, freeze, read_out, resolve
from dualdag.frames._words import words
from dualdag.graph import nodes_in, running_task

__all__ = ["Function", "function"]

#: Functions that are another spelling of a method of their first argument.
_METHODS = {
    "isna": "isna",
    "isnull": "isna",
    "notna": "notna",
    "notnull": "notna",
    "melt": "melt",
    "merge": "merge",
    "pivot": "pivot",
    "pivot_table": "pivot_table",
}
_TABLES = dict.fromkeys(("melt", "merge", "pivot", "pivot_table"), ("frame",))
_TO_FRAME = words(
    "crosstab from_dummies get_dummies json_normalize lreshape merge merge_asof merge_ordered melt pivot "
    "pivot_table wide_to_long"
)
_ALIKE = words("cut qcut to_datetime to_numeric to_timedelta")


class Function:
    """A function of pandas that takes lazy objects too.

    Parameters
    ----------
    name : str
        Its public name.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __pandas_path__(self) -> str:
        return self._name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = resolve(self._name)
        if running_task() is not None:
            return own(*args, **kwargs)
        return _call(self._name, own, args, kwargs)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return resolve(self._name)  # type: ignore[no-any-return]

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return str(resolve(self._name).__doc__)

    def __repr__(self) -> str:
        return f"<function {self._name} of dualdag.pandas>"


_made: dict[str, Function] = {}


def function(name: str) -> Function:
    """Return the function of this name; the same one each time."""
    return _made.setdefault(name, Function(name))


def _call(name: str, own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name in READERS:
        return read(name, args, kwargs)
    if name in _METHODS:
        first, rest, left = _first(own, args, kwargs)
        if is_lazy(first) and first._handle.kind in _TABLES.get(name, ("frame", "series", "index")):
            return getattr(first, _METHODS[name])(*rest, **left)
    if name == "to_pickle":
        from dualdag.frames._writers import write_value

        return write_value(plain(args[0] if args else kwargs["obj"]), name, plain(args[1:]), plain(kwargs))
    if name == "eval":
        return _evaluate(own, args, kwargs)
    args = tuple(read_out(one) for one in args)
    if not nodes_in((args, kwargs)):
        return lazily(own(*args, **kwargs))
    made = spell_function(name, own, args, kwargs)
    kind = _kind(name, made)
    if kind == "plain":
        return lazily(own(*plain(made[1]), **plain(made[2])))
    steps = ((f"pandas.{made[0]}", made[1], made[2]),)
    return wrap(Handle(node_of(None, steps), kind, lambda: of_function(steps), tuple(handles_in(steps))))


def _first(
    own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Split the first argument from the others."""
    if args:
        return args[0], args[1:], kwargs
    known = function_signature(own)
    name = next(iter(known.parameters)) if known is not None else ""
    return kwargs.get(name), (), {key: one for key, one in kwargs.items() if key != name}


def _kind(name: str, made: Step) -> str:
    kwargs = made[2]
    if name in _TO_FRAME:
        return "frame"
    if name in _METHODS:
        first = next(iter(kwargs.values()), None)
        return first.kind if isinstance(first, Handle) else "any"
    if name == "concat":
        return _concat_kind(kwargs)
    if name in _ALIKE:
        if kwargs.get("retbins"):
            return "plain"
        first = next(iter(kwargs.values()))
        if not isinstance(first, Handle):
            return "any" if hasattr(type(first), "__dualdag_node__") else "plain"
        if first.kind == "frame":
            return "series"
        if first.kind == "index" and name in ("cut", "qcut"):
            return "plain"
        return first.kind
    return "plain"


def _concat_kind(kwargs: dict[str, Any]) -> str:
    objs = kwargs.get("objs")
    parts = list(objs.values()) if isinstance(objs, dict) else objs
    if not isinstance(parts, list | tuple):
        return "any"
    kinds = {one.kind if isinstance(one, Handle) else "any" for one in parts if one is not None}
    if "frame" in kinds or kwargs.get("axis") in (1, "columns"):
        return "frame"
    return "series" if kinds == {"series"} else "any"


def _evaluate(own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    expr = args[0] if args else kwargs.get("expr")
    if not isinstance(expr, str) or "local_dict" in kwargs:
        return apply_function("eval", own, args, kwargs, "any")
    found = local_names(expr, marked=False)
    if not nodes_in({key: freeze(one) for key, one in found.items()}) and not nodes_in(freeze(kwargs)):
        return lazily(own(*args, **{**kwargs, "local_dict": found}))
    return apply_function("eval", own, args, {**kwargs, "local_dict": found}, "any")
