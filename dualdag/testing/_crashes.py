"""Tries an operation on a store with a fault at each of its steps, and what a fresh process finds then."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import dualdag as dag
from dualdag.errors import DualdagError
from dualdag.testing._faults import CHANGES, CRASHED, CRASHES, ERRORS, FaultFS, Killed

__all__ = ["Operation", "Place", "Tally", "apart", "sweep", "table"]

#: Seconds after which a child counts as one that hangs.
_PATIENCE = 120.0
_FORKS = hasattr(os, "fork")
_ONLY: dict[str, Collection[str]] = {
    "before": CHANGES,
    "after": CHANGES,
    "torn": frozenset({"write", "put", "put if absent"}),
    "lost answer": CHANGES,
    "asked twice": frozenset({"link", "put if absent"}),
    "stale list": frozenset({"list"}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation is tried: empty at first.

    Parameters
    ----------
    url : str
        Of the store.
    folder : Path
        Of this machine, for what is noted beside the store.
    durable : bool
        Whether the store is opened so that it syncs.
    links : bool
        Whether its folders have hard links.
    whole : bool
        Whether what has its name there is whole, wherever its writer was stopped. Where it is not, warnings of
        damaged files are to be expected.
    tears : bool
        Whether a write can be stopped in the middle.
    forgets : bool
        Whether another process sees what one wrote there; what lies in a process's own memory ends with it.
    """

    url: str
    folder: Path
    durable: bool = False
    links: bool = True
    whole: bool = True
    tears: bool = True
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done to a store while something fails, and what must hold from then on.

    Parameters
    ----------
    name : str
        What it is called in the table.
    act : callable
        Takes a `Place` and does it; raises AssertionError where it ends well with a wrong answer.
    check : callable
        Takes the same `Place`, in a fresh process and with nothing failing: what must hold after a crash at any
        step, after the operation was refused, and after it went well.
    prepare : callable, optional
        Makes of the empty place what the operation starts from.
    waited_for : bool
        Whether others wait for its process as long as that lives: in memory, where a crash ends no process, there
        is no crash to try then.
    """

    name: str
    act: Callable[[Place], object]
    check: Callable[[Place], object]
    prepare: Callable[[Place], object] | None = None
    waited_for: bool = False


@dataclass(slots=True)
class Tally:
    """What became of one operation at one place under one fault.

    Attributes
    ----------
    place, operation, fault : str
        Which.
    steps : int
        How many steps it took that the fault can happen at.
    tried, survived : int
        Points that were tried; those after which all was right.
    failures : list of str
        What was wrong after the others.
    """

    place: str
    operation: str
    fault: str
    steps: int = 0
    tried: int = 0
    survived: int = 0
    failures: list[str] = field(default_factory=list)


def sweep(
    operation: Operation,
    place: Callable[[Path], Place],
    *,
    name: str = "",
    faults: Iterable[str] = (*CRASHES, *ERRORS),
    sample: int | None = None,
    seed: int = 0,
) -> list[Tally]:
    """Try an operation with faults at each of its steps, or at some of them; return one tally for each fault.

    Each point has an empty place of its own.  A child does the operation and ends at the step, or is told that it
    failed; another child then checks.

    Parameters
    ----------
    operation : Operation
        What is done.
    place : callable
        Takes an empty folder of this machine and returns an empty `Place`.
    name : str
        What the place is called in the table.
    faults : iterable of str
        See `FaultFS`.
    sample : int, optional
        How many points are tried of crashes, and how many of other faults; all, without it.
    seed : int
        Chooses which.
    """
    _warm()
    told = _once(operation, place, "before", None)
    tallies = {fault: Tally(name, operation.name, fault) for fault in faults}
    if told.wrong:
        return [Tally(name, operation.name, "none", 0, 1, 0, [f"{name}, {operation.name}, no fault: {told.wrong}"])]
    for fault, tally in tallies.items():
        can = told.tears if fault == "torn" else fault not in CRASHES or not (told.forgets and operation.waited_for)
        tally.steps = sum(_counts(fault, one) for one in told.steps) if can else 0
    for fault, k in _points(tallies.values(), sample, f"{seed} {name} {operation.name}"):
        _try(operation, place, tallies[fault], k)
    return list(tallies.values())


def _try(operation: Operation, place: Callable[[Path], Place], tally: Tally, k: int) -> None:
    told = _once(operation, place, tally.fault, k)
    # Threads write journals and batches by the clock: no two runs take quite the same steps.
    if not told.hit and not told.wrong:
        return
    tally.tried += 1
    if told.wrong:
        tally.failures.append(f"{tally.place}, {tally.operation}, {tally.fault} at step {k}: {told.wrong}")
    else:
        tally.survived += 1


def _counts(fault: str, operation: str) -> bool:
    return fault not in _ONLY or operation in _ONLY[fault]


def _points(tallies: Iterable[Tally], sample: int | None, seed: str) -> list[tuple[str, int]]:
    chosen = random.Random(seed)  # noqa: S311 - no secret
    crashes: list[tuple[str, int]] = []
    errors: list[tuple[str, int]] = []
    for tally in tallies:
        (crashes if tally.fault in CRASHES else errors).extend((tally.fault, k) for k in range(tally.steps))
    return [point for every in (crashes, errors) for point in _some(every, sample, chosen)]


def _some(every: list[tuple[str, int]], sample: int | None, chosen: random.Random) -> list[tuple[str, int]]:
    if sample is None or sample >= len(every):
        return every
    # One of each part, so that they lie over the whole.
    bounds = [k * len(every) // sample for k in range(sample + 1)]
    return [every[chosen.randrange(first, last)] for first, last in pairwise(bounds)]


@cache
def _warm() -> None:
    """Load here, once, what each child would load."""
    with tempfile.TemporaryDirectory() as folder:
        dag.run(_nothing(), backend="sync", store=folder, progress="off")


@dag.task(persist=True)
def _nothing() -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of one point."""

    tears: bool
    forgets: bool
    steps: list[str] = field(default_factory=list)
    hit: bool = False
    wrong: str = ""


