"""Goods received over HTTP, and lots afterwards: where they came from, lie and went; recall.

POST /api/v1/receipts {"location": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 10, "unit_cost": "3.50"}]}
POST /api/v1/inventory/lots/{id}/quarantine {"reason": "supplier recall 17"}
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zlib import crc32

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.records.command import Command
from holdfast.core.records.field import Gtin
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.warehouse.quarantine import LotsDocument, Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptDocument, ReceiptLine, Receive
from holdfast.db.queries.trace import OrderFilter
from holdfast.reports import Reports
from holdfast.web.api.reservations import require_location, require_product
from holdfast.web.api.shapes import LotRow, OrderLot, Trace, without_costs
from holdfast.web.http.arrays import PARTS, part_of
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route, found, reference
from holdfast.web.http.strict_json import Text, expiry

LINES_MAX = 1000
"""Most lines of a receipt, count or transfer."""


class ReceiptLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """What came in: `unit_cost` (up to six places) or `line_cost`; `expires_at` is an instant or a day."""

    product_id: Text
    quantity: Number
    unit_cost: Text | None = None
    line_cost: Text | None = None
    lot_code: Text | None = None
    expires_at: Text | None = None
    gtin: Gtin | None = None


class ReceiptBody(msgspec.Struct, forbid_unknown_fields=True):
    """Goods that arrived at a location."""

    location: Text
    lines: Annotated[list[ReceiptLineBody], Meta(min_length=1, max_length=LINES_MAX)]
    kind: Literal["purchase", "finished_batch", "opening"] = "purchase"
    reference: Text | None = None
    supplier: Text | None = None


class QuarantineBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why the lot is taken off sale."""

    reason: Text | None = None


class LotPartBody(msgspec.Struct, forbid_unknown_fields=True):
    """How much of the lot, and where."""

    location: Text | None = None
    quantity: Number | None = None
    reason: Text | None = None


def plan_receive(call: Call) -> Command:
    """Receive goods."""
    body: ReceiptBody = call.body
    lines = []
    for index, line in enumerate(body.lines):
        if line.unit_cost is not None and line.line_cost is not None:
            raise invalid(f"lines.{index}.line_cost", "give the unit cost or the line cost, not both.")
        expires_at, expires_on = expiry(f"lines.{index}.expires_at", line.expires_at)
        lines.append(
            ReceiptLine(
                reference(line.product_id),
                line.quantity,
                line.unit_cost,
                line.line_cost,
                line.lot_code,
                expires_at,
                expires_on,
                line.gtin,
            )
        )
    return Receive(body.location, tuple(lines), body.kind, body.reference, body.supplier)


def require_names(call: Call) -> None:
    """Raise the 404 of the location or product that a receipt names and that does not exist."""
    body: ReceiptBody = call.body
    require_location(call, body.location)
    for name in sorted({line.product_id for line in body.lines}):
        require_product(call, name)


def _lot_id(call: Call) -> str:
    return call.id(Code.LOT_NOT_FOUND, "Lot")


def plan_quarantine(call: Call) -> Command:
    """Take a lot off sale everywhere."""
    return Quarantine(_lot_id(call), call.body.reason)


def plan_readmit(call: Call) -> Command:
    """Bring a lot back from quarantine."""
    body: LotPartBody = call.body
    return ReleaseFromQuarantine(_lot_id(call), body.location, body.quantity, body.reason)


def plan_write_off(call: Call) -> Command:
    """Lose a lot's units."""
    body: LotPartBody = call.body
    return WriteOff(_lot_id(call), body.location, body.quantity, body.reason)


def read_trace(call: Call) -> Any:
    """Where a lot came from, lies and went."""
    lot_id = _lot_id(call)
    return found(
        call.shop.reports.trace(call.actor.org_id, lot_id, stores=call.stores), Code.LOT_NOT_FOUND, "Lot", lot_id
    )


