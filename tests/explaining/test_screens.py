"""What `why`, `show`, `diff` and `log` print, with times and digests masked; and the same as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import dualdag as dag
from dualdag.cli._main import cli
from tests.explaining.world import forget


def call(*arguments, status=0):
    forget()
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == status, result.output
    return result


def answer(*arguments, status=0):
    return json.loads(call(*arguments, "--json", status=status).stdout)


def screen(*arguments, status=0):
    """Return what is printed, with what differs between runs masked."""
    text = call(*arguments, status=status).stdout
    assert max(map(len, text.splitlines())) <= 100, text
    text = re.sub(r"/\S*/(?=\w+\.py)", "", text)
    text = re.sub(r"\d{8}T\d{6}-[0-9a-f]{8}", "RUN", text)
    text = re.sub(r"(20\d\d-)?\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?( UTC)?", "TIME", text)
    text = re.sub(r"digest [0-9a-f]{12}", "digest DIGEST", text)
    text = re.sub(r"\b[0-9a-f]{40}\b", "KEY", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", text)
    text = re.sub(r"\b[\d.]+ (us|ms|s)\b", "LONG", text)
    text = re.sub(r"Python [\d.]+, \w+ \w+, dualdag [\w.]+", "MACHINE", text)
    return re.sub(r"(?m)[ \t]+$", "", re.sub(r" {2,}(?=LONG)|-{4,}", "  ", text)).strip()


def test_why(world):
    call("run", "flow.py", "up", "top", "--backend", "sync")
    world.edit("rates.py", "x * RATE", "RATE * x")
    world.write("one.txt", "12")
    assert screen("why", "flow.py", "top", "-p", "n=4") == (
        "top would run: never run with this function and these arguments\n"
        "its last version is 1, made TIME by run RUN\n"
        "\n"
        "1. function scale changed (rates.py:4)\n"
        "     --- scale, version 1\n"
        "     +++ scale, now\n"
        "     @@ -1,2 +1,2 @@\n"
        "      def scale(x):\n"
        "     -    return x * RATE\n"
        "     +    return RATE * x\n"
        "   through scale -> price -> mix -> top\n"
        "\n"
        "2. argument n of top changed: parameter n (flow.py:35)\n"
        "   v1   3\n"
        "   now  4\n"
        "\n"
        "3. file one.txt changed\n"
        "   v1   1 B, TIME, digest DIGEST\n"
        "   now  2 B, TIME, digest DIGEST\n"
        "   through one.txt -> up -> top"
    )
    found = answer("why", "flow.py")["artifacts"]
    assert [one["name"] for one in found] == ["up", "top", "daily"]
    assert [one["action"] for one in found][:2] == ["run", "run"]
    assert answer("why", "flow.py", "nosuch", status=2)["error"]["type"].endswith("GraphError")


def test_show(world):
    call("run", "flow.py", "up", "top", "--backend", "sync")
    text = screen("show", "top")
    assert text.startswith("version  made  ")
    assert text.partition("\nversion 1\n")[2] == (
        "  made by run  RUN\n"
        "  made at      flow.py:35\n"
        "  cadence      on change\n"
        "  due          on change\n"
        "  stored as    json\n"
        "  key          KEY\n"
        "  parameters   n = 3\n"
        "  functions    mix (flow.py:28)\n"
        "               price (money.py:4)\n"
        "               scale (rates.py:4)\n"
        "               lengths (flow.py:19)\n"
        "               times.<locals>.inner (flow.py:7)\n"
        "  reads        RATE = 2\n"
        "               k = 3\n"
        "  made with    MACHINE\n"
        "\n"
        "lineage\n"
        "top, version 1: mix(a=<up>, b=<lengths>, c=<side>, n=3), made TIME  flow.py:35\n"
        "|- up, version 1: read(path=<one.txt>), made TIME  flow.py:33\n"
        "|  `- one.txt  1 B, TIME, digest DIGEST\n"
        "|- lengths(paths=<parts/*.txt>)  flow.py:35\n"
        "|  `- parts/*.txt  2 files, 5 B\n"
        "`- times.<locals>.inner(x=<value>)  flow.py:34\n"
        "   `- value  5"
    )
    assert "up, version 1  (deeper: --depth, or dualdag show up)" in screen("show", "top", "--depth", "1")
    assert "# function scale, rates.py:4\ndef scale(x):\n    return x * RATE" in screen("show", "top", "--code")
    world.write("one.txt", "2")
    call("run", "flow.py", "top", "--backend", "sync")
    assert "up, version 2" in screen("show", "top")
    assert "up, version 1" in screen("show", "top", "--version", "1")
    found = answer("show", "top", "--version", "1")
    assert found["version"] == 1
    assert [row["version"] for row in found["versions"]] == [2, 1]
    assert found["lineage"]["inputs"][0]["label"] == "up"
    assert found["details"]["parameters"] == {"n": "3"}
    assert found["details"]["artifacts"]["up"]["version"] == 1
    assert any("def scale" in one["source"] for one in found["functions"])


def test_lineage_of_many_and_shared(world):
    world.write(
        "flow.py",
        "import dualdag as dag\nadd = dag.task(lambda *xs: sum(xs), )\n"
        "a = add(1)\nb = add(a, a)\nadd(b, a, *[add(k) for k in range(200)]).artifact('top')\n",
    )
    call("run", "flow.py", "--backend", "sync")
    text = screen("show", "top")
    assert "(shown above)" in text
    assert "more; --json lists them all" in text
    assert answer("show", "top")["details"]["cut"]["steps"] > 100


def test_a_very_deep_lineage(world):
    world.write(
        "flow.py",
        "import dualdag as dag\n@dag.task\ndef add(x, k):\n    return k\nnode = dag.value(0)\nfor i in range(16):\n"
        "    for k in range(80):\n        node = add(node, k=k + i)\n    node = node.artifact(f'a{i}')\n",
    )
    call("run", "flow.py", "--backend", "sync")
    lines = screen("show", "a15", "--depth", "99").splitlines()
    assert lines[-1].endswith("(deeper: not drawn)")
    assert re.fullmatch(r" {42}`- add\(x=<add>, k=\d+\)  flow.py:8", lines[-2])
    assert answer("show", "a15", "--depth", "99")["lineage"]["label"] == "a15"


def test_diff(world):
    call("run", "flow.py", "up", "--backend", "sync")
    world.write("one.txt", "7")
    call("run", "flow.py", "up", "--backend", "sync")
    assert screen("diff", "up", "1", "2") == (
        "up: version 1 (TIME) and version 2 (TIME)\n"
        "\n"
        "the values differ (plain)\n"
        "  int: 2 -> 8\n"
        "\n"
        "what they were made of:\n"
        "\n"
        "1. file one.txt changed\n"
        "   v1  1 B, TIME, digest DIGEST\n"
        "   v2  1 B, TIME, digest DIGEST\n"
        "   through one.txt -> up"
    )
    found = answer("diff", "up", "1")
    assert found.keys() == {"name", "versions", "made", "equal", "value", "changes", "notes"}
    assert found["versions"] == [1, 2]
    assert "no version 9" in call("diff", "up", "1", "9", status=2).stderr


BAD = """
import os
import dualdag as dag

