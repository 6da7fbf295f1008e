"""Errors have one shape, come in one order, and never tell what went wrong inside."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from holdfast.core.records.permission import FROM, RANK
from holdfast.executor import Overloaded, Unavailable
from holdfast.web.api import ROUTES
from holdfast.web.http import request_body
from holdfast.web.http.problems import EXPLAINED, STATUS
from tests.api.client import Response
from tests.api.conftest import Shop

RESERVE = "/api/v1/inventory-reservations"
NIL = "01890000-0000-7000-8000-000000000000"
TARGETS = {"order_number", "sale_line_id", "reserved_for_type", "reserved_for_id"}


def _is_a_problem(answer: Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status == STATUS[problem["code"]]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= set(problem)
    assert problem["detail"]
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_every_code_is_explained() -> None:
    assert set(STATUS) == set(EXPLAINED)
    assert {str(code) for route in ROUTES for code in route.codes} <= set(STATUS)


def test_every_error_has_the_same_shape(shop: Shop) -> None:
    shop.product("MUG-1", 1)
    hold = {"product_id": "MUG-1", "quantity": 2, "order_number": "1"}
    for answer in (
        shop.anonymous.post(RESERVE, hold),
        shop.caller("cashier").post(RESERVE, hold),
        shop.owner.post(RESERVE, {}),
        shop.owner.post(RESERVE, {**hold, "product_id": "NONE"}),
        shop.owner.post(RESERVE, hold),
        shop.owner.get("/api/v1/nothing"),
        shop.owner.get("/api"),
        shop.owner.get("/webhooks/shopify/1"),
        shop.owner.delete(RESERVE),
        shop.owner.post(RESERVE, content=b"{}", headers={"Content-Type": "text/plain"}),
        shop.owner.post(RESERVE, content=b"x" * 2_000_000),
    ):
        _is_a_problem(answer)


NOBODYS: list[dict[str, Any]] = [
    {},
    {"source": "shopify"},
    {"order_number": None},
    {"sale_line_id": None, "reserved_for_type": None, "reserved_for_id": None, "order_number": None, "source": None},
    {"quantity": 0},
    {"expires_at": "tomorrow"},
    {"product_id": "NONE"},
    {"location": "NONE"},
    {"override": True},
]


@pytest.mark.parametrize("fields", NOBODYS)
def test_a_reservation_is_for_somebody(any_shop: Shop, fields: dict[str, Any]) -> None:
    """The shape is judged first, alone and in a batch; the direct route makes holds for nobody."""
    shop = any_shop
    shop.product("MUG-1", 5)
    hold = {"product_id": "MUG-1", "quantity": 2, **fields}

    alone = shop.owner.post(RESERVE, hold)
    assert (alone.status, alone.code, alone.json()["field"]) == (400, "INVALID_REQUEST", "order_number")
    for name in ("order_number", "sale_line_id", "reserved_for_type", "reserved_for_id", "/store/inventory/reserve"):
        assert name in alone.json()["detail"]

    fine = {"op": "reserve", "product_id": "MUG-1", "quantity": 1, "order_number": "1"}
    for atomic in (True, False):
        batch = {"operations": [fine, {"op": "reserve", **hold}], "atomic": atomic}
        together = shop.owner.post(f"{RESERVE}/batch", batch)
        assert (together.code, together.json()["field"]) == ("INVALID_REQUEST", "operations.1.order_number")
    assert shop.owner.get(RESERVE).json()["items"] == []

    direct = {"product_id": "MUG-1", "location": "MAIN", "quantity": 2}
    assert shop.owner.post("/api/v1/store/inventory/reserve", direct).status == 200


def test_a_refusal_carries_its_numbers(shop: Shop) -> None:
    product_id = shop.product("MUG-1", 1)

    problem = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 2, "order_number": "1"}).json()

    assert (problem["product_id"], problem["requested"], problem["available"]) == (product_id, 2, 1)
    assert problem["available_by_location"] == {"MAIN": 1}
    assert problem["type"] == "/docs#INSUFFICIENT_STOCK"


def test_errors_come_in_order(shop: Shop) -> None:
    shop.product("MUG-1", 1)
    cashier = shop.caller("cashier")
    large: dict[str, Any] = {"content": b"[" + b" " * 2_000_000}
    shape = {"product_id": "NONE", "quantity": "x"}

    # Each request is wrong in every way from its place on; the first one decides.
    assert shop.anonymous.post("/api/v1/nothing", **large).status == 404
    assert shop.anonymous.post(RESERVE, **large).status == 413
    assert shop.anonymous.post(RESERVE, shape).status == 401
    assert cashier.post(RESERVE, shape).status == 403
    assert shop.owner.post(RESERVE, shape).code == "INVALID_REQUEST"
    assert (
        shop.owner.post(RESERVE, {"product_id": "NONE", "quantity": 0, "order_number": "1"}).code == "PRODUCT_NOT_FOUND"
    )
    assert (
        shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 0, "location": "NO", "order_number": "1"}).code
        == "LOCATION_NOT_FOUND"
    )
    assert (
        shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1.5, "order_number": "1"}).code
        == "INVALID_QUANTITY"
    )
    assert (
        shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 2, "order_number": "1"}).code
        == "INSUFFICIENT_STOCK"
    )


def test_no_body_is_read_of_who_may_not_send_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key without the right holds no megabytes of memory; too much is still told first."""
    read = []

    async def seen(*arguments: Any) -> bytes:
        read.append(arguments)
        return await request_body.read_body(*arguments)

    monkeypatch.setattr("holdfast.web.http.dispatcher.read_body", seen)
    cashier = shop.caller("cashier")
    kept_out = [route for route in ROUTES if route.writes and route.permission and RANK[FROM[route.permission]] > 0]
    assert len(kept_out) > 40
    for route in kept_out:
        path = re.sub(r"{\w+}", "x", route.path)
        for how in ({"content": b"[]"}, {"chunks": [b"[", b"]"]}):
            answer = cashier.request(route.method, path, **how)
            assert (answer.status, answer.code) == (403, "FORBIDDEN"), route.path
        if route.body_max < 2_000_000:
            answer = cashier.request(route.method, path, chunks=[b" " * 1_000_000] * 3)
            assert answer.status == 413, route.path
    assert read == []
    shop.owner.post(RESERVE, {})
    assert len(read) == 1


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"expires_at": "tomorrow"}, "INVALID_EXPIRY"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "INVALID_EXPIRY"),
        ({"expires_at": "2031-01-01T00:00:00"}, "INVALID_EXPIRY"),
        ({"reserved_for_type": "party", "reserved_for_id": NIL}, "INVALID_TARGET_TYPE"),
        ({"reserved_for_type": "appointment"}, "INVALID_REQUEST"),
        ({"reserved_for_id": NIL}, "INVALID_REQUEST"),
        ({"reserved_for_type": "appointment", "reserved_for_id": NIL}, "TARGET_NOT_FOUND"),
        ({"reserved_for_type": "appointment", "reserved_for_id": "x"}, "TARGET_NOT_FOUND"),
        ({"reserved_for_type": "transaction", "reserved_for_id": NIL}, "TARGET_NOT_FOUND"),
        ({"sale_line_id": "x"}, "TARGET_NOT_FOUND"),
        ({"sale_line_id": NIL, "order_number": "1"}, "INVALID_REQUEST"),
        ({"reserved_for_type": "appointment", "reserved_for_id": NIL, "order_number": "1"}, "INVALID_REQUEST"),
        ({"lot_id": "x"}, "LOT_NOT_FOUND"),
        ({"lot_id": NIL, "location": "MAIN"}, "LOT_NOT_FOUND"),
    ],
)
def test_what_a_reservation_names_must_make_sense(shop: Shop, extra: dict[str, str], code: str) -> None:
    shop.product("MUG-1", 1)

    target = {} if extra.keys() & TARGETS else {"order_number": "1"}
    answer = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1, **target, **extra})

    assert answer.code == code


