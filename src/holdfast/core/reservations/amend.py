"""Amending a hold: its total, its priority, its expiry, its location; its own units never stand in its way.

total 2 -> 5 of a hold with 1 consumed    -> 3 more compete like a new hold, at its location and without an override
total 5 -> 3                              -> 2 go back, and serve the holds that wait
location MAIN -> EAST                     -> all that is open is held at EAST, as old as it was, or it is refused
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Instant, Priority
from holdfast.core.records.number import Number
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import insufficient_stock, invalid_state
from holdfast.core.records.stock import Level, Reservation
from holdfast.core.reservations.reserve import candidates, not_sold_any_more, shortfall_allowed
from holdfast.core.stock.allocation import back, post_backing, refuse_pinned_lot
from holdfast.core.stock.backorders import relocate, serve_waiting
from holdfast.core.stock.holds import hold_to_change, release_units
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.reliance import refuse_gone
from holdfast.core.stock.shortages import allocations_left, cause_of_hold, tell_hold

replace = msgspec.structs.replace


class Amend(Command, frozen=True, gc=False):
    """Change a hold: its total `quantity`, its priority, its expiry (`set_expiry` says that one was given), or the
    `location` (code or id) where it is held."""

    reservation_id: str
    quantity: Number | None = None
    priority: Priority | None = None
    expires_at: Instant | None = None
    set_expiry: bool = False
    location: str | None = None


def amend(stock: Stock, command: Amend) -> Reservation:
    """Decide an Amend; the hold as it stands after it. Its own units never stand in its way."""
    hold = hold_to_change(
        stock, command.reservation_id, command.quantity, command.expires_at if command.set_expiry else None
    )
    place = None if command.location is None else candidates(stock, command.location)[0]
    product = stock.product_of(stock.level_of_id[hold.level_id])
    total = hold.quantity
    if command.quantity is not None:
        units = product.units(command.quantity)
        assert units is not None
        total = units
    done = hold.consumed + hold.released
    if total < done:
        raise invalid_state(
            f"{product.number(done)} of the reservation are consumed or released already.",
            product_id=product.id,
            consumed=product.number(hold.consumed),
            released=product.number(hold.released),
        )
    changes: dict[str, Any] = {}
    if command.priority is not None:
        changes["priority"] = command.priority
    if command.set_expiry:
        changes["expires_at"] = command.expires_at
    if changes:
        hold = replace(hold, **changes, updated_at=max(stock.now, hold.updated_at))
        stock.put_hold(hold)
    if total > hold.quantity and not product.active:
        raise not_sold_any_more(product)
    if total < hold.quantity:
        hold = shrink(stock, hold, hold.quantity - total)
    if place is not None and hold.active:
        hold = move(stock, hold, place)
    if total > hold.quantity:
        return extend(stock, stock.level_of_id[hold.level_id], product, hold, total - hold.quantity)
    return hold


def move(stock: Stock, hold: Reservation, place: Location) -> Reservation:
    """The hold at a location that was given for it, under the checks of a new hold there; it keeps its place in the
    queue. What waits already may wait there as well; no more, unless the product allows it."""
    hold = replace(hold, served_from=None, updated_at=max(stock.now, hold.updated_at))
    if place.id == hold.location_id:
        stock.put_hold(hold)
        return hold
    old = stock.level_of_id[hold.level_id]
    product = stock.product_of(old)
    level = stock.level(product.id, place.id) if place.sellable else None
    if hold.lot_id is not None:
        refuse_pinned_lot(stock, level, hold.lot_id, product)
    backing = [] if level is None else back(stock, level, product, hold.open, hold.lot_id)
    short = hold.open - sum(taken for _, taken in backing)
    if short:
        stock.require_expired_holds((level,))
        waiting = 0 if level is None else level.backordered
        allowed = shortfall_allowed(stock, product, short, waiting)
        if not place.sellable or not (allowed or short <= hold.backordered):
            raise insufficient_stock(product, hold.open, hold.open - short)
    moved = relocate(stock, hold, stock.open_level(product.id, place.id), backing, stock.caller.actor)
    serve_waiting(stock, old, stock.caller.actor)
    return moved


def shrink(stock: Stock, hold: Reservation, units: int) -> Reservation:
    """Fewer are promised: the units go back, and the total shrinks instead of counting them as released."""
    shrunk = release_units(stock, hold, units, "edited")
    shrunk = replace(shrunk, quantity=shrunk.quantity - units, released=shrunk.released - units)
    stock.put_hold(shrunk)
    return shrunk


def extend(
    stock: Stock,
    level: Level,
    product: Product,
    hold: Reservation,
    units: int,
    *,
    fact: bool = False,
    override: bool = False,
) -> Reservation:
    """Promise `units` more by a hold, at its location: free units back them, the rest waits where that is allowed.

    Refused with INSUFFICIENT_STOCK.
    """
    refuse_gone(stock.catalog.locations[hold.location_id])
    backing = back(stock, level, product, units, hold.lot_id)
    short = units - sum(taken for _, taken in backing)
    if short:
        stock.require_expired_holds((level,))
        if not shortfall_allowed(stock, product, short, level.backordered, fact=fact, override=override):
            raise insufficient_stock(product, units, units - short)
    overridden = short > 0 and override and product.oversell == "deny"
    cause = cause_of_hold(hold, stock.caller.actor, "override" if overridden else "edited")
    allocations = dict(hold.allocations)
    for at, taken in backing:
        allocations[at.lot_id] = allocations.get(at.lot_id, 0) + taken
    post_backing(stock, cause, level, hold.id, backing, short)
    hold = replace(
        hold,
        quantity=hold.quantity + units,
        backordered=hold.backordered + short,
        allocations=allocations_left(allocations),
        updated_at=level.updated_at,
    )
    stock.put_hold(hold)
    tell_hold(stock, "InventoryReserved", hold, product, units)
    if short:
        tell_hold(stock, "ReservationBackordered", hold, product, short)
    return hold


DECISIONS = (Decision(Amend, amend, Permission.RESERVE),)
