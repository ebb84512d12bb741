"""What digests a value whole: what users taught, and the readers of data libraries."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dualdag.errors import FingerprintError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["data_digest", "given_digests", "register", "registered"]

_taught: dict[type, Callable[[Any], bytes]] = {}
_given: dict[type, Callable[[Any], bytes | str]] = {}


def register(cls: type, *, digest: Callable[[Any], bytes | str]) -> None:
    """Teach hashing a class whose content can't be seen.

    Parameters
    ----------
    cls : type
        The class; its subclasses are meant too.
    digest : callable
        Takes an instance and returns bytes or text, equal for equal content in any process.

    Raises
    ------
    FingerprintError
        For a class whose meaning is fixed, such as `list`.

    Examples
    --------
    >>> class Ruler:
    ...     def __init__(self, cm):
    ...         self.cm = cm
    >>> register(Ruler, digest=lambda ruler: str(ruler.cm))
    >>> registered(Ruler)(Ruler(30))
    b'30'
    """
    if cls.__module__ == "builtins":
        raise FingerprintError(f"dag.register: how a {cls.__name__} is hashed is fixed; register a class of your own.")

    def content(obj: Any) -> bytes:
        made = digest(obj)
        if isinstance(made, str):
            return made.encode("utf-8", "surrogatepass")
        if isinstance(made, (bytes, bytearray, memoryview)):
            return bytes(made)
        raise FingerprintError(
            f"the digest registered for {cls.__qualname__} returned a {type(made).__name__}; "
            "it must return bytes or str."
        )

    _taught[cls] = content
    _given[cls] = digest


def given_digests() -> dict[type, Callable[[Any], bytes | str]]:
    """Return what `register` was given, by class, for processes that did not see the calls."""
    return dict(_given)


def registered(cls: type) -> Callable[[Any], bytes] | None:
    """Return what was registered for a class or the nearest of its bases.

    Parameters
    ----------
    cls : type
        A class.

    Returns
    -------
    callable or None
        Takes an instance, returns bytes.
    """
    if not _taught:
        return None
    return next((_taught[base] for base in cls.__mro__ if base in _taught), None)


def data_digest(obj: Any) -> bytes | None:
    """Return the digest of an array, frame or table of a data library; None for anything else."""
    kind: Any = type(obj)
    for read in _readers(kind):
        made = read(obj)
        if made is not None:
            return made
    return None


_READERS = (
    ("pandas", "dualdag.hashing._frames_digest", "pandas_digest"),
    ("numpy", "dualdag.hashing._arrays_digest", "numpy_digest"),
    ("pyarrow", "dualdag.hashing._arrow_digest", "arrow_digest"),
    ("polars", "dualdag.hashing._arrow_digest", "polars_digest"),
)


@lru_cache(maxsize=1024)
def _readers(kind: type) -> tuple[Callable[[Any], bytes | None], ...]:
    """Return what may read values of a type: a library that it or one of its bases comes from is loaded."""
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    return tuple(
        getattr(import_module(module), name) for root, module, name in _READERS if root in roots and root in sys.modules
    )
