"""Connecting to a scheduler, and starting a cluster of processes here; both without a word on the terminal."""

from __future__ import annotations

import logging
import threading
from multiprocessing import spawn
from typing import Any

from dualdag.errors import BackendError
from dualdag.execution import inner_environment

__all__ = ["connect", "here", "start"]

#: Seconds that a scheduler is given to answer.
_ANSWER = 8

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
        "scheduler_kwargs": {"allowed_failures": 1, "dashboard": False},
    }
    given |= options
    here(+1)
    try:
        cluster = LocalCluster(**given)  # type: ignore[no-untyped-call]
    except Exception as error:
        here(None)
        raise BackendError(
            f"a Dask cluster of {workers} processes could not be started on this machine: {error}"
        ) from error
    return Client(cluster, set_as_default=False), cluster  # type: ignore[no-untyped-call]


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
