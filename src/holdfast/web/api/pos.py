"""The till: quote and checkout, in the register session whose token the call brings.

    POST /api/v1/pos/checkout {"store_id": "MAIN", "lines": [...], "payments": [...]}   -> 201, the completed sale
    POST /api/v1/pos/quote, the same                                                    -> 200, what it would be

A quote computes exactly what the checkout would keep; it changes nothing and tests no stock. A till sells in the store
of its register only. A checkout promises nothing: when a line is short it names all short lines, and nothing happens.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Code
from holdfast.core.records.sale import LINES_MAX
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.documents import SaleDocument
from holdfast.web.api.exchange import ExchangedSales, exchanged
from holdfast.web.api.sale_bodies import (
    MONEY_CODES,
    DiscountBody,
    ExemptBody,
    Fees,
    Payments,
    RefundBody,
    Refunds,
    SoldLine,
    discount_request,
    exemption,
    fee_requests,
    line_requests,
    own_id,
    payment_requests,
)
from holdfast.web.api.shortage import explain_shortage
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import Call, Route
from holdfast.web.http.strict_json import Text

Lines = Annotated[list[SoldLine], Meta(min_length=1, max_length=LINES_MAX)]


class QuoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """What would be sold, and perhaps how it would be paid."""

    store_id: Text
    lines: Lines
    discount: DiscountBody | None = None
    fees: Fees = []
    payments: Payments | None = None
    customer: Text | None = None
    tax_exempt: ExemptBody | None = None
    returns: ExchangedSales = []
    refund: RefundBody | None = None
    refunds: Refunds | None = None


class CheckoutBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is sold, and how it is paid; goods that come back in `returns` pay first, and `refund` says how what is too
    much of them goes back."""

    store_id: Text
    lines: Lines
    payments: Payments | None = None
    discount: DiscountBody | None = None
    fees: Fees = []
    customer: Text | None = None
    tax_exempt: ExemptBody | None = None
    returns: ExchangedSales = []
    refund: RefundBody | None = None
    refunds: Refunds | None = None


def _checkout(call: Call, *, quote: bool) -> Checkout:
    body: QuoteBody | CheckoutBody = call.body
    discount = discount_request("discount", body.discount)
    return Checkout(
        own_id(body.store_id),
        line_requests(body.lines),
        discount,
        fee_requests(body.fees),
        payment_requests(body.payments),
        body.customer,
        quote,
        exemption(body.tax_exempt),
        exchanged(body.returns, body.refund, body.refunds),
    )


def plan_quote(call: Call) -> Command:
    """Compute a sale."""
    return _checkout(call, quote=True)


def plan_checkout(call: Call) -> Command:
    """Sell at once."""
    if call.body.payments is None and not call.body.returns:
        raise invalid("payments", "is required: how is it paid?")
    return _checkout(call, quote=False)


_CODES = (
    Code.PRODUCT_NOT_FOUND,
    Code.SALE_NOT_FOUND,
    Code.NOT_FOUND,
    Code.RETURN_EXCEEDS_SALE,
    Code.LOT_NOT_FOUND,
    Code.INVALID_QUANTITY,
    *MONEY_CODES,
    Code.PAYMENT_MISMATCH,
    Code.INVALID_STATE,
)
_EXAMPLE: dict[str, Any] = {
    "store_id": "MAIN",
    "lines": [{"product_id": "MUG-1", "quantity": 2}],
    "payments": [{"method": "cash", "amount": "25.00"}],
}

ROUTES = (
    Route(
        method="POST",
        path="/api/v1/pos/quote",
        summary="Compute what a checkout would come to",
        about="Nothing is changed, held or numbered; the answer has no ids.",
        tag="Point of sale",
        permission=Permission.SELL,
        till=True,
        plan=plan_quote,
        body=QuoteBody,
        answer=SaleDocument,
        codes=_CODES,
        example={name: _EXAMPLE[name] for name in ("store_id", "lines")},
    ),
    Route(
        method="POST",
        path="/api/v1/pos/checkout",
        summary="Sell at once",
        about="Goods leave the shelf, the money is booked and lies in the drawer, all of it or nothing. Every line "
        "that is short is named in `lines`; nothing is ever backordered here. With `returns` it is an exchange: one "
        "receipt, one tender of the difference, in either direction.",
        tag="Point of sale",
        permission=Permission.SELL,
        till=True,
        plan=plan_checkout,
        body=CheckoutBody,
        explain=explain_shortage,
        answer=SaleDocument,
        status=201,
        codes=(*_CODES, Code.INSUFFICIENT_STOCK, Code.LOT_NOT_AVAILABLE),
        example=_EXAMPLE,
    ),
)
