"""What the figures run, each in a fresh process; the last line printed is a JSON document."""

MILLION = """
import gc, json, os, resource, time
import dualdag as dag
from dualdag import _api
from dualdag.graph import compile_graph

@dag.task
def step(a, b, c):
    return a

def build(path, count):
    nodes = [step(dag.file(path), i, None) for i in range(3)]
    a, b, c = nodes
    for _ in range(count - 3):
        a, b, c = step(a, b, c), a, b
    return a

count = 1_000_000
path = os.path.abspath("input.csv")
open(path, "w").write("1")
collector = gc.isenabled(), gc.get_threshold()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
start = time.perf_counter()
target = build(path, count)
build_seconds = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
start = time.perf_counter()
plan = dag.plan(target)
assert plan.counts["run"] + plan.counts["check"] == count, plan.counts
plan_seconds = time.perf_counter() - start
assert (gc.isenabled(), gc.get_threshold()) == collector
del plan, target
open(path, "w").write("2")
start = time.perf_counter()
plan = dag.plan(build(path, count))
again = time.perf_counter() - start
assert plan.counts["run"] + plan.counts["check"] == count
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"build": build_seconds, "plan": plan_seconds, "again": again, "rss": rss,
                  "bytes": (after - before) / count}))
"""

_GRAPH_100K = """
import dualdag as dag

@dag.task
def read(path, k):
    return k

@dag.task
def step(x, k):
    return k

@dag.task
def gather(*xs):
    return len(xs)

def graph(folder):
    artifacts = []
    for a in range(10):
        ends = []
        for f in range(100):
            node = read(dag.file(f"{folder}/{a * 100 + f}.csv"), f)
            for k in range(98):
                node = step(node, k)
            ends.append(node)
        artifacts.append(gather(*ends).artifact(f"part{a}"))
    return artifacts
"""

UNCHANGED = (
    """
import json, os, subprocess, sys, time
"""
    + _GRAPH_100K
    + """
folder = os.path.abspath("in")
if len(sys.argv) == 2:
    os.mkdir("in")
    for i in range(1000):
        with open(f"in/{i}.csv", "w") as f:
            f.write(str(i))
    time.sleep(2.5)  # files as fresh as this are read again, rightly; those of a finished graph are older
    dag.run(graph(folder))
    plans = []
    for _ in range(int(sys.argv[1])):
        out = subprocess.run([sys.executable, __file__, "plan", "again"], capture_output=True, text=True, check=True)
        seconds, lookups, ran = json.loads(out.stdout.splitlines()[-1])
        assert ran == 0, ran
        plans.append(seconds)
    print(json.dumps({"plans": plans, "lookups": lookups}))
else:
    nodes = graph(folder)
    from dualdag import store
    stores, opening = [], store.open_with
    store.open_with = lambda chosen: stores.append(opening(chosen)) or stores[-1]
    start = time.perf_counter()
    plan = dag.plan(nodes)
    seconds = time.perf_counter() - start
    counted = dict(stores[0].lookups)
    print(json.dumps([seconds, counted, plan.counts["run"] + plan.counts["check"]]))
"""
)

DEEP = """
import json, time
import dualdag as dag

@dag.task(persist=False)
def step(x):
    return x + 1

@dag.task(persist=False)
def leaf(i):
    return i

@dag.task
def total(*xs):
    return sum(xs)

if __name__ == "__main__":
    count = 100_000
    node = leaf(0)
    for _ in range(count - 1):
        node = step(node)
    start = time.perf_counter()
    assert dag.run(node) == count - 1
    chain = time.perf_counter() - start
    node = total(*[leaf(i) for i in range(count)])
    start = time.perf_counter()
    assert dag.run(node) == sum(range(count))
    print(json.dumps({"chain": chain, "fan": time.perf_counter() - start}))
"""

NOOPS = """
import json, sys, time
import dualdag as dag

@dag.task
def leaf(i):
    return i

@dag.task
def total(*xs):
    return sum(xs)

count, persist = int(sys.argv[1]), sys.argv[2] == "True"
dag.run(leaf(-1))
nodes = [leaf(i).options(persist=persist) for i in range(count)]
target = total(*nodes)
start = time.perf_counter()
assert dag.run(target) == sum(range(count))
run = time.perf_counter() - start
start = time.perf_counter()
dag.run(target)
print(json.dumps({"run": run, "again": time.perf_counter() - start}))
"""

DIGESTS = """
import json, sys, time
import numpy as np, pandas as pd
import dask.base, joblib
from dualdag.hashing import digest_value

kind, size, repeat = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
if kind == "numeric":
    rows = int(size * 1e9 / 8 / 8)
    columns = {f"f{i}": rng.standard_normal(rows) for i in range(4)}
    columns |= {f"i{i}": rng.integers(0, 1 << 40, rows) for i in range(4)}
    frame = pd.DataFrame(columns)
else:
    words = np.array([f"{x:016x}" for x in rng.integers(0, 1 << 60, 10_000)])
    rows = int(size * 1e9 / 24)
    text = words[rng.integers(0, len(words), rows)].tolist()
    frame = pd.DataFrame({"s": pd.Series(text, dtype="str" if kind == "arrow strings" else object)})
    assert (frame["s"].dtype == object) == (kind == "object strings")
nbytes = int(frame.memory_usage(deep=kind != "numeric", index=False).sum())
result = {"nbytes": nbytes, "dualdag": []}
digest_value(frame.head(10))
for _ in range(repeat):
    start = time.perf_counter()
    digest_value(frame)
    result["dualdag"].append(time.perf_counter() - start)
peers = {"joblib.hash": joblib.hash, "hash_pandas_object": pd.util.hash_pandas_object, "dask.base.tokenize": dask.base.tokenize}
for name, digest in peers.items():
    start = time.perf_counter()
    digest(frame)
    result[name] = time.perf_counter() - start
print(json.dumps(result))
"""

FLIGHTS = """
import json, os, subprocess, sys, time
root, repeat = sys.argv[1], int(sys.argv[2])
command = [sys.executable, "-m", "dualdag", "run", os.path.join(root, "examples", "flights", "flow.py")]

def run():
    start = time.perf_counter()
    done = subprocess.run(command + ["--json"], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, json.loads(done.stdout)

first, _ = run()
second = []
for _ in range(repeat):
    seconds, report = run()
    assert report["executed"] == 0, report
    second.append(seconds)
print(json.dumps({"first": first, "second": second}))
"""
