"""Progress in a notebook: one output that changes in place."""

from __future__ import annotations

import sys
import time
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dualdag.report._lines import summary
from dualdag.report._state import ArtifactState, RunState

if TYPE_CHECKING:
    from dualdag.execution import Event

__all__ = ["Notebook", "in_notebook"]

_PAUSE = 0.25
_MOST_ROWS = 20


def in_notebook() -> bool:
    """Return whether this runs in a notebook's kernel."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None and hasattr(module, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class Notebook:
    """Bars below a cell; drawn from events, as other threads have no cell to write to."""

    def __init__(self) -> None:
        self.state = RunState()
        self._handle: Any = None
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        self.state.take(event)
        now = time.monotonic()
        if event.kind == "plan" and self._handle is None and self.state.total > self.state.done:
            display = import_module("IPython.display").display
            self._handle = display(self._bundle(), raw=True, display_id=True)
        elif self._handle is not None and now - self._drawn > _PAUSE:
            self._drawn = now
            self._handle.update(self._bundle(), raw=True)

    def close(self) -> None:
        """Draw the end."""
        if self._handle is not None:
            self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        state = self.state
        rows: list[tuple[str, ArtifactState | RunState]] = [("all", state)]
        rows[:0] = [(one.name, one) for one in list(state.artifacts.values())[:_MOST_ROWS]]
        cells = "".join(
            f"<tr><td>{escape(name)}</td><td><progress max={max(one.total, 1)} "
            f"value={one.total if one.ended else one.ran + one.found + one.failed}></progress></td>"
            f"<td>{one.ran} run, {one.found} found{f', {one.failed} failed' if one.failed else ''}</td></tr>"
            for name, one in rows
        )
        return {"text/html": f"<table>{cells}</table>", "text/plain": summary(state)}
