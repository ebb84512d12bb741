"""Hypothesis strategies for graphs of tasks, and what such a graph must give, worked out without dualdag."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from hypothesis import strategies as st

from dualdag.graph import Node, file, files, task, value

__all__ = ["CADENCES", "Recipe", "Ref", "Step", "build", "evaluate", "recipes", "write_files"]

#: Cadences that the strategy draws from.
CADENCES = (None, "1h", "1d", "0 6 * * *", "*/30 * * * *", "manual", "frozen")

_FAILURES: dict[str, type[Exception]] = {"value": ValueError, "key": KeyError, "permission": PermissionError}
_LITERALS = (None, True, 0, 1, 2.5, "a", b"b", (1, "c"))


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands for an earlier step among arguments; with `item`, for one of its outputs."""

    step: int
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A row of a recipe.

    Parameters
    ----------
    kind : {"call", "file", "files", "value"}
        A call, or one of the three kinds of input.
    args : tuple
        Arguments, nested, with `Ref` where an earlier step stands; a file's name, a pattern, a literal.
    kwargs : tuple of (str, object)
        Keyword arguments, as `args`.
    code : int
        Stands for the function's code: an edit is another number.
    spread : int
        How many different results there are; few make different inputs give equal bytes.
    nout : int
        How many values a result unpacks into.
    after : tuple of int
        Steps to run after.
    artifact : str or None
        Name of the artifact that it is.
    cadence : str or None
        Its cadence.
    name : str or None
        Given by ``.named``.
    options : tuple of (str, object)
        Given by ``.options``.
    fails : str
        Name of the exception that the function raises; empty where it works.
    """

    kind: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()
    code: int = 0
    spread: int = 1 << 30
    nout: int = 1
    after: tuple[int, ...] = ()
    artifact: str | None = None
    cadence: str | None = None
    name: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    fails: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps, each of which may use earlier ones, and the steps that are asked for."""

    steps: tuple[Step, ...]
    targets: tuple[int, ...]

    def edited(self, step: int, **changes: Any) -> Recipe:
        """Return the recipe with something else about one step."""
        steps = list(self.steps)
        steps[step] = replace(steps[step], **changes)
        return replace(self, steps=tuple(steps))


def result(code: int, spread: int, nout: int, *args: Any, **kwargs: Any) -> Any:
    """Do a step's work: a number that follows code and arguments; files are read."""
    shown = repr((code, _read_in(args), sorted(_read_in(kwargs).items())))
    number = zlib.crc32(shown.encode())
    if nout == 1:
        return number % spread
    return tuple((number + k) % spread for k in range(nout))


def refuse(name: str, code: int, *_: Any, **__: Any) -> NoReturn:
    """Do the work of a step that fails."""
    error = _FAILURES[name](code, "refused")
    error.add_note(f"a note of code {code}")
    raise error


def read(path: str) -> str:
    """Return the content of a file of a recipe."""
    return Path(path).read_text(encoding="utf-8")


def _read_in(obj: Any) -> Any:
    if isinstance(obj, (list, tuple)):
        return type(obj)(_read_in(item) for item in obj)
    if isinstance(obj, dict):
        return {key: _read_in(item) for key, item in obj.items()}
    # Only inputs are absolute paths: no literal of a recipe starts like one.
    if isinstance(obj, str) and ("://" in obj or Path(obj).is_absolute()):
        return "read", read(obj)
    return obj


def build(recipe: Recipe, folder: str) -> list[Node[Any]]:
    """Return the nodes of a recipe's targets.

    Parameters
    ----------
    recipe : Recipe
        The steps.
    folder : str
        Where its files are.

    Returns
    -------
    list of Node
        In the order of the targets; `evaluate` tells what each must give.

    Examples
    --------
    >>> recipe = Recipe((Step("value", (2,)), Step("call", (Ref(0),))), targets=(1,))
    >>> nodes = build(recipe, ".")
    >>> [node.compute(store="memory://docs-build") for node in nodes] == evaluate(recipe, ".")
    True
    """
    nodes: list[Node[Any]] = []

    def fill(obj: Any) -> Any:
        if isinstance(obj, Ref):
            return nodes[obj.step] if obj.item is None else nodes[obj.step][obj.item]
        return _map_refs(obj, fill)

    for step in recipe.steps:
        nodes.append(_decorated(step, _made(step, folder, fill), nodes))
    return [nodes[i] for i in recipe.targets]


def _made(step: Step, folder: str, fill: Any) -> Node[Any]:
    if step.kind == "file":
        return file(f"{folder}/{step.args[0]}")
    if step.kind == "files":
        return files(f"{folder}/{step.args[0]}")
    if step.kind == "value":
        return value(step.args[0])
    work: Any = (
        partial(refuse, step.fails, step.code) if step.fails else partial(result, step.code, step.spread, step.nout)
    )
    made = task(work, version=(step.fails, step.code, step.spread), nout=step.nout)
    node: Node[Any] = made(*map(fill, step.args), **{name: fill(arg) for name, arg in step.kwargs})
    return node


def _decorated(step: Step, node: Node[Any], nodes: list[Node[Any]]) -> Node[Any]:
    if step.after:
        node = node.after(*(nodes[i] for i in step.after))
    if step.name is not None:
        node = node.named(step.name)
    if step.options:
        node = node.options(**dict(step.options))
    return node if step.artifact is None else node.artifact(step.artifact, step.cadence)


