"""Whatever is answered with an error is one line of the log, with the request id of the answer and nothing secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from holdfast.executor import Unavailable
from holdfast.settings import Config
from holdfast.web import health
from holdfast.web.server import create_application
from tests.api.client import Client
from tests.api.conftest import Shop

HOLDS = "/api/v1/inventory-reservations"
SECRET = "Tr0ub4dor-and-3"
NOBODYS = "00000000-0000-0000-0000-000000000000"
Lines = Callable[[], list[dict[str, Any]]]


def listen(written: list[dict[str, Any]], level: int) -> None:
    """Write the log into a list, as a server would write it to standard error."""

    def keep(_logger: Any, _method: str, line: Any) -> Any:
        written.append(json.loads(json.dumps(line)))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.add_log_level, keep],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines of the log since it was asked last."""
    before = structlog.get_config()
    written: list[dict[str, Any]] = []
    listen(written, logging.DEBUG)

    def read() -> list[dict[str, Any]]:
        told = list(written)
        written.clear()
        return told

    yield read
    structlog.configure(**before)


REFUSED: list[tuple[str, str, Any, dict[str, str], int, str, str]] = [
    ("POST", HOLDS, {"product_id": "MUG-1", "quantity": 9, "order_number": "1"}, {}, 409, "INSUFFICIENT_STOCK", HOLDS),
    ("POST", HOLDS, {"product_id": "NONE", "quantity": 1, "order_number": "1"}, {}, 404, "PRODUCT_NOT_FOUND", HOLDS),
    ("POST", HOLDS, {"quantity": 1, "password": SECRET}, {}, 400, "INVALID_REQUEST", HOLDS),
    ("GET", f"{HOLDS}/{NOBODYS}", None, {}, 404, "RESERVATION_NOT_FOUND", f"{HOLDS}/{{id}}"),
    ("DELETE", f"{HOLDS}/{NOBODYS}", None, {}, 405, "METHOD_NOT_ALLOWED", f"{HOLDS}/{{id}}"),
    ("PUT", HOLDS, None, {}, 405, "METHOD_NOT_ALLOWED", HOLDS),
    ("POST", HOLDS, None, {"content-length": "9" * 9}, 413, "PAYLOAD_TOO_LARGE", HOLDS),
    ("POST", HOLDS, {"a": 1}, {"content-type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE", HOLDS),
    ("GET", HOLDS, None, {"authorization": f"Bearer hf_{SECRET}"}, 401, "UNAUTHORIZED", HOLDS),
    ("GET", f"{HOLDS}?cursor={SECRET}", None, {}, 400, "INVALID_REQUEST", HOLDS),
    ("GET", f"/api/v1/nothing/{SECRET}", None, {}, 404, "NOT_FOUND", "none"),
    ("GET", f"/nothing/{SECRET}", None, {}, 404, "NOT_FOUND", "none"),
    ("GET", f"/nothing/{SECRET}", None, {"accept": "text/html"}, 404, "NOT_FOUND", "none"),
    ("GET", f"/static/{SECRET}.js", None, {}, 404, "NOT_FOUND", "/static"),
    ("PATCH", "/sign-in", None, {"accept": "text/html"}, 405, "METHOD_NOT_ALLOWED", "/sign-in"),
    ("GET", "/admin/inventory/rows", None, {"authorization": ""}, 401, "UNAUTHORIZED", "/admin/inventory/rows"),
    ("DELETE", "/healthz", None, {}, 405, "METHOD_NOT_ALLOWED", "/healthz"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "code", "route"), REFUSED)
def test_a_refusal_is_one_line(  # noqa: PLR0913, RUF100 - the columns of the table
    shop: Shop,
    lines: Lines,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    code: str,
    route: str,
) -> None:
    shop.product("MUG-1", 2)
    lines()

    answer = shop.owner.request(method, path, body, headers=headers)

    assert answer.status == status, answer
    (line,) = lines()
    assert line == {
        "event": "request refused",
        "level": "info",
        "request_id": answer.headers["x-request-id"],
        "code": code,
        "status": status,
        "method": method,
        "route": route,
    }


def test_a_wrong_password_is_a_refusal(shop: Shop, lines: Lines) -> None:
    form = f"email=ana%40arcoiris.example&password={SECRET}".encode()
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "http://shop.example"}

    answer = shop.anonymous.request("POST", "/sign-in", content=form, headers=headers)

    (line,) = lines()
    assert (answer.status, line["code"], line["status"], line["route"]) == (401, "UNAUTHORIZED", 401, "/sign-in")
    assert line["request_id"] == answer.headers["x-request-id"] and SECRET not in json.dumps(line)


