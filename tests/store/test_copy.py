"""Artifacts in another store, and a store in another place."""

from __future__ import annotations

import os
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3

import dualdag as dag
from dualdag._api import run_result
from dualdag.errors import ArtifactNotFoundError, CodecError, CorruptObjectError, StoreError
from dualdag.store import open_store
from dualdag.testing import FaultFS
from dualdag.testing._faults import CRASHED
from dualdag.testing._store_suite_base import a_version
from tests.store.test_gc import changing, in_a_child

LARGE = 10_000
SECRET = "nobody would guess this one"


@dag.task
def part(n):
    return b"%d" % n * LARGE


@dag.task
def joined(data, tail):
    return data + tail


@dag.task
def size(data, more):
    return len(data) + more + data[0] - 48


def flow(n=1, more=0, tail=b"."):
    both = joined(part.options(persist=True)(n), tail).artifact("both")
    return size(both, more).artifact("size")


def run(node, url, **options):
    return dag.run(node, store=url, backend="sync", progress="off", **options)


def counts(node, url):
    return dict(dag.plan(node, store=url).counts)


@pytest.fixture
def urls(tmp_path):
    return str(tmp_path / "one"), str(tmp_path / "two")


@pytest.fixture(params=["folder", "memory"])
def pair(request, tmp_path):
    first = str(tmp_path / "one")
    return (first, str(tmp_path / "two")) if request.param == "folder" else (first, f"memory://{uuid.uuid4().hex}")


def test_a_plan_of_the_copy_finds_what_that_of_the_original_finds(pair):
    one, two = pair
    run(flow(), one)
    run(flow(more=1), one, refresh=["both"])
    found = open_store(one).copy_to(open_store(two), "size", all_versions=True)
    assert found.artifacts == ("both", "size")
    assert found.versions == 3
    assert dag.load("size", store=two) == LARGE + 3
    for node in (flow(), flow(more=1), flow(more=2), flow(tail=b"!"), flow(n=2)):
        assert counts(node, two) == counts(node, one)
    # The object between was copied: only what is below it runs.
    assert counts(flow(tail=b"!"), two)["run"] == 1
    before = open_store(one).versions("size")[0]
    after = open_store(two).versions("size")[0]
    assert (after.version, after.created, after.digest) == (before.version, before.created, before.digest)


def test_copied_again_nothing_is_done(pair):
    one, two = pair
    for n in range(3):
        run(flow(n), one)
    first = open_store(one).copy_to(open_store(two), all_versions=True)
    assert (first.versions, first.lost) == (
        len(open_store(one).versions("both")) + len(open_store(one).versions("size")),
        0,
    )
    again = open_store(one).copy_to(open_store(two), all_versions=True)
    assert (again.versions, again.objects, again.records, again.nbytes) == (0, 0, 0, 0)
    assert [row.version for row in open_store(two).versions("both")] == [3, 2, 1]
    run(flow(5), one)
    more = open_store(one).copy_to(open_store(two))
    assert more.artifacts == ("both", "size")
    assert [row.version for row in open_store(two).versions("both")] == [4, 3, 2, 1]


def test_what_a_refresh_put_in_force_is_so_in_the_copy(pair):
    one, two = pair
    run(flow(), one)
    store = open_store(one)
    records = {r.function: r for page in store._records.pages() for r in store.records(page).values()}
    old = next(record for name, record in records.items() if "part" in name)
    saved = store.save(b"refreshed" * LARGE)
    store.supersede(type(old)(**{f: getattr(old, f) for f in old.__struct_fields__} | {
        "checksum": saved.checksum, "digest": blake3(b"refreshed").digest(), "codec": saved.codec}))  # fmt: skip
    store.close()
    assert counts(flow(), one)["run"] + counts(flow(), one)["check"] > 0
    run(flow(), one)
    open_store(one).copy_to(open_store(two))
    assert counts(flow(), two) == counts(flow(), one)
    assert counts(flow(), two)["run"] == 0


def test_versions_come_after_those_that_are_there(urls):
    one, two = urls
    run(flow(1), one)
    run(flow(2), two)
    run(flow(3), one)
    store, other = open_store(one), open_store(two)
    with pytest.raises(StoreError, match=r"newer than version 1 of .*Copy a newer one"):
        store.copy_to(other, "both", version=1)
    assert [row.version for row in other.versions("both")] == [1]
    store.copy_to(other, "both")
    assert [row.version for row in other.versions("both")] == [2, 1]
    assert dag.load("both", store=two) == b"3" * LARGE + b"."


