"""Operators and NumPy's functions on lazy objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dualdag.frames._kinds import kind_of_operator
from dualdag.frames._lazy import Lazy, is_lazy, wrap
from dualdag.frames._ops import Handle, derive, node_of
from dualdag.frames._run import plain
from dualdag.frames._signs import BINARY, COMPARED
from dualdag.frames._steps import Step, freeze, step

__all__ = ["binary", "give_operators", "pair", "ufunc_call", "unary"]

_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_UFUNCS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "true_divide": "/",
    "floor_divide": "//",
    "remainder": "%",
    "power": "**",
    "matmul": "@",
    "bitwise_and": "&",
    "bitwise_or": "|",
    "bitwise_xor": "^",
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}


def binary(self: Lazy, name: str, other: Any) -> Any:
    """Return the lazy result of a binary operator.

    Parameters
    ----------
    self : Lazy
        The operand whose operator it is.
    name : str
        The operator's step name; ``"r-"`` where `self` stands on the right.
    other : object
        The other operand.
    """
    if getattr(type(other), "__dualdag_view__", False):
        return NotImplemented
    handle, frozen = self._handle, freeze(other)
    return wrap(derive(handle, (step(name, frozen),), kind_of_operator(name, handle.kind, frozen)))


def unary(self: Lazy, name: str, *args: Any) -> Any:
    """Return the lazy result of a unary operator; arguments as for `binary`."""
    handle = self._handle
    return wrap(derive(handle, (step(name, *args),), handle.kind))


def pair(handle: Handle, steps: tuple[Step, ...], kinds: tuple[str, str]) -> tuple[Any, Any]:
    """Return the two lazy results of an op that gives a pair.

    Parameters
    ----------
    handle : Handle
        What the steps start from.
    steps : tuple of Step
        What gives the pair.
    kinds : tuple of str
        Kind of each part.
    """
    node = node_of(handle, steps)
    return wrap(Handle(node[0], kinds[0])), wrap(Handle(node[1], kinds[1]))


def _operator(name: str) -> Callable[[Lazy, Any], Any]:
    return lambda self, other: binary(self, name, other)


def _changing(name: str) -> Callable[[Any, Any], Any]:
    def change(self: Any, other: Any) -> Any:
        self._become(derive(self._handle, (step(name, freeze(other)),), self._handle.kind))
        return self

    return change


def _divmod(name: str) -> Callable[[Lazy, Any], Any]:
    def divide(self: Lazy, other: Any) -> Any:
        frozen = freeze(other)
        kind = kind_of_operator("//", self._handle.kind, frozen)
        return pair(self._handle, (step(name, frozen),), (kind, kind))

    return divide


def give_operators(cls: type[Lazy], *, changing: tuple[type[Lazy], ...]) -> None:
    """Write the operators into `cls`, and those that change an object into the classes that have them.

    Parameters
    ----------
    cls : type
        The base class of all lazy objects.
    changing : tuple of type
        Classes whose objects ``+=`` changes in place.
    """
    for name, sign in BINARY.items():
        setattr(cls, f"__{name}__", _operator(sign))
        setattr(cls, f"__r{name}__", _operator(f"r{sign}"))
        for one in changing:
            if name != "matmul":
                setattr(one, f"__i{name}__", _changing(f"{sign}="))
    for name, sign in COMPARED.items():
        setattr(cls, f"__{name}__", _operator(sign))
    for name in ("neg", "pos", "invert"):
        setattr(cls, f"__{name}__", lambda self, name=name: unary(self, name))
    setattr(cls, "__divmod__", _divmod("divmod()"))  # noqa: B010 - beside the others
    setattr(cls, "__rdivmod__", _divmod("rdivmod()"))  # noqa: B010
    setattr(cls, "__hash__", None)  # noqa: B010 - equality is by element


def ufunc_call(self: Lazy, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a universal function of NumPy gives, lazily where it is of one array's shape.

    Parameters
    ----------
    self : Lazy
        One of the inputs.
    ufunc, method, inputs, kwargs
        As NumPy gives them.
    """
    kinds = {one._handle.kind for one in inputs if is_lazy(one)}
    lazily = method == "__call__" and ufunc.nout == 1 and "out" not in kwargs and kinds & {"frame", "series", "index"}
    if not lazily:
        return getattr(ufunc, method)(*[plain(one) for one in inputs], **plain(kwargs))
    place = next(i for i, one in enumerate(inputs) if one is self)
    sign = _UFUNCS.get(ufunc.__name__)
    if sign is not None and len(inputs) == 2 and not kwargs:
        if place == 0:
            return binary(self, sign, inputs[1])
        return binary(self, _MIRRORED.get(sign, f"r{sign}"), inputs[0])
    others = [freeze(one) for i, one in enumerate(inputs) if i != place]
    kind = next(one for one in ("frame", "series", "index") if one in kinds)
    handle = self._handle
    return wrap(derive(handle, (step("ufunc", ufunc, others, place, freeze(kwargs)),), kind))
