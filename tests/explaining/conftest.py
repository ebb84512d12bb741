"""Each test has a project of its own; modules of one are not those of the next."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def world(monkeypatch, own_place):
    from tests.explaining.world import World, forget

    monkeypatch.setattr(sys, "path", list(sys.path))
    yield World()
    forget()
