"""Space and moving on S3, where a server to test with is installed."""

from __future__ import annotations

import pytest
from fsspec.config import conf

import dualdag as dag
from dualdag.store import open_store
from dualdag.testing._crash_places import make_bucket, s3_server
from tests.store.test_copy import LARGE, counts, flow, run

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with s3_server() as options:
        monkeypatch.setitem(conf, "s3", options)
        yield f"s3://{make_bucket(options['endpoint_url'])}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_there_and_back_again(bucket, tmp_path):
    one, far, moved, back = str(tmp_path / "one"), f"{bucket}/team", f"{bucket}/moved", str(tmp_path / "back")
    for n in range(3):
        run(flow(n), one)
    open_store(one).copy_to(open_store(far), all_versions=True)
    for node in (flow(1), flow(2), flow(2, tail=b"!")):
        assert counts(node, far) == counts(node, one)
    # A bucket that was copied by other means is the store too.
    fs = open_store(far)._fs._fs
    for path in fs.find(far.removeprefix("s3://")):
        fs.copy(path, path.replace("/team/", "/moved/", 1))
    assert counts(flow(2), moved)["run"] == 0
    store = open_store(moved)
    journal = store.start_run("r", {})
    assert store.gc(keep=1, older_than=0, grace=0).objects == 0
    journal.close()
    assert store.gc(keep=1, older_than=0, grace=0).objects > 0
    assert [row.version for row in store.versions("both")] == [3]
    assert dag.load("both", store=moved) == b"2" * LARGE + b"."
    store.copy_to(open_store(back))
    assert dag.load("both", store=back) == b"2" * LARGE + b"."
    assert counts(flow(2), back)["run"] == 0
    assert store.gc(keep=1, older_than=0, grace=0).objects == 0