def test_what_does_not_exist_comes_before_what_makes_no_sense(shop: Shop) -> None:
    late = {"expires_at": "tomorrow", "order_number": "1"}
    for extra in (late, {"reserved_for_type": "party", "reserved_for_id": NIL}):
        answer = shop.owner.post(RESERVE, {"product_id": "NONE", "quantity": 1, **extra})
        assert answer.code == "PRODUCT_NOT_FOUND"


def test_a_wrong_method_says_which_are_right(shop: Shop) -> None:
    for path, allowed in (
        (RESERVE, "GET, HEAD, POST"),
        (f"{RESERVE}/{NIL}", "GET, HEAD, PATCH"),
        (f"{RESERVE}/{NIL}/release", "POST"),
        ("/healthz", "GET, HEAD"),
    ):
        for method in ("DELETE", "OPTIONS", "TRACE"):
            answer = shop.anonymous.request(method, path)
            assert (answer.status, answer.code, answer.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", allowed)


def test_ids_that_are_none_are_not_found(shop: Shop) -> None:
    for path, code in (
        ("inventory-reservations/x", "RESERVATION_NOT_FOUND"),
        ("inventory/lots/x/trace", "LOT_NOT_FOUND"),
        ("products/none", "PRODUCT_NOT_FOUND"),
        ("products/\x00", "PRODUCT_NOT_FOUND"),
        ("products/" + "x" * 500, "PRODUCT_NOT_FOUND"),
        ("stores/\x00", "STORE_NOT_FOUND"),
        ("locations/\x00", "LOCATION_NOT_FOUND"),
        ("orders/\x00/lots", "NOT_FOUND"),
        ("counts/x", "NOT_FOUND"),
        ("users/x", "NOT_FOUND"),
    ):
        answer = shop.owner.get(f"/api/v1/{path}")
        assert (path, answer.status, answer.code) == (path, 404, code)
        json.loads(answer.content)


def test_a_request_id_is_taken_when_it_is_sane(shop: Shop) -> None:
    given = shop.owner.get("/healthz", headers={"X-Request-Id": "trace-1/a"})
    bad = [
        shop.owner.get("/healthz", headers={"X-Request-Id": text})
        for text in ("", "a b", "x" * 500, "\xe9", "a\r\nb: c")
    ]

    assert given.headers["x-request-id"] == "trace-1/a"
    assert len({answer.headers["x-request-id"] for answer in bad}) == len(bad)


def test_a_bug_is_a_500_with_a_reference_and_nothing_else(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ValueError("secret inside")

    monkeypatch.setattr(shop.holdfast, "ask", broken)
    answer = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1, "order_number": "1"})

    _is_a_problem(answer)
    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    assert b"secret" not in answer.content and b"Traceback" not in answer.content
    logged = "".join(capsys.readouterr())
    assert "secret inside" in logged and answer.json()["request_id"] in logged
    assert shop.made.api_key not in logged


@pytest.mark.parametrize("error", [Overloaded(3), Unavailable("gone", 3)])
def test_overload_is_a_503_that_says_when_to_come_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def busy(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(shop.holdfast, "ask", busy)
    answer = shop.owner.post(RESERVE, {"product_id": "MUG-1", "quantity": 1, "order_number": "1"})

    _is_a_problem(answer)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "3")


def test_a_client_that_went_away_harms_nobody(shop: Shop) -> None:
    from tests.api.client import scope_of

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def broken(_message: Any) -> None:
        raise OSError("connection lost")

    headers = {
        "authorization": f"Bearer {shop.made.api_key}",
        "content-length": "10",
        "content-type": "application/json",
    }
    shop.owner.runner.run(shop.application(scope_of("POST", RESERVE, headers), gone, broken))
    shop.owner.runner.run(shop.application(scope_of("GET", "/healthz", {}), gone, broken))

    assert shop.owner.get("/healthz").status == 200


def test_head_is_get_without_the_body(shop: Shop) -> None:
    answer = shop.owner.request("HEAD", "/api/v1/products")

    assert (answer.status, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
