"""Sales over HTTP: carts, the shared queue, completing, shipping in parts, and what suppliers ship.

    POST /api/v1/sales {"lines": [{"product_id": "MUG-1", "quantity": 2}]}                   -> 201, open, 2 held
    POST /api/v1/sales/{id}/suspend, /resume, /cancel                                        -> the sale
    POST /api/v1/sales/{id}/complete {"payments": [{"method": "cash", "amount": "25.00"}]}   -> completed, change 1.00

Every one of them answers the sale. What a line or a payment looks like is in `asked`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.access import Permission
from holdfast.core.records.command import Command, given
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.records.sale import LINES_MAX
from holdfast.core.sales.cart import AddLine, CancelSale, ChangeSale, EditLine, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, ShipSupplierOrder
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.documents import SaleDocument
from holdfast.core.sales.order_entry import OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.supplier_orders import SupplierOrderDocument
from holdfast.reports import Reports
from holdfast.web.api.exchange import ExchangedSales, exchanged
from holdfast.web.api.sale_bodies import (
    LINE_CODES,
    MONEY_CODES,
    AddedLine,
    CartLine,
    DiscountBody,
    ExemptBody,
    Fees,
    LineChange,
    PaymentBody,
    Payments,
    RefundBody,
    Refunds,
    cart_request,
    cart_requests,
    discount_request,
    exemption,
    fee_requests,
    has_code,
    is_scanned,
    own_id,
    payment_requests,
)
from holdfast.web.api.shortage import explain_shortage
from holdfast.web.api.taken import explain_taken
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route, found
from holdfast.web.http.strict_json import Nothing, Text


class SaleBody(msgspec.Struct, forbid_unknown_fields=True):
    """A sale to begin, with lines or without; `order_number` is the channel's, unique for its `source`. By `override`
    a manager lets wait what no stock covers."""

    store_id: Text | None = None
    customer: Text | None = None
    source: Text | None = None
    order_number: Text | None = None
    lines: Annotated[list[CartLine], Meta(max_length=LINES_MAX)] = []
    discount: DiscountBody | None = None
    fees: Fees = []
    tax_exempt: ExemptBody | None = None
    override: bool = False


class SaleChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a sale; null takes the customer or the discount away, or makes it pay tax. `fees` are all its
    fees."""

    customer: Text | UnsetType | None = UNSET
    discount: DiscountBody | UnsetType | None = UNSET
    fees: Fees | UnsetType = UNSET
    tax_exempt: ExemptBody | UnsetType | None = UNSET


class CompleteBody(msgspec.Struct, forbid_unknown_fields=True):
    """How it is paid; without `payments` what deposits leave stays to be paid. Goods that come back in `returns` pay
    first, and `refund` says how what is too much of them goes back."""

    payments: Payments | None = None
    returns: ExchangedSales = []
    refund: RefundBody | None = None
    refunds: Refunds | None = None


class CorrectionBody(msgspec.Struct, forbid_unknown_fields=True):
    """How it was paid in truth."""

    method: Literal["cash", "card", "other"]


class ShippedLine(msgspec.Struct, forbid_unknown_fields=True):
    """How much of a line goes out."""

    line_id: Text
    quantity: Number


class FulfillmentBody(msgspec.Struct, forbid_unknown_fields=True):
    """What goes out together."""

    lines: Annotated[list[ShippedLine], Meta(min_length=1, max_length=LINES_MAX)]
    tracking: Text | None = None


class RevertBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why the shipment is taken back."""

    reason: Text


class ShipBody(msgspec.Struct, forbid_unknown_fields=True):
    """The supplier's parcel."""

    tracking: Text | None = None


# Commands ------------------------------------------------------------------------------------------------------------


def _sale_id(call: Call) -> str:
    return call.id(Code.SALE_NOT_FOUND, "Sale")


def plan_open(call: Call) -> Command:
    """Begin a sale."""
    body: SaleBody = call.body
    discount = discount_request("discount", body.discount)
    return OpenSale(
        None if body.store_id is None else own_id(body.store_id),
        body.customer,
        body.source or ("manual" if call.actor.session_id is None else "pos"),
        body.order_number,
        cart_requests(call, body.lines),
        discount,
        fee_requests(body.fees),
        tax_exempt=exemption(body.tax_exempt),
        override=body.override,
    )


