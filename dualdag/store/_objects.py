"""Objects: bytes under their checksum; small ones lie in their address."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from blake3 import blake3

from dualdag.errors import CorruptObjectError, StoreError
from dualdag.store._address import SMALL, held, inline
from dualdag.store._fs import Buffers, FileSystem, describe, shown

__all__ = ["Objects", "object_path"]

_PIECE = 1 << 22
#: Bytes of a checksum.
_CHECKSUM = 32
#: Bytes from which several threads pay.
_LARGE = 1 << 20


def object_path(checksum: bytes) -> str:
    """Return where an object lies.

    Parameters
    ----------
    checksum : bytes
        Of its bytes.

    Raises
    ------
    CorruptObjectError
        When it is none: a shorter one would name a folder.

    Examples
    --------
    >>> object_path(bytes(32))[:13]
    'objects/00/00'
    """
    if len(checksum) != _CHECKSUM:
        raise CorruptObjectError(
            f"{checksum.hex()[:12] or 'nothing'} is the address of no object; a run makes it again."
        )
    text = checksum.hex()
    return f"objects/{text[:2]}/{text[2:]}"


class Objects:
    """The objects of a store.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    lookups : Counter
        Counts probes.
    """

    def __init__(self, fs: FileSystem, lookups: Counter[str]) -> None:
        self._fs = fs
        self._lookups = lookups
        #: Addresses of what is whole and of no use here.
        self._useless: set[bytes] = set()

    def disregard(self, address: bytes) -> None:
        """Take what lies at an address for absent from now on."""
        self._useless.add(address)

    def put(self, parts: Sequence[bytes | bytearray | memoryview]) -> bytes:
        """Store bytes under their checksum, or, if they are few, nowhere; return their address."""
        nbytes = sum([memoryview(part).nbytes for part in parts])
        if nbytes <= SMALL:
            return inline(b"".join(parts))
        hasher = blake3(max_threads=blake3.AUTO) if nbytes >= _LARGE else blake3()
        for part in parts:
            hasher.update(part)
        checksum: bytes = hasher.digest()
        self._publish(checksum, nbytes, lambda: parts)
        return checksum

    def put_file(self, path: str) -> tuple[bytes, int]:
        """Store the bytes of a file; return their checksum and how many there are.

        It is read twice; if it changed in between nothing is stored.
        """
        checksum, nbytes = _sum_of(_pieces(path))
        self._publish(checksum, nbytes, lambda: _checked(path, checksum))
        return checksum, nbytes

    def take(self, other: Objects, checksum: bytes) -> int:
        """Copy an object of another store in pieces, checked on the way; return its size.

        CorruptObjectError if it is gone there or damaged: then nothing was stored.
        """
        path = object_path(checksum)
        nbytes = other._fs.size(path)
        if nbytes is None:
            raise other._gone(checksum)
        self._publish(checksum, nbytes, lambda: other._checked_pieces(checksum))
        return nbytes

    def _checked_pieces(self, checksum: bytes) -> Iterator[bytes]:
        hasher = blake3(max_threads=blake3.AUTO)
        try:
            for piece in self._fs.pieces(object_path(checksum)):
                hasher.update(piece)
                yield piece
        except FileNotFoundError:
            raise self._gone(checksum) from None
        except OSError as error:
            raise describe(error, self._fs.url, "read an object") from error
        if hasher.digest() != checksum:
            raise self._damaged(checksum)

    def _publish(self, checksum: bytes, nbytes: int, parts: Callable[[], Buffers]) -> None:
        path = object_path(checksum)
        # Far away, a small object is sent at once: asking first would be a second round trip.
        first = self._fs.local is not None or nbytes > _LARGE
        if first and self._is_whole(checksum, nbytes):
            return
        if not self._fs.put_if_absent(path, parts()) and not self._is_whole(checksum, nbytes):
            self._fs.put_if_absent(path, parts())

    def _is_whole(self, checksum: bytes, nbytes: int) -> bool:
        """Say whether an object is there with the right bytes; what lies damaged in its place is set aside."""
        path = object_path(checksum)
        size = self._fs.size(path)
        if size is None:
            return False
        try:
            if size == nbytes and _sum_of(self._fs.pieces(path))[0] == checksum:
                return True
        except FileNotFoundError:  # another writer set it aside
            return False
        except OSError as error:
            raise describe(error, self._fs.url, "read an object") from error
        self._set_aside(checksum)
        return False

    def has(self, checksums: Iterable[bytes]) -> set[bytes]:
        """Return those of `checksums` that are there."""
        asked = set(checksums) - self._useless
        found = {address for address in asked if held(address) is not None}
        return found | self.sizes(address for address in asked - found if len(address) == _CHECKSUM).keys()

    def sizes(self, checksums: Iterable[bytes]) -> dict[bytes, int]:
        """Return the sizes of those objects that are there."""
        wanted = list(checksums)
        self._lookups["objects"] += len(wanted)
        found = self._fs.sizes([object_path(checksum) for checksum in wanted])
        return {checksum: size for checksum, size in zip(wanted, found, strict=True) if size is not None}

    def get(self, checksum: bytes) -> bytes:
        """Return the bytes of a checksum, checked; CorruptObjectError if they are gone or damaged."""
        small = held(checksum)
        if small is not None:
            # The seal of whatever told the address was checked.
            return small
        data = self._fs.get(object_path(checksum))
        if data is None:
            raise self._gone(checksum)
        hasher = blake3(max_threads=blake3.AUTO) if len(data) >= _LARGE else blake3()
        if hasher.update(data).digest() != checksum:
            raise self._damaged(checksum)
        return data

    def local_path(self, checksum: bytes) -> str:
        """Return a read-only local file with the bytes of a checksum, checked, without holding them in memory."""
        path = object_path(checksum)
        if self._fs.size(path) is None:
            raise self._gone(checksum)
        try:
            found, where = self._fetched(path)
        except OSError as error:
            raise describe(error, self._fs.url, "read an object") from error
        if found != checksum:
            raise self._damaged(checksum)
        return where

    def _fetched(self, path: str) -> tuple[bytes, str]:
        pieces = self._fs.pieces(path)
        if self._fs.local is not None:
            return _sum_of(pieces)[0], str(self._fs.local / path)
        from dualdag.store._codec_files import own_folder

        handle, copy = tempfile.mkstemp(dir=own_folder(os.getpid()))
        with os.fdopen(handle, "wb") as file:
            found, _ = _sum_of(_copied(pieces, file))
        Path(copy).chmod(0o444)
        return found, copy

    def _gone(self, checksum: bytes) -> CorruptObjectError:
        return CorruptObjectError(
            f"store {shown(self._fs.url)}: object {checksum.hex()[:12]} is gone; a run makes it again."
        )

    def _damaged(self, checksum: bytes) -> CorruptObjectError:
        done = "it was set aside" if self._set_aside(checksum) else "it can't be set aside"
        return CorruptObjectError(
            f"store {shown(self._fs.url)}: object {checksum.hex()[:12]} is damaged (its bytes are not those that "
            f"were written), and {done}; a run makes it again."
        )

    def _set_aside(self, checksum: bytes) -> bool:
        try:
            self._fs.move_aside(object_path(checksum), f"damaged/{checksum.hex()}-{uuid.uuid4().hex[:8]}")
        except StoreError:
            return False
        return True


def _pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


def _sum_of(pieces: Iterable[bytes]) -> tuple[bytes, int]:
    hasher, nbytes = blake3(max_threads=blake3.AUTO), 0
    for piece in pieces:
        hasher.update(piece)
        nbytes += len(piece)
    return hasher.digest(), nbytes


def _checked(path: str, checksum: bytes) -> Iterator[bytes]:
    """Yield a file's pieces; raise at the end, before they are published, if they were not the ones meant."""
    hasher = blake3(max_threads=blake3.AUTO)
    for piece in _pieces(path):
        hasher.update(piece)
        yield piece
    if hasher.digest() != checksum:
        raise StoreError(f"{path} changed while it was put into the store: write it whole before returning it.")


def _copied(pieces: Iterable[bytes], file: Any) -> Iterator[bytes]:
    for piece in pieces:
        file.write(piece)
        yield piece
