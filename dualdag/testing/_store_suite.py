"""`StoreSuite`: what every store must do, whatever it lies on."""

from __future__ import annotations

from dualdag.testing._store_suite_artifacts import ArtifactTests
from dualdag.testing._store_suite_crashes import CrashTests
from dualdag.testing._store_suite_records import RecordTests
from dualdag.testing._store_suite_verify import VerifyTests

__all__ = ["StoreSuite"]


class StoreSuite(RecordTests, ArtifactTests, CrashTests, VerifyTests):
    """Tests that hold for each store; subclass it and give it a place.

    A third party subclasses this in a test module and overrides the fixture `url`, which returns
    the URL of an empty place for each test.  `points` says at how many steps of each operation something
    fails: one for crashes and one for other faults, unless it says more; None is for all.

    Examples
    --------
    >>> import pytest
    >>> class TestMine(StoreSuite):
    ...     @pytest.fixture
    ...     def url(self, tmp_path):
    ...         return str(tmp_path / "store")
    """
