"""Lines for cron: its fields, and its quoting."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dualdag.cli._jobs import Job, Schedule, tick_minutes
from dualdag.graph import cron_fields

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dualdag.graph import Cadence

__all__ = ["Crontab", "crontab"]

# What all crons read alike; "L", "#" and a step after one number are others' inventions.
_PLAIN = re.compile(r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:,[0-9]+(?:-[0-9]+)?)*|\*/[0-9]+|[0-9]+-[0-9]+/[0-9]+")
#: How far ahead changes of clocks are looked for: laws change them seldom within it.
_AHEAD = timedelta(days=400)
_LONGEST = 998


class Crontab(NamedTuple):
    """Lines for cron, and when each artifact is asked for."""

    text: str
    when: dict[str, list[str]]


def crontab(schedule: Schedule, zone: ZoneInfo | None) -> Crontab:
    """Return lines for cron.

    Cron has no zone for a line on all systems (cronie has CRON_TZ, Debian's cron has not), and its clock is
    that of its machine: a time in another zone becomes all times that it may be there, in summer and winter,
    and ``--due`` finds which of them it is.

    Parameters
    ----------
    schedule : Schedule
        What to write.
    zone : ZoneInfo or None
        Of the machine whose cron it is; None for this one's.
    """
    when = {}
    lines = [
        f"# Artifacts of {schedule.title}, each in its own job: add these lines with crontab -e.",
        "# A job makes its artifact if that is due, and else does nothing; asked twice at once, the second leaves it",
        "# to the first. What went wrong comes by mail; `dualdag log` tells of all runs. What passed while the machine",
        "# was off is made up for when a line asks again.",
        *(f"# {note}" for note in schedule.notes),
    ]
    for job in schedule.jobs:
        times, why = _of_changes(job, zone) if job.cadence.kind == "change" else _times(job.cadence, zone)
        when[job.artifact] = times
        lines += ["", f"# {job.artifact}: {job.cadence}; {why}"]
        command = _command(schedule, job)
        lines += [f"{fields} {command}" for fields in times]
        if len(command) > _LONGEST:
            lines[-len(times) :] = [
                f"# longer than some crons read: put it into a script\n{line}" for line in lines[-len(times) :]
            ]
    if schedule.others:
        lines += ["", "# Not scheduled:", *(f"# {name}: {why}" for name, why in schedule.others.items())]
    return Crontab("\n".join([*lines, ""]), when)


def _command(schedule: Schedule, job: Job) -> str:
    variables = " ".join(f"{name}={_word(value)}" for name, value in schedule.variables.items())
    words = " ".join(map(_word, job.command))
    return f"cd {_word(schedule.folder)} && {variables} {words} >/dev/null"


def _word(text: str) -> str:
    """Return a word for the shell, as it has to stand in a crontab: there a bare % ends the command."""
    # A backslash before a % would be taken for the one that guards it.
    parts = [shlex.quote(part) for part in re.split(r"(?<=\\)(?=%)", text)] if text else ["''"]
    return "".join(part.replace("%", r"\%") for part in parts)


def _of_changes(job: Job, zone: ZoneInfo | None) -> tuple[list[str], str]:
    """Return when to ask about what no clock makes due: each hour, and when what it takes may have been made."""
    above = [line for cadence in job.above for line in _times(cadence, zone)[0]]
    hourly = [] if any(line.startswith("*") for line in above) else ["0 * * * *"]
    asked = (
        "asked every hour" if not above else "asked often" if not hourly else "asked every hour, and with what it takes"
    )
    return list(dict.fromkeys(hourly + above)), f"which no clock knows: {asked}"


def _times(cadence: Cadence, zone: ZoneInfo | None) -> tuple[list[str], str]:
    """Return when to ask, and why then."""
    if cadence.kind == "interval":
        minutes = tick_minutes(cadence.seconds)
        every = {1: "* * * * *", 60: "0 * * * *"}.get(minutes, f"*/{minutes} * * * *")
        often = {1: "minute", 60: "hour"}.get(minutes, f"{minutes} minutes")
        return [every], f"that counts from when it was last made, which no line can say: asked every {often}"
    shifts = _shifts(cadence.tz, zone)
    fields = cadence.cron.split()
    if shifts == {0} and all(_PLAIN.fullmatch(field) for field in fields):
        return [cadence.cron], "the same times"
    parsed = cron_fields(cadence.cron)
    asked: dict[int, set[int]] = {}
    for shift in shifts:
        for hour in parsed.hours:
            for minute in parsed.minutes:
                hours, minutes = divmod((hour * 60 + minute + shift) % 1440, 60)
                asked.setdefault(minutes, set()).add(hours)
    grouped: dict[frozenset[int], list[int]] = {}
    for minute, at in sorted(asked.items()):
        grouped.setdefault(frozenset(at), []).append(minute)
    lines = [f"{_spell(minutes, 60)} {_spell(sorted(at), 24)} * * *" for at, minutes in grouped.items()]
    there = "this machine's zone" if zone is None else zone.key
    reason = "cron has no word for these days" if shifts == {0} else f"all times that this may be in {there}"
    return lines, reason


def _spell(numbers: list[int], full: int) -> str:
    return "*" if len(numbers) == full else ",".join(map(str, numbers))


def _shifts(tz: str, zone: ZoneInfo | None) -> set[int]:
    """Return by how many minutes the clocks of a machine and of a zone differ, within the year to come."""
    from zoneinfo import ZoneInfo

    moment, theirs, found = datetime.now(UTC), ZoneInfo(tz), set()
    end = moment + _AHEAD
    while moment < end:
        # Without a zone, that of the system.
        ours = moment.astimezone(zone).utcoffset() or timedelta()
        found.add(round((ours - (moment.astimezone(theirs).utcoffset() or timedelta())).total_seconds() / 60))
        moment += timedelta(hours=1)
    return found
