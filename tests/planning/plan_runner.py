"""A simple executor: carries out plans over a MemoryStore as SEMANTICS says, one function at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from dualdag.graph import map_nodes
from dualdag.hashing import action_key, combine
from dualdag.planning import FileView, effective_key, plan_graph
from dualdag.planning._demand import Why
from tests.planning.memory_store import Confirmation, Record, Version

RUN, CHECK = 2, 3


def digest_of(value):
    return hashlib.blake2b(repr(value).encode(), digest_size=32).digest()


def checksum_of(value):
    return hashlib.blake2b(b"encoded" + repr(value).encode(), digest_size=32).digest()


def part_of(graph, i):
    """Return an artifact's own part, spelled out: functions and arguments down to inputs and artifacts."""
    above = []
    for j in graph.inputs[i]:
        names = [spec.name for spec in graph.artifacts(j)]
        above.append(min(names) if names else part_of(graph, j))
    return graph.nodes[i]._own, tuple(above)


class Files:
    """Contents by URL, and which of them were read since they last moved; stands in for a DigestCache."""

    def __init__(self, contents):
        self.contents = dict(contents)
        self.read = {}

    def lookup_many(self, urls):
        return {url: self.read.get(url) for url in urls if url in self.contents}

    def write(self, url, text):
        self.contents[url] = text
        self.read.pop(url, None)

    def digest(self, url):
        self.read[url] = hashlib.blake2b(self.contents[url].encode(), digest_size=32).digest()
        return self.read[url]

    def expand(self, pattern):
        return sorted(self.contents)


class Again(Exception):
    """A recomputed result contradicted its record."""


@dataclass
class Run:
    plan: object
    values: dict
    executed: list = field(default_factory=list)
    plans: list = field(default_factory=list)
    actions: dict = field(default_factory=dict)  # position -> action key, of what was looked at
    absent: set = field(default_factory=set)  # positions run although recorded: the value was not there
    tried: set = field(default_factory=set)  # positions whose inputs' values were asked for
    warned: set = field(default_factory=set)


def run(*args, **kwargs):
    """Carry out a plan in one go."""
    steps = steps_of_run(*args, **kwargs)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def steps_of_run(graph, store, objects, files, compute, *, now, refresh=()):
    """Carry out a plan, and yield before and after each function runs, so that writers can interleave."""
    view = FileView(files)
    made = Run(None, {})
    named, over = refresh, []
    while True:
        view.scan(graph)
        plan = plan_graph(graph, store=store, files=view, refresh=named, refreshed=over, now=now)
        made.plans.append(plan)
        if plan.unknown_files:
            view.learn({url: files.digest(url) for urls in plan.unknown_files.values() for url in urls})
            plan = plan_graph(graph, store=store, files=view, refresh=named, refreshed=over, now=now)
            made.plans.append(plan)
        made.plan = plan
        made.actions = {}
        carrier = _Carrier(plan, store, objects, view, compute, made)
        try:
            yield from carrier.carry_out()
            return made
        except Again:
            named = [graph.nodes[i] for i in plan.forced - carrier.done]
            over += [graph.nodes[i] for i in plan.forced & carrier.done]


