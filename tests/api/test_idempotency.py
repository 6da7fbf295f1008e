"""The same key and request again gets the same answer and changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Shop

RESERVE = "/api/v1/inventory-reservations"
HOLD = {"product_id": "MUG-1", "quantity": 2, "order_number": "102"}


def _key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def test_a_replay_is_the_same_answer(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)

    first = shop.owner.post(RESERVE, HOLD, headers=_key("order-102"))
    again = shop.owner.post(
        RESERVE, content=b'{"quantity": 2.0, "order_number": "102", "product_id": "MUG-1"}', headers=_key("order-102")
    )

    assert (first.status, again.status) == (201, 201)
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers and again.headers["idempotent-replayed"] == "true"
    assert shop.owner.get("/api/v1/store/inventory").json()["items"][0]["reserved_quantity"] == 2


def test_a_key_is_for_one_request(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    shop.owner.post(RESERVE, HOLD, headers=_key("k"))

    other_body = shop.owner.post(RESERVE, {**HOLD, "quantity": 1}, headers=_key("k"))
    other_path = shop.owner.post("/api/v1/store/inventory/reserve", {**HOLD, "location": "MAIN"}, headers=_key("k"))

    for answer in (other_body, other_path):
        assert (answer.status, answer.code) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_refusal_is_decided_anew(shop: Shop) -> None:
    shop.product("MUG-1", 1)
    refused = shop.owner.post(RESERVE, HOLD, headers=_key("k"))
    adjusted = {"product_id": "MUG-1", "quantity": 2, "location": "MAIN"}
    assert shop.owner.post("/api/v1/store/inventory/adjust", adjusted).status == 200

    accepted = shop.owner.post(RESERVE, HOLD, headers=_key("k"))

    assert (refused.status, accepted.status) == (409, 201)
    assert "idempotent-replayed" not in accepted.headers


def test_a_key_must_be_printable_ascii(shop: Shop) -> None:
    shop.product("MUG-1", 5)
    for text, status in (
        ("", 400),
        ("x" * 256, 400),
        ("caf\xe9", 400),
        ("a\tb", 400),
        ("x" * 255, 201),
        ("a b~!", 201),
    ):
        answer = shop.owner.post(RESERVE, HOLD, headers=_key(text))
        assert (text, answer.status) == (text, status)


def test_authentication_comes_before_a_replay(shop: Shop) -> None:
    shop.product("MUG-1", 5)
    shop.owner.post(RESERVE, HOLD, headers=_key("k"))

    assert shop.anonymous.post(RESERVE, HOLD, headers=_key("k")).status == 401
    assert shop.caller("cashier").post(RESERVE, HOLD, headers=_key("k")).status == 403


def test_every_write_may_be_sent_twice(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 9)
    shop.product("TEE-1", 4)
    shop.owner.post("/api/v1/locations", {"code": "BACK"})
    shop.owner.post("/api/v1/locations", {"code": "SIDE"})
    hold = shop.owner.post(RESERVE, HOLD).json()["id"]
    sheet = {
        "location": "MAIN",
        "draft": True,
        "lines": [{"product_id": "TEE-1"}, {"product_id": "MUG-1", "counted": 9}],
    }
    opened = shop.owner.post("/api/v1/counts", sheet).json()
    count, counted = opened["id"], opened["lines"][0]["id"]
    empty = shop.owner.post("/api/v1/store/inventory/set", {"product_id": "MUG-1", "location": "BACK", "quantity": 0})
    line = {"product_id": "MUG-1", "quantity": 1}
    part = {"product_id": "TEE-1", "quantity": 1}
    goods = {"from_location": "MAIN", "to_location": "SIDE", "lines": [{**part, "quantity": 2}]}
    sent = shop.owner.post("/api/v1/transfers", goods).json()["id"]
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", f"{RESERVE}/{hold}", {"quantity": 3}),
        ("POST", f"{RESERVE}/{hold}/release", {"quantity": 1}),
        ("POST", f"{RESERVE}/{hold}/fulfill", None),
        ("POST", f"{RESERVE}/batch", {"operations": [{"op": "reserve", "order_number": "1", **line}]}),
        ("POST", f"{RESERVE}/batch", {"operations": [{"op": "release", "reservation_id": "x"}], "atomic": False}),
        ("PATCH", f"/api/v1/counts/{count}", {"lines": [{"product_id": "TEE-1", "counted": 2}]}),
        ("DELETE", f"/api/v1/counts/{count}/lines/{counted}", None),
        ("POST", "/api/v1/counts/" + count + "/post", None),
        ("POST", f"/api/v1/transfers/{sent}/receive", {"lines": [part]}),
        ("POST", f"/api/v1/transfers/{sent}/return", None),
        ("POST", "/api/v1/receipts", {"location": "MAIN", "lines": [line]}),
        ("POST", "/api/v1/transfers", {"from_location": "MAIN", "to_location": "BACK", "lines": [line]}),
        ("POST", "/shopify/reserve", {"order_id": 7, "lines": [{"sku": "MUG-1", "quantity": 1}]}),
        ("PUT", f"/api/v1/store/inventory/{empty.json()['id']}", {"quantity": 0}),
        ("DELETE", f"/api/v1/store/inventory/{empty.json()['id']}", None),
        ("PATCH", "/api/v1/products/MUG-1", {"sku": "MUG-2"}),
        ("PATCH", "/api/v1/locations/BACK", {"code": "REAR"}),
        ("PATCH", "/api/v1/settings", {"name": "Arco"}),
        ("POST", "/api/v1/appointments", {"starts_at": "2031-05-31T09:00:00Z"}),
        ("POST", "/api/v1/stores", {"code": "WEST"}),
        ("DELETE", "/api/v1/stores/WEST", None),
    ]
    for number, (method, path, body) in enumerate(writes):
        first = shop.owner.request(method, path, body, headers=_key(f"key {number}"))
        again = shop.owner.request(method, path, body, headers=_key(f"key {number}"))
        assert first.status in (200, 201, 204), (path, first)
        assert (again.status, again.content) == (first.status, first.content), (method, path, first, again)
        assert again.headers.get("idempotent-replayed") == "true" or first.json().get("results"), (method, path)


def test_a_new_keys_secret_is_told_once(shop: Shop) -> None:
    body = {"role": "staff", "name": "till"}

    first = shop.owner.post("/api/v1/api-keys", body, headers=_key("k")).json()
    again = shop.owner.post("/api/v1/api-keys", body, headers=_key("k")).json()

    assert first["api_key"].startswith("hf_")
    assert again == {**first, "api_key": None}
    assert shop.owner.using(first["api_key"]).get("/api/v1/products").status == 200


def test_many_at_once_are_one(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 50)

    async def all_at_once() -> list[Any]:
        sends = (shop.owner.send("POST", RESERVE, HOLD, headers=_key("k")) for _ in range(20))
        return await asyncio.gather(*sends)

    answers = shop.owner.runner.run(all_at_once())

    assert {answer.status for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


@pytest.mark.parametrize("role", ["cashier", "staff", "manager"])
def test_what_is_not_there_is_a_404_with_a_key_as_without(any_shop: Shop, role: str) -> None:
    """To look for the answer that the key was given before needs no right of its own."""
    caller = any_shop.caller(role)
    for headers in ({}, {"Idempotency-Key": "k-1"}):
        for name in ("no-uuid", "01890000-0000-7000-8000-000000000000"):
            answer = caller.post(f"/api/v1/sales/{name}/complete", {}, headers=headers)
            assert (answer.status, answer.code) == (404, "SALE_NOT_FOUND"), (headers, answer)
