"""Hashing: canonical encoding, function fingerprints, value and file digests.

Everything that decides whether two things are the same passes through here.  Equal bytes, in any
process, mean equal meaning; what can't be told apart by its content is refused, with the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.hashing._atoms import is_text
from dualdag.hashing._encode import encode
from dualdag.hashing._fingerprint import Fingerprint, Reached, fingerprint, moved, shared_walk
from dualdag.hashing._keys import SCHEMA, action_key, combine, hash_key
from dualdag.hashing._reach import Walk

if TYPE_CHECKING:
    from dualdag.hashing._files import DigestCache, FileToken, digest_file, expand, file_token
    from dualdag.hashing._registry import given_digests
    from dualdag.hashing._values import digest_value, register, registered

__all__ = [
    "SCHEMA",
    "DigestCache",
    "FileToken",
    "Fingerprint",
    "Reached",
    "Walk",
    "action_key",
    "combine",
    "digest_file",
    "digest_value",
    "encode",
    "expand",
    "file_token",
    "fingerprint",
    "given_digests",
    "hash_key",
    "is_text",
    "moved",
    "register",
    "registered",
    "shared_walk",
]

# Loaded at first use: they need blake3 and fsspec.
_HOMES = {
    "DigestCache": "_files",
    "FileToken": "_files",
    "digest_file": "_files",
    "expand": "_files",
    "file_token": "_files",
    "given_digests": "_registry",
    "digest_value": "_values",
    "register": "_values",
    "registered": "_values",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
