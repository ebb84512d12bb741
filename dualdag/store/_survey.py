"""What lies in a store, and which of it goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dualdag.errors import CorruptObjectError
from dualdag.store._artifacts import Artifacts, is_folder_of
from dualdag.store._fs import Entry, FileSystem
from dualdag.store._marks import DEAD, DROPPED, LIVE, Marks
from dualdag.store._own import is_journal, is_scratch, is_set_aside, is_temporary
from dualdag.store._series import entries

if TYPE_CHECKING:
    from dualdag.store._mark import Limits

__all__ = ["GOES", "STAYS", "WAITS", "YOUNG", "fit", "survey_facts", "survey_journal", "survey_leftovers",
           "survey_objects", "survey_versions"]  # fmt: skip

#: Of an object: it stays; it goes; it would, but a run goes on; it was written too lately.
STAYS, GOES, WAITS, YOUNG = 0, 1, 2, 3
#: Seconds after which what a killed process left behind may go: nothing is written for so long.
_DAY = 86_400.0
_FACT = re.compile(r"([0-9a-f]{40,64})-([0-9]{6,})", re.ASCII)
_TO_FILES = "INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?)"


def survey_objects(fs: FileSystem, marks: Marks, limits: Limits, now: float, *, runs: bool) -> None:
    """Note each object, and whether it goes.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    marks : Marks
        Knows which are wanted.
    limits : Limits
        What is to be kept.
    now : float
        By the store's clock.
    runs : bool
        Whether a run goes on: then all stay.
    """
    for bucket in fs.names("objects"):
        if re.fullmatch(r"[0-9a-f]{2}", bucket) is None:
            continue
        first = int(bucket, 16)
        last = bytes((first + 1,)) if first < 255 else b"\xff" * 33
        known = marks.ask("SELECT * FROM objects WHERE address >= ? AND address < ?", (bytes((first,)), last))
        wanted = {address: rest for address, *rest in known}
        rows = []
        entries = fs.entries(f"objects/{bucket}")
        for one in entries:
            if re.fullmatch(r"[0-9a-f]{62}", one.name) is not None:
                address = bytes.fromhex(bucket + one.name)
                why, seconds, created = wanted.get(address, (DEAD, 0.0, 0.0))
                written = one.modified if one.modified is not None else created or now
                young = written >= limits.objects_from and why != DROPPED
                goes = YOUNG if young else STAYS if why > DEAD else WAITS if runs else GOES
                rows.append((address, one.nbytes, why, goes, seconds / max(one.nbytes, 1), created))
        marks.put("INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?, ?, ?)", rows)
        _leftovers(marks, f"objects/{bucket}", entries, now)


def fit(marks: Marks, limits: Limits) -> None:
    """Let more go until the rest fits into `max_bytes`.

    First results that took the least time for their size, the oldest of equals, then old versions.  What is only too
    young to go yet makes room later, and no version goes in its place.

    Parameters
    ----------
    marks : Marks
        Knows what is there.
    limits : Limits
        What is to be kept.
    """
    if limits.max_bytes is None:
        return
    left = "SELECT sum(nbytes) FROM found WHERE goes!=? AND NOT (goes=? AND why=?)"
    over = marks.one(left, (GOES, YOUNG, DEAD)) - limits.max_bytes
    query = "SELECT address, nbytes FROM found WHERE why=? AND goes=? ORDER BY worth, created, address"
    for page in marks.pages(query, (LIVE, STAYS)):
        gone = []
        for address, nbytes in page:
            if over <= 0:
                break
            over -= nbytes
            gone.append((GOES, address))
        marks.put("UPDATE found SET goes=? WHERE address=?", gone)
        if over <= 0:
            return
    over -= marks.one("SELECT sum(nbytes) FROM found WHERE why=? AND goes=?", (LIVE, YOUNG))
    for name, number, *_ in _oldest(marks, limits.keep or 1):
        if over <= 0:
            return
        over -= _drop(marks, name, number)


def _oldest(marks: Marks, keep: int) -> list[tuple[str, int]]:
    query = """SELECT name, number FROM (SELECT *, row_number() OVER (PARTITION BY name ORDER BY number DESC) AS place
        FROM versions) WHERE kept AND place > ? ORDER BY created, number"""
    return [(name, number) for name, number in marks.ask(query, (keep,))]


def _drop(marks: Marks, name: str, number: int) -> int:
    """Let a version go, with what no other one shares; return how many bytes that frees, now or once they are old."""
    marks.put("UPDATE versions SET kept=0 WHERE name=? AND number=?", [(name, number)])
    freed = 0
    query = "SELECT count(*) FROM refs JOIN versions USING (name, number) WHERE kept AND address=?"
    for (address,) in marks.ask("SELECT address FROM refs WHERE name=? AND number=?", (name, number)):
        if not marks.one(query, (address,)):
            freed += marks.one("SELECT nbytes FROM found WHERE address=?", (address,))
            marks.put("UPDATE found SET goes=? WHERE address=? AND goes=?", [(GOES, address, STAYS)])
    return freed


def survey_versions(
    artifacts: Artifacts, fs: FileSystem, marks: Marks, limits: Limits, now: float, folder: str
) -> bool:
    """Note the files of an artifact that go: versions, old confirmations, and what lies below a mark of deletion.

    Returns False where there are versions that were not marked: somebody made them since, or the listing that they
    were marked by told of less than there was.  What only they lead to must not go then.

    Parameters
    ----------
    artifacts : Artifacts
        Of the store.
    fs : FileSystem
        Where the store lies.
    marks : Marks
        Knows which versions stay.
    limits : Limits
        What is to be kept.
    now : float
        By the store's clock.
    folder : str
        Name of the artifact's folder.
    """
    name = folder.partition("~")[0]
    if not is_folder_of(name, folder):
        return True
    here = f"artifacts/{folder}"
    known: dict[int, int] = dict(marks.ask("SELECT number, kept FROM versions WHERE name=?", (name,)))
    numbered = list(entries(fs, f"{here}/versions"))
    confirmations = list(entries(fs, f"{here}/confirmations"))
    _note_leftovers(marks, ((path, one) for _, path, one in [*numbered, *confirmations]), now)
    files = {number: (path, one) for number, path, one in numbered if number}
    unmarked = sorted(set(files) - set(known))
    deleted = _deleted(artifacts, name, unmarked, max(known, default=0))
    if deleted is None:
        return False
    rows = [
        (path, one.nbytes, "leftovers" if number <= deleted else "versions", number)
        for number, (path, one) in files.items()
        if number <= deleted or known.get(number) == 0
    ]
    confirmations = [found for found in confirmations if found[0]]
    oldest = marks.one("SELECT min(created) FROM versions WHERE name=? AND kept", (name,)) if known else float("inf")
    # Only the newest is ever asked for.
    before = max(oldest, limits.results_from)
    rows += [
        (path, one.nbytes, "confirmations", number)
        for number, path, one in (confirmations[1:] if known else confirmations)
        if one.modified is not None and one.modified < before
    ]
    marks.put(_TO_FILES, rows)
    return True


def _deleted(artifacts: Artifacts, name: str, unmarked: Sequence[int], newest: int) -> int | None:
    """Return the highest number up to which an artifact was deleted, 0 if it never was; None if a version follows it.

    Of what was not marked, only what is damaged may do so.
    """
    for number in reversed(unmarked):
        try:
            if artifacts._read(name, number) is not None:
                return None
        except CorruptObjectError:
            continue
        # While it is the newest it tells which numbers were used.
        return number if number < newest else number - 1
    return 0


def survey_facts(fs: FileSystem, marks: Marks, limits: Limits, now: float) -> None:
    """Note the superseding facts that were superseded themselves, long ago.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    marks : Marks
        Takes it down.
    limits : Limits
        What is to be kept.
    now : float
        By the store's clock.
    """
    newest: dict[str, int] = {}
    entries = fs.entries("facts")
    met = [(one, match) for one in entries if (match := _FACT.fullmatch(one.name)) is not None]
    for _, match in met:
        newest[match[1]] = max(newest.get(match[1], 0), int(match[2]))
    marks.put(
        _TO_FILES,
        (
            (f"facts/{one.name}", one.nbytes, "records", int(match[2]))
            for one, match in met
            if int(match[2]) < newest[match[1]] and (one.modified or now) < limits.objects_from
        ),
    )
    _leftovers(marks, "facts", entries, now)


def survey_journal(marks: Marks, limits: Limits, name: str, files: Iterable[Entry]) -> None:
    """Note a journal that goes; its begin first, as one without an end would be taken for a run that goes on.

    Parameters
    ----------
    marks : Marks
        Knows which versions stay, and what runs made them.
    limits : Limits
        What is to be kept.
    name : str
        Of the run, which ended.
    files : iterable of Entry
        Its pieces.
    """
    found = list(files)
    if not all(is_journal(one.name) or is_temporary(one.name) for one in found):
        return  # somebody else's
    if any(one.modified is None or one.modified >= limits.results_from for one in found):
        return
    if marks.one("SELECT count(*) FROM versions WHERE kept AND run=?", (name,)):
        return
    rank = {"begin": 0, "end": 2}
    marks.put(_TO_FILES, ((f"runs/{name}/{one.name}", one.nbytes, "journals", rank.get(one.name, 1)) for one in found))


def survey_leftovers(fs: FileSystem, marks: Marks, limits: Limits, now: float) -> None:
    """Note what killed processes left behind, and what was set aside long ago.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    marks : Marks
        Takes it down.
    limits : Limits
        What is to be kept.
    now : float
        By the store's clock.
    """
    for folder, is_own in (("damaged", is_set_aside), ("scratch", is_scratch), ("gc", is_scratch)):
        before = limits.results_from if folder == "damaged" else now - _DAY
        marks.put(
            _TO_FILES,
            (
                (f"{folder}/{one.name}", one.nbytes, "leftovers", 0)
                for one in fs.entries(folder)
                if not one.folder and is_own(one.name) and (one.modified or now) < before
            ),
        )
    for name in fs.names("batches"):
        _leftovers(marks, f"batches/{name}", fs.entries(f"batches/{name}"), now)


def _leftovers(marks: Marks, folder: str, entries: Iterable[Entry], now: float) -> None:
    _note_leftovers(marks, ((f"{folder}/{one.name}", one) for one in entries), now)


def _note_leftovers(marks: Marks, found: Iterable[tuple[str, Entry]], now: float) -> None:
    old = [(path, one) for path, one in found if is_temporary(one.name) and (one.modified or now) < now - _DAY]
    if old:
        marks.put(_TO_FILES, ((path, one.nbytes, "leftovers", 0) for path, one in old))
