"""The books over HTTP: shapes, filters, who may, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.api.conftest import Shop


def _day(days: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def test_the_journal_shows_what_was_booked(any_shop: Shop) -> None:
    any_shop.product("MUG-1", 10)
    any_shop.owner.post("/api/v1/store/inventory/adjust", {"product_id": "MUG-1", "location": "MAIN", "quantity": -2})

    body = any_shop.owner.get("/api/v1/journal").json()
    lost, received = body["items"]
    assert body["next_cursor"] is None
    assert set(lost) == {"id", "at", "day", "description", "ref_type", "ref_id", "ledger_ids", "lines"}
    assert lost["lines"] == [
        {"account": "1200", "name": "Inventory", "debit": "0.00", "credit": "7.00"},
        {"account": "5100", "name": "Shrinkage", "debit": "7.00", "credit": "0.00"},
    ]
    assert len(received["ledger_ids"]) == 1

    def found(query: str) -> list[str]:
        answer = any_shop.owner.get(f"/api/v1/journal?{query}")
        assert answer.status == 200, answer
        return [entry["id"] for entry in answer.json()["items"]]

    assert found("account=5100") == [lost["id"]]
    assert found("ref_type=RECEIPT") == found(f"ref_id={received['ref_id']}") == [received["id"]]
    assert found("account=1200&ref_type=RECEIPT") == [received["id"]]
    assert found(f"account=5100&ref_id={received['ref_id']}") == []
    assert found(f"from={lost['at']}") == found(f"from={lost['at']}&account=1200") == [lost["id"]]
    assert found(f"to={lost['at']}") == [received["id"]]
    first = any_shop.owner.get("/api/v1/journal?limit=1&account=1200").json()
    assert found(f"limit=1&account=1200&cursor={first['next_cursor']}") == [received["id"]]
    assert any_shop.owner.get("/api/v1/journal?cursor=x").code == "INVALID_REQUEST"


def test_trial_balance_and_valuation(any_shop: Shop) -> None:
    any_shop.product("MUG-1", 10)

    balance = any_shop.owner.get("/api/v1/trial-balance").json()
    assert (balance["total_debit"], balance["total_credit"]) == ("35.00", "35.00")
    row = next(row for row in balance["items"] if row["account"] == "1200")
    assert row == {"account": "1200", "name": "Inventory", "debit": "35.00", "credit": "0.00", "balance": "35.00"}
    valued = any_shop.owner.get("/api/v1/valuation").json()
    assert valued["total"] == "35.00" and valued["next_cursor"] is None
    assert set(valued["items"][0]) == {"lot_id", "lot_code", "product_id", "sku", "location", "on_hand", "value"}
    for as_of, total in ((_day(), "35.00"), (_day(-1), "0.00"), ("2020-01-01T00:00:00Z", "0.00")):
        assert any_shop.owner.get(f"/api/v1/valuation?as_of={as_of}").json()["total"] == total
        assert any_shop.owner.get(f"/api/v1/trial-balance?as_of={as_of}").json()["total_debit"] == total
    assert any_shop.owner.get("/api/v1/valuation?as_of=yesterday").code == "INVALID_REQUEST"


def test_closing_a_period(any_shop: Shop) -> None:
    closed = any_shop.owner.post("/api/v1/periods/close", {"through": _day(-1)})
    assert (closed.status, closed.json()["through"]) == (200, _day(-1))
    for through in (_day(-1), _day(-2), _day(2)):
        assert any_shop.owner.post("/api/v1/periods/close", {"through": through}).code == "INVALID_STATE"
    assert any_shop.owner.post("/api/v1/periods/close", {"through": "2026-02-30"}).code == "INVALID_REQUEST"
    assert [one["through"] for one in any_shop.owner.get("/api/v1/periods").json()["items"]] == [_day(-1)]
    audit = any_shop.owner.get("/api/v1/audit?kind=organisation").json()["items"]
    assert audit[0]["changes"] == {"books_closed_through": _day(-1)}
    assert any_shop.caller("manager").post("/api/v1/periods/close", {"through": _day()}).status == 403


def test_accounts(any_shop: Shop) -> None:
    assert any_shop.owner.post("/api/v1/accounts", {"code": "6000", "name": "Rent"}).status == 201
    assert any_shop.owner.post("/api/v1/accounts", {"code": "6000", "name": "Rent"}).code == "ALREADY_EXISTS"
    assert any_shop.owner.post("/api/v1/accounts", {"code": "x", "name": "Rent"}).code == "INVALID_REQUEST"
    renamed = any_shop.owner.request("PATCH", "/api/v1/accounts/1000", {"name": "Drawer"})
    assert renamed.json() == {"code": "1000", "name": "Drawer", "kind": "asset"}
    assert any_shop.owner.request("PATCH", "/api/v1/accounts/9999", {"name": "Drawer"}).code == "NOT_FOUND"
    items = any_shop.owner.get("/api/v1/accounts").json()["items"]
    assert [items[0]["name"], items[-1]["name"], len(items)] == ["Drawer", "Rent", 17]


def test_the_books_are_for_managers_of_all_stores(any_shop: Shop) -> None:
    limited = any_shop.caller("manager", (any_shop.made.store_id,))
    for path in ("/api/v1/journal", "/api/v1/trial-balance", "/api/v1/valuation"):
        assert any_shop.caller("manager").get(path).status == 200
        assert any_shop.caller("staff").get(path).status == 403
        assert limited.get(path).code == "FORBIDDEN"
    assert limited.post("/api/v1/accounts", {"code": "6000", "name": "Rent"}).code == "FORBIDDEN"


def test_what_never_expires_is_on_the_shelf_on_the_last_day(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("PEN-1")
    line = {"product_id": "PEN-1", "quantity": 2, "unit_cost": "1.50", "expires_at": "9999-12-31"}
    made = shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [line]})
    assert made.status == 201
    shown = shop.owner.get("/api/v1/valuation?as_of=9999-12-31").json()
    assert shown["total"] == "3.00"
    accounts = shop.owner.get("/api/v1/trial-balance?as_of=9999-12-31").json()["items"]
    assert {one["account"]: one["balance"] for one in accounts}["1200"] == "3.00"


def test_the_tax_report(any_shop: Shop) -> None:
    """Both days included, in all stores or in one; who is of some stores sees theirs."""
    shop = any_shop
    east = shop.owner.post("/api/v1/stores", {"code": "EAST", "name": "East"}).json()["id"]
    for name, rate in (("GST", "0.05"), ("PST", "0.07")):
        assert shop.owner.post("/api/v1/tax-rates", {"tax_class": "t", "rate": rate, "name": name}).status == 201
    shop.product("MUG-1", 5, price="10.00", tax_class="t")
    sale = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1}]}
    made = shop.owner.post("/api/v1/sales", sale).json()["id"]
    assert shop.owner.post(f"/api/v1/sales/{made}/complete", {}).status == 200
    path, today = "/api/v1/tax-report", datetime.now(UTC).date()
    items = [
        {"name": "GST", "rate": "0.05", "net": "10.00", "tax": "0.50", "gross": "10.50"},
        {"name": "PST", "rate": "0.07", "net": "10.00", "tax": "0.70", "gross": "10.70"},
    ]
    near = [(today + timedelta(days=days)).isoformat() for days in (-1, 0, 1)]

    for query in ("", f"?from={near[0]}&to={near[2]}", "?store_id=MAIN", "?from=0001-01-01&to=9999-12-31"):
        assert shop.owner.get(path + query).json()["items"] == items, query
    for query in (f"?to={near[0]}", f"?from={near[2]}", "?store_id=EAST"):
        assert shop.owner.get(path + query).json()["items"] == [], query
    assert shop.caller("manager", stores=(east,)).get(path).json()["items"] == []
    assert shop.caller("staff").get(path).status == 403
    for query in ("?from=yesterday", "?to=2030-02-30"):
        assert shop.owner.get(path + query).code == "INVALID_REQUEST"


def test_an_account_with_several_rates_lists_each_entry_once(any_shop: Shop) -> None:
    shop = any_shop
    for name, rate in (("GST", "0.05"), ("PST", "0.07")):
        assert shop.owner.post("/api/v1/tax-rates", {"tax_class": "t", "rate": rate, "name": name}).status == 201
    shop.product("MUG-1", 5, price="10.00", tax_class="t")
    for _ in range(2):
        sale = shop.owner.post("/api/v1/sales", {"lines": [{"product_id": "MUG-1", "quantity": 1}]}).json()
        assert shop.owner.post(f"/api/v1/sales/{sale['id']}/complete", {}).status == 200

    for query in ("account=2100", "account=2100&ref_type=SALE"):
        first = shop.owner.get(f"/api/v1/journal?{query}&limit=1").json()
        second = shop.owner.get(f"/api/v1/journal?{query}&limit=1&cursor={first['next_cursor']}").json()
        assert [len(page["items"]) for page in (first, second)] == [1, 1]
        assert first["items"][0]["id"] != second["items"][0]["id"]
        assert second["next_cursor"] is None
        assert len(shop.owner.get(f"/api/v1/journal?{query}").json()["items"]) == 2


def test_entries_by_hand_and_bills(any_shop: Shop) -> None:
    """What the bookkeeper posts, takes back and bills; what an entry looks like; who may."""
    shop = any_shop
    for code, name in (("1010", "Bank"), ("1110", "Cards"), ("6000", "Rent")):
        assert shop.owner.post("/api/v1/accounts", {"code": code, "name": name}).status == 201
    lines = [{"account": "6000", "debit": "900.00"}, {"account": "1010", "credit": "900.00"}]
    made = shop.owner.post("/api/v1/journal", {"date": _day(-40), "description": "Rent", "lines": lines})
    assert made.status == 201, made
    entry = made.json()
    assert (entry["day"], entry["ref_type"], entry["ref_id"]) == (_day(-40), "ENTRY", None)
    assert set(entry) == {"id", "at", "day", "description", "ref_type", "ref_id", "ledger_ids", "lines"}
    assert shop.owner.get("/api/v1/journal?ref_type=ENTRY").json()["items"] == [entry]

    def rent(query: str) -> str:
        rows = shop.owner.get(f"/api/v1/trial-balance{query}").json()["items"]
        return str(next(row["balance"] for row in rows if row["account"] == "6000"))

    assert [rent(""), rent(f"?as_of={_day(-40)}"), rent(f"?as_of={_day(-41)}")] == ["900.00", "900.00", "0.00"]
    back = shop.owner.post(f"/api/v1/journal/{entry['id']}/reverse", {"description": "Paid twice"})
    assert (back.status, back.json()["reverses"], back.json()["ref_id"]) == (201, entry["id"], entry["id"])
    assert shop.owner.post(f"/api/v1/journal/{entry['id']}/reverse", {}).code == "INVALID_STATE"
    assert [rent(""), rent(f"?as_of={_day(-40)}")] == ["0.00", "900.00"]
    for bad in (
        {"description": "Rent", "lines": lines[:1]},
        {"description": "Rent", "lines": [lines[0], {"account": "1010", "credit": 900}]},
        {"description": "Rent", "lines": lines, "date": "2026-02-30"},
        {"description": "Rent", "lines": [lines[0], {"account": "1000", "credit": "900.00"}]},
    ):
        assert shop.owner.post("/api/v1/journal", bad).code == "INVALID_REQUEST", bad
    assert shop.owner.post("/api/v1/journal", {"date": _day(2), "description": "x", "lines": lines}).status == 409
    limited = shop.caller("owner", (shop.made.store_id,))
    for caller in (shop.caller("manager"), limited):
        assert caller.post("/api/v1/journal", {"description": "Rent", "lines": lines}).status == 403
        assert caller.post(f"/api/v1/journal/{entry['id']}/reverse", {}).status == 403


def test_a_receipt_is_billed_over_http(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1")
    line = {"product_id": "MUG-1", "quantity": 10, "unit_cost": "3.50"}
    receipt = shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [line]}).json()["id"]
    path = f"/api/v1/receipts/{receipt}/bill"
    key = {"Idempotency-Key": "bill-1"}
    made = shop.caller("manager").post(path, {"amount": "36.20", "reference": "INV-7"}, headers=key)
    assert made.status == 201, made
    bill = made.json()
    assert (bill["receipt_id"], bill["amount"], bill["received"], bill["variance"], bill["reference"]) == (
        receipt,
        "36.20",
        "35.00",
        "1.20",
        "INV-7",
    )
    again = shop.caller("manager").post(path, {"amount": "36.20", "reference": "INV-7"}, headers=key)
    assert (again.status, again.json()) == (201, bill)
    assert shop.owner.post(path, {"amount": "36.20"}).code == "INVALID_STATE"
    rows = shop.owner.get("/api/v1/trial-balance").json()["items"]
    found = {row["account"]: row["balance"] for row in rows if row["balance"] != "0.00"}
    assert found == {"1200": "35.00", "2010": "-36.20", "5400": "1.20"}
    of_it = shop.owner.get(f"/api/v1/journal?ref_id={receipt}").json()["items"]
    assert [one["ref_type"] for one in of_it] == ["BILL", "RECEIPT"]
    assert shop.owner.post(f"/api/v1/journal/{bill['id']}/reverse", {}).json()["ref_type"] == "BILL"
    assert shop.owner.post(path, {"amount": "35.00"}).status == 201
    assert shop.owner.post("/api/v1/receipts/none/bill", {"amount": "35.00"}).code == "NOT_FOUND"
    assert shop.caller("staff").post(path, {"amount": "35.00"}).status == 403


def test_a_method_of_payment_has_an_account(any_shop: Shop) -> None:
    shop = any_shop
    shop.owner.post("/api/v1/accounts", {"code": "1110", "name": "Cards"})
    assert shop.owner.get("/api/v1/settings").json()["payment_accounts"] == {}
    changed = shop.owner.request("PATCH", "/api/v1/settings", {"payment_accounts": {"card": "1110"}})
    assert (changed.status, changed.json()["payment_accounts"]) == (200, {"card": "1110"})
    merged = shop.owner.request("PATCH", "/api/v1/settings", {"payment_accounts": {"other": "1110", "card": None}})
    assert merged.json()["payment_accounts"] == {"other": "1110"}
    for bad in ({"card": "1119"}, {"card": "2010"}, {"cash": "1110"}, {"card": 1110}):
        assert shop.owner.request("PATCH", "/api/v1/settings", {"payment_accounts": bad}).code == "INVALID_REQUEST"
    shop.product("MUG-1", 5, price="10.00")
    sale = shop.owner.post("/api/v1/sales", {"lines": [{"product_id": "MUG-1", "quantity": 1}]}).json()
    paid = {"payments": [{"method": "other", "amount": "10.00"}]}
    assert shop.owner.post(f"/api/v1/sales/{sale['id']}/complete", paid).status == 200
    assert shop.owner.get("/api/v1/journal").json()["items"][0]["lines"][0]["account"] == "1110"