@dag.task(retries=1)
def fail(x):
    raise ValueError(f"no such thing as {x}")

@dag.task
def end(x):
    os.kill(os.getpid(), 9)

fail(1).artifact("fail")
end(2).artifact("end")
"""


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_log(world):
    world.write("bad.py", BAD)
    call("run", "flow.py", "up", "top", "-p", "n=5", "--backend", "sync")
    call("run", "flow.py", "up", "--backend", "sync")
    call("run", "bad.py", "fail", "--backend", "sync", status=1)
    subprocess.run(
        [sys.executable, "-m", "dualdag", "run", "bad.py", "end", "-b", "sync"], capture_output=True, check=False
    )
    assert [" ".join(line.split()) for line in screen("log").splitlines()] == [
        "run began took status run reused failed bytes on flow",
        "---",
        "RUN TIME killed sync bad.py",
        "RUN TIME LONG failed 0 0 1 0 B sync bad.py",
        "RUN TIME LONG done 0 1 0 0 B sync flow.py",
        f"RUN TIME LONG done 4 0 0 {SIZE} sync flow.py",
        "RUN: ValueError: no such thing as 1",
    ]
    runs = [row["id"] for row in answer("log")]
    assert [row["state"] for row in answer("log")] == ["killed", "failed", "done", "done"]
    assert [row["id"] for row in answer("log", "--limit", "2")] == runs[:2]
    assert "begins the names of 4 runs, such as" in call("log", "2", status=2).stderr
    text = screen("log", runs[3])
    assert "parameters n=5" in text
    assert text.splitlines()[-1] == f"4 run, 2 new versions, {SIZE} written"
    assert "not finished" in screen("log", runs[0]) or "nothing was done yet" in screen("log", runs[0])
    assert "1 retry; ValueError: no such thing as 1" in screen("log", runs[1])
    found = answer("log", runs[3])
    assert {node["label"]: node["action"] for node in found["nodes"]} == dict.fromkeys(
        ["up", "lengths", "side", "top"], "run"
    )
    assert {node["label"]: node["version"] for node in found["nodes"] if node["version"]} == {"up": "1", "top": "1"}
    assert found["did"]["run"] == 4


SIZE = "10.0 kB"


def test_ten_thousand_runs():
    store = dag.store()
    for k in range(300):
        store.start_run(f"20260101T{k:06d}-00000000", {"backend": "sync"}).close("done", {"run": k})
    rows = store.runs(limit=5)
    assert [row.did["run"] for row in rows] == [299, 298, 297, 296, 295]
    assert len(answer("log", "--limit", "7")) == 7
    assert len(call("log").stdout.splitlines()) == 52


def test_load_without_the_code(world):
    call("run", "flow.py", "up", "--backend", "sync")
    for path in Path.cwd().glob("*.py"):
        path.unlink()
    code = "import dualdag as dag\nprint(dag.load('up', 1), dag.store().versions('up')[0].version)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "2 1\n", done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "dualdag", "show", "up", "--code"], capture_output=True, text=True, check=False
    )
    assert "def read(path, add=1):" in done.stdout
    assert done.returncode == 0


def test_the_class_of_a_value_is_gone(world):
    world.write("shapes.py", "class Shape:\n    def __init__(self, n):\n        self.n = n\n")
    world.write("flow.py", "import dualdag as dag\nfrom shapes import Shape\ndag.task(Shape)(3).artifact('shape')\n")
    call("run", "flow.py", "--backend", "sync")
    Path("flow.py").unlink()
    Path("shapes.py").unlink()
    code = "import dualdag as dag\ntry:\n    dag.load('shape', 1)\nexcept dag.CodecError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "shapes" in done.stdout, done.stderr


def test_bytes_of_a_version_are_few_and_sources_are_shared(world):
    """An artifact that is made each hour costs little beside its value."""
    world.edit("flow.py", "def mix(a, b, c, n):\n", f"def mix(a, b, c, n):\n    '{os.urandom(20_000).hex()}'\n")
    for k in range(5):
        world.write("one.txt", str(k))
        call("run", "flow.py", "up", "top", "--backend", "sync")
    store = dag.store()
    versions = [store.version("top", number) for number in range(1, 6)]
    assert len({version.code for version in versions}) == 1
    assert max(len(store.get_object(version.details)) for version in versions) < 3000
    assert len(versions[0].code) == 32
