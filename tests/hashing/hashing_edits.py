"""Edits of a small program, each with what it must do to the fingerprint of its function ``task``.

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

# ---- must stay -------------------------------------------------------------------------------------

ROW = "comment; blank lines; reformatting; quotes; docstring of the task"
stay(ROW, "comment", PLAIN, "    y = helper(x)", "    # why\n    y = helper(x)  # what")
stay(ROW, "blank lines", PLAIN, "    y = helper(x)\n", "\n\n    y = helper(x)\n\n")
stay(ROW, "reformatted call", PLAIN, "[y, k, \"text\"]", "[\n        y,\n        k,\n        \"text\",\n    ]")
stay(ROW, "quotes", PLAIN, '"text"', "'text'")
stay(ROW, "docstring added", PLAIN, "    y = helper(x)", '    """What it is for."""\n    y = helper(x)')
stay(
    ROW, "docstring of a function that returns None",
    "def task(x):\n    print(x)\n", "    print(x)", "    '''Doc.'''\n    print(x)",
)
stay(
    ROW, "docstring edited",
    "def task(x):\n    'one'\n    return x, 'two'\n", "'one'", "'three'",
)
stay(
    ROW, "condition over lines",
    "def task(x, y):\n    return [i for i in x if i and y(i) or not i]\n",
    "if i and y(i) or not i", "if (\n        i\n        and y(i)\n        or not i\n    )",
)

ROW = "docstring of helper, class"
stay(ROW, "docstring of helper", PLAIN, "    return deeper(x) + 1", "    'Doc.'\n    return deeper(x) + 1")
CLASS = """
    class Model:
        kind = "linear"

        def fit(self, x):
            return x

    def task(x):
        return Model().fit(x)
"""
stay(ROW, "docstring of class", CLASS, '    kind = "linear"', '    "Doc."\n    kind = "linear"')
stay(ROW, "docstring of method", CLASS, "        return x\n", '        "Doc."\n        return x\n')

ROW = "comment in a helper, any depth"
stay(ROW, "comment in helper", PLAIN, "    return deeper(x) + 1", "    # note\n    return deeper(x) + 1")
stay(ROW, "comment two deep", PLAIN, "    return x * RATE", "    # note\n\n    return x * RATE")
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
stay(ROW, "comment in another module", OTHER, "    return x + 1", "    # note\n    return x + 1", file="helpers.py")

ROW = "helper or class moved"
stay(
    ROW, "helper moved", PLAIN,
    after={
        "flow.py": """
            from lib import helper

            def task(x, k=3):
                y = helper(x)
                return [y, k, "text"]
        """,
        "lib.py": """
            RATE = 0.2

            def deeper(x):
                return x * RATE

            def helper(x):
                return deeper(x) + 1
        """,
    },
)
stay(
    ROW, "class moved", CLASS,
    after={
        "flow.py": """
            from lib import Model

            def task(x):
                return Model().fit(x)
        """,
        "lib.py": """
            import json

            class Model:
                kind = "linear"

                def fit(self, x):
                    return x
        """,
    },
)
stay(
    ROW, "definitions permuted", PLAIN,
    after="""
        def task(x, k=3):
            y = helper(x)
            return [y, k, "text"]

        def deeper(x):
            return x * RATE

        def helper(x):
            return deeper(x) + 1

        RATE = 0.2
    """,
)
stay(
    ROW, "methods permuted",
    """
    class Model:
        def a(self): return 1
        def b(self): return 2

    def task(x):
        return Model().a() + Model().b()
    """,
    after="""
    class Model:
        def b(self): return 2
        def a(self): return 1

    def task(x):
        return Model().a() + Model().b()
    """,
)

ROW = "unrelated function, class, global, import"
stay(ROW, "unrelated function", PLAIN, "RATE = 0.2\n", "RATE = 0.2\n\ndef other(x):\n    return x\n")
stay(ROW, "unrelated class", PLAIN, "RATE = 0.2\n", "RATE = 0.2\n\nclass Other:\n    pass\n")
stay(ROW, "unrelated global", PLAIN, "RATE = 0.2\n", "RATE = 0.2\nLIMIT = 7\n")
stay(ROW, "unrelated import", PLAIN, "RATE = 0.2\n", "import json, re\nRATE = 0.2\n")
stay(ROW, "unrelated function of a module used", OTHER, "x - 1", "x - 2", file="helpers.py")

ROW = "env var read inside the body"
stay(
    ROW, "environment inside",
    "import os\n\ndef task(x):\n    return os.environ['EDIT_RATE'] * x\n", "import os", "import os",
    env=({"EDIT_RATE": "1"}, {"EDIT_RATE": "2"}),
)

ROW = "argument, return, local annotated"
stay(ROW, "argument annotated", PLAIN, "def task(x, k=3)", "def task(x: float, k: int = 3)")
stay(ROW, "return annotated", PLAIN, "def task(x, k=3)", "def task(x, k=3) -> list")
stay(ROW, "local annotated", PLAIN, "    y = helper(x)", "    y: float = helper(x)")
stay(ROW, "helper annotated", PLAIN, "def helper(x)", "def helper(x: 'float') -> 'float'")

ROW = "task moved to another module"
stay(ROW, "task moved", PLAIN, after={"place.py": PLAIN}, load=("module:flow", "module:place"))
stay(
    ROW, "task moved into a package", PLAIN,
    after={"pack/__init__.py": "", "pack/deep.py": PLAIN}, load=("module:flow", "module:pack.deep"),
)

LOGGED = """
    import logging

    logger = logging.getLogger(__name__)

    def task(x):
        logger.info("x is %s", x)
        return x
