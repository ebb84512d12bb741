"""Journals of runs: what was done, in pieces, since nothing is ever appended to."""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError, StoreError, UntrustedRecordError, did_you_mean
from dualdag.store._facts import Begin, End, Events
from dualdag.store._fs import FileSystem, numbered, shown
from dualdag.store._possible import is_possible
from dualdag.store._process import this_process
from dualdag.store._seal import REFUSED
from dualdag.store._sealer import UNSIGNED, Sealer, warn_of_refused

if TYPE_CHECKING:
    import msgspec

__all__ = ["Run", "RunJournal", "read_run", "read_runs"]

T = TypeVar("T")
#: Seconds that an event waits at the most before it is written.
_PIECE = 0.2
#: Characters of a run's name that tell when it began.
_SECOND = 15
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}", re.ASCII)


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
        What it was asked for, and by which process.
    did : mapping
        What it did, as `RunJournal.close` was told; empty while it runs, and for ever if it was killed.
    """

    id: str
    started: datetime
    ended: datetime | None
    status: str
    info: Mapping[str, Any]
    did: Mapping[str, Any] = field(default_factory=dict)


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
    refused : StoreError, optional
        Why nothing can be written to the store.
    sealer : Sealer, optional
        Signs what is written.

    Raises
    ------
    StoreError
        When it can't be begun, or a run of that name was.
    """

    def __init__(
        self,
        fs: FileSystem | None,
        run_id: str,
        info: Mapping[str, Any],
        *,
        refused: StoreError | None = None,
        sealer: Sealer = UNSIGNED,
    ) -> None:
        if _ID.fullmatch(run_id) is None:
            raise StoreError(f"{run_id!r} can't name a run: use letters, digits, '_', '-' and '.'.")
        self._fs = fs
        self._sealer = sealer
        self.id = run_id
        self.refused = refused
        self._lock = threading.Lock()
        self._events: list[Mapping[str, Any]] = []
        self._piece = 0
        self._timer: threading.Timer | None = None
        if not self._put("begin", Begin(run_id, time.time(), _plain(dict(info)), *this_process())):
            raise StoreError(f"store {shown(fs.url) if fs else ''}: there is a run {run_id!r} already.")

    def _put(self, name: str, value: msgspec.Struct) -> bool:
        path = f"runs/{self.id}/{name}"
        return self._fs is None or self._fs.put_if_absent(path, [self._sealer.seal(value, path)])

    def append(self, event: Mapping[str, Any]) -> None:
        """Take an event; it is written within a fifth of a second, whatever happens next.

        Parameters
        ----------
        event : mapping
            Plain data, not changed from then on; anything else is written as text.
        """
        if self._fs is None:
            return
        with self._lock:
            self._events.append(event)
            if self._timer is None:
                self._timer = threading.Timer(_PIECE, self._tick)
                self._timer.daemon = True
                self._timer.start()

    def _tick(self) -> None:
        try:
            self._flush()
        except StoreError as error:
            # The run itself meets the same trouble, and tells of it better than a thread can.
            warnings.warn(f"the journal of run {self.id} ends here: {error}", stacklevel=2)
            self._fs = None

    def _flush(self) -> None:
        with self._lock:
            self._timer = None
            events, self._events = self._events, []
            if events:
                self._piece += 1
                self._put(f"{self._piece:08d}", Events([_plain_event(event) for event in events]))

    def close(self, status: str = "done", did: Mapping[str, Any] | None = None) -> None:
        """Write what is left, and how the run ended.

        Parameters
        ----------
        status : str
            See `Run`.
        did : mapping, optional
            Plain data: what it did.
        """
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._flush()
        self._put("end", End(time.time(), status, _plain(dict(did or {}))))


def _plain_event(event: Mapping[str, Any]) -> dict[str, Any]:
    for value in event.values():
        kind = type(value)
        if not (kind is float or (kind is str and value.isascii()) or (kind is int and 0 <= value < 1 << 63)):
            return {str(key): _plain(one) for key, one in event.items()}
    return event if type(event) is dict else dict(event)


def _plain(value: Any) -> Any:
    # Almost all of a journal.
    if type(value) is str and value.isascii():
        return value
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    return str(value).encode("utf-8", "backslashreplace").decode()


def _read(
    fs: FileSystem, path: str, kind: type[T], sealer: Sealer, refused: list[UntrustedRecordError] | None = None
) -> T | None:
    data = fs.get(path)
    if not data:
        return None
    try:
        found = sealer.unseal(data, kind, path)
        if not is_possible(found, path):
            raise CorruptObjectError(f"{path} is damaged: it tells of a time that can't be.")
    except REFUSED as error:
        if refused is not None and isinstance(error, UntrustedRecordError):
            refused.append(error)
            return None
        warnings.warn(f"store {shown(fs.url)}: {error} What it told of that run is left out.", stacklevel=2)
        return None
    return found


def _row(fs: FileSystem, run_id: str, sealer: Sealer, refused: list[UntrustedRecordError] | None = None) -> Run | None:
    begin = _read(fs, f"runs/{run_id}/begin", Begin, sealer, refused)
    if begin is None:
        return None
    end = _read(fs, f"runs/{run_id}/end", End, sealer, refused)
    started = datetime.fromtimestamp(begin.started, UTC)
    if end is None:
        return Run(run_id, started, None, "unfinished", begin.info)
    return Run(run_id, started, datetime.fromtimestamp(end.ended, UTC), end.status, begin.info, end.did)


def read_runs(fs: FileSystem, limit: int | None = None, sealer: Sealer = UNSIGNED) -> list[Run]:
    """Return rows of the runs, newest first.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    limit : int, optional
        How many at the most.
    sealer : Sealer, optional
        Checks what is read.
    """
    names = [name for name in reversed(fs.names("runs")) if _ID.fullmatch(name)]
    if limit is not None and limit < len(names):
        second = names[max(limit, 1) - 1][:_SECOND]
        names = [name for k, name in enumerate(names) if k < limit or name.startswith(second)]
    refused: list[UntrustedRecordError] = []
    rows = [row for name in names if (row := _row(fs, name, sealer, refused)) is not None]
    warn_of_refused(refused, fs.url, "pieces of journals")
    # Names tell seconds; of two within one, the later to begin comes first.
    return sorted(rows, key=lambda row: row.started, reverse=True)[:limit]


def read_run(fs: FileSystem, run_id: str, sealer: Sealer = UNSIGNED) -> tuple[Run, list[dict[str, Any]]]:
    """Return a run and its events.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    run_id : str
        Its name; a unique beginning of it will do.
    sealer : Sealer, optional
        Checks what is read.

    Raises
    ------
    ArtifactNotFoundError
        When there is none.
    """
    known = list(filter(_ID.fullmatch, fs.names("runs")))
    found = [name for name in known if name == run_id] or [name for name in known if name.startswith(run_id)]
    if len(found) > 1:
        raise ArtifactNotFoundError(
            f"{run_id!r} begins the names of {len(found)} runs, such as {found[-1]!r}: add to it."
        )
    row = _row(fs, found[0], sealer) if found else None
    if row is None:
        raise ArtifactNotFoundError(f"there is no run {run_id!r}.{did_you_mean(run_id, known[-20:])}")
    events: list[dict[str, Any]] = []
    for number in numbered(fs.names(f"runs/{row.id}"), 8):
        piece = _read(fs, f"runs/{row.id}/{number:08d}", Events, sealer)
        events.extend(piece.events if piece is not None else ())
    return row, events
