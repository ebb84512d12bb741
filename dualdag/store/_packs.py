"""Batches of records brought together: many small files become one, and every look-up gives what it gave.

A pack takes the place of the last batch that it holds, under that one's own number, in one instant; the others go
when no reader can be in the middle of them, the highest number first.  So at each moment, and for a reader who
knows any part, the batch that is in force for a key is the one that was: of two that hold it the lower number wins.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dualdag.store._facts import Batch, Record
from dualdag.store._fs import Entry, FileSystem
from dualdag.store._live import Runs, collecting
from dualdag.store._rows import fold
from dualdag.store._seal import HEAD, REFUSED

if TYPE_CHECKING:
    from dualdag.store._handle import Handle
    from dualdag.store._sealer import Sealer

__all__ = ["merged", "pack_batches", "part_of"]

#: Batches that are worth a pack, and bytes that it holds at the most.
_FEW, _MOST = 16, 1 << 24


def part_of(number: int, head: bytes) -> tuple[int, bytes]:
    """Return what a pack remembers of a batch that it holds.

    Parameters
    ----------
    number : int
        Of the batch.
    head : bytes
        First bytes of its file.
    """
    return number, head[8:16]


def merged(batches: Iterable[Batch]) -> Batch:
    """Return one batch that gives for every key what several in a row gave.

    Parameters
    ----------
    batches : iterable of Batch
        In the order of their numbers.
    """
    known: dict[bytes, Record] = {}
    aliased: set[bytes] = set()
    records: list[Record] = []
    aliases: list[tuple[bytes, Record]] = []

    def tells(key: bytes, record: Record) -> bool:
        before = known.get(key)
        known[key] = fold(before, (record,))
        return known[key] is not before

    for batch in batches:
        named = [(record.trace, record, True) for record in batch.records]
        named += [(trace, record, False) for trace, record in batch.aliases]
        for trace, record, own in named:
            # Both are asked: each may be new.
            if not [key for key in (trace, record.action) if tells(key, record)]:
                continue
            # Readers take a batch's records before its aliases.
            if own and aliased.isdisjoint((trace, record.action)):
                records.append(record)
            else:
                aliases.append((trace, record))
                aliased |= {trace, record.action}
    return Batch(records, aliases)


def pack_batches(store: Handle, before: float, now: float, *, dry_run: bool) -> int:
    """Bring batches together that were written before a time; return how many files that saves.

    Parameters
    ----------
    store : Handle
        What is packed is signed as what it writes.
    before : float
        By the store's clock.
    now : float
        By the store's clock.
    dry_run : bool
        Whether to count only.
    """
    fs = store._fs
    runs = Runs(store, now, tidy=not dry_run)
    if runs.live:
        return 0
    saved = 0
    folders = fs.names("batches")
    for folder in folders:
        if len(folder) != 8 or not folder.isdigit():
            continue
        entries = {int(one.name): one for one in fs.entries(f"batches/{folder}") if _is_number(one.name)}
        if folder == folders[-1] and entries:
            # The newest one tells what number is next.
            entries.pop(max(entries))
        old = {number: one for number, one in sorted(entries.items()) if (one.modified or now) < before}
        if len(old) < 2 or sum(one.nbytes for one in old.values()) > _MOST:
            continue
        if dry_run:
            saved += len(old) - 1 if len(old) >= _FEW else 0
            continue
        saved += _pack_folder(fs, store._sealer, f"batches/{folder}", old)
        if not _drop_packed(fs, store._sealer, runs, f"batches/{folder}", before, now):
            break
    return saved


def _is_number(name: str) -> bool:
    return len(name) >= 12 and name.isascii() and name.isdigit()


def _pack_folder(fs: FileSystem, sealer: Sealer, folder: str, old: Mapping[int, Entry]) -> int:
    found = _read(fs, sealer, folder, list(old))
    saved = 0
    for readable, group in itertools.groupby(found, lambda row: row[2] is not None):
        rows = [(number, head, batch) for number, head, batch in group if batch is not None]
        held = {number for _, _, batch in rows for number, _ in batch.parts} - {
            number for number, _, batch in rows if batch.parts
        }
        new = [number for number, _, batch in rows if number not in held and not batch.parts]
        if not readable or len(new) < _FEW or len(rows) < 2:
            continue
        parts: dict[int, bytes] = {}
        for number, head, batch in rows:
            parts |= dict(batch.parts)
            parts.setdefault(*part_of(number, head))
        last = rows[-1][0]
        whole = merged(batch for _, _, batch in rows)
        path = f"{folder}/{last:012d}"
        fs.replace(path, sealer.seal(Batch(whole.records, whole.aliases, sorted(parts.items())), path))
        saved += len(rows) - 1
    return saved


def _read(fs: FileSystem, sealer: Sealer, folder: str, numbers: Sequence[int]) -> list[tuple[int, bytes, Batch | None]]:
    """Return the batches with their first bytes; None for what can't be read, or what others signed."""
    paths = [f"{folder}/{number:012d}" for number in numbers]
    rows: list[tuple[int, bytes, Batch | None]] = []
    for number, path, data in zip(numbers, paths, fs.get_many(paths), strict=True):
        if data is None:
            continue
        signed = len(data) > HEAD and data[7] > 0
        batch = None
        if signed == bool(sealer.keys):
            try:
                batch = sealer.unseal(data, Batch, path)
            except REFUSED:
                batch = None
        rows.append((number, data[:HEAD], batch))
    return rows


def _drop_packed(fs: FileSystem, sealer: Sealer, runs: Runs, folder: str, before: float, now: float) -> bool:
    """Remove batches that an old pack holds, the highest first; say whether no run came in between."""
    entries = {int(one.name): one for one in fs.entries(folder) if _is_number(one.name)}
    old = [number for number, one in entries.items() if (one.modified or now) < before]
    if len(entries) < 2:
        return True
    packs = [
        (number, batch) for number, _, batch in _read(fs, sealer, folder, old) if batch is not None and batch.parts
    ]
    gone = {part for number, batch in packs for part, _ in batch.parts if part < number and part in entries}
    rest = sorted(gone, reverse=True)
    while rest:
        with collecting(fs):
            if runs.look():
                return False
            for number in rest[:100]:
                # One by one: of those that are left the lower numbers must win.
                fs.remove(f"{folder}/{number:012d}")
        rest = rest[100:]
    return True
