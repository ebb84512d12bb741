"""A small project on disk whose every part can be edited, loaded anew as a new process would."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import dualdag as dag
from dualdag.frontends import load_flow

FILES = {
    "rates.py": "RATE = 2\n\n\ndef scale(x):\n    return x * RATE\n",
    "money.py": "from rates import scale\n\n\ndef price(x):\n    return scale(x) + 0\n",
    "flow.py": """
import dualdag as dag
from money import price


def times(k):
    @dag.task
    def inner(x):
        return x * k
    return inner


@dag.task
def read(path, add=1):
    with open(path) as f:
        return int(f.read()) + add


@dag.task
def lengths(paths):
    found = []
    for path in paths:
        with open(path) as f:
            found.append(len(f.read()))
    return found


@dag.task
def mix(a, b, c, n):
    return [price(a), b, c, n, "x" * 10_000]


up = read(dag.file("one.txt")).artifact("up")
side = times(3)(dag.value(5)).named("side")
top = mix(up, lengths(dag.files("parts/*.txt")), side, n=dag.param("n", 3)).artifact("top")
mix(up, 1, 2, n=7).artifact("daily", cadence="1d")
""",
    "one.txt": "1",
    "parts/a.txt": "aaa",
    "parts/b.txt": "bb",
}


class World:
    """The project in the working folder, and a store."""

    def __init__(self) -> None:
        for name, text in FILES.items():
            self.write(name, text)
        self.params: dict[str, str] = {}

    def write(self, name: str, text: str) -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = Path(name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def nodes(self) -> dict[str, dag.Node]:
        forget()
        return dict(load_flow("flow.py", self.params).artifacts)

    def run(self, *names: str, **options: object) -> None:
        nodes = self.nodes()
        dag.run([nodes[name] for name in names or ("up", "top")], backend="sync", progress="off", **options)

    def why(self, name: str = "top", **options: object):
        return dag.why(self.nodes()[name], **options)

    def lose(self) -> None:
        shutil.rmtree(".dualdag/objects")


def forget() -> None:
    """Forget the project's modules."""
    for name in [n for n, m in sys.modules.items() if str(getattr(m, "__file__", "")).startswith(str(Path.cwd()))]:
        del sys.modules[name]
