"""What a type checker says of ordinary use: read by `test_types`, never imported."""

from typing import Any, assert_type

import dualdag as dag


@dag.task
def load(path: str) -> list[int]:
    return [len(path)]


@dag.task(retries=2, memory="2GB")
def total(values: list[int], *, scale: float = 1.0) -> float:
    return sum(values) * scale


class Model:
    @dag.task
    def predict(self, values: list[int]) -> float:
        return float(len(values))


raw = load(dag.file("a.csv"))
assert_type(raw, dag.Node[list[int]])
assert_type(load("a.csv"), dag.Node[list[int]])
assert_type(load.fn("a.csv"), list[int])
assert_type(total(raw, scale=2), dag.Node[float])
assert_type(total([1, 2]), dag.Node[float])
assert_type(Model().predict(raw), dag.Node[float])
assert_type(raw.named("raw").options(retries=1).artifact("raw", cadence="1d").after(raw), dag.Node[list[int]])
assert_type(raw[0], dag.Node[Any])
assert_type(dag.value(3, name="three"), dag.Node[int])
assert_type(dag.files("*.csv"), dag.Node[list[str]])
assert_type(dag.run(raw, backend="sync", refresh=["raw"]), list[int])
assert_type(total(raw).compute(store="memory://x"), float)
assert_type(dag.plan(raw).counts, dict[str, int])
assert_type(dag.param("days", 7), int)
anything: dag.Node[object] = raw

dag.run(raw, stoer="x")  # type: ignore[call-overload]
raw.compute(stoer="x")  # type: ignore[call-arg]
raw.options(retrys=1)  # type: ignore[call-arg]
dag.task(load.fn, retrys=1)  # type: ignore[call-overload]
