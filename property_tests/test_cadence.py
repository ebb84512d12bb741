"""Laws of cadences: what is due when, whatever clocks and summer time do."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from dualdag.graph import is_due, next_due, parse_cadence
from property_tests.cron_reference import Cron

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham")
MINUTE = timedelta(minutes=1)


def polled(cron, tz, start, hours):
    """Return when an artifact runs that is asked about each minute and made whenever it is due."""
    cadence = parse_cadence(cron, tz)
    now, last, ran = start, start.timestamp(), []
    for _ in range(int(hours * 60)):
        now += MINUTE
        if is_due(cadence, last=last, confirmed=None, now=now)[0]:
            last = now.timestamp()
            ran.append(f"{now.astimezone(ZoneInfo(tz)):%d %H:%M%z}")
    return ran


def test_a_time_that_comes_twice_counts_once():
    start = datetime(2026, 10, 24, 12, tzinfo=BERLIN).astimezone(UTC)
    assert polled("30 2 * * *", "Europe/Berlin", start, 40) == ["25 02:30+0200", "26 02:30+0100"]


def test_a_time_in_the_gap_comes_right_after_it():
    start = datetime(2026, 3, 28, 12, tzinfo=BERLIN).astimezone(UTC)
    assert polled("30 2 * * *", "Europe/Berlin", start, 40) == ["29 03:00+0200", "30 02:30+0200"]


def test_each_half_hour_comes_through_both_passes_of_the_hour():
    start = datetime(2026, 10, 25, 1, 45, tzinfo=BERLIN).astimezone(UTC)
    assert polled("*/30 * * * *", "Europe/Berlin", start, 2.5) == [
        "25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["0 6 13 * 5", "0 6 L * *", "0 6 * * MON#2", "@weekly"])
def test_what_cron_dialects_disagree_on_comes_as_documented(text):
    cadence = parse_cadence(text, "UTC")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    found = []
    for _ in range(3):
        now = next_due(cadence, last=now.timestamp(), confirmed=None, now=now + timedelta(days=99))
        found.append(f"{now:%m-%d}")
    expected = {
        "0 6 13 * 5": ["03-06", "03-13", "03-20"],
        "0 6 L * *": ["03-31", "04-30", "05-31"],
        "0 6 * * MON#2": ["03-09", "04-13", "05-11"],
        "@weekly": ["03-08", "03-15", "03-22"],
    }
    assert found == expected[text]


def test_the_next_time_is_always_after_the_last_one():
    """A sample of 10,000 cases around the changes of the clock, of which the bare library got 79 wrong."""
    rng = random.Random(20261025)
    for _ in range(2_500):
        tz = rng.choice(ZONES)
        minutes, hours = rng.choice(("0", "15", "30", "*/20", "5,45")), rng.choice(("*", "2", "0,1,2,3", "1-3"))
        cadence = parse_cadence(f"{minutes} {hours} * * *", tz)
        change = rng.choice(changes(tz))
        last = change + timedelta(seconds=rng.randint(-4 * 3600, 4 * 3600))
        # In UTC: an hour that comes twice, or never, makes local times no good for sums.
        found = next_due(cadence, last=last.timestamp(), confirmed=None, now=last).astimezone(UTC)
        assert found.timestamp() > last.timestamp(), (tz, cadence.cron, last)
        assert not is_due(cadence, last=last.timestamp(), confirmed=None, now=found - timedelta(seconds=1))[0]
        assert is_due(cadence, last=last.timestamp(), confirmed=None, now=found)[0]


@cache
def changes(tz):
    """Return the moments of 2026 at which the clocks of a zone change."""
    zone = ZoneInfo(tz)
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * k) for k in range(365 * 48)]
    return [b for a, b in pairwise(times) if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()]


def test_times_are_those_of_a_scan_of_the_minutes():
    """Around the changes of the clock."""
    for tz, cron, start, expected in cases(seed=20260329, count=40):
        cadence = parse_cadence(cron, tz)
        found = next_due(cadence, last=start.timestamp(), confirmed=None, now=start)
        assert found.astimezone(UTC) == expected, (tz, cron, start)


def cases(seed, count):
    """Yield expressions, moments near a change of the clock, and the first time after them."""
    rng = random.Random(seed)
    for _ in range(count):
        tz = rng.choice((*ZONES, "America/New_York", "Asia/Kolkata"))
        minutes = rng.choice(("0", "15", "30", "*/20", "5,45", "*", "10-50/15"))
        hours = rng.choice(("*", "2", "0,1,2,3", "1-3", "*/2", "23", "0"))
        days, weekdays = rng.choice(("*", "*", "29", "1-7")), rng.choice(("*", "*", "0", "1-5"))
        cron = f"{minutes} {hours} {days} * {weekdays}"
        change = rng.choice(changes(tz) or [datetime(2026, 3, 29, tzinfo=UTC)])
        times = Cron(cron, tz).times(change - timedelta(hours=30), change + timedelta(hours=60))
        for _ in range(20):
            start = change + timedelta(seconds=rng.randint(-28 * 3600, 28 * 3600))
            expected = next((at for at in times if at > start), None)
            if expected is not None:
                yield tz, cron, start, expected


def test_why_the_times_of_a_day_are_made_here():
    """The library walks by whole hours: where clocks go back by half of one, it misses times."""
    zone = ZoneInfo("Australia/Lord_Howe")
    start = datetime(2026, 4, 4, 12, tzinfo=zone)
    cadence = parse_cadence("* 2 * * *", "Australia/Lord_Howe")
    assert f"{next(CronSim(cadence.cron, start)):%d %H:%M}" == "05 02:30"
    assert f"{next_due(cadence, last=start.timestamp(), confirmed=None, now=start):%d %H:%M}" == "05 02:00"
    # Asked from the second pass of an hour, it answers with the first: this was due 27 minutes in a row.
    start = datetime(2026, 10, 25, 2, 6, 20, tzinfo=BERLIN, fold=1)
    assert next(CronSim("15 0,1,2,3 * * *", start)).timestamp() < start.timestamp()
    cadence = parse_cadence("15 0,1,2,3 * * *", "Europe/Berlin")
    found = next_due(cadence, last=start.timestamp(), confirmed=None, now=start)
    assert f"{found:%d %H:%M%z}" == "25 03:15+0100"


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
lengths = st.sampled_from(("1s", "90s", "1h", "1d", "7d", "1d12h", "0.5h"))


@given(lengths, moments, st.floats(0, 3))
def test_an_interval_is_due_once_it_has_passed_but_for_the_grace(text, last, share):
    cadence = parse_cadence(text, "UTC")
    now = last + timedelta(seconds=cadence.seconds * share)
    grace = min(cadence.seconds / 100, 60)
    passed = (now - last).total_seconds()
    due, why = is_due(cadence, last=last.timestamp(), confirmed=None, now=now)
    if abs(passed - (cadence.seconds - grace)) > 1e-3:
        assert due == (passed >= cadence.seconds - grace)
    assert why.startswith("due since" if due else "not due until")


@given(lengths, moments, st.integers(1, 10**8))
def test_a_version_from_the_future_counts_as_made_now(text, now, ahead):
    cadence = parse_cadence(text, "UTC")
    assert not is_due(cadence, last=now.timestamp() + ahead, confirmed=None, now=now)[0]
    assert (
        is_due(cadence, last=now.timestamp() + ahead, confirmed=None, now=now)[1]
        == (is_due(cadence, last=now.timestamp(), confirmed=None, now=now)[1])
    )


@given(st.sampled_from(("1h", "0 6 * * *", "*/30 * * * *")), moments, st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_later_of_version_and_confirmation_counts(text, last, one, two):
    cadence = parse_cadence(text, "UTC")
    now = last + timedelta(seconds=one + two)
    confirmed = last.timestamp() + one
    both = is_due(cadence, last=last.timestamp(), confirmed=confirmed, now=now)
    assert both == is_due(cadence, last=confirmed, confirmed=None, now=now)
    assert both == is_due(cadence, last=confirmed, confirmed=last.timestamp(), now=now)


@given(st.sampled_from((None, "1h", "0 6 * * *", "manual", "frozen")), moments)
def test_without_a_version_it_is_due(text, now):
    assert is_due(parse_cadence(text, "UTC"), last=None, confirmed=None, now=now)[0]
    assert next_due(parse_cadence(text, "UTC"), last=None, confirmed=None, now=now) == now


@given(st.sampled_from(("manual", "frozen")), moments, moments)
def test_the_clock_has_no_say_in_manual_and_frozen(text, last, now):
    cadence = parse_cadence(text, "UTC")
    assert not is_due(cadence, last=last.timestamp(), confirmed=None, now=now)[0]
    assert next_due(cadence, last=last.timestamp(), confirmed=None, now=now) is None


@given(st.sampled_from(("1h", "1d", "0 6 * * *", "*/30 * * * *", "@monthly")), st.sampled_from(ZONES), moments)
def test_what_is_due_stays_due_until_it_is_made(text, tz, last):
    cadence = parse_cadence(text, tz)
    at = next_due(cadence, last=last.timestamp(), confirmed=None, now=last)
    for later in (0, 1, 3600, 10**6):
        assert is_due(cadence, last=last.timestamp(), confirmed=None, now=at + timedelta(seconds=later))[0]
    made = at + timedelta(seconds=1)
    assert not is_due(cadence, last=made.timestamp(), confirmed=None, now=made)[0]
