"""The matrix: every route, asked by everybody who is limited to one store, about what belongs to another one.

It is made of the route table: path, body and filters of each route are filled with ids of EAST (and of another
organisation), which a caller of WEST may neither change nor see. A route whose path names something that the matrix
does not know fails here, until somebody says what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.db import schema
from holdfast.organisation import Established, establish
from holdfast.web.api import ROUTES
from holdfast.web.http.route import Route
from tests.api.client import Client, Response
from tests.api.conftest import Shop
from tests.gift_cards import ActOnCard, acting_on_cards

ROLES = ("cashier", "staff", "manager", "owner")
"""An admin may what an owner may: those who are told apart are tested in test_access."""

MARK = "EAST"
"""Everything that belongs to the other store has this in its texts."""

RECEIPT_IS_ENOUGH = {"GET /api/v1/sales/{id}", "GET /api/v1/returns/{id}"}
"""A completed sale is found by its number in every store, for its return."""


RECEIPT_BRINGS_BACK = {"POST /api/v1/returns"}
"""Goods come back to every store with their receipt: their lot then lies there, and the sale learns of it."""

NAMES_ITS_OWN = {"POST /api/v1/products"}
"""What the body names is made by it, and is the caller's."""


class Owned:
    """What one owner has: the ids to ask for, by the name of the field or by the part of the path before it."""

    def __init__(self, client: Client, store: str, mark: str, *, sku: str) -> None:
        self.client = client
        self.mark = mark
        self.store = store
        self.shelf = f"{mark}SHELF"
        place = self._made("locations", {"store_id": store, "code": self.shelf, "kind": "store"})
        other = self._made("locations", {"store_id": store, "code": f"{mark}BACK", "kind": "warehouse"})
        self.sku = sku
        product = self._made("products", {"sku": self.sku, "title": "Mug", "price": "12.00"})
        line = {"product_id": self.sku, "quantity": 50, "unit_cost": "3.50", "lot_code": f"{mark}LOT"}
        receipt = self._made("receipts", {"location": self.shelf, "lines": [line]})
        hold = self._made(
            "inventory-reservations",
            {"product_id": self.sku, "quantity": 2, "location": self.shelf, "order_number": f"{mark}-77"},
        )
        asked = {"product_id": self.sku, "quantity": 2, "location": self.shelf}
        sale = self._made("sales", {"store_id": store, "customer": f"{mark}ANA", "lines": [asked]})
        done = self._made("sales", {"store_id": store, "customer": f"{mark}BO", "lines": [asked]})
        self._made(f"sales/{done['id']}/complete", {"payments": [{"method": "card", "amount": "24.00"}]}, 200)
        part = {"line_id": sale["lines"][0]["id"], "quantity": 1}
        shipped = self._made(f"sales/{sale['id']}/fulfillments", {"lines": [part]}, 200)
        deposit = {"method": "card", "amount": "1.00"}
        paid = self._made(f"sales/{sale['id']}/payments", deposit)
        rent = [{"account": "3000", "debit": "9.00"}, {"account": "2010", "credit": "9.00"}]
        entry = self._made("journal", {"description": f"{mark} rent", "lines": rent})
        back = {"line_id": done["lines"][0]["id"], "quantity": 1, "condition": "good"}
        returned = self._made("returns", {"sale_id": done["id"], "lines": [back], "refund": {"method": "card"}})
        count = self._made(
            "counts", {"location": self.shelf, "draft": True, "lines": [{"product_id": self.sku, "counted": 40}]}
        )
        move = {"product_id": self.sku, "quantity": 3}
        transfer = self._made(
            "transfers",
            {"from_location": self.shelf, "to_location": other["code"], "lines": [move], "reference": f"{mark}-T"},
        )
        visit = self._made(
            "appointments", {"starts_at": "2031-05-31T09:00:00Z", "customer": f"{mark}CARLA", "store_id": store}
        )
        self._made(
            "inventory-reservations",
            {
                "product_id": self.sku,
                "quantity": 1,
                "location": self.shelf,
                "reserved_for_type": "appointment",
                "reserved_for_id": visit["id"],
            },
        )
        register = self._made("registers", {"store_id": store, "code": f"{mark}TILL"})
        session = self._made(f"registers/{register['id']}/sessions", {"opening_float": "100.00"})
        rate = self._made(
            "tax-rates", {"tax_class": f"{mark}-class", "rate": "0.15", "name": f"{mark} tax", "store_id": store}
        )
        user = self._made(
            "users",
            {
                "email": f"{mark}@shop.example".lower(),
                "password": "correct horse",
                "role": "cashier",
                "stores": [store],
            },
        )
        key = self._made("api-keys", {"name": f"{mark} key", "role": "cashier", "stores": [store]})
        ship = {"product_id": self.sku, "quantity": 1}
        drop = self._made("products", {"sku": f"{sku}-DROP", "title": "Drop", "price": "5.00", "dropship": True})
        supplied = self._made("sales", {"store_id": store, "lines": [{**ship, "product_id": drop["sku"]}]})
        self._made(f"sales/{supplied['id']}/complete", {"payments": [{"method": "card", "amount": "5.00"}]}, 200)
        orders = client.get("/api/v1/supplier-orders").json()["items"]
        level = client.get(f"/api/v1/store/inventory?location={self.shelf}").json()["items"][0]
        file = {
            "content": f"sku,title\n{self.sku},{mark} mug\n".encode(),
            "headers": {"content-type": "text/csv", "x-store": store},
        }
        started = client.request("POST", f"/api/v1/imports?kind=products&name={mark}-file", **file)
        assert started.status == 202, started
        self.token = session["token"]
        self.session_id = session["id"]
        self.of_path: dict[str, str] = {
            "inventory-reservations": hold["id"],
            "inventory": level["id"],
            "stores": store,
            "products": product["id"],
            "product": product["id"],
            "sales": sale["id"],
            "lines": sale["lines"][0]["id"],
            "payments": paid["payments"][0]["id"],
            "receipts": receipt["id"],
            "journal": entry["id"],
            "fulfillments": shipped["fulfillments"][0]["id"],
            "supplier-orders": next((order["id"] for order in orders if order["sale_id"] == supplied["id"]), ""),
            "returns": returned["id"],
            "lots": receipt["lines"][0]["lot_id"],
            "orders": f"{mark}-77",
            "counts": count["id"],
            "counts.lines": count["lines"][0]["id"],
            "transfers": transfer["id"],
            "appointments": visit["id"],
            "locations": place["id"],
            "users": user["id"],
            "api-keys": key["id"],
            "tax-rates": rate["id"],
            "registers": register["id"],
            "sessions": "1",
            "accounts": "5100",
            "imports": started.json()["id"],
            "views": user["id"],
            "gift-cards": f"{mark}-CARD-0001",
        }
        self.of_field: dict[str, Any] = {
            "product_id": self.sku,
            "product": self.sku,
            "sku": self.sku,
            "location": self.shelf,
            "from_location": self.shelf,
            "to_location": other["code"],
            "store_id": store,
            "store": store,
            "stores": [store],
            "order_number": f"{mark}-77",
            "order_id": f"{mark}-77",
            "sale_id": done["id"],
            "line_id": done["lines"][0]["id"],
            "lot_id": receipt["lines"][0]["lot_id"],
            "lot_code": f"{mark}LOT",
            "reservation_id": hold["id"],
        }

    def _made(self, path: str, body: Any, status: int = 201) -> Any:
        answer = self.client.post(f"/api/v1/{path}", body)
        assert answer.status == status, (path, answer)
        return answer.json()

    def path(self, route: Route) -> str:
        """The route's path, about what is owned."""

        def of(match: re.Match[str]) -> str:
            before = route.path[: match.start()].rstrip("/").split("/")
            names = (f"{before[-3] if len(before) > 2 else ''}.{before[-1]}", before[-1])
            found = next((self.of_path[name] for name in names if name in self.of_path), None)
            assert found is not None, f"the matrix does not know what {route.path} names"
            return found

        return re.sub(r"\{\w+\}", of, route.path)

    def body(self, example: Any, name: str = "") -> Any:
        """The example, about what is owned."""
        if name in self.of_field:
            return self.of_field[name]
        if isinstance(example, dict):
            return {key: self.body(value, key) for key, value in example.items()}
        if isinstance(example, list):
            return [self.body(value) for value in example]
        return example


