"""The graph: nodes, tasks, inputs, and the walk over them.  Knows no engine and no store."""

from __future__ import annotations

from dualdag.graph._cadence import Cadence, parse_cadence, parse_duration
from dualdag.graph._compile import Graph, check_fingerprints, compile_graph, paused_collector
from dualdag.graph._containers import map_nodes, nodes_in
from dualdag.graph._cron import cron_fields
from dualdag.graph._due import comes_due, is_due, next_due
from dualdag.graph._names import validate_name
from dualdag.graph._node import ArtifactSpec, Extra, Node
from dualdag.graph._op import Op
from dualdag.graph._options import DEFAULTS
from dualdag.graph._scope import artifact_made_here, collect_artifacts, outside_tasks, running_task, task_scope
from dualdag.graph._site import Site, caller_site
from dualdag.graph._sources import Raw, asked_params, file, files, param, params, value
from dualdag.graph._task import Task, task

__all__ = [
    "DEFAULTS",
    "ArtifactSpec",
    "Cadence",
    "Extra",
    "Graph",
    "Node",
    "Op",
    "Raw",
    "Site",
    "Task",
    "artifact_made_here",
    "asked_params",
    "caller_site",
    "check_fingerprints",
    "collect_artifacts",
    "comes_due",
    "compile_graph",
    "cron_fields",
    "file",
    "files",
    "is_due",
    "map_nodes",
    "next_due",
    "nodes_in",
    "outside_tasks",
    "param",
    "params",
    "parse_cadence",
    "parse_duration",
    "paused_collector",
    "running_task",
    "task",
    "task_scope",
    "validate_name",
    "value",
]
