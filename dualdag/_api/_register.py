"""Teaching dualdag a class of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["register"]


def register(
    cls: type,
    *,
    digest: Callable[[Any], bytes | str] | None = None,
    codec: tuple[Callable[[Any], bytes], Callable[[bytes], Any]] | None = None,
    safe: bool = False,
) -> None:
    """Teach hashing and storing a foreign class.

    Parameters
    ----------
    cls : type
        The class; its subclasses are meant too.
    digest : callable, optional
        Takes an instance, returns bytes or text that are equal for equal content.
    codec : pair of callables, optional
        ``(encode, decode)``: instance to bytes, and back.
    safe : bool
        Whether `decode` runs no code that the bytes choose; only then is it used with ``payload="safe"``.

    Raises
    ------
    FingerprintError, CodecError
        For a class whose digest and codec are fixed, such as `list`.

    Examples
    --------
    >>> import dualdag as dag
    >>> class Ruler:
    ...     def __init__(self, cm):
    ...         self.cm = cm
    >>> codec = (lambda ruler: str(ruler.cm).encode(), lambda data: Ruler(int(data)))
    >>> dag.register(Ruler, digest=lambda ruler: str(ruler.cm), codec=codec)
    >>> dag.value(Ruler(30)) == dag.value(Ruler(30))
    True
    """
    if digest is not None:
        from dualdag.hashing import register as register_digest

        register_digest(cls, digest=digest)
    if codec is not None:
        from dualdag.store import register_codec_for

        register_codec_for(cls, *codec, safe=safe)
