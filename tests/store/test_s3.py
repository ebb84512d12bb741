"""The shipped suite over S3, where a server to test with is installed."""

from __future__ import annotations

import uuid

import pytest
from fsspec.config import conf

from dualdag.testing import StoreSuite

s3fs = pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def s3_server():
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestS3(StoreSuite):
    @pytest.fixture
    def url(self, s3_server, monkeypatch, tmp_path):
        options = {"endpoint_url": s3_server, "key": "k", "secret": "s"}
        monkeypatch.setitem(conf, "s3", options)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        bucket = f"b{uuid.uuid4().hex}"
        s3fs.S3FileSystem(skip_instance_cache=True, **options).call_s3("create_bucket", Bucket=bucket)
        return f"s3://{bucket}/team"
