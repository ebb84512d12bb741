"""Flows: Python files, or modules, that make artifacts when they are imported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from hashlib import blake2b
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualdag.errors import ConfigError, DualdagError, GraphError, did_you_mean
from dualdag.graph import Node, Raw, collect_artifacts, compile_graph
from dualdag.graph import params as given_params

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

__all__ = ["Flow", "FlowNotFoundError", "is_flow", "load_flow"]


class FlowNotFoundError(ConfigError, FileNotFoundError):
    """There is no such flow file or module."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What a flow made.

    Parameters
    ----------
    spec : str
        As the user named it.
    path : Path
        Its file.
    module : module
        The imported module.
    artifacts : mapping of str to Node
        Its artifacts by name, in the order in which they were made.
    """

    spec: str
    path: Path
    module: ModuleType
    artifacts: Mapping[str, Node[Any]]

    def select(self, names: Iterable[str] = ()) -> dict[str, Node[Any]]:
        """Return the named artifacts, or all where none is named.

        Parameters
        ----------
        names : iterable of str
            Names of artifacts.

        Raises
        ------
        GraphError
            For a name that the flow does not make; it says the nearest.
        """
        asked = dict.fromkeys(names)
        for name in asked:
            if name not in self.artifacts:
                raise GraphError(f"{self.spec} makes no artifact {name!r}.{did_you_mean(name, self.artifacts)}")
        return {name: self.artifacts[name] for name in (asked or self.artifacts)}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a flow is: its module's name, its file, and the folder that its own imports start from."""

    name: str
    path: Path
    folder: str
    first: bool = True
    search: list[str] | None = None


