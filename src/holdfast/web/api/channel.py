"""Whole orders of Shopify: reserve, cancel, convert to a sale; outside /api/v1, where the seeds' clients call it.

    POST /shopify/reserve {"order_id": 820982911946154508, "lines": [{"sku": "MUG-1", "quantity": 2}]}

Shopify tells of an order that it has taken, so what stock does not cover waits, with `"conflict": true`. Idempotent by
order and action: the same order again answers what it holds, and changes nothing. Lines given to cancel
or convert are a part of the order, and a part names itself: the same lines again are a retry and get the first answer,
unless the client tells them apart by Idempotency-Keys of its own.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.fingerprint import OWN_KEY
from holdfast.core.records.command import Command
from holdfast.core.records.number import PRECISION_MAX, QUANTITY_MAX, Number, exact_scaled
from holdfast.core.records.rejection import Code
from holdfast.core.reservations.order_holds import OrderClose, OrderLine, OrderReserve
from holdfast.web.api.receiving import LINES_MAX
from holdfast.web.api.reservations import Result, Results
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import Call, PlannedCommand, Route, encode, reference
from holdfast.web.http.strict_json import Text

SOURCE = "shopify"


class ShopifyLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the order."""

    sku: Text
    quantity: Number


class ShopifyReserveBody(msgspec.Struct, forbid_unknown_fields=True):
    """The order and what it needs."""

    order_id: Text | int
    lines: Annotated[list[ShopifyLine], Meta(min_length=1, max_length=LINES_MAX)]
    location: Text | None = None


class ShopifyCloseBody(msgspec.Struct, forbid_unknown_fields=True):
    """The order; `lines` limits it to those products and quantities."""

    order_id: Text | int
    lines: Annotated[list[ShopifyLine], Meta(max_length=LINES_MAX)] | None = None
    location: Text | None = None


def _order_number(order_id: str | int) -> str:
    number = str(order_id)
    if len(number) > 200:
        raise invalid("order_id", "must have at most 200 characters.")
    return number


def _lines(lines: list[ShopifyLine] | None) -> tuple[OrderLine, ...]:
    return tuple(OrderLine(reference(line.sku), line.quantity) for line in lines or ())


def _rendered(status: int) -> Any:
    def render(answers: list[Any]) -> bytes:
        return encode(Results([Result(status, answer) for answer in answers]))

    return render


def plan_reserve(call: Call) -> PlannedCommand:
    """Hold an order's lines."""
    body: ShopifyReserveBody = call.body
    command = OrderReserve(_order_number(body.order_id), SOURCE, _lines(body.lines), body.location)
    return PlannedCommand(command, _rendered(201))


def _natural_key(call: Call, body: ShopifyCloseBody, action: str) -> str | None:
    """The key of a part of an order: the same action, order and lines, whatever way they are written and ordered.

    Who is limited to stores has keys of their own, and so never hears what was answered to others. Quantities that no
    product can have are refused anyway.
    """
    wanted: dict[str, int] = {}
    for line in body.lines or ():
        units = exact_scaled(line.quantity, PRECISION_MAX, QUANTITY_MAX * 10**PRECISION_MAX)
        if units is None:
            return None
        name = reference(line.sku)
        wanted[name] = wanted.get(name, 0) + units
    said = encode([action, _order_number(body.order_id), sorted(wanted.items()), sorted(call.actor.stores)])
    return f"{OWN_KEY}{SOURCE}/{action} {hashlib.sha256(said).hexdigest()}"


def _plan_close(call: Call, *, consume: bool) -> PlannedCommand:
    body: ShopifyCloseBody = call.body
    if body.lines and call.key is None:
        call.key = _natural_key(call, body, "convert-to-sale" if consume else "cancel")
    command: Command = OrderClose(_order_number(body.order_id), SOURCE, consume, _lines(body.lines))
    return PlannedCommand(command, _rendered(200))


def plan_cancel(call: Call) -> PlannedCommand:
    """Give back what an order holds."""
    return _plan_close(call, consume=False)


def plan_convert(call: Call) -> PlannedCommand:
    """Consume what an order holds."""
    return _plan_close(call, consume=True)


_CLOSE = (Code.RESERVATION_NOT_FOUND, Code.PRODUCT_NOT_FOUND, Code.INVALID_QUANTITY)


_PART = (
    "Idempotent by order and action. `lines` limits it to a part of the order: the same lines sent again without an "
    "`Idempotency-Key` are a retry, answered as the first was (`Idempotent-Replayed: true`) and done once; other lines "
    "are a further part. To do the same part twice on purpose, send each with an `Idempotency-Key` of its own."
)


def _route(
    action: str,
    plan: Any,
    body: type[Any],
    summary: str,
    codes: tuple[str, ...],
    about: str = "Idempotent by order and action.",
) -> Route:
    return Route(
        method="POST",
        path=f"/shopify/{action}",
        summary=summary,
        about=about,
        tag="Shopify",
        permission=Permission.RESERVE,
        plan=plan,
        body=body,
        answer=Results,
        codes=codes,
        example={"order_id": 820982911946154508, "lines": [{"sku": "MUG-1", "quantity": 2}]},
    )


ROUTES = (
    _route(
        "reserve",
        plan_reserve,
        ShopifyReserveBody,
        "Hold an order's lines, all or nothing",
        (Code.PRODUCT_NOT_FOUND, Code.LOCATION_NOT_FOUND, Code.INVALID_QUANTITY),
        'Shopify has taken the order, so what stock does not cover waits, with `"conflict": true`. Idempotent by '
        "order: an order that has holds, or is a sale already, answers what it holds.",
    ),
    _route("cancel", plan_cancel, ShopifyCloseBody, "Give back what an order holds", _CLOSE, _PART),
    _route(
        "convert-to-sale",
        plan_convert,
        ShopifyCloseBody,
        "Consume what an order holds",
        (*_CLOSE, Code.INSUFFICIENT_RESERVED),
        _PART,
    ),
)
