"""Reservations: make one, consume it, release it (docs/reference/api.md#reservations).

    Reserve 2 of MUG-1 for order 102   -> active, 2 open, backed by the oldest lot
    Consume 1                          -> SALE of 1, 1 open
    Release the rest                   -> consumed; 1 unit back in its lot, offered to the holds that wait

A hold is `active` while something is open. What stock cannot back is refused, unless the product or an override lets
it wait as backordered. `promise` takes the lots that `allocation.back` chooses. Released units go back to the lots that
they came from. A hold is changed in `amend`; it expires in `stock.settling`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from holdfast.core.records.catalog import served_from_text
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Instant, Priority
from holdfast.core.records.number import Number
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_stock,
    invalid_quantity,
    invalid_state,
    not_found,
    not_stock_tracked,
)
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import ACTIVE, BOOKED
from holdfast.core.records.stock import FOR_LINE, FOR_NOBODY, FOR_ORDER, Reservation
from holdfast.core.reservations.hold_bounds import refuse_crowded_target
from holdfast.core.stock.allocation import back, lot_exists, pinned_lot_refusal, post_backing, refuse_pinned_lot
from holdfast.core.stock.backorders import free_units_at, most_backed_first
from holdfast.core.stock.gate import is_of
from holdfast.core.stock.holds import consume_and_count, hold_has_less, hold_to_change, release_units, units_asked
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import known_sale, refuse_finished_sale, refuse_foreign_sale, sale_of_line
from holdfast.core.stock.shortages import tell_hold
from holdfast.core.stock.store_access import refuse_foreign_location, refuse_foreign_store

replace = msgspec.structs.replace

PRIORITY_DEFAULT = 100


class Target(msgspec.Struct, frozen=True, gc=False):
    """For whom a hold is: a sale line, a sale (`transaction`), an appointment, an order, or nobody (ad hoc)."""

    order_number: str | None = None
    source: str = "manual"
    reserved_for_type: str | None = None
    reserved_for_id: str | None = None
    sale_line_id: str | None = None

    @property
    def kind(self) -> str:
        """What the hold is for, kept on it as `held_for` (`records.stock`)."""
        if self.sale_line_id is not None:
            return FOR_LINE
        if self.reserved_for_type is not None:
            return self.reserved_for_type
        return FOR_NOBODY if self.order_number is None else FOR_ORDER


NOBODY = Target()


class Reserve(Command, frozen=True, gc=False):
    """Promise `quantity` of a product (id or SKU), at a location (code or id) or where `candidates` finds it.

    `lot_id` pins the hold to a lot. `expires_at` is in microseconds since 1970. Of holds that wait, a lower `priority`
    is served first. By `override` a manager lets units of a product wait that denies it. A `fact` has happened already
    (an order that a channel took): what stock does not cover waits, whatever the product's policy. Answers the
    reservation. Refused as `validate_reserve` and `make_direct_hold` say.
    """

    product: str
    quantity: Number
    location: str | None = None
    target: Target = NOBODY
    lot_id: str | None = None
    expires_at: Instant | None = None
    priority: Priority = PRIORITY_DEFAULT
    override: bool = False
    fact: bool = False


class Terms(msgspec.Struct, frozen=True, gc=False):
    """On which terms units are promised: for whom, of which lot, until when (microseconds), with which priority, and
    whether they may wait without stock (`shortfall_allowed`)."""

    target: Target = NOBODY
    lot_id: str | None = None
    expires_at: int | None = None
    priority: int = PRIORITY_DEFAULT
    override: bool = False
    fact: bool = False


class Release(Command, frozen=True, gc=False):
    """Give back a hold or a part of it (default: all that is open); `lot_id` gives back what that lot backs."""

    reservation_id: str
    quantity: Number | None = None
    reason: str | None = None
    lot_id: str | None = None
    release_reason: Literal["cancelled", "expired", "edited", "voided"] = "cancelled"


class Consume(Command, frozen=True, gc=False):
    """Turn a hold or a part of it (default: all that is open) into a sale: the units leave their lots."""

    reservation_id: str
    quantity: Number | None = None
    lot_id: str | None = None


# Reserve -----------------------------------------------------------------------------------------------------------


class ValidReserve(NamedTuple):
    """What a Reserve asks for: the product, the locations where it may be held in selling order, smallest units."""

    product: Product
    places: list[Location]
    units: int


def validate_reserve(stock: Stock, command: Reserve) -> ValidReserve:
    """Refuse a Reserve that has no meaning or that a state forbids, in the order of docs/reference/errors.md.

    What stock there is comes later, with INSUFFICIENT_STOCK and LOT_NOT_AVAILABLE. `order_holds` refuses what an order
    forbids.
    """
    refuse_foreign_location(stock, command.location)
    sale = _sale_of_target(stock, command.target)
    if sale is not None:
        refuse_foreign_sale(stock, sale)
    product = stock.catalog.product(command.product)
    if product is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", command.product)
    places = candidates(stock, command.location)
    if command.lot_id is not None and not lot_exists(stock, command.lot_id, product):
        raise not_found(Code.LOT_NOT_FOUND, f"Lot of {product.sku}", command.lot_id)
    target = _found_target(stock, command.target, sale)
    _refuse_other_product(stock, command.target, product)
    units = product.units(command.quantity)
    if units is None or units <= 0:
        raise invalid_quantity(product, command.quantity)
    if command.expires_at is not None and command.expires_at <= stock.now:
        raise Refused(Code.INVALID_EXPIRY, "The expiry must be in the future.")
    if product.unlimited:
        raise not_stock_tracked(product)
    if not product.active and not command.fact:
        raise not_sold_any_more(product)
    _refuse_finished_target(target)
    if target is not None:
        refuse_crowded_target(stock, target.id)
    return ValidReserve(product, places, units)


def make_direct_hold(stock: Stock, command: Reserve, valid: ValidReserve) -> Reservation:
    """A new direct hold for a Reserve: a location is chosen, and all of it is held there.

    Refused with INSUFFICIENT_STOCK or LOT_NOT_AVAILABLE.
    """
    product = valid.product
    terms = Terms(command.target, command.lot_id, command.expires_at, command.priority, command.override, command.fact)
    place = choose_location(stock, valid, terms, given=command.location is not None)
    served_from = None if command.location is not None else anywhere(stock)
    hold = promise(stock, product, place, valid.units, terms, served_from)
    if hold.roams and product.oversell == "preorder":
        stock.holds_to_place[hold.id] = None  # the limit may have kept it from the place that backs more of it
    return hold


def anywhere(stock: Stock) -> str:
    """The places that may serve a hold of the caller without a location, as a text."""
    return served_from_text(stock.caller.stores, online=stock.caller.online)


def not_sold_any_more(product: Product) -> Refused:
    """Nothing is promised of a product that is inactive, but to facts."""
    return invalid_state(f"{product.sku} is not sold any more.", product_id=product.id)


def candidates(stock: Stock, location: str | None) -> list[Location]:
    """Where a hold may be, in selling order: at the named location; without one, for a caller of single stores at the
    sellable locations of these stores, and for all others at those that ship online. LOCATION_NOT_FOUND, FORBIDDEN."""
    caller = stock.caller
    if location is not None:
        place = stock.catalog.location(location)
        if place is None:
            raise not_found(Code.LOCATION_NOT_FOUND, "Location", location)
        refuse_foreign_store(stock, place)
        return [place]
    return stock.catalog.sellable_places(caller.stores, online=caller.online)


def _sale_of_target(stock: Stock, target: Target) -> Sale | None:
    """The sale that the hold would be for, of whichever store; None when it is for none, or there is none."""
    if target.sale_line_id is not None:
        sale_id = sale_of_line(stock, target.sale_line_id)
    else:
        sale_id = target.reserved_for_id if target.reserved_for_type == "transaction" else None
    return None if sale_id is None else known_sale(stock, sale_id)


def _found_target(stock: Stock, target: Target, sale: Sale | None) -> Any:
    """The sale or the appointment that the hold would be for, None where it is for neither; TARGET_NOT_FOUND.

    Whether it is finished is tested later (`_refuse_finished_target`).
    """
    if target.sale_line_id is not None or target.reserved_for_type == "transaction":
        if sale is None:
            line_id = target.sale_line_id
            raise not_found(
                Code.TARGET_NOT_FOUND,
                "Sale" if line_id is None else "Sale line",
                line_id or str(target.reserved_for_id),
            )
        return sale
    if target.reserved_for_type != "appointment":
        return None
    assert target.reserved_for_id is not None
    appointment = stock.record("appointment", target.reserved_for_id)
    if appointment is None or not is_of(stock, stock.caller.stores, appointment):
        raise not_found(Code.TARGET_NOT_FOUND, "Appointment", target.reserved_for_id)
    return appointment


def _refuse_finished_target(target: Any) -> None:
    """Refuse a sale or an appointment that is over."""
    if isinstance(target, Sale):
        refuse_finished_sale(target)
    elif target is not None and target.status != BOOKED:
        raise invalid_state(f"The appointment is {target.status}.")


def _refuse_other_product(stock: Stock, target: Target, product: Product) -> None:
    """Refuse a sale line of another product. The units of the hold would be counted on the wrong line."""
    line = None if target.sale_line_id is None else stock.row(SaleLine, target.sale_line_id)
    if line is None or line.product_id == product.id:
        return
    sold = stock.catalog.product(line.product_id)
    words = f"The line sells {line.product_id if sold is None else sold.sku}, not {product.sku}."
    raise Refused(Code.INVALID_REQUEST, words, {"field": "sale_line_id", "product_id": line.product_id})


def completed_target(stock: Stock, target: Target) -> Target:
    """A target that names a line of a sale names the sale as well, so that the sale finds all its holds."""
    if target.sale_line_id is None or target.reserved_for_id is not None:
        return target
    sale_id = sale_of_line(stock, target.sale_line_id)
    return replace(target, reserved_for_type="transaction", reserved_for_id=sale_id)


def choose_location(stock: Stock, valid: ValidReserve, terms: Terms, *, given: bool) -> Location:
    """The location of a direct hold: the one that was `given`; else the first that can fill the hold alone; else where
    stock backs most of it and the rest may wait. INSUFFICIENT_STOCK, LOT_NOT_AVAILABLE."""
    product, places, units = valid
    if given:
        [place] = places
        if not place.sellable:
            if terms.lot_id is not None:
                refuse_pinned_lot(stock, None, terms.lot_id, product)
            raise insufficient_stock(product, units, 0)
        return place
    stock.lock_levels((product.id, place.id) for place in places)
    if terms.lot_id is not None:
        ask_for_pinned(stock, product, places, terms.lot_id)
        places = [place for place in places if lot_lies_at(stock, product, place, terms.lot_id)]
        if not places:
            refuse_pinned_lot(stock, None, terms.lot_id, product)
    if not places:
        raise insufficient_stock(product, units, 0, available_by_location={})
    available = {}
    for place in places:
        free = free_units_at(stock, product, place, terms.lot_id)
        if free >= units:
            return place
        available[place.code] = free
    stock.require_expired_holds(stock.level(product.id, place.id) for place in places)
    in_order = most_backed_first(stock, product, places, units, terms.lot_id)
    waiting_place = next((place for place in in_order if _may_wait(stock, product, place, units, terms)), None)
    if waiting_place is not None:
        return waiting_place
    numbers = {code: product.number(free) for code, free in available.items()}
    raise _shortage(stock, product, units, max(available.values(), default=0), available_by_location=numbers)


def ask_for_pinned(stock: Stock, product: Product, places: Iterable[Location], lot_id: str) -> None:
    """Ask at once for a lot at all of these places; their levels are locked."""
    levels = (stock.levels.get((product.id, place.id)) for place in places)
    stock.ask_for_lot_stocks((level, lot_id) for level in levels if level is not None)


def lot_lies_at(stock: Stock, product: Product, place: Location, lot_id: str) -> bool:
    level = stock.level(product.id, place.id)
    return pinned_lot_refusal(stock, level, lot_id, product) is None


def _may_wait(stock: Stock, product: Product, place: Location, units: int, terms: Terms) -> bool:
    """May what the location lacks of a direct hold wait there?"""
    level = stock.level(product.id, place.id)
    short = units - free_units_at(stock, product, place, terms.lot_id)
    waiting = 0 if level is None else level.backordered
    return shortfall_allowed(stock, product, short, waiting, fact=terms.fact, override=terms.override)


def shortfall_allowed(
    stock: Stock, product: Product, short: int, waiting: int, *, fact: bool = False, override: bool = False
) -> bool:
    """May `short` units wait at a level without stock, beside the `waiting` ones?

    By the product's policy; because it is a `fact`; or by a manager's `override`, where the policy is `deny`.
    """
    if product.oversell == "backorder" or fact:
        return True
    if product.oversell == "preorder":
        return product.preorder_limit is None or waiting + short <= product.preorder_limit
    return override and stock.caller.may_override and stock.settings.allow_override


def _shortage(stock: Stock, product: Product, units: int, available: int, **numbers: Any) -> Refused:
    """Not enough to begin a hold at a sellable place; whether a manager's override could."""
    return insufficient_stock(product, units, available, **numbers, **who_may_override(stock, product))


