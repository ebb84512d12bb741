"""`dualdag schedule`: what others run by, read as they read it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._crontab import crontab
from dualdag.cli._main import cli
from dualdag.cli._schedule import Job, Schedule
from dualdag.cli._systemd import calendar
from dualdag.graph import next_due, parse_cadence
from property_tests.cron_reference import Cron

FLOW = """
import dualdag as dag

@dag.task
def double(n):
    return [n, n]

word = dag.param("word", "x")
double(word).artifact("raw")
double(1).artifact("hourly", cadence="1h")
double(2).artifact("weekly", cadence="7d")
double(3).artifact("often", cadence="30s")
double(4).artifact("morning", cadence="0 6 * * *", tz="Europe/Berlin")
double(5).artifact("by-hand", cadence="manual")
double(6).artifact("ice", cadence="frozen")
"""
HOUR = timedelta(hours=1)
ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture(autouse=True)
def own_flow(own_modules, monkeypatch):
    Path("flow.py").write_text(FLOW)
    monkeypatch.delenv("PYTHONPATH")


def call(*arguments, status=0):
    result = CliRunner().invoke(cli, ["schedule", *arguments])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.output


def jobs(text):
    """Return the jobs of a crontab: fields and command, as cron hands it to the shell."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            fields, command = re.fullmatch(r"((?:\S+ ){4}\S+) (.*)", line).groups()
            found.append((fields, as_cron_reads_it(command)))
    return found


def as_cron_reads_it(command):
    """The loop over a command's characters in do_command.c of Vixie's cron."""
    out, escaped = "", False
    for char in command:
        if escaped:
            out = out[:-1] + char if char == "%" else out + char
            escaped = False
            continue
        assert char != "%", "cron ends the command here"
        escaped = char == "\\"
        out += char
    return out


def test_a_crontab():
    text = call("flow.py", "--to", "cron", "--tz", "UTC")
    here = Path.cwd()
    run = f"cd {here} && DUALDAG_STORE={here}/.dualdag DUALDAG_PROGRESS=off {shlex.quote(sys.executable)} -m dualdag run {here}/flow.py"
    assert jobs(text) == [
        ("0 * * * *", f"{run} raw --due >/dev/null"),
        ("*/5 * * * *", f"{run} hourly --due >/dev/null"),
        ("0 * * * *", f"{run} weekly --due >/dev/null"),
        ("* * * * *", f"{run} often --due >/dev/null"),
        ("0 4,5 * * *", f"{run} morning --due >/dev/null"),
    ]
    assert "# weekly: 7d; that counts from when it was last made" in text
    assert "# raw: on change; which no clock knows: asked every hour\n" in text
    assert text.splitlines()[-1].startswith("# ice: made once by hand, and never again")
    same = call("flow.py", "morning", "--to", "cron", "--tz", "Europe/Berlin")
    assert [fields for fields, _ in jobs(same)] == ["0 6 * * *"]


JOINED = """
import dualdag as dag

@dag.task
def read(path, use):
    with open(path) as f:
        return f.read()

@dag.task
def join(*texts):
    return " ".join(texts)

daily = read(dag.file("n.txt"), 1).artifact("daily", cadence="1d")
morning = join(read(dag.file("n.txt"), 2), "!").artifact("morning", cadence="30 6 * * *", tz="Europe/Berlin")
between = join(morning, "?").artifact("between")
join(between, daily).artifact("report")
read(dag.file("n.txt"), 3).artifact("copy")
join(daily, "w").artifact("weekly", cadence="7d")
join("h").artifact("by-hand", cadence="manual")
"""


@pytest.mark.parametrize("to", ["cron", "systemd"])
def test_what_changes_is_asked_for_with_what_it_takes(to):
    Path("flow.py").write_text(JOINED)
    Path("n.txt").write_text("1")
    when = {job["artifact"]: job["when"] for job in json.loads(call("flow.py", "--to", to, "--json"))["jobs"]}
    hourly = {"cron": "0 * * * *", "systemd": "*-*-* *:00:00"}[to]
    assert when["copy"] == [hourly]
    assert when["between"] == [hourly, *when["morning"]]
    assert when["report"] == when["between"]


