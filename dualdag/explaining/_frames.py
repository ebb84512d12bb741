"""How two frames differ: schema, rows by key, values by column; a column at a time, beside the frames themselves.

Written here as datacompy takes no pandas from 3.1 on, and daff goes through cells one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.errors import ConfigError, did_you_mean
from dualdag.explaining._difference import SAMPLES, Difference, largest_gap, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

__all__ = ["diff_frames", "is_frame"]

_PLACE = "(position)"
_MOST_CATEGORIES = 8


def is_frame(value: Any) -> bool:
    """Return whether a value is a frame, series or table of pandas, polars or Arrow; none of them is imported."""
    top, name = type(value).__module__.partition(".")[0], type(value).__name__
    return top in {"pandas", "polars", "pyarrow"} and name in {"DataFrame", "Series", "Table", "Index", "MultiIndex"}


def diff_frames(one: Any, two: Any, key: Sequence[str] = ()) -> Difference:
    """Return how two frames differ.

    Parameters
    ----------
    one, two : frame
        Of pandas, polars or Arrow; series count as frames of a column.
    key : sequence of str
        Columns that tell which row is which; else an index that is no count of rows, else the first
        column whose values are all different, else the position.

    Raises
    ------
    ConfigError
        For a key that is no column of both.
    """
    kind = "series" if type(one).__name__ == "Series" else "frame"
    classes, indexes = [_class(one), _class(two)], [_index_text(one), _index_text(two)]
    was, now = _columns(one), _columns(two)
    names, keys, in_key = _keys(one, two, was, now, key)
    schema = _schema(was, now)
    rows = _Rows(*keys)
    found: dict[str, Any] = {
        "classes": classes,
        "rows": [len(one), len(two)],
        "columns": schema,
        "index": indexes,
        "key": list(names),
        "added": len(rows.only_now),
        "removed": len(rows.only_was),
        "samples": {"added": rows.samples(1, rows.only_now), "removed": rows.samples(0, rows.only_was)},
    }
    both = [name for name in was if name in now]
    changed = [_column(name, was[name], now[name], rows) for name in both if name not in in_key]
    found["changed"] = [row for row in changed if row["count"]]
    found["rows_changed"] = int(rows.changed.sum())
    moved = rows.moved() and names != (_PLACE,)
    found["order"] = "changed" if moved else "same"
    alike = not (any(schema.values()) or found["added"] or found["removed"] or found["changed"] or moved)
    alike = alike and classes[0] == classes[1] and indexes[0] == indexes[1]
    found["beyond"] = [name for name in both if not _alike_to_the_bit(was[name], now[name])] if alike else []
    return Difference(kind, alike and not found["beyond"], tuple(_lines(found)), found)


def _class(frame: Any) -> str:
    return f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"


def _index_text(frame: Any) -> str:
    """Return the names and types of a pandas index; nothing where it only counts the rows, or there is none."""
    import pandas as pd

    index = frame.index if isinstance(frame, (pd.DataFrame, pd.Series)) else None
    if index is None or (isinstance(index, pd.RangeIndex) and (index.start, index.step, index.name) == (0, 1, None)):
        return ""
    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    text = ", ".join(
        f"{level.name if level.name is not None else 'without a name'} ({level.dtype})" for level in levels
    )
    return f"{text}, from {index.start} by {index.step}" if isinstance(index, pd.RangeIndex) else text


def _alike_to_the_bit(was: Any, now: Any) -> bool:
    """Return whether two columns are alike in what is not compared: which missing values, the sign of 0."""
    from dualdag.hashing import digest_value

    try:
        return digest_value(_pandas(was).array) == digest_value(_pandas(now).array)
    except Exception:  # noqa: BLE001 - cells of someone else's class
        return True


def _columns(frame: Any) -> dict[str, Any]:
    """Return the columns of a frame by name, made into pandas's when they are asked for."""
    top = type(frame).__module__.partition(".")[0]
    if top == "polars" and type(frame).__name__ == "Series":
        return {frame.name or "value": frame}
    if top == "pyarrow":
        return dict(_unique([(name, frame.column(k)) for k, name in enumerate(frame.column_names)]))
    if top == "polars":
        return {name: frame.get_column(name) for name in frame.columns}
    if type(frame).__name__ == "MultiIndex":
        frame = frame.to_frame(index=False, allow_duplicates=True)
    if type(frame).__name__ != "DataFrame":
        return {str(frame.name if getattr(frame, "name", None) is not None else "value"): frame}
    return dict(_unique([(str(name), frame.iloc[:, k]) for k, name in enumerate(frame.columns)]))


