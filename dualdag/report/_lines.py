"""Progress as plain lines: for pipes, files and logs."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from dualdag.report._state import RunState
from dualdag.report._tables import bytes_text, seconds_text

if TYPE_CHECKING:
    from dualdag.execution import Event

__all__ = ["Lines", "sentence", "summary"]

#: Lines about single artifacts: so many in a second, the rest is counted.
_A_SECOND = 4
_FAILURES = 20
#: Seconds after which a long task is told of, and between two lines on how far it all is.
_LONG = 1.0
_BEAT = 15.0
#: Seconds between two looks.
_TICK = 0.5


def sentence(event: Event, state: RunState) -> str | None:
    """Return what to say about an event, or None where it is not worth a line.

    Parameters
    ----------
    event : Event
        What happened.
    state : RunState
        Tells artifacts from other nodes.
    """
    if event.kind == "failed":
        return f"{event.label}: failed after {seconds_text(event.seconds)}: {_one_line(event.message)}"
    if event.kind == "retry":
        return f"{event.label}: {_one_line(event.message)}"
    if event.kind == "waiting":
        return f"{event.label}: {event.message}"
    if state.artifact(event.position) is None:
        return None
    if event.kind == "done":
        return f"{event.label}: done in {seconds_text(event.seconds)}, {bytes_text(event.nbytes)}"
    if event.kind == "reuse":
        return f"{event.label}: found, {event.message or 'its inputs came out the same'}"
    return None


def summary(state: RunState) -> str:
    """Return how a run went, in one line."""
    parts = [f"{state.ran} run"]
    parts += [f"{state.found} found"] if state.found else []
    parts += [f"{state.failed} failed"] if state.failed else []
    return f"{', '.join(parts)} in {seconds_text(state.elapsed)}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:197]}..."


class Lines:
    """Prints lines on standard error: artifacts, failures, and now and then how far it all is."""

    def __init__(self) -> None:
        self.state = RunState()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._second = 0.0
        self._in_second = 0
        self._left_out = 0
        self._failures = 0
        self._last = time.monotonic()
        self._started: set[int] = set()

    def __call__(self, event: Event) -> None:
        self.state.take(event)
        text = sentence(event, self.state)
        if event.kind == "failed":
            self._failures += 1
            if self._failures <= _FAILURES:
                self._say(text or "")
        elif text is not None:
            self._say_if_few(text)
        elif event.kind == "plan" and self._thread is None and self.state.total > self.state.done:
            self._thread = threading.Thread(target=self._tick, name="dualdag progress", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End; what was left out is counted in a last line."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1)
        if self._left_out:
            self._say(f"... and {self._left_out} artifacts more")
        if self._failures > _FAILURES:
            self._say(f"... and {self._failures - _FAILURES} failures more")

    def _say_if_few(self, text: str) -> None:
        now = time.monotonic()
        if now - self._second > 1:
            self._second, self._in_second = now, 0
        self._in_second += 1
        if self._in_second <= _A_SECOND:
            self._say(text)
        else:
            self._left_out += 1

    def _say(self, text: str) -> None:
        with self._lock:
            self._last = time.monotonic()
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def _tick(self) -> None:
        while not self._stop.wait(_TICK):
            try:
                self._tell_of_long()
            except (OSError, ValueError):
                return  # what reads our lines is gone

    def _tell_of_long(self) -> None:
        now = time.monotonic()
        state = self.state
        for i, (label, began) in list(state.running.items()):
            if i in state.artifacts and i not in self._started and now - began > _LONG:
                self._started.add(i)
                self._say_if_few(f"{label}: started")
        if now - self._last > _BEAT:
            longest = sorted(state.running.values(), key=lambda pair: pair[1])[:3]
            shown = ", ".join(f"{label} ({seconds_text(now - began)})" for label, began in longest)
            doing = f"running: {shown}" if shown else state.awaits
            self._say(f"{state.done} of {state.total} done" + (f"; {doing}" if doing else ""))