def test_names_and_versions_that_are_not_there(urls):
    one, two = urls
    run(flow(1), one)
    with pytest.raises(ArtifactNotFoundError, match="Did you mean 'both'"):
        open_store(one).copy_to(open_store(two), "bothh")
    with pytest.raises(ArtifactNotFoundError, match="no version 7"):
        open_store(one).copy_to(open_store(two), "both", version=7)
    assert not Path(two).exists()


def test_a_damaged_object_is_not_copied(urls):
    one, two = urls
    run(flow(1), one)
    version = open_store(one).version("both")
    path = Path(one, "objects", version.checksum.hex()[:2], version.checksum.hex()[2:])
    path.chmod(0o644)
    path.write_bytes(b"?" * path.stat().st_size)
    with pytest.raises(CorruptObjectError, match="damaged"):
        open_store(one).copy_to(open_store(two), "both")
    other = open_store(two)
    assert other.artifacts() == []
    assert not other.has_objects([version.checksum])
    run(flow(1), one)
    assert open_store(one).copy_to(other, "both").versions == 1


def test_what_a_copy_that_was_killed_left_half_written_is_copied_again(urls):
    one, two = urls
    run(flow(), one)
    # Where files are written under their own names, as by some filesystems of fsspec.
    for path in Path(one, "objects").rglob("??????*"):
        half = Path(two, path.relative_to(one))
        half.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(path.read_bytes()[:100])
    open_store(one).copy_to(open_store(two))
    shutil.rmtree(one)
    assert dag.load("both", store=two) == b"1" * LARGE + b"."
    assert dag.load("size", store=two) == LARGE + 2
    assert not open_store(two).check().problems


def test_an_object_between_that_is_gone_is_made_again(urls):
    one, two = urls
    run(flow(1), one)
    store = open_store(one)
    store.gc(older_than=0, grace=0)
    found = store.copy_to(open_store(two))
    assert found.lost == 1
    assert counts(flow(1), two)["run"] == 0
    assert run(flow(1, tail=b"!"), two) == LARGE + 2


def test_a_signed_copy(urls):
    one, two = urls
    run(flow(1), one)
    signed = open_store(two, secret=SECRET)
    open_store(one).copy_to(signed)
    assert open_store(two, secret=SECRET).latest("both").number == 1
    assert dag.run(flow(1), store=two, secret=SECRET, backend="sync", progress="off") == LARGE + 2


def test_a_store_that_takes_no_pickle(urls):
    one, two = urls
    store = open_store(one)
    run(flow(1), one)

    @dag.task
    def complicated():
        return {frozenset({1}), b"x" * LARGE}

    run(complicated().artifact("complicated"), one)
    with pytest.raises(CodecError, match="pickle"):
        store.copy_to(open_store(two, payload="safe"), "complicated")
    store.add_version(msgspec.structs.replace(store.version("complicated"), codec="class:elsewhere.Thing", digest=b"d"))
    with pytest.raises(CodecError, match="elsewhere.Thing"):
        store.copy_to(open_store(two, payload="safe"), "complicated")
    assert store.copy_to(open_store(two, payload="safe"), "size").versions == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("fault", ["before", "after"])
def test_every_step_of_a_copy(fault, tmp_path, full):
    one = str(tmp_path / "one")
    for n in range(2):
        run(flow(n), one)

    def first(folder, at=None):
        source, target = open_store(one), open_store(str(folder))
        with FaultFS(at=at, fault=fault) as faults:
            source.copy_to(target, all_versions=True)
        return faults.steps

    def second(folder):
        target = open_store(str(folder))
        for row in target.artifacts():
            target.load((found := target.version(row.name)).checksum, found.codec)
        open_store(one).copy_to(target, all_versions=True)
        assert [row.version for row in target.versions("both")] == [2, 1]
        assert target.versions("both")[0].digest == open_store(one).versions("both")[0].digest
        assert counts(flow(1), str(folder)) == counts(flow(1), one)

    steps = changing(first(tmp_path / "counted"))
    assert len(steps) > 30
    for k in steps if full else steps[::4]:
        folder = tmp_path / f"{k}"
        assert in_a_child(lambda k=k, folder=folder: first(folder, k)) in {CRASHED, 0 if fault == "after" else CRASHED}
        assert in_a_child(lambda folder=folder: second(folder)) == 0, k
        shutil.rmtree(folder, ignore_errors=True)


