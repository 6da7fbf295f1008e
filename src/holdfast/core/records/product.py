"""What is counted: Product.

A product is physical (counted) or unlimited (digital, service, subscription, gift_card). When stock does not suffice,
its `oversell` policy decides: `deny`, `backorder`, or `preorder` up to a limit.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.core.records.number import Number, from_units, to_units
from holdfast.core.records.organisation import Location, LocationKind, Register, Settings, Store, TaxRate
from holdfast.core.records.text import folded

ProductKind = Literal["physical", "digital", "service", "subscription", "gift_card"]
Oversell = Literal["deny", "backorder", "preorder"]
DigitalDelivery = Literal["license_key", "download", "email"]

__all__ = [
    "UNLIMITED", "DigitalDelivery", "Location", "LocationKind", "Oversell", "Product", "ProductKind", "Register",
    "Settings", "Store", "TaxRate", "folded", "reorder_threshold",
]  # fmt: skip

UNLIMITED = 999_999
"""What `total_available` says of a product without stock (docs/reference/api.md#products)."""


class PriceBreak(msgspec.Struct, frozen=True, gc=False):
    """So many whole units together cost `price` (minor units): three for 10.00."""

    quantity: int
    price: int


class Product(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One SKU. `price` is in minor units, `reorder_point` and `preorder_limit` in smallest units.

    A digital product may say how it is delivered, and from where it is downloaded. `pooled` is one that has had license
    keys: each unit of it takes one of them.
    """

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
    price_breaks: tuple[PriceBreak, ...] | None = None
    digital_delivery_method: DigitalDelivery | None = None
    download_url: str | None = None
    pooled: bool = False

    @property
    def unlimited(self) -> bool:
        """True for what is never counted: digital, service, subscription, gift_card."""
        return self.kind != "physical"

    @property
    def takes_keys(self) -> bool:
        """Does each unit that is sold take a license key?"""
        return self.pooled and self.digital_delivery_method == "license_key"

    def units(self, number: Number) -> int | None:
        """A quantity from outside in smallest units, sign kept; None when it does not fit the precision."""
        if self.precision == 0 and type(number) is int and -1_000_000_000 < number < 1_000_000_000:
            return number
        return to_units(number, self.precision)

    def number(self, units: int) -> int | float:
        """Smallest units as the number that goes outside."""
        return units if self.precision == 0 else from_units(units, self.precision)


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