def read_order_lots(call: Call) -> Any:
    """The lots that an order got."""
    name = call.args["order_number"]
    source = call.filter.source
    rows = call.shop.reports.order_lots(call.actor.org_id, name, source=source, stores=call.stores)
    if rows is None:
        of_source = "" if source is None else f" of {source!r}"
        raise Problem("NOT_FOUND", f"Nothing is known of order {name!r}{of_source}.")
    return part_of(rows, lambda row: f"{row['lot_id']} {row['location']} {crc32(str(row['source']).encode())}", call)


_LOT_PATH = "/api/v1/inventory/lots"
_PART = (
    Code.LOT_NOT_FOUND,
    Code.LOCATION_NOT_FOUND,
    Code.INVALID_QUANTITY,
    Code.INSUFFICIENT_STOCK,
)


def _lot_route(action: str, plan: Any, body: type[Any], summary: str, about: str, codes: tuple[str, ...]) -> Route:
    return Route(
        method="POST",
        path=f"{_LOT_PATH}/{{id}}/{action}",
        summary=summary,
        about=about,
        tag="Lots",
        permission=Permission.MANAGE,
        plan=plan,
        body=body,
        answer=LotsDocument,
        codes=codes,
        example={"reason": "supplier recall 17"},
    )


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/receipts",
        summary="Receive goods",
        about="A line becomes a lot, or joins the lot of the same code, cost and expiry. Who waits is served first. A "
        "line without `unit_cost` and `line_cost` is worth 0, and leaves the product's last receipt cost as it was.",
        tag="Receiving",
        permission=Permission.STOCK,
        plan=plan_receive,
        missing=require_names,
        body=ReceiptBody,
        answer=ReceiptDocument,
        status=201,
        codes=(
            Code.PRODUCT_NOT_FOUND,
            Code.LOCATION_NOT_FOUND,
            Code.INVALID_QUANTITY,
            Code.INVALID_AMOUNT,
            Code.INVALID_EXPIRY,
            Code.PRODUCT_NOT_STOCK_TRACKED,
            Code.LOT_NOT_AVAILABLE,
        ),
        example={
            "location": "MAIN",
            "reference": "PO-77",
            "lines": [
                {
                    "product_id": "MUG-1",
                    "quantity": 10,
                    "unit_cost": "3.50",
                    "lot_code": "A7",
                    "expires_at": "2031-05-31",
                }
            ],
        },
    ),
    Route(
        method="GET",
        path=_LOT_PATH,
        summary="List lots, a row per lot and location",
        tag="Lots",
        permission=Permission.READ,
        answer_with=Pages(Reports.lots),
        hide=without_costs,
        answer=[LotRow],
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path=f"{_LOT_PATH}/{{id}}/trace",
        summary="Trace a lot: received, here, held, sold, returned",
        tag="Lots",
        permission=Permission.READ,
        answer_with=read_trace,
        hide=without_costs,
        answer=Trace,
        codes=(Code.LOT_NOT_FOUND,),
        query=(STORE,),
    ),
    _lot_route(
        "quarantine",
        plan_quarantine,
        QuarantineBody,
        "Take a lot off sale everywhere",
        "Its units move to each store's quarantine location; holds move to other lots, or wait.",
        (Code.LOT_NOT_FOUND, Code.INVALID_STATE),
    ),
    _lot_route(
        "release",
        plan_readmit,
        LotPartBody,
        "Bring a lot back from quarantine",
        "To `location`, or to where the units came from. Who waits is served first.",
        (*_PART, Code.LOT_NOT_AVAILABLE),
    ),
    _lot_route(
        "write-off",
        plan_write_off,
        LotPartBody,
        "Write off a lot's units",
        "Those in quarantine, or `quantity` of them wherever they lie, or those at `location`.",
        _PART,
    ),
    Route(
        method="GET",
        path="/api/v1/orders/{order_number}/lots",
        summary="Read which lots an order got",
        about="Orders of several sources may have one number: each row names its source, `source` asks for one.",
        tag="Lots",
        permission=Permission.READ,
        answer_with=read_order_lots,
        answer=list[OrderLot],
        codes=(Code.NOT_FOUND,),
        filter=OrderFilter,
        query=(STORE, *PARTS),
    ),
)
