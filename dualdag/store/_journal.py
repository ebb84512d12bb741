"""Journals of runs: what was done, in pieces, since nothing is ever appended to."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError, did_you_mean
from dualdag.store._facts import seal, unseal
from dualdag.store._fs import FileSystem

__all__ = ["Run", "RunJournal", "read_run", "read_runs"]

#: Seconds between two pieces of a journal.
_PIECE = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    """A row about one run.

    Parameters
    ----------
    id : str
        Names the run; sorts by time.
    started, ended : datetime, datetime or None
        UTC; None while it runs, and for ever if it was killed.
    status : {"done", "failed", "interrupted", "unfinished"}
        How it ended.
    info : mapping
        What it was asked for.
    """

    id: str
    started: datetime
    ended: datetime | None
    status: str
    info: Mapping[str, Any]


class RunJournal:
    """The journal of a run that goes on.

    Parameters
    ----------
    fs : FileSystem or None
        Where it lies; None keeps nothing.
    run_id : str
        Names the run.
    info : mapping
        What it was asked for.
    """

    def __init__(self, fs: FileSystem | None, run_id: str, info: Mapping[str, Any]) -> None:
        self._fs = fs
        self.id = run_id
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self._piece = 0
        self._written = time.monotonic()
        self._put("begin", {"id": run_id, "started": time.time(), "info": _plain(dict(info))})

    def _put(self, name: str, value: object) -> None:
        if self._fs is not None:
            self._fs.put_if_absent(f"runs/{self.id}/{name}", [seal(value)])

    def append(self, event: Mapping[str, Any]) -> None:
        """Take an event; it is written within a fifth of a second of the next one, or at the end."""
        with self._lock:
            self._events.append(_plain(dict(event)))
            if time.monotonic() - self._written > _PIECE:
                self._flush()

    def _flush(self) -> None:
        if self._events:
            self._piece += 1
            self._put(f"{self._piece:08d}", self._events)
            self._events = []
        self._written = time.monotonic()

    def close(self, status: str = "done") -> None:
        """Write what is left, and how the run ended."""
        with self._lock:
            self._flush()
            self._put("end", {"ended": time.time(), "status": status})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _read(fs: FileSystem, path: str) -> Any:
    data = fs.get(path)
    try:
        return None if data is None else unseal(data, object, path)
    except CorruptObjectError:
        return None


def _row(fs: FileSystem, run_id: str) -> Run | None:
    begin = _read(fs, f"runs/{run_id}/begin")
    if begin is None:
        return None
    end = _read(fs, f"runs/{run_id}/end")
    started = datetime.fromtimestamp(begin["started"], UTC)
    if end is None:
        return Run(run_id, started, None, "unfinished", begin["info"])
    return Run(run_id, started, datetime.fromtimestamp(end["ended"], UTC), end["status"], begin["info"])


def read_runs(fs: FileSystem, limit: int | None = None) -> list[Run]:
    """Return rows of the runs, newest first."""
    names = list(reversed(fs.names("runs")))[:limit]
    return [row for name in names if (row := _row(fs, name)) is not None]


def read_run(fs: FileSystem, run_id: str) -> tuple[Run, list[dict[str, Any]]]:
    """Return a run and its events; a unique beginning of its id will do."""
    known = fs.names("runs")
    found = [n for n in known if n == run_id] or [n for n in known if n.startswith(run_id)]
    row = _row(fs, found[0]) if len(found) == 1 else None
    if row is None:
        raise ArtifactNotFoundError(f"there is no run {run_id!r}.{did_you_mean(run_id, known[-20:])}")
    events: list[dict[str, Any]] = []
    for name in fs.names(f"runs/{row.id}"):
        if name.isdigit():
            events.extend(_read(fs, f"runs/{row.id}/{name}") or [])
    return row, events
