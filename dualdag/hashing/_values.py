"""Digests of values: of the content, at memory speed, equal across processes."""

from __future__ import annotations

from typing import Any

from dualdag.hashing._registry import data_digest, register, registered
from dualdag.hashing._shapes import is_scalar, scalar
from dualdag.hashing._walk import walk

__all__ = ["data_digest", "digest_value", "register", "registered"]


def digest_value(obj: Any) -> bytes:
    """Return the digest of a value: equal for equal content, however stored or laid out.

    Frames, series, indexes, arrays and tables of pandas, NumPy, Arrow and Polars count by dtypes, labels and
    values, and not by chunks, strides, padding or what lies under a null.  Plain data counts by its canonical
    encoding.  Any other object counts by what pickle would rebuild it from; classes and functions count by
    name, or by their code where a name would not find them again.

    Parameters
    ----------
    obj : object
        Any value that can be stored.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    CodecError
        For what has no content to store, such as a generator or an open file.
    FingerprintError
        For a function or class without a name that reaches something without a content.

    Examples
    --------
    >>> digest_value([1, 2]) == digest_value((1, 2)), digest_value({"b", "a"}) == digest_value({"a", "b"})
    (False, True)
    >>> digest_value(zip([1], [2]))
    Traceback (most recent call last):
    dualdag.errors.CodecError: this is a zip, which reading uses up: return a list of what it yields.
    """
    return scalar(obj) if is_scalar(type(obj)) else walk(obj)
