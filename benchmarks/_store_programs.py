"""What the figures of the store run, each in a fresh process; the last line printed is a JSON document."""

PUBLISH = """
import json, os, sys, time
from dualdag.store import Record, open_store

count, durable = int(sys.argv[1]), sys.argv[2] == "durable"
nbytes = int(sys.argv[3])
syncs, real = [0], os.fsync
def fsync(handle):
    syncs[0] += 1
    real(handle)
os.fsync = fsync

def publish(store, i):
    saved = store.save(i.to_bytes(8, "big") + bytes(nbytes - 8))
    key = i.to_bytes(20, "big")
    store.put_records([Record(own=key, trace=key, action=key[::-1], digest=key + bytes(12), checksum=saved.checksum,
                              codec=saved.codec, nbytes=saved.nbytes, kept=True)])

store = open_store("store", durable=durable)
for i in range(1, 300):
    publish(store, i)
syncs[0] = 0
start = time.perf_counter()
for i in range(300, 300 + count):
    publish(store, i)
seconds = time.perf_counter() - start
print(json.dumps({"each": seconds / count, "syncs": syncs[0] / count}))
"""

#: What the file system takes for the least that publishing one file is: disks differ more than programs do.
FLOOR = """
import json, os, sys, time
count = int(sys.argv[1])
os.mkdir("scratch")
os.mkdir("records")
start = time.perf_counter()
for i in range(count):
    file = os.open(f"scratch/{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(file, bytes(1400))
    os.close(file)
    os.link(f"scratch/{i}", f"records/{i}")
    os.unlink(f"scratch/{i}")
print(json.dumps({"each": (time.perf_counter() - start) / count}))
"""

#: A function whose result has 1 KB, as each peer's own manual caches one: the first call, function and all.
PEERS = {
    "joblib.Memory": """
import json, sys, time
from joblib import Memory
memory = Memory("cache", verbose=0)
@memory.cache
def made(i):
    return i.to_bytes(8, "big") + bytes(1016)
count = int(sys.argv[1])
made(0)
start = time.perf_counter()
for i in range(1, 1 + count):
    made(i)
print(json.dumps({"each": (time.perf_counter() - start) / count}))
""",
    "diskcache": """
import json, sys, time
from diskcache import Cache
cache = Cache("cache")
@cache.memoize()
def made(i):
    return i.to_bytes(8, "big") + bytes(1016)
count = int(sys.argv[1])
made(0)
start = time.perf_counter()
for i in range(1, 1 + count):
    made(i)
print(json.dumps({"each": (time.perf_counter() - start) / count}))
""",
    "redun": """
import json, logging, sys, time
from redun import Scheduler, task
from redun.config import Config
logging.disable(logging.CRITICAL)
redun_namespace = "bench"
@task()
def made(i):
    return i.to_bytes(8, "big") + bytes(1016)
count = int(sys.argv[1])
scheduler = Scheduler(config=Config({"backend": {"db_uri": "sqlite:///redun.db"}}))
scheduler.load()
scheduler.run(made(0))
start = time.perf_counter()
scheduler.run([made(i) for i in range(1, 1 + count)])
print(json.dumps({"each": (time.perf_counter() - start) / count}))
""",
    "Hamilton": """
import json, sys, time
from hamilton import driver
count = int(sys.argv[1])
open("flow.py", "w").write("def made(i: int) -> bytes:\\n    return i.to_bytes(8, 'big') + bytes(1016)\\n")
sys.path.insert(0, ".")
import flow
built = driver.Builder().with_modules(flow).with_cache(path="cache").build()
built.execute(["made"], inputs={"i": 0})
start = time.perf_counter()
for i in range(1, 1 + count):
    built.execute(["made"], inputs={"i": i})
print(json.dumps({"each": (time.perf_counter() - start) / count}))
""",
}

_FRAME = """
import json, os, sys, threading, time
import numpy as np, pandas as pd
from pathlib import Path

def frame(nbytes):
    rows = nbytes // 80
    values = np.random.default_rng(0).random((8, rows))
    columns = {f"x{i}": values[i] for i in range(8)}
    return pd.DataFrame(columns | {"n": np.arange(rows), "k": np.arange(rows) % 1000})

def status(name):
    [line] = [line for line in open("/proc/self/status") if line.startswith(name + ":")]
    return int(line.split()[1]) * 1024
"""

