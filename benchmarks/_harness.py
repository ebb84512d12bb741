"""Running a figure in processes of its own, and writing down what came out."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("dualdag", "pandas", "numpy", "pyarrow", "polars", "blake3", "joblib", "redun", "pipefunc",
            "sf-hamilton", "diskcache", "dask",
            "distributed", "ray")  # fmt: skip


def machine() -> str:
    """Return a paragraph on the machine and the versions."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed)")
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} cores of {cpu}, {system}, CPython {platform.python_version()}; {', '.join(found)}."


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of (figure, measured, must reach, met) as Markdown."""
    lines = ["| figure | median (min to max) | must reach | met |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float], unit: str = "s", digits: int = 3) -> str:
    """Return median, smallest and largest of repeated measurements."""
    middle = statistics.median(values)
    return f"{middle:.{digits}g} {unit} ({min(values):.{digits}g} to {max(values):.{digits}g})"


def verdict(value: float, limit: float, *, at_least: bool = False) -> str:
    """Return "yes" or "no"."""
    return "yes" if (value >= limit if at_least else value <= limit) else "no"


def child(
    code: str, *args: str, env: dict[str, str] | None = None, timeout: float = 1800, within: str | None = None
) -> Any:
    """Run `code` in a fresh process; return the JSON document that its last line prints.

    It runs in a folder of its own, which goes after it; below `within` it stays until that goes.  File systems take
    long to give out again what was just removed: ext4 looks through all inodes that were freed in the last minutes.
    """
    if hasattr(os, "sync"):
        os.sync()  # or a run pays for the files that the one before it made and removed
    with nullcontext(tempfile.mkdtemp(dir=within)) if within else tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"  # a file, since some peers read their functions' source
        program.write_text(code, encoding="utf-8")
        settings = {"DUALDAG_STORE": str(Path(folder) / "store"), "DUALDAG_PROGRESS": "off"}
        path = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
        done = subprocess.run(
            [sys.executable, str(program), *args],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **settings, **(env or {})},
        )
    if done.returncode:
        raise RuntimeError(f"a benchmark failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])
