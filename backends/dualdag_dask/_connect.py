"""Connecting to a scheduler, and starting a cluster of processes here; both without a word on the terminal."""

from __future__ import annotations

import inspect
import logging
import socket
import threading
from multiprocessing import spawn
from typing import Any

from dualdag.errors import BackendError, did_you_mean
from dualdag.execution import inner_environment

__all__ = ["connect", "here", "start"]

#: Seconds that a scheduler is given to answer.
_ANSWER = 7

#: More workers than are ever lost in a run.
_TRUSTED = 1_000_000

_lock = threading.Lock()
_plain: Any = None
_ours = 0


def connect(url: str, options: dict[str, Any]) -> tuple[Any, None]:
    """Return a client of the scheduler at `url`.

    Parameters
    ----------
    url : str
        ``dask://host:8786``, or any address that Dask takes.
    options : dict
        Arguments of `distributed.Client`.

    See https://distributed.dask.org/en/stable/client.html
    """
    from distributed import Client

    _check_options(options, Client)
    _knock(url, secure=options.get("security") is not None)
    address = "tcp://" + url.removeprefix("dask://") if url.startswith("dask://") else url
    if address.startswith("tcp://") and options.get("security") is not None:
        address = "tls://" + address.removeprefix("tcp://")
    quiet = _Quiet()
    try:
        with quiet:
            return Client(address, **{"set_as_default": False, "timeout": _ANSWER} | options), None  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
        raise BackendError(
            f"can't connect to a Dask scheduler at {url}: {str(error) or type(error).__name__}. See that it runs there "
            "(`dask scheduler`), that its port is open to this machine, and that it speaks the same protocol "
            "(tls:// needs backend_options={'security': ...})."
        ) from error


def _knock(url: str, *, secure: bool) -> None:
    """Raise BackendError for what is no address, and at once where nothing listens: Dask would wait for it."""
    scheme, _, place = url.rpartition("://")
    if scheme not in {"dask", "tcp", "tls", ""}:
        return
    host, _, port = place.partition("/")[0].rpartition(":")
    number = int(port) if port.isdigit() else 0
    if not host or not 0 < number < 65536:
        raise BackendError(
            f"{url!r} is no address of a Dask scheduler: write dask://host:8786 (tls://host:8786 with TLS), or "
            "dask://threads and dask://sync for Dask's schedulers in this process."
        )
    try:
        with socket.create_connection((host.strip("[]"), number), timeout=_ANSWER) as line:
            # A server of Dask's speaks first, but for TLS.
            line.settimeout(_ANSWER)
            speaks = scheme == "tls" or secure or bool(line.recv(1))
    except TimeoutError:
        speaks = False
    except OSError as error:
        raise BackendError(
            f"no Dask scheduler answers at {url} ({error}): see that one runs there (`dask scheduler`) and that its "
            "port is open to this machine, or use backend='dask' for a cluster on this machine."
        ) from error
    if not speaks:
        raise BackendError(
            f"what listens at {url} does not answer as a Dask scheduler: see that the port is the one that `dask "
            "scheduler` told (mostly 8786), and not its dashboard's; with TLS, pass "
            "backend_options={'security': distributed.Security(...)}."
        )


def _check_options(options: dict[str, Any], *takers: Any) -> None:
    """Raise BackendError for options that nobody takes: a worker would fail over them, again and again."""
    known = {name for taker in takers for name in inspect.signature(taker).parameters}
    unknown = sorted(set(options) - known)
    if unknown:
        first = unknown[0]
        what = " or ".join(f"distributed.{taker.__name__}" for taker in takers[:2])
        raise BackendError(f"backend_options has {first!r}, which {what} does not take.{did_you_mean(first, known)}")


class _Quiet:
    """Keeps Dask's own notes on failed attempts to itself."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("distributed")
        self._before = self._logger.level
        self._logger.setLevel(logging.CRITICAL)

    def __exit__(self, *exc: object) -> None:
        self._logger.setLevel(self._before)


def start(workers: int, options: dict[str, Any]) -> tuple[Any, Any]:
    """Return a client of a new cluster of processes on this machine, and the cluster.

    Parameters
    ----------
    workers : int
        How many processes.
    options : dict
        Arguments of `distributed.LocalCluster`.

    See https://docs.dask.org/en/stable/deploying-python.html
    """
    from distributed import Client, LocalCluster

    given: dict[str, Any] = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "processes": True,
        "dashboard_address": ":0",
        "silence_logs": logging.CRITICAL + 1,
        "env": inner_environment(workers),
        "preload": ["dualdag_dask._preload"],
        "scheduler_kwargs": {"allowed_failures": 1, "dashboard": False},
    }
    from distributed import Nanny, Worker
    from distributed.core import Server

    _check_options(options, LocalCluster, Worker, Nanny, Server)
    given |= options
    here(+1)
    try:
        cluster = _patient(LocalCluster)(**given)
    except Exception as error:
        here(None)
        raise BackendError(
            f"a Dask cluster of {workers} processes could not be started on this machine: {error}"
        ) from error
    cluster.scheduler.add_plugin(_trust(cluster.scheduler))
    return Client(cluster, set_as_default=False), cluster  # type: ignore[no-untyped-call]


def _patient(base: Any) -> Any:
    """Return a class of clusters that leave the workers that were lost to those who start them again.

    Dask's own closes a nanny if none of its workers is there ``distributed.deploy.lost-worker-timeout`` after one
    was lost, be it that another was lost meanwhile; and the worker that this nanny starts just then is lost too.
    """
    from distributed.deploy.cluster import Cluster
    from distributed.deploy.spec import SpecCluster

    if not hasattr(Cluster, "_update_worker_status"):
        return base

    class Patient(base):  # type: ignore[misc]
        def _update_worker_status(self, op: str, msg: Any) -> None:
            super(SpecCluster, self)._update_worker_status(op, msg)  # type: ignore[misc]

    return Patient


def _trust(scheduler: Any) -> Any:
    """Return a plugin that lets no task be blamed for lost workers once it gave its value.

    Dask makes lost values again, and where a worker is lost meanwhile it blames whatever waited there.  A task
    that fails so after its users had its value is not looked at when those are to be made again: they are put to
    wait for it, and wait for ever.

    See https://distributed.dask.org/en/stable/plugins.html#scheduler-plugins
    """
    from distributed import SchedulerPlugin

    class Trust(SchedulerPlugin):
        name = "dualdag-trust"

        def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
            if finish == "memory" and key in scheduler.tasks:
                scheduler.tasks[key].suspicious = -_TRUSTED

    return Trust()


def here(change: int | None) -> None:
    """Count clusters of ours: while there are any, their workers don't import the script again.

    Functions of the script travel by value, and a script without a ``__main__`` guard would start a
    cluster in each worker.

    Parameters
    ----------
    change : int or None
        1 for one more, None for one less.
    """
    global _plain, _ours  # noqa: PLW0603 - one hook for the process
    with _lock:
        _ours += 1 if change else -1
        if _ours == 1 and change:
            _plain = spawn.get_preparation_data
            spawn.get_preparation_data = _prepare
        elif _ours == 0 and spawn.get_preparation_data is _prepare:
            spawn.get_preparation_data = _plain


def _prepare(name: str) -> dict[str, Any]:
    data: dict[str, Any] = _plain(name)
    if name.startswith("Dask Worker process"):
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
    return data
