"""A fan of tasks and a sum, written for each peer as its manual does, on the engine that it was given."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks import _engine_work as w

Side = Callable[[int], Any]

#: A module that Hamilton makes has a name that no other has.
_NUMBERS = itertools.count()

#: What each task does, and what is made of all of them.
BODIES: dict[str, tuple[Callable[[int], int], Callable[[Any], Any]]] = {
    "noops": (w.noop, w.gather),
    "pauses": (w.pause, sum),
}


def sides(engine: str, here: Any, name: str) -> dict[str, Side]:
    """Return the peers that can do the work on the engine; each is given how many tasks."""
    body, gather = BODIES[name]
    return {"ray": _on_ray, "dask": _on_dask, "processes": _on_processes}[engine](here, body, gather)


def _on_ray(here: Any, body: Callable[[int], int], gather: Callable[[Any], Any]) -> dict[str, Side]:
    found: dict[str, Side] = {"ray.dag": functools.partial(_ray_dag, here, body, gather)}
    if find_spec("hamilton") is not None:
        from hamilton import base
        from hamilton.plugins.h_ray import RayGraphAdapter, RayTaskExecutor

        adapter = RayGraphAdapter(result_builder=base.DictResult(), ray_init_config={"ignore_reinit_error": True})
        found["Hamilton, RayGraphAdapter"] = functools.partial(_hamilton_adapter, adapter, body, gather)
        executor = RayTaskExecutor(skip_init=True)
        found["Hamilton, RayTaskExecutor"] = functools.partial(_hamilton_dynamic, executor, body, gather)
    return found


def _on_dask(here: Any, body: Callable[[int], int], gather: Callable[[Any], Any]) -> dict[str, Side]:
    found: dict[str, Side] = {"Client.map": functools.partial(_client_map, here.client, body, gather)}
    if find_spec("hamilton") is not None:
        from hamilton import base
        from hamilton.plugins.h_dask import DaskExecutor, DaskGraphAdapter

        adapter = DaskGraphAdapter(here.client, base.DictResult())
        found["Hamilton, DaskGraphAdapter"] = functools.partial(_hamilton_adapter, adapter, body, gather)
        executor = DaskExecutor(client=here.client)
        found["Hamilton, DaskExecutor"] = functools.partial(_hamilton_dynamic, executor, body, gather)
    return found


def _on_processes(here: Any, body: Callable[[int], int], gather: Callable[[Any], Any]) -> dict[str, Side]:
    found: dict[str, Side] = {}
    makers = {"joblib": ("joblib", _joblib), "pipefunc": ("pipefunc", _pipefunc), "redun": ("redun", _redun)}
    for label, (package, maker) in makers.items():
        if find_spec(package) is not None:
            found[label] = maker(body, gather)
    return found


def _ray_dag(here: Any, body: Callable[[int], int], gather: Callable[[Any], Any], n: int) -> Any:
    import warnings

    leaf = here.remote(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Only arguments of the call itself are resolved, not those inside a list.
        return here.ray.get(here.remote(_each(gather)).bind(*[leaf.bind(i) for i in range(n)]).execute())


@functools.cache
def _each(gather: Callable[[Any], Any]) -> Callable[..., Any]:
    def total(*xs: int) -> Any:
        return gather(xs)

    return total


def _client_map(client: Any, body: Callable[[int], int], gather: Callable[[Any], Any], n: int) -> Any:
    return gather(client.gather(client.map(body, range(n), pure=False, batch_size=128)))


def _hamilton_adapter(adapter: Any, body: Callable[[int], int], gather: Callable[[Any], Any], n: int) -> Any:
    from hamilton import ad_hoc_utils, driver
    from hamilton.function_modifiers import group, inject, parameterize, source, value

    @parameterize(**{f"leaf_{i}": {"i": value(i)} for i in range(n)})
    def leaf(i: int) -> int:
        return body(i)

    @inject(xs=group(*[source(f"leaf_{i}") for i in range(n)]))
    def total(xs: list[int]) -> object:
        return gather(xs)

    module = ad_hoc_utils.create_temporary_module(leaf, total, module_name=f"fan_{next(_NUMBERS)}")
    built = driver.Builder().with_modules(module).with_adapters(adapter).build()
    return built.execute(["total"])["total"]


def _hamilton_dynamic(executor: Any, body: Callable[[int], int], gather: Callable[[Any], Any], n: int) -> Any:
    from hamilton import ad_hoc_utils, driver
    from hamilton.execution.executors import SynchronousLocalTaskExecutor
    from hamilton.htypes import Collect, Parallelizable

    def item(n):
        yield from range(n)

    def leaf(item: int) -> int:
        return body(item)

    def total(leaf):
        return gather(list(leaf))

    # Written out, since names of this function are no names of its module.
    item.__annotations__ = {"n": int, "return": Parallelizable[int]}
    total.__annotations__ = {"leaf": Collect[int], "return": object}
    module = ad_hoc_utils.create_temporary_module(item, leaf, total, module_name=f"map_{next(_NUMBERS)}")
    built = (
        driver.Builder()
        .with_modules(module)
        .enable_dynamic_execution(allow_experimental_mode=True)
        .with_local_executor(SynchronousLocalTaskExecutor())
        .with_remote_executor(executor)
        .build()
    )
    return built.execute(["total"], inputs={"n": n})["total"]


def _joblib(body: Callable[[int], int], gather: Callable[[Any], Any]) -> Side:
    from joblib import Parallel, delayed

    return lambda n: gather(Parallel(n_jobs=2)(delayed(body)(i) for i in range(n)))


def _pipefunc(body: Callable[[int], int], gather: Callable[[Any], Any]) -> Side:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from pipefunc import PipeFunc, Pipeline

    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))

    def total(y: Any) -> Any:
        return gather([int(one) for one in y])

    def run(n: int) -> Any:
        leaf = PipeFunc(body, "y", mapspec="i[k] -> y[k]")
        out = Pipeline([leaf, PipeFunc(total, "total")]).map(
            {"i": list(range(n))}, run_folder=None, parallel=True, executor=pool, storage="dict", show_progress=False
        )
        return out["total"].output

    return run


def _redun(body: Callable[[int], int], gather: Callable[[Any], Any]) -> Side:
    import logging

    from redun import Scheduler
    from redun.config import Config

    from benchmarks import _engine_redun as tasks

    logging.disable(logging.CRITICAL)
    leaf, total = (tasks.noops, tasks.noops_total) if body is w.noop else (tasks.pauses, tasks.pauses_total)

    def run(n: int) -> Any:
        executor = {"type": "local", "mode": "process", "max_workers": "2"}
        settings = {"backend": {"db_uri": "sqlite:///:memory:"}, "executors.process": executor}
        scheduler = Scheduler(config=Config(settings))
        scheduler.load()
        return scheduler.run(total([leaf(i) for i in range(n)]))

    return run
