"""The shipped suite over S3, where a server to test with is installed."""

from __future__ import annotations

import pytest
from fsspec.config import conf

from dualdag.errors import UntrustedRecordError
from dualdag.store import open_store
from dualdag.testing import StoreSuite
from dualdag.testing._crash_places import make_bucket, s3_server
from dualdag.testing._store_suite_base import a_record, a_version

pytest.importorskip("s3fs")
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
        return f"s3://{make_bucket(server['endpoint_url'])}/team"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_signed_store_there(server, monkeypatch, tmp_path):
    monkeypatch.setitem(conf, "s3", server)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url, secret = f"s3://{make_bucket(server['endpoint_url'])}/team", "the secret of this bucket"
    store = open_store(url, secret=secret)
    made = store.add_version(a_version(store, "x", ["y" * 10_000]))
    store.put_records([a_record("x")])
    store.close()
    again = open_store(url, secret=secret)
    assert again.version("x") == made
    assert again.records([a_record("x").trace])
    with pytest.raises(UntrustedRecordError):
        open_store(url).put_records([a_record("y")])
    other = open_store(url, secret="of somebody else entirely")
    with pytest.raises(UntrustedRecordError):
        other.version("x")
    with pytest.warns(UserWarning, match="not accepted"):
        assert other.records([a_record("x").trace]) == {}
