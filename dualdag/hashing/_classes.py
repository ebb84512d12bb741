"""What of a class counts: its name, bases and metaclass, and its own attributes by name."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

from dualdag.hashing._bytecode import scan
from dualdag.hashing._installed import origin_of_class, origin_of_globals

__all__ = ["class_rows", "is_lenient"]

_LEFT_OUT = frozenset(
    {
        "__doc__", "__module__", "__qualname__", "__dict__", "__weakref__", "__annotations__",
        "__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__",
        "__annotations_cache__", "__abstractmethods__", "_abc_impl", "__orig_bases__", "__parameters__",
        "__type_params__", "__slotnames__", "__dataclass_fields__", "__dataclass_params__", "__attrs_props__",
    }
)  # fmt: skip
_DATACLASS_NAMES = frozenset(
    {
        "__init__", "__repr__", "__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__setattr__",
        "__delattr__", "__replace__", "__getstate__", "__setstate__", "__match_args__",
    }
)  # fmt: skip
_NAMEDTUPLE_NAMES = frozenset(
    {
        "_fields", "_field_defaults", "_field_types", "_make", "_replace", "__replace__", "_asdict", "__new__",
        "__repr__", "__getnewargs__", "__match_args__", "__slots__",
    }
)  # fmt: skip

# Of a field of an attrs class, all but its annotation.
_ATTRS = (
    "name", "default", "validator", "converter", "init", "kw_only", "repr", "eq", "order", "hash", "alias", "metadata",
)  # fmt: skip

Row = tuple[str, Any]


def class_rows(cls: type) -> list[Row]:
    """Return what counts of a class, as names and values.

    Parameters
    ----------
    cls : type
        A class of the project.

    Returns
    -------
    list of tuple
        In an order that does not hang on how the class statement is written.
    """
    own = vars(cls)
    rows: list[Row] = [("__bases__", cls.__bases__)]
    if type(cls) is not type:
        rows.append(("__class__", type(cls)))
    if "_abc_impl" in own:
        registered = frozenset(filter(None, (one() for one in sys.modules["_abc"]._get_dump(cls)[0])))
        if registered:
            rows.append(("registered", registered))
    if _asks_for_kin(cls):
        rows.append(("__subclasses__()", type.__subclasses__(cls)))
    skipped = set(_LEFT_OUT)
    if "__dataclass_fields__" in own:
        rows += _dataclass_rows(own)
        skipped.update(name for name in _DATACLASS_NAMES & own.keys() if _is_made(own[name]))
    if "_fields" in own and issubclass(cls, tuple):
        rows.append(("fields", (own["_fields"], own.get("_field_defaults", {}))))
        skipped |= _NAMEDTUPLE_NAMES
        skipped.update(own["_fields"])
    if _is_enum(cls):
        return rows + _enum_rows(cls)
    if "__attrs_attrs__" in own:
        rows.append(("fields", tuple(tuple(map(field.__getattribute__, _ATTRS)) for field in own["__attrs_attrs__"])))
        skipped.update(name for name, value in own.items() if isinstance(value, FunctionType) and _is_made(value))
        skipped.add("__attrs_attrs__")
    for name in sorted(own):
        # What pydantic keeps there holds addresses; the fields are all that was written down.
        if name not in skipped and (not name.startswith("__pydantic_") or name == "__pydantic_fields__"):
            rows.append((name, own[name]))
    return rows


def _asks_for_kin(cls: type) -> bool:
    """Tell whether a method of a class asks for its subclasses, which may be told of nowhere else."""
    for base in cls.__mro__[:-1]:
        if origin_of_class(base) is None:
            for value in vars(base).values():
                inner = getattr(value, "__func__", value)
                if type(inner) is FunctionType and scan(inner.__code__).kin:
                    return True
    return False


def is_lenient(cls: type) -> bool:
    """Tell whether an installed package put things into a class that need not have a content."""
    if "__attrs_attrs__" in vars(cls):
        return True
    kinds = (*cls.__mro__, type(cls))
    return any(origin is not None and origin.name for origin in map(origin_of_class, kinds))


def _dataclass_rows(own: Any) -> list[Row]:
    params = own["__dataclass_params__"]
    missing = sys.modules["dataclasses"].MISSING

    def given(value: Any) -> tuple[Any, ...]:
        return () if value is missing else (value,)

    fields = tuple(
        (
            field.name, given(field.default), given(field.default_factory), given(field.kw_only),
            field.init, field.repr, field.hash, field.compare, dict(field.metadata), field._field_type.name,
        )
        for field in own["__dataclass_fields__"].values()
    )  # fmt: skip
    return [
        ("fields", fields),
        ("params", tuple((name, getattr(params, name)) for name in sorted(type(params).__slots__))),
    ]


def _is_made(value: Any) -> bool:
    """Tell whether a decorator made this method, from the fields or out of its own stock."""
    if not isinstance(value, FunctionType):
        return value is None or isinstance(value, tuple)
    code = value.__code__
    if code.co_qualname.startswith("__create_fn__") or code.co_filename.startswith("<attrs generated"):
        return True
    return origin_of_globals(value.__globals__) is not None


def _is_enum(cls: type) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(cls, enum.Enum)


def _enum_rows(cls: Any) -> list[Row]:
    members = cls._member_map_
    rows: list[Row] = [("members", tuple((name, member._value_) for name, member in members.items()))]
    for name in sorted(vars(cls)):
        value = vars(cls)[name]
        if name in members or name in _LEFT_OUT:
            continue
        inner = getattr(value, "__func__", value)
        if name.startswith("_") and not _is_written(inner):
            continue
        rows.append((name, value))
    return rows


def _is_written(value: Any) -> bool:
    if isinstance(value, FunctionType):
        return origin_of_globals(value.__globals__) is None
    return isinstance(value, property)
