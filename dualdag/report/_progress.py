"""Progress of a run on standard error: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dualdag.report._tables import bytes_text, seconds_text

if TYPE_CHECKING:
    from dualdag.execution import Event, Listener

__all__ = ["progress"]



class _Counts:
    """How far a run is, by artifact and in all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.total = 0
        self.done = 0
        self.reused = 0
        self.running: dict[int, str] = {}
        self.artifacts: set[int] = set()
        self.began = time.monotonic()

    def take(self, event: Event) -> None:
        with self.lock:
            if event.kind == "plan":
                counts = event.data.counts
                self.total = self.done + counts["run"] + counts["check"]
                self.artifacts = {i for i, extra in event.data.graph.extras.items() if extra.artifacts}
            elif event.kind == "start":
                self.running[event.position] = event.label
            elif event.kind in ("done", "failed"):
                self.running.pop(event.position, None)
                self.done += 1
            elif event.kind == "reuse":
                self.running.pop(event.position, None)
                self.done += 1
                self.reused += 1


class _Lines:
    """Plain lines: artifacts as they end, failures, warnings, and now and then how far it is."""

    def __init__(self) -> None:
        self.counts = _Counts()
        self._told = time.monotonic()

    def __call__(self, event: Event) -> None:
        self.counts.take(event)
        text = _sentence(event, self.counts)
        now = time.monotonic()
        if text is None and event.kind == "done" and now - max(self._told, self.counts.began) > 5:
            text = f"{self.counts.done} of {self.counts.total}"
        if text is not None:
            self._told = now
            print(text, file=sys.stderr, flush=True)


def _sentence(event: Event, counts: _Counts) -> str | None:
    if event.kind == "done" and event.position in counts.artifacts:
        return f"{event.label}: done in {seconds_text(event.seconds)}, {bytes_text(event.nbytes)}"
    if event.kind == "failed":
        return f"{event.label}: failed after {seconds_text(event.seconds)}: {event.message}"
    if event.kind == "retry":
        return f"{event.label}: {event.message}"
    if event.kind == "warning":
        return f"warning: {event.message}"
    return None


class _Bar:
    """A live line on a terminal, drawn ten times a second."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.counts = _Counts()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True, auto_refresh=False,
        )  # fmt: skip
        self._task: Any = self._bar.add_task("planning", total=None)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="dualdag progress", daemon=True)

    def __call__(self, event: Event) -> None:
        self.counts.take(event)
        text = _sentence(event, self.counts)
        if text is not None:
            self._bar.console.print(text, markup=False, highlight=False)

    def _draw(self) -> None:
        while not self._stop.wait(0.1):
            counts = self.counts
            with counts.lock:
                running = list(counts.running.values())
                shown = ", ".join(dict.fromkeys(running[-3:])) or "planning"
                self._bar.update(self._task, description=shown[:50], completed=counts.done, total=counts.total or None)
            self._bar.refresh()

    def __enter__(self) -> _Bar:
        self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.stop()


@contextmanager
def progress(mode: str) -> Iterator[tuple[Listener, ...]]:
    """Show progress for the length of a block.

    Parameters
    ----------
    mode : {"auto", "bar", "lines", "off"}
        ``"auto"`` draws a bar on a terminal and prints plain lines elsewhere.

    Yields
    ------
    tuple of callables
        Listeners for the run's events.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if mode == "off":
        yield ()
    elif mode == "bar" or (mode == "auto" and terminal):
        with _Bar() as bar:
            yield (bar,)
    else:
        yield (_Lines(),)
