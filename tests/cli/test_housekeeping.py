"""`dualdag gc`, `dualdag ls --sizes` and `dualdag cp`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli

LARGE = 10_000


@dag.task
def number(n):
    return b"%d" % n * LARGE


@pytest.fixture
def url(tmp_path):
    folder = str(tmp_path / "store")
    for n in range(3):
        dag.run(number(n).artifact("number"), store=folder, backend="sync", progress="off")
    return folder


def call(*words):
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def test_gc(url, monkeypatch):
    told = call("gc", "--keep", "1", "--dry-run", "--store", url)
    assert "2 versions" in told
    assert "would go" in told
    found = json.loads(call("gc", "--keep", "2", "--older-than", "10d", "--max-bytes", "1GB", "--store", url, "--json"))
    assert (found["dry_run"], found["versions"]) == (False, 0)
    monkeypatch.setattr("dualdag.store._housekeeping.this_user", lambda: "another")
    told = call("gc", "--keep", "1", "--store", url)
    assert "it is not known that you made" in told
    assert len(dag.store(url).versions("number")) == 3
    told = call("gc", "--keep", "1", "--no-dry-run", "--store", url)
    assert "2 versions" in told
    assert "went" in told
    assert len(dag.store(url).versions("number")) == 1


@pytest.mark.parametrize("words", [("--keep", "0"), ("--older-than", "soon"), ("--max-bytes", "much")])
def test_gc_of_limits_that_are_none(url, words):
    done = CliRunner().invoke(cli, ["gc", *words, "--store", url])
    assert done.exit_code == 2
    assert words[1] in done.output


def test_sizes(url):
    assert "number" in call("ls", "--sizes", "--store", url)
    [row] = json.loads(call("ls", "--sizes", "--store", url, "--json"))
    assert row["versions"] == 3
    assert row["nbytes"] >= 3 * LARGE


def test_cp(url, tmp_path):
    two = str(tmp_path / "two")
    assert "1 version, " in call("cp", url, two, "number")
    assert dag.load("number", store=two) == b"2" * LARGE
    found = json.loads(call("cp", url, two, "--json"))
    assert (found["versions"], found["there"]) == (0, 2)
    three = str(tmp_path / "three")
    assert json.loads(call("cp", url, three, "--all-versions", "--json"))["versions"] == 3
    for words in (["cp", url, two, "--version", "1"], ["cp", url], ["cp", url, two, "--store", two]):
        assert CliRunner().invoke(cli, words).exit_code == 2
    done = CliRunner().invoke(cli, ["cp", url, two, "number", "--version", "1"])
    assert done.exit_code == 3
    assert "newer than version 1" in done.output
