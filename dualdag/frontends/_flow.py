"""Flow files: Python files that make artifacts when they are imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dualdag.errors import GraphError, did_you_mean
from dualdag.graph import Node, Raw, collect_artifacts, compile_graph, params

__all__ = ["Flow", "load_flow"]


@dataclass(frozen=True, slots=True)
class Flow:
    """What a flow file made.

    Parameters
    ----------
    spec : str
        The file or module as it was named.
    module : module
        The imported module.
    artifacts : mapping of str to Node
        By name, in the order in which they were made.
    """

    spec: str
    module: ModuleType
    artifacts: Mapping[str, Node[Any]]

    def select(self, names: tuple[str, ...] | list[str]) -> dict[str, Node[Any]]:
        """Return the named artifacts, or all of them when none is named.

        Parameters
        ----------
        names : sequence of str
            Names of artifacts.

        Raises
        ------
        GraphError
            For a name the flow does not make; it names the nearest.
        """
        for name in names:
            if name not in self.artifacts:
                raise GraphError(f"{self.spec} makes no artifact {name!r}.{did_you_mean(name, self.artifacts)}")
        return {name: self.artifacts[name] for name in (names or self.artifacts)}


def load_flow(spec: str, given: Mapping[str, str] | None = None) -> Flow:
    """Import a flow and return the artifacts that it makes.

    Parameters
    ----------
    spec : str
        A ``.py`` file or ``package.module``.
    given : mapping of str to str, optional
        Values for `dualdag.param`, as text.

    Returns
    -------
    Flow
        The module and its artifacts.

    Raises
    ------
    GraphError
        When there is no such flow, it makes no artifact, or gives one name to two different nodes.
    ConfigError
        For a parameter that the flow does not ask for, or a value that makes no sense.
    """
    with params(**{name: Raw(text) for name, text in (given or {}).items()}), collect_artifacts() as made:
        module = _import_file(Path(spec)) if _is_file(spec) else _import_module(spec)
    if not made:
        raise GraphError(
            f"{spec} makes no artifact: give the nodes that matter a name with .artifact('name'), at its top level."
        )
    compile_graph(made)
    return Flow(spec, module, {spec.name: node for node in made for spec in node.extra.artifacts})


def _is_file(spec: str) -> bool:
    return spec.endswith(".py") or "/" in spec or "\\" in spec or Path(spec).is_file()


def _import_file(path: Path) -> ModuleType:
    path = path.expanduser().absolute()
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise GraphError(f"there is no flow {path}.{did_you_mean(path.name, near)}")
    folder = str(path.parent)
    if folder not in sys.path:
        # Stays there: tasks import the modules beside the flow when they run.
        sys.path.insert(0, folder)
    name = path.stem if path.stem.isidentifier() else "flow"
    old = sys.modules.get(name)
    if old is not None and Path(getattr(old, "__file__", None) or "/").absolute() != path:
        name = f"{name}_flow"
    made = importlib.util.spec_from_file_location(name, path)
    if made is None or made.loader is None:
        raise GraphError(f"{path} is no Python file: a flow ends in .py.")
    module = importlib.util.module_from_spec(made)
    sys.modules[name] = module
    try:
        made.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    _by_value(module)
    return module


def _import_module(spec: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.util.find_spec(spec)
    except (ImportError, ValueError):
        found = None
    if found is None:
        near = sorted(p.name for p in Path.cwd().glob("*.py"))
        raise GraphError(f"there is no flow {spec!r}: name a .py file or an importable module.{did_you_mean(spec, near)}")
    sys.modules.pop(spec, None)
    module = importlib.import_module(spec)
    _by_value(module)
    return module


def _by_value(module: ModuleType) -> None:
    """Let workers get the flow's functions as they are here, without importing the flow again."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)