def test_jobs_make_what_due_makes():
    Path("flow.py").write_text(JOINED)
    Path("n.txt").write_text("0")
    text = json.loads(call("flow.py", "--to", "cron", "--tz", "UTC", "--json"))
    lines = {job["artifact"]: [Cron(fields, "UTC") for fields in job["when"]] for job in text["jobs"]}
    start = datetime(2026, 3, 27, 20, tzinfo=UTC)  # summer time begins on the 29th
    for store in ("jobs", "one"):  # what no job makes
        with dag.configure(now=start):
            CliRunner().invoke(cli, ["run", "flow.py", "by-hand", "--store", store, "--backend", "sync"])
    for hour in range(36):
        for at in (start + hour * HOUR, start + hour * HOUR + HOUR / 2):
            asked = [name for name, of in lines.items() if any(line.comes_at(at) for line in of)]
            for names, store in ([[name] for name in asked], "jobs"), ([[]] if asked else [], "one"):
                for some in names:
                    with dag.configure(now=at):
                        arguments = ["run", "flow.py", *some, "--due", "--store", store, "--backend", "sync"]
                        done = CliRunner().invoke(cli, arguments)
                        assert done.exit_code == 0, done.output
        found = [history(store) for store in ("jobs", "one")]
        assert found[0] == found[1], (hour, asked)
        if hour % 5 == 3:
            Path("n.txt").write_text(str(hour))
    assert set(found[0]) == {"daily", "morning", "between", "report", "copy", "weekly", "by-hand"}
    assert len(found[0]["report"]) > 2


def history(store):
    opened = dag.store(store)
    return {
        row.name: [(v.version, v.created, v.digest) for v in opened.versions(row.name)] for row in opened.artifacts()
    }


ODD = "a b%c'd\\%e $HOME"


@pytest.fixture
def odd_place(monkeypatch):
    folder = Path.cwd() / ODD
    folder.mkdir()
    python = folder / "py thon%"
    python.symlink_to(sys.executable)
    (folder / "fl ow.py").write_text(FLOW)
    monkeypatch.chdir(folder)
    # A symlink finds its environment by what lies beside it: pyvenv.cfg is looked for where it was called.
    monkeypatch.setattr(sys, "executable", str(python))
    return folder


