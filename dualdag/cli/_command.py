"""What all subcommands share: options, JSON, errors, and how a flow is named."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dualdag.cli import _errors
from dualdag.cli._streams import discard_output, json_only

if TYPE_CHECKING:
    from dualdag.graph import Node

__all__ = ["Answer", "Group", "chosen_flow", "json_option", "make_command", "users_code", "wants_json"]


#: The group takes it too, as it may come before a command's name or after.
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document, and nothing else, on stdout.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subcommand found.

    Parameters
    ----------
    document : object
        For programs: plain data.
    show : callable
        For people: prints it.
    status : int
        What the command exits with.
    error : BaseException or None
        What is told of besides, as where a run kept going.
    """

    document: Any
    show: Callable[[], None]
    status: int = _errors.DONE
    error: BaseException | None = None


class Group(click.Group):
    """A group whose usage errors are one line, or JSON where that was asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are met, not that of the alphabet."""
        return list(self.commands)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> NoReturn:
        """Run a command line and exit."""
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given[: given.index("--") if "--" in given else None]
        options.pop("standalone_mode", None)
        try:
            status = super().main(given, prog_name or "dualdag", standalone_mode=False, obj=as_json, **options)
        except click.ClickException as error:
            _tell_of_usage(error, as_json=as_json)
            status = error.exit_code
        except click.Abort:
            status = _errors.INTERRUPTED
        sys.exit(status or 0)


def _tell_of_usage(error: click.ClickException, *, as_json: bool) -> None:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(message, err=True)
        return
    click.echo(f"error: {message}", err=True)
    if context is not None:
        click.echo(f"try: {context.command_path} --help", err=True)
    if as_json:
        with json_only() as emit:
            kind = type(error).__name__
            emit({"error": {"status": error.exit_code, "type": kind, "message": message, "notes": []}})


def wants_json() -> bool:
    """Return whether ``--json`` was given, before the command's name or after it."""
    context: click.Context | None = click.get_current_context()
    while context is not None:
        if context.params.get("as_json"):
            return True
        context = context.parent
    return False


def make_command(fn: Callable[..., Answer], *, flow: bool = False) -> click.Command:
    """Return a function as a subcommand: errors become messages and a status.

    Parameters
    ----------
    fn : callable
        Takes the options and returns an Answer.
    flow : bool
        Whether it takes ``[FLOW] [NAME...]`` and ``--param``.
    """

    @functools.wraps(fn)
    def run(**options: Any) -> int:
        options.pop("as_json")
        return _in_json(fn, options) if wants_json() else _in_text(fn, options)

    made: Any = run
    made = json_option(made)
    made = click.option("--store", metavar="URL", help="Where results live: a folder or any fsspec URL.")(made)
    if flow:
        params = click.option("--param", "-p", "given", multiple=True, metavar="NAME=VALUE", callback=_pairs,
                              help="Set a parameter of the flow.")  # fmt: skip
        made = click.argument("arguments", nargs=-1, metavar="[FLOW] [NAME]...")(params(made))
    return click.command(fn.__name__.rstrip("_"))(made)


def _in_text(fn: Callable[..., Answer], options: Mapping[str, Any]) -> int:
    try:
        answer = fn(**options)
        if answer.error is not None:
            click.echo(_errors.say(answer.error), err=True)
        return _put_out(answer.show, answer.status)
    except (click.ClickException, click.exceptions.Exit):
        raise
    except BrokenPipeError:
        discard_output()
        return _errors.DONE
    except BaseException as error:  # noqa: BLE001 - each becomes a message and a status
        cause, status = _unwrapped(error)
        click.echo(_errors.say(cause), err=True, nl=False)
        return status


def _put_out(write: Callable[[], None], status: int) -> int:
    """Write to standard output and return the status: of a full disk another, of a reader that left the same."""
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        click.echo(f"error: standard output can't be written: {(error.strerror or str(error)).lower()}.", err=True)
        return _errors.USAGE
    return status


def _in_json(fn: Callable[..., Answer], options: Mapping[str, Any]) -> int:
    with json_only() as emit:
        try:
            answer = fn(**options)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BaseException as error:  # noqa: BLE001 - each becomes a document and a status
            cause, status = _unwrapped(error)
            click.echo(_errors.say(cause), err=True, nl=False)
            return _put_out(lambda: emit(_errors.describe(cause, status)), status)
        document = answer.document
        if answer.error is not None:
            click.echo(_errors.say(answer.error), err=True, nl=False)
            document |= _errors.describe(answer.error, answer.status)
        return _put_out(lambda: emit(document), answer.status)


def _unwrapped(error: BaseException) -> tuple[BaseException, int]:
    if isinstance(error, _errors.UsersError) and error.__cause__ is not None:
        return error.__cause__, _errors.status_of(error.__cause__, users=error.status)
    return error, _errors.status_of(error)


@contextmanager
def users_code(status: int) -> Iterator[None]:
    """Mark what the block raises as the user's own.

    Parameters
    ----------
    status : int
        What the command exits with then.
    """
    try:
        yield
    except BaseException as error:
        raise _errors.UsersError(status) from error


def _pairs(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as days=7.", context, option)
        found[name.strip()] = value
    return found


def chosen_flow(arguments: tuple[str, ...], given: Mapping[str, str], command: str) -> tuple[str, dict[str, Node[Any]]]:
    """Return the flow that was named, or that of the project, and the artifacts that were named.

    Parameters
    ----------
    arguments : tuple of str
        ``[FLOW] [NAME...]``: the first one is a name where it is no flow and the project has one.
    given : mapping
        Parameters.
    command : str
        What was typed, for messages.
    """
    from dualdag.config import settings
    from dualdag.frontends import is_flow, load_flow

    flow = settings().flow
    names = arguments
    if arguments and (flow is None or is_flow(arguments[0])):
        flow, names = arguments[0], arguments[1:]
    if flow is None:
        raise click.UsageError(
            f"name a flow, such as: dualdag {command} {_some_flow()}; "
            'or set flow = "flow.py" under [tool.dualdag] in pyproject.toml.'
        )
    try:
        with users_code(_errors.USAGE):
            loaded = load_flow(flow, given)
    except _errors.UsersError as error:
        if isinstance(error.__cause__, SystemExit):
            said = f": {error.__cause__.code}" if isinstance(error.__cause__.code, str) else "."
            raise click.UsageError(f"{flow} ended the program (sys.exit) while it was imported{said}") from error
        raise
    return flow, loaded.select(names)


def _some_flow() -> str:
    """Return a file of this folder that looks like a flow."""
    for path in sorted(Path().glob("*.py"))[:50]:
        try:
            if ".artifact(" in path.read_text(encoding="utf-8")[:100_000]:
                return path.name
        except (OSError, UnicodeDecodeError):
            continue
    return "flow.py"
