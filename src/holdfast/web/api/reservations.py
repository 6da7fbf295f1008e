"""Reservations over HTTP: promise, change, consume, give back, one by one or up to 1,000 at once.

    POST /api/v1/inventory-reservations {"product_id": "MUG-1", "quantity": 2, "order_number": "102"}   -> 201
    POST /api/v1/inventory-reservations/batch {"operations": [{"op": "reserve", ...}, ...]}             -> 200

The hot path of the whole service: bodies are decoded straight into Structs, and Structs into commands.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.access import Permission
from holdfast.core.decide import OPERATIONS_MAX, Refusal
from holdfast.core.records.command import Command, CommandGroup
from holdfast.core.records.documents import ReservationDocument
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.reserve import PRIORITY_DEFAULT, Consume, Release, Reserve, Target
from holdfast.reports import Reports
from holdfast.web.http import problems
from holdfast.web.http.problems import Problem, invalid, not_found, problem_document
from holdfast.web.http.route import (
    PAGED,
    STORE,
    Call,
    Pages,
    PlannedCommand,
    Route,
    encode,
    found,
    reference,
    uuid_text,
)
from holdfast.web.http.strict_json import BATCH_BODY_MAX, Instant, Text, instant

TAG = "Reservations"
Priority = Annotated[int, Meta(ge=0, le=1_000_000)]
TARGET_TYPES = ("appointment", "transaction")

NO_ID = "00000000-0000-0000-0000-000000000000"
"""A UUID that nothing has."""

_NO_SUCH = (Code.RESERVATION_NOT_FOUND,)


class ReserveBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What to hold, how much of it, where, for whom (an order, a sale line, an appointment ...) and until when."""

    one_of: ClassVar = (("order_number",), ("sale_line_id",), ("reserved_for_type", "reserved_for_id"))
    """The fields that name for whom: one of these groups has to be given."""

    product_id: Text
    quantity: Number
    location: Text | None = None
    sale_line_id: Text | None = None
    reserved_for_type: Text | None = None
    reserved_for_id: Text | None = None
    order_number: Text | None = None
    source: Text | None = None
    lot_id: Text | None = None
    expires_at: Instant | None = None
    priority: Priority | None = None
    override: bool = False


class AmendBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a reservation: its new total, its expiry (null: none), its priority, its location."""

    quantity: Number | UnsetType = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    location: Text | UnsetType = UNSET


class ReleaseBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """How much to give back (default: all that is open), why, and of which lot."""

    quantity: Number | None = None
    reason: Text | None = None
    lot_id: Text | None = None


class FulfillBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """How much to consume (default: all that is open), and of which lot."""

    quantity: Number | None = None
    lot_id: Text | None = None


class ReserveOperation(ReserveBody, tag_field="op", tag="reserve", forbid_unknown_fields=True, gc=False):
    """A reservation to make."""


class ReleaseOperation(msgspec.Struct, tag_field="op", tag="release", forbid_unknown_fields=True, gc=False):
    """A reservation to release, or a part of it."""

    reservation_id: Text
    quantity: Number | None = None
    reason: Text | None = None
    lot_id: Text | None = None


class FulfillOperation(msgspec.Struct, tag_field="op", tag="fulfill", forbid_unknown_fields=True, gc=False):
    """A reservation to fulfil, or a part of it."""

    reservation_id: Text
    quantity: Number | None = None
    lot_id: Text | None = None


Operation = ReserveOperation | ReleaseOperation | FulfillOperation


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 1,000 operations; all or nothing unless `atomic` is false."""

    operations: Annotated[list[Operation], Meta(min_length=1, max_length=OPERATIONS_MAX)]
    atomic: bool = True


class Result(msgspec.Struct, gc=False):
    """What one operation answered: the status and the body that it would have had alone."""

    status: int
    body: Any


class Results(msgspec.Struct, gc=False):
    """The results in the order of the operations."""

    results: list[Result]


_FOR_WHOM = (
    "is required: a reservation is for an order (order_number), a sale line (sale_line_id), or an appointment or "
    "transaction (reserved_for_type and reserved_for_id). POST /store/inventory/reserve holds units for nobody."
)


# Commands ------------------------------------------------------------------------------------------------------------


