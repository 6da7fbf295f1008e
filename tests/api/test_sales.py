"""Sales over HTTP: the life of a cart, the queue, shipping in parts, returns, taxes, and who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.organisation import establish
from tests.api.client import Client, Response
from tests.api.conftest import Shop
from tests.shop import Clock

SALES = "/api/v1/sales"
RETURNS = "/api/v1/returns"
NIL = "01890000-0000-7000-8000-000000000000"
CASH = {"method": "cash", "amount": "50.00"}


def _ok(answer: Response, status: int = 200) -> Any:
    assert answer.status == status, answer
    return answer.json()


def _line(quantity: Any = 1, sku: str = "MUG-1", **more: Any) -> dict[str, Any]:
    return {"product_id": sku, "quantity": quantity, **more}


def _open(caller: Client, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    opened: dict[str, Any] = _ok(caller.post(SALES, {"lines": list(lines), **more}), 201)
    return opened


def _act(caller: Client, sale: dict[str, Any], what: str, body: Any = None) -> Response:
    return caller.post(f"{SALES}/{sale['id']}/{what}", body)


def _refused(answer: Response) -> tuple[int, str]:
    return answer.status, answer.code


def _level(shop: Shop, sku: str = "MUG-1") -> tuple[float, float, float]:
    """On hand, reserved, backordered over all."""
    product = shop.owner.get(f"/api/v1/products/{sku}").json()
    return product["total_quantity"], product["total_reserved"], product["backordered"]


def _journal(shop: Shop) -> dict[str, str]:
    """The balance of each account, as far as it is not zero."""
    rows = _ok(shop.owner.get("/api/v1/trial-balance"))
    rows = rows["items"] if isinstance(rows, dict) else rows
    return {row["account"]: row["balance"] for row in rows if row["balance"] != "0.00"}


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time that the test moves (SQLite)."""
    with Clock().running() as clock:
        yield clock


# The life of a sale --------------------------------------------------------------------------------------------------


def test_a_cart_from_the_first_line_to_the_last_return(any_shop: Shop) -> None:
    shop, owner = any_shop, any_shop.owner
    shop.product("MUG-1", 10, price="12.00")
    shop.product("TEE-S", 5, price="20.00")

    sale = _open(owner, _line(2), customer="Ana")
    assert (sale["status"], sale["source"], sale["customer"]) == ("open", "manual", "Ana")
    assert sale["order_number"] == sale["number"] == "S-000001"
    assert (sale["subtotal"], sale["total"], sale["paid"], sale["rounding"]) == ("24.00", "24.00", "0.00", "0.00")
    assert sale["receipt"] is None and len(sale["lines"][0]["reservations"]) == 1
    assert _level(shop) == (10, 2, 0)

    path = f"{SALES}/{sale['id']}"
    sale = _ok(owner.post(f"{path}/lines", _line(1, "TEE-S")), 201)
    mug, tee = sale["lines"]
    assert [line["sku"] for line in sale["lines"]] == ["MUG-1", "TEE-S"] and sale["total"] == "44.00"
    sale = _ok(owner.patch(f"{path}/lines/{mug['id']}", {"quantity": 3, "discount": {"amount": "1.00"}}))
    assert (sale["lines"][0]["discount"], sale["lines"][0]["line_total"], sale["total"]) == ("1.00", "35.00", "55.00")
    assert _level(shop) == (10, 3, 0)
    sale = _ok(owner.delete(f"{path}/lines/{tee['id']}"))
    assert len(sale["lines"]) == 1 and _level(shop, "TEE-S") == (5, 0, 0)
    sale = _ok(owner.patch(path, {"discount": {"percent": 10}, "fees": [{"name": "Delivery", "amount": "4.00"}]}))
    assert (sale["discount_total"], sale["fee_total"], sale["total"]) == ("4.50", "4.00", "35.50")
    assert _ok(owner.get(path)) == sale

    assert _ok(_act(owner, sale, "suspend"))["status"] == "suspended"
    assert [one["id"] for one in _ok(owner.get(f"{SALES}?status=suspended"))["items"]] == [sale["id"]]
    assert _ok(_act(owner, sale, "resume"))["status"] == "open"
    assert _refused(_act(owner, sale, "resume")) == (409, "INVALID_STATE")
    sold = _ok(_act(owner, sale, "complete", {"payments": [CASH]}))
    assert (sold["status"], sold["paid"], sold["change"]) == ("completed", "50.00", "14.50")
    assert [{name: one[name] for name in CASH} for one in sold["payments"]] == [CASH] and sold["receipt"][
        "due"
    ] == "35.50"
    assert sold["lines"][0]["fulfilled"] == 3 and _level(shop) == (7, 0, 0)
    entry = owner.get("/api/v1/inventory/ledger?ref_type=SALE").json()["items"][0]
    assert (entry["qty_delta"], entry["ref_id"], entry["order_number"]) == (-3, sale["id"], "S-000001")
    assert _journal(shop)["1000"] == "35.50"
    assert _ok(owner.get(path)) == sold

    for body, refund, left in (
        ({"quantity": 1, "condition": "good"}, "11.84", (8, 0, 0)),
        ({"quantity": 1, "condition": "damaged"}, "11.83", (9, 0, 0)),
        ({"quantity": 1, "condition": "none"}, "11.83", (9, 0, 0)),
    ):
        back = {"sale_id": sale["id"], "lines": [{"line_id": mug["id"], **body}], "refund": {"method": "cash"}}
        made = _ok(owner.post(RETURNS, back), 201)
        assert (made["sale_id"], made["refund_total"], made["refund"]["method"]) == (sale["id"], refund, "cash")
        assert _level(shop) == left
        assert _ok(owner.get(f"{RETURNS}/{made['id']}")) == made
    assert _refused(owner.post(RETURNS, back)) == (409, "RETURN_EXCEEDS_SALE")
    assert "1000" not in _journal(shop), "what was paid went back to the cent"
    assert len(_ok(owner.get(f"{RETURNS}?sale_id={sale['id']}"))["items"]) == 3
    assert _ok(owner.get(path))["lines"][0]["returned"] == 3
    returned = owner.get("/api/v1/inventory/ledger?ref_type=RETURN").json()["items"]
    assert {entry["ref_id"] for entry in returned} <= {one["id"] for one in _ok(owner.get(RETURNS))["items"]}


