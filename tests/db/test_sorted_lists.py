"""Lists in other orders, pages of them, and searches by words; on both databases alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.db.queries.levels import LevelFilter
from holdfast.db.queries.paging import BadCursor
from holdfast.db.queries.products import ProductFilter
from tests.shop import Shop, open_shop

HOUR = 3600 * 1_000_000

GOODS = (("MUG-B", "Stoneware mug, cobalt", 3), ("mug-a", "stoneware mug", 9), ("TEE-1", "Élan tee", 3), ("Z-1", "", 0))
"""SKU, title (none: the SKU) and units at MAIN."""


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop with a few things to sort."""
    with open_shop(database_url) as shop:
        for sku, title, units in GOODS:
            shop.product(sku, title=title or sku)
            if units:
                shop.receive(sku, units, "MAIN")
        shop.receive("MUG-B", 5, "EAST")
        yield shop


def everything(read: Any, filters: Any, name: str = "sku") -> list[Any]:
    """All of a list, two a page."""
    found, cursor = list[Any](), None
    while True:
        page = read(filters, cursor)
        assert len(page.items) <= 2
        found += [item[name] for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("sort", "skus"),
    [
        ("title", ["mug-a", "MUG-B", "Z-1", "TEE-1"]),
        ("-title", ["TEE-1", "Z-1", "MUG-B", "mug-a"]),
        ("sku", ["mug-a", "MUG-B", "TEE-1", "Z-1"]),
        ("-sku", ["Z-1", "TEE-1", "MUG-B", "mug-a"]),
        ("changed", ["MUG-B", "mug-a", "TEE-1", "Z-1"]),
    ],
)
def test_products_in_every_order_page_by_page(shop: Shop, sort: Any, skus: list[str]) -> None:
    read = shop.holdfast.reports.products
    found = everything(lambda filters, at: read(shop.org_id, filters, cursor=at, limit=2), ProductFilter(sort=sort))

    assert found == skus


@pytest.mark.parametrize(
    ("sort", "entries"),
    [
        ("available", [("MUG-B", 3), ("TEE-1", 3), ("MUG-B", 5), ("mug-a", 9)]),
        ("-available", [("mug-a", 9), ("MUG-B", 5), ("TEE-1", 3), ("MUG-B", 3)]),
        ("-sku", [("TEE-1", 3), ("MUG-B", 5), ("MUG-B", 3), ("mug-a", 9)]),
    ],
)
def test_entries_in_every_order_page_by_page(shop: Shop, sort: Any, entries: list[Any]) -> None:
    def read(filters: Any, at: str | None) -> Any:
        return shop.holdfast.reports.levels(shop.org_id, filters, cursor=at, limit=2)

    skus = everything(read, LevelFilter(sort=sort))
    units = everything(read, LevelFilter(sort=sort), "available_quantity")

    assert list(zip(skus, units, strict=True)) == entries
    low = everything(read, LevelFilter(sort=sort, low_stock=4))
    assert low == [sku for sku, there in entries if there <= 4]


def test_a_cursor_is_one_of_its_order(shop: Shop) -> None:
    read = shop.holdfast.reports.levels
    cursor = read(shop.org_id, LevelFilter(sort="title"), limit=1).next_cursor

    for sort in ("sku", "-title", "available", None):
        with pytest.raises(BadCursor):
            read(shop.org_id, LevelFilter(sort=sort), cursor=cursor)  # type: ignore[arg-type] # orders that there are


def test_entries_where_goods_are_sold_from(shop: Shop) -> None:
    lot = shop.holdfast.reports.lots(shop.org_id, product="TEE-1").items[0]["id"]
    shop.ok(Quarantine(lot, "recall"))
    read = shop.holdfast.reports.levels

    sold = {(one["sku"], one["sellable"]) for one in read(shop.org_id, LevelFilter(sellable=True)).items}
    kept = {(one["sku"], one["sellable"]) for one in read(shop.org_id, LevelFilter(sellable=False)).items}

    assert ("TEE-1", False) in kept and not any(flag for _, flag in kept)
    assert sold and all(flag for _, flag in sold)
    there = read(shop.org_id, LevelFilter(sellable=False, location="MAIN")).items
    assert there == []


