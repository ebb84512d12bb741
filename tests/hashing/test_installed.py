"""Installed code counts by name and version, the project's by what it does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dualdag.hashing import fingerprint
from tests.hashing.programs import child, load


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("flow", None)


_INSTALLED = """
    import sys
    from pathlib import Path
    from dualdag.hashing import fingerprint
    Path("flow.py").write_text(
        "import toolbox\\nfrom toolbox import wrap\\n"
        "def task(x): return toolbox.use(x)\\n@wrap\\ndef wrapped(x): return x + 1\\n")
    sys.path.insert(0, "")
    import flow
    found = [fingerprint(flow.task), fingerprint(flow.wrapped)]
    print(found[0].digest.hex(), found[1].digest.hex(),
          [(r.name, r.detail) for r in found[0].reached if r.kind == "distribution"])
"""


def install(folder: Path, version: str, body: str, commit: str = "") -> Path:
    site = folder / "site-packages"
    (site / "toolbox").mkdir(parents=True, exist_ok=True)
    (site / "toolbox" / "__init__.py").write_text(
        f"def use(x): return {body}\ndef wrap(fn):\n    def inner(x): return fn(x), {body}\n    return inner\n"
    )
    info = site / f"tool_box-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tool-box\nVersion: {version}\n")
    (info / "top_level.txt").write_text("toolbox\n")
    if commit:
        (info / "direct_url.json").write_text(json.dumps({"url": str(folder), "vcs_info": {"commit_id": commit}}))
    return site


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (("1.0", "x"), ("1.0", "x + 1"), True),
        (("1.0", "x"), ("1.1", "x"), False),
        (("1.0", "x", "abc"), ("1.0", "x", "def"), True),
        (("1.0.dev1", "x", "abc"), ("1.0.dev1", "x", "def"), False),
        (("1.0+local", "x", "abc"), ("1.0+local", "x", "abc"), True),
    ],
)
def test_installed_code_counts_by_name_and_version(tmp_path: Path, one: Any, two: Any, same: bool) -> None:
    found = []
    for name, what in (("one", one), ("two", two)):
        folder = tmp_path / name
        site = install(folder, *what)
        found.append(child(_INSTALLED, folder, path=str(site)).split(" ", 2))
    assert (found[0][0] == found[1][0]) is same
    assert (found[0][1] == found[1][1]) is same
    assert found[0][2] == f"[('tool-box', '{one[0]}')]"


def test_code_beside_the_project_is_walked_whatever_its_name(tmp_path: Path) -> None:
    # As an editable install is: outside of what installers fill.
    found = []
    for body in ("x", "x + 1"):
        folder = tmp_path / str(len(found))
        site = install(folder, "1.0", body)
        (folder / "src").mkdir()
        (site / "toolbox").rename(folder / "src" / "toolbox")
        found.append(child(_INSTALLED, folder, path=f"{folder / 'src'}{os.pathsep}{site}").split(" ", 2))
    assert found[0][0] != found[1][0]


def test_function_under_an_installed_decorator_counts(tmp_path: Path) -> None:
    site = install(tmp_path, "1.0", "x")
    before = child(_INSTALLED, tmp_path, path=str(site)).split(" ")[1]
    after = child(_INSTALLED.replace("x + 1", "x + 2"), tmp_path, path=str(site)).split(" ")[1]
    assert before != after


def test_dualdag_itself_is_installed_even_as_a_checkout(tmp_path: Path) -> None:
    text = "import dualdag as dag\nfrom dualdag.hashing import encode\ndef task(x): return encode(dag)\n"
    module = load(tmp_path, text)
    found = fingerprint(module.task)
    assert [one.name for one in found.reached if one.kind == "distribution"] == ["dualdag"]
    assert [one.name for one in found.reached if one.kind == "function"] == ["task"]


def test_loading_hashing_loads_no_data_library(tmp_path: Path) -> None:
    program = """
        import sys
        import dualdag.hashing as h
        h.fingerprint(lambda x: len(x))
        h.encode({1: [2.5, "a"]})
        heavy = {"pandas", "numpy", "pyarrow", "polars", "fsspec", "blake3", "importlib.metadata"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert child(program, tmp_path) == "[]"


def test_objects_of_class_makers_have_stable_fingerprints(tmp_path: Path) -> None:
    program = """
        import attrs, pydantic, numpy as np, sys
        from typing import Generic, Literal, Protocol, TypeVar
        from dataclasses import dataclass
        from functools import singledispatch, total_ordering
        from dualdag.hashing import fingerprint
        RATE = int(sys.argv[1]) if len(sys.argv) > 1 else 1
        T = TypeVar("T")
        def helper(x): return x
        class Model(pydantic.BaseModel):
            x: int = 1
            y: list[str] = pydantic.Field(default_factory=list, max_length=3)
            kind: Literal["a"] = "a"
            @pydantic.field_validator("x")
            @classmethod
            def check(cls, v): return helper(v)
        @attrs.define
        class Row:
            a: int = attrs.field(default=1, validator=attrs.validators.instance_of(int), converter=helper)
        @total_ordering
        @dataclass(slots=True, frozen=True)
        class Box(Generic[T]):
            item: T
            def __lt__(self, other): return True
        class Shape(Protocol):
            def area(self) -> float: ...
        vec = np.vectorize(helper, otypes=[float])
        def task(x): return Model(x=1), Row(), Box(1), Shape, vec(x), T
        print(fingerprint(task).digest.hex())
    """
    (tmp_path / "main.py").write_text(dedent(program))
    edits = [
        ("", ""), ("x: int = 1", "x: int = 2"), ("max_length=3", "max_length=4"), ("default=1,", "default=2,"),
        ("def helper(x): return x", "def helper(x): return x + 1"), ("return True", "return False"),
        ("return helper(v)", "return v"),
    ]  # fmt: skip
    found = []
    for old, new in edits:
        text = dedent(program).replace(old, new) if old else dedent(program)
        made = {
            child(f"exec(compile({text!r}, 'm.py', 'exec'), {{'__name__': '__main__'}})", tmp_path, PYTHONHASHSEED=seed)
            for seed in ("1", "2")
        }
        assert len(made) == 1
        found += made
    assert len(set(found)) == len(edits)


def test_two_lambdas_of_a_package_are_two() -> None:
    import contextlib

    names = vars(contextlib)
    one, two, three = (eval(text, names) for text in ("lambda x: x + 1", "lambda x: x + 2", "lambda x: x + 1"))
    assert fingerprint(one) == fingerprint(three) != fingerprint(two)
    assert fingerprint(eval("lambda x=1: x", names)) != fingerprint(eval("lambda x=2: x", names))
