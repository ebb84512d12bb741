"""The plan: what is done about each node, and why, as compact columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from dualdag.graph import Graph, Node
from dualdag.planning._lookup import known_digest
from dualdag.planning._reasons import reason_for
from dualdag.planning._table import text_table

if TYPE_CHECKING:
    from datetime import datetime

    from dualdag.store import Record, Version

__all__ = ["ACTIONS", "Plan", "PlanNode"]

#: Names of actions by code; 0 is what is not listed.
ACTIONS = ("", "reuse", "run", "check", "pinned")


@dataclass(frozen=True, slots=True)
class PlanNode:
    """A row of a plan.

    Parameters
    ----------
    node : Node
        What the row is about.
    action : {"reuse", "run", "check", "pinned"}
        What is done.
    reason : str
        Why.
    name : str
        Name of the artifact or node, else of its function.
    key : str
        Key of the node.
    """

    node: Node[Any]
    action: str
    reason: str
    name: str
    key: str


@dataclass(slots=True, eq=False, repr=False)
class Plan:
    """What `dualdag.run` would do, and why; ``print(plan)`` is a table.

    Columns are indexed by position in the graph; users read `nodes` and `counts`.

    Parameters
    ----------
    graph : Graph
        What was planned.
    now : datetime
        The clock of the plan.
    targets : list of int
        What was asked for.
    actions : bytearray
        0 for what is not listed, 1 reuse, 2 run, 3 check, 4 pinned.
    why : bytearray
        Codes of reasons.
    wanted : bytearray
        1 where the value is wanted, not only the digest.
    traces, effective : list of bytes or None
        Trace keys, and what stands for the node in those of its users; None where not known.
    records : dict of int to Record
        Of reused nodes: the record in force.
    recipes : dict of int to Record
        Of nodes to run or check whose digest is known but whose value is not there: the record in
        force.  One to run has to give that digest again; one to check runs only for a user that runs.
    aliases : dict of int to Record
        What was found by action key only; the trace key has to be recorded as another name.
    pins : dict of int to Version
        What stands for each pinned artifact.
    forced : set of int
        What refresh names.
    roots : list of int
        What is asked for: targets, artifacts down to the pinned ones, what refresh names.
    renewed : set of int
        Nodes to run whose value is gone and which may give other bytes this time.
    file_digests : dict of int to bytes
        Digests of files and lists of files that are known.
    unknown_files : dict of int to list of str
        What has to be read before the plan is final.
    due : dict of str to str
        Why each artifact looked at is due or pinned.
    own_parts : dict of str to bytes
        Own part of each artifact looked at.
    wanted_by : dict of int to int
        Of nodes with a record: a user that wants the value.
    seconds : dict of bytes to float
        What nodes to run took when they last ran, by the hash of their function and arguments.
    times : dict of str to pair of float or None
        When artifacts with a cadence were last made, and last found equal: seconds since 1970.
    """

    graph: Graph
    now: datetime
    targets: list[int]
    actions: bytearray
    why: bytearray
    wanted: bytearray
    traces: list[bytes | None]
    effective: list[bytes | None]
    records: dict[int, Record]
    recipes: dict[int, Record]
    aliases: dict[int, Record]
    pins: dict[int, Version]
    forced: set[int]
    roots: list[int]
    renewed: set[int]
    file_digests: dict[int, bytes]
    unknown_files: dict[int, list[str]]
    due: dict[str, str]
    own_parts: dict[str, bytes]
    wanted_by: dict[int, int] = field(default_factory=dict)
    seconds: dict[bytes, float] = field(default_factory=dict)
    times: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many nodes there are of each action."""
        return {name: self.actions.count(code) for code, name in enumerate(ACTIONS) if code}

    @property
    def nodes(self) -> Sequence[PlanNode]:
        """A row for each node that is listed, inputs before their users."""
        return _Rows(self)

    @property
    def upcoming(self) -> dict[str, datetime | None]:
        """When the clock makes each artifact due that was looked at, by name; None where it has no say."""
        from dualdag.planning._due import upcoming

        return upcoming(self)

    def action(self, position: int) -> str:
        """Return the action of the node at a position; empty where it is not listed."""
        return ACTIONS[self.actions[position]]

    def reason(self, position: int) -> str:
        """Return why, as a sentence; empty where the node is not listed."""
        return reason_for(self, position)

    def digest(self, position: int) -> bytes | None:
        """Return the digest of a node's value where it is known before anything runs."""
        record = self.records.get(position) or self.recipes.get(position) or self.aliases.get(position)
        if record is not None:
            return record.digest
        if position in self.pins or position in self.file_digests:
            return known_digest(self.graph, position, self.pins, self.file_digests)
        if self.graph.nodes[position]._op.kind == "value":
            return known_digest(self.graph, position, self.pins, self.file_digests)
        return None

    def table(self, limit: int | None = 40) -> str:
        """Return the plan as an aligned table.

        Parameters
        ----------
        limit : int or None
            How many rows to show at the most: a longer plan is cut in the middle, with a count.
        """
        rows = self.nodes
        total = len(rows)
        if limit is not None and total > limit:
            head = limit - limit // 2
            picked = [*rows[:head], None, *rows[total - limit // 2 :]]
        else:
            picked = list(rows)
        lines = [None if row is None else (row.name, row.action, row.reason) for row in picked]
        table = text_table(("node", "action", "reason"), lines, f"... {total - (limit or 0)} more ...")
        return f"{table}\n{self._summary()}"

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data, ready for JSON."""
        rows = [{"key": r.key, "name": r.name, "action": r.action, "reason": r.reason} for r in self.nodes]
        return {"counts": self.counts, "nodes": rows}

    def __len__(self) -> int:
        return len(self.actions) - self.actions.count(0)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Plan {self._summary()}>"

    def _summary(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in self.counts.items())


class _Rows(Sequence[PlanNode]):
    """Rows of a plan, made when they are read."""

    __slots__ = ("_places", "_plan")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._places = [i for i, action in enumerate(plan.actions) if action]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, item: int) -> PlanNode: ...
    @overload
    def __getitem__(self, item: slice) -> list[PlanNode]: ...
    def __getitem__(self, item: int | slice) -> PlanNode | list[PlanNode]:
        if isinstance(item, slice):
            return [self._row(i) for i in self._places[item]]
        return self._row(self._places[item])

    def __iter__(self) -> Iterator[PlanNode]:
        return map(self._row, self._places)

    def __repr__(self) -> str:
        return f"<{len(self._places)} rows of a plan>"

    def _row(self, i: int) -> PlanNode:
        plan = self._plan
        node = plan.graph.nodes[i]
        return PlanNode(node, plan.action(i), plan.reason(i), plan.graph.label(i), node.key)
