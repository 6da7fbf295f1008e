"""Amending a hold: its total, its priority, its expiry; its own units never stand in its way (SPEC section 4).

total 2 -> 5 of a hold with 1 consumed    -> 3 more compete like a new hold
total 5 -> 3                              -> 2 go back, and whoever waits is served
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.allocation import back
from holdfast.core.decision import Command, Decision
from holdfast.core.field import Instant, Priority
from holdfast.core.holding import Level, Reservation
from holdfast.core.number import Number
from holdfast.core.permission import Permission
from holdfast.core.product import Product
from holdfast.core.promise import allocations_left, cause_of_hold, tell_hold
from holdfast.core.rejection import (
    Rejected,
    insufficient_stock,
    invalid_state,
)
from holdfast.core.reservation import Reserve, active_hold, release_units, shortfall_allowed
from holdfast.core.stock import Stock

replace = msgspec.structs.replace


class Amend(Command, frozen=True, gc=False):
    """Change a hold: its total `quantity`, its priority, or its expiry (`set_expiry` says that one was given)."""

    reservation_id: str
    quantity: Number | None = None
    priority: Priority | None = None
    expires_at: Instant | None = None
    set_expiry: bool = False


def amend(stock: Stock, command: Amend) -> Reservation | Rejected:
    """Decide an Amend; the hold as it stands after it, or why not. Its own units never stand in its way."""
    hold = active_hold(
        stock, command.reservation_id, command.quantity, command.expires_at if command.set_expiry else None
    )
    if isinstance(hold, Rejected):
        return hold
    level = stock.level_of_id[hold.level_id]
    product = stock.product_of(level)
    total = hold.quantity
    if command.quantity is not None:
        units = product.units(command.quantity)
        assert units is not None
        total = units
    settled = hold.consumed + hold.released
    if total < settled:
        return invalid_state(
            f"{product.number(settled)} of the reservation are consumed or released already.",
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
    if total > hold.quantity:
        return extend(stock, level, product, hold, total - hold.quantity)
    if total < hold.quantity:
        return shrink(stock, hold, hold.quantity - total)
    return hold


def shrink(stock: Stock, hold: Reservation, units: int) -> Reservation:
    """Fewer are promised: the units go back, and the total shrinks instead of counting them as released."""
    hold = replace(hold, quantity=hold.quantity, released=hold.released)
    shrunk = release_units(stock, hold, units, "edited")
    shrunk = replace(shrunk, quantity=shrunk.quantity - units, released=shrunk.released - units)
    stock.put_hold(shrunk)
    return shrunk


def extend(
    stock: Stock, level: Level, product: Product, hold: Reservation, units: int, *, fact: bool = False
) -> Reservation | Rejected:
    """More are promised: the addition competes like a new hold of the same target."""
    backing = back(stock, level, product, units, hold.lot_id)
    short = units - sum(taken for _, taken in backing)
    asked = Reserve(product.sku, 1, fact=fact)
    if short:
        stock.settle_first((level,))
        if not shortfall_allowed(stock, product, short, level.backordered, asked):
            return insufficient_stock(product, units, units - short)  # a hold is not extended by override
    cause = cause_of_hold(hold, stock.caller.actor, "edited")
    allocations = dict(hold.allocations)
    for at, taken in backing:
        stock.post(cause, level, at, "RESERVE", reserved=taken, hold=hold.id)
        allocations[at.lot_id] = allocations.get(at.lot_id, 0) + taken
    if short:
        stock.post(cause, level, None, "RESERVE", backordered=short, hold=hold.id)
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
