"""What is known of a value before it is there: labels, names, and types where they are sure."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dualdag.frames._kernels import run_steps
from dualdag.frames._ops import Handle, known
from dualdag.frames._steps import Step

__all__ = ["Meta", "Unsure", "as_numbers", "ask_empty", "handles_in", "literal", "meta_of", "quietly"]

_KINDS = {"DataFrame": "frame", "Series": "series"}


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a value.

    Parameters
    ----------
    obj : pandas.DataFrame, pandas.Series or pandas.Index
        Empty, with the labels and names that the value will have.
    exact : bool
        Whether its types, too, are those of the value.
    """

    obj: Any
    exact: bool

    @property
    def columns(self) -> Any:
        """Labels of a frame's columns; None for anything else."""
        return getattr(self.obj, "columns", None)


def literal(obj: Any) -> Handle:
    """Return the handle of a pandas object that is at hand: an input, known by its content."""
    from dualdag.graph import value

    kind = _KINDS.get(type(obj).__name__, "index")
    return known(value(obj), kind, Meta(obj.iloc[:0] if kind != "index" else obj[:0], exact=True))


def handles_in(obj: Any) -> Iterator[Handle]:
    """Yield the handles in frozen arguments."""
    stack = [obj]
    while stack:
        one = stack.pop()
        kind = type(one)
        if kind is Handle:
            yield one
        elif kind is tuple or kind is list:
            stack.extend(one)
        elif kind is dict:
            stack.extend(one.values())


def meta_of(handle: Any) -> Meta | None:
    """Return what is known of a frozen argument, None for nothing."""
    return handle.meta if type(handle) is Handle else None


def quietly(call: Callable[[], Any]) -> Any:
    """Return what a call gives, without the warnings it makes of empty frames."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def _filled(obj: Any, *, numbers: bool) -> Any:
    """Return an argument with empty pandas objects in place of handles."""
    kind = type(obj)
    if kind is Handle:
        if obj.meta is None:
            raise Unsure
        return as_numbers(obj.meta.obj) if numbers else obj.meta.obj
    if kind is tuple or kind is list:
        return kind([_filled(one, numbers=numbers) for one in obj])
    if kind is dict:
        return {key: _filled(one, numbers=numbers) for key, one in obj.items()}
    if callable(obj) and not isinstance(obj, type):
        raise Unsure
    return obj


class Unsure(Exception):  # noqa: N818 - caught where what is known is settled
    """An argument's value, or a user's function, would have to be known."""


def ask_empty(meta: Meta, steps: tuple[Step, ...], *, exact: bool) -> Meta | None:
    """Run steps of pandas on the empty object itself.

    Parameters
    ----------
    meta : Meta
        What is known of what the steps start from.
    steps : tuple of Step
        What is done; none of them may depend on values for its labels.
    exact : bool
        Whether types, too, are the answer's where those of all arguments are.
    """
    sure = exact and meta.exact and all(h.meta is not None and h.meta.exact for h in handles_in(steps))
    try:
        return _as_meta(_run_empty(meta.obj, steps, numbers=False), exact=sure)
    except (TypeError, ValueError):
        # Types that are not sure may not go together, or not with what is done: labels don't ask for them.
        return _as_meta(_run_empty(as_numbers(meta.obj), steps, numbers=True), exact=False)


def _run_empty(obj: Any, steps: tuple[Step, ...], *, numbers: bool) -> Any:
    filled = tuple(
        (
            name,
            _filled(args, numbers=numbers),
            # Functions of labels may be asked: labels are known.
            kwargs if name == "rename" else _filled(kwargs, numbers=numbers),
        )
        for name, args, kwargs in steps
    )
    return quietly(lambda: run_steps(obj, filled))


def _as_meta(made: Any, *, exact: bool) -> Meta | None:
    import pandas as pd

    if not isinstance(made, (pd.DataFrame, pd.Series, pd.Index)):
        return None
    return Meta(made[:0] if len(made) else made, exact)


def as_numbers(obj: Any) -> Any:
    """Return an empty object of the same labels, all of them numbers."""
    import pandas as pd

    if isinstance(obj, pd.DataFrame):
        return pd.DataFrame(index=obj.index, columns=obj.columns, dtype=float)
    return pd.Series(index=obj.index, name=obj.name, dtype=float) if isinstance(obj, pd.Series) else obj