def test_what_is_done_leaves_no_line(shop: Shop, lines: Lines) -> None:
    shop.product("MUG-1", 2)
    shop.owner.get("/api/v1/products/MUG-1")
    shop.anonymous.get("/", headers={"accept": "text/html"})

    assert lines() == []


def test_the_level_of_refusals_is_chosen(shop: Shop, lines: Lines) -> None:
    path = f"/api/v1/products/{NOBODYS}"
    for level in ("debug", "info", "warning", "error"):
        application = create_application(shop.holdfast, Config(refusal_log_level=level))
        assert Client(application, shop.owner.runner, shop.owner.key).get(path).status == 404
        application.close()

        assert [line["level"] for line in lines()] == [level]

    warnings: list[dict[str, Any]] = []
    listen(warnings, logging.WARNING)
    assert shop.owner.get(path).status == 404 and warnings == []


def test_failures_are_told_at_their_own_level(shop: Shop, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours and a database that is away are no refusals: they cannot be chosen away with them."""
    application = create_application(shop.holdfast, Config(refusal_log_level="debug"))
    owner = Client(application, shop.owner.runner, shop.owner.key)

    def faulty(*_: object, **__: object) -> None:
        raise KeyError(f"hf_{NOBODYS}")

    monkeypatch.setattr(shop.holdfast.reports, "settings", faulty)
    failed = owner.get("/api/v1/settings")
    (line,) = lines()
    assert (line["event"], line["level"], line["code"], line["status"]) == ("request failed", "error", failed.code, 500)
    assert (line["method"], line["route"]) == ("GET", "/api/v1/settings")
    assert line["request_id"] == failed.headers["x-request-id"] == failed.json()["request_id"]
    assert "KeyError" in line["exception"]

    monkeypatch.setattr(health, "state", lambda _database: "outdated")
    not_ready = owner.get("/readyz")
    (line,) = lines()
    assert (line["event"], line["level"], line["code"]) == ("request unavailable", "warning", "UNAVAILABLE")
    assert (line["route"], line["request_id"]) == ("/readyz", not_ready.headers["x-request-id"])

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the connection is closed")

    monkeypatch.setattr(shop.holdfast.reports, "settings", away)
    owner.get("/api/v1/settings")
    (line,) = lines()
    assert (line["event"], line["level"], line["reason"]) == (
        "request unavailable",
        "warning",
        "the connection is closed",
    )
    application.close()


def test_a_page_that_fails_is_one_line(shop: Shop, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(*_: object, **__: object) -> None:
        raise KeyError("figures")

    monkeypatch.setattr(shop.application.auth, "actor_of", faulty)
    monkeypatch.setattr(shop.application.auth, "identify", faulty)
    failed = shop.anonymous.get("/", headers={"accept": "text/html", "cookie": f"holdfast_session={SECRET}"})

    (line,) = lines()
    assert (failed.status, line["event"], line["level"], line["route"]) == (500, "request failed", "error", "/")
    assert line["request_id"] == failed.headers["x-request-id"] and "KeyError" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_the_settings_name_a_level() -> None:
    assert logging.getLevelName(Config().refusal_log_level.upper()) == logging.INFO
