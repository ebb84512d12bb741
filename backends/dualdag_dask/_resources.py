"""What a node asks for, and whether any worker has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Hints", "annotation", "check_placement", "check_resources", "hints"]

#: What Dask is told of jobs in one call: amounts, priority, workers.
Hints = tuple[tuple[tuple[str, float], ...], float, tuple[str, ...]]

#: Options of a node -> how Dask's workers name it by custom.
_NAMES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "MEMORY"}


def _asked(resources: Mapping[str, Any]) -> dict[str, float]:
    named = {_NAMES[name]: resources[name] for name in _NAMES if resources.get(name)}
    return named | dict(resources.get("resources") or {})


def annotation(resources: Mapping[str, Any], workers: Mapping[str, Any]) -> dict[str, float]:
    """Return what Dask is told of a job: only what its workers count.

    Parameters
    ----------
    resources : mapping
        Of a job.
    workers : mapping
        From the scheduler.

    See https://distributed.dask.org/en/stable/resources.html
    """
    if not resources:
        return {}
    known = {name for worker in workers.values() for name in worker.get("resources", {})}
    return {name: amount for name, amount in _asked(resources).items() if name in known}


def hints(resources: Mapping[str, Any], workers: Mapping[str, Any]) -> Hints:
    """Return what Dask is told of a job.

    Parameters
    ----------
    resources : mapping
        Of a job.
    workers : mapping
        From the scheduler.
    """
    if not resources:
        return (), 0, ()
    amounts = tuple(sorted(annotation(resources, workers).items()))
    return amounts, resources.get("priority", 0), _found(resources.get("workers") or (), workers)


def _found(names: Iterable[str], workers: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of workers that were given by name, address or host."""
    return tuple(
        address
        for address, worker in workers.items()
        if any(name in (address, str(worker.get("name")), worker.get("host")) for name in names)
    )


def check_placement(wanted: Iterable[tuple[Mapping[str, Any], str]], workers: Mapping[str, Any], address: str) -> None:
    """Raise BackendError for a node that may run on no worker there is: Dask itself would wait for one for ever.

    Parameters
    ----------
    wanted : iterable of (mapping, str)
        What jobs of the run ask for, and a node that does.
    workers : mapping
        From the scheduler.
    address : str
        Of the scheduler, for the message.
    """
    for resources, asker in wanted:
        names = resources.get("workers")
        if names and not _found(names, workers):
            there = ", ".join(sorted(str(one.get("name")) for one in workers.values()))
            raise BackendError(
                f"{asker} is to run on the workers {', '.join(names)}, and the Dask cluster at {address} has none of "
                f"them; its workers are {there}. Name some of these with .options(workers=...), or leave it out."
            )


def check_resources(
    wanted: Iterable[tuple[Mapping[str, Any], str]], workers: Mapping[str, Any], address: str, processors: int = 0
) -> None:
    """Raise BackendError for what no worker has: Dask itself would wait for it for ever.

    Parameters
    ----------
    wanted : iterable of (mapping, str)
        What jobs of the run ask for, and a node that does.
    workers : mapping
        From the scheduler.
    address : str
        Of the scheduler, for the message.
    processors : int
        Of the machine, where the workers are ours: each has one thread, and its tasks may use more.
    """
    if not workers:
        return
    has = [_has(worker, processors) for worker in workers.values()]
    for resources, asker in wanted:
        asked = _asked(resources)
        if any(all(one.get(name, 0.0) >= amount for name, amount in asked.items()) for one in has):
            continue
        best = {name: max(one.get(name, 0.0) for one in has) for name in asked}
        short = {name: amount for name, amount in asked.items() if best[name] < amount} or asked
        told = ", ".join(f"{name}={amount:g} (the most is {best[name]:g})" for name, amount in short.items())
        raise BackendError(
            f"{asker} asks for {told}, and no worker of the Dask cluster at {address} has that. Start one with "
            f'--resources "{" ".join(f"{n}={a:g}" for n, a in asked.items())}", or ask for less with .options(...).'
        )


def _has(worker: Mapping[str, Any], processors: int) -> dict[str, float]:
    """Return what a worker has; processors and memory also where it does not count them."""
    memory = float(worker.get("memory_limit") or 0) or float("inf")
    plain = {"CPU": float(max(processors, worker.get("nthreads") or 1)), "MEMORY": memory}
    return plain | {name: float(amount) for name, amount in worker.get("resources", {}).items()}
