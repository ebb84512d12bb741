"""What users ask of what was made: values by name, what changed since, how versions differ."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dualdag._api._options import Refresh, as_refreshed, chosen_settings, clock_of, compiled, files_of
from dualdag.errors import GraphError
from dualdag.graph import Node, artifact_made_here, nodes_in, outside_tasks

if TYPE_CHECKING:
    from dualdag.explaining import Diff, Why
    from dualdag.planning import Plan

__all__ = ["diff", "load", "why"]


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
    chosen = chosen_settings({"store": store, "now": now})
    node, name = _asked_about(node_or_name)
    graph = compiled(node, "dag.why")
    from dualdag import explaining, planning
    from dualdag.store import open_with

    files = files_of(chosen)
    files.scan(graph)
    with closing(open_with(chosen)) as opened:

        def planned() -> Plan:
            return planning.plan_graph(
                graph, store=opened, files=files, refresh=as_refreshed(refresh), now=clock_of(chosen)
            )

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

    opened = open_with(chosen_settings({"store": store}))
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

    with closing(open_with(chosen_settings({"store": store}))) as opened:
        columns = (key,) if isinstance(key, str) else tuple(key)
        return diff_versions(opened, opened.version(name, v1), opened.version(name, v2), columns)
