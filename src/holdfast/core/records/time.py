"""Instants and days: microseconds since 1970 inside, ISO 8601 outside.

instant_of("2030-01-31T12:00:00+01:00")         -> microseconds since 1970, None for what is no instant
start_of_day("2030-01-31", "Europe/Lisbon")     -> the first instant of that day there
day_at(at, "Pacific/Honolulu")                  -> "2030-01-30"
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

FIRST_INSTANT = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds since 1970: before it nothing can be written."""


LAST_INSTANT = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z."""


LAST_DAY = date.max.isoformat()
"""The last day of the calendar."""


_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=4096)
def instant_text(at: int) -> str:
    """Microseconds since 1970 as ISO 8601 with `Z`, microseconds kept."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_of(text: str) -> int | None:
    """An ISO 8601 instant with an offset in microseconds since 1970; None when it is not one.

    An instant without an offset is refused: whose midnight it means would be a guess.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or "T" not in text.upper().replace(" ", "T") or "W" in text.upper():
            return None  # a week and a weekday (2027-W10-1T09:00Z) are ISO 8601 too, and nobody means them
        return (moment.astimezone(UTC) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def day_of(text: str) -> str | None:
    """`YYYY-MM-DD` when the text is a calendar day written like that, else None: 2027-W10-1 is none."""
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def start_of_day(day: str, timezone: str) -> int:
    """The first instant of `day` (YYYY-MM-DD) in the IANA `timezone`, in microseconds since 1970.

    Where it lies before the first or behind the last instant that can be written, it is that one.
    """
    first = date.fromisoformat(day)
    try:
        midnight = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    except OverflowError:
        midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return (midnight - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=4096)
def end_of_day(day: str, timezone: str) -> int:
    """The first instant after `day` in the IANA `timezone`: a lot expiring that day is sellable until then.

    The last day that there is, 9999-12-31, means never for many; its end is the last instant that can be written.
    """
    if day == LAST_DAY:
        return (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
    following = date.fromisoformat(day) + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(timezone))
    return (midnight.astimezone(UTC) - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=256)
def day_at(at: int, timezone: str) -> str:
    """The calendar day of an instant in the IANA `timezone`."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(timezone)).date().isoformat()


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_timezone(name: str) -> bool:
    """Is it the name of an IANA time zone, as Europe/Lisbon?"""
    return name in _timezones()
