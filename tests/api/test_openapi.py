"""The document tells the truth: schemathesis attacks the application from it, and every answer fits it."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from holdfast.import_export.jobs import work_once
from holdfast.web.api import ROUTES
from holdfast.web.docs.openapi import openapi_document
from holdfast.web.http.problems import STATUS
from holdfast.web.http.strict_json import decode, decoder_of
from tests.api.conftest import Shop
from tests.gift_cards import ActOnCard, acting_on_cards


def test_every_route_is_in_the_document() -> None:
    document = openapi_document()

    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert str(route.status) in operation["responses"]
        headers = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (route.method != "GET")
        for code in route.codes:
            assert f"`{code}`" in operation["responses"][str(STATUS[code])]["description"]
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_every_example_is_a_body_of_its_route() -> None:
    for route in ROUTES:
        if route.example is not None:
            decode(decoder_of(route.body), msgspec.json.encode(route.example))


def test_every_schema_has_a_name_of_its_own() -> None:
    """Two Structs of one name would be called by their modules, which client generators refuse or drop."""
    schemas = openapi_document()["components"]["schemas"]
    titles = [schema["title"] for schema in schemas.values() if "title" in schema]

    assert [name for name in schemas if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name)] == []
    assert len({name.lower() for name in schemas}) == len(schemas)
    assert len(set(titles)) == len(titles)


def test_the_documentation_needs_no_internet(shop: Shop) -> None:
    page = shop.anonymous.get("/docs")
    text = page.content.decode()

    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []
    assert "<script" not in text and " style=" not in text and " onclick" not in text
    assert all(f">{code}<" in text for code in STATUS)
    assert all(route.path in text for route in ROUTES)
    assert shop.anonymous.get("/static/docs.css").headers["content-type"].startswith("text/css")
    assert shop.anonymous.get("/openapi.json").json()["openapi"] == "3.1.0"


def test_health_and_metrics_need_no_key(shop: Shop) -> None:
    shop.product("MUG-1", 1)

    assert shop.anonymous.get("/healthz").json() == {"status": "ok"}
    assert shop.anonymous.get("/readyz").json()["status"] == "ready"
    text = shop.anonymous.get("/metrics").content.decode()
    assert 'holdfast_http_requests_total{route="post_products",status="201"}' in text
    assert "holdfast_commands_total" in text
    assert shop.made.org_id not in text


def test_readiness_tells_that_the_database_is_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.db.unreachable import DatabaseUnreachable
    from holdfast.web import health

    def away(_database: object) -> str:
        raise DatabaseUnreachable("no route to it")

    monkeypatch.setattr(health, "state", away)
    answer = shop.anonymous.get("/readyz")
    assert (answer.status, answer.json()["checks"]["database"], answer.headers["retry-after"]) == (503, "away", "2")

    monkeypatch.setattr(health, "state", lambda _database: "outdated")
    assert shop.anonymous.get("/readyz").json()["checks"]["migrations"] == "outdated"
    assert shop.anonymous.get("/healthz").status == 200


# Answers fit their schemas --------------------------------------------------------------------------------------------


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def test_answers_fit_the_document(shop: Shop) -> None:
    """One of each read, after something of everything happened."""
    shop.product("MUG-1", 9, reorder_point=30, price="10.00")
    post = shop.owner.post
    post("/api/v1/locations", {"code": "BACK", "reorder_points": {"MUG-1": 2}})
    line = {"product_id": "MUG-1", "quantity": 1}
    hold = post("/api/v1/inventory-reservations", {**line, "order_number": "102"}).json()["id"]
    sold = post("/api/v1/inventory-reservations", {**line, "order_number": "102"}).json()["id"]
    post(f"/api/v1/inventory-reservations/{sold}/fulfill")
    count = post("/api/v1/counts", {"location": "MAIN", "lines": [{"product_id": "MUG-1", "counted": 8}]}).json()["id"]
    transfer = post("/api/v1/transfers", {"from_location": "MAIN", "to_location": "BACK", "lines": [line]}).json()["id"]
    appointment = post("/api/v1/appointments", {"starts_at": "2031-05-31T09:00:00Z"}).json()["id"]
    lot = shop.owner.get("/api/v1/inventory/lots").json()["items"][0]["id"]
    shop.product("SOFA-1", dropship=True, supplier="Acme", price="300.00")
    sale = post("/api/v1/sales", {"lines": [{**line, "product_id": "SOFA-1"}, line]}).json()
    post(f"/api/v1/sales/{sale['id']}/complete", {"payments": [{"method": "cash", "amount": "310.00"}]})
    post("/api/v1/periods/close", {"through": "2026-01-31"})
    shop.product("GAME-1", kind="digital", digital_delivery_method="license_key")
    post("/api/v1/products/GAME-1/license-keys", {"keys": ["7GQX-11PA-K7QX"]})
    back = {"line_id": sale["lines"][1]["id"], "quantity": 1, "condition": "good"}
    returned = post("/api/v1/returns", {"sale_id": sale["id"], "lines": [back], "refund": {"method": "cash"}}).json()
    rate = post("/api/v1/tax-rates", {"tax_class": "standard", "rate": "0.15"}).json()["id"]
    shop.product("CUP-1", 3, price="1.00", tax_class="standard")
    taxed = post("/api/v1/sales", {"lines": [{"product_id": "CUP-1", "quantity": 1}]}).json()["id"]
    post(f"/api/v1/sales/{taxed}/complete", {"payments": [{"method": "cash", "amount": "2.00"}]})
    with acting_on_cards():
        shop.holdfast.do(shop.made.actor, ActOnCard("issue", 5000, code="XMAS-0001"))
    post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-1"})
    till = post("/api/v1/registers/TILL-1/sessions", {"opening_float": "100.00"}).json()["token"]
    file = {"content": b"sku,title\nTRAY-1,Tray\n", "headers": {"content-type": "text/csv"}}
    imported = shop.owner.request("POST", "/api/v1/imports?kind=products", **file).json()["id"]
    work_once(shop.holdfast)
    names = {
        "/api/v1/imports/{id}": imported,
        "/api/v1/imports/{id}/rows": imported,
        "/api/v1/registers/{id}": "TILL-1",
        "/api/v1/registers/{id}/sessions": "TILL-1",
        "/api/v1/registers/{id}/sessions/{number}": "TILL-1",
        "/api/v1/inventory-reservations/{id}": hold,
        "/api/v1/inventory/lots/{id}/trace": lot,
        "/api/v1/orders/{order_number}/lots": "102",
        "/api/v1/counts/{id}": count,
        "/api/v1/transfers/{id}": transfer,
        "/api/v1/appointments/{id}": appointment,
        "/api/v1/sales/{id}": sale["id"],
        "/api/v1/returns/{id}": returned["id"],
        "/api/v1/tax-rates/{id}": rate,
        "/api/v1/gift-cards/{code}": "XMAS-0001",
        "/api/v1/users/{id}": shop.made.user_id,
        "/api/v1/api-keys/{id}": shop.made.key_id,
        "/api/v1/stores/{id}": "MAIN",
        "/api/v1/locations/{id}": "BACK",
        "/api/v1/products/{id}/license-keys": "GAME-1",
        "/api/v1/admin/inventory/stores/{id}": "MAIN",
    }
    document = openapi_document()
    session = shop.application.auth.login("ana@arcoiris.example", "correct horse")
    browser = {"Cookie": f"holdfast_session={session}", "Sec-Fetch-Site": "same-origin"}
    view = {"page": "/admin/inventory", "name": "Low", "query": "low_stock=true"}
    assert shop.anonymous.post("/api/v1/me/views", view, headers=browser).status == 201
    for route in ROUTES:
        if route.method != "GET" or route.download:
            continue
        path = re.sub(r"\{\w+\}", names.get(route.path, "MUG-1"), route.path.replace("{number}", "1"))
        caller = shop.anonymous if route.till else shop.owner
        headers = {"Authorization": f"Register {till}"} if route.till else {}
        if path.startswith("/api/v1/me/"):  # a person's own
            caller, headers = shop.anonymous, {"Cookie": f"holdfast_session={session}"}
        answer = caller.get(path + ("?code=MUG-1" if path.endswith("/scan") else ""), headers=headers)
        assert answer.status == 200, (path, answer)
        content = document["paths"][route.path]["get"]["responses"]["200"]["content"]["application/json"]
        errors = list(_validator(document, content["schema"]).iter_errors(answer.json()))
        assert not errors, (path, [error.message for error in errors])
        items = answer.json().get("items", [1]) if isinstance(answer.json(), dict) else answer.json()
        assert items, f"{path} proves nothing: it is empty"


# schemathesis ---------------------------------------------------------------------------------------------------------

ATTACK = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
"""Bounded: some seventy operations, two modes, six requests each."""


NOT_ASKED = [positive_data_acceptance]
"""What no schema can say is a 400 as well: an amount of a currency, two targets at once, a time zone."""


@pytest.mark.slow
@pytest.mark.xdist_group("schemathesis")
def test_schemathesis_finds_nothing(shop: Shop) -> None:
    shop.product("MUG-1", 100)
    schema = schemathesis.openapi.from_asgi("/openapi.json", shop.application)
    headers = {"Authorization": f"Bearer {shop.made.api_key}"}
    attacked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @ATTACK
            @given(case=operation.as_strategy(generation_mode=mode))
            def attack(case: schemathesis.Case) -> None:
                case.call_and_validate(headers=headers, excluded_checks=NOT_ASKED)

            try:
                attack()
            except Unsatisfiable:
                continue
            attacked += 1

    assert attacked > 100
