"""Calls of methods: spelt, checked, and made an op, a view, or a plain answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dualdag.frames._checks import check_columns
from dualdag.frames._construct import lazily
from dualdag.frames._kernels import run_step
from dualdag.frames._kinds import kind_of_method, kind_of_operator
from dualdag.frames._kinds_grouped import kind_of_grouped, view_of
from dualdag.frames._lazy import wrap
from dualdag.frames._names import returns
from dualdag.frames._operators import pair
from dualdag.frames._ops import Handle, derive, node_of
from dualdag.frames._run import plain, run
from dualdag.frames._spelling import SIGNS, spell
from dualdag.frames._steps import Step

__all__ = ["call", "call_view", "on_driver", "special"]


def special(owner: str, name: str) -> Callable[..., Any] | None:
    """Return the function behind a method that is more than one op, or None."""
    from dualdag.frames import _special

    return _special.find(owner, name)


def call(self: Any, owner: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a method of a frame, series or index gives.

    Parameters
    ----------
    self : Lazy
        Whose method it is.
    owner : str
        The class of pandas it stands for.
    name, args, kwargs
        The call as the user wrote it.
    """
    made = spell(owner, name, args, kwargs)
    handle = self._handle
    made = _lists_of_columns(handle, made)
    check_columns(handle, (made,))
    if made[2].get("inplace") is True:
        return _change(self, owner, made)
    view = view_of(owner, handle.kind, made)
    if view is not None:
        from dualdag.frames._views import View

        return View(handle, (made,), view)
    if made[0] in SIGNS:
        kind = kind_of_operator(made[0], handle.kind, made[1][0])
    else:
        kind = kind_of_method(owner, handle.kind, made)
    return _result(handle, (made,), kind)


def _lists_of_columns(handle: Handle, made: Step) -> Step:
    """Take a tuple of columns for a list of them, where the schema tells that it is no label itself."""
    name, args, kwargs = made
    by = kwargs.get("by")
    if name != "sort_values" or not isinstance(by, tuple) or handle.kind != "frame" or handle.meta is None:
        return made
    columns = handle.meta.columns
    if columns is None or by in columns or not all(one in columns for one in by):
        return made
    return name, args, {**kwargs, "by": by[0] if len(by) == 1 else list(by)}


def _result(handle: Handle, steps: tuple[Step, ...], kind: str) -> Any:
    if kind == "driver":
        return on_driver(handle, steps)
    if any(type(one).__module__.startswith("numpy.random") for one in steps[-1][2].values()):
        # The call leaves the generator in another state: that can't wait.
        return lazily(on_driver(handle, steps))
    if kind == "plain":
        return run(node_of(handle, steps))
    if kind == "pair":
        return pair(handle, steps, _pair_kinds(handle, steps[-1]))
    made = derive(handle, steps, kind)
    name, _, kwargs = steps[-1]
    if name == "sample" and kwargs.get("random_state") is None:
        # Other rows each time it runs: what was drawn once has to be kept.
        made.node = made.node.options(deterministic=False)
    return wrap(made)


def _pair_kinds(handle: Handle, made: Step) -> tuple[str, str]:
    other = made[2].get("other")
    right = other.kind if isinstance(other, Handle) else "any"
    return (handle.kind, right) if made[0] == "align" else (handle.kind, handle.kind)


def _change(self: Any, owner: str, made: Step) -> Any:
    """Carry out a call with ``inplace=True``: the object stands for the result from here on."""
    name, args, kwargs = made
    handle = self._handle
    kept = {key: value for key, value in kwargs.items() if key != "inplace"}
    # Some of pandas's methods give None, and what they would give elsewhere is what the object becomes;
    # those that give the object itself write into its columns, which keep their types.
    replaces = "None" in returns(owner, name)
    made = (name, args, kept) if replaces else (f"{name}=", args, kwargs)
    self._become(derive(handle, (made,), kind_of_method(owner, handle.kind, (name, args, kept))))
    return None if replaces else self


def call_view(view: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a method of a view gives: of groups, windows, or an accessor.

    Parameters
    ----------
    view : View
        Whose method it is.
    name, args, kwargs
        The call as the user wrote it.
    """
    from dualdag.frames._views import View

    handle: Handle = view._handle
    made = spell(view._owner, name, args, kwargs)
    steps: tuple[Step, ...] = (*view._steps, made)
    check_columns(handle, steps)
    inner = view_of(view._owner, handle.kind, made)
    if inner is not None:
        return View(handle, steps, inner)
    if view._grouped:
        kind = kind_of_grouped(view._owner, handle.kind, view._steps, made)
    else:
        kind = kind_of_method(view._owner, handle.kind, made)
    return _result(handle, steps, kind)


def on_driver(handle: Handle, steps: tuple[Step, ...]) -> Any:
    """Return what steps give on the computed source, here: what is plain and large, drawn, or written.

    Parameters
    ----------
    handle : Handle
        The source; it is computed through the store.
    steps : tuple of Step
        What is then done in this process.
    """
    value = run(handle.node)
    for name, args, kwargs in plain(steps):
        value = run_step(value, name, args, kwargs)
    return value
