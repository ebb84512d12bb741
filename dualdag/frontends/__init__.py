"""Front ends: what people already have, as nodes."""

from __future__ import annotations

from dualdag.frontends._flow import Flow, load_flow

__all__ = ["Flow", "load_flow"]
