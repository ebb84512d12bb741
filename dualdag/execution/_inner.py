"""Threads inside tasks: workers times the threads of BLAS and OpenMP must not exceed the processors."""

from __future__ import annotations

import sys
import threading
from typing import Any

from dualdag.config import cores

__all__ = ["InnerThreads", "inner_environment"]

#: Read by the libraries when they are loaded, so they must stand before a process starts.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
_LOADS = ("numpy", "scipy", "scipy.linalg", "sklearn", "sklearn.utils._openmp_helpers", "torch", "numexpr")

_lock = threading.Lock()
_controllers: dict[tuple[bool, ...], Any] = {}
# What runs that go on at the same time share: the limits are the process's, so the last one to end puts
# them back as the first one found them.
_runs: set[int] = set()
_before: dict[tuple[bool, ...], Any] = {}


def inner_environment(workers: int) -> dict[str, str]:
    """Return the variables that keep the threads inside each of `workers` processes in bounds.

    Examples
    --------
    >>> inner_environment(10_000)["OMP_NUM_THREADS"]
    '1'
    """
    return dict.fromkeys(_VARIABLES, str(max(1, cores() // max(workers, 1))))


def _loaded() -> tuple[bool, ...]:
    return tuple([name in sys.modules for name in _LOADS])


def _controller(loaded: tuple[bool, ...]) -> Any:
    with _lock:
        if loaded not in _controllers:
            from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

            _controllers[loaded] = ThreadpoolController()
        return _controllers[loaded]


class InnerThreads:
    """Limits of one run's worker threads.

    Parameters
    ----------
    workers : int
        How many tasks run at the same time.
    """

    def __init__(self, workers: int) -> None:
        self._limit = max(1, cores() // max(workers, 1))
        self._wanted = workers > 1 and cores() > 1
        self._applied = threading.local()
        if self._wanted:
            with _lock:
                _runs.add(id(self))

    def apply(self) -> None:
        """Limit the libraries that are loaded by now; OpenMP's limit holds for the calling thread."""
        if not self._wanted or "numpy" not in sys.modules:
            return
        loaded = _loaded()
        if getattr(self._applied, "loaded", None) == loaded:
            return
        self._applied.loaded = loaded
        controller = _controller(loaded)
        with _lock:
            _let_go()
            _before.setdefault(loaded, controller.limit(limits=self._limit))

    def restore(self) -> None:
        """Put the process's limits back as they were, unless another run goes on."""
        with _lock:
            _runs.discard(id(self))
            if not _runs and _before:
                _let_go()
                for limiter in reversed(_before.values()):
                    limiter.restore_original_limits()
                _before.clear()
                _let_go()


def _let_go() -> None:
    """Let any thread set the limits: newer threadpoolctl heeds only the first that did, while it lives."""
    import threadpoolctl

    clear = getattr(getattr(threadpoolctl, "OpenBLASController", None), "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)
