"""What a till's page asks for: how it begins, what an exchange comes to, who took a sale, and codes as pictures."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.web.pages.codes import bars_of
from tests.api.conftest import Shop
from tests.api.test_registers import opened, register, user
from tests.api.test_till_cookie import Browser, at

TILL = {"Authorization": "Register"}


def cart(till: Browser, sku: str = "MUG-1", quantity: int = 1) -> Any:
    """An open cart of a till."""
    answer = till.post("/sales", {"lines": [{"product_id": sku, "quantity": quantity}]}, **TILL)
    assert answer.status == 201, answer
    return answer.json()


def sold(till: Browser, sku: str = "MUG-1", quantity: int = 1, *, cash: str) -> Any:
    """A sale that is paid."""
    sale = cart(till, sku, quantity)
    answer = till.post(f"/sales/{sale['id']}/complete", {"payments": [{"method": "cash", "amount": cash}]}, **TILL)
    assert answer.status == 200, answer
    return answer.json()


def test_a_page_begins_with_its_till(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.90")
    shop.product("POT-1", 9, price="25.00")
    shop.product("RAW-1", 9)
    user(shop, "bo", "cashier", "4711")
    name = register(shop)
    till = at(shop, name, pin="4711")
    first, second = cart(till), cart(till, "POT-1")
    for sku, cash in (("POT-1", "25.00"), ("POT-1", "25.00"), ("MUG-1", "9.90")):
        sold(till, sku, cash=cash)

    begun = till.get("/pos/till").json()
    assert (begun["currency"], begun["minor_digits"], begun["register"]["id"]) == ("USD", 2, name)
    assert (begun["cashier"]["name"], begun["cashier"]["role"]) == ("user:bo@arco.example", "cashier")
    assert "sales:create" in begun["permissions"] and "inventory:manage" not in begun["permissions"]
    assert begun["carts"] == [second["id"], first["id"]]
    assert [key["label"] for key in begun["quick_keys"]] == ["POT-1", "MUG-1"]
    assert begun["keys_are"] == "best_sellers"

    keys = [{"label": "Raw", "product_id": "RAW-1", "colour": "#aabbcc"}]
    assert shop.owner.patch(f"/api/v1/registers/{name}", {"quick_keys": keys}).status == 200
    begun = till.get("/pos/till").json()
    assert ([key["label"] for key in begun["quick_keys"]], begun["keys_are"]) == (["Raw"], "chosen")

    assert till.post("/pos/session/close", {"counted_cash": "159.90"}).status == 200
    assert till.get("/pos/till").code == "UNAUTHORIZED"
    assert shop.owner.get("/api/v1/pos/till").code in ("FORBIDDEN", "UNAUTHORIZED")


def test_carts_and_best_sellers_are_those_of_the_till_and_its_store(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.90")
    one, other = at(shop, register(shop)), at(shop, register(shop, "TILL-2"))
    sold(one, cash="9.90")
    own = cart(one)
    assert (one.get("/pos/till").json()["carts"], other.get("/pos/till").json()["carts"]) == ([own["id"]], [])
    assert [key["label"] for key in other.get("/pos/till").json()["quick_keys"]] == ["MUG-1"]

    assert one.post(f"/sales/{own['id']}/suspend", **TILL).status == 200
    assert one.get("/pos/till").json()["carts"] == []


def test_a_sale_says_its_units_and_what_is_owed_in_cash(any_shop: Shop) -> None:
    shop = any_shop
    assert shop.owner.patch("/api/v1/settings", {"cash_rounding": "0.05"}).status == 200
    shop.product("MUG-1", 9, price="9.91")
    made = shop.owner.post("/api/v1/products", {"sku": "TEA-1", "title": "Tea", "price": "30.00", "precision": 3})
    assert made.status == 201
    line = {"product_id": "TEA-1", "quantity": 2.5, "unit_cost": "1.00"}
    assert shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [line]}).status == 201
    till = at(shop, register(shop))
    sale = cart(till, "MUG-1", 2)
    tea = {"product_id": "TEA-1", "quantity": 0.25}
    sale = till.post(f"/sales/{sale['id']}/lines", tea, **TILL).json()
    assert (sale["units"], sale["owed"], sale["cash_owed"]) == (3, "27.32", "27.30")
    part = {"method": "card", "amount": "7.30"}
    sale = till.post(f"/sales/{sale['id']}/payments", part, **TILL).json()
    assert (sale["owed"], sale["cash_owed"]) == ("20.02", "20.00")
    assert (sale["discount"], sale["lines"][0]["own_discount"]) == (None, None)

    path = f"/api/v1/sales/{sale['id']}"
    line_path = f"{path}/lines/{sale['lines'][0]['id']}"
    away = shop.owner.patch(line_path, {"discount": {"percent": 12.5}})
    assert away.json()["lines"][0]["own_discount"] == {"percent": 12.5}
    off = shop.owner.patch(path, {"discount": {"amount": "1.00"}})
    assert off.json()["discount"] == {"amount": "1.00"}


def test_a_quote_says_what_an_exchange_comes_to(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.90")
    shop.product("POT-1", 9, price="25.00")
    till = at(shop, register(shop))
    sale = sold(till, quantity=2, cash="20.00")
    back = [{"sale_id": sale["id"], "lines": [{"line_id": sale["lines"][0]["id"], "quantity": 1}]}]
    lines = [{"product_id": "POT-1", "quantity": 1}]

    quote = till.post("/pos/quote", {"store_id": "MAIN", "lines": lines, "returns": back}).json()
    assert (quote["total"], quote["owed"], quote["id"]) == ("25.00", "15.10", None)
    assert [(one["method"], one["amount"]) for one in quote["payments"]] == [("exchange", "9.90")]
    plain = till.post("/pos/quote", {"store_id": "MAIN", "lines": lines}).json()
    assert (plain["owed"], plain["cash_owed"], plain["paid"]) == ("25.00", "25.00", "0.00")
    paid = {"store_id": "MAIN", "lines": lines, "returns": back, "payments": [{"method": "card", "amount": "15.10"}]}
    assert till.post("/pos/quote", paid).json()["owed"] == "0.00"
    short = {**paid, "payments": [{"method": "card", "amount": "15.00"}]}
    assert till.post("/pos/quote", short).code == "PAYMENT_MISMATCH"
    done = till.post("/pos/checkout", paid)
    assert (done.status, done.json()["owed"]) == (201, "0.00")


def test_who_is_too_late_for_a_sale_reads_who_has_it(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.90")
    user(shop, "bo", "cashier", "4711")
    one = at(shop, register(shop))
    name = shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-2", "name": "By the door"}).json()[
        "id"
    ]
    other = at(shop, name, pin="4711")
    sale = cart(one)
    assert one.post(f"/sales/{sale['id']}/suspend", **TILL).status == 200
    assert other.post(f"/sales/{sale['id']}/resume", **TILL).status == 200

    late = one.post(f"/sales/{sale['id']}/resume", **TILL)
    facts = late.json()
    assert (late.status, late.code, facts["sale_status"]) == (409, "INVALID_STATE", "open")
    assert (facts["resumed_by"], facts["register"]) == ("user:bo@arco.example", "By the door")
    assert other.post(f"/sales/{sale['id']}/cancel", **TILL).status == 200
    gone = one.post(f"/sales/{sale['id']}/resume", **TILL).json()
    assert (gone["sale_status"], "resumed_by" in gone) == ("cancelled", False)


def test_a_manager_s_pin_promises_more_than_there_is(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 2, price="9.90")
    user(shop, "bo", "cashier", "4711")
    user(shop, "mia", "manager", "258046")
    till = at(shop, register(shop), pin="4711")
    sale = cart(till)
    lines, line = f"/sales/{sale['id']}/lines", {"product_id": "MUG-1", "quantity": 3, "merge": True}
    short = till.post(lines, line, **TILL)
    assert (short.code, short.json()["available"], short.json()["override_required"]) == (
        "INSUFFICIENT_STOCK",
        1,
        "manager",
    )
    assert till.post(lines, line | {"override": True}, **TILL).code == "INSUFFICIENT_STOCK"

    more = till.post(lines, line | {"override": True}, **TILL, X_Cashier_Pin="258046").json()
    [kept] = more["lines"]
    assert (kept["quantity"], kept["held"], kept["backordered"]) == (4, 4, 2)
    path = f"{lines}/{kept['id']}"
    assert till.request("PATCH", path, {"quantity": 5}, TILL).code == "INSUFFICIENT_STOCK"
    named = TILL | {"X-Cashier-Pin": "258046"}
    more = till.request("PATCH", path, {"quantity": 5, "override": True}, named).json()
    assert (more["lines"][0]["backordered"], more["owed"]) == (3, "49.50")
    hold = shop.owner.get("/api/v1/inventory/ledger?product=MUG-1&ref_type=RESERVE").json()["items"]
    assert ("user:mia@arco.example", "override") in {(one["actor"], one["reason"]) for one in hold}
    paid = {"payments": [{"method": "cash", "amount": "49.50"}]}
    assert till.post(f"/sales/{sale['id']}/complete", paid, **TILL).code == "INSUFFICIENT_RESERVED"

    assert shop.owner.patch("/api/v1/settings", {"allow_override": False}).status == 200
    refused = till.request("PATCH", path, {"quantity": 6, "override": True}, named)
    assert (refused.code, "override_required" in refused.json()) == ("INSUFFICIENT_STOCK", False)
    fewer = till.request("PATCH", path, {"quantity": 2, "override": True}, TILL).json()["lines"][0]
    assert (fewer["held"], fewer["backordered"]) == (2, 0)


def test_the_page_is_for_who_sells(shop: Shop) -> None:
    nobody = shop.anonymous.get("/pos")
    assert (nobody.status, nobody.headers["location"]) == (303, "/sign-in?next=/pos")
    till = opened(shop, register(shop))
    assert till.client.get("/pos", headers={"Cookie": f"holdfast_till={till.token}"}).status == 200
    assert shop.anonymous.get("/pos/customer").status == 303


def test_code_128_by_a_published_example() -> None:
    # "Wikipedia" in code set B has the check value 88; "A" and "0" are drawn as in every table of the code.
    drawn = bars_of("Wikipedia")
    values = [ord(sign) - 32 for sign in "Wikipedia"]
    assert (104 + sum(place * value for place, value in enumerate(values, 1))) % 103 == 88
    assert drawn.startswith("211214") and drawn.endswith(bars_of("x")[-7:])
    assert drawn[-13:-7] == bars_of(chr(88 + 32))[6:12], "the check is drawn as the sign of its value"
    assert (bars_of("A")[6:12], bars_of("0")[6:12], bars_of(" ")[6:12]) == ("111323", "123122", "212222")
    assert sum(int(width) for width in drawn) == 11 * (1 + len("Wikipedia") + 1) + 13


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("kind=bars&text=S-000001", 200),
        ("kind=qr&text=S-000001%20%E2%82%AC", 200),
        ("kind=bars&text=%E2%82%AC", 400),
        ("kind=bars&text=", 400),
        ("kind=bars&text=" + "x" * 61, 400),
        ("kind=qr&text=" + "x" * 901, 400),
        ("kind=qr", 400),
    ],
)
def test_codes_as_pictures(shop: Shop, query: str, status: int) -> None:
    answer = shop.anonymous.get(f"/pos/code.svg?{query}")
    assert answer.status == status
    if status == 200:
        assert answer.content.startswith(b"<svg") and b"script" not in answer.content
