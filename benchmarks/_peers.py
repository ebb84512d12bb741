"""The same thousand no-ops, cached, written for each peer as its own manual does."""

JOBLIB = """
import json, sys, time
from joblib import Memory
memory = Memory("cache", verbose=0)

@memory.cache
def leaf(i):
    return i

@memory.cache
def total(xs):
    return sum(xs)

def run(count):
    start = time.perf_counter()
    assert total([leaf(i) for i in range(count)]) == sum(range(count))
    return time.perf_counter() - start

count = int(sys.argv[1])
print(json.dumps({"run": run(count), "again": run(count)}))
"""

REDUN = """
import json, logging, sys, time
from redun import Scheduler, task
from redun.config import Config
logging.disable(logging.CRITICAL)

redun_namespace = "bench"

@task()
def leaf(i):
    return i

@task()
def total(xs):
    return sum(xs)

def run(count):
    scheduler = Scheduler(config=Config({"backend": {"db_uri": "sqlite:///redun.db"}}))
    scheduler.load()
    start = time.perf_counter()
    assert scheduler.run(total([leaf(i) for i in range(count)])) == sum(range(count))
    return time.perf_counter() - start

count = int(sys.argv[1])
print(json.dumps({"run": run(count), "again": run(count)}))
"""

PIPEFUNC = """
import json, sys, time
import numpy as np
from pipefunc import Pipeline, pipefunc
from pipefunc.cache import DiskCache

@pipefunc(output_name="y", mapspec="x[i] -> y[i]", cache=True)
def leaf(x):
    return int(x)

@pipefunc(output_name="total", cache=True)
def total(y):
    return int(sum(y))

def run(count):
    pipeline = Pipeline([leaf, total], cache_type="disk", cache_kwargs={"cache_dir": "cache"})
    start = time.perf_counter()
    out = pipeline.map({"x": list(range(count))}, run_folder=None, parallel=False, storage="dict", show_progress=False)
    assert out["total"].output == sum(range(count))
    return time.perf_counter() - start

count = int(sys.argv[1])
print(json.dumps({"run": run(count), "again": run(count)}))
"""

HAMILTON = """
import json, sys, time, types
from hamilton import driver

def module(count):
    made = types.ModuleType("flow")
    lines = [f"def leaf_{i}() -> int:\\n    return {i}\\n" for i in range(count)]
    names = ", ".join(f"leaf_{i}: int" for i in range(count))
    values = ", ".join(f"leaf_{i}" for i in range(count))
    lines.append(f"def total({names}) -> int:\\n    return sum([{values}])\\n")
    with open("flow.py", "w") as f:
        f.write("\\n".join(lines))
    sys.path.insert(0, ".")
    import flow
    return flow

def run(flow, count):
    built = driver.Builder().with_modules(flow).with_cache(path="cache").build()
    start = time.perf_counter()
    assert built.execute(["total"])["total"] == sum(range(count))
    return time.perf_counter() - start

count = int(sys.argv[1])
flow = module(count)
print(json.dumps({"run": run(flow, count), "again": run(flow, count)}))
"""

NOOPS = {"joblib.Memory": JOBLIB, "redun": REDUN, "pipefunc": PIPEFUNC, "Hamilton": HAMILTON}
