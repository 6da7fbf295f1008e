"""What people do over HTTP, from end to end."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import Shop

RESERVE = "/api/v1/inventory-reservations"


def _level(shop: Shop, sku: str = "MUG-1") -> Any:
    return shop.owner.get(f"/api/v1/store/inventory?product={sku}").json()["items"][0]


def test_a_reservation_from_promise_to_sale(any_shop: Shop) -> None:
    shop = any_shop
    product_id = shop.product("MUG-1", 5)

    hold = shop.owner.post(
        RESERVE, {"product_id": product_id, "quantity": 3, "order_number": "102", "source": "shopify"}
    )
    assert hold.status == 201
    body = hold.json()
    assert (body["location"], body["status"], body["open_quantity"], body["source"]) == ("MAIN", "active", 3, "shopify")
    path = f"{RESERVE}/{body['id']}"
    assert shop.owner.patch(path, {"quantity": 4, "priority": 5}).json()["quantity"] == 4
    released = shop.owner.post(f"{path}/release", {"quantity": 1, "reason": "one less"}).json()
    assert (released["released_quantity"], released["open_quantity"]) == (1, 3)
    fulfilled = shop.owner.post(f"{path}/fulfill").json()
    assert (fulfilled["status"], fulfilled["consumed_quantity"]) == ("consumed", 3)
    again = shop.owner.post(f"{path}/fulfill")
    assert (again.status, again.code) == (409, "RESERVATION_NOT_ACTIVE")
    assert shop.owner.get(path).json()["status"] == "consumed"
    level = _level(shop)
    assert (level["quantity"], level["reserved_quantity"], level["available_quantity"]) == (2, 0, 2)
    kinds = [entry["ref_type"] for entry in shop.owner.get("/api/v1/inventory/ledger").json()["items"]]
    assert sorted(set(kinds)) == ["RECEIPT", "RELEASE", "RESERVE", "SALE"]
    lots = shop.owner.get("/api/v1/orders/102/lots").json()
    assert [(row["sku"], row["sold"]) for row in lots] == [("MUG-1", 3)]


def test_an_expiry_can_be_set_and_cleared(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    body = {"product_id": "MUG-1", "quantity": 1, "order_number": "1", "expires_at": "2031-05-31T12:00:00+02:00"}
    hold = shop.owner.post(RESERVE, body).json()
    path = f"{RESERVE}/{hold['id']}"

    assert hold["expires_at"] == "2031-05-31T10:00:00.000000Z"
    assert shop.owner.patch(path, {"priority": 1}).json()["expires_at"] == hold["expires_at"]
    assert shop.owner.patch(path, {"expires_at": None}).json()["expires_at"] is None
    assert shop.owner.patch(path, {"expires_at": "2020-01-01T00:00:00Z"}).code == "INVALID_EXPIRY"
    assert shop.owner.patch(path, {"expires_at": "soon"}).code == "INVALID_EXPIRY"


def test_reservations_are_found_by_their_filters(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9)
    shop.product("TEE-S", 9)
    for sku, order in (("MUG-1", "1"), ("MUG-1", "2"), ("TEE-S", "2")):
        shop.owner.post(RESERVE, {"product_id": sku, "quantity": 1, "order_number": order, "source": "pos"})
    lot = shop.owner.get("/api/v1/inventory/lots?product=TEE-S").json()["items"][0]["id"]

    def skus(query: str) -> list[str]:
        return sorted(row["sku"] for row in shop.owner.get(f"{RESERVE}?{query}").json()["items"])

    assert skus("product=MUG-1") == ["MUG-1", "MUG-1"]
    assert skus("order_number=2") == ["MUG-1", "TEE-S"]
    assert skus("order_number=2&product=TEE-S&source=pos&status=active&location=main") == ["TEE-S"]
    assert skus(f"lot_id={lot}") == ["TEE-S"]
    assert skus("source=shopify") == skus("status=consumed") == skus("location=NOWHERE") == []


def test_a_list_goes_on_with_its_cursor(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9)
    made = [
        shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1, "order_number": "1"}).json()["id"]
        for _ in range(5)
    ]

    seen: list[str] = []
    cursor = ""
    while True:
        page = shop.owner.get(f"{RESERVE}?limit=2{cursor}").json()
        seen += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == made[::-1]


def test_a_batch_is_all_or_nothing(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    one = {"op": "reserve", "product_id": "MUG-1", "quantity": 2, "order_number": "1"}

    done = shop.owner.post(f"{RESERVE}/batch", {"operations": [one, one]})
    assert (done.status, [row["status"] for row in done.json()["results"]]) == (200, [201, 201])
    holds = [row["body"]["id"] for row in done.json()["results"]]

    refused = shop.owner.post(
        f"{RESERVE}/batch",
        {"operations": [{"op": "fulfill", "reservation_id": holds[0]}, one, {**one, "product_id": "NONE"}]},
    )
    assert (refused.status, refused.code) == (409, "INSUFFICIENT_STOCK")
    assert [(line["index"], line["code"]) for line in refused.json()["lines"]] == [
        (1, "INSUFFICIENT_STOCK"),
        (2, "PRODUCT_NOT_FOUND"),
    ]
    assert shop.owner.get(f"{RESERVE}/{holds[0]}").json()["status"] == "active"


def test_a_batch_that_is_not_atomic_answers_each(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    hold = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1, "order_number": "1"}).json()["id"]
    one = {"op": "reserve", "product_id": "MUG-1", "quantity": 3, "order_number": "1"}

    answer = shop.owner.post(
        f"{RESERVE}/batch",
        {
            "atomic": False,
            "operations": [
                {"op": "release", "reservation_id": "no uuid"},
                one,
                one,
                {"op": "fulfill", "reservation_id": hold},
                {**one, "expires_at": "soon"},
            ],
        },
    )

    assert answer.status == 200
    results = answer.json()["results"]
    assert [row["status"] for row in results] == [404, 201, 409, 200, 400]
    assert [row["body"].get("code") for row in results] == [
        "RESERVATION_NOT_FOUND", None, "INSUFFICIENT_STOCK", None, "INVALID_EXPIRY",
    ]  # fmt: skip
    assert results[2]["body"]["request_id"] == answer.headers["x-request-id"]


def test_a_batch_names_the_operation_that_has_the_wrong_shape(shop: Shop) -> None:
    for operation, field in (
        ({"op": "reserve", "product_id": "A"}, "operations.1.quantity"),
        ({"op": "give"}, "operations.1.op"),
        ({"reservation_id": "x"}, "operations.1.op"),
        ({"op": "release", "reservation_id": "x", "product_id": "A"}, "operations.1.product_id"),
        ({"op": "reserve", "product_id": "A", "quantity": 1, "reserved_for_id": "x"}, "operations.1.reserved_for_type"),
    ):
        good = {"op": "reserve", "product_id": "A", "quantity": 1, "order_number": "1"}
        answer = shop.owner.post(f"{RESERVE}/batch", {"atomic": False, "operations": [good, operation]})
        assert (answer.status, answer.json()["field"]) == (400, field)


def test_a_thousand_operations_are_one_batch(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 1000)
    one = {"op": "reserve", "product_id": "MUG-1", "quantity": 1, "location": "MAIN", "order_number": "1"}

    answer = shop.owner.post(f"{RESERVE}/batch", {"operations": [one] * 1000})
    too_many = shop.owner.post(f"{RESERVE}/batch", {"operations": [one] * 1001})

    assert (answer.status, len(answer.json()["results"])) == (200, 1000)
    assert (too_many.status, too_many.json()["field"]) == (400, "operations")
    assert _level(shop)["available_quantity"] == 0


def test_holds_at_a_level(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    at = {"product_id": "MUG-1", "location": "main"}
    path = "/api/v1/store/inventory"

    reserved = shop.owner.post(f"{path}/reserve", {**at, "quantity": 3})
    assert (reserved.status, reserved.json()["reserved_quantity"]) == (200, 3)
    assert reserved.json()["reservation_id"]
    assert shop.owner.post(f"{path}/release", {**at, "quantity": 1}).json()["reserved_quantity"] == 2
    assert shop.owner.post(f"{path}/fulfill", {**at, "quantity": 2}).json()["quantity"] == 3
    assert shop.owner.post(f"{path}/fulfill", {**at, "quantity": 1}).code == "INSUFFICIENT_RESERVED"
    assert (
        shop.owner.post(f"{path}/release", {**at, "quantity": 1, "order_number": "9"}).code == "RESERVATION_NOT_FOUND"
    )


def test_unlimited_products_need_no_hold(any_shop: Shop) -> None:
    shop = any_shop
    product = shop.owner.post("/api/v1/products", {"sku": "EBOOK", "title": "E-book", "kind": "digital"}).json()
    at = {"product_id": "EBOOK", "location": "MAIN", "quantity": 2}

    assert (product["unlimited"], product["is_digital"], product["total_available"]) == (True, True, 999_999)
    assert shop.owner.get("/api/v1/products/EBOOK").json()["total_available"] == 999_999
    answer = shop.owner.post("/api/v1/store/inventory/reserve", at)
    assert (answer.status, answer.json()["unlimited"]) == (200, True)
    for path in ("store/inventory/set", "store/inventory/adjust"):
        assert shop.owner.post(f"/api/v1/{path}", at).code == "PRODUCT_NOT_STOCK_TRACKED"
    assert (
        shop.owner.post(RESERVE, {"product_id": "EBOOK", "quantity": 1, "order_number": "1"}).code
        == "PRODUCT_NOT_STOCK_TRACKED"
    )


def test_set_adjust_and_forget(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1")
    at = {"product_id": "MUG-1", "location": "MAIN"}
    path = "/api/v1/store/inventory"

    entry = shop.owner.post(f"{path}/set", {**at, "quantity": 5}).json()
    one = f"{path}/{entry['id']}"
    assert shop.owner.post(f"{path}/adjust", {**at, "quantity": -2, "reason": "broken"}).json()["quantity"] == 3
    below = shop.owner.post(f"{path}/adjust", {**at, "quantity": -9})
    assert (below.status, below.code, below.json()["available"]) == (409, "INSUFFICIENT_STOCK", 3)
    lost = shop.owner.put(one, {"quantity": 7, "expected_quantity": 5})
    assert (lost.status, lost.code, lost.json()["quantity"]) == (409, "QUANTITY_CHANGED", 3)
    assert shop.owner.delete(one).code == "INVALID_STATE"
    assert shop.owner.put(one, {"quantity": 0, "expected_quantity": 3}).json()["quantity"] == 0
    assert shop.owner.delete(one).status == 204
    assert shop.owner.delete(one).code == "NOT_FOUND"
    assert shop.owner.get(path).json()["items"] == []
    assert shop.owner.post(f"{path}/set", {**at, "quantity": 1}).json()["id"] == entry["id"]


def test_the_inventory_of_all_stores(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5, reorder_point=5)
    shop.product("TEE-S", 20)
    admin = "/api/v1/admin/inventory"
    body = {"product_id": "TEE-S", "location": "MAIN", "quantity": 30, "store_id": "main"}

    assert (
        shop.owner.post(f"{admin}/set", {key: body[key] for key in body if key != "store_id"}).json()["field"]
        == "store_id"
    )
    assert shop.owner.post(f"{admin}/set", body).json()["quantity"] == 30
    stats = shop.owner.get(f"{admin}/stats").json()
    assert (stats["total_entries"], stats["total_quantity"], stats["low_stock_count"]) == (2, 35, 1)
    assert [row["sku"] for row in shop.owner.get(f"{admin}/low-stock").json()] == ["MUG-1"]
    assert len(shop.owner.get(f"{admin}/low-stock?threshold=30").json()) == 2
    assert len(shop.owner.get(f"{admin}?low_stock=10").json()["items"]) == 1
    assert len(shop.owner.get(f"{admin}?low_stock=true").json()["items"]) == 1
    assert shop.owner.get(f"{admin}?low_stock=ten").json()["field"] == "low_stock"
    assert shop.owner.get(f"{admin}/stores").json()[0]["total_quantity"] == 35
    assert shop.owner.get(f"{admin}/locations").json()[0]["location"] == "MAIN"
    assert len(shop.owner.get(f"{admin}/stores/MAIN").json()["items"]) == 2
    assert shop.owner.get(f"{admin}/products/MUG-1").json()["total_quantity"] == 5
    entry = shop.owner.get(f"{admin}?product=MUG-1").json()["items"][0]
    assert shop.owner.put(f"{admin}/{entry['id']}", {"quantity": 6}).json()["is_low_stock"] is False
    assert shop.owner.get("/api/v1/store/inventory/product/MUG-1").json()["locations"][0]["quantity"] == 6


def test_stock_as_of_a_past_instant(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    then = _level(shop)["updated_at"]
    shop.owner.post("/api/v1/store/inventory/set", {"product_id": "MUG-1", "location": "MAIN", "quantity": 9})

    past = shop.owner.get(f"/api/v1/store/inventory?as_of={then}").json()["items"]
    before = shop.owner.get("/api/v1/store/inventory?as_of=2020-01-01T00:00:00%2B00:00").json()["items"]

    assert ([row["quantity"] for row in past], before, _level(shop)["quantity"]) == ([5], [], 9)


def test_fractions_stay_exact(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("CLOTH", 0, precision=2, reorder_point=1.25)
    line = {
        "product_id": "CLOTH",
        "quantity": 0.3,
        "unit_cost": "1.234567",
        "lot_code": "B7",
        "expires_at": "2031-05-31",
    }

    receipt = shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [line, line]})
    assert receipt.status == 201, receipt
    assert [row["value"] for row in receipt.json()["lines"]] == ["0.37", "0.37"]
    assert len({row["lot_id"] for row in receipt.json()["lines"]}) == 1
    level = _level(shop, "CLOTH")
    assert (level["quantity"], level["threshold"], level["is_low_stock"]) == (0.6, 1.25, True)
    lot = shop.owner.get("/api/v1/inventory/lots").json()["items"][0]
    assert (lot["lot_code"], lot["expires_at"], lot["value"]) == ("B7", "2031-05-31", "0.74")
    assert (
        shop.owner.post(RESERVE, {"product_id": "CLOTH", "quantity": 0.001, "order_number": "1"}).code
        == "INVALID_QUANTITY"
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"unit_cost": "1.2345678"}, "INVALID_AMOUNT"),
        ({"unit_cost": "-1"}, "INVALID_AMOUNT"),
        ({"unit_cost": "NaN"}, "INVALID_AMOUNT"),
        ({"unit_cost": 1}, "INVALID_REQUEST"),
        ({"line_cost": "1.234"}, "INVALID_AMOUNT"),
        ({"line_cost": "1.00", "unit_cost": "1.00"}, "INVALID_REQUEST"),
        ({"expires_at": "31.05.2031"}, "INVALID_EXPIRY"),
        ({"expires_at": "2031-02-30"}, "INVALID_EXPIRY"),
        ({"gtin": "abc"}, "INVALID_REQUEST"),
        ({"gtin": "9506000134353"}, "INVALID_REQUEST"),
        ({"quantity": 0}, "INVALID_QUANTITY"),
        ({"product_id": "NONE", "expires_at": "soon"}, "PRODUCT_NOT_FOUND"),
    ],
)
def test_a_receipt_line_must_make_sense(shop: Shop, line: dict[str, Any], code: str) -> None:
    shop.product("MUG-1")

    answer = shop.owner.post(
        "/api/v1/receipts", {"location": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1, **line}]}
    )

    assert answer.code == code


def test_recall_and_trace(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 2, "order_number": "102"})
    lot = shop.owner.get("/api/v1/inventory/lots").json()["items"][0]["id"]
    path = f"/api/v1/inventory/lots/{lot}"

    recalled = shop.owner.post(f"{path}/quarantine", {"reason": "glaze"})
    assert (recalled.status, recalled.json()["status"], len(recalled.json()["shorted"])) == (200, "quarantined", 1)
    assert _level(shop)["location"].startswith("MAIN")
    trace = shop.owner.get(f"{path}/trace").json()
    assert trace["lot"]["id"] == lot and sum(row["on_hand"] for row in trace["on_hand"]) == 5
    assert shop.owner.post(f"{path}/release", {"quantity": 4}).status == 200
    assert shop.owner.post(f"{path}/write-off", {"reason": "broken"}).status == 200
    assert shop.owner.post(f"{path}/release", {"quantity": 4}).code == "INSUFFICIENT_STOCK"


def test_counts_and_transfers(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9)
    shop.owner.post("/api/v1/locations", {"code": "back"})
    sheet = {"location": "MAIN", "draft": True, "lines": [{"product_id": "MUG-1"}]}

    count = shop.owner.post("/api/v1/counts", sheet)
    assert (count.status, count.json()["status"]) == (201, "draft")
    path = f"/api/v1/counts/{count.json()['id']}"
    assert shop.owner.post("/api/v1/counts", sheet).code == "INVALID_STATE"
    refused = shop.owner.post(f"{path}/post")
    assert (refused.code, [line["index"] for line in refused.json()["lines"]]) == ("INVALID_STATE", [0])
    assert shop.owner.patch(path, {"lines": [{"product_id": "MUG-1", "counted": 7}]}).status == 200
    assert shop.owner.post(f"{path}/post").json()["lines"][0]["difference"] == -2
    assert shop.owner.post(f"{path}/cancel").code == "INVALID_STATE"
    assert shop.owner.get(path).json()["status"] == "posted"
    assert shop.owner.post("/api/v1/counts", {"location": "MAIN", "lines": []}).json()["field"] == "lines"
    lines = [{"product_id": "MUG-1", "counted": 7}, {"product_id": "MUG-1"}]
    uncounted = shop.owner.post("/api/v1/counts", {"location": "MAIN", "lines": lines})
    assert (uncounted.status, uncounted.json()["field"]) == (400, "lines.1.counted")
    assert "None" not in uncounted.json()["detail"]

    line = {"product_id": "MUG-1", "quantity": 3}
    sent = shop.owner.post("/api/v1/transfers", {"from_location": "MAIN", "to_location": "BACK", "lines": [line]})
    assert (sent.status, sent.json()["status"]) == (201, "shipped")
    receive_transfer = f"/api/v1/transfers/{sent.json()['id']}/receive"
    assert shop.owner.post(receive_transfer, {"lines": [{**line, "quantity": 4}]}).code == "INVALID_STATE"
    assert (
        shop.owner.post(receive_transfer, {"lines": [{**line, "quantity": 2}], "short": True}).json()["status"]
        == "received"
    )
    assert shop.owner.get("/api/v1/products/MUG-1").json()["total_quantity"] == 6


def test_a_count_sheet_is_filled_in_over_the_day(any_shop: Shop) -> None:
    """FAULTS F1: opened at 10, 5 come, 15 are counted: 15. Lines come off, and what nobody counted is skipped."""
    shop = any_shop
    for sku in ("MUG-1", "TEE-1", "CAP-1"):
        shop.product(sku, 10)
    lines = [{"product_id": sku, "counted": None} for sku in ("MUG-1", "TEE-1", "CAP-1")]
    sheet = shop.owner.post("/api/v1/counts", {"location": "MAIN", "draft": True, "lines": lines}).json()
    path = f"/api/v1/counts/{sheet['id']}"
    shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 5}]})
    shop.owner.post("/api/v1/store/inventory/adjust", {"product_id": "TEE-1", "location": "MAIN", "quantity": -3})

    counted = [{"product_id": "MUG-1", "counted": 15}, {"product_id": "TEE-1", "counted": 7}]
    assert [line["before"] for line in shop.owner.patch(path, {"lines": counted}).json()["lines"]] == [15, 7, 10]
    removed = f"{path}/lines/{sheet['lines'][1]['id']}"
    assert (shop.owner.delete(removed).status, shop.owner.delete(removed).code) == (204, "NOT_FOUND")
    assert shop.owner.delete(f"{path}/lines/1").code == "NOT_FOUND"
    assert shop.owner.post(f"{path}/post", {"uncounted": "guess"}).json()["field"] == "uncounted"
    assert shop.owner.post(f"{path}/post", {}).code == "INVALID_STATE"
    posted = shop.owner.post(f"{path}/post", {"uncounted": "skip"}).json()

    assert (posted["status"], posted["skipped"]) == ("posted", [sheet["lines"][2]["id"]])
    assert [(line["sku"], line["difference"]) for line in posted["lines"]] == [("MUG-1", 0), ("CAP-1", None)]
    assert shop.owner.get(path).json() == posted
    assert shop.owner.get("/api/v1/products/MUG-1").json()["total_quantity"] == 15


def test_a_transfer_comes_in_parts(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 12)
    shop.owner.post("/api/v1/locations", {"code": "BACK"})
    goods = {"from_location": "MAIN", "to_location": "BACK", "lines": [{"product_id": "MUG-1", "quantity": 12}]}
    sent = shop.owner.post("/api/v1/transfers", goods).json()
    path = f"/api/v1/transfers/{sent['id']}"

    def stands() -> tuple[str, Any, Any, Any, Any]:
        one = shop.owner.get(path).json()
        [line] = one["lines"]
        return one["status"], line["received"], line["written_off"], line["returned"], line["in_transit"]

    assert stands() == ("shipped", None, 0, 0, 12)
    monday = shop.owner.post(f"{path}/receive", {"lines": [{"product_id": "MUG-1", "quantity": 8}]})
    assert (monday.status, stands()) == (200, ("shipped", 8, 0, 0, 4))
    tuesday = {"lines": [{"product_id": "MUG-1", "quantity": 1, "lost": 1}]}
    assert shop.owner.post(f"{path}/receive", tuesday).status == 200
    back = {"lines": [{"product_id": "MUG-1", "quantity": 1}], "reason": "too many"}
    assert shop.owner.post(f"{path}/return", back).status == 200
    assert stands() == ("shipped", 9, 1, 1, 1)
    assert [one["id"] for one in shop.owner.get("/api/v1/transfers?status=shipped").json()["items"]] == [sent["id"]]
    assert shop.owner.post(f"{path}/receive", {"lines": []}).json()["field"] == "lines"
    assert shop.owner.post(f"{path}/receive").status == 200
    assert stands() == ("received", 10, 1, 1, 0)
    assert shop.owner.post(f"{path}/return").code == "INVALID_STATE"
    whole = shop.owner.post("/api/v1/transfers", {**goods, "lines": [{"product_id": "MUG-1", "quantity": 1}]}).json()
    assert shop.owner.post(f"/api/v1/transfers/{whole['id']}/return").json()["status"] == "returned"


def test_an_appointment_completes_its_holds(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    made = shop.owner.post("/api/v1/appointments", {"starts_at": "2031-05-31T09:00:00Z", "customer": "Ana"})
    target = {"reserved_for_type": "appointment", "reserved_for_id": made.json()["id"].upper()}
    hold = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 2, **target})
    assert (made.status, hold.status) == (201, 201), hold

    done = shop.owner.patch(f"/api/v1/appointments/{made.json()['id']}", {"status": "completed"})

    assert done.json()["status"] == "completed"
    assert shop.owner.get(f"{RESERVE}/{hold.json()['id']}").json()["status"] == "consumed"
    assert shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1, **target}).code == "INVALID_STATE"
    assert shop.owner.get("/api/v1/appointments?status=completed").json()["items"][0]["customer"] == "Ana"


def test_whole_orders_of_shopify(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    shop.product("TEE-S", 5)
    number = 820982911946154508
    lines = [{"sku": "MUG-1", "quantity": 2}, {"sku": "TEE-S", "quantity": 1}]

    first = shop.owner.post("/shopify/reserve", {"order_id": number, "lines": lines})
    again = shop.owner.post("/shopify/reserve", {"order_id": str(number), "lines": lines})
    assert [row["status"] for row in first.json()["results"]] == [201, 201]
    assert [row["body"]["id"] for row in again.json()["results"]] == [
        row["body"]["id"] for row in first.json()["results"]
    ]
    assert first.json()["results"][0]["body"]["order_number"] == str(number)
    sold = shop.owner.post("/shopify/convert-to-sale", {"order_id": number, "lines": lines})
    assert [row["body"]["status"] for row in sold.json()["results"]] == ["consumed", "consumed"]
    assert shop.owner.post("/shopify/convert-to-sale", {"order_id": number}).status == 200
    assert shop.owner.post("/shopify/cancel", {"order_id": "none"}).code == "RESERVATION_NOT_FOUND"
    short = shop.owner.post("/shopify/reserve", {"order_id": "2", "lines": [{"sku": "MUG-1", "quantity": 9}]})
    [waits] = short.json()["results"]
    assert (waits["status"], waits["body"]["backordered_quantity"], waits["body"]["conflict"]) == (201, 6, True)
    ghost = shop.owner.post("/shopify/reserve", {"order_id": "3", "lines": [{"sku": "GHOST-1", "quantity": 1}]})
    assert (ghost.status, ghost.code) == (404, "PRODUCT_NOT_FOUND")
    assert shop.owner.post("/shopify/reserve", {"order_id": True, "lines": lines}).json()["field"] == "order_id"


@pytest.mark.parametrize(
    ("action", "field"), [("convert-to-sale", "consumed_quantity"), ("cancel", "released_quantity")]
)
def test_a_part_of_an_order_that_is_sent_again_is_done_once(any_shop: Shop, action: str, field: str) -> None:
    shop = any_shop
    shop.product("MUG-1", 9)
    shop.product("TEE-S", 9)
    shop.owner.post(
        "/shopify/reserve",
        {"order_id": 7, "lines": [{"sku": "MUG-1", "quantity": 6}, {"sku": "TEE-S", "quantity": 2}]},
    )

    def part(*lines: tuple[str, float], key: str | None = None, order_id: Any = 7) -> tuple[bool, list[Any]]:
        body = {"order_id": order_id, "lines": [{"sku": sku, "quantity": units} for sku, units in lines]}
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = shop.owner.post(f"/shopify/{action}", body, headers=headers)
        assert answer.status == 200, answer
        done = [row["body"][field] for row in answer.json()["results"]]
        return answer.headers.get("idempotent-replayed") == "true", done

    assert part(("MUG-1", 2)) == (False, [2, 0])
    assert part(("MUG-1", 2.0), order_id="7") == (True, [2, 0])
    assert part(("MUG-1", 1), ("MUG-1", 1)) == (True, [2, 0])
    assert part(("TEE-S", 1), ("MUG-1", 1)) == (False, [3, 1])
    assert part(("MUG-1", 1), ("TEE-S", 1)) == (True, [3, 1])
    assert part(("MUG-1", 2), key="second") == (False, [5, 1])
    assert part(("MUG-1", 2), key="second") == (True, [5, 1])
    assert part() == part() == (False, [6, 2])


# Records --------------------------------------------------------------------------------------------------------------


def test_products(any_shop: Shop) -> None:
    shop = any_shop
    made = shop.owner.post(
        "/api/v1/products", {"sku": "MUG-1", "title": "Mug", "price": "12.00", "tax_class": "standard"}
    )
    assert (made.status, made.json()["price"]) == (201, "12.00")
    product_id = made.json()["id"]
    changed = shop.owner.patch("/api/v1/products/MUG-1", {"price": None, "precision": 2, "reorder_point": 1.25}).json()
    assert (changed["id"], changed["price"], changed["reorder_point"], changed["precision"]) == (
        product_id,
        None,
        1.25,
        2,
    )
    assert shop.owner.patch(f"/api/v1/products/{product_id}", {"precision": 3}).json()["reorder_point"] == 1.25
    assert shop.owner.get(f"/api/v1/products/{product_id.upper()}").json()["sku"] == "MUG-1"
    shop.owner.post("/api/v1/store/inventory/set", {"product_id": "MUG-1", "location": "MAIN", "quantity": 1})
    assert shop.owner.patch("/api/v1/products/MUG-1", {"precision": 0, "reorder_point": 1}).code == "INVALID_STATE"
    assert shop.owner.patch("/api/v1/products/MUG-1", {"title": "Big mug"}).json()["total_quantity"] == 1
    assert [row["sku"] for row in shop.owner.get("/api/v1/products?search=big").json()["items"]] == ["MUG-1"]
    for body, code in (
        ({"sku": "MUG-1", "title": "Mug"}, "ALREADY_EXISTS"),
        ({"sku": "01890000-0000-7000-8000-000000000000"}, "INVALID_REQUEST"),
        ({"title": "Mug"}, "INVALID_REQUEST"),
        ({"sku": "X", "price": "12.001"}, "INVALID_AMOUNT"),
        ({"sku": "X", "price": "-1.00"}, "INVALID_AMOUNT"),
        ({"sku": "X", "price": 12}, "INVALID_REQUEST"),
        ({"sku": "X", "precision": 5}, "INVALID_REQUEST"),
        ({"sku": "X", "reorder_point": 0.5}, "INVALID_QUANTITY"),
        ({"sku": "X", "reorder_point": -1}, "INVALID_QUANTITY"),
        ({"sku": "X", "kind": "ghost"}, "INVALID_REQUEST"),
        ({"sku": "X", "oversell": "maybe"}, "INVALID_REQUEST"),
        ({"sku": "X", "gtin": "12"}, "INVALID_REQUEST"),
        ({"sku": "X", "gtin": "9506000134353"}, "INVALID_REQUEST"),
        ({"sku": "X", "gtin": "9506000134"}, "INVALID_REQUEST"),
        ({"sku": "."}, "INVALID_REQUEST"),
        ({"sku": ".."}, "INVALID_REQUEST"),
        ({"sku": " X"}, "INVALID_REQUEST"),
        ({"sku": "X\u00a0"}, "INVALID_REQUEST"),
        ({"sku": "X", "available_from": "soon"}, "INVALID_REQUEST"),
        ({"sku": "X", "active": "yes"}, "INVALID_REQUEST"),
    ):
        assert shop.owner.post("/api/v1/products", body).code == code, body


def test_a_gtin_means_one_product(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", gtin="4006381333931")
    padded = {"gtin": "04006381333931"}

    twice = shop.owner.post("/api/v1/products", {"sku": "MUG-2", **padded})
    assert (twice.status, twice.code, twice.json()["field"]) == (409, "ALREADY_EXISTS", "gtin")
    shop.product("MUG-2")
    assert shop.owner.patch("/api/v1/products/MUG-2", padded).code == "ALREADY_EXISTS"
    wrong = shop.owner.patch("/api/v1/products/MUG-2", {"gtin": "4006381333932"})
    assert (wrong.status, wrong.code, wrong.json()["field"]) == (400, "INVALID_REQUEST", "gtin")
    assert shop.owner.patch("/api/v1/products/MUG-1", {"active": False}).status == 200
    assert shop.owner.patch("/api/v1/products/MUG-2", padded).json()["gtin"] == "04006381333931"
    assert shop.owner.get("/api/v1/scan?code=4006381333931").json()["sku"] == "MUG-2"
    assert shop.owner.patch("/api/v1/products/MUG-1", {"active": True}).code == "ALREADY_EXISTS"


def test_a_sku_with_a_slash_is_reached_by_its_path(any_shop: Shop) -> None:
    shop = any_shop
    for sku in ("A/B", "A%2FB", "50% off/\u00e9", "//"):
        shop.product(sku)
        name = quote(sku, safe="")
        for path in (f"products/{name}", f"store/inventory/product/{name}", f"admin/inventory/products/{name}"):
            assert shop.owner.get(f"/api/v1/{path}").json()["sku"] == sku
        assert shop.owner.patch(f"/api/v1/products/{name}", {"title": "New"}).json()["title"] == "New"
    key = {"Idempotency-Key": "one address"}
    for name, status in (("A%2FB", 200), ("A%2fB", 200), ("A%252FB", 422)):
        assert shop.owner.patch(f"/api/v1/products/{name}", {"title": "Newer"}, headers=key).status == status
    assert shop.owner.get("/api/v1/products/A/B").code == "NOT_FOUND"
    assert shop.owner.get("/api/v1%2Fproducts").code == "NOT_FOUND"
    shop.owner.post(RESERVE, {"product_id": "A/B", "quantity": 1, "order_number": "2026/7"})
    unknown = shop.owner.get("/api/v1/orders/2026%2F7/lots")
    assert (unknown.status, "2026/7" in unknown.json()["detail"]) == (404, True)


def test_stores_and_locations(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1")
    store = shop.owner.post("/api/v1/stores", {"code": "east", "name": "East", "timezone": "Europe/Lisbon"})
    assert (store.status, store.json()["code"]) == (201, "EAST")
    place = shop.owner.post(
        "/api/v1/locations", {"store_id": "EAST", "code": "shelf.1", "kind": "bin", "reorder_points": {"MUG-1": 4}}
    )
    assert place.status == 201, place
    assert (place.json()["code"], place.json()["ships_online"], place.json()["reorder_points"]) == (
        "SHELF.1", False, {"MUG-1": 4},
    )  # fmt: skip
    changed = shop.owner.patch("/api/v1/locations/Shelf.1", {"reorder_points": {"MUG-1": None}, "priority": 7}).json()
    assert (changed["reorder_points"], changed["priority"]) == ({}, 7)
    for path, body, code in (
        ("stores", {"code": "EAST"}, "ALREADY_EXISTS"),
        ("stores", {"code": "-x"}, "INVALID_REQUEST"),
        ("stores", {"code": "stra\u00dfe"}, "INVALID_REQUEST"),
        ("locations", {"code": "\u017fhelf", "store_id": "MAIN"}, "INVALID_REQUEST"),
        ("stores", {"code": "X", "timezone": "Mars/Base"}, "INVALID_REQUEST"),
        ("stores", {"code": "X", "timezone": "../etc"}, "INVALID_REQUEST"),
        ("locations", {"code": "X"}, "INVALID_REQUEST"),
        ("locations", {"code": "X", "store_id": "NONE"}, "STORE_NOT_FOUND"),
        ("locations", {"code": "MAIN", "store_id": "MAIN"}, "ALREADY_EXISTS"),
        ("locations", {"code": "X", "store_id": "MAIN", "kind": "attic"}, "INVALID_REQUEST"),
        ("locations", {"code": "X", "store_id": "MAIN", "reorder_points": {"NONE": 1}}, "PRODUCT_NOT_FOUND"),
        ("locations", {"code": "X", "store_id": "MAIN", "reorder_points": {"MUG-1": 0.5}}, "INVALID_QUANTITY"),
        ("locations", {"code": "X", "store_id": "MAIN", "reorder_points": {"MUG-1": "1"}}, "INVALID_REQUEST"),
    ):
        assert shop.owner.post(f"/api/v1/{path}", body).code == code, (path, body)
    assert shop.owner.delete("/api/v1/locations/shelf.1").status == 204
    assert shop.owner.get("/api/v1/locations/SHELF.1").status == 404
    assert shop.owner.delete("/api/v1/stores/EAST").status == 204
    assert [row["code"] for row in shop.owner.get("/api/v1/stores").json()["items"]] == ["MAIN"]


def test_settings(any_shop: Shop) -> None:
    shop = any_shop
    before = shop.owner.get("/api/v1/settings").json()
    assert (before["currency"], before["mode"], before["default_reorder_point"]) == ("USD", "advanced", 0)
    changed = shop.owner.patch("/api/v1/settings", {"currency": "jpy", "cash_rounding": "5", "timezone": "Asia/Tokyo"})
    assert (changed.json()["currency"], changed.json()["cash_rounding"]) == ("JPY", "5")
    assert shop.owner.patch("/api/v1/settings", {"default_reorder_point": None}).json()["default_reorder_point"] is None
    shop.product("MUG-1")
    for body, code in (
        ({"currency": "XYZ"}, "INVALID_REQUEST"),
        ({"currency": "USD"}, "INVALID_STATE"),
        ({"cash_rounding": "0.05"}, "INVALID_AMOUNT"),
        ({"timezone": "Mars/Base"}, "INVALID_REQUEST"),
        ({"mode": "expert"}, "INVALID_REQUEST"),
        ({"cart_hold_minutes": 0}, "INVALID_REQUEST"),
        ({"catalog_version": 7}, "INVALID_REQUEST"),
        ({"id": "x"}, "INVALID_REQUEST"),
    ):
        assert shop.owner.patch("/api/v1/settings", body).code == code, body


def test_users(any_shop: Shop) -> None:
    shop = any_shop
    body = {
        "email": " Bo@Shop.example",
        "password": "correct horse",
        "role": "cashier",
        "stores": ["MAIN"],
        "pin": "4711",
    }
    made = shop.owner.post("/api/v1/users", body)
    assert made.status == 201, made
    user = made.json()
    assert (user["email"], user["stores"], user["has_pin"]) == ("bo@shop.example", [shop.made.store_id], True)
    one = f"/api/v1/users/{user['id']}"
    assert shop.owner.patch(one, {"role": "staff", "stores": [], "pin": None}).json()["has_pin"] is False
    assert shop.owner.patch(one, {"pin": "4711"}).status == 200
    for wrong, code in (
        ({"email": "BO@shop.example"}, "ALREADY_EXISTS"),
        ({"email": "nobody"}, "INVALID_REQUEST"),
        ({"email": "di@shop.example", "password": "short"}, "INVALID_REQUEST"),
        ({"email": "di@shop.example", "pin": "12"}, "INVALID_REQUEST"),
        ({"email": "di@shop.example", "pin": "4711"}, "ALREADY_EXISTS"),
        ({"email": "di@shop.example", "role": "king"}, "INVALID_REQUEST"),
        ({"email": "di@shop.example", "stores": ["NONE"]}, "STORE_NOT_FOUND"),
    ):
        assert shop.owner.post("/api/v1/users", {**body, "pin": "4712", **wrong}).code == code, wrong
    assert shop.owner.delete(one).status == 204
    assert shop.owner.get(one).status == shop.owner.patch(one, {"role": "staff"}).status == 404


def test_everything_that_was_done_is_in_the_audit_log(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    shop.owner.post("/api/v1/products", {"sku": "TEE-S", "title": "Tee"})

    rows = shop.owner.get("/api/v1/audit").json()["items"]

    assert {"product", "stock"} <= {row["kind"] for row in rows}
    assert {row["actor"] for row in rows} >= {"key:owner"}
    assert {row["kind"] for row in shop.owner.get("/api/v1/audit?kind=product").json()["items"]} == {"product"}


def test_a_reservation_is_moved_over_http(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 3)
    shop.owner.post("/api/v1/stores", {"code": "EAST"})
    shop.owner.post("/api/v1/locations", {"store_id": "EAST", "code": "EASTW", "kind": "warehouse"})
    shop.owner.post("/api/v1/receipts", {"location": "EASTW", "lines": [{"product_id": "MUG-1", "quantity": 2}]})
    held = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 2, "order_number": "1"}).json()
    path = f"{RESERVE}/{held['id']}"

    moved = shop.owner.patch(path, {"location": "eastw"})
    assert (moved.status, moved.json()["location"], moved.json()["created_at"]) == (200, "EASTW", held["created_at"])
    assert shop.owner.patch(path, {"location": "NOWHERE"}).code == "LOCATION_NOT_FOUND"
    assert shop.owner.patch(path, {"quantity": 4, "location": "MAIN"}).code == "INSUFFICIENT_STOCK"
    assert shop.owner.patch(path, {"location": None}).status == 400
    line = {"product_id": "MUG-1", "quantity": 1}
    sale = shop.owner.post("/api/v1/sales", {"lines": [line]}).json()
    edited = shop.owner.patch(f"/api/v1/sales/{sale['id']}/lines/{sale['lines'][0]['id']}", {"location": "MAIN"})
    assert (edited.status, edited.json()["lines"][0]["held"]) == (200, 1)
