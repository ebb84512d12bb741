"""What to say of a call that can't be sent, or that carries much: which argument, or what its function reads."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError
from dualdag.execution._protocol import Literal
from dualdag.execution._shared import size_of
from dualdag.graph import map_nodes
from dualdag.store import dump_pickle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dualdag.execution._protocol import Step

__all__ = ["unsendable", "warn_if_heavy"]

#: A function of more bytes than this is told of: it travels to every worker.
HEAVY = 10_000_000

_warned: set[bytes] = set()


def unsendable(step: Step, error: Exception) -> CodecError:
    """Return the error of a step that can't be pickled; it names what stands in the way.

    Parameters
    ----------
    step : Step
        Of which the function or an argument can't be pickled.
    error : Exception
        What pickle said.
    """
    where = f"{step.label!r} ({step.site})"
    why = f"({type(error).__name__}: {error}), so no other process can run it"
    advice = "make such an object inside the task, or use backend='local'."
    for name, value in _arguments(step):
        if (found := _within(name, value)) is not None:
            return CodecError(f"argument {found[0]} of {where} is a {found[1]}, which can't be pickled {why}: {advice}")
    for name, value in _read(step.fn):
        if (found := _within(name, value)) is not None:
            return CodecError(
                f"the function of {where} reads {found[0]}, a {found[1]}, which can't be pickled {why}: {advice}"
            )
    return CodecError(f"{where} can't be pickled {why}: {advice}")


def _arguments(step: Step) -> Iterator[tuple[str, Any]]:
    """Yield the arguments by the names that the function gives them."""
    literals = {
        name: given.value for name, given in zip(step.names, step.inputs, strict=True) if isinstance(given, Literal)
    }

    def fill(node: Any) -> Any:
        return literals.get(node._key)

    args, kwargs = map_nodes(step.args, fill), map_nodes(dict(step.kwargs or {}), fill)
    yield from zip(_names(step.fn, len(args)), args, strict=True)
    yield from kwargs.items()


def _names(fn: Callable[..., Any], count: int) -> list[str]:
    try:
        params = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        params = []
    names = [p.name for p in params if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in params if p.kind is p.VAR_POSITIONAL), "args")
    return (names + [f"{rest}[{k}]" for k in range(count)])[:count]


def _read(fn: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function reads from around it, and what a partial was given."""
    while isinstance(fn, partial):
        yield from zip(_names(fn.func, len(fn.args)), fn.args, strict=True)
        yield from fn.keywords.items()
        fn = fn.func
    fn = inspect.unwrap(fn)
    if inspect.ismethod(fn):
        yield "self", fn.__self__
        fn = fn.__func__
    if inspect.isfunction(fn):
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:  # not set yet
                continue
        yield from ((name, fn.__globals__[name]) for name in fn.__code__.co_names if name in fn.__globals__)


def _within(name: str, value: Any) -> tuple[str, str] | None:
    """Return the innermost part of a value that can't be pickled, and its class; None where all of it can."""
    if _picklable(value):
        return None
    parts: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        parts = [(f"{name}[{key!r}]", item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(f"{name}[{k}]", item) for k, item in enumerate(value)]
    for path, item in parts:
        try:
            found = _within(path, item)
        except RecursionError:
            break
        if found is not None:
            return found
    kind = type(value)
    return name, kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _picklable(value: Any) -> bool:
    try:
        dump_pickle(value)
    except Exception:  # noqa: BLE001 - pickling runs code of any class
        return False
    return True


def warn_if_heavy(step: Step, name: bytes, nbytes: int) -> None:
    """Warn, once for each function, of one that carries much data along.

    Parameters
    ----------
    step : Step
        The first that calls it.
    name : bytes
        Digest of what is sent.
    nbytes : int
        How much that is.
    """
    if nbytes < HEAVY or name in _warned:
        return
    _warned.add(name)
    sizes = {read: size_of(value) for read, value in _read(step.fn)}
    found = max(sizes, key=sizes.__getitem__, default="")
    what = f": it reads {found} ({sizes[found] / 1e6:,.0f} MB) from around it" if found and sizes[found] else ""
    hint = found if what else "what is large"
    warnings.warn_explicit(
        f"the function of {step.label!r} ({step.site}) takes {nbytes / 1e6:,.0f} MB along to every worker{what}. Pass "
        f"{hint} as an argument, or let a task make it: then it is stored and moved by itself.",
        RuntimeWarning,
        getattr(step.site, "file", "<unknown>"),
        getattr(step.site, "line", 1),
    )
