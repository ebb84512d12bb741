"""A graph whose nodes take a while and leave a mark when they run; run by several processes at once."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import warnings
from pathlib import Path

import dualdag as dag

SECONDS = {"instant": (0, 0), "quick": (0.02, 0.05), "slow": (0.5, 0.5)}


def mark(marks: str, n: int) -> None:
    with open(marks, "ab", buffering=0) as file:
        file.write(b"%d\n" % n)


@dag.task(ignore=("marks",))
def leaf(n: int, seconds: float, marks: str) -> list[int]:
    mark(marks, n)
    time.sleep(seconds)
    return [n, n]


@dag.task
def total(pairs: list[list[int]]) -> int:
    return sum(n for n, _ in pairs)


@dag.task(ignore=("marks",))
def both(n: int, a: list[int], b: list[int], seconds: float, marks: str) -> list[int]:
    mark(marks, n)
    time.sleep(seconds)
    return [n, (a[1] + b[1]) % 1_000_003]


@dag.task(ignore=("marks", "broken"))
def fragile(n: int, marks: str, broken: str) -> int:
    mark(marks, n)
    time.sleep(0.3)
    if Path(broken).exists():
        raise ValueError(f"node {n}")
    return n


def graph(count, marks, pace="quick"):
    rng = random.Random(5)
    first = max(4, count // 4)
    nodes = []
    for n in range(count):
        seconds = rng.uniform(*SECONDS[pace])
        if n < first:
            nodes.append(leaf(n, seconds, marks))
        else:
            nodes.append(both(n, nodes[rng.randrange(n - first, n)], nodes[rng.randrange(n)], seconds, marks))
    return nodes


def answer(count):
    rng = random.Random(5)
    first = max(4, count // 4)
    values = []
    for n in range(count):
        rng.uniform(0, 1)
        if n < first:
            values.append(n)
        else:
            values.append((values[rng.randrange(n - first, n)] + values[rng.randrange(n)]) % 1_000_003)
    return [[n, value] for n, value in enumerate(values)]


def once(count, marks, pace, store, backend):
    found = dag.run(graph(count, marks, pace), store=store, backend=backend, workers=2, progress="off")
    assert found == answer(count)


def main() -> None:
    count, marks, pace, store, backend, clients, skew, lease = sys.argv[1:]
    from dualdag.store import _leases

    warnings.simplefilter("ignore", DeprecationWarning)
    if float(skew):
        real = time.time
        time.time = lambda: real() + float(skew)
    if float(lease):
        _leases.SECONDS_HERE = _leases.SECONDS_ELSEWHERE = float(lease)
    failures = []

    def client():
        try:
            once(int(count), marks, pace, store, backend)
        except BaseException as error:
            failures.append(error)
            raise

    if int(clients) == 1:
        client()
    else:
        threads = [threading.Thread(target=client) for _ in range(int(clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    os._exit(len(failures))


if __name__ == "__main__":
    main()
