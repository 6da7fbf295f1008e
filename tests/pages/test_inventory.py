"""The inventory page without a browser: who may see it, what it shows, and that its form works without JavaScript."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from holdfast.core.reservations.order_holds import ReleaseAtLevel
from holdfast.core.warehouse.adjustment import SetStock, UnlistLevel
from tests.pages.conftest import House
from tests.pages.household import EAST_MANAGER

MANAGER = "manager@arcoiris.example"


def rows_of(html: str) -> list[tuple[str, str]]:
    """(SKU, location) of the rows, in their order."""
    facts = [json.loads(unescape(text)) for text in re.findall(r'data-entry="([^"]*)"', html)]
    return [(one["texts"]["sku"], one["texts"]["location"]) for one in facts]


def level_of(house: House, sku: str, location: str) -> str:
    """The id of an entry."""
    page = house.shop.holdfast.reports.levels(house.shop.org_id, product=sku, location=location)
    level_id: str = page.items[0]["id"]
    return level_id


@pytest.mark.parametrize(
    ("email", "status"),
    [
        ("owner@arcoiris.example", 200),
        (MANAGER, 200),
        ("staff@arcoiris.example", 403),
        ("cashier@arcoiris.example", 403),
    ],
)
def test_it_is_for_managers_and_above(house: House, email: str, status: int) -> None:
    answer = house.visitor(email).get("/admin/inventory")

    assert answer.status_code == status
    if status == 403:
        assert email in answer.text and "It is for managers, admins and owners." in answer.text
        assert 'href="/sign-in?next=%2Fadmin%2Finventory"' in answer.text and 'href="/account"' in answer.text
        assert 'href="/admin/inventory"' not in answer.text


def test_it_shows_every_entry_with_its_numbers_and_its_bar(house: House) -> None:
    html = house.visitor(MANAGER).get("/admin/inventory").text

    assert sorted(rows_of(html)) == [("LAMP-1", "MAIN"), ("MUG-1", "EAST"), ("MUG-1", "MAIN")]
    row = html[html.index(f'id="level-{level_of(house, "MUG-1", "MAIN")}"') :].partition("</tr>")[0]
    assert re.findall(r"data-live>(\d+)<", row) == ["10", "3", "7"]
    assert 'aria-label="3 reserved, 7 available, reorder at 4"' in row
    assert '<rect class="bar-reserved" x="0%" width="30.0%"' in row
    assert '<rect class="bar-available" x="30.0%" width="70.0%"' in row
    assert "Low stock" not in row
    low = html[html.index(f'id="level-{level_of(house, "MUG-1", "EAST")}"') :].partition("</tr>")[0]
    assert "Low stock" in low


def test_what_people_wrote_is_text_and_never_markup(house: House) -> None:
    html = house.visitor(MANAGER).get("/admin/inventory?search=%22%3E%3Cscript%3E").text

    assert "<script>" not in html and "<slate>" not in html


def test_figures_are_those_of_the_api(house: House) -> None:
    html = house.visitor(MANAGER).get("/admin/inventory").text

    stats = house.shop.holdfast.reports.inventory_stats(house.shop.org_id)
    shown = re.findall(r'data-spark-value="([^"]*)"', html)
    names = ["total_entries", "total_quantity", "total_reserved", "total_available", "low_stock_count"]
    assert shown[:5] == [str(stats[name]) for name in names] == ["3", "13", "3", "10", "1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=lamp", [("LAMP-1", "MAIN")]),
        ("search=STONEWARE&location=main", [("MUG-1", "MAIN")]),
        ("store=EAST", [("MUG-1", "EAST")]),
        ("low_stock=true", [("MUG-1", "EAST")]),
        ("low_stock=true&threshold=1", [("LAMP-1", "MAIN")]),
        ("threshold=1.5", [("LAMP-1", "MAIN")]),
        ("search=nothing-like-it", []),
        ("store=all&location=&search=&threshold=&search=lamp", [("LAMP-1", "MAIN")]),
    ],
)
def test_the_filters_work_as_a_plain_form(house: House, query: str, expected: list[tuple[str, str]]) -> None:
    answer = house.visitor(MANAGER).get(f"/admin/inventory?{query}")

    assert (answer.status_code, rows_of(answer.text)) == (200, expected)
    assert ('id="nothing" hidden' in answer.text) == bool(expected)


def test_a_threshold_that_is_none_is_said(house: House) -> None:
    answer = house.visitor(MANAGER).get("/admin/inventory?threshold=lots")

    assert answer.status_code == 200
    assert "is no threshold" in answer.text


def test_a_list_goes_on_where_it_ended(house: House) -> None:
    for number in range(60):
        house.shop.product(f"BEAD-{number}")
        house.shop.receive(f"BEAD-{number}", 1, cost="0.10")
    visitor = house.visitor(MANAGER)

    first = visitor.get("/admin/inventory?search=bead").text
    more = unescape(re.search(r'<a class="button" href="([^"]*)" data-more', first)[1])  # type: ignore[index] # it is there
    second = visitor.get(more).text
    part = visitor.get(more.replace("/admin/inventory?", "/admin/inventory/rows?")).text

    assert (len(rows_of(first)), len(rows_of(second))) == (50, 10)
    assert len({*rows_of(first), *rows_of(second)}) == 60
    assert rows_of(part) == rows_of(second)
    assert "data-more" not in second
    assert visitor.get("/admin/inventory?cursor=nonsense").status_code == 400


def test_a_live_part_has_the_rows_asked_for_and_the_figures(house: House) -> None:
    visitor, mug = house.visitor(MANAGER), level_of(house, "MUG-1", "MAIN")
    lamp = level_of(house, "LAMP-1", "MAIN")
    house.shop.ok(SetStock("MUG-1", "MAIN", 1234))

    part = visitor.get(f"/admin/inventory/live?level={mug}&level=nonsense").text
    assert rows_of(part) == [("MUG-1", "MAIN")]
    assert ">1,234<" in part and 'id="figures"' in part and "<html" not in part

    house.shop.ok(SetStock("LAMP-1", "MAIN", 0))
    house.shop.ok(UnlistLevel("LAMP-1", "MAIN"))
    assert rows_of(visitor.get(f"/admin/inventory/live?level={lamp}").text) == []


@pytest.mark.parametrize("part", ["rows", "live"])
def test_parts_are_for_managers_too(house: House, part: str) -> None:
    assert house.visitor().get(f"/admin/inventory/{part}").status_code == 401
    assert house.visitor("staff@arcoiris.example").get(f"/admin/inventory/{part}").status_code == 403


def test_who_is_of_one_store_sees_that_store_alone(house: House) -> None:
    visitor, main = house.visitor(EAST_MANAGER), level_of(house, "MUG-1", "MAIN")

    html = visitor.get("/admin/inventory").text
    assert rows_of(html) == [("MUG-1", "EAST")]
    assert ">MAIN<" not in html
    assert re.findall(r'data-spark-value="([^"]*)"', html)[1] == "2"
    assert visitor.get("/admin/inventory?store=MAIN").headers["location"] == "/admin/inventory?store=all"
    assert rows_of(visitor.get(f"/admin/inventory/rows?store={house.shop.stores['MAIN']}").text) == [("MUG-1", "EAST")]
    assert rows_of(visitor.get(f"/admin/inventory/live?level={main}").text) == []


def test_an_empty_shop_says_what_to_do(house: House) -> None:
    house.shop.settings(default_reorder_point=0)
    house.shop.ok(ReleaseAtLevel("MUG-1", "MAIN", 3, "102", None))
    for sku, place in [("MUG-1", "MAIN"), ("MUG-1", "EAST"), ("LAMP-1", "MAIN")]:
        house.shop.ok(SetStock(sku, place, 0))
        if sku == "LAMP-1":
            assert ">Out of stock<" in house.visitor(MANAGER).get("/admin/inventory?search=lamp").text
        house.shop.ok(UnlistLevel(sku, place))

    html = house.visitor(MANAGER).get("/admin/inventory").text
    assert rows_of(html) == [] and "There is no stock yet." in html and 'id="nothing" hidden' not in html
