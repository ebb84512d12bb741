"""Addresses of encoded values: a checksum, or for a small value its bytes themselves.

As in the identity hash of multiformats (https://github.com/multiformats/cid), what would be smaller than the way to
it needs no way: an address of a small value holds the value, so that it lies inside the record that names it, and
under that record's seal.  A checksum has 32 bytes; no other address does.
"""

from __future__ import annotations

__all__ = ["SMALL", "held", "inline", "is_address", "shown_address"]

#: Bytes up to which an encoded value lives inside its record.
SMALL = 4096

_CHECKSUM = 32


def inline(data: bytes) -> bytes:
    r"""Return the address that holds `data`.

    Parameters
    ----------
    data : bytes
        An encoded value.

    Examples
    --------
    >>> inline(b"[1, 2]")
    b'=\x00[1, 2]'
    >>> len(inline(bytes(30)))
    33
    """
    pad = len(data) + 2 == _CHECKSUM
    return b"".join((b"=", bytes((pad,)), bytes(pad), data))


def held(address: bytes) -> bytes | None:
    """Return the bytes that an address holds, or None if it is a checksum.

    Parameters
    ----------
    address : bytes
        Of a value.

    Examples
    --------
    >>> held(inline(b"[1, 2]"))
    b'[1, 2]'
    >>> held(bytes(32)) is None
    True
    """
    if len(address) == _CHECKSUM or address[:1] != b"=" or len(address) < 2:
        return None
    return address[2 + address[1] :]


def is_address(given: bytes) -> bool:
    """Say whether something can lie there: what is forged may be anything.

    Parameters
    ----------
    given : bytes
        Told by a record or a version.

    Examples
    --------
    >>> is_address(inline(b"[1, 2]")), is_address(bytes(32)), is_address(b"")
    (True, True, False)
    """
    return len(given) == _CHECKSUM or held(given) is not None


def shown_address(address: bytes) -> str:
    """Return how messages name what lies at an address.

    Parameters
    ----------
    address : bytes
        Of a value.

    Examples
    --------
    >>> shown_address(inline(b"[1, 2]")), shown_address(bytes(32))
    ('a small value of 6 bytes', 'object 000000000000')
    """
    data = held(address)
    return f"object {address.hex()[:12]}" if data is None else f"a small value of {len(data)} bytes"
