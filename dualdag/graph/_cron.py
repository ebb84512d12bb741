"""When a cron expression comes next, by the wall clock of a zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["cron_fields", "next_cron"]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
# Leap days that fall on one day of the week come every 28 years, and after the year 2100 every 40.
_MOST_DAYS = 366 * 41


@lru_cache(maxsize=1024)
def cron_fields(cron: str) -> Any:
    """Return five cron fields as sets: `minutes`, `hours`, `months`, and `match_day` of a date.

    Parameters
    ----------
    cron : str
        Checked before.
    """
    from cronsim import CronSim

    return CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC))


def next_cron(cron: str, tz: str, start: datetime) -> datetime | None:
    """Return the first time of an expression after `start`, in UTC; None if there is none.

    As Debian's cron has it (crontab(5), "Daylight Saving Time and other time changes"): a time that falls
    into the gap when clocks go forward comes right after the gap, and one that comes twice when they
    go back counts once; but an expression whose minutes or hours start with ``*`` follows the clock.

    cronsim reads the expression and knows its days.  The times of a day are made here: its own walk goes by
    whole hours, and misses times where clocks move by half of one.

    Parameters
    ----------
    cron : str
        Five fields, checked before.
    tz : str
        IANA name of the zone.
    start : datetime
        With a zone.

    Examples
    --------
    >>> str(next_cron("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC)))
    '2026-03-29 01:00:00+00:00'
    """
    fields = cron_fields(cron)
    zone = ZoneInfo(tz)
    # What a gap pushed over midnight belongs to the day before.
    day = start.astimezone(zone).date() - _DAY
    for _ in range(_MOST_DAYS):
        if day.month in fields.months and fields.match_day(day):
            for at in _times(day, fields, zone):
                if at > start:
                    return at
        try:
            day += _DAY
        except OverflowError:
            return None
    return None


def _times(day: date, fields: Any, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the times of a day, in order."""
    midnight = datetime.combine(day, time(), zone)
    minutes = sorted(fields.minutes)
    walls = (midnight.replace(hour=hour, minute=minute) for hour in sorted(fields.hours) for minute in minutes)
    offset = midnight.utcoffset()
    if offset == datetime.combine(day + _DAY, time(), zone).utcoffset():
        first = midnight.astimezone(UTC)
        for wall in walls:
            # Two times of one zone are subtracted as the clock shows them.
            yield first + (wall - midnight)
        return
    follows_the_clock = any(fields.parts[k].startswith("*") for k in (1, 2))
    found = set()
    for wall in walls:
        found.update(_passes(wall) if follows_the_clock else [_once(wall)])
    yield from sorted(found)


def _passes(wall: datetime) -> list[datetime]:
    """Return when the clock shows this: never, once or twice."""
    moments = {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    return [at for at in moments if _shows(at, wall)]


def _once(wall: datetime) -> datetime:
    """Return when the clock shows this for the first time, or the end of the gap that it falls into."""
    while not _shows(at := wall.replace(fold=0).astimezone(UTC), wall):
        wall += _MINUTE
    return at


def _shows(at: datetime, wall: datetime) -> bool:
    return at.astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None)
