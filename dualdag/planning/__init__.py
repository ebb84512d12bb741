"""Planning: what to run, what to reuse, and why.  A pure function of graph, records, files and clock."""

from __future__ import annotations

from dualdag.graph import is_due, next_due
from dualdag.planning._due import due_artifacts, upcoming
from dualdag.planning._files import FileView, MissingFileError
from dualdag.planning._own import own_part
from dualdag.planning._plan import ACTIONS, Plan, PlanNode
from dualdag.planning._planner import plan_graph
from dualdag.planning._traces import effective_key

__all__ = [
    "ACTIONS",
    "FileView",
    "MissingFileError",
    "Plan",
    "PlanNode",
    "due_artifacts",
    "effective_key",
    "is_due",
    "next_due",
    "own_part",
    "plan_graph",
    "upcoming",
]
