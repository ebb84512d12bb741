"""What is packaged, what an import costs, and what no file may hold."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dualdag import execution
from dualdag.testing import BackendSuite

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
PACKAGES = [ROOT / name for name in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
HEAVY = (
    "pandas",
    "numpy",
    "pyarrow",
    "polars",
    "fsspec",
    "rich",
    "click",
    "dask",
    "distributed",
    "ray",
)


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in package.rglob("*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("dist")
    built = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    return zipfile.ZipFile(built)


def test_wheel_holds_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = [n for n in wheel.namelist() if ".dist-info/" not in n]
    expected = {
        path.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert set(names) == expected
    assert {n.split("/")[0] for n in names} == {package.name for package in PACKAGES}
    assert "dualdag/py.typed" in names


def test_source_distribution_holds_what_its_tests_read(tmp_path: Path) -> None:
    from hatchling.builders.sdist import SdistBuilder

    built = next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in (".ci", ".changes", "docs", "examples", "tests", "property_tests", "benchmarks"):
        there = {f"{folder}/{p.name}" for p in (ROOT / folder).iterdir() if p.suffix in {".py", ".md"}}
        assert there <= names, folder


def test_wheel_names_licence_version_and_command(wheel: zipfile.ZipFile) -> None:
    info = next(n.split("/")[0] for n in wheel.namelist() if ".dist-info/" in n)
    version = re.search(r'__version__ = "(.+)"', (ROOT / "dualdag" / "__init__.py").read_text())
    assert version
    assert info == f"dualdag-{version[1]}.dist-info"
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "dualdag = dualdag.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_entry_points_name_packages_that_are_there() -> None:
    points = dict(PROJECT["project"]["scripts"])
    for group in PROJECT["project"].get("entry-points", {}).values():
        points.update(group)
    tops = {package.name for package in PACKAGES}
    assert all(target.split(":")[0].split(".")[0] in tops for target in points.values())


def test_every_backend_on_disk_is_packaged() -> None:
    there = {p.parent.name for p in (ROOT / "backends").glob("*/__init__.py")}
    assert there == {p.name for p in PACKAGES if p.parent.name == "backends"}


def test_extras_are_coherent() -> None:
    def named(requirement: str) -> set[str]:
        found = re.fullmatch(r"dualdag\[(.+)\]", requirement)
        return set(found[1].split(",")) if found else set()

    for requirements in EXTRAS.values():
        for requirement in requirements:
            assert named(requirement) <= set(EXTRAS)
    (everything,) = EXTRAS["all"]
    assert named(everything) == set(EXTRAS) - {"all", "ray-workflow"}
    conflicts = [{c["extra"] for c in pair} for pair in PROJECT["tool"]["uv"]["conflicts"]]
    assert {"ray", "ray-workflow"} in conflicts


def test_import_is_light() -> None:
    code = f"import sys, json, dualdag; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_building_a_graph_loads_no_frames_and_no_engine() -> None:
    code = (
        "import sys, json, dualdag as dag\n"
        "task = dag.task(lambda path: path)\n"
        "task(dag.file('x.csv')).artifact('x', cadence='1d')\n"
        "print(json.dumps([m for m in ('pandas', 'pyarrow', 'polars', 'dask', 'ray') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_every_public_name_loads_and_says_what_it_is() -> None:
    import dualdag

    for name in dualdag.__all__:
        found = getattr(dualdag, name)
        assert name == "__version__" or found.__doc__, name
        assert name in dir(dualdag)
    with pytest.raises(AttributeError, match="no attribute 'taks'"):
        dualdag.taks  # noqa: B018


def reads_environment(tree: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    return any(
        (isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "os" and n.attr in names)
        or (isinstance(n, ast.ImportFrom) and n.module == "os" and any(a.name in names for a in n.names))
        for n in ast.walk(tree)
    )


def test_one_file_reads_the_environment() -> None:
    # A worker process is given its parent's environment, which is no setting; who is killed in a test, a cache.
    others = {"dualdag/execution/embedded/_worker.py", "dualdag/testing/_crashes.py"}
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if reads_environment(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert "dualdag/config.py" in readers
    assert readers - others == {"dualdag/config.py"}


def test_no_file_names_a_registry() -> None:
    # Written in parts, as this file is looked at too.
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else [str(p.relative_to(ROOT)) for p in sources()]
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore").lower()
            assert not [host for host in hosts if host in text], name


def test_changes_wait_as_fragments() -> None:
    types = {t["directory"] for t in PROJECT["tool"]["towncrier"]["type"]}
    for fragment in (ROOT / PROJECT["tool"]["towncrier"]["directory"]).glob("*.md"):
        assert re.fullmatch(rf"\+?[\w-]+\.({'|'.join(sorted(types))})(\.\d+)?\.md", fragment.name), fragment.name


def test_the_manual_shows_the_backend_that_is_tested() -> None:
    page = (ROOT / "docs" / "writing-a-backend.md").read_text(encoding="utf-8")
    source = (ROOT / "tests" / "third_party_backend" / "lineup.py").read_text(encoding="utf-8")
    assert f'```python title="lineup.py"\n{source}```\n' in page
    for name in re.findall(r"^    (\w+),$", source, re.MULTILINE):
        assert name in execution.__all__, name


def test_the_table_of_behaviours_has_a_row_for_each() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    tests = {name: inspect.getdoc(fn) for name, fn in inspect.getmembers(BackendSuite) if name.startswith("test_")}
    assert all(tests.values()), [name for name, text in tests.items() if not text]
    missing = [text for text in tests.values() if f"| {text} |" not in page]
    assert not missing, f"python .ci/conformance.py writes the table: {missing}"
