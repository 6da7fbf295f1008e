"""Counts, transfers and appointments over HTTP.

POST /api/v1/counts {"location": "MAIN", "lines": [{"product_id": "MUG-1", "counted": 7}]}       -> posted
POST /api/v1/transfers {"from_location": "MAIN", "to_location": "EAST", "lines": [...]}          -> shipped
POST /api/v1/transfers/{id}/receive {"lines": [{"product_id": "MUG-1", "quantity": 8}]}          -> 4 still on the road
POST /api/v1/appointments {"starts_at": "2031-05-31T09:00:00Z", "customer": "Ana"}               -> booked
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.access import Permission
from holdfast.core.records.command import Command, given
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.reservations.appointments import AppointmentDocument, Book, ChangeAppointment
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountDocument, CountLine, FillSheet, RemoveSheetLine
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferDocument, TransferLine
from holdfast.reports import Reports
from holdfast.web.api.receiving import LINES_MAX
from holdfast.web.api.reservations import lot_id_of
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route, found, reference
from holdfast.web.http.strict_json import Instant, Nothing, Text, instant


class CountLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A product, or one of its lots, and what was counted of it (on a sheet: null is not counted yet)."""

    product_id: Text
    counted: Number | None = None
    lot_id: Text | None = None


class CountBody(msgspec.Struct, forbid_unknown_fields=True):
    """What was counted at a location; `draft` opens a sheet instead."""

    location: Text
    lines: Annotated[list[CountLineBody], Meta(max_length=LINES_MAX)]
    draft: bool = False


class FillBody(msgspec.Struct, forbid_unknown_fields=True):
    """Lines to write on an open sheet."""

    lines: Annotated[list[CountLineBody], Meta(min_length=1, max_length=LINES_MAX)]


