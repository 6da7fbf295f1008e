"""Truth beats promises: which holds give way when units are missing (new units serve the waiting: `backorders`).

Units that are not there are taken from the holds, worst priority first, then newest, and exactly the missing units.

    on hand 5, held 5 by A (priority 10) and B (priority 100), counted 3
    -> B loses 2 units to backorder; a receipt of 2 gives them back
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.ledger import RefType
from holdfast.core.records.number import share_of_value
from holdfast.core.records.product import Product
from holdfast.core.records.stock import Level, LotStock, Reservation
from holdfast.core.records.time import instant_text
from holdfast.core.stock.allocation import held_in_order, may_be_promised, removal_order
from holdfast.core.stock.low_stock import tell_low_stock
from holdfast.core.stock.posting import Cause, Stock

Allocations = tuple[tuple[str, int], ...]


def allocations_left(units_of: dict[str, int]) -> Allocations:
    """Units by lot id as a hold keeps them; a lot without units is left out."""
    left = tuple((lot_id, units) for lot_id, units in units_of.items() if units)
    assert all(units > 0 for _, units in left), units_of
    return left


def cause_of_hold(hold: Reservation, actor: str, reason: str | None = None, ref_id: str | None = None) -> Cause:
    """The cause of an entry that belongs to a hold: it carries the hold's order and source."""
    return Cause(actor, ref_id=ref_id, order_number=hold.order_number, source=hold.source, reason=reason)


def tell_hold(stock: Stock, event_type: str, hold: Reservation, product: Product, units: int) -> None:
    """Append an event about a hold and `units` of it."""
    stock.tell(event_type, product.id, hold_facts(stock, hold, product, units))


def hold_facts(stock: Stock, hold: Reservation, product: Product, units: int) -> dict[str, object]:
    """What an event says of a hold (docs/reference/events.md, `InventoryReserved`)."""
    place = stock.catalog.locations[hold.location_id]
    return {
        "reservation_id": hold.id,
        "product_id": hold.product_id,
        "sku": product.sku,
        "location": place.code,
        "store_id": place.told_to,
        "quantity": product.number(units),
        "reserved_for_id": hold.reserved_for_id,
        "reserved_for_type": hold.reserved_for_type,
        "order_number": hold.order_number,
        "source": hold.source,
        "expires_at": None if hold.expires_at is None else instant_text(hold.expires_at),
        "timestamp": instant_text(stock.now),
    }


def _worst_first(stock: Stock, level: Level) -> list[str]:
    """Active holds of the level with allocations: worst priority first, then newest."""
    holds = [hold for hold in stock.holds_at(level) if hold.allocations]
    holds.sort(key=lambda hold: hold.turn, reverse=True)
    return [hold.id for hold in holds]


def _give_way(
    stock: Stock, level: Level, name: str, parts: list[tuple[LotStock, int]], cause: Cause, shorted: dict[str, None]
) -> None:
    """Move units of a hold's allocations, (lot, units) each, to backordered."""
    hold = stock.reservations[name]
    own = msgspec.structs.replace(cause, order_number=hold.order_number, source=hold.source)
    allocations = dict(hold.allocations)
    for at, units in parts:
        stock.post(own, level, at, "RELEASE", reserved=-units, backordered=units, hold=hold.id, reason="shortfall")
        allocations[at.lot_id] -= units
    lost = sum(units for _, units in parts)
    hold = msgspec.structs.replace(
        hold,
        backordered=hold.backordered + lost,
        allocations=allocations_left(allocations),
        updated_at=level.updated_at,
    )
    stock.put_hold(hold)
    tell_hold(stock, "ReservationBackordered", hold, stock.product_of(level), lost)
    shorted[name] = None


def _take_from_holds(
    stock: Stock,
    level: Level,
    lack: int,
    cause: Cause,
    shorted: dict[str, None],
    *,
    only: LotStock | None = None,
    pinned: bool = False,
) -> None:
    """Take `lack` units from the level's holds by worst priority, then newest.

    With `only` from what that lot backs, with `pinned` from the holds that are pinned to it.
    """
    product = stock.product_of(level)
    for name in _worst_first(stock, level):
        hold = stock.reservations[name]
        if pinned and hold.lot_id is None:
            continue
        parts: list[tuple[LotStock, int]] = []
        for at, held in held_in_order(stock, level, product, hold):
            if lack and (only is None or at.lot_id == only.lot_id):
                parts.append((at, min(lack, held)))
                lack -= parts[-1][1]
        if parts:
            _give_way(stock, level, name, parts, cause, shorted)
        if lack == 0:
            return
    assert lack == 0, (level, lack)