def _once(operation: Operation, where: Callable[[Path], Place], fault: str, at: int | None) -> _Told:
    folder = Path(tempfile.mkdtemp(prefix="dualdag-point-"))
    try:
        place = where(folder)
        return _point(operation, place, fault, at)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _point(operation: Operation, place: Place, fault: str, at: int | None) -> _Told:
    exits = _FORKS and not place.forgets
    told = _Told(place.tears, place.forgets)

    def first() -> dict[str, object]:
        nonlocal told
        told = _act(operation, place, fault, at, exits)
        if place.forgets:
            operation.check(place)
        return {"steps": told.steps, "hit": told.hit}

    status, found, said = apart(first, place.folder / "first")
    if status == CRASHED:
        told = replace(told, hit=True)
    elif status != 0:
        return replace(told, wrong=f"it ended with status {status}: {said}")
    else:
        told = replace(told, **found)
    if place.forgets:
        return told
    status, _, said = apart(lambda: operation.check(place), place.folder / "then")
    return told if status == 0 else replace(told, wrong=f"what came after it ended with status {status}: {said}")


def _act(operation: Operation, place: Place, fault: str, at: int | None, exits: bool) -> _Told:
    if operation.prepare is not None:
        operation.prepare(place)
    only = _ONLY.get(fault) if at is not None else None
    with FaultFS(at=at, fault=fault, only=only, exits=exits, links=place.links) as faults:
        try:
            operation.act(place)
        except (Killed, DualdagError):
            # Refused, it says what it could not do; anything else that is raised would be no answer.
            if at is None or at >= len(faults.steps):
                raise
    hit = at is not None and at < len(faults.steps)
    return _Told(place.tears, place.forgets, [step.operation for step in faults.steps] if at is None else [], hit)


def apart(do: Callable[[], object], report: Path, patience: float = _PATIENCE) -> tuple[int, dict[str, Any], str]:
    """Do something in a child; return how that ended, what it returned, and what it said.

    Parameters
    ----------
    do : callable
        What to do; may return a dict that JSON holds.
    report : Path
        A file to take what it says.
    patience : float
        Seconds after which it counts as one that hangs, and is ended.
    """
    if not _FORKS:
        return _here(do)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _child(do, report)
    status = _wait(pid, patience)
    said = report.read_text(encoding="utf-8", errors="replace") if report.exists() else ""
    answer = report.with_suffix(".json")
    found = json.loads(answer.read_text()) if status == 0 and answer.exists() else {}
    return status, found, said[-2000:]


def _here(do: Callable[[], object]) -> tuple[int, dict[str, Any], str]:
    try:
        found = do()
    except Exception:  # noqa: BLE001 - told of by whoever asked
        return 1, {}, traceback.format_exc()[-2000:]
    return 0, found if isinstance(found, dict) else {}, ""


def _child(do: Callable[[], object], report: Path) -> None:
    status = 1
    try:
        file = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        # What warns on the way is no error, whatever the parent makes of warnings.
        warnings.simplefilter("default")
        # Indexes of stores elsewhere lie there: each point is another machine.
        os.environ["XDG_CACHE_HOME"] = str(report.parent / "caches" / report.name)
        found = do()
        if isinstance(found, dict):
            report.with_suffix(".json").write_text(json.dumps(found))
        status = 0
    except BaseException:  # noqa: BLE001 - told of by the parent
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _wait(pid: int, patience: float) -> int:
    pause, deadline = 0.001, time.monotonic() + patience
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline += patience
        time.sleep(pause)
        pause = min(pause * 1.2, 0.02)


def table(tallies: Iterable[Tally]) -> str:
    """Return a table of points that were tried and survived.

    Parameters
    ----------
    tallies : iterable of Tally
        As `sweep` gave them.

    Examples
    --------
    >>> print(table([Tally("folder", "a run", "before", 3, 3, 3), Tally("folder", "a run", "EIO", 9, 2, 1)]))
    | place | operation | crash points | survived | faults | survived |
    |---|---|---|---|---|---|
    | folder | a run | 3 | 3 | 2 | 1 |
    | all | | 3 | 3 | 2 | 1 |
    """
    rows: dict[tuple[str, str], list[int]] = {}
    total = [0, 0, 0, 0]
    for tally in tallies:
        counts = rows.setdefault((tally.place, tally.operation), [0, 0, 0, 0])
        start = 0 if tally.fault in CRASHES else 2
        for into in (counts, total):
            into[start] += tally.tried
            into[start + 1] += tally.survived
    lines = ["| place | operation | crash points | survived | faults | survived |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {place} | {operation} | {' | '.join(map(str, counts))} |" for (place, operation), counts in rows.items()
    ]
    lines.append(f"| all | | {' | '.join(map(str, total))} |")
    return "\n".join(lines)
