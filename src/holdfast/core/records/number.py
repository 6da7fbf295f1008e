"""Exact numbers and times: quantities, money and instants, inside and outside.

Inside, a quantity is an integer of the product's smallest unit, money an integer of the currency's minor unit,
an instant an integer of microseconds since 1970 UTC. Outside (JSON) they are plain numbers, decimal strings and
ISO 8601 texts (docs/reference/api.md#conventions).

>>> to_units(Decimal("0.25"), 2)
25
>>> from_units(25, 2), from_units(300, 2)
(0.25, 3)

It refuses to round a quantity or an amount: what does not fit exactly is None.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

QUANTITY_MAX = 10**12
"""Largest command or balance, in smallest units (docs/reference/api.md#conventions)."""

PRECISION_MAX = 4
"""Most decimal places of a quantity."""

COST_PLACES = 6
"""Decimal places of a unit cost, inside an integer of 10**-6 of the currency's major unit."""

AMOUNT_MAX = 10**15
"""Largest amount of money in a command, in minor units."""

ASIDE_MAX = 10**12
"""Largest amount that no price and no goods stand behind: a fee, a tip, cash that is moved by hand; minor units."""

VALUE_MAX = 10**18
"""Largest value of a lot, in minor units: what a database's BIGINT holds."""

UNIT_COST_MAX = 10**15
"""Largest unit cost, in 10**-6 of the major unit: a thousand million major units."""


RATE_WHOLE = 10**6
"""A tax rate of 1, that is 100 percent, in the unit of rates (10**-6)."""


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
