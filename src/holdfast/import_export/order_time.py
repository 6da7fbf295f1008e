"""When an order was made: the times of order files, in microseconds since 1970.

    ordered_at("2025-03-01 10:00:00 -0500", ...)               -> an instant
    ordered_at("2026-01-02 10:00:00", "Europe/Lisbon", ...)    -> by the clock there
    ordered_at("09/22/26", ..., DayOrder.MONTH_FIRST)          -> 22 September, where the format says so

Which day 01/03/2027 is would be a guess where the format does not say: it is refused (BadLine).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from holdfast.core.records.time import day_of, instant_of, start_of_day
from holdfast.import_export.table import BadLine


class DayOrder(StrEnum):
    """What stands first in a day with slashes."""

    YEAR_FIRST = "year"
    MONTH_FIRST = "month"


_OFFSET = re.compile(r"(.*\d) ?([+-]\d{2}):?(\d{2})")
_LOCAL = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{1,2}:\d{2}(?::\d{2})?(?:\.\d{1,6})?)")
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})(?: (\d{1,2}:\d{2}(?::\d{2})?))?")


def ordered_at(name: str, text: str, timezone: str, order: DayOrder = DayOrder.YEAR_FIRST) -> int | None:
    """The instant of a cell, None where it is blank; a day alone is its first instant in the time zone."""
    if not text:
        return None
    american = _MONTH_FIRST.fullmatch(text) if order is DayOrder.MONTH_FIRST else None
    if american is not None:
        month, day, year, clock = american.groups()
        text = f"{year if len(year) == 4 else '20' + year}-{int(month):02d}-{int(day):02d}" + (
            f" {clock}" if clock else ""
        )
    if day_of(text) is not None:
        return start_of_day(text, timezone)
    offset = _OFFSET.fullmatch(text.removesuffix(" UTC"))
    at = instant_of(f"{offset[1].replace(' ', 'T', 1)}{offset[2]}:{offset[3]}") if offset else instant_of(text)
    local = _LOCAL.fullmatch(text)
    if at is None and text.endswith(" UTC"):
        at = instant_of(text.removesuffix(" UTC").replace(" ", "T", 1) + "Z")
    if at is None and local is not None:
        hour, _, rest = local[2].partition(":")
        try:
            moment = datetime.fromisoformat(f"{local[1]}T{int(hour):02d}:{rest}").replace(tzinfo=ZoneInfo(timezone))
            at = instant_of(moment.isoformat())
        except ValueError:
            at = None
    if at is None:
        raise BadLine(f"{name} {text[:40]!r} is neither a day (2027-03-01) nor a time (2027-03-01T09:00:00Z).")
    return at
