"""What users call: run, plan, load, why, diff, register, shutdown."""

from dualdag._api._history import diff, load, why
from dualdag._api._options import RunOptions
from dualdag._api._register import register
from dualdag._api._running import plan, run, run_result, shutdown, to_dask, to_ray

__all__ = [
    "RunOptions",
    "diff",
    "load",
    "plan",
    "register",
    "run",
    "run_result",
    "shutdown",
    "to_dask",
    "to_ray",
    "why",
]