class _Loader(SourceFileLoader):
    """Reads the source each time: a compiled file misses an edit of the same size within the same second."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError(path)

    def get_data(self, path: str) -> bytes:
        try:
            return super().get_data(path)
        except OSError as error:
            raise _unreadable(path, error) from None


def _unreadable(path: str, error: OSError) -> FlowNotFoundError:
    advice = " Change its rights, or those of its folder." if isinstance(error, PermissionError) else ""
    return FlowNotFoundError(f"{path} can't be read: {(error.strerror or str(error)).lower()}.{advice}")


def load_flow(spec: str, params: Mapping[str, str] | None = None) -> Flow:
    """Import a flow and return what it made.

    The folder of a file, or the current one for a module, is put on ``sys.path`` and stays there, so
    that tasks find the flow's neighbours when they run.

    Parameters
    ----------
    spec : str
        A ``.py`` file or ``package.module``.
    params : mapping of str to str, optional
        Values of `dualdag.param` as text; each is read as the type that the flow asks for.

    Returns
    -------
    Flow
        With the artifacts by name.

    Raises
    ------
    ConfigError
        When there is no such file or module, or no parameter of a given name.
    GraphError
        When it makes no artifact, or two different ones of one name.
    Exception
        Whatever the flow itself raises.
    """
    place = _find(spec)
    given = {name: Raw(text) for name, text in (params or {}).items()}
    with collect_artifacts() as made, given_params(**given):
        module = _import(place)
    return Flow(spec, place.path, module, _by_name(made, spec, module))


def _is_file(path: str) -> bool:
    return isfile(path)  # noqa: PTH113 - Path.is_file raises where there is no right to look


def is_flow(spec: str) -> bool:
    """Return whether `spec` names a flow: a ``.py`` file that need not exist, a file, or a module that does.

    A module without a dot counts only where it lies in the current folder: ``report`` may be the
    name of an artifact, and every installation has modules of such names.

    Parameters
    ----------
    spec : str
        What was typed.

    Examples
    --------
    >>> is_flow("flow.py"), is_flow("json")
    (True, False)
    """
    if spec.endswith(".py") or "/" in spec or "\\" in spec or _is_file(spec):
        return True
    if "." not in spec:
        return _is_file(f"{spec}.py")
    return _find_module(spec) is not None


def _find(spec: str) -> _Place:
    try:
        return _look_for(spec)
    except FlowNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(spec, error) from None


def _look_for(spec: str) -> _Place:
    path = Path(spec).expanduser()
    if path.is_dir():
        raise FlowNotFoundError(f"{spec} is a folder: name a flow file in it.{_near(path, 'flow.py')}")
    if path.is_file():
        if path.suffix != ".py":
            raise FlowNotFoundError(f"{spec} is no Python file: a flow is a .py file or package.module.")
        return _place_of_file(path.resolve())
    if spec.endswith(".py") or len(path.parts) != 1:
        raise FlowNotFoundError(f"there is no file {spec}.{_near(path.parent, path.name)}")
    found = _find_module(spec)
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        raise FlowNotFoundError(f"there is no file and no module {spec!r}.{_near(Path(), f'{spec}.py')}")
    return _Place(spec, Path(found.origin), str(Path.cwd()), search=found.submodule_search_locations)


def _near(folder: Path, name: str) -> str:
    """Return a sentence with the files that may have been meant."""
    while not folder.is_dir():
        folder = folder.parent
    files = sorted(p for p in folder.glob("*.py") if p.name not in {"__init__.py", "setup.py", "conftest.py"})
    deeper = sorted(folder.glob(f"*/{name}")) if "*" not in name and "[" not in name else []
    if deeper and name not in {p.name for p in files}:
        return f" Did you mean {' or '.join(repr(str(p)) for p in deeper[:3])}?"
    return did_you_mean(str(folder / name), [str(p) for p in files])


def _find_module(name: str) -> ModuleSpec | None:
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    _put_on_path(str(Path.cwd()), first=True)
    try:
        return find_spec(name)
    except ModuleNotFoundError as error:
        # Missing is the module itself or a package above it, not something that one of them imports.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise
    except ValueError:  # a module that was made by hand
        return None


def _place_of_file(path: Path) -> _Place:
    """Return the name to import a file under: its stem, unless that is another module's."""
    stem = path.stem.replace(".", "_")
    if _is_free(stem, path):
        return _Place(stem, path, str(path.parent))
    # Its folder goes last, or the other module of that name could not be imported any more.
    mark = blake2b(str(path).encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return _Place(f"{stem}_{mark}", path, str(path.parent), first=False)


def _is_free(stem: str, path: Path) -> bool:
    if stem in sys.modules:
        return _is_same(getattr(sys.modules[stem], "__file__", None), path)
    if stem in sys.stdlib_module_names:
        return False
    try:
        found = find_spec(stem)
    except (ImportError, ValueError):
        return True
    return found is None or found.origin is None or _is_same(found.origin, path)


def _is_same(file: str | None, path: Path) -> bool:
    return file is not None and Path(file).resolve() == path


def _put_on_path(folder: str, *, first: bool) -> None:
    if folder not in sys.path:
        sys.path.insert(0 if first else len(sys.path), folder)


def _import(place: _Place) -> ModuleType:
    _put_on_path(place.folder, first=place.first)
    loader = _Loader(place.name, str(place.path))
    spec = spec_from_file_location(place.name, place.path, loader=loader, submodule_search_locations=place.search)
    assert spec is not None  # noqa: S101 - only without a loader there is none
    module = module_from_spec(spec)
    before = sys.modules.get(place.name)
    sys.modules[place.name] = module
    try:
        loader.exec_module(module)
    except BaseException as error:
        if before is None:
            sys.modules.pop(place.name, None)
        else:
            sys.modules[place.name] = before
        _explain(error, place)
        raise
    parent, _, name = place.name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, module)
    return module


def _explain(error: BaseException, place: _Place) -> None:
    """Say where in the flow an error of ours came up, and what to type instead where it is the import."""
    if isinstance(error, DualdagError):
        line = _line_in(error, place.path)
        if line and f"{place.path}:{line}" not in str(error):
            error.add_note(f"at {place.path}:{line}")
    elif isinstance(error, SyntaxError) and error.filename is None:
        error.add_note(f"in {place.path}")
    elif isinstance(error, ImportError) and "relative import" in str(error):
        error.add_note(f"{place.path.name} is part of a package: name it as package.module, not as a file.")


def _line_in(error: BaseException, path: Path) -> int:
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _by_name(made: list[Node[object]], spec: str, module: ModuleType) -> dict[str, Node[Any]]:
    if not made:
        raise GraphError(f"{spec} makes no artifact, so there is nothing to run: {_advice(module)}")
    found: dict[str, Node[Any]] = {}
    for node in made:
        for artifact in node.extra.artifacts:
            other = found.setdefault(artifact.name, node)
            if other != node:
                compile_graph([other, node])  # says both places
    return found


def _advice(module: ModuleType) -> str:
    for name, value in vars(module).items():
        if hasattr(type(value), "__dualdag_node__") and not name.startswith("_"):
            return f"give what it should make a name, such as {name} = {name}.artifact({name!r})."
    return 'give what it should make a name, such as train(data).artifact("model").'