def _unique(columns: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for name, column in columns:
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), column


def _pandas(column: Any) -> Any:
    import pandas as pd

    if not isinstance(column, (pd.Series, pd.Index)):
        # Whole numbers beside missing ones would be made floats, of which some large ones are equal.
        arrow = column if type(column).__module__.startswith("pyarrow") else column.to_arrow()
        column = arrow.to_pandas(integer_object_nulls=True)
    return pd.Series(column).reset_index(drop=True)


def _dtype(column: Any) -> str:
    dtype = column.type if type(column).__module__.startswith("pyarrow") else column.dtype
    if type(dtype).__name__ != "CategoricalDtype":
        return str(dtype)
    names = [shown(one) for one in dtype.categories[:_MOST_CATEGORIES]]
    more = ", ..." if len(dtype.categories) > len(names) else ""
    return f"category of {', '.join(names)}{more}{', in order' if dtype.ordered else ''}"


def _of_one_type(was: Any, now: Any) -> bool:
    if _dtype(was) != _dtype(now):
        return False
    one: Any = getattr(getattr(was, "dtype", None), "categories", None)
    return bool(one.equals(now.dtype.categories)) if hasattr(one, "equals") else True


def _schema(was: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    both = [name for name in was if name in now]
    return {
        "added": [[name, _dtype(now[name])] for name in now if name not in was],
        "removed": [[name, _dtype(was[name])] for name in was if name not in now],
        "retyped": [[n, _dtype(was[n]), _dtype(now[n])] for n in both if not _of_one_type(was[n], now[n])],
        "reordered": both != [name for name in now if name in was],
    }


def _keys(
    one: Any, two: Any, was: dict[str, Any], now: dict[str, Any], key: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Any, Any], tuple[str, ...]]:
    """Return what tells rows apart: its names, per frame an index made of it, and which columns that are."""
    import pandas as pd

    for name in key:
        if name not in was or name not in now:
            raise ConfigError(
                f"{name!r} is no column of both versions.{did_you_mean(name, [n for n in was if n in now])}"
            )
    if key:
        return tuple(key), _counted(*(_index([columns[name] for name in key]) for columns in (was, now))), tuple(key)
    indexes = [frame.index for frame in (one, two) if isinstance(frame, (pd.DataFrame, pd.Series))]
    plain = any(isinstance(index, pd.RangeIndex) for index in indexes)
    if len(indexes) == 2 and not plain and indexes[0].nlevels == indexes[1].nlevels:
        names = tuple(str(name) if name is not None else "index" for name in indexes[1].names)
        return names, _counted(*indexes), ()
    for name, old in was.items():
        new = now.get(name)
        if new is not None and _tells_apart(old) and _tells_apart(new) and _overlaps(old, new):
            return (name,), _counted(_index([old]), _index([new])), (name,)
    return (_PLACE,), (pd.RangeIndex(len(one)), pd.RangeIndex(len(two))), ()


def _tells_apart(column: Any) -> bool:
    made = _pandas(column)
    if made.dtype.kind == "f" or not len(made):
        return False
    try:
        return bool(made.is_unique and not made.hasnans)
    except TypeError:  # values that have no hash
        return False


def _overlaps(was: Any, now: Any) -> bool:
    """Return whether some values are in both: what has none in common names no rows."""
    return bool(_pandas(was).isin(_pandas(now)).any())


def _index(columns: list[Any]) -> Any:
    import pandas as pd

    made = [_hashable(_pandas(column)) for column in columns]
    return pd.Index(made[0]) if len(made) == 1 else pd.MultiIndex.from_arrays(made)


def _hashable(column: Any) -> Any:
    """Return a column whose cells can be looked up; of lists and the like, their text."""
    try:
        column.is_unique  # noqa: B018 - asks each cell for its hash
    except TypeError:
        return column.map(repr)
    return column


def _counted(one: Any, two: Any) -> tuple[Any, Any]:
    """Return two indexes without repetitions: the second row of a key is another than the first."""
    import pandas as pd

    if one.is_unique and two.is_unique:
        # Intervals that overlap can be looked up as plain values alone.
        return tuple(i.astype(object) if isinstance(i, pd.IntervalIndex) else i for i in (one, two))
    return _with_counts(one), _with_counts(two)


