"""Housekeeping: what nothing leads to any more goes, and a run in progress loses nothing.

The order of removal is that in which things lead to one another: versions, then objects, then facts and records,
then journals.  A process that is killed in between leaves objects that nothing points at, or records of results that
are not kept, which are both as good as any.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dualdag.store._leases import clock, place_time
from dualdag.store._live import SLICE, Runs, collecting, together
from dualdag.store._mark import Limits, mark_records, mark_versions
from dualdag.store._marks import Marks
from dualdag.store._objects import object_path
from dualdag.store._survey import (
    GOES,
    WAITS,
    YOUNG,
    fit,
    survey_facts,
    survey_journal,
    survey_leftovers,
    survey_objects,
    survey_versions,
)

if TYPE_CHECKING:
    from dualdag.store._fs import FileSystem
    from dualdag.store._published import Published

__all__ = ["Collected", "Space", "collect", "sizes"]

#: How often it is begun anew because a run came in between.
_ROUNDS = 20
#: Objects removed at once.
_AT_ONCE = 500
_TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Space:
    """What an artifact takes.

    Parameters
    ----------
    name : str
        Of the artifact.
    versions : int
        How many there are.
    nbytes : int
        Bytes that deleting it would free.
    shared : int
        Bytes that other artifacts share with it.
    goes : int
        How many versions go, or went.
    freed : int
        Bytes that this frees.
    """

    name: str
    versions: int
    nbytes: int
    shared: int
    goes: int = 0
    freed: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or, of a dry run, what would.

    Parameters
    ----------
    dry_run : bool
        Whether nothing was removed.
    versions, confirmations, objects, records, journals, leftovers : int
        How many of each: versions of artifacts; notes that one was made again and came out the same; objects;
        superseded facts; journals of runs; what killed processes left behind, and what was set aside as damaged.
    batches : int
        How many files of records were brought together into fewer.
    nbytes : int
        Bytes that this frees.
    left : int
        Bytes of the objects that stay.
    young : int
        Objects that nothing leads to, but which were written too lately.
    waiting : int
        Objects that stay only because a run goes on.
    runs : tuple of str
        The runs that go on.
    artifacts : tuple of Space
        By name.
    """

    dry_run: bool
    versions: int = 0
    objects: int = 0
    records: int = 0
    journals: int = 0
    leftovers: int = 0
    batches: int = 0
    nbytes: int = 0
    left: int = 0
    young: int = 0
    waiting: int = 0
    runs: tuple[str, ...] = ()
    artifacts: tuple[Space, ...] = ()
    confirmations: int = 0


def collect(
    store: Published, *, limits: Callable[[float], Limits], dry_run: bool, step: Callable[[str], None] = lambda _: None
) -> Collected:
    """Remove what nothing leads to.

    Parameters
    ----------
    store : Published
        Where.
    limits : callable
        Takes the time by the store's clock and returns what is to be kept.
    dry_run : bool
        Whether to tell only.
    step : callable
        Told of each step; for tests, which let others act in between.
    """
    went: Counter[str] = Counter()
    first = None
    for left in reversed(range(_ROUNDS)):
        now = time.time() if dry_run else place_time(store._fs) or time.time()
        with Marks() as marks:
            runs, all_marked = _look(store, marks, limits(now), now, tidy=not dry_run)
            if not all_marked and left:
                continue
            step("marked")
            report = _report(marks, runs)
            first = first or report
            if dry_run:
                return report
            whole = all_marked and _remove(store._fs, marks, runs, went, step)
        if whole or runs.live:
            break
    rest = report.objects - (went["last"] if not whole else report.objects)
    return dataclasses.replace(
        report,
        dry_run=False,
        versions=went["versions"],
        confirmations=went["confirmations"],
        objects=went["objects"],
        records=went["records"],
        journals=went["journals"],
        leftovers=went["leftovers"],
        nbytes=went["nbytes"],
        left=report.left + (0 if whole else report.nbytes - went["last bytes"]),
        waiting=report.waiting + rest,
        runs=tuple(sorted(runs.live)),
        artifacts=first.artifacts if first is not None else (),
    )


def _look(store: Published, marks: Marks, limits: Limits, now: float, *, tidy: bool) -> tuple[Runs, bool]:
    """Note what there is and what of it goes; return the runs, and whether every version was seen in time."""
    fs = store._fs
    # The runs first: one that begins later is noticed before anything is removed.
    runs = Runs(store, now, tidy=tidy)
    store._records.refresh()
    mark_versions(store, marks, limits)
    mark_records(store, marks, limits)
    survey_objects(fs, marks, limits, now, runs=bool(runs.live))
    if not runs.live:
        fit(marks, limits)
    folders = fs.names("artifacts")
    all_marked = all(survey_versions(store._artifacts, fs, marks, limits, now, folder) for folder in folders)
    survey_facts(fs, marks, limits, now)
    ended = sorted(runs.ended)
    for start in range(0, len(ended), _AT_ONCE):
        some = ended[start : start + _AT_ONCE]
        for name, files in zip(some, together(fs, lambda one: fs.entries(f"runs/{one}"), some), strict=True):
            survey_journal(marks, limits, name, files)
    survey_leftovers(fs, marks, limits, now)
    return runs, all_marked


