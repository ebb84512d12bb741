"""A node that ends its own process, and one that is out of time: both are told of, and all others are done."""

from __future__ import annotations

import pytest

from tests.faults import rig

#: How often a job is given to a worker before its node is blamed: once more after the first loss; Dask does so
#: twice, the second time with nothing beside it.
CALLS = {"processes": 2, "ray": 2, "dask": 4}


@pytest.mark.parametrize("retries", [0, 1])
def test_a_node_that_ends_its_process(engine, retries, drivers, full, tmp_path):
    if not retries and not full:
        pytest.skip("takes long: with --full")
    driver = drivers(engine)
    assert driver.hear() == {"ready": True}
    marks = rig.Marks(tmp_path / "marks")
    wish = {"store": str(tmp_path / "store"), "marks": str(marks.path), "what": "with_a_killer", "retries": retries}
    driver.ask(**wish, options={"keep_going": True})
    (told,) = driver.hear()["errors"]
    assert told.startswith("WorkerLostError: ")
    assert "'end_itself" in told
    assert "fault_work.py" in told
    begun = marks.begun()
    assert len(marks.ended()) == 20
    assert begun.pop("killer") == CALLS[engine] * (1 + retries)
    assert sum(begun.values()) <= 20 + CALLS[engine] * (1 + retries), "innocents that ran beside it"
    # Without keep_going, what was done counts as done: nothing but the killer is run again.
    driver.ask(**wish)
    (again,) = driver.hear()["errors"]
    assert again.startswith("WorkerLostError: ")
    now = marks.begun()
    assert now.pop("killer") == 2 * CALLS[engine] * (1 + retries)
    assert now == begun


def test_a_node_that_is_out_of_time(engine, drivers, tmp_path):
    driver = drivers(engine)
    assert driver.hear() == {"ready": True}
    marks = rig.Marks(tmp_path / "marks")
    wish = {"store": str(tmp_path / "store"), "marks": str(marks.path), "what": "with_a_late_one"}
    driver.ask(**wish, options={"keep_going": True})
    (told,) = driver.hear()["errors"]
    assert told.startswith("TaskTimeoutError: 'tick")
    rig.until(lambda: rig.quiet(marks), what="the end of what was out of time")
    ticks = len([1 for kind, *_ in marks.lines() if kind == "tick"])
    assert 1 <= ticks < 40
    # Its worker is there for others.
    driver.ask(store=str(tmp_path / "other"), marks=str(marks.path), what="few")
    assert driver.hear() == {"value": [0, 0, 1]}
