"""From a graph to its values: plan, read what is not known, carry out, and plan again where that failed to hold."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

from dualdag.errors import BackendError, CodecError, DualdagError, StoreError
from dualdag.execution._copies import own_copy
from dualdag.execution._failures import user_traceback
from dualdag.execution._inputs import note_tokens, read_files
from dualdag.execution._moved import check_moved
from dualdag.execution._protocol import Handle, RunInfo
from dualdag.execution._recorder import Recorder
from dualdag.execution._result import Listener, RunResult, as_group
from dualdag.execution._results import TRIES
from dualdag.execution._run import Run, error_line, new_run_id
from dualdag.execution._schedule import Scheduler
from dualdag.execution._versions import artifact_rows
from dualdag.execution._work import InputMissingError
from dualdag.execution.embedded._sync import SyncBackend
from dualdag.planning import plan_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from dualdag.execution._protocol import Backend
    from dualdag.graph import Graph, Node
    from dualdag.planning import FileView, Plan
    from dualdag.store import Claims, RunJournal, Store

__all__ = ["run_graph"]


def run_graph(
    graph: Graph,
    *,
    store: Store,
    backend: Backend,
    files: FileView,
    refresh: Iterable[str | Node[Any]] = (),
    keep_going: bool = False,
    now: datetime,
    listeners: Iterable[Listener] = (),
    run_info: Mapping[str, Any] | None = None,
    want_values: bool = True,
    return_failures: bool = False,
) -> RunResult:
    """Run what a graph needs and return the values of its targets.

    Parameters
    ----------
    graph : Graph
        What is asked for.
    store : Store
        Where results are looked for and kept.
    backend : Backend
        What runs them, from `get_backend`.
    files : FileView
        What is known of input files; scanned here.
    refresh : iterable of str or Node
        What runs again whatever the store says.
    keep_going : bool
        Whether to run all that does not depend on a failure before telling of it.
    now : datetime
        The clock of the run.
    listeners : iterable of callable
        Told of each `Event`.
    run_info : mapping, optional
        Plain data for the journal and for versions: parameters, the flow's name.
    want_values : bool
        Whether to bring the targets' values here; without, they are only made sure to be in the store.
    return_failures : bool
        With `keep_going`: whether the result tells of failures, in place of an exception.

    Returns
    -------
    RunResult
        Values by position, the plan, what was done.

    Raises
    ------
    Exception
        A failing task's own.
    ExceptionGroup
        With `keep_going`, of every failure.
    """
    run_id = new_run_id(time.time())
    info = dict(run_info or {})
    journal = store.start_run(run_id, info | {"backend": backend.name} | _process())
    run = None
    status, error = "failed", ""
    try:
        files.scan(graph)
        plan = plan_graph(graph, store=store, files=files, refresh=refresh, now=now)
        session = SyncBackend().open(RunInfo(run_id, store, 0))
        recorder = Recorder(store, readonly=journal.refused is not None)
        run = Run(
            graph, store, session, files, now, keep_going, recorder, journal, tuple(listeners), run_id,
            backend=backend, info=info, marked=set(store.unstable()), late=dict(store.superseded()),
            forced=set(plan.forced),
        )  # fmt: skip
        result = _carry_out(run, plan, want_values=want_values, return_failures=keep_going and return_failures)
        status = "failed" if result.failures else "done"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    except BaseException as raised:
        error = error_line(raised)
        raise
    else:
        return result
    finally:
        # After a task's failure nothing runs any more; after anything else it might.
        hard = status != "done" and (run is None or not run.failures or status == "interrupted")
        did = {} if run is None else run.did()
        _end(run, journal, status, did | {"error": did.get("error") or error}, hard=hard)


def _carry_out(run: Run, plan: Plan, *, want_values: bool, return_failures: bool) -> RunResult:
    run.tell("run-start", message=run.run_id)
    try:
        scheduler = _until_it_holds(run, plan)
        if run.failures and return_failures:
            return _result(run, scheduler, {})
        _raise_failures(run)
        values = _values(run, scheduler) if want_values else {}
        while values is None:
            scheduler = _until_it_holds(run, _plan_again(run))
            _raise_failures(run)
            values = _values(run, scheduler)
    finally:
        run.tell("run-end", message=f"{run.executed} run, {len(run.failures)} failed")
    check_moved(run)
    return _result(run, scheduler, values)


def _result(run: Run, scheduler: Scheduler, values: dict[int, Any]) -> RunResult:
    rows = artifact_rows(scheduler)
    return RunResult(scheduler.plan, values, run.run_id, run.executed, rows, tuple(run.failures))


def _until_it_holds(run: Run, plan: Plan) -> Scheduler:
    """Carry a plan out; where a file or a result turns out to be another than planned with, plan again."""
    while True:
        while plan.unknown_files:
            read_files(run.files, [u for urls in plan.unknown_files.values() for u in urls], run.tokens)
            plan = _plan_again(run)
        if note_tokens(plan, run.files, run.tokens):
            plan = _plan_again(run)
            continue
        _open_backend(run, plan)
        run.plan = plan
        run.tell("plan", data=plan, slots=run.session.slots)
        scheduler = Scheduler(run, plan)
        try:
            scheduler.carry_out()
        except KeyboardInterrupt:
            scheduler.salvage()
            raise
        if not scheduler.again or (run.failures and not run.keep_going):
            return scheduler
        plan = _plan_again(run)


def _open_backend(run: Run, plan: Plan) -> None:
    """Start what runs tasks at the first plan that has any: a run that finds all it needs starts no engine."""
    size = sum(plan.actions.count(code) for code in (2, 3))
    if size and not run.opened:
        if run.journal.refused is not None and any(
            action == 2 and run.policy(i).persist is not False for i, action in enumerate(plan.actions)
        ):
            # Said now, not after the first task's hour.
            raise run.journal.refused
        run.session.close(hard=False)
        run.session = run.backend.open(RunInfo(run.run_id, run.store, size, *_demands(run, plan)))
        run.recorder.ticking = run.session.inline
        run.opened = True
        run.claims = _claims_for(run, plan)
        if any(plan.actions[i] in (2, 3) and run.graph.artifacts(i) for i in run.graph.extras):
            # Versions will tell it; git takes longer than many a run.
            run.ask_git()


def _claims_for(run: Run, plan: Plan) -> Claims | None:
    """Return what a run claims with; None where it makes nothing that others could use, or can't write."""
    if run.journal.refused is not None:
        return None
    if all(run.policy(i).persist is False for i, action in enumerate(plan.actions) if action in (2, 3)):
        return None
    from dualdag.store import open_claims

    try:
        return open_claims(run.store, run.run_id)
    except StoreError as error:
        run.tell("warning", message=f"other runs can't see what this one does: {error}")
        return None