def target_of(body: ReserveBody) -> Target:
    """For whom the hold is: one of sale line, appointment or transaction, order. A hold for nobody is refused here."""
    if body.sale_line_id is None and body.reserved_for_type is None and body.reserved_for_id is None:
        if body.order_number is None:
            raise invalid("order_number", _FOR_WHOM)
        return Target(body.order_number, "manual" if body.source is None else body.source)
    named = (body.sale_line_id, body.reserved_for_type or body.reserved_for_id, body.order_number)
    if sum(name is not None for name in named) > 1:
        raise invalid(
            "order_number" if body.order_number is not None else "sale_line_id",
            "a reservation is for a sale line, for an appointment or transaction, or for an order: name one.",
        )
    source = "manual" if body.source is None else body.source
    if body.sale_line_id is not None:
        return Target(None, source, sale_line_id=_target_id("Sale line", body.sale_line_id))
    if body.reserved_for_type is None:
        raise invalid("reserved_for_type", "is required with reserved_for_id.")
    if body.reserved_for_id is None:
        raise invalid("reserved_for_id", "is required with reserved_for_type.")
    if body.reserved_for_type not in TARGET_TYPES:
        raise invalid("reserved_for_type", f"must be one of {', '.join(TARGET_TYPES)}.", Code.INVALID_TARGET_TYPE)
    what = body.reserved_for_type.capitalize()
    return Target(None, source, body.reserved_for_type, _target_id(what, body.reserved_for_id))


def _target_id(what: str, text: str) -> str:
    found_id = uuid_text(text)
    if found_id is None:
        raise not_found(Code.TARGET_NOT_FOUND, what, text)
    return found_id


def lot_id_of(text: str | None) -> str | None:
    """A lot's id; what is no UUID names no lot."""
    if text is None:
        return None
    lot_id = uuid_text(text)
    if lot_id is None:
        raise not_found(Code.LOT_NOT_FOUND, "Lot", text)
    return lot_id


def reserve_of(body: ReserveBody) -> Reserve:
    """The command of a reservation's body."""
    target = target_of(body)
    expires_at = None if body.expires_at is None else instant("expires_at", body.expires_at, Code.INVALID_EXPIRY)
    return Reserve(
        reference(body.product_id),
        body.quantity,
        body.location,
        target,
        None if body.lot_id is None else lot_id_of(body.lot_id),
        expires_at,
        PRIORITY_DEFAULT if body.priority is None else body.priority,
        body.override,
    )


def _reservation_id(text: str) -> str:
    reservation_id = uuid_text(text)
    if reservation_id is None:
        raise not_found(Code.RESERVATION_NOT_FOUND, "Reservation", text)
    return reservation_id


def plan_reserve(call: Call) -> Command:
    """Hold units."""
    return reserve_of(call.body)


def plan_amend(call: Call) -> Command:
    """Change a reservation."""
    body: AmendBody = call.body
    reservation_id = call.id(Code.RESERVATION_NOT_FOUND, "Reservation")
    expires_at = body.expires_at
    return Amend(
        reservation_id,
        None if body.quantity is UNSET else body.quantity,
        None if body.priority is UNSET else body.priority,
        instant("expires_at", expires_at, Code.INVALID_EXPIRY) if isinstance(expires_at, str) else None,
        expires_at is not UNSET,
        None if body.location is UNSET else body.location,
    )


def plan_release(call: Call) -> Command:
    """Give back a reservation or a part of it."""
    body: ReleaseBody = call.body
    reservation_id = call.id(Code.RESERVATION_NOT_FOUND, "Reservation")
    return Release(reservation_id, body.quantity, body.reason, lot_id_of(body.lot_id))


def plan_fulfill(call: Call) -> Command:
    """Consume a reservation or a part of it."""
    body: FulfillBody = call.body
    reservation_id = call.id(Code.RESERVATION_NOT_FOUND, "Reservation")
    return Consume(reservation_id, body.quantity, lot_id_of(body.lot_id))


def _command_of(operation: Operation) -> Command:
    if type(operation) is ReserveOperation:
        return reserve_of(operation)
    if type(operation) is ReleaseOperation:
        lot_id = lot_id_of(operation.lot_id)
        return Release(_reservation_id(operation.reservation_id), operation.quantity, operation.reason, lot_id)
    assert type(operation) is FulfillOperation
    return Consume(_reservation_id(operation.reservation_id), operation.quantity, lot_id_of(operation.lot_id))


