"""What a run tells: events while it goes on, rows and values at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dualdag.planning import Plan

__all__ = ["ArtifactRow", "Event", "Listener", "RunResult", "as_group"]


class Event(NamedTuple):
    """Something that happened in a run.

    Parameters
    ----------
    kind : str
        ``"run-start"``, ``"plan"``, ``"start"``, ``"done"``, ``"reuse"`` (found by its inputs'
        digests, not run; or made by another run), ``"waiting"`` (for another run that makes it),
        ``"failed"``, ``"retry"``, ``"version"``, ``"confirmed"``, ``"warning"`` or ``"run-end"``.
    time : float
        Seconds since the epoch.
    position : int
        Of the node in the plan's graph; -1 when no node is meant.
    label : str
        The node's name.
    seconds : float
        What the function took.
    nbytes : int
        Size of the result.
    message : str
        A sentence.
    data : object
        The Plan of ``"plan"``, the Version of ``"version"``, else None.
    slots : int
        How many nodes can run at the same time, told with ``"plan"``; of more that were started,
        the later ones wait in the backend.
    """

    kind: str
    time: float
    position: int = -1
    label: str = ""
    seconds: float = 0.0
    nbytes: int = 0
    message: str = ""
    data: Any = None
    slots: int = 0


Listener = Callable[[Event], None]


def as_group(failures: Sequence[BaseException]) -> BaseExceptionGroup[BaseException]:
    """Return the failures of a run that kept going as one exception.

    Parameters
    ----------
    failures : sequence of BaseException
        One at least.
    """
    count = len(failures)
    text = f"{count} task{'s' * (count > 1)} failed; what does not depend on them has run"
    return BaseExceptionGroup(text, failures)


class ArtifactRow(NamedTuple):
    """What became of one artifact.

    Parameters
    ----------
    name : str
        The artifact.
    action : str
        What was done: ``"run"``, ``"reuse"`` or ``"pinned"``; ``"failed"``, or ``"not run"`` below a failure.
    seconds : float
        What its function took when it ran.
    nbytes : int
        Size of its object.
    version : int or None
        The version that now holds its value.
    """

    name: str
    action: str
    seconds: float
    nbytes: int
    version: int | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """Values of the targets and what was done for them.

    Parameters
    ----------
    plan : Plan
        The last plan that was carried out.
    values : dict of int to object
        By position of the target in the plan's graph.
    run_id : str
        Name of the run's journal.
    executed : int
        How many nodes ran.
    rows : tuple of ArtifactRow
        One per artifact, in topological order.
    failures : tuple of BaseException
        Of a run that kept going and was asked to return them; else empty.
    """

    plan: Plan
    values: dict[int, Any]
    run_id: str
    executed: int
    rows: tuple[ArtifactRow, ...] = ()
    failures: tuple[BaseException, ...] = field(default=())
