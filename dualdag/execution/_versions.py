"""Versions of artifacts: when one is added, and what is written down with it."""

from __future__ import annotations

import json
import os.path
import time
from typing import TYPE_CHECKING

from dualdag.errors import CorruptObjectError, StoreError, UntrustedRecordError
from dualdag.execution._inputs import look_at
from dualdag.execution._making import FORMAT, MOST_STEPS, FileFact, Known, machine, making_of
from dualdag.execution._result import ArtifactRow
from dualdag.execution._state import FAILED
from dualdag.graph import asked_params

if TYPE_CHECKING:
    from dualdag.execution._run import Run
    from dualdag.execution._schedule import Scheduler
    from dualdag.graph import ArtifactSpec
    from dualdag.planning import Plan
    from dualdag.store import Record, Version

__all__ = ["artifact_rows", "publish_versions"]


def publish_versions(scheduler: Scheduler, i: int, record: Record) -> None:
    """Add a version of each artifact that a node is, where its value is another than the last one's.

    A due artifact with a cadence whose value is the same adds a confirmation; one without a cadence
    adds nothing.

    Parameters
    ----------
    scheduler : Scheduler
        Carries the plan out.
    i : int
        Position of the node.
    record : Record
        In force for it; its object is there.
    """
    run = scheduler.run
    for spec in scheduler.graph.artifacts(i):
        done = run.versions.get(spec.name)
        if done is not None and done.digest == record.digest:
            continue
        try:
            last = run.store.latest(spec.name)
        except (CorruptObjectError, UntrustedRecordError):
            last = None
        if last is not None and last.own_part != scheduler.plan.own_parts[spec.name]:
            _warn_of_another_flow(run, i, spec, last)
        if last is None or last.digest != record.digest or _gone(run, last, record):
            version = run.store.add_version(_version(scheduler, i, spec, record))
            run.versions[spec.name] = version
            run.tell("version", i, nbytes=version.nbytes, message=f"version {version.number}", data=version)
            continue
        run.versions[spec.name] = last
        if spec.cadence.kind != "change":
            _confirm(scheduler, i, spec, last)


def _warn_of_another_flow(run: Run, i: int, spec: ArtifactSpec, last: Version) -> None:
    """Warn where another flow file gave this name to something else: each would take the other's for its own."""
    if last.details is None:
        return
    try:
        made_at = run.store.details(last.details).get("made_at")
    except StoreError:
        return
    if not isinstance(made_at, dict):
        return
    file = made_at.get("file")
    # A file that is gone was renamed; cells of a notebook are no files, and there the later definition holds.
    if not isinstance(file, str) or file == spec.site.file or not os.path.isfile(file):  # noqa: PTH113 - never raises
        return
    was = f"{file}:{made_at.get('line')}"
    run.warn(
        i,
        f"two flows give the name {spec.name!r} to different things: version {last.number} was made by {was}, "
        f"and now {spec.site} makes another. Rename one of them, or give each flow a store of its own.",
    )


def _gone(run: Run, last: Version, record: Record) -> bool:
    return last.checksum != record.checksum and not run.store.has_objects([last.checksum])


def _confirm(scheduler: Scheduler, i: int, spec: ArtifactSpec, last: Version) -> None:
    from dualdag.store import Confirmation

    run = scheduler.run
    trace = scheduler.state.effective[i]
    assert trace is not None  # noqa: S101 - made when the node was resolved
    run.store.confirm(
        Confirmation(name=spec.name, version=last.number, created=run.now.timestamp(),
                     trace=trace, own_part=scheduler.plan.own_parts[spec.name])
    )  # fmt: skip
    run.tell("confirmed", i, message=f"version {last.number} found equal")


def _version(scheduler: Scheduler, i: int, spec: ArtifactSpec, record: Record) -> Version:
    from dualdag.store import Version

    run, plan = scheduler.run, scheduler.plan
    trace = scheduler.state.effective[i]
    assert trace is not None and record.checksum is not None  # noqa: S101, PT018 - artifacts are kept
    details, code = _made_of(scheduler, i, spec)
    return Version(
        name=spec.name,
        number=0,
        digest=record.digest,
        checksum=record.checksum,
        codec=record.codec,
        nbytes=record.nbytes,
        trace=trace,
        own_part=plan.own_parts[spec.name],
        action=record.action,
        created=run.now.timestamp(),
        seconds=run.seconds.get(i, record.seconds),
        cadence=spec.cadence.text,
        tz=spec.cadence.tz,
        run=run.run_id,
        function=record.function,
        details=details,
        code=code,
    )