def _map_refs(obj: Any, fill: Any) -> Any:
    if isinstance(obj, (list, tuple)):
        return type(obj)(fill(item) for item in obj)
    if isinstance(obj, dict):
        return {key: fill(item) for key, item in obj.items()}
    return obj


def evaluate(recipe: Recipe, folder: str) -> list[Any]:
    """Return what the targets must give, by plain calls.

    Parameters
    ----------
    recipe : Recipe
        The steps.
    folder : str
        Where its files are.

    Returns
    -------
    list
        A value for each target.

    Examples
    --------
    >>> evaluate(Recipe((Step("value", (2,)),), targets=(0,)), ".")
    [2]
    """
    values: list[Any] = []

    def fill(obj: Any) -> Any:
        if isinstance(obj, Ref):
            return values[obj.step] if obj.item is None else values[obj.step][obj.item]
        return _map_refs(obj, fill)

    for step in recipe.steps:
        if step.kind == "file":
            values.append(str(Path(folder, step.args[0])))
        elif step.kind == "files":
            values.append(sorted(map(str, Path(folder).glob(step.args[0]))))
        elif step.kind == "value":
            values.append(step.args[0])
        else:
            named = {name: fill(arg) for name, arg in step.kwargs}
            if step.fails:
                refuse(step.fails, step.code)
            values.append(result(step.code, step.spread, step.nout, *map(fill, step.args), **named))
    return [values[i] for i in recipe.targets]


def write_files(folder: str, contents: Mapping[str, str]) -> None:
    """Write the files of a recipe.

    Parameters
    ----------
    folder : str
        Where they go.
    contents : mapping of str to str
        Text by name.
    """
    for name, text in contents.items():
        Path(folder, name).write_text(text, encoding="utf-8")


@st.composite
def recipes(
    draw: st.DrawFn,
    *,
    max_steps: int = 8,
    names: Iterable[str] = ("f0.txt", "f1.txt", "f2.txt"),
    cadences: Iterable[str | None] = CADENCES,
    artifacts: bool = True,
    failures: bool = False,
) -> Recipe:
    """Draw a recipe: nested containers, several outputs, order, files, lists of files, literals, artifacts.

    Parameters
    ----------
    draw : callable
        Given by hypothesis.
    max_steps : int
        How many steps at the most, inputs included.
    names : iterable of str
        Names of files that exist in the folder.
    cadences : iterable of str or None
        What artifacts' cadences are drawn from.
    artifacts : bool
        Whether steps are named and made artifacts.
    failures : bool
        Whether some steps fail; what `evaluate` raises then is the first that it meets.

    Returns
    -------
    Recipe
        For `build` and `evaluate`; any target is a step of it.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(recipes(max_steps=4))
    ... def test_every_target_is_built(recipe):
    ...     assert len(build(recipe, ".")) == len(recipe.targets)
    """
    files_there, chosen = tuple(names), tuple(cadences)
    steps: list[Step] = []
    for k in range(draw(st.integers(1, max_steps))):
        kind = draw(st.sampled_from(("call", "call", "call", "call", "file", "files", "value")))
        if k == 0 and kind != "value":
            kind = "file"
        if kind == "call":
            call = _draw_call(draw, steps, chosen if artifacts else None)
            fails = failures and draw(st.integers(0, 4)) == 0
            steps.append(replace(call, fails=draw(st.sampled_from(sorted(_FAILURES)))) if fails else call)
        elif kind == "file":
            steps.append(Step("file", (draw(st.sampled_from(files_there)),)))
        elif kind == "files":
            steps.append(Step("files", ("*.txt",)))
        else:
            steps.append(Step("value", (draw(st.sampled_from(_LITERALS)),)))
    last = len(steps) - 1
    targets = draw(st.lists(st.integers(0, last), max_size=2, unique=True))
    return Recipe(tuple(steps), tuple(dict.fromkeys((*targets, last))))


def _draw_call(draw: st.DrawFn, steps: list[Step], cadences: tuple[str | None, ...] | None) -> Step:
    def ref(k: int) -> st.SearchStrategy[Ref]:
        count = steps[k].nout
        whole = st.just(Ref(k))
        return whole if count == 1 else st.one_of(whole, st.integers(0, count - 1).map(lambda i: Ref(k, i)))

    refs = st.integers(0, len(steps) - 1).flatmap(ref)
    leaf = st.one_of(refs, refs, st.sampled_from(_LITERALS))
    nested = st.one_of(leaf, leaf, st.lists(leaf, max_size=3), st.dictionaries(st.sampled_from("xy"), leaf, max_size=2))
    step = Step(
        "call",
        (draw(refs), *draw(st.lists(nested, max_size=2))),
        tuple(draw(st.dictionaries(st.sampled_from(("p", "q")), nested, max_size=1)).items()),
        code=draw(st.integers(0, 3)),
        spread=draw(st.sampled_from((2, 1 << 30))),
        nout=draw(st.sampled_from((1, 1, 1, 3))),
        after=draw(st.one_of(st.just(()), st.integers(0, len(steps) - 1).map(lambda i: (i,)))),
        options=draw(st.sampled_from(((), (), (("persist", True),)))),
    )
    if cadences is None or not draw(st.booleans()):
        return step
    label = f"n{len(steps)}"
    if draw(st.booleans()):
        return replace(step, name=label)
    return replace(step, artifact=label, cadence=draw(st.sampled_from(cadences)))
