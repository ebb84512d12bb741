"""`Store.check`: the walk, the mending, and the report of both."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dualdag.store._checkpoint import Checkpoint
from dualdag.store._fs import FileSystem
from dualdag.store._repair import remove_leftovers, repair
from dualdag.store._sealer import Sealer
from dualdag.store._verification import LISTED, Problem, Progress, Verification
from dualdag.store._verify import Walk

__all__ = ["check_all"]

_AGAIN = 100


def check_all(
    fs: FileSystem,
    sealer: Sealer,
    places: tuple[str, Sequence[Path]],
    *,
    mend: bool,
    restart: bool,
    progress: Progress | None,
    rebuild: Callable[[], object],
) -> Verification:
    """Return what a check of a whole store found.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    sealer : Sealer
        Checks what is sealed.
    places : (str, sequence of Path)
        The store's name, and the files that the notes of a check may lie in.
    mend : bool
        Whether to mend what is found.
    restart : bool
        Whether to begin anew, in place of where a check before was stopped.
    progress : callable or None
        Told how many files and bytes were read.
    rebuild : callable
        Makes the index anew.
    """
    name, files = places
    try:
        return _check(fs, sealer, Checkpoint(files, name, restart=restart), mend, progress, rebuild)
    except sqlite3.DatabaseError:
        # The notes were damaged, or there is no room for them on the disk.
        notes = Checkpoint(files if not restart else (), name, restart=True)
        return _check(fs, sealer, notes, mend, progress, rebuild)


def _check(
    fs: FileSystem,
    sealer: Sealer,
    notes: Checkpoint,
    mend: bool,
    progress: Progress | None,
    rebuild: Callable[[], object],
) -> Verification:
    begun = time.perf_counter()
    finished = False
    walk = Walk(fs, sealer, notes, progress)
    try:
        walk.run()
        removed = 0
        if mend:
            repair(fs, sealer, notes)
            removed = remove_leftovers(fs, notes)
            if not notes.one("SELECT count(*) FROM problem WHERE kind='newer'"):
                rebuild()  # else it would refuse what it has to read
        made = _report(fs, notes, walk, time.perf_counter() - begun, removed, mend)
        finished = True
        return made
    finally:
        walk.close()
        notes.close(finished=finished)


def _report(fs: FileSystem, notes: Checkpoint, walk: Walk, seconds: float, removed: int, mend: bool) -> Verification:
    files, nbytes, records, dropped = next(
        notes.rows("SELECT coalesce(sum(files), 0), coalesce(sum(nbytes), 0), coalesce(sum(records), 0), "
                   "coalesce(sum(dropped), 0) FROM unit")
    )  # fmt: skip
    counts = dict(notes.rows("SELECT kind, sum(files) FROM unit WHERE files GROUP BY kind ORDER BY kind"))
    found = dict(notes.rows("SELECT kind, count(*) FROM problem GROUP BY kind ORDER BY kind"))
    listed = notes.rows("SELECT path, kind, told, done FROM problem ORDER BY path LIMIT ?", LISTED)
    orphans, orphan_bytes = next(notes.rows("SELECT count(*), coalesce(sum(nbytes), 0) FROM orphan"))
    leftovers, leftover_bytes = next(notes.rows("SELECT count(*), coalesce(sum(nbytes), 0) FROM leftover"))
    strange = notes.rows("SELECT path FROM strange ORDER BY path LIMIT ?", LISTED)
    again = notes.rows(
        "SELECT DISTINCT who FROM problem WHERE who != '' AND kind != 'unreadable' ORDER BY who LIMIT ?", _AGAIN
    )
    return Verification(
        url=fs.url,
        whole=not notes.one("SELECT count(*) FROM problem WHERE done=''"),
        files=files, nbytes=nbytes, seconds=seconds, rate=walk.nbytes / max(seconds, 1e-9),
        counts=counts | ({"records": records} if records else {}),
        found=found, problems=tuple(Problem(*row) for row in listed),
        dropped=dropped, orphans=orphans, orphan_bytes=orphan_bytes,
        leftovers=leftovers, leftover_bytes=leftover_bytes, removed=removed,
        strange=tuple(path for (path,) in strange), again=tuple(who for (who,) in again),
        resumed=notes.resumed, repaired=mend,
    )  # fmt: skip
