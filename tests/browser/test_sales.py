"""The list of sales and the page of one sale in a browser: find, ship, pay, take back, cancel, and watch it happen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from holdfast.core.sales.cart import SuspendSale
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.warehouse.adjustment import SetStock
from tests.browser.conftest import Site, Watched

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def sell(site: Site, quantity: int = 1, **more: Any) -> Any:
    """An open sale of mugs at 12.00."""
    lines = (LineRequest("MUG-1", quantity, unit_price="12.00"),)
    return site.shop.ok(OpenSale(site.shop.stores["MAIN"], lines=lines, **more))


def dialog(page: Page) -> Locator:
    """The open dialog."""
    return page.get_by_role("dialog")


def section(page: Page, name: str) -> Locator:
    """A section of a sale's page."""
    return page.get_by_role("region", name=name)


def test_a_sale_is_found_and_opened_by_keyboard(watched: Watched, site: Site) -> None:
    for customer in ("Ana Lopes", "Bruno Dias"):
        sell(site, customer=customer)
    page = watched.sign_in(path="/admin/sales")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(2)

    page.keyboard.press("/")
    page.keyboard.type("bruno")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?search=bruno$"))
    page.keyboard.press("ArrowDown")
    expect(rows.get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("S-000002")
    page.go_back()
    expect(page.get_by_label("Search")).to_have_value("bruno")
    page.get_by_role("link", name="Clear filters").click()
    expect(rows).to_have_count(2)


def test_the_list_follows_what_happens(watched: Watched, site: Site) -> None:
    first = sell(site, customer="Ana")
    page = watched.sign_in(path="/admin/sales")
    row = page.locator(f"#sale-{first.id}")
    expect(row.locator(".sale-state")).to_have_text("Open")

    site.shop.ok(SuspendSale(first.id))
    expect(row.locator(".sale-state")).to_have_text("In the queue")
    sell(site, customer="Bruno")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows tr").first).to_contain_text("Bruno")
    expect(page.get_by_role("link", name="In the queue")).to_have_text("In the queue 1")
    page.get_by_role("link", name="In the queue").click()
    expect(page.locator("#rows tr")).to_have_count(1)


def test_an_order_is_shipped_in_parts_paid_and_brought_back(watched: Watched, site: Site) -> None:
    order = sell(site, 3, source="shopify", order_number="1001")
    page = watched.sign_in(path=f"/admin/sales/{order.id}")
    expect(section(page, "Lines")).to_contain_text("3 held")

    page.get_by_role("button", name="Ship", exact=True).click()
    quantity = dialog(page).get_by_label("Stoneware mug <slate>")
    expect(quantity).to_have_value("3")
    quantity.fill("many")
    dialog(page).get_by_role("button", name="Ship").click()
    expect(dialog(page).get_by_role("alert")).to_have_text("Give a number, 0 or more.")
    quantity.fill("4")
    dialog(page).get_by_role("button", name="Ship").click()
    expect(dialog(page).locator("[data-line] [role=alert]")).to_contain_text("MUG-1")
    expect(quantity).to_be_focused()
    quantity.fill("1")
    dialog(page).get_by_label("Tracking number").fill("1Z999")
    dialog(page).get_by_role("button", name="Ship").click()
    expect(dialog(page)).to_be_hidden()
    expect(section(page, "Shipments")).to_contain_text("1Z999")
    expect(section(page, "Lines")).to_contain_text("2 held")

    page.get_by_role("button", name="Ship", exact=True).click()
    dialog(page).get_by_role("button", name="Ship").click()
    expect(page.locator("#sale > .sale-state")).to_contain_text("36.00 owed")
    page.get_by_role("button", name="Take a payment").click()
    dialog(page).get_by_label("By").select_option("card")
    dialog(page).get_by_label("Amount").fill("50")
    dialog(page).get_by_role("button", name="Take it").click()
    expect(dialog(page).get_by_role("alert")).to_have_text("Only cash may be more than what is due.")
    expect(dialog(page).get_by_label("Amount")).to_be_focused()
    dialog(page).get_by_label("Amount").fill("36,00")
    dialog(page).get_by_role("button", name="Take it").click()
    expect(page.get_by_role("button", name="Take a payment")).to_have_count(0)

    page.get_by_role("button", name="Correct the payment of 36.00, card").click()
    dialog(page).get_by_label("Paid by").select_option("cash")
    dialog(page).get_by_role("button", name="Correct the payment").click()
    expect(section(page, "Money")).to_contain_text("Cash 36.00")

    page.get_by_role("button", name="Return", exact=True).click()
    dialog(page).get_by_label("Comes back").fill("1")
    dialog(page).get_by_role("button", name="Take back").click()
    expect(section(page, "Returns")).to_contain_text("12.00 back")
    expect(section(page, "Lines")).to_contain_text("1 returned")
    expect(page.get_by_role("button", name="Return", exact=True)).to_be_focused()


def test_cancelling_asks_first_and_names_what_goes(watched: Watched, site: Site) -> None:
    sale = sell(site, 2)
    page = watched.sign_in(path=f"/admin/sales/{sale.id}")

    page.get_by_role("button", name="Cancel the sale").click()
    expect(dialog(page)).to_contain_text("Stoneware mug <slate>: 2 at MAIN")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_be_hidden()
    page.get_by_role("button", name="Cancel the sale").click()
    dialog(page).get_by_role("button", name="Cancel the sale").click()
    expect(page.locator("#sale > .sale-state")).to_have_text("Cancelled")
    level = site.shop.holdfast.reports.levels(site.shop.org_id, product="MUG-1", location="MAIN").items[0]
    assert level["reserved_quantity"] == 3, "what was promised to others before"


def test_what_somebody_else_does_is_seen_and_an_open_form_keeps_what_was_typed(watched: Watched, site: Site) -> None:
    sale = sell(site, 2)
    page = watched.sign_in(path=f"/admin/sales/{sale.id}")
    page.get_by_role("button", name="Take a deposit").click()
    dialog(page).get_by_label("Amount").fill("7.77")

    site.shop.ok(CompleteSale(sale.id, (PaymentRequest("cash", "24.00"),)))
    expect(page.locator("#sale > .sale-state")).to_have_text("Completed")
    expect(dialog(page).get_by_label("Amount")).to_have_value("7.77")
    dialog(page).get_by_role("button", name="Take it").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("So much is not owed")
    dialog(page).get_by_role("button", name="Back").click()
    expect(page.get_by_role("button", name="Take a deposit")).to_have_count(0)
    expect(page.get_by_role("button", name="Return", exact=True)).to_be_visible()


@pytest.mark.parametrize("watched", [PHONE], indirect=True)
def test_both_pages_fit_a_phone(watched: Watched, site: Site) -> None:
    sale = sell(site, 2, customer="Ana " * 20, source="shopify", order_number="1001-" * 10)
    site.shop.ok(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    site.shop.ok(SetStock("MUG-1", "MAIN", 0))
    page = watched.sign_in(path="/admin/sales")
    expect(page.locator("#rows .badge")).to_have_text(["Open", "Waits for stock", "Partly shipped"])
    expect(page.get_by_role("link", name="Picking list")).to_be_visible()
    for path in ("/admin/sales", f"/admin/sales/{sale.id}", "/admin/sales/picking"):
        page.goto(site.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        small = page.evaluate(
            """[...document.querySelectorAll("main :is(button, .button, input, select, .tabs a)")]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)"""
        )
        assert small == []
