"""Values as bytes and back: the table of codecs, which says of each whether its bytes can run code.

A codec takes a value only if what it decodes to will equal it, with type, dtypes, index and attrs; else the
next one is asked, and pickle is the last.  Codecs that a user registered come first.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dualdag.errors import CodecError, DualdagError
from dualdag.store._codec_files import view, written
from dualdag.store._codec_json import decode_json, encode_json
from dualdag.store._codec_pickle import decode_pickle, encode_pickle
from dualdag.store._file import File
from dualdag.store._taught import teach

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Encoded", "decode_value", "encode_value", "is_safe", "register_codec", "register_codec_for"]

Payload = Literal["pickle", "safe"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as bytes, in pieces that may lie in the value's own memory, or in a file.

    Parameters
    ----------
    codec : str
        Which codec decodes it.
    buffers : tuple of memoryview
        The bytes, in order; empty when they are those of `path`.
    path : str or None
        The file whose bytes are meant.
    nbytes : int
        How many bytes there are.
    """

    codec: str
    buffers: tuple[memoryview, ...]
    path: str | None
    nbytes: int

    def tobytes(self) -> bytes:
        """Return all bytes in one piece."""
        return b"".join(self.buffers) if self.path is None else Path(self.path).read_bytes()


class _Codec(NamedTuple):
    name: str
    can: Callable[[Any], bool]
    encode: Callable[[Any], Any]
    decode: Callable[[memoryview], Any]
    safe: bool
    keeps: bool = False  # whether what is decoded goes on using the memory it was decoded from


@cache
def _has_arrow() -> bool:
    return find_spec("pyarrow") is not None


def _loaded(value: Any, library: str, *names: str) -> bool:
    """Tell whether a value is of just one of these classes of a library, which need not be loaded."""
    module = sys.modules.get(library)
    return module is not None and any(type(value) is getattr(module, name, None) for name in names)


def _is_pandas(value: Any) -> bool:
    module: Any = sys.modules.get("pandas")
    if module is None or not _has_arrow():
        return False
    if _loaded(value, "pandas", "DataFrame", "Series"):
        return True
    return type(value).__module__.startswith("pandas") and isinstance(value, module.Index)


def _is_scalar(value: Any) -> bool:
    module: Any = sys.modules.get("numpy")
    return module is not None and isinstance(value, module.generic)


def _is_arrow(value: Any) -> bool:
    module: Any = sys.modules.get("pyarrow")
    if module is None or not type(value).__module__.startswith("pyarrow"):
        return False
    return isinstance(value, (module.Table, module.RecordBatch, module.ChunkedArray, module.Array))


def _lazily(module: str, name: str) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        return getattr(import_module(f"dualdag.store.{module}"), name)(value)

    return call


_ARRAYS = "_codec_arrays"
_BUILT_IN = (
    _Codec("bytes", lambda value: type(value) is bytes, lambda value: value, bytes, safe=True),
    _Codec("json", lambda _: True, encode_json, decode_json, safe=True),
    _Codec(
        "pandas",
        _is_pandas,
        _lazily("_codec_frames", "encode_frame"),
        _lazily("_codec_frames", "decode_frame"),
        safe=True,
    ),
    _Codec(
        "npy",
        lambda value: _loaded(value, "numpy", "ndarray", "memmap"),
        _lazily(_ARRAYS, "encode_npy"),
        _lazily(_ARRAYS, "decode_npy"),
        safe=True,
    ),
    _Codec(
        "npy-scalar",
        _is_scalar,
        _lazily(_ARRAYS, "encode_scalar"),
        _lazily(_ARRAYS, "decode_scalar"),
        safe=True,
    ),
    _Codec(
        "arrow",
        _is_arrow,
        _lazily(_ARRAYS, "encode_arrow"),
        _lazily(_ARRAYS, "decode_arrow"),
        safe=True,
        keeps=True,
    ),
    _Codec(
        "polars",
        lambda value: _loaded(value, "polars", "DataFrame", "Series"),
        _lazily(_ARRAYS, "encode_polars"),
        _lazily(_ARRAYS, "decode_polars"),
        safe=True,
        keeps=True,
    ),
    _Codec("pickle", lambda _: True, encode_pickle, decode_pickle, safe=False),
)
_RESERVED = frozenset({"file", *(codec.name for codec in _BUILT_IN)})
_registered: dict[str, _Codec] = {}


