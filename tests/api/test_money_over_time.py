"""Payments over time, refunds by several methods, money off and exchanges over HTTP (docs/how-to/get-paid.md)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Shop
from tests.api.test_pos import CHECKOUT, QUOTE, RETURNS, SALES, Till, _line, _ok, _refused


@pytest.fixture
def till(any_shop: Shop) -> Till:
    shop = any_shop
    shop.product("MUG-1", 50, price="12.00")
    shop.product("POT-1", 50, price="25.00")
    return Till(shop.owner, "MAIN", "till-1")


def test_a_sale_is_paid_in_parts(any_shop: Shop, till: Till) -> None:
    owner = any_shop.owner
    sale = _ok(owner.post(SALES, {"store_id": "MAIN", "lines": [_line(2)]}), 201)
    first = _ok(till.post(f"{SALES}/{sale['id']}/payments", {"method": "cash", "amount": "4.00"}), 201)
    assert (first["paid"], first["owed"]) == ("4.00", "20.00")
    done = _ok(owner.post(f"{SALES}/{sale['id']}/complete", {}))
    assert (done["status"], done["owed"], done["receipt"]["owed"]) == ("completed", "20.00", "20.00")
    paid = _ok(owner.post(f"{SALES}/{sale['id']}/payments", {"method": "card", "amount": "20.00"}), 201)
    assert (paid["owed"], [one["method"] for one in paid["payments"]]) == ("0.00", ["cash", "card"])
    read = _ok(owner.get(f"{SALES}/{sale['id']}"))
    assert read["payments"] == paid["payments"]
    more = owner.post(f"{SALES}/{sale['id']}/payments", {"method": "card", "amount": "1.00"})
    assert _refused(more) == (422, "PAYMENT_MISMATCH")


def test_a_payment_with_a_key_is_taken_once(any_shop: Shop, till: Till) -> None:
    sale = _ok(any_shop.owner.post(SALES, {"store_id": "MAIN", "lines": [_line(2)]}), 201)
    path, body = f"{SALES}/{sale['id']}/payments", {"method": "cash", "amount": "4.00"}
    answers = [till.post(path, body, **{"Idempotency-Key": "deposit"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json() and answers[1].json()["paid"] == "4.00"


def test_a_tender_is_corrected_at_its_till(any_shop: Shop, till: Till) -> None:
    sale = till.sold(_line(1), payments=[{"method": "cash", "amount": "20.00"}])
    path = f"{SALES}/{sale['id']}/payments/{sale['payments'][0]['id']}/correct"
    cashier = any_shop.caller("cashier")
    assert _refused(cashier.post(path, {"method": "card"})) == (403, "FORBIDDEN")
    fixed = _ok(till.post(path, {"method": "card"}))
    assert [(one["method"], one["amount"]) for one in fixed["payments"]] == [("card", "12.00")]
    [session] = _ok(any_shop.owner.get(f"/api/v1/registers/{till.register}/sessions"))["items"]
    assert session["totals_by_method"] == {"card": "12.00", "cash": "0.00"}


def test_a_refund_is_split(any_shop: Shop, till: Till) -> None:
    tender = [{"method": "card", "amount": "10.00"}, {"method": "cash", "amount": "14.00"}]
    sale = till.sold(_line(2), payments=tender)
    body: dict[str, Any] = {"sale_id": sale["id"], "lines": [{"line_id": sale["lines"][0]["id"], "quantity": 2}]}
    assert _refused(till.post(RETURNS, body)) == (400, "INVALID_REQUEST")
    both = {**body, "refund": {"method": "cash"}, "refunds": tender}
    assert _refused(till.post(RETURNS, both)) == (400, "INVALID_REQUEST")
    assert _refused(till.post(RETURNS, {**body, "refunds": []})) == (400, "INVALID_REQUEST")
    made = _ok(till.post(RETURNS, {**body, "refunds": tender}), 201)
    assert made["refunds"] == tender and made["refund_total"] == "24.00"


def test_money_off_needs_a_reason(any_shop: Shop, till: Till) -> None:
    sale = till.sold(_line(2), payments=[{"method": "cash", "amount": "24.00"}])
    body: dict[str, Any] = {"sale_id": sale["id"], "amount": "3.00", "refund": {"method": "cash"}}
    assert _refused(till.post(RETURNS, body)) == (400, "INVALID_REQUEST")
    lines = [{"line_id": sale["lines"][0]["id"], "quantity": 1}]
    assert _refused(till.post(RETURNS, {**body, "reason": "late", "lines": lines})) == (400, "INVALID_REQUEST")
    made = _ok(till.post(RETURNS, {**body, "reason": "late"}), 201)
    assert (made["refund_total"], made["reason"], made["lines"][0]["quantity"]) == ("3.00", "late", 0)


@pytest.mark.parametrize(
    ("sold", "tender", "refunds"),
    [
        ("POT-1", {"payments": [{"method": "card", "amount": "13.00"}]}, [("exchange", "12.00")]),
        ("MUG-1", {}, [("exchange", "12.00")]),
    ],
)
def test_an_exchange_is_one_receipt(
    any_shop: Shop, till: Till, sold: str, tender: dict[str, Any], refunds: list[tuple[str, str]]
) -> None:
    old = till.sold(_line(1), payments=[{"method": "cash", "amount": "12.00"}])
    returned = [{"sale_id": old["id"], "lines": [{"line_id": old["lines"][0]["id"], "quantity": 1}]}]
    body = till.sale(_line(1, sold), returns=returned, **tender)
    assert _ok(till.post(QUOTE, body))["id"] is None
    made = _ok(till.post(CHECKOUT, body), 201)
    assert [(one["method"], one["amount"]) for one in made["returns"][0]["refunds"]] == refunds
    read = _ok(till.get(f"{SALES}/{made['id']}"))
    assert read["returns"] == made["returns"] and read["receipt"] == made["receipt"]


def test_the_difference_of_an_exchange_goes_back(any_shop: Shop, till: Till) -> None:
    old = till.sold(_line(1, "POT-1"), payments=[{"method": "cash", "amount": "25.00"}])
    returned = [{"sale_id": old["id"], "lines": [{"line_id": old["lines"][0]["id"], "quantity": 1}]}]
    answer = till.post(CHECKOUT, till.sale(_line(1), returns=returned))
    assert _refused(answer) == (422, "PAYMENT_MISMATCH") and answer.json()["due"] == "-13.00"
    made = _ok(till.post(CHECKOUT, till.sale(_line(1), returns=returned, refund={"method": "cash"})), 201)
    assert made["returns"][0]["refunds"][1] == {"method": "cash", "amount": "13.00"}
    alone = till.post(CHECKOUT, till.sale(_line(1), refund={"method": "cash"}, payments=[]))
    assert _refused(alone) == (400, "INVALID_REQUEST")
