"""Tasks and graphs for tries with faults: each call leaves a mark outside the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dualdag as dag

__all__ = ["amount", "chain", "half", "marked", "mixed", "pair", "price"]

#: Bytes of a large value: an object of its own in the store.
_LARGE = 2_000


def mixed(name: int, values: Sequence[bytes]) -> bytes:
    """Return what the node `name` gives: large for even names, small for odd ones.

    Parameters
    ----------
    name : int
        Of the node.
    values : sequence of bytes
        Of those above it.
    """
    number = (sum(int.from_bytes(value[:8], "big") for value in values) * 31 + name + 1) % 1_000_003
    return number.to_bytes(8, "big") * (1 if name % 2 else _LARGE)


def _mark(marks: str, name: object) -> None:
    with Path(marks).open("a") as file:
        file.write(f"{name}\n")


def marked(marks: str) -> list[str]:
    """Return the names of the nodes that were begun, in order.

    Parameters
    ----------
    marks : str
        Path of the file they mark.
    """
    path = Path(marks)
    return path.read_text().split() if path.exists() else []


@dag.task(persist=True)
def mix(name: int, marks: str, values: Sequence[bytes]) -> bytes:
    """Be one node of a chain."""
    _mark(marks, name)
    return mixed(name, values)


def chain(marks: str, size: int) -> list[Any]:
    """Return nodes each of which takes the two before it; each is kept, so that only one is ever in flight.

    Parameters
    ----------
    marks : str
        Path of the file they mark.
    size : int
        How many.
    """
    nodes: list[Any] = []
    for name in range(size):
        nodes.append(mix(name, marks, nodes[-2:]))
    return nodes


@dag.task(persist=True)
def amount(marks: str, number: int) -> bytes:
    """Give a large value that follows a parameter."""
    _mark(marks, f"amount{number}")
    return number.to_bytes(8, "big") * _LARGE


def price(marks: str, number: int) -> Any:
    """Return an artifact that follows a parameter, and so gets a version for each.

    Parameters
    ----------
    marks : str
        Path of the file it marks.
    number : int
        The parameter.
    """
    return amount(marks, number).artifact("price")


@dag.task
def half(number: int) -> int:
    """Give the same for two parameters: what follows has another derivation and the same inputs."""
    return number // 2


@dag.task
def feed(marks: str, outside: str, base: int) -> bytes:
    """Read what no fingerprint sees."""
    _mark(marks, "feed")
    return (int(Path(outside).read_text()) + 100 * base).to_bytes(8, "big") * _LARGE


@dag.task
def side(name: str, value: bytes) -> bytes:
    """Be one of two that take the same."""
    return name.encode() + value


def pair(marks: str, outside: str, number: int) -> list[Any]:
    """Return two artifacts that take one feed, which is named ``feed``.

    Parameters
    ----------
    marks : str
        Path of the file it marks.
    outside : str
        Path of the file that it reads behind dualdag's back.
    number : int
        Above the feed; 2 and 3 give it the same.
    """
    fed = feed(marks, outside, half(number)).named("feed")
    return [side(name, fed).artifact(name) for name in ("left", "right")]
