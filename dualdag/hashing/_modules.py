"""Modules that are used whole, and imports inside functions."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from dualdag.hashing._bytecode import Import, Scan, scan
from dualdag.hashing._encode import RefusalError
from dualdag.hashing._installed import Origin, origin_of_module, origin_of_name

__all__ = ["MODULE_NAMES", "import_origin", "imported", "module_content", "sees_own_module"]

#: Names that every module has, which tell of places.
MODULE_NAMES = frozenset(
    {
        "__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__path__", "__cached__",
        "__builtins__", "__annotations__", "__debug__", "__annotate__", "__conditional_annotations__",
    }
)  # fmt: skip
_NOTEBOOK_NAMES = frozenset({"In", "Out", "get_ipython", "exit", "quit"})
# By id of the module's spec, which is kept: a reload makes another.
_codes: dict[int, tuple[Any, CodeType | None]] = {}


def module_content(module: ModuleType) -> tuple[bytes, list[tuple[str, Any]]]:
    """Return the digest of a module's code, and what its names stand for.

    Parameters
    ----------
    module : module
        A module of the project.

    Returns
    -------
    bytes
        ``b""`` where the code can't be had.
    list of tuple
        Names and values.  The values are what runs, even if the file was edited since.
    """
    names = vars(module)
    code = _code_of(module)
    if code is None:
        file = names.get("__file__")
        if isinstance(file, str) and file.endswith((".so", ".pyd")):
            return blake2b(Path(file).read_bytes(), digest_size=20).digest(), []
        shown = sorted(name for name in names if not name.startswith("_") and name not in _NOTEBOOK_NAMES)
        return b"", [(name, names[name]) for name in shown]
    found = scan(code)
    kept = [n for n in found.stored if n in names and n not in found.writes and n not in MODULE_NAMES]
    rows = [(name, names[name]) for name in kept]
    for one in found.imports:
        if one.names == ("*",) and import_origin(one, names) is None:
            rows += [(f"from {one.module} import *", whole) for _, whole in imported(one, names)]
    return found.digest, rows


def _code_of(module: ModuleType) -> CodeType | None:
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return None
    if id(spec) not in _codes:
        get_code = getattr(spec.loader, "get_code", None)
        try:
            code = get_code(spec.name) if get_code is not None else None
        except (ImportError, OSError, SyntaxError, ValueError):  # edited, or removed, since
            code = None
        _codes[id(spec)] = spec, code
    return _codes[id(spec)][1]


def _full_name(one: Import, names: Mapping[str, Any]) -> str | None:
    if not one.level:
        return one.module
    package = names.get("__package__")
    if not isinstance(package, str):
        package = str(names.get("__name__", ""))
        package = package if "__path__" in names else package.rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * one.level + one.module, package)
    except (ImportError, ValueError):
        return None


def import_origin(one: Import, names: Mapping[str, Any]) -> tuple[str, Origin | None] | None:
    """Return name and origin of an imported module that is installed or can't be found, else None.

    Nothing installed is imported to find out.
    """
    name = _full_name(one, names)
    if name is None:
        return one.module, None
    module = sys.modules.get(name)
    if isinstance(module, ModuleType):
        origin = origin_of_module(module)
        return None if origin is None else (name, origin)
    top = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return name, None
    if spec.origin in ("built-in", "frozen"):
        file = None
    else:
        folders = spec.submodule_search_locations
        file = spec.origin or (next(iter(folders), "") + "/" if folders else None)
    origin = origin_of_name(top, file)
    return None if origin is None else (name, origin)


def imported(one: Import, names: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Import a module of the project as a function will, and return what the import names.

    Raises
    ------
    RefusalError
        When the module's own code fails.
    """
    name = _full_name(one, names) or one.module
    try:
        module = importlib.import_module(name)
    except ImportError:
        return []
    except Exception as error:
        raise RefusalError(f"importing {name} fails ({type(error).__name__}: {error})") from error
    if one.names is None or one.names == ("*",):
        return [(name, module)]
    found = []
    for part in one.names:
        value = getattr(module, part, module)
        if value is module:
            try:
                value = importlib.import_module(f"{name}.{part}")
            except ImportError:
                continue
        found.append((f"{name}.{part}", value))
    return found


def sees_own_module(found: Scan, names: Mapping[str, Any]) -> bool:
    """Tell whether code looks up names of its own module that only running it would tell."""
    read = {variable.name: variable.chains for variable in found.names}
    if "globals" in read and "globals" not in names:
        return True
    return "__name__" in read and any(chain[:1] == ("modules",) for chain in read.get("sys", ()))
