"""Progress of a run on standard error: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dualdag.execution import Event, Listener

__all__ = ["progress"]


class _View(Protocol):
    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


# Two runs of one process can't draw on one screen: the second one prints lines.
_screen = threading.Lock()


@contextmanager
def progress(mode: str) -> Iterator[tuple[Listener, ...]]:
    """Show progress for the length of a block.

    Parameters
    ----------
    mode : {"auto", "bar", "lines", "off"}
        ``"auto"`` draws bars on a terminal or in a notebook, and prints plain lines elsewhere, as
        does ``"bar"`` where nothing can be drawn.

    Yields
    ------
    tuple of callables
        Listeners for the run's events.
    """
    if mode == "off" or sys.stderr is None:
        yield ()
        return
    draws = mode != "lines" and _screen.acquire(blocking=False)
    try:
        view = _view(draws=draws)
        guarded = _Guarded(view)
        try:
            yield (guarded,)
        finally:
            guarded.close()
    finally:
        if draws:
            _screen.release()


def _view(*, draws: bool) -> _View:
    if draws:
        from dualdag.report._notebook import Notebook, in_notebook

        if in_notebook():
            return Notebook()
        from dualdag.report._live import Live, terminal

        console = terminal()
        if console is not None:
            return Live(console)
    from dualdag.report._lines import Lines

    return Lines()


class _Guarded:
    """Keeps a run going whatever becomes of the screen: a closed pipe, a terminal that went away."""

    def __init__(self, view: _View) -> None:
        self._view: _View | None = view

    def __call__(self, event: Event) -> None:
        if self._view is not None:
            try:
                self._view(event)
            except Exception:  # noqa: BLE001 - of what draws, nothing may end a run
                self._view = None

    def close(self) -> None:
        if self._view is not None:
            try:
                self._view.close()
            except (OSError, ValueError):
                self._view = None
