"""What becomes of what is known: rules per op, from the labels of its inputs to those of its result.

Where labels do not depend on values, pandas's own methods are asked on an empty object.  User
functions are never tried on it: what they would make of made-up rows tells nothing of what they make
of real ones.  Where no rule is sure, nothing is known, and asking computes.
"""

from __future__ import annotations

import re
from typing import Any

from dualdag.frames._meta import Meta, as_numbers, ask_empty, handles_in, meta_of
from dualdag.frames._ops import Handle
from dualdag.frames._steps import Step, step
from dualdag.frames._words import words

__all__ = ["infer", "of_function"]

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
SIGNS = words("+ - * / // % ** & | ^ r+ r- r* r/ r// r% r** r& r| r^") | _COMPARISONS
# Labels and types stay.
_SAME = words(
    "head tail sort_values sort_index sample drop_duplicates query truncate nlargest nsmallest copy "
    "between_time at_time"
)
# Labels stay, types may not.
_RETYPED = words(
    "abs astype between bfill clip convert_dtypes cummax cummin cumprod cumsum diff dropna duplicated ffill "
    "fillna infer_objects interpolate isin isna map mask notna pct_change rank replace "
    "round shift transform where neg pos invert tz_localize tz_convert to_period to_timestamp asfreq "
    "explode set_flags take update= ufunc"
)
# Pandas itself tells of an empty frame what becomes of its labels.
_ASKED = words(
    "drop rename add_prefix add_suffix set_index set_axis to_frame filter droplevel swaplevel reorder_levels "
    "rename_axis names= del= attr= []"
)
# The same, but types of the answer depend on values.
_ASKED_LABELS = words("reset_index merge join melt combine_first reindex insert= isetitem=")
# Of arguments that are not there yet these take the labels alone.
_TABLES_TOO = words("merge join combine_first set_index insert= isetitem=") | SIGNS
_GROUPED = words(
    "agg all any count cumcount cummax cummin cumprod cumsum diff ffill bfill first last max mean median "
    "min nunique prod rank sem shift size std sum var head tail nth ngroup pct_change quantile skew kurt "
    "idxmax idxmin"
)
_VIEWS = words("groupby .str .dt .cat .list .struct .sparse rolling expanding ewm resample accessor")
# Accessors' methods that give several columns, one value, or something plain.
_WIDE = words("cat get_dummies extract extractall partition rpartition isocalendar .components .categories")
_ASSIGNED = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)")
_SOME_GROUPS = words("filter sample get_group head tail nth")


def infer(source: Handle, steps: tuple[Step, ...]) -> Meta | None:
    """Return what is known of the result of steps.

    Parameters
    ----------
    source : Handle
        What the steps start from.
    steps : tuple of Step
        What is done, with handles in place of values.
    """
    meta = source.meta
    for number, one in enumerate(steps):
        if meta is None:
            return None
        if one[0] in _VIEWS:
            return _viewed(meta, steps[number:])
        meta = _after(meta, one)
    return meta


_ASKED_FUNCTIONS = frozenset({"pandas.concat", "pandas.merge_asof", "pandas.merge_ordered"})


def of_function(steps: tuple[Step, ...]) -> Meta | None:
    """Return what is known of the result of a function of pandas, before which there is no source."""
    import pandas as pd

    name, args, kwargs = steps[0]
    data = args[0] if args else kwargs.get("data")
    if name == "pandas.DataFrame" and isinstance(data, dict) and "columns" not in kwargs and len(args) < 3:
        given = kwargs["index"] if "index" in kwargs else args[1] if len(args) > 1 else None
        rows = _row_labels(given, data)
        columns = pd.Index(list(data))
        return None if rows is None else Meta(pd.DataFrame(index=rows, columns=columns, dtype=float), exact=False)
    if name in _ASKED_FUNCTIONS:
        return ask_empty(Meta(pd.DataFrame(), exact=False), steps, exact=False)
    return None


