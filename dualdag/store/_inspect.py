"""Looking at one file of a store: whether its bytes are those that were written, and which objects it names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from blake3 import blake3

from dualdag.errors import CorruptObjectError, StoreError, UntrustedRecordError
from dualdag.store._address import held, is_address
from dualdag.store._checkpoint import Names
from dualdag.store._facts import (
    Batch,
    Begin,
    Confirmation,
    End,
    Events,
    Fact,
    Lost,
    Record,
    Tombstone,
    Unstable,
    Version,
)
from dualdag.store._fs import FileSystem
from dualdag.store._layout import decode_marker
from dualdag.store._possible import is_possible
from dualdag.store._seal import LAYOUT
from dualdag.store._sealer import UNSIGNED, Sealer

__all__ = ["Look", "looked_at", "object_looked_at"]

#: Objects up to this size are asked for in one piece.
_WHOLE = 1 << 22
_CHANGED = "its bytes are not those that were written there"
#: Where there are no hard links a name is taken first and the file follows at once.
_PAUSE = 0.05
_OF_FOLDER: dict[str, tuple[type, ...]] = {
    "batches": (Batch,), "facts": (Fact, Lost), "unstable": (Unstable,),
    "versions": (Version, Tombstone, Lost), "confirmations": (Confirmation,),
}  # fmt: skip
#: Of a journal, what is no piece.
_OF_RUN: dict[str, tuple[type, ...]] = {"begin": (Begin,), "end": (End,)}


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in one file.

    Parameters
    ----------
    nbytes : int or None
        Its size; None if it went meanwhile.
    kind, told : str
        What is wrong with it, as in `Problem`; empty if nothing is.
    records : int
        How many records it holds.
    named : tuple
        The objects that it names: checksum, how much it is needed, by what.
    ends : bool
        Whether it says that all before it were deleted.
    """

    nbytes: int | None
    kind: str = ""
    told: str = ""
    records: int = 0
    named: tuple[tuple[bytes, int, str], ...] = ()
    ends: bool = False


def object_looked_at(fs: FileSystem, path: str, checksum: bytes, nbytes: int, stop: threading.Event) -> Look:
    """Return what is found in an object; a damaged one is read twice before it is called so.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    path : str
        Its name there.
    checksum : bytes
        Of the bytes that were written.
    nbytes : int
        Its size, as listed.
    stop : Event
        Once it is set nobody waits for the answer.
    """
    size = 0
    for last in (False, True):
        try:
            found = _sum_of(fs, path, nbytes, stop)
        except FileNotFoundError:
            return Look(None)
        except Exception as error:  # noqa: BLE001 - what a place raises for what it can't read is its own affair
            return Look(nbytes, "unreadable", _said(error))
        if found is None:
            return Look(None)
        size, is_whole = found[1], found[0] == checksum
        if is_whole:
            return Look(size)
        if not last:
            time.sleep(_PAUSE)
    return Look(size, "damaged", _CHANGED)


def _sum_of(fs: FileSystem, path: str, nbytes: int, stop: threading.Event) -> tuple[bytes, int] | None:
    if fs.local is None and nbytes <= _WHOLE:
        data = fs.get(path)
        return None if data is None else (blake3(data).digest(), len(data))
    hasher, size = blake3(max_threads=blake3.AUTO) if nbytes > _WHOLE else blake3(), 0
    for piece in fs.pieces(path):
        hasher.update(piece)
        size += len(piece)
        if stop.is_set():
            return None
    return hasher.digest(), size


def looked_at(fs: FileSystem, sealer: Sealer, path: str) -> Look:
    """Return what is found in a file that is no object; where no rule says what it holds, it may be strange.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    sealer : Sealer
        Checks it.
    path : str
        Its name there.
    """
    if path == "layout.json":
        return _judged(fs, path, _marker)
    kinds = _kinds_at(path)
    return _judged(fs, path, _by_kind(sealer, path, kinds) if kinds else _by_seal(sealer, path))


def _marker(data: bytes) -> Look:
    return Look(len(data)) if decode_marker(data) is not None else Look(len(data), "damaged", _CHANGED)


def _kinds_at(path: str) -> tuple[type, ...]:
    """Return what the sealed file of a path may hold; nothing where it may be anything."""
    parts = path.split("/")
    if parts[0] == "runs":
        return _OF_RUN.get(parts[-1], (Events,))
    return _OF_FOLDER.get(parts[2] if parts[0] == "artifacts" else parts[0], ())


def _by_kind(sealer: Sealer, path: str, kinds: tuple[type, ...]) -> Callable[[bytes], Look]:
    def judge(data: bytes) -> Look:
        for kind in kinds:
            try:
                value: Any = sealer.unseal(data, kind, path)
            except CorruptObjectError:
                continue
            except UntrustedRecordError as error:
                return Look(len(data), "untrusted", _of_it(path, error))
            except StoreError as error:
                return Look(len(data), "newer", _of_it(path, error))
            return _of(value, path, len(data))
        return Look(len(data), "damaged", _CHANGED)

    return judge


def _by_seal(sealer: Sealer, path: str) -> Callable[[bytes], Look]:
    def judge(data: bytes) -> Look:
        if data[:4] != b"ddag":
            return Look(len(data), "strange")
        layout = UNSIGNED.layout_of(data, path)
        if layout is None:
            return Look(len(data), "damaged", _CHANGED)
        if sealer.layout_of(data, path) is None:
            return Look(len(data), "untrusted", "is not signed with a key of the secret given")
        if layout > LAYOUT:
            return Look(len(data), "newer", f"has layout {layout}: upgrade dualdag")
        return Look(len(data))

    return judge


def _judged(fs: FileSystem, path: str, judge: Callable[[bytes], Look]) -> Look:
    found = Look(None)
    for last in (False, True):
        try:
            data = fs.get(path)
        except StoreError as error:
            return Look(0, "unreadable", _said(error))
        if data is None:
            return Look(None)
        found = judge(data)
        if found.kind != "damaged":
            return found
        if not last:
            time.sleep(_PAUSE)
    return found


def _of(value: Any, path: str, nbytes: int) -> Look:
    if not is_possible(value, path):
        return Look(nbytes, "damaged", "it does not tell of what lies there")
    if isinstance(value, Batch):
        rows = [row for record in value.records for row in _by_record(record)]
        rows += [row for _, record in value.aliases for row in _by_record(record)]
        return Look(nbytes, records=len(value.records), named=tuple(rows))
    if isinstance(value, Fact):
        return Look(nbytes, records=1, named=tuple(_by_record(value.record)))
    if isinstance(value, Version):
        who = f"artifact {value.name}, version {value.number}"
        of_it = f"what is told of {who}"
        told = ((value.checksum, who), (value.details, of_it), (value.code, of_it))
        return Look(nbytes, named=tuple((one, Names.VERSION, text) for one, text in told if _is_checksum(one)))
    return Look(nbytes, ends=isinstance(value, Tombstone))


def _by_record(record: Record) -> Iterator[tuple[bytes, int, str]]:
    if _is_checksum(record.checksum):
        yield record.checksum, Names.RECORD if record.kept else Names.TOLD, record.function


def _is_checksum(address: bytes | None) -> TypeGuard[bytes]:
    # Any other address holds its bytes, and the seal over it is their check.
    return address is not None and is_address(address) and held(address) is None


def _of_it(path: str, error: StoreError) -> str:
    return str(error).removeprefix(f"{path} ").rstrip(".")


def _said(error: BaseException) -> str:
    # The path is told beside it.
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(told.split()) or type(error).__name__
