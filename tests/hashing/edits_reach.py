"""Edits that are reached by other ways than a plain name: each must change the fingerprint."""

# fmt: off
from __future__ import annotations

from tests.hashing.edits import OTHER, TASK, change

ROW = "recursion, mutual recursion"
change(ROW, "recursion", "def task(x):\n    return task(x - 1) if x > 0 else 1\n", "else 1", "else 2")
MUTUAL = "def odd(x): return x and even(x - 1)\ndef even(x): return not x or odd(x - 1)\ndef task(x): return even(x)\n"
change(ROW, "mutual recursion", MUTUAL, "return x and", "return x or")
change(ROW, "class and method", """
    class Tree:
        def grow(self): return Tree(), leaf()

    def leaf(): return Tree, 1

    def task(x): return Tree().grow()
""", "Tree, 1", "Tree, 2")

ROW = "getattr(mod, computed)"
change(
    ROW, "getattr(mod, computed)",
    {
        "flow.py": "import helpers\n\ndef task(x):\n    return getattr(helpers, 'fi' + x)(x)\n",
        "helpers.py": OTHER["helpers.py"],
    },
    ") * 2", ") * 3", file="helpers.py",
)
change(
    ROW, "module passed on",
    {
        "flow.py": "import helpers\n\ndef call(m, x): return m.first(x)\ndef task(x):\n    return call(helpers, x)\n",
        "helpers.py": OTHER["helpers.py"],
    },
    "x + 1", "x + 2", file="helpers.py",
)
change(
    ROW, "globals()[computed]",
    "def on_a(x): return 1\ndef task(x): return globals()['on_' + x](x)\n", "return 1", "return 2",
)

ROW = "import inside the function"
for name, statement in (
    ("from", "from helpers import first; return first(x)"),
    ("import", "import helpers; return helpers.first(x)"),
    ("import as", "import helpers as h; return h.first(x)"),
):
    change(
        ROW, f"{name} inside",
        {"flow.py": f"def task(x):\n    {statement}\n", "helpers.py": OTHER["helpers.py"]},
        "x + 1", "x + 2", file="helpers.py",
    )
PACKAGE = {
    "pack/__init__.py": "",
    "pack/flow.py": "def task(x):\n    from .helpers import first\n    return first(x)\n",
    "pack/helpers.py": OTHER["helpers.py"],
}
change(
    ROW, "relative inside", PACKAGE, ") * 2", ") * 3", file="pack/helpers.py",
    load=("module:pack.flow", "module:pack.flow"),
)

ROW = "table of functions in a dict"
change(
    ROW, "table of functions", "def g(x): return 1\nT = {'g': g}\ndef task(x): return T[x](x)\n",
    "return 1", "return 2",
)
change(
    ROW, "table that holds its user",
    "def g(x): return T, 1\nT = {'g': [g]}\ndef task(x): return T[x]\n", "T, 1", "T, 2",
)

ROW = "dataclass default, factory, frozen, order"
DATA = """
    from dataclasses import dataclass, field

    def rows(): return [1]

    @dataclass(frozen=False)
    class Config:
        rate: float = 0.5
        rows: list = field(default_factory=rows)

    def task(x):
        return Config().rate * x
"""
change(ROW, "dataclass default", DATA, "0.5", "0.6")
change(ROW, "dataclass factory", DATA, "[1]", "[2]")
change(ROW, "dataclass frozen", DATA, "frozen=False", "frozen=True")
change(
    ROW, "order of fields",
    "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int\n    b: int\ndef task(x): return C(1, 2)\n",
    "    a: int\n    b: int\n", "    b: int\n    a: int\n",
)
change(
    ROW, "dataclass with its own __init__",
    """
    from dataclasses import dataclass

    @dataclass
    class C:
        a: int

        def __init__(self): self.a = 1

    def task(x): return C()
    """,
    "self.a = 1", "self.a = 2",
)
change(
    ROW, "default of a namedtuple",
    "from typing import NamedTuple\nclass P(NamedTuple):\n    x: int = 1\ndef task(y): return P()\n", "= 1", "= 2",
)

