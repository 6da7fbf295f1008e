"""The rows of the inventory page in a browser: an entry in its panel, many at once, orders, views, goods that come."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site, Watched
from tests.browser.test_inventory import PHONE, dialog, row


def panel(page: Page) -> Locator:
    """The panel of an entry."""
    return page.locator("#change")


def entry(site: Site, sku: str, location: str) -> dict[str, Any]:
    """An entry as the API tells it."""
    found: dict[str, Any] = site.api.get("/store/inventory", params={"product": sku, "location": location}).json()
    item: dict[str, Any] = found["items"][0]
    return item


def test_at_least_eleven_rows_are_seen_at_once(page: Page, site: Site) -> None:
    for number in range(20):
        site.shop.product(
            f"BEAD-{number:02}", title=f"Bead of glass, number {number}, in a colour that is told at length"
        )
        site.shop.receive(f"BEAD-{number:02}", 5, cost="0.10")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.reload()
    page.wait_for_selector("#rows tr:nth-child(20)")
    seen = (
        "[...document.querySelectorAll('#rows tr')].filter((row) => row.getBoundingClientRect().bottom <= 801).length"
    )

    assert page.evaluate(seen) >= 11
    page.evaluate("document.documentElement.dataset.density = 'compact'")
    assert page.evaluate(seen) >= 14


def test_the_panel_stands_beside_the_list_and_says_who_holds_it(page: Page, site: Site) -> None:
    row(page, "MUG-1", "MAIN").get_by_role("button").click()
    beside = panel(page)
    expect(beside.get_by_text("order 102")).to_be_visible()
    expect(beside.get_by_role("img", name=re.compile("On hand [0-9]+ at first, 10 now"))).to_be_visible()
    expect(page.get_by_role("button", name="Storm lantern")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280

    site.reserve("MUG-1", 2)
    expect(beside.get_by_text("order 777")).to_be_visible()
    expect(beside.locator("[data-of=reserved]")).to_have_text("5")
    row(page, "LAMP-1", "MAIN").get_by_role("button").click()
    expect(beside.get_by_role("heading", level=2)).to_have_text("Storm lantern")
    expect(beside.get_by_text("Nobody is promised anything here.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(beside).to_be_hidden()
    expect(row(page, "LAMP-1", "MAIN").get_by_role("button")).to_be_focused()


def test_a_number_is_typed_straight_onto_a_row(page: Page, site: Site) -> None:
    row(page, "MUG-1", "MAIN").locator(".row-open").focus()
    page.keyboard.type("+3\n")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("13")
    expect(row(page, "MUG-1", "MAIN").locator(".row-open")).to_be_focused()
    page.keyboard.type("-2\n")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("11")
    page.keyboard.type("=7\n")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("7")
    page.keyboard.type("c9\n")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("9")
    page.keyboard.type("e")
    expect(panel(page).get_by_role("tab", name="Add or remove")).to_have_attribute("aria-selected", "true")
    expect(panel(page).get_by_label("Quantity", exact=True)).to_be_focused()
    kinds = [
        line["ref_type"] for line in site.api.get("/inventory/ledger", params={"product": "MUG-1"}).json()["items"]
    ]
    assert kinds[:1] == ["COUNT"]


def test_a_common_reason_is_one_tap(page: Page, site: Site) -> None:
    row(page, "MUG-1", "MAIN").get_by_role("button").click()
    panel(page).get_by_role("radio", name="Remove").check()
    panel(page).get_by_label("Quantity", exact=True).fill("1")
    panel(page).locator("#adjust").get_by_role("button", name="Damaged").click()
    panel(page).get_by_role("button", name="Remove", exact=True).click()
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("9")

    newest = site.api.get("/inventory/ledger", params={"product": "MUG-1"}).json()["items"][0]
    assert (newest["qty_delta"], newest["reason"]) == (-1, "Damaged")


def test_an_entry_is_received_moved_and_given_a_reorder_point(page: Page, site: Site) -> None:
    row(page, "LAMP-1", "MAIN").get_by_role("button").click()
    panel(page).get_by_role("tab", name="Receive", exact=True).click()
    panel(page).get_by_label("Quantity that came").fill("6")
    panel(page).get_by_label("Unit cost").fill("8.50")
    panel(page).get_by_role("textbox", name="Lot").fill("L-9")
    panel(page).locator("#receive [data-submit]").click()
    expect(row(page, "LAMP-1", "MAIN").locator(".cell-quantity")).to_have_text("7")
    lots = site.api.get("/inventory/lots", params={"product": "LAMP-1"}).json()["items"]
    assert (lots[0]["lot_code"], lots[0]["unit_cost"]) == ("L-9", "8.50")

    row(page, "LAMP-1", "MAIN").get_by_role("button").click()
    panel(page).get_by_role("tab", name="Move", exact=True).click()
    expect(panel(page).get_by_role("combobox", name="To")).to_have_value("EAST")
    panel(page).get_by_label("Quantity to send").fill("2")
    panel(page).get_by_role("button", name="Send").click()
    expect(row(page, "LAMP-1", "MAIN").locator(".cell-quantity")).to_have_text("5")
    expect(row(page, "LAMP-1", "MAIN").locator(".away")).to_have_text("2 on the way")

    row(page, "LAMP-1", "MAIN").get_by_role("button", name="Storm lantern").click()
    panel(page).get_by_role("tab", name="Reorder point").click()
    panel(page).get_by_label("Reorder point here").fill("6")
    panel(page).get_by_role("button", name="Keep").click()
    expect(row(page, "LAMP-1", "MAIN")).to_contain_text("Low stock")


def test_many_rows_are_changed_together(page: Page, site: Site) -> None:
    bar = page.get_by_role("region", name="Chosen rows")
    expect(bar).to_be_hidden()
    row(page, "MUG-1", "MAIN").locator(".row-open").focus()
    page.keyboard.press(" ")
    expect(panel(page)).to_be_hidden()
    expect(bar).to_contain_text("1 chosen")
    page.get_by_label("Choose all rows that are shown").check()
    expect(bar).to_contain_text("3 chosen")
    page.get_by_label("Choose Storm lantern at MAIN").uncheck()
    bar.get_by_role("button", name="Adjust").click()
    dialog(page).get_by_label("Quantity").fill("5")
    dialog(page).get_by_label("Reason").fill("Found in the cellar")
    dialog(page).get_by_role("button", name="Do it").click()
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("15")
    expect(row(page, "MUG-1", "EAST").locator(".cell-quantity")).to_have_text("7")
    expect(bar).to_be_hidden()

    page.get_by_label("Choose all rows that are shown").check()
    bar.get_by_role("button", name="Reorder point").click()
    dialog(page).get_by_label("Quantity").fill("20")
    dialog(page).get_by_role("button", name="Do it").click()
    expect(page.locator("#rows .badge-low")).to_have_count(3)
    assert entry(site, "LAMP-1", "MAIN")["threshold"] == 20


def test_what_was_refused_stays_chosen_and_is_named(page: Page, site: Site) -> None:
    bar = page.get_by_role("region", name="Chosen rows")
    page.get_by_label("Choose all rows that are shown").check()
    bar.get_by_role("button", name="Adjust").click()
    dialog(page).get_by_role("radio", name="Remove").check()
    dialog(page).get_by_label("Quantity").fill("2")
    dialog(page).get_by_role("button", name="Do it").click()

    expect(dialog(page).get_by_role("alert")).to_contain_text("2 done, 1 not. LAMP-1 at MAIN:")
    page.keyboard.press("Escape")
    expect(bar).to_contain_text("1 chosen")
    expect(page.get_by_label("Choose Storm lantern at MAIN")).to_be_checked()
    assert entry(site, "LAMP-1", "MAIN")["quantity"] == 1
    assert entry(site, "MUG-1", "EAST")["quantity"] == 0


def test_figures_and_heads_narrow_and_sort_and_the_way_back_undoes_it(page: Page) -> None:
    page.evaluate("window.sameDocument = true")
    page.get_by_role("link", name=re.compile("^Low stock")).click()
    expect(page.locator("#rows .place-code")).to_have_text(["EAST"])
    expect(page).to_have_url(re.compile(r"\?low_stock=true$"))
    expect(page.locator(".figure-low")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name=re.compile("^Low stock")).click()
    expect(page.locator("#rows tr")).to_have_count(3)
    expect(page.locator(".figure-low")).not_to_have_attribute("aria-current", "true")

    page.get_by_role("columnheader", name="Available", exact=True).get_by_role("link").click()
    expect(page.locator("#rows .cell-available")).to_have_text(["1", "2", "7"])
    expect(page.get_by_role("columnheader", name="Available", exact=True)).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("columnheader", name="Available", exact=True).get_by_role("link").click()
    expect(page.locator("#rows .cell-available")).to_have_text(["7", "2", "1"])
    page.go_back()
    expect(page.locator("#rows .cell-available")).to_have_text(["1", "2", "7"])
    assert page.evaluate("window.sameDocument")


def test_a_view_is_saved_followed_and_removed(page: Page) -> None:
    page.get_by_label("Only low").check()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#views summary").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Give the view a name.")).to_be_visible()
    page.get_by_label("Save this one as").fill("Order again <soon>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Order again <soon>")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("#rows tr")).to_have_count(3)

    page.locator("#views summary").click()
    page.get_by_role("link", name="Order again <soon>").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#views summary").click()
    page.get_by_role("button", name="Remove the view").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
    expect(page.get_by_label("Save this one as")).to_be_focused()


def test_goods_come_for_a_product_that_nobody_knew(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Receive goods").click()
    goods = page.get_by_role("dialog", name="Receive goods")
    goods.get_by_label("SKU or barcode").fill("VASE-1")
    goods.get_by_label("Quantity").fill("4")
    goods.get_by_role("button", name="Receive", exact=True).click()
    expect(goods.get_by_text("No product has this code yet.")).to_be_visible()
    goods.get_by_label("Title").fill("Tall vase")
    goods.get_by_label("Unit cost").fill("2.10")
    page.keyboard.press("Enter")
    expect(goods).to_be_hidden()
    expect(row(page, "VASE-1", entry(site, "VASE-1", "EAST")["location"]).locator(".cell-quantity")).to_have_text("4")

    page.get_by_role("button", name="Receive goods").click()
    goods.get_by_label("SKU or barcode").fill("LAMP-1")
    goods.get_by_label("At").select_option("MAIN")
    goods.get_by_label("Quantity").fill("2")
    page.keyboard.press("Enter")
    expect(row(page, "LAMP-1", "MAIN").locator(".cell-quantity")).to_have_text("3")


def test_a_second_scan_replaces_the_first(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("LAMP-1\n")
    expect(page.locator("#rows .sku")).to_have_text(["LAMP-1"])
    page.keyboard.type("MUG-1\n")
    expect(page.locator("#rows .sku")).to_have_text(["MUG-1", "MUG-1"])
    expect(page.get_by_label("Search")).to_have_value("MUG-1")


@pytest.mark.parametrize("watched", [PHONE], indirect=True)
def test_on_a_phone_filters_fold_and_the_panel_lies_over_the_list(page: Page, watched: Watched) -> None:
    page.goto(watched.site.address + "/admin/inventory?low_stock=true")
    fold = page.get_by_role("button", name="Filters (1 on)")
    expect(page.get_by_label("Only low")).to_be_hidden()
    fold.tap()
    expect(page.get_by_label("Only low")).to_be_checked()
    page.get_by_label("Only low").uncheck()
    expect(page.locator("#rows tr")).to_have_count(3)
    row(page, "MUG-1", "MAIN").locator(".row-open").tap()
    assert page.evaluate("document.querySelector('#change').matches(':modal')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_who_lost_units_is_said_where_a_fact_takes_them(page: Page) -> None:
    row(page, "MUG-1", "MAIN").locator(".row-open").focus()
    page.keyboard.type("=1\n")
    expect(page.locator("#toasts")).to_contain_text("1 on hand at MAIN now. 2 promised units wait for stock")
    page.keyboard.press("Enter")
    expect(panel(page).get_by_text("2 waiting")).to_be_visible()


def test_rows_come_and_go_while_the_list_is_narrowed_to_what_is_there(page: Page, site: Site) -> None:
    page.get_by_role("link", name=re.compile("^Reserved")).click()
    expect(page.locator("#rows .sku")).to_have_text(["MUG-1"])
    site.reserve("LAMP-1", 1)
    expect(page.locator("#rows .sku")).to_have_text(["MUG-1", "LAMP-1"])
    expect(page.locator("#total")).to_have_text("2 entries")


def test_a_wrong_number_is_said_beside_it_for_many_rows_too(page: Page) -> None:
    page.get_by_label("Choose all rows that are shown").check()
    page.get_by_role("region", name="Chosen rows").get_by_role("button", name="Adjust").click()
    dialog(page).get_by_role("button", name="Do it").click()
    expect(dialog(page).get_by_role("alert")).to_have_text("Give a number above 0.")
    expect(dialog(page).get_by_label("Quantity")).to_be_focused()
    expect(dialog(page).get_by_label("Quantity")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_figures_and_heads_are_plain_links(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.site.address)
    page.get_by_label("Email address").fill("manager@arcoiris.example")
    page.get_by_label("Password").fill("hitch and hold")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=re.compile("^Low stock")).click()
    expect(page.locator("#rows .place-code")).to_have_text(["EAST"])
    page.get_by_role("link", name=re.compile("^Low stock")).click()
    page.get_by_role("columnheader", name="Available", exact=True).get_by_role("link").click()
    expect(page.locator("#rows .cell-available")).to_have_text(["1", "2", "7"])
