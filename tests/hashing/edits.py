"""How edits of small programs are told, each with what it must do to the fingerprint of ``task``.

An edit is a program (files by name), a text in one of its files, and the text that takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent


@dataclass(frozen=True)
class Edit:
    row: str
    name: str
    must: str  # "stay" or "change"
    before: dict[str, str]
    after: dict[str, str]
    # How each version is loaded: "module:flow", "main:flow", "cell:flow", "bare:flow".
    load: tuple[str, str] = ("module:flow", "module:flow")
    env: tuple[dict[str, str], dict[str, str]] = field(default_factory=lambda: ({}, {}))


EDITS: list[Edit] = []


def edit(row, name, must, program, old=None, new=None, *, file="flow.py", after=None, **more):
    before = {"flow.py": program} if isinstance(program, str) else program
    before = {path: dedent(text).lstrip("\n") for path, text in before.items()}
    if after is None:
        assert before[file].count(old) == 1, (name, before[file].count(old))
        after = before | {file: before[file].replace(old, new)}
    else:
        after = {"flow.py": after} if isinstance(after, str) else after
        after = {path: dedent(text).lstrip("\n") for path, text in after.items()}
    EDITS.append(Edit(row, name, must, before, after, **more))


def stay(row, name, program, old=None, new=None, **more):
    edit(row, name, "stay", program, old, new, **more)


def change(row, name, program, old=None, new=None, **more):
    edit(row, name, "change", program, old, new, **more)


PLAIN = """
    RATE = 0.2

    def helper(x):
        return deeper(x) + 1

    def deeper(x):
        return x * RATE

    def task(x, k=3):
        y = helper(x)
        return [y, k, "text"]
"""

CLASS = """
    class Model:
        kind = "linear"

        def fit(self, x):
            return x

    def task(x):
        return Model().fit(x)
"""

OTHER = {
    "flow.py": """
        import helpers

        def task(x):
            return helpers.first(x)
    """,
    "helpers.py": """
        import os

        def second(x):
            return x + 1

        def first(x):
            return second(x) * 2

        def unused(x):
            return x - 1
    """,
}

TASK = """
    from dualdag_stub import task as tasked

    @tasked(retries=1)
    def helper(x):
        return x + 1

    @tasked(retries=1, timeout=3)
    def task(x):
        return helper.fn(x)
"""
