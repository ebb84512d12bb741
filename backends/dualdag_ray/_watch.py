"""Sees to it that a cluster of our own ends with the driver, however that ends.

Ray's agents notice at once that the raylet is gone, and then try for a minute to report so to a head that is gone
too (`report_raylet_error_logs` in ``ray/_private/process_watcher.py``).  So a small process waits for the driver's
end of a pipe to close, and ends what is left of the cluster.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

__all__ = ["Watch"]

#: Agents rename themselves, so they are known by the raylet that started them; where there is no /proc, by nothing.
_PROGRAM = """
import os, select, signal, sys, time

def fields(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()

def children_of_raylet(found):
    parents, raylets = {}, set()
    for pid in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(bytes(1))
                if words[0].endswith(b"/raylet") and any(sys.argv[1].encode() in word for word in words):
                    raylets.add(pid)
                state = fields(pid)
                parents[pid] = state[1], state[19]
            except (OSError, IndexError):
                pass
    found.update((pid, began) for pid, (parent, began) in parents.items() if parent in raylets)

found = set()
for wait in (0, 1, 2, 4, 8, None):
    if select.select([sys.stdin], [], [], wait)[0]:
        break
    children_of_raylet(found)
time.sleep(2)
for pid, began in found:
    try:
        if fields(pid)[19] == began:
            os.kill(int(pid), signal.SIGKILL)
    except OSError:
        pass
"""


class Watch:
    """The process that waits.

    Parameters
    ----------
    session : str
        Name of the cluster's session, which no other has.
    """

    def __init__(self, session: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a program of ours
            [sys.executable, "-I", "-S", "-c", _PROGRAM, session],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """End the process; the cluster has been shut down."""
        self._process.kill()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process.wait()
