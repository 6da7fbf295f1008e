"""Returns over HTTP: goods come back, of a sale or without one.

    POST /api/v1/returns {"sale_id": "...", "lines": [{"line_id": "...", "quantity": 1, "condition": "good"}],
                          "refund": {"method": "cash"}}                                      -> 201, refund_total
    POST /api/v1/returns {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1, "unit_price": "12.00"}],
                          "refund": {"method": "cash"}}

With the token of a register session the refund is in that drawer, otherwise in none.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.records.command import Command
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.records.sale import LINES_MAX
from holdfast.core.sales.return_record import ReturnDocument
from holdfast.core.sales.returns import BlindLine, MoneyOff, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.reports import Reports
from holdfast.web.api.sale_bodies import RefundBody, Refunds, own_id, refund_requests
from holdfast.web.http.problems import invalid, not_found
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route, found, reference, uuid_text
from holdfast.web.http.strict_json import Text


class ReturnLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """What comes back: `line_id` of a sale's line; without a sale `product_id`, and `unit_price` to refund for one,
    its tax included. `code` says which gift card comes back, where a sale has several."""

    quantity: Number
    line_id: Text | None = None
    product_id: Text | None = None
    unit_price: Text | None = None
    condition: Literal["good", "damaged", "none"] = "good"
    code: Text | None = None


class ReturnBody(msgspec.Struct, forbid_unknown_fields=True):
    """A return of a sale (`sale_id`), or without one (`store_id`). The money goes back by one method (`refund`), or as
    `refunds` say; what they leave of what is due is withheld. Without `fees` the shop keeps the fees of the sale. An
    `amount` with a `reason`, without lines, is money off: nothing comes back."""

    lines: Annotated[list[ReturnLineBody], Meta(max_length=LINES_MAX)] = []
    refund: RefundBody | None = None
    refunds: Refunds | None = None
    sale_id: Text | None = None
    store_id: Text | None = None
    fees: bool = True
    amount: Text | None = None
    reason: Text | None = None


def plan_return(call: Call) -> Command:
    """Take goods back."""
    body: ReturnBody = call.body
    if (body.sale_id is None) == (body.store_id is None):
        raise invalid("sale_id", "a return is of a sale (sale_id) or without one (store_id): name one of them.")
    if (body.refund is None) == (body.refunds is None):
        raise invalid("refund", "says how the money goes back: give it or `refunds`.")
    method = "other" if body.refund is None else body.refund.method
    code = None if body.refund is None else body.refund.code
    refunds = refund_requests(body.refunds)
    if body.amount is not None:
        return _money_off(body, method, code)
    if not body.lines:
        raise invalid("lines", "is required: what comes back; or give money off with `amount` and `reason`.")
    if body.reason is not None:
        raise invalid("reason", "is for money off: give an `amount` with it.")
    if body.store_id is not None:
        lines = tuple(_blind_line(index, line) for index, line in enumerate(body.lines))
        return ReturnBlind(own_id(body.store_id), lines, method, refunds, code)
    returned = tuple(returned_line(f"lines.{index}", line) for index, line in enumerate(body.lines))
    return ReturnSale(_sale_id(body), returned, method, refunds, code, body.fees)


def _sale_id(body: ReturnBody) -> str:
    assert body.sale_id is not None
    sale_id = uuid_text(body.sale_id)
    if sale_id is None:
        raise not_found(Code.SALE_NOT_FOUND, "Sale", body.sale_id)
    return sale_id


def _money_off(body: ReturnBody, method: str, code: str | None) -> Command:
    assert body.amount is not None
    if body.sale_id is None:
        raise invalid("sale_id", "is required: money off is of a sale.")
    if body.lines:
        raise invalid("amount", "is for money off, without lines; how much goods refund is said in `refunds`.")
    if body.reason is None:
        raise invalid("reason", "is required: why money is given off.")
    return MoneyOff(_sale_id(body), body.amount, body.reason, method, refund_requests(body.refunds), code)


def returned_line(field: str, line: ReturnLineBody) -> ReturnedLine:
    """A line of a sale that comes back."""
    for name in ("product_id", "unit_price"):
        if getattr(line, name) is not None:
            raise invalid(f"{field}.{name}", "is for a return without a sale: a sale's line has both.")
    if line.line_id is None:
        raise invalid(f"{field}.line_id", "is required.")
    return ReturnedLine(own_id(line.line_id), line.quantity, line.condition, line.code)


def _blind_line(index: int, line: ReturnLineBody) -> BlindLine:
    if line.line_id is not None:
        raise invalid(f"lines.{index}.line_id", "is for a return of a sale.")
    for name in ("product_id", "unit_price"):
        if getattr(line, name) is None:
            raise invalid(f"lines.{index}.{name}", "is required.")
    assert line.product_id is not None and line.unit_price is not None
    return BlindLine(reference(line.product_id), line.quantity, line.unit_price, line.condition)


def read_return(call: Call) -> Any:
    """A return."""
    return_id = call.id(Code.NOT_FOUND, "Return")
    one = call.shop.reports.return_(call.actor.org_id, return_id, stores=call.stores)
    return found(one, Code.NOT_FOUND, "Return", return_id)


_ID = "01980a3e-5f00-7000-8000-000000000001"

ROUTES = (
    Route(
        method="POST",
        path="/api/v1/returns",
        summary="Take goods back",
        about="Refunds are taken from what was paid for the line, in proportion: everything in any parts refunds "
        "exactly that. In cash it is the nearest coin of what was due in cash so far (`rounding`). "
        "`good` units go back to the lot they came from, `damaged` ones to quarantine, `none` nowhere. Without a sale "
        f"it needs the permission `{Permission.DISCOUNT}`, and so does money off (`amount` with a `reason`, without "
        "lines). What is owed of the sale comes first (`owed` in `refunds`). A method gives back at most what it took, "
        f"but by who has `{Permission.REFUND_OVERRIDE}`.",
        tag="Returns",
        permission=Permission.SELL,
        plan=plan_return,
        body=ReturnBody,
        answer=ReturnDocument,
        status=201,
        codes=(
            Code.SALE_NOT_FOUND,
            Code.NOT_FOUND,
            Code.PRODUCT_NOT_FOUND,
            Code.INVALID_QUANTITY,
            Code.INVALID_AMOUNT,
            Code.RETURN_EXCEEDS_SALE,
            Code.PAYMENT_MISMATCH,
            Code.INVALID_STATE,
        ),
        example={
            "sale_id": _ID,
            "lines": [{"line_id": _ID, "quantity": 1, "condition": "good"}],
            "refund": {"method": "cash"},
        },
    ),
    Route(
        method="GET",
        path="/api/v1/returns",
        summary="List returns",
        tag="Returns",
        permission=Permission.READ,
        answer_with=Pages(Reports.returns),
        answer=[ReturnDocument],
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path="/api/v1/returns/{id}",
        summary="Read a return",
        tag="Returns",
        permission=Permission.READ,
        answer_with=read_return,
        answer=ReturnDocument,
        codes=(Code.NOT_FOUND,),
    ),
)