READ = (
    _FRAME
    + """
from dualdag.store import decode_value, open_store

store = open_store("store")
saved = store.save(frame(int(float(sys.argv[1]) * 1e9)))
path = Path("store", "objects", saved.checksum.hex()[:2], saved.checksum.hex()[2:])
ways = {
    "checked": lambda: store.load(saved.checksum, saved.codec),
    "plain": lambda: decode_value(saved.codec, path.read_bytes()),
}
os.sync()  # what is still being written to the disk would be in the way of both
for way in ways.values():
    way()
found = {"checked": [], "plain": []}
for turn in range(int(sys.argv[2])):
    for name in sorted(ways, reverse=turn % 2 == 1):  # neither is always the first
        start = time.perf_counter()
        value = ways[name]()
        found[name].append(time.perf_counter() - start)
        del value
print(json.dumps(found | {"nbytes": saved.nbytes, "codec": saved.codec}))
"""
)

MEMORY = (
    _FRAME
    + """
from dualdag.store import open_store

store = open_store("store")
store.save(frame(1_000_000))
made = frame(int(float(sys.argv[1]) * 1e9))
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
saved = store.save(made)
print(json.dumps({"above": status("VmHWM") - before, "nbytes": int(made.memory_usage(deep=False).sum())}))
"""
)

FILES = """
import json, os, sys
import dualdag as dag

@dag.task(persist=True)
def made(i, size):
    return i.to_bytes(8, "big") + bytes(size)

@dag.task
def total(*xs):
    return len(xs)

count, size = int(sys.argv[1]), int(sys.argv[2])
assert dag.run(total(*[made(i, size) for i in range(count)])) == count
files = [os.path.join(folder, name) for folder, _, names in os.walk(os.environ["DUALDAG_STORE"]) for name in names]
print(json.dumps({"files": len([path for path in files if f"{os.sep}cache{os.sep}" not in path])}))
"""

VERSIONS = """
import json, os, subprocess, sys, time
from dualdag.store import Version, open_store

artifacts, versions = int(sys.argv[1]), int(sys.argv[2])
folder = os.environ["DUALDAG_STORE"]
store = open_store(folder)
saved = store.save(1)
for k in range(versions):
    for i in range(artifacts):
        name, key = f"a{i}", b"%020d" % (k * artifacts + i)
        store.add_version(Version(name, 0, key + bytes(12), saved.checksum, saved.codec, saved.nbytes, key, b"o" * 20,
                                  key, 1.7e9 + k, 0.1, None, "UTC", "r"))
open("flow.py", "w").write('''
import dualdag as dag

@dag.task
def one(i):
    return i

for i in range(10):
    one(i).artifact(f"a{i}", cadence="7d")
''')

def took(*command):
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "dualdag", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - start

found = {}
for name, command in {"ls": ["ls"], "plan": ["plan", "flow.py"], "show": ["show", "a0"]}.items():
    subprocess.run(["rm", "-rf", folder + "/cache"])
    cold = took(*command)
    found[name] = [cold] + [took(*command) for _ in range(int(sys.argv[3]))]
print(json.dumps(found))
"""

S3 = """
import asyncio, json, os, sys, time
import fsspec.config, s3fs
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
fsspec.config.conf["s3"] = {"endpoint_url": f"http://{host}:{port}", "key": "k", "secret": "s"}
os.environ["XDG_CACHE_HOME"] = os.path.abspath("cache")
delay, calls, sent, got, open_now, most = float(sys.argv[2]), {}, [0], [0], [0], [0]
real = s3fs.S3FileSystem._call_s3

async def counted(self, method, *args, **kwargs):
    calls[method] = calls.get(method, 0) + 1
    body = kwargs.get("Body")
    sent[0] += len(body) if isinstance(body, (bytes, bytearray)) else 0
    open_now[0] += 1
    most[0] = max(most[0], open_now[0])
    try:
        await asyncio.sleep(delay)
        answer = await real(self, method, *args, **kwargs)
    finally:
        open_now[0] -= 1
    got[0] += int(answer.get("ContentLength", 0)) if isinstance(answer, dict) else 0
    return answer

s3fs.S3FileSystem._call_s3 = counted
s3fs.S3FileSystem(skip_instance_cache=True, **fsspec.config.conf["s3"]).call_s3("create_bucket", Bucket="bench")

import dualdag as dag

@dag.task(persist=True)
def made(i):
    return i

@dag.task
def total(*xs):
    return sum(xs)

def taken():
    found = {"calls": dict(calls), "sent": sent[0], "got": got[0], "most": most[0]}
    calls.clear()
    sent[0] = got[0] = most[0] = 0
    return found

count = int(sys.argv[1])
graph = lambda: total(*[made(i) for i in range(count)]).artifact("total")
taken()
found = {}
for name in ("first", "again"):
    start = time.perf_counter()
    assert dag.run(graph(), store="s3://bench/store") == sum(range(count))
    found[name] = {"seconds": time.perf_counter() - start} | taken()
start = time.perf_counter()
assert dag.plan(graph(), store="s3://bench/store").counts["run"] == 0
found["plan"] = {"seconds": time.perf_counter() - start} | taken()
print(json.dumps(found))
server.stop()
"""