def _with_counts(index: Any) -> Any:
    import pandas as pd

    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    plain = pd.DataFrame({k: _hashable(pd.Series(level)) for k, level in enumerate(levels)})
    plain["count"] = plain.groupby(list(plain.columns), dropna=False, observed=True).cumcount()
    return pd.MultiIndex.from_frame(plain)


class _Rows:
    """Which rows of two frames go together."""

    def __init__(self, one: Any, two: Any) -> None:
        import numpy as np

        self.keys = keys = (one, two)
        places = one.get_indexer(two)
        self.now = np.flatnonzero(places >= 0)
        self.was = places[self.now]
        self.only_now = np.flatnonzero(places < 0)
        there = np.zeros(len(keys[0]), dtype=bool)
        there[self.was] = True
        self.only_was = np.flatnonzero(~there)
        self.changed = np.zeros(len(self.now), dtype=bool)

    def samples(self, which: int, places: Any) -> list[str]:
        return [_key_text(self.keys[which][int(k)]) for k in places[:SAMPLES]]

    def moved(self) -> bool:
        import numpy as np

        return bool(len(self.was) > 1 and np.any(np.diff(self.was) < 0))


def _key_text(key: Any) -> str:
    return ", ".join(shown(one) for one in key) if isinstance(key, tuple) else shown(key)


def _column(name: str, was: Any, now: Any, rows: _Rows) -> dict[str, Any]:
    """Return how a column differs in the rows that both frames have."""
    import numpy as np

    one, two = _pandas(was).take(rows.was), _pandas(now).take(rows.now)
    unlike = _unlike(one, two)
    rows.changed |= unlike
    places = np.flatnonzero(unlike)
    found: dict[str, Any] = {"column": name, "count": len(places)}
    found["samples"] = [
        {"key": _key_text(rows.keys[1][int(rows.now[k])]), "was": shown(one.iloc[k]), "now": shown(two.iloc[k])}
        for k in places[:SAMPLES]
    ]
    if len(places):
        found["largest"] = largest_gap(one.iloc[places], two.iloc[places])
    return found


def _unlike(one: Any, two: Any) -> np.ndarray[Any, Any]:
    """Return where two columns differ; missing values are like each other."""
    import numpy as np

    missing_one, missing_two = one.isna().to_numpy(), two.isna().to_numpy()
    try:
        same = (one.reset_index(drop=True) == two.reset_index(drop=True)).fillna(False).to_numpy(bool)
    except (TypeError, ValueError):  # two kinds that can't be compared, or cells that hold arrays
        cells = zip(one.array, two.array, strict=True)
        same = np.fromiter((repr(a) == repr(b) for a, b in cells), bool, len(one))
    return np.asarray(~(same | (missing_one & missing_two)))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    was, now = found["rows"]
    counts = [(found["added"], "added"), (found["removed"], "removed"), (found["rows_changed"], "changed")]
    told = ", ".join(f"{count:,} {what}" for count, what in counts)
    by = "by position" if found["key"] == [_PLACE] else f"by {', '.join(found['key'])}"
    yield f"rows: {was:,} -> {now:,} ({told}), matched {by}"
    if len(set(found["classes"])) > 1:
        yield " -> ".join(found["classes"])
    columns = found["columns"]
    for what in ("added", "removed"):
        for name, dtype in columns[what]:
            yield f"column {name} ({dtype}) {what}"
    for name, old, new in columns["retyped"]:
        yield f"column {name}: {old} -> {new}"
    if len(set(found["index"])) > 1:
        yield "index: " + " -> ".join(text or "none" for text in found["index"])
    if columns["reordered"]:
        yield "columns stand in another order"
    if found["order"] == "changed":
        yield "rows stand in another order"
    for what in ("added", "removed"):
        samples = found["samples"][what]
        if samples and found["key"] != [_PLACE]:
            yield f"{what}: {'; '.join(samples)}{_more(found[what], samples)}"
    for row in found["changed"]:
        largest = f", at most {row['largest']:g} apart" if row.get("largest") is not None else ""
        yield f"{row['column']}: {row['count']:,} {'value' if row['count'] == 1 else 'values'} changed{largest}"
        for one in row["samples"]:
            yield f"  {one['key']}: {one['was']} -> {one['now']}"
    for name in found["beyond"]:
        yield f"{name}: its values compare equal and are not the same, as NaN and None, 0.0 and -0.0, True and 1 are"


def _more(count: int, samples: Sequence[str]) -> str:
    return f"; and {count - len(samples):,} more" if count > len(samples) else ""
