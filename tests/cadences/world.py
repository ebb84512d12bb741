"""A flow of eight artifacts whose data, code and store change, as dualdag sees it and as the reference does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import dualdag as dag

#: More than fits into a record, so that each value has an object of its own, which can be lost.
PAD = 5_000
_ticks = count(1)


def told(name, effect, number):
    return f"{name} {effect} {number} ".ljust(PAD, ".")


def number(text):
    return int(text.split()[2])


# What the functions of the flow do, {name} and {effect} put in; a note changes the code and not the value.
SOURCES = {
    "read": "def read(path):\n    note = {note}\n    with open(path) as f:\n        return int(f.read()) + {effect}\n",
    "clean": "def clean(x):\n    note = {note}\n    return number(x) // 2 + {effect}\n",
    "feed": "def feed(a):\n    note = {note}\n    return told('feed', {effect}, a // 2)\n",
    "merged": "def merged(x, b):\n    note = {note}\n    return told('merged', {effect}, x + b % 3)\n",
    "daily": "def daily(x):\n    note = {note}\n    return told('daily', {effect}, number(x) // 2)\n",
    "weekly": "def weekly(x):\n    note = {note}\n    return told('weekly', {effect}, number(x))\n",
    "morning": "def morning(x, a):\n    note = {note}\n    return told('morning', {effect}, number(x) + a)\n",
    "often": "def often(x):\n    note = {note}\n    return told('often', {effect}, number(x))\n",
    "hand": "def hand(a):\n    note = {note}\n    return told('hand', {effect}, a)\n",
    "ice": "def ice(b):\n    note = {note}\n    return told('ice', {effect}, b)\n",
    "report": "def report(*xs):\n    note = {note}\n    return told('report', {effect}, sum(number(x) for x in xs) // 2)\n",
}


@dataclass
class World:
    """Files, and what the code of each function is now: what it adds, and a note that has no effect."""

    folder: Path
    files: dict[str, int]
    effects: dict[str, int]
    notes: dict[str, int]

    @classmethod
    def new(cls, folder):
        world = cls(folder, {}, dict.fromkeys(SOURCES, 0), dict.fromkeys(SOURCES, 0))
        world.write("a", 1)
        world.write("b", 1)
        return world

    def write(self, name, value):
        self.files[name] = value
        path = self.folder / f"{name}.txt"
        path.write_text(str(value))
        os.utime(path, ns=(next(_ticks) * 10**9,) * 2)

    def code(self, *names):
        return tuple((name, self.effects[name], self.notes[name]) for name in names)

    def function(self, name):
        given = {"told": told, "number": number, "__name__": "flow"}
        exec(SOURCES[name].format(effect=self.effects[name], note=self.notes[name]), given)
        return given[name]

    def nodes(self, crons):
        """The flow, as dualdag's user writes it."""
        task = {name: dag.task(self.function(name)) for name in SOURCES}
        a, b = (task["read"](dag.file(str(self.folder / f"{name}.txt"))) for name in "ab")
        feed = task["feed"](a).artifact("feed")
        merged = task["merged"](task["clean"](feed), b).artifact("merged", cadence="6h")
        daily = task["daily"](merged).artifact("daily", cadence="1d")
        weekly = task["weekly"](daily).artifact("weekly", cadence="7d")
        (cron, tz), (other, elsewhere) = crons
        morning = task["morning"](merged, a).artifact("morning", cadence=cron, tz=tz)
        often = task["often"](merged).artifact("often", cadence=other, tz=elsewhere)
        hand = task["hand"](a).artifact("hand", cadence="manual")
        ice = task["ice"](b).artifact("ice", cadence="frozen")
        report = task["report"](hand, ice, weekly, morning).artifact("report")
        nodes = (feed, merged, daily, weekly, morning, often, hand, ice, report)
        return {node.extra.artifacts[0].name: node for node in nodes}


@dataclass(frozen=True)
class Artifact:
    """The same for the reference: `body` are the functions of its own part, the last of them makes the value."""

    cadence: str | None
    inputs: tuple[str, ...]
    body: tuple[str, ...]
    files: str = ""
    interval: timedelta | None = None

    def own(self, world):
        return world.code(*self.body)

    def _given(self, world, values):
        """What the last function is called with: artifacts' values, cleaned in one case, then files."""
        read = [world.files[name] + world.effects["read"] for name in self.files]
        if "clean" in self.body:
            values = (number(values[0]) // 2 + world.effects["clean"], *values[1:])
        return (*values, *read)

    def action(self, world, values):
        return world.code(self.body[-1]), self._given(world, values)

    def make(self, world, *values):
        return world.function(self.body[-1])(*self._given(world, values))


def artifacts(crons):
    """The flow, as the reference knows it."""
    day = timedelta(days=1)
    return {
        "feed": Artifact(None, (), ("read", "feed"), "a"),
        "merged": Artifact("6h", ("feed",), ("clean", "read", "merged"), "b", day / 4),
        "daily": Artifact("1d", ("merged",), ("daily",), interval=day),
        "weekly": Artifact("7d", ("daily",), ("weekly",), interval=7 * day),
        "morning": Artifact(crons[0][0], ("merged",), ("read", "morning"), "a"),
        "often": Artifact(crons[1][0], ("merged",), ("often",)),
        "hand": Artifact("manual", (), ("read", "hand"), "a"),
        "ice": Artifact("frozen", (), ("read", "ice"), "b"),
        "report": Artifact(None, ("hand", "ice", "weekly", "morning"), ("report",)),
    }
