"""The tasks for redun, which its worker processes look up by name in the module that makes them."""

from __future__ import annotations

from typing import Any

from redun import task

from benchmarks import _engine_work as w

redun_namespace = "bench"


@task(executor="process", cache=False)
def noops(i: int) -> int:
    return w.noop(i)


@task(executor="process", cache=False)
def pauses(i: int) -> int:
    return w.pause(i)


@task(cache=False)
def noops_total(xs: list[int]) -> Any:
    return w.gather(xs)


@task(cache=False)
def pauses_total(xs: list[int]) -> Any:
    return sum(xs)
