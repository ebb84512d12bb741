"""Processes by name: which one this is, and whether another one of this machine has ended."""

from __future__ import annotations

import functools
import os
import platform
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Process", "has_ended", "this_process"]

#: What a process that has ended, and that nobody waited for yet, is in /proc.
_OVER = {"Z", "X"}


class Process(NamedTuple):
    """A process of some machine.

    Parameters
    ----------
    machine : str
        Where it runs and since when that machine does; empty where that can't be told.
    number : int
        Its id there.
    began : str
        When it began, in the words of its machine: ids are given again.
    """

    machine: str
    number: int
    began: str


def this_process() -> Process:
    """Return the process that asks."""
    number = os.getpid()
    return Process(_machine(), number, _state(number)[0])


def has_ended(process: Process) -> bool:
    """Return whether a process is known to have ended; of another machine's nothing is known.

    Parameters
    ----------
    process : Process
        As `this_process` gave it there.
    """
    if not process.machine or process.machine != _machine():
        return False
    try:
        os.kill(process.number, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # another user's, or the number of none
    began, over = _state(process.number)
    return over or bool(began and process.began and began != process.began)


@functools.cache
def _machine() -> str:
    # Elsewhere than on Linux there is no name of a boot that stays when the clock is set.
    if not sys.platform.startswith("linux"):
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        # Containers of one machine have the same boot id, and ids of processes of their own.
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{platform.node()} {boot} {space}"


def _state(number: int) -> tuple[str, bool]:
    """Return when a process began, empty where that can't be told, and whether it is over."""
    try:
        text = Path(f"/proc/{number}/stat").read_text("ascii", errors="replace")
    except OSError:
        return "", False
    # proc_pid_stat(5): the name, in parentheses, may hold anything; the state is the third field, the start the 22nd.
    fields = text.rpartition(")")[2].split()
    return fields[19], fields[0] in _OVER
