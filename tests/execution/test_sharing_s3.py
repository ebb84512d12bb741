"""Eight processes of four clients each share a run on S3, where a server to test with is installed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from tests.execution import shared_work

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto.server")

HERE = Path(__file__).parents[2]


@pytest.fixture
def server():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    code = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_clients_of_several_processes_share_a_run(server, tmp_path, full):
    """Of eight processes with four clients each; two with two where no more is asked for."""
    processes, clients, count = (8, 4, 200) if full else (2, 2, 12)
    bucket = f"b{uuid.uuid4().hex}"
    options = {"endpoint_url": server, "key": "k", "secret": "s"}
    s3fs.S3FileSystem(skip_instance_cache=True, **options).call_s3("create_bucket", Bucket=bucket)
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
