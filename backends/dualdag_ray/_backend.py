"""The backend: connects when a run needs it, and looks at what it connected to."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.errors import BackendError
from dualdag.execution import Packer, Place, RunInfo, on_this_machine, shared_with_processes
from dualdag_ray._connection import Connection, connect, engine
from dualdag_ray._lines import lines
from dualdag_ray._remote import carry_out, load_stored, look_around
from dualdag_ray._session import RaySession
from dualdag_ray._shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.store import Store

__all__ = ["RayBackend"]

#: Seconds in which the workers of a cluster that was there already have to say what they are.
PATIENCE = 60.0


class RayBackend:
    """Runs jobs as Ray tasks.

    Parameters
    ----------
    url : str
        ``"ray"`` or ``"ray://host:10001"``.
    workers : int
        Processors of a local cluster that is started here.
    options : mapping
        For ``ray.init``.
    """

    def __init__(self, url: Any = "ray", *, workers: int = 0, options: Mapping[str, Any] | None = None) -> None:
        self.name = "ray"
        # A connected Ray Client is taken as what this process is connected to.
        self._url = url if isinstance(url, str) else "ray"
        self._workers = workers
        self._settings = dict(options or {})
        self._connection: Connection | None = None
        self._functions: tuple[Any, Any] = (None, None)
        self._shared: dict[str, bool] = {}

    def open(self, run: RunInfo, kind: type[RaySession] = RaySession) -> RaySession:
        """Begin a run.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        kind : type
            Class of the session.
        """
        connection = self._connect()
        alive = _alive()
        nodes = [node["Resources"] for node in alive]
        where = self._where()
        for resources, asker in run.demands():
            shape_of(resources).check(nodes, where, asker)
        slots = max(1, int(sum(node.get("CPU", 0) for node in nodes)))
        near = connection.started or _is_near(connection, alive)
        publishes = self._publishes(run.store, near=near, where=connection.address)
        local = near and on_this_machine(run.store.url)
        place = Place(
            run.store, local, str(Path.cwd()) if near else "", tuple(sys.path) if near else (), private=False,
            reach=publishes, environments=False,
        )  # fmt: skip
        return kind(
            run.store, Packer(place), self._functions[0],
            slots=slots, publishes=publishes, where=where, nodes=len(nodes),
        )  # fmt: skip

    def load(self, store: Store, checksum: bytes, codec: str) -> Any:
        """Return an ObjectRef of a stored value, loaded by a worker where one reaches the store.

        Parameters
        ----------
        store : Store
            Where it is.
        checksum : bytes
            Which.
        codec : str
            How it is decoded.
        """
        connection = self._connect()
        ray = engine()

        near = connection.started or _is_near(connection, _alive())
        if self._publishes(store, near=near, where=connection.address):
            return self._functions[1].remote(store, checksum, codec)
        return ray.put(store.load(checksum, codec))

    def put(self, value: Any) -> Any:
        """Return an ObjectRef of a value of this process.

        Parameters
        ----------
        value : object
            What is to be put into the object store.
        """
        self._connect()
        ray = engine()

        return ray.put(value)

    def close(self) -> None:
        """End the connection or cluster that was begun here."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> Connection:
        if self._connection is None or not self._connection.open:
            self.close()
            self._connection = connect(self._url, self._workers, self._settings)
            self._shared.clear()
            ray = engine()

            # One remote function for all jobs: each new one costs more than the jobs of a small plan.
            self._functions = (ray.remote(carry_out), ray.remote(num_cpus=0)(load_stored))
            if not self._connection.started:
                try:
                    self._greet("")
                except BackendError:
                    # The next run is told the same.
                    self.close()
                    raise
        return self._connection

    def _where(self) -> str:
        return f"the Ray cluster ({self._connection.address if self._connection else self._url})"

    def _greet(self, marker: str) -> bool:
        """Ask a worker on each node what it is; return whether all see the driver's file."""
        ray = engine()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        import dualdag

        look = ray.remote(num_cpus=0, max_retries=0)(look_around)
        alive = [node["NodeID"] for node in _alive() if node["Resources"].get("CPU", 0) >= 1]
        try:
            refs = [
                look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(marker)
                for node in alive
            ]
            told = ray.get(refs, timeout=PATIENCE)
        except Exception as error:
            raise BackendError(
                f"the workers of {self._where()} can't run dualdag ({type(error).__name__}: {lines(error)[-1]}): "
                f'install the same there as here: pip install "dualdag[ray]=={dualdag.__version__}"'
            ) from error
        others = sorted({version for version, _ in told} - {dualdag.__version__})
        if others:
            raise BackendError(
                f"this is dualdag {dualdag.__version__}, and workers of {self._where()} have {', '.join(others)}: "
                f'pip install "dualdag[ray]=={dualdag.__version__}" there, or theirs here.'
            )
        return all(seen for _, seen in told)

    def _publishes(self, store: Store, *, near: bool, where: str) -> bool:
        """Return whether workers reach the store: a folder of this machine may be nowhere else."""
        url = store.url
        if not shared_with_processes(url):
            return False
        if near or not on_this_machine(url):
            return True
        found = self._shared.get(url)
        if found is None:
            folder = url.partition("://")[2] or url
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".seen-") as marker:
                found = self._shared[url] = self._greet(marker.name)
        return found


def _alive() -> list[dict[str, Any]]:
    return [node for node in engine().nodes() if node["Alive"]]


def _is_near(connection: Connection, alive: list[dict[str, Any]]) -> bool:
    """Return whether every node of the cluster that is alive is this machine."""
    if connection.client:
        return False
    ray = engine()
    here = {ray.util.get_node_ip_address(), "127.0.0.1"}
    return all(node["NodeManagerAddress"] in here for node in alive)
