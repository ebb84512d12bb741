"""What a picture shows: boxes and arrows, repeated steps folded into one box."""

from __future__ import annotations

import operator
import posixpath
import re
import reprlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dualdag.report._fold import fold_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.graph import Graph, Node
    from dualdag.planning import Plan

__all__ = ["ACTIONS", "Box", "Picture", "picture_of"]

#: Actions of a plan, the one that catches the eye first; "" is what a plan does not look at.
ACTIONS = ("run", "check", "pinned", "reuse", "")

_LONGEST = 34
_LONGEST_FACT = 500


@dataclass(frozen=True, slots=True)
class Box:
    """A node, or several that are the same step.

    Parameters
    ----------
    kind : {"task", "file", "value"}
        Work, or an input.
    title : str
        What it is called.
    lines : tuple of str
        What stands below the title.
    artifact : bool
        Whether its value has a name in the store.
    action : str
        What the plan does; of several nodes the one that matters most.
    facts : mapping
        Further details by name.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    artifact: bool
    action: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in an order in which they can run, and arrows between them.

    Parameters
    ----------
    title : str
        What is drawn.
    boxes : list of Box
        Inputs before their users.
    edges : list of (int, int)
        Positions of boxes, from an input to its user.
    counts : mapping
        How many nodes there are of each action; empty without a plan.
    """

    title: str
    boxes: list[Box]
    edges: list[tuple[int, int]]
    counts: dict[str, int]


def picture_of(graph: Graph, plan: Plan | None = None, *, title: str = "") -> Picture:
    """Return what to draw of a graph.

    Parameters
    ----------
    graph : Graph
        What is drawn.
    plan : Plan or None
        Colours the boxes.
    title : str
        Stands above them.
    """
    classes = fold_classes(graph)
    members: dict[int, list[int]] = {}
    for i, found in enumerate(classes):
        members.setdefault(found, []).append(i)
    place = {found: k for k, found in enumerate(members)}
    edges = {
        (place[classes[j]], place[classes[i]]): None
        for i, inputs in enumerate(graph.inputs)
        for j in inputs
        if classes[i] != classes[j]
    }
    boxes = [_box(graph, plan, group) for group in members.values()]
    return Picture(title, boxes, list(edges), _counts(plan))


def _counts(plan: Plan | None) -> dict[str, int]:
    return {} if plan is None else {action: plan.counts[action] for action in ACTIONS if action}


def _box(graph: Graph, plan: Plan | None, group: Sequence[int]) -> Box:
    node = graph.nodes[group[0]]
    specs = graph.artifacts(group[0]) if len(group) == 1 else ()
    actions = Counter(plan.action(i) for i in group) if plan is not None else Counter[str]()
    action = next((a for a in ACTIONS if actions[a]), "")
    kind = {"call": "task", "value": "value"}.get(node._op.kind, "file")
    title = _title(graph, group)
    lines = []
    if len(group) > 1:
        title = f"{title} x {len(group)}" if kind != "file" else title
        lines.append(_spread(actions) if kind != "file" and plan is not None else "")
        lines.append(f"{len(group)} files" if kind == "file" else "")
    elif kind == "task" and graph.label(group[0]) != node._op.label:
        lines.append(node._op.label)
    if specs:
        lines.append(", ".join(s.name for s in specs[:-1]))
        lines.append("" if specs[-1].cadence.text is None else str(specs[-1].cadence))
    lines = [_cut(line, 2 * _LONGEST) for line in lines if line]
    facts = _facts(graph, plan, group)
    return Box(kind, title, tuple(lines), bool(specs), action, facts)


def _spread(actions: Counter[str]) -> str:
    return ", ".join(f"{actions[a]} {a or 'not looked at'}" for a in ACTIONS if actions[a])


def _title(graph: Graph, group: Sequence[int]) -> str:
    first = graph.nodes[group[0]]
    kind = first._op.kind
    if kind in ("file", "files"):
        return _path_title([graph.nodes[i]._op.label for i in group])
    names = {graph.label(i) for i in group}
    label = names.pop() if len(names) == 1 else first._op.label
    if kind == "value":
        return _cut(label if first.name else _short(first._args[0]))
    return _cut(_item(first) or label)


def _item(node: Node[Any]) -> str:
    """Return ``[0]`` for a node that takes an item of another."""
    if node._op.fn is not operator.getitem or node.name or len(node._args) != 2:
        return ""
    return f"[{_short(node._args[1])}]"


def _path_title(urls: list[str]) -> str:
    """Return what stands for some paths: the one, or their folder with what is common to their names."""
    if len(urls) == 1:
        return _tail(urls[0].replace("\\", "/"))
    plain = [url.replace("\\", "/") for url in urls]
    folder = posixpath.commonpath(plain) if _alike(plain) else ""
    names = [posixpath.basename(url) for url in plain]
    head = re.sub(r"[0-9]+$", "", posixpath.commonprefix(names))
    tail = posixpath.commonprefix([name[::-1] for name in names])[::-1]
    pattern = f"{head}*{tail[tail.rfind('.') :] if '.' in tail else ''}"
    base = posixpath.basename(folder.rstrip("/"))
    return _tail(f"{base}/{pattern}" if base else pattern)


def _alike(urls: list[str]) -> bool:
    return len({url.startswith("/") for url in urls}) == 1 and not any("://" in url for url in urls)


def _tail(path: str) -> str:
    """Return the end of a path, which tells more than its beginning."""
    parts = path.rstrip("/").split("/")
    shown = "/".join(parts[-2:]) if "://" not in path else path
    return shown if len(shown) <= _LONGEST else f"...{shown[-_LONGEST + 3 :]}"


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _LONGEST


def _short(value: object) -> str:
    return _repr.repr(value)


def _facts(graph: Graph, plan: Plan | None, group: Sequence[int]) -> dict[str, str]:
    """Return what a reader may want to know of a box, by name."""
    node = graph.nodes[group[0]]
    several = len(group) > 1
    facts = {"nodes": str(len(group))} if several else {}
    if node._op.kind == "call":
        facts["function"] = node._op.label
        facts["arguments"] = _arguments(node)
    elif node._op.kind != "value":
        facts["file"] = node._op.label
    if plan is not None:
        facts["action"] = _spread(Counter(plan.action(i) for i in group)) if several else plan.action(group[0])
        facts["reason"] = plan.reason(group[0])
    for spec in graph.artifacts(group[0]):
        facts["artifact"] = ", ".join(filter(None, (facts.get("artifact"), spec.name)))
        facts["cadence"] = str(spec.cadence)
    facts["made at"] = str(node.site)
    facts["key"] = node.key
    if several:
        facts = {f"first {name}" if name in ("arguments", "file", "reason", "key") else name: text
                 for name, text in facts.items()}  # fmt: skip
    return {name: _cut(text, _LONGEST_FACT) for name, text in facts.items() if text}


def _arguments(node: Node[Any]) -> str:
    plain = [_argument(arg) for arg in node._args]
    named = [f"{name}={_argument(arg)}" for name, arg in node.kwargs.items()]
    return ", ".join([*plain[:8], *(["..."] if len(plain) > 8 else []), *named])


def _argument(arg: object) -> str:
    if hasattr(type(arg), "__dualdag_node__"):
        return str(arg.label) if hasattr(arg, "label") else type(arg).__name__
    if isinstance(arg, (list, tuple)):
        inner = ", ".join([_argument(a) for a in arg[:3]] + ["..."] * (len(arg) > 3))
        return f"[{inner}]" if isinstance(arg, list) else f"({inner})"
    return _short(arg)
