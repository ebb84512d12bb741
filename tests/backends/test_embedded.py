"""The backends that need no engine, held to the shipped suite."""

from __future__ import annotations

from dualdag.testing import BackendSuite


class TestSync(BackendSuite):
    backend = "sync"


class TestLocal(BackendSuite):
    backend = "local"


class TestProcesses(BackendSuite):
    backend = "processes"
    kills = True
    stops = True
