"""The subcommands, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli
from dualdag.testing._store_suite_base import a_version

FLOW = """
import dualdag as dag

@dag.task
def numbers(n):
    return list(range(n))

@dag.task
def total(values):
    return sum(values)

values = numbers(dag.param("n", 10)).artifact("numbers")
total(values).artifact("total", cadence="1d")
"""


@pytest.fixture(autouse=True)
def own_flow(own_modules):
    Path("flow.py").write_text(FLOW)


def call(*arguments, status=0):
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == status, result.output
    return result


def answer(*arguments, status=0):
    return json.loads(call(*arguments, "--json", status=status).stdout)


def test_run_ends_with_a_table():
    lines = call("run", "flow.py").stdout.splitlines()
    assert lines[0].split() == ["artifact", "action", "seconds", "bytes", "version"]
    assert [line.split()[:2] for line in lines[2:4]] == [["numbers", "run"], ["total", "run"]]
    assert lines[-1] == "2 tasks run"
    assert call("run", "flow.py").stdout.splitlines()[-1] == "0 tasks run"


def test_run_as_json():
    found = answer("run", "flow.py")
    assert found["executed"] == 2
    assert [(row["name"], row["action"], row["version"]) for row in found["artifacts"]] == [
        ("numbers", "run", 1),
        ("total", "run", 1),
    ]
    assert dag.store().run(found["run"])[0].status == "done"


def test_named_artifacts_only():
    assert [row["name"] for row in answer("run", "flow.py", "numbers")["artifacts"]] == ["numbers"]
    assert answer("run", "flow.py", "total", "numbers")["executed"] == 1


def test_params_and_refresh():
    call("run", "flow.py", "--param", "n=3")
    assert dag.load("numbers") == [0, 1, 2]
    assert answer("run", "flow.py", "-p", "n=3", "--refresh", "numbers")["executed"] == 1
    assert answer("run", "flow.py", "-p", "n=3", "--refresh", "numbers", "--refresh", "total")["executed"] == 2


def test_options_reach_the_run():
    answer("run", "flow.py", "--backend", "sync", "--store", "elsewhere", "--workers", "1", "--keep-going")
    assert dag.load("total", store="elsewhere") == 45
    assert not Path(".dualdag").exists()


def test_plan_runs_nothing():
    found = answer("plan", "flow.py")
    assert found["counts"] == {"reuse": 0, "run": 2, "check": 0, "pinned": 0}
    assert [node["name"] for node in found["nodes"]] == ["numbers", "total"]
    assert not Path(".dualdag", "objects").exists()
    call("run", "flow.py")
    assert "pinned 1" in call("plan", "flow.py", "total").stdout
    assert answer("plan", "flow.py", "--refresh", "numbers")["counts"]["run"] == 1


def test_flow_of_the_project():
    Path("pyproject.toml").write_text('[tool.dualdag]\nflow = "flow.py"\n')
    assert len(answer("run")["artifacts"]) == 2
    assert [row["name"] for row in answer("run", "total")["artifacts"]] == ["total"]
    assert len(answer("run", "numbers")["artifacts"]) == 1
    Path("other.py").write_text(FLOW.replace('"total"', '"other"'))
    assert [row["name"] for row in answer("run", "other.py", "other")["artifacts"]] == ["numbers", "other"]
    assert answer("plan")["counts"]["run"] == 0
    message = answer("run", "toatl", status=2)["error"]["message"]
    assert "Did you mean 'total'?" in message
    assert "no file nosuch.py" in answer("run", "nosuch.py", status=2)["error"]["message"]


def test_a_flow_of_the_project_that_is_no_text():
    Path("pyproject.toml").write_text("[tool.dualdag]\nflow = 3\n")
    assert "flow ([tool.dualdag])=3 is no file" in call("run", status=2).stderr


def test_without_a_flow_it_says_what_to_type():
    result = call("run", status=2)
    assert "dualdag run flow.py" in result.stderr
    assert "[tool.dualdag]" in result.stderr
    assert result.stdout == ""


def test_ls():
    assert "no artifacts" in call("ls").stdout
    assert answer("ls") == []
    call("run", "flow.py")
    rows = answer("ls")
    assert [(row["name"], row["version"], row["cadence"]) for row in rows] == [("numbers", 1, None), ("total", 1, "1d")]
    table = call("ls").stdout.splitlines()
    assert table[0].split() == ["artifact", "version", "made", "seconds", "bytes", "cadence", "due"]
    assert len(table) == 4


def test_show():
    call("run", "flow.py")
    found = answer("show", "total")
    assert [row["version"] for row in found["versions"]] == [1]
    assert list(found["details"]["inputs"]) == ["numbers"]
    text = call("show", "total").stdout
    assert "cadence      1d" in text
    assert "flow.py:8)" in text
    assert "'total'" in call("show", "toatl", status=2).stderr


def test_log():
    assert "no runs yet" in call("log").stdout
    run = answer("run", "flow.py")["run"]
    rows = answer("log")
    assert [(row["id"], row["status"]) for row in rows] == [(run, "done")]
    assert run in call("log").stdout
    text = call("log", run[:-3]).stdout
    assert [line.split()[:2] for line in text.splitlines()[-3:-1]] == [["numbers", "run"], ["total", "run"]]
    assert text.splitlines()[-1].startswith("2 run, 2 new versions, ")
    assert {event["kind"] for event in answer("log", run)["events"]} >= {"done", "version"}
    assert "no run 'x'" in call("log", "x", status=2).stderr


def test_graph():
    for name in ("g.svg", "g.html", "g.dot", "g.mmd"):
        assert call("graph", "flow.py", "-o", name).stdout == f"drawn: {name}\n"
        assert "numbers" in Path(name).read_text()
    assert call("graph", "flow.py").stdout.startswith("digraph")
    found = answer("graph", "flow.py")
    assert [(node["label"], node["action"]) for node in found["nodes"]] == [("numbers", "run"), ("total", "run")]
    assert found["nodes"][1]["inputs"] == [0]
    assert answer("graph", "flow.py", "-o", "g.svg")["counts"]["run"] == 2
    assert ".svg, .html" in call("graph", "flow.py", "-o", "g.gif", status=2).stderr
    assert not Path("g.gif").exists()


def test_graph_without_a_plan():
    Path("flow.py").write_text(FLOW + "total([dag.file('nosuch.csv')]).artifact('lost')\n")
    result = call("graph", "flow.py", "-o", "g.svg")
    assert "drawn without a plan" in result.stderr
    assert Path("g.svg").exists()


def test_doctor():
    found = answer("doctor")
    assert found["ok"], found
    states = {check["what"]: check["state"] for check in found["checks"]}
    assert states["backend sync"] == states["backend local"] == states["backend processes"] == "ok"
    assert states["pictures"] == "ok"
    assert all(check["fix"] for check in found["checks"] if check["state"] == "missing")
    assert call("doctor").stdout.splitlines()[-1] == "all is well"


def test_doctor_tells_of_a_store_that_can_not_be_used():
    Path("file").write_text("mine")
    found = answer("doctor", "--store", "file", status=3)
    problems = [check for check in found["checks"] if check["state"] == "problem"]
    assert [check["what"].split()[0] for check in problems] == ["store"], problems
    found = answer("doctor", "--store", "gs://bucket/x", status=3)
    assert "pip install gcsfs" in [check["fix"] for check in found["checks"]][-1]


def test_every_command_says_what_it_takes():
    listed = call("--help").stdout
    for name in ("run", "plan", "graph", "ls", "show", "log", "get", "doctor"):
        assert f"  {name} " in listed
        text = call(name, "--help").stdout
        assert "--json" in text
        assert "--store" in text
    assert call("--version").stdout == f"dualdag {dag.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["rnu", "flow.py"], "Did you mean 'run'?"),
        (["run", "--refesh", "x"], "--refresh"),
        (["run", "flow.py", "--param", "n"], "NAME=VALUE"),
        (["run", "flow.py", "--workers", "0"], "--workers"),
        (["run", "flow.py", "numbres"], "Did you mean 'numbers'?"),
        (["run", "flow.py", "--refresh", "numbres"], "'numbers'"),
        (["run", "flow.py", "--param", "m=1"], "There is: 'n'"),
        (["run", "flow.py", "--param", "n=many"], "'many' can't be read as int"),
        (["run", "flwo.py"], "'flow.py'"),
        (["get", "x"], "no artifact 'x'"),
        (["get", "../x"], "can't name an artifact"),
        (["run", "flow.py", "--store", ""], "store"),
    ],
)
def test_wrong_usage(arguments, part):
    result = call(*arguments, status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert part in result.stderr
    found = answer(*arguments, status=2)
    assert part in found["error"]["message"]
    assert found["error"]["status"] == 2


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--store", "flow.py"], "is a file"),
        (["--store", "nosuch://bucket"], "nosuch"),
        (["--store", "gs://bucket/x"], "pip install gcsfs"),
        (["--backend", "lcoal"], "Did you mean 'local'?"),
        (["--backend", "ray-workflow"], "pip install"),
    ],
)
def test_store_or_backend_unusable(options, part):
    result = call("run", "flow.py", *options, status=3)
    assert result.stderr.count("\n") == 1
    assert part in result.stderr
    assert answer("run", "flow.py", *options, status=3)["error"]["status"] == 3
    assert Path("flow.py").read_text() == FLOW


def test_show_lists_the_newest_versions_up_to_a_limit():
    store = dag.store()
    for k in range(5):
        store.add_version(a_version(store, "many", k))
    told = call("show", "many", "--limit", "2", "--json")
    found = json.loads(told.stdout)
    assert [row["version"] for row in found["versions"]] == [5, 4]
    assert found["older"]
    assert "and older ones; --limit 20 lists more" in call("show", "many", "--limit", "2").stdout
    assert not json.loads(call("show", "many", "--json").stdout)["older"]
    assert "older ones" not in call("show", "many", "--limit", "5").stdout
