"""One order is one thing: a sale takes over the holds that were made for its (source, order number) before it came.

    Shopify reserves 2 of MUG-1 for #1001, then #1001 is imported with 2 of MUG-1   -> the line has that hold, 2 held
    it reserved 3, the order asks for 2                                             -> 2 are the line's, 1 goes back
    it reserved 2 and they have left already                                        -> the line counts them as shipped

A hold that names no sale is adopted by a line of the same product, oldest hold first, up to the line's quantity; it
keeps its id, its lots and its place in the queue. What a listed product's holds have beyond the order goes back at
once; holds of products that it does not list stay until it ends, and end with it. A caller who is limited to stores
touches nothing in others: those holds stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.records.sale import Sale, SaleLine, Taken
from holdfast.core.records.stock import FOR_LINE, FOR_ORDER, Reservation
from holdfast.core.records.wants import LooseHoldsOf, SaleOfOrder, SoldForOrder, SoldPart
from holdfast.core.reservations.sourcing import cart_expiry, served_from
from holdfast.core.stock.allocation import held_in_order
from holdfast.core.stock.holds import closed, release_together
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.shortages import allocations_left, cause_of_hold
from holdfast.core.stock.working_set import oldest_first

replace = msgspec.structs.replace


def numbers_of(sale: Sale) -> tuple[str, ...]:
    """The numbers by which the order is known at its source."""
    return (sale.order_number,) if sale.external_id is None else (sale.order_number, sale.external_id)


def sale_of_order(stock: Stock, source: str, *numbers: str) -> str | None:
    """The id of the sale that is the order, whichever of its numbers it is called by."""
    if len(numbers) > 1:
        stock.require(*(SaleOfOrder(source, number) for number in numbers))
    for number in numbers:
        found = stock.require(SaleOfOrder(source, number))
        if found:
            return found[0]
        for sale in stock.sales_of_order(source, number):
            return str(sale.id)
    return None


def loose_holds(stock: Stock, source: str, numbers: Sequence[str]) -> list[Reservation]:
    """The order's holds that no sale has yet: active ones, and those of which units have left. Oldest first, with their
    levels locked; the caller may act at all of them."""
    holds = stock.holds_of_order(source, *numbers)
    return oldest_first(hold for hold in holds if _is_loose(stock, hold) and (hold.active or hold.consumed))


def _is_loose(stock: Stock, hold: Reservation) -> bool:
    stores = stock.caller.stores
    own = stores is None or stock.catalog.locations[hold.location_id].store_id in stores
    return own and hold.held_for == FOR_ORDER


def adopt(stock: Stock, sale: Sale, lines: list[SaleLine], numbers: Sequence[str]) -> list[SaleLine]:
    """The lines with the holds that were made for the order. The holds are changed here; the caller puts the lines."""
    names = [hold.id for hold in loose_holds(stock, sale.source, numbers)]
    if not names:
        return lines
    if any(stock.reservations[name].consumed for name in names):
        stock.require(*(SoldForOrder(number) for number in numbers))
    adopted = []
    for line in lines:
        line, made = _adopt_for(stock, sale, line, names)
        adopted.append(line)
        names += made
    listed = {line.product_id for line in lines if line.kind == "stock"}
    over = [hold for name in names if (hold := stock.reservations[name]).product_id in listed]
    _release(stock, [hold for hold in over if hold.active and hold.held_for == FOR_ORDER], "edited")
    return adopted


def _release(stock: Stock, holds: list[Reservation], reason: str) -> None:
    release_together(stock, [(hold, hold.open) for hold in holds], reason)


def release_loose(stock: Stock, source: str, numbers: Sequence[str]) -> None:
    """The order has ended already: what is still held for it goes back."""
    _release(stock, [hold for hold in loose_holds(stock, source, numbers) if hold.active], "cancelled")


def release_rest(stock: Stock, sale: Sale, reason: str) -> None:
    """The order ends: what is still held for it and is none of its lines' goes back."""
    stock.require(LooseHoldsOf(sale.id))
    holds = [hold for number in numbers_of(sale) for hold in stock.known_of_order(number) if hold.source == sale.source]
    loose = [hold for hold in holds if hold.active and _is_loose(stock, hold)]
    stock.lock_levels((hold.product_id, hold.location_id) for hold in loose)
    _release(stock, loose, reason)


