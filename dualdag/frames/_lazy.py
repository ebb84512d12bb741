"""What all lazy objects share: a handle that changes only by `become`, and the way to values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dualdag.frames._ops import Handle, known
from dualdag.frames._run import ask, run
from dualdag.frames._steps import step
from dualdag.graph import Node, running_task

if TYPE_CHECKING:
    from dualdag.planning import Plan

__all__ = ["Lazy", "PandasType", "is_lazy", "wrap"]

#: The class of each kind of lazy object; filled by the module that has them.
CLASSES: dict[str, type[Lazy]] = {}


class PandasType(type):
    """Type of the classes that stand for pandas's: theirs while a task runs, lazy elsewhere."""

    __pandas_name__: str | None = None

    def __pandas_path__(cls) -> str | None:
        return cls.__pandas_name__

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        from dualdag.frames._construct import construct

        if cls.__pandas_name__ is None:
            raise TypeError(f"{cls.__name__} is not made by hand: chains make it.")
        return construct(cls.__pandas_name__, args, kwargs)

    def __instancecheck__(cls, obj: object) -> bool:
        if type.__instancecheck__(cls, obj):
            return True
        if cls.__pandas_name__ is None:
            return False
        from dualdag.frames._names import owner_class

        wanted = owner_class(cls.__pandas_name__)
        if not is_lazy(obj):
            return isinstance(obj, wanted)
        if running_task() is not None:
            return False
        return _will_be(obj, cls.__pandas_name__, wanted)

    def __subclasscheck__(cls, other: type) -> bool:
        if type.__subclasscheck__(cls, other):
            return True
        if cls.__pandas_name__ is None:
            return False
        from dualdag.frames._names import owner_class

        return issubclass(other, owner_class(cls.__pandas_name__))

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_") or cls.__pandas_name__ is None:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        from dualdag.frames._construct import class_attribute

        return class_attribute(cls.__pandas_name__, name)

    def __dir__(cls) -> list[str]:
        from dualdag.frames._names import public

        names = public(cls.__pandas_name__) if cls.__pandas_name__ is not None else ()
        return sorted({*type.__dir__(cls), *names})


def _will_be(obj: Any, name: str, wanted: type) -> bool:
    """Tell whether the value of a lazy object will be of a class of pandas."""
    kind = obj._handle.kind
    plainly = {"frame": "DataFrame", "series": "Series", "scalar": ""}
    if kind in plainly:
        return False
    if kind == "index" and name in ("DataFrame", "Series"):
        return False
    path = f"{wanted.__module__}.{wanted.__qualname__}"
    return path in ask(obj._handle, (step("types()"),))


