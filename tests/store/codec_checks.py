"""What every codec is held to."""

from __future__ import annotations

from pathlib import Path

from dualdag.hashing import digest_value
from dualdag.store import decode_value, encode_value


def back(value, codec):
    """Encode and decode, from memory and from a file; hold the result to type, digest and independence."""
    encoded = encode_value(value)
    assert encoded.codec == codec
    data = encoded.tobytes()
    assert encoded.nbytes == len(data) == sum(map(len, encoded.buffers))
    found = decode_value(codec, data)
    path = Path("encoded")
    path.write_bytes(data)
    assert digest_value(decode_value(codec, path)) == digest_value(found) == digest_value(value)
    assert type(found) is type(value)
    return found