def test_what_is_given_up_or_sold_is_done(shop: Shop) -> None:
    shop.product("MUG-1", 5, price="12.00")
    given_up = _open(shop.owner, _line(2))
    assert _ok(_act(shop.owner, given_up, "cancel"))["status"] == "cancelled"
    assert _level(shop) == (5, 0, 0)
    sold = _open(shop.owner, _line(2))
    # From the queue too, and unpaid: then it stays to be paid.
    _ok(_act(shop.owner, sold, "suspend"))
    assert _ok(_act(shop.owner, sold, "complete"))["paid"] == "0.00"
    assert _journal(shop)["1100"] == "24.00"

    for sale in (given_up, sold):
        line = sale["lines"][0]["id"]
        path = f"{SALES}/{sale['id']}"
        for answer in (
            *(_act(shop.owner, sale, what) for what in ("suspend", "resume", "complete", "cancel")),
            _act(shop.owner, sale, "fulfillments", {"lines": [{"line_id": line, "quantity": 1}]}),
            shop.owner.post(f"{path}/lines", _line()),
            shop.owner.patch(f"{path}/lines/{line}", {"quantity": 1}),
            shop.owner.delete(f"{path}/lines/{line}"),
            shop.owner.patch(path, {"customer": "Bo"}),
        ):
            assert _refused(answer) == (409, "INVALID_STATE"), answer
    assert _level(shop) == (3, 0, 0)


def test_a_sale_ships_in_parts(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 2, price="10.00", oversell="backorder")
    sale = _open(shop.owner, _line(3), source="shopify", order_number="1001")
    line = sale["lines"][0]
    assert (line["held"], line["backordered"], sale["conflict"]) == (3, 1, True)
    refused = _act(shop.owner, sale, "complete", {"payments": [CASH]})
    assert _refused(refused) == (409, "INSUFFICIENT_RESERVED")
    assert refused.json()["lines"][0]["available"] == 2

    part = _ok(_act(shop.owner, sale, "fulfillments", {"lines": [{"line_id": line["id"], "quantity": 2}]}))
    assert (part["status"], part["lines"][0]["fulfilled"], len(part["fulfillments"])) == ("open", 2, 1)
    over = _act(shop.owner, sale, "fulfillments", {"lines": [{"line_id": line["id"], "quantity": 1}]})
    assert _refused(over) == (409, "INSUFFICIENT_RESERVED")
    shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [_line(5, unit_cost="3.00")]})
    rest = {"lines": [{"line_id": line["id"], "quantity": 1}], "tracking": "1Z999"}
    done = _ok(_act(shop.owner, sale, "fulfillments", rest))
    assert (done["status"], done["fulfillments"][1]["tracking"]) == ("completed", "1Z999")
    assert _journal(shop)["4000"].lstrip("-") == "30.00"
    assert _level(shop) == (4, 0, 0)


def test_what_was_weighed_is_shipped_and_returned_in_proportion(any_shop: Shop) -> None:
    """60.00 for 2.5 kg: a kilogram is 24.00, shipped, given up, or brought back."""
    shop = any_shop
    shop.product("CHEESE", 10, price="24.00", precision=3)
    sale = _open(shop.owner, _line(2.5, "CHEESE"))
    _ok(_act(shop.owner, sale, "fulfillments", {"lines": [{"line_id": sale["lines"][0]["id"], "quantity": 1}]}))
    assert _journal(shop)["4000"].lstrip("-") == "24.00"
    cut = _ok(_act(shop.owner, sale, "cancel"))
    assert (cut["total"], cut["lines"][0]["line_total"], cut["lines"][0]["quantity"]) == ("24.00", "24.00", 1)

    sold = _open(shop.owner, _line(2.5, "CHEESE"))
    _ok(_act(shop.owner, sold, "complete", {"payments": [{"method": "card", "amount": "60.00"}]}))
    back = {"line_id": sold["lines"][0]["id"], "quantity": 1}
    made = _ok(
        shop.owner.post(RETURNS, {"sale_id": sold["id"], "lines": [back], "refund": {"method": "card"}}),
        201,
    )
    assert made["refund_total"] == "24.00"


