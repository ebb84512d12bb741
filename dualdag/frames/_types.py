"""Lazy frames, series, indexes, scalars, and what is not known to be which before it is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from dualdag.frames import _items
from dualdag.frames._errors import missing_attribute
from dualdag.frames._lazy import CLASSES, Lazy, PandasType, wrap
from dualdag.frames._members import member, names_in
from dualdag.frames._names import INDEX_CLASSES
from dualdag.frames._operators import give_operators, unary
from dualdag.frames._ops import Handle, derive
from dualdag.frames._run import ask
from dualdag.frames._steps import freeze, step

__all__ = ["INDEXES", "DataFrame", "Index", "Scalar", "Series", "Unknown"]


class _Table(Lazy):
    """What frames and series share: labels, names, and changes of this object alone."""

    __slots__ = ()
    _members = "Unknown"

    def __getattr__(self, name: str) -> Any:
        return member(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _items.set_attribute(self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return _items.get_item(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _items.set_item(self, key, value)

    def __delitem__(self, key: Any) -> None:
        _items.delete_item(self, key)

    def __dir__(self) -> list[str]:
        return names_in(self)

    def __abs__(self) -> Any:
        return self.abs()

    def __round__(self, decimals: int = 0) -> Any:
        return self.round(decimals)

    def __bool__(self) -> bool:
        raise ValueError(
            f"The truth value of a {type(self).__name__} is ambiguous. "
            "Use a.empty, a.bool(), a.item(), a.any() or a.all()."
        )


class DataFrame(_Table):
    """A lazy `pandas.DataFrame`."""

    __slots__ = ()
    __pandas_name__ = "DataFrame"
    _members = "DataFrame"

    @property
    def _handle(self) -> Handle:
        _items.settle_columns(self)
        return self._held

    @property
    def columns(self) -> Any:
        """Labels of the columns: known where the schema tells, else computed."""
        return _items.columns_of(self)

    @property
    def dtypes(self) -> Any:
        """Types of the columns: known where the schema tells, else computed."""
        meta = self._handle.meta
        return meta.obj.dtypes if meta is not None and meta.exact else ask(self._handle, (step(".dtypes"),))

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns)

    def __contains__(self, item: object) -> bool:
        return item in self.columns

    def __dataframe__(self, *args: Any, **kwargs: Any) -> Any:
        return self.compute().__dataframe__(*args, **kwargs)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.compute().__arrow_c_stream__(requested_schema)

    def __narwhals_dataframe__(self) -> Any:
        return _to_narwhals(self.compute())._compliant_frame


class Series(_Table):
    """A lazy `pandas.Series`."""

    __slots__ = ()
    __pandas_name__ = "Series"
    _members = "Series"

    @property
    def name(self) -> Any:
        """The label: known where the schema tells, else computed."""
        meta = self._handle.meta
        return meta.obj.name if meta is not None else ask(self._handle, (step(".name"),))

    @property
    def dtype(self) -> Any:
        """The type of the values: known where the schema tells, else computed."""
        meta = self._handle.meta
        return meta.obj.dtype if meta is not None and meta.exact else ask(self._handle, (step(".dtype"),))

    @property
    def dtypes(self) -> Any:
        """The type of the values."""
        return self.dtype

    @property
    def ndim(self) -> int:
        """One."""
        return 1

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.compute().__arrow_c_stream__(requested_schema)

    def __narwhals_series__(self) -> Any:
        return _to_narwhals(self.compute())._compliant_series


def _to_narwhals(computed: Any) -> Any:
    """Return a pandas object as narwhals sees it: the way by which scikit-learn and plotting libraries take frames."""
    # Only narwhals itself asks, so it is there; importing it by name would make it a dependency.
    return sys.modules["narwhals"].from_native(computed, allow_series=True)


class Index(Lazy):
    """A lazy `pandas.Index`, of whatever kind."""

    __slots__ = ()
    __pandas_name__ = "Index"
    _members = "Index"

    def __getattr__(self, name: str) -> Any:
        return member(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("name", "names"):
            raise missing_attribute("Index", name, ("name", "names"))
        _items.name_index(self, [value] if name == "name" else list(value))

    def __getitem__(self, key: Any) -> Any:
        return _items.get_index_item(self, key)

    def __dir__(self) -> list[str]:
        return names_in(self)

    def __abs__(self) -> Any:
        return unary(self, "abs()")

    def __round__(self, decimals: int = 0) -> Any:
        return self.round(decimals)

    def __bool__(self) -> bool:
        raise ValueError(
            "The truth value of a Index is ambiguous. Use a.empty, a.bool(), a.item(), a.any() or a.all()."
        )


class _Number(Lazy):
    """What may be one value: it computes where Python or NumPy need it."""

    __slots__ = ()

    def __float__(self) -> float:
        return float(self.compute())

    def __int__(self) -> int:
        return int(self.compute())

    def __index__(self) -> int:
        import operator

        return operator.index(self.compute())

    def __complex__(self) -> complex:
        return complex(self.compute())

    def __str__(self) -> str:
        return str(self.compute())

    def __format__(self, spec: str) -> str:
        return format(self.compute(), spec)

    def __abs__(self) -> Any:
        return unary(self, "abs()")

    def __round__(self, digits: int | None = None) -> Any:
        return unary(self, "round()", *(() if digits is None else (digits,)))

    def __trunc__(self) -> Any:
        import math

        return math.trunc(self.compute())

    def __floor__(self) -> Any:
        import math

        return math.floor(self.compute())

    def __ceil__(self) -> Any:
        import math

        return math.ceil(self.compute())


class Scalar(_Number):
    """One value that is not there yet: arithmetic and comparisons are lazy, ``float()`` and the like compute."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"'Scalar' object has no attribute {name!r}")
        return getattr(self.compute(), name)

    def round(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value rounded, lazily."""
        made = ("round", tuple(freeze(one) for one in args), {key: freeze(one) for key, one in kwargs.items()})
        return wrap(derive(self._handle, (made,), "scalar"))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{name!r} of a scalar can't be set.")

    def __hash__(self) -> int:
        return hash(self.compute())

    def __getitem__(self, key: Any) -> Any:
        return self.compute()[key]


class Unknown(_Number, _Table):
    """A value of which only running tells what it is: it takes what frames, series, indexes and scalars take."""

    __slots__ = ()
    _members = "Unknown"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._owner is None:
            raise TypeError(f"{self!r} is not callable.")
        _, name, handle = self._owner
        made = (name, tuple(freeze(one) for one in args), {key: freeze(one) for key, one in kwargs.items()})
        return wrap(derive(handle, (made,), "any"))

    def __bool__(self) -> bool:
        return bool(self.compute())

    def __hash__(self) -> int:
        return hash(self.compute())

    def __abs__(self) -> Any:
        return unary(self, "abs()")

    def __round__(self, digits: int | None = None) -> Any:
        return unary(self, "round()", *(() if digits is None else (digits,)))


CLASSES.update(
    {"frame": DataFrame, "series": Series, "index": Index, "scalar": Scalar, "any": Unknown, "array": Unknown}
)
give_operators(Lazy, changing=(DataFrame, Series))

#: Classes that stand for pandas's kinds of index; the objects are all `Index`.
INDEXES: dict[str, Any] = {
    "Index": Index,
    **{
        name: PandasType(
            name, (Index,), {"__slots__": (), "__pandas_name__": name, "__doc__": f"A lazy `pandas.{name}`."}
        )
        for name in INDEX_CLASSES[1:]
    },
}
globals().update(INDEXES)
