"""License keys over HTTP: who sees them, where they are never in plain, and what a repeated request hears."""

from __future__ import annotations

import logging

import pytest

from tests.api.conftest import Shop
from tests.shop import rows

KEYS = ["7GQX-11PA-K7QX", "9BMD-42LC-X0TT"]
POOL = "/api/v1/products/GAME-1/license-keys"


def _game(shop: Shop, *keys: str, **fields: object) -> None:
    made = {"kind": "digital", "price": "10.00", "digital_delivery_method": "license_key", **fields}
    shop.product("GAME-1", **made)
    if keys:
        assert shop.owner.post(POOL, {"keys": list(keys)}).status == 201


def _stored(shop: Shop) -> str:
    tables = ("license_key", "answered", "audit", "event_batch", "sale", "sale_line", "product")
    return "".join(str(rows(shop.holdfast.database, f"SELECT * FROM {table}")) for table in tables)


def test_a_buyer_gets_a_key_and_nobody_else_sees_it(any_shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shop = any_shop
    _game(shop)
    added = shop.owner.post(POOL, {"keys": [*KEYS, KEYS[0]]})
    assert (added.status, added.json()["added"], added.json()["known"]) == (201, 2, 1)
    sale = shop.owner.post("/api/v1/sales", {"lines": [{"product_id": "GAME-1", "quantity": 1}]}).json()
    assert "delivery" not in sale["lines"][0]
    path = f"/api/v1/sales/{sale['id']}"

    key = {"Idempotency-Key": "complete-1"}
    first = shop.owner.post(f"{path}/complete", {}, headers=key)
    again = shop.owner.post(f"{path}/complete", {}, headers=key)

    [got] = first.json()["lines"][0]["delivery"]["license_keys"]
    assert (got["key"], got["status"]) == (KEYS[0], "sold")
    assert again.json() == first.json() and again.headers["idempotent-replayed"] == "true"
    shown = shop.caller("cashier").get(path).json()
    assert shown["lines"][0]["delivery"] == first.json()["lines"][0]["delivery"]
    assert shown["receipt"]["lines"][0]["license_keys"] == [KEYS[0]]
    listed = shop.owner.get("/api/v1/sales").json()["items"][0]
    assert listed["lines"][0]["delivery"]["license_keys"][0]["key"] == KEYS[0]
    for key_text in KEYS:
        assert key_text not in _stored(shop)
        assert key_text not in caplog.text
        for answer in (shop.owner.get(POOL), shop.owner.get("/api/v1/events"), shop.owner.get("/api/v1/audit")):
            assert key_text not in str(answer.json())


def test_the_pool_is_counted_and_shown_to_managers(any_shop: Shop) -> None:
    shop = any_shop
    _game(shop, *KEYS)
    sale = shop.owner.post("/api/v1/sales", {"lines": [{"product_id": "GAME-1", "quantity": 1}]}).json()
    shop.owner.post(f"/api/v1/sales/{sale['id']}/complete", {})

    pool = shop.caller("manager").get(POOL).json()
    assert (pool["free"], pool["sold"], pool["blocked"], pool["owed"]) == (1, 1, 0, 0)
    assert [(key["hint"], key["status"], key["sale_id"]) for key in pool["items"]] == [
        ("X0TT", "free", None),
        ("K7QX", "sold", sale["id"]),
    ]
    page = shop.owner.get(f"{POOL}?limit=1").json()
    assert [key["hint"] for key in page["items"]] == ["X0TT"]
    assert shop.owner.get(f"{POOL}?limit=1&cursor={page['next_cursor']}").json()["items"][0]["hint"] == "K7QX"
    seen = shop.caller("cashier").get(POOL).json()
    assert (seen["free"], seen["items"]) == (1, [])
    assert shop.caller("staff").post(POOL, {"keys": ["AAAA"]}).status == 403
    assert shop.owner.get("/api/v1/products/NONE/license-keys").code == "PRODUCT_NOT_FOUND"


def test_a_repeated_request_with_other_keys_is_another_request(any_shop: Shop) -> None:
    shop = any_shop
    _game(shop)
    header = {"Idempotency-Key": "keys-1"}

    first = shop.owner.post(POOL, {"keys": KEYS}, headers=header)
    again = shop.owner.post(POOL, {"keys": KEYS}, headers=header)
    other = shop.owner.post(POOL, {"keys": ["CCCC-DDDD"]}, headers=header)

    assert (first.json(), again.headers["idempotent-replayed"]) == (again.json(), "true")
    assert other.code == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("keys", [[], [""], [" A"], ["A" * 201], ["A\u0007"], [1], ["A"] * 1001])
def test_keys_that_cannot_be_are_refused(shop: Shop, keys: list[object]) -> None:
    _game(shop)

    refused = shop.owner.post(POOL, {"keys": keys})

    assert refused.code == "INVALID_REQUEST"
    assert refused.json()["field"].startswith("keys")


def test_the_last_key_at_a_till_is_refused_by_name(any_shop: Shop) -> None:
    shop = any_shop
    _game(shop, KEYS[0])
    line = {"product_id": "GAME-1", "quantity": 2}
    sale = shop.owner.post("/api/v1/sales", {"lines": [line]}).json()

    refused = shop.owner.post(f"/api/v1/sales/{sale['id']}/complete", {})

    assert (refused.status, refused.code) == (409, "INSUFFICIENT_STOCK")
    [short] = refused.json()["lines"]
    assert (short["requested"], short["available"]) == (2, 1)
    assert shop.owner.request("PATCH", "/api/v1/products/GAME-1", {"oversell": "backorder"}).status == 200
    done = shop.owner.post(f"/api/v1/sales/{sale['id']}/complete", {}).json()
    assert done["lines"][0]["delivery"]["waiting"] == 1
    assert shop.owner.post(POOL, {"keys": [KEYS[1]]}).json()["delivered"] == 1
    shown = shop.owner.get(f"/api/v1/sales/{sale['id']}").json()
    assert [key["key"] for key in shown["lines"][0]["delivery"]["license_keys"]] == KEYS


def test_how_a_product_is_delivered(any_shop: Shop) -> None:
    shop = any_shop
    link = "https://shop.example/song.flac"
    fields = {"kind": "digital", "price": "1.00", "digital_delivery_method": "download", "download_url": link}
    shop.product("SONG-1", **fields)
    shown = shop.owner.get("/api/v1/products/SONG-1").json()
    assert (shown["digital_delivery_method"], shown["download_url"]) == ("download", link)
    sale = shop.owner.post("/api/v1/sales", {"lines": [{"product_id": "SONG-1", "quantity": 1}]}).json()
    done = shop.owner.post(f"/api/v1/sales/{sale['id']}/complete", {}).json()
    assert done["lines"][0]["delivery"]["download_url"] == done["receipt"]["lines"][0]["download_url"] == link
    bad = shop.owner.request("PATCH", "/api/v1/products/SONG-1", {"download_url": None})
    assert (bad.code, bad.json()["field"]) == ("INVALID_REQUEST", "download_url")
