"""The subcommands."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualdag import __version__
from dualdag.cli import _errors
from dualdag.cli._command import Answer, Group, chosen_flow, json_option, make_command, users_code, wants_json
from dualdag.cli._streams import make_safe
from dualdag.cli._verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["cli", "main"]

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_refresh = click.option(
    "--refresh", multiple=True, metavar="NAME", help="Run NAME again, whatever the store says; or: all."
)

_backend = click.option("--backend", "-b", metavar="B", help="sync, local, processes, dask, ray, or an engine's URL.")
_workers = click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Workers of an embedded backend.")


def _tell_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(json.dumps({"version": __version__}) if context.obj else f"dualdag {__version__}")
        context.exit()


@click.group(cls=Group, context_settings=_CONTEXT)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Show the version."
)
@json_option
def cli(**_: Any) -> None:
    """Run pandas chains and plain functions as one graph; rerun only what a change touched.

    FLOW is a Python file, or package.module, that makes artifacts. Without it, flow of
    [tool.dualdag] in pyproject.toml is taken.
    """
    try:
        Path.cwd()
    except OSError as error:
        message = f"the current folder can't be used: {(error.strerror or str(error)).lower()}. Change into another."
        raise click.UsageError(message) from error


@_refresh
@_backend
@_workers
@click.option("--keep-going", is_flag=True, help="Run all that does not depend on a failure.")
@click.option("--progress", type=click.Choice(["auto", "bar", "lines", "off"]), help="How progress is shown.")
@click.option("--due", is_flag=True, help="Run what is due and nothing else, and say what comes next.")
def run(
    arguments: tuple[str, ...], given: Mapping[str, str], refresh: tuple[str, ...], *, due: bool, **options: Any
) -> Answer:
    """Run the named artifacts of a flow, or all."""
    from dualdag import _api
    from dualdag.cli import _output

    if options["progress"] is None and wants_json():
        options["progress"] = "off"
    if due and refresh:
        raise click.UsageError("--due runs what the clock says, and --refresh what you say: take one of them.")
    flow, chosen = chosen_flow(arguments, given, "run")
    options["run_info"] = {"flow": flow, "artifacts": list(chosen), "params": dict(given)}
    if due:
        from dualdag.cli import _due

        return _due.of_due(chosen, **options)
    with users_code(_errors.FAILED):
        result = _api.run_result(
            list(chosen.values()), refresh=refresh, want_values=False, return_failures=True, **options
        )
    return _output.of_run(result)


@_refresh
def plan(arguments: tuple[str, ...], given: Mapping[str, str], refresh: tuple[str, ...], store: str | None) -> Answer:
    """Say what would run, and why; run nothing."""
    from dualdag import _api
    from dualdag.cli import _output

    _, chosen = chosen_flow(arguments, given, "plan")
    return _output.of_plan(_api.plan(list(chosen.values()), store=store, refresh=refresh))


@_refresh
def why(arguments: tuple[str, ...], given: Mapping[str, str], refresh: tuple[str, ...], store: str | None) -> Answer:
    """Say why artifacts would run, or would not: what changed since their last version."""
    from dualdag import _api
    from dualdag.cli import _explain

    _, chosen = chosen_flow(arguments, given, "why")
    return _explain.of_reasons([_api.why(node, store, refresh=refresh) for node in chosen.values()])


@click.option("--output", "-o", metavar="FILE", help="A .svg, .html, .png, .dot or .mmd file; else DOT on stdout.")
def graph(arguments: tuple[str, ...], given: Mapping[str, str], store: str | None, output: str | None) -> Answer:
    """Draw the graph of a flow, coloured by its plan."""
    from dualdag.cli import _picture

    flow, chosen = chosen_flow(arguments, given, "graph")
    return _picture.of_graph(flow, chosen, store=store, output=output)


@click.option("--to", type=click.Choice(["cron", "systemd"]), required=True, help="Whose clock it is.")
@click.option("--output", "-o", metavar="DIR", help="Write files there, in place of standard output.")
@click.option("--tz", metavar="ZONE", help="Zone of the machine whose cron it is, if not this one's.")
@_backend
@_workers
def schedule(
    arguments: tuple[str, ...],
    given: Mapping[str, str],
    store: str | None,
    *,
    to: str,
    output: str | None,
    tz: str | None,
    **options: Any,
) -> Answer:
    """Write a schedule for cron or systemd: each artifact in its own job."""
    from dualdag.cli import _schedule

    flow, chosen = chosen_flow(arguments, given, "schedule")
    return _schedule.of_schedule(flow, chosen, given, store=store, to=to, output=output, tz=tz, options=options)


@click.option("--sizes", is_flag=True, help="What each takes: bytes that deleting it frees, and shared ones.")
def ls(store: str | None, *, sizes: bool) -> Answer:
    """List the artifacts of the store."""
    import dualdag
    from dualdag.cli import _housekeeping, _output

    if sizes:
        return _housekeeping.of_sizes(dualdag.store(store).sizes())
    return _output.of_artifacts(dualdag.store(store))


@click.argument("name")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="N", help="Not the newest, but this one.")
@click.option("--depth", type=click.IntRange(min=1), default=3, metavar="N", help="How many artifacts deep; 3.")
@click.option("--code", is_flag=True, help="Show the source of all that made it too.")
@click.option("--limit", type=click.IntRange(min=1), default=30, metavar="N", help="How many versions are listed; 30.")
def show(name: str, store: str | None, number: int | None, depth: int, limit: int, *, code: bool) -> Answer:
    """Show the versions of an artifact, and of one what made it and what from."""
    import dualdag
    from dualdag.cli import _explain

    return _explain.of_artifact(dualdag.store(store), name, number, depth, limit, code=code)


@click.argument("name")
@click.argument("v1", type=click.IntRange(min=1))
@click.argument("v2", type=click.IntRange(min=1), required=False)
@click.option("--key", multiple=True, metavar="COLUMN", help="Of frames: what tells which row is which.")
def diff(name: str, v1: int, v2: int | None, key: tuple[str, ...], store: str | None) -> Answer:
    """Say how two versions of an artifact differ; without V2, V1 and the newest."""
    from dualdag import _api

    found = _api.diff(name, v1, v2, store, key=key)
    return Answer(found.to_dict(), lambda: print(found))


@click.argument("run_id", metavar="[RUN]", required=False)
@click.argument("node", metavar="[NODE]", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=50, metavar="N", help="How many runs at the most; 50.")
def log(run_id: str | None, node: str | None, store: str | None, limit: int) -> Answer:
    """List the runs, or what one of them did, or what a node of it printed."""
    import dualdag
    from dualdag.cli import _runs

    opened = dualdag.store(store)
    if run_id is None:
        return _runs.of_runs(opened.runs(limit=limit))
    row, events = opened.run(run_id)
    return _runs.of_one_run(row, events) if node is None else _runs.of_one_node(row, events, node)


@click.argument("name")
@click.option("--output", "-o", metavar="FILE", help="Where to; its ending chooses the format.")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="N", help="Not the newest, but this one.")
def get(name: str, store: str | None, output: str | None, number: int | None) -> Answer:
    """Get the value of an artifact out of the store."""
    import dualdag
    from dualdag.cli import _values

    return _values.of_value(dualdag.store(store), name, number, output)


@click.argument("source", metavar="STORE1")
@click.argument("target", metavar="STORE2")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="N", help="Not the newest, but this one.")
@click.option("--all-versions", is_flag=True, help="All versions, not the newest alone.")
def cp(source: str, target: str, names: tuple[str, ...], store: str | None, **options: Any) -> Answer:
    """Copy artifacts to another store, with the results that they were made from."""
    from dualdag.cli import _housekeeping

    if store is not None:
        raise click.UsageError("cp takes its stores as they are: dualdag cp STORE1 STORE2 [NAME]...")
    return _housekeeping.of_copy(source, target, names, **options)


@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Versions of each artifact that stay.")
@click.option("--older-than", metavar="30d", help="What is older goes: versions, results, journals.")
@click.option("--max-bytes", metavar="10GB", help="What all objects may take: the cheapest results go first.")
@click.option("--dry-run/--no-dry-run", default=None, help="Only tell; on a store that others made, the default.")
def gc(store: str | None, **options: Any) -> Answer:
    """Remove what nothing leads to any more, and old versions if asked to."""
    import dualdag
    from dualdag.cli import _housekeeping

    opened = dualdag.store(store)
    return _housekeeping.of_collected(opened, opened.gc(**options), chosen=options["dry_run"] is not None)


@click.option("--start", is_flag=True, help="Start or join each engine too, and run a task there.")
def doctor(store: str | None, *, start: bool) -> Answer:
    """Say what works here, and what mends the rest."""
    from dualdag.cli import _doctor

    return _doctor.of_checks(_doctor.examine(store, start=start))


_OF_FLOWS: tuple[Callable[..., Answer], ...] = (run, plan, why, graph, schedule)
_OF_STORES: tuple[Callable[..., Answer], ...] = (ls, show, diff, log, get, gc, cp, verify, doctor)
for _command in _OF_FLOWS:
    cli.add_command(make_command(_command, flow=True))
for _command in _OF_STORES:
    cli.add_command(make_command(_command))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    make_safe()
    # Asked to end, a run ends as with Ctrl-C: what finished is kept, workers are not left behind.
    signal.signal(signal.SIGTERM, _interrupt)
    cli.main(prog_name="dualdag")
