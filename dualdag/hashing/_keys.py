"""Keys: short hashes of encoded parts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from hashlib import blake2b

__all__ = ["SCHEMA", "action_key", "combine", "hash_key"]

#: Counts in every key: a change of what keys are made of moves all of them.
SCHEMA: int = 1

_PERSON = b"dualdag.%d" % SCHEMA
_SALT = f"{sys.implementation.name[:8]}{sys.version_info[0]}.{sys.version_info[1]}".encode()
_ACTION = b"dualdag.action"


def hash_key(*parts: bytes) -> bytes:
    """Return the key of some parts, told apart by their lengths.

    Schema number and minor version of Python count.

    Parameters
    ----------
    *parts : bytes
        What the key is of.

    Returns
    -------
    bytes
        20 bytes.

    Examples
    --------
    >>> hash_key(b"ab", b"c") == hash_key(b"a", b"bc")
    False
    """
    made = blake2b(digest_size=20, person=_PERSON, salt=_SALT)
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


def combine(own: bytes, inputs: Iterable[bytes]) -> bytes:
    """Return the key of a node (or its trace key) from its own part and the keys of its inputs.

    Parameters
    ----------
    own : bytes
        Hash of function and arguments, made with `hash_key`, 20 bytes.
    inputs : iterable of bytes
        Keys of the inputs in order, 20 bytes each.

    Returns
    -------
    bytes
        20 bytes.
    """
    return blake2b(own + b"".join(inputs), digest_size=20).digest()


def action_key(own: bytes, digests: Iterable[bytes]) -> bytes:
    """Return the action key from a node's own part and the digests of its inputs.

    Parameters
    ----------
    own : bytes
        Hash of function and arguments, made with `hash_key`, 20 bytes.
    digests : iterable of bytes
        Digests of the inputs' values in order, 32 bytes each.

    Returns
    -------
    bytes
        20 bytes; never equal to a key that `combine` makes.
    """
    return blake2b(own + b"".join(digests), digest_size=20, person=_ACTION).digest()
