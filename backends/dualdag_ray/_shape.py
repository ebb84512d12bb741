"""What a job asks of a node, as Ray takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualdag.config import parse_bytes
from dualdag.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Shape", "shape_of"]

#: Options of a task that are handed to Ray as they are; see
#: https://docs.ray.io/en/latest/ray-core/api/doc/ray.remote_function.RemoteFunction.options.html
PASSED = ("accelerator_type", "label_selector", "max_retries", "runtime_env", "scheduling_strategy")


@dataclass(frozen=True, slots=True)
class Shape:
    """Amounts by name, and what is handed on.

    Parameters
    ----------
    amounts : tuple of (str, float)
        ``CPU``, ``GPU``, ``memory`` and the user's own.
    passed : tuple of (str, object)
        Other options of Ray's.
    """

    amounts: tuple[tuple[str, float], ...]
    passed: tuple[tuple[str, _Hidden], ...] = ()

    @property
    def weight(self) -> float:
        """How much of a slot it takes, for the count of what waits inside Ray."""
        cpus = dict(self.amounts)["CPU"]
        return min(1.0, max(0.05, cpus))

    def options(self) -> dict[str, Any]:
        """Return the options of a Ray task."""
        amounts = dict(self.amounts)
        found: dict[str, Any] = {"num_cpus": amounts.pop("CPU")}
        if gpus := amounts.pop("GPU", 0):
            found["num_gpus"] = gpus
        if memory := amounts.pop("memory", 0):
            found["memory"] = memory
        if amounts:
            found["resources"] = amounts
        found.update({name: hidden.value for name, hidden in self.passed})
        return found

    def check(self, nodes: Sequence[Mapping[str, float]], where: str, asker: str) -> None:
        """Raise BackendError where no node has as much.

        Parameters
        ----------
        nodes : sequence of mapping
            What each node of the cluster has.
        where : str
            The cluster, for the message.
        asker : str
            The node that asks.
        """
        wanted = {name: amount for name, amount in self.amounts if amount}
        if any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
            return
        most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in wanted}
        asked = ", ".join(f"{name}={amount:g}" for name, amount in wanted.items())
        there = ", ".join(f"{name}={amount:g}" for name, amount in most.items())
        raise BackendError(
            f"{asker} asks for {asked}, and no node of {where} has that (the most of each: {there}): "
            "ask for less with .options(...), or use a cluster that has it."
        )


class _Hidden:
    """A value that need not be hashable."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden) and repr(other.value) == repr(self.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


def shape_of(resources: Mapping[str, Any]) -> Shape:
    """Return what a job's resources are to Ray.

    Parameters
    ----------
    resources : mapping
        As a `Job` has them.
    """
    if not resources:
        return _PLAIN
    amounts: dict[str, float] = {"CPU": resources.get("num_cpus", 1)}
    if resources.get("num_gpus"):
        amounts["GPU"] = resources["num_gpus"]
    if resources.get("memory"):
        amounts["memory"] = parse_bytes(resources["memory"]) or 0
    amounts.update(resources.get("resources") or {})
    passed = tuple((name, _Hidden(resources[name])) for name in PASSED if resources.get(name) is not None)
    return Shape(tuple(sorted(amounts.items())), passed)


_PLAIN = Shape((("CPU", 1),))
