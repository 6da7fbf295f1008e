"""The list of sales and the page of one sale without a browser: what they show, find and hide."""

from __future__ import annotations

import re
from typing import Any

import pytest

from holdfast.core.organisation.settings import AddTaxRate
from holdfast.core.sales.cart import CancelSale, SuspendSale
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest, TakePayment
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.web.pages.sale_view import left_of
from tests.pages.conftest import House
from tests.pages.household import EAST_MANAGER

MANAGER = "manager@arcoiris.example"


def sell(house: House, quantity: int = 1, *, store: str = "MAIN", **more: Any) -> Any:
    """An open sale of mugs at 12.00."""
    lines = (LineRequest("MUG-1", quantity, unit_price="12.00"),)
    return house.shop.ok(OpenSale(house.shop.stores[store], lines=lines, **more))


def paid(house: House, sale: Any, amount: str, method: Any = "cash") -> Any:
    """The sale, completed and paid."""
    return house.shop.ok(CompleteSale(sale.id, (PaymentRequest(method, amount),)))


def numbers_of(html: str) -> list[str]:
    """The numbers of the sales in the list, in its order."""
    return re.findall(r'class="row-link" href="[^"]*">([^<]*)<', html)


def part_of(html: str, title: str) -> str:
    """A section of a sale's page as words, by the id of its heading."""
    section = html[html.index(f'aria-labelledby="{title}"') :].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section.partition(">")[2]).split())


@pytest.fixture
def sold(house: House) -> dict[str, Any]:
    """One sale of each kind: open, in the queue, completed, cancelled, of EAST, of a channel."""
    open_ = sell(house, customer="Ana Lopes")
    queued = house.shop.ok(SuspendSale(sell(house, 2, customer="Bruno Dias").id))
    completed = paid(house, sell(house, customer="Ana Maria"), "20.00")
    cancelled = house.shop.ok(CancelSale(sell(house).id))
    east = sell(house, store="EAST")
    order = sell(house, source="shopify", order_number="#1001")
    return {
        "open": open_,
        "queued": queued,
        "completed": completed,
        "cancelled": cancelled,
        "east": east,
        "order": order,
    }


def test_it_lists_every_sale_the_newest_first(house: House, sold: dict[str, Any]) -> None:
    html = house.visitor(MANAGER).get("/admin/sales").text

    assert numbers_of(html) == [one.number for one in reversed(sold.values())]
    row = html[html.index(f'id="sale-{sold["queued"].id}"') :].partition("</tr>")[0]
    assert "Bruno Dias" in row and "In the queue" in row and ">24.00<" in row and ">2<" in row
    assert f'href="/admin/sales/{sold["queued"].id}"' in row
    assert "shopify #1001" in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=suspended", ["queued"]),
        ("status=completed", ["completed"]),
        ("status=cancelled", ["cancelled"]),
        ("source=shopify", ["order"]),
        ("search=%231001", ["order"]),
        ("search=ana", ["completed", "open"]),
        ("search=lopes+ANA", ["open"]),
        ("search=ana&status=open", ["open"]),
        ("search=nobody", []),
        ("store=EAST", ["east"]),
        ("status=nonsense&search=bruno", ["queued"]),
    ],
)
def test_a_filter_shows_what_it_says(house: House, sold: dict[str, Any], query: str, found: list[str]) -> None:
    html = house.visitor(MANAGER).get(f"/admin/sales/rows?{query}").text

    assert numbers_of(html) == [sold[name].number for name in found]


@pytest.mark.parametrize(
    ("query", "queued", "open_"),
    [("", 1, 3), ("status=cancelled", 1, 3), ("search=ana", 0, 1), ("source=shopify", 0, 1), ("store=EAST", 0, 1)],
)
def test_a_tab_counts_what_it_leads_to(house: House, sold: dict[str, Any], query: str, queued: int, open_: int) -> None:
    visitor = house.visitor(MANAGER)
    tabs = visitor.get(f"/admin/sales?{query}").text.partition('id="tabs"')[2].partition("</ul>")[0]
    found = re.findall(r'href="([^"]*)" data-filters data-key="(\w+)"[^>]*>[^<]*<span[^>]*>(\d+)<', tabs)

    assert [(key, int(count)) for _, key, count in found] == [("suspended", queued), ("open", open_)]
    for href, _, count in found:
        assert len(numbers_of(visitor.get(href.replace("&amp;", "&")).text)) == int(count)


def test_a_number_of_ours_finds_its_sale(house: House, sold: dict[str, Any]) -> None:
    html = house.visitor(MANAGER).get(f"/admin/sales?search={sold['east'].number}").text

    assert numbers_of(html) == [sold["east"].number]


def test_a_day_shows_the_sales_that_were_made_on_it(house: House, sold: dict[str, Any]) -> None:
    visitor = house.visitor(MANAGER)
    day = sold["open"].created_at[:10]

    assert len(numbers_of(visitor.get(f"/admin/sales?day={day}").text)) == len(sold)
    assert numbers_of(visitor.get("/admin/sales?day=2001-02-03").text) == []
    wrong = visitor.get("/admin/sales?day=2031-02-30").text
    assert "2031-02-30" in wrong and "is no day" in wrong and len(numbers_of(wrong)) == len(sold)


