"""A page of what has many lines ends early, and the next one goes on: nothing is left out, and nothing comes twice."""

from __future__ import annotations

import functools
import operator
from typing import Any

import msgspec
import pytest

from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from holdfast.db.queries import paging
from holdfast.db.queries.books import JournalFilter
from holdfast.db.queries.documents import TransferFilter
from holdfast.db.queries.sales import ReturnFilter, SaleFilter
from tests.core.scene import Scene
from tests.shop import Shop

SALES = 7


@pytest.fixture
def trading(scene_anywhere: Scene) -> Shop:
    """Sales, returns, transfers and journal entries."""
    scene = scene_anywhere
    scene.product("MUG-1", price=990)
    scene.product("TEE-1", price=2000)
    scene.shop.location("SHELF")
    scene.given("MUG-1 MAIN  A 50\nTEE-1 MAIN  B 50")
    for _ in range(SALES):
        sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 2), LineRequest("TEE-1", 2))))
        scene.do(CompleteSale(sale.id))
        scene.do(ReturnSale(sale.id, tuple(ReturnedLine(line.id, 1) for line in sale.lines), "cash"))
        scene.do(Dispatch("MAIN", "SHELF", (TransferLine("MUG-1", 1), TransferLine("TEE-1", 1))))
    return scene.shop


def page(shop: Shop, name: str, filters: Any, limit: int, cursor: str | None = None) -> Any:
    """One page of a list."""
    return getattr(shop.holdfast.reports, name)(shop.org_id, filters, cursor=cursor, limit=limit)


def pages(shop: Shop, name: str, filters: Any, limit: int) -> list[list[str]]:
    """The ids of all pages of a list."""
    found: list[list[str]] = []
    cursor = None
    while True:
        one = page(shop, name, filters, limit, cursor)
        found.append([item["id"] for item in one.items])
        cursor = one.next_cursor
        if cursor is None:
            return found


LISTS: list[tuple[str, Any]] = [
    ("sales", SaleFilter()),
    ("returns", ReturnFilter()),
    ("transfers", TransferFilter()),
    ("journal", JournalFilter()),
    ("journal", JournalFilter(account="4000")),
    ("journal", JournalFilter(account="4000", ref_type="SALE")),
]


@pytest.mark.parametrize(
    ("name", "filters"), LISTS, ids=["sales", "returns", "transfers", "journal", "account", "both"]
)
def test_a_page_ends_where_it_has_enough(
    trading: Shop, name: str, filters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the item that goes beyond the bound, however many were asked for; all pages together are the list."""
    whole = pages(trading, name, filters, 200)
    assert len(whole) == 1 and len(whole[0]) >= SALES
    monkeypatch.setattr(paging, "PIECE", 3)
    assert pages(trading, name, filters, 5) == [whole[0][start : start + 5] for start in range(0, len(whole[0]), 5)]
    sizes = [len(msgspec.json.encode(item)) for item in page(trading, name, filters, 200).items]
    monkeypatch.setattr(paging, "PAGE_BYTES_MAX", sizes[0] + 1)
    some = pages(trading, name, filters, 200)
    assert functools.reduce(operator.iadd, some, []) == whole[0] and len(some[0]) == 2
    monkeypatch.setattr(paging, "PAGE_BYTES_MAX", 1)
    assert pages(trading, name, filters, 200) == [[one] for one in whole[0]]
