"""Sales are found by a number, by words of the customer, and by the time at which they were made, on every database."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.core.records.time import instant_of
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.db.queries import sales as sale_queries
from holdfast.db.queries.sales import SaleFilter
from tests.core.scene import Scene

SALES = 9


@pytest.fixture
def sold(scene_anywhere: Scene) -> tuple[Scene, list[Any]]:
    """Nine sales: every third is Zoë's, of the shop's own numbers and of a channel's in turn."""
    scene = scene_anywhere
    scene.product("MUG-1", price=990)
    scene.given("MUG-1 MAIN  A 50")
    made = []
    for n in range(SALES):
        customer = "Zoë Maria Lopes" if n % 3 == 0 else f"Customer {n} of 100%"
        lines = (LineRequest("MUG-1", 1),)
        order: dict[str, Any] = {} if n % 2 == 0 else {"source": "shopify", "order_number": f"#{n}"}
        made.append(scene.do(OpenSale(scene.shop.stores["MAIN"], customer, lines=lines, **order)))
    return scene, made


def found(scene: Scene, limit: int = 50, **filters: Any) -> list[str]:
    """The ids of all pages of the list, the newest first."""
    ids: list[str] = []
    cursor = None
    while True:
        page = scene.shop.holdfast.reports.sales(scene.shop.org_id, cursor=cursor, limit=limit, **filters)
        ids += [one["id"] for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return ids


def test_a_search_finds_numbers_first_and_then_customers(sold: tuple[Scene, list[Any]]) -> None:
    scene, made = sold
    ids = [one.id for one in made]

    assert found(scene, search=made[4].number) == [ids[4]]
    assert found(scene, search="#5") == [ids[5]]
    assert found(scene, search="lopes zoë") == [ids[6], ids[3], ids[0]]
    assert found(scene, search="lopes zoë", source="shopify") == [ids[3]]
    assert found(scene, search="100%", limit=2) == [one for n, one in reversed(list(enumerate(ids))) if n % 3]
    assert found(scene, search="nobody") == found(scene, search="10_%") == []
    assert found(scene, search="#5", store="EAST") == []


def test_a_name_that_is_rare_is_found_however_few_sales_are_looked_at(
    sold: tuple[Scene, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, made = sold
    scene.do(CompleteSale(made[0].id, (PaymentRequest("card", "9.90"),)))
    monkeypatch.setattr(sale_queries, "SCAN_MAX", 2)
    reports, org_id = scene.shop.holdfast.reports, scene.shop.org_id
    first = reports.sales(org_id, search="zoë", status="completed", limit=5)

    assert first.items == [] and first.next_cursor is not None
    assert found(scene, search="zoë", status="completed") == [made[0].id]
    assert found(scene, search=made[0].number) == [made[0].id], "a number is looked up by index"


def test_the_time_at_which_a_sale_was_made_bounds_the_list(sold: tuple[Scene, list[Any]]) -> None:
    scene, made = sold
    ids = [one.id for one in made]
    fourth, last = instant_of(made[3].created_at), instant_of(made[-1].created_at)
    assert fourth is not None and last is not None
    after = [one.id for one in reversed(made) if one.created_at >= made[3].created_at]

    assert found(scene, created_from=fourth, limit=2) == after
    assert found(scene, created_to=fourth, limit=2) == [one for one in reversed(ids) if one not in after]
    assert found(scene, created_from=fourth, created_to=fourth) == []
    assert found(scene, created_from=last + 1) == []
    assert found(scene, created_to=last + 1) == ids[::-1]


def test_what_is_unfinished_is_counted_and_the_sources_are_known(sold: tuple[Scene, list[Any]]) -> None:
    scene, _ = sold
    reports = scene.shop.holdfast.reports

    counts = reports.unfinished_sales(scene.shop.org_id, SaleFilter(status="completed", search="zoë"))
    assert counts == {"open": 3, "suspended": 0}
    assert reports.unfinished_sales(scene.shop.org_id, SaleFilter(store="NOWHERE")) == {"open": 0, "suspended": 0}
    assert reports.sale_sources(scene.shop.org_id) == ["manual", "shopify"]


def test_the_journal_is_asked_about_several_documents_at_once(sold: tuple[Scene, list[Any]]) -> None:
    scene, made = sold
    scene.do(CompleteSale(made[0].id, (PaymentRequest("card", "9.90"),)))
    back = scene.do(ReturnSale(made[0].id, (ReturnedLine(made[0].lines[0].id, 1),), "card"))
    scene.do(CompleteSale(made[1].id))
    reports, org_id = scene.shop.holdfast.reports, scene.shop.org_id
    both = reports.journal(org_id, ref_ids=(made[0].id, back.id, "0190a3e0-5f00-7000-8000-000000000001")).items

    assert [(one["ref_type"], one["ref_id"]) for one in both] == [("RETURN", back.id), ("SALE", made[0].id)]
    assert reports.journal(org_id, ref_ids=("none",)).items == []
    of_cash = reports.journal(org_id, ref_ids=(made[0].id, back.id), account="1000").items
    assert of_cash == []
