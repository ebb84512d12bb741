"""What the driver's memory does while a large value is made on an engine and taken by the next task.

Runs as a driver of its own: ``python -m benchmarks._engine_memory ENGINE BYTES FOLDER [TEMPORARY]``; prints
JSON.  Ray lies in the temporary folder, whose name has to be short.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import numpy as np
import psutil

import dualdag as dag
from benchmarks._harness import verdict

SLOTS = 2
NBYTES = 2_000_000_000
#: What the driver may grow by meanwhile.
LIMIT = 200e6
ENGINES = {"ray": "ray", "dask": "distributed", "processes": ""}


def large(nbytes: int) -> np.ndarray:
    """Return an array of so many bytes."""
    return np.arange(nbytes // 8, dtype=np.int64)


def total(values: np.ndarray) -> int:
    return int(values.sum())


def same(i: int) -> int:
    return i


class Peak:
    """The largest resident size of this process, above what it was at the start."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.most = self._process.memory_info().rss

    def _watch(self) -> None:
        while not self._ended.wait(0.005):
            self.most = max(self.most, self._process.memory_info().rss)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        return self.most - self.before


def _io() -> int:
    """Return the bytes that this process has read and written: pipes and files; sockets too, on most ways."""
    found = psutil.Process().io_counters()
    return int(found.read_chars + found.write_chars)


def measure(engine: str, nbytes: int, folder: str, temporary: str = "") -> dict[str, float]:
    """Return growth and traffic of the driver, for a value that is kept in the store and for one that is not."""
    dag.configure(backend=engine, workers=SLOTS, store=str(Path(folder, "store")), progress="off")
    if engine == "ray":
        own = {"_temp_dir": temporary} if temporary else {}
        dag.configure(backend_options={"object_store_memory": max(200_000_000, 3 * nbytes // 2), **own})
    make, add = dag.task(large), dag.task(total, persist=False)
    # What the engine itself takes is there before.
    dag.run([dag.task(same, persist=False)(i) for i in range(20)])
    right = (nbytes // 8) * (nbytes // 8 - 1) // 2
    found: dict[str, float] = {}
    for name, keep in (("kept", True), ("held", False)):
        node = add(make(nbytes + 8 * (not keep)).options(persist=keep))
        moved, start = _io(), time.perf_counter()
        with Peak() as peak:
            value = dag.run(node)
        found[f"{name}_seconds"] = time.perf_counter() - start
        found[f"{name}_grown"] = peak.grown
        found[f"{name}_moved"] = _io() - moved
        expected = right if keep else right + nbytes // 8
        if value != expected:
            raise AssertionError(f"{engine}: {value} in place of {expected}")
    dag.shutdown()
    return found


def _figures(engine: str) -> dict[str, float] | str:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(prefix="m-") as temporary:
        command = [sys.executable, "-m", "benchmarks._engine_memory", engine, str(NBYTES), folder, temporary]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no word"])[-1]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def figure(repeat: int) -> list[tuple[str, str, str, str]]:
    """Measure each engine once, one after the other: the machine has to have room for it."""
    del repeat
    rows = []
    for engine, module in ENGINES.items():
        if module and find_spec(module) is None:
            rows.append((f"2 GB between two tasks, `{engine}`", f"{module} is not installed", "", ""))
            continue
        found = _figures(engine)
        if isinstance(found, str):
            rows.append((f"2 GB between two tasks, `{engine}`", f"failed: {found}", "", "no"))
            continue
        for name, title in (("kept", "kept in the store"), ("held", "not kept")):
            grown, moved, seconds = (found[f"{name}_{what}"] for what in ("grown", "moved", "seconds"))
            text = f"grew by {grown / 1e6:.1f} MB, read and wrote {moved / 1e6:.1f} MB; {seconds:.0f} s"
            label = f"driver while 2 GB go from task to task, {title}, `{engine}`"
            rows.append((label, text, f"<= {LIMIT / 1e6:.0f} MB", verdict(grown, LIMIT)))
    return rows


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])))
