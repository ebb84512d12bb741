"""What runs in a Dask worker: one function that is given bytes, and the values it leaves there.

Dask has to know nothing of a user's code: a function or a class that a worker can't import would stop
the worker's connection to the scheduler, and the future would wait for ever (dask/distributed#1341).
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.execution import Outcome, describe, dump_value, guess_size, place_of, run_job
from dualdag_dask._receipts import claimed, find_receipt, leave_receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Kept", "Label", "call_job", "end_running", "hello", "keep", "stop_run", "take_one"]

#: Number and node of a job's step, and whether other jobs may ask for its value.
Label = tuple[int, str, bool]

#: How long a task that is out of time is given to notice, before its process is ended.
GRACE = 1.0
#: How long the last message of a process that is ended is given to leave it.
_FLUSH = 0.3
_MANY = 64

_lock = threading.Lock()
_running: dict[int, tuple[str, int, int]] = {}
_stopped: dict[tuple[str, int], None] = {}


class Kept:
    """A value of a run; between processes it is bytes until a task takes it.

    Parameters
    ----------
    value : object
        What a step gave.
    """

    __slots__ = ("_lock", "_sent", "_size", "_value")

    def __init__(self, value: Any) -> None:
        self._value = value
        self._sent: tuple[Any, ...] | None = None
        self._size = guess_size(value)
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """About how many bytes the value takes."""
        return self._size

    def __sizeof__(self) -> int:
        return max(64, self._size)

    def get(self) -> Any:
        """Return the value; whoever changes it changes it for all."""
        with self._lock:
            if self._sent is not None:
                data, buffers = self._sent
                # What came over a wire may be read-only, and tasks change their arrays.
                own = [bytearray(b) if memoryview(b).readonly else b for b in buffers]
                self._value = pickle.loads(data, buffers=own)
                self._sent = None
            return self._value

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        with self._lock:
            if self._sent is None:
                data, buffers = _split(self._value)
            else:
                data, buffers = self._sent
        return _arrive, (data, buffers, self._size)


def _split(value: Any) -> tuple[bytes, list[pickle.PickleBuffer]]:
    import cloudpickle

    buffers: list[pickle.PickleBuffer] = []
    try:
        return cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append), buffers
    except Exception as error:  # noqa: BLE001 - pickling runs code of any class, and Dask must not meet its errors
        return pickle.dumps(_Broken(f"{type(error).__name__}: {error}")), []


def _arrive(data: bytes, buffers: list[Any], size: int) -> Kept:
    made = Kept(None)
    made._sent = data, buffers
    made._size = size
    return made


class _Broken:
    """In place of a value that could not be moved."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        return _raise_broken, (self.why,)


def _raise_broken(why: str) -> Any:
    from dualdag.errors import CodecError

    raise CodecError(
        f"a value can't be moved to another process ({why}): return plain data, a frame or an array, or keep it "
        "with .options(persist=True)."
    )


def take_one(kept: Sequence[Kept | None], place: int) -> bytes:
    """Return one of a job's values as bytes, for the driver.

    Parameters
    ----------
    kept : sequence
        What `call_job` returned.
    place : int
        Which of them.
    """
    found = kept[place]
    return dump_value(found.get() if found is not None else None)


def keep(data: bytes) -> tuple[Kept]:
    """Return a value of the driver as the one value of a job.

    Parameters
    ----------
    data : bytes
        From `dump_value`.
    """
    made = Kept(None)
    made._sent, made._size = (data, []), len(data)
    return (made,)


def call_job(message: bytes, *held: Sequence[Kept | None]) -> tuple[Kept | None, ...]:
    """Run a job, tell the driver what became of it, and leave the values here.

    Parameters
    ----------
    message : bytes
        Made by the session: the job as `Packer.pack` gave it, and what the messages about it need.
    *held : sequence
        What the jobs whose values it takes returned.

    Returns
    -------
    tuple
        A Kept for each step; None where nobody asks for it.
    """
    run, topic, generation, number, payload, places, labels, limit, receipts = pickle.loads(message)
    if (run, generation) in _stopped:
        return ()
    with claimed(receipts, number):
        if said := find_receipt(receipts, number):
            _tell(topic, run, number, said, [-1] * len(labels))
            return ()
        outcomes, kept = _carry_out((run, generation, number), topic, limit, (payload, places, labels, held))
        if outcomes is None:
            return ()
        empty = all(k is None for k in kept)
        if empty and receipts:
            leave_receipt(receipts, number, outcomes)
    _tell(topic, run, number, outcomes, [-1 if k is None else k.size for k in kept])
    return () if empty else kept


def _carry_out(
    name: tuple[str, int, int], topic: str, limit: float | None, what: tuple[Any, ...]
) -> tuple[bytes | None, tuple[Kept | None, ...]]:
    """Run a job as long as it may run; None where its time was up."""
    run, _, number = name
    me = threading.get_ident()
    with _lock:
        _running[me] = name
    late = _Watch(topic, run, number, limit) if limit is not None else None
    done = None
    try:
        done = _run(*what)
    except _TimeUpError:
        pass
    finally:
        told = _leave(me, late)
    if told or done is None:
        return None, ()
    outcomes, values = done
    return outcomes, _kept(outcomes, values, what[2])


