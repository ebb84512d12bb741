"""Environment variables of a node, where the engine does not set them itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dualdag.config import environment, set_environment
from dualdag.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dualdag.execution._protocol import RunInfo

__all__ = ["check_environments", "environment_of", "variables"]


def environment_of(resources: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables that a job asks for.

    Parameters
    ----------
    resources : mapping
        As a `Job` has them.
    """
    return dict((resources.get("runtime_env") or {}).get("env_vars") or {})


def check_environments(run: RunInfo, backend: str, *, threads: bool = False) -> None:
    """Raise BackendError for a node that wants more of its environment than this backend can give.

    Parameters
    ----------
    run : RunInfo
        What is to be run.
    backend : str
        For the message.
    threads : bool
        Whether tasks run beside each other in one process, which has one environment.
    """
    for resources, asker in run.demands():
        wanted = resources.get("runtime_env") or {}
        other = sorted(set(wanted) - {"env_vars"})
        if other:
            raise BackendError(
                f"{asker} asks for a runtime_env with {', '.join(map(repr, other))}, which Ray alone provides: use "
                f"backend='ray', or see to it where backend {backend!r} runs tasks; env_vars work on both."
            )
        if threads and environment_of(resources):
            raise BackendError(
                f"{asker} asks for environment variables of its own (runtime_env), and backend {backend!r} runs tasks "
                "in threads, which share those of the process: use backend='processes', or one task at a time."
            )


@contextmanager
def variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the length of the block.

    Parameters
    ----------
    wanted : mapping
        Names and values.

    Examples
    --------
    >>> with variables({"DUALDAG_DOCS": "1"}):
    ...     environment()["DUALDAG_DOCS"]
    '1'
    """
    if not wanted:
        yield
        return
    before = environment()
    set_environment(wanted)
    try:
        yield
    finally:
        set_environment({name: before.get(name) for name in wanted})
