"""What is asked of a sale, in carts and at the till: lines, discounts, fees and payments, as JSON and in the core.

    {"product_id": "MUG-1", "quantity": 2, "discount": {"percent": 10}}  -> LineRequest("MUG-1", 2, ...)

Whether it makes sense the core finds out; what has the wrong shape is refused here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.records.sale import PAYMENTS_MAX
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.refunds import RefundRequest
from holdfast.web.api.scanned import line_of_code
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import Call, reference, uuid_text
from holdfast.web.http.strict_json import Text

MONEY_CODES = (Code.INVALID_AMOUNT, Code.PRICE_MISMATCH)
LINE_CODES = (
    Code.PRODUCT_NOT_FOUND,
    Code.LOCATION_NOT_FOUND,
    Code.LOT_NOT_FOUND,
    Code.INVALID_QUANTITY,
    *MONEY_CODES,
    Code.INSUFFICIENT_STOCK,
    Code.LOT_NOT_AVAILABLE,
)
"""What a line may be refused with."""

FEES_MAX = 100
"""Most fees of one sale."""


class DiscountBody(msgspec.Struct, forbid_unknown_fields=True):
    """Either `percent`, 0 to 100 with at most 4 places, or `amount`, a decimal string."""

    percent: Number | None = None
    amount: Text | None = None


class FeeBody(msgspec.Struct, forbid_unknown_fields=True):
    """A charge beside the goods, taxed by its class (none: untaxed). A `tip` is owed to the staff and has no tax."""

    name: Text
    amount: Text
    tax_class: Text | None = None
    tip: bool = False


class ExemptBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why a sale has no tax: the number of a certificate, a diplomat."""

    reason: Text


class PaymentBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the customer hands over; of cash that may be more than is due. A gift card has a `code`."""

    method: Literal["cash", "card", "other", "gift_card"]
    amount: Text
    code: Text | None = None


class RefundBody(msgspec.Struct, forbid_unknown_fields=True):
    """By what the money goes back. A gift card has a `code`; without one a new card is made, whose code is answered."""

    method: Literal["cash", "card", "other", "gift_card"]
    code: Text | None = None


class RefundPart(msgspec.Struct, forbid_unknown_fields=True):
    """How much goes back by a method; in cash it is the nearest coin."""

    method: Literal["cash", "card", "other", "gift_card"]
    amount: Text
    code: Text | None = None


class SoldLine(msgspec.Struct, forbid_unknown_fields=True):
    """A product and how much of it, at the catalogue's price unless `unit_price` is another; `lot_id` pins the lot.
    `code` is that of a printed gift card which is sold."""

    product_id: Text
    quantity: Number
    unit_price: Text | None = None
    discount: DiscountBody | None = None
    lot_id: Text | None = None
    code: Text | None = None


class CartLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a cart: a product and how much of it, or the `code` that was scanned, which may say how much it is and
    which lot. Beside a product the `code` is that of the gift card that is sold. `location` says where its stock comes
    from."""

    product_id: Text | None = None
    code: Text | None = None
    quantity: Number | None = None
    unit_price: Text | None = None
    discount: DiscountBody | None = None
    lot_id: Text | None = None
    location: Text | None = None


class AddedLine(CartLine, forbid_unknown_fields=True):
    """A line of a cart that is there; with `merge` its units go onto an equal line. By `override` a manager lets wait
    what no stock covers."""

    merge: bool = False
    override: bool = False


class LineChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a line; null takes the discount away, or goes back to the catalogue's price. `location` is
    where all of its stock shall be held. By `override` a manager lets wait what no stock covers."""

    quantity: Number | UnsetType = UNSET
    unit_price: Text | UnsetType | None = UNSET
    discount: DiscountBody | UnsetType | None = UNSET
    location: Text | UnsetType = UNSET
    override: bool | UnsetType = UNSET


Fees = Annotated[list[FeeBody], Meta(max_length=FEES_MAX)]
Payments = Annotated[list[PaymentBody], Meta(max_length=PAYMENTS_MAX)]
Refunds = Annotated[list[RefundPart], Meta(min_length=1, max_length=PAYMENTS_MAX)]


# What was asked, as the core takes it --------------------------------------------------------------------------------


def discount_request(field: str, body: DiscountBody | None) -> DiscountRequest | None:
    """A discount; exactly one of percent and amount."""
    if body is None:
        return None
    if (body.percent is None) == (body.amount is None):
        raise invalid(field, 'is either {"percent": 10} or {"amount": "1.00"}.')
    return DiscountRequest(body.percent, body.amount)


def fee_requests(fees: list[FeeBody]) -> tuple[FeeRequest, ...]:
    """Fees."""
    return tuple(FeeRequest(fee.name, fee.amount, fee.tax_class, fee.tip) for fee in fees)


def exemption(body: ExemptBody | None) -> str | None:
    """Why a sale has no tax; None where it has."""
    return None if body is None else body.reason


def payment_requests(payments: list[PaymentBody] | None) -> tuple[PaymentRequest, ...] | None:
    """Payments."""
    return None if payments is None else tuple(PaymentRequest(one.method, one.amount, one.code) for one in payments)


def refund_requests(refunds: list[RefundPart] | None) -> tuple[RefundRequest, ...] | None:
    """Refunds by several methods."""
    return None if refunds is None else tuple(RefundRequest(one.method, one.amount, one.code) for one in refunds)


def has_code(lines: list[CartLine]) -> bool:
    """Was a line scanned?"""
    return any(is_scanned(line) for line in lines)


def is_scanned(line: CartLine) -> bool:
    """Does a code say which product it is?"""
    return line.code is not None and line.product_id is None


def cart_requests(call: Call, lines: list[CartLine]) -> tuple[LineRequest, ...]:
    """The lines of a new cart."""
    return tuple(cart_request(call, line, f"lines.{index}.") for index, line in enumerate(lines))


def cart_request(call: Call, line: CartLine, path: str = "") -> LineRequest:
    """A line of a cart; what a code says is looked up, and what the line says itself goes before it."""
    discount = discount_request(f"{path}discount", line.discount)
    if line.product_id is None and line.code is None:
        raise invalid(f"{path}product_id", "is needed, or a code that was scanned.")
    if line.product_id is None and line.code is not None:
        scanned = line_of_code(call, line.code, line.quantity, field=f"{path}code")
        price = scanned.unit_price if line.unit_price is None else line.unit_price
        lot_id = scanned.lot_id if line.lot_id is None else own_id(line.lot_id)
        return LineRequest(scanned.product_id, scanned.quantity, price, discount, lot_id, line.location)
    if line.quantity is None:
        raise invalid(f"{path}quantity", "is required.")
    assert line.product_id is not None
    lot_id = None if line.lot_id is None else own_id(line.lot_id)
    product = reference(line.product_id)
    return LineRequest(product, line.quantity, line.unit_price, discount, lot_id, line.location, line.code)


def line_requests(lines: list[SoldLine]) -> tuple[LineRequest, ...]:
    """The lines of a checkout."""
    discounts = [discount_request(f"lines.{index}.discount", line.discount) for index, line in enumerate(lines)]
    return tuple(line_request(line, discount) for line, discount in zip(lines, discounts, strict=True))


def line_request(line: SoldLine, discount: DiscountRequest | None) -> LineRequest:
    """A line."""
    return LineRequest(
        reference(line.product_id),
        line.quantity,
        line.unit_price,
        discount,
        None if line.lot_id is None else own_id(line.lot_id),
        code=line.code,
    )


def own_id(text: str) -> str:
    """An id as the core has it; a text that is none names nothing, which the core finds out in its turn."""
    return uuid_text(text) or text
