"""Chains give what pandas gives: equal values, types, labels and names, or the same exception."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

import dualdag.pandas as lazy
from tests.frames.chains import CHAINS, EAGER
from tests.frames.world import assert_same, kind_of, lazy_result, outcome

pytestmark = pytest.mark.filterwarnings("ignore")


def hold(source: str) -> None:
    """Fail unless a chain gives the same with pandas and lazily."""
    told, wanted = outcome(source, pandas)
    told_lazily, got = outcome(source, lazy)
    if told == "error":
        assert told_lazily == "error", f"pandas raises {wanted!r}"
        assert isinstance(got, type(wanted)), f"pandas raises {wanted!r}, not {got!r}"
        return
    if told_lazily == "error":
        raise got
    assert_same(got, wanted)


@pytest.mark.parametrize("source", [source for _, source in CHAINS])
def test_equals_pandas(source: str, evaluator: Any) -> None:
    hold(source)


@pytest.mark.parametrize("source", [source for _, source in CHAINS[::16]])
def test_equals_pandas_through_the_store(source: str, real: None) -> None:
    hold(source)


@pytest.mark.parametrize("source", [source for topic, source in CHAINS if topic != "errors"])
def test_what_is_told_beforehand_is_so(source: str, evaluator: Any) -> None:
    made = lazy_result(source, lazy)
    if made is None or outcome(source, pandas)[0] == "error":
        return
    handle, value = made._handle, made.compute()
    kind = kind_of(value)
    assert handle.kind in ("any", kind)
    meta = handle.meta
    if meta is None or kind not in ("frame", "series"):
        return
    if kind == "frame":
        assert list(meta.obj.columns) == list(value.columns)
        assert list(meta.obj.columns.names) == list(value.columns.names)
        assert not meta.exact or list(meta.obj.dtypes) == list(value.dtypes)
    else:
        assert meta.obj.name is value.name or meta.obj.name == value.name
        assert not meta.exact or meta.obj.dtype == value.dtype
    assert list(meta.obj.index.names) == list(value.index.names)


@pytest.mark.parametrize(("topic", "source"), CHAINS)
def test_a_chain_runs_nothing(topic: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def refuse(*args: Any, **kwargs: Any) -> None:
        ran.append(args)
        raise RuntimeError

    monkeypatch.setattr("dualdag._api.run", refuse)
    lazy_result(source, lazy)
    if topic == "errors" or source in EAGER:
        return
    assert not ran


def test_there_are_many_chains() -> None:
    assert len(CHAINS) > 800
    assert len({source for _, source in CHAINS}) == len(CHAINS)
    assert {source for _, source in CHAINS} >= EAGER