def plan_batch(call: Call) -> PlannedCommand:
    """Do many operations in one transaction."""
    body: BatchBody = call.body
    commands: list[Command] = []
    refused: dict[int, Problem] = {}
    for index, operation in enumerate(body.operations):
        try:
            commands.append(_command_of(operation))
        except Problem as problem:
            if problem.code == "INVALID_REQUEST":
                field = problem.numbers.get("field", "")
                raise invalid(f"operations.{index}.{field}", problem.detail.removeprefix(f"{field}: ")) from None
            refused[index] = problem
    if refused and body.atomic:
        raise _fallen(refused)
    statuses = [201 if type(one) is ReserveOperation else 200 for one in body.operations]
    request_id = call.request_id
    if not commands:
        commands.append(Release(NO_ID))  # a group cannot be empty; the answer is kept for the key as that of any batch

    def render(answers: list[Any]) -> bytes:
        results = []
        given = iter(answers)
        for index, status in enumerate(statuses):
            if refused and index in refused:
                results.append(_refused(refused[index], request_id))
                continue
            answer = next(given)
            if type(answer) is Refusal:
                results.append(_refused(problems.problem_of(answer.rejected), request_id))
            else:
                results.append(Result(status, answer))
        return encode(Results(results))

    return PlannedCommand(CommandGroup(tuple(commands), body.atomic), render)


def _refused(problem: Problem, request_id: str) -> Result:
    document = problem_document(problem.code, problem.detail, request_id, problem.numbers)
    return Result(problem.status, document)


def _fallen(refused: dict[int, Problem]) -> Problem:
    """An atomic batch with members that cannot be: the first one's code, and a line for each."""
    first = next(iter(refused.values()))
    lines = [
        {
            "index": index,
            "code": problem.code,
            "product_id": None,
            "requested": None,
            "available": None,
            "detail": problem.detail,
        }
        for index, problem in refused.items()
    ]
    return Problem(first.code, first.detail, numbers={**first.numbers, "lines": lines})


def require_names(call: Call) -> None:
    """Raise the 404 of the product or location that a reservation names and that does not exist."""
    body: ReserveBody = call.body
    require_product(call, body.product_id)
    if body.location is not None:
        require_location(call, body.location)


def require_product(call: Call, name: str) -> None:
    """Raise the 404 of a product that does not exist."""
    product = call.shop.reports.product_by_code(call.actor.org_id, sku=name) or call.shop.reports.product(
        call.actor.org_id, reference(name)
    )
    found(product, Code.PRODUCT_NOT_FOUND, "Product", name)


def require_location(call: Call, name: str) -> None:
    """Raise the 404 of a location that does not exist."""
    place = call.shop.reports.location(call.actor.org_id, name)
    found(place, Code.LOCATION_NOT_FOUND, "Location", name)


# Reads ---------------------------------------------------------------------------------------------------------------


def read_reservation(call: Call) -> Any:
    """One reservation."""
    reservation_id = call.id(Code.RESERVATION_NOT_FOUND, "Reservation")
    one = call.shop.reports.reservation(call.actor.org_id, reservation_id, stores=call.stores)
    return found(one, Code.RESERVATION_NOT_FOUND, "Reservation", reservation_id)


_HOLD_CODES = (
    Code.RESERVATION_NOT_FOUND,
    Code.LOT_NOT_FOUND,
    Code.INVALID_QUANTITY,
    Code.INSUFFICIENT_RESERVED,
    Code.RESERVATION_NOT_ACTIVE,
)
_RESERVE_CODES = (
    Code.PRODUCT_NOT_FOUND,
    Code.LOCATION_NOT_FOUND,
    Code.LOT_NOT_FOUND,
    Code.TARGET_NOT_FOUND,
    Code.INVALID_QUANTITY,
    Code.INVALID_TARGET_TYPE,
    Code.INVALID_EXPIRY,
    Code.PRODUCT_NOT_STOCK_TRACKED,
    Code.INSUFFICIENT_STOCK,
    Code.LOT_NOT_AVAILABLE,
    Code.INVALID_STATE,
)
_PATH = "/api/v1/inventory-reservations"

