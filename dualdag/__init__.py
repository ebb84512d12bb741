"""dualdag: pandas chains and plain functions as one content-hashed graph, run on any engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Names are loaded at first use, so that `import dualdag` costs little and loads no engine.
_HOMES = {
    "Artifact": "dualdag.store",
    "File": "dualdag.store",
    "Node": "dualdag.graph",
    "Plan": "dualdag.planning",
    "Store": "dualdag.store",
    "Task": "dualdag.graph",
    "configure": "dualdag.config",
    "diff": "dualdag._api",
    "file": "dualdag.graph",
    "files": "dualdag.graph",
    "load": "dualdag._api",
    "param": "dualdag.graph",
    "params": "dualdag.graph",
    "plan": "dualdag._api",
    "register": "dualdag._api",
    "run": "dualdag._api",
    "shutdown": "dualdag._api",
    "store": "dualdag.store",
    "task": "dualdag.graph",
    "to_dask": "dualdag._api",
    "to_ray": "dualdag._api",
    "value": "dualdag.graph",
    "why": "dualdag._api",
    "ArtifactNotFoundError": "dualdag.errors",
    "BackendError": "dualdag.errors",
    "BackendNotInstalledError": "dualdag.errors",
    "CodecError": "dualdag.errors",
    "ConfigError": "dualdag.errors",
    "CorruptObjectError": "dualdag.errors",
    "DualdagError": "dualdag.errors",
    "FingerprintError": "dualdag.errors",
    "GraphError": "dualdag.errors",
    "StoreError": "dualdag.errors",
    "TaskError": "dualdag.errors",
    "TaskTimeoutError": "dualdag.errors",
    "UntrustedRecordError": "dualdag.errors",
    "WorkerLostError": "dualdag.errors",
}

__all__ = [
    "Artifact",
    "ArtifactNotFoundError",
    "BackendError",
    "BackendNotInstalledError",
    "CodecError",
    "ConfigError",
    "CorruptObjectError",
    "DualdagError",
    "File",
    "FingerprintError",
    "GraphError",
    "Node",
    "Plan",
    "Store",
    "StoreError",
    "Task",
    "TaskError",
    "TaskTimeoutError",
    "UntrustedRecordError",
    "WorkerLostError",
    "__version__",
    "configure",
    "diff",
    "file",
    "files",
    "load",
    "param",
    "params",
    "plan",
    "register",
    "run",
    "shutdown",
    "store",
    "task",
    "to_dask",
    "to_ray",
    "value",
    "why",
]

if TYPE_CHECKING:
    from dualdag._api import diff, load, plan, register, run, shutdown, to_dask, to_ray, why
    from dualdag.config import configure
    from dualdag.errors import (
        ArtifactNotFoundError,
        BackendError,
        BackendNotInstalledError,
        CodecError,
        ConfigError,
        CorruptObjectError,
        DualdagError,
        FingerprintError,
        GraphError,
        StoreError,
        TaskError,
        TaskTimeoutError,
        UntrustedRecordError,
        WorkerLostError,
    )
    from dualdag.graph import Node, Task, file, files, param, params, task, value
    from dualdag.planning import Plan
    from dualdag.store import Artifact, File, Store, store


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        home = import_module(_HOMES[name])
        if name == "store":  # the room `dualdag.store` and the call `dag.store()` share one name
            return home
        found = getattr(home, name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'dualdag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
