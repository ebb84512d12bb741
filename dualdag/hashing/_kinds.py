"""Finding the handler of a type that is neither an atom nor a plain container."""

from __future__ import annotations

import copyreg
import enum
import struct
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from dualdag.hashing._atoms import ATOMS, named, sized, text
from dualdag.hashing._encode import CONTAINERS, Encoder, Handler, Made, RefusalError, write_node
from dualdag.hashing._installed import Origin, origin_of_class, origin_of_module
from dualdag.hashing._plain import load_rows

__all__ = ["by_name", "find_handler", "state_of"]

_DATA = frozenset({"numpy", "pandas", "pyarrow", "polars"})
_MANAGED_DICT = 1 << 4
_POINTER = struct.calcsize("P")
# How deep objects of installed packages are looked into where they need not have a content.
_SHALLOW = 4
# What may take long to write, in pieces.
_DEAR = 1 << 30

# By type, for classes that may come and go.
_found: WeakKeyDictionary[type, Handler] = WeakKeyDictionary()


def find_handler(kind: type) -> Handler:
    """Return what writes instances of `kind`, a type for which `CONTAINERS` has no handler yet."""
    if hasattr(kind, "__dualdag_node__"):
        CONTAINERS[kind] = write_node
        return write_node
    taught = _taught(kind)
    if taught is not None:
        return taught
    if load_rows() and kind in CONTAINERS:
        return CONTAINERS[kind]
    handler = _found.get(kind)
    if handler is None:
        handler = _found[kind] = _handler_of(kind)
    return handler


def _handler_of(kind: type) -> Handler:
    if hasattr(kind, "__dualdag_fn__"):
        return _task
    if issubclass(kind, (type, FunctionType, ModuleType)):
        return _code
    if issubclass(kind, _NAMED):
        return _builtin
    if kind is MethodType:
        return _method
    if issubclass(kind, enum.Enum):
        return _enum
    if kind.__module__.partition(".")[0] in _DATA:
        return _data
    if issubclass(kind, BaseException):
        return _exception
    return _instance_handler(kind)


def _taught(kind: type) -> Handler | None:
    # Nobody can have registered a class before the module that keeps them was imported.
    registry = sys.modules.get("dualdag.hashing._registry")
    digest: Callable[[Any], bytes] | None = registry.registered(kind) if registry is not None else None
    if digest is None:
        return None

    def handler(obj: Any, encoder: Encoder) -> Made:
        encoder.weight += _DEAR
        return b"r" + text(kind.__qualname__) + sized(b"", digest(obj))

    return handler


def _task(obj: Any, _: Encoder) -> Made:
    version = getattr(obj, "__dualdag_version__", None)
    if version is None:
        return b"K" + text("task") + b"1:", (obj.__dualdag_fn__,)
    label = getattr(obj.__dualdag_fn__, "__qualname__", "")
    return b"K" + text("task version") + b"2:", (label, version)


def _code(obj: Any, encoder: Encoder) -> Made:
    return encoder.reference(obj, encoder)


_NAMED: tuple[type, ...] = (
    BuiltinFunctionType,
    type(str.upper),
    type(str.__add__),
    type("".__add__),
    type(vars(dict)["fromkeys"]),
)


def _builtin(obj: Any, encoder: Encoder) -> Made:
    owner = getattr(obj, "__self__", None)
    if owner is None or isinstance(owner, ModuleType):
        owner = getattr(obj, "__objclass__", None)
        if owner is None:
            return by_name(obj, encoder)
    return _exported(obj, owner, encoder) or (b"K" + text("builtin method") + b"2:", (obj.__name__, owner))


def _method(obj: Any, encoder: Encoder) -> Made:
    made = _exported(obj, obj.__self__, encoder)
    return made or (b"K" + text("method") + b"2:", (obj.__func__, obj.__self__))


def _exported(obj: Any, owner: Any, encoder: Encoder) -> bytes | None:
    """Write a method that an installed module offers as its function, as ``random.randint`` is one."""
    module = sys.modules.get(type(owner).__module__)
    name: str = obj.__name__
    if module is None or vars(module).get(name) is not obj:
        return None
    origin = origin_of_module(module)
    return None if origin is None else _named(origin, module, name, encoder)


def by_name(obj: Any, encoder: Encoder) -> Made:
    """Write something installed as its distribution, version, module and name; refuse if it has none."""
    module = sys.modules.get(getattr(obj, "__module__", None) or "")
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    if module is None or not isinstance(name, str):
        return _refuse(obj, encoder)
    origin = origin_of_module(module)
    if origin is None:
        if str(vars(module).get("__file__")).endswith((".so", ".pyd")):
            # Compiled code of the project: its module's file is all there is to read.
            return b"K" + text("compiled") + b"2:", (name, module)
        return _refuse(obj, encoder)
    found: Any = module
    for step in name.split("."):
        found = getattr(found, step, None)
    if found is not obj and not isinstance(obj, BuiltinFunctionType):
        return _refuse(obj, encoder)
    return _named(origin, module, name, encoder)


