"""Values of all kinds, and a slow, plain account of what a value is, to hold digests and codecs to."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from hypothesis.extra import pandas as pdst

# Small pools, so that two draws are often equal, or nearly so.
TEXTS = st.sampled_from(["", "a", "b", "ab", "ü", "日本", "\U0001f600", "a\0", "None", "nan"])
INTS = st.one_of(st.integers(-2, 3), st.sampled_from([2**31, 2**53 + 1, -(2**63), 2**63 - 1]))
FLOATS = st.sampled_from([0.0, -0.0, 1.0, 1.5, math.nan, math.inf, -math.inf, 5e-324, 1e22])
DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1))
TIMES = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1))  # noqa: DTZ001
ZONES = st.sampled_from([dt.UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("UTC"), dt.timezone(dt.timedelta(hours=5.5))])
UNITS = st.sampled_from(["s", "ms", "us", "ns"])


def _maybe(values):
    return st.one_of(st.none(), values)


def _dtype(pool, dtype):
    return lambda n: st.lists(_maybe(pool), min_size=n, max_size=n).map(lambda items: pd.Series(items, dtype=dtype))


def _objects(pool):
    return _dtype(pool, object)


def _numbers(dtype):
    return lambda n: npst.arrays(dtype, n).map(pd.Series)


def _categories(pool, ordered):
    def make(n):
        labels = st.lists(pool, unique=True, max_size=4)
        return labels.flatmap(
            lambda found: st.lists(st.integers(-1, len(found) - 1), min_size=n, max_size=n).map(
                lambda codes: (
                    pd.Series(pd.Categorical.from_codes(codes, pd.Index(found), ordered=ordered))
                    if found
                    else pd.Series(pd.Categorical([None] * n, categories=pd.Index([], dtype="int64")))
                )
            )
        )

    return make


def _times(n):
    @st.composite
    def make(draw):
        items = draw(st.lists(_maybe(TIMES), min_size=n, max_size=n))
        made = pd.Series(items, dtype="M8[us]").astype(f"M8[{draw(UNITS)}]")
        zone = draw(_maybe(ZONES))
        return made if zone is None else made.dt.tz_localize("UTC").dt.tz_convert(zone)

    return make()


def _spans(n):
    spans = st.timedeltas(dt.timedelta(-5), dt.timedelta(5))
    return st.tuples(st.lists(_maybe(spans), min_size=n, max_size=n), UNITS).map(
        lambda drawn: pd.Series(drawn[0], dtype="m8[us]").astype(f"m8[{drawn[1]}]")
    )


def _periods(n):
    ordinals = st.lists(_maybe(st.integers(-5, 5)), min_size=n, max_size=n)
    return st.tuples(ordinals, st.sampled_from(["M", "D", "W-SUN", "2h"])).map(
        lambda drawn: pd.Series(
            pd.arrays.PeriodArray(
                np.array([np.iinfo("i8").min if one is None else one for one in drawn[0]], "i8"),
                dtype=pd.PeriodDtype(drawn[1]),
            )
        )
    )


def _intervals(n):
    return st.tuples(
        st.lists(st.integers(-3, 3), min_size=n, max_size=n), st.sampled_from(["left", "right", "both"])
    ).map(lambda drawn: pd.Series(pd.arrays.IntervalArray.from_arrays(drawn[0], [i + 1 for i in drawn[0]], drawn[1])))


def _arrow(pool, kind):
    return lambda n: st.lists(_maybe(pool), min_size=n, max_size=n).map(
        lambda items: pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(items, kind)])))
    )


#: Kind of column -> strategy for a series of n rows.
COLUMNS = {
    **{name: _numbers(name) for name in ("bool", "int8", "uint16", "int64", "uint64", "float32", "float64")},
    "floats": lambda n: st.lists(FLOATS, min_size=n, max_size=n).map(lambda items: pd.Series(items, dtype="float64")),
    "complex": lambda n: st.lists(FLOATS, min_size=n, max_size=n).map(
        lambda items: pd.Series(items, dtype="complex128")
    ),
    "str": _dtype(TEXTS, "str"),
    "string": _dtype(TEXTS, "string[python]"),
    "string arrow": _dtype(TEXTS, "string[pyarrow]"),
    "object str": _objects(TEXTS),
    "object bool": _objects(st.booleans()),
    "object int": _objects(INTS),
    "object date": _objects(DAYS),
    "object mixed": _objects(
        st.one_of(TEXTS, INTS, FLOATS, st.binary(max_size=2), st.tuples(INTS), st.lists(TEXTS, max_size=2))
    ),
    "Int64": _dtype(INTS, "Int64"),
    "Float64": _dtype(st.sampled_from([0.0, -0.0, 1.5, math.inf]), "Float64"),
    "boolean": _dtype(st.booleans(), "boolean"),
    "category": _categories(TEXTS, ordered=False),
    "category int": _categories(st.integers(-2, 3), ordered=True),
    "times": _times,
    "spans": _spans,
    "periods": _periods,
    "intervals": _intervals,
    "arrow int": _arrow(INTS, pa.int64()),
    "arrow list": _arrow(st.lists(_maybe(INTS), max_size=2), pa.list_(pa.int64())),
    "sparse": lambda n: st.lists(st.integers(0, 2), min_size=n, max_size=n).map(
        lambda items: pd.Series(pd.arrays.SparseArray(items, fill_value=0))
    ),
}

LABELS = st.one_of(_maybe(TEXTS), st.integers(-2, 3), st.tuples(TEXTS, st.integers(0, 2)))
ATTRS = st.dictionaries(TEXTS, st.one_of(st.none(), INTS, TEXTS, st.lists(INTS, max_size=2)), max_size=2)
_NOT_LABELS = {"complex", "arrow list", "object mixed", "sparse"}


@st.composite
def indexes(draw, n):
    """Draw an index of n labels."""
    kind = draw(st.sampled_from(["default", "range", "column", "levels", "freq"]))
    name = draw(_maybe(TEXTS))
    if kind == "default":
        return pd.RangeIndex(n)
    if kind == "range":
        start, step = draw(st.integers(-3, 3)), draw(st.sampled_from([1, 2, -1]))
        return pd.RangeIndex(start, start + step * n, step, name=name)
    if kind == "freq":
        freq = draw(st.sampled_from(["D", "2h", "MS"]))
        return pd.date_range("2020-03-28", periods=n, freq=freq, tz=draw(_maybe(ZONES)), name=name)
    one = draw(series(n, COLUMNS.keys() - _NOT_LABELS))
    if kind == "column":
        return pd.Index(one, name=name)
    other = draw(series(n, ["str", "int8", "times"]))
    return pd.MultiIndex.from_arrays([one, other], names=[name, draw(_maybe(TEXTS))])


@st.composite
def series(draw, n, kinds=()):
    """Draw a series of n rows with a plain index, of any kind or of one of those given."""
    return draw(COLUMNS[draw(st.sampled_from(sorted(kinds or COLUMNS)))](n))


@st.composite
def frames(draw, max_rows=6, min_rows=0, min_columns=0):
    """Draw a frame of any dtypes, labels and attrs."""
    if not min_rows and not min_columns and draw(st.integers(0, 9)) == 0:
        return draw(pdst.data_frames([pdst.column("a", dtype=float), pdst.column("b", dtype=np.dtype("M8[ns]"))]))
    n = draw(st.integers(min_rows, max_rows))
    columns = [draw(series(n)) for _ in range(draw(st.integers(min_columns, 4)))]
    index = draw(indexes(n))
    made = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(n)).set_axis(index)
    if draw(st.booleans()):
        made.columns = pd.Index([draw(LABELS) for _ in columns], tupleize_cols=False)
    elif draw(st.booleans()):
        made.columns = draw(indexes(len(columns)))
    made.attrs = draw(ATTRS)
    return made


def arrays():
    """Draw NumPy arrays of any dtype that npy keeps."""
    kinds = st.one_of(npst.scalar_dtypes(), npst.array_dtypes(npst.scalar_dtypes(), max_size=3))
    return kinds.flatmap(lambda kind: npst.arrays(kind, npst.array_shapes(min_dims=0, min_side=0, max_side=4)))


_atoms = st.one_of(st.none(), st.booleans(), INTS, FLOATS, TEXTS, st.binary(max_size=3), st.integers(0, 2**70), DAYS)
_hashable = st.recursive(
    _atoms, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)), max_leaves=4
)
#: Plain data: containers of containers of numbers, texts and dates.
PLAIN = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(_hashable, inner, max_size=3),
        st.sets(_hashable, max_size=3),
    ),
    max_leaves=8,
)


def told(value):
    """Return what a value is, in plain words: equal for values that nothing can tell apart."""
    if isinstance(value, pd.DataFrame):
        columns = [_told_column(value.iloc[:, i]) for i in range(value.shape[1])]
        return "frame", columns, told(value.columns), told(value.index), told(value.attrs)
    if isinstance(value, pd.Series):
        return "series", _told_column(value), told(value.index), told(value.name), told(value.attrs)
    if isinstance(value, pd.MultiIndex):
        kinds = [repr(level.dtype) for level in value.levels]
        return "levels", kinds, [told(value.get_level_values(i)) for i in range(value.nlevels)], told(list(value.names))
    if isinstance(value, pd.RangeIndex):
        return "range", value.start, value.stop, value.step, told(value.name)
    if isinstance(value, pd.Index):
        return type(value).__name__, _told_column(value), told(value.name), str(getattr(value, "freq", None))
    if isinstance(value, np.ndarray):
        return "array", repr(value.dtype.newbyteorder("<")), value.shape, [told(one) for one in value.ravel().tolist()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [told(one) for one in value]
    if isinstance(value, dict):
        return "dict", [(told(key), told(one)) for key, one in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, map(told, value)))
    return type(value).__name__, repr(value)


def _told_column(column):
    kind = repr(column.dtype)
    if isinstance(column.dtype, pd.CategoricalDtype):
        kind = "category", column.dtype.ordered, _told_column(column.dtype.categories)
    return kind, [told(one) for one in column.astype(object)]
