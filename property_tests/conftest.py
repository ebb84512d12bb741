"""Profiles: ``--hypothesis-profile=ci`` draws the same examples every time, ``full`` draws many more."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A deadline flakes on a busy machine, and so does the check that data is drawn quickly.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None, print_blob=True)
settings.register_profile("full", settings.get_profile("dev"), max_examples=5_000)
settings.load_profile("dev")
