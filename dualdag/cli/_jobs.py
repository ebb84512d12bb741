"""What a schedule is made of, whoever's clock it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualdag.graph import Cadence

__all__ = ["Job", "Schedule", "tick_minutes"]

# How often to ask about an interval: of these the longest that is no more than a tenth of it.
_TICKS = (60, 30, 20, 15, 10, 5, 2, 1)


@dataclass(frozen=True, slots=True)
class Job:
    """An artifact, and the command that makes it where it is due; of one without a cadence, those of what it takes."""

    artifact: str
    cadence: Cadence
    command: tuple[str, ...]
    above: tuple[Cadence, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that is written down.

    Parameters
    ----------
    title : str
        The flow's file or module.
    name : str
        Of files and units; two flows of one file name have two.
    folder : str
        Where the jobs run.
    variables : mapping of str to str
        Of the jobs' environment.
    jobs : tuple of Job
        In the order of the flow.
    others : mapping of str to str
        Artifacts that are not scheduled, and why.
    notes : tuple of str
        What the user has to see to.
    """

    title: str
    name: str
    folder: str
    variables: Mapping[str, str]
    jobs: tuple[Job, ...]
    others: Mapping[str, str]
    notes: tuple[str, ...]


def tick_minutes(seconds: float) -> int:
    """Return how often to ask about an interval, in minutes: a divisor of an hour.

    Examples
    --------
    >>> tick_minutes(90), tick_minutes(3600), tick_minutes(7 * 86400)
    (1, 5, 60)
    """
    return next((minutes for minutes in _TICKS if minutes * 600 <= seconds), 1)
