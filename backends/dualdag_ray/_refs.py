"""ObjectRefs of a graph's values, for the user's own Ray code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.config import settings
from dualdag.execution import Handle, RunInfo, get_backend
from dualdag.graph import map_nodes, nodes_in
from dualdag_ray._backend import RayBackend
from dualdag_ray._session import RaySession

if TYPE_CHECKING:
    from collections.abc import Callable

    from dualdag.store import Store

__all__ = ["to_refs"]


class _RefSession(RaySession):
    """Hands out where stored values are, in place of the values.

    What has no checksum is fetched as ever, since it may be meant for the store; where it came from is kept.
    """

    shares = False
    load: Callable[[Store, bytes, str], Any]
    origins: dict[int, tuple[Any, Any]]

    def fetch(self, handle: Handle) -> Any:
        found = self.ref(handle)
        if handle.checksum is not None:
            return self.load(self._store, handle.checksum, handle.codec) if found is None else found
        value = super().fetch(handle)
        if found is not None:
            self.origins[id(value)] = value, found
        return value


class _RefBackend:
    """The backend with sessions that hand out ObjectRefs."""

    name = "ray"

    def __init__(self, backend: RayBackend) -> None:
        self._backend = backend
        self.origins: dict[int, tuple[Any, Any]] = {}

    def open(self, run: RunInfo) -> RaySession:
        session = self._backend.open(run, _RefSession)
        assert isinstance(session, _RefSession)  # noqa: S101 - asked for in the line above
        session.load, session.origins = self._backend.load, self.origins
        return session

    def close(self) -> None:
        """Leave the backend open: it is shared."""

    def ref_of(self, value: Any) -> Any:
        import ray

        if isinstance(value, ray.ObjectRef):
            return value
        value, found = self.origins.get(id(value), (value, None))
        return self._backend.put(value) if found is None else found


def to_refs(x: Any, **options: Any) -> Any:
    """Run what is needed and return ObjectRefs, in the same container.

    Parameters
    ----------
    x : Node, or container of nodes
        What is wanted.
    **options
        As for `dualdag.run`.
    """
    import dualdag

    asked = options.pop("backend", None)
    asked = settings().backend if asked is None else asked
    name = asked if isinstance(asked, str) and asked.partition("://")[0] == "ray" else "ray"
    chosen = settings(workers=options.get("workers"), backend_options=options.get("backend_options"))
    found: Any = get_backend(name, workers=chosen.workers, options=chosen.backend_options)
    backend = _RefBackend(found)
    nodes = nodes_in(x) or [x]
    values = dualdag.run(nodes, backend=backend, **options)
    refs: dict[Any, Any] = {}
    for node, value in zip(nodes, values, strict=True):
        if node._key not in refs:
            refs[node._key] = backend.ref_of(value)
    return map_nodes(x, lambda node: refs[node._key])
