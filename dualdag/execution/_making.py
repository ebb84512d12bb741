"""What a version was made of, as plain data: by it `why`, `diff` and `show` tell later what changed.

There are two parts.  The *code* (functions with their sources, variables, packages) is the same for most
versions of an artifact, lies in an object of its own and is shared between them.  The *details* (steps with
their arguments, files, artifacts, the machine) are small and belong to one version.
"""

from __future__ import annotations

import inspect
import platform
import reprlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from dualdag.errors import FingerprintError
from dualdag.hashing import SCHEMA, digest_value, fingerprint

if TYPE_CHECKING:
    from dualdag.graph import Graph, Node, Op
    from dualdag.hashing import Fingerprint, Reached

__all__ = [
    "FORMAT",
    "MOST_FILES",
    "MOST_STEPS",
    "FileFact",
    "Known",
    "machine",
    "making_of",
]

#: Of what stands in details; raised when a reader must tell old ones from new ones.
FORMAT = 2
#: Steps and files of one version that are noted, those nearest to the artifact first.
MOST_STEPS, MOST_FILES = 100, 2000
#: Characters of one source, and of all sources of a version.
_MOST_SOURCE, _MOST_SOURCES = 100_000, 1_000_000
_CUT = "\n# ... cut here\n"
_MOST_ARGUMENTS = 30
_MOST_TEXT = 400

_repr = reprlib.Repr()
_repr.maxother = _repr.maxstring = _repr.maxlong = 300
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _repr.maxset = _repr.maxfrozenset = 20

