"""What a call on groups, windows and resampled rows will give."""

from __future__ import annotations

from typing import Any

from dualdag.frames._kinds import ON_DRIVER, list_like
from dualdag.frames._ops import Handle
from dualdag.frames._steps import Step
from dualdag.frames._words import words

__all__ = ["kind_of_grouped", "selected_owner", "view_of"]

#: Methods that give another view, not a value, and the class of pandas that the view stands for.
_VIEWS = {
    "rolling": "Rolling",
    "expanding": "Expanding",
    "ewm": "ExponentialMovingWindow",
    "resample": "Resampler",
}
_ALIKE = words(
    "bfill cumcount cummax cummin cumprod cumsum diff ffill filter head nth pct_change rank sample shift "
    "tail take transform nlargest nsmallest"
)


def view_of(owner: str, kind: str, step: Step) -> str | None:
    """Return the class of pandas that a call's answer stands for where it is no value, else None.

    Parameters
    ----------
    owner : str
        The class whose method is called.
    kind : str
        Kind of what is grouped or rolled over.
    step : Step
        The call, spelt.
    """
    name, _, kwargs = step
    if name == "groupby" and owner in ("DataFrame", "Series", "Unknown"):
        return {"frame": "DataFrameGroupBy", "series": "SeriesGroupBy"}.get(kind, "UnknownGroupBy")
    if name == "groupby" and owner == "Resampler":
        return None
    if name not in _VIEWS or owner not in (
        "DataFrame",
        "Series",
        "Unknown",
        "DataFrameGroupBy",
        "SeriesGroupBy",
        "UnknownGroupBy",
    ):
        return None
    if owner.endswith("GroupBy"):
        return "Resampler" if name == "resample" else f"{_VIEWS[name]}GroupBy"
    return "Window" if name == "rolling" and kwargs.get("win_type") is not None else _VIEWS[name]


def selected_owner(owner: str, key: Any, source: str, steps: tuple[Step, ...]) -> str:
    """Return the class that a selection of columns from a view stands for.

    Parameters
    ----------
    owner : str
        The class that the view stands for.
    key : object
        The label or labels, frozen.
    source : str
        Kind of what is grouped or rolled over.
    steps : tuple of Step
        How the view is made of the source.
    """
    # Of a frame's resampled rows pandas answers columns as groups; of resampled groups, as resampled.
    as_groups = owner == "Resampler" and source == "frame" and len(steps) == 1
    if owner not in ("DataFrameGroupBy", "UnknownGroupBy") and not as_groups:
        return owner
    return "DataFrameGroupBy" if list_like(key) else "SeriesGroupBy"


def kind_of_grouped(owner: str, source: str, steps: tuple[Step, ...], step: Step) -> str:
    """Return what a method of a view gives.

    Parameters
    ----------
    owner : str
        The class the view stands for, such as ``"SeriesGroupBy"``.
    source : str
        Kind of what is grouped or rolled over.
    steps : tuple of Step
        How the view is made of the source.
    step : Step
        The call, spelt.
    """
    name, _, kwargs = step
    if name in ON_DRIVER:
        return "driver"
    picked = next((args[0] for called, args, _ in reversed(steps) if called == "[]"), None)
    kind = source if picked is None else ("frame" if list_like(picked) else "series")
    if owner == "DataFrameGroupBy":
        return _frame_groups(name, steps[0][2])
    if owner == "SeriesGroupBy":
        return _series_groups(name, steps[0][2], kwargs)
    if owner in ("Resampler", "UnknownGroupBy"):
        return _resampled(name, kind, kwargs, sure=len(steps) == 1 or steps[0][0] == "resample")
    return _windowed(name, kind, kwargs)


def _frame_groups(name: str, groups: dict[str, Any]) -> str:
    if name in ("ngroup", "cumcount"):
        return "series"
    if name in ("size", "value_counts"):
        return "series" if groups.get("as_index", True) is not False else "frame"
    return "any" if name == "apply" else "frame"


def _series_groups(name: str, groups: dict[str, Any], kwargs: dict[str, Any]) -> str:
    if name == "apply":
        return "any"
    if name in ("describe", "ohlc"):
        return "frame"
    if name == "shift" and list_like(kwargs.get("periods", 1)):
        return "frame"
    if name in _ALIKE or name in ("ngroup", "unique", "is_monotonic_decreasing", "is_monotonic_increasing", "dtype"):
        return "series"
    if name == "agg":
        func = kwargs.get("func")
        if func is None or list_like(func):
            return "frame"
        if not isinstance(func, str):
            return "any"
    return "series" if groups.get("as_index", True) is not False else "frame"


def _resampled(name: str, kind: str, kwargs: dict[str, Any], *, sure: bool) -> str:
    if not sure or name in ("apply", "size", "get_group", "pipe"):
        return "series" if name == "size" and kind == "series" else "any"
    if name == "ohlc":
        return "frame"
    if name == "agg":
        func = kwargs.get("func")
        if func is None or list_like(func):
            return "frame"
        return kind if isinstance(func, str) else "any"
    return kind


def _windowed(name: str, kind: str, kwargs: dict[str, Any]) -> str:
    if name in ("corr", "cov"):
        other = kwargs.get("other")
        if other is None:
            return kind
        right = other.kind if isinstance(other, Handle) else "any"
        return "series" if (kind, right) == ("series", "series") else "any"
    if name == "agg":
        func = kwargs.get("func")
        if func is None or list_like(func):
            return "frame"
        return kind if isinstance(func, str) else "any"
    if name == "online":
        return "driver"
    return kind
