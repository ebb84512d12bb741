"""Figures of the core: import, building, planning, running, digests."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks import _peers, _programs
from benchmarks._harness import ROOT, child, spread, verdict

Row = tuple[str, str, str, str]


def _wall(command: list[str], env: dict[str, str] | None = None, cwd: str | None = None) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **(env or {})}, cwd=cwd)
    return time.perf_counter() - start


def import_time(repeat: int) -> list[Row]:
    """Time ``import dualdag`` and ``dualdag --help`` in fresh processes, less a bare Python's start."""
    env = {"PYTHONPATH": str(ROOT)}
    env["PYTHONDONTWRITEBYTECODE"] = ""
    bare, ours, helps = [], [], []
    for _ in range(repeat + 1):
        bare.append(_wall([sys.executable, "-c", "pass"], env))
        ours.append(_wall([sys.executable, "-c", "import dualdag"], env))
        helps.append(_wall([sys.executable, "-m", "dualdag", "--help"], env))
    base = statistics.median(bare[1:])
    extra = [1000 * (t - base) for t in ours[1:]]
    helped = [1000 * t for t in helps[1:]]
    return [
        ("`import dualdag`", spread(extra, "ms"), "<= 100 ms", verdict(statistics.median(extra), 100)),
        ("`dualdag --help`, whole process", spread(helped, "ms"), "<= 300 ms", verdict(statistics.median(helped), 300)),
    ]


def million(repeat: int) -> list[Row]:
    """Build, hash and plan a million nodes of three inputs; then again after a file changed."""
    runs = [child(_programs.MILLION) for _ in range(min(repeat, 3))]
    total = [r["build"] + r["plan"] for r in runs]
    again = [r["again"] for r in runs]
    memory = [r["rss"] / 1e9 for r in runs]
    per = runs[0]
    share = f"{per['build']:.1f} us to build, {per['plan']:.1f} us to plan, {per['bytes']:.0f} B a node"
    return [
        (
            "1,000,000 nodes of 3 inputs: build, hash, plan",
            spread(total),
            "<= 12 s",
            verdict(statistics.median(total), 12),
        ),
        ("the same again after one file changed", spread(again), "<= 12 s", verdict(statistics.median(again), 12)),
        ("peak memory of the process", spread(memory, "GB"), "<= 1.2 GB", verdict(max(memory), 1.2)),
        ("price of a node", share, "", ""),
    ]


def unchanged(repeat: int) -> list[Row]:
    """Plan a finished graph of 100,000 nodes, 1,000 files, 10 artifacts in a fresh process."""
    result = child(_programs.UNCHANGED, str(repeat))
    plans = result["plans"]
    found = result["lookups"]
    lookups = ", ".join(f"{n} of {kind}" for kind, n in found.items())
    return [
        ("plan of 100,000 unchanged nodes, 1,000 files, 10 artifacts (beyond building)", spread(plans), "<= 0.5 s",
         verdict(statistics.median(plans), 0.5)),
        ("look-ups of that plan", lookups, "one per target and artifact", verdict(found["records"], 10)),
    ]  # fmt: skip


def deep_and_wide(_repeat: int) -> list[Row]:
    """Run a chain of 100,000 nodes and a fan-in of 100,000 on every embedded backend."""
    rows = []
    for backend in ("sync", "local", "processes"):
        result = child(_programs.DEEP, env={"DUALDAG_BACKEND": backend})
        rows.append(
            (
                f"chain, fan-in of 100,000 on `{backend}`",
                f"{result['chain']:.1f} s, {result['fan']:.1f} s",
                "runs",
                "yes",
            )
        )
    return rows


def small_tasks(repeat: int) -> list[Row]:
    """Run 10,000 no-ops on `local`, kept and not; beside the peers at 1,000."""
    rows = []
    for persist, limit in (("False", 50.0), ("True", 300.0)):
        times = [child(_programs.NOOPS, "10000", persist, env={"DUALDAG_BACKEND": "local"}) for _ in range(repeat)]
        per = [1e6 * t["run"] / 10_000 for t in times]
        name = "10,000 no-ops on `local`, " + ("kept" if persist == "True" else "`persist=False`")
        rows.append((name, spread(per, "us a node"), f"<= {limit:.0f} us", verdict(statistics.median(per), limit)))
    rows.append(
        ("- for scale: making a file in such a folder", spread([1e6 * t for t in _file_prices(repeat)], "us"), "", "")
    )
    ours = [child(_programs.NOOPS, "1000", "True", env={"DUALDAG_BACKEND": "local"}) for _ in range(repeat)]
    base = statistics.median(t["run"] for t in ours)
    again = statistics.median(t["again"] for t in ours)
    rows.append(("1,000 no-ops kept: dualdag, first and second run", f"{base:.3g} s, {again:.3g} s", "", ""))
    for name, program in _peers.NOOPS.items():
        times = [child(program, "1000") for _ in range(repeat)]
        first, second = (statistics.median(t[k] for t in times) for k in ("run", "again"))
        text = f"{first:.3g} s, {second:.3g} s; {first / base:.1f}x and {second / again:.1f}x ours"
        rows.append((f"1,000 no-ops cached: {name}", text, "slower than ours", verdict(base, first)))
    return rows


def _file_prices(repeat: int) -> list[float]:
    """Return what it costs to create, link and unlink a small file, which every kept object takes."""
    prices = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            for i in range(1000):
                path = os.path.join(folder, f"{i}.tmp")
                with open(path, "xb") as file:
                    file.write(bytes(100))
                os.link(path, os.path.join(folder, str(i)))
                os.unlink(path)
            prices.append((time.perf_counter() - start) / 1000)
    return prices


def digests(repeat: int) -> list[Row]:
    """Digest a numeric frame of 1 GB, Arrow strings, object strings; beside the peers."""
    rows = []
    for kind, size, limit in (("numeric", 1.0, 3.0), ("arrow strings", 0.5, 3.0), ("object strings", 0.05, 0.1)):
        result = child(_programs.DIGESTS, kind, str(size), str(repeat))
        mine = [result["nbytes"] / 1e9 / t for t in result["dualdag"]]
        rows.append((f"digest of {kind}, {result['nbytes'] / 1e9:.2g} GB", spread(mine, "GB/s"), f">= {limit} GB/s",
                     verdict(statistics.median(mine), limit, at_least=True)))  # fmt: skip
        for peer in ("joblib.hash", "hash_pandas_object", "dask.base.tokenize"):
            rows.append((f"- {peer}", f"{result['nbytes'] / 1e9 / result[peer]:.3g} GB/s", "", ""))
    return rows


def flights(repeat: int) -> list[Row]:
    """Run the flights example a second time: nothing changed."""
    result = child(_programs.FLIGHTS, str(ROOT), str(repeat))
    return [
        ("flights: first run, whole process", f"{result['first']:.3g} s", "", ""),
        ("flights: second run, whole process, no task runs", spread(result["second"]), "<= 1.5 s",
         verdict(statistics.median(result["second"]), 1.5)),
    ]  # fmt: skip


FIGURES: dict[str, Callable[[int], list[Row]]] = {
    "import_time": import_time,
    "million": million,
    "unchanged": unchanged,
    "deep_and_wide": deep_and_wide,
    "small_tasks": small_tasks,
    "digests": digests,
    "flights": flights,
}
