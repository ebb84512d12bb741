"""Figures of the store: publishing, reading, files, memory, many versions, S3."""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Callable

from benchmarks import _store_programs as programs
from benchmarks._harness import child, spread, verdict

Row = tuple[str, str, str, str]


def publish(repeat: int) -> list[Row]:
    """Publish results of 1 KB, each with its record, one after the other; beside the peers."""
    rows = []
    base = 0.0
    with tempfile.TemporaryDirectory() as folder:
        made = functools.partial(child, within=folder)
        for nbytes, limit in ((1024, 0.3), (10_000, 0.0)):
            runs = [made(programs.PUBLISH, "2000", "plain", str(nbytes)) for _ in range(repeat)]
            each = [1000 * run["each"] for run in runs]
            base = base or statistics.median(each)
            told = (f"<= {limit} ms", verdict(statistics.median(each), limit)) if limit else ("", "")
            rows.append(
                (f"publish a result of {nbytes / 1000:.0f} KB and its record, local", spread(each, "ms"), *told)
            )
        runs = [made(programs.PUBLISH, "200", "durable", "1024") for _ in range(repeat)]
        syncs = max(run["syncs"] for run in runs)
        text = f"{syncs:.2f} fsyncs, {spread([1000 * run['each'] for run in runs], 'ms')}"
        rows.append(("the same of 1 KB with `durable=True`", text, "<= 2 fsyncs", verdict(syncs, 2)))
        each = [1000 * made(programs.FLOOR, "2000")["each"] for _ in range(repeat)]
        floor = "- the file system alone: a file made, linked and its first name removed"
        rows.append((floor, spread(each, "ms"), "", ""))
        for name, program in programs.PEERS.items():
            each = [1000 * made(program, "500")["each"] for _ in range(repeat)]
            rows.append((f"- {name}", f"{spread(each, 'ms')}; {statistics.median(each) / base:.1f}x ours", "", ""))
    return rows


def read(repeat: int) -> list[Row]:
    """Read a frame of 1 GB with its check, beside the codec's own read of the same file."""
    # Machines drop pages of files as they like, so that some reads wait for the disk: medians of many turns.
    result = child(programs.READ, "1.0", str(4 * repeat + 1))
    plain, checked = (statistics.median(result[way]) for way in ("plain", "checked"))
    text = f"{plain / checked:.2f}x; {spread(result['checked'])} beside {spread(result['plain'])}, {result['codec']}"
    return [("read a frame of 1 GB with its check: speed of the codec's own read", text, ">= 0.8x",
             verdict(plain / checked, 0.8, at_least=True))]  # fmt: skip


def memory(repeat: int) -> list[Row]:
    """Measure the peak of memory while a frame of 2 GB is stored, above the frame itself."""
    runs = [child(programs.MEMORY, "2.0") for _ in range(min(repeat, 3))]
    ratio = [run["above"] / run["nbytes"] for run in runs]
    return [("peak of memory while storing a frame of 2 GB, above the frame", spread(ratio, "x"), "<= 0.25x",
             verdict(max(ratio), 0.25))]  # fmt: skip


def files(_repeat: int) -> list[Row]:
    """Count the files of 2,000 kept nodes."""
    rows = []
    for size, limit in ((100, 0.2), (10_000, 2.0)):
        count = child(programs.FILES, "2000", str(size))["files"] / 2000
        rows.append((f"files a kept node of {size} B", f"{count:.3f}", f"<= {limit}", verdict(count, limit)))
    return rows


def versions(repeat: int) -> list[Row]:
    """Time commands on a store of 100,000 versions, whole processes."""
    rows = []
    for artifacts, each in ((1000, 100), (10, 10_000), (100_000, 1)):
        result = child(programs.VERSIONS, str(artifacts), str(each), str(repeat))
        for command, times in result.items():
            cold, warm = times[0], times[1:]
            met = cold <= 5 and statistics.median(warm) <= 0.5
            rows.append((f"{artifacts:,} artifacts of {each:,} versions: `{command}`",
                         f"cold {cold:.2f} s, warm {spread(warm)}", "<= 5 s, <= 0.5 s", "yes" if met else "no"))  # fmt: skip
    return rows


def s3(_repeat: int) -> list[Row]:
    """Run 10,000 small kept nodes on S3 (moto), with 20 ms added to each call; again; and plan."""
    result = child(programs.S3, "10000", "0.02")
    rows = []
    for name, limit in (("first", 60.0), ("again", 0.0), ("plan", 0.0)):
        found = result[name]
        calls = sum(found["calls"].values())
        listed = ", ".join(f"{count} {method}" for method, count in sorted(found["calls"].items()))
        text = (f"{found['seconds']:.2f} s; {calls} calls ({listed}), {found['most']} at once; "
                f"{found['sent'] / 1000:,.0f} KB sent, {found['got'] / 1000:,.0f} KB read")  # fmt: skip
        told = ("<= 60 s", verdict(found["seconds"], limit)) if limit else ("no call per node", verdict(calls, 50))
        rows.append((f"10,000 kept nodes on S3: {name}", text, *told))
    return rows


FIGURES: dict[str, Callable[[int], list[Row]]] = {
    "publish": publish,
    "read": read,
    "memory": memory,
    "files": files,
    "versions": versions,
    "s3": s3,
}