def _adopt_for(stock: Stock, sale: Sale, line: SaleLine, names: list[str]) -> tuple[SaleLine, list[str]]:
    """The line with the holds that it needs of those named, and the ids of the holds that were made on the way.

    A hold with too many units is parted: what the line does not need is a hold of the order for the next one.
    """
    made: list[str] = []
    if line.kind != "stock":
        return line, made
    need = line.open - sum(hold.open for hold in stock.holds_of_line(line.id))
    for name in names:
        hold = stock.reservations[name]
        if need <= 0:
            break
        if hold.held_for != FOR_ORDER or not _fits(line, hold) or hold.consumed > need:
            continue
        left = _left_by(stock, hold) if hold.consumed else ()
        over = hold.open - (need - hold.consumed)
        if over > 0:
            made.append(_part(stock, hold, over))
            hold = stock.reservations[name]
        need -= hold.consumed + hold.open
        _give_to_line(stock, sale, line, hold)
        line = replace(
            line,
            fulfilled=line.fulfilled + sum(part.units for part in left),
            taken=(*line.taken, *left),
            reservations=(*line.reservations, hold.id),
        )
    return line, made


def _fits(line: SaleLine, hold: Reservation) -> bool:
    """May the line have the hold as it stands? Of a line that names a location or lot, only what lies there."""
    if hold.product_id != line.product_id or line.location_id not in (None, hold.location_id):
        return False
    if line.lot_id in (None, hold.lot_id):
        return True
    return hold.lot_id is None and not hold.backordered and all(lot == line.lot_id for lot, _ in hold.allocations)


def _give_to_line(stock: Stock, sale: Sale, line: SaleLine, hold: Reservation) -> None:
    """Make a hold of the order one of the line."""
    stock.moved.add(hold.id)
    stock.put_hold(
        replace(
            hold,
            held_for=FOR_LINE,
            sale_line_id=line.id,
            reserved_for_type="transaction",
            reserved_for_id=sale.id,
            order_number=sale.order_number,
            lot_id=hold.lot_id if line.lot_id is None else line.lot_id,
            expires_at=cart_expiry(stock, sale),
            served_from=served_from(stock, sale, line),
            updated_at=max(stock.now, hold.updated_at),
        )
    )


def _part(stock: Stock, hold: Reservation, units: int) -> str:
    """Part a hold in two: `units` of it, what waits first and then from its newest lots, get a hold of their own, which
    is as old; its id."""
    level = stock.level_of_id[hold.level_id]
    cause = cause_of_hold(hold, stock.caller.actor, "adopted")
    made_id = stock.new_id()
    waits = min(units, hold.backordered)
    if waits:
        stock.post(cause, level, None, "RELEASE", backordered=-waits, hold=hold.id)
        stock.post(cause, level, None, "RESERVE", backordered=waits, hold=made_id)
    left, kept, given = units - waits, dict(hold.allocations), dict[str, int]()
    for at, held in reversed(held_in_order(stock, level, stock.product_of(level), hold)):
        part = min(left, held)
        if part:
            stock.post(cause, level, at, "RELEASE", reserved=-part, hold=hold.id)
            stock.post(cause, level, at, "RESERVE", reserved=part, hold=made_id)
            kept[at.lot_id], given[at.lot_id] = held - part, part
            left -= part
    assert left == 0, (hold, units)
    rest = replace(
        hold,
        quantity=hold.quantity - units,
        backordered=hold.backordered - waits,
        allocations=allocations_left(kept),
        updated_at=level.updated_at,
    )
    stock.put_hold(closed(rest, "edited"))
    stock.put_hold(
        replace(
            hold,
            id=made_id,
            quantity=units,
            consumed=0,
            released=0,
            backordered=waits,
            allocations=allocations_left(given),
            updated_at=level.updated_at,
        )
    )
    return made_id


def _left_by(stock: Stock, hold: Reservation) -> tuple[Taken, ...]:
    """What has left by a hold: from which lots, with which value."""
    parts = []
    for part in map(SoldPart.of, stock.require(SoldForOrder(str(hold.order_number)))):
        if part.reservation_id == hold.id:
            parts.append(Taken(part.lot_id, part.location_id, part.units, part.value))
    for entry in stock.entries:  # and what this batch sold
        if entry.reservation_id == hold.id and entry.ref_type == "SALE" and entry.lot_id is not None:
            parts.append(Taken(entry.lot_id, entry.location_id, -entry.qty_delta, -entry.value_delta))
    return tuple(parts)