def requests_of(route: Route, owned: Owned, caller: Owned) -> Iterator[tuple[str, Any, dict[str, str]]]:
    """(path, body, headers): foreign ids in path, body, filters, X-Store; and own ones beside foreign ones."""
    foreign = owned.path(route)
    bodies = [route.example]
    if route.example is not None and f"{route.method} {route.path}" not in NAMES_ITS_OWN:
        bodies.insert(0, owned.body(route.example))
    for body in bodies:
        yield foreign, body, {}
        yield foreign, body, {"X-Store": owned.store}
    if route.method == "GET":
        for query in route.parameters:
            value = owned.of_field.get(query.name)
            if value is not None and not isinstance(value, list):
                yield f"{foreign}?{query.name}={value}", None, {}
                yield f"{caller.path(route)}?{query.name}={value}", None, {}
    if "{" in route.path:
        yield caller.path(route), owned.body(route.example), {}
    yield f"{foreign}?store_id={owned.store}", bodies[0], {}


TABLES = (
    *("level", "lot_stock", "reservation", "sale", "sale_line", "appointment", "count_sheet", "transfer"),
    *("register_session", "register", "supplier_order", "location", "store", "app_user", "api_key", "tax_rate"),
)


def kept(shop: Shop, owned: Owned) -> dict[str, list[str]]:
    """The rows that name the owned store, its places and sales, as texts."""
    shared = {"1", "5100", "", owned.of_path["products"], owned.of_path["orders"]}
    names = {owned.store, *owned.of_path.values()} - shared
    with shop.holdfast.database.reading() as connection:
        places = {
            str(row[0])
            for row in connection.execute(
                sa.select(schema.location.c.id).where(schema.location.c.store_id == owned.store)
            )
        }
        found: dict[str, list[str]] = {}
        for name in TABLES:
            rows = connection.execute(sa.select(schema.metadata.tables[name])).mappings()
            texts = [json.dumps(dict(row), default=str) for row in rows]
            found[name] = sorted(text for text in texts if any(word in text for word in names | places))
    return found