def _named(origin: Origin, module: ModuleType, name: str, encoder: Encoder) -> bytes:
    encoder.origins[origin] = None
    return origin.head + text(_module_name(module)) + text(name)


def _module_name(module: ModuleType) -> str:
    name = module.__name__
    return "os.path" if name in ("posixpath", "ntpath") else name


def _enum(obj: Any, _: Encoder) -> Made:
    return b"K" + text("enum") + b"3:", (type(obj), obj._name_, obj._value_)


def _exception(obj: BaseException, _: Encoder) -> Made:
    names = [part for pair in sorted(vars(obj).items()) for part in pair if pair[0] != "__notes__"]
    return b"K" + text("exception") + b"%d:" % (2 + len(names)), (type(obj), obj.args, *names)


def _data(obj: Any, encoder: Encoder) -> Made:
    if type(obj).__module__.partition(".")[0] == "numpy":
        made = _numpy(obj, encoder)
        if made is not None:
            return made
    return _digested(obj, encoder)


def _digested(obj: Any, encoder: Encoder) -> bytes:
    from dualdag.errors import DualdagError
    from dualdag.hashing._values import digest_value

    size = getattr(obj, "nbytes", None)
    encoder.weight += 100 if type(size) is int and size < 1 << 12 else _DEAR
    try:
        return b"v" + text(type(obj).__qualname__) + sized(b"", digest_value(obj))
    except DualdagError as error:
        if encoder.lenient:
            return _as_type(obj)
        raise RefusalError(str(error).rstrip(".")) from None


def _numpy(obj: Any, encoder: Encoder) -> Made | None:
    numpy = sys.modules["numpy"]
    if isinstance(obj, numpy.ndarray):
        return None
    if isinstance(obj, numpy.generic):
        if obj.dtype.hasobject or obj.dtype.fields:
            return None
        native = obj.astype(obj.dtype.newbyteorder("<")) if obj.dtype.byteorder == ">" else obj
        data = b"nan" if native.dtype.kind in "fcmM" and native != native else native.tobytes()  # noqa: PLR0124
        return b"k" + text("numpy") + text(str(obj.dtype)) + sized(b"b", data)
    if isinstance(obj, numpy.dtype):
        return named("dtype", repr(obj))
    if isinstance(obj, numpy.ufunc):
        return _ufunc(obj, encoder)
    if not callable(obj):
        return _refuse(obj, encoder)
    if isinstance(obj, numpy.vectorize):
        return _lenient_instance(obj, encoder)
    return by_name(obj, encoder)


def _ufunc(obj: Any, encoder: Encoder) -> Made:
    name: str = obj.__name__
    for home in ("numpy", "scipy.special", "numpy._core.umath"):
        module = sys.modules.get(home)
        if module is not None and getattr(module, name, None) is obj:
            origin = origin_of_module(module)
            if origin is not None:
                return _named(origin, module, name, encoder)
    return _refuse(obj, encoder)


def _instance_handler(cls: type) -> Handler:
    """Return what writes instances of a class by the class and their state."""
    content = _content_handler(cls)
    known = hasattr(cls, "__dataclass_fields__") or origin_of_class(cls) is None
    if content is None:
        if hasattr(cls, "__struct_fields__"):
            return _struct
        if not known:
            return _foreign
        return _instance if _is_pure(cls) else _refuse
    state = _names_of if content is _digested else state_of

    def handler(obj: Any, encoder: Encoder) -> Made:
        made = content(obj, encoder)
        part, inner = (made, ()) if isinstance(made, bytes) else made
        names = state(obj)
        return b"O%b%d:" % (part, len(names)), (cls, *names, *inner)

    return handler


def _instance(obj: Any, encoder: Encoder) -> Made:
    if hasattr(obj, "__dualdag_fn__"):
        return _task(obj, encoder)
    state = state_of(obj)
    return b"o%d:" % len(state), (type(obj), *state)


def _struct(obj: Any, _: Encoder) -> Made:
    """Write a msgspec.Struct, whose fields no ``__getstate__`` shows."""
    names = sorted(obj.__struct_fields__)
    return b"o%d:" % (2 * len(names)), (type(obj), *(part for name in names for part in (name, getattr(obj, name))))


def _content_handler(cls: type) -> Handler | None:
    """Return what writes the part of an instance that a builtin base keeps."""
    for base in cls.__mro__[1:-1]:
        exact = _EXACT.get(base)
        if exact is not None:
            return lambda obj, _, base=base, exact=exact: ATOMS[base](exact(obj))  # type: ignore[misc]
        handler = CONTAINERS.get(base)
        if handler is not None:
            return handler
        if base.__module__.partition(".")[0] in _DATA:
            return _digested
    return None


