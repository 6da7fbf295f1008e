"""Holds found by what they are for: at a level, by order number, by appointment (SPEC sections 4 and 10).

reserve 5 at MAIN, release 2 at MAIN        -> the level's ad-hoc holds, oldest first
Shopify order 820982 reserved, then cancelled -> every hold of that order goes back to its lots
appointment completed                         -> every hold that names it is consumed
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.counting import describe_level_fields
from holdfast.core.decision import Command, Decision, given
from holdfast.core.document import LevelHoldDocument, ReservationDocument, UnlimitedDocument, unlimited_document
from holdfast.core.field import Instant
from holdfast.core.holding import Level, Reservation
from holdfast.core.number import Number, instant_text
from holdfast.core.permission import Permission
from holdfast.core.product import Product
from holdfast.core.rejection import (
    Code,
    Rejected,
    group_rejected,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.reservation import (
    Reserve,
    Target,
    candidates,
    describe,
    foreign_store_refusal,
    release_units,
    reserve,
    sell_free_units,
    sell_units,
)
from holdfast.core.stock import Cause, Stock

AppointmentStatus = Literal["booked", "completed", "cancelled"]


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
    """Hold an order's lines, all or nothing; an order that has holds already answers those."""

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


class Appointment(msgspec.Struct, frozen=True, gc=False):
    """An appointment that holds can name; `status` is booked, completed or cancelled."""

    id: str
    starts_at: int
    customer: str | None
    status: str
    created_at: int
    updated_at: int


class Book(Command, frozen=True, gc=False):
    """Make an appointment."""

    starts_at: Instant
    customer: str | None = None
    status: AppointmentStatus = "booked"


class ChangeAppointment(Command, frozen=True, gc=False):
    """Move, complete or cancel an appointment; completing sells its holds, cancelling gives them back."""

    appointment_id: str
    starts_at: Instant | UnsetType = UNSET
    customer: str | UnsetType | None = UNSET
    status: AppointmentStatus | UnsetType = UNSET


class AppointmentDocument(msgspec.Struct, frozen=True, gc=False):
    """An appointment as the API shows it."""

    id: str
    starts_at: str
    customer: str | None
    status: str
    created_at: str
    updated_at: str


LevelAnswer = LevelHoldDocument | UnlimitedDocument


def reserve_at_level(stock: Stock, command: ReserveAtLevel) -> LevelAnswer | Rejected:
    """Decide a ReserveAtLevel."""
    product = stock.catalog.product(command.product)
    if product is not None and product.unlimited:
        places = candidates(stock, command.location)
        if isinstance(places, Rejected):
            return places
        units = product.units(command.quantity)
        return invalid_quantity(product, command.quantity) if not units or units < 0 else unlimited_document(product)
    hold = reserve(
        stock,
        Reserve(command.product, command.quantity, command.location, Target(command.order_number, command.source)),
    )
    if isinstance(hold, Rejected):
        return hold
    return _level_answer(stock, stock.level_of_id[hold.level_id], hold.id)


def release_at_level(stock: Stock, command: ReleaseAtLevel) -> LevelAnswer | Rejected:
    """Decide a ReleaseAtLevel."""
    found = _holds_at_level(stock, command)
    if isinstance(found, Rejected | UnlimitedDocument):
        return found
    level, product, units, holds = found
    if units > sum(hold.open for hold in holds):
        return _too_many(product, units, holds)
    for hold in holds:
        hold = stock.reservations[hold.id]
        part = min(units, hold.open)
        if part:
            release_units(stock, hold, part, "cancelled")
            units -= part
    return _level_answer(stock, level, holds[0].id)


def consume_at_level(stock: Stock, command: ConsumeAtLevel) -> LevelAnswer | Rejected:
    """Decide a ConsumeAtLevel."""
    found = _holds_at_level(stock, command)
    if isinstance(found, Rejected | UnlimitedDocument):
        return found
    level, product, units, holds = found
    held = sum(hold.allocated for hold in holds)
    direct = units - held if stock.settings.mode == "simple" and command.order_number is None else 0
    if direct > level.available:
        stock.settle_first((level,))
    if direct > level.available or (direct <= 0 and units > held):
        return _too_many(product, units, holds)
    for name in [hold.id for hold in holds]:
        hold = stock.reservations[name]
        part = min(units, hold.allocated)
        if part:
            sell_units(stock, hold, part)
            units -= part
    if units:
        sell_free_units(stock, level, units, Cause(stock.caller.actor, source="manual"))
    return _level_answer(stock, level, holds[0].id if holds else None)