def leaked(route: Route, answer: Response, sent: str, mark: str) -> str | None:
    """What the answer tells of the other one's, beyond what was sent; None when nothing."""
    if f"{route.method} {route.path}" in RECEIPT_IS_ENOUGH:
        return None
    text = answer.content.decode()
    for word in set(re.findall(rf"{mark}[\w-]*", sent)):
        text = text.replace(word, "")
    found = re.search(rf".{{0,60}}{mark}.{{0,60}}", text)
    return None if found is None else found.group()


def issue_card(shop: Shop, made: Established, owned: Owned) -> None:
    """A gift card of whoever owns all of it, by its code."""
    with acting_on_cards():
        shop.holdfast.do(made.actor, ActOnCard("issue", 5000, code=owned.of_path["gift-cards"]))


@pytest.fixture
def east(shop: Shop) -> Owned:
    """The other store's things."""
    store = shop.owner.post("/api/v1/stores", {"code": MARK, "name": f"{MARK} side"}).json()["id"]
    owned = Owned(shop.owner, store, MARK, sku="MUG-A")
    issue_card(shop, shop.made, owned)
    return owned


@pytest.fixture
def west(shop: Shop) -> Owned:
    """The caller's own store's things."""
    store = shop.owner.post("/api/v1/stores", {"code": "WEST", "name": "West side"}).json()["id"]
    return Owned(shop.owner, store, "WEST", sku="MUG-B")


def asked(
    shop: Shop, client: Client, other: Owned, own: Owned, given: dict[str, str] | None = None
) -> tuple[int, list[str]]:
    """How many requests were made, and every hole that they found."""
    holes: list[str] = []
    count = 0
    before = kept(shop, other)
    for route in ROUTES:
        if shop.owner is not client and f"{route.method} {route.path}" in RECEIPT_BRINGS_BACK:
            continue
        for path, body, headers in requests_of(route, other, own):
            count += 1
            answer = client.request(route.method, path, body, headers={**headers, **(given or {})})
            told = f"{route.method} {path} {body} {headers} -> {answer}"
            if answer.status >= 500:
                holes.append(f"broke: {told}")
            words = leaked(route, answer, f"{path} {body} {headers}", other.mark)
            if words is not None:
                holes.append(f"told {words!r}: {told}")
            if answer.status < 300 and route.writes:
                after = kept(shop, other)
                changed = [name for name in TABLES if after[name] != before[name]]
                if changed:
                    holes.append(f"changed {changed}: {told}")
                    before = after
    return count, holes


@pytest.mark.parametrize("role", ROLES)
def test_nobody_of_one_store_touches_or_sees_another(shop: Shop, east: Owned, west: Owned, role: str) -> None:
    caller = shop.caller(role, (west.store,))
    count, holes = asked(shop, caller, east, west)
    assert not holes, "\n".join(hole[:600] for hole in holes)
    assert count > 400


def test_no_till_of_one_store_touches_or_sees_another(shop: Shop, east: Owned, west: Owned) -> None:
    given = {"Authorization": f"Register {west.token}"}
    count, holes = asked(shop, shop.anonymous, east, west, given)
    assert not holes, "\n".join(hole[:600] for hole in holes)
    assert count > 400


def test_nothing_crosses_organisations(shop: Shop, west: Owned) -> None:
    made = establish(shop.holdfast.database, "Other", "other@shop.example")
    stranger = shop.owner.using(made.api_key)
    store = stranger.get("/api/v1/stores").json()["items"][0]["id"]
    other = Owned(stranger, store, "THEIRS", sku="THEIRS-MUG")
    issue_card(shop, made, other)
    count, holes = asked(shop, shop.owner, other, west)
    assert not holes, "\n".join(hole[:600] for hole in holes)
    assert count > 400
