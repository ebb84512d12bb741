"""What users call to plan and run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from dualdag._api._options import Refresh, RunOptions, as_refreshed, chosen_settings, clock_of, compiled, files_of
from dualdag.graph import Node, map_nodes, outside_tasks

if TYPE_CHECKING:
    from dualdag.execution import Listener, RunResult
    from dualdag.planning import Plan
    from dualdag.store._keys import Secret

__all__ = ["plan", "run", "run_result", "shutdown", "to_dask", "to_ray"]

R = TypeVar("R")


@overload
def run(x: Node[R], **options: Unpack[RunOptions]) -> R: ...
@overload
def run(x: Any, **options: Unpack[RunOptions]) -> Any: ...
def run(
    x: Any,
    *,
    backend: Any = None,
    store: Any = None,
    refresh: Refresh | None = (),
    keep_going: bool = False,
    workers: int | None = None,
    progress: str | None = None,
    now: datetime | None = None,
    durable: bool | None = None,
    secret: Secret | None = None,
    trust: str | None = None,
    payload: str | None = None,
    backend_options: Mapping[str, Any] | None = None,
) -> Any:
    """Run what is needed and return the values.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted; lists, tuples, dicts, sets and dataclass fields may hold nodes.
    backend : str or client, optional
        Name or URL of a backend, or a client of an engine.
    store : str or path, optional
        Where results live: any fsspec URL.
    refresh : str, Node, or several of them
        Names of artifacts or named nodes, or nodes, to run again whatever the store says; ``"all"``
        for every artifact that is neither manual nor frozen.
    keep_going : bool
        Whether to run everything that does not depend on a failure before telling of it.
    workers : int, optional
        Workers of the embedded backends; by default one per processor.
    progress : {"auto", "bar", "lines", "off"}, optional
        How progress is shown, on standard error.
    now : datetime, optional
        The clock of the run, for cadences and versions.
    durable : bool, optional
        Whether to fsync what is kept.
    secret : str, bytes, sequence of these, or callable, optional
        Signs records; one that is unsigned or altered is then not accepted.
    trust : {"unsigned", "sign", "require"}, optional
        Whether records are signed, and whether unsigned ones are accepted.
    payload : {"pickle", "safe"}, optional
        With ``"safe"``, nothing is stored or read as pickle.
    backend_options : mapping, optional
        Passed to the engine when dualdag starts it.

    Returns
    -------
    object
        The value of a node; or the same container with values in place of nodes.

    Raises
    ------
    Exception
        A failing task raises its own exception, with a note that names node, file and line.
    ExceptionGroup
        With ``keep_going=True``, of every failure.
    GraphError
        When the graph makes no sense, or no node is in `x`, unless that is an empty container.

    Examples
    --------
    >>> import dualdag as dag
    >>> add = dag.task(lambda x, y: x + y)
    >>> dag.run({"three": add(1, 2)}, store="memory://docs-run")
    {'three': 3}
    """
    result = run_result(
        x,
        refresh=refresh,
        keep_going=keep_going,
        backend=backend,
        store=store,
        workers=workers,
        progress=progress,
        now=now,
        durable=durable,
        secret=secret,
        trust=trust,
        payload=payload,
        backend_options=backend_options,
    )
    graph = result.plan.graph

    def value_of(node: Node[Any]) -> Any:
        return result.values[graph.index[node._key]]

    return map_nodes(x, value_of)


def run_result(
    x: Any,
    *,
    refresh: Refresh | None = (),
    keep_going: bool = False,
    want_values: bool = True,
    return_failures: bool = False,
    listeners: Iterable[Listener] = (),
    run_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> RunResult:
    """Run what is needed and return the values together with what was done.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.
    refresh, keep_going
        As for `run`.
    want_values : bool
        Whether to bring the values here, or only make sure that they are in the store.
    return_failures : bool
        With `keep_going`: whether the result tells of failures, in place of an exception.
    listeners : iterable of callable
        Told of each event too.
    run_info : mapping, optional
        Plain data for the journal: which flow, with what; by default which program.
    **options
        Settings, as for `run`.

    Returns
    -------
    RunResult
        Values by position, rows per artifact, the plan.
    """
    outside_tasks("dag.run")
    chosen = chosen_settings(options)
    graph = compiled(x, "dag.run")
    from dualdag import execution, report
    from dualdag.store import open_with

    with closing(open_with(chosen)) as opened, report.progress(chosen.progress) as shown:
        return execution.run_graph(
            graph,
            store=opened,
            backend=execution.get_backend(chosen.backend, workers=chosen.workers, options=chosen.backend_options),
            files=files_of(chosen),
            refresh=as_refreshed(refresh),
            keep_going=keep_going,
            run_info=run_info or {"program": Path(sys.argv[0]).name if sys.argv else ""},
            now=clock_of(chosen),
            listeners=[*shown, *listeners],
            want_values=want_values,
            return_failures=return_failures,
        )


def plan(
    x: Any,
    *,
    store: Any = None,
    refresh: Refresh | None = (),
    now: datetime | None = None,
) -> Plan:
    """Say what `run` would do, and why; run nothing.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.
    store : str or path, optional
        Where results live.
    refresh : str, Node, or several of them
        As for `run`.
    now : datetime, optional
        The clock, for cadences.

    Returns
    -------
    Plan
        ``print(plan)`` is a table; ``plan.counts`` and ``plan.nodes`` are its parts.

    Raises
    ------
    GraphError
        When the graph makes no sense, no node is in `x`, or `refresh` names nothing of it.
    StoreError
        When the store can't be read.

    Examples
    --------
    >>> import dualdag as dag
    >>> add = dag.task(lambda x, y: x + y)
    >>> dag.plan(add(add(1, 2), 3), store="memory://docs-plan").counts
    {'reuse': 0, 'run': 2, 'check': 0, 'pinned': 0}
    """
    outside_tasks("dag.plan")
    chosen = chosen_settings({"store": store, "now": now})
    graph = compiled(x, "dag.plan")
    from dualdag import planning
    from dualdag.store import open_with

    files = files_of(chosen)
    files.scan(graph)
    with closing(open_with(chosen)) as opened:
        return planning.plan_graph(
            graph, store=opened, files=files, refresh=as_refreshed(refresh), now=clock_of(chosen)
        )


def shutdown() -> None:
    """Close the clusters and pools that dualdag started; also done at exit.

    What was there before dualdag stays open, and the next run starts what it needs.

    Examples
    --------
    >>> import dualdag as dag
    >>> dag.shutdown()
    """
    from dualdag import execution

    execution.shutdown()


def to_dask(x: Any) -> Any:
    """Return nodes as Dask's Delayed objects, one Dask task per node, for use beside other Dask code.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.

    Returns
    -------
    Delayed, or the same container of Delayed
        Nothing is looked up in a store, and nothing kept.

    Raises
    ------
    BackendNotInstalledError
        When Dask is not installed; it says the line that installs it.
    GraphError
        When the graph makes no sense.

    Examples
    --------
    >>> import dualdag as dag
    >>> add = dag.task(lambda x, y: x + y)
    >>> dag.to_dask(add(add(1, 2), 3)).compute(scheduler="sync")  # doctest: +SKIP
    6
    """
    outside_tasks("dag.to_dask")
    from dualdag import execution

    return execution.door("dask").to_dask(x)


def to_ray(x: Any, **options: Unpack[RunOptions]) -> Any:
    """Run what is needed on Ray and return ObjectRefs of the values, for Ray code of your own.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.
    **options
        As for `run`; ``backend`` may be a ``ray://`` URL.

    Returns
    -------
    object
        The ObjectRef of a node's value; or the same container with ObjectRefs in place of nodes.

    Raises
    ------
    BackendNotInstalledError
        When Ray is not installed.
    Exception
        A failing task's own, as from `run`.

    Examples
    --------
    >>> import dualdag as dag
    >>> add = dag.task(lambda x, y: x + y)
    >>> ref = dag.to_ray(add(1, 2))  # doctest: +SKIP
    >>> ray.get(another_remote_function.remote(ref))  # doctest: +SKIP
    """
    outside_tasks("dag.to_ray")
    from dualdag import execution

    return execution.door("ray").to_ray(x, **options)
