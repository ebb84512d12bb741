"""Columns that a call names must be there: checked where the schema tells."""

from __future__ import annotations

from typing import Any

from dualdag.errors import GraphError
from dualdag.frames._errors import missing_columns
from dualdag.frames._ops import Handle
from dualdag.frames._steps import Step
from dualdag.graph import caller_site

__all__ = ["check_columns", "check_labels", "check_new_column", "check_new_labels"]

# Which arguments name columns; index levels may be named in their place where pandas allows it.
_NAMED = {
    "sort_values": ("by",),
    "groupby": ("by",),
    "set_index": ("keys",),
    "drop": ("columns",),
    "drop_duplicates": ("subset",),
    "duplicated": ("subset",),
    "dropna": ("subset",),
    "explode": ("column",),
    "nlargest": ("columns",),
    "nsmallest": ("columns",),
    "melt": ("id_vars", "value_vars"),
    "pivot": ("columns", "index", "values"),
    "pivot_table": ("values", "index", "columns"),
    "value_counts": ("subset",),
    "merge": ("on", "left_on"),
    "join": ("on",),
    "resample": ("on",),
}
_LEVELS_TOO = frozenset({"sort_values", "groupby", "merge", "pivot_table", "join"})


def check_columns(source: Handle, steps: tuple[Step, ...]) -> None:
    """Raise for the first column that the last step names and the schema says is not there.

    Parameters
    ----------
    source : Handle
        What the steps start from.
    steps : tuple of Step
        What is done; of views, with how they are made.
    """
    name, _, kwargs = steps[-1]
    grouped = len(steps) > 1 and steps[0][0] == "groupby" and name == "agg"
    if source.kind != "frame" or not (len(steps) == 1 or grouped):
        return
    if not (name in _NAMED or name in ("agg", "astype") or (name == "rename" and kwargs.get("errors") == "raise")):
        return
    meta = source.meta
    if meta is None or meta.columns is None:
        return
    if name in ("agg", "astype", "rename"):
        if grouped and any(called == "[]" for called, _, _ in steps):
            return
        check_labels(meta.obj, _keys_of(name, kwargs), f".{name}()", levels=grouped)
        return
    if kwargs.get("errors") == "ignore" or kwargs.get("axis", 0) not in (0, "index"):
        return
    for key in _NAMED[name]:
        check_labels(meta.obj, kwargs.get(key), f".{name}({key}=...)", levels=name in _LEVELS_TOO)
    other = kwargs.get("right")
    if name == "merge" and isinstance(other, Handle) and other.kind == "frame" and other.meta is not None:
        for key in ("on", "right_on"):
            check_labels(other.meta.obj, kwargs.get(key), f".merge({key}=...), right frame", levels=True)


def _keys_of(name: str, kwargs: dict[str, Any]) -> list[Any]:
    if name == "astype":
        dtype = kwargs.get("dtype")
        return list(dtype) if isinstance(dtype, dict) else []
    if name == "rename":
        columns = kwargs.get("columns")
        return list(columns) if isinstance(columns, dict) else []
    func = kwargs.get("func")
    if isinstance(func, dict):
        return list(func)
    if func is None:
        return [one[0] for one in kwargs.values() if isinstance(one, tuple) and len(one) == 2]
    return []


def check_labels(empty: Any, labels: Any, what: str, *, levels: bool = False) -> None:
    """Raise if labels, or one label, are no columns of an empty frame.

    Parameters
    ----------
    empty : pandas.DataFrame
        Has the columns.
    labels : object
        A label, a list of labels, or something else, which is passed over.
    what : str
        The call, for the message.
    levels : bool
        Whether names of index levels will do.
    """
    wanted = labels if isinstance(labels, list) else [labels]
    columns = empty.columns
    missing = [one for one in wanted if _is_label(one) and one not in columns]
    if what.startswith((".groupby", ".value_counts")) and len(missing) == len(wanted) > 1:
        return  # not one of them is a column: they may well be a group for each row
    if levels:
        missing = [one for one in missing if one not in empty.index.names]
    if missing:
        raise missing_columns(missing, [*columns, *(n for n in empty.index.names if levels and n)], what)


def check_new_column(source: Handle, label: Any) -> None:
    """Raise if a frame that is to get a column has one of that label."""
    meta = source.meta
    if meta is not None and meta.columns is not None and _is_label(label) and label in meta.columns:
        raise GraphError(f"insert() at {caller_site()}: cannot insert {label}, already exists.")


def check_new_labels(source: Handle, name: str, labels: Any) -> None:
    """Raise if there are more or fewer new labels than columns."""
    meta = source.meta
    if name != "columns" or meta is None or meta.columns is None or not isinstance(labels, (list, tuple)):
        return
    if len(labels) != len(meta.columns):
        raise GraphError(
            f"columns = ... at {caller_site()}: Length mismatch: Expected axis has {len(meta.columns)} elements, "
            f"new values have {len(labels)} elements."
        )


def _is_label(one: Any) -> bool:
    if isinstance(one, tuple):
        return bool(one) and all(_is_label(part) for part in one) and not str(one[0]).startswith("\0")
    return isinstance(one, str) or (isinstance(one, int) and not isinstance(one, bool))