def _row_labels(given: Any, data: dict[Any, Any]) -> Any:
    """Return the labels of rows of a frame made of columns, empty, or None where only values tell."""
    import pandas as pd

    if isinstance(given, Handle):
        return None if given.meta is None or given.kind != "index" else given.meta.obj
    if given is not None:
        return given[:0] if isinstance(given, pd.Index) else pd.RangeIndex(0)
    parts = list(handles_in(data))
    if any(one.kind not in ("series", "scalar") for one in parts) or any(
        hasattr(type(one), "__dualdag_node__") and not isinstance(one, Handle) for one in data.values()
    ):
        return None
    found = [one.meta.obj.index if one.meta is not None else None for one in parts if one.kind == "series"]
    if not found:
        return pd.RangeIndex(0)
    first = found[0]
    alike = first is not None and all(one is not None and list(one.names) == list(first.names) for one in found)
    return first if alike else None


def _after(meta: Meta, one: Step) -> Meta | None:
    name, args, kwargs = one
    if not hasattr(meta.obj, "iloc") and name not in _ASKED:
        return None
    if name in _SAME and kwargs.get("axis", 0) == 0:
        return meta if not kwargs.get("ignore_index") else Meta(_renumbered(meta.obj), meta.exact)
    if name in _RETYPED:
        if kwargs.get("axis", 0) != 0 or kwargs.get("ignore_index") or kwargs.get("numeric_only"):
            return None
        return _retyped(meta, one)
    if name == "[]":
        return _item(meta, args[0])
    if name in ("loc[]", "iloc[]"):
        return _located(meta, name, args[0])
    if name == ".index":
        return Meta(meta.obj.index, exact=False)
    if name == "[]=":
        return _set(meta, args[0], args[1])
    if name in ("loc[]=", "at[]="):
        return _set_at(meta, args[0])
    if name in ("iloc[]=", "iat[]="):
        return Meta(meta.obj, exact=False)
    if name == "assign":
        return _set(meta, next(iter(kwargs)), 0.0)
    if name == "eval":
        return _assigned(meta, str(kwargs.get("expr")))
    if name == "attr=" and args[0] == "index":
        return _indexed(meta, args[1])
    if name == "set_axis" and kwargs.get("axis", 0) == 0:
        return _indexed(meta, kwargs.get("labels"))
    if name == "drop":
        kept = {key: value for key, value in kwargs.items() if key in ("columns", "errors")}
        if isinstance(kept.get("columns"), Handle):
            return None
        return ask_empty(meta, (step("drop", **kept),), exact=True) if "columns" in kept else meta
    if name == "select_dtypes" and meta.exact:
        return ask_empty(meta, (one,), exact=True)
    if name == "merge" and bool(kwargs.get("left_index")) is not bool(kwargs.get("right_index")):
        return None  # names of the rows' labels depend on the rows
    if name not in _TABLES_TOO and next(handles_in((args, kwargs)), None) is not None:
        return None  # values that are not there yet decide on labels
    if name in _ASKED or name in _ASKED_LABELS:
        return ask_empty(meta, (one,), exact=name in _ASKED)
    if name[-1] == "=" and (name[:-1] in SIGNS or name[:-1] in _RETYPED):
        return Meta(meta.obj, exact=False)
    return _operated(meta, one)


def _indexed(meta: Meta, labels: Any) -> Meta:
    """Tell what new labels of rows leave: columns, and the names that the labels bring."""
    import pandas as pd

    told = meta_of(labels)
    if told is not None and isinstance(told.obj, (pd.Index, pd.Series)):
        return Meta(meta.obj.set_axis(pd.Index(told.obj)), exact=False)
    return Meta(_renumbered(meta.obj), exact=False)


def _renumbered(obj: Any) -> Any:
    import pandas as pd

    return obj.set_axis(pd.RangeIndex(0))