def test_pages_go_on_where_the_last_one_ended(house: House, sold: dict[str, Any]) -> None:
    visitor = house.visitor(MANAGER)
    first = visitor.get("/admin/sales/rows?limit=4").text
    more = re.search(r'href="/admin/sales\?([^"]*)" data-more', first)
    assert more is not None
    second = visitor.get(f"/admin/sales/rows?{more[1].replace('&amp;', '&')}").text

    assert numbers_of(first) + numbers_of(second) == [one.number for one in reversed(sold.values())]
    assert "data-more" not in second


def test_a_list_without_sales_says_what_will_be_there(house: House) -> None:
    visitor = house.visitor(MANAGER)

    assert "There is no sale yet." in visitor.get("/admin/sales").text
    filtered = visitor.get("/admin/sales?search=nobody").text
    assert "No sale matches these filters." in filtered and 'href="/admin/sales" data-clear' in filtered


def test_a_manager_of_one_store_sees_the_sales_of_that_store(house: House, sold: dict[str, Any]) -> None:
    east = house.visitor(EAST_MANAGER)

    assert numbers_of(east.get("/admin/sales").text) == [sold["east"].number]
    assert east.get(f"/admin/sales/{sold['east'].id}").status_code == 200
    refused = east.get(f"/admin/sales/{sold['open'].id}")
    assert refused.status_code == 404 and "There is no such sale" in refused.text
    assert east.get(f"/admin/sales/{sold['open'].id}/part").status_code == 404


def test_what_somebody_is_called_is_text_and_never_markup(house: House) -> None:
    sale = sell(house, customer="<script>alert(1)</script>")
    visitor = house.visitor(MANAGER)

    for path in ("/admin/sales", f"/admin/sales/{sale.id}"):
        html = visitor.get(path).text
        assert "<script>alert" not in html and "&lt;script&gt;alert" in html


def test_a_held_line_says_who_holds_it_where_and_from_which_lot(house: House) -> None:
    house.shop.receive("LAMP-1", 5, lot="L-7", cost="9.00")
    sale = house.shop.ok(OpenSale(house.shop.stores["MAIN"], lines=(LineRequest("LAMP-1", 3, unit_price="30.00"),)))
    html = house.visitor(MANAGER).get(f"/admin/sales/{sale.id}").text

    lines = part_of(html, "lines-title")
    assert "Storm lantern" in lines and "3 held" in lines
    assert "Held: 3 at MAIN: 1 from a lot without a code, 2 from lot L-7; until " in lines
    assert "reserved LAMP-1 at MAIN" in part_of(html, "ledger-title")
    assert "Nothing is booked yet" in part_of(html, "journal-title")


def test_a_completed_sale_shows_its_money_its_books_and_its_receipt(house: House) -> None:
    house.shop.ok(AddTaxRate(tax_class="std", rate="0.20", name="VAT"))
    house.shop.product("CUP-1", title="Cup", price=1200, tax_class="std")
    house.shop.receive("CUP-1", 5, lot="C-1", cost="4.00")
    opened = house.shop.ok(OpenSale(house.shop.stores["MAIN"], lines=(LineRequest("CUP-1", 2),)))
    sale = paid(house, opened, "30.00")
    html = house.visitor(MANAGER).get(f"/admin/sales/{sale.id}").text

    assert "Went out: 2 from lot C-1 at MAIN" in part_of(html, "lines-title")
    tax = sale.taxes[0]
    money = part_of(html, "money-title")
    assert f"VAT 20% of {tax.net} {tax.tax}" in money and f"Total {sale.total}" in money and "Cash 30.00" in money
    assert f"change {sale.change}" in money
    assert "sold CUP-1 at MAIN, lot C-1" in part_of(html, "ledger-title")
    journal = part_of(html, "journal-title")
    assert f"Sale {sale.number}" in journal and "Inventory" in journal and "8.00" in journal
    story = part_of(html, "story-title")
    assert story.index("Completed") < story.index("Entered by hand") and "Paid 30.00, cash" in story
    receipt = part_of(html, "receipt-title")
    assert "2 × Cup" in receipt and sale.number in receipt and f"Change {sale.change}" in receipt
    assert f'src="/pos/code.svg?kind=bars&amp;text={sale.number}"' in html


def test_an_order_that_was_shipped_in_part_says_what_is_left(house: House) -> None:
    order = sell(house, 3, source="shopify", order_number="1001")
    house.shop.ok(Fulfill(order.id, (ShipLine(order.lines[0].id, 1),), "1Z999"))
    html = house.visitor(MANAGER).get(f"/admin/sales/{order.id}").text

    assert "Partly shipped" in html and "2 held" in part_of(html, "lines-title")
    assert "1Z999 1 × Stoneware mug" in part_of(html, "shipments-title")
    assert "Shipped 1 of MUG-1, tracking 1Z999" in part_of(html, "story-title")
    assert 'data-opens="ship"' in html and 'value="2"' in html.partition('id="ship"')[2]
    cancel = html.partition('id="cancel"')[2].partition("</dialog>")[0]
    assert "2 at MAIN" in cancel and "What has gone out stays sold" in cancel
    assert 'data-opens="return"' not in html


