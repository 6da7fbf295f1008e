"""The inventory page without a browser: who may see it, what it shows, and that its form works without JavaScript."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape

import pytest

from holdfast.access import Actor, Role
from holdfast.core.organisation.views import SaveView
from holdfast.core.reservations.order_holds import ReleaseAtLevel
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock, UnlistLevel
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
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


def figures_of(html: str) -> dict[str, tuple[str, str]]:
    """What each figure says, and where it leads."""
    found = re.findall(r'class="figure figure-(\w+)[^"]*" href="([^"]*)".*?data-live>([^<]*)<', html, re.DOTALL)
    return {key: (value, unescape(href)) for key, href, value in found}


def test_every_figure_counts_the_rows_to_which_it_leads(house: House) -> None:
    house.shop.ok(Reserve("LAMP-1", 1, "MAIN", Target(order_number="103")))
    house.shop.ok(SetStock("LAMP-1", "MAIN", 0))
    visitor = house.visitor(MANAGER)
    html = visitor.get("/admin/inventory").text
    assert ">3 entries<" in html
    figures = figures_of(html)
    assert {key: value for key, (value, _) in figures.items()} == {
        "on_hand": "12",
        "reserved": "3",
        "available": "9",
        "low": "2",
        "out": "1",
        "backordered": "1",
    }

    for key, (value, href) in figures.items():
        there = visitor.get(href).text
        rows = [json.loads(unescape(text)) for text in re.findall(r'data-entry="([^"]*)"', there)]
        assert figures_of(there)[key] == (value, "/admin/inventory"), "it counts the same there, and leads back"
        name = {"on_hand": "quantity"}.get(key, key)
        counted = len(rows) if key in ("low", "out") else sum(int(row["texts"][name]) for row in rows)
        assert str(counted) == value, key
        assert rows, key


def test_figures_follow_the_filters(house: House) -> None:
    figures = figures_of(house.visitor(MANAGER).get("/admin/inventory?search=mug&location=EAST&sort=-sku").text)

    assert figures["on_hand"] == ("2", "/admin/inventory?search=mug&location=EAST&state=on_hand&sort=-sku")
    assert (figures["reserved"][0], figures["low"][0]) == ("0", "1")


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


@pytest.mark.parametrize("part", ["/rows", "/live", "/entry"])
def test_parts_are_for_managers_too(house: House, part: str) -> None:
    assert house.visitor().get(f"/admin/inventory{part}").status_code == 401
    assert house.visitor("staff@arcoiris.example").get(f"/admin/inventory{part}").status_code == 403


def test_a_file_is_for_managers_too(house: House) -> None:
    assert house.visitor().get("/admin/inventory.csv").status_code == 303
    assert house.visitor("staff@arcoiris.example").get("/admin/inventory.csv").status_code == 403


@pytest.mark.parametrize(
    ("sort", "skus"),
    [
        ("", ["MUG-1", "MUG-1", "LAMP-1"]),
        ("-title", ["LAMP-1", "MUG-1", "MUG-1"]),
        ("available", ["LAMP-1", "MUG-1", "MUG-1"]),
        ("-available", ["MUG-1", "MUG-1", "LAMP-1"]),
        ("nonsense", ["MUG-1", "MUG-1", "LAMP-1"]),
    ],
)
def test_a_head_sorts_and_says_so(house: House, sort: str, skus: list[str]) -> None:
    html = house.visitor(MANAGER).get(f"/admin/inventory?search=&sort={sort}").text

    assert [sku for sku, _ in rows_of(html)] == skus
    known = {"-title": "descending", "available": "ascending", "-available": "descending"}.get(sort, "ascending")
    assert re.findall(r'aria-sort="(ascending|descending)"', html) == [known]
    if sort == "available":
        assert 'href="/admin/inventory?sort=-available" data-sort="ascending"' in html


def test_what_is_on_the_way_or_in_quarantine_stands_beside_its_product(house: House) -> None:
    shop = house.shop
    shop.ok(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2),)))
    shop.receive("LAMP-1", 4, lot="BAD-7", cost="9.00")
    lot = next(one for one in shop.holdfast.reports.lots(shop.org_id, product="LAMP-1").items if one["lot_code"])
    shop.ok(Quarantine(lot["id"]))
    visitor = house.visitor(MANAGER)
    html = visitor.get("/admin/inventory").text

    assert len(rows_of(html)) == 3 and "TRANSIT" not in [place for _, place in rows_of(html)]
    assert html.count(">2 on the way<") == 2 and html.count(">4 in quarantine<") == 1
    lamp = house.visitor(EAST_MANAGER).get("/admin/inventory?search=lamp").text
    assert "in quarantine" not in lamp
    link = unescape(re.search(r'href="([^"]*)">4 in quarantine<', html)[1])  # type: ignore[index] # it is there
    there = visitor.get(link).text
    assert [sku for sku, _ in rows_of(there)] == ["LAMP-1"]
    assert ">not sold<" in there and figures_of(there)["on_hand"][0] == "4" and figures_of(there)["available"][0] == "0"


def test_filters_that_show_nothing_say_which_of_them_hides_what(house: House) -> None:
    html = house.visitor(MANAGER).get("/admin/inventory?search=mug&state=backordered&location=EAST").text

    assert rows_of(html) == [] and "No stock matches these filters." in html
    hides = [
        (unescape(href), words)
        for href, words in re.findall(r'href="([^"]*)" data-filters>Without the filter ([^<]*)<', html)
    ]
    assert hides == [("/admin/inventory?search=mug&location=EAST", "“with backordered units”: 1 entry")]


def test_an_entry_in_detail(house: House) -> None:
    visitor, mug = house.visitor(MANAGER), level_of(house, "MUG-1", "MAIN")
    part = visitor.get(f"/admin/inventory/entry?level={mug}").text

    assert "order 102" in part and "<html" not in part
    assert "3 reserved, 3 after" in part.replace("+3", "3") and "10 on hand, 10 after" in part.replace("+10", "10")
    assert "Nobody is promised anything" not in part
    assert re.search(r'aria-label="On hand (0|10) at first, 10 now, at most 10; reserved 3 now"', part)
    lamp = visitor.get(f"/admin/inventory/entry?level={level_of(house, 'LAMP-1', 'MAIN')}").text
    assert "Nobody is promised anything here." in lamp
    assert visitor.get("/admin/inventory/entry?level=nonsense").status_code == 404
    assert house.visitor(EAST_MANAGER).get(f"/admin/inventory/entry?level={mug}").status_code == 404


def test_the_list_as_a_file_has_the_rows_of_the_filters(house: House) -> None:
    house.shop.product("=1+1", title='=HYPERLINK("x")')
    house.shop.receive("=1+1", 1, cost="1.00")
    visitor = house.visitor(MANAGER)

    answer = visitor.get("/admin/inventory.csv?search=mug&sort=available")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="inventory.csv"'
    assert [(row["sku"], row["location"], row["on_hand"], row["available"]) for row in rows] == [
        ("MUG-1", "EAST", "2", "2"),
        ("MUG-1", "MAIN", "10", "7"),
    ]
    every = list(csv.DictReader(io.StringIO(visitor.get("/admin/inventory.csv").text)))
    assert len(every) == 4 and ("'=1+1", '\'=HYPERLINK("x")') in [(row["sku"], row["title"]) for row in every]
    chosen = visitor.get(f"/admin/inventory.csv?level={level_of(house, 'LAMP-1', 'MAIN')}&level=nonsense").text
    assert [row["sku"] for row in csv.DictReader(io.StringIO(chosen))] == ["LAMP-1"]
    east = csv.DictReader(io.StringIO(house.visitor(EAST_MANAGER).get("/admin/inventory.csv").text))
    assert [row["location"] for row in east] == ["EAST"]


def test_saved_views_are_links_of_their_person(house: House) -> None:
    reports, shop = house.shop.holdfast.reports, house.shop
    bo = next(one["id"] for one in reports.users(shop.org_id).items if one["email"] == MANAGER)
    bos = Actor(shop.org_id, f"user:{MANAGER}", Role.MANAGER, id=bo)
    shop.holdfast.do(bos, SaveView(bo, "/admin/inventory", "Low at the door", "low_stock=true&location=MAIN"))
    shop.holdfast.do(bos, SaveView(bo, "/admin/sales", "Elsewhere", ""))
    html = house.visitor(MANAGER).get("/admin/inventory").text

    assert '<a href="/admin/inventory?low_stock=true&amp;location=MAIN">Low at the door</a>' in html
    assert "Elsewhere" not in html
    assert "Low at the door" not in house.visitor("owner@arcoiris.example").get("/admin/inventory").text


def test_who_is_of_one_store_sees_that_store_alone(house: House) -> None:
    visitor, main = house.visitor(EAST_MANAGER), level_of(house, "MUG-1", "MAIN")

    html = visitor.get("/admin/inventory").text
    assert rows_of(html) == [("MUG-1", "EAST")]
    assert ">MAIN<" not in html
    assert figures_of(html)["on_hand"][0] == "2"
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