ROW = "enum member added"
ENUM = """
    from enum import Enum

    class Color(Enum):
        RED = 1

        def shade(self): return 5

    def task(x):
        return Color.RED, list(Color)
"""
change(ROW, "enum member added", ENUM, "RED = 1", "RED = 1\n    BLUE = 2")
change(ROW, "enum method", ENUM, "return 5", "return 6")

ROW = "state of a global instance, __call__, bound method"
INSTANCE = """
    class Scaler:
        def __init__(self, k): self.k = k
        def __call__(self, x): return x * self.k
        def scale(self, x): return x + self.k

    scaler = Scaler(2)
    bound = scaler.scale

    def task(x):
        return scaler(x), bound(x)
"""
change(ROW, "state", INSTANCE, "Scaler(2)", "Scaler(3)")
change(ROW, "__call__", INSTANCE, "x * self.k", "x - self.k")
change(ROW, "bound method", INSTANCE, "x + self.k", "x / self.k")
change(ROW, "task is a bound method", INSTANCE.replace("def task", "def other") + "\n    task = Scaler(2).scale\n",
       "task = Scaler(2)", "task = Scaler(4)")
change(ROW, "task is an instance", INSTANCE.replace("def task", "def other") + "\n    task = Scaler(2)\n",
       "x * self.k", "x ** self.k")

ROW = "instance with slots"
change(
    ROW, "instance with slots",
    """
    class P:
        __slots__ = ("x", "__weakref__")
        def __init__(self, x): self.x = x

    p = P(1)

    def task(x): return p.x
    """,
    "P(1)", "P(2)",
)

ROW = "lru_cache, contextmanager helper"
change(
    ROW, "lru_cache",
    "from functools import lru_cache\n@lru_cache\ndef g(x): return 1\ndef task(x): return g(x)\n",
    "return 1", "return 2",
)
change(
    ROW, "contextmanager",
    """
    from contextlib import contextmanager

    @contextmanager
    def opened(x):
        yield 1

    def task(x):
        with opened(x) as y:
            return y
    """,
    "yield 1", "yield 2",
)

ROW = "env var read at import"
change(
    ROW, "environment at import",
    "import os\nRATE = os.environ['EDIT_RATE']\ndef task(x): return RATE\n", "import os", "import os",
    env=({"EDIT_RATE": "1"}, {"EDIT_RATE": "2"}),
)

ROW = "import pkg.helpers; pkg.helpers.g()"
change(
    ROW, "pkg.helpers.g()",
    {
        "flow.py": "import pkg.helpers\n\ndef task(x):\n    return pkg.helpers.first(x)\n",
        "pkg/__init__.py": "", "pkg/helpers.py": OTHER["helpers.py"],
    },
    "x + 1", "x + 2", file="pkg/helpers.py",
)

ROW = "singledispatch implementation"
change(
    ROW, "singledispatch",
    """
    from functools import singledispatch

    @singledispatch
    def show(x): return 1

    @show.register
    def _(x: int): return 2

    def task(x): return show(x)
    """,
    "return 2", "return 3",
)

ROW = "decorator body"
DECORATED = """
    import functools

    def scaled(k):
        def decorate(fn):
            @functools.wraps(fn)
            def wrapper(*args):
                return fn(*args) * k
            return wrapper
        return decorate

    @scaled(2)
    def task(x):
        return x + 1
"""
change(ROW, "decorator body", DECORATED, "* k", "- k")
ROW = "enum value"
change(ROW, "enum value", ENUM, "RED = 1", "RED = 3")
ROW = "decorator argument"
change(ROW, "decorator argument", DECORATED, "@scaled(2)", "@scaled(3)")
ROW = "decorated function under wraps"
change(ROW, "decorated function", DECORATED, "x + 1", "x + 2")

ROW = "tasks among what is reached"
change(ROW, "a task it calls", TASK, "x + 1", "x + 2")
change(ROW, "version= of a task it calls", TASK.replace("retries=1)", "version=1)"), "version=1)", "version=2)")
