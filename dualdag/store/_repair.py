"""Mending what a check of a store found."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dualdag.errors import StoreError
from dualdag.store._checkpoint import Checkpoint
from dualdag.store._facts import Batch, Lost, Unstable
from dualdag.store._fs import FileSystem
from dualdag.store._inspect import looked_at, object_looked_at
from dualdag.store._layout import read_marker
from dualdag.store._sealer import Sealer

if TYPE_CHECKING:
    import msgspec

__all__ = ["remove_leftovers", "repair"]

_ASIDE = "it was set aside"
_PAGE = 500
#: Seconds after which a temporary file is nobody's; a writer touches its own all the time.
_OLD = 3600.0
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}-([0-9a-f]{1,8})-[0-9a-f]+\.tmp", re.ASCII)


def repair(fs: FileSystem, sealer: Sealer, notes: Checkpoint) -> None:
    """Set aside what is damaged, and write in its place what keeps the meaning that it has while it is damaged.

    An object can be made again, and a journal's piece or a confirmation does without.  A batch keeps its number:
    an empty one takes its place.  A version or a later fact leaves a mark that something was lost there, since
    the older one must not come into force.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    sealer : Sealer
        Seals what is written.
    notes : Checkpoint
        What was found; takes what was done.
    """
    for path, kind in _found(notes):
        if kind == "missing":
            notes.dealt_with(path, "a run makes it again when it is asked for")
        elif kind == "damaged":
            # It was read a while ago: a run may have made it again, or its owner put it back from a copy.
            mended = _mend(fs, sealer, path) if _is_damaged(fs, sealer, path) else "it is whole by now"
            notes.dealt_with(path, mended)


def _found(notes: Checkpoint) -> Iterator[tuple[str, str]]:
    last = ""
    query = "SELECT path, kind FROM problem WHERE path > ? AND done='' ORDER BY path LIMIT ?"
    while page := list(notes.rows(query, last, _PAGE)):
        yield from ((path, kind) for path, kind in page)
        last = page[-1][0]


def _is_damaged(fs: FileSystem, sealer: Sealer, path: str) -> bool:
    top, _, rest = path.partition("/")
    if top == "objects":
        checksum = bytes.fromhex(rest.replace("/", ""))
        return object_looked_at(fs, path, checksum, fs.size(path) or 0, threading.Event()).kind == "damaged"
    return looked_at(fs, sealer, path).kind == "damaged"


def _mend(fs: FileSystem, sealer: Sealer, path: str) -> str:
    top = path.partition("/")[0]
    if path == "layout.json":
        read_marker(fs, repair=True, sealer=sealer)
        return "it was written again"
    if top == "batches":
        return _replace(fs, sealer, path, Batch([], []))
    if top == "facts" or "/versions/" in path:
        return _replace(fs, sealer, path, Lost(time.time()))
    if top == "unstable":
        return _replace(fs, sealer, path, Unstable(bytes.fromhex(path.partition("/")[2])))
    fs.move_aside(path, _aside(path))
    return _ASIDE


def _aside(path: str) -> str:
    name = path.removeprefix("objects/").replace("/", "" if path.startswith("objects/") else "-")
    return f"damaged/{name}-{uuid.uuid4().hex[:8]}"


def _replace(fs: FileSystem, sealer: Sealer, path: str, value: msgspec.Struct) -> str:
    data = fs.get(path)
    if data is not None:
        if data:
            fs.put_if_absent(_aside(path), [data])
        sealed = sealer.seal(value, path)
        try:
            # In one step: a moment without it, and what it outranked would be in force.
            fs.replace(path, sealed)
        except StoreError as error:
            if not isinstance(error.__cause__, IsADirectoryError):
                raise
            fs.move_aside(path, _aside(path))
            fs.put_if_absent(path, [sealed])
    return _ASIDE


def remove_leftovers(fs: FileSystem, notes: Checkpoint) -> int:
    """Remove temporary files that nobody writes any more; return how many there were.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    notes : Checkpoint
        What was found.
    """
    count = 0
    before = time.time() - _OLD
    for path, _, _, modified in list(notes.rows("SELECT * FROM leftover")):
        # What was set aside stays: it may be worth more to its owner than to the store.
        if path.startswith("damaged/") or modified is None or modified > before or _is_written(path):
            continue
        fs.remove(path)
        notes.db.execute("DELETE FROM leftover WHERE path=?", (path,))
        count += 1
    return count


def _is_written(path: str) -> bool:
    """Say whether the process that made a temporary file may be at work still, on this machine."""
    match = _TEMPORARY.fullmatch(path.rpartition("/")[2])
    if match is None or os.name != "posix":
        return False
    try:
        os.kill(int(match[1], 16), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
