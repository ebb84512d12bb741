"""What lasts for the whole of a run, however often it plans again."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dualdag.execution._git import Git
from dualdag.execution._result import Event, Listener

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from dualdag.execution._protocol import Backend, Outcome, Session
    from dualdag.execution._recorder import Recorder
    from dualdag.graph import Graph
    from dualdag.hashing import FileToken
    from dualdag.planning import FileView, Plan
    from dualdag.store import Claims, Record, RunJournal, Store, Version

__all__ = ["Policy", "Ran", "Run", "error_line", "new_run_id"]


class Policy(NamedTuple):
    """Options of a node that say how it is run and kept."""

    retries: int
    retry_on: tuple[type[BaseException], ...]
    timeout: float | None
    persist: bool | str
    deterministic: bool
    resources: Mapping[str, Any]


class Ran(NamedTuple):
    """What a node of this run gave, for another of the same action key."""

    position: int
    outcome: Outcome
    record: Record | None


def new_run_id(now: float) -> str:
    """Return a name that sorts by time and is unique.

    Examples
    --------
    >>> new_run_id(0.0)[:15]
    '19700101T000000'
    """
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + "-" + uuid.uuid4().hex[:8]


@dataclass(slots=True)
class Run:
    """One run: where it reads and writes, and what it has done so far.

    Parameters
    ----------
    graph, store, session, files, now, keep_going, recorder, journal, listeners, run_id, backend
        As for `run_graph`.
    """

    graph: Graph
    store: Store
    session: Session
    files: FileView
    now: datetime
    keep_going: bool
    recorder: Recorder
    journal: RunJournal
    listeners: tuple[Listener, ...]
    run_id: str
    backend: Backend
    executed: int = 0
    ran: dict[bytes, Ran] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)
    late: dict[bytes, bytes] = field(default_factory=dict)
    forced: set[int] = field(default_factory=set)
    refreshed: set[int] = field(default_factory=set)
    marked: set[bytes] = field(default_factory=set)
    moves: dict[str, int] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    tokens: dict[str, FileToken | None] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    opened: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    git: Git | None = None
    held: set[int] = field(default_factory=set)
    seconds: dict[int, float] = field(default_factory=dict)
    policies: dict[int, Policy] = field(default_factory=dict)
    costs: dict[bytes, float] = field(default_factory=dict)
    plan: Plan | None = None
    found: set[int] = field(default_factory=set)
    written: int = 0
    alone: set[int] = field(default_factory=set)
    claims: Claims | None = None
    observed: dict[bytes, float] = field(default_factory=dict)
    unkept: set[bytes] = field(default_factory=set)

    def ask_git(self) -> Git:
        """Return what asks git, once, where the repository stands that the working folder lies in."""
        if self.git is None:
            self.git = Git(Path.cwd())
        return self.git

    def tell(self, kind: str, position: int = -1, **more: Any) -> None:
        """Tell the journal and the listeners of something.

        Parameters
        ----------
        kind : str
            As for `Event`.
        position : int
            Of the node that is meant.
        **more
            Other fields of the event.
        """
        now = time.time()
        if kind == "reuse":
            self.found.add(position)
        elif kind == "done":
            self.written += more.get("nbytes") or 0
        label = self.graph.label(position) if position >= 0 else ""
        if kind in _WRITTEN:
            row = {"kind": kind, "time": now, "label": label}
            if position >= 0:
                row["key"] = self.graph.nodes[position].key
            row.update(more)
            row.pop("data", None)
            self.journal.append(row)
        for listener in self.listeners:
            listener(Event(kind, now, position, label, **more))

    def did(self) -> dict[str, Any]:
        """Return what was done so far, for the journal's end."""
        actions = self.plan.actions if self.plan is not None else b""
        ran = self.seconds.keys()
        reused = self.found | {i for i, action in enumerate(actions) if action == 1}
        return {
            "run": len(ran),
            "reused": len(reused - ran),
            "pinned": actions.count(4),
            "failed": len(self.failures),
            "nbytes": self.written,
            "versions": sum(version.run == self.run_id for version in self.versions.values()),
            "error": error_line(self.failures[0]) if self.failures else "",
        }

    def warn(self, i: int, message: str) -> None:
        """Tell of something that is no failure.

        Parameters
        ----------
        i : int
            Position of the node that is meant.
        message : str
            A sentence.
        """
        import warnings

        self.tell("warning", i, message=message)
        site = self.graph.nodes[i]._site
        warnings.warn_explicit(message, RuntimeWarning, site.file, site.line)

    def policy(self, i: int) -> Policy:
        """Return the options of the node at `i`; nodes without their own share those of their task."""
        extra = self.graph.extras.get(i)
        if extra is not None and extra.options:
            return _policy(self.graph, i)
        op = id(self.graph.nodes[i]._op)
        found = self.policies.get(op)
        if found is None:
            found = self.policies[op] = _policy(self.graph, i)
        return found


def error_line(error: BaseException) -> str:
    """Return an error as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


#: Kinds of events that a journal holds.
_WRITTEN = frozenset({"start", "done", "reuse", "failed", "retry", "version", "confirmed", "warning", "output",
                      "waiting"})  # fmt: skip

_DEFAULT_RESOURCES: dict[str, Any] = (
    {"num_cpus": 1, "num_gpus": 0, "memory": None, "resources": {}}
    | dict.fromkeys(("max_retries", "runtime_env", "scheduling_strategy", "workers"))
    | {"priority": 0}
)


def _policy(graph: Graph, i: int) -> Policy:
    asked = {name: graph.option(i, name) for name in _DEFAULT_RESOURCES}
    resources = {name: value for name, value in asked.items() if value != _DEFAULT_RESOURCES[name]}
    return Policy(
        graph.option(i, "retries"),
        graph.option(i, "retry_on"),
        graph.option(i, "timeout"),
        graph.option(i, "persist"),
        graph.option(i, "deterministic"),
        resources,
    )
