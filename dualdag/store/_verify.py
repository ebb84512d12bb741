"""Checking a whole store: every file is read, at the speed of the disk, and never decoded before its check.

The listing is gone through folder by folder; what is found goes to the checkpoint, so that memory does not grow
with the store.  First comes all that names objects, then the objects.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dualdag.errors import GraphError
from dualdag.graph import validate_name
from dualdag.store._checkpoint import Checkpoint, Names, Unit
from dualdag.store._fs import Entry, FileSystem
from dualdag.store._inspect import Look, looked_at, object_looked_at
from dualdag.store._own import OWN, is_scratch, is_temporary
from dualdag.store._sealer import Sealer
from dualdag.store._series import groups
from dualdag.store._verification import Progress

__all__ = ["Walk"]

A = TypeVar("A")
B = TypeVar("B")
#: Files that are on their way at once.
_CHUNK = 64
_HEX62 = re.compile(r"[0-9a-f]{62}", re.ASCII)
_TWO = re.compile(r"[0-9a-f]{2}", re.ASCII)
_FACT = re.compile(r"[0-9a-f]{40,64}-[0-9]{6,}", re.ASCII)
_HEX = re.compile(r"([0-9a-f]{2})+", re.ASCII)
_EIGHT = re.compile(r"[0-9]{8,}", re.ASCII)
_TWELVE = re.compile(r"[0-9]{12,}", re.ASCII)
_RUN = re.compile(r"begin|end|[0-9]{8,}", re.ASCII)
#: Folders that hold nothing that was written down.
_LEFT = frozenset({"damaged", "gc", "scratch"})


class Walk:
    """One walk through a store.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    sealer : Sealer
        Checks what is sealed.
    checkpoint : Checkpoint
        Takes what is found.
    progress : callable, optional
        Told how many files and bytes were read.
    """

    def __init__(self, fs: FileSystem, sealer: Sealer, checkpoint: Checkpoint, progress: Progress | None) -> None:
        self._fs = fs
        self._sealer = sealer
        self._notes = checkpoint
        self._progress = progress
        self._stop = threading.Event()
        self.files = self.nbytes = 0
        # A disk is kept busy by few; far away a round trip takes longer than its work.
        workers = min(8, (os.cpu_count() or 1) + 1) if fs.local is not None else 16
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="dualdag verify")

    def close(self) -> None:
        """Let go of the threads, at once."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self) -> None:
        """Look at everything that was not looked at before."""
        self._marker()
        self._names()
        for prefix in self._prefixes():
            if not self._notes.has(f"objects/{prefix:02x}"):
                self._objects(prefix)
        if self._notes.is_doubtful():
            # A run may have named some of them since, or gc have taken a version with its objects.
            self._notes.doubt()
            self._names()
            self._notes.settle()
        self._rest()

    def _names(self) -> None:
        for folder in self._folders("batches"):
            self._batches(f"batches/{folder}")
        self._flat("facts", _FACT)
        self._flat("unstable", _HEX)
        for folder in self._folders("artifacts"):
            self._artifact(f"artifacts/{folder}")
        for folder in self._folders("runs"):
            self._journal(f"runs/{folder}")

    # What each folder holds.

    def _marker(self) -> None:
        with self._notes.unit("layout.json", "markers") as unit:
            unit.final = False
            self._take(unit, "layout.json", looked_at(self._fs, self._sealer, "layout.json"))

    def _folders(self, top: str) -> Iterator[str]:
        """Yield the names of the folders in a folder; files have no place there."""
        with self._notes.unit(top, "") as unit:
            unit.final = False
            names = [one.name for one in self._sorted(unit, top, None)]
        yield from names

    def _batches(self, folder: str) -> None:
        if self._notes.has(folder):
            return
        with self._notes.unit(folder, "batches") as unit:
            self._sealed(unit, folder, _TWELVE)
            # A full one is never added to.
            unit.final = unit.files >= 1000

    def _flat(self, folder: str, pattern: re.Pattern[str]) -> None:
        with self._notes.unit(folder, folder) as unit:
            unit.final = False
            self._sealed(unit, folder, pattern)

    def _artifact(self, folder: str) -> None:
        with self._notes.unit(folder, "") as unit:
            unit.final = False
            name = folder.partition("/")[2].partition("~")[0]
            try:
                validate_name(name)
            except GraphError:
                unit.strange(folder)
                return
            for one in self._sorted(unit, folder, None):
                if one.name not in ("versions", "confirmations"):
                    unit.strange(f"{folder}/{one.name}")
        for part in ("versions", "confirmations"):
            with self._notes.unit(f"{folder}/{part}", part) as unit:
                unit.final = False
                self._series(unit, f"{folder}/{part}")

    def _series(self, unit: Unit, folder: str) -> None:
        """Look at numbered files, of which each thousand has a folder of its own; the newest first."""
        found = groups(one.name for one in self._fs.entries(folder) if one.folder)
        deleted = False
        for group in reversed(found):
            _, deleted = self._sealed(unit, f"{folder}/{group}", _EIGHT, deleted=deleted)
        self._sealed(unit, folder, _EIGHT, deleted=deleted, besides=frozenset(found))

    def _journal(self, folder: str) -> None:
        if self._notes.has(folder):
            return
        with self._notes.unit(folder, "journals") as unit:
            names, _ = self._sealed(unit, folder, _RUN)
            unit.final = "end" in names

    def _sealed(
        self,
        unit: Unit,
        folder: str,
        pattern: re.Pattern[str],
        *,
        deleted: bool = False,
        besides: frozenset[str] = frozenset(),
    ) -> tuple[set[str], bool]:
        """Look at the sealed files of a folder; return their names, and whether they were deleted up to the last."""
        # The newest first: what lies below the mark that all before it were deleted needs nothing any more.
        entries = self._sorted(unit, folder, pattern, besides)[::-1]

        def look(one: Entry) -> Look:
            return looked_at(self._fs, self._sealer, f"{folder}/{one.name}")

        for entry, found in zip(entries, self._map(look, entries), strict=True):
            self._take(unit, f"{folder}/{entry.name}", found, deleted=deleted)
            deleted = deleted or found.ends
        return {one.name for one in entries}, deleted

    def _take(self, unit: Unit, path: str, found: Look, *, deleted: bool = False) -> None:
        if found.nbytes is None:  # it went meanwhile
            return
        self._count(unit, found.nbytes)
        if found.kind:
            unit.problem(path, found.kind, found.told, _who(path))
        unit.records += found.records
        unit.named((key, Names.TOLD if deleted else level, who) for key, level, who in found.named)

    def _prefixes(self) -> list[int]:
        """Return the folders in which objects lie, or should."""
        listed = (one.name for one in self._fs.entries("objects") if one.folder and _TWO.fullmatch(one.name))
        named = self._notes.rows("SELECT DISTINCT hex(substr(checksum, 1, 1)) FROM named")
        return sorted({int(name, 16) for name in itertools.chain(listed, (first for (first,) in named))})

    def _objects(self, prefix: int) -> None:
        folder = f"objects/{prefix:02x}"
        with self._notes.unit(folder, "objects") as unit:
            needed = self._notes.named_under(prefix)
            entries = self._sorted(unit, folder, _HEX62)

            def look(one: Entry) -> Look:
                checksum = bytes((prefix,)) + bytes.fromhex(one.name)
                return object_looked_at(self._fs, f"{folder}/{one.name}", checksum, one.nbytes, self._stop)

            there = set()
            for entry, found in zip(entries, self._map(look, entries), strict=True):
                if found.nbytes is None:
                    continue
                checksum = bytes((prefix,)) + bytes.fromhex(entry.name)
                there.add(checksum)
                self._count(unit, found.nbytes)
                _, who = needed.get(checksum, (0, ""))
                if found.kind:
                    unit.problem(f"{folder}/{entry.name}", found.kind, found.told, who)
                if checksum not in needed:
                    unit.orphans([(checksum, found.nbytes)])
            self._missing(unit, folder, {key: told for key, told in needed.items() if key not in there})

    def _missing(self, unit: Unit, folder: str, absent: dict[bytes, tuple[int, str]]) -> None:
        paths = {f"{folder}/{checksum.hex()[2:]}": told for checksum, told in absent.items() if told[0]}
        # Asked again: where listings lag behind, one may be there.
        for (path, (level, who)), size in zip(paths.items(), self._fs.sizes(list(paths)), strict=True):
            if size is not None:
                continue
            if level >= Names.VERSION:
                unit.problem(path, "missing", f"it is gone, and {who} needs it", who)
            else:
                unit.dropped += 1

    def _rest(self) -> None:
        """Look at what lies beside: what was set aside, tried out, or put there by others."""
        with self._notes.unit("objects", "") as unit:
            unit.final = False
            for one in self._sorted(unit, "objects", None):
                if not _TWO.fullmatch(one.name):
                    unit.strange(f"objects/{one.name}")
        with self._notes.unit("", "others") as unit:
            unit.final = False
            for one in self._entries(unit, ""):
                if is_temporary(one.name):
                    unit.leftover(one.name, one.nbytes, one.modified)
                elif one.name in _LEFT:
                    for entry, path in self._under(unit, one.name):
                        if one.name == "damaged" or is_scratch(entry.name) or is_temporary(entry.name):
                            unit.leftover(path, entry.nbytes, entry.modified)
                        else:
                            unit.strange(path)
                elif not one.folder:
                    if one.name != "layout.json":
                        unit.strange(one.name)
                elif one.name not in OWN:
                    self._others(unit, one.name)

    def _others(self, unit: Unit, folder: str) -> None:
        """Look at a folder that this module has no rules for: what is sealed there is held to its seal."""
        entries = (
            path for entry, path in self._under(unit, folder) if not self._is_left(unit, path.rpartition("/")[0], entry)
        )
        for chunk in iter(lambda: list(itertools.islice(entries, _CHUNK)), []):
            look = self._map(lambda path: looked_at(self._fs, self._sealer, path), chunk)
            for path, found in zip(chunk, look, strict=True):
                if found.nbytes is not None and found.kind == "strange":
                    unit.strange(path)
                else:
                    self._take(unit, path, found)

    # How.

    def _entries(self, unit: Unit, folder: str) -> Iterator[Entry]:
        """Yield what lies in a folder but names that are no text, or would play tricks on a terminal."""
        for one in self._fs.entries(folder):
            if one.name.isprintable():
                yield one
            else:
                unit.strange(f"{folder}/{ascii(one.name)[1:-1]}".lstrip("/"))

    def _under(self, unit: Unit, folder: str) -> Iterator[tuple[Entry, str]]:
        for one in self._entries(unit, folder):
            if one.folder:
                yield from self._under(unit, f"{folder}/{one.name}")
            else:
                yield one, f"{folder}/{one.name}"

    def _sorted(
        self, unit: Unit, folder: str, pattern: re.Pattern[str] | None, besides: frozenset[str] = frozenset()
    ) -> list[Entry]:
        """Return the files whose names fit, or without a pattern the folders; note what else is there."""
        fitting = []
        for one in self._entries(unit, folder):
            if one.name in besides or self._is_left(unit, folder, one):
                continue
            # A folder in the place of a file is damage, too: it has the file's name.
            if one.folder if pattern is None else pattern.fullmatch(one.name):
                fitting.append(one)
            else:
                unit.strange(f"{folder}/{one.name}")
        return fitting

    @staticmethod
    def _is_left(unit: Unit, folder: str, one: Entry) -> bool:
        if one.folder or not is_temporary(one.name):
            return False
        unit.leftover(f"{folder}/{one.name}", one.nbytes, one.modified)
        return True

    def _map(self, look: Callable[[A], B], items: Sequence[A] | Iterable[A]) -> Iterator[B]:
        """Yield what `look` gives for each, in order, some at a time."""
        rest = iter(items)
        while chunk := list(itertools.islice(rest, _CHUNK)):
            yield from self._pool.map(look, chunk)
            if self._progress is not None:
                self._progress(self.files, self.nbytes)

    def _count(self, unit: Unit, nbytes: int) -> None:
        unit.read(nbytes)
        self.files += 1
        self.nbytes += nbytes


def _who(path: str) -> str:
    """Return what a damaged file told of."""
    parts = path.split("/")
    if parts[0] == "artifacts" and "versions" in parts:
        return f"artifact {parts[1].partition('~')[0]}"
    return {"batches": "results of a batch of records", "facts": "a refreshed result"}.get(parts[0], "")
