"""Opening stock that was never there: a receipt is taken back whole, where nothing of it has moved since.

    TakeBackReceipt(receipt_id)     -> its units leave their lots, their value leaves opening equity
    ... one unit of it was sold     -> INVALID_STATE, and nothing is done

A purchase is not taken back: its goods came from somebody, and go back to them.
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Text
from holdfast.core.records.number import to_units
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, invalid_state, not_found
from holdfast.core.records.stock import Level, LotStock
from holdfast.core.records.time import instant_text
from holdfast.core.records.wants import LotById, LotMoved
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.shortages import remove_units
from holdfast.core.stock.store_access import refuse_foreign_store
from holdfast.core.warehouse.receiving import Receipt, ReceiptDocument

OPENING = "opening"
"""The kind of receipt, and the `source` of its ledger entries."""


class TakeBackReceipt(Command, frozen=True, gc=False):
    """Take opening stock back, as if it had never been said."""

    receipt_id: str
    reason: Text | None = None


def take_back_receipt(stock: Stock, command: TakeBackReceipt) -> ReceiptDocument:
    """Decide a TakeBackReceipt: every line, or none."""
    receipt: Receipt | None = stock.record("receipt", command.receipt_id)
    if receipt is None:
        raise not_found(Code.NOT_FOUND, "Receipt", command.receipt_id)
    place = stock.catalog.locations[receipt.location_id]
    refuse_foreign_store(stock, place)
    if receipt.kind != OPENING:
        raise invalid_state("Only opening stock is taken back.")
    if receipt.taken_back_at is not None:
        raise invalid_state("The receipt was taken back already.")
    stock.catalog.know_products(line.product_id for line in receipt.lines)
    stock.lock_levels((line.product_id, place.id) for line in receipt.lines)
    stock.require(*(LotById(line.lot_id) for line in receipt.lines))
    levels = [stock.level(line.product_id, place.id) for line in receipt.lines]
    stock.ask_for_lot_stocks(
        (level, line.lot_id) for level, line in zip(levels, receipt.lines, strict=True) if level is not None
    )
    stock.require(*(LotMoved(line.lot_id) for line in receipt.lines))
    cause = Cause(stock.caller.actor, ref_id=receipt.id, source=OPENING, reason=command.reason)
    for level, line in zip(levels, receipt.lines, strict=True):
        product = stock.catalog.product(line.product_id)
        assert product is not None and level is not None
        units = to_units(Decimal(str(line.quantity)), product.precision)
        at = stock.lot_stock(level, line.lot_id)
        assert units is not None
        if at is None or at.on_hand < units or _has_moved(stock, line.lot_id):
            raise invalid_state(f"{product.sku} at {place.code} has moved since: of this lot not all is as it came.")
        if at.free < units:
            raise invalid_state(f"{product.sku} at {place.code} is promised to somebody.")
        _remove(stock, level, at, product, units, cause)
    stock.put_record("receipt", receipt.id, _taken_back(receipt, stock.now))
    return ReceiptDocument(receipt.id, receipt.lines, [])


def _taken_back(receipt: Receipt, now: int) -> Receipt:
    return Receipt(
        id=receipt.id,
        location_id=receipt.location_id,
        kind=receipt.kind,
        reference=receipt.reference,
        supplier=receipt.supplier,
        actor=receipt.actor,
        lines=receipt.lines,
        created_at=receipt.created_at,
        taken_back_at=now,
    )


def _has_moved(stock: Stock, lot_id: str) -> bool:
    """Has the lot, in this batch or before it, done anything but come in?"""
    here = any(
        entry.lot_id == lot_id and entry.qty_delta and entry.ref_type != "RECEIPT" and entry.source != OPENING
        for entry in stock.entries
    )
    return here or bool(lot_id not in stock.new_ids and stock.require(LotMoved(lot_id)))


def _remove(stock: Stock, level: Level, at: LotStock, product: Product, units: int, cause: Cause) -> None:
    remove_units(stock, level, at, units, cause, "ADJUSTMENT")
    place = stock.catalog.locations[level.location_id]
    stock.tell(
        "StockAdjusted",
        product.id,
        {
            "product_id": product.id,
            "sku": product.sku,
            "location": place.code,
            "store_id": place.told_to,
            "quantity": product.number(-units),
            "on_hand": product.number(level.on_hand),
            "reason": cause.reason,
            "timestamp": instant_text(stock.now),
        },
    )


DECISIONS = (Decision(TakeBackReceipt, take_back_receipt, Permission.MANAGE),)