def _move_holds(stock: Stock, level: Level, from_lot: LotStock, units: int, cause: Cause) -> int:
    """Re-allocate up to `units` of a lot's holds to other lots of the level; the units that could not move."""
    free = removal_order(stock, level, stock.product_of(level))
    others = (at for at in free if at.lot_id != from_lot.lot_id and may_be_promised(stock, at))
    other = next(others, None)
    for name in _worst_first(stock, level):
        hold = stock.reservations[name]
        allocations = dict(hold.allocations)
        held = 0 if hold.lot_id is not None else allocations.get(from_lot.lot_id, 0)
        own = msgspec.structs.replace(cause, order_number=hold.order_number, source=hold.source)
        while held and units and other is not None:
            taken = min(other.free, held, units)
            if not taken:
                other = next(others, None)
                continue
            stock.post(own, level, from_lot, "RELEASE", reserved=-taken, hold=name, reason="reallocated")
            stock.post(own, level, other, "RESERVE", reserved=taken, hold=name, reason="reallocated")
            allocations[from_lot.lot_id] -= taken
            allocations[other.lot_id] = allocations.get(other.lot_id, 0) + taken
            held -= taken
            units -= taken
        moved = allocations_left(allocations)
        if moved != hold.allocations:
            stock.put_hold(msgspec.structs.replace(hold, allocations=moved, updated_at=level.updated_at))
        if not units or other is None:
            break
    return units


def _pinned_units(stock: Stock, level: Level, from_lot: LotStock) -> int:
    """Units of the lot that are promised to holds which take no other."""
    holds = (stock.reservations[name] for name in _worst_first(stock, level))
    return sum(dict(hold.allocations).get(from_lot.lot_id, 0) for hold in holds if hold.lot_id == from_lot.lot_id)


def vacate(stock: Stock, level: Level, from_lot: LotStock | None, units: int, cause: Cause) -> list[str]:
    """Make `units` of the level (or of the one lot) unreserved, so that they can leave; the ids of shorted holds.

    The level must have that many units on hand.
    """
    if from_lot is not None:
        return vacate_lots(stock, level, [(from_lot, units)], cause)
    shorted: dict[str, None] = {}
    lack = units - level.available
    if lack > 0:
        stock.require_expired_holds((level,))
        _take_from_holds(stock, level, lack, cause, shorted)
    return list(shorted)


def vacate_lots(stock: Stock, level: Level, leaving: list[tuple[LotStock, int]], cause: Cause) -> list[str]:
    """Make units of several lots unreserved at once: one fact, so the worst holds lose, whichever lot backs them.

    Holds pinned to a lot lose what it will not have; then the level's lack is taken by worst priority; the rest moves.
    """
    shorted: dict[str, None] = {}
    if any(units > at.free for at, units in leaving):
        stock.require_expired_holds((level,))
    for at, units in leaving:
        if units > at.free:
            lost = _pinned_units(stock, level, at) - (at.on_hand - units)
            if lost > 0:
                _take_from_holds(stock, level, lost, cause, shorted, only=at, pinned=True)
    lack = sum(units for _, units in leaving) - level.available
    if lack > 0:
        _take_from_holds(stock, level, lack, cause, shorted)
    for at, units in leaving:
        if units > at.free and _move_holds(stock, level, at, units - at.free, cause):
            _take_from_holds(stock, level, units - at.free, cause, shorted, only=at)
    return list(shorted)


def take_units(
    stock: Stock, level: Level, from_lot: LotStock | None, units: int, cause: Cause, ref_type: RefType
) -> list[tuple[LotStock, int, int]]:
    """Take unreserved units out of the level, oldest lots first, or of one lot; (lot, units, value) of each part."""
    taken = []
    before = level.on_hand
    for at in [from_lot] if from_lot is not None else stock.free_lots(level, expiring_first=False):
        part = min(units, at.free)
        value = share_of_value(at.value, at.on_hand, part)
        stock.post(cause, level, at, ref_type, qty=-part, value=-value)
        taken.append((at, part, value))
        units -= part
        if not units:
            break
    assert units == 0, (level, units)
    tell_low_stock(stock, level, before)
    return taken


def remove_units(
    stock: Stock, level: Level, from_lot: LotStock | None, units: int, cause: Cause, ref_type: RefType
) -> tuple[list[tuple[LotStock, int, int]], list[str]]:
    """A fact took units away: promises give way, the units leave; the parts taken and the ids of shorted holds."""
    shorted = vacate(stock, level, from_lot, units, cause)
    return take_units(stock, level, from_lot, units, cause, ref_type), shorted