def _made_of(scheduler: Scheduler, i: int, spec: ArtifactSpec) -> tuple[bytes, bytes]:
    """Store what `dualdag why`, `diff` and `show` will want to know of a version; return where details and code are."""
    run = scheduler.run
    above, inputs = _lineage(scheduler, i)
    details, code = making_of(scheduler.graph, i, _known(scheduler))
    git = run.ask_git().state()
    details |= {
        "format": FORMAT,
        "made": time.time(),
        "made_at": {"file": spec.site.file, "line": spec.site.line},
        "parameters": asked_params(),
        "inputs": dict(list(inputs.items())[:MOST_STEPS]),
        "lineage": [key.hex() for j in above if (key := _trace(scheduler, j)) is not None],
        "git": git.commit,
        "dirty": git.dirty,
        **machine(),
    }
    from dualdag.store import pack_code

    put = run.store.put_object
    return put(json.dumps({**run.info, **details}, separators=(",", ":")).encode()), put(pack_code(code))


def _known(scheduler: Scheduler) -> Known:
    run, plan = scheduler.run, scheduler.plan

    def digest(j: int) -> bytes | None:
        return scheduler.state.digest[j] or plan.digest(j)

    def file(url: str) -> FileFact:
        token = run.tokens.get(url) if url in run.tokens else look_at(url)
        size, when = (None, None) if token is None else token.told
        return size, when, run.files.digest(url)

    def version(name: str) -> int | None:
        made = run.versions.get(name) or next((v for v in plan.pins.values() if v.name == name), None)
        return None if made is None else made.number

    return Known(digest, run.files.urls, file, version)


def _trace(scheduler: Scheduler, i: int) -> bytes | None:
    return scheduler.traces.get(i) or scheduler.plan.traces[i]


def _lineage(scheduler: Scheduler, i: int) -> tuple[list[int], dict[str, str]]:
    """Return the nodes between an artifact and its files or artifacts, and the digests of those."""
    graph, plan = scheduler.graph, scheduler.plan
    seen, above, inputs = {i}, [], {}
    stack = list(graph.inputs[i])
    while stack:
        j = stack.pop()
        if j in seen:
            continue
        seen.add(j)
        node = graph.nodes[j]
        digest = scheduler.state.digest[j] or plan.digest(j)
        if node._op.kind != "call" or graph.artifacts(j):
            inputs[graph.label(j)] = digest.hex() if digest is not None else ""
            continue
        above.append(j)
        stack.extend(graph.inputs[j])
    return sorted(above), inputs


def artifact_rows(scheduler: Scheduler) -> tuple[ArtifactRow, ...]:
    """Return a row for each artifact that was looked at.

    Parameters
    ----------
    scheduler : Scheduler
        Of the last plan.
    """
    run, plan, phase = scheduler.run, scheduler.plan, scheduler.state.phase
    rows = []
    for i in sorted(graph_artifacts(plan)):
        for spec in plan.graph.artifacts(i):
            pin = plan.pins.get(i)
            version = pin if pin is not None and spec.name not in run.versions else run.versions.get(spec.name)
            done = "run" if i in run.seconds else "pinned" if pin is not None else "reuse"
            action = done if phase[i] != FAILED else "failed" if i in run.failed else "not run"
            nbytes = version.nbytes if version is not None else 0
            number = version.number if version is not None else None
            rows.append(ArtifactRow(spec.name, action, run.seconds.get(i, 0.0), nbytes, number))
    return tuple(rows)


def graph_artifacts(plan: Plan) -> list[int]:
    """Return the positions of the artifacts that a plan lists."""
    return [i for i, extra in plan.graph.extras.items() if extra.artifacts and plan.actions[i]]
