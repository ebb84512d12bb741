"""What the page about cadences shows is what is printed."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cadence.md").read_text(encoding="utf-8")
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_flow(own_modules):
    Path("flow.py").write_text(re.search(r'```python title="flow.py"\n(.*?)```\n', PAGE, re.DOTALL)[1])
    Path("n.txt").write_text("1")


def shown(mark):
    """Return a block of the page that shows what is printed."""
    return re.search(rf"<!-- {mark} -->\n```text\n(.*?)```\n", PAGE, re.DOTALL)[1]


def call(*arguments):
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_what_comes_next(in_zone):
    in_zone("Europe/Berlin")
    for now in (MONDAY, MONDAY + timedelta(minutes=1)):
        with dag.configure(now=now):
            printed = call("run", "flow.py", "--due", "--backend", "sync")
    assert printed == shown("due")


def test_the_schedules(monkeypatch):
    here = str(Path.cwd())
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setattr(sys, "executable", f"{here}/.venv/bin/python")

    def schedule(*arguments):
        text = call("schedule", "flow.py", *arguments).replace(here, "/home/ada/sales")
        return re.sub(r"dualdag-flow-[0-9a-f]{6}", "dualdag-flow-5be1ac", text)

    assert schedule("--to", "cron", "--tz", "UTC") == shown("cron")
    assert schedule("report", "--to", "systemd") == shown("service") + "\n" + shown("timer")
