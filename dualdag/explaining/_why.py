"""Why a node would run, or would not, against what was last made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from dualdag.errors import CorruptObjectError, UntrustedRecordError
from dualdag.execution import MOST_STEPS, Known, look_at, machine, making_of, read_files
from dualdag.explaining._cause import Cause, listed, place_text, wrapped
from dualdag.explaining._compare import compare, with_parameters
from dualdag.explaining._making import Making, making_from, read_making
from dualdag.graph import asked_params
from dualdag.report import when_text

if TYPE_CHECKING:
    from dualdag.execution import FileFact
    from dualdag.planning import FileView, Plan
    from dualdag.store import Store, Version

__all__ = ["Why", "explain", "read_cheap_files"]

#: Bytes of files that are read to say whether their contents changed.
_CHEAP = 100_000_000

_RUNS = ("run", "check")


@dataclass(frozen=True, slots=True)
class Why:
    """Why something would run, or would not; ``print(why)`` says it.

    Parameters
    ----------
    name : str
        Of the artifact or node.
    key : str
        Of the node.
    action : {"reuse", "run", "check", "pinned"}
        What a run would do, as a plan says it.
    reason : str
        The plan's reason.
    causes : tuple of Cause
        What makes it run; empty where it would not.
    changes : tuple of Cause
        What differs from the last version though it would not run: what it waits with, or what gave
        a result that is known already.
    version : int or None
        Number of the last version.
    made : datetime or None
        When that was made.
    run : str
        Which run made it.
    notes : tuple of str
        What can't be known, and why.
    """

    name: str
    key: str
    action: str
    reason: str
    causes: tuple[Cause, ...] = ()
    changes: tuple[Cause, ...] = ()
    version: int | None = None
    made: datetime | None = None
    run: str = ""
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        return {
            "name": self.name, "key": self.key, "action": self.action, "reason": self.reason,
            "causes": [one.to_dict() for one in self.causes], "changes": [one.to_dict() for one in self.changes],
            "version": self.version, "made": None if self.made is None else self.made.isoformat(),
            "run": self.run, "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = wrapped(f"{self.name} {_WOULD[self.action]}: {self._because()}", "", "  ")
        if self.action == "check":
            lines.append("it runs only if what it takes comes out different")
        if self.version is not None:
            made = f"its last version is {self.version}, made {when_text(self.made)}"
            lines += wrapped(made + (f" by run {self.run}" if self.run else ""), "", "  ")
        shown = self.causes or self.changes
        if self.changes and not self.causes:
            said = "waits, and changed since" if self.action == "pinned" else "differs from that version"
            lines += ["", f"what {said}:"]
        names = (f"v{self.version}" if self.version is not None else "was", "now")
        lines += listed(shown, names)
        for note in self.notes:
            lines += ["", *wrapped(note, "", "")]
        return "\n".join(lines)

    def _because(self) -> str:
        if self.action == "reuse" and self.version is not None and not self.changes:
            return f"nothing changed since version {self.version}"
        return self.reason

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


_WOULD = {
    "run": "would run",
    "check": "would be checked",
    "reuse": "would be reused",
    "pinned": "would not run",
}


def explain(plan: Plan, position: int, name: str, *, store: Store, files: FileView) -> Why:
    """Return why the node at a position would run, or would not.

    Parameters
    ----------
    plan : Plan
        Of a graph that has it among its targets.
    position : int
        Where it stands.
    name : str
        Of the artifact, where it is one.
    store : Store
        Has the versions.
    files : FileView
        What is known of the graph's files.
    """
    one = _Explainer(plan, store, files)
    graph = plan.graph
    action, reason = plan.action(position), plan.reason(position)
    node = graph.nodes[position]
    if not action:  # an input: nothing is ever run for it
        return Why(name, node.key, "reuse", "it is an input, which nothing has to be run for")
    last, _ = one.last(name) if graph.artifacts(position) else (None, "")
    causes: tuple[Cause, ...] = ()
    changes: tuple[Cause, ...] = ()
    if action in _RUNS:
        causes = tuple(one.causes(position, name))
    elif last is not None:
        changes = tuple(one.changes(position, name))
    return Why(
        name, node.key, action, reason, causes, changes,
        version=None if last is None else last.number,
        made=None if last is None else datetime.fromtimestamp(last.created, UTC),
        run="" if last is None else last.run,
        notes=tuple(dict.fromkeys(one.notes)),
    )  # fmt: skip


def read_cheap_files(plan: Plan, files: FileView) -> bool:
    """Read the files whose contents a plan does not know, unless they are large; return whether they were read.

    Parameters
    ----------
    plan : Plan
        Names them.
    files : FileView
        Learns what they hold.
    """
    urls = [url for unknown in plan.unknown_files.values() for url in unknown]
    sizes = [token.told[0] for url in urls if (token := look_at(url)) is not None]
    if not urls or len(sizes) < len(urls) or None in sizes or sum(size or 0 for size in sizes) > _CHEAP:
        return False
    read_files(files, urls, {})
    return True


class _Explainer:
    """Explains one plan; each artifact once, however many ways lead to it."""

    def __init__(self, plan: Plan, store: Store, files: FileView) -> None:
        self._plan = plan
        self._store = store
        self._files = files
        self.notes: list[str] = []
        #: Bytes of files that may still be read.
        self._left = _CHEAP
        #: What was asked about, when it was last made and now.
        self.seen: tuple[Making, Making] | None = None

    def last(self, name: str) -> tuple[Version | None, str]:
        """Return the last version of an artifact, and what is wrong with it."""
        try:
            return self._store.latest(name), ""
        except (CorruptObjectError, UntrustedRecordError) as error:
            return None, str(error)

    def causes(self, position: int, name: str) -> list[Cause]:
        """Return what makes a node run, those of the artifacts above it included."""
        found: list[Cause] = []
        seen = {position}
        ways: list[tuple[int, str, tuple[str, ...]]] = [(position, name, ())]
        for i, called, below in ways:  # grows while it is read
            own = self._own_causes(i, called)
            found += [_through(one, called, below) for one in own]
            if any(one.kind in ("never", "damaged") for one in own):
                continue  # whatever changed above, it has to be made
            for j, way in self._artifacts_above(i):
                if j not in seen and self._plan.action(j) in _RUNS:
                    seen.add(j)
                    ways.append((j, self._plan.graph.label(j), (*way, *below)))
        if self.seen is not None:
            found = with_parameters(*self.seen, found)
        return found or self._beyond_notes(position) or [self._unexplained(position, name)]

    def changes(self, position: int, name: str) -> list[Cause]:
        """Return what differs from the last version of something that would not run; of what is above it too."""
        found: list[Cause] = []
        seen = {position}
        ways: list[tuple[int, str, tuple[str, ...]]] = [(position, name, ())]
        for i, called, below in ways:  # grows while it is read
            last, _ = self.last(called)
            then = None if last is None else read_making(self._store, last)
            if last is not None and then is not None and then.full:
                found += [_through(one, called, below) for one in self._compared(i, last, then)]
            for j, way in self._artifacts_above(i) if self._plan.action(position) == "pinned" else ():
                if j not in seen:
                    seen.add(j)
                    ways.append((j, self._plan.graph.label(j), (*way, *below)))
        return with_parameters(*self.seen, found) if self.seen is not None else found

    def now(self, position: int, then: Making) -> Making:
        """Return what a node would now be made of."""
        plan, files = self._plan, self._files

        def file(url: str) -> FileFact:
            digest = files.digest(url)
            old = then.files.get(url)
            if digest is not None and old is not None and digest.hex().startswith(old.digest or "-"):
                return old.size, old.when, digest
            token = look_at(url)
            size, when = (None, None) if token is None else token.told
            if digest is None and old is not None and size is not None and size <= self._left:
                # No plan looked above what is pinned; touched is not yet changed.
                self._left -= size
                read_files(files, [url], {})
                digest = files.digest(url)
            return size, when, digest

        def digest(j: int) -> bytes | None:
            known = plan.digest(j) if plan.actions[j] or not plan.graph.artifacts(j) else None
            if known is not None or not plan.graph.artifacts(j):
                return known
            # One that runs first, or above a pinned one: its last version is what is there.
            last, _ = self.last(plan.graph.label(j))
            return None if last is None else last.digest

        known = Known(digest, files.urls, file, self._version_in_use)
        details, code = making_of(plan.graph, position, known)
        return making_from({**details, **machine(), "parameters": asked_params()}, code)

    def _version_in_use(self, name: str) -> int | None:
        place = self._plan.graph.named().get(name, [-1])[0]
        last, _ = self.last(name)
        if last is None or place < 0:
            return None
        digest = self._plan.digest(place)
        return last.number if digest is None or last.digest == digest else None

    def _own_causes(self, i: int, name: str) -> list[Cause]:
        """Return what makes a node run, as far as it lies between it and the artifacts above it."""
        plan = self._plan
        if i in plan.forced:
            return [Cause("refresh", f"{name} is named in refresh")]
        refreshed = [
            Cause("refresh", f"{plan.graph.label(j)} is named in refresh", through=(plan.graph.label(j), *way))
            for j, way in self._steps_above(i)
            if j in plan.forced and not plan.graph.artifacts(j)
        ]
        if not plan.graph.artifacts(i):
            return refreshed + self._of_a_step(i)
        last, damage = self.last(name)
        if last is None:
            never = f"{name} was never made: it has no version yet"
            return [*refreshed, Cause("damaged", damage) if damage else Cause("never", never)]
        found = refreshed + self._of_the_clock(i, name)
        if not self._store.has_objects([last.checksum]):
            found.append(Cause("lost", f"the value of version {last.number} of {name} is gone from the store"))
        then = read_making(self._store, last)
        if then.problem:
            self.notes.append(f"Of version {last.number} of {name} not all can be told: {then.problem.rstrip('.')}.")
        elif not then.full:
            self.notes.append(
                f"Version {last.number} of {name} was made by an older dualdag, which noted functions and arguments "
                "but no files: what changed of those can't be told."
            )
        return found + self._compared(i, last, then)

    def _compared(self, i: int, last: Version, then: Making) -> list[Cause]:
        now = self.now(i, then)
        if self.seen is None:
            self.seen = then, now
        return compare(then, now, (f"version {last.number}", "now"))

    def _of_the_clock(self, i: int, name: str) -> list[Cause]:
        due = self._plan.due.get(name, "")
        kind = self._plan.graph.artifacts(i)[0].cadence.kind
        if kind == "change" or not due.startswith("due since"):
            return []
        return [Cause("due", f"{name} is {due}, by its cadence {self._plan.graph.artifacts(i)[0].cadence.text}")]

    def _of_a_step(self, i: int) -> list[Cause]:
        """Return what records tell of a node that is no artifact."""
        plan = self._plan
        unread = [
            Cause("file", f"file {place_text(url)} was not read yet", through=(plan.graph.label(j), *way))
            for j, way in self._steps_above(i)
            for url in plan.unknown_files.get(j, ())[:3]
        ]
        label = plan.graph.label(i)
        said = f"{label} is no artifact: the store knows its results, but not what they were made of."
        if unread:
            return unread
        if any(plan.action(j) in _RUNS for j, _ in self._artifacts_above(i)):
            return []
        self.notes.append(f"{said} With .artifact(...) its versions would tell what changed.")
        return [Cause("record", f"{label}: {plan.reason(i)}", str(plan.graph.nodes[i]._site))]

    def _beyond_notes(self, i: int) -> list[Cause]:
        """Return the steps that are new to the store, where there are more of them than versions note."""
        plan, graph = self._plan, self._plan.graph
        steps = self._steps_above(i)
        if len(steps) < MOST_STEPS:
            return []
        new = [(j, way) for j, way in steps if plan.action(j) == "run" and plan.reason(j).startswith("never run")]
        if new:
            self.notes.append(f"A version notes the {MOST_STEPS} steps nearest to it: what changed lies beyond them.")
        # The farthest first, as what is below those is new for their sake.
        return [
            Cause("record", f"{graph.label(j)}: {plan.reason(j)}", str(graph.nodes[j]._site),
                  through=(graph.label(j), *way))
            for j, way in reversed(new[-3:])
        ]  # fmt: skip

    def _unexplained(self, position: int, name: str) -> Cause:
        reason = self._plan.reason(position)
        if not self._plan.graph.artifacts(position) or self.notes:
            return Cause("unknown", f"{name}: {reason}")
        text = f"nothing that its last version notes changed, but the store has no record that fits: {reason}"
        return Cause("record", text)

    def _artifacts_above(self, i: int) -> list[tuple[int, tuple[str, ...]]]:
        graph = self._plan.graph
        return [(j, way) for j, way in self._steps_above(i) if graph.artifacts(j)]

    def _steps_above(self, i: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the nodes above, down to the first artifacts, each with the labels from below it to the node."""
        graph = self._plan.graph
        ways: dict[int, tuple[str, ...]] = {i: ()}
        order = [i]
        for k in order:  # grows while it is read
            if k != i and (graph.artifacts(k) or graph.nodes[k]._op.kind != "call"):
                continue
            for j in graph.inputs[k]:
                if j not in ways:
                    ways[j] = (graph.label(k), *ways[k])
                    order.append(j)
        return [(j, ways[j]) for j in order[1:]]


def _through(one: Cause, name: str, below: tuple[str, ...]) -> Cause:
    """Return a cause with the way from an artifact on, down to what was asked about."""
    if not below:
        return one
    return replace(one, through=(*(one.through or (name,)), *below))
