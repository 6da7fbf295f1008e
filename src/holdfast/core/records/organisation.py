"""An organisation's places and rules as they are kept: settings, stores, locations, registers, tax rates.

    Location(code="MAIN", kind="store", priority=100, sellable=True, ...)

A store has locations; a location has a kind (store, warehouse, quarantine, transit).
"""

from __future__ import annotations

from typing import Literal

import msgspec

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
