"""The graphs that faults strike, importable by drivers and workers: each call notes when it begins and ends."""

from __future__ import annotations

import os
import signal
import time

import dualdag as dag


def note(marks, kind, name):
    """Append a line; one write to a file opened for appending is never mixed with another's."""
    line = f"{kind} {name} {os.getpid()} {time.time()}\n".encode()
    file = os.open(marks, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line)
    finally:
        os.close(file)


@dag.task
def mix(name, seconds, marks, values):
    note(marks, "begin", name)
    time.sleep(seconds)
    result = (sum(values) * 31 + len(name)) % 1_000_003
    note(marks, "end", name)
    return result


@dag.task
def end_itself(name, marks):
    note(marks, "begin", name)
    os.kill(os.getpid(), signal.SIGKILL)


@dag.task
def tick(name, marks):
    """Run for a minute, and say so all the time."""
    for _ in range(600):
        note(marks, "tick", name)
        time.sleep(0.1)


WIDTH, HEIGHT, SIZE = 49, 4, 200


def graph(seconds, marks, keep):
    """Return 200 nodes: four layers, each node taking two of the layer before, and four sums."""
    layer = [mix(f"n0.{k}", seconds, marks, [k]) for k in range(WIDTH)]
    layer = [node.options(persist=keep) for node in layer]
    for level in range(1, HEIGHT):
        layer = [
            mix(f"n{level}.{k}", seconds, marks, [layer[k], layer[(k + 7) % WIDTH]]).options(persist=keep)
            for k in range(WIDTH)
        ]
    sums = [mix(f"s{k}", seconds, marks, layer[k::3]).options(persist=keep) for k in range(3)]
    return mix("all", seconds, marks, sums)


def with_a_killer(marks, retries):
    """Return a node that ends its process among twenty that don't."""
    others = [mix(f"o{k}", 0.02, marks, [k]).options(persist=True) for k in range(20)]
    return [*others[:5], end_itself("killer", marks).options(retries=retries, retry_on=(Exception,)), *others[5:]]


def with_a_late_one(marks):
    """Return a node that is given less time than it takes, and one that is not."""
    return [mix("in time", 0.02, marks, [1]), tick("late", marks).options(timeout=1.0)]


def few(marks):
    """Return three nodes that are soon done."""
    return [mix("", 0.02, marks, [0]) for _ in range(2)] + [mix("x", 0.02, marks, [0])]


def answer():
    """Return what `graph` gives, worked out in plain Python."""

    def plain(name, values):
        return (sum(values) * 31 + len(name)) % 1_000_003

    layer = [plain(f"n0.{k}", [k]) for k in range(WIDTH)]
    for level in range(1, HEIGHT):
        layer = [plain(f"n{level}.{k}", [layer[k], layer[(k + 7) % WIDTH]]) for k in range(WIDTH)]
    return plain("all", [plain(f"s{k}", layer[k::3]) for k in range(3)])
