"""A frame in each one's cache, as its own manual does it; what `read` returns is the value and how often it was made."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

__all__ = ["PEERS", "Peer"]

CALLS: list[int] = []
_COUNT = itertools.count()


def frame(seed: int) -> Any:
    import numpy as np
    import pandas as pd

    CALLS.append(seed)
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500), "c": rng.integers(0, 1000, 500)})


class Peer:
    """A cache in a folder."""

    #: What is loaded once, and not in each fork.
    modules: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, seed: int) -> Any:
        """Return the frame through the cache, opened anew."""
        raise NotImplementedError

    def fill(self) -> None:
        """Cache two frames."""
        for seed in (1, 2):
            self.call(seed)

    def files(self) -> tuple[Path, Path]:
        """Return the files that hold the first frame and the second."""
        found = [path for path in self.folder.rglob("*") if path.is_file() and self.holds(path)]
        found.sort(key=lambda path: path.stat().st_mtime_ns)
        assert len(found) == 2, found
        return found[0], found[1]

    def holds(self, path: Path) -> bool:
        """Say whether a file holds a frame."""
        return path.stat().st_size > 10_000

    def read(self) -> tuple[Any, int]:
        """Return the first frame, and how often it was made for that."""
        del CALLS[:]
        return self.call(1), len(CALLS)

    def value(self) -> Any:
        """Return what is right."""
        return frame(1)


class Dualdag(Peer):
    modules = ("dualdag._api", "dualdag.execution.embedded")

    def call(self, seed: int) -> Any:
        import dualdag as dag

        node = dag.task(version=1)(frame)(seed).options(persist=True)
        return dag.run(node, backend="sync", store=self.folder, progress="off")

    def holds(self, path: Path) -> bool:
        return "objects" in path.parts and super().holds(path)


class Joblib(Peer):
    modules = ("joblib",)

    def call(self, seed: int) -> Any:
        from joblib import Memory

        return Memory(self.folder, verbose=0).cache(frame)(seed)

    def holds(self, path: Path) -> bool:
        return path.name == "output.pkl"


class Redun(Peer):
    modules = ("redun.config", "redun.scheduler")

    def call(self, seed: int) -> Any:
        from redun import Scheduler, task
        from redun.config import Config

        logging.disable(logging.CRITICAL)
        made = task(name="frame", namespace="damage", version="1")(frame)
        backend = {"db_uri": f"sqlite:///{self.folder}/redun.db", "value_store_path": str(self.folder / "values"),
                   "value_store_min_size": "0"}  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        scheduler = Scheduler(config=Config({"backend": backend}))
        scheduler.load()
        return scheduler.run(made(seed))

    def holds(self, path: Path) -> bool:
        return "values" in path.parts and super().holds(path)


class Hamilton(Peer):
    modules = ("hamilton.driver", "hamilton.caching.stores.file")

    def call(self, seed: int) -> Any:
        from hamilton import ad_hoc_utils, driver

        def made(seed: int) -> Any:
            return frame(seed)

        made.__module__ = __name__
        flow = ad_hoc_utils.create_temporary_module(made, module_name=f"damage_flow_{next(_COUNT)}")
        built = driver.Builder().with_modules(flow).with_cache(path=str(self.folder)).build()
        return built.execute(["made"], inputs={"seed": seed})["made"]

    def holds(self, path: Path) -> bool:
        return path.suffix != ".db"


class Pipefunc(Peer):
    modules = ("pipefunc.cache",)

    def call(self, seed: int) -> Any:
        from pipefunc import Pipeline, pipefunc

        made = pipefunc(output_name="made", cache=True)(frame)
        kept = {"cache_dir": self.folder, "with_lru_cache": False}
        return Pipeline([made], cache_type="disk", cache_kwargs=kept)("made", seed=seed)


class Diskcache(Peer):
    modules = ("diskcache",)

    def call(self, seed: int) -> Any:
        from diskcache import Cache

        with Cache(str(self.folder), disk_min_file_size=0) as cache:
            return cache.memoize(name="frame")(frame)(seed)

    def holds(self, path: Path) -> bool:
        return path.suffix == ".val"


PEERS: dict[str, type[Peer]] = {
    "dualdag": Dualdag, "joblib.Memory": Joblib, "redun": Redun, "Hamilton": Hamilton, "pipefunc": Pipefunc,
    "diskcache": Diskcache,
}  # fmt: skip
