"""Front ends: what makes nodes out of something else than calls of tasks; here, flows."""

from __future__ import annotations

from dualdag.frontends._flow import Flow, is_flow, load_flow

__all__ = ["Flow", "is_flow", "load_flow"]
