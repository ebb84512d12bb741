"""The command as a process: exit status, pipes, purity of JSON, interruption, what it costs to start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

COMMAND = [sys.executable, "-m", "dualdag"]


def flow(text, name="flow.py"):
    Path(name).write_text("import os, subprocess, sys, time\nimport dualdag as dag\n" + text)
    return name


def dualdag(*arguments, **options):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, **options)


FAILING = """
def helper(x):
    raise ValueError("no good: " + x)

@dag.task
def boom(x):
    return helper(x)

dag.task(len)([1]).artifact("fine")
boom("a").artifact("one")
boom("b").artifact("two")
"""


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_a_failing_task_shows_the_users_frames_alone(backend):
    done = dualdag("run", flow(FAILING), "one", "--backend", backend, "--progress", "off")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.split(", in ")[1] for line in lines if line.startswith("  File")] == ["boom", "helper"]
    assert lines[-2] == "ValueError: no good: a"
    assert lines[-1].startswith("in 'one', made at ")
    assert lines[-1].endswith("flow.py:12")
    assert "dualdag" not in done.stderr.replace(str(Path.cwd()), "")


def test_keep_going_tells_of_all():
    done = dualdag("run", flow(FAILING), "--keep-going", "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert sorted(one["message"] for one in error["errors"]) == ["no good: a", "no good: b"]
    assert all("helper" in one["traceback"] for one in error["errors"])
    assert done.stderr.count("ValueError: no good") == 2
    assert dualdag("get", "fine").stdout == "1\n"


def test_keep_going_ends_with_the_table_of_what_was_done():
    text = FAILING + "dag.task(str)(boom('c')).artifact('below')\n"
    done = dualdag("run", flow(text), "--keep-going", "--progress", "off")
    assert done.returncode == 1
    rows = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert " run " in rows["fine"]
    assert " failed" in rows["one"]
    assert " failed" in rows["two"]
    assert " not run" in rows["below"]
    assert done.stdout.endswith("1 task run, 3 failed\n")
    assert done.stderr.endswith("error: 3 tasks failed; what does not depend on them has run\n\n")
    document = json.loads(dualdag("run", "flow.py", "--keep-going", "--json").stdout)
    assert {row["name"]: row["action"] for row in document["artifacts"]} == {
        "fine": "reuse", "one": "failed", "two": "failed", "below": "not run",
    }  # fmt: skip
    assert len(document["error"]["errors"]) == 3
    assert [row["status"] for row in json.loads(dualdag("log", "--json").stdout)] == ["failed", "failed"]


@pytest.mark.parametrize("backend", ["local", "processes"])
def test_a_group_that_a_task_raises_is_shown_as_it_is(backend):
    text = "@dag.task\ndef both():\n    raise ExceptionGroup('both', [ValueError('a'), TypeError('b')])\n"
    done = dualdag("run", flow(text + "both().artifact('x')\n"), "--progress", "off", "--backend", backend)
    assert done.returncode == 1
    assert "ValueError: a" in done.stderr
    assert "in both" in done.stderr
    assert "in 'x', made at " in done.stderr


def test_an_exception_that_can_not_say_what_it_is():
    text = "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError('no text')\n"
    text += "@dag.task\ndef odd():\n    raise Odd\nodd().artifact('x')\n"
    done = dualdag("run", flow(text))
    assert done.returncode == 1
    assert "in odd" in done.stderr
    assert "in 'x', made at " in done.stderr


def test_one_name_in_two_flows_is_a_warning():
    def made_by(name, text):
        return dualdag("run", flow(text, name), "--progress", "off").stderr

    assert made_by("one.py", "dag.task(len)([1]).artifact('x')\n") == ""
    assert made_by("one.py", "\ndag.task(len)([1, 2]).artifact('x')\n") == "", "an edit of the same flow"
    told = made_by("two.py", "dag.task(str)(1).artifact('x')\n")
    assert "two flows give the name 'x'" in told
    assert "one.py:4" in told
    assert "two.py:3" in told
    Path("two.py").rename("three.py")
    assert made_by("three.py", "dag.task(str)(2).artifact('x')\n") == "", "a flow that was renamed"


def test_errors_of_ours_within_a_task_are_failures_of_the_task():
    text = "@dag.task\ndef nested():\n    return dag.run(dag.value(1))\nnested().artifact('x')\n"
    done = dualdag("run", flow(text), "--progress", "off")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    text = "@dag.task\ndef lines():\n    return (i for i in range(3))\nlines().artifact('x')\n"
    done = dualdag("run", flow(text), "--progress", "off")
    assert done.returncode == 1
    assert "returned a generator" in done.stderr


def test_a_flow_that_raises():
    done = dualdag("run", flow("def inner():\n    return {}['k']\ninner()\n"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(", in ")[1] for line in done.stderr.splitlines() if "File" in line] == ["<module>", "inner"]
    assert done.stderr.endswith("KeyError: 'k'\n")


def test_a_flow_that_is_no_python():
    done = dualdag("plan", flow("def f(:\n"), "--json")
    assert done.returncode == 2
    assert "invalid syntax" in json.loads(done.stdout)["error"]["message"]
    Path("nul.py").write_text("x = 1\0")
    done = dualdag("plan", "nul.py")
    assert done.returncode == 2
    assert "nul.py" in done.stderr
    assert "site-packages" not in done.stderr


def test_a_flow_that_exits():
    done = dualdag("run", flow("sys.exit('bye')\n"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: flow.py ended the program (sys.exit) while it was imported: bye")


NOISY = """
print("imported")
@dag.task
def noisy(x):
    print("from python")
    os.write(1, b"from the system\\n")
    subprocess.run([sys.executable, "-c", "print('from a process')"], check=True)
    return x