class Lazy(metaclass=PandasType):
    """A value that is not there yet: a node of the graph with the face of what it will be."""

    __slots__ = ("__weakref__", "_held", "_owner", "_said", "_shown")
    #: Pandas objects leave operators with lazy ones to these.
    __pandas_priority__ = 1_000_000
    _held: Handle
    _owner: tuple[Lazy, str, Handle] | None
    _shown: tuple[Any, list[Any]] | None

    def _notes(self) -> dict[str, Any]:
        """Return attributes that the user set and that are no part of the value."""
        try:
            found: dict[str, Any] = object.__getattribute__(self, "_said")
        except AttributeError:
            found = {}
            object.__setattr__(self, "_said", found)
        return found

    @property
    def _handle(self) -> Handle:
        return self._held

    def _become(self, handle: Handle) -> None:
        """Let this object, and no other, stand for another node."""
        object.__setattr__(self, "_held", handle)
        object.__setattr__(self, "_shown", None)
        object.__setattr__(self, "_owner", None)

    def __dualdag_node__(self) -> Node[Any]:
        return self._handle.node

    def __dualdag_freeze__(self) -> Handle:
        return self._handle

    def compute(self, **run_options: Any) -> Any:
        """Return the value, run through the store.

        Parameters
        ----------
        **run_options
            As for `dualdag.run`.
        """
        return run(self._handle.node, **run_options)

    def persist(self, **run_options: Any) -> Any:
        """Put the value in the store, and return the lazy object that finds it there.

        Parameters
        ----------
        **run_options
            As for `dualdag.run`.
        """
        handle = self._handle
        kept = handle.with_node(handle.node.options(persist=True))
        run(kept.node, **run_options)
        return wrap(kept)

    def artifact(self, name: str, cadence: str | None = None, tz: str | None = None) -> Any:
        """Return this as an artifact: its value has a name in the store.

        Parameters
        ----------
        name, cadence, tz
            As for `dualdag.Node.artifact`.
        """
        handle = self._handle
        return wrap(handle.with_node(handle.node.artifact(name, cadence=cadence, tz=tz)))

    def named(self, name: str) -> Any:
        """Return this with a name that ``refresh=`` and pictures know it by.

        Parameters
        ----------
        name : str
            As for `dualdag.Node.named`.
        """
        handle = self._handle
        return wrap(handle.with_node(handle.node.named(name)))

    def plan(self, **plan_options: Any) -> Plan:
        """Return what running would do, and why; run nothing.

        Parameters
        ----------
        **plan_options
            As for `dualdag.plan`.
        """
        from dualdag import _api

        return _api.plan(self._handle.node, **plan_options)

    def explain(self) -> str:
        """Return the ops of this graph as lines of text, inputs first, with how each one runs."""
        from dualdag.frames._show import explained

        return explained(self._handle.node)

    @property
    def npartitions(self) -> int:
        """How many partitions there are."""
        return 1

    def __reduce__(self) -> tuple[Any, ...]:
        return wrap, (self._handle,)

    def __copy__(self) -> Any:
        return wrap(self._handle)

    def __deepcopy__(self, memo: object) -> Any:
        return wrap(self._handle)

    def __repr__(self) -> str:
        from dualdag.frames._show import shown

        return shown(self)

    def _repr_html_(self) -> str:
        from dualdag.frames._show import shown_html

        return shown_html(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        import numpy as np

        return np.array(self.compute(), dtype=dtype) if copy else np.asarray(self.compute(), dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from dualdag.frames._operators import ufunc_call

        return ufunc_call(self, ufunc, method, inputs, kwargs)

    def __len__(self) -> int:
        return int(ask(self._handle, (step("len()"),)))

    def __bool__(self) -> bool:
        return bool(self.compute())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.compute())

    def __contains__(self, item: object) -> bool:
        from dualdag.frames._steps import freeze

        return bool(ask(self._handle, (step("in()", freeze(item)),)))


def is_lazy(obj: object) -> bool:
    """Tell whether an object is lazy."""
    return type.__instancecheck__(Lazy, obj)


def wrap(handle: Handle) -> Any:
    """Return the lazy object of a handle.

    Parameters
    ----------
    handle : Handle
        Its kind decides the class.
    """
    made = object.__new__(CLASSES[handle.kind])
    made._become(handle)
    return made


def from_node(node: Node[Any]) -> Any:
    """Return the lazy object of any node, for chains to go on from the result of a task.

    Parameters
    ----------
    node : Node
        Its value should be a pandas object.

    Returns
    -------
    Lazy
        It takes what frames, series and indexes take; asking what it is computes it, unless the task is
        annotated to return a frame, a series or an index.

    Examples
    --------
    >>> import dualdag as dag
    >>> import dualdag.pandas as pd
    >>> make = dag.task(lambda n: __import__("pandas").DataFrame({"x": range(n)}))
    >>> type(pd.from_node(make(3))["x"] * 2).__name__
    'Unknown'
    """
    inner: Callable[[Any], Node[Any]] | None = getattr(type(node), "__dualdag_node__", None)
    if inner is None:
        raise TypeError(f"from_node takes a node, not a {type(node).__name__}.")
    if is_lazy(node):
        return wrap(node._handle)  # type: ignore[attr-defined]
    return wrap(known(inner(node), _annotated(inner(node)), None))


def _annotated(node: Node[Any]) -> str:
    note = getattr(node.fn, "__annotations__", {}).get("return") if node.fn is not None else None
    if isinstance(note, PandasType):
        note = f"pandas.{note.__pandas_name__}"
    if not isinstance(note, str):
        home = str(getattr(note, "__module__", "")).partition(".")[0]
        note = f"{home}.{getattr(note, '__name__', '')}"
    home, _, name = note.rpartition(".")
    kinds = {"DataFrame": "frame", "Series": "series", "Index": "index"}
    return kinds.get(name, "any") if home in ("pd", "pandas") else "any"