def register_codec(
    name: str,
    *,
    can: Callable[[Any], bool],
    encode: Callable[[Any], bytes | None],
    decode: Callable[[bytes], Any],
    safe: bool = False,
) -> None:
    """Add a codec, which is asked before the built-in ones.

    Parameters
    ----------
    name : str
        Stands in records; a codec of the same name is replaced.
    can : callable
        Tells whether a value is for this codec.
    encode : callable
        Takes the value, returns bytes, or None to leave it to the next codec.
    decode : callable
        Takes the bytes, returns the value.
    safe : bool
        Whether decoding runs no code that the bytes choose.

    Raises
    ------
    CodecError
        For the name of a built-in codec.
    """
    if name in _RESERVED:
        raise CodecError(f"the codec {name!r} is built in: choose another name.")
    _registered[name] = _Codec(name, can, encode, lambda data: decode(bytes(data)), safe)


def register_codec_for(
    cls: type, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], *, safe: bool = False
) -> None:
    """Add a codec for the instances of a class.

    Parameters
    ----------
    cls : type
        The class; its subclasses are meant too.
    encode, decode : callable
        Instance to bytes, and back.
    safe : bool
        Whether decoding runs no code that the bytes choose.

    Raises
    ------
    CodecError
        For a class that has a codec already, such as `list`.
    """
    if cls.__module__ == "builtins":
        raise CodecError(f"dag.register: how a {cls.__name__} is stored is fixed; register a class of your own.")
    teach(cls, encode, decode, safe=safe)
    name = f"class:{cls.__module__}.{cls.__qualname__}"
    register_codec(name, can=lambda value: isinstance(value, cls), encode=encode, decode=decode, safe=safe)


def encode_value(value: Any, *, payload: Payload = "pickle") -> Encoded:
    """Return a value as bytes.

    Parameters
    ----------
    value : object
        Any value; a `File` stands for its bytes.
    payload : {"pickle", "safe"}
        ``"safe"`` takes only codecs whose decoding runs no code that the bytes choose.

    Returns
    -------
    Encoded
        Its buffers may lie in the memory of `value`, which must not change until they are written.

    Raises
    ------
    CodecError
        When no codec takes the value: it says what came and what to do.

    Examples
    --------
    >>> encode_value({"rows": 3}).tobytes(), encode_value((1, 2)).codec
    (b'{"rows":3}', 'pickle')
    """
    if type(value) is File:
        return _encode_file(value)
    for codec in (*reversed(_registered.values()), *_BUILT_IN):
        if (payload == "safe" and not codec.safe) or not codec.can(value):
            continue
        try:
            made = codec.encode(value)
        except DualdagError:
            raise
        except Exception as error:
            raise _unstorable(value, codec, error) from error
        if made is not None:
            return _encoded(codec.name, made)
    raise CodecError(_only_pickle(value))