def _retyped(meta: Meta, one: Step) -> Meta | None:
    name, args, kwargs = one
    if name == "transform" and not isinstance(kwargs.get("func"), str) and not callable(kwargs.get("func")):
        return None
    if name == "duplicated":
        import pandas as pd

        label = getattr(meta.obj, "name", None)
        return Meta(pd.Series([], index=meta.obj.index, dtype=bool, name=label), exact=True)
    if name == "shift" and not isinstance(kwargs.get("periods", 1), int):
        return None
    if name == "ufunc" and any(isinstance(other, Handle) for other in args[1]):
        return None
    if name == "astype" and "category" not in str(kwargs):
        return ask_empty(meta, (one,), exact=True)
    if name in ("isna", "notna", "isin"):
        return ask_empty(meta, (step("isna"),), exact=True)
    if name == "dropna" and kwargs.keys() <= {"subset", "how"}:
        return meta
    return Meta(meta.obj, exact=False)


def _item(meta: Meta, key: Any) -> Meta | None:
    import pandas as pd

    if type(key).__name__ == "ndarray" or (isinstance(key, list) and key and isinstance(key[0], bool)):
        return meta
    if isinstance(key, Handle):
        if key.kind == "series" and key.meta is not None and key.meta.exact and key.meta.obj.dtype != bool:
            return None  # labels, not a mask
        return meta if key.kind in ("series", "array") else None
    if isinstance(meta.obj, pd.DataFrame):
        return meta if isinstance(key, slice) else ask_empty(meta, (step("[]", key),), exact=True)
    return meta if isinstance(key, (slice, list)) else None


def _located(meta: Meta, name: str, key: Any) -> Meta | None:
    """Tell what rows, and columns where they are named, give; several rows keep all labels."""
    import pandas as pd

    rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
    several = isinstance(rows, (slice, list)) or (isinstance(rows, Handle) and rows.kind in ("series", "index"))
    if not several or (isinstance(meta.obj, pd.DataFrame) and isinstance(columns, Handle)):
        return None
    if not isinstance(meta.obj, pd.DataFrame):
        return meta if key is rows else None
    every = slice(None) if meta.obj.index.nlevels == 1 or name == "iloc[]" else None
    if every is None:
        return meta if key is rows else None
    return ask_empty(meta, (step(name, (every, columns)),), exact=True)


def _set(meta: Meta, key: Any, value: Any) -> Meta | None:
    import pandas as pd

    if not isinstance(meta.obj, pd.DataFrame):
        return Meta(meta.obj, exact=False)
    if isinstance(key, (Handle, slice)):
        return Meta(meta.obj, exact=False)
    columns = key if isinstance(key, list) else [key]
    made = meta.obj.copy(deep=False)
    filler = (
        value.meta.obj.astype(object) if isinstance(value, Handle) and value.kind == "series" and value.meta else 0.0
    )
    for column in columns:
        made[column] = pd.Series(filler, index=made.index, dtype=getattr(filler, "dtype", float))
    return Meta(made, exact=False)


def _assigned(meta: Meta, expr: str) -> Meta | None:
    """Tell what columns an expression of assignments gives."""
    found = [_ASSIGNED.match(line) for line in expr.strip().splitlines()]
    made: Meta | None = meta
    for one in found:
        made = _set(made, one[1], 0.0) if one is not None and made is not None else None
    return made


def _set_at(meta: Meta, key: Any) -> Meta | None:
    if getattr(meta.obj, "columns", None) is None or meta.obj.index.nlevels > 1:
        return Meta(meta.obj, exact=False)
    if isinstance(key, tuple) and len(key) == 2:
        column = key[1]
        if isinstance(column, (str, int)) and column not in meta.obj.columns:
            return _set(meta, column, 0.0)
        if isinstance(column, list) and not set(column) <= set(meta.obj.columns):
            return None
        return Meta(meta.obj, exact=False) if isinstance(column, (str, int, list, slice)) else None
    return Meta(meta.obj, exact=False)


