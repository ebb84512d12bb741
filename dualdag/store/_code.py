"""The code that a version was made by, as bytes: compressed JSON that most versions of an artifact share."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from dualdag.store._address import SMALL
from dualdag.store._plain_json import strict_json

__all__ = ["pack_code", "unpack_code"]

#: Bytes up to which code lies in the version itself; what is longer is made long enough to be an object, to be shared.
_CARRIED = 1000
#: Bytes of code that are read at the most.
_MOST = 1 << 25


def pack_code(code: Mapping[str, Any]) -> bytes:
    """Return code as bytes; of the same code they are the same.

    Parameters
    ----------
    code : mapping
        Plain data.

    Examples
    --------
    >>> unpack_code(pack_code({"functions": []}))
    {'functions': []}
    """
    data = zlib.compress(json.dumps(code, sort_keys=True, separators=(",", ":")).encode(), 6)
    return data if len(data) <= _CARRIED else data.ljust(SMALL + 1, b"\0")


def unpack_code(data: bytes) -> dict[str, Any]:
    """Return code from its bytes.

    Parameters
    ----------
    data : bytes
        As `pack_code` gave them.

    Raises
    ------
    ValueError
        When they are none that it gave.
    """
    try:
        found = strict_json(zlib.decompressobj().decompress(data, _MOST))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - one kind of error for all that is no code
    return found
