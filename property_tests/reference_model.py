"""What keys, records, plans, cadences and refresh mean, as plain and slow as can be: the planner's oracle.

A value is its own digest; keys are nested tuples; everything is worked out from its definition, by
recursion, again for every question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from dualdag.graph import Graph


class Again(Exception):
    """A recomputed value contradicted its record."""


class Fact(NamedTuple):
    digest: str
    saved: bool


@dataclass
class Made:
    digest: str
    trace: Any
    part: Any
    time: float


class Model:
    def __init__(self) -> None:
        self.facts: dict[Any, list[Fact]] = {}  # by action key, the latest last
        self.names: dict[Any, Any] = {}  # trace key -> action key
        self.objects: set[str] = set()
        self.values: dict[str, Any] = {}
        self.versions: dict[str, list[Made]] = {}
        self.confirmed: dict[str, tuple[int, Made]] = {}
        self.marked: set[bytes] = set()
        self.read: dict[str, str] = {}  # content of files as last read

    def plan(
        self, graph: Graph, files: dict[str, str], named: set[int], now: float, done: frozenset[int] = frozenset()
    ) -> Any:
        renewed: set[int] = set()
        while True:
            made = self._plan(graph, files, named, now, frozenset(renewed), done)
            if made.renewed <= renewed:
                return made
            renewed |= made.renewed

    def _plan(
        self, graph: Graph, files: Any, named: set[int], now: float, renewed: frozenset[int], done: frozenset[int]
    ) -> Any:
        nodes, inputs, everything = graph.nodes, graph.inputs, range(len(graph))
        hidden = named | renewed

        def kind(i: int) -> str:
            return nodes[i].op.kind

        def cadence(i: int) -> Any:
            return graph.artifacts(i)[0].cadence if graph.artifacts(i) else None

        def held(i: int) -> bool:
            return bool(cadence(i)) and cadence(i).kind in {"manual", "frozen"} and i not in named | done

        def passed_by_inputs(i: int) -> tuple[int, ...]:
            return inputs[i][: len(inputs[i]) - graph.extra(i).after]

        @cache
        def part(i: int) -> Any:
            return nodes[i].own, tuple(
                min(a.name for a in graph.artifacts(j)) if graph.artifacts(j) else part(j) for j in inputs[i]
            )

        def last(name: str) -> tuple[Made | None, Made | None]:
            made = self.versions.get(name, [])
            number, equal = self.confirmed.get(name, (0, None))
            return (made[-1] if made else None), (equal if number == len(made) else None)

        @cache
        def below_named(i: int) -> bool:
            return any(j in named | done or below_named(j) for j in inputs[i] if not (held(j) and pinned(j)))

        @cache
        def pinned(i: int) -> bool:
            if not cadence(i) or i in named | done or cadence(i).kind == "change":
                return False
            made = [last(a.name) for a in graph.artifacts(i)]
            if held(i):
                return any(version for version, _ in made)
            if below_named(i) or not all(version for version, _ in made):
                return False
            return all(
                version.digest in self.objects
                and (equal or version).part == part(i)
                and not comes_due(cadence(i), max(m.time for m in (version, equal) if m), now)
                for version, equal in made
            )

        def pin(i: int) -> tuple[Made, Made | None]:
            return max((last(a.name) for a in graph.artifacts(i) if last(a.name)[0]), key=lambda pair: pair[0].time)

        reached = {*graph.targets, *named}
        for i in reversed(everything):
            if i in reached and not pinned(i):
                reached.update(inputs[i])

        def content(i: int) -> Any:
            if kind(i) == "value":
                return "value", nodes[i].own
            urls = [nodes[i].args[0]] if kind(i) == "file" else sorted(files)
            read = tuple(self.read.get(url) for url in urls)
            if None in read:
                return None
            return ("file", read[0]) if kind(i) == "file" else ("files", tuple(urls), read)

        @cache
        def trace(i: int) -> Any:
            if kind(i) != "call":
                return content(i)
            above = tuple(effective(j) for j in inputs[i])
            return None if None in above else (nodes[i].own, above)

        @cache
        def effective(i: int) -> Any:
            if pinned(i):
                version, equal = pin(i)
                return (equal or version).trace
            if kind(i) == "call" and record(i) is not None and trace(i) not in self.names:
                return self.effective(trace(i), (nodes[i].own, tuple(digest(j) for j in inputs[i])))
            return None if i in hidden else self.effective(trace(i))

        @cache
        def record(i: int) -> Fact | None:
            """The fact in force for the node, by its trace key or by its inputs' digests."""
            if i in hidden or trace(i) is None:
                return None
            if trace(i) in self.names:
                return self.facts[self.names[trace(i)]][-1]
            digests = tuple(digest(j) for j in inputs[i])
            return None if None in digests else self.facts.get((nodes[i].own, digests), [None])[-1]

        @cache
        def digest(i: int) -> Any:
            if kind(i) != "call":
                return content(i)
            if pinned(i):
                return pin(i)[0].digest
            return record(i) and record(i).digest

        def there(i: int) -> bool:
            return record(i).saved and record(i).digest in self.objects

        roots = {*graph.targets, *named, *(i for i in reached if cadence(i) and not pinned(i))}

        @cache
        def needs(i: int) -> set[str]:
            found = {"value"} if i in roots else set()
            for user in everything:
                if i in inputs[user] and user in reached:
                    found |= asks(user, i)
            return found

        def asks(user: int, i: int) -> set[str]:
            passed = i in passed_by_inputs(user)
            ordered = i in inputs[user][len(passed_by_inputs(user)) :]
            if action(user) == "run":
                return {*(["value"] if passed else []), *(["digest"] if ordered else [])}
            if action(user) != "check":
                return set()
            if perhaps(user):
                return {"perhaps"}
            return {"digest", *(["perhaps"] if passed else [])}

        def perhaps(i: int) -> bool:
            return action(i) == "check" and (record(i) is not None or needs(i) == {"perhaps"})

        @cache
        def action(i: int) -> str:
            if not needs(i) or kind(i) != "call":
                return ""
            if pinned(i):
                return "pinned"
            if i in hidden:
                return "run"
            if record(i) is not None:
                if there(i) or needs(i) == {"digest"}:
                    return "reuse"
                return "run" if "value" in needs(i) else "check"
            if needs(i) == {"perhaps"}:
                return "check"
            if nodes[i].own not in {own for own, _ in self.facts}:
                return "run"
            return "check" if any(digest(j) is None for j in inputs[i]) else "run"

        return SimpleNamespace(
            graph=graph,
            files=sorted(files),
            named=named,
            hidden=hidden,
            reached=reached,
            roots=roots,
            pinned=pinned,
            pin=pin,
            part=part,
            trace=trace,
            effective=effective,
            digest=digest,
            record=record,
            action=action,
            perhaps=perhaps,
            actions=[action(i) for i in everything],
            passed_by_inputs=passed_by_inputs,
            unread=[i for i in reached if kind(i) in {"file", "files"} and content(i) is None],
            renewed={i for i in everything if action(i) == "run" and record(i) and self.flaky(graph, i)},
        )

    def effective(self, trace: Any, action: Any = None) -> Any:
        facts = self.facts.get(self.names.get(trace, action), [])
        return ("superseded", trace, facts[-1].digest) if len({f.digest for f in facts}) > 1 else trace

    def flaky(self, graph: Graph, i: int) -> bool:
        return graph.nodes[i].op.prefix in self.marked or not graph.option(i, "deterministic")

    def run(self, graph: Graph, files: dict[str, str], named: set[int], now: float, compute: Callable[..., Any]) -> Any:
        executed: list[int] = []
        done: set[int] = set()
        while True:
            plan = self.plan(graph, files, named - done, now, frozenset(named & done))
            if plan.unread:
                for i in plan.unread:
                    urls = [graph.nodes[i].args[0]] if graph.nodes[i].op.kind == "file" else sorted(files)
                    self.read.update((url, files[url]) for url in urls)
                continue
            try:
                values = self._carry_out(plan, compute, executed, done)
            except Again:
                continue
            self._publish(plan, values.digest, values.effective, now)
            return SimpleNamespace(plan=plan, executed=executed, values={i: values.value(i) for i in graph.targets})

    def _carry_out(self, plan: Any, compute: Callable[..., Any], executed: list[int], done: set[int]) -> Any:
        graph = plan.graph
        nodes, inputs = graph.nodes, graph.inputs
        values: dict[int, Any] = {}
        ran: dict[Any, Any] = {}

        def effective(i: int) -> Any:
            if graph.nodes[i].op.kind != "call" or plan.pinned(i):
                return plan.effective(i)
            return self.effective(trace(i))

        def trace(i: int) -> Any:
            return nodes[i].own, tuple(effective(j) for j in inputs[i])

        def key(i: int) -> Any:
            return nodes[i].own, tuple(digest(j) for j in inputs[i])

        def digest(i: int) -> Any:
            if plan.digest(i) is not None:
                if plan.record(i) is not None:
                    self.names.setdefault(trace(i), key(i))
                return plan.digest(i)
            if i in values:
                return show(values[i])
            if i in plan.hidden or key(i) not in self.facts:
                run(i)
            self.names.setdefault(trace(i), key(i))
            return self.facts[key(i)][-1].digest

        def value(i: int) -> Any:
            if nodes[i].op.kind != "call":
                return list(plan.files) if nodes[i].op.kind == "files" else nodes[i].args[0]
            if i not in values:
                known = digest(i)
                if i not in values and known in self.objects and (plan.pinned(i) or saved(i)):
                    values[i] = self.values[known]
                if i not in values:
                    run(i)
            return values[i]

        def saved(i: int) -> bool:
            return self.facts[self.names[trace(i)]][-1].saved

        def run(i: int) -> None:
            given = {j: value(j) for j in plan.passed_by_inputs(i)}
            action, name = key(i), trace(i)
            fact = self.facts.get(action, [None])[-1]
            if action not in ran and i not in plan.hidden and fact and fact.saved and fact.digest in self.objects:
                values[i] = self.values[fact.digest]  # an equal value was left there meanwhile
                return
            if action not in ran:
                executed.append(i)
                ran[action] = compute(i, given)
                done.add(i)
            made = ran[action]
            before = self.facts.get(self.names.get(name, action))
            keep = i in plan.roots or i in plan.hidden or self.keeps(graph, i)
            differs = before is not None and before[-1].digest != show(made)
            keep = keep or differs
            if before is None:
                self.facts[action] = [Fact(show(made), keep)]
            elif differs:
                before.append(Fact(show(made), True))
            elif keep:
                before[-1] = Fact(show(made), True)
            self.names.setdefault(name, action)
            self.values[show(made)] = made
            if keep:
                self.objects.add(show(made))
            if differs and i not in plan.hidden:
                self.marked.add(nodes[i].op.prefix)
                raise Again
            values[i] = made

        for i, action in enumerate(plan.actions):
            if action == "run" and plan.record(i) is not None:
                value(i)
            elif action == "run" or (action == "check" and not plan.perhaps(i)):
                digest(i)
        for i in sorted(plan.roots):
            value(i)
        return SimpleNamespace(value=value, digest=digest, effective=effective)

    def keeps(self, graph: Graph, i: int) -> bool:
        return graph.option(i, "persist") is True or self.flaky(graph, i)

    def _publish(self, plan: Any, digest: Any, effective: Any, now: float) -> None:
        for i in plan.reached:
            for spec in plan.graph.artifacts(i) if not plan.pinned(i) else ():
                made = Made(digest(i), effective(i), plan.part(i), now)
                history = self.versions.setdefault(spec.name, [])
                if not history or history[-1].digest != made.digest:
                    history.append(made)
                elif spec.cadence.kind != "change":
                    self.confirmed[spec.name] = len(history), made


def show(value: Any) -> str:
    return repr(value)


def comes_due(cadence: Any, since: float, now: float) -> bool:
    since = min(since, now)
    if cadence.kind == "interval":
        return now - since >= cadence.seconds - min(cadence.seconds / 100, 60)
    start, end = (datetime.fromtimestamp(t, UTC) for t in (since, now))
    minute = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute <= end:
        fields = minute.minute, minute.hour, minute.day, minute.month, minute.isoweekday() % 7
        if all(fits(pattern, number) for pattern, number in zip(cadence.cron.split(), fields, strict=True)):
            return True
        minute += timedelta(minutes=1)
    return False


def fits(pattern: str, number: int) -> bool:
    start, _, step = pattern.partition("/")
    return (start == "*" or int(start) == number) if not step else number % int(step) == 0
