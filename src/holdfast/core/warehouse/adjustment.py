"""Facts about the shelf: set, adjust, count. The count is the truth.

    Count MUG-1 at MAIN: 7 (on hand 9)   -> COUNT -2; holds give way if fewer than the reserved are left
    Count MUG-1 at MAIN: 11              -> COUNT +4 in a new lot at the last cost; backorders are served

`SetStock` and `AdjustStock` are single facts (ADJUSTMENT), `expected` makes a set a compare-and-set. A count sheet is
a count in two steps (`count_sheet`): open sheets hear of what a set or another count has put right.

See docs/reference/invariants.md and docs/how-to/count-and-move.md.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.documents import LevelDocument, level_fields
from holdfast.core.records.ledger import RefType
from holdfast.core.records.number import Number, to_unit_cost, value_of
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_stock,
    invalid_quantity,
    invalid_state,
    not_found,
    not_stock_tracked,
)
from holdfast.core.records.status import DRAFT
from holdfast.core.records.stock import Level, LotStock
from holdfast.core.records.time import instant_text
from holdfast.core.records.wants import OpenSheets
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.lots import put_in
from holdfast.core.stock.low_stock import tell_low_stock
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.shortages import remove_units
from holdfast.core.stock.store_access import refuse_foreign_store
from holdfast.core.warehouse.receiving import surplus_lot

CORRECTIONS = ("COUNT", "ADJUSTMENT")
"""Ledger entries by which a set or a count puts the books right."""


class SetStock(Command, frozen=True, gc=False):
    """Make a level's units on hand equal `quantity`; with `expected`, only if that is what is there now."""

    product: str
    location: str
    quantity: Number
    expected: Number | None = None
    reason: str | None = None


class AdjustStock(Command, frozen=True, gc=False):
    """Add units (positive, in a new lot at `unit_cost` or the last cost) or take units away (negative)."""

    product: str
    location: str
    quantity: Number
    reason: str | None = None
    unit_cost: str | None = None


class TakeBackQuantity(Command, frozen=True, gc=False):
    """Make a level `before` again, which a set or a count made `after`: only if nothing has moved it since."""

    product: str
    location: str
    before: Number
    after: Number
    reason: str | None = None


class UnlistLevel(Command, frozen=True, gc=False):
    """Take an empty level off the lists."""

    product: str
    location: str


def describe_level(stock: Stock, level: Level) -> LevelDocument:
    """The inventory entry of a level as it stands now."""
    return LevelDocument(**describe_level_fields(stock, level))


def describe_level_fields(stock: Stock, level: Level) -> dict[str, Any]:
    """The fields of that entry."""
    place = stock.catalog.locations[level.location_id]
    store = stock.catalog.stores[place.store_id]
    return level_fields(level, stock.product_of(level), place, store, stock.settings)


def product_at(stock: Stock, product: str, location: str) -> tuple[Product, Location]:
    """The stock-tracked product and the location that a fact is about."""
    place = stock.catalog.location(location)
    if place is not None:
        refuse_foreign_store(stock, place)
    found = stock.catalog.product(product)
    if found is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", product)
    if place is None:
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", location)
    if place.kind == "transit":
        raise Refused(Code.INVALID_REQUEST, "What is on the road changes by transfers only.", {"field": "location"})
    return tracked_product(stock, product), place


def tracked_product(stock: Stock, product: str) -> Product:
    """The product (by id or SKU) if it has stock to count and move."""
    found = stock.catalog.product(product)
    if found is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", product)
    if found.unlimited:
        raise not_stock_tracked(found)
    return found


def set_stock(stock: Stock, command: SetStock) -> LevelDocument:
    """Decide a SetStock."""
    product, place = product_at(stock, command.product, command.location)
    units = product.units(command.quantity)
    if units is None or units < 0:
        raise invalid_quantity(product, command.quantity, "0 or more")
    expected = None if command.expected is None else product.units(command.expected)
    if command.expected is not None and (expected is None or expected < 0):
        raise invalid_quantity(product, command.expected, "0 or more")
    level = stock.level(product.id, place.id)
    present = 0 if level is None else level.on_hand
    if expected is not None and expected != present:
        raise Refused(
            Code.QUANTITY_CHANGED,
            f"{product.sku} at {place.code} has {product.number(present)}, not {product.number(expected)}.",
            {
                "product_id": product.id,
                "quantity": product.number(present),
                "expected_quantity": product.number(expected),
            },
        )
    level = stock.open_level(product.id, place.id)
    cause = Cause(stock.caller.actor, reason=command.reason)
    first_entry = len(stock.entries)
    make_equal(stock, level, None, units, cause, "ADJUSTMENT", None)
    correct_open_sheets(stock, place, first_entry)
    _tell_adjusted(stock, level, product, place, units - present, cause)
    return describe_level(stock, level)


def take_back_quantity(stock: Stock, command: TakeBackQuantity) -> LevelDocument:
    """Decide a TakeBackQuantity; no promise is broken by it."""
    product, place = product_at(stock, command.product, command.location)
    level = stock.level(product.id, place.id)
    units = product.units(command.before)
    if level is not None and units is not None and units < level.reserved:
        promised = product.number(level.reserved)
        raise invalid_state(f"{promised} of {product.sku} at {place.code} are promised to somebody.")
    return set_stock(stock, SetStock(command.product, command.location, command.before, command.after, command.reason))


