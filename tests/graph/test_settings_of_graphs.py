"""Cadences, parameters and settings: what is understood, and what is refused with a reason."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import dualdag as dag
from dualdag.config import parse_bytes, settings
from dualdag.graph import Raw, parse_cadence


@dag.task
def one():
    return 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h", 3600), ("7d", 604800), ("1d12h", 129600), ("1.5h", 5400), ("2w", 1209600)],
)
def test_intervals(text, seconds):
    assert parse_cadence(text, "UTC").seconds == seconds


@pytest.mark.parametrize("text", ["0 6 * * *", "*/5 * * * *", "@daily", "0 6 L * *", "0 6 * * MON#2"])
def test_cron(text):
    assert parse_cadence(text, "Europe/Berlin").kind == "cron"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "h",
        "0s",
        "-1h",
        "1h1h",
        "1m1h",
        "1:30",
        "1M",
        "１h",
        "daily",
        "0 6 * *",
        "0 0 6 * * *",
        "0 0 30 2 *",
        "61 * * * *",
        3600,
        ["1h"],
        "1 h",
    ],
)
def test_cadences_that_are_none(text):
    with pytest.raises(dag.ConfigError, match="cadence="):
        one().artifact("x", cadence=text)


def test_zones():
    assert one().artifact("x", cadence="0 6 * * *", tz="America/New_York").extra.artifacts[0].cadence.tz
    with pytest.raises(dag.ConfigError, match="IANA"):
        one().artifact("x", cadence="0 6 * * *", tz="Mars/Olympus")
    with pytest.raises(dag.ConfigError, match="IANA"):
        one().artifact("x", cadence="0 6 * * *", tz=["UTC"])


def test_params():
    assert dag.param("rate", 0.5) == 0.5
    with dag.params(rate=2):
        value = dag.param("rate", 0.5)
        assert value == 2.0
        assert type(value) is float
        with dag.params(rate=3):
            assert dag.param("rate", 0.5) == 3.0
    with pytest.raises(dag.ConfigError, match="rat.*'rate'"), dag.params(rat=1):
        dag.param("rate", 0.5)
    with pytest.raises(dag.ConfigError, match="must be a int"), dag.params(days="x"):
        dag.param("days", 7)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("3", 1, 3),
        ("0.5", 1.0, 0.5),
        ("yes", False, True),
        ("a b", "x", "a b"),
        ("[1, 2]", [0], [1, 2]),
        ("on", False, True),
        ("2024-01-31", date(2020, 1, 1), date(2024, 1, 31)),
    ],
)
def test_params_from_a_command_line(text, default, value):
    with dag.params(p=Raw(text)):
        assert dag.param("p", default) == value


def test_classes_of_params():
    with dag.params(p=Raw("[1]")):
        assert dag.param("p", None, type=list[int]) == [1]
    with dag.params(p=[1]):
        assert dag.param("p", None, type=list[int]) == [1]
    for wrong in (int | None, "int", 3):
        with pytest.raises(dag.ConfigError, match="is no class"):
            dag.param("p", 1, type=wrong)


@pytest.mark.parametrize(
    ("text", "default"), [("x", 1), ("2024-13-01", date(2020, 1, 1)), ("maybe", True), ("{}", [0]), ("1.5", 2)]
)
def test_params_of_a_wrong_type(text, default):
    with pytest.raises(dag.ConfigError, match="--param p="), dag.params(p=Raw(text)):
        dag.param("p", default)


def test_settings_in_their_order(monkeypatch, tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.dualdag]\nbackend = "sync"\nworkers = 3\nstore = "kept"\n')
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    for name in ("BACKEND", "WORKERS", "STORE"):
        monkeypatch.delenv(f"DUALDAG_{name}", raising=False)
    assert settings().backend == "sync"
    assert settings().workers == 3
    assert Path(settings().store) == tmp_path / "kept"
    monkeypatch.setenv("DUALDAG_WORKERS", "4")
    assert settings().workers == 4
    with dag.configure(workers=5):
        assert settings().workers == 5
        assert settings(workers=6).workers == 6
    assert settings().workers == 4


def test_the_default_store(monkeypatch, tmp_path):
    monkeypatch.delenv("DUALDAG_STORE", raising=False)
    project = tmp_path / "project"
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    (project / ".git").mkdir()
    monkeypatch.chdir(inner)
    assert Path(settings().store) == inner / ".dualdag"
    (project / "pyproject.toml").write_text("")
    assert Path(settings().store) == project / ".dualdag"
    (tmp_path / ".dualdag").mkdir()
    assert Path(settings().store) == project / ".dualdag"
    (project / "a" / ".dualdag").mkdir()
    assert Path(settings().store) == project / "a" / ".dualdag"


@pytest.mark.parametrize(
    "bad",
    [
        {"workers": 0},
        {"workers": "many"},
        {"engine": "spark"},
        {"durable": "maybe"},
        {"memory": "x"},
        {"bakend": "x"},
        {"now": "today"},
        {"store": ""},
        {"tz": "Mars/Olympus"},
        {"tz": 1},
    ],
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(dag.ConfigError, match=next(iter(bad))[:4]):
        settings(**bad)


def test_a_zone_of_the_environment_is_checked_where_it_stands(monkeypatch):
    monkeypatch.setenv("DUALDAG_TZ", "Mars/Olympus")
    with pytest.raises(dag.ConfigError, match="DUALDAG_TZ"):
        one().artifact("x", cadence="0 6 * * *")


def test_a_broken_project_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.dualdag\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dag.ConfigError, match=r"pyproject\.toml"):
        settings()
    (tmp_path / "pyproject.toml").write_text("[tool.dualdag]\nbakend = 'x'\n")
    with pytest.raises(dag.ConfigError, match="backend"):
        settings()


def test_bytes():
    assert [parse_bytes(t) for t in ("2GB", "1KiB", "5", 7, "1.5k")] == [2_000_000_000, 1024, 5, 7, 1500]
    assert parse_bytes("two") is None
