"""Ray for dualdag: plans as Ray tasks, values in Ray's object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.execution import Backend

__all__ = ["backend", "to_ray", "workflow_backend"]


def backend(url: Any = "ray", *, workers: int = 0, options: Mapping[str, Any] | None = None) -> Backend:
    """Return the backend that runs jobs as Ray tasks; it connects when a run needs it.

    Parameters
    ----------
    url : str
        ``"ray"``: the cluster that this process is connected to, else ``RAY_ADDRESS``, else a new
        local one; ``"ray://host:10001"``: a cluster through Ray Client.
    workers : int
        Processors of a new local cluster; 0 for those of the machine.
    options : mapping, optional
        Passed to ``ray.init``.
    """
    _installed()
    from dualdag_ray._backend import RayBackend

    return RayBackend(url, workers=workers, options=options)


def workflow_backend(
    url: Any = "ray-workflow", *, workers: int = 0, options: Mapping[str, Any] | None = None
) -> Backend:
    """Return the backend that runs a plan as a Ray workflow.

    Parameters
    ----------
    url : str
        ``"ray-workflow"``.
    workers : int
        Processors of a new local cluster.
    options : mapping, optional
        Passed to ``ray.init``.
    """
    from dualdag_ray._workflow import WorkflowBackend

    made: Backend = WorkflowBackend(url, workers=workers, options=options)
    return made


def to_ray(x: Any, **options: Any) -> Any:
    """Run what is needed on Ray and return ObjectRefs of the values, in the same container.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.
    **options
        As for `dualdag.run`; ``backend`` may be a ``ray://`` URL.
    """
    _installed()
    from dualdag_ray._refs import to_refs

    return to_refs(x, **options)


def _installed() -> None:
    """Raise BackendNotInstalledError where there is no Ray, without importing it: that takes a second."""
    from importlib.util import find_spec

    if find_spec("ray") is None:
        from dualdag.errors import BackendNotInstalledError

        raise BackendNotInstalledError("backend 'ray' needs ray, which is not installed: pip install \"dualdag[ray]\"")
