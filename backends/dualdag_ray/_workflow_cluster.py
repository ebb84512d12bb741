"""The cluster that runs workflows: found, started or joined, and asked by way of `ray.workflow`."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.errors import BackendError, BackendNotInstalledError
from dualdag.execution import Place, inner_environment, on_this_machine, shared_with_processes
from dualdag_ray._connection import init

if TYPE_CHECKING:
    from dualdag.store import Store

__all__ = ["Cluster", "require_workflows"]

_PIP = 'pip install "dualdag[ray-workflow]"'
_LAST = (2, 47)
#: Seconds in which a cluster has to answer, and a cancelled workflow to end.
_ANSWER, _END = 5.0, 5.0


def require_workflows(url: str) -> None:
    """Tell at once, and without importing Ray, whether it has workflows.

    Parameters
    ----------
    url : str
        What was asked for, for the message.
    """
    try:
        found = version("ray")
    except PackageNotFoundError:
        raise BackendNotInstalledError(f"backend {url!r} needs ray, which is not installed: {_PIP}") from None
    numbers = re.match(r"(\d+)\.(\d+)", found)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) > _LAST:
        raise BackendError(
            f"backend {url!r} needs Ray Workflows, which Ray had up to 2.47; this is Ray {found}. "
            f"{_PIP} in an environment of its own, or use backend='ray': with a store, its runs are taken up "
            "again after a crash too."
        )


def _ray(module: str = "ray") -> Any:
    """Return a module of Ray: loaded at first need, and without types, which differ from release to release."""
    return import_module(module)


class Cluster:
    """One Ray, of which only what was started here is ever ended.

    Parameters
    ----------
    url : str
        ``ray-workflow`` or ``ray-workflow://host:port``.
    workers : int
        Processes of a Ray that is started here; 0 for one per processor.
    options : dict
        Passed to ``ray.init``.
    """

    def __init__(self, url: str, workers: int, options: dict[str, Any]) -> None:
        self._url = url
        self._address = url.partition("://")[2]
        self._workers = workers
        self._options = options
        self._lock = threading.Lock()
        self._ours = self._joined = False
        self._folder = ""
        self._remote: dict[Callable[..., Any], Any] = {}
        self._roots: dict[str, Any] = {}
        self._probed: set[str] = set()

    def open(self, store: Store) -> None:
        """Make sure that the cluster is there, and that its workers reach the store.

        Parameters
        ----------
        store : Store
            Of the run that begins.
        """
        if not shared_with_processes(store.url):
            raise BackendError(
                f"the store {store.url!r} is in this process's memory, and backend 'ray-workflow' passes values "
                "through the store: give one that workers reach, such as store='./store' or 's3://bucket/team'."
            )
        with self._lock:
            self._connect()
        if not self.local and on_this_machine(store.url) and store.url not in self._probed:
            self._probe(store)
            self._probed.add(store.url)

    def _connect(self) -> None:
        ray = _ray()

        if ray.is_initialized():
            if not (self._ours or self._joined):
                self._check_open()
        elif self._address:
            self._join()
        else:
            self._begin()
        self._manage()
        total = ray.cluster_resources()
        self.resources: Mapping[str, float] = total
        self.slots = max(1, int(total.get("CPU", 1)))
        here = ray.util.get_node_ip_address()
        self.local = self._ours or all(node["NodeManagerAddress"] == here for node in ray.nodes() if node["Alive"])

    def _manage(self) -> None:
        """Have the actor that manages workflows; one whose process was lost is made again."""
        lost = _ray("ray.exceptions").RayActorError
        for left in (2, 1, 0):
            try:
                with _quiet():
                    _ray("ray.workflow").init()
            except lost as error:
                if left:
                    continue
                raise BackendError(
                    f"Ray's manager of workflows does not stay alive ({error}): see Ray's logs, or use backend='ray'."
                ) from error
            return

    def _begin(self) -> None:
        """Start a Ray on this machine, with a storage for the workflows that ends with it."""
        given: dict[str, Any] = {
            "num_cpus": self._workers or None,
            "include_dashboard": False,
            "log_to_driver": False,
            "logging_level": logging.ERROR,
            "configure_logging": False,
            "runtime_env": {"env_vars": inner_environment(self._workers) | {"PYTHONPATH": os.pathsep.join(sys.path)}},
        } | self._options
        if "storage" not in given:
            # Whoever can write there has their pickles loaded, so no folder that others share.
            self._folder = tempfile.mkdtemp(prefix="dualdag-workflows-")
            given["storage"] = Path(self._folder).as_uri()
        with _quiet():
            init(address="local", **given)
        self._ours = True

    def _join(self) -> None:
        host, _, port = self._address.rpartition(":")
        if self._address != "auto":
            try:
                socket.create_connection((host, int(port)), _ANSWER).close()
            except (OSError, ValueError) as error:
                raise BackendError(
                    f"no Ray answers at {self._address!r} ({error}): give the address that `ray start --head` "
                    "told, as ray-workflow://host:port."
                ) from error
        with _quiet():
            try:
                init(
                    address=self._address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False,
                    **self._options,
                )  # fmt: skip
            except (ConnectionError, RuntimeError) as error:
                raise BackendError(f"the Ray at {self._address!r} can't be joined: {error}") from error
        self._joined = True
        self._check_open()

    def _check_open(self) -> None:
        storage = _ray("ray._private.storage")

        if storage._get_storage_uri() is None:
            if self._joined:
                self.close()
            raise BackendError(
                "this Ray has no storage for workflows: start it with `ray start --head --storage=URI` (or "
                "ray.init(storage=URI)), or let backend='ray-workflow' start one of its own."
            )

    def _probe(self, store: Store) -> None:
        """Look from each node for an object that was stored here."""
        ray, on = _ray(), _ray("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy

        saved = store.save("looked for from each node")
        nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        asked = {
            ray.remote(_sees)
            .options(num_cpus=0, scheduling_strategy=on(node, soft=False))
            .remote(store, saved.checksum): where
            for node, where in nodes.items()
        }
        for ref, where in asked.items():
            if not ray.get(ref, timeout=60):
                raise BackendError(
                    f"the store {store.url!r} is not the same folder on node {where}: give a store that all nodes "
                    "reach, such as a shared folder or s3://bucket/team."
                )

    def place(self, store: Store) -> Place:
        """Return what workers are told of a run.

        Parameters
        ----------
        store : Store
            Of the run.
        """
        if self.local:
            return Place(store, on_this_machine(store.url), str(Path.cwd()), tuple(sys.path))
        return Place(store, on_this_machine(store.url))

    def check(self, resources: Mapping[str, Any], asker: str) -> None:
        """Refuse what no cluster of this size ever starts.

        Parameters
        ----------
        resources : mapping
            What a job asks for.
        asker : str
            The node that asks.
        """
        asked = _options_of(resources)
        wanted = {"CPU": asked.get("num_cpus", 1), "GPU": asked.get("num_gpus", 0), "memory": asked.get("memory", 0)}
        for name, amount in (wanted | dict(asked.get("resources", {}))).items():
            if amount > self.resources.get(name, 0):
                raise BackendError(
                    f"{asker} asks for {name}={amount:g}, and this Ray has {name}={self.resources.get(name, 0):g}: "
                    "ask for less with .options(...), or run it where there is enough."
                )

    def task(self, fn: Callable[..., Any], name: str, resources: Mapping[str, Any], retries: int) -> Any:
        """Return a workflow task of a function, to be bound to its arguments."""
        ray, workflow = _ray(), _ray("ray.workflow")

        remote = self._remote.get(fn)
        if remote is None:
            remote = self._remote[fn] = ray.remote(fn)
        return remote.options(max_retries=retries, **_options_of(resources), **workflow.options(task_id=name))

    def run(self, root: Any, name: str) -> None:
        """Start a workflow.

        Parameters
        ----------
        root : DAGNode
            What it ends with.
        name : str
            Its workflow id: a part of paths in the storage, so it has only letters, digits, ``.`` and ``-``.
        """
        workflow = _ray("ray.workflow")

        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name) is None:
            raise BackendError(f"{name!r} is no name for a workflow: this is a bug of dualdag; please report it.")
        # While a workflow is made, `ray.workflow` keeps its name in a variable of the process.
        with self._lock:
            self._roots[name] = workflow.run_async(root, workflow_id=name)

    def output(self, name: str, task: str) -> Any:
        """Return a reference to what a task gives, ready when it is."""
        workflow = _ray("ray.workflow")

        return workflow.get_output_async(name, task_id=task)

    def wait(self, refs: Sequence[Any], timeout: float | None) -> list[Any]:
        """Return the references that are ready, waiting for a first one."""
        ray = _ray()

        first, _ = ray.wait(list(refs), num_returns=1, timeout=timeout)
        if not first:
            return []
        ready: list[Any] = ray.wait(list(refs), num_returns=len(refs), timeout=0)[0]
        return ready or first

    def get(self, ref: Any) -> bytes:
        """Return what a task gave."""
        ray = _ray()

        data: bytes = ray.get(ref)
        return data

    def started(self, name: str, task: str) -> bool:
        """Return whether a task has begun, as its worker noted in the storage."""
        workflow = _ray("ray.workflow")

        try:
            return "start_time" in workflow.get_metadata(name, task)["stats"]
        except (ValueError, OSError):  # not there yet, or half written
            return False

    def cancel(self, name: str) -> None:
        """End a workflow and kill what runs of it; returns when that is done or takes too long."""
        ray, workflow_access = _ray(), _ray("ray.workflow.workflow_access")

        root = self._roots.get(name)
        manager = workflow_access.get_management_actor()
        end = time.monotonic() + _END
        while root is not None and time.monotonic() < end and not self.wait([root], 0):
            # One that has not begun to run lets itself be cancelled only after that.
            told = manager.cancel_workflow.remote(name)
            with suppress(Exception):
                ray.get(told, timeout=1)

    def forget(self, names: Sequence[str]) -> None:
        """Delete what the storage has of workflows whose tokens were taken.

        Parameters
        ----------
        names : sequence of str
            Of workflows that have ended.
        """
        workflow = _ray("ray.workflow")

        roots = [self._roots.pop(name, None) for name in names]
        if self._folder:
            return  # the storage ends with the cluster
        for name, root in zip(names, roots, strict=True):
            if root is not None and self.wait([root], _END):
                with suppress(Exception):
                    workflow.delete(name)

    def close(self) -> None:
        """End a cluster that was started here, leave one that was joined, and touch no other."""
        ray = _ray()

        if (self._ours or self._joined) and ray.is_initialized():
            with _quiet():
                ray.shutdown()
        self._ours = self._joined = False
        self._remote.clear()
        self._roots.clear()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


def _options_of(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return resources as options of a Ray task; workflows take only what JSON can say."""
    found = {name: resources[name] for name in ("num_cpus", "num_gpus", "memory", "resources") if name in resources}
    strategy = resources.get("scheduling_strategy")
    return found | {"scheduling_strategy": strategy} if isinstance(strategy, str) else found


def _sees(store: Store, checksum: bytes) -> bool:
    return bool(store.has_objects([checksum]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's notes on its own future off the user's screen, and their signal handlers where they were."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)
