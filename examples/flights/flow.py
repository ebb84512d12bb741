"""The flights that left New York in 2013: five artifacts, made daily or weekly from daily files.

Run it with ``dualdag run examples/flights/flow.py``.  Tasks read the days, fit the model and write
the report; what lies between them is written as pandas chains, in which each step is a node too.
scikit-learn and matplotlib are imported inside the tasks that need them, so that a run with nothing
to do is over soon.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import layout

import dualdag as dag
import dualdag.pandas as pd

if TYPE_CHECKING:
    from pandas import DataFrame

LATE = 15  # minutes
WEATHER = ["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]
CONDITIONS = {
    "rain": ("precip", [-1, 0, 0.1, 99], ["none", "light", "heavy"]),
    "wind": ("wind_speed", [-1, 10, 20, 9999], ["up to 10 mph", "up to 20 mph", "more"]),
    "sight": ("visib", [-1, 1, 5, 99], ["up to 1 mile", "up to 5 miles", "more"]),
}
FEATURES = [
    "origin",
    "carrier",
    "part_of_day",
    "weekday",
    "hour",
    "distance",
    "temp",
    "wind_speed",
    "precip",
    "visib",
]


@dag.task(persist=True)  # so that a new day costs one day, though each is quick
def clean_day(path: str) -> DataFrame:
    """Read and tidy the file of one day."""
    import pandas as pd
    from cleaning import tidy

    return tidy(pd.read_csv(path, parse_dates=["time_hour"]))


@dag.task
def all_days(days: list[DataFrame]) -> DataFrame:
    """Put the days together."""
    import pandas as pd

    return pd.concat(days, ignore_index=True)


@dag.task
def fit(flights: DataFrame) -> dict[str, Any]:
    """Learn from the first four fifths of the days which flights leave late; test on the rest."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    table = flights.dropna(subset="dep_delay")
    table = table.assign(weekday=table["date"].dt.day_of_week, hour=table["sched_dep_time"] // 100)
    x = table[FEATURES].astype(dict.fromkeys(["origin", "carrier", "part_of_day"], "category"))
    late = table["dep_delay"] >= LATE
    split = table["date"].quantile(0.8).normalize()
    known = table["date"] < split

    model = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=60, random_state=0)
    # A fitted model remembers how many threads made it: with one, it is the same on every machine.
    with threadpool_limits(1, user_api="openmp"):
        model.fit(x[known], late[known])
    expected = pd.Series(model.predict_proba(x[~known])[:, 1], index=x.index[~known])
    tenth = expected.rank(method="first", pct=True).mul(10).round()
    calibration = pd.DataFrame({"expected": expected, "observed": late[~known]}).groupby(tenth).mean()
    return {
        "model": model,
        "split": split.date().isoformat(),
        "tested": len(expected),
        "auc": float(roc_auc_score(late[~known], expected)),
        "calibration": calibration.reset_index(drop=True),
    }


@dag.task
def write_report(
    template: str, days: DataFrame, carriers: DataFrame, weather: DataFrame, model: dict[str, Any]
) -> dag.File:
    """Write the report: one HTML page that needs nothing else."""
    import tempfile

    from jinja2 import Environment
    from markupsafe import Markup
    from plots import carriers_plot, days_plot, model_plot, weather_plot

    drawn = {
        "days": Markup(days_plot(days)),  # noqa: S704 - drawn by us, holds no text of others
        "carriers": Markup(carriers_plot(carriers)),  # noqa: S704
        "weather": Markup(weather_plot(weather)),  # noqa: S704
        "model": Markup(model_plot(model["calibration"])),  # noqa: S704
    }
    html = Environment(autoescape=True).from_string(Path(template).read_text(encoding="utf-8"))
    out = Path(tempfile.mkdtemp()) / "report.html"
    out.write_text(
        html.render(
            first=days["date"].min().date(),
            last=days["date"].max().date(),
            flights=int(days["flights"].sum()),
            plots=drawn,
            carriers=carriers.to_dict("records"),
            model=model,
        ),
        encoding="utf-8",
    )
    return dag.File(out)


here = Path(__file__).resolve().parent
data = Path(dag.param("data", str(here / "data")))
if not layout.is_laid_out(data):
    layout.lay_out(data, until=date(2013, 12, 30))

days = [clean_day(dag.file(path)) for path in sorted((data / "flights").glob("*.csv"))]
flights = pd.from_node(all_days(days)).artifact("clean", cadence="1d")
late = flights["dep_delay"] >= LATE

# How late each airline leaves.
airlines = pd.read_csv(data / "airlines.csv").rename(columns={"name": "airline"})
delays = (
    flights.assign(late=late)
    .groupby("carrier", as_index=False)
    .agg(
        flights=("flight", "size"),
        mean_delay=("dep_delay", "mean"),
        late=("late", "mean"),
        cancelled=("cancelled", "mean"),
    )
    .merge(airlines, on="carrier")
    .sort_values("mean_delay", ascending=False, ignore_index=True)
    .artifact("delays_by_carrier", cadence="1d")
)

# Each flight with the weather of its airport in its hour, and how many leave late in which.
hours = pd.read_csv(data / "weather.csv", parse_dates=["time_hour"], usecols=WEATHER)
joined = flights.merge(hours, on=["origin", "time_hour"]).named("joined")
effects = []
for measure, (column, edges, labels) in CONDITIONS.items():
    condition = pd.cut(joined[column], edges, labels=labels).rename("condition")
    shares = (joined["dep_delay"] >= LATE).groupby(condition, observed=True).agg(["size", "mean"])
    effect = shares.rename(columns={"size": "flights", "mean": "late"}).reset_index()
    effects.append(effect.astype({"condition": "str"}).assign(measure=measure))
weather = pd.concat(effects, ignore_index=True)[["measure", "condition", "flights", "late"]].artifact(
    "weather_effect", cadence="7d"
)

model = fit(joined).artifact("delay_model", cadence="7d")

by_day = late.groupby(flights["date"]).agg(["size", "mean"])
by_day = by_day.rename(columns={"size": "flights", "mean": "late"}).reset_index().named("by_day")
template = dag.file(here / "report.html.jinja")
report = write_report(template, by_day, delays, weather, model).artifact("report")
