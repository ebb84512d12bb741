"""Which backends there are: names, read before anything of an engine is imported."""

from __future__ import annotations

import atexit
import re
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from dualdag.errors import BackendError, BackendNotInstalledError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.execution._protocol import Backend

__all__ = ["BACKENDS", "door", "get_backend", "shutdown"]


class _Place(NamedTuple):
    """Where a backend is made, and what to install where that is missing."""

    module: str
    factory: str
    hint: str = ""


_DASK = 'pip install "dualdag[dask]"'
_RAY = 'pip install "dualdag[ray]"'

#: Name or scheme -> where it is.  A factory takes the name or URL (or client), ``workers=`` and ``options=``.
BACKENDS: dict[str, _Place] = {
    "sync": _Place("dualdag.execution.embedded._sync", "SyncBackend"),
    "local": _Place("dualdag.execution.embedded._local", "LocalBackend"),
    "processes": _Place("dualdag.execution.embedded._processes", "ProcessesBackend"),
    "dask": _Place("dualdag_dask", "backend", _DASK),
    "ray": _Place("dualdag_ray", "backend", _RAY),
    "ray-workflow": _Place("dualdag_ray", "workflow_backend", 'pip install "dualdag[ray-workflow]"'),
}

#: Addresses as an engine writes them itself.
_SCHEMES = {"tcp": "dask", "tls": "dask"}

#: Engines whose clients are taken as they are: top-level module of the client's class -> name.
_CLIENTS = {"distributed": "dask", "dask": "dask", "ray": "ray"}

_lock = threading.Lock()
_open: dict[Any, Backend] = {}


def get_backend(backend: Any, *, workers: int = 0, options: Mapping[str, Any] | None = None) -> Backend:
    """Return the backend of a name, a URL or an engine's client; one per process and setting.

    Parameters
    ----------
    backend : str, client or Backend
        ``"sync"``, ``"local"``, ``"processes"``, ``"dask"``, ``"dask://host:8786"``, ``"ray"``,
        ``"ray://host:10001"``, a name that an installed package gives under the entry point group
        ``dualdag.backends``, or a client of an engine.
    workers : int
        Workers of the embedded backends; 0 for one per processor.
    options : mapping, optional
        Passed to the engine when dualdag starts it.

    Raises
    ------
    BackendError
        For a name that is none; it says the nearest.
    BackendNotInstalledError
        When the engine is not installed; it says the line that installs it.

    Examples
    --------
    >>> get_backend("sync").name
    'sync'
    """
    if not isinstance(backend, str):
        return _of_object(backend, workers, options)
    name = backend.partition("://")[0]
    key = (backend, workers, repr(sorted((options or {}).items(), key=str)))
    with _lock:
        found = _open.get(key)
        if found is None:
            factory = _factory(name, backend)
            made: Backend = factory(backend, workers=workers, options=options or {})
            found = _open[key] = made
    return found


def _of_object(backend: Any, workers: int, options: Mapping[str, Any] | None) -> Backend:
    if callable(getattr(backend, "open", None)) and isinstance(getattr(backend, "name", None), str):
        given: Backend = backend
        return given
    for kind in type(backend).__mro__:
        name = _CLIENTS.get(kind.__module__.partition(".")[0])
        if name is not None:
            with _lock:
                if id(backend) not in _open:
                    made: Backend = _factory(name, name)(backend, workers=workers, options=options or {})
                    _open[id(backend)] = made
                return _open[id(backend)]
    raise BackendError(
        f"backend={backend!r} is no backend: give a name such as 'local' or 'dask://host:8786', "
        "a distributed.Client, or a Backend."
    )


def _factory(name: str, asked: str) -> Any:
    place = BACKENDS.get(_SCHEMES.get(name, name))
    if place is None:
        return _from_entry_point(name, asked)
    if not place.hint and asked != name:
        raise BackendError(f"backend {name!r} runs tasks on this machine and takes no address: write {name!r}.")
    return getattr(door(_SCHEMES.get(name, name), asked), place.factory)


def door(name: str, asked: str = "") -> Any:
    """Return the module of a built-in backend, or say what to install.

    Parameters
    ----------
    name : str
        Of the backend.
    asked : str
        What the user wrote, for the message.
    """
    place = BACKENDS[name]
    try:
        return import_module(place.module)
    except ModuleNotFoundError as error:
        if not place.hint:
            raise
        raise BackendNotInstalledError(
            f"backend {asked or name!r} needs {error.name or place.module}, which is not installed: {place.hint}"
        ) from error


def _from_entry_point(name: str, asked: str) -> Any:
    from importlib.metadata import entry_points

    found = entry_points(group="dualdag.backends")
    for point in found:
        if point.name == name:
            try:
                return point.load()
            except ImportError as error:
                home = point.dist.name if point.dist is not None else point.value
                raise BackendNotInstalledError(
                    f"backend {asked!r} of {home} can't be loaded ({error}): pip install --upgrade {home}"
                ) from error
    known = {*BACKENDS, *(point.name for point in found)}
    meant = re.fullmatch(r"([A-Za-z-]+)(?::/?|//)([^/].*)", asked)
    if meant is not None and meant[1] in known:
        place = f"host:{meant[2]}" if meant[2].isdigit() else meant[2]
        raise BackendError(f"there is no backend {asked!r}: write {meant[1]}://{place}")
    raise BackendError(f"there is no backend {asked!r}.{did_you_mean(name, known)}")


def shutdown() -> None:
    """Close the pools and clusters that dualdag started in this process; also done at exit."""
    with _lock:
        backends = list(_open.values())
        _open.clear()
    for backend in backends:
        backend.close()


atexit.register(shutdown)
