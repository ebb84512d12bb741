"""The marker at the root of a store: its layout and who it is."""

from __future__ import annotations

import os
import platform
import uuid
import warnings

import msgspec
from blake3 import blake3

from dualdag.errors import StoreError
from dualdag.store._fs import FileSystem, shown
from dualdag.store._plain_json import strict_json
from dualdag.store._seal import LAYOUT, newer_layout
from dualdag.store._sealer import UNSIGNED, Sealer

__all__ = ["Marker", "decode_marker", "read_marker", "this_user", "write_marker"]

_PATH = "layout.json"
#: Bytes of a marker; one has about a hundred.
_LARGE = 1 << 16


class Marker(msgspec.Struct, frozen=True):
    """What the marker says.

    Parameters
    ----------
    layout : int
        Version of the layout.
    id : str
        Names this store, so that a cache of another one that lay here before is not taken for its own.
    check : str
        Of the two: a flipped bit must not make the store one of a layout to come.  The first stores have none.
    maker : str
        Who made it, so that nobody else's housekeeping starts with more than a look.
    """

    layout: int
    id: str = ""
    check: str = ""
    maker: str = ""


def this_user() -> str:
    """Return what stands for this user of this machine; it tells nobody else who that is."""
    user = os.getuid() if hasattr(os, "getuid") else os.path.expanduser("~")  # noqa: PTH111 - never raises
    return blake3(f"{user}\0{platform.node()}".encode()).hexdigest()[:16]


def _check(layout: int, id: str) -> str:
    return blake3(f"{layout}\0{id}".encode()).hexdigest()[:16]


def decode_marker(data: bytes) -> Marker | None:
    """Return what a marker says; None if it is damaged.

    Parameters
    ----------
    data : bytes
        All of the file.
    """
    try:
        marker = msgspec.convert(strict_json(data, large=_LARGE), type=Marker)
        fits = marker.check in ("", _check(marker.layout, marker.id))
    except (msgspec.ValidationError, ValueError):  # text that no encoding has is a ValueError, too
        return None
    return marker if fits else None


def read_marker(fs: FileSystem, *, repair: bool, sealer: Sealer = UNSIGNED) -> Marker | None:
    """Return the marker, or None where there is none.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    repair : bool
        Whether to write one that is damaged or gone again.
    sealer : Sealer, optional
        Checks the records that tell of a lost one.

    Raises
    ------
    StoreError
        When a newer dualdag made the store.
    """
    data = fs.get(_PATH)
    marker = None if data is None else decode_marker(data)
    if marker is not None:
        if marker.layout > LAYOUT:
            raise newer_layout(f"store {shown(fs.url)}", marker.layout)
        return marker
    found = _layout_of_records(fs, sealer)
    if data is None and found is None:
        return None
    if found is not None and found > LAYOUT:
        raise newer_layout(f"store {shown(fs.url)}", found)
    state = "gone" if data is None else "damaged"
    told = "" if found is None else f", as its records tell of layout {found}"
    warnings.warn(f"store {shown(fs.url)}: its marker {_PATH} is {state}; it is written again{told}.", stacklevel=4)
    return _rewrite(fs, damaged=data is not None) if repair else None


def _rewrite(fs: FileSystem, *, damaged: bool) -> Marker | None:
    try:
        if damaged:
            fs.move_aside(_PATH, f"damaged/{_PATH}-{uuid.uuid4().hex[:8]}")
        return write_marker(fs, "")
    except StoreError:
        return None  # nothing can be written here, nor needs to be


def _layout_of_records(fs: FileSystem, sealer: Sealer) -> int | None:
    """Return the layout that a readable record was written for, the newest first."""
    for folder in reversed(fs.names("batches")[-2:]):
        for name in reversed(fs.names(f"batches/{folder}")[-20:]):
            path = f"batches/{folder}/{name}"
            found = sealer.layout_of(fs.get(path) or b"", path)
            if found is not None:
                return found
    return None


def write_marker(fs: FileSystem, maker: str | None = None) -> Marker | None:
    """Write the marker unless there is one, and return the one that is there.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    maker : str, optional
        Who made it: this user, unless given.
    """
    name = uuid.uuid4().hex
    marker = Marker(LAYOUT, name, _check(LAYOUT, name), this_user() if maker is None else maker)
    if fs.put_if_absent(_PATH, [msgspec.json.encode(marker)]):
        return marker
    return read_marker(fs, repair=False)
