"""A thread that lasts as long as this process: whoever starts a process that is to die with its parent needs one.

On Linux the wish to die with the parent (``PR_SET_PDEATHSIG``) means the thread that started the process: once
that has ended, so has what it started.  Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_lasting_thread"]

_wishes: queue.SimpleQueue[tuple[Callable[[], Any], threading.Event, list[Any], list[BaseException]]]
_wishes = queue.SimpleQueue()
_threads: list[threading.Thread] = []
_lock = threading.Lock()


def in_lasting_thread(start: Callable[[], Any]) -> Any:
    """Call a function in the thread that lasts, and return what it gives.

    Parameters
    ----------
    start : callable
        Starts processes; called without arguments.

    Examples
    --------
    >>> in_lasting_thread(lambda: 2)
    2
    """
    with _lock:
        if not _threads:
            _threads.append(threading.Thread(target=_serve, name="dualdag starter", daemon=True))
            _threads[0].start()
    done, values, errors = threading.Event(), list[Any](), list[BaseException]()
    _wishes.put((start, done, values, errors))
    done.wait()
    if errors:
        raise errors[0]
    return values[0]


def _serve() -> None:
    while True:
        start, done, values, errors = _wishes.get()
        try:
            values.append(start())
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            errors.append(error)
        done.set()
