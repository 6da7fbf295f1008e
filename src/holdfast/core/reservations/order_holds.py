"""Holds found by what they are for: an order number, or nobody in particular at a level.

    reserve 2 for order 102, which is a sale     -> the hold that the sale's line has (`reserve_for` decides `Reserve`)
    reserve 5 at MAIN, release 2 at MAIN         -> the level's ad-hoc holds, oldest first

Commands of whole orders are declared here; `sales.whole_order` decides them, because an order may be a sale.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.documents import LevelHoldDocument, UnlimitedDocument, unlimited_document
from holdfast.core.records.number import Number
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_reserved,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.stock import Level, Reservation
from holdfast.core.records.wants import HOLDS_READ_MAX
from holdfast.core.reservations.adoption import sale_of_order
from holdfast.core.reservations.hold_bounds import refuse_crowded_order
from holdfast.core.reservations.order_names import refuse_held_order
from holdfast.core.reservations.reserve import (
    Reserve,
    Target,
    ValidReserve,
    candidates,
    make_direct_hold,
    validate_reserve,
)
from holdfast.core.reservations.sourcing import hold_units
from holdfast.core.stock.holds import consume_and_count, release_together, release_units, sell_free_units
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import find_sale, lines_of
from holdfast.core.stock.store_access import refuse_foreign_location
from holdfast.core.warehouse.adjustment import describe_level_fields


class ReserveAtLevel(Command, frozen=True, gc=False):
    """Hold units at a level, for an order or for nobody in particular; unlimited products need no hold."""

    product: str
    location: str
    quantity: Number
    order_number: str | None = None
    source: str = "manual"


class ReleaseAtLevel(Command, frozen=True, gc=False):
    """Give back units of the order's holds at a level, or of its ad-hoc holds, oldest first."""

    product: str
    location: str
    quantity: Number
    order_number: str | None = None
    source: str | None = None


class ConsumeAtLevel(Command, frozen=True, gc=False):
    """Sell units of the order's holds at a level, or of its ad-hoc holds, oldest first.

    In `simple` mode what no ad-hoc hold covers is sold from the free units.
    """

    product: str
    location: str
    quantity: Number
    order_number: str | None = None
    source: str | None = None


class OrderLine(msgspec.Struct, frozen=True, gc=False):
    """A product and how many of it an order has."""

    product: str
    quantity: Number


class OrderReserve(Command, frozen=True, gc=False):
    """Hold an order's lines, a fact: what is not there waits.

    An order that has holds already answers those, and holds what they lack.
    """

    order_number: str
    source: str
    lines: tuple[OrderLine, ...]
    location: str | None = None


class OrderClose(Command, frozen=True, gc=False):
    """Consume or release an order's active holds; `lines` limits it to those products and quantities."""

    order_number: str
    source: str
    consume: bool
    lines: tuple[OrderLine, ...] = ()


LevelAnswer = LevelHoldDocument | UnlimitedDocument


def reserve_at_level(stock: Stock, command: ReserveAtLevel) -> LevelAnswer:
    """Decide a ReserveAtLevel."""
    product = stock.catalog.product(command.product)
    if product is not None and product.unlimited:
        candidates(stock, command.location)
        units = product.units(command.quantity)
        if not units or units < 0:
            raise invalid_quantity(product, command.quantity)
        return unlimited_document(product)
    hold = reserve_for(
        stock,
        Reserve(command.product, command.quantity, command.location, Target(command.order_number, command.source)),
    )
    return _level_answer(stock, stock.level_of_id[hold.level_id], hold.id)


def release_at_level(stock: Stock, command: ReleaseAtLevel) -> LevelAnswer:
    """Decide a ReleaseAtLevel."""
    found = _holds_at_level(stock, command)
    if isinstance(found, UnlimitedDocument):
        return found
    level, product, units, holds = found
    if units > sum(hold.open for hold in holds):
        raise too_many(product, units, holds)
    for hold in holds:
        hold = stock.reservations[hold.id]
        part = min(units, hold.open)
        if part:
            release_units(stock, hold, part, "cancelled")
            units -= part
    return _level_answer(stock, level, holds[0].id)


def consume_at_level(stock: Stock, command: ConsumeAtLevel) -> LevelAnswer:
    """Decide a ConsumeAtLevel."""
    found = _holds_at_level(stock, command)
    if isinstance(found, UnlimitedDocument):
        return found
    level, product, units, holds = found
    held = sum(hold.allocated for hold in holds)
    direct = units - held if stock.settings.mode == "simple" and command.order_number is None else 0
    if direct > level.available:
        stock.require_expired_holds((level,))
    if direct > level.available or (direct <= 0 and units > held):
        raise too_many(product, units, holds)
    for name in [hold.id for hold in holds]:
        hold = stock.reservations[name]
        part = min(units, hold.allocated)
        if part:
            consume_and_count(stock, hold, part)
            units -= part
    if units:
        sell_free_units(stock, level, units, Cause(stock.caller.actor, source="manual"))
    return _level_answer(stock, level, holds[0].id if holds else None)


def _level_answer(stock: Stock, level: Level, reservation_id: str | None) -> LevelHoldDocument:
    return LevelHoldDocument(**describe_level_fields(stock, level), reservation_id=reservation_id)


def too_many(product: Product, units: int, holds: list[Reservation]) -> Refused:
    """More was asked of the holds than they have, or than stock backs."""
    allocated, waiting = sum(hold.allocated for hold in holds), sum(hold.backordered for hold in holds)
    words = (
        f"{product.number(units)} of {product.sku} requested, {product.number(allocated)} allocated, "
        f"{product.number(waiting)} backordered."
    )
    return insufficient_reserved(product, words, units, allocated, waiting)


