"""The shipped suite over S3, where a server to test with is installed."""

from __future__ import annotations

import uuid

import pytest
from fsspec.config import conf

from dualdag.testing import StoreSuite
from dualdag.testing._crash_places import s3_server

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def server():
    with s3_server() as options:
        yield options


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestS3(StoreSuite):
    # Each try takes seconds there; test_crashes.py has more.
    operations = frozenset({"second writer"})

    @pytest.fixture
    def url(self, server, monkeypatch, tmp_path):
        monkeypatch.setitem(conf, "s3", server)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        bucket = f"b{uuid.uuid4().hex}"
        s3fs.S3FileSystem(skip_instance_cache=True, **server).call_s3("create_bucket", Bucket=bucket)
        return f"s3://{bucket}/team"
