"""What a backend is: the few calls between the driver and whatever runs tasks.

The driver decides what runs and when; a backend runs it.  Values stay with the backend under small
numbers, so that with an engine's own object store the driver sees digests, never data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dualdag.execution._failures import Failure
    from dualdag.hashing import Fingerprint
    from dualdag.store import Store

__all__ = ["Backend", "Handle", "Job", "Literal", "Outcome", "RunInfo", "Session", "Step"]


@dataclass(frozen=True, slots=True)
class Handle:
    """A value that a step takes.

    Parameters
    ----------
    id : int
        Names the value within the run: the step that made it has the same number.  The session
        holds it from there, or from its first load, until `Session.release`.
    checksum : bytes or None
        Where the store has it; None when only the session does.
    codec : str
        How the stored object is decoded.
    """

    id: int
    checksum: bytes | None = None
    codec: str = ""

    def __reduce__(self) -> tuple[type[Handle], tuple[int, bytes | None, str]]:
        # Many travel, and what dataclasses offer for frozen slots is slow.
        return Handle, (self.id, self.checksum, self.codec)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that travels with the step: a path, or what `dualdag.value` was given."""

    value: Any


@dataclass(slots=True, eq=False)
class Step:
    """One call of one function.

    Parameters
    ----------
    id : int
        Number of the result.
    label : str
        The node's name, for messages.
    site : object
        The line that made it; `str` of it reads ``file:line``.
    fn : callable
        The plain function.
    args, kwargs : tuple, mapping or None
        Arguments, with a node (or anything that stands for one) where a value belongs.
    names : sequence
        The ``_key`` of the nodes among the arguments; parallel to `inputs`.
    inputs : sequence of Handle or Literal
        The values that take their places.
    nout : int
        How many values the result unpacks into.
    keep : bool or None
        Whether the object is published; None leaves it to what the step turns out to cost.
    publish : bool
        Whether the worker can reach the store; if not, the driver publishes.
    files : sequence of (str, object)
        URLs that the step reads, and the tokens under which their contents are known.
    retry_on : tuple of exception classes
        Failures that may be tried again.
    timeout : float or None
        Seconds that the function may take.
    fingerprint : Fingerprint or None
        What the function was when keys were made; workers hold what they loaded to it.
    hold : bool
        Whether other jobs may ask for the value; if not, it need not outlive its own.
    """

    id: int
    label: str
    site: object
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] | None
    names: Sequence[Any]
    inputs: Sequence[Handle | Literal]
    nout: int = 1
    keep: bool | None = False
    publish: bool = True
    files: Sequence[tuple[str, Any]] = ()
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    timeout: float | None = None
    fingerprint: Fingerprint | None = None
    hold: bool = True


@dataclass(slots=True, eq=False)
class Job:
    """What a backend gets to run at once: steps, in an order in which they can run.

    Parameters
    ----------
    steps : sequence of Step
        Mostly one; a step may take results of those before it in the same job.
    resources : mapping
        ``num_cpus``, ``num_gpus``, ``memory`` and the user's own, where they differ from one
        processor and nothing else; and what is said to the engine: ``priority``, ``max_retries``,
        ``runtime_env``, ``scheduling_strategy``, ``workers``.
    """

    steps: Sequence[Step]
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Outcome:
    """What became of one step.

    Parameters
    ----------
    id : int
        The step's.
    status : str
        ``"done"``; ``"failed"``; ``"moved"`` (a file changed while it was read, `detail` is its
        URL); ``"missing"`` (an input's stored object can't be read, `detail` is its id);
        ``"skipped"`` (did not start, as an input of the same job failed, or the worker of a job of
        several steps was lost: it is run again, alone); ``"stale"`` (the worker has another version of the function,
        so it has to be sent by value; sessions deal with this themselves).
    digest : bytes
        Of the value, when done.
    checksum : bytes or None
        Of the object, when it was published.
    codec : str
        How the object was encoded.
    nbytes : int
        Size of the object, or a guess of it.
    seconds : float
        What the function took.
    keep : bool
        Whether the value is to be kept; true without a checksum asks the driver to publish it.
    error : BaseException, Failure or None
        Why it failed: the exception itself, or as data.
    retry : bool
        Whether the failure is one of ``retry_on``.
    detail : object
        See `status`.
    output : str
        What the function printed.
    """

    id: int
    status: str = "done"
    digest: bytes = b""
    checksum: bytes | None = None
    codec: str = ""
    nbytes: int = 0
    seconds: float = 0.0
    keep: bool = False
    error: BaseException | Failure | None = None
    retry: bool = False
    detail: Any = None
    output: str = ""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a session is told of its run.

    Parameters
    ----------
    run_id : str
        Unique; part of every name that an engine is given.
    store : Store
        Where inputs are loaded from and results published.
    size : int
        How many nodes may run, at the most.
    resources : sequence of mapping
        What their jobs will ask for, as `Job.resources`; a backend that has no such thing says so now.
    askers : sequence of str
        For each of these a node that asks for it, and the line that made it.
    """

    run_id: str
    store: Store
    size: int
    resources: Sequence[Mapping[str, Any]] = ()
    askers: Sequence[str] = ()

    def demands(self) -> list[tuple[Mapping[str, Any], str]]:
        """Return each set of resources with the node that asks for it.

        Examples
        --------
        >>> RunInfo("run", None, 1, [{"num_gpus": 1}], ["'train' (flow.py:7)"]).demands()
        [({'num_gpus': 1}, "'train' (flow.py:7)")]
        """
        names = [*self.askers, *["a node"] * len(self.resources)]
        return list(zip(self.resources, names, strict=False))


class Session(Protocol):
    """One run on one backend.  Called from one thread."""

    slots: int
    """How many steps can run at the same time."""
    window: int
    """How many jobs are worth having submitted at the same time."""
    inline: bool
    """Whether `collect` runs the job in the caller's thread."""
    publishes: bool
    """Whether workers reach the run's store; if not, the driver publishes."""
    holds_published: bool
    """Whether a value that was published is held too, until it is released."""
    price: float
    """Seconds that the engine charges for a job; where it charges next to nothing, 0: then each step is a job."""

    def submit(self, job: Job) -> None:
        """Take a job; never waits for it."""

    def collect(self, timeout: float | None) -> list[Outcome]:
        """Return what has come to an end, waiting up to `timeout` seconds for a first one.

        Parameters
        ----------
        timeout : float or None
            Seconds; 0 takes what is there, None waits without limit.
        """

    def fetch(self, handle: Handle) -> Any:
        """Return a value that the caller may change; for what the user asked for."""

    def release(self, ids: Iterable[int]) -> None:
        """Forget values."""

    def cancel(self) -> list[int]:
        """Drop every job that has not started, and return the ids of their steps."""

    def close(self, *, hard: bool) -> None:
        """End the session.

        Parameters
        ----------
        hard : bool
            Whether to end what still runs (kill it where that is possible, else abandon it).
        """


class Backend(Protocol):
    """Runs jobs; one per kind and process, shared by runs."""

    name: str

    def open(self, run: RunInfo) -> Session:
        """Begin a run, starting workers at first need.

        Parameters
        ----------
        run : RunInfo
            The run's name and store.
        """

    def close(self) -> None:
        """End the workers that this backend started, and nothing else."""