"""
ROW = "logger = getLogger(__name__), moved"
stay(ROW, "logger moved", LOGGED, after={"place.py": LOGGED}, load=("module:flow", "module:place"))

ROW = "__main__ or module"
stay(ROW, "main or module", PLAIN, after=PLAIN, load=("main:flow", "module:flow"))
stay(ROW, "main or module, class", CLASS, after=CLASS, load=("main:flow", "module:flow"))
ROW = "notebook cell or module"
stay(ROW, "cell or module", PLAIN, after=PLAIN, load=("cell:flow", "module:flow"))
stay(ROW, "cell or module, class", CLASS, after=CLASS, load=("cell:flow", "module:flow"))
stay(ROW, "exec without a name or module", CLASS, after=CLASS, load=("bare:flow", "module:flow"))

TASK = """
    from dualdag_stub import task as tasked

    @tasked(retries=1)
    def helper(x):
        return x + 1

    @tasked(retries=1, timeout=3)
    def task(x):
        return helper.fn(x)
"""
ROW = "option retries="
stay(ROW, "option of the task", TASK, "timeout=3", "timeout=4, num_cpus=2")
stay(ROW, "option of a task it calls", TASK, "@tasked(retries=1)\n", "@tasked(retries=5)\n")

ROW = "more that must not count"
stay(ROW, "local renamed", PLAIN, after=PLAIN.replace(" y ", " z ").replace("[y", "[z"))
stay(
    ROW, "set display in another order",
    "def task(x):\n    return x in {'alpha', 'beta', 'gamma'}\n",
    "{'alpha', 'beta', 'gamma'}", "{'gamma', 'alpha', 'beta'}",
)
stay(
    ROW, "set of functions in another order",
    "def a(): return 1\ndef b(): return 2\ndef c(): return 3\nS = {a, b, c}\ndef task(x): return len(S)\n",
    "{a, b, c}", "{c, a, b}",
)
stay(
    ROW, "set of classes in another order",
    "class A: x = 1\nclass B: x = 2\nS = frozenset([A, B, int])\ndef task(x): return len(S)\n",
    "[A, B, int]", "[int, B, A]",
)
stay(
    ROW, "version= stands for a helper's code",
    TASK.replace("retries=1)", "version=1)"), "x + 1", "x + 2",
)
stay(
    ROW, "a name the function itself binds",
    """
    client = None

    def task(x):
        global client
        if client is None:
            client = object()
        return x
    """,
    "client = None\n", "client = 7\n",
)
stay(
    ROW, "annotations of a dataclass field",
    """
    from dataclasses import dataclass

    @dataclass
    class Config:
        rate: float = 0.5

    def task(x):
        return Config().rate * x
    """,
    "rate: float", "rate: int",
)
stay(
    ROW, "cached_property filled or not",
    """
    from functools import cached_property

    class Table:
        @cached_property
        def rows(self):
            return [1, 2]

    table = Table()

    def task(x):
        return table.rows
    """,
    "table = Table()\n", "table = Table()\ntable.rows\n",
)

# ---- must change -----------------------------------------------------------------------------------

ROW = "constant, operator, f-string, 1/True/1.0"
change(ROW, "constant", PLAIN, '"text"', '"texts"')
change(ROW, "operator", PLAIN, "x * RATE", "x / RATE")
change(ROW, "comparison", "def task(x):\n    return x < 1\n", "<", "<=")
change(ROW, "f-string", "def task(x):\n    return f'{x} apples'\n", "apples", "pears")
change(ROW, "f-string format", "def task(x):\n    return f'{x:.2f}'\n", ".2f", ".3f")
change(ROW, "1 or True", "def task(x):\n    return x, 1\n", "x, 1", "x, True")
change(ROW, "1 or 1.0", "def task(x):\n    return x, 1\n", "x, 1", "x, 1.0")
change(ROW, "0.0 or -0.0", "def task(x):\n    return x, 0.0\n", "x, 0.0", "x, -0.0")
change(ROW, "tuple or list constant", "def task(x):\n    return x, (1, 2)\n", "(1, 2)", "[1, 2]")
change(ROW, "attribute's name", "def task(x):\n    return x.min()\n", "min", "max")
change(ROW, "arguments swapped", "def task(x, y):\n    return x - y\n", "x - y", "y - x")

ROW = "default, kw-only default"
change(ROW, "default", PLAIN, "k=3", "k=4")
change(ROW, "kw-only default", "def task(x, *, k=3):\n    return x * k\n", "k=3", "k=4")
change(ROW, "default removed", PLAIN, "k=3", "k")
change(ROW, "positional or kw-only", "def task(x, k):\n    return x * k\n", "x, k", "x, *, k")
change(ROW, "default of helper", "def h(x, k=[1]):\n    return k\ndef task(x):\n    return h(x)\n", "[1]", "[2]")

ROW = "nested function, comprehension in the body"
change(
    ROW, "nested function",
    "def task(x):\n    def inner(y):\n        return y + 1\n    return inner(x)\n", "y + 1", "y + 2",
)
change(ROW, "comprehension", "def task(x):\n    return [i + 1 for i in x]\n", "i + 1", "i + 2")
change(ROW, "nested class", "def task(x):\n    class A:\n        y = 1\n    return A.y\n", "y = 1", "y = 2")
change(ROW, "nested default", "def task(x):\n    return (lambda y=1: y)()\n", "y=1", "y=2")

ROW = "try range, exception class, match pattern"
change(
    ROW, "try range",
    "def task(x):\n    try:\n        a = x()\n    except ValueError:\n        a = 1\n    b = x()\n    return a, b\n",
    after="def task(x):\n    try:\n        a = x()\n        b = x()\n    except ValueError:\n"
    "        a = b = 1\n    return a, b\n",
)
change(
    ROW, "exception class",
    "def task(x):\n    try:\n        return x()\n    except ValueError:\n        return 1\n",
    "ValueError", "KeyError",
)
MATCH = "def task(x):\n    match x:\n        case {'a': [1, y]}:\n            return y\n"
change(ROW, "match pattern", MATCH, "[1, y]", "[2, y]")

ROW = "keyword's name in a call"
change(ROW, "keyword's name", "def task(x):\n    return x(alpha=1)\n", "alpha", "beta")

ROW = "default that is a function"
change(ROW, "function as default", "def h(x): return 1\ndef task(x, by=h):\n    return by(x)\n", "return 1", "return 2")

ROW = "helper same or other module, mod.f, star"
change(ROW, "helper, same module", PLAIN, "deeper(x) + 1", "deeper(x) + 2")
change(ROW, "helper, mod.f", OTHER, ") * 2", ") * 3", file="helpers.py")
FROM = {
    "flow.py": "from helpers import first\n\ndef task(x):\n    return first(x)\n",
    "helpers.py": OTHER["helpers.py"],
}
change(ROW, "helper, from", FROM, ") * 2", ") * 3", file="helpers.py")
change(ROW, "helper, star", FROM | {"flow.py": FROM["flow.py"].replace("first\n\n", "*\n\n")},
       ") * 2", ") * 3", file="helpers.py")  # fmt: skip
change(
    ROW, "helper, import as",
    FROM | {"flow.py": "import helpers as h\n\ndef task(x):\n    return h.first(x)\n"},
    ") * 2", ") * 3", file="helpers.py",
)

ROW = "helper two calls deep"
change(ROW, "two deep", PLAIN, "x * RATE", "x * RATE * 2")
change(ROW, "two deep, other module", OTHER, "x + 1", "x + 2", file="helpers.py")
change(
    ROW, "three modules deep",
    {
        "flow.py": "import a\n\ndef task(x):\n    return a.f(x)\n",
        "a.py": "from b import g\n\ndef f(x):\n    return g(x)\n",
        "b.py": "import c\n\ndef g(x):\n    return c.h(x)\n",
        "c.py": "def h(x):\n    return x + 1\n",
    },
    "x + 1", "x + 2", file="c.py",
)

ROW = "other helper under the same name"
change(
    ROW, "other helper, same name",
    {
        "flow.py": "from helpers import first as use\n\ndef task(x):\n    return use(x)\n",
        "helpers.py": OTHER["helpers.py"],
    },
    "import first", "import second",
)
change(
    ROW, "helper's own name",
    "def total(x): return sum(x)\nby = total\ndef task(df):\n    return df.agg([by])\n",
    after="def amount(x): return sum(x)\nby = amount\ndef task(df):\n    return df.agg([by])\n",
)

ROW = "method, base method, property, static/classmethod"
METHODS = """
    class Base:
        def shared(self):
            return 1

    class Model(Base):
        def own(self):
            return 2

        @property
        def rate(self):
            return 3

        @staticmethod
        def fixed():
            return 4

        @classmethod
        def made(cls):
            return 5

    def task(x):
        m = Model()
        return m.own(), m.shared(), m.rate, m.fixed(), m.made()
