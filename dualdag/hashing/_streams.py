"""Raw bytes into BLAKE3 at memory speed: numbers with one NaN, text, objects.

Data is hashed where it lies.  What has to be changed or gathered first (a NaN, a stride, a foreign byte
order) is copied block by block, so that no more than a few megabytes are ever held beside it.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from dualdag.hashing._atoms import ATOMS
from dualdag.hashing._keys import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["BLOCK", "Items", "Text", "feed", "hasher", "numpy_content", "numpy_dtype", "seal", "seal_plain"]

#: Bytes copied, or looked at for a NaN, at a time.
BLOCK = 4 << 20
_MANY = 16 << 20  # from here on a second thread pays
_ITEMS = 1 << 16
_SALT = b"dualdag.value.%d" % SCHEMA
_threads = blake3.AUTO


def _after_fork() -> None:
    # The pool of hashing threads does not survive a fork: waiting for it would be for ever.
    global _threads  # noqa: PLW0603
    _threads = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def seal(tag: bytes, *parts: bytes) -> bytes:
    """Return the digest of some parts under a tag; tag, number and length of the parts count."""
    out = [_SALT, b"%d:%b%d:" % (len(tag), tag, len(parts))]
    for part in parts:
        out.append(b"%d:" % len(part))
        out.append(part)
    return blake3(b"".join(out)).digest()


_PLAIN = _SALT + b"5:plain1:"


def seal_plain(encoded: bytes) -> bytes:
    """Return ``seal(b"plain", encoded)``, which most values of most results are."""
    return blake3(b"%b%d:%b" % (_PLAIN, len(encoded), encoded)).digest()


def hasher(nbytes: int = 0) -> Any:
    """Return a new BLAKE3 for so many bytes; for many it may use several threads."""
    return blake3(max_threads=_threads) if nbytes >= _MANY else blake3()


class Text:
    """Digest of a sequence of strings: lengths apart from characters, so that no chunk shows.

    Parameters
    ----------
    nbytes : int
        About how many bytes will come.
    """

    __slots__ = ("characters", "lengths")

    def __init__(self, nbytes: int = 0) -> None:
        self.lengths = hasher(nbytes)
        self.characters = hasher(nbytes)

    def add(self, strings: list[str]) -> None:
        """Take some more strings."""
        import numpy as np

        joined = "".join(strings)
        if joined.isascii():
            data = joined.encode()
            lengths = map(len, strings)
        else:
            parts = [one.encode("utf-8", "surrogatepass") for one in strings]
            data = b"".join(parts)
            lengths = map(len, parts)
        self.lengths.update(np.fromiter(lengths, np.dtype("<i8"), len(strings)).view(np.uint8))
        self.characters.update(data)

    def digest(self) -> bytes:
        """Return the digest of all strings so far."""
        return seal(b"text", self.lengths.digest(), self.characters.digest())


class Items:
    """Digest of a sequence of Python objects, the same however it is cut into pieces."""

    __slots__ = ("kinds", "rest", "text")

    def __init__(self) -> None:
        self.kinds = hasher()
        self.rest = hasher()
        self.text = Text()

    def add(self, items: Iterable[Any]) -> None:
        """Take some more objects."""
        source = iter(items)
        while piece := list(islice(source, _ITEMS)):
            if set(map(type, piece)) == {str}:
                self.kinds.update(bytes(len(piece)))
                self.text.add(piece)
            else:
                self._mixed(piece)

    def _mixed(self, piece: list[Any]) -> None:
        kinds = bytearray()
        rest: list[bytes] = []
        strings: list[str] = []
        for item in piece:
            kind = type(item)
            if kind is str:
                kinds.append(0)
                strings.append(item)
            elif item is None:
                kinds.append(1)
            elif (atom := ATOMS.get(kind)) is not None:
                kinds.append(2)
                encoded = atom(item)
                rest += (b"%d:" % len(encoded), encoded)
            else:
                from dualdag.hashing._values import digest_value

                kinds.append(3)
                rest.append(digest_value(item))
        self.kinds.update(bytes(kinds))
        self.rest.update(b"".join(rest))
        if strings:
            self.text.add(strings)

    def digest(self) -> bytes:
        """Return the digest of all objects so far."""
        return seal(b"items", self.kinds.digest(), self.text.digest(), self.rest.digest())


def feed(made: Any, values: Any) -> None:
    """Update a hasher with the values of an array of fixed width, in C order, little-endian, one NaN.

    Parameters
    ----------
    made : blake3
        The hasher.
    values : numpy.ndarray
        Not of objects, and without fields.
    """
    import numpy as np

    if not values.size or not values.dtype.itemsize:
        return
    floats = values.dtype.kind in "fc"
    for block in _blocks(values):
        if not floats:
            made.update(block.view(np.uint8))
        else:
            for start in range(0, len(block), step := max(1, BLOCK // block.itemsize)):
                made.update(_one_nan(block[start : start + step]))


def _blocks(values: Any) -> Iterator[Any]:
    import numpy as np

    little = values.dtype.newbyteorder("<")
    if values.flags.c_contiguous and values.dtype == little:
        yield values.reshape(-1)
        return
    size = max(1, BLOCK // values.dtype.itemsize)
    if values.ndim == 1:
        for start in range(0, len(values), size):
            yield np.ascontiguousarray(values[start : start + size], dtype=little)
        return
    flags = ["external_loop", "buffered", "zerosize_ok"]
    iterator: Any = np.nditer
    with iterator(values, flags, order="C", op_dtypes=[little], casting="equiv", buffersize=size) as pieces:
        for piece in pieces:
            # The iterator may lend a stretch of the array itself, strided as it is.
            yield np.ascontiguousarray(piece, dtype=little)


def _one_nan(block: Any) -> Any:
    """Return the bytes of contiguous floats with every NaN spelled the same; -0.0 is kept."""
    import numpy as np

    if block.dtype.kind == "c":
        block = block.view(np.dtype(f"<f{block.itemsize // 2}"))
    if block.itemsize > 8:
        return _long_double(block)
    # The least of floats is NaN if any is, and finding it costs no temporary array.
    least = np.minimum.reduce(block)
    if least != least:  # noqa: PLR0124 - NaN is what differs from itself
        block = block.copy()
        block[block != block] = np.nan  # noqa: PLR0124
    return block.view(np.uint8)


def _long_double(block: Any) -> bytes:
    """Return the ten meaningful bytes of each extended float; what pads them to sixteen is garbage."""
    import numpy as np

    block = block.copy()
    block[block != block] = np.nan  # noqa: PLR0124
    width = 10 if np.finfo(block.dtype).nmant == 63 else block.itemsize
    return bytes(block.view(np.uint8).reshape(-1, block.itemsize)[:, :width].tobytes())


def numpy_dtype(dtype: Any) -> bytes:
    """Return what a dtype means: kind, width, unit, fields.

    Offsets and padding do not count, and byte order does not: pickle brings a foreign one back as native.
    """
    if dtype.names is not None:
        fields = [f"{len(name)}:{name}={numpy_dtype(dtype[name]).decode()}" for name in dtype.names]
        return f"{{{','.join(fields)}}}".encode()
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return numpy_dtype(base) + repr(shape).encode()
    if dtype.kind in "biufcmMSUVO" and dtype.isbuiltin != 2:
        return str(dtype.newbyteorder("<").str).encode()
    return repr(dtype).encode()


def numpy_content(values: Any) -> bytes:
    """Return the digest of an array's elements in C order, without dtype and shape."""
    if values.dtype.names is not None:
        return seal(b"fields", *(numpy_content(values[name]) for name in values.dtype.names))
    if values.dtype.kind in "OT":
        items = Items()
        items.add(values.flat)
        return items.digest()
    made = hasher(values.nbytes)
    feed(made, values)
    return bytes(made.digest())