def test_what_came_back_is_told_with_its_money_and_its_entries(house: House) -> None:
    sale = paid(house, sell(house, 2), "24.00")
    back = (ReturnedLine(sale.lines[0].id, 1, "good"),)
    made = house.shop.ok(ReturnSale(sale.id, back, "cash"))
    html = house.visitor(MANAGER).get(f"/admin/sales/{sale.id}").text

    assert "12.00 back 1 × Stoneware mug" in part_of(html, "returns-title")
    assert "Returned 1 of MUG-1, 12.00 back" in part_of(html, "story-title")
    assert "Partly returned" in html
    assert part_of(html, "journal-title").count("Return") >= 1, made
    assert "Comes back <small>1 can</small>" in html.partition('id="return"')[2]


def test_what_is_owed_can_be_paid_and_a_deposit_goes_back(house: House) -> None:
    sale = sell(house, 2)
    house.shop.ok(TakePayment(sale.id, PaymentRequest("card", "10.00")))
    visitor = house.visitor(MANAGER)
    html = visitor.get(f"/admin/sales/{sale.id}").text

    assert 'value="14.00"' in html.partition('id="pay"')[2]
    assert "10.00 was paid in advance" in html and "Correct the payment of 10.00, card" in html
    house.shop.ok(CancelSale(sale.id))
    html = visitor.get(f"/admin/sales/{sale.id}").text
    assert "10.00 went back, card" in part_of(html, "story-title") and "Cancelled" in part_of(html, "story-title")
    for action in ("pay", "ship", "cancel", "return"):
        assert f'data-opens="{action}"' not in html


def test_ledger_entries_go_on_where_the_last_ones_ended(house: House) -> None:
    house.shop.receive("MUG-1", 100)
    order = sell(house, 60, source="shopify", order_number="1002")
    for _ in range(55):
        house.shop.ok(Fulfill(order.id, (ShipLine(order.lines[0].id, 1),)))
    visitor = house.visitor(MANAGER)
    html = visitor.get(f"/admin/sales/{order.id}").text
    older = re.search(rf'href="(/admin/sales/{order.id}\?ledger=[^"#]+)#ledger"', html)
    assert older is not None
    rest = part_of(visitor.get(older[1]).text, "ledger-title")

    assert part_of(html, "ledger-title").count("sold MUG-1") == 50
    assert rest.count("sold MUG-1") == 5 and rest.count("reserved MUG-1") >= 1 and "Older" not in rest
    assert "55 gone out" in part_of(html, "lines-title")


def test_the_picking_list_says_what_to_take_where_for_whom(house: House) -> None:
    house.shop.receive("LAMP-1", 5, lot="L-7", cost="9.00")
    lines = (LineRequest("LAMP-1", 3, unit_price="30.00"), LineRequest("MUG-1", 2, unit_price="12.00"))
    order = house.shop.ok(OpenSale(house.shop.stores["MAIN"], "Ana", "shopify", "1001", lines))
    east = sell(house, store="EAST", customer="Bruno")
    paid(house, sell(house), "12.00")
    visitor = house.visitor(MANAGER)
    html = visitor.get("/admin/sales/picking").text

    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr><td.*?</tr>", html)]
    assert rows == [
        f"1 Stoneware mug &lt;slate&gt; MUG-1 {east.number} Bruno",
        f"1 Storm lantern LAMP-1 {order.number} Ana",
        f"2 Storm lantern LAMP-1 lot L-7 {order.number} Ana",
        f"2 Stoneware mug &lt;slate&gt; MUG-1 {order.number} Ana",
    ]
    assert re.findall(r'<h2 id="place-\d">(\w+)</h2>', html) == ["EAST", "MAIN"]
    one = visitor.get(f"/admin/sales/picking?sale={order.id}&sale=none").text
    assert one.count(f">{order.number}<") == 3 and east.number not in one
    assert "There is nothing to pick." in visitor.get("/admin/sales/picking?status=completed").text
    assert order.number not in house.visitor(EAST_MANAGER).get(f"/admin/sales/picking?sale={order.id}").text


@pytest.mark.parametrize("name", ["none", "0190a3e0-5f00-7000-8000-000000000001", "%3Cscript%3E"])
def test_a_sale_that_is_not_there_is_not_found(house: House, name: str) -> None:
    answer = house.visitor(MANAGER).get(f"/admin/sales/{name}")

    assert answer.status_code == 404 and "There is no such sale" in answer.text


@pytest.mark.parametrize(
    ("whole", "gone", "left"), [(0.3, (0.1,), "0.2"), (100, (), "100"), (5, (2, 3), "0"), (1.25, (0.25,), "1")]
)
def test_what_is_left_of_a_quantity_is_exact(whole: Any, gone: tuple[Any, ...], left: str) -> None:
    assert left_of(whole, *gone) == left
