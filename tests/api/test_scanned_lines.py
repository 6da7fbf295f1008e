"""Lines by what was scanned: one request a scan, equal lines that grow, lots and weights out of the code."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.web.api.scale_codes import check_digit
from tests.api.client import Response
from tests.api.conftest import Shop
from tests.api.test_registers import east, opened, register

EAN = "4006381333931"
GTIN = "09506000134352"


def cart(shop: Shop, **fields: Any) -> str:
    """The path of the lines of a new cart in the store MAIN."""
    made = shop.owner.post("/api/v1/sales", {"store_id": "MAIN", **fields})
    assert made.status == 201, made
    return f"/api/v1/sales/{made.json()['id']}/lines"


def told(answer: Response) -> list[tuple[str, Any, str]]:
    """The lines of the sale that was answered: (SKU, quantity, total)."""
    assert answer.status == 201, answer
    return [(line["sku"], line["quantity"], line["line_total"]) for line in answer.json()["lines"]]


def test_a_scan_is_a_line_and_the_next_one_grows_it(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9, price="9.90", gtin=EAN)
    lines = cart(shop)
    scan = {"code": EAN, "merge": True}

    assert told(shop.owner.post(lines, scan)) == [("MUG-1", 1, "9.90")]
    assert told(shop.owner.post(lines, {"code": "MUG-1", "merge": True})) == [("MUG-1", 2, "19.80")]
    assert told(shop.owner.post(lines, {**scan, "quantity": 3})) == [("MUG-1", 5, "49.50")]
    answer = shop.owner.post(lines, {"product_id": "MUG-1", "quantity": 1, "merge": True})
    assert told(answer) == [("MUG-1", 6, "59.40")]
    assert len(told(shop.owner.post(lines, {"code": EAN}))) == 2  # without merge it is a line of its own
    held = shop.owner.get("/api/v1/store/inventory?product=MUG-1").json()["items"][0]
    assert held["reserved_quantity"] == 7


def test_only_equal_lines_grow(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 20, price="9.90", gtin=EAN)
    lot = shop.owner.get("/api/v1/inventory/lots").json()["items"][0]["id"]
    lines = cart(shop)
    scan = {"code": EAN, "merge": True}
    variants: list[dict[str, Any]] = [
        {},
        {"unit_price": "8.00"},
        {"discount": {"percent": 10}},
        {"discount": {"amount": "1.00"}},
        {"lot_id": lot},
        {"location": "MAIN"},
    ]
    for fields in variants:
        shop.owner.post(lines, scan | fields)

    grown = [told(shop.owner.post(lines, scan | fields)) for fields in variants][-1]

    assert len(grown) == len(variants)
    assert [quantity for _, quantity, _ in grown] == [2] * len(variants)


def test_a_line_that_cannot_grow_stays_as_it_was(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 2, price="9.90", gtin=EAN)
    lines = cart(shop)
    shop.owner.post(lines, {"code": EAN, "merge": True, "quantity": 2})

    refused = shop.owner.post(lines, {"code": EAN, "merge": True})

    assert (refused.status, refused.code) == (409, "INSUFFICIENT_STOCK")
    sale = shop.owner.get(lines.removesuffix("/lines")).json()
    assert [line["quantity"] for line in sale["lines"]] == [2]


def test_the_same_scan_under_its_key_counts_once(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90", gtin=EAN)
    lines = cart(shop)
    key = {"Idempotency-Key": "scan-1"}

    first = shop.owner.post(lines, {"code": EAN, "merge": True}, headers=key)
    again = shop.owner.post(lines, {"code": EAN, "merge": True}, headers=key)
    shop.owner.patch("/api/v1/products/MUG-1", {"gtin": None})
    later = shop.owner.post(lines, {"code": EAN, "merge": True}, headers=key)

    assert again.content == first.content == later.content
    assert shop.owner.post(lines, {"code": EAN, "merge": True}).code == "PRODUCT_NOT_FOUND"


def test_lot_expiry_and_count_come_out_of_the_code(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MILK", price="1.00", gtin=GTIN, track_expiry=True)
    line = {"product_id": "MILK", "quantity": 20, "unit_cost": "0.50"}
    for code, expires in (("OLD", "2099-01-01"), ("NEW", "2099-06-01")):
        received = {**line, "lot_code": code, "expires_at": expires}
        assert shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [received]}).status == 201
    lines = cart(shop)

    answer = shop.owner.post(lines, {"code": f"01{GTIN}10NEW␝3712", "merge": True})

    assert told(answer) == [("MILK", 12, "12.00")]
    hold = shop.owner.get("/api/v1/inventory-reservations").json()["items"][0]
    assert [one["lot_code"] for one in hold["allocations"]] == ["NEW"]
    unknown = shop.owner.post(lines, {"code": f"01{GTIN}10OTHER", "merge": True})
    assert told(unknown)[1][1] == 1  # nobody received that lot: it is taken from what there is
    lot = {one["lot_code"]: one["id"] for one in shop.owner.get("/api/v1/inventory/lots").json()["items"]}["OLD"]
    assert shop.owner.post(f"/api/v1/inventory/lots/{lot}/quarantine", {"reason": "recall"}).status == 200
    recalled = shop.owner.post(lines, {"code": f"01{GTIN}10OLD"})
    past = shop.owner.post(lines, {"code": f"01{GTIN}17200101"})
    assert (recalled.status, recalled.code) == (409, "LOT_NOT_AVAILABLE")
    assert (past.status, past.code) == (409, "LOT_NOT_AVAILABLE")
    assert "2020-01-01" in past.json()["detail"]


def test_a_weight_in_the_code_is_the_quantity(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("CHEESE", 10, price="24.00", gtin=GTIN, precision=3)
    shop.product("WHEEL", 10, price="24.00", gtin="04012345123456")
    lines = cart(shop)

    assert told(shop.owner.post(lines, {"code": f"01{GTIN}3103001250"})) == [("CHEESE", 1.25, "30.00")]
    assert told(shop.owner.post(lines, {"code": f"01{GTIN}3103001250", "quantity": 2}))[1][1] == 2
    whole = shop.owner.post(lines, {"code": "01040123451234563103001250"})
    assert whole.code in {"INVALID_QUANTITY", "PRODUCT_NOT_FOUND"}


@pytest.mark.parametrize(
    ("prefix", "code", "item", "line"),
    [
        ({"prefix": "21", "kind": "weight"}, "2112345012509", "12345", (1.25, "15.00")),
        ({"prefix": "21", "kind": "weight", "places": 2, "unit": "lb"}, "2112345012509", "12345", (12.5, "150.00")),
        ({"prefix": "22", "kind": "price"}, "2200042004500", "00042", (0.375, "4.50")),
        ({"prefix": "22", "kind": "price"}, "2200042003459", "42", (0.287, "3.44")),  # never more than the label says
        ({"prefix": "02", "kind": "weight", "value_check": True, "item_digits": 4}, "0212349012509", "1234", None),
    ],
)
def test_the_shop_s_own_scales(shop: Shop, prefix: dict[str, Any], code: str, item: str, line: Any) -> None:
    code = code[:12] + check_digit(code[:12])
    shop.product(item, 100, price="12.00", precision=3)
    assert shop.owner.get("/api/v1/scan?code=" + code).code == "PRODUCT_NOT_FOUND"
    changed = shop.owner.patch("/api/v1/settings", {"barcode_prefixes": [prefix]})
    assert changed.status == 200, changed

    lines = told(shop.owner.post(cart(shop), {"code": code}))

    expected = (1.25, "15.00") if line is None else line
    assert lines == [(item, *expected)]
    scanned = shop.owner.get("/api/v1/scan?code=" + code).json()
    assert (scanned["sku"], scanned["gtin"]) == (item, code)
    assert (scanned["amount"] is None) == (prefix["kind"] == "weight")


def test_a_scale_code_finds_the_product_by_the_number_with_a_value_of_zero(shop: Shop) -> None:
    base, half = ("2154321" + value + check_digit("2154321" + value) for value in ("00000", "00500"))
    shop.product("HAM", 10, price="20.00", precision=3, gtin=base)
    shop.owner.patch("/api/v1/settings", {"barcode_prefixes": [{"prefix": "21", "kind": "weight"}]})

    assert told(shop.owner.post(cart(shop), {"code": half})) == [("HAM", 0.5, "10.00")]
    assert told(shop.owner.post(cart(shop), {"code": base})) == [("HAM", 1, "20.00")]


def test_prefixes_that_make_no_sense(shop: Shop) -> None:
    weight = {"prefix": "21", "kind": "weight"}
    for prefixes, field in (
        ([{**weight, "prefix": "40"}], "barcode_prefixes.0.prefix"),
        ([{**weight, "prefix": "2123", "item_digits": 7}], "barcode_prefixes.0.item_digits"),
        ([weight, {**weight, "prefix": "213"}], "barcode_prefixes.1.prefix"),
        ([weight, weight], "barcode_prefixes.1.prefix"),
        ([{**weight, "kind": "length"}], "barcode_prefixes.0.kind"),
    ):
        refused = shop.owner.patch("/api/v1/settings", {"barcode_prefixes": prefixes})
        assert (refused.status, refused.json()["field"]) == (400, field), refused
    assert shop.owner.patch("/api/v1/settings", {"barcode_prefixes": [weight]}).json()["barcode_prefixes"] == [
        {"prefix": "21", "kind": "weight", "item_digits": 5, "value_check": False, "places": 3, "unit": "kg"}
    ]
    assert shop.owner.patch("/api/v1/settings", {"barcode_prefixes": []}).json()["barcode_prefixes"] == []


def test_a_price_of_counted_goods_needs_the_right_to_set_prices(shop: Shop) -> None:
    shop.product("55555", 5, price="4.00")
    shop.owner.patch("/api/v1/settings", {"barcode_prefixes": [{"prefix": "23", "kind": "price"}]})
    lines, cashier = cart(shop), shop.caller("cashier")

    code = "235555500350" + check_digit("235555500350")
    assert cashier.post(lines, {"code": code}).code == "PRICE_MISMATCH"
    assert told(shop.owner.post(lines, {"code": code})) == [("55555", 1, "3.50")]


def test_a_line_has_a_product_or_a_code(shop: Shop) -> None:
    lines = cart(shop)
    for body, field in (
        ({"quantity": 1}, "product_id"),
        ({"product_id": "MUG-1"}, "quantity"),
        ({"code": "]C1"}, "code"),
        ({"code": "a\u001db"}, "code"),
    ):
        refused = shop.owner.post(lines, body)
        assert (refused.status, refused.json()["field"]) == (400, field), body
    refused = shop.owner.post("/api/v1/sales", {"lines": [{"code": "]C1"}]})
    assert refused.json()["field"] == "lines.0.code"


# What there is, here and elsewhere -----------------------------------------------------------------------------------


def receive(shop: Shop, location: str, quantity: int) -> None:
    """Mugs come in."""
    line = {"product_id": "MUG-1", "quantity": quantity, "unit_cost": "3.50"}
    assert shop.owner.post("/api/v1/receipts", {"location": location, "lines": [line]}).status == 201


def test_a_scan_tells_the_price_and_what_there_is(any_shop: Shop) -> None:
    shop = any_shop
    store = east(shop)
    shop.product("MUG-1", 4, price="9.90", gtin=EAN)
    receive(shop, "EAST", 12)
    path = f"/api/v1/scan?code={EAN}"

    everywhere = shop.owner.get(path).json()
    here = shop.owner.get(path + "&store_id=MAIN").json()
    of_east = shop.caller("cashier", (store,)).get(path).json()

    there = {"location": "EAST", "store_id": store, "store_name": "East", "available": 12}
    assert (everywhere["available"], everywhere["available_elsewhere"]) == (16, [])
    assert (here["price"], here["available"], here["available_elsewhere"]) == ("9.90", 4, [there])
    assert (of_east["available"], of_east["available_elsewhere"]) == (12, [])  # of other stores nothing is said


def test_a_till_tells_what_there_is_in_the_stores_of_who_is_at_it(any_shop: Shop) -> None:
    shop = any_shop
    east(shop)
    shop.product("MUG-1", 4, price="9.90", gtin=EAN)
    receive(shop, "EAST", 12)
    till = opened(shop, register(shop))
    bound = {"email": "bo@arco.example", "password": "correct horse", "role": "cashier", "pin": "4711"}
    assert shop.owner.post("/api/v1/users", {**bound, "stores": ["MAIN"]}).status == 201

    seen = till.get(f"/scan?code={EAN}").json()
    bounded = till.with_pin("4711").get(f"/scan?code={EAN}").json()

    assert (seen["available"], [one["location"] for one in seen["available_elsewhere"]]) == (4, ["EAST"])
    assert (bounded["available"], bounded["available_elsewhere"]) == (4, [])


def test_what_is_short_says_where_there_is_some(any_shop: Shop) -> None:
    shop = any_shop
    store = east(shop)
    shop.product("MUG-1", 2, price="9.90", gtin=EAN)
    receive(shop, "EAST", 12)
    lines = cart(shop)
    there = [{"location": "EAST", "store_id": store, "store_name": "East", "available": 12}]

    one = shop.owner.post(lines, {"code": EAN, "quantity": 3})
    many = shop.owner.post("/api/v1/sales", {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 3}]})
    sold = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 3}]}
    till = opened(shop, register(shop))
    paid = till.post("/pos/checkout", {**sold, "payments": [{"method": "cash", "amount": "29.70"}]})
    of_main = shop.caller("cashier", (shop.made.store_id,)).post(lines, {"code": EAN, "quantity": 3})

    assert (one.status, one.json()["available"], one.json()["available_elsewhere"]) == (409, 2, there)
    for answer in (one, many, paid):
        assert answer.json()["lines"][0]["available_elsewhere"] == there, answer
        assert answer.json()["lines"][0]["title"] == "MUG-1"
    assert (of_main.status, of_main.json()["available_elsewhere"]) == (409, [])
    grown = shop.owner.post(lines, {"code": EAN, "quantity": 2}).json()["lines"][0]["id"]
    more = shop.owner.patch(f"{lines}/{grown}", {"quantity": 5})
    assert more.json()["lines"][0]["available_elsewhere"] == there


def test_a_cart_that_is_resumed_is_held_anew(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="9.90")
    sale = shop.owner.post("/api/v1/sales", {"lines": [{"product_id": "MUG-1", "quantity": 1}]}).json()["id"]
    hold = "/api/v1/inventory-reservations?status=active"
    before = shop.owner.get(hold).json()["items"][0]["expires_at"]
    shop.owner.post(f"/api/v1/sales/{sale}/suspend")
    assert shop.owner.get(hold).json()["items"][0]["expires_at"] is None

    shop.owner.post(f"/api/v1/sales/{sale}/resume")

    assert shop.owner.get(hold).json()["items"][0]["expires_at"] >= before
    order = {"source": "shopify", "order_number": "102", "lines": [{"product_id": "MUG-1", "quantity": 1}]}
    online = shop.owner.post("/api/v1/sales", order).json()["id"]
    shop.owner.post(f"/api/v1/sales/{online}/suspend")
    shop.owner.post(f"/api/v1/sales/{online}/resume")
    theirs = shop.owner.get("/api/v1/inventory-reservations?order_number=102").json()["items"][0]
    assert theirs["expires_at"] is None