# Moving.


def test_a_store_that_was_moved(urls, tmp_path):
    one, two = urls
    data = tmp_path / "data.txt"
    data.write_text("12 13")

    @dag.task
    def total(path):
        return sum(map(int, Path(path).read_text().split())) + 0 * len(str(path))

    node = total(dag.file(str(data))).artifact("total")
    assert run(node, one) == 25
    run(flow(1), one)
    shutil.move(one, two)
    assert counts(flow(1), two)["run"] == 0
    assert counts(node, two)["run"] == 0
    assert run(node, two) == 25
    assert [run.status for run in open_store(two).runs()] == ["done"] * 3
    assert not Path(one).exists()
    data.write_text("12 14 1")
    assert run(node, two) == 27


def test_a_store_holds_no_path_of_its_own(urls):
    one, _ = urls
    run(flow(1), one)
    run(flow(2), one, refresh="all")
    open_store(one).gc(older_than=0, grace=0)
    for path in Path(one).rglob("*"):
        if path.is_file() and "cache" not in path.parts:
            assert one.encode() not in path.read_bytes(), path


def test_a_link_to_a_store_is_the_store(urls):
    one, two = urls
    run(flow(1), one)
    os.symlink(one, two)
    assert counts(flow(1), two)["run"] == 0
    assert run(flow(2), two) == LARGE + 3
    assert counts(flow(2), one)["run"] == 0


# What is the newest, and what a run at the copy finds.


@pytest.fixture
def clock_set_back(urls):
    """A store whose later versions have earlier times, and one for its copy."""
    one, two = map(open_store, urls)
    for k in range(3):
        one.add_version(a_version(one, "x", f"{k}", created=1e9 - 100 * k))
    return one, two


def test_the_newest_is_the_newest_in_the_copy_whatever_clocks_said(clock_set_back):
    one, two = clock_set_back
    assert one.copy_to(two, all_versions=True).versions == 3
    assert [(row.version, row.digest) for row in two.versions("x")] == [
        (row.version, row.digest) for row in one.versions("x")
    ]


def test_a_later_version_with_an_earlier_time_is_copied(clock_set_back):
    one, two = clock_set_back
    for number in (1, 2, 3):
        assert one.copy_to(two, "x", version=number).versions == 1
    assert [row.version for row in two.versions("x")] == [3, 2, 1]


def test_an_older_version_with_a_later_time_is_none_that_is_newer(clock_set_back):
    one, two = clock_set_back
    one.copy_to(two)
    with pytest.raises(StoreError, match="would become the newest there"):
        one.copy_to(two, all_versions=True)
    assert [row.version for row in two.versions("x")] == [3]


@dag.task
def text(path):
    return Path(path).read_text().strip()


@dag.task
def many(word, factor=1):
    return word * LARGE if factor else ""


@pytest.mark.parametrize("cadence", [None, "1h"])
def test_a_run_at_the_copy_finds_what_came_out_the_same(urls, tmp_path, cadence):
    one, two = urls
    file = tmp_path / "word.txt"
    file.write_text("word")
    now = datetime.now(UTC)

    def node(factor=1):
        return many(text(dag.file(str(file))), factor).artifact("many", cadence=cadence)

    def executed(node, url, hours):
        found = run_result([node], store=url, backend="sync", progress="off", now=now + timedelta(hours=hours))
        return found.executed

    # No new version: another input, then another argument, made no difference to the value.
    assert executed(node(), one, 0) == 2
    file.write_text("word \n")
    assert executed(node(), one, 2) == 1
    assert executed(node(2), one, 4) == 2
    assert len(open_store(one).versions("many")) == 1
    open_store(one).copy_to(open_store(two))
    assert executed(node(2), two, 4) == 0
    assert executed(node(2), two, 8) == 0
    assert executed(node(), two, 10) == 0


def test_what_a_copy_tells(urls, tmp_path):
    one, two = map(open_store, urls)
    run(flow(), one.url)
    found = one.copy_to(two)
    assert (found.versions, found.there) == (2, 0)
    with pytest.raises(StoreError, match="there is no store at"):
        open_store(str(tmp_path / "three")).copy_to(two)
