"""Eight processes of four clients each share a run on S3, where a server to test with is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dualdag.testing._crash_places import make_bucket, s3_server
from tests.execution import shared_work

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")

HERE = Path(__file__).parents[2]


@pytest.fixture
def server():
    with s3_server() as options:
        yield options["endpoint_url"]


@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_clients_of_several_processes_share_a_run(server, tmp_path, full):
    """Of eight processes with four clients each; two with two where no more is asked for."""
    processes, clients, count = (8, 4, 200) if full else (2, 2, 12)
    bucket = make_bucket(server)
    words = [count, tmp_path / "marks", "quick", f"s3://{bucket}/team", "local", clients, 0, 0]
    made = []
    try:
        for k in range(processes):
            environment = os.environ | {
                "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE / "backends")]),
                "FSSPEC_S3_ENDPOINT_URL": server,
                "FSSPEC_S3_KEY": "k",
                "FSSPEC_S3_SECRET": "s",
                "XDG_CACHE_HOME": str(tmp_path / f"cache{k}"),
            }
            command = [sys.executable, shared_work.__file__, *map(str, words)]
            made.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        for one in made:
            _, errors = one.communicate(timeout=1100)
            assert one.returncode == 0, errors
    finally:
        for one in made:
            one.kill()
            one.communicate()
    marks = Counter(map(int, (tmp_path / "marks").read_text().split()))
    assert len(marks) == count
    assert marks.total() <= 1.1 * count
