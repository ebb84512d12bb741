"""Part of `StoreSuite`: crashes and faults at the steps of what is done to a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from dualdag.testing._crash_housekeeping import OPERATIONS
from dualdag.testing._crash_places import at_url
from dualdag.testing._crashes import Place, Tally, sweep

__all__ = ["CrashTests"]


class CrashTests:
    """Whoever was stopped at any step, the next process finds all that was recorded, and nothing half-written.

    Attributes
    ----------
    points : int or None
        How many crash points, and how many points with another fault, are tried of each operation; None for all.
    seed : int
        Chooses which.
    operations : collection of str
        Which are tried.
    """

    points: ClassVar[int | None] = 1
    seed: ClassVar[int] = 0
    operations: ClassVar[frozenset[str]] = frozenset(OPERATIONS)
    #: What was tried by all tests of this process, for a table.
    tallies: ClassVar[list[Tally]] = []

    @pytest.fixture
    def places(self, url: str) -> Callable[[Path], Place]:
        """Return what makes empty places, by default below `url`; see `dualdag.testing.Place`."""
        return at_url(url)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="those who are stopped are forks")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    @pytest.mark.timeout(0)
    @pytest.mark.parametrize("operation", list(OPERATIONS))
    def test_faults_at_the_steps_of(self, operation: str, places: Callable[[Path], Place]) -> None:
        if operation not in self.operations:
            pytest.skip("left out here")
        name = type(self).__name__.removeprefix("Test")
        found = sweep(OPERATIONS[operation], places, name=name, sample=self.points, seed=self.seed)
        CrashTests.tallies += found
        failures = [failure for tally in found for failure in tally.failures]
        assert not failures, "\n\n".join(failures)
        assert sum(tally.survived for tally in found)
