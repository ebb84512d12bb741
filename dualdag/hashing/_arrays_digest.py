"""Digests of NumPy arrays and scalars: dtype, shape, and elements in C order."""

from __future__ import annotations

from typing import Any

from dualdag.hashing._encode import encode
from dualdag.hashing._streams import numpy_content, numpy_dtype, seal

__all__ = ["numpy_digest"]


def numpy_digest(obj: Any) -> bytes | None:
    """Return the digest of an array or a scalar; None for anything else of NumPy's."""
    import numpy as np

    if isinstance(obj, np.generic):
        return seal(b"numpy.generic", numpy_dtype(obj.dtype), numpy_content(np.asarray(obj)))
    if not isinstance(obj, np.ndarray):
        return None
    if type(obj) is np.ndarray or type(obj) is np.memmap:
        return _content(b"numpy.ndarray", obj)
    if type(obj) is np.ma.MaskedArray:
        # What lies under the mask is garbage.
        nothing: Any = np.zeros((), obj.dtype)
        shown = np.asarray(obj.filled(nothing))
        mask = np.ma.getmaskarray(obj)
        return seal(b"numpy.ma", _content(b"data", shown), _content(b"mask", mask), _own(obj.fill_value))
    return seal(b"numpy.subclass", _own((type(obj), vars(obj))), _content(b"data", np.asarray(obj)))


def _own(obj: Any) -> bytes:
    from dualdag.hashing._values import digest_value

    return digest_value(obj)


def _content(tag: bytes, array: Any) -> bytes:
    return seal(tag, numpy_dtype(array.dtype), encode(array.shape), numpy_content(array))
