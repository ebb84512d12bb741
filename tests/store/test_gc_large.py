"""Housekeeping of many objects takes memory that does not grow with them; a million with ``--full``."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from blake3 import blake3

from dualdag.store import Record, open_store

_COLLECT = """
import json, resource, sys
from dualdag.store import open_store
store = open_store(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = store.gc(grace=0, dry_run=True)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([found.objects, found.left, (after - before) // 1024, after // 1024]))
"""


def fill(url, count):
    """Make a store of tiny objects; every other one is of a result of today."""
    store = open_store(url)
    for start in range(0, count, 1000):
        records = []
        for k in range(start, start + 1000):
            data = b"%d" % k
            checksum = blake3(data).digest()
            folder = f"{url}/objects/{checksum.hex()[:2]}"
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/{checksum.hex()[2:]}", "wb") as file:
                file.write(data)
            made = time.time() if k % 2 else 1.0
            keys = (blake3(b"%s %d" % (name, k)).digest(20) for name in (b"own", b"trace", b"action"))
            records.append(Record(*keys, checksum, checksum, "bytes", len(data), 0.1, made, "f", True))
        store.put_records(records)
    store.close()


@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="tells its memory in other units")
def test_memory_does_not_grow_with_the_objects(tmp_path, full):
    count = 1_000_000 if full else 4_000
    url = str(tmp_path / "store")
    fill(url, count)
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _COLLECT, url], capture_output=True, text=True, check=True)
    objects, _, more, peak = map(int, done.stdout.strip("[]\n").split(","))
    print(f"{count} objects: {time.monotonic() - began:.1f} s, peak {peak} MB, {more} MB of it for them")
    assert objects == count // 2
    assert more < 150