# The value of an instance of a subclass, past whatever the subclass made of its conversions.
_EXACT: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    str: str.__str__,
    bytes: lambda obj: bytes.__getitem__(obj, slice(None)),
}


def _names_of(obj: Any) -> list[Any]:
    """Return what a user's subclass of a frame or array adds to it."""
    names = getattr(type(obj), "_metadata", None)  # where pandas says which of its attributes are the user's
    if names is None:
        names = sorted(getattr(obj, "__dict__", ()))
    return [part for name in names for part in (name, getattr(obj, name, None))]


def _is_pure(cls: type) -> bool:
    """Tell whether all that an instance holds can be seen from Python, as pickle does."""
    if any("__getstate__" in vars(base) for base in cls.__mro__[:-1]):
        return True
    size = object.__basicsize__
    if cls.__dictoffset__ and not cls.__flags__ & _MANAGED_DICT:
        size += _POINTER
    if cls.__weakrefoffset__ > 0:
        size += _POINTER
    size += _POINTER * len(copyreg._slotnames(cls))  # type: ignore[attr-defined]
    return cls.__basicsize__ <= size


def state_of(obj: Any) -> list[Any]:
    """Return what an instance holds, as names and values in turn, sorted by name.

    What a ``functools.cached_property`` keeps there is left out: it is there or not, by chance.
    """
    try:
        state = obj.__getstate__()
    except Exception as error:  # noqa: BLE001 - a class may raise anything there
        raise RefusalError(f"{_describe(obj)} does not show its state ({error})") from None
    if state is None:
        return []
    names: dict[str, Any] = {}
    for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if part is None:
            continue
        if not isinstance(part, dict) or not all(isinstance(name, str) for name in part):
            return [state]
        names.update(part)
    cls = type(obj)
    kept = sorted(name for name in names if not _is_cached(cls, name))
    return [part for name in kept for part in (name, names[name])]


def _is_cached(cls: type, name: str) -> bool:
    functools = sys.modules["functools"]
    for base in cls.__mro__:
        if name in vars(base):
            return isinstance(vars(base)[name], functools.cached_property)
    return False


def _foreign(obj: Any, encoder: Encoder) -> Made:
    """Write an instance of an installed class that nothing here knows."""
    if callable(obj) and isinstance(getattr(obj, "__wrapped__", None), (FunctionType, type)):
        # An object that a decorator of an installed package put around a function.
        return _lenient_instance(obj, encoder)
    if isinstance(getattr(obj, "__name__", None), str) and callable(obj):
        return by_name(obj, encoder)
    offered = _offered(obj, encoder)
    if offered is not None:
        return offered
    if encoder.lenient:
        return _lenient_instance(obj, encoder)
    origin = origin_of_class(type(obj))
    if origin is None or not origin.name:
        return _refuse(obj, encoder)
    kind = type(obj).__qualname__
    advice = f"pass it as an argument, teach it to dualdag with dag.register({kind}, digest=...), or give version="
    raise RefusalError(f"{_describe(obj)} has no content to hash", advice)


def _offered(obj: Any, encoder: Encoder) -> bytes | None:
    """Write an object that an installed module holds, as scipy.stats does ``norm``: its version tells it."""
    home = type(obj).__module__
    for place in (home, home.partition(".")[0]):
        module = sys.modules.get(place)
        if module is None:
            continue
        origin = origin_of_module(module)
        name = next((name for name, value in vars(module).items() if value is obj), None)
        if origin is not None and name is not None:
            return _named(origin, module, name, encoder)
    return None


def _lenient_instance(obj: Any, encoder: Encoder) -> Made:
    """Write what can be seen of an object, and of the rest its type."""
    if encoder.shallow >= _SHALLOW:
        return _as_type(obj)
    try:
        state = state_of(obj)
    except RefusalError:
        state = []
    held = encoder.lenient
    encoder.lenient = True
    encoder.shallow += 1
    try:
        parts = [encoder.part(part) for part in (type(obj), getattr(obj, "__wrapped__", None), *state)]
    finally:
        encoder.lenient = held
        encoder.shallow -= 1
    for _, nodes, refs in parts:
        encoder.refs.extend(refs)
        if encoder.nodes is not None:
            encoder.nodes.extend(nodes)
    return b"?%d:" % len(parts) + b"".join([made for made, _, _ in parts])


def _as_type(obj: Any) -> bytes:
    kind = type(obj)
    return b"?" + text(f"{kind.__module__}.{kind.__qualname__}")


def _describe(obj: Any) -> str:
    kind = type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _refuse(obj: Any, encoder: Encoder) -> bytes:
    if encoder.lenient:
        return _as_type(obj)
    raise RefusalError(f"{_describe(obj)} has no content to hash")
