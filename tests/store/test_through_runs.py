"""What befalls a store between runs: later facts, damage, other places; the next run gives right values."""

from __future__ import annotations

from pathlib import Path

import pytest

import dualdag as dag


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@dag.task
def read(path):
    return Path(path).read_text().strip()


@dag.task(deterministic=False)
def fetch(text, counter):
    """Give another result each time."""
    number = len(Path(counter).read_text()) + 1
    Path(counter).write_text("x" * number)
    return text, number


@dag.task
def pair(fetched):
    return [*fetched, "used"]


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("forget", [False, True])
def test_no_name_of_a_refreshed_result_leads_back_to_the_older_one(store, tmp_path, below, forget):
    file, counter = tmp_path / "file", tmp_path / "counter"
    counter.write_text("")

    def run(text, **options):
        file.write_text(text)
        if forget:
            for path in Path(store, "cache").glob("index*"):
                path.unlink()
        node = fetch(read(dag.file(str(file))), str(counter)).named("fetched")
        plan = dag.plan(pair(node) if below else node, store=store, refresh=options.get("refresh", ()))
        return dag.run(pair(node) if below else node, store=store, **options)[1], plan.counts["run"]

    assert run("v") == (1, 3 if below else 2)
    assert run("v\n")[0] == 1
    assert run("v\n", refresh=["fetched"])[0] == 2
    assert run("v")[0] == 2
    assert run("v") == (2, 0)
    assert run("v\n\n")[0] == 2
    # What was found by its action is known by its trace key from then on, all the way down.
    node = fetch(read(dag.file(str(file))), str(counter)).named("fetched")
    assert [p.action for p in dag.plan(pair(node) if below else node, store=store).nodes] == ["reuse"]
    assert run("v", refresh=["fetched"])[0] == 3
    assert [run(text)[0] for text in ("v", "v\n", "v\n\n")] == [3, 3, 3]
    assert len(counter.read_text()) == 3


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_damaged_fact_heals(store, tmp_path, lost):
    """Whatever is made in its stead is in force from then on, for all users alike."""
    counter = tmp_path / "counter"
    counter.write_text("")
    node = fetch("text", str(counter)).named("fetched")
    targets = [node, pair(node)]
    for _ in range(2):
        dag.run(targets, store=store)
        dag.run(targets, store=store, refresh=["fetched"])
        facts = sorted(Path(store, "facts").iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))[-2:]
        dag.store(store).close()
        for path in facts[lost : lost + 1] or facts:
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1])
        for path in Path(store, "cache").glob("index*"):
            path.unlink()
        with pytest.warns(UserWarning, match="damaged"):
            fetched, below = dag.run(targets, store=store)
        assert below[:2] == list(fetched)
        assert fetched[1] >= len(counter.read_text())
        plan = dag.plan(targets, store=store)
        assert [p.action for p in plan.nodes] == ["reuse"] * 2
        assert dag.run(targets, store=store) == [fetched, below]
