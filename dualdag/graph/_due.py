"""Cadences and the clock: when an artifact may be made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dualdag.graph._cron import next_cron

if TYPE_CHECKING:
    from dualdag.graph._cadence import Cadence

__all__ = ["comes_due", "is_due", "next_due"]

_GRACE_SHARE = 0.01
_GRACE_MOST = 60.0


def is_due(cadence: Cadence, *, last: float | None, confirmed: float | None, now: datetime) -> tuple[bool, str]:
    """Say whether an artifact is due, and why, as far as the clock can tell.

    Parameters
    ----------
    cadence : Cadence
        The artifact's.
    last : float or None
        When its last version was made, in seconds since 1970; None if it has none.
    confirmed : float or None
        When it was last found unchanged.
    now : datetime
        The clock of the plan, with a zone.

    Returns
    -------
    tuple of bool and str
        Due or not, and a sentence.

    Examples
    --------
    >>> from dualdag.graph import parse_cadence
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> is_due(parse_cadence("0 6 * * *", "UTC"), last=noon.timestamp(), confirmed=None, now=noon)
    (False, 'not due until 2026-11-22 06:00 UTC')
    """
    if last is None:
        return True, "it has no version yet"
    if cadence.kind == "change":
        return True, "made again on any change"
    if cadence.kind == "manual":
        return False, "manual: made again only when named in refresh"
    if cadence.kind == "frozen":
        return False, "frozen until its cadence is edited"
    moment = now.timestamp()
    since = _since(last, confirmed, moment)
    at = _next(cadence, since)
    if at is None:
        return False, f"{cadence.text!r} never comes again"
    grace = min(_GRACE_SHARE * cadence.seconds, _GRACE_MOST)
    shown = _show(at, cadence.tz)
    if moment >= at.timestamp() - grace:
        return True, f"due since {shown}"
    return False, f"not due until {shown}"


def next_due(cadence: Cadence, *, last: float | None, confirmed: float | None, now: datetime) -> datetime | None:
    """Return when an artifact comes due by the clock.

    Parameters
    ----------
    cadence : Cadence
        The artifact's.
    last : float or None
        When its last version was made, in seconds since 1970; None if it has none.
    confirmed : float or None
        When it was last found unchanged.
    now : datetime
        The clock, with a zone.

    Returns
    -------
    datetime or None
        `now` where it has no version, a time that may be past, or None where the clock has no say.

    Examples
    --------
    >>> from dualdag.graph import parse_cadence
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> str(next_due(parse_cadence("7d", "UTC"), last=noon.timestamp(), confirmed=None, now=noon))
    '2026-11-28 12:00:00+00:00'
    """
    if last is None:
        return now
    if cadence.kind not in {"interval", "cron"}:
        return None
    at = _next(cadence, _since(last, confirmed, now.timestamp()))
    return None if at is None else at.astimezone(ZoneInfo(cadence.tz))


def comes_due(cadence: Cadence, last: float | None, confirmed: float | None, now: datetime) -> datetime | None:
    """Return the moment from which on `is_due` says so by the clock; None where that has no say.

    `next_due` asks again at each moment what a version counts for that is dated in the future; here is told
    when that ends.

    Parameters
    ----------
    cadence : Cadence
        The artifact's.
    last, confirmed : float or None
        When it was last made, and last found equal: seconds since 1970.
    now : datetime
        The clock, with a zone.

    Examples
    --------
    >>> from dualdag.graph import parse_cadence
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> str(comes_due(parse_cadence("1h", "UTC"), noon.timestamp(), None, noon - timedelta(days=1)))
    '2026-11-21 13:00:00+00:00'
    """
    if last is None and cadence.kind in {"manual", "frozen"}:
        return None
    made = datetime.fromtimestamp(max(last or 0.0, confirmed or 0.0), UTC)
    return next_due(cadence, last=last, confirmed=confirmed, now=max(now, made))


def _since(last: float, confirmed: float | None, moment: float) -> float:
    """Return the later of version and confirmation; what another clock dated ahead counts as made now."""
    return min(moment, last if confirmed is None else max(last, confirmed))


def _next(cadence: Cadence, since: float) -> datetime | None:
    start = datetime.fromtimestamp(since, UTC)
    if cadence.kind == "cron":
        return next_cron(cadence.cron, cadence.tz, start)
    try:
        return start + timedelta(seconds=cadence.seconds)
    except OverflowError:
        return None


def _show(at: datetime, tz: str) -> str:
    local = at.astimezone(ZoneInfo(tz))
    return f"{local:%Y-%m-%d %H:%M:%S} {tz}" if local.second else f"{local:%Y-%m-%d %H:%M} {tz}"
