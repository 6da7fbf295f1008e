"""Where a day is meant a day will do, and the words say so; what is neither a day nor an instant is refused."""

from __future__ import annotations

import pytest

from holdfast.core.records.rejection import Rejected
from holdfast.core.records.time import day_of, instant_of, start_of_day
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.api.conftest import Shop

NEITHER = ("2027-02-29", "2027-1-5", "2027-W10-1", "20270301", "2027-03-01T12:00:00", "tomorrow", "2027-W10-1T09:00Z")
WORDS = "must be a day, as 2030-01-31, or an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z."


def _receipt(expires_at: str) -> dict[str, object]:
    return {"location": "MAIN", "lines": [{"product_id": "MILK-1", "quantity": 1, "expires_at": expires_at}]}


@pytest.mark.parametrize("text", NEITHER)
def test_what_is_neither_is_refused(shop: Shop, text: str) -> None:
    shop.product("MILK-1", track_expiry=True)

    received = shop.owner.post("/api/v1/receipts", _receipt(text))
    added = shop.owner.post("/api/v1/products", {"sku": "NEW-1", "title": "New", "available_from": text})
    changed = shop.owner.patch("/api/v1/products/MILK-1", {"available_from": text})

    assert (received.code, received.json()["detail"]) == ("INVALID_EXPIRY", f"lines.0.expires_at: {WORDS}")
    for answer in (added, changed):
        assert (answer.code, answer.json()["detail"]) == ("INVALID_REQUEST", f"available_from: {WORDS}")


def test_a_lot_expires_on_a_day(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MILK-1", track_expiry=True)

    assert shop.owner.post("/api/v1/receipts", _receipt("2099-03-01")).status == 201
    assert shop.owner.get("/api/v1/inventory/lots").json()["items"][0]["expires_at"] == "2099-03-01"


def test_a_product_is_available_from_a_day_of_the_organisation(any_shop: Shop) -> None:
    shop = any_shop
    assert shop.owner.patch("/api/v1/settings", {"timezone": "Pacific/Honolulu"}).status == 200

    made = shop.owner.post("/api/v1/products", {"sku": "BOOK-9", "title": "Book", "available_from": "2027-03-01"})
    assert made.json()["available_from"] == "2027-03-01T10:00:00.000000Z"
    moved = shop.owner.patch("/api/v1/products/BOOK-9", {"available_from": "2027-03-02T00:00:00+02:00"})
    assert moved.json()["available_from"] == "2027-03-01T22:00:00.000000Z"
    assert shop.owner.patch("/api/v1/products/BOOK-9", {"available_from": None}).json()["available_from"] is None


def test_python_refuses_a_day_that_is_none(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MILK-1", track_expiry=True)
    for day in ("2027-02-29", "2027-W10-1", "soon", ""):
        line = ReceiptLine("MILK-1", 1, expires_on=day)
        answer = shop.holdfast.do(shop.made.actor, Receive("MAIN", (line,))).answer
        assert isinstance(answer, Rejected) and answer.numbers["field"] == "lines.0.expires_on", answer


@pytest.mark.parametrize(("currency", "example"), [("JPY", "1050"), ("USD", "10.50"), ("KWD", "1.050")])
def test_an_amount_is_shown_as_it_is_written(shop: Shop, currency: str, example: str) -> None:
    assert shop.owner.patch("/api/v1/settings", {"currency": currency}).status == 200

    refused = shop.owner.post("/api/v1/products", {"sku": "TEA-1", "title": "Tea", "price": "-1"})

    assert refused.json()["detail"] == f"price: must be an amount of {currency} of 0 or more, written like '{example}'."


def test_days_and_instants() -> None:
    assert day_of("2028-02-29") == "2028-02-29"
    assert [day_of(text) for text in (*NEITHER, "2027-03-01 ", "２０２７-03-01")] == [None] * 9
    assert [instant_of(text) for text in NEITHER] == [None] * 7
    assert instant_of("2027-03-01T09:00:00Z") == start_of_day("2027-03-01", "UTC") + 9 * 3_600_000_000
    assert start_of_day("2027-03-01", "Pacific/Kiritimati") == start_of_day("2027-03-01", "UTC") - 14 * 3_600_000_000
    assert start_of_day("0001-01-01", "Asia/Tokyo") == start_of_day("0001-01-01", "UTC")
