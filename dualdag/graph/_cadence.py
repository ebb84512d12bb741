"""The grammar of cadences: how often an artifact may be made again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dualdag.config import check_zone
from dualdag.errors import ConfigError

__all__ = ["Cadence", "parse_cadence", "parse_duration"]

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[smhdw])+", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])", re.ASCII)
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_HELP = (
    'use None (any change), an interval such as "90s", "1h", "7d" or "1d12h", '
    'five cron fields such as "0 6 * * *", "@daily", "manual" or "frozen"'
)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often an artifact is due.

    Parameters
    ----------
    kind : {"change", "interval", "cron", "manual", "frozen"}
        What makes the artifact due.
    text : str or None
        As the user wrote it; None for ``cadence=None``.
    seconds : float
        Length of the interval; 0 for the other kinds.
    cron : str
        Five cron fields; empty for the other kinds.
    tz : str
        IANA name of the zone that the cron fields are read in.

    Examples
    --------
    >>> parse_cadence("1d12h", "UTC").seconds
    129600.0
    """

    kind: str
    text: str | None
    seconds: float
    cron: str
    tz: str

    def __str__(self) -> str:
        if self.kind == "cron":
            return f"{self.text} ({self.tz})"
        return self.text or "on change"


def parse_duration(text: str) -> float | None:
    """Return the seconds in an interval such as ``"1d12h"``, or None if it is not one.

    Examples
    --------
    >>> parse_duration("1.5h")
    5400.0
    >>> parse_duration("90 min") is None
    True
    """
    if not _DURATION.fullmatch(text):
        return None
    parts = _PART.findall(text)
    order = [list(_UNITS).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return seconds if 0 < seconds < float("inf") else None


def parse_cadence(text: str | None, tz: str) -> Cadence:
    """Return the cadence that `text` describes.

    Parameters
    ----------
    text : str or None
        Interval, cron fields, nickname, ``"manual"``, ``"frozen"``, or None for "on any change".
    tz : str
        IANA name of a time zone.

    Raises
    ------
    ConfigError
        When the text is none of these, or the zone is unknown.

    Examples
    --------
    >>> parse_cadence("0 6 * * *", "Europe/Berlin").kind
    'cron'
    """
    check_zone("tz", tz)
    if text is not None and not isinstance(text, str):
        raise ConfigError(f"cadence={text!r} is a {type(text).__name__}: {_HELP}.")
    return _parse(text, tz)


@lru_cache(maxsize=1024)
def _parse(text: str | None, tz: str) -> Cadence:
    if text is None:
        return Cadence("change", None, 0.0, "", tz)
    if text in {"manual", "frozen"}:
        return Cadence(text, text, 0.0, "", tz)
    seconds = parse_duration(text)
    if seconds is not None:
        return Cadence("interval", text, seconds, "", tz)
    cron = _NICKNAMES.get(text, text)
    if len(cron.split()) != 5:
        raise ConfigError(f"cadence={text!r} is not understood: {_HELP}.")
    _check_cron(cron, text)
    return Cadence("cron", text, 0.0, " ".join(cron.split()), tz)


def _check_cron(cron: str, text: str) -> None:
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise ConfigError(f"cadence={text!r} is not a cron expression that ever comes due: {_HELP}.") from error