FileFact = tuple[int | None, float | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around a graph.

    Parameters
    ----------
    digest : callable
        Takes a position; the digest of the value there, or None.
    urls : callable
        Takes the position of a file or list of files; its URLs.
    file : callable
        Takes a URL; size, time and digest, each None where it is not known.
    version : callable
        Takes the name of an artifact above; the number of the version in use, or None.
    """

    digest: Callable[[int], bytes | None]
    urls: Callable[[int], list[str]]
    file: Callable[[str], FileFact]
    version: Callable[[str], int | None]


@dataclass(slots=True)
class _Code:
    """Functions and variables that tasks reach, each once, and which task reaches which."""

    functions: list[dict[str, Any]] = field(default_factory=list)
    ops: dict[str, Any] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    places: dict[tuple[Any, ...], int] = field(default_factory=dict)
    left: int = _MOST_SOURCES

    def add(self, op: Op) -> str:
        name = op.prefix.hex()[:16]
        if name in self.ops:
            return name
        reaches = self.reached(op.fingerprint)
        self.ops[name] = {"label": op.label, "reaches": reaches}
        if op.version:
            self.ops[name]["version"] = op.version
        return name

    def reached(self, taken: Fingerprint | None) -> list[int]:
        """Add what a fingerprint is made of, and return where it stands."""
        reaches: list[int] = []
        for one in taken.reached if taken is not None else ():
            if one.kind == "distribution":
                self.packages[one.name] = one.detail
                continue
            key = (one.kind, one.owner, one.name, one.digest, one.file, one.line)
            if key not in self.places:
                self.places[key] = len(self.functions)
                self.functions.append(self._described(one))
            reaches.append(self.places[key])
        return reaches

    def _described(self, one: Reached) -> dict[str, Any]:
        found = _told(one)
        source = found.get("source")
        if source is not None:
            if len(source) > self.left:
                found = found | {"source": source[: max(self.left, 0)] + _CUT}
            self.left -= len(source)
        return found


@lru_cache(1024)
def _told(one: Reached) -> dict[str, Any]:
    """Return what is written down of something that is reached; its source as it was when this was first asked."""
    source = one.source()
    if source is not None and len(source) > _MOST_SOURCE:
        source = source[:_MOST_SOURCE] + _CUT
    found = {
        "kind": one.kind, "name": one.name, "owner": one.owner, "digest": one.digest.hex(), "file": one.file,
        "line": one.line, "detail": one.detail, "source": source, "via": one.via,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "")}


def making_of(graph: Graph, position: int, known: Known) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the node at a position is made of, down to its files and the artifacts above it.

    Parameters
    ----------
    graph : Graph
        Holds it.
    position : int
        Where it stands.
    known : Known
        Of what lies above it.

    Returns
    -------
    tuple of dict
        Details and code, both plain data.
    """
    order = _region(graph, position)
    code = _Code()
    rows = {j: k for k, j in enumerate(order)}
    steps, files, globs, artifacts = [], _Files(known), {}, {}
    for j in order:
        kind, label = _kind(graph, j, position), graph.label(j)
        if kind in ("file", "files"):
            places = [files.place(url) for url in known.urls(j)]
            if kind == "files":
                globs[label] = [place for place in places if place is not None]
        elif kind == "artifact":
            digest = known.digest(j)
            artifacts[label] = {"version": known.version(label), "digest": digest.hex() if digest else None}
        name = code.add(graph.nodes[j]._op) if kind == "call" else ""
        if rows[j] < MOST_STEPS:
            step = _step(graph, j, kind, name, rows, known)
            uses = [place for fn in _functions_in(graph.nodes[j]) for place in code.reached(_fingerprint(fn))]
            steps.append(step | {"uses": uses} if uses else step)
    details: dict[str, Any] = {"steps": steps, "files": files.facts, "globs": globs, "artifacts": artifacts}
    if len(order) > MOST_STEPS or files.missed:
        details["cut"] = {"steps": len(order), "files": len(files.facts) + files.missed}
    return details, {"functions": code.functions, "ops": code.ops, "packages": code.packages}


class _Files:
    """The files of a version, each once; from a number on they are only counted."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._places: dict[str, int] = {}
        self.facts: dict[str, list[Any]] = {}
        self.missed = 0

    def place(self, url: str) -> int | None:
        if url not in self._places:
            if len(self._places) >= MOST_FILES:
                self.missed += 1
                return None
            self._places[url] = len(self._places)
            size, when, digest = self._known.file(url)
            self.facts[url] = [size, None if when is None else round(when, 3), digest.hex()[:16] if digest else None]
        return self._places[url]


def _region(graph: Graph, position: int) -> list[int]:
    """Return the positions between an artifact and its files, values and artifacts, itself first."""
    order, seen = [position], {position}
    for j in order:  # grows while it is read
        if j != position and _ends(graph, j):
            continue
        for k in graph.inputs[j]:
            if k not in seen:
                seen.add(k)
                order.append(k)
    return order


def _ends(graph: Graph, j: int) -> bool:
    return graph.nodes[j]._op.kind != "call" or bool(graph.artifacts(j))


def _kind(graph: Graph, j: int, position: int) -> str:
    return "artifact" if j != position and graph.artifacts(j) else graph.nodes[j]._op.kind


def _step(graph: Graph, j: int, kind: str, op: str, rows: Mapping[int, int], known: Known) -> dict[str, Any]:
    node = graph.nodes[j]
    found: dict[str, Any] = {"kind": kind, "label": graph.label(j), "own": node._own.hex()[:16]}
    if kind == "call":
        inputs = [rows[k] for k in graph.inputs[j]]
        digest = known.digest(j)
        found |= {"op": op, "args": _arguments(graph, node), "inputs": inputs, "at": str(node._site)}
        if digest is not None:
            found["digest"] = digest.hex()[:16]
    elif kind == "value":
        found["args"] = [["value", *_argument(graph, node._args[0])]]
    return found


def _arguments(graph: Graph, node: Node[Any]) -> list[list[str]]:
    if _is_chain(node):
        return [[f".{name}", *_argument(graph, _Written(args, kwargs))] for name, args, kwargs in node._args[1]]
    names = _names(node._op.fn)
    found = [
        [names[k] if k < len(names) else f"argument {k + 1}", *_argument(graph, arg)]
        for k, arg in enumerate(node._args[:_MOST_ARGUMENTS])
    ]
    found += [[name, *_argument(graph, arg)] for name, arg in list((node._kwargs or {}).items())[:_MOST_ARGUMENTS]]
    return found


class _Written(NamedTuple):
    """The arguments of a method of a pandas chain."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _is_chain(node: Node[Any]) -> bool:
    """Return whether a node is of a pandas chain, whose second argument lists methods with their arguments."""
    if not str(getattr(node._op.fn, "__module__", "")).startswith("dualdag.frames") or len(node._args) < 2:
        return False
    steps = node._args[1]
    return isinstance(steps, tuple) and all(
        type(one) is tuple and len(one) == 3 and type(one[0]) is str and type(one[2]) is dict for one in steps
    )


def _functions_in(node: Node[Any]) -> list[Any]:
    """Return the functions among the arguments of a node, those in containers too."""
    if node._op.kind != "call":
        return []
    found: list[Any] = []
    waiting: list[tuple[Any, int]] = [(one, 0) for one in (*node._args, *(node._kwargs or {}).values())]
    for one, depth in waiting:  # grows while it is read
        if isinstance(one, (FunctionType, partial)) or hasattr(type(one), "__dualdag_fn__"):
            found.append(one)
        elif type(one) in (list, tuple, dict) and depth < 5 and len(waiting) < 1000:
            waiting += [(inner, depth + 1) for inner in (one.values() if type(one) is dict else one)]
    return found


def _fingerprint(fn: Any) -> Fingerprint | None:
    try:
        return fingerprint(fn)
    except FingerprintError:  # it was told of where the node was made
        return None


def _names(fn: Any) -> tuple[str, ...]:
    """Return the names of a function's positional parameters, as far as they are told."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (ValueError, TypeError):
        return ()
    names = []
    for one in parameters:
        if one.kind not in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            break
        names.append(one.name)
    return tuple(names)


def _argument(graph: Graph, arg: Any) -> list[str]:
    """Return an argument as text, and, where the text is not all of it, a mark of its content."""
    if type(arg) in (int, float, bool, type(None)):
        return [repr(arg)]
    text = _text(graph, arg, 0)
    if isinstance(arg, _Written):
        inner = [_text(graph, one, 0) for one in arg.args]
        text = ", ".join(inner + [f"{name}={_text(graph, one, 0)}" for name, one in arg.kwargs.items()])
        return [text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."]
    if "..." not in text and len(text) <= _MOST_TEXT and type(arg) in (str, bytes, list, tuple, dict, set, frozenset):
        return [text]
    try:
        mark = digest_value(arg).hex()[:8] if getattr(arg, "nbytes", 0) < 1 << 26 else ""
    except Exception:  # noqa: BLE001 - holds a node, or has no content of its own: its text has to do
        mark = ""
    return [text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}...", *([mark] if mark else [])]


def _text(graph: Graph, arg: Any, depth: int) -> str:
    """Return an argument as text that is the same in every process; nodes by their labels."""
    if hasattr(type(arg), "__dualdag_node__"):
        node = arg.__dualdag_node__()
        place = graph.position(node)
        return f"<{graph.label(place) if place is not None else node.label}>"
    if type(arg) in (list, tuple) and depth < 4:
        inner = ", ".join([_text(graph, one, depth + 1) for one in arg[:20]] + ["..."] * (len(arg) > 20))
        return f"[{inner}]" if type(arg) is list else f"({inner}{',' * (len(arg) == 1)})"
    if type(arg) is dict and depth < 4:
        pairs = [f"{_repr.repr(k)}: {_text(graph, v, depth + 1)}" for k, v in list(arg.items())[:20]]
        return "{" + ", ".join([*pairs, *["..."] * (len(arg) > 20)]) + "}"
    if callable(arg) and hasattr(arg, "__qualname__"):
        return f"<function {arg.__qualname__}>"
    # Addresses differ between processes, and tell nothing.
    text = _repr.repr(arg)
    return f"<{type(arg).__qualname__}>" if " at 0x" in text else text


@lru_cache(1)
def machine() -> dict[str, str]:
    """Return what a version notes of the machine whose driver made it."""
    from dualdag import __version__

    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "dualdag": __version__,
        "schema": str(SCHEMA),
    }
