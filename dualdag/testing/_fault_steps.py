"""Steps of a filesystem, counted, and what happens at those that are to fail."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, cast

__all__ = ["CHANGES", "CRASHED", "CRASHES", "ERRORS", "Faults", "Killed", "Step"]

R = TypeVar("R")

#: Exit status of a process that `FaultFS` ended.
CRASHED = 86
_NUMBERS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EACCES": errno.EACCES}
#: How a process can end at a step.
CRASHES = ("before", "torn", "after")
#: What else can happen there.
ERRORS = (*_NUMBERS, "timeout", "lost answer", "asked twice", "stale list")
#: What changes something, so that a crash before, in or after it leaves another state.
CHANGES = frozenset({"mkdir", "create", "write", "fsync", "link", "rename", "put", "put if absent", "delete"})
#: What clients of a place ask for again by themselves when an answer is lost.
_ASKED_TWICE = frozenset({"link", "put if absent"})


class Killed(BaseException):
    """What a step raises in place of ending the process."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was asked of a filesystem.

    Parameters
    ----------
    number : int
        From 0, in the order in which they were asked for.
    operation : str
        ``mkdir``, ``create``, ``write``, ``fsync``, ``link``, ``rename``, ``put``, ``put if absent``, ``delete``,
        ``list``, ``read`` or ``size``.
    path : str
        What it was asked of; of a link or a rename, the new name.
    """

    number: int
    operation: str
    path: str


class Faults:
    """Counts steps and lets the chosen ones fail."""

    def __init__(self, at: int | Collection[int] | None, fault: str, only: Collection[str] | None, exits: bool) -> None:
        if fault not in (*CRASHES, *ERRORS):
            raise ValueError(f"fault={fault!r} is none of {', '.join((*CRASHES, *ERRORS))}.")
        self.at = frozenset() if at is None else frozenset({at}) if isinstance(at, int) else frozenset(at)
        self.fault = fault
        self.only = only
        self.exits = exits
        self.steps: list[Step] = []
        self._dead = False
        self._lists: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __call__(
        self,
        operation: str,
        path: str,
        do: Callable[[], R],
        tear: Callable[[], object] | None = None,
        told: str = "names",
    ) -> R:
        if self._dead:
            raise Killed(f"{operation} of {path}, by a process that is dead")
        if self.only is not None and operation not in self.only:
            return do()
        with self._lock:
            step = Step(len(self.steps), operation, path)
            self.steps.append(step)
        if step.number not in self.at:
            found = do()
            if operation == "list":
                self._lists[path, told] = found
            return found
        if self.fault == "stale list" and operation == "list":
            # What it gave when it was last asked; nothing, if it never was.
            return cast("R", self._lists.get((path, told), []))
        return self._fail(step, do, tear)

    def _fail(self, step: Step, do: Callable[[], R], tear: Callable[[], object] | None) -> R:
        fault, where = self.fault, step.path
        if fault in _NUMBERS:
            raise OSError(_NUMBERS[fault], os.strerror(_NUMBERS[fault]), where)
        if fault == "timeout":
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), where)
        if fault == "lost answer":
            do()
            raise TimeoutError(errno.ETIMEDOUT, "the answer never came", where)
        if fault == "asked twice" and step.operation in _ASKED_TWICE:
            do()
        if fault in ERRORS:
            return do()
        if fault == "torn" and tear is not None:
            tear()
        if fault == "after":
            do()
        self._end(step)
        raise AssertionError  # pragma: no cover - it ended

    def _end(self, step: Step) -> None:
        if self.exits:
            os._exit(CRASHED)
        self._dead = True
        raise Killed(f"{self.fault} step {step.number}, {step.operation} of {step.path}")
