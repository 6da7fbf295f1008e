"""An organisation's places and rules as they are kept: settings, stores, locations, registers, tax rates.

    Location(code="MAIN", kind="store", priority=100, sellable=True, ...)

A store has locations; a location has a kind (store, warehouse, quarantine, transit).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

LocationKind = Literal["warehouse", "store", "bin", "quarantine", "transit"]


class Store(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A shop or site of the organisation; `timezone` is an IANA name."""

    id: str
    code: str
    name: str
    timezone: str = "UTC"
    active: bool = True
    created_at: int = 0
    updated_at: int = 0


class Location(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A place that holds stock. `reorder_points` maps product id to smallest units; lower `priority` is first."""

    id: str
    store_id: str
    code: str
    kind: LocationKind = "store"
    priority: int = 100
    ships_online: bool = True
    reorder_points: dict[str, int] = {}
    active: bool = True
    created_at: int = 0
    updated_at: int = 0

    @property
    def sellable(self) -> bool:
        """False for quarantine and transit: what lies there is never promised."""
        return self.kind not in ("quarantine", "transit")

    @property
    def told_to(self) -> str | None:
        """The store that hears of what happens here; goods on the road are in nobody's."""
        return None if self.kind == "transit" else self.store_id


class BarcodePrefix(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """How the shop's own scales write a code of 13 digits: `prefix`, the digits of the item, perhaps a check digit of
    the value (`value_check`), the value, the check digit. A weight has `places` decimal places and a `unit`; a price is
    in minor units."""

    prefix: Annotated[str, Meta(pattern="^(02|04|2[0-9])[0-9]{0,2}$")]
    kind: Literal["weight", "price"]
    item_digits: Annotated[int, Meta(ge=3, le=7)] = 5
    value_check: bool = False
    places: Annotated[int, Meta(ge=0, le=4)] = 3
    unit: Literal["kg", "g", "lb", "oz", "l"] = "kg"

    @property
    def value_digits(self) -> int:
        """Digits that are left for the value."""
        return 12 - len(self.prefix) - self.item_digits - self.value_check


class QuickKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A button of a till that sells a product; `colour` is #rrggbb."""

    label: str
    product_id: str
    colour: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The organisation and its rules. `minor_digits` follows from the ISO 4217 currency.

    Nothing posts to the books on or before the day `books_closed_through` (YYYY-MM-DD). Users with one of `totp_roles`
    (words, with a space between) need a second factor to sign in. `payment_accounts` are the accounts of methods of
    payment that have one of their own.
    """

    id: str
    name: str
    currency: str = "USD"
    minor_digits: int = 2
    mode: Literal["advanced", "simple"] = "advanced"
    allow_override: bool = True
    cart_hold_minutes: int = 30
    default_reorder_point: int | None = 0
    tax_mode: Literal["exclusive", "inclusive"] = "exclusive"
    tax_rounding: Literal["line", "total"] = "line"
    cash_rounding: str = "0.00"
    timezone: str = "UTC"
    api_rate_limit: int | None = None
    totp_roles: str | None = None
    books_closed_through: str | None = None
    catalog_version: int = 0
    created_at: int = 0
    updated_at: int = 0
    barcode_prefixes: tuple[BarcodePrefix, ...] | None = None
    payment_accounts: dict[str, str] | None = None


class Register(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A till of a store."""

    id: str
    store_id: str
    code: str
    name: str | None = None
    active: bool = True
    created_at: int = 0
    updated_at: int = 0
    quick_keys: tuple[QuickKey, ...] | None = None


class TaxRate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The tax of a class, in a store or, without one, in the organisation. `rate` is in 10**-6: 150000 is 15%."""

    id: str
    tax_class: str
    rate: int
    store_id: str | None = None
    name: str | None = None
    active: bool = True
    created_at: int = 0
    updated_at: int = 0