"""
for number, name in enumerate(("base method", "method", "property", "staticmethod", "classmethod"), 1):
    change(ROW, name, METHODS, f"return {number}", f"return {number}0")
change(
    ROW, "setter",
    """
    class A:
        @property
        def x(self): return self._x
        @x.setter
        def x(self, v): self._x = v

    def task(v):
        a = A(); a.x = v; return a.x
    """,
    "self._x = v", "self._x = v + 1",
)
change(ROW, "super()", METHODS.replace("return 2", "return super().shared()"), "return 1", "return 9")
change(ROW, "base swapped", METHODS, "class Model(Base)", "class Model(dict, Base)")
change(
    ROW, "metaclass",
    "class Meta(type):\n    def __call__(cls): return 1\nclass A(metaclass=Meta): pass\ndef task(x): return A()\n",
    "return 1", "return 2",
)

ROW = "class attribute"
change(ROW, "class attribute", CLASS, '"linear"', '"ridge"')

ROW = "closure value"
change(
    ROW, "closure value",
    "def make(rate):\n    def inner(x):\n        return x * rate\n    return inner\n\ntask = make(2)\n",
    "make(2)", "make(3)",
)
change(
    ROW, "closure holding a function",
    "def a(x): return 1\ndef b(x): return 2\ndef make(by):\n    return lambda x: by(x)\n\ntask = make(a)\n",
    "make(a)", "make(b)",
)

ROW = "global constant"
change(ROW, "global constant", PLAIN, "RATE = 0.2", "RATE = 0.3")
change(ROW, "global constant's type", PLAIN, "RATE = 0.2", "RATE = '0.2'")
change(ROW, "constant of another module", {
    "flow.py": "import settings\n\ndef task(x):\n    return x * settings.RATE\n",
    "settings.py": "RATE = 1\nOTHER = 1\n",
}, "RATE = 1", "RATE = 2", file="settings.py")  # fmt: skip

ROW = "global dict, nested item"
change(ROW, "dict item", "T = {'a': 1}\ndef task(x): return T[x]\n", "'a': 1", "'a': 2")
change(ROW, "nested item", "T = {'a': [{'b': (1, 2)}]}\ndef task(x): return T[x]\n", "(1, 2)", "(1, 3)")
change(ROW, "order of a dict", "T = {'a': 1, 'b': 2}\ndef task(x): return T\n", "'a': 1, 'b': 2", "'b': 2, 'a': 1")

ROW = "global set/regex/path/tz/Decimal/array/dtype"
for name, header, one, two in (
    ("set", "", "{'a', 'b'}", "{'a', 'c'}"),
    ("regex", "import re", "re.compile('a+')", "re.compile('a*')"),
    ("regex flags", "import re", "re.compile('a')", "re.compile('a', re.I)"),
    ("path", "from pathlib import Path", "Path('a')", "Path('b')"),
    ("tz", "from zoneinfo import ZoneInfo", "ZoneInfo('Europe/Berlin')", "ZoneInfo('Europe/Paris')"),
    ("timezone", "import datetime as d", "d.timezone.utc", "d.timezone(d.timedelta(hours=1))"),
    ("Decimal", "from decimal import Decimal", "Decimal('1.0')", "Decimal('1.00')"),
    ("array", "import numpy as np", "np.array([1, 2])", "np.array([1, 3])"),
    ("array's dtype", "import numpy as np", "np.array([1], 'i4')", "np.array([1], 'i8')"),
    ("dtype", "import numpy as np", "np.dtype('i4')", "np.dtype('i8')"),
    ("frame", "import pandas as pd", "pd.DataFrame({'a': [1]})", "pd.DataFrame({'b': [1]})"),
):
    change(ROW, name, f"{header}\nVALUE = {one}\ndef task(x): return VALUE\n", one, two)

ROW = "lambda; one of two on a line"
change(ROW, "lambda", "task = lambda x: x + 1\n", "x + 1", "x + 2")
change(ROW, "first of two", "task, other = lambda x: x + 1, lambda x: x - 1\n", "x + 1", "x + 2")
change(ROW, "lambda as helper", "by = lambda x: x + 1\ndef task(x): return by(x)\n", "x + 1", "x + 2")
stay(ROW, "the other of two", "task, other = lambda x: x + 1, lambda x: x - 1\n", "x - 1", "x - 2")

ROW = "partial: argument or function"
PARTIAL = """
    from functools import partial

    def power(x, n):
        return x ** n

    square = partial(power, n=2)

    def task(x):
        return square(x)
