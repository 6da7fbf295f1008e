"""Two spellings that look the same are one text at every door; what nobody sees is refused at every door."""

from __future__ import annotations

import io
import unicodedata
from typing import Any
from urllib.parse import quote

import pytest

from holdfast.core.organisation.products import AddProduct
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.db.organisations import organisations
from holdfast.import_export import import_products, import_stock
from tests.api.conftest import Shop

V1 = "/api/v1"
COMPOSED = "caf\u00e9 noir"
SPELLINGS = (unicodedata.normalize("NFD", COMPOSED), COMPOSED.replace(" ", "\u00a0"), COMPOSED.replace(" ", "\u2009"))
UNSEEN = ("x\u200b", "\u200bx", "\ufeffx", "so\u00adft", "a\u2066b\u2069", "\u00adx")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_product_whichever_way_it_is_spelt(shop: Shop, spelling: str) -> None:
    product_id = shop.product(COMPOSED, 20)
    owner, actor = shop.owner, shop.made.actor

    assert owner.post(f"{V1}/products", {"sku": spelling}).code == "ALREADY_EXISTS"
    assert owner.get(f"{V1}/products/{quote(spelling)}").json()["id"] == product_id
    assert [one["id"] for one in owner.get(f"{V1}/products?sku={quote(spelling)}").json()["items"]] == [product_id]
    assert [one["id"] for one in owner.get(f"{V1}/products?search={quote(spelling)}").json()["items"]] == [product_id]
    assert owner.get(f"{V1}/scan?code={quote(spelling)}").json()["product_id"] == product_id
    assert owner.get(f"{V1}/store/inventory?product={quote(spelling)}").json()["items"][0]["product_id"] == product_id
    held = owner.post(f"{V1}/inventory-reservations", {"product_id": spelling, "quantity": 1, "order_number": spelling})
    assert (held.status, held.json()["product_id"]) == (201, product_id), held
    assert held.json()["order_number"] == COMPOSED
    points = {"reorder_points": {spelling: 5}}
    assert owner.patch(f"{V1}/locations/MAIN", points).json()["reorder_points"] == {COMPOSED: 5}
    changed = owner.patch(f"{V1}/products/{quote(spelling)}", {"title": spelling})
    assert changed.json()["title"] == COMPOSED

    assert shop.holdfast.do(actor, Reserve(spelling, 1, target=Target(spelling))).answer.product_id == product_id
    assert shop.holdfast.do(actor, AddProduct(spelling)).answer.code == "ALREADY_EXISTS"
    one = shop.holdfast.reports.product(actor.org_id, spelling)
    assert one is not None and one["id"] == product_id


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_file_means_the_same_product(shop: Shop, spelling: str) -> None:
    shop.product(COMPOSED, title="x")
    organisation = organisations(shop.holdfast.database, "Arco Iris")[0]
    file = io.StringIO(f"sku,title\n{spelling},Black coffee\n", newline="")
    outcome = import_products(shop.holdfast, shop.made.actor, organisation, file)
    assert (outcome.added, outcome.changed, outcome.refused) == (0, 1, 0)
    stock: Any = io.StringIO(f"sku,location,quantity\n{spelling},MAIN,3\n", newline="")
    assert import_stock(shop.holdfast, shop.made.actor, stock).added == 1
    assert shop.owner.get(f"{V1}/products/{quote(COMPOSED)}").json()["total_quantity"] == 3


@pytest.mark.parametrize("text", UNSEEN)
def test_what_nobody_sees_names_nothing(shop: Shop, text: str) -> None:
    owner = shop.owner
    for path, body in (
        ("/products", {"sku": text}),
        ("/products", {"sku": "A", "title": text}),
        ("/products", {"sku": "A", "tax_class": text}),
        ("/stores", {"code": "W", "name": text}),
        ("/inventory-reservations", {"product_id": text, "quantity": 1, "order_number": "1"}),
        ("/inventory-reservations", {"product_id": "A", "quantity": 1, "order_number": text}),
        ("/receipts", {"location": "MAIN", "lines": [{"product_id": "A", "quantity": 1, "lot_code": text}]}),
        ("/locations", {"code": "B", "reorder_points": {text: 1}}),
    ):
        answer = owner.post(V1 + path, body)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST"), (path, body)
        assert "format characters" in answer.json()["detail"]
    assert owner.get(f"{V1}/products?sku={quote(text)}").code == "INVALID_REQUEST"
    assert owner.get(f"{V1}/products/{quote(text)}").code == "PRODUCT_NOT_FOUND"
    assert owner.get(f"{V1}/scan?code={quote(text)}").status in (400, 404)
    refused = shop.holdfast.do(shop.made.actor, AddProduct(text)).answer
    assert isinstance(refused, Rejected) and "format characters" in refused.detail
    organisation = organisations(shop.holdfast.database, "Arco Iris")[0]
    file = io.StringIO(f"sku,title\n{text},Tea\n", newline="")
    assert import_products(shop.holdfast, shop.made.actor, organisation, file).refused == 1
    assert owner.get(f"{V1}/products").json()["items"] == []


def test_free_texts_keep_their_joiners(shop: Shop) -> None:
    """A family of emoji and a Persian word have characters of their own that nobody sees."""
    for customer in ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"):
        assert shop.owner.post(f"{V1}/sales", {"customer": customer}).json()["customer"] == customer


def test_keys_that_look_the_same_are_given_twice(shop: Shop) -> None:
    shop.product(COMPOSED)
    answer = shop.owner.patch(f"{V1}/locations/MAIN", {"reorder_points": {COMPOSED: 1, SPELLINGS[0]: 2}})
    assert (answer.code, "twice" in answer.json()["detail"]) == ("INVALID_REQUEST", True)


def test_the_same_request_in_another_spelling_is_the_same(shop: Shop) -> None:
    key = {"Idempotency-Key": "k"}
    first = shop.owner.post(f"{V1}/products", {"sku": COMPOSED}, headers=key)
    again = shop.owner.post(f"{V1}/products", {"sku": SPELLINGS[0]}, headers=key)
    assert (again.status, again.headers.get("idempotent-replayed"), again.content) == (201, "true", first.content)
