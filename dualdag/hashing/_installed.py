"""What is installed, and in which version: such code counts by name and version, never by its text."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Mapping
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from dualdag.hashing._atoms import text

__all__ = ["Origin", "is_told_by_name", "origin_of_class", "origin_of_globals", "origin_of_module", "origin_of_name"]

_HEAP_TYPE = 1 << 9
# What class statements make, and compiled code seldom: it can be changed, and derived from.
_MADE_IN_PYTHON = _HEAP_TYPE | 1 << 10
_KIND_OF_CLASS = _MADE_IN_PYTHON | 1 << 8


class Origin(NamedTuple):
    """Where installed code comes from.

    Parameters
    ----------
    name : str
        Name of the distribution; ``""`` for the standard library.
    version : str
        Its version; ``""`` for the standard library, whose version every key holds.
    head : bytes
        Both, encoded.
    """

    name: str
    version: str
    head: bytes


_STDLIB = Origin("", "", b"x:")
# (module name, file) -> Origin, or None for code of the project.
_known: dict[tuple[Any, Any], Origin | None] = {}


def origin_of_globals(names: Mapping[str, Any]) -> Origin | None:
    """Return where a function with these globals comes from; None for code of the project.

    Parameters
    ----------
    names : mapping
        The function's ``__globals__``: unlike ``__module__``, no decorator copies them.
    """
    key = names.get("__name__"), names.get("__file__")
    try:
        return _known[key]
    except KeyError:
        pass
    except TypeError:  # something unhashable under one of the names
        return None
    name, file = key
    if file is None:
        # Code that was exec'd under a borrowed name is the project's.
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or getattr(module, "__dict__", None) is not names:
            return None
    return origin_of_name(name, file)


def is_told_by_name(fn: FunctionType) -> bool:
    """Tell whether a function of an installed package is whole as it stands there."""
    if fn.__closure__ is not None or "__wrapped__" in fn.__dict__:
        return False
    code = fn.__code__
    return code.co_name != "<lambda>" and not (fn.__defaults__ and "<locals>" in code.co_qualname)


def origin_of_class(cls: type) -> Origin | None:
    """Return where a class comes from; None for a class of the project."""
    name = getattr(cls, "__module__", None)
    if not isinstance(name, str):
        return None
    if name == "builtins":
        # A class statement exec'd without ``__name__`` says "builtins" too.
        if not cls.__flags__ & _HEAP_TYPE or vars(builtins).get(cls.__name__) is cls:
            return _STDLIB
        return None
    module = sys.modules.get(name)
    if module is None:
        return _STDLIB if not cls.__flags__ & _HEAP_TYPE and _is_stdlib_name(name) else None
    origin = origin_of_module(module)
    return None if origin is not None and _is_made_here(cls, module) else origin


def _is_made_here(cls: type, module: ModuleType) -> bool:
    """Tell whether an installed function made a class out of what it was given, as ``make_dataclass`` does.

    Such a class says that it is of that function's module, which does not have it.
    """
    names = vars(module)
    known = names.get(cls.__name__)
    if known is cls or cls.__flags__ & _KIND_OF_CLASS != _MADE_IN_PYTHON:
        return False
    if str(names.get("__file__")).endswith((".so", ".pyd")):
        return False
    outer, _, rest = cls.__qualname__.partition(".")
    known = names.get(outer)
    for step in rest.split(".") if rest else ():
        known = getattr(known, step, None)
    return known is not cls


def origin_of_module(module: ModuleType) -> Origin | None:
    """Return where a module comes from; None for a module of the project."""
    names = vars(module)
    key = names.get("__name__"), names.get("__file__")
    try:
        return _known[key]
    except KeyError:
        return origin_of_name(key[0], _file_of(module))
    except TypeError:
        return None


def origin_of_name(name: object, file: object) -> Origin | None:
    """Return where a module of this name and file comes from; None for one of the project.

    Parameters
    ----------
    name : object
        Name of the module; what is no str is of the project.
    file : object
        Its file, or folder of a package without ``__init__.py``; None for what has no file.
    """
    key = name, file
    if key not in _known:
        _known[key] = _find(name, file) if isinstance(name, str) else None
    return _known[key]


def _find(name: str, file: object) -> Origin | None:
    top = name.partition(".")[0]
    if name in ("__main__", "__mp_main__"):
        return None
    if name == "dualdag.pandas":
        # What a task gets by that name is pandas's own.
        return _joined([_ours(), *filter(None, [_distribution("pandas")])])
    if top == "dualdag" or top.startswith("dualdag_"):
        return _ours()
    if not isinstance(file, str):
        return _STDLIB if _is_stdlib_name(name) else None
    path = os.path.realpath(file)
    if path.startswith(_site_folders()):
        return _distribution(top)
    if path.startswith(_stdlib_folders()):
        return _STDLIB
    return None


def _is_stdlib_name(name: str) -> bool:
    if name in sys.builtin_module_names or name == "builtins":
        return True
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return getattr(spec, "origin", None) in ("built-in", "frozen") or (
        name.partition(".")[0] in sys.stdlib_module_names and getattr(spec, "origin", None) is None
    )


def _file_of(module: ModuleType) -> object:
    file = vars(module).get("__file__")
    if file is None:
        folders = vars(module).get("__path__")
        first = next(iter(folders), None) if folders is not None else None
        return os.path.join(first, "") if isinstance(first, str) else None  # noqa: PTH118
    return file


def _below(folders: set[str]) -> tuple[str, ...]:
    return tuple(sorted(os.path.join(os.path.realpath(f), "") for f in folders if f))  # noqa: PTH118


@cache
def _stdlib_folders() -> tuple[str, ...]:
    import sysconfig

    paths = sysconfig.get_paths()
    return _below({paths["stdlib"], paths["platstdlib"], os.path.dirname(os.__file__)})  # noqa: PTH120


@cache
def _site_folders() -> tuple[str, ...]:
    import site
    import sysconfig

    paths = sysconfig.get_paths()
    found = {paths["purelib"], paths["platlib"]}
    found.update(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        found.add(site.getusersitepackages())
    found.update(p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages"))  # noqa: PTH119
    return _below(found)


@cache
def _ours() -> Origin:
    # Also from a checkout: what a user's function calls of dualdag is dualdag, not the user's code.
    version = str(getattr(sys.modules.get("dualdag"), "__version__", ""))
    return _origin("dualdag", version, "")


def _origin(name: str, version: str, commit: str) -> Origin:
    return Origin(name, version, b"x" + text(name) + text(version) + text(commit))


@cache
def _distribution(top: str) -> Origin | None:
    from importlib import metadata

    try:
        return _from_metadata(metadata.distribution(top))
    except metadata.PackageNotFoundError:
        pass
    found = sorted(set(_names_by_package().get(top, ())))
    if found:
        return _joined([_from_metadata(metadata.distribution(name)) for name in found])
    version = getattr(sys.modules.get(top), "__version__", None)
    # A file that only lies there belongs to no distribution: its text is all that is known of it.
    return _origin(top, version, "") if isinstance(version, str) else None


def _joined(many: list[Origin]) -> Origin:
    if len(many) == 1:
        return many[0]
    names, versions = ", ".join(o.name for o in many), ", ".join(o.version for o in many)
    return Origin(names, versions, b"X%d:" % len(many) + b"".join(o.head for o in many))


def _from_metadata(found: Any) -> Origin:
    version = str(found.version)
    commit = ""
    if "+" in version or "dev" in version:
        commit = _commit(found.read_text("direct_url.json"))
    return _origin(str(found.name), version, commit)


def _commit(direct_url: str | None) -> str:
    import json

    try:
        table = json.loads(direct_url or "{}")
    except ValueError:
        return ""
    vcs, archive = table.get("vcs_info") or {}, table.get("archive_info") or {}
    return str(vcs.get("commit_id") or archive.get("hashes") or archive.get("hash") or "")


@cache
def _names_by_package() -> Mapping[str, list[str]]:
    # A fifth of a second, so only for a package that is not named as its distribution.
    from importlib import metadata

    return metadata.packages_distributions()
