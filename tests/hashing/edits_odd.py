"""Edits of rarer constructs: what is reached without being named, and what only looks like a change."""

# fmt: off
from __future__ import annotations

from tests.hashing.edits import change, stay

ROW = "names of a class body, bound or not"
for name, body in (
    ("bound on one way", "if x: k = 5"),
    ("bound and deleted", "k = 5; del k"),
    ("bound in a loop", "for i in ():\n            k = 5"),
    ("bound in a try", "try: x()\n        except ValueError: k = 5"),
):
    change(ROW, name, f"k = 1\ndef task(x):\n    class A:\n        {body}\n        j = k\n    return A.j\n", "k = 1\n", "k = 2\n")
stay(ROW, "bound in any case", "k = 1\ndef task(x):\n    class A:\n        if x: i = 5\n        k = 5\n        j = k\n"
     "    return A.j\n", "k = 1\n", "k = 2\n")

ROW = "class made by an installed function"
change(ROW, "make_dataclass", "from dataclasses import make_dataclass\nC = make_dataclass('C', [('a', int, 1)])\n"
       "def task(x): return C()\n", "int, 1", "int, 2")
change(ROW, "new_class", "from types import new_class\nC = new_class('C', (), {}, lambda ns: ns.update(a=1))\n"
       "def task(x): return C.a\n", "a=1", "a=2")

ROW = "singledispatch used before"
stay(ROW, "singledispatch used before", "from functools import singledispatch\n@singledispatch\ndef show(x): return 1\n"
     "def task(x): return show(x)\n", "def task", "show(1.0)\ndef task")

ROW = "import by a constant name"
HELPER = {"helpers.py": "def first(x): return x + 1\n"}
for name, text in (
    ("import_module", "import importlib\ndef task(x): return importlib.import_module('helpers').first(x)\n"),
    ("__import__", "def task(x): return __import__('helpers').first(x)\n"),
):
    change(ROW, name, {"flow.py": text, **HELPER}, "x + 1", "x + 2", file="helpers.py")
change(
    ROW, "import_module, relative",
    {
        "pack/__init__.py": "",
        "pack/flow.py": "import importlib\ndef task(x):\n"
        "    return importlib.import_module('.helpers', __package__).first(x)\n",
        "pack/helpers.py": HELPER["helpers.py"],
    },
    "x + 1", "x + 2", file="pack/helpers.py", load=("module:pack.flow", "module:pack.flow"),
)
change(ROW, "dict of a module", {"flow.py": "import helpers\ndef task(x): return helpers.__dict__['first'](x)\n", **HELPER},
       "x + 1", "x + 2", file="helpers.py")

ROW = "classes known to a class"
change(ROW, "registered with an ABC", "import abc\nclass A(abc.ABC): pass\nclass B: pass\n"
       "def task(x): return isinstance(B(), A)\n", "class B: pass\n", "class B: pass\nA.register(B)\n")
change(ROW, "__subclasses__ by name", "class A: pass\nclass B(A):\n    def go(self): return 1\n"
       "def task(x): return [b().go() for b in A.__subclasses__()]\n", "return 1", "return 2")
change(ROW, "__subclasses__ in a method", "class A:\n    @classmethod\n    def all(cls): return cls.__subclasses__()\n"
       "class B(A):\n    def go(self): return 1\nclass C(B): pass\ndef task(x): return A.all()\n", "return 1", "return 2")
change(ROW, "__subclasses__, one more", "class A:\n    @classmethod\n    def all(cls): return cls.__subclasses__()\n"
       "class B(A): pass\ndef task(x): return A.all()\n", "class B(A): pass\n", "class B(A): pass\nclass C(B): pass\n")
