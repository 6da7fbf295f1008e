"""Receiving: goods come in as lots, and the holds that wait for them are served first (docs/why/lots.md).

    Receive 10 of MUG-1 at 3.50, lot "A7"   -> a lot of 10 worth 35.00; backorders are served in the same breath

A line whose lot code the product already has, at the same cost and expiry, joins that lot; else it is a new lot.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Day, Gtin, Instant, ReceiptKind
from holdfast.core.records.number import (
    AMOUNT_MAX,
    UNIT_COST_MAX,
    Number,
    from_minor,
    to_minor,
    to_unit_cost,
    unit_cost_of,
    value_of,
)
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    invalid_quantity,
    not_found,
    not_stock_tracked,
)
from holdfast.core.records.status import ACTIVE
from holdfast.core.records.stock import Lot
from holdfast.core.records.time import instant_text
from holdfast.core.records.wants import LastCost
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.lots import put_in
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.store_access import refuse_foreign_store


class ReceiptLine(msgspec.Struct, frozen=True, gc=False):
    """What came in: `unit_cost` (up to six places) or `line_cost` as decimal strings; expiry as instant or day."""

    product: str
    quantity: Number
    unit_cost: str | None = None
    line_cost: str | None = None
    lot_code: str | None = None
    expires_at: Instant | None = None
    expires_on: Day | None = None
    gtin: Gtin | None = None


class Receive(Command, frozen=True, gc=False):
    """Goods received at a location; `kind` is purchase, finished_batch or opening."""

    location: str
    lines: tuple[ReceiptLine, ...]
    kind: ReceiptKind = "purchase"
    reference: str | None = None
    supplier: str | None = None


class ReceiptLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A received line: the lot that it became, or joined."""

    lot_id: str
    lot_code: str | None
    product_id: str
    quantity: int | float
    value: str


class ReceiptDocument(msgspec.Struct, frozen=True, gc=False):
    """A receipt, and the holds that it served."""

    id: str
    lines: list[ReceiptLineDocument]
    served: list[str]


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The record of a receipt. One of opening stock that was taken back has left its lots (microseconds since 1970)."""

    id: str
    location_id: str
    kind: str
    reference: str | None
    supplier: str | None
    actor: str
    lines: list[ReceiptLineDocument]
    created_at: int
    taken_back_at: int | None = None


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What a line is worth: unit cost in 10**-6 major units, value in minor units."""

    unit_cost: int
    value: int


def receive(stock: Stock, command: Receive) -> ReceiptDocument:
    """Decide a Receive: every line, or none."""
    place = stock.catalog.location(command.location)
    if place is None:
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", command.location)
    refuse_foreign_store(stock, place)
    if place.kind == "transit":
        raise Refused(Code.INVALID_REQUEST, "Goods reach the transit location by transfer only.", {"field": "location"})
    receipt_id = stock.new_id()
    cause = Cause(stock.caller.actor, ref_id=receipt_id, source=command.kind, note=command.reference)
    lines: list[ReceiptLineDocument] = []
    served: list[str] = []
    each = stock.each_line if len(command.lines) > 1 else stock.each
    for line_document, served_by_it in each(
        command.lines, lambda _, line: _receive_line(stock, command, place, line, cause)
    ):
        lines.append(line_document)
        served.extend(name for name in served_by_it if name not in served)
    stock.put_record(
        "receipt",
        receipt_id,
        Receipt(
            id=receipt_id,
            location_id=place.id,
            kind=command.kind,
            reference=command.reference,
            supplier=command.supplier,
            actor=stock.caller.actor,
            lines=lines,
            created_at=stock.now,
        ),
    )
    return ReceiptDocument(receipt_id, lines, served)


