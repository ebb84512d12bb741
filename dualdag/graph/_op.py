"""What a node does, shared by all the nodes that one task made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualdag.hashing import Fingerprint

__all__ = ["Op", "own_hash"]


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """What a node does: one object for all the nodes that one task made.

    Parameters
    ----------
    kind : {"call", "file", "files", "value"}
        A call of `fn`, or one of the three kinds of input.
    label : str
        Readable name, first part of the key.
    prefix : bytes
        Own identity (fingerprint, ``nout``, ``ignore``), 20 bytes; for calls, first part of what is hashed.
    fn : callable or None
        The plain function; None for inputs.
    fingerprint : Fingerprint or None
        What `fn` was when the nodes were made; None for inputs and where ``version=`` stands for it.
    options : mapping
        Options set by the decorator, normalised.
    nout : int
        How many values a result unpacks into.
    version : str
        What was given as ``version=``, as text.
    """

    kind: str
    label: str
    prefix: bytes
    fn: Callable[..., Any] | None = None
    fingerprint: Fingerprint | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    nout: int = 1
    version: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        # A decorator leaves the task where the function was, so pickle would not find the function there.
        fn: Any = self.fn
        module, qualname = getattr(fn, "__module__", None) or "", getattr(fn, "__qualname__", "")
        found: Any = sys.modules.get(module)
        for part in qualname.split("."):
            found = getattr(found, part, None)
        if fn is not None and getattr(found, "__dualdag_fn__", None) is fn:
            fn = _TaskAt(module, qualname)
        rest = (self.fingerprint, dict(self.options), self.nout, self.version)
        return _load_op, (self.kind, self.label, self.prefix, fn, *rest)


@dataclass(frozen=True, slots=True)
class _TaskAt:
    """Where a task stands whose plain function is meant."""

    module: str
    qualname: str


def _load_op(kind: str, label: str, prefix: bytes, fn: Any, *rest: Any) -> Op:
    if isinstance(fn, _TaskAt):
        found: Any = import_module(fn.module)
        for part in fn.qualname.split("."):
            found = getattr(found, part)
        fn = found.__dualdag_fn__
    return Op(kind, label, prefix, fn, *rest)


def own_hash(op: Op, body: bytes) -> bytes:
    """Return the hash of an op and its arguments, encoded in `body` with a mark where each node stands."""
    return blake2b(op.prefix + body, digest_size=20).digest()
