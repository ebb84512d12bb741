"""Options, subcommands and exit status."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualdag import __version__
from dualdag.cli import _errors

if TYPE_CHECKING:
    from dualdag.frontends import Flow
    from dualdag.graph import Node

__all__ = ["main"]

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="dualdag")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else, on stdout.")
@click.pass_context
def cli(context: click.Context, as_json: bool) -> None:
    """Run flows of pandas chains and plain functions; rerun only what a change touched."""
    context.obj = {"json": as_json}


class _Failure(Exception):
    """Wraps what running tasks raised, to tell it from errors in reading the flow."""


def _command(*, flow: bool = False) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a subcommand: errors become messages and a status; --json and --store work in all."""

    def make(fn: Callable[..., None]) -> click.Command:
        @functools.wraps(fn)
        @click.pass_context
        def run(context: click.Context, /, **options: Any) -> None:
            options["as_json"] = options.pop("as_json") or bool(context.obj and context.obj["json"])
            as_json = options["as_json"]
            try:
                if flow:
                    options["flow"], options["names"] = _flow_and_names(options.pop("arguments"))
                    options["given"] = dict(_pair(text) for text in options.pop("param"))
                fn(**options)
            except _Failure as failure:
                cause = failure.__cause__
                assert cause is not None  # noqa: S101 - always raised from something
                context.exit(_errors.report_error(cause, as_json=as_json, failed=True))
            except (click.ClickException, click.exceptions.Exit):
                raise
            except BrokenPipeError:
                # What reads our output has enough of it, as `head` does.
                sys.stderr.close()
                context.exit(0)
            except BaseException as error:  # noqa: BLE001 - each becomes a message and a status
                context.exit(_errors.report_error(error, as_json=as_json, failed=False))

        options = [
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout."),
            click.option("--store", metavar="URL", help="Where results live: a folder or any fsspec URL."),
        ]
        if flow:
            options.append(click.option("--param", "-p", multiple=True, metavar="NAME=VALUE", help="Set a parameter."))
            options.append(click.argument("arguments", nargs=-1, metavar="[FLOW] [NAME]..."))
        made: Any = run
        for option in options:
            made = option(made)
        return cli.command(fn.__name__.rstrip("_"))(made)

    return make


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--param {text}: write it as NAME=VALUE.")
    return name, value


def _flow_and_names(arguments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Tell a flow from names of artifacts: without a flow, that of [tool.dualdag] is taken."""
    from dualdag.config import settings

    configured = settings().flow
    if configured is None:
        if not arguments:
            raise click.UsageError(
                "name a flow, such as: dualdag run flow.py\n"
                'or set one in pyproject.toml:\n\n    [tool.dualdag]\n    flow = "flow.py"'
            )
        return arguments[0], arguments[1:]
    looks = bool(arguments) and (arguments[0].endswith(".py") or "/" in arguments[0] or Path(arguments[0]).is_file())
    return (arguments[0], arguments[1:]) if looks else (configured, arguments)


def _select(flow: Flow, names: tuple[str, ...]) -> dict[str, Node[Any]]:
    from dualdag.errors import GraphError, did_you_mean

    for name in names:
        if name not in flow.artifacts:
            raise GraphError(f"{flow.spec} makes no artifact {name!r}.{did_you_mean(name, flow.artifacts)}")
    return {name: flow.artifacts[name] for name in (names or flow.artifacts)}


_REFRESH = click.option("--refresh", multiple=True, metavar="NAME", help="Run NAME again, whatever the store says.")


@_command(flow=True)
@_REFRESH
@click.option("--backend", "-b", metavar="B", help="local, sync, processes, dask, ray, or a URL.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Workers of an embedded backend.")
@click.option("--keep-going", is_flag=True, help="Run all that does not depend on a failure.")
@click.option("--progress", type=click.Choice(["auto", "bar", "lines", "off"]), help="How progress is shown.")
def run(
    flow: str, names: tuple[str, ...], given: dict[str, str], as_json: bool, refresh: tuple[str, ...], **options: Any
) -> None:
    """Run the named artifacts of a flow, or all of them."""
    from dualdag import _api
    from dualdag.cli import _output
    from dualdag.frontends import load_flow

    chosen = _select(load_flow(flow, given), names)
    if as_json and options["progress"] is None:
        options["progress"] = "off"
    try:
        result = _api.run_result(list(chosen.values()), refresh=refresh, want_values=False, **options)
    except BaseException as error:
        raise _Failure from error
    _output.run_result(result, as_json=as_json)


@_command(flow=True)
@_REFRESH
def plan(
    flow: str, names: tuple[str, ...], given: dict[str, str], as_json: bool, refresh: tuple[str, ...], store: str | None
) -> None:
    """Say what would run, and why; run nothing."""
    from dualdag import _api
    from dualdag.cli import _output
    from dualdag.frontends import load_flow

    chosen = _select(load_flow(flow, given), names)
    _output.plan(_api.plan(list(chosen.values()), store=store, refresh=refresh), as_json=as_json)


@_command(flow=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A .svg, .html, .dot or .mmd file.")
def graph(
    flow: str, names: tuple[str, ...], given: dict[str, str], as_json: bool, store: str | None, output: Path | None
) -> None:
    """Draw the graph of a flow, coloured by what would run."""
    from dualdag import _api
    from dualdag.cli import _output
    from dualdag.frontends import load_flow

    chosen = _select(load_flow(flow, given), names)
    _output.graph(_api.plan(list(chosen.values()), store=store), output or Path("graph.svg"), as_json=as_json)


@_command()
def ls(store: str | None, as_json: bool) -> None:
    """List the artifacts of a store."""
    import dualdag
    from dualdag.cli import _output

    _output.artifacts(dualdag.store(store).artifacts(), as_json=as_json)


@_command()
@click.argument("name")
def show(name: str, store: str | None, as_json: bool) -> None:
    """Show versions and lineage of an artifact."""
    import dualdag
    from dualdag.cli import _output

    _output.artifact(dualdag.store(store), name, as_json=as_json)


@_command()
@click.argument("run_id", metavar="[RUN]", required=False)
def log(run_id: str | None, store: str | None, as_json: bool) -> None:
    """List the runs, or what one of them did."""
    import dualdag
    from dualdag.cli import _output

    opened = dualdag.store(store)
    if run_id is None:
        _output.runs(opened.runs(limit=50), as_json=as_json)
    else:
        _output.one_run(*opened.run(run_id), as_json=as_json)


@_command()
@click.argument("name")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Where to; the ending chooses the format.")
@click.option("--version", "number", type=click.IntRange(min=1), help="Which version; the newest by default.")
def get(name: str, store: str | None, as_json: bool, output: Path | None, number: int | None) -> None:
    """Get an artifact's value out of the store."""
    from dualdag import _api
    from dualdag.cli import _values

    _values.show_or_write(name, _api.load(name, number, store=store), output, as_json=as_json)


@_command()
def doctor(store: str | None, as_json: bool) -> None:
    """Say what works here, and what fixes what does not."""
    from dualdag.cli import _doctor

    checks = _doctor.examine(store)
    _doctor.show(checks, as_json=as_json)
    if not all(check.ok for check in checks):
        raise click.exceptions.Exit(_errors.UNUSABLE)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    cli(prog_name="dualdag")
