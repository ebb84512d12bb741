"""Random histories: a graph that is edited, its files, a store, a clock, and runs between."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from dualdag.errors import GraphError
from dualdag.graph import compile_graph, map_nodes
from dualdag.planning import FileView, plan_graph
from dualdag.testing import _strategies
from dualdag.testing._strategies import CADENCES, Recipe, Ref, Step, build, recipes
from tests.planning.memory_store import MemoryStore
from tests.planning.plan_runner import Files, checksum_of, run, steps_of_run

FOLDER = "world://w"
NAMES = ("f0.txt", "f1.txt", "f2.txt")
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOURS = (0.2, 0.985, 0.995, 1.0, 5.0, 23.7, 24.0, 30.0, -2.0)


@dataclass
class World:
    """What a history changes.

    `noisy` holds codes of functions that give other values after each ``bump``.
    """

    recipe: Recipe
    noisy: frozenset[int] = frozenset()
    now: datetime = START
    store: MemoryStore = field(default_factory=MemoryStore)
    objects: dict = field(default_factory=dict)
    files: Files = field(default_factory=lambda: Files({f"{FOLDER}/{name}": name for name in NAMES}))
    bumps: int = 0
    computed: list = field(default_factory=list)

    def graph(self):
        """Compile the recipe; None where equal steps contradict each other."""
        try:
            return compile_graph(build(self.recipe, FOLDER))
        except GraphError:
            return None

    def compute(self, node, args, kwargs):
        with self.in_place():
            value = node.op.fn(*args, **kwargs)
        if getattr(node.op.fn, "args", (None,))[0] in self.noisy:
            # Few numbers, so that a noisy function sometimes gives what it gave before.
            noise = self.bumps % 3
            value = tuple(v + noise for v in value) if isinstance(value, tuple) else value + noise
        return value

    def scratch(self, graph, pins):
        """Evaluate the targets and artifacts from nothing, under pins (position -> value)."""
        values = {}
        for i, node in enumerate(graph.nodes):
            if i in pins:
                values[node._key] = pins[i]
            elif node.op.kind == "files":
                values[node._key] = self.files.expand(None)
            elif node.op.kind != "call":
                values[node._key] = node.args[0]
            else:
                given = map_nodes(node.args, lambda n: values[n._key])
                named = map_nodes(dict(node.kwargs), lambda n: values[n._key])
                values[node._key] = self.compute(node, given, named)
        return [values[node._key] for node in graph.nodes]

    def plan(self, graph, refresh=()):
        with self.in_place():
            view = FileView(self.files)
            view.scan(graph)
            return plan_graph(graph, store=self.store, files=view, refresh=refresh, now=self.now)

    def run(self, graph, refresh=()):
        with self.in_place():
            return run(graph, self.store, self.objects, self.files, self.compute, now=self.now, refresh=refresh)

    def interrupted(self, graph, refresh, steps):
        """Start a run and stop it before or after one of its functions."""
        with self.in_place():
            for _ in zip(range(steps), self.writer(graph, refresh), strict=False):
                pass

    def writer(self, graph, refresh=()):
        return steps_of_run(graph, self.store, self.objects, self.files, self.compute, now=self.now, refresh=refresh)

    def lose(self, values):
        self.store.objects -= {checksum_of(value) for value in values}

    @contextlib.contextmanager
    def in_place(self):
        """Let files be read, and patterns listed, in this world."""
        from dualdag.planning import _files

        before = _strategies.read, _files._expand
        _strategies.read = self.files.contents.__getitem__
        _files._expand = self.files.expand
        try:
            yield self
        finally:
            _strategies.read, _files._expand = before


@dataclass(frozen=True)
class Event:
    """Something that happens between runs."""

    kind: str
    pick: int = 0
    number: int = 0


KINDS = ("edit", "edit", "write", "touch", "lose", "lose", "clock", "cadence", "retarget", "bump", "bump")


def happen(world: World, event: Event) -> list:
    """Let an event happen; return the values whose objects are lost by it."""
    steps = world.recipe.steps
    calls = [i for i, step in enumerate(steps) if step.kind == "call"]
    artifacts = [i for i in calls if steps[i].artifact is not None]
    if event.kind == "edit" and calls:
        world.recipe = world.recipe.edited(calls[event.pick % len(calls)], code=event.number % 4)
    elif event.kind == "write":
        world.files.write(f"{FOLDER}/{NAMES[event.pick % len(NAMES)]}", f"text {event.number % 3}")
    elif event.kind == "touch":
        world.files.read.pop(f"{FOLDER}/{NAMES[event.pick % len(NAMES)]}", None)
    elif event.kind == "clock":
        world.now += timedelta(hours=HOURS[event.number % len(HOURS)])
    elif event.kind == "cadence" and artifacts:
        cadence = CADENCES[event.number % len(CADENCES)]
        world.recipe = world.recipe.edited(artifacts[event.pick % len(artifacts)], cadence=cadence)
    elif event.kind == "retarget":
        last = len(steps) - 1
        world.recipe = Recipe(steps, tuple(dict.fromkeys((event.pick % len(steps), last))))
    elif event.kind == "bump":
        world.bumps += 1
    elif event.kind == "lose":
        values = list({repr(v): v for v in world.objects.values()}.values())
        lost = [v for k, v in enumerate(values) if (event.number >> (k % 16)) & 1]
        world.lose(lost)
        return lost
    return []


def refresh_of(world: World, graph, number: int) -> tuple:
    """Return what a run is asked to refresh: mostly nothing, else a name, a node or all."""
    named = sorted(name for name, places in graph.named().items() if all(_may(graph, i) for i in places))
    calls = [node for i, node in enumerate(graph.nodes) if _may(graph, i)]
    if number % 4 == 1 and named:
        return (named[number // 4 % len(named)],)
    if number % 4 == 2 and calls:
        return (calls[number // 4 % len(calls)],)
    if number % 12 == 3:
        return ("all",)
    return ()


def _may(graph, i):
    return graph.nodes[i].op.kind == "call" and all(a.cadence.kind != "frozen" for a in graph.artifacts(i))


def draw_recipe(rng) -> Recipe:
    """Draw a recipe of a few inputs and up to eight calls, denser than hypothesis would start with."""
    steps = [Step("file", (NAMES[0],))]
    for _ in range(rng.randint(0, 2)):
        kind = rng.choice(("file", "files", "value"))
        steps.append(Step(kind, {"file": (rng.choice(NAMES),), "files": ("*.txt",), "value": (7,)}[kind]))
    for _ in range(rng.randint(1, 8)):
        steps.append(_draw_call(rng, steps))
    last = len(steps) - 1
    targets = dict.fromkeys(rng.randint(0, last) for _ in range(rng.randint(0, 2)))
    return Recipe(tuple(steps), tuple(dict.fromkeys((*targets, last))))


def _draw_call(rng, steps):
    def ref():
        # Mostly what was made last: deep graphs have more to tell than wide ones.
        k = max(0, len(steps) - 1 - min(rng.randrange(8), rng.randrange(8)))
        return Ref(k, rng.randrange(steps[k].nout) if steps[k].nout > 1 and rng.randrange(2) else None)

    label = f"n{len(steps)}"
    artifact, named = rng.randrange(4) == 0, rng.randrange(4) == 0
    return Step(
        "call",
        tuple([ref()] if rng.randrange(6) == 0 else ref() for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))),
        (("p", {"x": ref()}),) if rng.randrange(6) == 0 else (),
        code=rng.randrange(4),
        spread=rng.choice((2, 2, 1 << 30)),
        nout=rng.choice((1, 1, 1, 1, 1, 1, 1, 2)),
        after=(rng.randrange(len(steps)),) if rng.randrange(8) == 0 else (),
        artifact=label if artifact else None,
        cadence=rng.choice(CADENCES) if artifact else None,
        name=label if named else None,
        options=rng.choice(((), (), (), (("persist", True),), (("deterministic", False),))),
    )


def draw_history(rng) -> tuple:
    """Draw a recipe and rounds, each of some events and what the run after them is asked to refresh."""
    rounds = []
    for _ in range(rng.randint(2, 8)):
        drawn = [Event(rng.choice(KINDS), rng.randrange(8), rng.randrange(1 << 16)) for _ in range(rng.randint(0, 3))]
        rounds.append((drawn, rng.randrange(48)))
    return draw_recipe(rng), rounds


events = st.builds(Event, st.sampled_from(KINDS), st.integers(0, 7), st.integers(0, (1 << 16) - 1))
histories = st.tuples(
    recipes(max_steps=9),
    st.lists(st.tuples(st.lists(events, max_size=3), st.integers(0, 47)), min_size=1, max_size=7),
)