def _kept(data: bytes, values: list[Any], labels: Sequence[Label]) -> tuple[Kept | None, ...]:
    found = [None if value is None else Kept(value) for value in values]
    if None in found:
        # None is a value too.
        for place, outcome in enumerate(pickle.loads(data)):
            if found[place] is None and labels[place][2] and outcome.status == "done" and outcome.checksum is None:
                found[place] = Kept(None)
    return tuple(found)


def _leave(me: int, late: _Watch | None) -> bool:
    """End what watches over a job; return whether it was too late."""
    told = late.end() if late is not None else False
    with _lock:
        _running.pop(me, None)
    # What was raised in this thread and has not struck yet would strike Dask's own code.
    _raise_in(me, None)
    return told


def _run(payload: bytes, places: Any, labels: Sequence[Label], held: Any) -> tuple[bytes, list[Any]]:
    values = []
    for source, place, id_ in places:
        found = held[source][place] if place < len(held[source]) else None
        if found is None:
            lost = LookupError(f"value {id_} of this run was lost with its worker")
            return _none(labels, lambda number, id_=id_, lost=lost: Outcome(number, "missing", error=lost, detail=id_))
        try:
            values.append(_got(found, payload))
        except BaseException as error:  # noqa: BLE001 - unpickling runs code of any class
            error.add_note(f"while what {labels[0][1]!r} takes was unpickled: let its task return plain data")
            failure = describe(error)
            return _none(labels, lambda number, f=failure: Outcome(number, "failed", error=f))
    return run_job(payload, values)


def _got(found: Kept, payload: bytes) -> Any:
    try:
        return found.get()
    except Exception:  # noqa: BLE001 - unpickling runs code of any class
        # Its class may be from the run's folders, which this worker does not know before its first job of the run.
        place_of(payload)
        return found.get()


def _none(labels: Sequence[Label], make: Any) -> tuple[bytes, list[Any]]:
    alone = len(labels) == 1
    outcomes = [make(row[0]) if alone else Outcome(row[0], "skipped") for row in labels]
    for outcome in outcomes:
        if isinstance(outcome.error, BaseException):
            outcome.error = describe(outcome.error)
    return pickle.dumps(outcomes, protocol=5), [None] * len(labels)


def _tell(topic: str, run: str, number: int, outcomes: bytes, sizes: list[int]) -> None:
    """Send what became of a job by the way of events: its future's value stays where it is.

    See https://distributed.dask.org/en/stable/logging.html#structured-logs for events and topics.
    """
    from distributed import get_worker

    get_worker().log_event(topic, (run, number, outcomes, sizes))


class _TimeUpError(BaseException):
    """Raised in a thread whose task is out of time."""


class _Watch:
    """Ends a task when its time is up: its thread if that can be, else the process.

    Parameters
    ----------
    topic, run, number
        As in a job's message.
    seconds : float
        What the job is given.
    """

    def __init__(self, topic: str, run: str, number: int, seconds: float) -> None:
        from distributed import get_worker

        self._worker = get_worker()
        self._topic, self._run, self._number, self._seconds = topic, run, number, seconds
        self._thread = threading.get_ident()
        self._over = False
        self._told = False
        self._guard = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="dualdag timeout", daemon=True).start()

    def end(self) -> bool:
        """Say that the task has ended; return whether it was too late."""
        while True:
            try:
                with self._guard:
                    self._over = True
                self._ended.set()
            except _TimeUpError:
                continue
            return self._told

    def _watch(self) -> None:
        if self._ended.wait(self._seconds):
            return
        with self._guard:
            if self._over:
                return
            self._told = True
        # Without outcomes: the driver knows what this means.
        self._worker.log_event(self._topic, (self._run, self._number, b"", []))
        with self._guard:
            if not self._over:
                _raise_in(self._thread, _TimeUpError)
        if not self._ended.wait(GRACE) and self._worker.nanny:
            # Code in C, or one that catches everything: the nanny starts another process.
            self._ended.wait(_FLUSH)
            os._exit(1)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise `error` in a thread as soon as that runs Python code again; None takes it back.

    See https://docs.python.org/3/c-api/threads.html#c.PyThreadState_SetAsyncExc
    """
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)


def stop_run(run: str, generation: int) -> list[int]:
    """Let no further job of a run start here, and return the numbers of those that run.

    Parameters
    ----------
    run : str
        The run.
    generation : int
        Jobs submitted later have another.
    """
    with _lock:
        _stopped[run, generation] = None
        while len(_stopped) > _MANY:
            _stopped.pop(next(iter(_stopped)))
        return [job for r, g, job in _running.values() if (r, g) == (run, generation)]


def end_running(run: str) -> int:
    """End the jobs of a run that are at work here, as far as their threads can be ended.

    Parameters
    ----------
    run : str
        The run.
    """
    with _lock:
        threads = [thread for thread, (name, _, _) in _running.items() if name == run]
        for thread in threads:
            _raise_in(thread, _TimeUpError)
    return len(threads)


def hello(folder: str) -> tuple[str, str, str, int]:
    """Tell what a worker is: dualdag's version, Python's, its machine, and the number of a folder there.

    Parameters
    ----------
    folder : str
        The store's; the number is 0 where there is none.
    """
    import dualdag

    try:
        number = Path(folder).stat().st_ino if folder else 0
    except OSError:
        number = 0
    return dualdag.__version__, ".".join(map(str, sys.version_info[:3])), socket.gethostname(), number
