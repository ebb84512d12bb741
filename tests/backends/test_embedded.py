"""The backends that need no engine, held to the shipped suite."""

from __future__ import annotations

from dualdag.testing import BackendSuite


class TestSync(BackendSuite):
    backend = "sync"
    long = True


class TestLocal(BackendSuite):
    backend = "local"
    long = True


class TestProcesses(BackendSuite):
    backend = "processes"
    long = True
    kills = True
    stops = True