def test_a_shipment_is_taken_back_and_a_line_made_smaller(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="10.00")
    sale = _open(shop.owner, _line(5))
    line = sale["lines"][0]["id"]
    part = _ok(_act(shop.owner, sale, "fulfillments", {"lines": [{"line_id": line, "quantity": 2}]}))
    less = _ok(shop.owner.patch(f"{SALES}/{sale['id']}/lines/{line}", {"quantity": 4}))
    assert (less["total"], less["lines"][0]["held"], _level(shop)) == ("40.00", 2, (3, 2, 0))
    assert _refused(shop.owner.patch(f"{SALES}/{sale['id']}/lines/{line}", {"quantity": 1})) == (409, "INVALID_STATE")

    what = f"fulfillments/{part['fulfillments'][0]['id']}/revert"
    assert _act(shop.owner, sale, what, {}).status == 400
    again = _ok(_act(shop.owner, sale, what, {"reason": "wrong order"}))
    assert (again["status"], again["fulfillments"], again["lines"][0]["fulfilled"]) == ("open", [], 0)
    assert (again["lines"][0]["held"], _level(shop)) == (4, (5, 4, 0))
    assert "4000" not in _journal(shop)
    assert _refused(_act(shop.owner, sale, what, {"reason": "again"})) == (404, "NOT_FOUND")

    done = _ok(_act(shop.owner, sale, "fulfillments", {"lines": [{"line_id": line, "quantity": 4}]}))
    assert done["status"] == "completed"
    what = f"fulfillments/{done['fulfillments'][0]['id']}/revert"
    open_again = _ok(_act(shop.owner, sale, what, {"reason": "it never left"}))
    assert (open_again["status"], open_again["receipt"], _level(shop)) == ("open", None, (5, 4, 0))
    trace = shop.owner.get(f"/api/v1/orders/{sale['order_number']}/lots").json()
    assert [(row["held"], row["sold"]) for row in trace] == [(4, 0)]


def test_what_was_shipped_stays_sold_when_the_rest_is_cancelled(shop: Shop) -> None:
    shop.product("MUG-1", 5, price="10.00")
    sale = _open(shop.owner, _line(3))
    part = {"lines": [{"line_id": sale["lines"][0]["id"], "quantity": 1}]}
    _ok(_act(shop.owner, sale, "fulfillments", part))

    done = _ok(_act(shop.owner, sale, "cancel"))

    assert (done["status"], done["total"], done["lines"][0]["quantity"]) == ("completed", "10.00", 1)
    assert _level(shop) == (4, 0, 0)


def test_an_expired_cart_competes_again(shop: Shop, clock: Clock) -> None:
    shop.product("MUG-1", 3, price="10.00")
    first, second = _open(shop.owner, _line(2)), _open(shop.owner, _line(1))
    clock.pass_(31 * 60 * 1_000_000)

    lapsed = _ok(shop.owner.get(f"{SALES}/{first['id']}"))
    if lapsed["lines"][0]["held"]:  # reads go by the machine's clock, which this test does not move
        lapsed = shop.holdfast.reports.sale(shop.made.org_id, first["id"], now=clock.now)
    assert (lapsed["lines"][0]["held"], lapsed["lines"][0]["lapsed"]) == (0, 2)
    sold = _ok(_act(shop.owner, first, "complete", {"payments": [CASH]}))
    assert sold["status"] == "completed"
    assert len(sold["lines"][0]["reservations"]) == 2, "the hold that lapsed, and the one that was sold"
    shop.owner.post("/api/v1/store/inventory/set", _line(0, location="MAIN"))
    short = _act(shop.owner, second, "complete", {"payments": [CASH]})
    assert _refused(short) == (409, "INSUFFICIENT_STOCK")
    assert _ok(shop.owner.get(f"{SALES}/{second['id']}"))["status"] == "open"


def test_a_line_is_split_over_the_fewest_locations(shop: Shop) -> None:
    shop.product("MUG-1", 2, price="10.00")
    shop.owner.post("/api/v1/locations", {"code": "BACK"})
    shop.owner.post("/api/v1/receipts", {"location": "BACK", "lines": [_line(3, unit_cost="3.00")]})

    sale = _open(shop.owner, _line(4))
    places = _open(shop.owner, _line(1, location="main"))

    assert len(sale["lines"][0]["reservations"]) == 2
    hold = shop.owner.get(f"/api/v1/inventory-reservations/{places['lines'][0]['reservations'][0]}").json()
    assert (hold["location"], hold["sale_line_id"]) == ("MAIN", places["lines"][0]["id"])
    short = shop.owner.post(SALES, {"lines": [_line(1), _line(0.5), _line(2)]})
    assert _refused(short) == (400, "INVALID_QUANTITY")
    short = shop.owner.post(SALES, {"lines": [_line(1), _line(2)]})
    assert _refused(short) == (409, "INSUFFICIENT_STOCK")
    assert [line["index"] for line in short.json()["lines"]] == [0, 1]