def _only_pickle(value: Any) -> str:
    """Say what can't be stored without pickle: the innermost thing, where it stands in plain containers."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    instead = _INSTEAD.get(kind, "return plain data, a frame or an array, or a dag.File")
    inner = f"a {name} can" if kind not in (list, dict) else f"something in a {name} can"
    return (
        f"{inner} be stored as pickle only, which payload='safe' (DUALDAG_PAYLOAD) rules out: {instead}; or teach "
        "dualdag the class with dag.register(cls, codec=..., safe=True)."
    )


_INSTEAD: dict[type, str] = {
    tuple: "return a list",
    set: "return a sorted list",
    frozenset: "return a sorted list",
    bytearray: "return bytes",
    complex: "return a list of two numbers",
    list: "its items have to be text, numbers, bools, None, lists, and dicts with text as keys",
    dict: "its keys have to be text, and its values text, numbers, bools, None, lists and such dicts",
}


def _unstorable(value: Any, codec: _Codec, error: Exception) -> CodecError:
    kind = type(value)
    return CodecError(
        f"a {kind.__module__}.{kind.__qualname__} can't be stored: the codec {codec.name!r} failed "
        f"({type(error).__name__}: {error}); return the data that it holds, or teach dualdag the class "
        "with dag.register(cls, digest=..., codec=...)."
    )


def _encoded(name: str, made: Any) -> Encoded:
    pieces = [made] if isinstance(made, (bytes, bytearray, memoryview)) else made
    views = (memoryview(piece) for piece in pieces)
    buffers = tuple(view.cast("B") for view in views if view.nbytes)
    return Encoded(name, buffers, None, sum(map(len, buffers)))


def _encode_file(file: File) -> Encoded:
    path = Path(file.path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CodecError(f"dag.File({file.path!r}) {what}: write one file, and return it.")
    return Encoded("file", (), file.path, path.stat().st_size)


def decode_value(
    codec: str, data: bytes | bytearray | memoryview | str | os.PathLike[str], *, payload: Payload = "pickle"
) -> Any:
    """Return the value that was encoded.

    The caller has checked the checksum: pickled bytes run code.

    Parameters
    ----------
    codec : str
        Name of the codec that encoded it.
    data : bytes, memoryview, str or path
        The bytes, or the local file that holds them.
    payload : {"pickle", "safe"}
        ``"safe"`` refuses codecs whose decoding runs code that the bytes choose.

    Returns
    -------
    object
        A value of its own, which may be changed; of a `File`, the path of a local copy.

    Raises
    ------
    CodecError
        When the bytes can't be decoded here, for instance since a class has moved: compute the value again.

    Examples
    --------
    >>> decode_value("json", b'{"rows":3}')
    {'rows': 3}
    """
    if codec == "file":
        return os.fspath(data) if isinstance(data, (str, os.PathLike)) else written(data)
    found = _found(codec)
    if found is None:
        raise CodecError(
            f"a stored value needs the codec {codec!r}, which is not registered here: import the module that "
            "calls dag.register."
        )
    if payload == "safe" and not found.safe:
        raise CodecError(
            f"a stored value needs the codec {codec!r}, whose bytes can run code, and payload='safe' (DUALDAG_PAYLOAD) "
            "rules that out: make it again with plain data, a frame or an array as its value."
        )
    try:
        return (
            _carefully(found, view(data, mapped=not found.keeps))
            if payload == "safe"
            else found.decode(view(data, mapped=not found.keeps))
        )
    except DualdagError:
        raise
    except Exception as error:
        raise CodecError(
            f"a stored value can't be decoded by the codec {codec!r} ({type(error).__name__}: {error}): "
            "compute it again, or bring back the classes and versions that wrote it."
        ) from error


def _found(codec: str) -> _Codec | None:
    return _registered.get(codec) or next((one for one in _BUILT_IN if one.name == codec), None)


def is_safe(codec: str) -> bool:
    """Say whether decoding runs no code that the bytes choose; of a codec that is not known here nobody can say so.

    Parameters
    ----------
    codec : str
        Its name.

    Examples
    --------
    >>> is_safe("json"), is_safe("pickle"), is_safe("class:elsewhere.Thing")
    (True, False, False)
    """
    found = _found(codec)
    return codec == "file" or (found is not None and found.safe)


def _carefully(codec: _Codec, data: memoryview) -> Any:
    """Decode what somebody may have made to break its reader."""
    from dualdag.store._codec_arrays import careful

    before = careful.set(True)
    try:
        return codec.decode(data)
    finally:
        careful.reset(before)
