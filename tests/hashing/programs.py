"""Running small programs: as modules of this process, and in fresh ones."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).parent.parent.parent


def load(folder: Path, text: str, name: str = "flow") -> Any:
    """Import a text as a module."""
    path = folder / f"{name}.py"
    path.write_text(dedent(text).lstrip("\n"))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def child(program: str, folder: Path, **env: str) -> str:
    """Run a program in a fresh process and return what it prints."""
    command = [sys.executable, "-c", dedent(program)]
    path = os.pathsep.join([str(ROOT), *(str(p) for p in env.pop("path", "").split(os.pathsep) if p)])
    run = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path, **env}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()
