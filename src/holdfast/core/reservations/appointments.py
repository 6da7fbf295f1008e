"""Appointments: units are held for somebody who comes at a time, and leave or go back when the appointment ends.

Book(store="MAIN", starts_at=...)                      -> an appointment; holds name it
ChangeAppointment(id, status="completed")              -> its holds are consumed
ChangeAppointment(id, status="cancelled")              -> its holds are released
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.field import Instant
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import (
    Code,
    Refused,
    invalid_state,
    malformed,
    not_found,
)
from holdfast.core.records.status import APPOINTMENT, BOOKED, COMPLETED, AppointmentStatus, Transitions
from holdfast.core.records.time import instant_text
from holdfast.core.reservations.order_holds import sell_or_release, too_many
from holdfast.core.stock.gate import OTHER_STORE, is_of
from holdfast.core.stock.posting import Stock


class Appointment(msgspec.Struct, frozen=True, gc=False):
    """An appointment that holds can name; `status` is booked, completed or cancelled.

    `store_id` is where it takes place; None: it is the organisation's, and nobody of single stores sees it.
    """

    transitions: ClassVar[Transitions] = APPOINTMENT

    id: str
    starts_at: int
    customer: str | None
    status: str
    created_at: int
    updated_at: int
    store_id: str | None = None


class Book(Command, frozen=True, gc=False):
    """Make an appointment in the store that is named (id or code), else in the only one that can be meant.

    Without either a caller of all stores makes one of no store; who acts in several stores must name one.
    """

    starts_at: Instant
    customer: str | None = None
    status: AppointmentStatus = BOOKED
    store_id: str | None = None


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
    store_id: str | None
    created_at: str
    updated_at: str


def book(stock: Stock, command: Book) -> AppointmentDocument:
    """Decide a Book."""
    store_id = _store_of_appointment(stock, command.store_id)
    appointment = Appointment(
        id=stock.new_id(),
        starts_at=command.starts_at,
        customer=command.customer,
        status=command.status,
        created_at=stock.now,
        updated_at=stock.now,
        store_id=store_id,
    )
    stock.put_record("appointment", appointment.id, appointment)
    return appointment_document(appointment)


def _store_of_appointment(stock: Stock, named: str | None) -> str | None:
    """The store that is named, or the only one that can be meant; a caller with several stores must name one."""
    stores = stock.caller.stores
    if named is not None:
        store = stock.catalog.store(named)
        if store is None:
            raise not_found(Code.STORE_NOT_FOUND, "Store", named)
        if stores is not None and store.id not in stores:
            raise Refused(Code.FORBIDDEN, OTHER_STORE)
        return store.id
    meant = stores or {store.id for store in stock.catalog.stores.values() if store.active}
    if len(meant) == 1:
        return next(iter(meant))
    if stores is not None:
        raise malformed("store_id", "is required: you act in several stores.")
    return None


def change_appointment(stock: Stock, command: ChangeAppointment) -> AppointmentDocument:
    """Decide a ChangeAppointment."""
    appointment: Appointment | None = stock.record("appointment", command.appointment_id)
    if appointment is None:
        raise not_found(Code.NOT_FOUND, "Appointment", command.appointment_id)
    if not is_of(stock, stock.caller.stores, appointment):
        raise Refused(Code.FORBIDDEN, OTHER_STORE)
    status = appointment.status if isinstance(command.status, UnsetType) else command.status
    if appointment.status != BOOKED and status != appointment.status:
        raise invalid_state(f"The appointment is {appointment.status}.")
    if appointment.status == BOOKED and status != BOOKED:
        holds = stock.holds_of_target(appointment.id)
        waiting = next((hold for hold in holds if hold.backordered), None)
        if status == COMPLETED and waiting is not None:
            raise too_many(stock.product_of(stock.level_of_id[waiting.level_id]), waiting.open, [waiting])
        sell_or_release(stock, [(hold, hold.open) for hold in holds], consume=status == COMPLETED)
    changes = given(command, "appointment_id")
    appointment = msgspec.structs.replace(appointment, **changes, updated_at=stock.now)
    stock.put_record("appointment", appointment.id, appointment)
    return appointment_document(appointment)


def appointment_document(appointment: Appointment) -> AppointmentDocument:
    """The public shape of an appointment."""
    return AppointmentDocument(
        id=appointment.id,
        starts_at=instant_text(appointment.starts_at),
        customer=appointment.customer,
        status=appointment.status,
        store_id=appointment.store_id,
        created_at=instant_text(appointment.created_at),
        updated_at=instant_text(appointment.updated_at),
    )


DECISIONS = (
    Decision(Book, book, Permission.STOCK),
    Decision(ChangeAppointment, change_appointment, Permission.STOCK),
)
