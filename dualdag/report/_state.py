"""How far a run is, as its events tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dualdag.planning import ACTIONS

if TYPE_CHECKING:
    from dualdag.execution import Event
    from dualdag.planning import Plan

__all__ = ["ArtifactState", "RunState"]

_RUN, _CHECK = ACTIONS.index("run"), ACTIONS.index("check")
#: In larger graphs nodes are not told apart by the artifact that they are for.
_MOST = 200_000


@dataclass(slots=True)
class ArtifactState:
    """How far one artifact is, with the nodes between it and the artifacts above it.

    Parameters
    ----------
    name : str
        The artifact.
    total, ran, found, failed : int
        Nodes to look at, and what became of them.
    ended : bool
        Whether the artifact itself is there.
    """

    name: str
    total: int = 0
    ran: int = 0
    found: int = 0
    failed: int = 0
    ended: bool = False


@dataclass(slots=True)
class RunState:
    """How far a run is.

    Written to by the run's thread alone; whoever draws reads numbers that may be a moment old.

    Attributes
    ----------
    total, ran, found, failed : int
        Nodes to look at, and what became of them.
    running : dict of int to (str, float)
        Label and start of the nodes that run.
    waiting : dict of int to str
        Label of the nodes that the backend was given beyond what it can run at once.
    slots : int
        How many it can run at once; 0 where that is not known.
    artifacts : dict of int to ArtifactState
        By position; only of artifacts that something is done for.
    awaits : str
        For what of another run this one waits, as it was last told; empty since something began here.
    ended : bool
        Whether the run came to its end.
    """

    total: int = 0
    ran: int = 0
    found: int = 0
    failed: int = 0
    running: dict[int, tuple[str, float]] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    slots: int = 0
    artifacts: dict[int, ArtifactState] = field(default_factory=dict)
    awaits: str = ""
    ended: bool = False
    began: float = field(default_factory=time.monotonic)
    _owner: dict[int, int] | list[int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many nodes came to an end."""
        return self.ran + self.found + self.failed

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def take(self, event: Event) -> None:
        """Take in an event.

        Parameters
        ----------
        event : Event
            What happened.
        """
        kind, i = event.kind, event.position
        if kind == "plan":
            self.slots = event.slots
            self._take_plan(event.data)
        elif kind == "waiting":
            self.awaits = f"{event.label} {event.message}"
        elif kind == "start":
            self.awaits = ""
            self.waiting[i] = event.label
            self._advance()
        elif kind in {"done", "reuse", "failed"}:
            self._leave(i)
            self._count(kind, i)
        elif kind == "retry":
            self._leave(i)
        elif kind == "run-end":
            self.waiting.clear()
            self.running.clear()
            self.ended = True

    def _leave(self, i: int) -> None:
        self.waiting.pop(i, None)
        self.running.pop(i, None)
        self._advance()

    def _advance(self) -> None:
        """Take what waits for running as places come free: backends begin jobs in the order they got them."""
        while self.waiting and (not self.slots or len(self.running) < self.slots):
            i = next(iter(self.waiting))
            self.running[i] = (self.waiting.pop(i), time.monotonic())

    def artifact(self, i: int) -> ArtifactState | None:
        """Return the artifact at a position, if there is one that something is done for."""
        return self.artifacts.get(i)

    def _count(self, kind: str, i: int) -> None:
        name = {"done": "ran", "reuse": "found", "failed": "failed"}[kind]
        setattr(self, name, getattr(self, name) + 1)
        owner = self._owner[i] if self._owner else -1
        state = self.artifacts.get(owner)
        if state is not None:
            setattr(state, name, getattr(state, name) + 1)
            state.ended = state.ended or (owner == i and kind != "failed")

    def _take_plan(self, plan: Plan) -> None:
        """Count what a plan wants; of a later plan of the same run, what is still to do."""
        counts = plan.counts
        self.total = self.done + counts["run"] + counts["check"]
        graph, actions = plan.graph, plan.actions
        extras = graph.extras
        if len(graph) <= _MOST:
            self._owner = _owners(plan)
        left: dict[int, int] = {}
        if self._owner:
            for i, action in enumerate(actions):
                if action in (_RUN, _CHECK):
                    left[self._owner[i]] = left.get(self._owner[i], 0) + 1
        for i in sorted(i for i, extra in extras.items() if extra.artifacts):
            if actions[i] in (_RUN, _CHECK) or i in self.artifacts:
                state = self.artifacts.setdefault(i, ArtifactState(graph.label(i)))
                state.total = state.ran + state.found + state.failed + left.get(i, 0)
                state.ended = state.ended and actions[i] not in (_RUN, _CHECK)


def _owners(plan: Plan) -> list[int]:
    """Return, per node, the artifact that it is for: the first one found below it."""
    graph = plan.graph
    owner = [-1] * len(graph)
    extras = graph.extras
    for i in range(len(graph) - 1, -1, -1):
        extra = extras.get(i)
        if extra is not None and extra.artifacts:
            owner[i] = i
        if owner[i] >= 0:
            for j in graph.inputs[i]:
                if owner[j] < 0:
                    owner[j] = owner[i]
    return owner
