"""Why a node is reused, pinned, run or checked, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dualdag.planning._demand import CHECK, RUN, Why

if TYPE_CHECKING:
    from dualdag.planning._plan import Plan

__all__ = ["reason_for"]


def reason_for(plan: Plan, i: int) -> str:
    """Return why the node at `i` has its action; empty where it is not listed.

    Parameters
    ----------
    plan : Plan
        Holds codes of reasons.
    i : int
        Position of the node.
    """
    code = plan.why[i]
    if not code:
        return ""
    specs = plan.graph.artifacts(i)
    due = plan.due.get(specs[0].name, "") if specs else ""
    if code == Why.PINNED:
        return due
    text = _SENTENCES[code](plan, i)
    if due and code != Why.FORCED and specs[0].cadence.kind != "change":
        return f"{due}; {text}"
    return text


def _found(plan: Plan, i: int) -> str:
    return "found in the store"


def _by_inputs(plan: Plan, i: int) -> str:
    return "found in the store for the same values of its inputs"


def _forced(plan: Plan, i: int) -> str:
    return "named in refresh"


def _never(plan: Plan, i: int) -> str:
    return "never run with this function and these arguments"


def _no_fit(plan: Plan, i: int) -> str:
    return "never run with these values of its inputs" if plan.graph.inputs[i] else "its result is not recorded"


def _value(plan: Plan, i: int) -> str:
    user = plan.wanted_by.get(i)
    if user is not None:
        return f"its value is needed by {plan.graph.label(user)} and was not kept"
    if plan.graph.artifacts(i):
        return "its value is gone from the store"
    return "its value is asked for and was not kept"


def _unknown(plan: Plan, i: int) -> str:
    inputs, actions = plan.graph.inputs[i], plan.actions
    for j in inputs:
        if actions[j] == RUN:
            return f"an input runs first: {plan.graph.label(j)}"
    for j in inputs:
        urls = plan.unknown_files.get(j)
        if urls:
            more = f" (nor were {len(urls) - 1} more)" if len(urls) > 1 else ""
            return f"its file {_short(plan, j, urls)} was not read yet{more}"
    for j in inputs:
        if actions[j] == CHECK:
            return f"an input is checked first: {plan.graph.label(j)}"
    return "an input is not known yet"


def _perhaps(plan: Plan, i: int) -> str:
    user = plan.wanted_by.get(i)
    if user is None:
        return "not recorded; runs only if what takes it runs"
    return f"its value was not kept; runs only if {plan.graph.label(user)} runs"


def _short(plan: Plan, j: int, urls: list[str]) -> str:
    """Return a file's URL as the user wrote it, where one file was meant."""
    op = plan.graph.nodes[j]._op
    return op.label if op.kind == "file" else urls[0]


_SENTENCES: dict[int, Callable[[Plan, int], str]] = {
    Why.FOUND: _found,
    Why.BY_INPUTS: _by_inputs,
    Why.FORCED: _forced,
    Why.NEVER: _never,
    Why.NO_FIT: _no_fit,
    Why.VALUE: _value,
    Why.UNKNOWN: _unknown,
    Why.PERHAPS: _perhaps,
}