def _holds_at_level(
    stock: Stock, command: ReleaseAtLevel | ConsumeAtLevel
) -> tuple[Level, Product, int, list[Reservation]] | UnlimitedDocument:
    """The level, the units and the active holds that a command at a level means, oldest first."""
    refuse_foreign_location(stock, command.location)
    product = stock.catalog.product(command.product)
    if product is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", command.product)
    [place] = candidates(stock, command.location)
    units = product.units(command.quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, command.quantity)
    if product.unlimited:
        return unlimited_document(product)
    level = stock.level(product.id, place.id)
    if level is None:
        if command.order_number is not None:
            raise not_found(Code.RESERVATION_NOT_FOUND, "Active reservation of order", command.order_number)
        raise too_many(product, units, [])
    if command.order_number is None:
        holds = stock.adhoc_at(level)
    else:
        holds = stock.active_of_order(command.order_number, command.source, level)
    holds = [hold for hold in holds if command.source in (None, hold.source)]
    if command.order_number is None and units > sum(hold.open for hold in holds) and stock.has_more_adhoc(level):
        raise invalid_state(f"There are more than {HOLDS_READ_MAX:,} holds for nobody in particular: ask for less.")
    if command.order_number is not None:
        if not holds:
            raise not_found(Code.RESERVATION_NOT_FOUND, "Active reservation of order", command.order_number)
        if len({hold.source for hold in holds}) > 1:
            raise invalid_state(
                f"Order {command.order_number} has holds of several sources: name the source.",
                candidates=[{"reservation_id": hold.id, "source": hold.source} for hold in holds],
            )
    return level, product, units, holds


def sell_or_release(stock: Stock, parts: list[tuple[Reservation, int]], *, consume: bool) -> None:
    """Sell or give back units of several holds, (hold, units) each."""
    if consume:
        stock.each(parts, lambda _, part: consume_and_count(stock, part[0], part[1]))
    else:
        release_together(stock, parts, "cancelled")


# An order that is a sale already ------------------------------------------------------------------------------------


def reserve_for(stock: Stock, command: Reserve) -> Reservation:
    """Decide a Reserve.

    Is its order a sale already, and has the sale a line that may take the units, they are held for that line. In every
    other case a direct hold is made.
    """
    target = command.target
    if target.order_number is not None:
        refuse_held_order(stock, target.source, target.order_number)
    if target.kind != "order" or target.order_number is None:
        return make_direct_hold(stock, command, validate_reserve(stock, command))
    refuse_crowded_order(stock, target.source, target.order_number)
    made = _reserve_for_order(stock, command, target.source, target.order_number)
    if made.id in stock.new_ids:
        stock.count_made_for(target.source, target.order_number)
    return made


def _reserve_for_order(stock: Stock, command: Reserve, source: str, order_number: str) -> Reservation:
    """The hold of an order, or of the lines of the sale that the order is."""
    sale_id = sale_of_order(stock, source, order_number)
    sale = None if sale_id is None else find_sale(stock, sale_id)
    valid = validate_reserve(stock, command)
    if sale is not None:
        if not sale.unfinished:
            raise invalid_state(f"Order {sale.order_number} is {sale.status}.", sale_status=sale.status)
        lines = [line for line in lines_of(stock, sale) if _may_take(line, valid.product, command.lot_id)]
        if lines:
            return _hold_for_lines(stock, sale, lines, command, valid)
    return make_direct_hold(stock, command, valid)


def _may_take(line: SaleLine, product: Product, lot_id: str | None) -> bool:
    """Is the line of the product, and of no other lot than the one that was asked for?"""
    return line.product_id == product.id and line.kind == "stock" and (lot_id is None or line.lot_id in (None, lot_id))


def _hold_for_lines(
    stock: Stock, sale: Sale, lines: list[SaleLine], command: Reserve, valid: ValidReserve
) -> Reservation:
    """Hold up to the command's units for what the lines lack, and nothing twice; the newest hold.

    Fewer units are held when the lines lack fewer. When they lack none the answer is the hold that is there, as it is.
    The command's location, lot, priority and override count as in a direct hold; the expiry is the sale's, as in
    adoption.
    """
    left = valid.units
    place = valid.places[0] if command.location is not None else None
    made: str | None = None
    for line in lines:
        lack = line.open - sum(hold.open for hold in stock.holds_of_line(line.id))
        part = min(left, lack)
        if part <= 0:
            continue
        asked = msgspec.structs.replace(
            line,
            location_id=line.location_id if place is None else place.id,
            lot_id=line.lot_id if command.lot_id is None else command.lot_id,
        )
        held = hold_units(
            stock, sale, asked, part, priority=command.priority, fact=command.fact, override=command.override
        )
        stock.put_row(msgspec.structs.replace(line, reservations=held.reservations))
        made, left = held.reservations[-1], left - part
    if made is not None:
        return stock.reservations[made]
    known = [hold for line in lines for hold in stock.holds_of_line(line.id)]
    if not known:
        raise invalid_state(f"All of order {sale.order_number} has gone out.", sale_status=sale.status)

    def nearness(hold: Reservation) -> tuple[bool, bool, int]:
        there = place is not None and hold.location_id == place.id
        return there, command.lot_id is not None and hold.lot_id == command.lot_id, hold.open

    return max(known, key=nearness)


DECISIONS = (
    Decision(Reserve, reserve_for, Permission.RESERVE),
    Decision(ReserveAtLevel, reserve_at_level, Permission.RESERVE),
    Decision(ReleaseAtLevel, release_at_level, Permission.RESERVE),
    Decision(ConsumeAtLevel, consume_at_level, Permission.RESERVE),
)
