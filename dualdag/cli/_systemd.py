"""Units for systemd: a service and a timer for each artifact."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from dualdag.cli._jobs import Job, Schedule, tick_minutes
from dualdag.graph import Cadence, cron_fields

__all__ = ["units"]

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
#: What systemd takes in no path of a program, however it is quoted.
_REFUSED = frozenset("'\"\\")
_SAFE = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def units(schedule: Schedule) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the units by file name, and when each artifact is asked for.

    Parameters
    ----------
    schedule : Schedule
        What to write.
    """
    files: dict[str, str] = {}
    when: dict[str, list[str]] = {}
    head = [f"# {note}" for note in schedule.notes]
    if schedule.others:
        head += ["# Not scheduled:", *(f"#   {name}: {why}" for name, why in schedule.others.items())]
    for job in schedule.jobs:
        name = f"{schedule.name}-{job.artifact}"
        when[job.artifact] = list(dict.fromkeys(event for one in (job.cadence, *job.above) for event in calendar(one)))
        files[f"{name}.service"] = _service(schedule, job, f"{name}.service", head)
        files[f"{name}.timer"] = _timer(schedule, job, f"{name}.timer", when[job.artifact])
        head = []
    return files, when


def _service(schedule: Schedule, job: Job, file: str, head: list[str]) -> str:
    lines = [
        f"# {file}",
        *head,
        "[Unit]",
        f"Description={_specifiers(f'Make {job.artifact} of {schedule.title} where it is due')}",
        "",
        "[Service]",
        "# While it runs systemd starts no second one; what is asked for by hand meanwhile finds dualdag's own lock.",
        "Type=oneshot",
        f"WorkingDirectory={_specifiers(schedule.folder)}",
        *(f"Environment={_word(f'{name}={value}')}" for name, value in schedule.variables.items()),
        f"ExecStart={_command(job.command)}",
        "# Stopped, it keeps what had finished.",
        "SuccessExitStatus=130",
        "",
    ]
    return "\n".join(lines)


def _command(words: tuple[str, ...]) -> str:
    program, *arguments = words
    if not _REFUSED.isdisjoint(program):
        program, arguments = "/usr/bin/env", list(words)
    # Variables are looked for in the arguments alone.
    return " ".join([_word(program), *(_word(word).replace("$", "$$") for word in arguments)])


def _timer(schedule: Schedule, job: Job, file: str, when: list[str]) -> str:
    events = [f"OnCalendar={one}" for one in when]
    if job.cadence.kind == "interval":
        events = [
            "# Counts from when it was last made, which no calendar says: asked often, and made when it is due.",
            *events,
            "# Not all timers at once; and always as late, as a delay that changes would lengthen the interval.",
            f"RandomizedDelaySec={tick_minutes(job.cadence.seconds) * 6}",
            "FixedRandomDelay=true",
        ]
    lines = [
        f"# {file}",
        "[Unit]",
        f"Description={_specifiers(f'When to make {job.artifact} of {schedule.title}: {job.cadence}')}",
        "",
        "[Timer]",
        *events,
        "AccuracySec=1s",
        "# What passed while the machine was off is made up for, once.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return "\n".join(lines)


def calendar(cadence: Cadence) -> list[str]:
    """Return calendar events, as in systemd.time(7), at which an artifact may be due.

    Parameters
    ----------
    cadence : Cadence
        An interval, cron fields or none: what is made on any change is asked about each hour.

    Examples
    --------
    >>> from dualdag.graph import parse_cadence
    >>> calendar(parse_cadence("0 6 * * 1-5", "Europe/Berlin"))
    ['Mon,Tue,Wed,Thu,Fri *-*-* 06:00:00 Europe/Berlin']
    """
    if cadence.kind in {"interval", "change"}:
        minutes = tick_minutes(cadence.seconds) if cadence.seconds else 60
        return {1: ["*-*-* *:*:00"], 60: ["*-*-* *:00:00"]}.get(minutes, [f"*-*-* *:00/{minutes}:00"])
    fields = cron_fields(cadence.cron)
    clock = f"{_spell(fields.hours, 24)}:{_spell(fields.minutes, 60)}:00 {cadence.tz}"
    found = [f"{days} {clock}" for days in _days(fields)]
    # systemd leaves out what falls into the gap when clocks go forward: so it asks at the gap's end too.
    return found + [f"*-*-* {end} {cadence.tz}" for end in _ends_of_gaps(cadence.tz, fields)]


def _days(fields: Any) -> list[str]:
    months = _spell(fields.months, 12)
    special = [day for day in (*fields.days, *fields.weekdays) if not isinstance(day, int) or day < 0]
    if special:
        # The last days of a month and the like: asked on every day, and made on the right one.
        return [f"*-{months}-*"]
    day = _spell(fields.days, 31)
    weekdays = sorted({number % 7 for number in fields.weekdays}, key=lambda number: (number - 1) % 7)
    week = "" if len(weekdays) == 7 else ",".join(_WEEKDAYS[number] for number in weekdays) + " "
    if fields.day_and:
        return [f"{week}*-{months}-{day}"]
    # Where cron is given both, either will do; systemd wants both.
    return [f"*-{months}-{day}", f"{week}*-{months}-*"]


def _spell(numbers: set[int], full: int) -> str:
    return "*" if len(numbers) == full else ",".join(f"{number:02d}" for number in sorted(numbers))


def _ends_of_gaps(tz: str, fields: Any) -> list[str]:
    """Return where the clock goes on after the gaps of the years to come that a time of the expression lies in."""
    zone = ZoneInfo(tz)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    walls = ((start + timedelta(minutes=15 * k)).astimezone(zone).replace(tzinfo=None) for k in range(4 * 24 * 800))
    found = set()
    for before, after in pairwise(walls):
        gap = before + timedelta(minutes=15)
        while gap < after:
            if any(
                gap.hour == hour and gap.minute <= minute < gap.minute + 15
                for hour in fields.hours
                for minute in fields.minutes
            ):
                found.add(f"{after:%H:%M:%S}")
            gap += timedelta(minutes=15)
    return sorted(found)


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """Return a word of a line that systemd takes apart, as in systemd.syntax(7)."""
    if _SAFE.fullmatch(text):
        return text
    return '"' + _specifiers(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
