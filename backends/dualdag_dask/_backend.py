"""Which cluster: one that is there, or one that is started here and closed again."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.config import cores, environment
from dualdag.execution import Place, RunInfo, check_environments, on_this_machine, shared_with_processes
from dualdag_dask._connect import connect, here, start
from dualdag_dask._resources import check_placement, check_resources
from dualdag_dask._session import DaskSession
from dualdag_dask._versions import check_workers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Connection", "DaskBackend"]


class Connection:
    """A client, what is known of its cluster, and the events that come from it.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    cluster : LocalCluster or None
        Where it was started here.
    ours : bool
        Whether the client was made here.
    """

    def __init__(self, client: Any, cluster: Any = None, *, ours: bool = False) -> None:
        self.client = client
        self.own = cluster is not None
        self.topic = f"dualdag-{uuid.uuid4().hex[:12]}"
        self.workers: dict[str, Any] = {}
        self._cluster = cluster
        self._ours = ours
        self._runs: dict[str, queue.SimpleQueue[tuple[int, bytes, list[int]]]] = {}
        self.near = True
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(getattr(self.client.scheduler, "address", None) or "?")

    @property
    def alive(self) -> bool:
        """Whether the client is connected."""
        return bool(self.client.status == "running")

    @property
    def slots(self) -> int:
        """How many tasks can run at the same time."""
        return sum(int(worker.get("nthreads") or 1) for worker in self.workers.values())

    def look(self, folder: str) -> bool:
        """Learn which workers there are, check new ones, and return whether all see `folder`.

        Parameters
        ----------
        folder : str
            Of the store, if it is one.
        """
        self.workers = dict(self.client.scheduler_info(n_workers=-1).get("workers", {}))
        if self.own or not self.workers:
            return True
        seen = check_workers(self.client, self.address, list(self.workers), folder)
        self.near = seen.near
        return seen.store

    def listen(self, run_id: str) -> queue.SimpleQueue[tuple[int, bytes, list[int]]]:
        """Return the queue to which a run's outcomes will come.

        Parameters
        ----------
        run_id : str
            The run.
        """
        told: queue.SimpleQueue[tuple[int, bytes, list[int]]] = queue.SimpleQueue()
        with self._lock:
            if not self._runs:
                self.client.subscribe_topic(self.topic, self._hear)
            self._runs[run_id] = told
        return told

    def _hear(self, event: tuple[float, Any]) -> None:
        run_id, number, data, sizes = event[1]
        told = self._runs.get(run_id)
        if told is not None:
            told.put((number, data, list(sizes)))

    def forget(self, run_id: str) -> None:
        """Take no more outcomes of a run.

        Parameters
        ----------
        run_id : str
            The run.
        """
        with self._lock:
            self._runs.pop(run_id, None)
            if not self._runs and self.alive:
                with suppress(Exception):
                    self.client.unsubscribe_topic(self.topic)

    def mend(self) -> None:
        """Replace workers of our own cluster that nobody starts again.

        A nanny gives up where its worker ends while it is being started, and with the last one the run would wait
        for ever; the cluster itself looks only after ``distributed.deploy.lost-worker-timeout``, and starts none.
        """
        cluster = self._cluster
        if cluster is not None and (len(cluster.workers) < len(cluster.worker_spec) or _given_up(cluster)):
            cluster.loop.add_callback(_start_again, cluster)

    def kill(self) -> None:
        """End the processes of a cluster that was started here, whatever they do; their nannies would wait."""
        for nanny in list(getattr(self._cluster, "workers", {}).values()):
            pid = getattr(nanny, "pid", None)
            if pid:
                nanny.auto_restart = False
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Close what was made here, and nothing else."""
        if self._ours:
            with suppress(Exception):
                self.client.close(timeout=5)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=10)
            here(None)


def _given_up(cluster: Any) -> list[Any]:
    ended = {"closed", "failed"}
    return [name for name, nanny in list(cluster.workers.items()) if nanny.status.name in ended]


def _start_again(cluster: Any) -> None:
    for name in _given_up(cluster):
        del cluster.workers[name]
    cluster.scale(len(cluster.worker_spec))


class DaskBackend:
    """Runs jobs on `dask.distributed`.

    Parameters
    ----------
    url : str or distributed.Client
        As for `dualdag_dask.backend`.
    workers : int
        Workers of what is started here.
    options : mapping, optional
        For the client, or for the cluster that is started.
    """

    def __init__(self, url: Any = "dask", *, workers: int = 0, options: Mapping[str, Any] | None = None) -> None:
        self.name = "dask"
        self.workers = workers or cores()
        self._url = url
        self._options = dict(options or {})
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def open(self, run: RunInfo) -> DaskSession:
        """Begin a run.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """
        with self._lock:
            connection = self._connect()
        url = run.store.url
        folder = url if "://" not in url else ""
        reach = connection.look(folder) and shared_with_processes(url)
        if run.resources:
            several = any(int(one.get("nthreads") or 1) > 1 for one in connection.workers.values())
            check_environments(run, self.name, threads=several)
            check_placement(run.demands(), connection.workers, connection.address)
            check_resources(run.demands(), connection.workers, connection.address, cores() if connection.own else 0)
        same = connection.own or connection.near
        place = Place(
            run.store,
            on_this_machine(url),
            str(Path.cwd()) if same else "",
            tuple(sys.path) if same else (),
            private=False,
            reach=reach,
        )
        return DaskSession(run, connection, place)

    def _connect(self) -> Connection:
        """Return the connection; what the user opened or closed since the last run counts."""
        if not isinstance(self._url, str):
            if self._connection is None:
                self._connection = Connection(self._url)
            return self._connection
        found = self._connection
        if self._url == "dask":
            from distributed import default_client

            try:
                current = default_client()  # type: ignore[no-untyped-call]
            except ValueError:
                current = None
            if current is not None and current.status == "running":
                if found is None or found.client is not current:
                    self.close()
                    found = self._connection = Connection(current)
                return found
        if found is not None and found.alive:
            return found
        self.close()
        address = self._url if self._url != "dask" else environment().get("DASK_SCHEDULER_ADDRESS", "")
        client, cluster = connect(address, self._options) if address else start(self.workers, self._options)
        self._connection = Connection(client, cluster, ours=True)
        return self._connection

    def close(self) -> None:
        """Close the client and the cluster that were made here."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
