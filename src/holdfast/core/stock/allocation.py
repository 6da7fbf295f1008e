"""Which lots back a promise: FEFO where the product tracks expiry, else FIFO by receipt; a pinned lot alone.

    lots A (3 free), B (5 free), quantity 4  ->  A 3, B 1

`back` only looks; `post_backing` promises what it has found.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, Rejected, not_found
from holdfast.core.records.status import QUARANTINED
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.records.wants import LotById, PlacesEverOfLot, Want
from holdfast.core.stock.lot_order import by_expiry, by_receipt
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.store_access import was_theirs

Backing = list[tuple[LotStock, int]]


def removal_order(stock: Stock, level: Level, product: Product) -> Iterable[LotStock]:
    """The level's lots with free units in the order in which units are taken from them."""
    return stock.free_lots(level, expiring_first=product.track_expiry)


def _in_order(stock: Stock, product: Product, lots: list[LotStock]) -> list[LotStock]:
    """These lots by when they expire, where that is tracked, then by when they were received, then by id."""
    if len(lots) > 1:
        lots.sort(key=by_expiry(stock.lots) if product.track_expiry else by_receipt(stock.lots))
    return lots


def held_in_order(stock: Stock, level: Level, product: Product, hold: Reservation) -> list[tuple[LotStock, int]]:
    """The lots that back a hold and the units of each, in the order in which units are taken."""
    here = stock.lots_at[level.id]
    if len(hold.allocations) == 1:
        lot_id, units = hold.allocations[0]
        return [(here[lot_id], units)]
    held = dict(hold.allocations)
    return [(at, held[at.lot_id]) for at in _in_order(stock, product, [here[lot_id] for lot_id in held])]


def back(stock: Stock, level: Level, product: Product, units: int, lot_id: str | None = None) -> Backing:
    """The lots that would back `units` (fewer when the level has fewer free), oldest first or only the pinned one."""
    backing: Backing = []
    left = units
    if not left:
        return backing
    pinned = None if lot_id is None else stock.lot_stock(level, lot_id)
    for at in removal_order(stock, level, product) if lot_id is None else filter(None, (pinned,)):
        taken = min(left, at.on_hand - at.reserved)
        if taken > 0 and may_be_promised(stock, at):
            backing.append((at, taken))
            left -= taken
            if not left:  # looking at one lot more may ask for more of them
                break
    return backing


def post_backing(stock: Stock, cause: Cause, level: Level, hold_id: str, backing: Backing, waits: int = 0) -> None:
    """Post the RESERVE entries of a hold at a level: one for each lot of the backing, one for what `waits`."""
    for at, units in backing:
        stock.post(cause, level, at, "RESERVE", reserved=units, hold=hold_id)
    if waits:
        stock.post(cause, level, None, "RESERVE", backordered=waits, hold=hold_id)


def may_be_promised(stock: Stock, at: LotStock) -> bool:
    """Is the lot neither recalled nor expired there?"""
    if stock.lots[at.lot_id].status == QUARANTINED:
        return False
    return at.sellable_until is None or at.sellable_until > stock.now


def lot_of_id(stock: Stock, lot_id: str) -> Lot | None:
    """The lot's identity; None when there is none with that id."""
    if lot_id not in stock.lots:
        stock.require(LotById(lot_id))
    return stock.lots.get(lot_id)


def ask_for_named_lots(stock: Stock, lot_ids: Iterable[str]) -> None:
    """Ask at once for all that `lot_exists` needs of these lots."""
    wants: list[Want] = []
    for lot_id in lot_ids:
        if lot_id not in stock.lots:
            wants.append(LotById(lot_id))
        if stock.caller.stores is not None:
            wants.append(PlacesEverOfLot(lot_id))
    stock.require(*wants)


def lot_exists(stock: Stock, lot_id: str, product: Product) -> bool:
    """Is there such a lot of the product, for this caller? Each command asks it of a lot that its caller names.

    For a caller of some stores there are the lots alone that lie in one of them or did.
    """
    ask_for_named_lots(stock, (lot_id,))
    lot = stock.lots.get(lot_id)
    return lot is not None and lot.product_id == product.id and was_theirs(stock, lot_id)


def refuse_pinned_lot(stock: Stock, level: Level | None, lot_id: str, product: Product) -> None:
    """Refuse a lot that cannot be pinned at the level."""
    refusal = pinned_lot_refusal(stock, level, lot_id, product)
    if refusal is not None:
        raise Refused.of(refusal)


def pinned_lot_refusal(stock: Stock, level: Level | None, lot_id: str, product: Product) -> Rejected | None:
    """Why the lot cannot be pinned: it does not exist, or is expired, quarantined or not at the level.

    It is told as a value, since another level may have the lot.
    """
    lot = lot_of_id(stock, lot_id)
    if lot is None or lot.product_id != product.id:
        return not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", lot_id).rejected
    at = None if level is None else stock.lot_stock(level, lot_id)
    name = lot.code or lot.id
    numbers = {"product_id": product.id, "lot_id": lot_id}
    if lot.status == QUARANTINED:
        return Rejected(Code.LOT_NOT_AVAILABLE, f"Lot {name} is {lot.status}.", numbers)
    if at is None or at.on_hand == 0:
        return Rejected(Code.LOT_NOT_AVAILABLE, f"Lot {name} has no units at this location.", numbers)
    if at.sellable_until is not None and at.sellable_until <= stock.now:
        return Rejected(Code.LOT_NOT_AVAILABLE, f"Lot {name} has expired.", numbers)
    return None
