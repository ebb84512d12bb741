"""What users call: run, plan, load, register, shutdown."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast, overload

from dualdag.config import Settings, settings, user_cache_folder
from dualdag.errors import GraphError
from dualdag.graph import (
    Graph,
    Node,
    artifact_made_here,
    check_fingerprints,
    compile_graph,
    map_nodes,
    nodes_in,
    outside_tasks,
)

if TYPE_CHECKING:
    from dualdag.execution import Listener, RunResult
    from dualdag.explaining import Diff, Why
    from dualdag.planning import FileView, Plan
    from dualdag.store._keys import Secret

__all__ = ["diff", "load", "plan", "register", "run", "run_result", "shutdown", "to_dask", "to_ray", "why"]

R = TypeVar("R")
Refresh = str | Node[Any] | Iterable[str | Node[Any]]


class RunOptions(TypedDict, total=False):
    """Keyword arguments of `run`."""

    backend: Any
    store: Any
    refresh: Refresh | None
    keep_going: bool
    workers: int | None
    progress: str | None
    now: datetime | None
    durable: bool | None
    secret: Secret | None
    trust: str | None
    payload: str | None
    backend_options: Mapping[str, Any] | None


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
    chosen = _settings(options)
    graph = _compiled(x, "dag.run")
    from dualdag import execution, report
    from dualdag.store import open_with

    with closing(open_with(chosen)) as opened, report.progress(chosen.progress) as shown:
        return execution.run_graph(
            graph,
            store=opened,
            backend=execution.get_backend(chosen.backend, workers=chosen.workers, options=chosen.backend_options),
            files=_files(chosen),
            refresh=_refresh(refresh),
            keep_going=keep_going,
            run_info=run_info or {"program": Path(sys.argv[0]).name if sys.argv else ""},
            now=_clock(chosen),
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
    chosen = _settings({"store": store, "now": now})
    graph = _compiled(x, "dag.plan")
    from dualdag import planning
    from dualdag.store import open_with

    files = _files(chosen)
    files.scan(graph)
    with closing(open_with(chosen)) as opened:
        return planning.plan_graph(graph, store=opened, files=files, refresh=_refresh(refresh), now=_clock(chosen))


def why(
    node_or_name: Any,
    store: Any = None,
    *,
    refresh: Refresh | None = (),
    now: datetime | None = None,
) -> Why:
    """Say why a node would run, or would not: what changed since its last version.

    Input files that were touched are read, unless there are more than 100 MB of them; nothing is run.

    Parameters
    ----------
    node_or_name : Node or str
        A node; or the name of an artifact that was made in this process and is still held.
    store : str or path, optional
        Where results live.
    refresh : str, Node, or several of them
        As for `run`.
    now : datetime, optional
        The clock, for cadences.

    Returns
    -------
    Why
        ``print(why)`` says it; ``why.causes`` is empty where nothing would run.

    Raises
    ------
    GraphError
        For a name that no artifact has here.
    StoreError
        When the store can't be read.

    Examples
    --------
    >>> import dualdag as dag
    >>> add = dag.task(lambda x, y: x + y)
    >>> one = add(1, 2).artifact("total").compute(store="memory://docs-why")
    >>> two = add(1, 3).artifact("total")
    >>> for cause in dag.why(two, store="memory://docs-why").causes:
    ...     print(cause.text, cause.was, cause.now)
    argument y of total changed 2 3
    """
    outside_tasks("dag.why")
    chosen = _settings({"store": store, "now": now})
    node, name = _asked_about(node_or_name)
    graph = _compiled(node, "dag.why")
    from dualdag import explaining, planning
    from dualdag.store import open_with

    files = _files(chosen)
    files.scan(graph)
    with closing(open_with(chosen)) as opened:

        def planned() -> Plan:
            return planning.plan_graph(graph, store=opened, files=files, refresh=_refresh(refresh), now=_clock(chosen))

        made = planned()
        while explaining.read_cheap_files(made, files):
            made = planned()
        position = graph.index[node._key]
        return explaining.explain(made, position, name or graph.label(position), store=opened, files=files)


def _asked_about(node_or_name: Any) -> tuple[Node[Any], str]:
    """Return the node that is meant, and its name if that was given."""
    if not isinstance(node_or_name, str):
        found = nodes_in(node_or_name)
        if len(found) != 1:
            raise GraphError(f"dag.why takes one node or the name of an artifact, not {node_or_name!r}.")
        return found[0], ""
    made = artifact_made_here(node_or_name)
    if made is None:
        raise GraphError(
            f"no artifact {node_or_name!r} was made in this process, or nothing holds it any more: give dag.why the "
            f"node, or type: dualdag why FLOW {node_or_name}"
        )
    return made, node_or_name


def load(name: str, version: int | None = None, store: Any = None) -> Any:
    """Return an artifact's value by its name, without the code that made it.

    Parameters
    ----------
    name : str
        The artifact.
    version : int, optional
        Which version; the newest by default.
    store : str or path, optional
        Where results live.

    Returns
    -------
    object
        The value; yours to change.

    Raises
    ------
    ArtifactNotFoundError
        When there is no such artifact or version; it names the nearest.
    CorruptObjectError
        When what is stored is damaged.
    UntrustedRecordError
        When it is unsigned or altered, and a secret is set.

    Examples
    --------
    >>> import dualdag as dag
    >>> add = dag.task(lambda x, y: x + y)
    >>> dag.run(add(1, 2).artifact("sum"), store="memory://docs-load")
    3
    >>> dag.load("sum", store="memory://docs-load")
    3
    """
    from dualdag.store import open_with

    opened = open_with(_settings({"store": store}))
    found = opened.version(name, version)
    return opened.load(found.checksum, found.codec)


def diff(name: str, v1: int, v2: int | None = None, store: Any = None, *, key: str | Iterable[str] = ()) -> Diff:
    """Say how two versions of an artifact differ, in value and in what they were made of.

    Parameters
    ----------
    name : str
        The artifact.
    v1, v2 : int
        Numbers of the older and the newer version; by default the newest.
    store : str or path, optional
        Where results live.
    key : str or iterable of str
        Of frames: the columns that tell which row is which.  By default an index that is no count of
        rows, else the first column whose values are all different, else the position.

    Returns
    -------
    Diff
        ``print(diff)`` says it; ``diff.value`` tells of the values, ``diff.changes`` of the rest.

    Raises
    ------
    ArtifactNotFoundError
        When there is no such artifact or version; it names the nearest.
    ConfigError
        For a key that is no column of both.

    Examples
    --------
    >>> import dualdag as dag
    >>> double = dag.task(lambda x: {"x": x, "twice": 2 * x})
    >>> for x in (1, 2):
    ...     made = double(x).artifact("double").compute(store="memory://docs-diff")
    >>> dag.diff("double", 1, 2, store="memory://docs-diff").value.lines
    ("['x']: 1 -> 2", "['twice']: 2 -> 4")
    """
    from dualdag.explaining import diff_versions
    from dualdag.store import open_with

    with closing(open_with(_settings({"store": store}))) as opened:
        columns = (key,) if isinstance(key, str) else tuple(key)
        return diff_versions(opened, opened.version(name, v1), opened.version(name, v2), columns)


def register(
    cls: type,
    *,
    digest: Callable[[Any], bytes | str] | None = None,
    codec: tuple[Callable[[Any], bytes], Callable[[bytes], Any]] | None = None,
    safe: bool = False,
) -> None:
    """Teach hashing and storing a foreign class.

    Parameters
    ----------
    cls : type
        The class; its subclasses are meant too.
    digest : callable, optional
        Takes an instance, returns bytes or text that are equal for equal content.
    codec : pair of callables, optional
        ``(encode, decode)``: instance to bytes, and back.
    safe : bool
        Whether `decode` runs no code that the bytes choose; only then is it used with ``payload="safe"``.

    Raises
    ------
    FingerprintError, CodecError
        For a class whose digest and codec are fixed, such as `list`.

    Examples
    --------
    >>> import dualdag as dag
    >>> class Ruler:
    ...     def __init__(self, cm):
    ...         self.cm = cm
    >>> codec = (lambda ruler: str(ruler.cm).encode(), lambda data: Ruler(int(data)))
    >>> dag.register(Ruler, digest=lambda ruler: str(ruler.cm), codec=codec)
    >>> dag.value(Ruler(30)) == dag.value(Ruler(30))
    True
    """
    if digest is not None:
        from dualdag.hashing import register as register_digest

        register_digest(cls, digest=digest)
    if codec is not None:
        from dualdag.store import register_codec_for

        register_codec_for(cls, *codec, safe=safe)


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


def _settings(options: Mapping[str, Any]) -> Settings:
    return settings(**options)


def _clock(chosen: Settings) -> datetime:
    return chosen.now if chosen.now is not None else datetime.now(UTC)


def _refresh(refresh: Refresh | None) -> tuple[str | Node[Any], ...]:
    if refresh is None:
        return ()
    alone = isinstance(refresh, str) or hasattr(type(refresh), "__dualdag_node__")
    if not alone and not isinstance(refresh, Iterable):
        raise GraphError(f"refresh takes names, nodes and 'all', not {refresh!r}.")
    many = cast("Iterable[Any]", (refresh,) if alone else refresh)
    # A frame stands for its node; what is neither name nor node is told of where names are looked up.
    return tuple(one.__dualdag_node__() if hasattr(type(one), "__dualdag_node__") else one for one in many)


def _compiled(x: object, what: str) -> Graph:
    targets = nodes_in(x)
    if not targets and (x or not isinstance(x, (list, tuple, dict, set, frozenset))):
        raise GraphError(
            f"{what} found no node in what it was given, a {type(x).__name__}: pass a node, or a container of nodes."
        )
    graph = compile_graph(targets)
    check_fingerprints(graph)
    return graph


def _files(chosen: Settings) -> FileView:
    from dualdag.hashing import DigestCache
    from dualdag.planning import FileView
    from dualdag.store._bounds import leads_out

    beside = Path(chosen.store) / "cache" / "files.sqlite"
    # With a secret, what others can write must not say which files are as they were.
    if "://" in chosen.store or chosen.secret is not None or leads_out(chosen.store, str(beside)):
        folder = user_cache_folder() / hashlib.blake2b(chosen.store.encode(), digest_size=8).hexdigest()
        return FileView(DigestCache(folder / "files.sqlite"))
    return FileView(DigestCache(beside))
