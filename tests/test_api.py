"""The calls of the API as a user types them, odd ways of typing them included."""

from __future__ import annotations

import threading

import pytest

import dualdag as dag

BACKENDS = ["sync", "local", "processes"]


class Wire:
    """Can be neither pickled nor copied but by its codec."""

    def __init__(self, length):
        self.length = length
        self.lock = threading.Lock()


def decoded(data):
    return Wire(int(data))


@pytest.fixture
def taught():
    dag.register(Wire, digest=lambda wire: str(wire.length), codec=(lambda wire: b"%d" % wire.length, decoded))


@dag.task
def coil(length):
    return Wire(length)


@dag.task
def measure(wire):
    return wire.length


@dag.task
def bundle(wires):
    return {"wires": wires, "count": len(wires)}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_registered_class_goes_wherever_values_go(backend, tmp_path, taught):
    with dag.configure(store=tmp_path / "store", backend=backend):
        assert dag.run(measure(coil(3))) == 3
        assert dag.run(measure(Wire(4))) == 4
        both = bundle([coil(3), Wire(4)])
        assert dag.run(measure(both["wires"][1])) == 4
        kept = dag.run(both.artifact("both"))
        assert [wire.length for wire in kept["wires"]] == [3, 4]
        assert [wire.length for wire in dag.load("both")["wires"]] == [3, 4]


def test_a_file_inside_another_result_is_told_of(tmp_path):
    @dag.task
    def several(folder):
        (folder / "part").write_text("x")
        return {"files": [dag.File(folder / "part")]}

    with pytest.raises(dag.CodecError, match="nout="):
        dag.run(several(tmp_path), store="memory://files-inside", backend="sync")


def test_arguments_of_any_name():
    @dag.task
    def call(x, self=1, op=2, fn=3, **more):
        return x, self, op, fn, more

    got = dag.run(call(0, self=4, op=5, fn=6, args=7, kwargs=8), store="memory://names", backend="sync")
    assert got == (0, 4, 5, 6, {"args": 7, "kwargs": 8})


def test_an_argument_without_content_is_named_with_its_call():
    with pytest.raises(dag.FingerprintError, match=r"an argument of measure\(\) at .*test_api\.py:\d+"):
        measure(iter([1]))
    with pytest.raises(dag.FingerprintError, match=r"an argument of measure\(\) at .*test_api\.py:\d+"):
        measure(wire=iter([1]))


def test_a_task_of_a_task_keeps_what_is_not_given_again():
    @dag.task(nout=2, version=3, retries=5, ignore=("jobs",))
    def two(x, jobs=1):
        return x, x

    again = dag.task(two, timeout=9)
    assert again(1, jobs=7) == two(1)
    assert len(list(again(1))) == 2
    assert dag.task(two, version=4)(1) != two(1)


def test_what_refresh_takes(taught):
    node = measure(Wire(1)).named("length")
    with dag.configure(store="memory://refresh-takes", backend="sync"):
        assert dag.run(node, refresh=None) == 1
        assert dag.plan(node, refresh=iter(["length"])).counts["run"] == 1
        for wrong in (5, [5], [None]):
            with pytest.raises(dag.GraphError, match="refresh takes names, nodes and 'all'"):
                dag.run(node, refresh=wrong)
            with pytest.raises(dag.GraphError, match="refresh takes names, nodes and 'all'"):
                dag.plan(node, refresh=wrong)