def _operated(meta: Meta, one: Step) -> Meta | None:
    """Tell of an operator's labels; flexible spellings of operators have more arguments and are asked."""
    import pandas as pd

    name, args, _ = one
    if name not in SIGNS:
        return None
    other = args[0]
    mine = Meta(meta.obj, exact=False)
    if isinstance(meta.obj, pd.DataFrame):
        if not isinstance(other, Handle):
            return mine if isinstance(other, (int, float, complex, str, bool, list)) or other is None else None
        theirs = other.meta
        if other.kind == "scalar":
            return mine
        same = other.kind == "frame" and theirs is not None and theirs.obj.columns.equals(meta.obj.columns)
        return mine if same else None
    if not isinstance(meta.obj, pd.Series):
        return None
    if isinstance(other, Handle) and other.kind == "series":
        theirs = other.meta
        if theirs is None:
            return None
        name_kept = meta.obj.name if _same_name(meta.obj.name, theirs.obj.name) else None
        mine = Meta(meta.obj.rename(name_kept), exact=False)
    elif isinstance(other, Handle) and other.kind != "scalar":
        return None
    if name in _COMPARISONS:
        return Meta(mine.obj.astype(object).isna(), exact=False)
    return mine


def _same_name(one: Any, two: Any) -> bool:
    return type(one) is type(two) and bool(one == two)


def _without_functions(last: Step) -> Step:
    """Put a name in place of each function of an aggregation that gives the names of its columns."""
    name, args, kwargs = last
    if name != "agg" or "func" in kwargs:
        return last
    return (
        name,
        args,
        {key: (one[0], "size") if isinstance(one, tuple) and len(one) == 2 else "size" for key, one in kwargs.items()},
    )


def _resampled(meta: Meta, steps: tuple[Step, ...]) -> Meta | None:
    """Tell what resampled rows of a frame give where each column is made of one."""
    first, last = steps[0], steps[-1]
    picked = [args[0] for name, args, _ in steps[1:-1] if name == "[]"]
    if meta.columns is None or first[0] != "resample" or {"on", "level"} & set(first[2]) or len(steps) > 3:
        return None
    columns: Any = picked[0] if picked else list(meta.columns)
    func = last[2].get("func")
    if last[0] == "agg":
        plainly = isinstance(func, dict) and all(isinstance(one, str) for one in func.values())
        columns = list(func) if isinstance(func, dict) and plainly else None
    if not isinstance(columns, list) or last[0] == "size":
        return None
    return Meta(as_numbers(meta.obj[columns]), exact=False)


def _viewed(meta: Meta, steps: tuple[Step, ...]) -> Meta | None:
    """Tell what groups, windows and accessors give."""
    import pandas as pd

    first, (last, _, kwargs) = steps[0][0], steps[-1]
    if first[0] == "." or first == "accessor":
        if first not in (".str", ".dt", ".cat") or last in _WIDE or kwargs.get("expand"):
            return None
        if last == ".codes":
            return Meta(meta.obj.rename(None), exact=False)
        return Meta(meta.obj, exact=False) if isinstance(meta.obj, pd.Series) else None
    picked = any(name == "[]" for name, _, _ in steps)
    if first == "groupby" and last in _SOME_GROUPS and not picked and len(steps) == 2:
        return meta
    if len(steps) == 1 or last not in _GROUPED or kwargs.get("numeric_only"):
        return None
    if any(name == "resample" for name, _, _ in steps):
        return _resampled(meta, steps)
    steps = (*steps[:-1], _without_functions(steps[-1]))
    # Labels of what groups give do not depend on types, but pandas refuses to average text.
    return ask_empty(Meta(meta.obj if meta.exact else as_numbers(meta.obj), meta.exact), steps, exact=False)
