"""Small data that chains are tried on, and what "equal" means: values, types, labels and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas


def world(pd: Any) -> dict[str, Any]:
    """Return the names that chains use, made with `pd`: pandas, or its lazy stand-in."""
    rows = 12
    df = pd.DataFrame(
        {
            "k": ["b", "a", None, "b", "c", "a", "a", "b", "c", "c", "a", "b"],
            "g": [1, 2, 1, 2, 1, 2, 3, 3, 1, 2, 1, 3],
            "i": [5, 3, 8, 1, 9, 2, 7, 4, 6, 0, 11, 10],
            "f": [0.5, None, 1.5, 2.25, -1.0, None, 3.0, 0.0, 7.5, 2.5, None, 1.0],
            "b": [True, False] * 6,
            "t": pandas.date_range("2024-01-30", periods=rows, freq="7h"),
        }
    )
    right = pd.DataFrame({"k": ["a", "b", "d", "b"], "v": [10, 20, 40, 21], "i": [3, 5, 0, 1]})
    words = pd.Series(["Apple pie", "banana", None, " cherry ", "DATE-9", "a1b2"], name="w")
    days = pd.Series(np.arange(10.0), index=pandas.date_range("2024-02-26", periods=10, freq="D"), name="d")
    s = pd.Series([3, 1, 2, 3, 5], index=list("abcde"), name="s")
    o = pd.Series([10, 20, 30], index=list("bdz"), name="o")
    n = pd.DataFrame({"x": [1, 2, 3, 4], "y": [4.0, 3.0, None, 1.0]}, index=list("pqrs"))
    cat = pd.Series(pandas.Categorical(["lo", "hi", "lo", "mid"], ["lo", "mid", "hi"], ordered=True), name="c")
    mi = pd.DataFrame(
        {"x": range(6), "y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]},
        index=pandas.MultiIndex.from_product([["a", "b"], [1, 2, 3]], names=["one", "two"]),
    )
    e = pd.DataFrame({"a": [1, 2, None], "b": [3, 4, 5], "c": ["x", "y", "z"]})
    return {
        "pd": pd, "np": np, "df": df, "right": right, "words": words, "days": days, "s": s, "o": o, "n": n,
        "cat": cat, "mi": mi, "e": e,
    }  # fmt: skip


def value_of(x: Any) -> Any:
    """Return `x` with values in place of what is lazy."""
    if hasattr(type(x), "__dualdag_node__"):
        return x.compute()
    if isinstance(x, (list, tuple)) and not hasattr(x, "_fields"):
        return type(x)(value_of(one) for one in x)
    if isinstance(x, dict):
        return {key: value_of(one) for key, one in x.items()}
    return x


def assert_same(got: Any, wanted: Any) -> None:
    """Fail unless two plain results are of one class and equal to the last bit."""
    assert type(got) is type(wanted), f"{type(got)} is not {type(wanted)}"
    if isinstance(wanted, pandas.DataFrame):
        pandas.testing.assert_frame_equal(got, wanted, check_exact=True, check_column_type=True, check_freq=True)
        assert type(got.index) is type(wanted.index)
    elif isinstance(wanted, pandas.Series):
        pandas.testing.assert_series_equal(got, wanted, check_exact=True, check_freq=True)
        assert type(got.index) is type(wanted.index)
    elif isinstance(wanted, pandas.Index):
        pandas.testing.assert_index_equal(got, wanted, exact=True)
    elif isinstance(wanted, pandas.api.extensions.ExtensionArray):
        pandas.testing.assert_extension_array_equal(got, wanted)
    elif isinstance(wanted, np.ndarray):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
    elif isinstance(wanted, (list, tuple)):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, dict):
        assert list(got) == list(wanted)
        for key in wanted:
            assert_same(got[key], wanted[key])
    else:
        assert got == wanted or (got != got and wanted != wanted) or wanted is pandas.NaT


def outcome(source: str, pd: Any) -> tuple[str, Any]:
    """Return what a chain gives, or the exception it raises, with `pd` for pandas.

    A chain of several statements leaves its result in ``r``.
    """
    try:
        return "value", value_of(result(source, pd))
    except Exception as error:  # noqa: BLE001 - it is what is compared
        return "error", error


def result(source: str, pd: Any) -> Any:
    """Return what a chain gives, lazy or not."""
    names = world(pd)
    if "\n" in source or "; " in source or source.startswith("r ="):
        exec(source, names)
        return names["r"]
    return eval(source, names)


def lazy_result(source: str, pd: Any) -> Any:
    """Return the lazy object that a chain gives, or None if it gives none."""
    try:
        made = result(source, pd)
    except Exception:  # noqa: BLE001 - some chains need values
        return None
    return made if hasattr(type(made), "__dualdag_node__") else None


def kind_of(value: Any) -> str:
    """Return what a value is, in the words of handles."""
    kinds = {"frame": pandas.DataFrame, "series": pandas.Series, "index": pandas.Index, "array": np.ndarray}
    return next((name for name, cls in kinds.items() if isinstance(value, cls)), "scalar")
