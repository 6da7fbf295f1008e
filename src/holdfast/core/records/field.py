"""The types of what comes in: each says what a value may be, once, for every door.

    class AddRegister(Command, frozen=True, gc=False):
        store_id: Text
        code: StoreCode                       "till 1" -> refused, "till-1" -> "TILL-1"

A type is an `Annotated` one: lengths and bounds are tested by msgspec, what needs more than that by a `check` (a
function that answers the value as it is kept, or raises `Malformed`), which `holdfast.core.records.shape` runs. What
depends on other records (an amount in the organisation's currency, a quantity in a product's precision) is not tested
here: the decision does it, under its lock.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from msgspec import Meta

from holdfast.core.records.currency import currency_of
from holdfast.core.records.gtin import is_gtin
from holdfast.core.records.number import PRECISION_MAX, RATE_WHOLE, to_unit_cost
from holdfast.core.records.text import CODE, TEXT_MAX, folded, uuid_text
from holdfast.core.records.time import FIRST_INSTANT, LAST_INSTANT, day_of, is_timezone

CHECK = "check"
"""The key under which a type keeps its check (`Meta.extra`)."""

VALUES = "values"
"""The key under which a type keeps the few texts that it takes."""


class Malformed(Exception):
    """The value cannot be; the message says what it must be."""


def sku_of(text: str) -> str:
    """A SKU; it must name its product in an address as well: /products/. would be /products/."""
    if uuid_text(text) is not None:
        raise Malformed("may not look like a UUID.")
    if text != text.strip():
        raise Malformed("may not begin or end with white space.")
    if text in (".", ".."):
        raise Malformed("may not be one or two dots: in an address they mean something else.")
    return text


def code_of(text: str) -> str:
    """The code of a store, location or register, in upper case. Only ASCII is folded: 'ß' would become two letters."""
    code = folded(text)
    if not CODE.fullmatch(code):
        raise Malformed("must be 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit.")
    return code


def gtin_of(text: str) -> str:
    """A GTIN, as it was written."""
    if not is_gtin(text):
        raise Malformed("must be a GTIN: 8, 12, 13 or 14 digits, the last of which checks the others.")
    return text


def timezone_of(name: str) -> str:
    """An IANA time zone."""
    if not is_timezone(name):
        raise Malformed("must be an IANA time zone, as Europe/Lisbon.")
    return name


def currency_code_of(text: str) -> str:
    """The code of a currency, in capitals."""
    code = currency_of(text)
    if code is None:
        raise Malformed(f"{text[:10]!r} is no ISO 4217 currency code such as USD, EUR or JPY.")
    return code


_EMAIL = re.compile(r'[^@\s,;<>()"]+@[^@\s,;<>()"]+')


def email_address_of(text: str) -> str:
    """An email address, trimmed and in lower case: nobody signs in by the case of a letter."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise Malformed(f"{text[:80]!r} is no email address.")
    return email


def rate_of(text: str) -> str:
    """A tax rate as a decimal string, 0 to 1."""
    rate = to_unit_cost(text)
    if rate is None or not 0 <= rate <= RATE_WHOLE:
        raise Malformed('must be "0" to "1" with at most 6 places: "0.15" is 15 percent.')
    return text


def network_of(text: str) -> str:
    """A range of internet addresses (CIDR), or one address, in the one way to write it."""
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    try:
        meant = f": the range that this address lies in is {ip_network(text, strict=False)}"
    except ValueError:
        meant = ""
    raise Malformed(f"must be an address or a range, as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32{meant}.")


def one_of(*values: str) -> Meta:
    """What a text must be that is one of a few."""

    def check(text: str) -> str:
        if text not in values:
            raise Malformed(f"must be one of {', '.join(values)}.")
        return text

    return Meta(extra={CHECK: check, VALUES: frozenset(values)})


def calendar_day_of(text: str) -> str:
    """A day, as YYYY-MM-DD."""
    day = day_of(text)
    if day is None or day != text:
        raise Malformed("must be a day, as 2031-01-31.")
    return day


PRINTABLE = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
"""No control characters, for the documentation: it is tested on everything that comes in, whatever its field."""

_SKU = Meta(extra={CHECK: sku_of}, extra_json_schema={"pattern": PRINTABLE}, min_length=1, max_length=TEXT_MAX)
_CODE = Meta(
    extra={CHECK: code_of},
    extra_json_schema={"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$"},
    min_length=1,
    max_length=64,
)
_GTIN = Meta(extra={CHECK: gtin_of}, extra_json_schema={"pattern": "^([0-9]{8}|[0-9]{12,14})$"}, max_length=TEXT_MAX)

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX, extra_json_schema={"pattern": PRINTABLE})]
"""A text of 1 to 200 characters."""

Sku = Annotated[str, _SKU]
"""What a product is called: unique in its organisation."""

StoreCode = Annotated[str, _CODE]
"""The code of a store, location or register, in any case; kept in upper case."""

Gtin = Annotated[str, _GTIN]
"""A GTIN with its check digit."""

Timezone = Annotated[str, Meta(extra={CHECK: timezone_of}, min_length=1, max_length=TEXT_MAX)]
"""The name of an IANA time zone."""

Currency = Annotated[str, Meta(extra={CHECK: currency_code_of}, pattern="^[A-Za-z]{3}$")]
"""A code of ISO 4217, in any case; kept in capitals."""

Email = Annotated[str, Meta(extra={CHECK: email_address_of}, min_length=1, max_length=TEXT_MAX)]
"""An email address; kept in lower case."""

Network = Annotated[str, Meta(extra={CHECK: network_of}, min_length=1, max_length=TEXT_MAX)]
"""A range of internet addresses, or one."""

Rate = Annotated[str, Meta(extra={CHECK: rate_of}, min_length=1, max_length=TEXT_MAX)]
"""A tax rate as a decimal string: "0.15" is 15 percent, "1" the most."""

Day = Annotated[str, Meta(extra={CHECK: calendar_day_of}, min_length=1, max_length=TEXT_MAX)]
"""A calendar day, YYYY-MM-DD."""

Condition = Annotated[str, one_of("good", "damaged", "none")]
"""In what condition goods come back; `none` are not there any more."""

PayMethod = Annotated[str, one_of("cash", "card", "other", "gift_card")]
"""By what money comes in or goes back; a gift card has a code."""

TenderMethod = Annotated[str, one_of("cash", "card", "other")]
"""By what money goes out or comes in."""

ReceiptKind = Annotated[str, one_of("purchase", "finished_batch", "opening")]
"""Why goods came in."""

Instant = Annotated[int, Meta(ge=FIRST_INSTANT, le=LAST_INSTANT)]
"""An instant in microseconds since 1970 UTC, of the years 1 to 9999."""

Places = Annotated[int, Meta(ge=0, le=PRECISION_MAX)]
"""Decimal places of a product's quantities."""

Priority = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Who is first: lower is better."""
