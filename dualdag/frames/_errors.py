"""Errors of frames, raised at the line that wrote what is wrong: ours, and what pandas would raise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dualdag.errors import GraphError, did_you_mean
from dualdag.graph import caller_site

__all__ = [
    "AttributeNotFoundError",
    "ColumnNotFoundError",
    "MissingFileError",
    "WrongArgumentError",
    "missing_attribute",
    "missing_columns",
]


class ColumnNotFoundError(GraphError, KeyError):
    """A frame has no such column."""


class AttributeNotFoundError(GraphError, AttributeError):
    """A frame, series or index has no such attribute."""


class WrongArgumentError(GraphError, TypeError):
    """A method does not take these arguments."""


class MissingFileError(GraphError, FileNotFoundError):
    """A file that is to be read is not there."""


def missing_columns(missing: list[Any], known: Iterable[Any], what: str) -> ColumnNotFoundError:
    """Return the error for columns that are not there.

    Parameters
    ----------
    missing : list
        Labels that were asked for and do not exist; at least one.
    known : iterable
        Labels that exist.
    what : str
        The call, for the message.
    """
    names = [str(label) for label in known]
    if len(missing) == 1:
        told = f"column {missing[0]!r} is not there.{did_you_mean(str(missing[0]), names)}"
    else:
        told = f"columns {', '.join(repr(m) for m in missing[:5])} are not there."
        told += did_you_mean(str(missing[0]), names)
    return ColumnNotFoundError(f"{what} at {caller_site()}: {told}")


def missing_attribute(kind: str, name: str, known: Iterable[Any]) -> AttributeNotFoundError:
    """Return the error for an attribute, or a column as attribute, that is not there.

    Parameters
    ----------
    kind : str
        What was asked, such as ``"DataFrame"``.
    name : str
        The attribute.
    known : iterable
        Attributes and columns that exist.
    """
    near = did_you_mean(name, [str(one) for one in known])
    if "Did you mean" not in near:
        near = ""
    return AttributeNotFoundError(f"{kind!r} object has no attribute {name!r}, at {caller_site()}.{near}")