def who_may_override(stock: Stock, product: Product) -> dict[str, str]:
    """Who could promise more of the product than there is, as a refusal says it; nothing where nobody may."""
    allowed = product.oversell == "deny" and stock.settings.allow_override
    return {"override_required": "manager"} if allowed else {}


def promise(
    stock: Stock, product: Product, place: Location, units: int, terms: Terms, served_from: str | None
) -> Reservation:
    """Hold `units` at the place: what is there is allocated, the rest is backordered where that is allowed.

    `served_from` is where the hold may be served later (`catalog.served_from_text`); None: its location was given.
    INSUFFICIENT_STOCK, LOT_NOT_AVAILABLE.
    """
    assert place.sellable, place
    level = stock.level(product.id, place.id)
    if terms.lot_id is not None:
        refuse_pinned_lot(stock, level, terms.lot_id, product)
    backing = [] if level is None else back(stock, level, product, units, terms.lot_id)
    short = units - sum(taken for _, taken in backing)
    if short:
        stock.require_expired_holds((level,))
        waiting = 0 if level is None else level.backordered
        if not shortfall_allowed(stock, product, short, waiting, fact=terms.fact, override=terms.override):
            raise _shortage(stock, product, units, units - short)
        level = stock.open_level(product.id, place.id)
    assert level is not None
    target = completed_target(stock, terms.target)
    began = max(stock.now, level.updated_at)  # never before its elders, even when the clock steps back
    hold = Reservation(  # in order, for keywords would take four times as long
        stock.new_id(),  # id
        level.id,  # level_id
        product.id,  # product_id
        place.id,  # location_id
        units,  # quantity
        0,  # consumed
        0,  # released
        short,  # backordered
        tuple((at.lot_id, taken) for at, taken in backing),  # allocations
        ACTIVE,  # status
        None,  # release_reason
        terms.lot_id,  # lot_id
        target.kind,  # held_for
        target.sale_line_id,  # sale_line_id
        target.reserved_for_type,  # reserved_for_type
        target.reserved_for_id,  # reserved_for_id
        target.order_number,  # order_number
        target.source,  # source
        terms.priority,  # priority
        terms.expires_at,  # expires_at
        stock.caller.actor,  # actor
        began,  # created_at
        began,  # updated_at
        served_from,
    )
    cause = Cause(
        stock.caller.actor,
        ref_id=target.reserved_for_id or target.sale_line_id,
        order_number=target.order_number,
        source=target.source,
        reason="override" if short and product.oversell == "deny" else None,
    )
    post_backing(stock, cause, level, hold.id, backing, short)
    stock.put_hold(hold)
    stock.holds_to_place.pop(hold.id, None)  # the places where it may be served were looked at just now
    tell_hold(stock, "InventoryReserved", hold, product, units)
    if short:
        tell_hold(stock, "ReservationBackordered", hold, product, short)
    return hold


