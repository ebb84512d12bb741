"""Shipped test suites: what a backend and a store must do, and strategies for graphs.

Needs pytest and hypothesis (``pip install "dualdag[test]"``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualdag.testing._backend_suite import BackendSuite
    from dualdag.testing._store_suite import StoreSuite

__all__ = ["BackendSuite", "StoreSuite"]

_HOMES = {"BackendSuite": "_backend_suite", "StoreSuite": "_store_suite"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"dualdag.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
