"""The public shapes of what the core knows: how a reservation, a level, a lot look outside (docs/reference/api.md).

Decisions answer with them and reads build the same from rows, so both always agree. Quantities are plain numbers,
money and costs decimal strings, times ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.core.records.number import from_minor, from_unit_cost
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.core.records.product import UNLIMITED, Product, reorder_threshold
from holdfast.core.records.status import ACTIVE, QUARANTINED
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.records.time import instant_text

Num = int | float


class AllocationDocument(msgspec.Struct, frozen=True, gc=False):
    """The part of a reservation that one lot backs."""

    lot_id: str
    lot_code: str | None
    quantity: Num


class ReservationDocument(msgspec.Struct, frozen=True, gc=False):
    """A reservation as the API shows it."""

    id: str
    product_id: str
    sku: str
    location: str
    quantity: Num
    open_quantity: Num
    consumed_quantity: Num
    released_quantity: Num
    allocated_quantity: Num
    backordered_quantity: Num
    status: str
    release_reason: str | None
    allocations: list[AllocationDocument]
    sale_line_id: str | None
    reserved_for_type: str | None
    reserved_for_id: str | None
    order_number: str | None
    source: str | None
    priority: int
    lot_id: str | None
    expires_at: str | None
    created_at: str
    updated_at: str
    conflict: bool | msgspec.UnsetType = msgspec.UNSET


class LevelDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """An entry of the inventory: a product at a location.

    `available_quantity` is what can still be promised: 0 where `sellable` is false (quarantine, transit). Units that
    have just expired are shown in quarantine before they are moved, in an entry that has its id already.
    """

    id: str
    sellable: bool
    product_id: str
    sku: str
    product_title: str
    store_id: str
    store_name: str
    location: str
    quantity: Num
    reserved_quantity: Num
    available_quantity: Num
    backordered_quantity: Num
    is_low_stock: bool
    threshold: Num | None
    gtin: str | None
    created_at: str
    updated_at: str


class LevelHoldDocument(LevelDocument, frozen=True, kw_only=True, gc=False):
    """An entry together with the hold that the command made or touched."""

    reservation_id: str | None


class UnlimitedDocument(msgspec.Struct, frozen=True, gc=False):
    """What reserving an unlimited product answers: nothing had to be held."""

    product_id: str
    sku: str
    unlimited: bool
    total_available: int
    reservation_id: str | None = None


def reservation_document(
    hold: Reservation, product: Product, location: Location, lots: Mapping[str, Lot]
) -> ReservationDocument:
    """The public shape of a reservation; `lots` holds at least those that back it."""
    number = product.number
    return ReservationDocument(
        hold.id,
        hold.product_id,
        product.sku,
        location.code,
        number(hold.quantity),
        number(hold.open),
        number(hold.consumed),
        number(hold.released),
        number(hold.allocated),
        number(hold.backordered),
        hold.status,
        hold.release_reason,
        [AllocationDocument(lot_id, lots[lot_id].code, number(units)) for lot_id, units in hold.allocations],
        hold.sale_line_id,
        hold.reserved_for_type,
        hold.reserved_for_id,
        hold.order_number,
        hold.source,
        hold.priority,
        hold.lot_id,
        None if hold.expires_at is None else instant_text(hold.expires_at),
        instant_text(hold.created_at),
        instant_text(hold.updated_at),
    )


def level_fields(
    level: Level, product: Product, location: Location, store: Store, settings: Settings
) -> dict[str, Any]:
    """The fields of an inventory entry; a read gives the level as settling would leave it.

    Units where nothing is sold (quarantine, transit) are never available, whatever is free there.
    """
    line = reorder_threshold(product, location, settings)
    number = product.number
    return {
        "id": level.id,
        "sellable": location.sellable,
        "product_id": product.id,
        "sku": product.sku,
        "product_title": product.title,
        "store_id": store.id,
        "store_name": store.name,
        "location": location.code,
        "quantity": number(level.on_hand),
        "reserved_quantity": number(level.reserved),
        "available_quantity": number(level.available if location.sellable else 0),
        "backordered_quantity": number(level.backordered),
        "is_low_stock": line is not None and location.sellable and level.on_hand <= line,
        "threshold": None if line is None else number(line),
        "gtin": product.gtin,
        "created_at": instant_text(level.created_at),
        "updated_at": instant_text(level.updated_at),
    }


def unlimited_document(product: Product) -> UnlimitedDocument:
    """The answer for a product that needs no hold."""
    return UnlimitedDocument(product.id, product.sku, True, UNLIMITED)


def status_at(lot: Lot, location: Location) -> str:
    """`quarantined` where units may not be sold: in quarantine, and of a recalled lot anywhere where unreleased."""
    recalled = lot.status == QUARANTINED or (lot.status != ACTIVE and not location.sellable)
    return QUARANTINED if recalled or location.kind == "quarantine" else ACTIVE


def lot_fields(lot: Lot, at: LotStock, product: Product, location: Location, settings: Settings) -> dict[str, Any]:
    """A row of the lot list: one lot at one location."""
    expires = lot.expires_on if lot.expires_at is None else instant_text(lot.expires_at)
    return {
        "id": lot.id,
        "lot_code": lot.code,
        "product_id": product.id,
        "sku": product.sku,
        "location": location.code,
        "on_hand": product.number(at.on_hand),
        "reserved": product.number(at.reserved),
        "value": from_minor(at.value, settings.minor_digits),
        "unit_cost": from_unit_cost(lot.unit_cost, settings.minor_digits),
        "expires_at": expires,
        "received_at": instant_text(lot.received_at),
        "supplier": lot.supplier,
        "status": status_at(lot, location),
    }


def product_fields(product: Product, settings: Settings) -> dict[str, Any]:
    """A product's own fields; a function that knows its levels adds the totals."""
    number = product.number
    return {
        "id": product.id,
        "sku": product.sku,
        "title": product.title,
        "kind": product.kind,
        "price": None if product.price is None else from_minor(product.price, settings.minor_digits),
        "price_breaks": [
            {"quantity": group.quantity, "price": from_minor(group.price, settings.minor_digits)}
            for group in product.price_breaks or ()
        ],
        "tax_class": product.tax_class,
        "digital_delivery_method": product.digital_delivery_method,
        "download_url": product.download_url,
        "gtin": product.gtin,
        "precision": product.precision,
        "reorder_point": None if product.reorder_point is None else number(product.reorder_point),
        "oversell": product.oversell,
        "preorder_limit": None if product.preorder_limit is None else number(product.preorder_limit),
        "available_from": None if product.available_from is None else instant_text(product.available_from),
        "track_expiry": product.track_expiry,
        "dropship": product.dropship,
        "supplier": product.supplier,
        "active": product.active,
        "is_digital": product.kind == "digital",
        "unlimited": product.unlimited,
        "created_at": instant_text(product.created_at),
        "updated_at": instant_text(product.updated_at),
    }
