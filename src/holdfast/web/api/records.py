"""What records over HTTP share: fields in inner units, and the stores and codes that they name.

price "19.99" in a currency of two places        -> 1999
stores ["MAIN"] of a caller limited to EAST      -> 403
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from msgspec import UNSET

from holdfast.access import Role
from holdfast.core.number import Number, from_minor, to_minor, to_units
from holdfast.core.product import Settings, folded
from holdfast.core.rejection import Code
from holdfast.organisation import minor_digits_of
from holdfast.web.problems import Problem, invalid
from holdfast.web.route import Call, found

_CODE = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,63}")


def given(body: Any) -> dict[str, Any]:
    """The fields of a change that were given, null ones included."""
    return {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET}


def settings_of(call: Call) -> Settings:
    """What conversions need of the organisation's settings."""
    fields = call.shop.reports.settings(call.actor.org_id)
    assert fields is not None, "an actor belongs to an organisation"
    currency = fields["currency"]
    return Settings(
        id=call.actor.org_id,
        name=fields["name"],
        currency=currency,
        minor_digits=minor_digits_of(currency),
        timezone=fields["timezone"],
    )


def amount(field: str, text: str, settings: Settings) -> int:
    """An amount of money of 0 or more, in minor units."""
    minor = to_minor(text, settings.minor_digits)
    if minor is None or minor < 0:
        places = from_minor(0, settings.minor_digits)
        raise invalid(
            field,
            f"must be an amount of {settings.currency} of 0 or more, written like {places!r}.",
            Code.INVALID_AMOUNT,
        )
    return minor


def units(field: str, quantity: Number, precision: int) -> int:
    """A quantity of 0 or more, in smallest units."""
    found_units = to_units(quantity, precision)
    if found_units is None or found_units < 0:
        places = "a whole number" if precision == 0 else f"a number of at most {precision} places"
        raise invalid(field, f"must be {places}, 0 or more.", Code.INVALID_QUANTITY)
    return found_units


def folded_code(field: str, text: str) -> str:
    """The code of a store, location or register, in upper case. Only ASCII is folded: 'ß' would become two letters."""
    code = folded(text)
    if not _CODE.fullmatch(code):
        raise invalid(field, "must be 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit.")
    return code


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def timezone(field: str, name: str) -> str:
    """An IANA time zone."""
    if name not in _timezones():
        raise invalid(field, "must be an IANA time zone, as Europe/Lisbon.")
    return name


def store_ids(call: Call, names: list[str] | None) -> tuple[str, ...]:
    """The ids of stores given by id or code, each once."""
    ids = []
    for name in names or ():
        store = found(call.shop.reports.store(call.actor.org_id, name), Code.STORE_NOT_FOUND, "Store", name)
        if store["id"] not in ids:
            ids.append(store["id"])
    return tuple(ids)


def require_grant(call: Call, role: str, stores: tuple[str, ...]) -> None:
    """Nobody may make, change or remove a user or key above their own role or beyond their own stores."""
    if not call.actor.may_grant(Role(role), stores):
        raise Problem("FORBIDDEN", "You may not give more than you have: not a higher role, not other stores.")


def require_store(call: Call, store_id: str) -> None:
    """Who is limited to stores may not touch the records of another."""
    if call.stores is not None and store_id not in call.stores:
        raise Problem("FORBIDDEN", "You may not act in that store.")
