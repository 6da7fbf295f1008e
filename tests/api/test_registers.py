"""Registers: a session from its opening count to its Z report, PINs, stores, tenants, and oracles of other systems."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from holdfast.db import credentials as directory
from holdfast.organisation import establish
from holdfast.web.server import create_application
from tests.api.client import Client, Response
from tests.api.conftest import Shop
from tests.shop import rows

ORACLES: list[dict[str, Any]] = [
    {"source": "square api.json", "opening": "100.00", "sales": ["1.00"], "refunds": 1, "in": "100.00",
     "out": "100.00", "expected": "100.00", "counted": "99.70", "over_short": "-0.30", "stock": 0},
    {"source": "odoo PR#59350", "opening": "50.00", "sales": ["100.00"], "expected": "150.00", "counted": "50.00",
     "over_short": "-100.00", "stock": -1},
    {"source": "frappe/erpnext#23125", "opening": "0.00", "sales": ["60.00"], "tendered": "100.00",
     "expected": "60.00", "counted": "60.00", "over_short": "0.00", "stock": -1},
    {"source": "frappe/erpnext PR#25868", "opening": "0.00", "sales": ["700.00"], "tendered": "800.00",
     "expected": "700.00", "counted": "700.00", "over_short": "0.00", "stock": -1},
    {"source": "erpnext test, two sales", "opening": "0.00", "sales": ["3500.00", "3200.00"],
     "expected": "6700.00", "counted": "6700.00", "over_short": "0.00", "stock": -2},
    {"source": "erpnext test_pos_qty_for_item", "opening": "0.00", "sales": ["3500.00", "3200.00"], "refunds": 1,
     "expected": "3500.00", "counted": "3500.00", "over_short": "0.00", "stock": -1},
    {"source": "odoo PR#243775", "opening": "100.00", "sales": ["70.00"], "expected": "170.00", "counted": "170.00",
     "over_short": "0.00", "stock": -1},
]  # fmt: skip
"""What other systems' documentation and tests say; `refunds` brings back the last so many sales."""


