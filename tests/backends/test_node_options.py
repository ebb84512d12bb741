"""Options of a node reach the engine: what it was given is looked at in the task, or in the engine itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

import dualdag as dag

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def installed(name):
    try:
        return tuple(int(part) for part in version(name).split(".")[:2])
    except PackageNotFoundError:
        return (0,)


@dag.task(persist=False)
def variable(name, n=0):
    return os.environ.get(name)


ENV = {"env_vars": {"DUALDAG_TEST_OPTION": "seen"}}


@pytest.mark.parametrize("backend", ["sync", "processes"])
def test_environment_variables_of_a_node(backend, tmp_path):
    with_it, without = variable("DUALDAG_TEST_OPTION").options(runtime_env=ENV), variable("DUALDAG_TEST_OPTION", 1)
    found = dag.run([with_it, without], backend=backend, workers=1, store=tmp_path / "store")
    assert found == ["seen", None]
    assert "DUALDAG_TEST_OPTION" not in os.environ


def test_threads_refuse_environment_variables(tmp_path):
    node = variable("X").options(runtime_env=ENV)
    with pytest.raises(dag.BackendError, match=r"'variable' \(\S+:\d+\) asks for environment variables of its own"):
        dag.run(node, backend="local", store=tmp_path / "store")


def test_what_ray_alone_provides(tmp_path):
    node = variable("X").options(runtime_env={"pip": ["six"]})
    for backend in ("sync", "local", "processes"):
        with pytest.raises(dag.BackendError, match=r"'variable' \(\S+:\d+\) asks for a runtime_env with 'pip'"):
            dag.run(node, backend=backend, store=tmp_path / "store")


@pytest.mark.parametrize(
    ("name", "value"),
    [("priority", "high"), ("max_retries", -1), ("runtime_env", ["x"]), ("runtime_env", {"env_vars": {"A": 1}}),
     ("scheduling_strategy", "spread"), ("workers", [1])],
    ids=["priority", "max_retries", "runtime_env", "env_vars", "scheduling_strategy", "workers"],
)  # fmt: skip
def test_values_that_make_no_sense(name, value):
    with pytest.raises(dag.GraphError, match=rf"{name}=.* makes no sense; it takes"):
        variable("X").options(**{name: value})


def test_options_are_no_part_of_the_key():
    node = variable("X")
    other = node.options(priority=3, max_retries=2, runtime_env=ENV, scheduling_strategy="SPREAD", workers="a")
    assert other.key == node.key


@dag.task(persist=False)
def killed(folder):
    with open(os.path.join(folder, "tries"), "a") as file:
        file.write("x")
        file.flush()
    os._exit(3)


@pytest.mark.parametrize("count", [0, 2])
def test_max_retries_of_processes(tmp_path, count):
    with pytest.raises(dag.WorkerLostError, match=f"ended {count + 1} times"):
        dag.run(
            killed(str(tmp_path)).options(max_retries=count), backend="processes", workers=1, store=tmp_path / "store"
        )
    assert (tmp_path / "tries").read_text() == "x" * (count + 1)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    pytest.importorskip("distributed")
    from dualdag_dask._connect import here, start

    made, cluster = start(2, {"resources": {"GPU": 1, "tape": 2}})
    yield made
    made.close()
    cluster.close()
    here(None)


class TestDask:
    def test_what_dask_is_told(self, client, tmp_path, monkeypatch):
        told = []
        plain = client.get
        monkeypatch.setattr(client, "get", lambda *a, **k: (told.append(k), plain(*a, **k))[1])
        name = next(iter(client.scheduler_info()["workers"].values()))["name"]
        node = variable("X", 1).options(priority=7, workers=str(name), num_gpus=1, resources={"tape": 2})
        assert dag.run(node, backend=client, store=tmp_path / "store") is None
        assert told[0]["priority"] == 7
        assert told[0]["resources"] == {"GPU": 1, "tape": 2}
        assert [client.scheduler_info()["workers"][w]["name"] for w in told[0]["workers"]] == [name]

    def test_workers_are_where_it_runs(self, client, tmp_path):
        @dag.task(persist=False)
        def where(n):
            from distributed import get_worker

            return str(get_worker().name)

        names = [str(worker["name"]) for worker in client.scheduler_info()["workers"].values()]
        for name in names:
            nodes = [where((name, n)).options(workers=name) for n in range(4)]
            assert dag.run(nodes, backend=client, store=tmp_path / "store") == [name] * 4

    def test_a_worker_that_is_not_there(self, client, tmp_path):
        node = variable("X", 2).options(workers=["elsewhere"])
        with pytest.raises(
            dag.BackendError, match=r"'variable' \(\S+:\d+\) is to run on the workers elsewhere, and .* 0, 1"
        ):
            dag.run(node, backend=client, store=tmp_path / "store")

    def test_environment_variables(self, client, tmp_path):
        nodes = [variable("DUALDAG_TEST_OPTION", 3).options(runtime_env=ENV), variable("DUALDAG_TEST_OPTION", 4)]
        assert dag.run(nodes, backend=client, store=tmp_path / "store") == ["seen", None]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    import ray

    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
            object_store_memory=200_000_000, _temp_dir=folder, resources={"tape": 3},
        )  # fmt: skip
        yield
        dag.shutdown()
        ray.shutdown()


@pytest.mark.skipif(installed("ray") < (2, 48), reason="needs Ray 2.48 or later")
@pytest.mark.usefixtures("cluster")
class TestRay:
    def test_amounts(self, tmp_path):
        @dag.task(persist=False)
        def assigned(n):
            import ray

            return dict(ray.get_runtime_context().get_assigned_resources())

        node = assigned(1).options(num_cpus=0.5, resources={"tape": 2}, memory="10MB")
        found = dag.run(node, backend="ray", store=tmp_path / "store")
        assert (found["CPU"], found["tape"], found["memory"]) == (0.5, 2, 10_000_000)

    def test_environment_variables(self, tmp_path):
        nodes = [variable("DUALDAG_TEST_OPTION", 5).options(runtime_env=ENV), variable("DUALDAG_TEST_OPTION", 6)]
        assert dag.run(nodes, backend="ray", store=tmp_path / "store") == ["seen", None]

    def test_placement(self, tmp_path):
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        @dag.task(persist=False)
        def where(n):
            import ray

            return ray.get_runtime_context().get_node_id()

        here = ray.get_runtime_context().get_node_id()
        there = NodeAffinitySchedulingStrategy(here, soft=False)
        nodes = [where(0).options(scheduling_strategy="SPREAD"), where(1).options(scheduling_strategy=there)]
        assert dag.run(nodes, backend="ray", store=tmp_path / "store") == [here, here]

    def test_options_that_ray_is_given(self, tmp_path):
        from dualdag_ray._shape import shape_of

        asked = {"max_retries": 4, "runtime_env": ENV, "scheduling_strategy": "SPREAD", "num_gpus": 1}
        assert shape_of(asked).options() == {"num_cpus": 1, **asked}

    @pytest.mark.parametrize("count", [0, 2])
    def test_max_retries(self, tmp_path, count):
        with pytest.raises(dag.WorkerLostError, match=rf"'killed' \(\S+\) was lost {count + 1} times"):
            dag.run(killed(str(tmp_path)).options(max_retries=count), backend="ray", store=tmp_path / "store")
        assert (tmp_path / "tries").read_text() == "x" * (count + 1)
