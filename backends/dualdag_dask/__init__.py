"""Dask as an engine of dualdag: `backend="dask"`, and `to_dask`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.execution import Backend

__all__ = ["backend", "to_dask"]


def backend(url: Any = "dask", *, workers: int = 0, options: Mapping[str, Any] | None = None) -> Backend:
    """Return the backend of a Dask cluster, or of one of Dask's own schedulers.

    Parameters
    ----------
    url : str or distributed.Client
        ``"dask"`` for the process's client, else the scheduler that ``DASK_SCHEDULER_ADDRESS`` names,
        else a cluster of processes that is started here; ``"dask://host:8786"``, ``"tls://host:8786"``;
        ``"dask://threads"`` or ``"dask://sync"``; or a client.
    workers : int
        Workers of what is started here; 0 for one per processor.
    options : mapping, optional
        For `distributed.Client` (``security``) or, where one is started, `distributed.LocalCluster`.

    Examples
    --------
    >>> backend("dask://sync").name
    'dask'
    """
    _installed(url)
    if url in ("dask://threads", "dask://sync"):
        from dualdag_dask._schedulers import SchedulerBackend

        return SchedulerBackend(url, workers=workers, options=options)
    from dualdag_dask._backend import DaskBackend

    return DaskBackend(url, workers=workers, options=options)


def _installed(url: Any) -> None:
    """Raise BackendNotInstalledError where Dask, or the part of it that is asked for, is missing.

    Nothing is imported: where nothing is to do, that would take the most time of all.
    """
    for name in ("dask",) if url in ("dask://threads", "dask://sync") else ("dask", "distributed"):
        if find_spec(name) is None:
            from dualdag.errors import BackendNotInstalledError

            raise BackendNotInstalledError(
                f'backend {url!r} needs {name}, which is not installed: pip install "dualdag[dask]"'
            )


def to_dask(x: Any) -> Any:
    """Return nodes as Delayed objects, with one Dask task per node.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.

    Returns
    -------
    Delayed, or the same container of Delayed
        Composable with other Dask code; nothing is looked up in a store, and nothing kept.
    """
    from dualdag_dask._delayed import to_dask as made

    return made(x)