def test_a_pinned_lot_is_the_one_that_is_sold(shop: Shop) -> None:
    shop.product("MUG-1", price="10.00")
    for code in ("A", "B"):
        shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [_line(2, lot_code=code, unit_cost="3.00")]})
    lots = {row["lot_code"]: row["id"] for row in shop.owner.get("/api/v1/inventory/lots").json()["items"]}

    sale = _open(shop.owner, _line(1, lot_id=lots["B"]))
    _ok(_act(shop.owner, sale, "complete"))
    assert [row["lot_code"] for row in shop.owner.get(f"/api/v1/orders/{sale['number']}/lots").json()] == ["B"]
    for lot, refused in ((NIL, (404, "LOT_NOT_FOUND")), ("junk", (404, "LOT_NOT_FOUND"))):
        assert _refused(shop.owner.post(SALES, {"lines": [_line(1, lot_id=lot)]})) == refused
    shop.owner.post(f"/api/v1/inventory/lots/{lots['A']}/quarantine", {"reason": "recall"})
    assert _refused(shop.owner.post(SALES, {"lines": [_line(1, lot_id=lots["A"])]})) == (409, "LOT_NOT_AVAILABLE")


def test_digital_goods_need_no_stock_and_suppliers_ship_theirs(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("PDF-1", kind="digital", price="5.00")
    shop.product("SOFA-1", dropship=True, supplier="Acme", price="300.00")
    sale = _open(shop.owner, _line(3, "PDF-1"), _line(1, "SOFA-1"))
    assert [line["reservations"] for line in sale["lines"]] == [[], []]

    sold = _ok(_act(shop.owner, sale, "complete"))

    assert [line["fulfilled"] for line in sold["lines"]] == [3, 1]
    orders = _ok(shop.owner.get("/api/v1/supplier-orders?status=open"))["items"]
    assert [(one["sku"], one["supplier"], one["sale_id"]) for one in orders] == [("SOFA-1", "Acme", sale["id"])]
    ship = f"/api/v1/supplier-orders/{orders[0]['id']}/ship"
    shipped = _ok(shop.owner.post(ship, {"tracking": "1Z999"}))
    assert (shipped["status"], shipped["tracking"]) == ("shipped", "1Z999")
    assert _refused(shop.owner.post(ship)) == (409, "INVALID_STATE")
    assert _refused(shop.owner.post(f"/api/v1/supplier-orders/{NIL}/ship")) == (404, "NOT_FOUND")
    assert _ok(shop.owner.get("/api/v1/supplier-orders?status=open"))["items"] == []
    assert len(_ok(shop.owner.get(f"/api/v1/supplier-orders?sale_id={sale['id']}"))["items"]) == 1


# Returns -------------------------------------------------------------------------------------------------------------


def test_lines_of_one_return_count_together(shop: Shop) -> None:
    shop.product("MUG-1", 5, price="10.00")
    sale = _open(shop.owner, _line(3))
    one = {"line_id": sale["lines"][0]["id"], "quantity": 2}
    body = {"sale_id": sale["id"], "lines": [one, one], "refund": {"method": "card"}}
    assert _refused(shop.owner.post(RETURNS, body)) == (409, "INVALID_STATE")
    _ok(_act(shop.owner, sale, "complete"))

    over = shop.owner.post(RETURNS, body)

    assert _refused(over) == (409, "RETURN_EXCEEDS_SALE")
    assert over.json()["lines"][0]["available"] == 3
    for change, refused in (
        ({"sale_id": NIL}, (404, "SALE_NOT_FOUND")),
        ({"sale_id": "junk"}, (404, "SALE_NOT_FOUND")),
        ({"lines": [{**one, "line_id": NIL}]}, (404, "NOT_FOUND")),
        ({"lines": [{**one, "quantity": 0}]}, (400, "INVALID_QUANTITY")),
        ({"lines": [{**one, "condition": "lost"}]}, (400, "INVALID_REQUEST")),
        ({"lines": [{**one, "unit_price": "99.00"}]}, (400, "INVALID_REQUEST")),
        ({"lines": [{"quantity": 1}]}, (400, "INVALID_REQUEST")),
        ({"lines": []}, (400, "INVALID_REQUEST")),
        ({"store_id": "MAIN"}, (400, "INVALID_REQUEST")),
        ({"refund": {"method": "cheque"}}, (400, "INVALID_REQUEST")),
    ):
        assert _refused(shop.owner.post(RETURNS, {**body, **change})) == refused, change


def test_goods_without_a_receipt_need_more_than_a_cashier(shop: Shop) -> None:
    shop.product("MUG-1", 1, price="10.00")
    line = {"product_id": "MUG-1", "quantity": 2, "unit_price": "4.00", "condition": "good"}
    body = {"store_id": "MAIN", "lines": [line], "refund": {"method": "cash"}}

    assert _refused(shop.caller("cashier").post(RETURNS, body)) == (403, "FORBIDDEN")
    made = _ok(shop.caller("staff").post(RETURNS, body), 201)

    assert (made["sale_id"], made["refund_total"], made["lines"][0]["line_id"]) == (None, "8.00", None)
    assert _level(shop) == (3, 0, 0)
    for change, refused in (
        ({"store_id": "NOPE"}, (404, "STORE_NOT_FOUND")),
        ({"lines": [{**line, "product_id": "NOPE"}]}, (404, "PRODUCT_NOT_FOUND")),
        ({"lines": [{**line, "unit_price": "4.001"}]}, (400, "INVALID_AMOUNT")),
        ({"lines": [{**line, "line_id": NIL}]}, (400, "INVALID_REQUEST")),
        ({"lines": [{"product_id": "MUG-1", "quantity": 2}]}, (400, "INVALID_REQUEST")),
    ):
        assert _refused(shop.owner.post(RETURNS, {**body, **change})) == refused, change


# Money ---------------------------------------------------------------------------------------------------------------


def test_prices_and_discounts_are_for_those_who_may(shop: Shop) -> None:
    shop.product("MUG-1", 9, price="10.00")
    cashier, staff, manager = (shop.caller(role) for role in ("cashier", "staff", "manager"))
    same, other = _line(1, unit_price="10.00"), _line(1, unit_price="9.00")
    less = _line(1, discount={"percent": 12.5})

    assert _open(cashier, same)["total"] == "10.00"
    mismatch = cashier.post(SALES, {"lines": [other]})
    assert _refused(mismatch) == (422, "PRICE_MISMATCH") and mismatch.json()["unit_price"] == "10.00"
    assert _refused(staff.post(SALES, {"lines": [other]})) == (422, "PRICE_MISMATCH")
    assert _open(manager, other)["total"] == "9.00"
    assert _refused(cashier.post(SALES, {"lines": [less]})) == (422, "PRICE_MISMATCH")
    assert _open(staff, less)["total"] == "8.75"
    fee = {"fees": [{"name": "Wrapping", "amount": "2.00"}]}
    cart = _open(cashier, same)
    path = f"{SALES}/{cart['id']}"
    assert _refused(cashier.patch(path, fee)) == (422, "PRICE_MISMATCH")
    assert _refused(cashier.patch(path, {"discount": {"amount": "1.00"}})) == (422, "PRICE_MISMATCH")
    assert _ok(manager.patch(path, fee))["total"] == "12.00"
    assert _ok(staff.patch(path, {"discount": {"amount": "1.00"}}))["total"] == "11.00"
    assert _ok(cashier.patch(path, {"discount": None, "customer": "Bo"}))["total"] == "12.00"


def test_money_that_makes_no_sense_is_refused(shop: Shop) -> None:
    shop.product("MUG-1", 9, price="10.00")
    sale = _open(shop.owner, _line(1))
    path = f"{SALES}/{sale['id']}"

    for change, refused in (
        ({"discount": {"amount": "10.01"}}, (400, "INVALID_AMOUNT")),
        ({"discount": {"amount": "-1.00"}}, (400, "INVALID_AMOUNT")),
        ({"discount": {"percent": 100.0001}}, (400, "INVALID_AMOUNT")),
        ({"discount": {"percent": 1.00001}}, (400, "INVALID_AMOUNT")),
        ({"discount": {"percent": "10"}}, (400, "INVALID_REQUEST")),
        ({"discount": {"percent": 1, "amount": "1.00"}}, (400, "INVALID_REQUEST")),
        ({"discount": {}}, (400, "INVALID_REQUEST")),
        ({"fees": [{"name": "x", "amount": "1.001"}]}, (400, "INVALID_AMOUNT")),
        ({"fees": None}, (400, "INVALID_REQUEST")),
        ({"total": "0.00"}, (400, "INVALID_REQUEST")),
    ):
        assert _refused(shop.owner.patch(path, change)) == refused, change
    for payments, refused in (
        ([], (422, "PAYMENT_MISMATCH")),
        ([{"method": "cash", "amount": "9.99"}], (422, "PAYMENT_MISMATCH")),
        ([{"method": "card", "amount": "10.01"}], (422, "PAYMENT_MISMATCH")),
        ([{"method": "cash", "amount": "ten"}], (400, "INVALID_AMOUNT")),
        ([{"method": "cheque", "amount": "10.00"}], (400, "INVALID_REQUEST")),
        ([{"method": "cash", "amount": 10}], (400, "INVALID_REQUEST")),
    ):
        assert _refused(_act(shop.owner, sale, "complete", {"payments": payments})) == refused, payments
    short = _act(shop.owner, sale, "complete", {"payments": [{"method": "cash", "amount": "9.99"}]})
    assert (short.json()["due"], short.json()["paid"]) == ("10.00", "9.99")
    paid = [{"method": "card", "amount": "4.00"}, {"method": "cash", "amount": "10.00"}]
    assert _ok(_act(shop.owner, sale, "complete", {"payments": paid}))["change"] == "4.00"


def test_tax_follows_the_class_and_the_store(any_shop: Shop) -> None:
    shop, owner = any_shop, any_shop.owner
    rates = "/api/v1/tax-rates"
    owner.post("/api/v1/stores", {"code": "EAST", "name": "East"})
    owner.post("/api/v1/locations", {"code": "EAST", "store_id": "EAST"})
    shop.product("MUG-1", 9, price="13.67", tax_class="standard")
    owner.post("/api/v1/receipts", {"location": "EAST", "lines": [_line(5, unit_cost="3.00")]})

    rate = _ok(owner.post(rates, {"tax_class": "standard", "rate": "0.15", "name": "VAT"}), 201)
    east = _ok(owner.post(rates, {"tax_class": "standard", "rate": "0.200000", "store_id": "east"}), 201)

    assert (rate["rate"], rate["store_id"], east["rate"]) == ("0.15", None, "0.20")
    assert _refused(owner.post(rates, {"tax_class": "standard", "rate": "0.1"})) == (409, "ALREADY_EXISTS")
    for text in ("15%", "-0.1", "1.01", "15", "0.1234567", "", "1e-1"):
        assert _refused(owner.post(rates, {"tax_class": "low", "rate": text})) == (400, "INVALID_REQUEST"), text
    assert _refused(owner.post(rates, {"tax_class": "low", "rate": 0.15})) == (400, "INVALID_REQUEST")
    assert _refused(owner.post(rates, {"tax_class": "low", "rate": "0", "store_id": "X"})) == (404, "STORE_NOT_FOUND")
    main = _open(owner, _line(1), store_id="MAIN")
    assert (main["tax_total"], main["total"], main["lines"][0]["tax"]) == ("2.05", "15.72", "2.05")
    assert _open(owner, _line(1), store_id="EAST")["total"] == "16.40"
    assert _ok(owner.patch(f"{rates}/{rate['id']}", {"rate": "1"}))["rate"] == "1.00"
    assert _ok(_act(owner, main, "complete"))["total"] == "27.34", "an open cart follows"
    assert owner.delete(f"{rates}/{east['id']}").status == 204
    assert _refused(owner.get(f"{rates}/{east['id']}")) == (404, "NOT_FOUND")
    assert _refused(owner.patch(f"{rates}/{NIL}", {"rate": "junk"})) == (400, "INVALID_REQUEST")
    assert _refused(owner.patch(f"{rates}/{NIL}", {"rate": "1"})) == (404, "NOT_FOUND")
    assert [one["id"] for one in _ok(owner.get(rates))["items"]] == [rate["id"]]
    assert _ok(owner.get(f"{SALES}/{main['id']}"))["total"] == "27.34", "what was sold does not"
    owner.patch("/api/v1/settings", {"tax_mode": "inclusive"})
    owner.patch(f"{rates}/{rate['id']}", {"rate": "0.2"})
    included = _open(owner, _line(1, unit_price="102.00"), store_id="MAIN")
    assert (included["tax_total"], included["total"]) == ("17.00", "102.00")


# Precedence, keys, lists ---------------------------------------------------------------------------------------------


def test_of_several_errors_the_earlier_kind_is_told(shop: Shop) -> None:
    shop.product("MUG-1", 1, price="10.00")
    sale = _open(shop.owner, _line(1), order_number="A-1")
    line = sale["lines"][0]["id"]
    path = f"{SALES}/{sale['id']}"
    _ok(_act(shop.owner, sale, "complete"))
    unknown, wrong, short = _line(1, "NOPE"), _line(0), _line(9)
    shapeless = {"lines": [{"product_id": "NOPE", "quantity": "1"}]}
    bad_discount = {"amount": "x"}

    assert _refused(shop.anonymous.post(SALES, shapeless)) == (401, "UNAUTHORIZED")
    for body, refused in (
        ({**shapeless, "store_id": "NOPE"}, (400, "INVALID_REQUEST")),
        ({"lines": [wrong, unknown], "store_id": "NOPE"}, (404, "STORE_NOT_FOUND")),
        ({"lines": [wrong, unknown], "discount": bad_discount}, (404, "PRODUCT_NOT_FOUND")),
        ({"lines": [_line(0, location="NOPE")]}, (404, "LOCATION_NOT_FOUND")),
        ({"lines": [wrong, short], "order_number": "A-1"}, (400, "INVALID_QUANTITY")),
        ({"lines": [short], "order_number": "A-1"}, (409, "ALREADY_EXISTS")),
        ({"lines": [short]}, (409, "INSUFFICIENT_STOCK")),
    ):
        assert _refused(shop.owner.post(SALES, body)) == refused, body
    for answer, refused in (
        (shop.owner.post(f"{SALES}/{NIL}/lines", {"product_id": 1}), (400, "INVALID_REQUEST")),
        (shop.owner.post(f"{SALES}/{NIL}/lines", unknown), (404, "SALE_NOT_FOUND")),
        (shop.owner.post(f"{SALES}/junk/lines", unknown), (404, "SALE_NOT_FOUND")),
        (shop.owner.post(f"{path}/lines", unknown), (404, "PRODUCT_NOT_FOUND")),
        (shop.owner.post(f"{path}/lines", wrong), (400, "INVALID_QUANTITY")),
        (shop.owner.post(f"{path}/lines", _line()), (409, "INVALID_STATE")),
        (shop.owner.patch(f"{path}/lines/{NIL}", {"quantity": 0}), (404, "NOT_FOUND")),
        (shop.owner.patch(f"{path}/lines/junk", {"quantity": 0}), (404, "NOT_FOUND")),
        (shop.owner.patch(f"{path}/lines/{line}", {"quantity": 0}), (400, "INVALID_QUANTITY")),
        (shop.owner.patch(f"{path}/lines/{line}", {"quantity": 1}), (409, "INVALID_STATE")),
        (shop.owner.patch(path, {"discount": bad_discount}), (400, "INVALID_AMOUNT")),
    ):
        assert _refused(answer) == refused, answer


def test_an_order_number_is_unique_for_its_source(any_shop: Shop) -> None:
    shop = any_shop
    first = _open(shop.owner, source="shopify", order_number="1001")
    assert (first["number"], first["order_number"]) == ("S-000001", "1001")

    assert _refused(shop.owner.post(SALES, {"source": "shopify", "order_number": "1001"})) == (409, "ALREADY_EXISTS")
    other = _open(shop.owner, source="amazon", order_number="1001")
    own = _open(shop.owner, order_number="S-7")

    assert _refused(shop.owner.post(SALES, {"order_number": "S-000009"})) == (400, "INVALID_REQUEST")
    found = _ok(shop.owner.get(f"{SALES}?order_number=1001"))["items"]
    assert [one["id"] for one in found] == [other["id"], first["id"]]
    assert [one["id"] for one in _ok(shop.owner.get(f"{SALES}?order_number=1001&source=amazon"))["items"]] == [
        other["id"]
    ]
    assert [one["id"] for one in _ok(shop.owner.get(f"{SALES}?order_number=S-000003"))["items"]] == [own["id"]]
    assert _ok(shop.owner.get(f"{SALES}?order_number=nope"))["items"] == []


def test_a_replay_sells_once(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="10.00")
    headers = {"Idempotency-Key": "sell"}

    first = shop.owner.post(SALES, {"lines": [_line(2)]}, headers=headers)
    again = shop.owner.post(SALES, {"lines": [_line(2)]}, headers=headers)
    sale = _ok(first, 201)
    pay = {"Idempotency-Key": "pay"}
    paid = shop.owner.post(f"{SALES}/{sale['id']}/complete", {"payments": [CASH]}, headers=pay)
    twice = shop.owner.post(f"{SALES}/{sale['id']}/complete", {"payments": [CASH]}, headers=pay)

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert (twice.status, twice.content, twice.headers["idempotent-replayed"]) == (200, paid.content, "true")
    assert _level(shop) == (3, 0, 0)
    assert len(_ok(shop.owner.get(SALES))["items"]) == 1


def test_sales_are_listed_newest_first_in_pages(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 10, price="10.00")
    made = [_open(shop.owner, _line(1), _line(1), source=source)["id"] for source in ("a", "b", "a", "b", "a")]
    _ok(shop.owner.post(f"{SALES}/{made[0]}/suspend"))
    _ok(shop.owner.post(f"{SALES}/{made[2]}/cancel"))

    page = _ok(shop.owner.get(f"{SALES}?limit=2"))
    rest = _ok(shop.owner.get(f"{SALES}?limit=3&cursor={page['next_cursor']}"))

    assert [one["id"] for one in (*page["items"], *rest["items"])] == made[::-1] and rest["next_cursor"] is None
    assert all(len(one["lines"]) == 2 for one in page["items"])
    for query, expected in (
        ("status=suspended", [made[0]]),
        ("status=cancelled", [made[2]]),
        ("status=open&source=b", [made[3], made[1]]),
        ("source=a", [made[4], made[2], made[0]]),
        ("store=MAIN", []),
        ("store=nope", []),
    ):
        assert [one["id"] for one in _ok(shop.owner.get(f"{SALES}?{query}"))["items"]] == expected, query
    assert _refused(shop.owner.get(f"{SALES}?status=lost")) == (400, "INVALID_REQUEST")
    assert _refused(shop.owner.get(f"{SALES}?cursor=junk")) == (400, "INVALID_REQUEST")


# Stores and organisations --------------------------------------------------------------------------------------------


def test_a_caller_of_a_store_sells_there_alone(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="10.00")
    shop.product("SOFA-1", dropship=True, price="300.00")
    east = shop.owner.post("/api/v1/stores", {"code": "EAST", "name": "East"}).json()["id"]
    shop.owner.post("/api/v1/locations", {"store_id": "EAST", "code": "EAST"})
    shop.owner.post("/api/v1/receipts", {"location": "EAST", "lines": [_line(2, unit_cost="3.00")]})
    caller = shop.caller("manager", (east,))
    main = _open(shop.owner, _line(1), _line(1, "SOFA-1"), store_id="MAIN")
    nowhere = _open(shop.owner)
    mine = _open(caller, _line(2))
    assert (mine["store_id"], nowhere["store_id"]) == (east, None)

    assert [one["id"] for one in _ok(caller.get(SALES))["items"]] == [mine["id"]]
    assert _ok(caller.get(f"{SALES}?store=MAIN"))["items"] == []
    assert _refused(caller.get(f"{SALES}?store_id=MAIN")) == (403, "FORBIDDEN")
    assert _refused(caller.get(f"{SALES}/{main['id']}")) == (404, "SALE_NOT_FOUND")
    for sale in (main, nowhere):
        for what in ("suspend", "cancel", "complete"):
            assert _refused(_act(caller, sale, what)) == (403, "FORBIDDEN")
    assert _refused(caller.post(SALES, {"store_id": "MAIN"})) == (403, "FORBIDDEN")
    assert _refused(caller.post(SALES, {"lines": [_line(1, location="MAIN")]})) == (403, "FORBIDDEN")
    assert _refused(caller.post(SALES, {"lines": [_line(1)]})) == (409, "INSUFFICIENT_STOCK")
    assert [one["id"] for one in _ok(shop.owner.get(f"{SALES}?store=east"))["items"]] == [mine["id"]]
    assert [one["id"] for one in _ok(shop.owner.get(SALES, headers={"X-Store": "EAST"}))["items"]] == [mine["id"]]

    sold = _ok(_act(shop.owner, main, "complete"))
    back = {
        "sale_id": main["id"],
        "lines": [{"line_id": sold["lines"][0]["id"], "quantity": 1}],
        "refund": {"method": "cash"},
    }
    assert _refused(caller.post(RETURNS, back)) == (403, "FORBIDDEN")
    made = _ok(shop.owner.post(RETURNS, back), 201)
    assert _refused(caller.get(f"{RETURNS}/{made['id']}")) == (404, "NOT_FOUND")
    assert _ok(caller.get(RETURNS))["items"] == []
    order = _ok(shop.owner.get("/api/v1/supplier-orders"))["items"][0]["id"]
    assert _ok(caller.get("/api/v1/supplier-orders"))["items"] == []
    assert _refused(caller.post(f"/api/v1/supplier-orders/{order}/ship")) == (403, "FORBIDDEN")

    rates = "/api/v1/tax-rates"
    everywhere = _ok(shop.owner.post(rates, {"tax_class": "std", "rate": "0.1"}), 201)["id"]
    theirs = _ok(shop.owner.post(rates, {"tax_class": "std", "rate": "0.1", "store_id": "MAIN"}), 201)["id"]
    assert _refused(caller.post(rates, {"tax_class": "low", "rate": "0.1"})) == (403, "FORBIDDEN")
    assert _refused(caller.post(rates, {"tax_class": "low", "rate": "0.1", "store_id": "MAIN"})) == (403, "FORBIDDEN")
    own = _ok(caller.post(rates, {"tax_class": "std", "rate": "0.2", "store_id": "EAST"}), 201)["id"]
    assert [one["id"] for one in _ok(caller.get(rates))["items"]] == [own, everywhere]
    assert _refused(caller.delete(f"{rates}/{everywhere}")) == (403, "FORBIDDEN")
    assert _refused(caller.patch(f"{rates}/{own}", {"store_id": None})) == (403, "FORBIDDEN")
    assert _refused(caller.delete(f"{rates}/{theirs}")) == (403, "FORBIDDEN")
    assert caller.delete(f"{rates}/{own}").status == 204


def test_another_organisations_sales_do_not_exist(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, price="10.00")
    sale = _open(shop.owner, _line(1), order_number="A-1")
    line = sale["lines"][0]["id"]
    made = establish(shop.holdfast.database, "Elsewhere", "eve@elsewhere.example", password="correct horse")
    stranger = shop.owner.using(made.api_key)
    path = f"{SALES}/{sale['id']}"

    for answer in (
        stranger.get(path),
        stranger.patch(path, {"customer": "Eve"}),
        stranger.post(f"{path}/lines", _line()),
        stranger.patch(f"{path}/lines/{line}", {"quantity": 1}),
        stranger.delete(f"{path}/lines/{line}"),
        *(_act(stranger, sale, what) for what in ("suspend", "resume", "complete", "cancel")),
        _act(stranger, sale, "fulfillments", {"lines": [{"line_id": line, "quantity": 1}]}),
        stranger.post(
            RETURNS,
            {
                "sale_id": sale["id"],
                "lines": [{"line_id": line, "quantity": 1}],
                "refund": {"method": "cash"},
            },
        ),
    ):
        assert _refused(answer) == (404, "SALE_NOT_FOUND"), answer
    assert _refused(stranger.post(SALES, {"store_id": shop.made.store_id})) == (404, "STORE_NOT_FOUND")
    own = _open(stranger)
    assert _refused(stranger.patch(f"{SALES}/{own['id']}/lines/{line}", {"quantity": 1})) == (404, "NOT_FOUND")
    assert own["number"] == "S-000001" and _open(stranger, order_number="A-1")["order_number"] == "A-1"
    for query in ("", f"?store={shop.made.store_id}", "?order_number=S-000001"):
        assert sale["id"] not in [one["id"] for one in _ok(stranger.get(f"{SALES}{query}"))["items"]]
    assert _level(shop) == (5, 1, 0)
