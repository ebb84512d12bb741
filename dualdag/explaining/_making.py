"""What something was, or would now be, made of: the same form for a version of the past and for the graph of today."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dualdag.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dualdag.store import Store, Version

__all__ = ["Function", "InputFile", "Making", "Step", "Upstream", "making_from", "read_making"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function, class, module or variable that a task reaches."""

    kind: str
    name: str
    digest: str
    owner: str = ""
    file: str = ""
    line: int | None = None
    detail: str = ""
    source: str = ""
    via: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same when it changes."""
        return self.kind, self.owner, self.name

    @property
    def is_code(self) -> bool:
        """Whether it has a source; else it is a variable."""
        return self.kind in {"function", "class", "module"}


@dataclass(frozen=True, slots=True)
class Step:
    """A node, and what it takes: `inputs` are places among the steps, `uses` those of functions in arguments."""

    kind: str
    label: str
    own: str = ""
    op: str = ""
    args: tuple[tuple[str, str, str], ...] = ()
    inputs: tuple[int, ...] = ()
    at: str = ""
    digest: str = ""
    uses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class InputFile:
    """What a file looked like."""

    size: int | None
    when: float | None
    digest: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """An artifact that another is made of."""

    version: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Making:
    """What something is made of.

    Parameters
    ----------
    steps : tuple of Step
        The node itself first; of a large graph those nearest to it.
    ops : mapping of str to tuple of Function
        What each task reaches, its own function first.
    given : mapping of str to str
        The ``version=`` of a task, where it has one.
    functions : tuple of Function
        What any of them reaches.
    packages, parameters, machine : mapping of str to str
        Versions of distributions; what `dag.param` gave; Python, platform, dualdag.
    files : mapping of str to InputFile
        By URL.
    globs : mapping of str to tuple of str
        URLs that a pattern found.
    artifacts : mapping of str to Upstream
        By name.
    made_at : str
        The line that named the artifact.
    commit : str
        Of the repository; empty where there is none.
    dirty : bool or None
        Whether tracked files differed from it; None is not known.
    more_steps, more_files : int
        How many steps and files are not listed here.
    problem : str
        Why nothing is known, where that is so.
    full : bool
        False for what an older dualdag wrote down, which knew less.
    """

    steps: tuple[Step, ...] = ()
    ops: Mapping[str, tuple[Function, ...]] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, InputFile] = field(default_factory=dict)
    globs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    artifacts: Mapping[str, Upstream] = field(default_factory=dict)
    made_at: str = ""
    commit: str = ""
    dirty: bool | None = None
    more_steps: int = 0
    more_files: int = 0
    problem: str = ""
    full: bool = True


def read_making(store: Store, version: Version) -> Making:
    """Return what a version was made of; what can't be read is left out, and said.

    Parameters
    ----------
    store : Store
        Has the version.
    version : Version
        Which one.
    """
    if version.details is None:
        return Making(problem="nothing was written down about it", full=False)
    try:
        details = store.details(version.details)
        if not isinstance(details, dict):
            raise TypeError  # noqa: TRY301 - told of with the others
    except (StoreError, ValueError, TypeError):
        return Making(problem="the note on its making is gone or damaged", full=False)
    try:
        return _old(details) if "steps" not in details else _read(store, version, details)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return Making(problem="the note on its making is of a form that this dualdag does not know", full=False)


def _read(store: Store, version: Version, details: Mapping[str, Any]) -> Making:
    code: dict[str, Any] = {}
    problem = ""
    if version.code is not None:
        try:
            code = store.code(version.code)
        except StoreError:
            problem = "the copy of its code is gone or damaged"
    return making_from(details, code, problem)


def making_from(details: Mapping[str, Any], code: Mapping[str, Any], problem: str = "") -> Making:
    """Return what `dualdag.execution.making_of` wrote down.

    Parameters
    ----------
    details, code : mapping
        Its two parts.
    problem : str
        Why some of it is missing.
    """
    functions = tuple(_function(one) for one in code.get("functions", ()))
    files = {url: InputFile(size, when, digest or "") for url, (size, when, digest) in details["files"].items()}
    urls = list(files)
    cut = details.get("cut", {})
    return Making(
        steps=tuple(_step(one) for one in details["steps"]),
        ops={name: tuple(functions[k] for k in op["reaches"]) for name, op in code.get("ops", {}).items()},
        given={name: op["version"] for name, op in code.get("ops", {}).items() if "version" in op},
        functions=functions,
        packages=code.get("packages", {}),
        files=files,
        globs={pattern: tuple(urls[k] for k in places) for pattern, places in details["globs"].items()},
        artifacts={name: Upstream(one["version"], one["digest"] or "") for name, one in details["artifacts"].items()},
        more_steps=max(0, cut.get("steps", 0) - len(details["steps"])),
        more_files=max(0, cut.get("files", 0) - len(files)),
        problem=problem,
        full=not problem,
        **_surroundings(details),
    )


def _surroundings(details: Mapping[str, Any]) -> dict[str, Any]:
    at = details.get("made_at") or {}
    names = ("python", "platform", "dualdag", "schema")
    return {
        "parameters": details.get("parameters", {}),
        "machine": {name: str(details[name]) for name in names if details.get(name)},
        "made_at": f"{at['file']}:{at['line']}" if at else "",
        "commit": details.get("git") or "",
        "dirty": details.get("dirty"),
    }


def _function(one: Mapping[str, Any]) -> Function:
    def text(name: str) -> str:
        return one.get(name) or ""

    return Function(
        text("kind"), text("name"), text("digest"), text("owner"), text("file"), one.get("line"),
        text("detail"), text("source"), text("via"),
    )  # fmt: skip


def _step(one: Mapping[str, Any]) -> Step:
    args = tuple((arg[0], arg[1], arg[2] if len(arg) > 2 else "") for arg in one.get("args", ()))
    return Step(
        one["kind"], one["label"], one.get("own", ""), one.get("op", ""), args,
        tuple(one.get("inputs", ())), one.get("at", ""), one.get("digest", ""), tuple(one.get("uses", ())),
    )  # fmt: skip


def _old(details: Mapping[str, Any]) -> Making:
    """Return what the first form of details tells: functions, packages and arguments, no files and no steps."""
    functions = []
    for name, one in details.get("functions", {}).items():
        owner, _, own_name = (
            name.rpartition(":") if one.get("kind") not in {"function", "class", "module"} else ("", "", name)
        )
        functions.append(_function({**one, "name": own_name, "owner": owner}))
    steps = [
        Step("call", one["label"], args=tuple(_old_args(one["args"], one["kwargs"])))
        for one in reversed(details.get("arguments", {}).values())
    ]
    return Making(
        steps=tuple(steps),
        functions=tuple(functions),
        packages=details.get("packages", {}),
        full=False,
        **_surroundings(details),
    )


def _old_args(args: Iterable[str], kwargs: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    yield from ((f"argument {k + 1}", _NODE.sub(r"<\1>", text), "") for k, text in enumerate(args))
    yield from ((name, _NODE.sub(r"<\1>", text), "") for name, text in kwargs.items())


#: A node as the first form of details wrote it.
_NODE = re.compile(r"<Node (\S+) [0-9a-f]{10} at [^>]*>")