def _level_answer(stock: Stock, level: Level, reservation_id: str | None) -> LevelHoldDocument:
    return LevelHoldDocument(**describe_level_fields(stock, level), reservation_id=reservation_id)


def _too_many(product: Product, units: int, holds: list[Reservation]) -> Rejected:
    allocated = product.number(sum(hold.allocated for hold in holds))
    backordered = product.number(sum(hold.backordered for hold in holds))
    return Rejected(
        Code.INSUFFICIENT_RESERVED,
        f"{product.number(units)} of {product.sku} requested, {allocated} allocated, {backordered} backordered.",
        {
            "product_id": product.id,
            "requested": product.number(units),
            "allocated": allocated,
            "backordered": backordered,
            "available": allocated,
        },
    )


def _holds_at_level(
    stock: Stock, command: ReleaseAtLevel | ConsumeAtLevel
) -> tuple[Level, Product, int, list[Reservation]] | Rejected | UnlimitedDocument:
    """The level, the units and the active holds that a command at a level means, oldest first."""
    places = candidates(stock, command.location)
    if isinstance(places, Rejected) and places.code is Code.FORBIDDEN:
        return places
    product = stock.catalog.product(command.product)
    if product is None:
        return not_found(Code.PRODUCT_NOT_FOUND, "Product", command.product)
    if isinstance(places, Rejected):
        return places
    units = product.units(command.quantity)
    if units is None or units <= 0:
        return invalid_quantity(product, command.quantity)
    if product.unlimited:
        return unlimited_document(product)
    level = stock.level(product.id, places[0].id)
    if level is None:
        if command.order_number is not None:
            return not_found(Code.RESERVATION_NOT_FOUND, "Active reservation of order", command.order_number)
        return _too_many(product, units, [])
    if command.order_number is None:
        holds = stock.adhoc_at(level)
    else:
        of_order = stock.holds_of_order(command.order_number, at=level)
        holds = [hold for hold in of_order if hold.active]
    holds = [hold for hold in holds if command.source in (None, hold.source)]
    if command.order_number is not None:
        if not holds:
            return not_found(Code.RESERVATION_NOT_FOUND, "Active reservation of order", command.order_number)
        if len({hold.source for hold in holds}) > 1:
            return invalid_state(
                f"Order {command.order_number} has holds of several sources: name the source.",
                candidates=[{"reservation_id": hold.id, "source": hold.source} for hold in holds],
            )
    return level, product, units, holds


# Whole orders ------------------------------------------------------------------------------------------------------


def order_reserve(stock: Stock, command: OrderReserve) -> list[ReservationDocument | UnlimitedDocument] | Rejected:
    """Decide an OrderReserve."""
    known = _holds_of_order(stock, command.order_number, command.source)
    if known:
        return [describe(stock, hold) for hold in known]
    answers: list[ReservationDocument | UnlimitedDocument] = []
    failed: list[tuple[int, Rejected]] = []
    target = Target(command.order_number, command.source)

    def hold_line(_: int, line: OrderLine) -> Reservation | UnlimitedDocument | Rejected:
        product = stock.catalog.product(line.product)
        if product is not None and product.unlimited:
            return unlimited_document(product)
        return reserve(stock, Reserve(line.product, line.quantity, command.location, target))

    for index, hold in enumerate(stock.each(command.lines, hold_line)):
        if isinstance(hold, UnlimitedDocument):
            answers.append(hold)
        elif isinstance(hold, Rejected):
            failed.append((index, hold))
        else:
            answers.append(describe(stock, hold))
    return group_rejected(failed) if failed else answers


