"""Part of `BackendSuite`: files, records, artifacts, what is run again and what is not."""

from __future__ import annotations

import os
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.testing._suite_base import SuiteBase

__all__ = ["KeepingTests"]


class KeepingTests(SuiteBase):
    """What is known is not run again, and what is run again is right."""

    # Files.

    def test_files(self, tmp_path: Path) -> None:
        """A file's content decides what runs again."""
        t = self.tasks
        path = tmp_path / "in.txt"
        path.write_text("one")
        node = t.counted(self.folder, "reader", t.read(dag.file(path)))
        assert self.run(node) == "one"
        assert self.run(node) == "one"
        assert self.marks("reader") == 1
        path.write_text("two!")
        assert self.run(node) == "two!"
        os.utime(path, (1, 1))
        assert self.run(node) == "two!"
        assert self.marks("reader") == 2

    def test_lists_of_files(self, tmp_path: Path) -> None:
        """A file that is added to a pattern is seen."""
        t = self.tasks
        for name in ("b", "a"):
            (tmp_path / f"{name}.csv").write_text(name)
        node = t.read_all(dag.files(tmp_path / "*.csv"))
        assert self.run(node) == {"a.csv": "a", "b.csv": "b"}
        (tmp_path / "c.csv").write_text("c")
        assert self.run(node) == {"a.csv": "a", "b.csv": "b", "c.csv": "c"}

    def test_missing_file(self, tmp_path: Path) -> None:
        """A missing file is named before anything runs."""
        with pytest.raises(dag.GraphError, match=r"nowhere\.txt"):
            self.run(self.tasks.read(dag.file(tmp_path / "nowhere.txt")))

    def test_file_that_always_moves(self, tmp_path: Path) -> None:
        """A file that changes while it is read is named after three tries."""
        path = tmp_path / "restless.txt"
        path.write_text("0")
        node = self.tasks.write_to(dag.file(path), "x")
        # The first call changes the content; the second run of the task leaves it as it is, but newer.
        with pytest.raises(dag.StoreError, match=r"restless\.txt"):
            self.run(node)

    def test_file_results(self) -> None:
        """A file as a result reaches tasks and the caller as a path."""
        t = self.tasks
        assert self.run(t.read_file(t.write_file(self.folder, "text"))) == "text"
        got = self.run(t.write_file(self.folder, "text"))
        assert Path(got).read_text() == "text"

    # Keeping.

    def test_second_run_runs_nothing(self) -> None:
        """A second run runs nothing."""
        t = self.tasks
        node = t.total([t.add(i, i) for i in range(20)])
        assert self.executed(node) == 21
        assert self.executed(node) == 0
        assert self.run(node) == 380

    def test_edit_runs_what_it_touches(self) -> None:
        """An edit runs what it touches and no more."""
        t = self.tasks
        heads = [t.counted(self.folder, f"h{i}", i).options(persist=True) for i in range(3)]
        self.run(t.total(heads))
        more = [*heads, t.counted(self.folder, "new", 10)]
        assert self.run(t.total(more)) == 13
        assert [self.marks(f"h{i}") for i in range(3)] == [1, 1, 1]

    def test_early_cutoff(self) -> None:
        """An input that changed but gave the same bytes runs nothing below it."""
        t = self.tasks
        below = t.counted(self.folder, "below", t.parity(3))
        assert self.run(below) == 1
        other = t.counted(self.folder, "below", t.parity(5))
        assert self.run(other) == 1
        assert self.marks("below") == 1

    def test_handle_without_object_is_a_recipe(self) -> None:
        """A result that was not kept is made again where it is needed, and only there."""
        t = self.tasks
        loose = t.counted(self.folder, "loose", 4)
        assert self.run(t.add(loose, 1)) == 5
        assert self.run(t.add(loose, 2)) == 6
        assert self.run([t.add(loose, 1), t.add(loose, 2)]) == [5, 6]
        assert self.marks("loose") <= 2

    def test_equal_actions_run_once(self) -> None:
        """Two nodes that do the same run once."""
        t = self.tasks
        # Two keys, one action: what they take has the same bytes.
        one = t.counted(self.folder, "twin", t.parity(1))
        two = t.counted(self.folder, "twin", t.parity(3))
        assert self.run([one, two]) == [1, 1]
        assert self.marks("twin") == 1
        assert self.executed([one, two]) == 0

    def test_persist(self) -> None:
        """`persist` decides what is kept."""
        t = self.tasks
        kept = t.counted(self.folder, "kept", 1).options(persist=True)
        never = t.counted(self.folder, "never", 2).options(persist=False)
        costly = t.nap(0.3, t.counted(self.folder, "auto", 3))
        self.run(t.total([kept, never, costly]))
        assert dag.plan(kept, store=self.store).counts == {"reuse": 1, "run": 0, "check": 0, "pinned": 0}
        assert dag.plan(never, store=self.store).counts == {"reuse": 0, "run": 1, "check": 0, "pinned": 0}
        assert dag.plan(costly, store=self.store).counts == {"reuse": 1, "run": 0, "check": 0, "pinned": 0}
        assert self.run(never) == 2
        assert self.run(never) == 2
        assert self.marks("never") == 3

    def test_artifacts(self) -> None:
        """Artifacts are published, and found by name."""
        t = self.tasks
        raw = t.counted(self.folder, "raw", [1, 2]).artifact("raw")
        sum_ = t.total(raw).artifact("sum")
        assert self.run(sum_) == 3
        assert dag.load("raw", store=self.store) == [1, 2]
        assert dag.load("sum", store=self.store) == 3
        self.run(sum_)
        assert len(dag.store(self.store).versions("sum")) == 1
        rows = {row.name: (row.action, row.version) for row in self.result(sum_).rows}
        assert rows == {"raw": ("reuse", 1), "sum": ("reuse", 1)}

    def test_versions_follow_the_value(self) -> None:
        """Another value is another version; the same value is none."""
        t = self.tasks
        self.run(t.add(1, 1).artifact("a"))
        self.run(t.add(0, 2).artifact("a"))
        assert [v.version for v in dag.store(self.store).versions("a")] == [1]
        self.run(t.add(5, 5).artifact("a"))
        assert [v.version for v in dag.store(self.store).versions("a")] == [2, 1]
        assert dag.load("a", 1, store=self.store) == 2

    def test_cadence(self) -> None:
        """An artifact that is not due is not looked at."""
        t = self.tasks
        node = t.nth(self.folder, "daily").artifact("daily", "1d")
        day = datetime(2026, 1, 1, tzinfo=UTC)
        assert self.run(node, now=day) == 1
        assert self.run(node, now=day + timedelta(hours=5)) == 1
        # A day later it is due, and found: nothing above it changed.
        assert self.run(node, now=day + timedelta(days=1)) == 1
        assert dag.plan(node, store=self.store, now=day + timedelta(days=1, hours=5)).counts["pinned"] == 1

    def test_refresh(self) -> None:
        """`refresh` runs a node again, and its new result stays in force."""
        t = self.tasks
        top = t.nth(self.folder, "top").named("top")
        below = t.add(top, 100)
        assert self.run(below) == 101
        assert self.run(below, refresh=["top"]) == 102
        assert self.run(below) == 102
        assert self.executed(below) == 0
        assert self.run(t.add(top, 200)) == 202

    def test_refresh_that_gives_the_same(self) -> None:
        """A refresh that gives the same bytes runs nothing below it."""
        t = self.tasks
        top = t.counted(self.folder, "top", 1).named("top")
        below = t.counted(self.folder, "below", top)
        self.run(below)
        assert self.run(below, refresh="top") == 1
        assert (self.marks("top"), self.marks("below")) == (2, 1)

    def test_not_deterministic(self) -> None:
        """A task that is not deterministic gives all below it one value."""
        t = self.tasks
        first = t.moment(self.folder)
        one, two = t.same(first), t.listed(first)
        got_one, got_two = self.run([one, two])
        assert got_two == [[got_one], {}]
        assert self.run(t.add(first, "!")) == got_one + "!"
        assert self.marks("moment") == 1

    def test_unstable_task_is_found_out(self) -> None:
        """A task that gives other bytes the second time is found out, and all below it agree."""
        t = self.tasks
        loose = t.nth(self.folder, "loose")
        assert self.run(t.add(loose, 10)) == 11
        with pytest.warns(RuntimeWarning, match="nth"):
            assert self.run([t.add(loose, 10), t.add(loose, 20)]) == [12, 22]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert self.run([t.add(loose, 10), t.add(loose, 20), t.add(loose, 30)]) == [12, 22, 32]

    def test_lost_object_is_made_again(self) -> None:
        """A damaged object is made again, with a warning."""
        t = self.tasks
        # Too much to lie inside its record.
        many = list(range(5000))
        node = t.counted(self.folder, "made", many).options(persist=True)
        assert self.run(node) == many
        for path in Path(self.store, "objects").rglob("*"):
            if path.is_file():
                path.chmod(0o644)
                path.write_bytes(b"damaged")
        with pytest.warns(Warning, match="counted"):
            assert self.run(node) == many
        assert self.run(t.append(node, 3)) == [*many, 3]
        assert self.marks("made") == 2
