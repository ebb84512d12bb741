"""What a fingerprint tells of what it is made of, and of what moved."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dualdag.hashing import Fingerprint, fingerprint, moved
from tests.hashing.programs import load


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("flow", None)


def test_reached_things_know_where_they_are_written(tmp_path: Path) -> None:
    module = load(
        tmp_path,
        """
        import numpy as np

        RATE = 0.2

        class Model:
            kind = "a"

            def fit(self, x):
                return x

        def helper(x, by=2):
            return x * RATE * by

        def task(x):
            return helper(x), Model(), np.sum(x)
        """,
    )
    found = {(one.kind, one.name): one for one in fingerprint(module.task).reached}
    assert ("function", "task") in found
    assert found["function", "helper"].line == 11
    assert found["function", "helper"].source() == "def helper(x, by=2):\n    return x * RATE * by\n"
    assert found["function", "Model.fit"].source() == "    def fit(self, x):\n        return x\n"
    assert found["class", "Model"].source().startswith('class Model:\n    kind = "a"\n')
    rate = found["global", "RATE"]
    assert (rate.owner, rate.line, rate.detail, rate.source()) == ("helper", 12, "0.2", None)
    assert Path(rate.file).name == "flow.py"
    assert found["default", "by"].detail == "2"
    assert found["attribute", "kind"].owner == "Model"
    assert found["distribution", "numpy"].detail == np.__version__
    assert all(len(one.digest) == 20 for one in found.values())


def test_a_fingerprint_travels_and_is_frozen() -> None:
    made = fingerprint(load)
    other = pickle.loads(pickle.dumps(made))
    assert other == made
    assert hash(other) == hash(made)
    assert other.reached == made.reached
    with pytest.raises(AttributeError):
        made.digest = b""
    assert Fingerprint(b"1") != Fingerprint(b"2")


BASE = """
    import math

    RATE = 0.2
    TABLE = {"a": 1}

    class Model:
        kind = "a"

    def helper(x, k=1):
        return x * RATE, TABLE

    def other(x):
        return x

    def task(x):
        return helper(x), Model(), math.pi
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("RATE = 0.2", "RATE = 0.3", "global 'RATE' in helper (flow.py:10)"),
        ('"a": 1', '"a": 2', "global 'TABLE' in helper (flow.py:10)"),
        ('kind = "a"', 'kind = "b"', "attribute 'kind' in Model (flow.py)"),
        ("k=1", "k=2", "default 'k' in helper (flow.py:9)"),
        ("x * RATE", "x / RATE", "function 'helper' (flow.py:9)"),
        ("import math", "math = 3", "global 'math' in task (flow.py:16)"),
    ],
)
def test_moved_names_what_differs(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert BASE.count(old) == 1
    before = fingerprint(load(tmp_path, BASE).task)
    after = fingerprint(load(tmp_path, BASE.replace(old, new)).task)
    assert moved(before, after).startswith(said)
    assert said.partition(" (")[0].partition(" in ")[0] in moved(after, before)


def test_moved_tells_of_what_is_reached_no_more(tmp_path: Path) -> None:
    before = fingerprint(load(tmp_path, BASE).task)
    assert moved(before, fingerprint(load(tmp_path, BASE).task)) == "nothing"
    after = fingerprint(load(tmp_path, BASE.replace("return helper(x),", "return other(x),")).task)
    assert moved(before, after) == (
        "function 'task' (flow.py:15), function 'other' (flow.py:12), now reached, "
        "function 'helper' (flow.py:9), no longer reached and 3 more"
    )
