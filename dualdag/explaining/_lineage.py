"""What a version came from: its steps, files and artifacts, and theirs, as a tree; without any of the code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError, UntrustedRecordError
from dualdag.explaining._calls import call_text
from dualdag.explaining._cause import WIDTH, cut, file_text, place_text
from dualdag.explaining._making import read_making
from dualdag.report import when_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dualdag.explaining._making import Making, Step
    from dualdag.store import Store, Version

__all__ = ["lineage", "lineage_lines"]

_MOST_INPUTS = 12
#: Columns of a file and line.
_PLACE = 40
#: Nodes of a tree that are drawn, or returned, at the most, and how many of them one below the other.
_MOST_NODES, _MOST_LEVELS = 2000, 150
#: Columns that the lines before a node may take; those of what lies still deeper are not indented further.
_MOST_INDENT = 42


@dataclass(slots=True)
class _Walk:
    """What was met on the way through a tree: versions, and how many nodes may still come."""

    store: Store
    seen: set[str] = field(default_factory=set)
    left: int = _MOST_NODES


def lineage(store: Store, version: Version, depth: int = 3) -> dict[str, Any]:
    """Return what a version came from as a tree of plain data.

    Parameters
    ----------
    store : Store
        Has the versions.
    version : Version
        Of what.
    depth : int
        How many artifacts deep to look: 1 ends at those that it takes itself.

    Returns
    -------
    dict
        ``{"kind", "label", "text", "version", "inputs": [...]}``; what was met before has ``"again": True``
        in place of inputs, what lies too deep ``"more": True``.
    """
    return _of_version(_Walk(store), version, depth, 0)


def _of_version(walk: _Walk, version: Version, depth: int, level: int) -> dict[str, Any]:
    made = read_making(walk.store, version)
    head = {"kind": "artifact", "label": version.name, "version": version.number, "digest": version.digest.hex()}
    when = when_text(datetime.fromtimestamp(version.created, UTC))
    if not made.steps:
        return {**head, "text": f"made {when}; {made.problem or 'nothing else is noted'}", "inputs": []}
    walk.seen.add(_mark(version.name, version.number))
    first = made.steps[0]
    found = {**head, "text": f"{call_text(made, first)}, made {when}", "at": first.at or made.made_at}
    if made.full:
        found["inputs"] = _inputs(walk, made, first, depth, {0}, level + 1)
    else:
        found["inputs"] = [
            {"kind": "call", "label": step.label, "text": call_text(made, step)} for step in made.steps[1:]
        ]
    return found


def _mark(name: str, number: int | None) -> str:
    return f"{name}\0{number}"


def _inputs(walk: _Walk, made: Making, step: Step, depth: int, drawn: set[int], level: int) -> list[dict[str, Any]]:
    found = []
    for place in dict.fromkeys(step.inputs):
        walk.left -= 1
        if walk.left < 0:
            break
        if place >= len(made.steps):
            found.append({"kind": "call", "label": "...", "text": "steps that were not noted", "more": True})
            break
        one = made.steps[place]
        if one.kind == "artifact":
            found.append(_upstream(walk, made, one, depth, level))
            continue
        node: dict[str, Any] = {"kind": one.kind, "label": one.label, "text": _text(made, one)}
        if one.kind == "call":
            node["at"] = one.at
            if place in drawn:
                node["again"] = True
            elif level >= _MOST_LEVELS:
                node["more"] = bool(one.inputs)
            else:
                drawn.add(place)
                node["inputs"] = _inputs(walk, made, one, depth, drawn, level + 1)
        found.append(node)
    return found


def _upstream(walk: _Walk, made: Making, step: Step, depth: int, level: int) -> dict[str, Any]:
    one = made.artifacts.get(step.label)
    number = None if one is None else one.version
    head: dict[str, Any] = {"kind": "artifact", "label": step.label, "version": number, "text": ""}
    if _mark(step.label, number) in walk.seen:
        return {**head, "again": True}
    if number is None:
        return {**head, "text": "a version that is not known"}
    try:
        version = walk.store.version(step.label, number)
    except (ArtifactNotFoundError, CorruptObjectError, UntrustedRecordError):
        return {**head, "text": "which can't be read any more"}
    if depth <= 1 or level >= _MOST_LEVELS:
        return {**head, "more": True}
    return _of_version(walk, version, depth - 1, level)


def _text(made: Making, step: Step) -> str:
    if step.kind == "call":
        return call_text(made, step)
    if step.kind == "value":
        return step.args[0][1] if step.args else ""
    urls = made.globs.get(step.label)
    if urls is None:
        ending = step.label.replace("\\", "/").removeprefix("./")
        url = next((url for url in made.files if url.replace("\\", "/").endswith(ending)), None)
        return file_text(made.files[url]) if url is not None else ""
    sizes = [made.files[url].size for url in urls]
    from dualdag.report import bytes_text

    told = bytes_text(sum(size or 0 for size in sizes)) if None not in sizes else ""
    return ", ".join(part for part in (f"{len(urls)} {'file' if len(urls) == 1 else 'files'}", told) if part)


def lineage_lines(tree: Mapping[str, Any]) -> list[str]:
    """Return a tree as lines of text.

    Parameters
    ----------
    tree : mapping
        As `lineage` gave it.
    """
    return [cut(line) for line in _lines(tree, "", "")]


def _lines(node: Mapping[str, Any], first: str, rest: str) -> Iterator[str]:
    yield f"{first}{_line(node, WIDTH - len(first))}"
    inputs = node.get("inputs", [])
    shown = inputs if len(inputs) <= _MOST_INPUTS else inputs[: _MOST_INPUTS - 1]
    for k, one in enumerate(shown):
        last = k == len(inputs) - 1
        deeper = rest if len(rest) >= _MOST_INDENT else rest + ("   " if last else "|  ")
        yield from _lines(one, f"{rest}{'`- ' if last else '|- '}", deeper)
    if len(shown) < len(inputs):
        yield f"{rest}`- and {len(inputs) - len(shown)} more; --json lists them all"


def _line(node: Mapping[str, Any], most: int) -> str:
    label, text = node["label"], node.get("text", "")
    at = place_text(node["at"]) if node.get("at") else ""
    at = at if len(at) <= _PLACE else f"...{at[3 - _PLACE :]}"
    if node["kind"] == "artifact":
        number = node.get("version")
        head = f"{label}, version {number}" if number is not None else label
        body = f"{head}: {text}" if text else head
    else:
        body = text if node["kind"] == "call" else f"{label}  {text}"
    if node.get("again"):
        return f"{cut(body, most - 14)}  (shown above)"
    if node.get("more"):
        how = f"--depth, or dualdag show {label}" if node["kind"] == "artifact" else "not drawn"
        return f"{cut(body, most - len(how) - 12)}  (deeper: {how})"
    return f"{cut(body, most - len(at) - 2)}  {at}" if at else body
