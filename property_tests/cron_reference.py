"""Cron times by going through the minutes one by one: slow, and plain enough to be believed."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def _numbers(text, low, high):
    found = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = (str(low), "", str(high)) if span == "*" else span.partition("-")
        found |= set(range(int(first), int(last or (high if step else first)) + 1, int(step or 1)))
    return found


class Cron:
    """Five fields, of numbers, in a zone."""

    def __init__(self, text, tz):
        fields = text.split()
        self.sets = [_numbers(field, *limits) for field, limits in zip(fields, _RANGES, strict=True)]
        self.zone = ZoneInfo(tz)
        # Both days named: either will do, as every cron has it.
        self.both = fields[2].startswith("*") or fields[4].startswith("*")
        self.follows_the_clock = fields[0].startswith("*") or fields[1].startswith("*")

    def _matches(self, wall):
        minutes, hours, days, months, weekdays = self.sets
        day = wall.day in days
        weekday = bool({wall.isoweekday(), wall.isoweekday() % 7} & weekdays)
        right_day = (day and weekday) if self.both else (day or weekday)
        return wall.minute in minutes and wall.hour in hours and wall.month in months and right_day

    def comes_at(self, moment):
        """Return whether a time of the expression lies at this minute, given in UTC."""
        local = moment.astimezone(self.zone)
        wall = local.replace(tzinfo=None)
        if self.follows_the_clock:
            return self._matches(wall)
        before = (moment - MINUTE).astimezone(self.zone).replace(tzinfo=None)
        gap = before + MINUTE
        while gap < wall:
            if self._matches(gap):
                return True
            gap += MINUTE
        return local.fold == 0 and self._matches(wall)

    def times(self, start, end):
        """Return the times after `start` up to `end`, both in UTC."""
        moment = start.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
        found = []
        while moment <= end:
            if self.comes_at(moment):
                found.append(moment)
            moment += MINUTE
        return found
