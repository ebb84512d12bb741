"""Execution: carrying a plan out, on any backend."""

from __future__ import annotations

from dualdag.execution._bytes import dump_value, load_value, thaw, value_to_bytes
from dualdag.execution._driver import run_graph
from dualdag.execution._environment import check_environments
from dualdag.execution._failures import describe, revive
from dualdag.execution._inner import InnerThreads, inner_environment
from dualdag.execution._inputs import look_at, read_files
from dualdag.execution._lasting import in_lasting_thread
from dualdag.execution._making import FORMAT, MOST_STEPS, FileFact, Known, machine, making_of
from dualdag.execution._payload import Packer, Place, place_of, run_job
from dualdag.execution._piped import run_bytes
from dualdag.execution._protocol import Backend, Handle, Job, Literal, Outcome, RunInfo, Session, Step
from dualdag.execution._reach import on_this_machine, shared_with_processes
from dualdag.execution._refusals import late, not_sent, resubmits, still_stale, time_limit
from dualdag.execution._result import ArtifactRow, Event, Listener, RunResult, as_group
from dualdag.execution._shared import Shared
from dualdag.execution._table import door, get_backend, shutdown
from dualdag.execution._work import InputMissingError, guess_size, publish, timed_out
from dualdag.execution.embedded._values import Values, run_steps

__all__ = [
    "FORMAT",
    "MOST_STEPS",
    "ArtifactRow",
    "Backend",
    "Event",
    "FileFact",
    "Handle",
    "InnerThreads",
    "InputMissingError",
    "Job",
    "Known",
    "Listener",
    "Literal",
    "Outcome",
    "Packer",
    "Place",
    "RunInfo",
    "RunResult",
    "Session",
    "Shared",
    "Step",
    "Values",
    "as_group",
    "check_environments",
    "describe",
    "door",
    "dump_value",
    "get_backend",
    "guess_size",
    "in_lasting_thread",
    "inner_environment",
    "late",
    "load_value",
    "look_at",
    "machine",
    "making_of",
    "not_sent",
    "on_this_machine",
    "place_of",
    "publish",
    "read_files",
    "resubmits",
    "revive",
    "run_bytes",
    "run_graph",
    "run_job",
    "run_steps",
    "shared_with_processes",
    "shutdown",
    "still_stale",
    "thaw",
    "time_limit",
    "timed_out",
    "value_to_bytes",
]
