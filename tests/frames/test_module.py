"""A module of chains runs unchanged with pandas and with its lazy stand-in."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from tests.frames.world import assert_same, value_of

MODULE = """
import numpy as np
import PANDAS as pd

LATE = 15


def part_of_day(hour):
    return "night" if hour < 6 else "morning" if hour < 12 else "afternoon"


def tidy(raw):
    table = raw[["time_hour", "carrier", "flight", "dep_delay", "origin"]].copy()
    table["hour"] = table.time_hour.dt.hour
    table["part"] = table.hour.map(part_of_day)
    table.loc[table.dep_delay.isna(), "status"] = "cancelled"
    table["status"] = table.status.fillna("flown")
    table.insert(0, "date", table.time_hour.dt.normalize())
    return table


flights = pd.read_csv("flights.csv", parse_dates=["time_hour"])
airlines = pd.read_csv("airlines.csv")
clean = flights.pipe(tidy)

delays = (
    clean[clean.dep_delay > LATE]
    .merge(airlines, on="carrier")
    .groupby("name")
    .agg(flights=("flight", "size"), mean=("dep_delay", "mean"))
    .sort_values("mean", ascending=False)
)
shares = (
    clean.assign(late=lambda d: d.dep_delay >= LATE)
    .groupby(["origin", "part"], as_index=False)
    .agg(late=("late", "mean"), n=("late", "size"))
)
wide = shares.pivot(index="origin", columns="part", values="late").fillna(0.0)
worst = clean.loc[clean.groupby("carrier").dep_delay.idxmax().dropna(), ["carrier", "flight", "dep_delay"]]
z = (clean.dep_delay - clean.dep_delay.mean()) / clean.dep_delay.std()
clean["z"] = z
clean["rank"] = clean.groupby("origin").dep_delay.rank(ascending=False, method="first")
clean["running"] = clean.sort_values("time_hour").groupby("carrier").dep_delay.cumsum()
top = clean.nlargest(3, "dep_delay").reset_index(drop=True)
daily = clean.set_index("time_hour").resample("6h").dep_delay.agg(["count", "mean"])
rolled = clean.dep_delay.rolling(5, min_periods=1).mean()
bins = pd.cut(clean.dep_delay, [-100, 0, 15, 1000], labels=["early", "on time", "late"])
counts = bins.value_counts().rename_axis("how").reset_index(name="n")
dummies = pd.get_dummies(clean.origin, prefix="from")
joined = pd.concat([clean[["carrier", "z"]], dummies], axis=1)
text = clean.carrier.str.cat(clean.flight.astype(str), sep="-").str.lower()
table = clean.pivot_table(index="origin", columns="part", values="dep_delay", aggfunc=["mean", "count"])
mask = clean.isna().sum()
missing = mask[mask > 0]
applied = clean.groupby("origin").apply(lambda d: pd.Series({"n": len(d), "spread": d.dep_delay.max() - d.dep_delay.min()}))
quantiles = clean.dep_delay.quantile([0.1, 0.5, 0.9])
share = (clean.status == "cancelled").mean()
best = float(delays["mean"].min())
summary = {"rows": len(clean), "best": best, "carriers": sorted(clean.carrier.unique()), "share": share}
clean.columns = [name.upper() for name in clean.columns]
melted = clean.melt(id_vars=["CARRIER"], value_vars=["Z", "RANK"]).dropna().query("value > 1")
"""  # fmt: skip
NAMES = [
    "flights",
    "delays",
    "shares",
    "wide",
    "worst",
    "clean",
    "top",
    "daily",
    "rolled",
    "counts",
    "dummies",
    "joined",
    "text",
    "table",
    "missing",
    "applied",
    "quantiles",
    "share",
    "summary",
    "melted",
]


@pytest.fixture
def files() -> None:
    rng = np.random.default_rng(0)
    hours = pandas.date_range("2013-01-01", periods=200, freq="h")
    pandas.DataFrame(
        {
            "time_hour": hours,
            "carrier": rng.choice(["UA", "AA", "B6"], 200),
            "flight": rng.integers(1, 99, 200),
            "dep_delay": np.where(rng.random(200) < 0.1, np.nan, rng.normal(10, 30, 200).round()),
            "origin": rng.choice(["EWR", "JFK"], 200),
            "unused": 1,
        }
    ).to_csv("flights.csv", index=False)
    Path("airlines.csv").write_text(
        textwrap.dedent("""\
        carrier,name
        UA,United
        AA,American
        B6,JetBlue
        """),
        encoding="utf-8",
    )


def run_with(name: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": f"flow_of_{name.partition('.')[0]}"}
    exec(compile(MODULE.replace("PANDAS", name), f"flow_{name}.py", "exec"), scope)
    return scope


def test_a_module_runs_unchanged(files: None, evaluator: Any) -> None:
    own, lazy = run_with("pandas"), run_with("dualdag.pandas")
    for name in NAMES:
        assert_same(value_of(lazy[name]), own[name])


def test_a_module_runs_unchanged_through_the_store(files: None, real: None) -> None:
    own, lazy = run_with("pandas"), run_with("dualdag.pandas")
    for name in ("delays", "wide", "applied", "melted", "summary", "clean"):
        assert_same(value_of(lazy[name]), own[name])