def plan_change(call: Call) -> Command:
    """Change a sale's customer, discount, fees."""
    changes = given(call.body)
    if "discount" in changes:
        changes["discount"] = discount_request("discount", changes["discount"])
    if "fees" in changes:
        changes["fees"] = fee_requests(changes["fees"])
    if "tax_exempt" in changes:
        changes["tax_exempt"] = exemption(changes["tax_exempt"])
    return ChangeSale(_sale_id(call), **changes)


def plan_add_line(call: Call) -> Command:
    """Put a line into a cart."""
    body: AddedLine = call.body
    return AddLine(_sale_id(call), cart_request(call, body), body.merge, body.override)


def plan_edit_line(call: Call) -> Command:
    """Change a line of a cart."""
    changes = given(call.body)
    if "discount" in changes:
        changes["discount"] = discount_request("discount", changes["discount"])
    return EditLine(_sale_id(call), own_id(call.args["line_id"]), **changes)


def plan_remove_line(call: Call) -> Command:
    """Take a line out of a cart."""
    return RemoveLine(_sale_id(call), own_id(call.args["line_id"]))


def plan_suspend(call: Call) -> Command:
    """Put a cart into the shared queue."""
    return SuspendSale(_sale_id(call))


def plan_resume(call: Call) -> Command:
    """Take a sale out of the shared queue."""
    return ResumeSale(_sale_id(call))


def plan_cancel(call: Call) -> Command:
    """Give up a sale."""
    return CancelSale(_sale_id(call))


def plan_complete(call: Call) -> Command:
    """Sell a sale."""
    body: CompleteBody = call.body
    exchange = exchanged(body.returns, body.refund, body.refunds)
    return CompleteSale(_sale_id(call), payment_requests(body.payments), exchange)


def plan_pay(call: Call) -> Command:
    """Take a payment."""
    body: PaymentBody = call.body
    return TakePayment(_sale_id(call), PaymentRequest(body.method, body.amount, body.code))


def plan_correct(call: Call) -> Command:
    """Correct the method of a payment."""
    return CorrectPayment(_sale_id(call), own_id(call.args["payment_id"]), call.body.method)


def plan_fulfill(call: Call) -> Command:
    """Ship a part of a sale."""
    body: FulfillmentBody = call.body
    lines = tuple(ShipLine(own_id(line.line_id), line.quantity) for line in body.lines)
    return Fulfill(_sale_id(call), lines, body.tracking)


def plan_revert(call: Call) -> Command:
    """Take back a shipment that was entered by mistake."""
    return RevertShipment(_sale_id(call), own_id(call.args["fulfillment_id"]), call.body.reason)


def plan_ship(call: Call) -> Command:
    """The supplier has shipped."""
    return ShipSupplierOrder(call.id(Code.NOT_FOUND, "Supplier order"), call.body.tracking)


# Reads ---------------------------------------------------------------------------------------------------------------


def read_sale(call: Call) -> Any:
    """A sale; at a till a completed one of any store, whose goods may be brought back there."""
    sale_id = _sale_id(call)
    one = call.shop.reports.sale(
        call.actor.org_id,
        sale_id,
        stores=call.stores,
        completed_anywhere=call.actor.session_id is not None,
    )
    return found(one, Code.SALE_NOT_FOUND, "Sale", sale_id)


# The table -----------------------------------------------------------------------------------------------------------

_MISSING = (Code.SALE_NOT_FOUND,)
_MISSING_LINE = (Code.SALE_NOT_FOUND, Code.NOT_FOUND)
_TAKES = (*_MISSING, Code.INVALID_STATE)
_LINE = {"product_id": "MUG-1", "quantity": 2}
_ID = "01980a3e-5f00-7000-8000-000000000001"


def _write(method: Any, path: str, summary: str, plan: Any, **more: Any) -> Route:
    return Route(
        method=method,
        path=f"/api/v1/sales{path}",
        summary=summary,
        tag="Sales",
        permission=Permission.SELL,
        plan=plan,
        answer=SaleDocument,
        **more,
    )


