"""Workers that are killed while they work cost what they were at, and no more."""

from __future__ import annotations

import json
import threading

import pytest

from tests.faults import fault_work, rig

#: Most nodes of a cluster.
MOST = 128


def run_under_fire(driver, folder, seed, *, seconds, keep):
    """Run the graph on a driver while its workers are killed; return what it said, the kills and the calls."""
    folder.mkdir()
    marks = rig.Marks(folder / "marks")
    driver.ask(store=str(folder / "store"), marks=str(marks.path), seconds=seconds, keep=keep)
    said = []
    ear = threading.Thread(target=lambda: said.append(driver.hear()))
    ear.start()
    killer = rig.Killer(marks, seed, 1 + seed % 3, fault_work.SIZE)
    killer.strike(lambda: not ear.is_alive())
    ear.join()
    return said[0], killer, marks


def seeds(full, few):
    return range(20) if full else range(few)


@pytest.mark.timeout(900)
def test_one_node_for_each_killed_worker(engine, drivers, full, tmp_path):
    """Nodes of 20 ms whose results are kept: only what was in flight is run again."""
    driver = drivers(engine)
    assert driver.hear() == {"ready": True}
    kills = most = 0
    for seed in seeds(full, 3):
        said, killer, marks = run_under_fire(driver, tmp_path / str(seed), seed, seconds=0.02, keep=True)
        assert said == {"value": fault_work.answer()}, seed
        assert len(marks.begun()) == fault_work.SIZE
        assert marks.again() <= len(killer.hit), (seed, killer.hit, marks.begun().most_common(6))
        kills += len(killer.hit)
        most = max(most, marks.again())
    assert kills
    print(json.dumps({"engine": engine, "nodes of": 0.02, "kills": kills, "run again at most in one run": most}))


@pytest.mark.timeout(900)
def test_one_cluster_for_each_killed_worker(engine, drivers, full, tmp_path):
    """Cheap nodes share jobs: a lost worker costs a job of them."""
    driver = drivers(engine)
    assert driver.hear() == {"ready": True}
    kills = most = 0
    for seed in seeds(full, 2):
        said, killer, marks = run_under_fire(driver, tmp_path / str(seed), seed, seconds=0.002, keep=True)
        assert said == {"value": fault_work.answer()}, seed
        assert marks.again() <= MOST * len(killer.hit), (seed, killer.hit)
        kills += len(killer.hit)
        most = max(most, marks.again())
    print(json.dumps({"engine": engine, "nodes of": 0.002, "kills": kills, "run again at most in one run": most}))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["processes", "ray"], indirect=True)
def test_values_that_were_not_kept_are_held_outside_workers(engine, drivers, full, tmp_path):
    """A worker of these takes no value with it, so no more is run again than where results are kept."""
    driver = drivers(engine)
    assert driver.hear() == {"ready": True}
    kills = most = 0
    for seed in seeds(full, 1):
        said, killer, marks = run_under_fire(driver, tmp_path / str(seed), seed, seconds=0.012, keep=False)
        assert said == {"value": fault_work.answer()}, seed
        kills += len(killer.hit)
        most = max(most, marks.again())
        assert marks.again() <= len(killer.hit), (seed, killer.hit)
    print(json.dumps({"engine": engine, "not kept": True, "kills": kills, "run again at most in one run": most}))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["dask"], indirect=True)
def test_values_that_were_not_kept_are_made_again_with_what_they_need(engine, drivers, full, tmp_path):
    """A worker of Dask's takes the values it holds with it.

    Dask makes them again, and for that also what they were made of where that was let go of.  So a kill costs at
    the most what was begun before it, however few of those values the worker held; the answer is right, and no
    node fails because another's value was being made again on a worker that was killed too.
    """
    driver = drivers(engine)
    assert driver.hear() == {"ready": True}
    kills = most = 0
    for seed in [2, *seeds(full, 0)]:
        folder = tmp_path / f"{seed}-{kills}"
        said, killer, marks = run_under_fire(driver, folder, seed, seconds=0.012, keep=False)
        assert said == {"value": fault_work.answer()}, (seed, killer.hit)
        assert len(marks.begun()) == fault_work.SIZE
        kills += len(killer.hit)
        most = max(most, marks.again())
        assert marks.again() <= killer.begun, (seed, killer.hit, marks.begun().most_common(6))
    assert kills
    print(json.dumps({"engine": engine, "not kept": True, "kills": kills, "run again at most in one run": most}))
