"""Execution: carrying a plan out, on any backend."""

from __future__ import annotations

from dualdag.execution._driver import run_graph
from dualdag.execution._protocol import Backend, Handle, Job, Literal, Outcome, RunInfo, Session, Step
from dualdag.execution._result import ArtifactRow, Event, Listener, RunResult, as_group
from dualdag.execution._table import get_backend, shutdown

__all__ = [
    "ArtifactRow",
    "Backend",
    "Event",
    "Handle",
    "Job",
    "Listener",
    "Literal",
    "Outcome",
    "RunInfo",
    "RunResult",
    "Session",
    "Step",
    "as_group",
    "get_backend",
    "run_graph",
    "shutdown",
]
