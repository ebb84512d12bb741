"""Numbers, tables and long plans as people read them."""

from __future__ import annotations

import io
import sys

import pytest

import dualdag as dag
from dualdag.report import bytes_text, plan_rows, print_table, seconds_text, table_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1536, "1.5 kB"),
        (999_960, "1.0 MB"),
        (2.5e9, "2.5 GB"),
        (3e15, "3000.0 TB"),
        (None, ""),
    ],
)
def test_bytes(count, text):
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2e-6, "2 us"),
        (0.25, "250 ms"),
        (0.9999, "1.0 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 0 s"),
        (3599.9, "1 h 0 min"),
        (7260, "2 h 1 min"),
        (None, ""),
    ],
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text


def test_plain_table():
    assert table_text(["n", "x"], [["a", "10"], ["bcd", "2"]], right=[1]) == "n     x\n---  --\na    10\nbcd   2"


def test_table_on_a_terminal_takes_text_as_it_is(monkeypatch):
    class Terminal(io.StringIO):
        encoding = "ascii"

        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    print_table(["name"], [["[red]x[/red]"]])
    text = screen.getvalue()
    assert "[red]x[/red]" in text
    assert text.isascii()


@pytest.mark.parametrize("columns", [1, 20, 80, 200])
def test_table_on_a_terminal_loses_nothing_however_narrow(monkeypatch, columns):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    cells = ["n" * 150, "12", "2026-11-21 10:33:39", "naïve 日本", "never run with this function"]
    print_table(["artifact", "version", "made", "label", "reason"], [cells])
    text = screen.getvalue()
    assert text.count("n" * 12) >= 1
    assert len(text.splitlines()[-1]) <= max(columns, 75)
    assert text.count("n") >= 150
    for word in ("artifact", "version", "2026-11-21", "10:33:39", "日本", "function"):
        assert word in text


def test_a_short_plan_has_a_row_per_node():
    part = dag.task(lambda i: i)
    rows = plan_rows(dag.plan([part(i) for i in range(5)], store="memory://tables"))
    assert len(rows) == 5


def test_a_long_plan_puts_together_what_repeats():
    part = dag.task(lambda i: i)
    part.label = "part"
    total = dag.task(sum)([part(i) for i in range(100)]).artifact("total")
    rows = plan_rows(dag.plan(total, store="memory://tables"))
    assert [row[:2] for row in rows] == [("part x 100", "run"), ("total", "run")]


def test_a_long_plan_of_different_nodes_is_cut_in_the_middle():
    part = dag.task(lambda i: i)
    rows = plan_rows(dag.plan([part(i).named(f"n{i}") for i in range(300)], store="memory://tables"))
    assert len(rows) == 101
    assert rows[50][0] == "..."
    assert "200 rows more" in rows[50][2]
    assert rows[-1][0] == "n299"
