"""`dualdag schedule`: jobs for another program's clock, one for each artifact but what no clock makes due."""

from __future__ import annotations

import os.path
import re
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from dualdag.cli._command import Answer
from dualdag.cli._crontab import crontab
from dualdag.cli._jobs import Job, Schedule
from dualdag.cli._systemd import units
from dualdag.config import check_zone, environment, settings

if TYPE_CHECKING:
    from dualdag.graph import Cadence, Node

__all__ = ["of_schedule"]

#: Addresses of clusters, and where caches lie; what else a job needs it finds as this process did.
_VARIABLES = ("RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS", "XDG_CACHE_HOME")
_NOT_SAID = frozenset({"DUALDAG_SECRET", "DUALDAG_PROGRESS", "DUALDAG_STORE"})
_WHY_NOT = {
    "manual": "made once by hand, and again only when named in --refresh",
    "frozen": "made once by hand, and never again until its cadence is edited",
}


def of_schedule(
    flow: str,
    chosen: Mapping[str, Node[Any]],
    given: Mapping[str, str],
    *,
    store: str | None,
    to: str,
    output: str | None,
    tz: str | None,
    options: Mapping[str, Any],
) -> Answer:
    """Return the schedule of a flow for cron or systemd.

    Parameters
    ----------
    flow : str
        As it was named.
    chosen : mapping of str to Node
        Artifacts by name.
    given : mapping of str to str
        Parameters of the flow.
    store : str or None
        Where results live.
    to : {"cron", "systemd"}
        Whose clock it is.
    output : str or None
        A folder for the files; None prints them.
    tz : str or None
        Zone of the machine whose cron it is; None for this one's.
    options : mapping
        Options of ``dualdag run`` that have a value.
    """
    if tz is not None and to != "cron":
        raise click.UsageError("--tz says what zone cron reads its lines in; a timer of systemd names the zone itself.")
    if tz is not None:
        check_zone("--tz", tz)
    made = _schedule(flow, chosen, given, store, options)
    if to == "cron":
        lines = crontab(made, None if tz is None else ZoneInfo(tz))
        files = {f"{made.name}.crontab": lines.text}
        when = lines.when
    else:
        files, when = units(made)
    document = _document(made, to, when, files)
    if output is None:
        return Answer(document, lambda: click.echo("\n".join(files.values()), nl=False))
    written = _write(Path(output), files)
    return Answer(document | {"written": written}, lambda: _tell(made, to, written))


def _document(made: Schedule, to: str, when: Mapping[str, list[str]], files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "to": to,
        "jobs": [
            {"artifact": job.artifact, "cadence": job.cadence.text, "tz": job.cadence.tz, "when": when[job.artifact],
             "command": list(job.command)}
            for job in made.jobs
        ],
        "folder": made.folder,
        "environment": dict(made.variables),
        "unscheduled": [{"artifact": name, "reason": why} for name, why in made.others.items()],
        "notes": list(made.notes),
        "files": dict(files),
    }  # fmt: skip


def _schedule(
    flow: str, chosen: Mapping[str, Node[Any]], given: Mapping[str, str], store: str | None, options: Mapping[str, Any]
) -> Schedule:
    folder = str(Path.cwd())
    file = os.path.abspath(Path(flow).expanduser()) if Path(flow).is_file() else flow  # noqa: PTH100 - keeps links
    variables, notes = _variables(store)
    more = [f"--param={name}={value}" for name, value in given.items()]
    more += [f"--{name}={value}" for name, value in options.items() if value is not None]
    cadences = {spec.name: spec.cadence for node in chosen.values() for spec in node.extra.artifacts}
    jobs, others = [], {}
    for name in chosen:
        cadence = cadences[name]
        if cadence.kind in _WHY_NOT:
            others[name] = _WHY_NOT[cadence.kind]
            continue
        command = (sys.executable, "-m", "dualdag", "run", file, name, "--due", *more)
        jobs.append(Job(name, cadence, command, _above(chosen[name]) if cadence.kind == "change" else ()))
    texts = [folder, *variables.values(), *(word for job in jobs for word in job.command)]
    for text in texts:
        if not text.isprintable():
            raise click.UsageError(f"{text!r} holds what can't be written into a schedule: use printable characters.")
    return Schedule(
        Path(file).name, _name(file, folder, more, variables), folder, variables, tuple(jobs), others, notes
    )


def _above(node: Node[Any]) -> tuple[Cadence, ...]:
    """Return the cadences of the nearest artifacts above one that have any: when they are made, it may change."""
    from dualdag.graph import compile_graph

    graph = compile_graph([node])
    order = list(graph.targets)
    found: list[Cadence] = []
    for i in order:  # grows while it is read
        specs = graph.artifacts(i)
        if specs and specs[0].cadence.kind != "change":
            found.append(specs[0].cadence)
        else:
            order += [j for j in graph.inputs[i] if j not in order]
    return tuple(dict.fromkeys(one for one in found if one.kind not in _WHY_NOT))


def _name(file: str, folder: str, more: list[str], variables: Mapping[str, str]) -> str:
    """Return a name that cron's folders and systemd take, and no other flow has."""
    stem = re.sub(r"[^A-Za-z0-9_]", "_", Path(file).name.removesuffix(".py"))[:20]
    mark = blake2b("\0".join([file, folder, *more, variables.get("DUALDAG_STORE", "")]).encode(), digest_size=3)
    return f"dualdag-{stem}-{mark.hexdigest()}"


def _variables(store: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what a job's environment has to hold, as a clock starts it with almost none, and what is left out."""
    from dualdag.store._fs import shown

    here, notes = environment(), []
    found = {
        name: value
        for name, value in sorted(here.items())
        if value and (name in _VARIABLES or (name.startswith("DUALDAG_") and name not in _NOT_SAID))
    }
    path = [os.path.abspath(part) for part in here.get("PYTHONPATH", "").split(os.pathsep) if part]  # noqa: PTH100
    if path:
        found["PYTHONPATH"] = os.pathsep.join(path)
    url = settings(store=store).store
    if shown(url) == url:
        found["DUALDAG_STORE"] = url
    else:
        notes.append("DUALDAG_STORE holds a password, and is not written down: see to it that the jobs have it.")
    if here.get("DUALDAG_SECRET"):
        notes.append("DUALDAG_SECRET is not written down: see to it that the jobs have it.")
    found["DUALDAG_PROGRESS"] = "off"
    return found, tuple(notes)


def _write(folder: Path, files: Mapping[str, str]) -> list[str]:
    from dualdag.cli._values import written

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"-o {folder} can't be made: {(error.strerror or str(error)).lower()}.") from error
    for name, text in files.items():
        with written(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [str(folder / name) for name in files]


def _tell(made: Schedule, to: str, written: list[str]) -> None:
    for path in written:
        print(f"written: {path}")
    if to == "cron":
        print("add it to what cron runs: crontab -e")
    else:
        print("start it: systemctl --user link each file, then systemctl --user enable --now each .timer")
    for note in made.notes:
        print(f"note: {note}")