def order_close(stock: Stock, command: OrderClose) -> list[ReservationDocument] | Rejected:
    """Decide an OrderClose; an order whose holds are closed already answers them as they are."""
    holds = _holds_of_order(stock, command.order_number, command.source)
    if not holds:
        return not_found(Code.RESERVATION_NOT_FOUND, "Reservation of order", command.order_number)
    for hold in holds:
        refused = foreign_store_refusal(stock, stock.catalog.locations[hold.location_id])
        if refused is not None:
            return refused
    wanted: dict[str, int] = {}
    stock.catalog.know_products(line.product for line in command.lines)
    for line in command.lines:
        product = stock.catalog.product(line.product)
        if product is None:
            return not_found(Code.PRODUCT_NOT_FOUND, "Product", line.product)
        units = product.units(line.quantity)
        if units is None or units <= 0:
            return invalid_quantity(product, line.quantity)
        wanted[product.id] = wanted.get(product.id, 0) + units
    parts: list[tuple[Reservation, int]] = []
    for hold in holds:
        part = hold.open if not command.lines else min(hold.open, wanted.get(hold.product_id, 0))
        if not hold.active or not part:
            continue
        if command.consume and part > hold.allocated:
            product = stock.product_of(stock.level_of_id[hold.level_id])
            return _too_many(product, part, [hold])
        if command.lines:
            wanted[hold.product_id] -= part
        parts.append((hold, part))
    stock.each(parts, lambda _, part: _close(stock, part[0], part[1], consume=command.consume))
    return [describe(stock, stock.reservations[hold.id]) for hold in holds]


def _close(stock: Stock, hold: Reservation, units: int, *, consume: bool) -> None:
    if consume:
        sell_units(stock, hold, units)
    else:
        release_units(stock, hold, units, "cancelled")


def _holds_of_order(stock: Stock, order_number: str, source: str) -> list[Reservation]:
    """Every hold of the order, oldest first, with its level locked."""
    return [hold for hold in stock.holds_of_order(order_number) if hold.source == source]


# Appointments ------------------------------------------------------------------------------------------------------


def book(stock: Stock, command: Book) -> AppointmentDocument:
    """Decide a Book."""
    appointment = Appointment(stock.new_id(), command.starts_at, command.customer, command.status, stock.now, stock.now)
    stock.put_record("appointment", appointment.id, appointment)
    return appointment_document(appointment)


def change_appointment(stock: Stock, command: ChangeAppointment) -> AppointmentDocument | Rejected:
    """Decide a ChangeAppointment."""
    appointment: Appointment | None = stock.record("appointment", command.appointment_id)
    if appointment is None:
        return not_found(Code.NOT_FOUND, "Appointment", command.appointment_id)
    status = appointment.status if isinstance(command.status, UnsetType) else command.status
    if appointment.status != "booked" and status != appointment.status:
        return invalid_state(f"The appointment is {appointment.status}.")
    if appointment.status == "booked" and status != "booked":
        holds = stock.holds_of_target(appointment.id)
        waiting = next((hold for hold in holds if hold.backordered), None)
        if status == "completed" and waiting is not None:
            return _too_many(stock.product_of(stock.level_of_id[waiting.level_id]), waiting.open, [waiting])
        stock.each(holds, lambda _, hold: _close(stock, hold, hold.open, consume=status == "completed"))
    changes = given(command, "appointment_id")
    appointment = msgspec.structs.replace(appointment, **changes, updated_at=stock.now)
    stock.put_record("appointment", appointment.id, appointment)
    return appointment_document(appointment)


def appointment_document(appointment: Appointment) -> AppointmentDocument:
    """The public shape of an appointment."""
    return AppointmentDocument(
        appointment.id,
        instant_text(appointment.starts_at),
        appointment.customer,
        appointment.status,
        instant_text(appointment.created_at),
        instant_text(appointment.updated_at),
    )


DECISIONS = (
    Decision(ReserveAtLevel, reserve_at_level, Permission.RESERVE),
    Decision(ReleaseAtLevel, release_at_level, Permission.RESERVE),
    Decision(ConsumeAtLevel, consume_at_level, Permission.RESERVE),
    Decision(OrderReserve, order_reserve, Permission.RESERVE),
    Decision(OrderClose, order_close, Permission.RESERVE),
    Decision(Book, book, Permission.STOCK),
    Decision(ChangeAppointment, change_appointment, Permission.STOCK),
)
