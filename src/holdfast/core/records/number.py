"""Exact numbers and times: quantities, money and instants, inside and outside.

Inside, a quantity is an integer of the product's smallest unit, money an integer of the currency's minor unit,
an instant an integer of microseconds since 1970 UTC. Outside (JSON) they are plain numbers, decimal strings and
ISO 8601 texts (SPEC section 2).

>>> to_units(Decimal("0.25"), 2)
25
>>> from_units(25, 2), from_units(300, 2)
(0.25, 3)

It refuses to round a quantity or an amount: what does not fit exactly is None.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

QUANTITY_MAX = 10**12
"""Largest command or balance, in smallest units (SPEC section 2)."""

PRECISION_MAX = 4
"""Most decimal places of a quantity."""

COST_PLACES = 6
"""Decimal places of a unit cost, inside an integer of 10**-6 of the currency's major unit."""

AMOUNT_MAX = 10**15
"""Largest amount of money in a command, in minor units."""

VALUE_MAX = 10**18
"""Largest value of a lot, in minor units: what a database's BIGINT holds."""

UNIT_COST_MAX = 10**15
"""Largest unit cost, in 10**-6 of the major unit: a thousand million major units."""

FIRST_INSTANT = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds since 1970: before it nothing can be written."""

LAST_INSTANT = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z."""

RATE_WHOLE = 10**6
"""A tax rate of 1, that is 100 percent, in the unit of rates (10**-6)."""

LAST_DAY = date.max.isoformat()
"""The last day of the calendar."""


class _ExactNumber(type):
    """Makes `isinstance(x, Quantity)` true of exact numbers, which is how msgspec tests a custom type."""

    def __instancecheck__(cls, value: object) -> bool:
        return type(value) is int or type(value) is Decimal


class Quantity(metaclass=_ExactNumber):
    """A number from outside, exact: an int or a Decimal, never a text, a float or a boolean."""


if TYPE_CHECKING:
    Number = int | Decimal
else:
    Number = Quantity  # so that a command's numbers are tested like those of a body


def exact_scaled(number: Number, places: int, limit: int) -> int | None:
    """`number * 10**places` as an integer, or None when it is not whole, not finite or beyond `limit`."""
    if type(number) is int:
        scaled = number * 10**places
        return scaled if -limit <= scaled <= limit else None
    if not isinstance(number, Decimal) or not number.is_finite():
        return None
    if number and not -30 < number.adjusted() < 30:
        return None
    shifted = number.scaleb(places) if len(number.as_tuple().digits) <= 28 else None
    if shifted is None or shifted != shifted.to_integral_value():
        return None
    scaled = int(shifted)
    return scaled if -limit <= scaled <= limit else None


def to_units(number: Number, precision: int) -> int | None:
    """A quantity from outside in smallest units (sign kept); None when it does not fit exactly."""
    return exact_scaled(number, precision, QUANTITY_MAX)


def from_units(units: int, precision: int) -> int | float:
    """Smallest units as a plain JSON number; whole numbers come out as integers.

    Exact: 10**12 units have 13 digits, and a double carries 15.
    """
    if precision == 0:
        return units
    whole, rest = divmod(units, 10**precision)
    return whole if rest == 0 else float(units / 10**precision)


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, ties to even; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient


def value_of(units: int, precision: int, unit_cost: int, minor_digits: int) -> int:
    """Value in minor units of `units` smallest units at `unit_cost` (10**-6 major units), half-even once."""
    return divide_half_even(units * unit_cost * 10**minor_digits, 10 ** (precision + COST_PLACES))


def unit_cost_of(value: int, units: int, precision: int, minor_digits: int) -> int:
    """Unit cost (10**-6 major units) of `units` smallest units worth `value` minor units, half-even."""
    return divide_half_even(value * 10 ** (precision + COST_PLACES), units * 10**minor_digits)


def share_of_value(value: int, on_hand: int, taken: int) -> int:
    """The value that leaves a lot with `taken` of its `on_hand` units; the last unit takes what is left."""
    if taken == on_hand:
        return value
    return divide_half_even(value * taken, on_hand)


@lru_cache(maxsize=4096)
def to_minor(text: str, minor_digits: int) -> int | None:
    """A decimal string of the major unit ("19.99") in minor units; None when it does not fit exactly."""
    return _scaled_text(text, minor_digits, AMOUNT_MAX)


@lru_cache(maxsize=16_384)
def from_minor(minor: int, minor_digits: int) -> str:
    """Minor units as a decimal string of the major unit: 1999 is "19.99" with two digits."""
    return _decimal_text(minor, minor_digits)


def to_unit_cost(text: str) -> int | None:
    """A unit cost ("0.123456", up to six places) as an integer of 10**-6 major units; None when it does not fit."""
    return _scaled_text(text, COST_PLACES, UNIT_COST_MAX)


def from_unit_cost(cost: int, minor_digits: int) -> str:
    """A unit cost as a decimal string, with at least the currency's places and no idle zeros beyond them."""
    text = _decimal_text(cost, COST_PLACES)
    whole, _, places = text.partition(".")
    places = places.rstrip("0").ljust(minor_digits, "0")
    return f"{whole}.{places}" if places else whole


def _scaled_text(text: str, places: int, limit: int) -> int | None:
    whole, point, rest = text.removeprefix("-").partition(".")
    digits_only = whole.isascii() and whole.isdigit() and (not point or (rest.isascii() and rest.isdigit()))
    if not digits_only or len(text) > 40:
        return None
    return exact_scaled(Decimal(text), places, limit)


def _decimal_text(scaled: int, places: int) -> str:
    if places == 0:
        return str(scaled)
    sign = "-" if scaled < 0 else ""
    whole, rest = divmod(abs(scaled), 10**places)
    return f"{sign}{whole}.{rest:0{places}d}"


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
