"""Receipts: what a job said when it ended, where the next worker finds it.

Dask runs a task again when the worker that holds its result is lost, and its result is held until the driver
has heard of it and let go.  A worker that is killed in between, or before its last message has left it, would
cost not only what it was at but also the job before, which is done and stored.  So a job that leaves no value
behind leaves a small file, as long as all workers are on this machine.  And when workers come and go, the
scheduler at times gives a task to a second worker while the first is at it (work stealing "punts" when one of
its pair has left), so a job is claimed while it runs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualdag.execution import Job

__all__ = ["Receipts", "claimed", "find_receipt", "leave_receipt"]

#: How often a worker looks whether another is still at its job.
_PAUSE = 0.01
#: Seconds by which two times that one process began may differ.
_SAME = 5.0


class Receipts:
    """The folder of a run's receipts; made when it is first asked for.

    Parameters
    ----------
    near : bool
        Whether all workers are on this machine; if not, there are no receipts.
    """

    def __init__(self, near: bool) -> None:
        self._near = near
        self._folder = ""

    def folder(self, job: Job) -> str:
        """Return what workers are told; empty where the job leaves no receipt.

        Parameters
        ----------
        job : Job
            What is sent.
        """
        if not self._near or all([step.keep is False for step in job.steps]):
            return ""
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="dualdag-")
        return self._folder

    def find(self, number: int) -> bytes:
        """Return what a job said, or nothing.

        Parameters
        ----------
        number : int
            The job's.
        """
        return find_receipt(self._folder, number)

    def close(self) -> None:
        """Remove the folder."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


def leave_receipt(folder: str, number: int, data: bytes) -> None:
    """Write what a job said, whole or not at all.

    Parameters
    ----------
    folder : str
        Of the run's receipts.
    number : int
        The job's.
    data : bytes
        Its outcomes.
    """
    # Without one the job may be run again; that is no reason to fail it.
    with suppress(OSError):
        path = Path(folder, f"{number}.part")
        path.write_bytes(data)
        path.rename(Path(folder, str(number)))


def find_receipt(folder: str, number: int) -> bytes:
    """Return what a job said when it ended, or nothing.

    Parameters
    ----------
    folder : str
        Of the run's receipts.
    number : int
        The job's.
    """
    if not folder:
        return b""
    try:
        return Path(folder, str(number)).read_bytes()
    except OSError:
        return b""


@contextmanager
def claimed(folder: str, number: int) -> Iterator[None]:
    """Claim a job for this process, waiting while another one of this machine is at it.

    Parameters
    ----------
    folder : str
        Of the run's receipts; empty for none.
    number : int
        The job's.
    """
    mine = _claim(folder, number) if folder else None
    try:
        yield
    finally:
        if mine is not None:
            mine.unlink(missing_ok=True)


def _claim(folder: str, number: int) -> Path | None:
    """Return the file by which this process holds a job; None where none can be made.

    What a process left that ended stays, and who comes next makes the file of the next number: of two that see
    so at the same time one makes it, which would not be so if they removed the old one first.
    """
    k = 0
    while True:
        path = Path(folder, f"{number}.claim{k}")
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if _at_it(path):
                time.sleep(_PAUSE)
            else:
                k += 1
            continue
        except OSError:
            return None
        with suppress(OSError):
            os.write(file, _myself(os.getpid()))
        os.close(file)
        return path


def _at_it(path: Path) -> bool:
    """Return whether the process that claimed a job lives, or has just let go of it."""
    try:
        found = path.read_bytes()
        if not found:
            # Between its two system calls, or killed there.
            return time.time() - path.stat().st_mtime < 1.0
    except OSError:
        return not path.exists()
    pid, _, began = found.partition(b" ")
    _, _, now = _who(int(pid)).partition(b" ")
    # The time a process began is reckoned from the machine's start, which moves with its clock.
    return bool(began and now) and abs(float(now) - float(began)) < _SAME


@cache
def _myself(pid: int) -> bytes:
    return _who(pid)


def _who(pid: int) -> bytes:
    """Name a process, so that a later one of the same number is another."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return b""
        return f"{pid} {process.create_time()}".encode()
    except psutil.Error:
        return b""
