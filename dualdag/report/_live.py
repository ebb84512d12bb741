"""Progress drawn on a terminal: a bar for the whole, and one for each artifact that is worked on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dualdag.report._lines import sentence
from dualdag.report._state import ArtifactState, RunState
from dualdag.report._tables import seconds_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dualdag.execution import Event

__all__ = ["Live", "terminal"]

#: How often the picture is drawn, whatever happens meanwhile.
_HERTZ = 10
_MOST_ROWS = 12
_FAILURES = 20


def terminal() -> Console | None:
    """Return standard error as a console that can draw, or None where it can't."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal and not console.is_dumb_terminal else None


class Live:
    """Bars on a terminal; events only count, a timer draws.

    Parameters
    ----------
    console : Console
        From `terminal`.
    """

    def __init__(self, console: Console) -> None:
        self.state = RunState()
        self._console = console
        self._live: Any = None
        self._failures = 0

    def __call__(self, event: Event) -> None:
        self.state.take(event)
        if event.kind == "plan" and self._live is None and self.state.total > self.state.done:
            self._start()
        if event.kind in {"failed", "retry"}:
            self._failures += 1
            if self._failures <= _FAILURES:
                text = sentence(event, self.state) or ""
                style = "red" if event.kind == "failed" else None
                self._console.print(text, style=style, markup=False, highlight=False)

    def close(self) -> None:
        """Take the bars away."""
        if self._live is not None:
            self._live.stop()

    def _start(self) -> None:
        from rich.live import Live as RichLive

        self._live = RichLive(
            console=self._console,
            get_renderable=self.draw,
            refresh_per_second=_HERTZ,
            transient=True,
            # What tasks print goes where it was meant to go, unless that is this screen.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
            redirect_stderr=True,
        )
        self._live.start()

    def draw(self) -> Table:
        """Return the picture of this moment."""
        from rich.table import Table

        state = self.state
        table = Table.grid(padding=(0, 1), pad_edge=False)
        bar = min(30, max(6, self._console.width - 46))
        table.add_column(min_width=10, max_width=28, no_wrap=True)
        table.add_column(width=bar)
        table.add_column(justify="right", no_wrap=True, min_width=2 * len(str(state.total)) + 1)
        table.add_column(no_wrap=True, overflow="ellipsis")
        rows = _chosen(list(state.artifacts.values()), min(_MOST_ROWS, self._console.height - 4))
        for artifact in rows:
            _add(table, artifact.name, artifact, _became(artifact))
        hidden = len(state.artifacts) - len(rows)
        title = f"all, {hidden} artifacts not shown" if hidden else "all"
        _add(table, title, state, f"{seconds_text(state.elapsed)}{_running(state)}")
        return table


def _chosen(artifacts: list[ArtifactState], most: int) -> list[ArtifactState]:
    """Return those worth a bar, in their order: what is worked on, then what waits, then what is there."""
    if len(artifacts) <= most:
        return artifacts

    def rank(pair: tuple[int, ArtifactState]) -> tuple[int, int]:
        k, one = pair
        begun = one.ran + one.found + one.failed > 0
        return (2 if one.ended else 0 if begun else 1), k

    kept = sorted(sorted(enumerate(artifacts), key=rank)[: max(most, 0)])
    return [one for _, one in kept]


def _add(table: Table, name: str, state: ArtifactState | RunState, text: str) -> None:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    done = state.ran + state.found + state.failed
    total = max(state.total, 1)
    bar = ProgressBar(total=total, completed=total if state.ended else min(done, total))
    style = "red" if state.failed else "green" if state.ended else ""
    table.add_row(Text(name, style=style), bar, f"{done}/{state.total}", Text(text, style="dim"))


def _became(artifact: ArtifactState) -> str:
    if artifact.failed:
        return f"{artifact.failed} failed"
    parts = [f"{artifact.ran} run"] if artifact.ran else []
    parts += [f"{artifact.found} found"] if artifact.found else []
    return ", ".join(parts)


def _running(state: RunState) -> str:
    """Return the labels that run now, each once, with their number."""
    counts: dict[str, int] = {}
    for label, _ in list(state.running.values()):
        counts[label] = counts.get(label, 0) + 1
    shown = [f"{label} x {count}" if count > 1 else label for label, count in list(counts.items())[:4]]
    return f"  {', '.join(shown)}" if shown else ""
