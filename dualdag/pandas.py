"""Pandas, lazily: ``import dualdag.pandas as pd`` in place of ``import pandas as pd``.

Every public name of pandas is here.  Frames, series and indexes are lazy: a chain makes nodes of the
graph and runs nothing; everything else is pandas's own.  While a task or a user function runs, every
name is pandas's own.

Examples
--------
>>> import dualdag.pandas as pd
>>> frame = pd.DataFrame({"carrier": ["UA", "AA", "UA"], "delay": [5, 40, 25]})
>>> worst = frame[frame.delay > 15].groupby("carrier").delay.max()
>>> worst.compute(store="memory://docs-pandas").to_dict()
{'AA': 40, 'UA': 25}
"""

from __future__ import annotations

from typing import Any

# Nothing of pandas is bound here: what a name is depends on whether a task runs, so each use asks,
# and pandas is imported at the first.


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("__") and name not in ("__version__", "__git_version__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dualdag import frames

    if name == "from_node":
        return frames.from_node
    try:
        return frames.public_name(name)
    except AttributeError:
        from dualdag.errors import did_you_mean

        raise AttributeError(
            f"module 'pandas' has no attribute {name!r}.{did_you_mean(name, frames.names())}"
        ) from None


def __dir__() -> list[str]:
    from dualdag import frames

    return sorted({*frames.names(), "from_node"} - {"annotations"})
