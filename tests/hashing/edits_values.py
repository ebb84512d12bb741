"""Edits of what a function reads: each must change the fingerprint."""

# fmt: off
from __future__ import annotations

from tests.hashing.edits import PLAIN, change, stay

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
}, "RATE = 1", "RATE = 2", file="settings.py")

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
       "partial(power, 2)", "partial(power, 3)")

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
change(
    ROW, "generator helper", "def g(x):\n    for i in x: yield i\ndef task(x): return list(g(x))\n",
    "yield i", "yield i, i",
)
change(
    ROW, "helper in a comprehension", "def g(i): return i + 1\ndef task(x): return [g(i) for i in x]\n",
    "i + 1", "i + 2",
)

ROW = "global used in nested lambda"
change(ROW, "global in nested lambda", "K = 1\ndef task(x): return sorted(x, key=lambda i: i * K)\n", "K = 1", "K = 2")
