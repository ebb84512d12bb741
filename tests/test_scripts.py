"""Scripts: tasks, classes and calls that live in ``__main__``, where no other process can import them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import dataclasses, enum, sys, threading
import dualdag as dag

@dataclasses.dataclass(frozen=True)
class Scale:
    k: int
    def apply(self, x): return x * self.k
    @dag.task
    def times(self, x): return x * self.k

class Colour(enum.Enum):
    RED = 1

class Wire:
    def __init__(self, n): self.n, self.lock = n, threading.Lock()

dag.register(Wire, digest=lambda w: str(w.n), codec=(lambda w: b"%d" % w.n, lambda data: Wire(int(data))))

@dag.task
def scale(x): return [Scale(x), Colour.RED]

@dag.task
def wire(n): return Wire(n)

@dag.task
def length(w): return w.n

if __name__ == "__main__":
    with dag.configure(backend=sys.argv[1], store="store", progress="off"):
        assert dag.run(Scale(3).times(2)) == 6
        assert dag.run(dag.task(Scale(3).apply)(5)) == 15
        assert dag.run(length(wire(4))) == dag.run(length(Wire(4))) == 4
        assert dag.run(scale(2).artifact("scale")) == [Scale(2), Colour.RED]
"""

OTHER = """
import dataclasses
import dualdag as dag

@dataclasses.dataclass(frozen=True)
class Scale:
    k: int
    name: str

found, colour = dag.load("scale", store="store")
assert type(found) is not Scale and found.apply(3) == 6 and found == type(found)(2)
assert colour is type(colour).RED
"""


def script(text: str, *args: str) -> None:
    Path("script.py").write_text(text)
    done = subprocess.run([sys.executable, "script.py", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_a_script_gets_objects_of_its_own_classes_at_every_run(backend):
    script(SCRIPT, backend)
    script(SCRIPT, backend)
    # Another class of that name is not taken for the one that was stored.
    script(OTHER)
