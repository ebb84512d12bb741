"""Frames: the lazy face of pandas over the graph.

A chain of methods makes nodes: each step, spelt in the one canonical way, is an op of the steps
before it.  Views that stand between a frame and an answer (groups, windows, accessors) are part of
the op that answers.
"""

from __future__ import annotations

from dualdag.frames._errors import (
    AttributeNotFoundError,
    ColumnNotFoundError,
    MissingFileError,
    WrongArgumentError,
)
from dualdag.frames._lazy import from_node
from dualdag.frames._public import names, public_name
from dualdag.frames._types import DataFrame, Index, Scalar, Series, Unknown

__all__ = [
    "AttributeNotFoundError",
    "ColumnNotFoundError",
    "DataFrame",
    "Index",
    "MissingFileError",
    "Scalar",
    "Series",
    "Unknown",
    "WrongArgumentError",
    "from_node",
    "names",
    "public_name",
]
