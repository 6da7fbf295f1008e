"""Gift cards over HTTP: looked up by their code, listed without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.organisation import establish
from tests.api.conftest import Shop
from tests.gift_cards import ActOnCard, acting_on_cards

CODE = "XMAS-0001"


@pytest.fixture(autouse=True)
def known_command() -> Iterator[None]:
    with acting_on_cards():
        yield


def act(shop: Shop, *acts: ActOnCard) -> list[Any]:
    """Do this with gift cards, as the owner."""
    return [shop.holdfast.do(shop.made.actor, one).answer for one in acts]


def test_a_card_is_looked_up_by_its_code(any_shop: Shop) -> None:
    shop = any_shop
    act(shop, ActOnCard("issue", 5000, code=CODE), ActOnCard("spend", 1990, code=CODE))
    till = shop.caller("cashier")

    card = till.get(f"/api/v1/gift-cards/{CODE.lower()}").json()

    assert list(card) == ["code", "balance", "currency", "status", "issued_at", "entries", "next_cursor"]
    assert (card["code"], card["balance"], card["currency"], card["status"]) == (CODE, "30.10", "USD", "active")
    assert [(entry["amount"], entry["balance"], entry["ref_type"]) for entry in card["entries"]] == [
        ("-19.90", "30.10", "PAYMENT"),
        ("50.00", "50.00", "SALE"),
    ]
    assert card["issued_at"] == card["entries"][1]["at"] and card["next_cursor"] is None
    assert {entry["cashier"] for entry in card["entries"]} == {shop.made.actor.name}


def test_entries_go_on_where_the_cursor_says(any_shop: Shop) -> None:
    shop = any_shop
    act(shop, ActOnCard("issue", 500, code=CODE), *(ActOnCard("load", amount, code=CODE) for amount in (1, 2, 3, 4)))
    path = f"/api/v1/gift-cards/{CODE}?limit=2"

    seen, cursor = [], ""
    while cursor is not None:
        card = shop.owner.get(path + cursor).json()
        act(shop, ActOnCard("load", 100, code=CODE))  # what comes meanwhile neither repeats nor hides an entry
        seen.append([entry["amount"] for entry in card["entries"]])
        cursor = card["next_cursor"] and f"&cursor={card['next_cursor']}"

    assert seen == [["0.04", "0.03"], ["0.02", "0.01"], ["5.00"]]
    assert shop.owner.get(f"/api/v1/gift-cards/{CODE}?cursor=x").code == "INVALID_REQUEST"


@pytest.mark.parametrize("code", ["NOBODY-HAS-IT", "short", "%C3%9Cnknown", "A" * 200, "a%2Fb%2Fc%2Fd"])
def test_what_is_no_card_is_not_found(any_shop: Shop, code: str) -> None:
    answer = any_shop.owner.get(f"/api/v1/gift-cards/{code}")
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


def test_another_organisations_card_is_not_found(any_shop: Shop) -> None:
    shop = any_shop
    made = establish(shop.holdfast.database, "Elsewhere", "eve@elsewhere.example")
    stranger = shop.owner.using(made.api_key)
    act(shop, ActOnCard("issue", 5000, code=CODE))
    shop.holdfast.do(made.actor, ActOnCard("issue", 100, code="SAME-CODE"))
    act(shop, ActOnCard("issue", 200, code="SAME-CODE"))

    assert stranger.get(f"/api/v1/gift-cards/{CODE}").code == "NOT_FOUND"
    assert stranger.get("/api/v1/gift-cards/SAME-CODE").json()["balance"] == "1.00"
    assert [card["balance"] for card in stranger.get("/api/v1/gift-cards").json()["items"]] == ["1.00"]


def test_the_list_shows_the_end_of_each_code_alone(any_shop: Shop) -> None:
    shop = any_shop
    made = act(shop, ActOnCard("issue", 5000, code=CODE), ActOnCard("issue", 2500), ActOnCard("issue", 100))
    act(shop, ActOnCard("block", code=CODE))
    manager = shop.caller("manager")

    first = manager.get("/api/v1/gift-cards?limit=2")
    rest = manager.get(f"/api/v1/gift-cards?limit=2&cursor={first.json()['next_cursor']}")

    cards = [*first.json()["items"], *rest.json()["items"]]
    assert [card["id"] for card in cards] == [card.id for card in reversed(made)]
    assert [card["hint"] for card in cards] == [card.code[-4:] for card in reversed(made)]
    assert [(card["balance"], card["status"]) for card in cards] == [
        ("1.00", "active"),
        ("25.00", "active"),
        ("0.00", "blocked"),
    ]
    assert rest.json()["next_cursor"] is None
    assert not any(card.code.encode() in answer.content for card in made for answer in (first, rest))
    blocked = manager.get("/api/v1/gift-cards?status=blocked").json()["items"]
    assert [card["hint"] for card in blocked] == ["0001"]
    assert manager.get("/api/v1/gift-cards?status=lost").code == "INVALID_REQUEST"


def test_whose_cards_may_be_seen(shop: Shop) -> None:
    act(shop, ActOnCard("issue", 5000, code=CODE))
    shop.owner.post("/api/v1/stores", {"code": "EAST", "name": "East"})
    east = next(one["id"] for one in shop.owner.get("/api/v1/stores").json()["items"] if one["code"] == "EAST")

    assert shop.caller("staff").get("/api/v1/gift-cards").status == 403
    assert shop.caller("manager", (east,)).get("/api/v1/gift-cards").status == 403
    assert shop.caller("cashier", (east,)).get(f"/api/v1/gift-cards/{CODE}").json()["balance"] == "50.00"
    assert shop.anonymous.get(f"/api/v1/gift-cards/{CODE}").status == 401


def test_a_gift_card_is_a_product_without_stock_and_tax(shop: Shop) -> None:
    made = shop.owner.post("/api/v1/products", {"sku": "CARD", "kind": "gift_card"})
    assert made.status == 201
    card = made.json()
    assert (card["kind"], card["price"], card["is_digital"], card["unlimited"]) == ("gift_card", None, False, True)
    assert card["total_available"] == 999_999
    for fields, field in (
        ({"tax_class": "standard"}, "tax_class"),
        ({"precision": 2}, "precision"),
        ({"price_breaks": [{"quantity": 3, "price": "10.00"}]}, "price_breaks"),
    ):
        added = shop.owner.post("/api/v1/products", {"sku": "CARD-2", "kind": "gift_card", **fields})
        changed = shop.owner.patch(f"/api/v1/products/{card['id']}", fields)
        for answer in (added, changed):
            assert (answer.status, answer.code, answer.json()["field"]) == (400, "INVALID_REQUEST", field)
    mug = shop.product("MUG-1", tax_class="standard")
    assert shop.owner.patch(f"/api/v1/products/{mug}", {"kind": "gift_card"}).json()["field"] == "tax_class"
    turned = shop.owner.patch(f"/api/v1/products/{mug}", {"kind": "gift_card", "tax_class": None})
    assert turned.json()["kind"] == "gift_card"
    line = {"product_id": "CARD", "quantity": 1}
    received = shop.owner.post("/api/v1/receipts", {"location": "MAIN", "lines": [line]})
    assert received.code == "PRODUCT_NOT_STOCK_TRACKED"
    assert received.json()["detail"] == "CARD is a gift card: it has no stock."
    assert shop.owner.patch(f"/api/v1/products/{card['id']}", {"price": "25.00"}).json()["price"] == "25.00"