class PostBody(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of lines that were not counted: they refuse the post, or are skipped and named in `skipped`."""

    uncounted: Literal["refuse", "skip"] = "refuse"


class TransferLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A product and how much of it; `lot_id` names the lot."""

    product_id: Text
    quantity: Number
    lot_id: Text | None = None


class TransferBody(msgspec.Struct, forbid_unknown_fields=True):
    """What goes from where to where."""

    from_location: Text
    to_location: Text
    lines: Annotated[list[TransferLineBody], Meta(min_length=1, max_length=LINES_MAX)]
    reference: Text | None = None


class ArrivedLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A product and how much of it arrived; `lost` units more will never come; `lot_id` names the lot."""

    product_id: Text
    quantity: Number
    lot_id: Text | None = None
    lost: Number | None = None


class ReceiveBody(msgspec.Struct, forbid_unknown_fields=True):
    """What arrived (default: all that is on the road); `short` writes off what is left."""

    lines: Annotated[list[ArrivedLineBody], Meta(max_length=LINES_MAX)] | None = None
    short: bool = False


class SendBackBody(msgspec.Struct, forbid_unknown_fields=True):
    """What goes back (default: all that is on the road), and why."""

    lines: Annotated[list[TransferLineBody], Meta(max_length=LINES_MAX)] | None = None
    reason: Text | None = None


AppointmentStatus = Literal["booked", "completed", "cancelled"]


class AppointmentBody(msgspec.Struct, forbid_unknown_fields=True):
    """When, and for whom."""

    starts_at: Instant
    customer: Text | None = None
    status: AppointmentStatus = "booked"
    store_id: Text | None = None


class AppointmentChange(msgspec.Struct, forbid_unknown_fields=True):
    """Move, complete or cancel: completing sells what is held for the appointment, cancelling gives it back."""

    starts_at: Instant | UnsetType = UNSET
    customer: Text | UnsetType | None = UNSET
    status: AppointmentStatus | UnsetType = UNSET


# Counts --------------------------------------------------------------------------------------------------------------


def _count_lines(lines: list[CountLineBody]) -> tuple[CountLine, ...]:
    return tuple(CountLine(reference(line.product_id), line.counted, lot_id_of(line.lot_id)) for line in lines)


def plan_count(call: Call) -> Command:
    """Count at a location."""
    body: CountBody = call.body
    if not body.lines and not body.draft:
        raise invalid("lines", "must not be empty.")
    for index, line in enumerate(body.lines):
        if line.counted is None and not body.draft:
            raise invalid(f"lines.{index}.counted", "is required: only a draft has lines that are not counted yet.")
    return Count(body.location, _count_lines(body.lines), body.draft)


def plan_fill(call: Call) -> Command:
    """Write on an open sheet."""
    return FillSheet(call.id(Code.NOT_FOUND, "Count"), _count_lines(call.body.lines))


def plan_post(call: Call) -> Command:
    """Post an open sheet."""
    return CloseSheet(call.id(Code.NOT_FOUND, "Count"), post=True, uncounted=call.body.uncounted)


def plan_remove_line(call: Call) -> Command:
    """Take a line off an open sheet."""
    return RemoveSheetLine(call.id(Code.NOT_FOUND, "Count"), call.id(Code.NOT_FOUND, "Line", "line_id"))


def plan_cancel(call: Call) -> Command:
    """Cancel an open sheet."""
    return CloseSheet(call.id(Code.NOT_FOUND, "Count"), post=False)


def read_count(call: Call) -> Any:
    """A count."""
    count_id = call.id(Code.NOT_FOUND, "Count")
    one = call.shop.reports.count(call.actor.org_id, count_id, stores=call.stores)
    return found(one, Code.NOT_FOUND, "Count", count_id)


# Transfers -----------------------------------------------------------------------------------------------------------


def _transfer_lines(lines: list[TransferLineBody]) -> tuple[TransferLine, ...]:
    return tuple(TransferLine(reference(line.product_id), line.quantity, lot_id_of(line.lot_id)) for line in lines)


def plan_dispatch(call: Call) -> Command:
    """Send units from one location to another."""
    body: TransferBody = call.body
    return Dispatch(body.from_location, body.to_location, _transfer_lines(body.lines), body.reference)


def plan_arrive(call: Call) -> Command:
    """Receive a transfer."""
    body: ReceiveBody = call.body
    lines = None if body.lines is None else _arrived_lines(body.lines)
    return ReceiveTransfer(call.id(Code.NOT_FOUND, "Transfer"), lines, body.short)


def _arrived_lines(lines: list[ArrivedLineBody]) -> tuple[TransferLine, ...]:
    return tuple(
        TransferLine(reference(line.product_id), line.quantity, lot_id_of(line.lot_id), line.lost or 0)
        for line in lines
    )


def plan_send_back(call: Call) -> Command:
    """Bring a transfer back to where it came from."""
    body: SendBackBody = call.body
    lines = None if body.lines is None else _transfer_lines(body.lines)
    return SendBack(call.id(Code.NOT_FOUND, "Transfer"), lines, body.reason)


def read_transfer(call: Call) -> Any:
    """A transfer."""
    transfer_id = call.id(Code.NOT_FOUND, "Transfer")
    one = call.shop.reports.transfer(call.actor.org_id, transfer_id, stores=call.stores)
    return found(one, Code.NOT_FOUND, "Transfer", transfer_id)


# Appointments --------------------------------------------------------------------------------------------------------


def plan_book(call: Call) -> Command:
    """Make an appointment."""
    body: AppointmentBody = call.body
    return Book(instant("starts_at", body.starts_at), body.customer, body.status, body.store_id)


def plan_change(call: Call) -> Command:
    """Move, complete or cancel an appointment."""
    body: AppointmentChange = call.body
    changes = given(body)
    if isinstance(body.starts_at, str):
        changes["starts_at"] = instant("starts_at", body.starts_at)
    return ChangeAppointment(call.id(Code.NOT_FOUND, "Appointment"), **changes)


def read_appointment(call: Call) -> Any:
    """An appointment."""
    appointment_id = call.id(Code.NOT_FOUND, "Appointment")
    one = call.shop.reports.appointment(call.actor.org_id, appointment_id, stores=call.stores)
    return found(one, Code.NOT_FOUND, "Appointment", appointment_id)


# The table -----------------------------------------------------------------------------------------------------------

_LINE = (Code.PRODUCT_NOT_FOUND, Code.LOT_NOT_FOUND, Code.INVALID_QUANTITY)
_COUNT_EXAMPLE = {"lines": [{"product_id": "MUG-1", "counted": 7}]}


def _write(method: Any, path: str, summary: str, plan: Any, answer: Any, **more: Any) -> Route:
    tag = {"counts": "Counts", "transfers": "Transfers", "appointments": "Appointments"}[path.split("/")[1]]
    return Route(
        method=method,
        path=f"/api/v1{path}",
        summary=summary,
        tag=tag,
        permission=Permission.STOCK,
        plan=plan,
        answer=answer,
        **more,
    )


def _read(path: str, summary: str, answer_with: Any, answer: Any, permission: Permission, **more: Any) -> Route:
    tag = {"counts": "Counts", "transfers": "Transfers", "appointments": "Appointments"}[path.split("/")[1]]
    return Route(
        method="GET",
        path=f"/api/v1{path}",
        summary=summary,
        tag=tag,
        permission=permission,
        answer_with=answer_with,
        answer=answer,
        **more,
    )


_MISSING = (Code.NOT_FOUND,)

ROUTES = (
    _write(
        "POST",
        "/counts",
        "Count at a location",
        plan_count,
        CountDocument,
        about="The count is the truth: the levels become what was counted, and holds give way where units are missing.",
        body=CountBody,
        status=201,
        codes=(*_LINE, Code.LOCATION_NOT_FOUND, Code.PRODUCT_NOT_STOCK_TRACKED, Code.INVALID_STATE),
        example={"location": "MAIN", **_COUNT_EXAMPLE},
    ),
    _read(
        "/counts",
        "List counts",
        Pages(Reports.counts),
        [CountDocument],
        Permission.READ,
        query=(STORE, *PAGED),
    ),
    _read("/counts/{id}", "Read a count", read_count, CountDocument, Permission.READ, codes=_MISSING),
    _write(
        "PATCH",
        "/counts/{id}",
        "Write on an open count",
        plan_fill,
        CountDocument,
        about="A line remembers what the books say at the moment when its number is written (written again: anew); "
        "null takes the number back. Lines that the sheet does not have are added.",
        body=FillBody,
        codes=(*_LINE, *_MISSING, Code.PRODUCT_NOT_STOCK_TRACKED, Code.INVALID_STATE),
        example=_COUNT_EXAMPLE,
    ),
    _write(
        "DELETE",
        "/counts/{id}/lines/{line_id}",
        "Take a line off an open count",
        plan_remove_line,
        None,
        status=204,
        codes=(*_MISSING, Code.INVALID_STATE),
    ),
    _write(
        "POST",
        "/counts/{id}/post",
        "Post an open count",
        plan_post,
        CountDocument,
        about="What moved after a line's number was written is added to it. Lines without a number refuse the post, or "
        "are left alone with `uncounted` `skip`, and `skipped` names them.",
        body=PostBody,
        codes=(*_MISSING, Code.INVALID_STATE),
        example={"uncounted": "skip"},
    ),
    _write(
        "POST",
        "/counts/{id}/cancel",
        "Cancel an open count",
        plan_cancel,
        CountDocument,
        body=Nothing,
        codes=(*_MISSING, Code.INVALID_STATE),
    ),
    _write(
        "POST",
        "/transfers",
        "Send units to another location",
        plan_dispatch,
        TransferDocument,
        about="Only unreserved units can leave. On the road they are at the organisation's transit location. A removed "
        "location that still has stock may be named as `from_location`, by its code or id.",
        body=TransferBody,
        status=201,
        codes=(
            *_LINE,
            Code.LOCATION_NOT_FOUND,
            Code.PRODUCT_NOT_STOCK_TRACKED,
            Code.INSUFFICIENT_STOCK,
            Code.LOT_NOT_AVAILABLE,
        ),
        example={"from_location": "MAIN", "to_location": "EAST", "lines": [{"product_id": "MUG-1", "quantity": 5}]},
    ),
    _read(
        "/transfers",
        "List transfers",
        Pages(Reports.transfers),
        [TransferDocument],
        Permission.READ,
        query=(STORE, *PAGED),
    ),
    _read("/transfers/{id}", "Read a transfer", read_transfer, TransferDocument, Permission.READ, codes=_MISSING),
    _write(
        "POST",
        "/transfers/{id}/receive",
        "Receive a transfer",
        plan_arrive,
        TransferDocument,
        about="In parts, as it comes: the rest stays on the road, and the transfer `shipped`, until it is received, "
        "written off (`short` for all that is left, `lost` in a line) or sent back. Then it is `received`, or "
        "`returned` when units were sent back and none arrived. Without `lines` all that is left has arrived.",
        body=ReceiveBody,
        codes=(*_MISSING, *_LINE, Code.INVALID_STATE),
        example={"lines": [{"product_id": "MUG-1", "quantity": 3}]},
    ),
    _write(
        "POST",
        "/transfers/{id}/return",
        "Send a transfer back",
        plan_send_back,
        TransferDocument,
        about="All that is on the road, or `lines` of it, is at the location again that it came from.",
        body=SendBackBody,
        codes=(*_MISSING, *_LINE, Code.INVALID_STATE),
        example={"lines": [{"product_id": "MUG-1", "quantity": 1}], "reason": "wrong colour"},
    ),
    _write(
        "POST",
        "/appointments",
        "Make an appointment",
        plan_book,
        AppointmentDocument,
        about="It takes place in a store: the one that `store_id` names, or the only one that you can mean.",
        body=AppointmentBody,
        status=201,
        codes=(Code.STORE_NOT_FOUND,),
        example={"starts_at": "2031-05-31T09:00:00Z", "customer": "Ana"},
    ),
    _read(
        "/appointments",
        "List appointments",
        Pages(Reports.appointments),
        [AppointmentDocument],
        Permission.STOCK,
        query=PAGED,
    ),
    _read(
        "/appointments/{id}",
        "Read an appointment",
        read_appointment,
        AppointmentDocument,
        Permission.STOCK,
        codes=_MISSING,
    ),
    _write(
        "PATCH",
        "/appointments/{id}",
        "Move, complete or cancel an appointment",
        plan_change,
        AppointmentDocument,
        about="Completing consumes every hold that names the appointment, cancelling releases them.",
        body=AppointmentChange,
        codes=(*_MISSING, Code.INSUFFICIENT_RESERVED, Code.INVALID_STATE),
        example={"status": "completed"},
    ),
)