def _demands(run: Run, plan: Plan) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Return each set of resources that is asked for, once, and the first node that asks for it."""
    found: dict[str, tuple[Mapping[str, Any], str]] = {}
    seen: set[int] = set()
    for i, action in enumerate(plan.actions):
        if action not in (2, 3) or run.graph.nodes[i]._op.kind != "call":
            continue
        policy = run.policy(i)
        if policy.resources and id(policy) not in seen:
            seen.add(id(policy))
            asker = f"{run.graph.label(i)!r} ({run.graph.nodes[i]._site})"
            found.setdefault(repr(sorted(policy.resources.items())), (policy.resources, asker))
    return [resources for resources, _ in found.values()], [asker for _, asker in found.values()]


def _plan_again(run: Run) -> Plan:
    left = [run.graph.nodes[i] for i in sorted(run.forced - run.refreshed)]
    done = [run.graph.nodes[i] for i in sorted(run.refreshed)]
    run.late.update(run.store.superseded())
    return plan_graph(run.graph, store=run.store, files=run.files, refresh=left, refreshed=done, now=run.now)


def _raise_failures(run: Run) -> None:
    if not run.failures:
        return
    if run.keep_going:
        raise as_group(run.failures)
    first = run.failures[0]
    raise first.with_traceback(user_traceback(first.__traceback__))


def _values(run: Run, scheduler: Scheduler) -> dict[int, Any] | None:
    """Return the values of the targets; None if one turned out to be damaged, so that it has to be made again."""
    state = scheduler.state
    values: dict[int, Any] = {}
    given: set[int] = set()
    for i in scheduler.plan.targets:
        if i in state.literal:
            values[i] = own_copy(state.literal[i])
            continue
        if not state.has_value(i):
            raise BackendError(
                f"{run.graph.label(i)!r} ({run.graph.nodes[i]._site}) was neither run nor found: this is a bug of "
                "dualdag; please report it with the output of `dualdag doctor`."
            )
        handle = state.source(i)
        assert isinstance(handle, Handle)  # noqa: S101 - literals were dealt with
        try:
            value = run.session.fetch(handle)
        except InputMissingError as error:
            run.lost[i] = run.lost.get(i, 0) + 1
            if run.lost[i] > TRIES:
                raise _unreadable(run, i, error.reason) from None
            scheduler.results.warn_lost(i, error.reason)
            return None
        except DualdagError:
            raise
        except Exception as error:
            raise _unreadable(run, i, error) from error
        values[i] = own_copy(value) if handle.id in given else value
        given.add(handle.id)
    return values


def _unreadable(run: Run, i: int, error: BaseException) -> BaseException:
    """Return the error of a value that was made, and can't be read here."""
    if isinstance(error, DualdagError):
        error.add_note(f"in {run.graph.label(i)!r}, made at {run.graph.nodes[i]._site}")
        return error
    return CodecError(
        f"what {run.graph.label(i)!r} ({run.graph.nodes[i]._site}) returned can't be unpickled here "
        f"({type(error).__name__}: {_last_line(error)}): return plain data, a frame or an array, or teach its class "
        "with dag.register."
    )


def _last_line(error: BaseException) -> str:
    """Return what an error says, of an engine's traceback the end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _process() -> dict[str, Any]:
    """Return which process this is, so that others can tell a run that goes on from one that was killed."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


def _release(run: Run) -> None:
    if run.claims is not None:
        try:
            run.claims.close()
        except StoreError:
            pass  # others see that this process has ended, or that it fell silent


def _end(run: Run | None, journal: RunJournal, status: str, did: Mapping[str, Any], *, hard: bool) -> None:
    try:
        if run is not None:
            if run.git is not None:
                run.git.close()
            try:
                run.recorder.end()
            finally:
                run.session.close(hard=hard)
                _release(run)
    finally:
        journal.close(status, did)