class Till:
    """Somebody at a till: the token of its session, and perhaps a cashier's PIN."""

    def __init__(self, client: Client, token: str, pin: str | None = None) -> None:
        self.client = client.using(None)
        self.token = token
        self.headers = {"Authorization": f"Register {token}"} | ({} if pin is None else {"X-Cashier-Pin": pin})

    def with_pin(self, pin: str) -> Till:
        """The same till, used by somebody else."""
        return Till(self.client, self.token, pin)

    def get(self, path: str, **headers: str) -> Response:
        """GET."""
        return self.client.get(f"/api/v1{path}", headers=self.headers | headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Response:
        """POST."""
        return self.client.post(f"/api/v1{path}", body, headers=self.headers | headers)

    def sell(self, sku: str = "MUG-1", quantity: int = 1, *, cash: str, store: str = "MAIN", **more: Any) -> Response:
        """Sell for cash."""
        payments = [{"method": "cash", "amount": cash}]
        lines = [{"product_id": sku, "quantity": quantity}]
        return self.post("/pos/checkout", {"store_id": store, "lines": lines, "payments": payments, **more})

    def bring_back(self, sale: Any) -> Response:
        """Take everything of a sale back for cash."""
        lines = [{"line_id": line["id"], "quantity": line["quantity"], "condition": "good"} for line in sale["lines"]]
        return self.post("/returns", {"sale_id": sale["id"], "lines": lines, "refund": {"method": "cash"}})

    def x_report(self) -> Any:
        """The drawer as it stands."""
        answer = self.get("/pos/session")
        assert answer.status == 200, answer
        return answer.json()

    def close(self, counted: str) -> Any:
        """Count and close; the Z report."""
        answer = self.post("/pos/session/close", {"counted_cash": counted})
        assert answer.status == 200, answer
        return answer.json()


def register(shop: Shop, code: str = "TILL-1", store: str = "MAIN") -> str:
    """A new register; its id."""
    made = shop.owner.post("/api/v1/registers", {"store_id": store, "code": code})
    assert made.status == 201, made
    register_id: str = made.json()["id"]
    return register_id


def opened(
    shop: Shop, register_id: str, opening_float: str = "100.00", *, by: Client | None = None, **more: Any
) -> Till:
    """The till of a new session."""
    answer = (by or shop.owner).post(
        f"/api/v1/registers/{register_id}/sessions", {"opening_float": opening_float, **more}
    )
    assert answer.status == 201, answer
    return Till(shop.owner, answer.json()["token"])


def user(shop: Shop, name: str, role: str, pin: str, *stores: str) -> str:
    """A new user with a PIN; their id."""
    body = {"email": f"{name}@arco.example", "password": "correct horse", "role": role, "pin": pin}
    made = shop.owner.post("/api/v1/users", {**body, "stores": list(stores)})
    assert made.status == 201, made
    user_id: str = made.json()["id"]
    return user_id


def east(shop: Shop) -> str:
    """A second store with a location; its id."""
    store_id: str = shop.owner.post("/api/v1/stores", {"code": "EAST", "name": "East"}).json()["id"]
    assert shop.owner.post("/api/v1/locations", {"code": "EAST", "store_id": "EAST"}).status == 201
    return store_id


def posted(shop: Shop, ref_type: str) -> list[tuple[str, int]]:
    """What entries of the kind posted: (account, minor units)."""
    query = (
        "SELECT p.account, p.amount FROM posting p JOIN journal_entry e ON e.org_id = p.org_id AND e.id = p.entry_id "
        "WHERE e.org_id = :org AND e.ref_type = :kind ORDER BY e.id, p.account"
    )
    return [
        (row["account"], row["amount"])
        for row in rows(shop.holdfast.database, query, org=shop.made.org_id, kind=ref_type)
    ]


# A session -----------------------------------------------------------------------------------------------------------


def test_a_session_from_the_float_to_the_z_report(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 10, price="9.90")
    till_1 = register(shop)
    user(shop, "bo", "cashier", "4711")
    till = opened(shop, till_1, pin="4711")

    sold = till.sell(quantity=2, cash="20.00").json()
    card = {"payments": [{"method": "card", "amount": "9.90"}], "store_id": "MAIN"}
    assert till.post("/pos/checkout", card | {"lines": [{"product_id": "MUG-1", "quantity": 1}]}).status == 201
    assert till.bring_back(till.sell(cash="9.90").json()).status == 201
    assert till.post("/pos/cash", {"direction": "out", "amount": "5.00", "reason": "milk"}).status == 201
    x_report = till.x_report()
    z_report = till.close("114.00")

    assert (sold["change"], x_report["status"], x_report["opened_by"]) == ("0.20", "open", "user:bo@arco.example")
    assert (x_report["expected_cash"], x_report["counted_cash"], x_report["over_short"]) == (None, None, None)
    assert z_report == {
        **x_report,
        "status": "closed",
        "closed_by": "user:bo@arco.example",
        "closed_at": z_report["closed_at"],
        "opening_float": "100.00",
        "cash_sales": "29.70",
        "cash_refunds": "9.90",
        "paid_in": "0.00",
        "paid_out": "5.00",
        "sales": 3,
        "returns": 1,
        "expected_cash": "114.80",
        "counted_cash": "114.00",
        "over_short": "-0.80",
        "totals_by_method": {"card": "9.90", "cash": "19.80"},
    }
    assert posted(shop, "REGISTER") == [("1000", -80), ("5200", 80)]
    assert shop.owner.get(f"/api/v1/registers/{till_1}/sessions/1").json() == z_report


def test_a_closed_session_is_dead_and_its_report_never_changes(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 10, price="9.90")
    till_1 = register(shop)
    till = opened(shop, till_1)
    sale = till.sell(cash="9.90").json()
    z_report = till.close("109.90")

    for answer in (
        till.get("/pos/session"),
        till.get("/products"),
        till.sell(cash="9.90"),
        till.post("/pos/cash", {"direction": "in", "amount": "1.00", "reason": "late"}),
        till.post("/pos/session/close", {"counted_cash": "0.00"}),
    ):
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"].startswith("Register")
    again = opened(shop, till_1, "80.00")
    assert again.bring_back(sale).status == 201  # in the present drawer, not the one it was sold from
    second = again.close("70.10")

    assert (z_report["number"], second["number"]) == (1, 2)
    assert (second["expected_cash"], second["over_short"], second["cash_refunds"]) == ("70.10", "0.00", "9.90")
    assert posted(shop, "REGISTER") == []
    page = shop.owner.get(f"/api/v1/registers/{till_1}/sessions?limit=1").json()
    rest = shop.owner.get(f"/api/v1/registers/{till_1}/sessions?cursor={page['next_cursor']}").json()
    assert (page["items"], rest) == ([second], {"items": [z_report], "next_cursor": None})


def test_a_close_whose_answer_was_lost_is_answered_again_and_nothing_else_is(any_shop: Shop) -> None:
    shop = any_shop
    till_1, till_2 = register(shop), register(shop, "TILL-2")
    till, neighbour, idle = opened(shop, till_1), opened(shop, till_2), opened(shop, register(shop, "TILL-3"))
    user(shop, "ana", "cashier", "4711")
    path, counted, key = "/pos/session/close", {"counted_cash": "99.50"}, {"Idempotency-Key": "close-1"}
    first = till.post(path, counted, **key)

    again = till.post(path, {"counted_cash": "99.50"}, **key)
    with_pin = till.with_pin("4711").post(path, counted, **key)
    elsewhere = create_application(shop.holdfast)
    any_pin = till.with_pin("9999").post(path, counted, **key)  # a dead token tells of no PIN whether it is right
    other_process = Till(Client(elsewhere, shop.owner.runner), till.token).post(path, counted, **key)
    closed = neighbour.post(path, counted, **{"Idempotency-Key": "close-2"})

    assert (first.status, closed.status) == (200, 200)
    for answer in (again, with_pin, any_pin, other_process):
        assert (answer.status, answer.content) == (200, first.content)
        assert answer.headers["idempotent-replayed"] == "true"
    for refused in (
        till.post(path, counted),  # without the key
        till.post(path, counted, **{"Idempotency-Key": "never"}),
        till.post(path, counted, **{"Idempotency-Key": "close-2"}),  # what the neighbour was answered
        till.post(path, {"counted_cash": "99.51"}, **key),
        till.client.post(f"/api/v1{path}", content=b"{", headers=till.headers | key),
        till.post("/pos/cash", {"direction": "in", "amount": "1.00", "reason": "late"}, **key),
        till.get("/pos/session"),
        Till(shop.owner, "till_" + "x" * 43).post(path, counted, **key),
    ):
        assert (refused.status, refused.code) == (401, "UNAUTHORIZED"), refused
    assert idle.post(path, counted, **key).code == "IDEMPOTENCY_KEY_REUSED"  # not the report of another drawer
    assert idle.x_report()["status"] == "open"
    assert len(posted(shop, "REGISTER")) == 4  # two drawers, 0.50 short each
    elsewhere.close()


def test_a_dead_till_is_bounded_like_every_caller(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body is a small one, and is read strictly before anything is looked for."""
    till = opened(any_shop, register(any_shop))
    path, key = "/pos/session/close", {"Idempotency-Key": "close-1"}
    assert till.post(path, {"counted_cash": "100.00"}, **key).status == 200
    looked: list[Any] = []
    monkeypatch.setattr("holdfast.web.http.dispatcher.said_to_ended_session", lambda *one: looked.append(one))
    for content in (b'{"counted_cash": "1.00"' + b" " * 5000 + b"}", b'{"counted_cash": ' + b"9" * 3000 + b"}", b"{"):
        answer = till.client.post(f"/api/v1{path}", content=content, headers=till.headers | key)
        assert answer.status == 401, answer
    assert looked == []
    assert till.post(path, {"counted_cash": "100.00"}, **key).status == 401
    assert len(looked) == 1


def test_a_dead_till_looks_at_no_pin(any_shop: Shop) -> None:
    """Its token would try PINs through, and lock the drawer that is open now."""
    shop = any_shop
    place = register(shop)
    user(shop, "ana", "cashier", "4711")
    till = opened(shop, place)
    till.close("100.00")
    alive = opened(shop, place)

    tries = [
        till.with_pin(pin).post("/pos/session/close", {"counted_cash": "1.00"}, **{"Idempotency-Key": f"try-{pin}"})
        for pin in ("4711", "9999", "9998", "9997", "9996", "9995", "9994", "9993")
    ]

    assert {(one.status, one.json()["detail"]) for one in tries} == {(401, "The register session is not open.")}
    assert alive.with_pin("4711").get("/pos/session").status == 200


def test_a_closed_session_is_dead_everywhere_within_a_second(any_shop: Shop) -> None:
    shop = any_shop
    till = opened(shop, register(shop))
    other = create_application(shop.holdfast)
    elsewhere = Till(Client(other, shop.owner.runner), till.token)
    assert elsewhere.get("/pos/session").status == 200

    till.close("100.00")
    time.sleep(0.6)

    assert elsewhere.get("/products").status == 401
    other.close()


def test_one_session_at_a_time(any_shop: Shop) -> None:
    shop = any_shop
    till_1 = register(shop)
    opened(shop, till_1)

    again = shop.owner.post(f"/api/v1/registers/{till_1}/sessions", {"opening_float": "1.00"})
    removed = shop.owner.delete(f"/api/v1/registers/{till_1}")

    assert (again.status, again.code) == (409, "INVALID_STATE")
    assert (removed.status, removed.code) == (409, "INVALID_STATE")


def test_the_token_is_told_once_and_kept_nowhere(any_shop: Shop) -> None:
    shop = any_shop
    path = f"/api/v1/registers/{register(shop)}/sessions"
    first = shop.owner.post(path, {"opening_float": "5.00"}, headers={"Idempotency-Key": "open-1"})
    again = shop.owner.post(path, {"opening_float": "5.00"}, headers={"Idempotency-Key": "open-1"})

    token = first.json()["token"]
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == {**first.json(), "token": None}
    for table in ("answered", "register_session", "audit"):
        assert token not in json.dumps(rows(shop.holdfast.database, f"SELECT * FROM {table}"), default=str)


def test_a_session_whose_token_was_lost_is_closed_by_a_manager(any_shop: Shop) -> None:
    shop = any_shop
    till_1 = register(shop)
    till = opened(shop, till_1)
    lost = f"/api/v1/registers/{till_1}/sessions/1/close"

    assert shop.caller("staff").post(lost, {"counted_cash": "100.00"}).status == 403
    assert shop.owner.post(lost.replace("/1/", "/2/"), {"counted_cash": "100.00"}).code == "NOT_FOUND"
    closed = shop.caller("manager").post(lost, {"counted_cash": "100.00"})

    assert (closed.status, closed.json()["over_short"]) == (200, "0.00")
    assert till.get("/pos/session").status == 401
    assert shop.owner.post(lost, {"counted_cash": "100.00"}).code == "INVALID_STATE"


def test_carts_that_are_open_go_into_the_queue(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 10, price="9.90")
    till = opened(shop, register(shop))
    lines = [{"product_id": "MUG-1", "quantity": 2}]
    cart = till.post("/sales", {"store_id": "MAIN", "lines": lines}).json()
    other = shop.owner.post("/api/v1/sales", {"store_id": "MAIN", "lines": lines}).json()

    till.close("100.00")

    assert cart["status"] == "open"
    assert shop.owner.get(f"/api/v1/sales/{cart['id']}").json()["status"] == "suspended"
    assert shop.owner.get(f"/api/v1/sales/{other['id']}").json()["status"] == "open"
    held = shop.owner.get("/api/v1/inventory-reservations?status=active").json()["items"]
    assert sorted((hold["quantity"], hold["expires_at"] is None) for hold in held) == [(2, False), (2, True)]
    till = opened(shop, shop.owner.get("/api/v1/registers").json()["items"][0]["id"])
    assert till.post(f"/sales/{cart['id']}/resume").status == 200
    done = till.post(f"/sales/{cart['id']}/complete", {"payments": [{"method": "cash", "amount": "19.80"}]})
    assert (done.status, till.x_report()["cash_sales"]) == (200, "19.80")


# Cash ----------------------------------------------------------------------------------------------------------------


def test_cash_in_and_out(any_shop: Shop) -> None:
    shop = any_shop
    till = opened(shop, register(shop), "10.00")

    moved = till.post("/pos/cash", {"direction": "in", "amount": "20.00", "reason": "change from the bank"}).json()
    assert posted(shop, "CASH") == []
    taken = {"direction": "out", "amount": "4.50", "reason": "broken cup", "account": "5100"}
    assert till.post("/pos/cash", taken).json()["account"] == "5100"

    assert moved | {"id": "", "created_at": "", "session_id": ""} == {
        "id": "",
        "session_id": "",
        "direction": "in",
        "amount": "20.00",
        "reason": "change from the bank",
        "account": None,
        "actor": "key:owner",
        "created_at": "",
    }
    assert posted(shop, "CASH") == [("1000", -450), ("5100", 450)]
    assert till.x_report()["expected_cash"] == "25.50"
    for change, status, code in (
        ({"amount": "25.51"}, 409, "INVALID_STATE"),
        ({"amount": "0.00"}, 400, "INVALID_AMOUNT"),
        ({"amount": "-1.00"}, 400, "INVALID_AMOUNT"),
        ({"amount": "1.005"}, 400, "INVALID_AMOUNT"),
        ({"amount": "10000000000.01", "direction": "in"}, 400, "INVALID_AMOUNT"),
        ({"amount": 1}, 400, "INVALID_REQUEST"),
        ({"direction": "up"}, 400, "INVALID_REQUEST"),
        ({"account": "1000"}, 400, "INVALID_REQUEST"),
        ({"account": "1200"}, 400, "INVALID_REQUEST"),
        ({"account": "nothing"}, 400, "INVALID_REQUEST"),
        ({"account": "x" * 200}, 400, "INVALID_REQUEST"),
    ):
        answer = till.post("/pos/cash", {"direction": "out", "amount": "1.00", "reason": "why"} | change)
        assert (change, answer.status, answer.code) == (change, status, code)
    assert (till.close("25.50")["paid_in"], posted(shop, "REGISTER")) == ("20.00", [])


def test_a_cashier_names_accounts_of_expenses(any_shop: Shop) -> None:
    """What the books of sales, purchases and tax keep is moved by managers alone, and what must agree by nobody."""
    shop = any_shop
    assert shop.owner.post("/api/v1/accounts", {"code": "6000", "name": "Cleaning"}).status == 201
    assert shop.owner.post("/api/v1/accounts", {"code": "2500", "name": "Loan"}).status == 201
    till = opened(shop, register(shop), "10.00", by=shop.owner.using(shop.key("cashier")))
    manager = opened(shop, register(shop, "TILL-2"), "10.00")

    def status(at: Till, account: str, direction: str = "in") -> tuple[int, str | None]:
        answer = at.post("/pos/cash", {"direction": direction, "amount": "1.00", "reason": "x", "account": account})
        return answer.status, None if answer.status == 201 else answer.code

    for account in ("5100", "5200", "6000"):
        assert status(till, account) == status(till, account, "out") == (201, None)
    for account in ("1100", "2000", "2010", "2100", "2300", "3000", "4000", "4100", "5000", "5300", "5400", "2500"):
        assert status(till, account) == status(till, account, "out") == (403, "FORBIDDEN")
        assert status(manager, account) == (201, None)
    for account in ("1000", "1200", "2200"):
        assert status(till, account) == status(manager, account) == (400, "INVALID_REQUEST")


def test_amounts_that_are_none(any_shop: Shop) -> None:
    shop = any_shop
    till_1 = register(shop)
    for wrong in ("-1.00", "1.001", "ten", "", "1e3"):
        answer = shop.owner.post(f"/api/v1/registers/{till_1}/sessions", {"opening_float": wrong})
        assert (wrong, answer.status) == (wrong, 400)
    till = opened(shop, till_1, "0.00")
    for wrong in ("-1.00", "1.001", "ten"):
        assert till.post("/pos/session/close", {"counted_cash": wrong}).code == "INVALID_AMOUNT"
    assert till.close("0.00")["over_short"] == "0.00"


@pytest.mark.parametrize("case", ORACLES, ids=[case["source"] for case in ORACLES])
def test_drawers_of_others(shop: Shop, case: dict[str, Any]) -> None:
    till = opened(shop, register(shop), case["opening"])
    sales = []
    for number, price in enumerate(case["sales"]):
        shop.product(f"MUG-{number}", 10, price=price)
        sales.append(till.sell(f"MUG-{number}", cash=case.get("tendered", price)).json())
    for sale in sales[len(sales) - case.get("refunds", 0) :]:
        assert till.bring_back(sale).status == 201
    for direction in ("in", "out"):
        if direction in case:
            moved = {"direction": direction, "amount": case[direction], "reason": "safe"}
            assert till.post("/pos/cash", moved).status == 201

    z_report = till.close(case["counted"])

    assert (z_report["expected_cash"], z_report["over_short"]) == (case["expected"], case["over_short"])
    stats = shop.owner.get("/api/v1/admin/inventory/stats").json()
    assert stats["total_quantity"] - 10 * len(sales) == case["stock"]
    cash = sum(amount for kind in ("SALE", "RETURN") for account, amount in posted(shop, kind) if account == "1000")
    booked = sum(amount for account, amount in posted(shop, "REGISTER") if account == "1000")
    moved_in, moved_out = (float(case.get(name, 0)) for name in ("in", "out"))
    assert cash / 100 + float(case["opening"]) + moved_in - moved_out == float(case["expected"])
    assert booked == round(float(case["over_short"]) * 100)


def test_the_next_session_starts_from_its_own_count_and_the_books_go_on(shop: Shop) -> None:
    """Odoo PR 112776 and 243775 (a difference between two counts is nobody's sale), and issue 108694 (500 + 1000)."""
    till_1 = register(shop)
    shop.product("MUG-1", 10, price="500.00")
    day_1 = opened(shop, till_1, "0.00")
    day_1.sell(cash="500.00")
    assert day_1.close("500.00")["over_short"] == "0.00"
    day_2 = opened(shop, till_1, "80.00")
    day_2.sell(quantity=2, cash="1000.00")
    z_report = day_2.close("1080.00")

    assert (z_report["expected_cash"], z_report["over_short"]) == ("1080.00", "0.00")
    assert sum(amount for account, amount in posted(shop, "SALE") if account == "1000") == 150_000
    assert posted(shop, "REGISTER") == []


# PINs ----------------------------------------------------------------------------------------------------------------


def test_a_pin_acts_as_its_user_alone(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 10, price="9.90")
    user(shop, "bo", "cashier", "4711")
    user(shop, "mia", "manager", "123456")
    till = opened(shop, register(shop), pin="4711")
    bo, mia = till.with_pin("4711"), till.with_pin("123456")

    assert (bo.x_report()["expected_cash"], mia.x_report()["expected_cash"]) == (None, "100.00")
    assert bo.post("/registers", {"store_id": "MAIN", "code": "X"}).status == 403
    assert mia.post("/registers", {"store_id": "MAIN", "code": "X"}).status == 201
    sold = mia.sell(cash="9.90").json()
    assert bo.post("/pos/cash", {"direction": "in", "amount": "1.00", "reason": "found"}).json()["actor"] == (
        "user:bo@arco.example"
    )
    entry = shop.owner.get("/api/v1/inventory/ledger?ref_type=SALE").json()["items"][0]
    assert (entry["actor"], entry["ref_id"]) == ("user:mia@arco.example", sold["id"])
    assert mia.close("110.90")["closed_by"] == "user:mia@arco.example"


def test_a_pin_names_one_user(any_shop: Shop) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    mia = f"/api/v1/users/{user(shop, 'mia', 'cashier', '4712')}"

    for change in ({"pin": "4711"}, {"pin": "4711", "email": "mia@arco.example"}):
        answer = shop.owner.patch(mia, change)
        assert (answer.status, answer.code, answer.json()["field"]) == (409, "ALREADY_EXISTS", "pin")
    assert shop.owner.patch(mia, {"pin": "4712", "role": "staff"}).status == 200
    assert shop.owner.patch(mia, {"pin": "4713"}).status == 200
    user(shop, "di", "cashier", "4712")


def test_five_wrong_pins_lock_the_till_for_a_minute(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = any_shop
    monkeypatch.setattr(directory, "PIN_LOCK_MICROSECONDS", 3_000_000)
    user(shop, "bo", "cashier", "4711")
    till_1 = register(shop)
    till, other = opened(shop, till_1), opened(shop, register(shop, "TILL-2"))
    assert till.with_pin("4711").get("/pos/session").status == 200

    for wrong in ("0000", "0000", "99999999", "12", "pin"):
        answer = till.with_pin(wrong).get("/pos/session")
        assert (wrong, answer.status, answer.code) == (wrong, 401, "UNAUTHORIZED")

    for locked in (till.with_pin("4711"), till.with_pin("0000"), till):
        answer = locked.get("/pos/session")
        assert (answer.status, answer.code) == (429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert other.with_pin("4711").get("/pos/session").status == 200
    time.sleep(3.1)
    assert till.with_pin("4711").get("/pos/session").status == 200
    assert till.get("/pos/session").status == 200


def test_wrong_pins_of_an_opening_count_too(any_shop: Shop) -> None:
    shop = any_shop
    user(shop, "bo", "cashier", "4711")
    path = f"/api/v1/registers/{register(shop)}/sessions"

    tried = [shop.owner.post(path, {"opening_float": "1.00", "pin": "0000"}).status for _ in range(5)]
    locked = shop.owner.post(path, {"opening_float": "1.00", "pin": "4711"})

    assert tried == [401] * 5
    assert (locked.status, locked.code) == (429, "RATE_LIMITED")
    assert shop.owner.post(path, {"opening_float": "1.00", "pin": "47"}).code == "INVALID_REQUEST"


def test_a_pin_means_nothing_without_a_till(shop: Shop) -> None:
    user(shop, "bo", "cashier", "4711")

    assert shop.anonymous.get("/api/v1/products", headers={"X-Cashier-Pin": "4711"}).status == 401
    assert shop.owner.get("/api/v1/users", headers={"X-Cashier-Pin": "4711"}).status == 200


def test_a_till_ends_with_who_opened_it(any_shop: Shop) -> None:
    """A revoked key, a removed user: their tills wait for a cashier's PIN."""
    shop = any_shop
    bo, mia = user(shop, "bo", "cashier", "4711"), user(shop, "mia", "cashier", "4712")
    key = shop.owner.post("/api/v1/api-keys", {"role": "cashier", "name": "till"}).json()
    by_key = opened(shop, register(shop), by=shop.owner.using(key["api_key"]))
    by_bo = opened(shop, register(shop, "TILL-2"), pin="4711")
    assert (by_key.x_report()["opened_by"], by_bo.x_report()["opened_by"]) == ("key:till", "user:bo@arco.example")

    shop.owner.patch(f"/api/v1/users/{mia}", {"email": "mia.m@arco.example"})
    shop.owner.delete(f"/api/v1/api-keys/{key['id']}")
    shop.owner.delete(f"/api/v1/users/{bo}")
    time.sleep(0.6)

    for till in (by_key, by_bo):
        assert till.get("/pos/session").status == 401
        assert till.with_pin("4711").get("/pos/session").status == 401
        assert till.with_pin("4712").close("100.00")["closed_by"] == "user:mia.m@arco.example"


# Stores and tenants --------------------------------------------------------------------------------------------------


def test_increment_6_a_till_sells_in_its_store_alone(any_shop: Shop) -> None:
    shop = any_shop
    east_id = east(shop)
    shop.product("MUG-1", 10, price="9.90")
    till = opened(shop, register(shop))
    body = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1}]}
    paid = body | {"payments": [{"method": "cash", "amount": "9.90"}]}

    for path, sent in (("/pos/quote", body), ("/pos/checkout", paid)):
        for nobody in (shop.owner, shop.anonymous, shop.anonymous.using("hf_wrong")):
            assert nobody.post(f"/api/v1{path}", sent).status == 401
        assert Till(shop.owner, "till_wrong").post(path, sent).status == 401
        for other in ("EAST", east_id):
            assert till.post(path, sent | {"store_id": other}).status == 403
            assert till.post(path, sent, **{"X-Store": other}).status == 403
        assert till.post(path, sent, **{"X-Store": "MAIN"}).status in (200, 201)
    assert till.x_report()["sales"] == 1
    assert till.get("/store/inventory?store_id=EAST").status == 403
    assert till.get(f"/locations/{'MAIN'}").status == 200


def test_who_is_assigned_to_stores_acts_at_their_tills_alone(any_shop: Shop) -> None:
    shop = any_shop
    east_id = east(shop)
    shop.product("MUG-1", 10, price="9.90")
    in_main, in_east = register(shop), register(shop, "TILL-E", "EAST")
    user(shop, "bo", "cashier", "4711", "EAST")
    user(shop, "mia", "cashier", "4712")
    till = opened(shop, in_main)
    main = f"/api/v1/registers/{in_main}"

    assert till.with_pin("4711").get("/pos/session").status == 403
    assert till.with_pin("4711").sell(cash="9.90").status == 403
    assert till.with_pin("4712").sell(cash="9.90").status == 201
    till.close("109.90")
    assert shop.owner.post(f"{main}/sessions", {"opening_float": "1.00", "pin": "4711"}).status == 403
    manager = shop.caller("manager", (east_id,))
    assert [one["id"] for one in manager.get("/api/v1/registers").json()["items"]] == [in_east]
    for answer in (manager.get(main), manager.get(f"{main}/sessions"), manager.get(f"{main}/sessions/1")):
        assert (answer.status, answer.code) == (404, "NOT_FOUND")
    for answer in (
        manager.patch(main, {"name": "mine"}),
        manager.delete(main),
        manager.post(f"{main}/sessions", {"opening_float": "1.00"}),
        manager.post("/api/v1/registers", {"store_id": "MAIN", "code": "NEW"}),
    ):
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert opened(shop, in_east, by=manager).x_report()["store_id"] == east_id


def test_a_till_of_the_whole_organisation_sees_its_store(any_shop: Shop) -> None:
    """Opened by an owner without limits, a till still acts in its store, and may not make a mightier caller."""
    shop = any_shop
    east(shop)
    shop.product("MUG-1", 4)
    shop.owner.post("/api/v1/transfers", {"from_location": "MAIN", "to_location": "EAST", "lines": []})
    till = opened(shop, register(shop))

    codes = {place["code"] for place in till.get("/locations").json()["items"]}
    assert "MAIN" in codes and "EAST" not in codes
    assert till.post("/api-keys", {"role": "cashier"}).status == 403  # it would be beyond the store
    assert till.post("/stores", {"code": "NEW"}).status == 403


def test_another_organisation_sees_nothing(any_shop: Shop) -> None:
    shop = any_shop
    till_1 = register(shop)
    till = opened(shop, till_1)
    made = establish(shop.holdfast.database, "Other", "eve@other.example", password="correct horse")
    other = shop.owner.using(made.api_key)
    one = f"/api/v1/registers/{till_1}"
    none = one.replace(till_1, "01890000-0000-7000-8000-000000000000")

    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("GET", "/sessions", None),
        ("GET", "/sessions/1", None),
        ("POST", "/sessions", {"opening_float": "1.00"}),
        ("POST", "/sessions/1/close", {"counted_cash": "1.00"}),
    ):
        there, nowhere = other.request(method, one + path, body), other.request(method, none + path, body)
        assert (there.status, there.code) == (nowhere.status, nowhere.code) == (404, "NOT_FOUND")
    assert other.get("/api/v1/registers").json()["items"] == []
    assert other.post("/api/v1/registers", {"store_id": shop.made.store_id, "code": "X"}).code == "STORE_NOT_FOUND"
    assert till.get(f"/registers/{till_1}").status == 200
    body = {"email": "pin@other.example", "password": "correct horse", "role": "cashier", "pin": "4711"}
    assert other.post("/api/v1/users", body).status == 201
    assert till.with_pin("4711").get("/pos/session").status == 401


# Registers as records ------------------------------------------------------------------------------------------------


def test_registers_are_made_changed_and_removed(any_shop: Shop) -> None:
    shop = any_shop
    made = shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "till-1", "name": "Door"}).json()
    path = f"/api/v1/registers/{made['id']}"

    assert (made["code"], made["name"], made["store_id"]) == ("TILL-1", "Door", shop.made.store_id)
    assert shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-1"}).code == "ALREADY_EXISTS"
    assert shop.owner.patch(path, {"code": "t2", "name": None}).json()["code"] == "T2"
    assert shop.owner.get("/api/v1/registers/t2").json()["name"] is None
    assert shop.owner.patch(path, {"store_id": "MAIN"}).code == "INVALID_REQUEST"
    till = opened(shop, made["id"], "1.00")
    z_report = till.close("1.00")
    assert shop.owner.delete(path).status == 204
    assert shop.owner.delete(path).code == "NOT_FOUND"
    assert shop.owner.patch(path, {"name": "x"}).code == "NOT_FOUND"
    assert shop.owner.post(f"{path}/sessions", {"opening_float": "1.00"}).code == "NOT_FOUND"
    assert shop.owner.get("/api/v1/registers").json()["items"] == []
    assert (shop.owner.get(path).json()["active"], shop.owner.get(f"{path}/sessions/1").json()) == (False, z_report)
    for number in ("0", "2", "x", "9" * 30, "-1"):
        assert shop.owner.get(f"{path}/sessions/{number}").code == "NOT_FOUND"
    actions = [line["action"] for line in shop.owner.get("/api/v1/audit?kind=register").json()["items"]]
    assert actions == ["remove", "change", "add"]


def test_a_store_stays_while_a_till_of_it_is_open(any_shop: Shop) -> None:
    shop = any_shop
    east(shop)
    till_e = register(shop, "TILL-E", "EAST")
    till = opened(shop, till_e)

    refused = shop.owner.delete("/api/v1/stores/EAST")
    assert (refused.status, refused.code, refused.json()["register_id"]) == (409, "INVALID_STATE", till_e)
    till.close("100.00")

    assert shop.owner.delete("/api/v1/stores/EAST").status == 204
    assert shop.owner.get("/api/v1/registers").json()["items"] == []
    assert shop.owner.post(f"/api/v1/registers/{till_e}/sessions", {"opening_float": "1.00"}).code == "NOT_FOUND"