def test_a_line_runs_in_a_bare_shell_whatever_the_names(odd_place, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    text = call("fl ow.py", "hourly", "--to", "cron", "--param", "word=100% \\% 'so' \"$HOME\"", "--backend", "sync")
    ((_, command),) = jobs(text)
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    import dualdag as dag

    assert [row.name for row in dag.store(str(odd_place / ".dualdag")).artifacts()] == ["hourly"]
    words = shlex.split(command)
    assert "--param=word=100% \\% 'so' \"$HOME\"" in words
    assert str(odd_place / "fl ow.py") in words


def as_systemd_reads_it(text):
    """Words of a line, as systemd.syntax(7) and systemd.service(5) have them."""
    words = re.findall(r'"(?:\\.|[^"\\])*"|\S+', text)
    plain = [re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word for word in words]
    return [word.replace("%%", "%") for word in plain]


def test_units(odd_place, monkeypatch):
    monkeypatch.setenv("DUALDAG_TZ", "Europe/Berlin")
    found = json.loads(
        call("fl ow.py", "--to", "systemd", "--param", "word=100% $HOME", "--workers", "2", "-o", "units", "--json")
    )
    names = [Path(path).name for path in found["written"]]
    assert len(names) == 10
    assert all(re.fullmatch(r"dualdag-fl_ow-[0-9a-f]{6}-[a-z]+\.(service|timer)", name) for name in names)
    service, timer = (Path(path).read_text() for path in found["written"][2:4])
    lines = dict(line.split("=", 1) for line in service.splitlines() if "=" in line and not line.startswith("#"))
    folder = str(odd_place)
    assert lines["WorkingDirectory"].replace("%%", "%") == folder
    words = as_systemd_reads_it(lines["ExecStart"])
    # systemd takes no program whose path has a quote in it.
    assert [word.replace("$$", "$") for word in words] == [
        "/usr/bin/env", sys.executable,
        "-m", "dualdag", "run", f"{folder}/fl ow.py", "hourly", "--due", "--param=word=100% $HOME", "--workers=2",
    ]  # fmt: skip
    variables = [
        as_systemd_reads_it(line.partition("=")[2])[0]
        for line in service.splitlines()
        if line.startswith("Environment=")
    ]
    assert variables == ["DUALDAG_TZ=Europe/Berlin", f"DUALDAG_STORE={folder}/.dualdag", "DUALDAG_PROGRESS=off"]
    assert "Persistent=true" in timer
    assert "OnCalendar=*-*-* *:00/5:00" in timer
    if ANALYZE:
        done = subprocess.run(
            [ANALYZE, "verify", "--man=no", *found["written"]], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_each_is_printed_with_its_name():
    text = call("flow.py", "--to", "systemd")
    assert len(re.findall(r"^# dualdag-flow-[0-9a-f]{6}-\w+\.timer$", text, re.MULTILINE)) == 5
    assert "#   ice: made once by hand" in text


def test_two_flows_of_one_name_have_two():
    one = json.loads(call("flow.py", "--to", "cron", "--json"))["files"]
    other = json.loads(call("flow.py", "--to", "cron", "--json", "--param", "word=y"))["files"]
    assert one.keys().isdisjoint(other)


def test_secrets_are_not_written_down(monkeypatch):
    monkeypatch.setenv("DUALDAG_SECRET", "hush-hush")
    monkeypatch.setenv("DUALDAG_STORE", "memory://me:hush-hush@place")
    monkeypatch.setenv("DUALDAG_WORKERS", "3")
    for to in ("cron", "systemd"):
        text = call("flow.py", "--to", to)
        assert "hush" not in text
        assert "DUALDAG_WORKERS=3" in text
        assert "# DUALDAG_SECRET is not written down" in text
        assert "# DUALDAG_STORE holds a password" in text


def test_wrong_usage(monkeypatch):
    assert "--to" in call("flow.py", status=2)
    assert "zone itself" in call("flow.py", "--to", "systemd", "--tz", "UTC", status=2)
    assert "not a time zone" in call("flow.py", "--to", "cron", "--tz", "Mars/Base", status=2)
    folder = Path("new\nline")
    folder.mkdir()
    shutil.copy("flow.py", folder)
    monkeypatch.chdir(folder)
    assert "can't be written into a schedule" in call("flow.py", "--to", "cron", status=2)


CADENCES = (
    "0 6 * * *", "30 2 * * *", "15,45 2 * * *", "*/20 * * * *", "0 */6 * * *", "30 23 * * 0", "0 0 1 * *", "0 6 13 * 5",
    "0 6 L * *", "0 6 * * MON#2", "0 6 * * 5L", "10 1-3 * 3,10,11 1-5", "59 23 31 12 *", "@weekly", "5/15 2 * * *", "0 6 * * 7",
)  # fmt: skip
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe")


def due_times(cadence, count, now=None):
    """Return when it is due from now on, each as soon as the one before was made."""
    now = now or datetime.now(UTC).replace(microsecond=0)
    end = now + timedelta(days=380)
    found = []
    while len(found) < count and now < end:
        now = next_due(cadence, last=now.timestamp(), confirmed=None, now=now).astimezone(UTC)
        found.append(now)
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_cron_asks_whenever_something_is_due(zone):
    for text in CADENCES:
        for tz in ("Europe/Berlin", "America/New_York", "Asia/Kolkata"):
            cadence = parse_cadence(text, tz)
            job = Job("a", cadence, ("python",))
            made = crontab(Schedule("flow.py", "flow", "/", {}, (job,), {}, ()), ZoneInfo(zone))
            lines = [Cron(fields.replace("*/20", "0,20,40"), zone) for fields in made.when["a"]]
            for at in due_times(cadence, 400):
                # What falls into the gap may be asked for within the hour after it.
                late = next(k for k in range(62) if any(line.comes_at(at + timedelta(minutes=k)) for line in lines))
                assert late == 0 or changes_between(at - HOUR, at + HOUR, tz, zone), (text, tz, at, made.when)


def changes_between(start, end, *zones):
    return any(start.astimezone(ZoneInfo(z)).utcoffset() != end.astimezone(ZoneInfo(z)).utcoffset() for z in zones)


def asked_by_systemd(events, base, count):
    """Return when systemd would start a timer of these events, as far as all of them are told."""
    command = [ANALYZE, "calendar", f"--iterations={count}", f"--base-time={base:%Y-%m-%d %H:%M:%S}", *events]
    utc = os.environ | {"TZ": "UTC", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, env=utc, check=False)
    assert done.returncode == 0, done.stderr
    told = []
    for part in re.split(r"Normalized form", done.stdout)[1:]:
        shown = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", part)
        told.append([datetime.fromisoformat(one).replace(tzinfo=UTC) for one in shown])
    assert len(told) == len(events)
    return {at for times in told for at in times}, min(times[-1] for times in told)


@pytest.mark.skipif(ANALYZE is None, reason="no systemd here")
@pytest.mark.parametrize("tz", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_systemd_asks_whenever_something_is_due(tz):
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [now + k * HOUR for k in range(380 * 24)]
    bases = [at - 30 * HOUR for at in hours if changes_between(at, at + HOUR, tz)]
    assert len(bases) == 2
    for text in CADENCES[:8]:
        cadence = parse_cadence(text, tz)
        events = calendar(cadence)
        for base in bases:
            asked, reach = asked_by_systemd(events, base, 100 if text.startswith("*/20") else 8)
            missed = [at for at in due_times(cadence, 100, base) if at <= reach and at not in asked]
            # The second pass of an hour that comes twice is asked for when that is over.
            assert all(changes_between(at - HOUR, at + HOUR, tz) for at in missed), (text, missed, events)
            assert len(missed) <= (3 if text.startswith("*/20") else 0)


@pytest.mark.skipif(ANALYZE is None, reason="no systemd here")
def test_systemd_asks_often_enough_about_intervals():
    for text, minutes in {"30s": 1, "90s": 1, "1h": 5, "6h": 30, "1d": 60, "7d": 60}.items():
        asked, _ = asked_by_systemd(calendar(parse_cadence(text, "UTC")), datetime(2026, 3, 1, tzinfo=UTC), 5)
        assert {b - a for a, b in pairwise(sorted(asked))} == {timedelta(minutes=minutes)}
