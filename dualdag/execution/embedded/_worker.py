"""A worker process: takes a job as bytes, answers with bytes, and never outlives its driver."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from dualdag.execution._piped import run_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

__all__ = ["LARGE", "READY", "serve"]

#: Values of more bytes than this travel through files of the run, not through the driver's pipe.
LARGE = 256 * 1024
#: What a worker says when it has started.
READY = b"ready"
_ORPHANED = 70


def serve(pipe: Connection, environment: Mapping[str, str], parent: int) -> None:
    """Run jobs until the driver hangs up.

    Parameters
    ----------
    pipe : Connection
        Jobs come and answers go through it.
    environment : mapping
        Variables to set before any library that reads them is loaded.
    parent : int
        The driver's process.
    """
    os.environ.update(environment)  # noqa: TID251 - written, in a process of our own
    _follow(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pipe.send_bytes(READY)
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))
    except (EOFError, OSError):
        return


def _follow(parent: int) -> None:
    """End this process, and what it started, when the driver ends, however that comes about."""
    if hasattr(os, "setpgid"):
        with suppress(OSError):
            os.setpgid(0, 0)
    if sys.platform.startswith("linux"):
        # The thread below can't run while C code holds the interpreter's lock; the kernel can.
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(_ORPHANED)
    threading.Thread(target=_watch, name="dualdag watchdog", daemon=True).start()


def _watch() -> None:
    driver = parent_process()
    if driver is not None:
        driver.join()
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(_ORPHANED)


def _answer(message: bytes) -> bytes:
    payload, sources, folder = pickle.loads(message)
    outcomes, values = run_bytes(payload, (s if isinstance(s, bytes) else Path(s).read_bytes() for s in sources))
    out = [
        _to_file(folder, outcome.id, body) if body is not None and len(body) > LARGE else body
        for outcome, body in zip(outcomes, values, strict=True)
    ]
    return pickle.dumps((outcomes, out), protocol=5)


def _to_file(folder: str, number: int, body: bytes) -> str:
    path = Path(folder) / f"{number}-{os.getpid()}.pickle"
    path.write_bytes(body)
    return str(path)