def _receive_line(
    stock: Stock, command: Receive, place: Location, line: ReceiptLine, cause: Cause
) -> tuple[ReceiptLineDocument, list[str]]:
    product = stock.catalog.product(line.product)
    if product is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", line.product)
    units = product.units(line.quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, line.quantity)
    if product.unlimited:
        raise not_stock_tracked(product)
    cost = cost_of(stock, product, units, line.unit_cost, line.line_cost)
    level = stock.open_level(product.id, place.id)
    lot = joined_or_new_lot(stock, product, line, command, cost)
    put_in(stock, cause, level, lot, units, cost.value, "RECEIPT")
    if line.unit_cost is not None or line.line_cost is not None:
        stock.put_cost(product.id, lot.unit_cost)
    served = serve_waiting(stock, level, stock.caller.actor)
    number, money = product.number(units), from_minor(cost.value, stock.settings.minor_digits)
    stock.tell(
        "StockReceived",
        product.id,
        {
            "product_id": product.id,
            "sku": product.sku,
            "location": place.code,
            "store_id": place.told_to,
            "quantity": number,
            "lot_id": lot.id,
            "lot_code": lot.code,
            "receipt_id": cause.ref_id,
            "timestamp": instant_text(stock.now),
        },
    )
    return ReceiptLineDocument(lot.id, lot.code, product.id, number, money), served


def cost_of(stock: Stock, product: Product, units: int, unit_cost: str | None, line_cost: str | None) -> Cost:
    """The cost of a line from its unit cost or its line cost; without either it is 0."""
    digits = stock.settings.minor_digits
    if line_cost is not None:
        value = to_minor(line_cost, digits)
        if value is None or value < 0:
            raise Refused(Code.INVALID_AMOUNT, f"line_cost {line_cost[:40]!r} is not an amount of money.")
        derived = unit_cost_of(value, units, product.precision, digits)
        if derived > UNIT_COST_MAX:
            raise Refused(Code.INVALID_AMOUNT, f"line_cost {line_cost[:40]!r} is too much for the quantity.")
        return Cost(derived, value)
    scaled = to_unit_cost(unit_cost or "0")
    if scaled is None or scaled < 0:
        raise Refused(Code.INVALID_AMOUNT, f"unit_cost {str(unit_cost)[:40]!r} is not a cost of up to six places.")
    value = value_of(units, product.precision, scaled, digits)
    if value > AMOUNT_MAX:
        raise Refused(Code.INVALID_AMOUNT, "The line is worth more than can be kept.")
    return Cost(scaled, value)


def joined_or_new_lot(stock: Stock, product: Product, line: ReceiptLine, command: Receive, cost: Cost) -> Lot:
    """The lot with the line's code, cost and expiry, or a new one; a recalled lot takes no more units."""
    if line.lot_code is not None:
        for lot in stock.lots_of_code(product.id, line.lot_code):
            same = (lot.unit_cost, lot.expires_at, lot.expires_on) == (cost.unit_cost, line.expires_at, line.expires_on)
            if same and lot.status != ACTIVE:
                raise Refused(Code.LOT_NOT_AVAILABLE, f"Lot {lot.code} is {lot.status}.", {"lot_id": lot.id})
            if same:
                return lot
    lot = Lot(
        id=stock.new_id(),
        product_id=product.id,
        code=line.lot_code,
        unit_cost=cost.unit_cost,
        expires_at=line.expires_at,
        expires_on=line.expires_on,
        received_at=stock.now,
        supplier=command.supplier,
        gtin=line.gtin,
        kind=command.kind,
        status=ACTIVE,
    )
    stock.put_lot(lot)
    return lot


def surplus_lot(stock: Stock, product: Product, units: int, kind: str, unit_cost: int | None) -> tuple[Lot, int]:
    """A new lot for units that were found, at the given or the last receipt cost; the lot and its value.

    Without any known cost the lot is worth 0, and an event says so.
    """
    cost = unit_cost
    if cost is None:
        stock.require(LastCost(product.id))
        cost = stock.costs.get(product.id)
    if cost is None:
        cost = 0
        stock.tell(
            "StockWithoutCost",
            product.id,
            {"product_id": product.id, "sku": product.sku, "quantity": product.number(units)},
        )
    lot = Lot(
        id=stock.new_id(),
        product_id=product.id,
        code=None,
        unit_cost=cost,
        expires_at=None,
        expires_on=None,
        received_at=stock.now,
        supplier=None,
        gtin=None,
        kind=kind,
        status=ACTIVE,
    )
    stock.put_lot(lot)
    return lot, value_of(units, product.precision, cost, stock.settings.minor_digits)


DECISIONS = (Decision(Receive, receive, Permission.STOCK),)
