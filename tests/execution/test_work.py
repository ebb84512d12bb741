"""What a worker decides by itself: what is worth keeping."""

from __future__ import annotations

import pytest

from dualdag.execution import thaw
from dualdag.execution._work import guess_size, worth_keeping


def test_keeping_what_costs_more_to_make():
    assert not worth_keeping(0.001, 0, local=True)
    assert worth_keeping(0.002, 4096, local=True)
    assert not worth_keeping(0.002, 4097, local=True)
    assert worth_keeping(0.02, 10_000, local=True)
    assert not worth_keeping(0.02, 10_000_000, local=True)
    assert worth_keeping(0.1, 4096, local=False)
    assert not worth_keeping(0.1, 10_000, local=False)
    assert worth_keeping(10.0, 100_000_000, local=False)


def test_sizes_are_guessed_without_encoding():
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert guess_size(numpy.zeros(1000)) == 8000
    assert guess_size(pandas.DataFrame({"x": range(1000)})) >= 8000
    assert guess_size(b"x" * 500) == 500
    assert 20_000 < guess_size(["x" * 100] * 500) < 80_000
    assert guess_size([]) > 0
    assert guess_size(object()) > 0


def test_thawed_arrays_are_the_same_but_writable():
    import numpy as np

    for array in (
        np.arange(4, dtype=">i4"),
        np.arange(6.0).reshape(2, 3).T,
        np.array(5.0),
        np.array([1, "a", [2]], object),
    ):
        array.flags.writeable = False
        held = [array, {"a": array}]
        thawed = thaw(held)
        assert thawed[0].dtype == array.dtype
        assert thawed[0].flags.writeable
        assert thawed[1]["a"] is thawed[0]
        np.testing.assert_array_equal(thawed[0], array)
        assert not array.flags.writeable