noisy(1).artifact("noisy")
"""


@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
def test_json_is_all_there_is_on_stdout(backend):
    done = dualdag("run", flow(NOISY), "--json", "--backend", backend, "--progress", "lines")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["executed"] == 1
    for text in ("imported", "from python", "from the system", "from a process", "noisy: done"):
        assert text in done.stderr


def test_output_of_tasks_is_theirs_without_json():
    done = dualdag("run", flow(NOISY), "--progress", "off")
    assert "from python" in done.stdout
    assert done.stderr == ""


def test_a_reader_that_has_enough():
    text = "part = dag.task(lambda i: i)\nfor i in range(2000):\n    part(i).artifact(f'a{i}')\n"
    process = subprocess.Popen(
        [*COMMAND, "graph", flow(text)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "digraph dualdag {\n"
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_output_that_goes_nowhere(more):
    flow("dag.task(len)([1]).artifact('x')\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "run", "flow.py", "--progress", "off", *more],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: standard output can't be written: no space left on device.\n"
    closed = "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", closed, *COMMAND, "run", "flow.py", *more],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_console_of_few_characters():
    text = "dag.task(len)([1]).named('naïve 日本').artifact('x')\ndag.task(len)('é→').named('日本')\n"
    text += "dag.task(abs)(dag.task(len)('é').named('日本')).artifact('y')\n"
    done = dualdag("plan", flow(text), env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "\\u65e5" in done.stdout


LONG = """
@dag.task
def quick():
    return 1

@dag.task
def long(x):
    open("begun", "w").close()
    time.sleep(60)
    return x

