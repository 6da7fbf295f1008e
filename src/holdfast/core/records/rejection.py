"""Every way the answer is no, and the one way to say it inside the core: whatever decides raises `Refused`.

    raise not_found(Code.SALE_NOT_FOUND, "Sale", sale_id)      -> nothing after it is done
    decide(stock, caller, command)                             -> the Rejected that it carries, and nothing has changed

`decide` undoes the command and returns the `Rejected`: outside the core a refusal is a value, and its neighbours in a
batch hear nothing of it. The functions below that make a `Refused` do not raise it; `raise` stands where it is said.
What only computes or tests a shape (`totals`, `shape`) returns a Rejected, because no command is under way there.

`Code` is closed and is the public contract (docs/reference/errors.md). Precedence when several apply: what the caller
may not do, then what does not exist, then what has no meaning, then what the state forbids. Decisions test in that
order, but for what docs/reference/errors.md names.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from holdfast.core.records.product import Product


class Code(StrEnum):
    """The codes a command can be refused with, in order of precedence."""

    FORBIDDEN = "FORBIDDEN"
    INVALID_REQUEST = "INVALID_REQUEST"
    PRODUCT_NOT_FOUND = "PRODUCT_NOT_FOUND"
    LOCATION_NOT_FOUND = "LOCATION_NOT_FOUND"
    STORE_NOT_FOUND = "STORE_NOT_FOUND"
    LOT_NOT_FOUND = "LOT_NOT_FOUND"
    RESERVATION_NOT_FOUND = "RESERVATION_NOT_FOUND"
    SALE_NOT_FOUND = "SALE_NOT_FOUND"
    TARGET_NOT_FOUND = "TARGET_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    INVALID_AMOUNT = "INVALID_AMOUNT"
    INVALID_TARGET_TYPE = "INVALID_TARGET_TYPE"
    INVALID_EXPIRY = "INVALID_EXPIRY"
    PRODUCT_NOT_STOCK_TRACKED = "PRODUCT_NOT_STOCK_TRACKED"
    PRICE_MISMATCH = "PRICE_MISMATCH"
    PAYMENT_MISMATCH = "PAYMENT_MISMATCH"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    INSUFFICIENT_RESERVED = "INSUFFICIENT_RESERVED"
    RESERVATION_NOT_ACTIVE = "RESERVATION_NOT_ACTIVE"
    LOT_NOT_AVAILABLE = "LOT_NOT_AVAILABLE"
    QUANTITY_CHANGED = "QUANTITY_CHANGED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    INVALID_STATE = "INVALID_STATE"
    RETURN_EXCEEDS_SALE = "RETURN_EXCEEDS_SALE"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A refusal: its code, plain words, and the numbers that matter (already as they go outside)."""

    code: Code
    detail: str
    numbers: dict[str, Any] = {}


class Refused(Exception):
    """The answer is no. `Stock.each` hears it for a line, `decide` for the command."""

    def __init__(self, code: Code, detail: str, numbers: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.rejected = Rejected(code, detail, numbers or {})

    @property
    def code(self) -> Code:
        """Why not."""
        return self.rejected.code

    @classmethod
    def of(cls, rejected: Rejected) -> Refused:
        """The refusal that carries this value."""
        return cls(rejected.code, rejected.detail, rejected.numbers)


class RefusedOutright(Refused):
    """A bound or the gate was met: the command ends there, whichever line it was at, and no line is named for it."""


def malformed(field: str, detail: str, code: Code = Code.INVALID_REQUEST) -> Refused:
    """A value of the wrong shape: `field` is the dotted path of what is wrong, empty for the whole."""
    return Refused(code, f"{field}: {detail}" if field else detail, {"field": field} if field else {})


def not_found(code: Code, what: str, reference: str) -> Refused:
    """`what` named by `reference` does not exist in this organisation."""
    return Refused(code, f"{what} {reference!r} does not exist.")


def invalid_quantity(product: Product, quantity: Any, must_be: str = "greater than 0") -> Refused:
    """The quantity is zero, has the wrong sign, too many places, or is out of bounds."""
    places = "a whole number" if product.precision == 0 else f"at most {product.precision} decimal places"
    shown = str(quantity)
    return Refused(
        Code.INVALID_QUANTITY,
        f"Quantity {shown[:40]} of {product.sku} must be {must_be}, with {places}, within bounds.",
        {"product_id": product.id},
    )


def not_stock_tracked(product: Product) -> Refused:
    """The product is digital, a service, a subscription or a gift card: it has no stock to hold or count."""
    kind = "a gift card" if product.kind == "gift_card" else product.kind
    words = f"{product.sku} is {kind}: it has no stock."
    return Refused(Code.PRODUCT_NOT_STOCK_TRACKED, words, {"product_id": product.id})


def insufficient_stock(product: Product, requested: int, available: int, **numbers: Any) -> Refused:
    """Not enough to promise. `requested` and `available` in smallest units."""
    return Refused(
        Code.INSUFFICIENT_STOCK,
        f"Not enough stock of {product.sku}: {product.number(requested)} requested, "
        f"{product.number(available)} available.",
        {
            "product_id": product.id,
            "requested": product.number(requested),
            "available": product.number(available),
            **numbers,
        },
    )


def insufficient_reserved(product: Product, words: str, requested: int, allocated: int, waiting: int) -> Refused:
    """More is to leave or to be given back than stock backs of what is held: `allocated`, beside what is `waiting`.

    `available` repeats `allocated`, for clients that read one name in all refusals.
    """
    numbers = {
        "product_id": product.id,
        "requested": product.number(requested),
        "allocated": product.number(allocated),
        "backordered": product.number(waiting),
        "available": product.number(allocated),
    }
    return Refused(Code.INSUFFICIENT_RESERVED, words, numbers)


def invalid_state(detail: str, **numbers: Any) -> Refused:
    """The thing exists, but not in a state that allows this."""
    return Refused(Code.INVALID_STATE, detail, numbers)


def group_refused(refused: Iterable[tuple[int, Rejected]]) -> Refused:
    """A group that fell together: the first refusal's code, and a line for every member that was refused."""
    members = list(refused)
    first = members[0][1]
    lines = [
        {
            "index": index,
            "code": str(no.code),
            "product_id": no.numbers.get("product_id"),
            "requested": no.numbers.get("requested"),
            "available": no.numbers.get("available"),
            "detail": no.detail,
        }
        for index, no in members
    ]
    return Refused(first.code, first.detail, {**first.numbers, "lines": lines})
