"""Handlers of the standard library's values, in rows that are read when a type of that module is met."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

from dualdag.hashing._atoms import named, sized, text
from dualdag.hashing._encode import CONTAINERS, Encoder, Handler, Made, RefusalError

__all__ = ["load_rows", "whole"]


def whole(name: str, content: Callable[[Any], str]) -> Handler:
    """Return a handler for values that a short text tells whole."""
    return lambda obj, _: named(name, content(obj))


def _items(name: str, content: Callable[[Any], list[Any]]) -> Handler:
    """Return a handler for values that some items tell whole."""

    def handler(obj: Any, _: Encoder) -> Made:
        items = content(obj)
        return b"K" + text(name) + b"%d:" % len(items), items

    return handler


def _constant(name: str) -> Handler:
    """Return a handler for objects that have no content which a result could depend on."""
    return lambda _obj, _encoder: b"k" + text(name)


def _pairs(obj: Any) -> list[Any]:
    return list(chain.from_iterable(list(obj.items())))


def _array(obj: Any, _: Encoder) -> Made:
    copy = obj
    if sys.byteorder == "big":
        copy = obj[:]
        copy.byteswap()
    return b"k" + text("array") + text(obj.typecode) + sized(b"%d" % obj.itemsize, copy.tobytes())


def _memoryview(obj: memoryview, _: Encoder) -> Made:
    shape = ",".join(map(str, obj.shape or ()))
    return b"k" + text("memoryview") + text(obj.format) + text(shape) + sized(b"b", obj.tobytes())


def _zone(obj: Any, _: Encoder) -> Made:
    if obj.key is None:
        raise RefusalError("a ZoneInfo read from a file has no name", "give it a key: ZoneInfo.from_file(f, key=...)")
    return named("ZoneInfo", obj.key)


def _datetime(obj: Any, _: Encoder) -> Made:
    naive = obj.replace(tzinfo=None, fold=0).isoformat()
    return b"K" + text(type(obj).__name__) + text(naive) + b"%d:" % obj.fold, (obj.tzinfo,)


def _getinitargs(obj: Any) -> list[Any]:
    return list(obj.__getinitargs__())


def _reduced(obj: Any) -> list[Any]:
    return list(obj.__reduce__()[1:])


def _weak(obj: Any, encoder: Encoder) -> Made:
    # As installed decorators keep them, they remember what was asked before.
    if encoder.lenient:
        return b"k" + text("weak")
    raise RefusalError(f"a {type(obj).__name__} holds what is there only as long as something else holds it")


def _state(*names: str) -> Callable[[Any], list[Any]]:
    return lambda obj: [getattr(obj, name) for name in names]


def _range(obj: Any) -> list[Any]:
    return [obj.start, obj.stop, obj.step]


def _sorted_names(obj: Any) -> list[Any]:
    return list(chain.from_iterable(sorted(vars(obj).items())))


_ROWS: dict[str, dict[str, Handler]] = {
    "builtins": {
        "bytearray": lambda obj, _: sized(b"B", bytes(obj)),
        "memoryview": _memoryview,
        "range": _items("range", _range),
        "slice": _items("slice", _range),
        "property": _items("property", _state("fget", "fset", "fdel")),
        "staticmethod": _items("staticmethod", _state("__func__")),
        "classmethod": _items("classmethod", _state("__func__")),
        "super": _items("super", _state("__thisclass__", "__self__")),
        "object": _constant("object"),
    },
    "array": {"array": _array},
    "collections": {
        "OrderedDict": _items("OrderedDict", _pairs),
        "defaultdict": _items("defaultdict", lambda obj: [obj.default_factory, *_pairs(obj)]),
        "Counter": _items("Counter", _pairs),
        "deque": _items("deque", lambda obj: [obj.maxlen, *obj]),
        "ChainMap": _items("ChainMap", _state("maps")),
        "UserDict": _items("UserDict", _state("data")),
        "UserList": _items("UserList", _state("data")),
        "UserString": _items("UserString", _state("data")),
        "_tuplegetter": _constant("_tuplegetter"),
    },
    "argparse": {"Namespace": _items("Namespace", _sorted_names)},
    "datetime": {
        "date": whole("date", lambda obj: obj.isoformat()),
        "datetime": _datetime,
        "time": _datetime,
        "timedelta": _items("timedelta", _state("days", "seconds", "microseconds")),
        "timezone": _items("timezone", _getinitargs),
    },
    "decimal": {"Decimal": whole("Decimal", str), "Context": whole("Context", repr)},
    "fractions": {"Fraction": _items("Fraction", _state("numerator", "denominator"))},
    "functools": {
        "partial": _items("partial", lambda obj: [obj.func, obj.args, dict(sorted(obj.keywords.items()))]),
        "partialmethod": _items("partialmethod", _state("func", "args", "keywords")),
        "cached_property": _items("cached_property", _state("func")),
        "singledispatchmethod": _items("singledispatchmethod", _state("dispatcher", "func")),
        "_lru_cache_wrapper": _items("lru_cache", _state("__wrapped__")),
    },
    "ipaddress": {
        name: whole(name, str)
        for name in (
            "IPv4Address",
            "IPv6Address",
            "IPv4Network",
            "IPv6Network",
            "IPv4Interface",
            "IPv6Interface",
        )
    },
    "logging": {
        # They hold locks, streams and the module's name; what they print is no result.
        "Logger": _constant("Logger"),
        "RootLogger": _constant("Logger"),
        "LoggerAdapter": _constant("Logger"),
    },
    "operator": {
        "itemgetter": _items("itemgetter", _reduced),
        "attrgetter": _items("attrgetter", _reduced),
        "methodcaller": _items("methodcaller", _reduced),
    },
    # What a program reads from its environment while it runs is not seen, wherever it got it from.
    "os": {"_Environ": _constant("environ")},
    "pathlib": {
        "PosixPath": whole("Path", lambda obj: obj.as_posix()),
        "WindowsPath": whole("Path", lambda obj: obj.as_posix()),
        "PurePosixPath": whole("PurePosixPath", str),
        "PureWindowsPath": whole("PureWindowsPath", str),
    },
    "re": {"Pattern": _items("Pattern", _state("pattern", "flags"))},
    "string": {"Template": _items("Template", _state("template"))},
    "_thread": {name: _constant("lock") for name in ("LockType", "lock", "RLock")},
    "types": {
        "SimpleNamespace": _items("SimpleNamespace", _sorted_names),
        "MappingProxyType": _items("MappingProxyType", _pairs),
        "GenericAlias": _items("GenericAlias", _state("__origin__", "__args__")),
        "UnionType": _items("UnionType", _state("__args__")),
        "MemberDescriptorType": _constant("slot"),
        "GetSetDescriptorType": _constant("slot"),
    },
    "typing": {
        "TypeVar": whole("TypeVar", lambda obj: obj.__name__),
        "ParamSpec": whole("ParamSpec", lambda obj: obj.__name__),
        "ForwardRef": whole("ForwardRef", lambda obj: obj.__forward_arg__),
        "NewType": _items("NewType", _state("__name__", "__supertype__")),
        "_SpecialForm": whole("SpecialForm", repr),
        "_GenericAlias": _items("GenericAlias", _state("__origin__", "__args__")),
        "_UnionGenericAlias": _items("GenericAlias", _state("__origin__", "__args__")),
        "_LiteralGenericAlias": _items("GenericAlias", _state("__origin__", "__args__")),
        "_CallableGenericAlias": _items("GenericAlias", _state("__origin__", "__args__")),
        "_AnnotatedAlias": _items("GenericAlias", _state("__origin__", "__metadata__")),
        "_SpecialGenericAlias": whole("SpecialForm", repr),
        "_CallableType": whole("SpecialForm", repr),
        "_TupleType": whole("SpecialForm", repr),
    },
    "uuid": {"UUID": whole("UUID", str)},
    "weakref": dict.fromkeys(("WeakKeyDictionary", "WeakValueDictionary", "WeakSet"), _weak),
    "zoneinfo": {"ZoneInfo": _zone},
}
_loaded: set[str] = set()
_seen = [0]


def load_rows() -> bool:
    """Add the handlers of each module that was imported by now; tell whether there were any."""
    if _seen[0] == len(sys.modules):
        return False
    _seen[0] = len(sys.modules)
    fresh = [name for name in _ROWS if name not in _loaded and name in sys.modules]
    for name in fresh:
        _loaded.add(name)
        module = sys.modules[name]
        for attribute, handler in _ROWS[name].items():
            cls = getattr(module, attribute, None)
            if isinstance(cls, type):
                CONTAINERS.setdefault(cls, handler)
    return bool(fresh)
