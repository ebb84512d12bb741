"""Values of a run in this process's memory, and the loop over a job's steps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dualdag.errors import DualdagError
from dualdag.execution._copies import own_copy
from dualdag.execution._environment import environment_of, variables
from dualdag.execution._protocol import Handle, Job, Outcome
from dualdag.execution._work import InputMissingError, perform, rests_on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dualdag.store import Store

__all__ = ["Values", "run_steps"]


class Values:
    """Values by number: results that steps left here, and stored objects, loaded once.

    Parameters
    ----------
    store : Store
        Where the others are loaded from.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.held: dict[int, Any] = {}
        self._loading: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()

    def take(self, handle: Handle, copy: bool = True) -> Any:
        """Return a value for a step.

        Parameters
        ----------
        handle : Handle
            Which.
        copy : bool
            Whether it is to be the step's own, to change as it likes.
        """
        try:
            value = self.held[handle.id]
        except KeyError:
            value = self._load(handle)
        return own_copy(value) if copy else value

    def fetch(self, handle: Handle) -> Any:
        """Return the value itself, which nothing else will take any more.

        Parameters
        ----------
        handle : Handle
            Which.
        """
        try:
            return self.held[handle.id]
        except KeyError:
            return self._load(handle)

    def release(self, ids: Iterable[int]) -> None:
        """Forget values.

        Parameters
        ----------
        ids : iterable of int
            Their numbers.
        """
        for number in ids:
            self.held.pop(number, None)
            self._loading.pop(number, None)

    def _load(self, handle: Handle) -> Any:
        with self._lock:
            lock = self._loading.setdefault(handle.id, threading.Lock())
        with lock:
            if handle.id in self.held:
                return self.held[handle.id]
            if handle.checksum is None:
                raise InputMissingError(handle, LookupError(f"value {handle.id} of this run was let go of"))
            try:
                value = self.store.load(handle.checksum, handle.codec)
            except DualdagError as error:
                raise InputMissingError(handle, error) from error
            self.held[handle.id] = value
            return value


def run_steps(job: Job, values: Values, *, local: bool) -> list[Outcome]:
    """Carry out a job's steps one after the other, leaving their values in `values`.

    Parameters
    ----------
    job : Job
        What to run; what takes the result of a step that did not get done is skipped.
    values : Values
        Where inputs come from and results go.
    local : bool
        Whether the store is on this machine.
    """
    outcomes = []
    broken: set[int] = set()
    own = environment_of(job.resources)
    for step in job.steps:
        if rests_on(step.inputs, broken):
            broken.add(step.id)
            outcomes.append(Outcome(step.id, "skipped"))
            continue
        with variables(own):
            outcome, value = perform(step, values.take, values.store, local=local)
        if outcome.status == "done":
            values.held[step.id] = value
        else:
            broken.add(step.id)
        outcomes.append(outcome)
    return outcomes
