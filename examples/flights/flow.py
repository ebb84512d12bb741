"""The flights that left New York in 2013: five artifacts, made daily or weekly from daily files.

Run it with ``dualdag run examples/flights/flow.py``.  Nothing heavy is imported here: pandas,
scikit-learn and matplotlib are loaded inside the tasks that need them, so that a run with nothing
to do is over at once.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import layout

import dualdag as dag

if TYPE_CHECKING:
    import pandas as pd

LATE = 15  # minutes
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
def clean_day(path: str) -> pd.DataFrame:
    """Read and tidy the file of one day."""
    import pandas as pd
    from cleaning import tidy

    return tidy(pd.read_csv(path, parse_dates=["time_hour"]))


@dag.task
def all_days(days: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the days together."""
    import pandas as pd

    return pd.concat(days, ignore_index=True)


@dag.task
def by_carrier(flights: pd.DataFrame, airlines: str) -> pd.DataFrame:
    """Tell how late each airline leaves."""
    import pandas as pd

    names = pd.read_csv(airlines).rename(columns={"name": "airline"})
    table = flights.assign(late=flights["dep_delay"] >= LATE).groupby("carrier", as_index=False)
    shares = table.agg(
        flights=("flight", "size"),
        mean_delay=("dep_delay", "mean"),
        late=("late", "mean"),
        cancelled=("cancelled", "mean"),
    )
    found = names.merge(shares, on="carrier")
    return found.sort_values("mean_delay", ascending=False, ignore_index=True)


@dag.task
def with_weather(flights: pd.DataFrame, weather: str) -> pd.DataFrame:
    """Join each flight with the weather of its airport in its hour."""
    import pandas as pd

    columns = ["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]
    hours = pd.read_csv(weather, parse_dates=["time_hour"], usecols=columns)
    return flights.merge(hours, on=["origin", "time_hour"])


@dag.task
def by_weather(flights: pd.DataFrame) -> pd.DataFrame:
    """Tell how many flights leave late by rain, wind and sight."""
    import pandas as pd

    bins = {
        "rain": ("precip", [-1, 0, 0.1, 99], ["none", "light", "heavy"]),
        "wind": ("wind_speed", [-1, 10, 20, 9999], ["up to 10 mph", "up to 20 mph", "more"]),
        "sight": ("visib", [-1, 1, 5, 99], ["up to 1 mile", "up to 5 miles", "more"]),
    }
    parts = []
    for measure, (column, edges, labels) in bins.items():
        condition = pd.cut(flights[column], edges, labels=labels).rename("condition")
        late = (flights["dep_delay"] >= LATE).groupby(condition, observed=True).agg(["size", "mean"])
        part = late.rename(columns={"size": "flights", "mean": "late"}).reset_index()
        parts.append(part.astype({"condition": "str"}).assign(measure=measure))
    return pd.concat(parts, ignore_index=True)[["measure", "condition", "flights", "late"]]


@dag.task
def fit(flights: pd.DataFrame) -> dict[str, Any]:
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
def days_of(flights: pd.DataFrame) -> pd.DataFrame:
    """Tell how much of each day's flights left late."""
    late = (flights["dep_delay"] >= LATE).groupby(flights["date"]).agg(["size", "mean"])
    return late.rename(columns={"size": "flights", "mean": "late"}).reset_index()


@dag.task
def write_report(
    template: str, days: pd.DataFrame, carriers: pd.DataFrame, weather: pd.DataFrame, model: dict[str, Any]
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
clean = all_days(days).artifact("clean", cadence="1d")
delays = by_carrier(clean, dag.file(data / "airlines.csv")).artifact("delays_by_carrier", cadence="1d")
joined = with_weather(clean, dag.file(data / "weather.csv")).named("joined")
weather = by_weather(joined).artifact("weather_effect", cadence="7d")
model = fit(joined).artifact("delay_model", cadence="7d")
report = write_report(dag.file(here / "report.html.jinja"), days_of(clean), delays, weather, model).artifact(
    "report"
)
