"""How one object opens: into a digest, or into a tag and the objects it holds."""

from __future__ import annotations

import copyreg
import functools
import pickle
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from dualdag.hashing._atoms import ATOMS
from dualdag.hashing._encode import encode
from dualdag.hashing._registry import data_digest, registered
from dualdag.hashing._streams import Items, hasher, seal, seal_plain

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Shape", "UnopenedError", "is_scalar", "opened", "reduced", "scalar"]

# Texts and bytes from this length on are hashed where they lie, containers from so many items piece by piece.
_LONG = 1 << 16
_SCALARS = {
    "builtins": {
        "NoneType",
        "bool",
        "int",
        "float",
        "complex",
        "str",
        "bytes",
        "ellipsis",
        "NotImplementedType",
    },
    "datetime": {"date", "timedelta"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "uuid": {"UUID"},
}
_scalar_types: dict[type, bool] = {}
_ENDLESS = ("count", "repeat")
_CODE = (type, FunctionType, BuiltinFunctionType, ModuleType)


class Shape(NamedTuple):
    """An object that holds others.

    Parameters
    ----------
    tag : bytes
        What the object is beside what it holds.
    inner : list
        What it holds.
    ordered : bool
        Whether the order of these counts.
    """

    tag: bytes
    inner: list[Any]
    ordered: bool = True


class UnopenedError(Exception):
    """An object that does not open.

    Parameters
    ----------
    what : str
        What it is.
    advice : str
        What to do.
    """

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


def is_scalar(kind: type) -> bool:
    """Tell whether values of exactly this type hold no other value and go to `encode` as they are."""
    known = _scalar_types.get(kind)
    if known is None:
        known = kind.__name__ in _SCALARS.get(kind.__module__, ())
        if kind.__module__ in _SCALARS:  # classes of users come and go
            _scalar_types[kind] = known
    return known


def scalar(value: Any) -> bytes:
    """Return the digest of a value that `is_scalar`."""
    kind = type(value)
    if kind is bytes and len(value) >= _LONG:
        return _large(b"bytes", value)
    if kind is str and len(value) >= _LONG:
        return _large(b"str", value.encode("utf-8", "surrogatepass"))
    atom = ATOMS.get(kind)  # what `encode` does first, without the way to it
    return seal_plain(atom(value) if atom is not None else encode(value))


def _large(tag: bytes, data: Any) -> bytes:
    made = hasher(len(data))
    made.update(data)
    return seal(tag, made.digest())


def opened(obj: Any) -> bytes | Shape:
    """Return the digest of what can be digested whole, else the shape of `obj`.

    Raises
    ------
    UnopenedError
        When the object can't be rebuilt from anything.
    """
    kind = type(obj)
    if is_scalar(kind):
        return scalar(obj)
    taught = registered(kind)
    if taught is not None:
        return seal(b"registered", _name_of(kind).encode(), taught(obj))
    by_kind = _CONTAINERS.get(kind)
    if by_kind is not None:
        return by_kind(obj)
    if isinstance(obj, _CODE):
        named = _reference(obj)
        if named is not None:
            return named
    made = data_digest(obj)
    return made if made is not None else reduced(obj)


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_long(items: Any) -> bool:
    return any(len(item) >= _LONG for item in items if type(item) is str or type(item) is bytes)


def _plain(kinds: set[type], *parts: Any) -> bool:
    """Tell whether all items are scalars, none of them too long to be copied."""
    if not all(map(is_scalar, kinds)):
        return False
    return not (str in kinds or bytes in kinds) or not any(map(_is_long, parts))


def _sequence(obj: Any) -> bytes | Shape:
    name = type(obj).__name__.encode()
    if not _plain(set(map(type, obj)), obj):
        return Shape(name, list(obj))
    if len(obj) < _LONG:
        return seal_plain(encode(obj))
    items = Items()
    items.add(obj)
    return seal(name, encode(len(obj)), items.digest())


def _set(obj: Any) -> bytes | Shape:
    if _plain(set(map(type, obj)), obj):
        return seal_plain(encode(obj))
    return Shape(type(obj).__name__.encode(), list(obj), ordered=False)


def _dict(obj: dict[Any, Any]) -> bytes | Shape:
    kinds = {*map(type, obj), *map(type, obj.values())}
    if not _plain(kinds, obj, obj.values()):
        return Shape(b"dict", [part for pair in obj.items() for part in pair])
    if len(obj) < _LONG:
        return seal_plain(encode(obj))
    keys, values = Items(), Items()
    keys.add(obj)
    values.add(obj.values())
    return seal(b"dict", encode(len(obj)), keys.digest(), values.digest())


_CONTAINERS: dict[type, Callable[[Any], bytes | Shape]] = {
    list: _sequence,
    tuple: _sequence,
    set: _set,
    frozenset: _set,
    dict: _dict,
    bytearray: lambda obj: _large(b"bytearray", obj),
    pickle.PickleBuffer: lambda obj: _large(b"buffer", obj.raw()),
}


def _reference(obj: Any) -> bytes | None:
    """Return the digest of code that is a value: its name if that finds it anywhere, else its content."""
    if isinstance(obj, ModuleType):
        if sys.modules.get(obj.__name__) is obj:
            return seal(b"module", obj.__name__.encode())
        raise UnopenedError(f"the module {obj.__name__}, which was not imported", "import it, or return what is in it")
    owner = getattr(obj, "__self__", None)
    if isinstance(obj, BuiltinFunctionType) and owner is not None and not isinstance(owner, ModuleType):
        return None  # a method of some value
    module, name = obj.__module__, obj.__qualname__
    if module == "builtins" or _importable(obj, module, name):
        return seal(b"name", f"{module}:{name}".encode())
    return seal(b"code", encode(obj))


def _importable(obj: Any, module: str | None, name: str) -> bool:
    # What a script defines has another name wherever it is run from.
    if module is None or module == "__main__":
        return False
    found: Any = sys.modules.get(module)
    for step in name.split("."):
        found = getattr(found, step, None)
    return found is obj


def reduced(obj: Any) -> bytes | Shape:
    """Return the shape of an object as pickle would rebuild it."""
    kind: Any = type(obj)
    if hasattr(kind, "__dualdag_node__"):
        raise UnopenedError("a Node, which is a recipe", "pass it to a task as an argument, or run it first")
    if kind.__module__ in ("builtins", "itertools") and hasattr(kind, "__next__") and kind.__name__ not in _ENDLESS:
        raise UnopenedError(f"a {kind.__name__}, which reading uses up", "return a list of what it yields")
    made = _rebuilt_by(obj)
    if isinstance(made, str):
        return seal(b"name", f"{pickle.whichmodule(obj, made)}:{made}".encode())  # type: ignore[attr-defined]
    if not isinstance(made, tuple) or not 2 <= len(made) <= 6:
        raise UnopenedError(f"a {_name_of(kind)}, whose __reduce_ex__ returned no tuple", _TEACH)
    call, args, state, listed, paired, setter = (*made, None, None, None, None)[:6]
    tag = [b"object", b"%d" % len(args)]
    inner = [call, *args]
    names = _names(state)
    if names is not None:
        kept, told = _kept_names(kind, tuple(names))
        tag.append(told)
        inner += [names[name] for name in kept]
    else:
        tag.append(b"state")
        inner.append(state)
    for mark, items in (
        (b"items", list(listed or ())),
        (b"pairs", [part for pair in paired or () for part in pair]),
    ):
        tag.append(mark + b"%d" % len(items))
        inner += items
    if setter is not None:
        tag.append(b"setter")
        inner.append(setter)
    return Shape(b" ".join(tag), inner)


_TEACH = "return the data that it holds, or teach dualdag the class with dag.register(cls, digest=..., codec=...)"


def _rebuilt_by(obj: Any) -> Any:
    kind = type(obj)
    known = copyreg.dispatch_table.get(kind)
    try:
        return known(obj) if known is not None else obj.__reduce_ex__(5)
    except Exception as error:
        if kind.__module__ != "_io":
            import cloudpickle

            # Views of dicts, mapping proxies and the like, which only cloudpickle takes apart.
            known = cloudpickle.CloudPickler.dispatch_table.get(kind)
            if known is not None:
                return known(obj)
        what = f"a {_name_of(kind)}"
        if kind.__module__ == "_io":
            raise UnopenedError(
                f"{what}, an open file", "close it, and return its content or dag.File(path)"
            ) from error
        raise UnopenedError(f"{what}, which has no content to store ({error})", _TEACH) from error


def _names(state: Any) -> dict[str, Any] | None:
    """Return an instance's attributes by name if that is what its state is; their order is chance."""
    names: dict[str, Any] = {}
    for part in state if type(state) is tuple and len(state) == 2 else (state,):
        if part is None:
            continue
        if type(part) is not dict or not all(type(name) is str for name in part):
            return None
        names.update(part)
    return names


@functools.lru_cache(maxsize=512)
def _kept_names(kind: type, names: tuple[str, ...]) -> tuple[list[str], bytes]:
    kept = sorted(name for name in names if not _is_cached(kind, name))
    return kept, b"names" + encode(kept)


def _is_cached(kind: type, name: str) -> bool:
    """Tell whether an attribute is what a ``functools.cached_property`` keeps, there or not by chance."""
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return isinstance(found, functools.cached_property)