long(quick().artifact("quick")).artifact("long")
"""


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize("backend", ["sync", "local", "processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(backend, number):
    process = subprocess.Popen(
        [*COMMAND, "run", flow(LONG), "--json", "--backend", backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not Path("begun").exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert json.loads(out)["error"]["type"] == "KeyboardInterrupt"
    assert "Traceback" not in err
    assert dualdag("get", "quick").stdout == "1\n"
    until = time.monotonic() + 5
    while _left_behind(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _left_behind(process.pid)


def _left_behind(session):
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def test_interrupted_while_a_flow_is_imported():
    process = subprocess.Popen(
        [*COMMAND, "plan", flow("open('begun', 'w').close()\ntime.sleep(60)\n")],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not Path("begun").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == "interrupted; what had finished is kept\n"
    assert process.returncode == 130


def test_json_may_be_asked_for_before_the_command():
    flow("dag.task(len)([1]).artifact('x')\n")
    assert json.loads(dualdag("--json", "plan", "flow.py").stdout)["counts"]["run"] == 1
    assert json.loads(dualdag("--json", "run", "flow.py").stdout)["executed"] == 1
    assert json.loads(dualdag("--json", "ls").stdout)[0]["name"] == "x"
    done = dualdag("--json", "get", "y")
    assert (done.returncode, json.loads(done.stdout)["error"]["status"]) == (2, 2)
    for arguments in (["--json"], ["--json", "rnu"], ["rnu", "--json"]):
        done = dualdag(*arguments)
        assert (done.returncode, json.loads(done.stdout)["error"]["status"]) == (2, 2)
    for arguments in (["--json", "--version"], ["--version", "--json"]):
        assert list(json.loads(dualdag(*arguments).stdout)) == ["version"]


def test_alone_it_says_what_there_is():
    done = dualdag()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: dualdag ")
    assert "error" not in done.stderr


def test_a_folder_that_is_gone():
    gone = Path("gone")
    gone.mkdir()
    code = f"import os, sys; os.chdir({str(gone)!r}); os.rmdir(os.getcwd()); os.execv(sys.executable, sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMAND, "ls"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: the current folder can't be used")


def test_show_of_damaged_records():
    # A long source, that nothing makes short, lies in an object of its own.
    flow(f"def f(x):\n    return x or '{os.urandom(4000).hex()}'\ndag.task(f)([1]).artifact('x')\n")
    assert dualdag("run", "flow.py").returncode == 0
    found = json.loads(dualdag("show", "x", "--json").stdout)
    assert found["details"]["made_at"]["line"] == 5
    for path in Path(".dualdag/objects").rglob("*"):
        if path.is_file() and path.stat().st_size > 10:
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:9])
    done = dualdag("show", "x", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["versions"] == found["versions"]
    assert "damaged" in done.stderr
    version = Path(".dualdag/artifacts/x/versions/00000001")
    version.chmod(0o644)
    version.write_bytes(version.read_bytes()[:20])
    done = dualdag("show", "x")
    assert done.returncode == 3
    assert "version 1 of artifact 'x' is damaged" in done.stderr.splitlines()[-1]


@pytest.fixture
def without_rights():
    """Return a way to run the command without root's leave to go everywhere."""
    weaker = []
    if os.geteuid() == 0:
        weaker = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        if shutil.which("setpriv") is None or subprocess.run([*weaker, "true"], check=False).returncode:
            pytest.skip("needs setpriv, as root may go everywhere")

    def call(*arguments):
        return subprocess.run([*weaker, *COMMAND, *arguments], capture_output=True, text=True, check=False)

    folder = Path("closed")
    folder.mkdir()
    folder.chmod(0)
    yield call
    folder.chmod(0o755)


def test_places_without_rights_are_one_line(without_rights):
    flow("dag.task(len)([1]).artifact('x')\n")
    flow("", "unreadable.py")
    Path("unreadable.py").chmod(0)
    assert without_rights("run", "flow.py").returncode == 0
    for arguments, place in (
        (["run", "closed/flow.py"], "closed/flow.py"),
        (["run", "unreadable.py"], "unreadable.py"),
        (["get", "x", "-o", "closed/x.json"], "closed/x.json"),
        (["graph", "flow.py", "-o", "closed/x.svg"], "closed/x.svg"),
        (["run", "x" * 300], "x" * 300),
    ):
        done = without_rights(*arguments)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: ")
        assert place in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_starts_quickly(option):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    took = []
    for _ in range(4):
        began = time.perf_counter()
        assert dualdag(option, env=env).returncode == 0
        took.append(time.perf_counter() - began)
    assert min(took) < 0.3


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom dualdag.cli._main import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'numpy', 'pyarrow', 'rich', 'fsspec', 'dualdag.execution', 'dualdag.store'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_a_task_that_kills_its_worker_is_a_failed_task():
    text = "@dag.task\ndef killer():\n    os._exit(9)\ndag.task(len)([1]).artifact('fine')\nkiller().artifact('dead')\n"
    done = dualdag("run", flow(text), "--backend", "processes", "--progress", "off")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "'dead'" in done.stderr


def test_warnings_of_ours_are_one_line():
    assert dualdag("run", flow("dag.task(len)([1]).artifact('x')\n")).returncode == 0
    marker = Path(".dualdag/layout.json")
    marker.chmod(0o644)
    marker.write_text("{")
    done = dualdag("ls")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: store ")
    assert done.stderr.count("\n") == 1


def test_a_value_of_a_class_of_the_flow():
    text = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
    text += "@dag.task\ndef make():\n    return Point(3)\nmake().artifact('point')\n"
    assert dualdag("run", flow(text)).returncode == 0
    assert dualdag("get", "point").stdout == "Point(x=3)\n"
    assert json.loads(dualdag("run", "flow.py", "--json").stdout)["executed"] == 0
