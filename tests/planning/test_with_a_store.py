"""Plans over the store that users have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import dualdag as dag
from dualdag.graph import compile_graph
from dualdag.hashing import action_key
from dualdag.planning import FileView, plan_graph
from dualdag.store import Confirmation, Record, Version, open_store

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@dag.task
def half(n):
    return n // 2


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def plan(store, *nodes, **options):
    graph = compile_graph(nodes)
    view = FileView()
    view.scan(graph)
    return plan_graph(graph, store=store, files=view, now=NOW, **options)


def recorded(store, node, value, *, digests=(), keep=True):
    """Record a node's result, as a run does."""
    from dualdag.hashing import digest_value

    made = plan(store, node)
    i = made.targets[0]
    saved = store.save(value)
    record = Record(
        own=node.own, trace=made.traces[i], action=action_key(node.own, digests), digest=digest_value(value),
        checksum=saved.checksum if keep else None, codec=saved.codec if keep else "", nbytes=saved.nbytes,
        seconds=0.1, created=NOW.timestamp(), function="half",
    )  # fmt: skip
    store.put_records([record])
    return record


def test_a_recorded_target_is_found_by_one_look_up(store):
    node = half(6)
    recorded(store, node, 3)
    store.lookups.clear()
    made = plan(store, node)
    assert made.counts == {"reuse": 1, "run": 0, "check": 0, "pinned": 0}
    assert store.lookups["records"] == 1


def test_a_result_is_found_by_its_inputs_digests(store):
    first = recorded(store, half(6), 3)
    other = half(half(6).after(half(100)))
    recorded(store, half(half(6)), 1, digests=[first.digest])
    again = half(6).after(half(100))
    hundred = recorded(store, half(100), 50)
    recorded(store, again, 3, digests=[hundred.digest])
    made = plan(store, other)
    assert {row.node.own == other.own: row.action for row in made.nodes} == {True: "reuse"}
    assert made.aliases
    assert made.nodes[0].reason == "found in the store for the same values of its inputs"


def test_a_digest_without_an_object_is_a_recipe(store):
    recorded(store, half(6), 3, keep=False)
    made = plan(store, half(half(6)))
    assert [row.action for row in made.nodes] == ["run", "run"]
    assert set(made.recipes) == {0}


def test_a_superseded_result_hides_what_was_made_of_the_old_one(store):
    first = recorded(store, half(6), 3)
    recorded(store, half(half(6)), 1, digests=[first.digest])
    assert plan(store, half(half(6))).counts["reuse"] == 1
    other = store.save(5)
    from msgspec.structs import replace

    from dualdag.hashing import digest_value

    store.supersede(replace(first, digest=digest_value(5), checksum=other.checksum))
    made = plan(store, half(half(6)))
    assert [(row.action, row.reason) for row in made.nodes] == [
        ("reuse", "found in the store"),
        ("run", "never run with these values of its inputs"),
    ]


def test_versions_and_confirmations_pin(store):
    node = half(6).artifact("x", cadence="1d")
    record = recorded(store, node, 3)
    made = plan(store, node)
    store.add_version(
        Version(
            name="x",
            number=0,
            digest=record.digest,
            checksum=record.checksum,
            codec=record.codec,
            nbytes=record.nbytes,
            trace=made.effective[0],
            own_part=made.own_parts["x"],
            action=record.action,
            created=NOW.timestamp() - 90_000,
            seconds=0.1,
            cadence="1d",
            tz="UTC",
            run="r",
        )
    )
    assert plan(store, node).nodes[0].reason == "due since 2026-03-02 07:00 UTC; found in the store"
    store.confirm(
        Confirmation(
            name="x", version=1, created=NOW.timestamp(), trace=made.effective[0], own_part=made.own_parts["x"]
        )
    )
    assert plan(store, node).nodes[0].reason == "not due until 2026-03-03 08:00 UTC"
