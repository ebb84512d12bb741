"""How two frames differ: schema, rows by key, values by column; a column at a time, beside the frames themselves.

Written here as datacompy takes no pandas from 3.1 on, and daff goes through cells one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.errors import ConfigError, did_you_mean
from dualdag.explaining._difference import SAMPLES, Difference, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

__all__ = ["diff_frames", "is_frame"]

_PLACE = "(position)"


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
    was, now = _columns(one), _columns(two)
    names, keys = _keys(one, two, was, now, key)
    kind = "series" if type(one).__name__ == "Series" else "frame"
    schema = _schema(was, now)
    rows = _Rows(keys)
    found: dict[str, Any] = {
        "rows": [len(one), len(two)],
        "columns": schema,
        "key": list(names),
        "added": rows.count(rows.only_now),
        "removed": rows.count(rows.only_was),
        "samples": {"added": rows.samples(1, rows.only_now), "removed": rows.samples(0, rows.only_was)},
    }
    changed = [
        _column(name, was[name], now[name], rows) for name in was if name in now and name not in names
    ]  # fmt: skip
    found["changed"] = [row for row in changed if row["count"]]
    found["rows_changed"] = rows.changed_count()
    moved = rows.moved() and names != (_PLACE,)
    found["order"] = "changed" if moved else "same"
    equal = not (
        any(schema.values()) or found["added"] or found["removed"] or found["changed"] or moved
    )  # fmt: skip
    return Difference(kind, equal, tuple(_lines(found)), found)


def _columns(frame: Any) -> dict[str, Any]:
    """Return the columns of a frame by name, made into pandas's when they are asked for."""
    top = type(frame).__module__.partition(".")[0]
    if top == "polars" and type(frame).__name__ == "Series":
        return {frame.name or "value": frame}
    if top == "pyarrow":
        return dict(_unique([(name, frame.column(k)) for k, name in enumerate(frame.column_names)]))
    if top == "polars":
        return {name: frame.get_column(name) for name in frame.columns}
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

    made = column if isinstance(column, (pd.Series, pd.Index)) else column.to_pandas()
    return pd.Series(made).reset_index(drop=True)


def _dtype(column: Any) -> str:
    return str(column.type if type(column).__module__.startswith("pyarrow") else column.dtype)


def _schema(was: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    dtypes = [[name, _dtype(was[name]), _dtype(now[name])] for name in was if name in now]
    both = [name for name in was if name in now]
    return {
        "added": [[name, _dtype(now[name])] for name in now if name not in was],
        "removed": [[name, _dtype(was[name])] for name in was if name not in now],
        "retyped": [row for row in dtypes if row[1] != row[2]],
        "reordered": both != [name for name in now if name in was],
    }


def _keys(
    one: Any, two: Any, was: dict[str, Any], now: dict[str, Any], key: Sequence[str]
) -> tuple[tuple[str, ...], list[Any]]:
    """Return which columns tell rows apart, and per frame an index made of them."""
    import pandas as pd

    for name in key:
        if name not in was or name not in now:
            raise ConfigError(
                f"{name!r} is no column of both versions.{did_you_mean(name, [n for n in was if n in now])}"
            )
    if key:
        return tuple(key), [_index([columns[name] for name in key]) for columns in (was, now)]
    indexes = [frame.index if isinstance(frame, (pd.DataFrame, pd.Series)) else None for frame in (one, two)]
    if all(index is not None and not isinstance(index, pd.RangeIndex) for index in indexes):
        names = tuple(str(name) if name is not None else "index" for name in indexes[0].names)  # type: ignore[union-attr]
        return names, [_counted(index) for index in indexes]
    for name, old in was.items():
        new = now.get(name)
        if new is not None and _tells_apart(old) and _tells_apart(new) and _overlaps(old, new):
            return (name,), [_index([old]), _index([new])]
    return (_PLACE,), [pd.RangeIndex(len(one)), pd.RangeIndex(len(two))]


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

    made = [_pandas(column) for column in columns]
    return _counted(pd.Index(made[0]) if len(made) == 1 else pd.MultiIndex.from_arrays(made))


def _counted(index: Any) -> Any:
    """Return an index without repetitions: the second row of a key is another than the first."""
    import pandas as pd

    if index.is_unique:
        return index
    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    plain = pd.DataFrame({k: level for k, level in enumerate(levels)})  # noqa: C416 - levels have names of their own
    plain["count"] = plain.groupby(list(plain.columns), dropna=False).cumcount()
    return pd.MultiIndex.from_frame(plain)


class _Rows:
    """Which rows of two frames go together."""

    def __init__(self, keys: list[Any]) -> None:
        import numpy as np

        self.keys = keys
        places = keys[0].get_indexer(keys[1])
        self.now = np.flatnonzero(places >= 0)
        self.was = places[self.now]
        self.only_now = np.flatnonzero(places < 0)
        there = np.zeros(len(keys[0]), dtype=bool)
        there[self.was] = True
        self.only_was = np.flatnonzero(~there)
        self.changed = np.zeros(len(self.now), dtype=bool)

    @staticmethod
    def count(places: Any) -> int:
        return len(places)

    def changed_count(self) -> int:
        return int(self.changed.sum())

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
    if len(places) and one.dtype.kind in "iuf" and two.dtype.kind in "iuf":
        apart = np.abs(one.iloc[places].to_numpy(float) - two.iloc[places].to_numpy(float))
        found["largest"] = float(np.nanmax(apart)) if not np.all(np.isnan(apart)) else None
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
    columns = found["columns"]
    for what in ("added", "removed"):
        for name, dtype in columns[what]:
            yield f"column {name} ({dtype}) {what}"
    for name, old, new in columns["retyped"]:
        yield f"column {name}: {old} -> {new}"
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


def _more(count: int, samples: Sequence[str]) -> str:
    return f"; and {count - len(samples):,} more" if count > len(samples) else ""
