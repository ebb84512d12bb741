"""Records, written by the driver in batches: one small file for all that ended in ten milliseconds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dualdag.store import Record, Store

__all__ = ["Recorder", "Settled"]

#: Seconds after its first result at which a batch is closed at the latest.
BATCH = 0.01


class Settled(NamedTuple):
    """A record that was written, and the one in force."""

    position: int
    mine: Record
    won: Record
    waits: bool


class Recorder:
    """Collects records and writes them; a batch waits ten milliseconds at the most.

    Parameters
    ----------
    store : Store
        Where records go.
    readonly : bool
        Whether other names of results are left out: they save a look-up, and the store takes nothing.

    Attributes
    ----------
    ticking : bool
        Whether a thread closes batches: needed where tasks run in the driver's own thread.
    waiting : bool
        Whether a node of the open batch is handed on only once that is written.
    """

    def __init__(self, store: Store, *, readonly: bool = False) -> None:
        self._store = store
        self._readonly = readonly
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pending: list[tuple[int, Record, bool]] = []
        self._aliases: list[tuple[bytes, Record]] = []
        self._settled: list[Settled] = []
        self._error: BaseException | None = None
        self._opened = 0.0
        self._more = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None
        self.ticking = False
        self.waiting = False

    def add(self, position: int, record: Record, *, waits: bool) -> None:
        """Take a record.

        Parameters
        ----------
        position : int
            Of its node, given back by `settled`.
        record : Record
            What is to be remembered.
        waits : bool
            Whether the node is handed on only once the record is in force.
        """
        with self._lock:
            self._open()
            self._pending.append((position, record, waits))
            self.waiting |= waits

    def alias(self, trace: bytes, record: Record) -> None:
        """Take another name of a result that is recorded already.

        Parameters
        ----------
        trace : bytes
            The trace key.
        record : Record
            The record in force, found by its action key.
        """
        if self._readonly:
            return
        with self._lock:
            self._open()
            self._aliases.append((trace, record))

    def _open(self) -> None:
        if not self._pending and not self._aliases:
            self._opened = time.monotonic()
            if self.ticking:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._tick, name="dualdag recorder", daemon=True)
                    self._thread.start()
                self._more.set()

    def _tick(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            if self._ended:
                return
            time.sleep(BATCH)
            self.write()

    @property
    def wait(self) -> float | None:
        """Seconds until the open batch has to be closed; None if there is none."""
        if not self._pending and not self._aliases:
            return None
        return max(0.0, self._opened + BATCH - time.monotonic())

    @property
    def busy(self) -> bool:
        """Whether something was added that `settled` has not given back yet."""
        return bool(self._pending or self._aliases or self._settled or self._error or self._writing.locked())

    def write(self) -> None:
        """Close the batch and write it."""
        with self._writing:
            with self._lock:
                pending, self._pending = self._pending, []
                aliases, self._aliases = self._aliases, []
                self.waiting = False
            if not pending and not aliases:
                return
            try:
                won = self._store.put_records([record for _, record, _ in pending], aliases)
            except KeyboardInterrupt:
                with self._lock:
                    self._pending[:0], self._aliases[:0] = pending, aliases
                raise
            except BaseException as error:  # noqa: BLE001 - raised where the driver looks
                self._error = error
                return
            self._settled += [
                Settled(position, mine, in_force, waits)
                for (position, mine, waits), in_force in zip(pending, won, strict=True)
            ]

    def settled(self) -> list[Settled]:
        """Return what was written since the last call.

        Raises
        ------
        StoreError
            When the store refused a batch.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        with self._writing:
            done, self._settled = self._settled, []
        return done

    def end(self) -> None:
        """Stop the thread, if there is one."""
        self._ended = True
        self._more.set()
        if self._thread is not None:
            self._thread.join()