def adjust_stock(stock: Stock, command: AdjustStock) -> LevelDocument:
    """Decide an AdjustStock; below zero is refused with what is there."""
    product, place = product_at(stock, command.product, command.location)
    units = product.units(command.quantity)
    if units is None or units == 0:
        raise invalid_quantity(product, command.quantity, "other than 0")
    cost = None if command.unit_cost is None else to_unit_cost(command.unit_cost)
    if command.unit_cost is not None and (cost is None or cost < 0):
        raise Refused(Code.INVALID_AMOUNT, f"unit_cost {command.unit_cost[:40]!r} is not a cost of up to six places.")
    level = stock.level(product.id, place.id)
    present = 0 if level is None else level.on_hand
    if present + units < 0:
        raise insufficient_stock(product, -units, present)
    level = stock.open_level(product.id, place.id)
    cause = Cause(stock.caller.actor, reason=command.reason)
    make_equal(stock, level, None, present + units, cause, "ADJUSTMENT", cost)
    _tell_adjusted(stock, level, product, place, units, cause)
    return describe_level(stock, level)


def correct_open_sheets(stock: Stock, place: Location, first_entry: int, own_id: str | None = None) -> None:
    """Let the open count sheets at the location remember the balances as they were just corrected.

    Moves after a line's number was written are added to it; that somebody else has put the books right meanwhile (a
    count, a set: ledger entries from number `first_entry` on) is no move, and must not count twice.
    """
    corrections: dict[str, int] = {}  # units by product, and by lot
    for entry in stock.entries[first_entry:]:
        if entry.location_id == place.id and entry.qty_delta and entry.ref_type in CORRECTIONS:
            for key in (entry.product_id, entry.lot_id or ""):
                corrections[key] = corrections.get(key, 0) + entry.qty_delta
    if not corrections:
        return
    for sheet in open_sheets(stock, place.id, own_id):
        lines = tuple(_corrected(line, corrections.get(line.lot_id or line.product_id, 0)) for line in sheet.lines)
        if lines != sheet.lines:
            changed = msgspec.structs.replace(sheet, lines=lines, updated_at=stock.now)
            stock.put_record("count_sheet", sheet.id, changed)


def open_sheets(stock: Stock, location_id: str, own_id: str | None = None) -> list[Any]:
    """The open count sheets at the location but `own_id`, locked, by their ids; those of this batch among them."""
    if location_id not in stock.born:
        stock.require(OpenSheets(location_id))
    found = [one for one in stock.records_of("count_sheet") if one.location_id == location_id and one.status == DRAFT]
    return sorted((one for one in found if one.id != own_id), key=lambda one: str(one.id))


def _corrected(line: Any, units: int) -> Any:
    return msgspec.structs.replace(line, before=line.before + units) if units else line


def make_equal(
    stock: Stock,
    level: Level,
    lot: LotStock | None,
    units: int,
    cause: Cause,
    ref_type: RefType,
    unit_cost: int | None,
) -> list[str]:
    """Make the level (or one lot of it) hold exactly `units`; the ids of the holds that were shorted.

    Missing units leave the oldest lots first, unreserved before reserved; surplus is a new lot (or joins the lot).
    """
    product = stock.product_of(level)
    difference = units - (level.on_hand if lot is None else lot.on_hand)
    shorted: list[str] = []
    if difference < 0:
        _, shorted = remove_units(stock, level, lot, -difference, cause, ref_type)
    elif difference > 0:
        before = level.on_hand
        cost = stock.lots[lot.lot_id].unit_cost if lot is not None else unit_cost
        found, value = surplus_lot(stock, product, difference, ref_type.lower(), cost) if lot is None else (None, 0)
        if found is not None:
            put_in(stock, cause, level, found, difference, value, ref_type)
        else:
            assert lot is not None
            _join_surplus(stock, level, lot, product, difference, cause, ref_type)
        tell_low_stock(stock, level, before)
    serve_waiting(stock, level, stock.caller.actor)
    return shorted


def _join_surplus(
    stock: Stock, level: Level, lot: LotStock, product: Product, units: int, cause: Cause, ref_type: RefType
) -> None:
    """More of a known lot was found: it joins the lot at the lot's own cost."""
    value = value_of(units, product.precision, stock.lots[lot.lot_id].unit_cost, stock.settings.minor_digits)
    stock.post(cause, level, lot, ref_type, qty=units, value=value)


def unlist_level(stock: Stock, command: UnlistLevel) -> LevelDocument:
    """Decide an UnlistLevel: only an empty level leaves the lists; its ledger stays and goes on."""
    product, place = product_at(stock, command.product, command.location)
    level = stock.level(product.id, place.id)
    if level is None or not level.listed:
        raise not_found(Code.NOT_FOUND, "Inventory entry", f"{product.sku} at {place.code}")
    if level.on_hand or level.reserved or level.backordered:
        raise invalid_state(
            f"{product.sku} at {place.code} is not empty.",
            quantity=product.number(level.on_hand),
            reserved_quantity=product.number(level.reserved),
            backordered_quantity=product.number(level.backordered),
        )
    stock.unlist(level)
    return describe_level(stock, level)


def _tell_adjusted(stock: Stock, level: Level, product: Product, place: Location, units: int, cause: Cause) -> None:
    if units:
        stock.tell(
            "StockAdjusted",
            product.id,
            {
                "product_id": product.id,
                "sku": product.sku,
                "location": place.code,
                "store_id": place.told_to,
                "quantity": product.number(units),
                "on_hand": product.number(level.on_hand),
                "reason": cause.reason,
                "timestamp": instant_text(stock.now),
            },
        )


DECISIONS = (
    Decision(SetStock, set_stock, Permission.STOCK),
    Decision(AdjustStock, adjust_stock, Permission.STOCK),
    Decision(TakeBackQuantity, take_back_quantity, Permission.STOCK),
    Decision(UnlistLevel, unlist_level, Permission.STOCK),
)