@pytest.mark.parametrize(
    ("search", "skus"),
    [
        ("cobalt mug", ["MUG-B"]),
        ("mug stoneware", ["MUG-B", "mug-a"]),
        ("  MUG   b ", ["MUG-B"]),
        ("élan", ["TEE-1"]),
        ("mug tee", []),
        ("100%", []),
        (" ".join(f"w{number}" for number in range(60)), []),
    ],
)
def test_a_search_is_by_words_in_any_order(shop: Shop, search: str, skus: list[str]) -> None:
    reports = shop.holdfast.reports

    assert sorted(one["sku"] for one in reports.products(shop.org_id, search=search).items) == sorted(skus)
    entries = {one["sku"] for one in reports.levels(shop.org_id, search=search).items}
    assert entries == set(skus)


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"search": "mug"},
    {"location": "EAST"},
    {"store": "MAIN"},
    {"low_stock": True},
    {"low_stock": 3},
    {"state": "on_hand"},
    {"state": "reserved"},
    {"state": "available"},
    {"state": "backordered"},
    {"state": "out"},
    {"state": "available", "low_stock": True, "search": "mug", "sellable": True},
    {"sellable": False},
    {"location": "NOWHERE"},
    {"products": ()},
)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_figures_are_of_what_the_filter_shows(shop: Shop, filters: dict[str, Any]) -> None:
    """What is counted are the rows of the list, each as it is shown there."""
    ok, reports = shop.ok, shop.holdfast.reports
    shop.settings(default_reorder_point=4)
    shop.product("TEA", title="Loose tea", precision=3)
    shop.receive("TEA", Decimal("2.125"), "MAIN")
    now = time.time_ns() // 1000
    ok(Reserve("MUG-B", 2, "EAST", Target(order_number="1")))
    ok(Reserve("TEA", Decimal("0.5"), "MAIN", Target(order_number="2"), expires_at=now + HOUR))
    ok(Reserve("TEE-1", 3, "MAIN", Target(order_number="3")))
    ok(SetStock("TEE-1", "MAIN", 1))
    ok(SetStock("MUG-B", "MAIN", 0))
    later = now + 2 * HOUR

    rows = reports.levels(shop.org_id, LevelFilter(**filters), limit=200, now=later).items
    figures = reports.level_figures(shop.org_id, LevelFilter(**filters), now=later)

    def total(name: str) -> Any:
        return pytest.approx(sum(row[name] for row in rows))

    assert figures == {
        "entries": len(rows),
        "on_hand": total("quantity"),
        "reserved": total("reserved_quantity"),
        "available": total("available_quantity"),
        "backordered": total("backordered_quantity"),
        "low": sum(row["is_low_stock"] for row in rows),
        "out": sum(row["quantity"] == 0 for row in rows),
    }


def test_a_state_shows_the_entries_that_have_it(shop: Shop) -> None:
    read = shop.holdfast.reports.levels
    shop.ok(Reserve("TEE-1", 3, "MAIN", Target(order_number="3")))
    shop.ok(SetStock("TEE-1", "MAIN", 1))
    shop.ok(SetStock("mug-a", "MAIN", 0))

    def skus(**fields: Any) -> set[str]:
        found = everything(lambda filters, at: read(shop.org_id, filters, cursor=at, limit=2), LevelFilter(**fields))
        return set(found)

    assert skus(state="out") == {"mug-a"}
    assert skus(state="reserved") == skus(state="backordered", sort="title") == {"TEE-1"}
    assert skus(state="available", sort="-available") == {"MUG-B"}
    mug = shop.holdfast.reports.product(shop.org_id, "MUG-B")
    assert mug is not None
    assert skus(products=(mug["id"],)) == {"MUG-B"}
