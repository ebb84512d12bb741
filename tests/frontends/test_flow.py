"""Flows are imported once, under their own name, and what they do wrong is told in their own terms."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from dualdag.errors import ConfigError, GraphError
from dualdag.frontends import is_flow, load_flow

HEAD = "import dualdag as dag\n"
ONE = HEAD + "one = dag.task(len)([1, 2]).artifact('one')\n"


pytestmark = pytest.mark.usefixtures("own_modules")


def flow(text: str, name: str = "flow.py") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_artifacts_in_the_order_of_their_making():
    loaded = load_flow(flow(ONE + "two = dag.task(abs)(one).artifact('two', cadence='1d')\n"))
    assert list(loaded.artifacts) == ["one", "two"]
    assert loaded.artifacts["two"].inputs == (loaded.artifacts["one"],)
    assert loaded.path == Path("flow.py").resolve()
    assert loaded.module.__name__ == "flow"
    assert sys.modules["flow"] is loaded.module


def test_select():
    loaded = load_flow(flow(ONE + "dag.task(abs)(one).artifact('two')\n"))
    assert list(loaded.select(["two", "two"])) == ["two"]
    assert list(loaded.select()) == ["one", "two"]
    with pytest.raises(GraphError, match=r"no artifact 'tow'.*'two'"):
        loaded.select(["tow"])


def test_imported_once():
    loaded = load_flow(flow("import flow\n" + ONE + "assert flow.__name__ == 'flow'\nruns = [1]\n"))
    assert loaded.module.runs == [1]


def test_neighbours_are_found_then_and_later():
    flow("def helper():\n    from later_needed import VALUE\n    return VALUE\n", "place/helping.py")
    flow("VALUE = 5\n", "place/later_needed.py")
    loaded = load_flow(flow("from helping import helper\n" + ONE, "place/flow.py"))
    assert loaded.module.helper() == 5


def test_module_of_a_package():
    flow("", "package/__init__.py")
    flow("from . import parts\n" + ONE + "two = parts.VALUE\n", "package/main.py")
    flow("VALUE = 2\n", "package/parts.py")
    loaded = load_flow("package.main")
    assert loaded.module.two == 2
    assert list(loaded.artifacts) == ["one"]
    import package

    assert package.main is loaded.module


def test_relative_import_in_a_file_says_how_to_name_it():
    flow("", "package/__init__.py")
    flow("from . import parts\n" + ONE, "package/main.py")
    with pytest.raises(ImportError) as caught:
        load_flow("package/main.py")
    assert "package.module" in caught.value.__notes__[0]


@pytest.mark.parametrize("name", ["json.py", "email.py", "colorsys.py", "pytest.py"])
def test_name_of_another_module(name):
    loaded = load_flow(flow(ONE, name))
    assert loaded.module.__name__ == f"{name[:-3]}_{loaded.module.__name__[-8:]}"
    module = __import__(name[:-3])
    assert Path(module.__file__) != Path(name).resolve()


def test_two_flows_of_one_name():
    first = load_flow(flow(ONE, "a/flow.py"))
    second = load_flow(flow(ONE.replace("'one'", "'two'"), "b/flow.py"))
    assert list(first.artifacts) == ["one"]
    assert list(second.artifacts) == ["two"]
    assert sys.modules["flow"] is first.module


def test_an_edit_of_the_same_size_within_a_second_is_seen():
    for value in "12345":
        assert load_flow(flow(ONE + f"value = {value}\n")).module.value == int(value)
    assert not list(Path().rglob("flow*.pyc"))


def test_params():
    text = HEAD + "n = dag.param('count', 1)\ndag.task(len)([n]).artifact('x')\n"
    assert load_flow(flow(text)).module.n == 1
    assert load_flow(flow(text), {"count": "7"}).module.n == 7
    with pytest.raises(ConfigError, match="can't be read as int") as caught:
        load_flow(flow(text), {"count": "many"})
    assert caught.value.__notes__ == [f"at {Path('flow.py').resolve()}:2"]
    with pytest.raises(ConfigError, match=r"'cuont'.*Did you mean 'count'"):
        load_flow(flow(text), {"cuont": "7"})


def test_missing_names_the_nearest():
    flow(ONE, "flows/daily.py")
    with pytest.raises(FileNotFoundError, match=r"no file flows/dialy.py.*flows/daily.py"):
        load_flow("flows/dialy.py")
    with pytest.raises(FileNotFoundError, match=r"flows/daily.py"):
        load_flow("daily.py")
    with pytest.raises(ConfigError, match="no file and no module 'nosuch'"):
        load_flow("nosuch")
    with pytest.raises(ConfigError, match=r"is a folder.*daily"):
        load_flow("flows")
    Path("data.csv").write_text("1")
    with pytest.raises(ConfigError, match="no Python file"):
        load_flow("data.csv")


def test_empty_flow_says_what_to_write():
    with pytest.raises(GraphError, match=r"makes no artifact.*\.artifact\("):
        load_flow(flow(HEAD))
    with pytest.raises(GraphError, match=r"model = model\.artifact\('model'\)"):
        load_flow(flow(HEAD + "model = dag.task(len)([])\n"))


def test_one_name_for_two_nodes_names_both_places():
    with pytest.raises(GraphError, match=r"flow\.py:2.*flow\.py:3"):
        load_flow(flow(ONE + "dag.task(len)([3]).artifact('one')\n"))


def test_one_node_of_two_names():
    loaded = load_flow(flow(ONE + "one.artifact('too')\n"))
    assert loaded.artifacts["one"] == loaded.artifacts["too"]


def test_a_flow_that_raises_leaves_nothing_behind():
    flow(ONE)
    before = load_flow("flow.py").module
    flow(ONE + "def inner():\n    raise KeyError('k')\ninner()\n")
    with pytest.raises(KeyError) as caught:
        load_flow("flow.py")
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [f.name for f in frames[-2:]] == ["<module>", "inner"]
    assert sys.modules["flow"] is before


def test_errors_of_ours_name_the_line():
    with pytest.raises(GraphError) as caught:
        load_flow(flow(HEAD + "\ndag.task(len)([]).artifact('../x')\n"))
    assert caught.value.__notes__ == [f"at {Path('flow.py').resolve()}:3"]


def test_a_module_that_misses_something_of_its_own():
    flow("import nosuch_package\n" + ONE, "broken.py")
    with pytest.raises(ModuleNotFoundError, match="nosuch_package"):
        load_flow("broken")


@pytest.mark.parametrize(
    ("spec", "answer"),
    [("x.py", True), ("a/b", True), ("here", True), ("package.main", True), ("report", False), ("json", False),
     ("clean.v1", False), ("os.path", True)],
)  # fmt: skip
def test_flow_or_name(spec, answer):
    flow(ONE, "here.py")
    flow("", "package/__init__.py")
    flow(ONE, "package/main.py")
    assert is_flow(spec) is answer


def test_functions_of_a_flow_run_in_other_processes():
    flow("def helper(x):\n    return x + OFFSET\nOFFSET = 10\n", "helping.py")
    text = "import dualdag as dag\nfrom helping import helper\nSCALE = dag.param('scale', 2)\n"
    text += "@dag.task\ndef work(x):\n    return helper(x) * SCALE\nwork(1).artifact('done')\n"
    name = flow(text, "odd name.py")
    command = [sys.executable, "-m", "dualdag", "run", name, "--backend", "processes", "--param", "scale=3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run([sys.executable, "-m", "dualdag", "get", "done"], capture_output=True, text=True, check=True)
    assert shown.stdout == "33\n"
