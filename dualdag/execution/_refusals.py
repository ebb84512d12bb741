"""What every session that sends jobs away has to say of them: how long they may take, and why they did not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualdag.errors import CodecError
from dualdag.execution._protocol import Outcome
from dualdag.execution._work import InputMissingError, timed_out

if TYPE_CHECKING:
    from dualdag.errors import DualdagError
    from dualdag.execution._protocol import Job, Step

__all__ = ["late", "not_sent", "resubmits", "still_stale", "time_limit"]


def time_limit(job: Job) -> float | None:
    """Return how many seconds a job may take; None where one of its steps may take any time.

    Parameters
    ----------
    job : Job
        Its steps run one after the other.
    """
    given = [step.timeout for step in job.steps]
    return None if None in given else sum(t for t in given if t is not None)


def resubmits(job: Job, usual: int) -> int:
    """Return how often a job is run again whose worker was lost.

    Parameters
    ----------
    job : Job
        Its node may say ``max_retries``.
    usual : int
        Where it does not.
    """
    found = job.resources.get("max_retries")
    return usual if found is None else int(found)


def not_sent(job: Job, error: DualdagError | InputMissingError) -> list[Outcome]:
    """Return the outcomes of a job that never left.

    Of several steps none ran, and the driver gives each a job of its own: which of them it was shows there.

    Parameters
    ----------
    job : Job
        What was to be sent.
    error : CodecError or InputMissingError
        What `Packer.pack` or the search for an input's value raised.
    """
    if len(job.steps) > 1:
        return [Outcome(step.id, "skipped") for step in job.steps]
    number = job.steps[0].id
    if isinstance(error, InputMissingError):
        return [Outcome(number, "missing", error=error.reason, detail=error.handle.id)]
    return [Outcome(number, "failed", error=error)]


def late(job: Job, seconds: float) -> list[Outcome]:
    """Return the outcomes of a job that took longer than it may.

    Of several steps it is not known which it was, and the driver gives each a job of its own.

    Parameters
    ----------
    job : Job
        What was ended, or is left to itself.
    seconds : float
        How long it had.
    """
    if len(job.steps) > 1:
        return [Outcome(step.id, "skipped") for step in job.steps]
    step = job.steps[0]
    error = timed_out(step.label, step.site, step.timeout or 0.0)
    return [Outcome(step.id, "failed", error=error, retry=isinstance(error, step.retry_on), seconds=seconds)]


def still_stale(step: Step, outcome: Outcome) -> Outcome:
    """Return the failure of a step whose function differs in a worker though it was sent by value.

    Parameters
    ----------
    step : Step
        The step.
    outcome : Outcome
        What the worker said.
    """
    if outcome.error is not None:
        return Outcome(step.id, "failed", error=outcome.error)
    error = CodecError(
        f"{step.label!r} ({step.site}) is another function in a worker process than here: something that it "
        "reads differs there, such as a module that was changed after it was imported. Restart the workers "
        "(dag.shutdown() ends those that dualdag started)."
    )
    return Outcome(step.id, "failed", error=error)