class _Carrier:
    def __init__(self, plan, store, objects, view, compute, made):
        self.plan, self.store, self.objects, self.view = plan, store, objects, view
        self.compute, self.made = compute, made
        self.graph = plan.graph
        self.values, self.digests, self.results = {}, {}, {}
        # Keys of what is not settled are made again as its inputs are: one of them may turn out to be
        # a superseded result.
        settled = [action not in {RUN, CHECK} for action in plan.actions]
        self.eff = {i: key if settled[i] else None for i, key in enumerate(plan.effective)}
        self.traces = {i: key if settled[i] else None for i, key in enumerate(plan.traces)}
        self.done = set()

    def carry_out(self):
        plan = self.plan
        for i, record in plan.aliases.items():
            self.store.put_record(replace(record, trace=plan.traces[i]))
        for i, action in enumerate(plan.actions):
            if action == RUN and i in plan.recipes:
                yield from self.value(i)
            elif action == RUN or (action == CHECK and plan.why[i] != Why.PERHAPS):
                yield from self.digest(i)
        for i in plan.roots:
            yield from self.value(i)
        for i in plan.targets:
            self.made.values[i] = yield from self.value(i)
        for i in plan.roots:
            self.publish(i)

    def digest(self, i):
        if i not in self.digests:
            known = self.plan.digest(i)
            if known is None and i not in self.done:
                yield from self.resolve(i)
            else:
                self.digests[i] = known
        return self.digests[i]

    def effective(self, i):
        if self.eff[i] is None:
            trace = self.trace(i)
            self.eff[i] = effective_key(trace, self.store.superseded())
        return self.eff[i]

    def trace(self, i):
        if self.traces[i] is None:
            inputs = [self.effective(j) for j in self.graph.inputs[i]]
            self.traces[i] = combine(self.graph.nodes[i]._own, inputs)
        return self.traces[i]

    def action_of(self, i):
        digests = []
        for j in self.graph.inputs[i]:
            digests.append((yield from self.digest(j)))
        self.made.actions[i] = action_key(self.graph.nodes[i]._own, digests)
        return self.made.actions[i]

    def resolve(self, i):
        """Settle a check: find the result by the inputs' digests, or run."""
        assert self.plan.actions[i] in {RUN, CHECK}, (i, self.plan.actions[i])
        action = yield from self.action_of(i)
        found = self.store.records([action]).get(action)
        if found is None or i in self.plan.forced or i in self.plan.renewed:
            yield from self.run(i)
        else:
            yield i
            self.digests[i] = found.digest
            self.store.put_record(replace(found, trace=self.trace(i)))
            # The trace key may just have become a name of a superseded result.
            self.eff[i] = effective_key(self.trace(i), self.store.superseded())

    def value(self, i):
        plan, graph = self.plan, self.graph
        node = graph.nodes[i]
        if i in self.values:
            return self.values[i]
        if node.op.kind == "value":
            return node.args[0]
        if node.op.kind != "call":
            return self.view.value(i)
        if i in plan.pins:
            checksum = plan.pins[i].checksum
            assert checksum in self.store.objects, "the value of a pinned artifact is gone"
            return self.objects[checksum]
        yield from self.digest(i)
        if i not in self.values:
            found = self.in_force(i)
            if found.checksum in self.store.objects:
                self.values[i] = self.objects[found.checksum]
            else:
                yield from self.run(i)
        return self.values[i]

    def in_force(self, i):
        trace = self.trace(i)
        return self.store.records([trace])[trace]

    def run(self, i):
        plan, graph, node = self.plan, self.graph, self.graph.nodes[i]
        assert plan.actions[i] in {RUN, CHECK}, f"{plan.action(i)} node {i} was run: {plan}"
        self.made.tried.add(i)
        after = graph.extra(i).after
        inputs = graph.inputs[i]
        given = {}
        for j in inputs[: len(inputs) - after]:
            given[graph.nodes[j]._key] = yield from self.value(j)
        action = yield from self.action_of(i)
        if action in self.results:
            self.values[i], self.digests[i] = self.results[action]
            mine = replace(self.store.records([action])[action], trace=self.trace(i))
            if self.keeps(i):
                mine = replace(mine, checksum=checksum_of(self.values[i]))
            self.store.put_record(mine, keep=self.keeps(i))
            self.eff[i] = effective_key(self.trace(i), self.store.superseded())
            return
        known = self.store.records([action]).get(action)
        if known is not None and i not in plan.forced | plan.renewed:
            if known.checksum in self.store.objects:
                # Another node with the same value has just left it there.
                self.values[i], self.digests[i] = self.objects[known.checksum], known.digest
                return
            self.made.absent.add(i)
        yield i
        args = map_nodes(node.args, lambda n: given[n._key])
        named = map_nodes(dict(node.kwargs), lambda n: given[n._key])
        value = self.compute(node, args, named)
        self.made.executed.append((i, action))
        yield i
        self.done.add(i)
        self.record(i, action, value)

    def record(self, i, action, value):
        plan, store = self.plan, self.store
        mine = digest_of(value)
        trace = self.trace(i)
        keep = self.keeps(i)
        record = Record(self.graph.nodes[i]._own, trace, action, mine, checksum_of(value) if keep else None)
        self.objects[checksum_of(value)] = value
        store.log[action] = mine
        known = store.records([trace, action])
        known = known.get(trace) or known.get(action)
        expected = plan.recipes.get(i) or (known if i in self.digests else None)
        if i in plan.forced or i in plan.renewed:
            if known is not None and (known.digest != mine or known.checksum is None):
                store.supersede(replace(record, checksum=checksum_of(value)))
            else:
                store.put_record(replace(record, checksum=checksum_of(value)), keep=True)
            self.eff[i] = effective_key(trace, store.superseded())
        elif expected is not None and expected.digest != mine:
            store.supersede(replace(record, checksum=checksum_of(value)))
            store.mark_unstable(self.graph.nodes[i]._op.prefix)
            self.made.warned.add(i)
            raise Again
        else:
            won = store.put_record(record, keep=keep)
            if won.digest != mine:
                if won.checksum in store.objects:
                    value, mine = self.objects[won.checksum], won.digest
                else:
                    store.supersede(replace(record, checksum=checksum_of(value)))
            self.eff[i] = effective_key(trace, store.superseded())
        self.values[i], self.digests[i] = self.results[action] = value, mine

    def keeps(self, i):
        graph, plan = self.graph, self.plan
        return (
            i in plan.roots
            or i in plan.targets
            or graph.option(i, "persist") is True
            or graph.option(i, "deterministic") is False
            or graph.nodes[i]._op.prefix in self.store.unstable()
        )

    def publish(self, i):
        for spec in self.graph.artifacts(i):
            last = self.store.latest(spec.name) if spec.name not in self.store.damaged else None
            trace, part = self.effective(i), self.plan.own_parts[spec.name]
            digest = self.digests[i]
            when = self.plan.now.timestamp()
            if last is not None and last.digest == digest and last.checksum in self.store.objects:
                if spec.cadence.kind != "change":
                    self.store.parts[spec.name] = part_of(self.graph, i)
                    self.store.confirm(Confirmation(spec.name, last.number, when, trace, part))
                continue
            checksum = checksum_of(self.values[i])
            self.store.add_version(Version(spec.name, 0, digest, checksum, trace, part, when))
            self.store.parts[spec.name] = part_of(self.graph, i)
            self.store.damaged.discard(spec.name)