"""
change(ROW, "partial's argument", PARTIAL, "n=2", "n=3")
change(ROW, "partial's function", PARTIAL, "x ** n", "x * n")
change(ROW, "task is a partial", PARTIAL.replace("task", "other") + "\n    task = partial(power, 2)\n",
       "partial(power, 2)", "partial(power, 3)")  # fmt: skip

ROW = "builtin swapped, shadowed; C function; ufunc"
change(ROW, "builtin swapped", "by = min\ndef task(x): return by(x)\n", "min", "max")
change(ROW, "builtin shadowed", "def task(x): return len(x)\n", "def task", "def len(x): return 1\ndef task")
change(ROW, "C function", "from math import sin as f\ndef task(x): return f(x)\n", "sin", "cos")
change(ROW, "ufunc", "from numpy import sin as f\ndef task(x): return f(x)\n", "sin", "cos")
change(ROW, "bound builtin", "f = 'a'.join\ndef task(x): return f(x)\n", "'a'", "'b'")
change(ROW, "method of a type", "f = str.upper\ndef task(x): return f(x)\n", "upper", "lower")
change(ROW, "task is a builtin", "task = min\n", "min", "max")
change(ROW, "installed function", "from os.path import join as f\ndef task(x): return f(x)\n", "join", "commonpath")

ROW = "generator or comprehension helper"
change(ROW, "generator helper", "def g(x):\n    for i in x: yield i\ndef task(x): return list(g(x))\n", "yield i", "yield i, i")
change(ROW, "helper in a comprehension", "def g(i): return i + 1\ndef task(x): return [g(i) for i in x]\n", "i + 1", "i + 2")

ROW = "global used in nested lambda"
change(ROW, "global in nested lambda", "K = 1\ndef task(x): return sorted(x, key=lambda i: i * K)\n", "K = 1", "K = 2")

ROW = "recursion, mutual recursion"
change(ROW, "recursion", "def task(x):\n    return task(x - 1) if x > 0 else 1\n", "else 1", "else 2")
MUTUAL = "def odd(x): return x and even(x - 1)\ndef even(x): return not x or odd(x - 1)\ndef task(x): return even(x)\n"
change(ROW, "mutual recursion", MUTUAL, "return x and", "return x or")
change(ROW, "class and method", """
    class Tree:
        def grow(self): return Tree(), leaf()

    def leaf(): return Tree, 1

    def task(x): return Tree().grow()
""", "Tree, 1", "Tree, 2")  # fmt: skip

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
change(ROW, "table of functions", "def g(x): return 1\nT = {'g': g}\ndef task(x): return T[x](x)\n", "return 1", "return 2")
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
       "task = Scaler(2)", "task = Scaler(4)")  # fmt: skip
change(ROW, "task is an instance", INSTANCE.replace("def task", "def other") + "\n    task = Scaler(2)\n",
       "x * self.k", "x ** self.k")  # fmt: skip

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
