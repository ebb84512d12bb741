"""What a call will give: a frame, a series, an index, a scalar, something plain, or only the values tell.

Rules look at names and arguments, never at values.  Pandas's annotations say most of it; tables
here say what they leave open.
"""

from __future__ import annotations

import re
from typing import Any

from dualdag.frames._names import nature, returns
from dualdag.frames._ops import Handle
from dualdag.frames._steps import Step, is_slice
from dualdag.frames._words import words

__all__ = ["ON_DRIVER", "kind_of_method", "kind_of_operator", "kind_of_property", "list_like"]

#: Answers that are plain, large, or drawn: made here of the computed value, not in a node.
ON_DRIVER = words(
    "boxplot hist info items iterrows itertuples plot style to_clipboard to_coo to_csv to_dict to_excel "
    "to_feather to_hdf to_html to_iceberg to_json to_latex to_markdown to_numpy to_orc to_parquet to_pickle "
    "to_records to_sql to_stata to_string to_xarray to_xml tolist"
)
REDUCTIONS = words("all any count idxmax idxmin kurt max mean median min nunique prod sem skew std sum var")
_TO_SCALAR = REDUCTIONS | words("argmax argmin autocorr corr cov")
_SEVERAL = ("frame", "series", "index", "array")
_NOTES = {"DataFrame": "frame", "Series": "series", "Index": "index", "MultiIndex": "index", "Any": "any"}
_ARRAYS = re.compile(r"npt\.NDArray\[np\.(bool_|intp)\]$")
_ASSIGNS = re.compile(r"(?<![=!<>])=(?!=)")
# Plain answers that annotations don't tell.
_PLAIN = frozenset({"get", "item", "array", "values", "unique", "searchsorted", "get_loc", "factorize", "hist"})
_INDEX_PARTS = {
    **dict.fromkeys(
        words(
            "T categories day day_of_week day_of_year dayofweek dayofyear days days_in_month daysinmonth end_time "
            "hour left length microsecond microseconds mid minute month nanosecond nanoseconds quarter qyear right "
            "second seconds start_time week weekday weekofyear year"
        ),
        "index",
    ),
    **dict.fromkeys(
        words(
            "date is_empty is_leap_year is_month_end is_month_start is_quarter_end is_quarter_start is_year_end "
            "is_year_start time timetz"
        ),
        "array",
    ),
    "codes": "any",
}


def list_like(value: Any) -> bool:
    """Tell whether an argument holds several labels or values; a handle of a scalar does not."""
    if isinstance(value, Handle):
        return value.kind in _SEVERAL
    if is_slice(value) or isinstance(value, (list, dict, set, frozenset, range)):
        return True
    return not isinstance(value, (str, bytes)) and hasattr(type(value), "__len__") and type(value) is not tuple


def kind_of_property(owner: str, name: str) -> str:
    """Return what an attribute gives.

    Parameters
    ----------
    owner : str
        The class asked, such as ``"Series.dt"``.
    name : str
        The attribute.
    """
    if owner == "Index":
        return _INDEX_PARTS.get(name, "plain")
    if name == "T":
        return {"DataFrame": "frame", "Series": "series"}.get(owner, "any")
    if name == "index" and owner in ("DataFrame", "Series", "Unknown"):
        return "index"
    if owner == "Series.dt":
        kinds = {"components": "frame", "freq": "plain", "tz": "plain", "unit": "plain"}
        return kinds.get(name, "series")
    if owner == "Series.cat":
        return {"categories": "index", "codes": "series"}.get(name, "plain")
    return "plain"


def kind_of_method(owner: str, source: str, step: Step) -> str:
    """Return what a method of a frame, series or index gives.

    Parameters
    ----------
    owner : str
        The class whose method it is.
    source : str
        Kind of what the chain of steps starts from.
    step : Step
        The call, spelt.
    """
    name, _, kwargs = step
    if name in ON_DRIVER:
        return "driver"
    if owner == "DataFrame":
        kind = _frame_method(name, step)
    elif owner == "Series":
        kind = _series_method(name, step)
    elif owner == "Index":
        kind = _index_method(name, kwargs)
    elif owner == "Unknown":
        return _unknown_method(name, step)
    else:
        kind = _accessor_method(owner, source, name, kwargs)
    if kind is None:
        kind = _from_note(owner, name, source)
    return kind


def _from_note(owner: str, name: str, source: str) -> str:
    if name in _PLAIN:
        return "plain"
    note = returns(owner, name)
    parts = [part.strip() for part in note.split(" | ") if part.strip() not in ("None", "")]
    if not parts:
        return "plain" if note == "None" else "any"
    if all(_ARRAYS.match(part) for part in parts):
        return "array"
    if any(_ARRAYS.match(part) for part in parts):
        return "any"
    kinds = {source if part in ("Self", "NDFrameT", "T") else _NOTES.get(part, "plain") for part in parts}
    if len(kinds) == 1:
        return kinds.pop()
    return "plain" if kinds == {"plain"} else "any"


def _reduced(kwargs: dict[str, Any], full: str) -> str:
    axis = kwargs.get("axis", 0)
    if axis is None:
        return "scalar"
    return full


def _agg_frame(func: Any, kwargs: dict[str, Any]) -> str:
    if isinstance(func, str):
        return _reduced(kwargs, "series") if func in REDUCTIONS else "any"
    if isinstance(func, list) or func is None:
        return "frame"
    if isinstance(func, dict):
        if any(isinstance(one, (list, dict)) for one in func.values()):
            return "frame"
        return "series" if all(isinstance(f, str) and f in REDUCTIONS for f in func.values()) else "any"
    return "any"


