"""`BackendSuite`: what every backend must do, dualdag's own and a stranger's."""

from __future__ import annotations

from dualdag.testing._suite_failures import FailureTests
from dualdag.testing._suite_keeping import KeepingTests
from dualdag.testing._suite_odd import OddTests
from dualdag.testing._suite_values import ValueTests

__all__ = ["BackendSuite"]


class BackendSuite(ValueTests, FailureTests, KeepingTests, OddTests):
    """Tests that a backend's own suite inherits.

    Attributes
    ----------
    backend : str or object
        What ``backend=`` takes.
    kills : bool
        Whether tasks run in processes of their own, which may die.
    stops : bool
        Whether a task that takes too long is ended (a thread can't be).
    long : bool
        Whether graphs of 100,000 nodes are run too, which takes seconds to minutes.
    workers : int
        How many workers the backend is given.

    Examples
    --------
    >>> class TestMine(BackendSuite):
    ...     backend = "mine://cluster"
    """
