"""Units that come into a lot at a level, and the lots at levels that a decision needs.

put_in(stock, cause, level, lot, 5, 2_500, "RECEIPT")      -> 5 units worth 25.00 lie in the lot there
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.core.records.stock import Level, Lot, LotStock
from holdfast.core.records.wants import LotAt
from holdfast.core.stock.expiry import renew, sellable_until
from holdfast.core.stock.posting import Cause, Stock


def lot_at(stock: Stock, level: Level, lot: Lot) -> LotStock:
    """The lot at the level, begun empty when it was never there."""
    here = stock.lots_at[level.id]
    at = here.get(lot.id)
    if at is None and level.id not in stock.fresh and lot.id not in stock.new_ids:
        stock.require(LotAt(level.id, lot.id))
    place = stock.catalog.locations[level.location_id]
    if at is None:
        at = LotStock(
            level_id=level.id,
            lot_id=lot.id,
            location_id=level.location_id,
            on_hand=0,
            reserved=0,
            value=0,
            sellable_until=sellable_until(stock, lot, place),
            is_open=False,
        )
        stock.put_lot_stock(at)
    elif not at.on_hand:
        renew(stock, at, lot, place)
    return at


def ask_for_lots_at(stock: Stock, level: Level, lots: Iterable[LotStock]) -> None:
    """Ask at once for lots that shall come to the level: they may have been there before."""
    if level.id not in stock.fresh:
        here, made = stock.lots_at[level.id], stock.new_ids
        wanted = (at.lot_id for at in lots if at.lot_id not in here and at.lot_id not in made)
        stock.require(*(LotAt(level.id, lot_id) for lot_id in wanted))


def put_in(stock: Stock, cause: Cause, level: Level, lot: Lot, units: int, value: int, ref_type: str) -> LotStock:
    """Bring units and their value into a lot at a level (RECEIPT, COUNT, ADJUSTMENT, RETURN, TRANSFER, EXPIRY)."""
    at = lot_at(stock, level, lot)
    stock.post(cause, level, at, ref_type, qty=units, value=value)  # type: ignore[arg-type] # one of RefType
    return at
