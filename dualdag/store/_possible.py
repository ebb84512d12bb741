"""What a sealed file can tell: a seal keeps accidents away, and without a secret anybody can make one."""

from __future__ import annotations

import math
from typing import Any

from dualdag.store._address import is_address
from dualdag.store._facts import Begin, Confirmation, End, Fact, Version

__all__ = ["is_possible"]

#: Years 1 and 9999: what `datetime` can tell.
_OLDEST, _LATEST = -62_135_596_800, 253_402_300_800


def is_possible(value: Any, path: str) -> bool:
    """Say whether a file tells of what lies there, in numbers that can be.

    Parameters
    ----------
    value : Struct
        What it tells.
    path : str
        Where in the store it lies.

    Examples
    --------
    >>> is_possible(End(0.0, "done"), "runs/1/end"), is_possible(End(float("nan"), "done"), "runs/1/end")
    (True, False)
    """
    if isinstance(value, Version):
        return _is_version(value, path)
    if isinstance(value, Confirmation):
        return value.name == _artifact(path) and _is_time(value.created)
    if isinstance(value, Fact):
        key = path.rpartition("/")[2].partition("-")[0]
        return key in (value.record.action.hex(), value.record.trace.hex())
    if isinstance(value, (Begin, End)):
        return _is_time(value.started if isinstance(value, Begin) else value.ended)
    return True


def _is_version(version: Version, path: str) -> bool:
    lies_there = version.name == _artifact(path) and version.number == int(path.rpartition("/")[2])
    addresses = [one for one in (version.checksum, version.details, version.code) if one is not None]
    counts = math.isfinite(version.seconds) and version.nbytes >= 0
    return lies_there and counts and _is_time(version.created) and all(map(is_address, addresses))


def _artifact(path: str) -> str:
    return path.split("/")[1].partition("~")[0]


def _is_time(seconds: float) -> bool:
    return _OLDEST <= seconds < _LATEST
