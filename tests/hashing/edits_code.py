"""Edits of what a function, its helpers and classes do: each must change the fingerprint."""

# fmt: off
from __future__ import annotations

from tests.hashing.edits import CLASS, OTHER, PLAIN, change

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
       ") * 2", ") * 3", file="helpers.py")
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
