"""`BackendSuite`: what every backend must do, dualdag's own and a stranger's."""

from __future__ import annotations

from dualdag.testing._suite_code import CodeTests
from dualdag.testing._suite_failures import FailureTests
from dualdag.testing._suite_keeping import KeepingTests
from dualdag.testing._suite_odd import OddTests
from dualdag.testing._suite_runs import RunTests
from dualdag.testing._suite_types import TypeTests
from dualdag.testing._suite_values import ValueTests

__all__ = ["BackendSuite"]


class BackendSuite(ValueTests, TypeTests, CodeTests, FailureTests, KeepingTests, OddTests, RunTests):
    """Tests that a backend's own suite inherits.

    Attributes
    ----------
    backend : str or object
        What ``backend=`` takes.
    kills : bool
        Whether tasks run in processes of their own, which may die.
    stops : bool
        Whether a task that takes too long is ended (a thread can't be).
    counts : bool
        Whether the backend knows what its workers have, and refuses what none of them has.
    shares : bool
        Whether tasks run beside one another in one process.
    long : bool
        Whether graphs of 100,000 nodes and values of 200 MB are run too, which takes seconds to minutes.
    workers : int
        How many workers the backend is given.

    Examples
    --------
    >>> class TestMine(BackendSuite):
    ...     backend = "mine://cluster"
    """
