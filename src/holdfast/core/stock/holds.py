"""Holds: units that are promised go back to their lots, or leave with them.

    release_units(stock, hold, 2, "cancelled")     -> 2 units of it are free again, and serve the holds that wait
    consume_units(stock, hold, 2)                  -> 2 units of it have left the shop
    consume_and_count(stock, hold, 2)              -> the same, and the line that it is for counts them

What waits is given up before what is held. Units are smallest units.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.documents import ReservationDocument, reservation_document
from holdfast.core.records.number import Number, share_of_value
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_reserved,
    invalid_quantity,
    not_found,
)
from holdfast.core.records.status import CONSUMED, RELEASED
from holdfast.core.records.stock import Level, Lot, Reservation
from holdfast.core.stock.allocation import back, held_in_order, lot_exists
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.low_stock import tell_low_stock
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import count_on_line
from holdfast.core.stock.shortages import allocations_left, cause_of_hold, hold_facts, tell_hold
from holdfast.core.stock.store_access import refuse_foreign_store

replace = msgspec.structs.replace


def describe(stock: Stock, hold: Reservation) -> ReservationDocument:
    """The public shape of a hold as it stands now."""
    product = stock.catalog.product(hold.product_id)
    assert product is not None
    return reservation_document(hold, product, stock.catalog.locations[hold.location_id], stock.lots)


def hold_to_change(
    stock: Stock,
    reservation_id: str,
    quantity: Number | None,
    expires_at: int | None = None,
    *,
    lot_id: str | None = None,
) -> Reservation:
    """The active hold with that id, for a command that changes it.

    It must be in a store of the caller, and what is asked for must have a meaning. Refused with RESERVATION_NOT_FOUND,
    FORBIDDEN, LOT_NOT_FOUND, INVALID_QUANTITY, INVALID_EXPIRY or RESERVATION_NOT_ACTIVE, in this order.
    """
    hold = stock.hold(reservation_id)
    if hold is None:
        raise not_found(Code.RESERVATION_NOT_FOUND, "Reservation", reservation_id)
    refuse_foreign_store(stock, stock.catalog.locations[hold.location_id])
    product = stock.product_of(stock.level_of_id[hold.level_id])
    if lot_id is not None and not lot_exists(stock, lot_id, product):
        raise not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", lot_id)
    if quantity is not None:
        units = product.units(quantity)
        if units is None or units <= 0:
            raise invalid_quantity(product, quantity)
    if expires_at is not None and expires_at <= stock.now:
        raise Refused(Code.INVALID_EXPIRY, "The expiry must be in the future.")
    if not hold.active:
        raise Refused(
            Code.RESERVATION_NOT_ACTIVE,
            f"The reservation is {hold.status}" + (f" ({hold.release_reason})." if hold.release_reason else "."),
            {"reservation_status": hold.status, "release_reason": hold.release_reason},
        )
    return hold


def closed(hold: Reservation, reason: str) -> Reservation:
    """The hold with its status set by what is still open: consumed when anything was, else released."""
    if hold.open > 0:
        return hold
    if hold.consumed:
        return replace(hold, status=CONSUMED)
    return replace(hold, status=RELEASED, release_reason=reason)


def release_units(
    stock: Stock, hold: Reservation, units: int, reason: str, *, note: str | None = None, lot_id: str | None = None
) -> Reservation:
    """Give back `units` of an active hold: first what waits, then the lots taken last; then serve who waits."""
    hold = stock.reservations[hold.id]
    level = stock.level_of_id[hold.level_id]
    cause = replace(cause_of_hold(hold, stock.caller.actor, reason), note=note)
    left = units
    waiting = min(left, hold.backordered) if lot_id is None else 0
    if waiting:
        stock.post(cause, level, None, "RELEASE", backordered=-waiting, hold=hold.id)
        left -= waiting
    allocations = dict(hold.allocations)
    product = stock.product_of(level)
    for at, held in reversed(held_in_order(stock, level, product, hold)):
        part = min(left, held)
        if part and (lot_id is None or lot_id == at.lot_id):
            stock.post(cause, level, at, "RELEASE", reserved=-part, hold=hold.id)
            allocations[at.lot_id] -= part
            left -= part
    assert left == 0, (hold, units)
    hold = closed(
        replace(
            hold,
            released=hold.released + units,
            backordered=hold.backordered - waiting,
            allocations=allocations_left(allocations),
            updated_at=level.updated_at,
        ),
        reason,
    )
    stock.put_hold(hold)
    told = "ReservationExpired" if reason == "expired" else "ReservationReleased"
    stock.tell(told, product.id, {**hold_facts(stock, hold, product, units), "reason": reason})
    serve_waiting(stock, level, stock.caller.actor)
    return stock.reservations[hold.id]


def release_together(stock: Stock, parts: list[tuple[Reservation, int]], reason: str) -> None:
    """Give back units of several holds, (hold, units) each, as one: the waiting units of all of them first, so that no
    unit is given to a hold which gives it back next."""
    for some in waiting_first(parts):
        stock.each(some, lambda _, part: release_units(stock, part[0], part[1], reason))


def waiting_first(parts: list[tuple[Reservation, int]]) -> list[list[tuple[Reservation, int]]]:
    """The parts in the order in which they can be given back: what waits of all of them, then what stock backs."""
    if len(parts) < 2 or not any(hold.backordered for hold, _ in parts):
        return [parts]
    waiting = [(hold, min(units, hold.backordered)) for hold, units in parts]
    backed = [(hold, units - min(units, hold.backordered)) for hold, units in parts]
    return [[part for part in some if part[1]] for some in (waiting, backed)]


def consume_units(
    stock: Stock, hold: Reservation, units: int, *, lot_id: str | None = None, ref_id: str | None = None
) -> Reservation:
    """Sell `units` of what stock backs of an active hold; the lots give up units and their share of value."""
    hold = stock.reservations[hold.id]
    level = stock.level_of_id[hold.level_id]
    cause = cause_of_hold(hold, stock.caller.actor, ref_id=ref_id or hold.reserved_for_id or hold.sale_line_id)
    before = level.on_hand
    left = units
    allocations = dict(hold.allocations)
    for at, held in held_in_order(stock, level, stock.product_of(level), hold):
        part = min(left, held)
        if part and (lot_id is None or lot_id == at.lot_id):
            value = share_of_value(at.value, at.on_hand, part)
            stock.post(cause, level, at, "SALE", qty=-part, reserved=-part, value=-value, hold=hold.id)
            allocations[at.lot_id] -= part
            left -= part
    assert left == 0, (hold, units)
    left_over = allocations_left(allocations)
    hold = closed(
        replace(hold, consumed=hold.consumed + units, allocations=left_over, updated_at=level.updated_at),
        "cancelled",
    )
    stock.put_hold(hold)
    tell_hold(stock, "ReservationConsumed", hold, stock.product_of(level), units)
    tell_low_stock(stock, level, before)
    return hold


def consume_and_count(stock: Stock, hold: Reservation, units: int, *, lot_id: str | None = None) -> Reservation:
    """Consume `units` of a hold outside its sale; a sale's line counts them, so that the sale does not ship them
    again."""
    first = len(stock.entries)
    hold = consume_units(stock, hold, units, lot_id=lot_id)
    if hold.sale_line_id is not None:
        count_on_line(stock, hold.sale_line_id, units, first)
    return hold


def sell_free_units(stock: Stock, level: Level, units: int, cause: Cause, lot_id: str | None = None) -> None:
    """A sale without a hold: free units leave the level, in the order of its lots or from the one named."""
    before = level.on_hand
    for at, part in back(stock, level, stock.product_of(level), units, lot_id):
        value = share_of_value(at.value, at.on_hand, part)
        stock.post(cause, level, at, "SALE", qty=-part, value=-value)
        units -= part
    assert units == 0, (level, units)
    tell_low_stock(stock, level, before)


def units_asked(stock: Stock, hold: Reservation, quantity: Number | None, lot_id: str | None) -> int:
    """The smallest units that are asked of a hold (default: all that is open, or all that the lot backs).

    INSUFFICIENT_RESERVED when it has fewer.
    """
    product = stock.product_of(stock.level_of_id[hold.level_id])
    offered = hold.open if lot_id is None else dict(hold.allocations).get(lot_id, 0)
    units = (offered or hold.open) if quantity is None else product.units(quantity)
    assert units is not None
    if units > offered:
        if lot_id is not None:
            raise _lot_backs_less(stock.lots[lot_id], product, hold, units, offered)
        raise hold_has_less(product, hold, units)
    return units


def _lot_backs_less(lot: Lot, product: Product, hold: Reservation, units: int, offered: int) -> Refused:
    """More was asked of one lot than it backs of the hold."""
    return Refused(
        Code.INSUFFICIENT_RESERVED,
        f"Lot {lot.code or lot.id} backs {product.number(offered)} of {product.sku} of the reservation; "
        f"{product.number(units)} requested.",
        {
            "product_id": product.id,
            "lot_id": lot.id,
            "requested": product.number(units),
            "allocated": product.number(offered),
            "backordered": product.number(hold.backordered),
            "available": product.number(offered),
        },
    )


def hold_has_less(product: Product, hold: Reservation, units: int) -> Refused:
    """More was asked of a hold than it has, or than stock backs."""
    words = (
        f"The reservation has {product.number(hold.allocated)} of {product.sku} allocated and "
        f"{product.number(hold.backordered)} backordered; {product.number(units)} requested."
    )
    return insufficient_reserved(product, words, units, hold.allocated, hold.backordered)
