"""What runs inside Ray's workers: one function that carries out jobs, one that loads, one that looks around."""

from __future__ import annotations

import ctypes
import os
import pickle
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.execution import Outcome, dump_value, guess_size, load_value, place_of, run_job, value_to_bytes
from dualdag_ray._lines import lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.store import Store

__all__ = ["LATE", "Beside", "UnreadableInputError", "carry_out", "load_stored", "look_around"]

#: What comes in place of outcomes where the job took longer than it may.
LATE = b"late"
#: Seconds that a function that is out of time has to notice it, before its process is ended.
GRACE = 1.0
#: Bytes from which on a value that shares an object with others is not copied with them.
PAGE = 4096


def carry_out(
    payload: bytes,
    held: Sequence[Sequence[int]],
    places: Sequence[tuple[int, int | None]],
    timeout: float | None,
    told: Sequence[tuple[str, str]] | None,
    *objects: Any,
) -> Any:
    """Run a job; return its outcomes with the sizes of its values, and after them the values that are held.

    Parameters
    ----------
    payload : bytes
        Made by `Packer.pack`.
    held : sequence of sequences of int
        Positions of the steps whose values stay in the object store, those of one object together.
    places : sequence of (int, int or None)
        Of each value that the payload asks for, its object and its place there; None: it is all of it.
    timeout : float or None
        Seconds that all of it may take.
    told : sequence of (str, str) or None
        Of each step its label and the line that made it, to find out which value can't be pickled before Ray tries;
        given when a first attempt failed.
    *objects
        What the places point to; where `told` is given, one list of their ObjectRefs.
    """
    if told is not None:
        objects = _objects(payload, *objects)
    values = tuple([objects[k] if at is None else _load(objects[k].parts[at]) for k, at in places])
    own = [number for number, (_, at) in enumerate(places) if at is not None]
    answer = run_job(payload, values, own) if timeout is None else _in_time(timeout, payload, values, own)
    if answer is None:
        return (LATE, *[None] * len(held)) if held else LATE
    data, made = answer
    outcomes = pickle.loads(data)
    if told is not None:
        _check(outcomes, made, told)
    head = pickle.dumps((outcomes, [guess_size(value) for value in made]), protocol=5)
    # Several returns are unpacked by Ray, one is not.
    return (head, *[_object(made, group) for group in held]) if held else head


class UnreadableInputError(Exception):
    """What a job takes can't be unpickled here."""


def _objects(payload: bytes, refs: Sequence[Any] = ()) -> tuple[Any, ...]:
    """Return the objects of a job that failed before it began: in a worker that did not know the run's folders, say."""
    import ray

    place_of(payload)
    try:
        return tuple(ray.get(list(refs)))
    except (ray.exceptions.ObjectLostError, ray.exceptions.OutOfMemoryError, ray.exceptions.RayTaskError):
        raise
    except Exception as error:  # noqa: BLE001 - unpickling runs code of any class
        raise UnreadableInputError(lines(error)[-1] or type(error).__name__) from None


def _load(data: bytes | memoryview) -> Any:
    try:
        return load_value(data)
    except Exception as error:
        raise UnreadableInputError(f"{type(error).__name__}: {error}") from error


class Beside:
    """Values that share an object, as bytes: who takes one of them copies that one only.

    Parameters
    ----------
    parts : list of bytes or memoryview
        What `dump_value` gave of each.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple[type[Beside], tuple[list[Any]]]:
        # Ray leaves such buffers in its shared memory; Ray Client, which can't, copies them.
        return Beside, ([pickle.PickleBuffer(part) if len(part) >= PAGE else bytes(part) for part in self.parts],)


def _object(made: list[Any], group: Sequence[int]) -> Any:
    """Return what is put into the object store."""
    return made[group[0]] if len(group) == 1 else Beside([dump_value(made[k]) for k in group])


def _check(outcomes: list[Outcome], made: list[Any], told: Sequence[tuple[str, str]]) -> None:
    """Make a failure of what can't be pickled."""
    for k, (outcome, value) in enumerate(zip(outcomes, made, strict=True)):
        if outcome.status == "done" and value is not None:
            outcomes[k], body = value_to_bytes(outcome, *told[k], value)
            if body is None:
                made[k] = None


def _in_time(timeout: float, *given: Any) -> tuple[bytes, list[Any]] | None:
    """Run a job in a thread of its own; None when its time is up.

    The time counts from here, not from when the job was handed to Ray, which may have kept it waiting.
    """
    box: list[Any] = []
    thread = threading.Thread(target=lambda: box.append(run_job(*given)), name="dualdag job", daemon=True)
    thread.start()
    thread.join(timeout)
    if box:
        answer: tuple[bytes, list[Any]] = box.pop()
        return answer
    threading.Thread(target=_end, args=(thread,), name="dualdag reaper", daemon=True).start()
    return None


def _end(thread: threading.Thread) -> None:
    """End a thread at its next bytecode; where that does not come soon, the process."""
    deadline = time.monotonic() + GRACE
    while thread.is_alive():
        if thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.1)


def load_stored(store: Store, checksum: bytes, codec: str) -> Any:
    """Return a stored value, where a worker needs it.

    Parameters
    ----------
    store : Store
        Where it is.
    checksum : bytes
        Which.
    codec : str
        How it is decoded.
    """
    return store.load(checksum, codec)


def look_around(marker: str) -> tuple[str, bool]:
    """Return the version of dualdag here, and whether a file of the driver's is seen.

    Parameters
    ----------
    marker : str
        Path of a file that the driver made.
    """
    import dualdag

    return dualdag.__version__, bool(marker) and Path(marker).exists()