def _frame_method(name: str, step: Step) -> str | None:
    kwargs = step[2]
    if name in REDUCTIONS:
        return _reduced(kwargs, "series")
    if name == "agg":
        return _agg_frame(kwargs.get("func"), kwargs)
    if name == "quantile":
        return "frame" if list_like(kwargs.get("q", 0.5)) else _unsure(kwargs.get("q"), "series")
    if name == "dot":
        other = kwargs.get("other")
        return other.kind if isinstance(other, Handle) and other.kind in ("frame", "series") else "any"
    if name == "eval":
        return "frame" if _ASSIGNS.search(str(kwargs.get("expr", ""))) else "any"
    if name == "align":
        return "pair"
    return {"corrwith": "series", "apply": "any", "asof": "any", "stack": "any", "xs": "any"}.get(name)


def _unsure(value: Any, kind: str) -> str:
    return "any" if isinstance(value, Handle) and value.kind == "any" else kind


def _series_method(name: str, step: Step) -> str | None:
    kwargs = step[2]
    if name in _TO_SCALAR:
        return "scalar"
    if name == "agg":
        func = kwargs.get("func")
        if isinstance(func, str):
            return "scalar" if func in _TO_SCALAR else "any"
        return "series" if isinstance(func, (list, dict)) else "any"
    if name == "quantile":
        return "series" if list_like(kwargs.get("q", 0.5)) else _unsure(kwargs.get("q"), "scalar")
    if name == "reset_index":
        return "series" if kwargs.get("drop") else "frame"
    if name == "compare":
        return "series" if kwargs.get("align_axis", 1) == 0 else "frame"
    if name == "shift":
        return "frame" if list_like(kwargs.get("periods", 1)) else "series"
    if name in ("align", "divmod", "rdivmod"):
        return "pair"
    if name == "transform":
        return "series" if isinstance(kwargs.get("func"), str) else "any"
    return {"apply": "any", "asof": "any", "dot": "any", "squeeze": "any", "xs": "any"}.get(name)


def _index_method(name: str, kwargs: dict[str, Any]) -> str | None:
    if name in ("all", "any", "max", "min", "argmax", "argmin", "nunique"):
        return "scalar"
    if name in ("sort_values", "join"):
        return "plain" if kwargs.get("return_indexer") or kwargs.get("return_indexers") else "index"
    if name in ("isin", "isna", "notna", "duplicated", "argsort"):
        return "array"
    if name == "unique":
        return "index"
    if name in ("sum", "mean", "median", "std", "var"):
        return "scalar"
    if returns("Index", name) == "" or name in ("strftime", "day_name", "month_name", "get_level_values"):
        return "index" if name in _INDEX_RESULTS else "any"
    return None


_INDEX_RESULTS = words(
    "as_ordered as_unordered add_categories as_unit asfreq ceil day_name floor get_level_values month_name "
    "normalize remove_categories remove_unused_categories remove_unused_levels rename_categories "
    "reorder_categories reorder_levels round set_categories set_closed set_codes set_levels shift snap strftime "
    "swaplevel to_period to_timestamp to_tuples total_seconds tz_convert tz_localize"
)


def _unknown_method(name: str, step: Step) -> str:
    kinds = set()
    for owner, source in (("DataFrame", "frame"), ("Series", "series"), ("Index", "index")):
        if nature(owner, name) == "method" and name in _offered(owner):
            kinds.add(kind_of_method(owner, source, step))
    if len(kinds) == 1:
        return kinds.pop()
    return "plain" if "pair" in kinds else "any"


def _offered(owner: str) -> frozenset[str]:
    from dualdag.frames._names import public

    return public(owner)


def _accessor_method(owner: str, source: str, name: str, kwargs: dict[str, Any]) -> str | None:
    if owner == "Series.str":
        if name in ("extractall", "get_dummies"):
            return "frame" if source == "series" else "any"
        if name == "cat":
            return "scalar" if kwargs.get("others") is None else source
        if source != "series":
            return "any"
        wide = {"extract": True, "partition": True, "rpartition": True, "split": False, "rsplit": False}
        if name in wide and name != "extract":
            return "frame" if kwargs.get("expand", wide[name]) else "series"
        if name == "extract":
            return "frame" if kwargs.get("expand", True) else "any"
        return "series"
    if owner == "Series.dt":
        return {"isocalendar": "frame", "to_pytimedelta": "plain"}.get(name, "series")
    if owner == "Series.cat":
        return "series"
    if owner in ("Series.list", "Series.struct"):
        return "frame" if name == "explode" else "series"
    if owner in ("Series.sparse", "DataFrame.sparse"):
        return source if name == "to_dense" else "plain"
    return "any"


def kind_of_operator(name: str, left: str, other: Any) -> str:
    """Return what an operator gives.

    Parameters
    ----------
    name : str
        The operator's step name; unary ones have no `other`.
    left : str
        Kind of the object whose operator it is.
    other : object
        The other operand, frozen.
    """
    right = other.kind if isinstance(other, Handle) else "any" if hasattr(type(other), "__dualdag_node__") else ""
    if name in ("@", "r@"):
        return "any"
    pair = {left, right}
    if "frame" in pair:
        return "frame"
    if "any" in pair:
        return "any"
    if "series" in pair:
        return "series"
    if "index" in pair:
        return "array" if name in ("==", "!=", "<", "<=", ">", ">=") else "index"
    return "array" if list_like(other) or "array" in pair else "scalar"
