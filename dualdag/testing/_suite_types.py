"""Part of `BackendSuite`: values of types that engines have ways of their own for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import dualdag as dag
from dualdag.testing._suite_base import SuiteBase

__all__ = ["TypeTests"]


class TypeTests(SuiteBase):
    """Each value comes back as what it was, kept or not, taken by a task or by the caller."""

    def passes(self, node: Any, equal: Any) -> None:
        """Take a value along each way there is: held, kept, loaded in a second run."""
        o = self.odd
        expected = node.op.fn(*node.args)
        for made in (node, o.passed(o.passed(node)), o.same(node), node):
            got = self.run(made)
            assert type(got) is type(expected)
            equal(got, expected)

    def test_named_tuples(self) -> None:
        """Nodes in named tuples are replaced by their values."""
        t = self.tasks
        got = self.run(t.same(t.Place(t.add(0, 1), [t.add(0, 2)])))
        assert got == t.Place(1, [2])
        assert type(got) is t.Place

    def test_defaults(self) -> None:
        """Defaults of keyword-only arguments arrive, also beside nodes."""
        o = self.odd
        assert self.run(o.told(o.same("a"), last=o.same(1))) == "'a', 'a'1"
        assert self.run(o.told(1, times=o.same(3), between="-")) == "1-1-1None"

    def test_order_of_dicts(self) -> None:
        """A dict keeps the order of its keys."""
        given = {name: {"b": 1, "a": 2} for name in "zyxa"}
        got = self.run(self.odd.passed(self.odd.same(given)))
        assert [*got, *got["z"]] == ["z", "y", "x", "a", "b", "a"]

    @pytest.mark.parametrize(
        "kind",
        ["structured", "zero-dimensional", "scalar", "empty", "strided", "transposed", "column-major", "big-endian",
         "dates", "differences", "complex", "text", "bytes", "objects", "masked"],
    )  # fmt: skip
    def test_odd_arrays(self, kind: str) -> None:
        """Arrays of any kind pass: structured, zero-dimensional, strided, masked, dates, objects."""
        numpy = pytest.importorskip("numpy")

        def equal(got: Any, expected: Any) -> None:
            assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
            numpy.testing.assert_array_equal(numpy.ma.getmaskarray(got), numpy.ma.getmaskarray(expected))
            numpy.testing.assert_array_equal(got, expected)

        self.passes(self.odd.array_of(kind), equal)

    @pytest.mark.parametrize(
        "kind", ["categories", "levels", "zones", "empty", "nullable", "repeated names", "lists", "series"]
    )
    def test_odd_frames(self, kind: str) -> None:
        """Frames of any kind pass: categories, levels, time zones, repeated names, lists in cells."""
        pandas = pytest.importorskip("pandas")

        def equal(got: Any, expected: Any) -> None:
            check = pandas.testing.assert_series_equal if kind == "series" else pandas.testing.assert_frame_equal
            check(got, expected, check_freq=False)

        self.passes(self.odd.frame_of(kind), equal)

    def test_arrays_can_be_written_to(self) -> None:
        """Any array that a task or the caller gets can be written to."""
        pytest.importorskip("numpy")
        o = self.odd
        for kind in ("zero-dimensional", "strided", "column-major"):
            array = o.array_of(kind)
            first, second, clean = self.run([o.written(array), o.written(o.passed(array)), array])
            assert (first == 7).all()
            assert (second == 7).all()
            assert not (clean == 7).all()
            clean[...] = 1

    def test_times_and_zones(self) -> None:
        """Times keep their zone, whatever the zone of the worker."""
        values: list[Any] = [
            datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            datetime(2026, 1, 1, 12),  # noqa: DTZ001 - without a zone on purpose
            date(2026, 1, 1),
            timedelta(days=-1, microseconds=3),
        ]
        got = self.run([self.odd.passed(self.odd.same(value)) for value in values])
        assert [repr(one) for one in got] == [repr(value) for value in values]

    def test_a_task_has_its_own_dict(self) -> None:
        """A dict that a task changes is its own copy, and so is what lies in it."""
        o = self.odd
        given = o.same({"a": [1], "b": {"c": 2}})
        got = self.run([o.popped(given, "a"), o.popped(given, "a"), o.popped(given["b"], "c"), given])
        assert got == [[1], [1], 2, {"a": [1], "b": {"c": 2}}]

    def test_shared_literal(self) -> None:
        """A literal that many tasks take is each task's own copy."""
        shared = dag.value([0] * 20_000)
        nodes = [self.tasks.append(shared, k) for k in range(40)]
        got = self.run(self.odd.passed(nodes))
        assert [one[-1] for one in got] == list(range(40))
        assert {len(one) for one in got} == {20_001}

    def test_very_large_values(self) -> None:
        """Values of 200 MB pass."""
        self.needs(self.long, "not tried: it takes long")
        pytest.importorskip("numpy")
        t = self.tasks
        array = t.make_array(25_000_000).options(persist=False)
        assert self.run(t.array_sum(self.odd.passed(array))) == 25_000_000 * 24_999_999 / 2
