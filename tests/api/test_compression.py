"""Compression: who takes gzip gets it, where it is worth it, and never where an answer holds a secret."""

from __future__ import annotations

import gzip
import json

import pytest

from holdfast.web.api import ROUTES
from holdfast.web.http.compression import takes_gzip
from holdfast.web.http.route import Endpoint
from tests.api.client import Response
from tests.api.conftest import Shop
from tests.api.test_registers import register

TAKES = {"Accept-Encoding": "gzip, br"}


def packed(answer: Response) -> bool:
    """Did it come compressed?"""
    return answer.headers.get("content-encoding") == "gzip"


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("br, GZIP ;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_what_a_client_takes(header: str, takes: bool) -> None:
    assert takes_gzip({b"accept-encoding": header.encode()}) is takes


def test_a_long_list_is_compressed_and_says_by_what(shop: Shop) -> None:
    for number in range(8):
        shop.product(f"MUG-{number}")
    plain = shop.owner.get("/api/v1/products")

    answer = shop.owner.get("/api/v1/products", headers=TAKES)

    assert packed(answer) and not packed(plain)
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert json.loads(gzip.decompress(answer.content)) == plain.json()
    assert int(answer.headers["content-length"]) == len(answer.content) < len(plain.content) / 3
    short = shop.owner.get("/api/v1/settings", headers=TAKES)
    assert not packed(short) and "vary" not in short.headers
    head = shop.owner.request("HEAD", "/api/v1/products", headers=TAKES)
    assert (head.content, head.headers["content-length"]) == (b"", answer.headers["content-length"])


def test_writes_and_refusals_are_compressed_too(shop: Shop) -> None:
    shop.product("MUG-1", price="9.90")
    lines = [{"product_id": "MUG-1", "quantity": 1} for _ in range(10)]

    refused = shop.owner.post("/api/v1/sales", {"lines": lines}, headers=TAKES)

    assert refused.status == 409 and packed(refused)
    assert json.loads(gzip.decompress(refused.content))["code"] == "INSUFFICIENT_STOCK"
    again = shop.owner.post("/api/v1/sales", {"lines": lines}, headers={**TAKES, "Idempotency-Key": "a"})
    assert again.status == 409


def test_what_tells_or_takes_a_secret_never_is(shop: Shop) -> None:
    name = "x" * 200
    stores = [shop.owner.post("/api/v1/stores", {"code": f"S-{one}", "name": name}).json()["id"] for one in range(30)]
    made = shop.owner.post("/api/v1/api-keys", {"role": "staff", "name": name, "stores": stores}, headers=TAKES)
    user = {"email": f"{'b' * 60}@arco.example", "password": "correct horse", "role": "staff", "stores": stores}
    taken = shop.owner.post("/api/v1/users", user, headers=TAKES)
    session = shop.owner.post(f"/api/v1/registers/{register(shop)}/sessions", {"opening_float": "1.00"}, headers=TAKES)

    assert (made.status, taken.status, session.status) == (201, 201, 201)
    assert len(made.content) > 1024 and len(taken.content) > 1024
    for answer in (made, taken, session):
        assert not packed(answer) and "vary" not in answer.headers
    assert made.json()["api_key"].startswith("hf_")


def test_every_route_that_is_about_a_secret_is_known() -> None:
    """Which they are, by their addresses: a new one has to be looked at."""
    found = {f"{route.method} {route.path}" for route in ROUTES if Endpoint(route).secret}

    assert found == {
        "POST /api/v1/users",
        "PATCH /api/v1/users/{id}",
        "POST /api/v1/api-keys",
        "POST /api/v1/api-keys/{id}/roll",
        "POST /api/v1/me/password",
        "POST /api/v1/me/pin",
        "POST /api/v1/registers/{id}/sessions",
        "POST /api/v1/products/{id}/license-keys",
    }


def test_a_stream_is_never_compressed(shop: Shop) -> None:
    """It ends at once here: nobody listens. Its head says what it is."""
    shop.product("MUG-1", 5)

    stream = shop.owner.get("/api/v1/events", headers={**TAKES, "Accept": "text/event-stream"})

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert not packed(stream) and b": connected" in stream.content


def test_an_answer_with_license_keys_is_not_compressed(shop: Shop) -> None:
    shop.product("GAME-1", kind="digital", price="10.00", digital_delivery_method="license_key")
    shop.owner.post("/api/v1/products/GAME-1/license-keys", {"keys": ["7GQX-11PA-K7QX", "9BMD-42LC-X0TT"]})
    lines = [{"product_id": "GAME-1", "quantity": 1}, {"product_id": "GAME-1", "quantity": 1, "unit_price": "9.00"}]
    sale = shop.owner.post("/api/v1/sales", {"lines": lines}, headers=TAKES)
    path = f"/api/v1/sales/{json.loads(gzip.decompress(sale.content))['id']}"
    sold = shop.owner.post(f"{path}/complete", {}, headers=TAKES)

    assert packed(sale) and not packed(sold)
    assert sold.json()["lines"][0]["delivery"]["license_keys"][0]["key"] == "7GQX-11PA-K7QX"
    assert not packed(shop.owner.get("/api/v1/sales", headers=TAKES))
