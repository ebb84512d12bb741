"""From a day's raw file to a table worth working with.

`flow.clean_day` calls `tidy`, which calls `part_of_day`, which calls `hour_of`: edit any of them and
the next `dualdag plan` shows what that touches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

KEPT = [
    "time_hour",
    "origin",
    "dest",
    "carrier",
    "flight",
    "tailnum",
    "sched_dep_time",
    "dep_delay",
    "arr_delay",
    "distance",
]


def tidy(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that matter, with the day, its part, and whether the flight was cancelled."""
    table = raw[KEPT].copy()
    table.insert(0, "date", day_of(raw))
    table["part_of_day"] = raw["sched_dep_time"].map(part_of_day)
    table["cancelled"] = raw["dep_time"].isna()
    return table


def day_of(raw: pd.DataFrame) -> pd.Series:
    """Return the local day of departure."""
    import pandas as pd

    return pd.to_datetime(raw[["year", "month", "day"]])


def part_of_day(clock: int) -> str:
    """Return the part of the day of a time of the form 1435.

    >>> part_of_day(1435), part_of_day(5)
    ('afternoon', 'night')
    """
    hour = hour_of(clock)
    if hour < 5:
        return "night"
    if hour < 12:
        return "morning"
    return "afternoon" if hour < 18 else "evening"


def hour_of(clock: int) -> int:
    """Return the hour of a time of the form 1435; 2400 is midnight.

    >>> hour_of(1435), hour_of(2400)
    (14, 0)
    """
    return clock // 100 % 24
