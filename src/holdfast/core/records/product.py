"""What is counted, where it lies, and the organisation's rules: Product, Store, Location, Settings.

A product is physical (counted) or unlimited (digital, service, subscription). When stock does not suffice, its
`oversell` policy decides: `deny`, `backorder`, or `preorder` up to a limit. A location is sellable unless it is a
quarantine or transit.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.core.records.number import Number, from_units, to_units
from holdfast.core.records.text import folded

ProductKind = Literal["physical", "digital", "service", "subscription"]
Oversell = Literal["deny", "backorder", "preorder"]
LocationKind = Literal["warehouse", "store", "bin", "quarantine", "transit"]

__all__ = [
    "UNLIMITED", "Location", "LocationKind", "Oversell", "Product", "ProductKind", "Register", "Settings", "Store",
    "TaxRate", "folded", "reorder_threshold",
]  # fmt: skip

UNLIMITED = 999_999
"""What `total_available` says of a product without stock (SPEC section 4)."""


class Product(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One SKU. `price` is in minor units, `reorder_point` and `preorder_limit` in smallest units."""

    id: str
    sku: str
    title: str
    kind: ProductKind = "physical"
    price: int | None = None
    tax_class: str | None = None
    gtin: str | None = None
    precision: int = 0
    reorder_point: int | None = None
    oversell: Oversell = "deny"
    preorder_limit: int | None = None
    available_from: int | None = None
    track_expiry: bool = False
    dropship: bool = False
    supplier: str | None = None
    active: bool = True
    created_at: int = 0
    updated_at: int = 0

    @property
    def unlimited(self) -> bool:
        """True for what is never counted: digital, service, subscription."""
        return self.kind != "physical"

    def units(self, number: Number) -> int | None:
        """A quantity from outside in smallest units, sign kept; None when it does not fit the precision."""
        if self.precision == 0 and type(number) is int and -1_000_000_000 < number < 1_000_000_000:
            return number
        return to_units(number, self.precision)

    def number(self, units: int) -> int | float:
        """Smallest units as the number that goes outside."""
        return units if self.precision == 0 else from_units(units, self.precision)


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
    (words, with a space between) need a second factor to sign in.
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
    cash_rounding: str = "0.00"
    timezone: str = "UTC"
    api_rate_limit: int | None = None
    totp_roles: str | None = None
    books_closed_through: str | None = None
    catalog_version: int = 0
    created_at: int = 0
    updated_at: int = 0


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


def reorder_threshold(product: Product, location: Location, settings: Settings) -> int | None:
    """The low-stock line in smallest units: the location's, else the product's, else the organisation's; 0 counts.

    The organisation's default is a number of whole units, as it knows no product's precision.
    """
    own = location.reorder_points.get(product.id)
    if own is not None:
        return own
    if product.reorder_point is not None:
        return product.reorder_point
    default = settings.default_reorder_point
    return None if default is None else default * 10**product.precision
