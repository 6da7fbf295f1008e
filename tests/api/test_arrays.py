"""Arrays: they come in parts where somebody asks for parts, and never end without a word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from holdfast.web.http import arrays
from tests.api.conftest import Shop

PRODUCTS = 7


@pytest.fixture
def shelves(any_shop: Shop) -> Shop:
    """Products at MAIN with 1, 1, 2, 2, 3, 3, 4 units, one order over all of them, two more locations and a store."""
    for number in range(PRODUCTS):
        any_shop.product(f"SKU-{number}", 1 + number // 2)
    owner = any_shop.owner
    assert owner.post("/api/v1/stores", {"code": "EAST", "name": "East"}).status == 201
    for code, store in (("BACK", "MAIN"), ("EASTW", "EAST")):
        body = {"store_id": store, "code": code, "kind": "warehouse"}
        assert owner.post("/api/v1/locations", body).status == 201
        line = {"product_id": "SKU-0", "quantity": 90}
        assert owner.post("/api/v1/receipts", {"location": code, "lines": [line]}).status == 201
    for source in ("manual", "shopify"):
        for number in range(PRODUCTS if source == "manual" else 1):
            hold = {"product_id": f"SKU-{number}", "quantity": 1, "order_number": "1001", "source": source}
            assert owner.post("/api/v1/inventory-reservations", hold).status == 201
    return any_shop


def _next(reply: Any) -> str | None:
    link = reply.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<(/[!-~]+)>; rel="next"', link)
    assert found, link
    return found[1]


def _walk(shop: Shop, address: str, limit: int) -> list[Any]:
    rows: list[Any] = []
    following: str | None = address
    while following is not None:
        reply = shop.owner.get(following)
        assert reply.status == 200 and len(reply.json()) <= limit, reply.json()
        rows += reply.json()
        following = _next(reply)
    return rows


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/admin/inventory/low-stock", "threshold=3"),
        ("/api/v1/admin/inventory/stores", ""),
        ("/api/v1/admin/inventory/locations", ""),
        ("/api/v1/orders/1001/lots", ""),
        ("/api/v1/orders/1001/lots", "source=manual"),
    ],
)
def test_an_array_in_parts_is_the_whole_array(shelves: Shop, path: str, query: str) -> None:
    whole = shelves.owner.get(f"{path}?{query}")

    assert whole.status == 200 and _next(whole) is None and len(whole.json()) > 1
    for limit in (1, 2, len(whole.json())):
        assert _walk(shelves, f"{path}?{query}&limit={limit}".replace("?&", "?"), limit) == whole.json()
    assert shelves.owner.get(f"{path}?cursor=x").json()["code"] == "INVALID_REQUEST"
    assert shelves.owner.get(f"{path}?limit=201").json()["field"] == "limit"


def test_the_low_stock_list_is_not_cut_in_silence(shelves: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "ARRAY_MAX", 2)
    rows = _walk(shelves, "/api/v1/admin/inventory/low-stock?threshold=3", 2)

    assert [row["quantity"] for row in rows] == [1, 1, 2, 2, 3, 3]
    reports = shelves.holdfast.reports
    monkeypatch.setattr("holdfast.db.queries.levels.LOW_MAX", 2)
    assert [row["id"] for row in reports.low_stock(shelves.made.org_id, threshold=3)] == [row["id"] for row in rows]


def test_an_order_of_one_source_has_its_own_lots(shelves: Shop) -> None:
    def lots(query: str) -> list[tuple[str, str]]:
        reply = shelves.owner.get(f"/api/v1/orders/1001/lots{query}")
        assert reply.status == 200, reply.json()
        return [(row["sku"], row["source"]) for row in reply.json()]

    manual = [(f"SKU-{number}", "manual") for number in range(PRODUCTS)]
    assert sorted(lots("?source=manual")) == manual
    assert lots("?source=shopify") == [("SKU-0", "shopify")]
    assert sorted(lots("")) == sorted([*manual, ("SKU-0", "shopify")])
    assert shelves.owner.get("/api/v1/orders/1001/lots?source=etsy").code == "NOT_FOUND"
