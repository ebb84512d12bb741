"""A plan as rows that a person reads: what repeats is one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualdag.planning import Plan

__all__ = ["plan_rows"]

#: A plan of more rows has those of one name, action and reason put together.
_FEW = 40
_MOST = 100


def plan_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return name, action and reason of what a plan lists, inputs before their users.

    In a long plan nodes of one name, action and kind of reason share a row, such as
    ``clean_day x 364``, with the reason of the first.

    Parameters
    ----------
    plan : Plan
        What to tell of.
    """
    graph = plan.graph
    listed = [i for i, action in enumerate(plan.actions) if action]
    groups: dict[object, list[int]] = {}
    for i in listed:
        key = i if len(listed) <= _FEW else (graph.label(i), plan.actions[i], plan.why[i])
        groups.setdefault(key, [i, 0])[1] += 1
    rows = [
        (f"{graph.label(i)} x {count}" if count > 1 else graph.label(i), plan.action(i), plan.reason(i))
        for i, count in (groups.values() if len(groups) <= _MOST else _ends(list(groups.values())))
    ]
    if len(groups) > _MOST:
        rows.insert(_MOST // 2, ("...", "", f"{len(groups) - _MOST} rows more; --json lists them all"))
    return rows


def _ends(groups: list[list[int]]) -> list[list[int]]:
    return [*groups[: _MOST // 2], *groups[-_MOST // 2 :]]