ROUTES = (
    _write(
        "POST",
        "",
        "Begin a sale",
        plan_open,
        about="Its lines are held for `cart_hold_minutes` from the last change. `source` is `pos` from a till, else "
        "`manual` by default. A line that no location can fill alone is split over the fewest that can; what no stock "
        "covers waits where the product allows it or a manager says `override`, else all lines that are short are "
        "named.",
        body=SaleBody,
        looks_up=lambda call: has_code(call.body.lines),
        explain=explain_shortage,
        status=201,
        codes=(*LINE_CODES, Code.ALREADY_EXISTS, Code.INVALID_STATE),
        example={"store_id": "MAIN", "customer": "Ana", "lines": [_LINE]},
    ),
    Route(
        method="GET",
        path="/api/v1/sales",
        summary="List sales",
        tag="Sales",
        permission=Permission.READ,
        answer_with=Pages(Reports.sales),
        answer=[SaleDocument],
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path="/api/v1/sales/{id}",
        summary="Read a sale",
        about="At a till also a completed sale of another store: its goods may be brought back there.",
        tag="Sales",
        permission=Permission.READ,
        answer_with=read_sale,
        answer=SaleDocument,
        codes=_MISSING,
    ),
    _write(
        "PATCH",
        "/{id}",
        "Change a sale's customer, discount or fees",
        plan_change,
        body=SaleChange,
        codes=(*_TAKES, *MONEY_CODES),
        example={"customer": "Ana", "discount": {"percent": 10}},
    ),
    _write(
        "POST",
        "/{id}/lines",
        "Put a line into a cart",
        plan_add_line,
        about="`code` is what was scanned: a GTIN, a SKU, a GS1 string or link, or a code of the shop's own scales. It "
        "may say how much it is and which lot; what the line says itself goes before. A lot that is past its date or "
        "recalled is refused. With `merge` the units go onto the line that has the same product, price, discount, lot "
        "and location. FNC1 is sent as U+241D or `{GS}`: JSON texts have no control characters. A shortage tells "
        "`title`, and what is `available_elsewhere` by location. Where it tells `override_required`, a manager's "
        "`override` lets it wait.",
        body=AddedLine,
        looks_up=lambda call: is_scanned(call.body),
        explain=explain_shortage,
        status=201,
        codes=(*_TAKES, *LINE_CODES),
        example=_LINE,
    ),
    _write(
        "PATCH",
        "/{id}/lines/{line_id}",
        "Change a line of a cart",
        plan_edit_line,
        about="The hold follows the quantity; the line's own units never stand in its way. Once a part of the sale "
        "went out, a line can only be made smaller, not below what went out of it: its money goes down in proportion, "
        "and when nothing is open any more the sale is completed. `location` moves all that the line holds there, also "
        "after a part went out; what waits keeps its place in the queue.",
        body=LineChange,
        explain=explain_shortage,
        codes=(
            *_MISSING_LINE,
            Code.LOCATION_NOT_FOUND,
            Code.INVALID_QUANTITY,
            *MONEY_CODES,
            Code.INSUFFICIENT_STOCK,
            Code.LOT_NOT_AVAILABLE,
            Code.INVALID_STATE,
        ),
        example={"quantity": 3, "discount": {"amount": "1.50"}},
    ),
    _write(
        "DELETE",
        "/{id}/lines/{line_id}",
        "Take a line out of a cart",
        plan_remove_line,
        body=Nothing,
        codes=(*_MISSING_LINE, Code.INVALID_AMOUNT, Code.INVALID_STATE),
    ),
    _write(
        "POST",
        "/{id}/suspend",
        "Put a cart into the shared queue",
        plan_suspend,
        about="Its holds stay, without an end.",
        body=Nothing,
        codes=_TAKES,
    ),
    _write(
        "POST",
        "/{id}/resume",
        "Take a sale out of the shared queue",
        plan_resume,
        about="Exactly one caller gets it; another reads who was faster in `resumed_by` and `register`. Its holds last "
        "`cart_hold_minutes` again; those of a channel's order stay without an end.",
        explain=explain_taken,
        body=Nothing,
        codes=_TAKES,
    ),
    _write(
        "POST",
        "/{id}/complete",
        "Sell a sale",
        plan_complete,
        about="A hold that has expired competes for stock again. What waits for stock cannot be completed: ship what "
        "is there. Change is given from cash only; without `payments` what deposits leave of the sale is owed. What "
        "was paid in advance beyond what is due goes back. With `returns` it is an exchange: one receipt, one tender.",
        body=CompleteBody,
        explain=explain_shortage,
        codes=(
            *_TAKES,
            Code.INVALID_AMOUNT,
            Code.PAYMENT_MISMATCH,
            Code.INSUFFICIENT_STOCK,
            Code.INSUFFICIENT_RESERVED,
            Code.LOT_NOT_AVAILABLE,
            Code.NOT_FOUND,
            Code.RETURN_EXCEEDS_SALE,
        ),
        example={"payments": [{"method": "cash", "amount": "25.00"}]},
    ),
    _write(
        "POST",
        "/{id}/payments",
        "Take a deposit, or what is owed",
        plan_pay,
        about="On an open or suspended sale it is a deposit: it counts when the sale is completed, and goes back when "
        "it is given up. On a completed sale it pays what is `owed`. With the token of a register session it is in "
        "that drawer. Change is given from cash only.",
        body=PaymentBody,
        status=201,
        codes=(*_TAKES, Code.INVALID_AMOUNT, Code.PAYMENT_MISMATCH),
        example={"method": "card", "amount": "30.00"},
    ),
    _write(
        "POST",
        "/{id}/payments/{payment_id}/correct",
        "Correct a tender that was pressed wrongly",
        plan_correct,
        about="At its own till while that session is open, or by who has `returns:override`. The report of a closed "
        "session never changes: its count has booked the difference as over or short, so the correction goes against "
        "that. Not once something of the sale went back.",
        body=CorrectionBody,
        codes=(*_MISSING_LINE, Code.INVALID_STATE),
        example={"method": "card"},
    ),
    _write(
        "POST",
        "/{id}/cancel",
        "Give up a sale",
        plan_cancel,
        about="Its holds go back, and so does what was paid in advance. What was shipped already stays sold: the sale "
        "is completed with it. A completed sale is not cancelled, it is returned.",
        body=Nothing,
        codes=_TAKES,
    ),
    _write(
        "POST",
        "/{id}/fulfillments",
        "Ship a part of a sale",
        plan_fulfill,
        about="When nothing is open any more the sale is completed.",
        body=FulfillmentBody,
        codes=(*_MISSING_LINE, Code.INVALID_QUANTITY, Code.INSUFFICIENT_RESERVED, Code.INVALID_STATE),
        example={"lines": [{"line_id": _ID, "quantity": 1}], "tracking": "1Z999"},
    ),
    _write(
        "POST",
        "/{id}/fulfillments/{fulfillment_id}/revert",
        "Take back a shipment that was entered by mistake",
        plan_revert,
        about="Its units are in their lots and held again, its postings are reversed by a new entry, and the sale is "
        "what it was before, also when that shipment completed it. Not once the sale was paid or something of it came "
        "back (that is a return), nor when its lot was recalled meanwhile or its till was closed.",
        body=RevertBody,
        codes=(*_MISSING_LINE, Code.INVALID_STATE),
        example={"reason": "entered for the wrong order"},
    ),
    Route(
        method="GET",
        path="/api/v1/supplier-orders",
        summary="List what suppliers have to ship",
        tag="Sales",
        permission=Permission.READ,
        answer_with=Pages(Reports.supplier_orders),
        answer=[SupplierOrderDocument],
        query=(STORE, *PAGED),
    ),
    Route(
        method="POST",
        path="/api/v1/supplier-orders/{id}/ship",
        summary="Note that the supplier has shipped",
        tag="Sales",
        permission=Permission.STOCK,
        plan=plan_ship,
        body=ShipBody,
        answer=SupplierOrderDocument,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        example={"tracking": "1Z999"},
    ),
)
