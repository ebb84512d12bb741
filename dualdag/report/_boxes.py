"""What a picture shows: boxes and arrows, repeated steps folded into one box."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dualdag.report._fold import fold_classes
from dualdag.report._titles import arguments_text, chain_text, cut, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.graph import Graph
    from dualdag.planning import Plan

__all__ = ["ACTIONS", "Box", "Picture", "picture_of"]

#: Actions of a plan, the one that catches the eye first; "" is what a plan does not look at.
ACTIONS = ("run", "check", "pinned", "reuse", "")

_LONGEST_LINE = 60
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
    title = title_of(graph, group)
    lines = []
    if len(group) > 1 and kind == "file":
        lines.append(f"{len(group)} files")
    elif len(group) > 1:
        title = f"{title} x {len(group)}"
        lines.append(_spread(actions) if len(actions) > 1 else "")
    elif kind == "task":
        written = chain_text(node)
        inner = written.removeprefix(f"{title}(").removesuffix(")") if written.startswith(f"{title}(") else written
        lines.append(inner if written != title else "")
        lines.append(node._op.label if not written and graph.label(group[0]) != node._op.label else "")
    if specs:
        lines.append(", ".join(s.name for s in specs[:-1]))
        lines.append("" if specs[-1].cadence.text is None else str(specs[-1].cadence))
    lines = [cut(line, _LONGEST_LINE) for line in lines if line]
    return Box(kind, title, tuple(lines), bool(specs), action, _facts(graph, plan, group))


def _spread(actions: Counter[str]) -> str:
    return ", ".join(f"{actions[a]} {a or 'not looked at'}" for a in ACTIONS if actions[a])


def _facts(graph: Graph, plan: Plan | None, group: Sequence[int]) -> dict[str, str]:
    """Return what a reader may want to know of a box, by name."""
    node = graph.nodes[group[0]]
    several = len(group) > 1
    facts = {"nodes": str(len(group))} if several else {}
    if node._op.kind == "call":
        facts["function"] = node._op.label
        facts["arguments"] = chain_text(node) or arguments_text(node)
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
    return {name: cut(text, _LONGEST_FACT) for name, text in facts.items() if text}
