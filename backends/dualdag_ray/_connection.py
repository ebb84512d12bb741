"""Which cluster: the one this process is connected to, else the one that is named, else a new local one.

A bare ``ray.init()`` joins whatever cluster the machine started last (ray-project/ray#26678), so an address
is always given; see https://docs.ray.io/en/latest/ray-core/api/doc/ray.init.html.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.config import environment, put_back_environment
from dualdag.errors import BackendError, BackendNotInstalledError
from dualdag.execution import in_lasting_thread
from dualdag_ray._knock import knock, tell_of_open
from dualdag_ray._lines import lines
from dualdag_ray._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Connection", "connect", "engine", "init"]

#: How often a cluster is asked to let this process join.
JOINS = 3
#: What Ray Client says where the server that was forked for it is gone at once.
GONE = ("Starting Ray client server failed", "ZombieProcess", "NoSuchProcess")


def engine() -> Any:
    """Return Ray, parts of which have no types."""
    import ray

    return ray


class Before:
    """What Ray changes of a process, as it was."""

    def __init__(self) -> None:
        self.environment = self.after = environment()
        logger = logging.getLogger("ray")
        self.logger = (list(logger.handlers), logger.level, logger.propagate)
        self.hook = sys.excepthook
        self.sigterm = signal.getsignal(signal.SIGTERM)

    def changed(self) -> None:
        """Note what was changed, and give SIGTERM back at once: Ray's processes end with this one by themselves."""
        self.after = environment()
        self._put_back_signals()

    def _put_back_signals(self) -> None:
        if self.sigterm is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.sigterm)

    def put_back(self) -> None:
        """Put everything back."""
        put_back_environment(self.environment, self.after)
        logger = logging.getLogger("ray")
        logger.handlers[:], logger.level, logger.propagate = list(self.logger[0]), *self.logger[1:]
        sys.excepthook = self.hook
        self._put_back_signals()


class Connection:
    """A connection of this process to a cluster.

    Parameters
    ----------
    before : Before or None
        How the process was; None where the connection is not ours.
    started : bool
        Whether the cluster is ours too.
    address : str
        For messages.
    watch : Watch, optional
        What ends the cluster if this process is killed.
    """

    def __init__(self, before: Before | None, *, started: bool, address: str, watch: Watch | None = None) -> None:
        ray = engine()

        self.before = before
        self._watch = watch
        self.started = started
        self.address = address
        context = ray.get_runtime_context()
        self._identity = self._now(context)
        self.client = address.startswith("ray://") or ray.util.client.ray.is_connected()

    @staticmethod
    def _now(context: Any) -> tuple[str, str]:
        return str(context.get_job_id()), str(context.get_node_id())

    @property
    def open(self) -> bool:
        """Whether this process is still connected as it was."""
        ray = engine()

        return bool(ray.is_initialized()) and self._now(ray.get_runtime_context()) == self._identity

    def close(self) -> None:
        """End what was begun here, and nothing else."""
        if self.before is None:
            return
        if self.open:
            ray = engine()

            ray.shutdown()
        if self._watch is not None:
            self._watch.close()
        self.before.put_back()
        self.before = None


def connect(url: str, workers: int, options: Mapping[str, Any]) -> Connection:
    """Connect this process to the cluster that it is meant to use.

    Parameters
    ----------
    url : str
        ``"ray"`` or ``"ray://host:port"``.
    workers : int
        Processors of a new local cluster.
    options : mapping
        For ``ray.init``.

    Raises
    ------
    BackendError
        Where no cluster answers at the address, or it refuses.
    """
    before = Before()
    ray = engine()

    if ray.is_initialized():
        _same_cluster(url)
        return Connection(None, started=False, address="this process's cluster")
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    given = {**quiet, **options}
    address = url if "://" in url else given.pop("address", None) or before.environment.get("RAY_ADDRESS") or "local"
    given.pop("address", None)
    watch = None
    try:
        if address == "local":
            given = {"include_dashboard": False, "num_cpus": workers or None, **given}
            context = init(address="local", **given)
            watch = Watch(Path(context.address_info["session_dir"]).name)
        else:
            knock(address)
            tell_of_open(address, before.environment)
            _join(address, given)
    except BackendError:
        before.changed()
        before.put_back()
        raise
    except Exception as error:
        before.changed()
        before.put_back()
        raise _refused(address, error) from error
    before.changed()
    return Connection(before, started=address == "local", address=address, watch=watch)


def _join(address: str, given: dict[str, Any]) -> None:
    """Join a cluster."""
    for attempt in range(1, JOINS + 1):
        try:
            init(address=address, **given)
        except ConnectionAbortedError as error:
            # Ray's proxy forks a server for each client, with gRPC at work in other threads; now and then the child
            # dies before it has written a line (ray-project/ray#28091).
            if attempt == JOINS or not any(word in str(error) for word in GONE):
                raise
        else:
            return


def _same_cluster(url: str) -> None:
    """Refuse to run on another cluster than the one that was named."""
    ray = engine()

    if "://" in url and not ray.util.client.ray.is_connected():
        raise BackendError(
            f"backend={url!r} names a cluster, but this process is already connected to another Ray cluster: "
            "use backend='ray' for that one, or call ray.shutdown() first."
        )


def init(**given: Any) -> Any:
    """Return what `ray.init` gives, called in a thread that lasts: what Ray starts dies with the one that started it.

    Parameters
    ----------
    **given
        Passed on.
    """
    ray = engine()
    if threading.current_thread() is threading.main_thread():
        return ray.init(**given)
    return in_lasting_thread(lambda: ray.init(**given))


def _refused(address: str, error: Exception) -> BackendError:
    said = lines(error)
    # What Ray Client passes on of the cluster's error is a traceback.
    text = f"{type(error).__name__}: {said[-1] if 'Traceback' in str(error) else said[0]}"
    if "ray[client]" in said[0]:
        return BackendNotInstalledError(
            f'{address} needs Ray Client, which is not installed: pip install "ray[client]" (and the same where the '
            "cluster runs)"
        )
    if address == "local":
        return BackendError(
            f"a local Ray cluster can't be started ({text}): see what backend_options= passes to ray.init, and "
            "whether the home folder and the temporary folder can be written."
        )
    told = " ".join(said)
    if "ersion mismatch" in told:
        return BackendError(
            f"the Ray cluster at {address} has other versions than this process: "
            f"{told[told.index('ersion mismatch') + len('ersion mismatch') :].lstrip(': ')[:300]} Install the same Ray "
            "and the same Python here and there."
        )
    return BackendError(
        f"the Ray cluster at {address} can't be joined ({text}): see that it is a Ray cluster, that its ports are "
        "open to this machine, and that Ray and Python are of the same versions here and there."
    )
