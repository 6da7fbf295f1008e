"""What belongs to a store, asked for by somebody of another: reading it is 404, acting on it 403, on every route."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.web.api import ROUTES, pos, registers, returns, sales, taxes
from tests.api.client import Client
from tests.api.conftest import Shop
from tests.api.test_access import NIL
from tests.api.test_registers import opened, register

HERE = "/api/v1"


class Stores:
    """Two stores: MAIN has one of everything, a manager of EAST asks."""

    def __init__(self, shop: Shop) -> None:
        shop.product("MUG-1", 9, price="10.00")
        shop.product("SOFA-1", price="300.00", dropship=True)
        east = shop.owner.post(f"{HERE}/stores", {"code": "EAST", "name": "East"}).json()["id"]
        shop.owner.post(f"{HERE}/locations", {"store_id": "EAST", "code": "EAST"})
        self.manager = shop.caller("manager", (east,))
        self.till = opened(shop, register(shop, "TILL-E", "EAST"), by=self.manager)
        line = {"product_id": "MUG-1", "quantity": 1}
        cart = shop.owner.post(f"{HERE}/sales", {"store_id": "MAIN", "lines": [line]}).json()
        lines = [line, {"product_id": "SOFA-1", "quantity": 1}]
        sold = shop.owner.post(f"{HERE}/sales", {"store_id": "MAIN", "lines": lines}).json()
        assert shop.owner.post(f"{HERE}/sales/{sold['id']}/complete").status == 200
        back = {"sale_id": sold["id"], "lines": [{"line_id": sold["lines"][0]["id"], "quantity": 1}]}
        made = shop.owner.post(f"{HERE}/returns", back | {"refund": {"method": "card"}})
        assert made.status == 201, made
        rate = shop.owner.post(f"{HERE}/tax-rates", {"tax_class": "std", "rate": "0.1", "store_id": "MAIN"}).json()
        self.register = register(shop)
        opened(shop, self.register)
        self.ids = {
            "sale": cart["id"],
            "line": cart["lines"][0]["id"],
            "sold": sold["id"],
            "return": made.json()["id"],
            "rate": rate["id"],
            "register": self.register,
            "order": shop.owner.get(f"{HERE}/supplier-orders").json()["items"][0]["id"],
        }


@pytest.fixture
def stores(shop: Shop) -> Stores:
    """MAIN with one of everything, and somebody of EAST."""
    return Stores(shop)


LINE = {"product_id": "MUG-1", "quantity": 1}
NO_LINE = {"product_id": "NOPE", "quantity": 1}
PAID = {"payments": [{"method": "card", "amount": "10.00"}]}
BACK = {"lines": [{"line_id": NIL, "quantity": 1}], "refund": {"method": "card"}}
BLIND = {"lines": [NO_LINE | {"unit_price": "1.00"}], "refund": {"method": "card"}}

FORBIDDEN: dict[str, list[tuple[str, Any]]] = {
    "POST /api/v1/sales": [
        ("/sales", {"store_id": "MAIN"}),
        ("/sales", {"store_id": "MAIN", "lines": [NO_LINE]}),
        ("/sales", {"lines": [LINE | {"location": "MAIN"}]}),
    ],
    "PATCH /api/v1/sales/{id}": [("/sales/{sale}", {"customer": "Ana"}), ("/sales/{sold}", {"customer": "Ana"})],
    "POST /api/v1/sales/{id}/lines": [("/sales/{sale}/lines", LINE), ("/sales/{sale}/lines", NO_LINE)],
    "PATCH /api/v1/sales/{id}/lines/{line_id}": [
        ("/sales/{sale}/lines/{line}", {"quantity": 2}),
        (f"/sales/{{sale}}/lines/{NIL}", {"quantity": 2}),
    ],
    "DELETE /api/v1/sales/{id}/lines/{line_id}": [("/sales/{sale}/lines/{line}", None)],
    "POST /api/v1/sales/{id}/suspend": [("/sales/{sale}/suspend", None), ("/sales/{sold}/suspend", None)],
    "POST /api/v1/sales/{id}/resume": [("/sales/{sale}/resume", None)],
    "POST /api/v1/sales/{id}/complete": [("/sales/{sale}/complete", PAID), ("/sales/{sold}/complete", PAID)],
    "POST /api/v1/sales/{id}/cancel": [("/sales/{sale}/cancel", None)],
    "POST /api/v1/sales/{id}/payments": [
        ("/sales/{sale}/payments", PAID["payments"][0]),
        ("/sales/{sold}/payments", PAID["payments"][0]),
    ],
    "POST /api/v1/sales/{id}/payments/{payment_id}/correct": [
        (f"/sales/{{sold}}/payments/{NIL}/correct", {"method": "card"})
    ],
    "POST /api/v1/sales/{id}/fulfillments": [
        ("/sales/{sale}/fulfillments", {"lines": [{"line_id": NIL, "quantity": 1}]})
    ],
    "POST /api/v1/sales/{id}/fulfillments/{fulfillment_id}/revert": [
        (f"/sales/{{sale}}/fulfillments/{NIL}/revert", {"reason": "wrong order"})
    ],
    "POST /api/v1/supplier-orders/{id}/ship": [("/supplier-orders/{order}/ship", {})],
    "POST /api/v1/returns": [("/returns", {"sale_id": "{sold}"} | BACK), ("/returns", {"store_id": "MAIN"} | BLIND)],
    "POST /api/v1/registers": [("/registers", {"store_id": "MAIN", "code": "NEW"})],
    "PATCH /api/v1/registers/{id}": [("/registers/{register}", {"name": "mine"})],
    "DELETE /api/v1/registers/{id}": [("/registers/{register}", None)],
    "POST /api/v1/registers/{id}/sessions": [("/registers/{register}/sessions", {"opening_float": "1.00"})],
    "POST /api/v1/registers/{id}/sessions/{number}/close": [
        ("/registers/{register}/sessions/1/close", {"counted_cash": "1.00"}),
        ("/registers/{register}/sessions/9/close", {"counted_cash": "1.00"}),
    ],
    "POST /api/v1/tax-rates": [("/tax-rates", {"tax_class": "low", "rate": "0.1", "store_id": "MAIN"})],
    "PATCH /api/v1/tax-rates/{id}": [("/tax-rates/{rate}", {"rate": "0.2"})],
    "DELETE /api/v1/tax-rates/{id}": [("/tax-rates/{rate}", None)],
}
"""Acts on MAIN, some of them wrong in other ways too: 403 comes first."""

AT_TILL: dict[str, list[tuple[str, Any]]] = {
    "POST /api/v1/pos/quote": [("/pos/quote", {"store_id": "MAIN", "lines": [NO_LINE]})],
    "POST /api/v1/pos/checkout": [("/pos/checkout", {"store_id": "MAIN", "lines": [NO_LINE]} | PAID)],
}
"""The same at a till of EAST; the others go there too. (Goods of a completed sale may be brought to any till.)"""

MISSING: dict[str, list[tuple[str, str]]] = {
    "GET /api/v1/sales/{id}": [("/sales/{sale}", "SALE_NOT_FOUND"), ("/sales/{sold}", "SALE_NOT_FOUND")],
    "GET /api/v1/returns/{id}": [("/returns/{return}", "NOT_FOUND")],
    "GET /api/v1/registers/{id}": [("/registers/{register}", "NOT_FOUND")],
    "GET /api/v1/registers/{id}/sessions": [("/registers/{register}/sessions", "NOT_FOUND")],
    "GET /api/v1/registers/{id}/sessions/{number}": [("/registers/{register}/sessions/1", "NOT_FOUND")],
    "GET /api/v1/tax-rates/{id}": [("/tax-rates/{rate}", "NOT_FOUND")],
}
EMPTY: dict[str, list[str]] = {
    "GET /api/v1/sales": ["/sales", "/sales?store=MAIN"],
    "GET /api/v1/returns": ["/returns", "/returns?sale_id={sold}"],
    "GET /api/v1/supplier-orders": ["/supplier-orders", "/supplier-orders?sale_id={sold}"],
    "GET /api/v1/tax-rates": ["/tax-rates"],
    "GET /api/v1/registers": ["/registers"],
}
OF_THE_TILL = {
    "GET /api/v1/pos/session", "POST /api/v1/pos/cash", "POST /api/v1/pos/session/close", "GET /api/v1/pos/cashier",
    "POST /api/v1/pos/cashier",
}  # fmt: skip
"""They name no store: the token does."""


def test_every_route_of_a_store_is_in_a_table() -> None:
    names = {f"{one.method} {one.path}" for module in (sales, pos, returns, registers, taxes) for one in module.ROUTES}
    assert names == {*FORBIDDEN, *AT_TILL, *MISSING, *EMPTY, *OF_THE_TILL}
    assert names <= {f"{one.method} {one.path}" for one in ROUTES}


def _body(stores: Stores, body: Any) -> Any:
    if isinstance(body, dict) and "sale_id" in body:
        return body | {"sale_id": body["sale_id"].format(**stores.ids)}
    return body


def _asked(client: Client, method: str, stores: Stores, path: str, body: Any, **headers: str) -> tuple[int, str]:
    more = {"headers": headers} if headers else {}
    answer = client.request(method, HERE + path.format(**stores.ids), _body(stores, body), **more)
    return answer.status, answer.code


def test_acting_on_what_another_store_has_is_403(shop: Shop, stores: Stores) -> None:
    for name, calls in FORBIDDEN.items():
        method = name.partition(" ")[0]
        for path, body in calls:
            narrowed = _asked(shop.owner, method, stores, path, body, **{"X-Store": "EAST"})
            assert _asked(stores.manager, method, stores, path, body) == (403, "FORBIDDEN"), (name, path)
            assert narrowed == (403, "FORBIDDEN"), (name, path)


def test_acting_on_what_another_store_has_is_403_at_a_till_too(stores: Stores) -> None:
    for name, calls in {**FORBIDDEN, **AT_TILL}.items():
        method = name.partition(" ")[0]
        for path, body in calls:
            if name != "POST /api/v1/returns" or "store_id" in body:
                asked = _asked(stores.till.client, method, stores, path, body, **stores.till.headers)
                assert asked == (403, "FORBIDDEN"), (name, path)


def test_reading_what_another_store_has_is_404(shop: Shop, stores: Stores) -> None:
    for name, reads in MISSING.items():
        for path, code in reads:
            narrowed = _asked(shop.owner, "GET", stores, path, None, **{"X-Store": "EAST"})
            assert _asked(stores.manager, "GET", stores, path, None) == (404, code), name
            assert narrowed == (404, code), name
            at_till = stores.till.get(path.format(**stores.ids))
            assert at_till.status == (200 if "{sold}" in path else 404), name  # what was sold may be brought back there
    for name, lists in EMPTY.items():
        for path in lists:
            shown = stores.manager.get(HERE + path.format(**stores.ids)).json()["items"]
            assert [one for one in shown if one.get("code") != "TILL-E"] == [], name


def test_the_road_is_changed_by_callers_of_all_stores(any_shop: Shop) -> None:
    """Goods of every store are on it, whichever store it stands in."""
    shop = any_shop
    road = next(one for one in shop.owner.get("/api/v1/locations").json()["items"] if one["kind"] == "transit")
    manager = shop.caller("manager", stores=[road["store_id"]])
    refused = manager.patch(f"/api/v1/locations/{road['id']}", {"code": "ROAD"})
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    assert shop.owner.patch(f"/api/v1/locations/{road['id']}", {"code": "ROAD"}).status == 200


@pytest.mark.parametrize("source", [" shopify", "SHOPIFY ", "website ", "\twebsite"])
def test_a_source_has_no_white_space_around_it(shop: Shop, source: str) -> None:
    """Nobody could tell it from the other."""
    shop.product("MUG-1", 5)
    hold = {"product_id": "MUG-1", "quantity": 1, "order_number": "7", "source": source}
    sale = {"store_id": "MAIN", "lines": [{"product_id": "MUG-1", "quantity": 1}], "order_number": "7"}
    for answer in (
        shop.owner.post("/api/v1/inventory-reservations", hold),
        shop.owner.post("/api/v1/sales", sale | {"source": source}),
    ):
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
