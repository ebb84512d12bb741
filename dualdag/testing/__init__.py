"""Shipped suites: hold a backend, or a store, of your own to what dualdag's are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualdag.testing._backend_suite import BackendSuite
    from dualdag.testing._crashes import Operation, Place, Tally, sweep, table
    from dualdag.testing._faults import FaultFS
    from dualdag.testing._store_suite import StoreSuite
    from dualdag.testing._strategies import build, evaluate, recipes

__all__ = ["BackendSuite", "FaultFS", "Operation", "Place", "StoreSuite", "Tally", "build", "evaluate", "recipes",
           "sweep", "table"]  # fmt: skip

# Loaded at first use: pytest and hypothesis are needed only by who uses them.
_HOMES = {
    "BackendSuite": "_backend_suite",
    "FaultFS": "_faults",
    "Operation": "_crashes",
    "Place": "_crashes",
    "StoreSuite": "_store_suite",
    "Tally": "_crashes",
    "build": "_strategies",
    "evaluate": "_strategies",
    "recipes": "_strategies",
    "sweep": "_crashes",
    "table": "_crashes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dualdag.testing' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"dualdag.testing.{_HOMES[name]}"), name)
