"""What travels by value: code that a fresh process could not import, or would import in another state."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from dualdag.hashing import Fingerprint

__all__ = ["importable", "pickled_by_value", "project_modules"]

_registering = threading.RLock()


@contextmanager
def pickled_by_value(modules: Iterable[ModuleType]) -> Iterator[None]:
    """Let what these modules define travel whole for the length of the block."""
    import cloudpickle

    with _registering:
        before = cloudpickle.list_registry_pickle_by_value()
        added = [m for m in modules if m.__name__ not in before and m.__name__ in sys.modules]
        for module in added:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in added:
                cloudpickle.unregister_pickle_by_value(module)


def project_modules(fn: Any, taken: Fingerprint | None) -> list[ModuleType]:
    """Return the modules of the project that a function's code lies in, as far as it reaches."""
    files = {one.file for one in taken.reached if one.file} if taken is not None else set()
    own = getattr(fn, "__module__", None)
    return [
        module
        for name, module in list(sys.modules.items())
        # Of thousands of modules few are in these files: that is asked first.
        if ((file := getattr(module, "__file__", None)) in files or (taken is None and name == own))
        and file is not None
        and name != "__main__"
        and not name.startswith("dualdag.")
        and getattr(module, "__name__", None) == name
    ]


_findable: dict[tuple[str, str], bool] = {}


def importable(module: ModuleType) -> bool:
    """Return whether a fresh process with this one's ``sys.path`` would find the same file."""
    place = (module.__name__, str(getattr(module, "__file__", None)))
    if place not in _findable:
        _findable[place] = _origin(module.__name__) == place[1]
    return _findable[place]


def _origin(name: str) -> str | None:
    """Return the file of a module as ``sys.path`` tells, without importing the packages above it."""
    from importlib.machinery import PathFinder

    path, above = None, ""
    found = None
    for part in name.split("."):
        above = f"{above}.{part}" if above else part
        try:
            found = PathFinder.find_spec(above, path)
        except (ImportError, ValueError):
            return None
        if found is None:
            return None
        path = found.submodule_search_locations
    return None if found is None else found.origin