_COUNT = "SELECT count(*), sum(nbytes) FROM found WHERE goes=?"


def _report(marks: Marks, runs: Runs) -> Collected:
    objects, nbytes = marks.ask(_COUNT, (GOES,))[0]
    count = dict(marks.ask("SELECT kind, count(*) FROM files GROUP BY kind"))
    return Collected(
        dry_run=True,
        versions=count.get("versions", 0),
        confirmations=count.get("confirmations", 0),
        objects=objects,
        records=count.get("records", 0),
        journals=marks.one("SELECT count(*) FROM files WHERE kind='journals' AND place=0"),
        leftovers=count.get("leftovers", 0),
        nbytes=(nbytes or 0) + marks.one("SELECT sum(nbytes) FROM files"),
        left=marks.one("SELECT sum(nbytes) FROM found WHERE goes!=?", (GOES,)),
        young=marks.one("SELECT count(*) FROM found WHERE goes=? AND why=0", (YOUNG,)),
        waiting=marks.ask(_COUNT, (WAITS,))[0][0],
        runs=tuple(sorted(runs.live)),
        artifacts=_spaces(marks),
    )


_TAKEN = """
WITH used AS (SELECT DISTINCT name, address FROM refs),
    shared AS (SELECT address FROM used GROUP BY address HAVING count(*) > 1)
SELECT name, sum(CASE WHEN s.address IS NULL THEN nbytes ELSE 0 END),
    sum(CASE WHEN s.address IS NULL THEN 0 ELSE nbytes END)
FROM used JOIN found USING (address) LEFT JOIN shared s USING (address) GROUP BY name
"""
_FREED = """
WITH used AS (SELECT DISTINCT name, address FROM refs JOIN versions USING (name, number) WHERE NOT kept)
SELECT name, sum(nbytes) FROM used JOIN found USING (address) WHERE goes=? GROUP BY name
"""


def _spaces(marks: Marks) -> tuple[Space, ...]:
    taken = {name: (alone, both) for name, alone, both in marks.ask(_TAKEN)}
    freed = dict(marks.ask(_FREED, (GOES,)))
    rows = marks.ask("SELECT name, count(*), sum(NOT kept), sum(held) FROM versions GROUP BY name ORDER BY name")
    found = []
    for name, count, goes, held in rows:
        alone, both = taken.get(name, (0, 0))
        found.append(Space(name, count, alone + held, both, goes, freed.get(name, 0)))
    return tuple(found)


def _remove(fs: FileSystem, marks: Marks, runs: Runs, went: Counter[str], step: Callable[[str], None]) -> bool:
    """Remove what goes; say whether no run came in between."""
    _remove_files(fs, marks, "versions", went)
    _remove_files(fs, marks, "confirmations", went)
    step("versions")
    if not _remove_objects(fs, marks, runs, went, step):
        return False
    for kind in ("records", "journals", "leftovers"):
        _remove_files(fs, marks, kind, went)
    for (path,) in marks.ask("SELECT path FROM files WHERE kind='journals' AND place=0"):
        fs.prune(path.rpartition("/")[0])
    return True


def _remove_files(fs: FileSystem, marks: Marks, kind: str, went: Counter[str]) -> None:
    """Remove the files of a kind in the order of their places: versions by number, of a journal the begin first."""
    query = "SELECT path, nbytes, place FROM files WHERE kind=? ORDER BY place, path"
    for _, page in itertools.groupby(itertools.chain.from_iterable(marks.pages(query, (kind,))), lambda row: row[2]):
        while rows := list(itertools.islice(page, _AT_ONCE)):
            together(fs, fs.remove, [path for path, _, _ in rows])
            went["nbytes"] += sum(nbytes for _, nbytes, _ in rows)
            went[kind] += sum(1 for _, _, place in rows if kind != "journals" or place == 0)


def _remove_objects(fs: FileSystem, marks: Marks, runs: Runs, went: Counter[str], step: Callable[[str], None]) -> bool:
    """Remove objects, a few at a time; say whether no run came in between."""
    went["last"] = went["last bytes"] = 0
    for page in marks.pages("SELECT address, nbytes FROM found WHERE goes=?", (GOES,)):
        rest = page
        while rest:
            step("slice")
            with collecting(fs):
                began = clock()
                if runs.look():
                    # It may count on what was garbage before it began.
                    return False
                step("looked")
                while rest and clock() - began < SLICE:
                    now, rest = rest[:_TOGETHER], rest[_TOGETHER:]
                    together(fs, fs.remove, [object_path(address) for address, _ in now])
                    nbytes = sum(size for _, size in now)
                    went.update({"objects": len(now), "last": len(now), "nbytes": nbytes, "last bytes": nbytes})
    return True


def sizes(store: Published) -> tuple[Space, ...]:
    """Return what each artifact takes, by name.

    Parameters
    ----------
    store : Published
        Where they are.
    """
    everything = Limits(None, None, 0.0, 0.0, None)
    with Marks() as marks:
        mark_versions(store, marks, everything, lineage=False)
        survey_objects(store._fs, marks, everything, time.time(), runs=True)
        return _spaces(marks)
