"""A large value that one task makes and another takes does not pass the driver, kept or not."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZE = 200_000_000


def test_a_large_value_does_not_pass_the_driver(engine, tmp_path):
    with tempfile.TemporaryDirectory(prefix="f-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "benchmarks._engine_memory", engine, str(SIZE), str(tmp_path), folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(engine, found)
    for name in ("kept", "held"):
        assert found[f"{name}_grown"] < SIZE / 4
        assert found[f"{name}_moved"] < SIZE / 4
