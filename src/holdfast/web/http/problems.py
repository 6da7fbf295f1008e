"""How the answer is no over HTTP: RFC 9457 problem documents, all of one shape (docs/reference/errors.md).

    409 {"type": "/docs#INSUFFICIENT_STOCK", "title": "Insufficient stock", "status": 409, "code": "INSUFFICIENT_STOCK",
         "detail": "Not enough stock of MUG-1: 3 requested, 2 available.", "request_id": "...", "available": 2, ...}

A `Rejected` of the core becomes one by its code; the web's own refusals are raised as `Problem`. It never carries a
stack trace: what went wrong inside is in the log, under the same request id.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.app import Forbidden
from holdfast.core.records.rejection import Code, Rejected
from holdfast.db.credentials import is_away, words_of_away
from holdfast.executor import Overloaded, Unavailable
from holdfast.reports import BadCursor

UNAUTHORIZED = "UNAUTHORIZED"
METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
RATE_LIMITED = "RATE_LIMITED"
INTERNAL_ERROR = "INTERNAL_ERROR"
UNAVAILABLE = "UNAVAILABLE"

STATUS: dict[str, int] = {
    "INVALID_REQUEST": 400,
    "INVALID_QUANTITY": 400,
    "INVALID_AMOUNT": 400,
    "INVALID_TARGET_TYPE": 400,
    "INVALID_EXPIRY": 400,
    "PRODUCT_NOT_STOCK_TRACKED": 400,
    UNAUTHORIZED: 401,
    "FORBIDDEN": 403,
    "PRODUCT_NOT_FOUND": 404,
    "LOCATION_NOT_FOUND": 404,
    "STORE_NOT_FOUND": 404,
    "LOT_NOT_FOUND": 404,
    "RESERVATION_NOT_FOUND": 404,
    "SALE_NOT_FOUND": 404,
    "TARGET_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    METHOD_NOT_ALLOWED: 405,
    REQUEST_TIMEOUT: 408,
    PAYLOAD_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    "INSUFFICIENT_STOCK": 409,
    "INSUFFICIENT_RESERVED": 409,
    "RESERVATION_NOT_ACTIVE": 409,
    "LOT_NOT_AVAILABLE": 409,
    "QUANTITY_CHANGED": 409,
    "ALREADY_EXISTS": 409,
    "INVALID_STATE": 409,
    "RETURN_EXCEEDS_SALE": 409,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "PRICE_MISMATCH": 422,
    "PAYMENT_MISMATCH": 422,
    RATE_LIMITED: 429,
    HEADERS_TOO_LARGE: 431,
    INTERNAL_ERROR: 500,
    UNAVAILABLE: 503,
}
"""The HTTP status of every code: the whole public list."""

EXPLAINED: dict[str, str] = {
    "INVALID_REQUEST": "The request has the wrong shape; `field` names what is wrong.",
    "INVALID_QUANTITY": "A quantity is zero, negative, too precise for the product, or out of bounds.",
    "INVALID_AMOUNT": "An amount of money is not one, or has too many places.",
    "INVALID_TARGET_TYPE": "`reserved_for_type` is neither `appointment` nor `transaction`.",
    "INVALID_EXPIRY": "`expires_at` is not an instant in the future.",
    "PRODUCT_NOT_STOCK_TRACKED": "The product is digital, a service, a subscription or a gift card: it has no stock.",
    UNAUTHORIZED: "Who asks is not known: no key or session, or one that is not valid any more.",
    "FORBIDDEN": "Who asks may not do this, or not in this store.",
    "PRODUCT_NOT_FOUND": "There is no such product.",
    "LOCATION_NOT_FOUND": "There is no such location.",
    "STORE_NOT_FOUND": "There is no such store.",
    "LOT_NOT_FOUND": "There is no such lot.",
    "RESERVATION_NOT_FOUND": "There is no such reservation.",
    "SALE_NOT_FOUND": "There is no such sale.",
    "TARGET_NOT_FOUND": "What the reservation is for does not exist.",
    "NOT_FOUND": "There is nothing at this address, or what the request names does not exist: `detail` says which.",
    METHOD_NOT_ALLOWED: "The address exists, but not for this method; `Allow` lists its methods.",
    REQUEST_TIMEOUT: "The request took too long to arrive; the connection is closed.",
    PAYLOAD_TOO_LARGE: "The body is larger than 1 MiB (batches and imported files: 4 MiB).",
    UNSUPPORTED_MEDIA_TYPE: "The body is not `application/json` (an imported file: `text/csv`).",
    "INSUFFICIENT_STOCK": "Fewer units are available than requested.",
    "INSUFFICIENT_RESERVED": "Fewer units are reserved, or backed by stock, than requested.",
    "RESERVATION_NOT_ACTIVE": "The reservation is consumed, released or expired.",
    "LOT_NOT_AVAILABLE": "The lot is expired, quarantined or elsewhere.",
    "QUANTITY_CHANGED": "`expected_quantity` is not what is there; `quantity` tells the present one.",
    "ALREADY_EXISTS": "Another record has that name or number, or there can be only one of its kind.",
    "INVALID_STATE": "The thing exists, but not in a state that allows this.",
    "RETURN_EXCEEDS_SALE": "More would be returned than was bought.",
    "IDEMPOTENCY_KEY_REUSED": "The Idempotency-Key was used for a different request.",
    "PRICE_MISMATCH": "The price is not the catalogue's (it may have none), or a discount or fee needs another role.",
    "PAYMENT_MISMATCH": "The payments do not add up to what is due.",
    RATE_LIMITED: "Too many requests; `Retry-After` says when to come back.",
    HEADERS_TOO_LARGE: "The address and headers have more than 64 KiB, or there are more than 100 headers.",
    INTERNAL_ERROR: "A fault of ours; `request_id` is the reference to report.",
    UNAVAILABLE: "Overloaded, or the database is away; `Retry-After` says when to come back.",
}
"""One sentence for each code: the documentation page and the OpenAPI document show it."""

MEDIA_TYPE = "application/problem+json"

encode = msgspec.json.Encoder().encode


class Problem(Exception):
    """A refusal of the web itself: wrong shape, not allowed, not found. `headers` go into the response."""

    def __init__(
        self, code: str, detail: str, *, numbers: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.numbers = numbers or {}
        self.headers = headers or {}

    @property
    def status(self) -> int:
        """The HTTP status of its code."""
        return STATUS[self.code]


def invalid(field: str, detail: str, code: str = "INVALID_REQUEST") -> Problem:
    """A request of the wrong shape: `field` is the dotted path of what is wrong, empty for the body as a whole."""
    return Problem(code, f"{field}: {detail}" if field else detail, numbers={"field": field} if field else None)


def not_found(code: Code | str, what: str, reference: str) -> Problem:
    """`what` named by `reference` does not exist in this organisation."""
    return Problem(str(code), f"{what} {reference!r} does not exist.")


def problem_of(rejected: Rejected) -> Problem:
    """A refusal of the core as a problem."""
    return Problem(str(rejected.code), rejected.detail, numbers=rejected.numbers)


def problem_document(code: str, detail: str, request_id: str, numbers: dict[str, Any]) -> dict[str, Any]:
    """The problem's members; `numbers` are merged in, but never over the standard ones."""
    return {
        **numbers,
        "type": f"/docs#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": STATUS[code],
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }


def problem_of_error(error: Exception) -> Problem | None:
    """The problem that an exception means, or None when it is a bug."""
    match error:
        case Problem():
            return error
        case Forbidden():
            return Problem("FORBIDDEN", str(error))
        case BadCursor():
            return invalid("cursor", "is not a cursor of this list.")
        case Overloaded() | Unavailable():
            wait = str(error.retry_after)
            numbers = {"retry_after": error.retry_after}
            return Problem(UNAVAILABLE, error.words, numbers=numbers, headers={"Retry-After": wait})
    if is_away(error):
        return Problem(UNAVAILABLE, words_of_away(error), numbers={"retry_after": 2}, headers={"Retry-After": "2"})
    return None