# Release and consume -----------------------------------------------------------------------------------------------


def release(stock: Stock, command: Release) -> Reservation:
    """Decide a Release; the hold as it stands after it."""
    hold = hold_to_change(stock, command.reservation_id, command.quantity, lot_id=command.lot_id)
    units = units_asked(stock, hold, command.quantity, command.lot_id)
    return release_units(stock, hold, units, command.release_reason, note=command.reason, lot_id=command.lot_id)


def consume(stock: Stock, command: Consume) -> Reservation:
    """Decide a Consume; the hold as it stands after it.

    Without a quantity all that is open is meant, so a hold of which a part waits is refused: INSUFFICIENT_RESERVED.
    """
    hold = hold_to_change(stock, command.reservation_id, command.quantity, lot_id=command.lot_id)
    units = units_asked(stock, hold, command.quantity, command.lot_id)
    if units > hold.allocated:
        raise hold_has_less(stock.product_of(stock.level_of_id[hold.level_id]), hold, units)
    return consume_and_count(stock, hold, units, lot_id=command.lot_id)


DECISIONS = (
    Decision(Release, release, Permission.RESERVE),
    Decision(Consume, consume, Permission.RESERVE),
)
"""`Reserve` stands in the DECISIONS of `order_holds`: the order of the hold may be a sale already."""
