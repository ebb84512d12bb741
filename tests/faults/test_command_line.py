"""Ctrl-C over `dualdag run` on an engine: 130, a last line that says so, nothing left, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from tests.faults import rig

FLOW = """
import os
import fault_work

fault_work.graph(0.05, os.environ["FAULT_MARKS"], True).artifact("sum")
"""


def test_ctrl_c_and_on_again(engine, tmp_path):
    flow = tmp_path / "flow.py"
    flow.write_text(FLOW)
    marks = rig.Marks(tmp_path / "marks")
    command = [sys.executable, "-m", "dualdag", "run", str(flow), "--backend", engine, "--workers", "2"]
    env = {k: v for k, v in os.environ.items() if k not in {"RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"}}
    env |= {
        "FAULT_MARKS": str(marks.path), "PYTHONPATH": os.pathsep.join(filter(None, [str(rig.HERE), env.get("PYTHONPATH")])),
        "RAY_object_store_memory": "200000000",
    }  # fmt: skip
    child = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=rig.hear_ctrl_c,
    )  # fmt: skip
    rig.until(lambda: len(marks.ended()) >= 40, what="the first part of the run")
    family = psutil.Process(child.pid).children(recursive=True)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)
    print(out[-800:], "\n---\n", err[:1500], "\n...\n", err[-1500:])
    assert child.returncode == 130
    assert "interrupted" in (out + err).splitlines()[-1].lower()
    assert "Traceback" not in out + err
    assert rig.gone(family, 10) == []
    before = marks.begun()
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    after = marks.begun()
    # What was in flight, and what came in during the last ten milliseconds.
    assert sum(after[name] > before[name] for name in before) <= 8
