"""What the calls of users take, and what they make of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from dualdag.config import Settings, settings, user_cache_folder
from dualdag.errors import GraphError
from dualdag.graph import Graph, Node, check_fingerprints, compile_graph, nodes_in

if TYPE_CHECKING:
    from dualdag.planning import FileView
    from dualdag.store._keys import Secret

__all__ = ["Refresh", "RunOptions", "as_refreshed", "chosen_settings", "clock_of", "compiled", "files_of"]

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


def chosen_settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings, with what a call gives in place of what the environment says.

    Parameters
    ----------
    options : mapping
        As for `run`.
    """
    return settings(**options)


def clock_of(chosen: Settings) -> datetime:
    """Return the time that a call goes by.

    Parameters
    ----------
    chosen : Settings
        Of the call.
    """
    return chosen.now if chosen.now is not None else datetime.now(UTC)


def as_refreshed(refresh: Refresh | None) -> tuple[str | Node[Any], ...]:
    """Return what is to be made anew: names and nodes.

    Parameters
    ----------
    refresh : str, Node, several of them, or None
        As for `run`.
    """
    if refresh is None:
        return ()
    alone = isinstance(refresh, str) or hasattr(type(refresh), "__dualdag_node__")
    if not alone and not isinstance(refresh, Iterable):
        raise GraphError(f"refresh takes names, nodes and 'all', not {refresh!r}.")
    many = cast("Iterable[Any]", (refresh,) if alone else refresh)
    # A frame stands for its node; what is neither name nor node is told of where names are looked up.
    return tuple(one.__dualdag_node__() if hasattr(type(one), "__dualdag_node__") else one for one in many)


def compiled(x: object, what: str) -> Graph:
    """Return the graph of what a call was given.

    Parameters
    ----------
    x : object
        A node, or a container of nodes.
    what : str
        The call, for an error.
    """
    targets = nodes_in(x)
    if not targets and (x or not isinstance(x, (list, tuple, dict, set, frozenset))):
        raise GraphError(
            f"{what} found no node in what it was given, a {type(x).__name__}: pass a node, or a container of nodes."
        )
    graph = compile_graph(targets)
    check_fingerprints(graph)
    return graph


def files_of(chosen: Settings) -> FileView:
    """Return the view of input files that goes with a store.

    Parameters
    ----------
    chosen : Settings
        Of the call.
    """
    from dualdag.hashing import DigestCache
    from dualdag.planning import FileView
    from dualdag.store._bounds import leads_out

    beside = Path(chosen.store) / "cache" / "files.sqlite"
    # With a secret, what others can write must not say which files are as they were.
    if "://" in chosen.store or chosen.secret is not None or leads_out(chosen.store, str(beside)):
        folder = user_cache_folder() / hashlib.blake2b(chosen.store.encode(), digest_size=8).hexdigest()
        return FileView(DigestCache(folder / "files.sqlite"))
    return FileView(DigestCache(beside))
