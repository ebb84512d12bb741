"""How often a run asks S3: small results share files, and nothing is asked for per node that is unchanged."""

from __future__ import annotations

from collections import Counter

import pytest
from fsspec.config import conf

import dualdag as dag
from dualdag.testing._crash_places import make_bucket, s3_server

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto.server")


@pytest.fixture
def url(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with s3_server() as options:
        monkeypatch.setitem(conf, "s3", options)
        yield f"s3://{make_bucket(options['endpoint_url'])}/team"


@pytest.fixture
def calls(monkeypatch):
    counts = Counter()
    real = s3fs.S3FileSystem._call_s3

    async def counted(self, method, *args, **kwargs):
        counts[method] += 1
        return await real(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    return counts


@dag.task(persist=True)
def square(n):
    return n * n


@dag.task
def total(*numbers):
    return sum(numbers)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_calls_do_not_follow_the_number_of_nodes(url, calls):
    def run(count):
        calls.clear()
        node = total(*[square(n) for n in range(count)]).artifact(f"total-{count}")
        assert dag.run(node, store=url, progress="off") == sum(n * n for n in range(count))
        return calls.total()

    first = run(1000)
    assert calls["put_object"] < 200  # none a node: some share each file
    again = run(1000)
    assert calls["put_object"] <= 4
    assert again <= 40 < first
    run(20)
    assert abs(run(20) - again) <= 4
