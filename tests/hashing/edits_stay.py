"""Edits that must leave the fingerprint as it is."""

# fmt: off
from __future__ import annotations

from tests.hashing.edits import CLASS, OTHER, PLAIN, TASK, stay

ROW = "comment; blank lines; reformatting; quotes; docstring of the task"
stay(ROW, "comment", PLAIN, "    y = helper(x)", "    # why\n    y = helper(x)  # what")
stay(ROW, "blank lines", PLAIN, "    y = helper(x)\n", "\n\n    y = helper(x)\n\n")
stay(ROW, "reformatted call", PLAIN, '[y, k, "text"]', '[\n        y,\n        k,\n        "text",\n    ]')
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
stay(ROW, "docstring of class", CLASS, '    kind = "linear"', '    "Doc."\n    kind = "linear"')
stay(ROW, "docstring of method", CLASS, "        return x\n", '        "Doc."\n        return x\n')

ROW = "comment in a helper, any depth"
stay(ROW, "comment in helper", PLAIN, "    return deeper(x) + 1", "    # note\n    return deeper(x) + 1")
stay(ROW, "comment two deep", PLAIN, "    return x * RATE", "    # note\n\n    return x * RATE")
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