ROUTES = (
    Route(
        method="POST",
        path=_PATH,
        summary="Hold units of a product",
        about="It is for an order (`order_number`, `source`), a sale line, an appointment or a transaction: a hold for "
        "nobody is refused. Without `location` it is held at the first location, in selling order, that can fill it "
        "alone: one of your stores, or for callers of all stores one that ships online. If none can and the product "
        "may wait, at the one that backs most of it. With `override` a manager may promise units of a product that "
        "denies it (`oversell`): the shortfall is backordered. For an order that is a sale already the units are held "
        "for what its lines of the product lack, with the expiry of the sale: they may be fewer than were asked, and "
        "where nothing lacks the answer is the hold that is there.",
        tag=TAG,
        permission=Permission.RESERVE,
        plan=plan_reserve,
        missing=require_names,
        body=ReserveBody,
        answer=ReservationDocument,
        status=201,
        codes=_RESERVE_CODES,
        example={"product_id": "MUG-1", "quantity": 2, "location": "MAIN", "order_number": "10234"},
    ),
    Route(
        method="GET",
        path=_PATH,
        summary="List reservations",
        tag=TAG,
        permission=Permission.READ,
        answer_with=Pages(Reports.reservations),
        answer=[ReservationDocument],
        query=(STORE, *PAGED),
    ),
    Route(
        method="POST",
        path=f"{_PATH}/batch",
        summary="Reserve, release and fulfil up to 1,000 times at once",
        about="All operations are decided in one transaction, in order. Atomic (the default): all or none; the "
        "failure has the first refused operation's status and code, and `lines` names each.",
        tag=TAG,
        permission=Permission.RESERVE,
        plan=plan_batch,
        body=BatchBody,
        answer=Results,
        codes=(*_RESERVE_CODES, Code.RESERVATION_NOT_FOUND, Code.INSUFFICIENT_RESERVED, Code.RESERVATION_NOT_ACTIVE),
        example={
            "operations": [
                {"op": "reserve", "product_id": "MUG-1", "quantity": 2, "order_number": "10234"},
                {"op": "reserve", "product_id": "TEE-S", "quantity": 1, "order_number": "10234"},
            ]
        },
        body_max=BATCH_BODY_MAX,
    ),
    Route(
        method="GET",
        path=f"{_PATH}/{{id}}",
        summary="Read a reservation",
        tag=TAG,
        permission=Permission.READ,
        answer_with=read_reservation,
        answer=ReservationDocument,
        codes=_NO_SUCH,
    ),
    Route(
        method="PATCH",
        path=f"{_PATH}/{{id}}",
        summary="Change a reservation's quantity, expiry, priority or location",
        about="`quantity` is the new total: one below what is consumed and released already is refused "
        "(`INVALID_STATE`). `expires_at` null means never. `location` moves all that is open, under the checks of a "
        "new reservation there; what waits keeps its place in the queue, and the reservation moves by itself no more.",
        tag=TAG,
        permission=Permission.RESERVE,
        plan=plan_amend,
        missing=read_reservation,
        body=AmendBody,
        answer=ReservationDocument,
        codes=(
            Code.RESERVATION_NOT_FOUND,
            Code.LOCATION_NOT_FOUND,
            Code.INVALID_QUANTITY,
            Code.INVALID_EXPIRY,
            Code.INSUFFICIENT_STOCK,
            Code.LOT_NOT_AVAILABLE,
            Code.RESERVATION_NOT_ACTIVE,
            Code.INVALID_STATE,
        ),
        example={"quantity": 3, "expires_at": None},
    ),
    Route(
        method="POST",
        path=f"{_PATH}/{{id}}/release",
        summary="Give a reservation back, or a part of it",
        about="The units go back to the lots that they came from. `lot_id` gives back what that lot backs.",
        tag=TAG,
        permission=Permission.RESERVE,
        plan=plan_release,
        body=ReleaseBody,
        answer=ReservationDocument,
        codes=_HOLD_CODES,
        example={"quantity": 1, "reason": "customer changed their mind"},
    ),
    Route(
        method="POST",
        path=f"{_PATH}/{{id}}/fulfill",
        summary="Consume a reservation, or a part of it",
        about="The units leave their lots; what no stock backs yet cannot be consumed. `lot_id` consumes what that lot "
        "backs.",
        tag=TAG,
        permission=Permission.RESERVE,
        plan=plan_fulfill,
        body=FulfillBody,
        answer=ReservationDocument,
        codes=_HOLD_CODES,
        example={"quantity": 1},
    ),
)
