"""Laws of digests: equal values, one digest; another value, another digest."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dualdag.hashing import digest_value
from property_tests.value_strategies import COLUMNS, PLAIN, arrays, frames, indexes, series, told


@given(PLAIN, PLAIN)
def test_plain_data_is_told_apart(one, other):
    assert (digest_value(one) == digest_value(other)) == (told(one) == told(other))


@given(PLAIN)
def test_plain_data_survives_copies(value):
    expected = digest_value(value)
    assert digest_value(copy.deepcopy(value)) == digest_value(pickle.loads(pickle.dumps(value))) == expected
    assert digest_value([value, value]) == digest_value([value, copy.deepcopy(value)]) != expected


@given(frames(max_rows=2), frames(max_rows=2))
def test_frames_are_told_apart(one, other):
    assert (digest_value(one) == digest_value(other)) == (told(one) == told(other))


@given(st.data())
def test_columns_of_one_kind_are_told_apart(data):
    kind = data.draw(st.sampled_from(sorted(COLUMNS)))
    one, other = data.draw(series(2, [kind])), data.draw(series(2, [kind]))
    assert (digest_value(one) == digest_value(other)) == (told(one) == told(other))


@given(st.data())
def test_indexes_are_told_apart(data):
    one, other = data.draw(indexes(2)), data.draw(indexes(2))
    assert (digest_value(one) == digest_value(other)) == (told(one) == told(other))


@given(frames())
def test_a_frame_survives_copies(frame):
    expected = digest_value(frame)
    assert digest_value(frame.copy()) == digest_value(pickle.loads(pickle.dumps(frame))) == expected
    assert digest_value(frame.copy(deep=False)) == expected


@given(frames(), st.lists(st.integers(0, 6), max_size=3))
def test_splitting_and_joining_does_not_show(frame, cuts):
    ends = sorted({0, len(frame), *(min(cut, len(frame)) for cut in cuts)})
    parts = [frame.iloc[a:b] for a, b in pairwise(ends)]
    assume(parts)
    joined = pd.concat(parts)
    joined.attrs = frame.attrs
    assume(told(joined) == told(frame))  # pandas changes some dtypes of object and empty columns
    assert digest_value(joined) == digest_value(frame)


@given(frames())
def test_strides_do_not_show(frame):
    doubled = frame.iloc[np.repeat(np.arange(len(frame)), 2)]
    strided = doubled.iloc[::2].set_axis(frame.index)
    assert digest_value(strided) == digest_value(frame)


@given(frames(min_rows=1, min_columns=1), st.data())
def test_a_changed_cell_shows(frame, data):
    at = data.draw(st.integers(0, frame.shape[1] - 1))
    row = data.draw(st.integers(0, len(frame) - 1))
    other = data.draw(st.integers(0, len(frame) - 1))
    order = np.arange(len(frame))
    order[row] = other
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    columns[at] = columns[at].iloc[order].set_axis(frame.index)
    changed = pd.concat([one.reset_index(drop=True) for one in columns], axis=1).set_axis(frame.index)
    changed.columns, changed.attrs = frame.columns, frame.attrs
    assert (digest_value(changed) == digest_value(frame)) == (told(changed) == told(frame))


@given(frames(min_rows=1, min_columns=1))
def test_labels_names_and_attrs_show(frame):
    expected = digest_value(frame)
    assert digest_value(frame.set_axis([*frame.index[:-1], "another label"])) != expected
    assert digest_value(frame.set_axis([*frame.columns[:-1], "another label"], axis=1)) != expected
    noted = frame.copy()
    noted.attrs = {**frame.attrs, "another": 1}
    assert digest_value(noted) != expected
    assert (
        digest_value(frame.iloc[:, ::-1]) != expected or frame.shape[1] == 1 or told(frame.iloc[:, ::-1]) == told(frame)
    )
    assert digest_value(frame.iloc[:-1]) != expected


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5))
def test_order_and_number_of_categories_show(items):
    column = pd.Series(items, dtype=pd.CategoricalDtype(["a", "b", "c"]))
    others = [
        column.cat.reorder_categories(["b", "a", "c"]),
        column.cat.add_categories("d"),
        column.cat.as_ordered(),
        column.astype("str"),
        column.astype(object),
        column.astype("string"),
    ]
    assert len({digest_value(one) for one in [column, *others]}) == 7


@given(arrays(), st.randoms(use_true_random=False))
def test_layout_of_arrays_does_not_show(array, random):
    expected = digest_value(array)
    shape = [2 * side for side in array.shape]
    wide = np.zeros(shape, array.dtype, order=random.choice("CF"))
    view = wide[tuple(slice(None, None, 2) for _ in shape)] if shape else wide
    view[...] = array
    turned = np.flip(np.flip(array).copy()) if shape else array
    for same in (view, turned, array.copy(order="F"), pickle.loads(pickle.dumps(array))):
        assert digest_value(same) == expected
    assert digest_value(array[None]) != expected


@given(arrays(), arrays())
def test_arrays_are_told_apart(one, other):
    assume(one.dtype.names is None and other.dtype.names is None)
    assert (digest_value(one) == digest_value(other)) == (told(one) == told(other))


@settings(max_examples=60)
@given(frames(max_rows=8), st.integers(0, 8), st.integers(0, 8))
def test_chunks_of_arrow_do_not_show(frame, cut, skipped):
    kept = [i for i in range(frame.shape[1]) if str(frame.dtypes.iloc[i]) != "object"]
    columns = []
    for i in kept:
        try:
            columns.append(pa.array(frame.iloc[:, i].array))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError, NotImplementedError):
            continue
    columns = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in columns]
    table = pa.table(columns, names=[str(i) for i in range(len(columns))])
    expected = digest_value(table)
    cut = min(cut, len(table))
    assert digest_value(pa.concat_tables([table[:cut], table[cut:]])) == expected
    longer = pa.concat_tables([table[: min(skipped, len(table))], table])
    assert digest_value(longer.slice(min(skipped, len(table)))) == expected
