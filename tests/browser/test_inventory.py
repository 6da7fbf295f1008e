"""The inventory page in a browser: find, change, watch, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from holdfast.core.warehouse.adjustment import SetStock
from tests.browser.conftest import Site, Watched

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def row(page: Page, sku: str, location: str) -> Locator:
    """The row of an entry."""
    place = page.locator(".place-code", has_text=re.compile(f"^{location}$"))
    return page.locator("#rows tr").filter(has=page.locator(".sku", has_text=sku)).filter(has=place)


def dialog(page: Page) -> Locator:
    """The open dialog."""
    return page.get_by_role("dialog")


def test_sign_in_leads_to_the_page_and_a_wrong_password_does_not(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.site.address)
    page.get_by_label("Email address").fill("manager@arcoiris.example")
    page.get_by_label("Password").fill("nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(page.get_by_label("Email address")).to_have_value("manager@arcoiris.example")

    watched.sign_in()
    expect(page.get_by_role("heading", level=1)).to_have_text("Inventory")
    expect(page.get_by_role("navigation", name="Sections").get_by_role("link")).to_have_text(
        ["Sell", "Inventory", "Sales"]
    )

    page.locator(".person summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def test_search_and_filters_change_the_list_without_reloading(page: Page) -> None:
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#rows tr")).to_have_count(3)

    page.get_by_label("Search").type("lantern")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?search=lantern$"))
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("#rows tr")).to_have_count(3)

    page.get_by_label("Only low").check()
    expect(page.locator("#rows .sku")).to_have_text(["MUG-1"])
    page.get_by_label("at or below").fill("1")
    expect(page.locator("#rows .sku")).to_have_text(["LAMP-1"])
    page.get_by_label("Only low").uncheck()
    page.get_by_label("Search").fill("no such thing")
    expect(page.get_by_text("No stock matches these filters.").first).to_be_visible()
    assert page.evaluate("window.sameDocument")


def test_the_store_switch_narrows_the_list_and_the_figures(page: Page) -> None:
    page.get_by_label("Store").select_option(label="East")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?store=EAST$"))
    expect(page.locator(".figure-on_hand .figure-value")).to_have_text("2")
    page.get_by_label("Store").select_option(label="All stores")
    expect(page.locator("#rows tr")).to_have_count(3)


def test_a_store_that_is_chosen_before_the_script_is_there_is_shown(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/static/frame.js", hold)
    page.reload(wait_until="commit")
    page.get_by_label("Store").select_option(label="East")
    expect(page.get_by_label("Store")).to_have_value("EAST")
    held[0].continue_()
    page.unroute("**/static/frame.js")
    expect(page).to_have_url(re.compile(r"\?store=EAST"))
    expect(page.locator("#rows tr")).to_have_count(1)


def test_adjusting_up_and_down_with_a_reason(page: Page, watched: Watched) -> None:
    row(page, "MUG-1", "MAIN").get_by_role("button").click()
    dialog(page).get_by_label("Quantity", exact=True).fill("5")
    dialog(page).locator("#adjust").get_by_label("Reason").fill("Found behind the shelf")
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(dialog(page)).to_be_hidden()
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("15")
    expect(page.locator("#toasts")).to_contain_text("15 on hand at MAIN")
    expect(page.locator(".figure-on_hand .figure-value")).to_have_text("18")
    expect(row(page, "MUG-1", "MAIN").get_by_role("button")).to_be_focused()

    row(page, "MUG-1", "MAIN").get_by_role("button").click()
    dialog(page).get_by_role("radio", name="Remove").check()
    dialog(page).get_by_label("Quantity", exact=True).fill("15")
    dialog(page).get_by_role("button", name="Remove", exact=True).click()
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("0")
    expect(row(page, "MUG-1", "MAIN")).to_contain_text("3 backordered")

    ledger = watched.site.api.get("/inventory/ledger", params={"product": "MUG-1", "ref_type": "ADJUSTMENT"}).json()
    assert {(line["qty_delta"], line["actor"]) for line in ledger["items"]} >= {(5, "user:manager@arcoiris.example")}
    assert "Found behind the shelf" in {line["reason"] for line in ledger["items"]}


def test_a_refusal_is_shown_in_place(page: Page) -> None:
    row(page, "LAMP-1", "MAIN").get_by_role("button").click()
    quantity = dialog(page).get_by_label("Quantity", exact=True)
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(dialog(page).get_by_role("alert")).to_have_text("Give a number above 0.")
    expect(quantity).to_be_focused()
    expect(quantity).to_have_attribute("aria-invalid", "true")

    dialog(page).get_by_role("radio", name="Remove").check()
    quantity.fill("2")
    dialog(page).get_by_role("button", name="Remove", exact=True).click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("LAMP-1")
    expect(row(page, "LAMP-1", "MAIN").locator(".cell-quantity")).to_have_text("1")


def test_a_lost_race_tells_the_present_number_and_can_be_tried_again(page: Page, site: Site) -> None:
    row(page, "MUG-1", "MAIN").get_by_role("button").click()
    dialog(page).get_by_role("tab", name="Set exactly").click()
    dialog(page).get_by_label("Quantity on hand").fill("20")
    site.adjust("MUG-1", -2)
    dialog(page).get_by_role("button", name="Set quantity").click()

    expect(dialog(page).get_by_role("alert")).to_contain_text("8 on hand now, not 10")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("8")
    dialog(page).get_by_role("button", name="Set 8 to 20").click()
    expect(dialog(page)).to_be_hidden()
    expect(row(page, "MUG-1", "MAIN").locator(".cell-quantity")).to_have_text("20")


def test_a_change_whose_answer_was_lost_is_not_done_twice(page: Page, watched: Watched) -> None:
    row(page, "LAMP-1", "MAIN").get_by_role("button").click()
    dialog(page).get_by_label("Quantity", exact=True).fill("4")
    address, keys = "**/api/v1/admin/inventory/adjust", []

    def lose(route: object) -> None:
        route.fetch()  # type: ignore[attr-defined] # a playwright Route
        route.abort()  # type: ignore[attr-defined] # the server did it, the answer is lost

    page.route(address, lose)
    page.on("request", lambda request: keys.append(request.headers.get("idempotency-key")))
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("never done twice")
    page.unroute(address)
    assert watched.complaints == ["Failed to load resource: net::ERR_FAILED"]
    watched.complaints.clear()
    dialog(page).get_by_role("button", name="Add", exact=True).click()

    expect(dialog(page)).to_be_hidden()
    expect(row(page, "LAMP-1", "MAIN").locator(".cell-quantity")).to_have_text("5")
    sent = [key for key in keys if key]
    assert len(sent) == 2 and len(set(sent)) == 1


def test_only_an_empty_entry_can_be_deleted(page: Page, site: Site) -> None:
    row(page, "MUG-1", "MAIN").get_by_role("button").click()
    dialog(page).get_by_role("tab", name="Delete").click()
    expect(dialog(page).get_by_text("Only an empty entry")).to_be_visible()
    expect(dialog(page).get_by_role("button", name="Delete entry")).to_be_disabled()
    page.keyboard.press("Escape")

    site.shop.ok(SetStock("LAMP-1", "MAIN", 0))
    expect(row(page, "LAMP-1", "MAIN").locator(".cell-quantity")).to_have_text("0")
    row(page, "LAMP-1", "MAIN").get_by_role("button").click()
    dialog(page).get_by_role("tab", name="Delete").click()
    expect(dialog(page).get_by_role("button", name="Delete entry")).to_be_disabled()
    dialog(page).get_by_label("Yes, delete this entry").check()
    dialog(page).get_by_role("button", name="Delete entry").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#toasts")).to_contain_text("is deleted")
    expect(page.locator("#total")).to_have_text("2 entries")


def test_rows_and_figures_follow_what_is_sold(page: Page, site: Site) -> None:
    mug = row(page, "MUG-1", "MAIN")
    expect(mug.locator(".cell-available")).to_have_text("7")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    for _ in range(5):
        site.reserve("MUG-1", 1)

    expect(mug.locator(".cell-reserved")).to_have_text("8")
    expect(mug.locator(".cell-available")).to_have_text("2")
    expect(mug.locator(".bar-reserved")).to_have_attribute("width", "80.0%")
    expect(page.locator(".figure-reserved .figure-value")).to_have_text("8")
    assert len([url for url in asked if "/live?" in url]) <= 4, "five events close together are one or two updates"


def test_new_entries_come_in_while_the_page_is_open(page: Page, site: Site) -> None:
    site.shop.product("VASE-1", title="Tall vase")
    site.shop.receive("VASE-1", 6, cost="2.00")

    expect(row(page, "VASE-1", "MAIN")).to_be_visible()
    expect(page.locator("#total")).to_have_text("4 entries")


def test_live_updates_can_be_paused_and_miss_nothing(page: Page, site: Site) -> None:
    live = page.locator("#live")
    live.click()
    expect(live).to_have_text("Paused")
    site.reserve("MUG-1", 2)
    page.wait_for_timeout(1200)
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("3")

    live.click()
    expect(live).to_have_text("Live")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")


def test_without_a_stream_the_page_asks_instead(watched: Watched) -> None:
    page = watched.page
    page.add_init_script("delete window.SharedWorker")

    def no_streams(route: Route) -> None:
        if route.request.headers["accept"] == "text/event-stream":
            route.fulfill(status=429)
        else:
            route.continue_()

    page.route("**/api/v1/events?*", no_streams)
    page.goto(watched.site.address)
    page.get_by_label("Email address").fill("manager@arcoiris.example")
    page.get_by_label("Password").fill("hitch and hold")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector('#live[data-state="polling"]')

    watched.site.reserve("MUG-1", 2)
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")


def test_everything_by_keyboard(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("mug")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("#rows tr")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    openers = page.locator(".row-open")
    expect(openers.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(openers.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(openers.nth(2)).to_be_focused()
    page.keyboard.press("k")
    expect(openers.nth(1)).to_be_focused()

    page.keyboard.press("Enter")
    expect(dialog(page).get_by_label("Quantity", exact=True)).to_be_focused()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    expect(openers.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_be_hidden()
    expect(openers.nth(1)).to_be_focused()


def test_a_session_that_ends_asks_to_sign_in_again_once(page: Page) -> None:
    departures: list[str] = []
    page.on("request", lambda request: departures.append(request.url) if request.is_navigation_request() else None)
    page.context.clear_cookies()
    page.get_by_label("Search").fill("mug")

    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    expect(page.get_by_label("Password")).to_be_visible()
    assert len(departures) == 1


class Traffic:
    """Customers that only know whether they are let in."""

    running = False

    def start(self) -> None:
        """Let them in."""
        self.running = True

    def stop(self) -> None:
        """Send them home."""
        self.running = False


def test_customers_are_let_in_without_leaving_the_page(watched: Watched) -> None:
    traffic = Traffic()
    watched.site.demo(traffic)
    page = watched.sign_in()

    page.get_by_role("button", name="Let customers in").click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    assert traffic.running
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Let customers in")).to_be_visible()
    assert not traffic.running


@pytest.mark.parametrize("watched", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_the_list_is_shown_and_filtered(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.site.address)
    page.get_by_label("Email address").fill("manager@arcoiris.example")
    page.get_by_label("Password").fill("hitch and hold")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Search").fill("lantern")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#live")).to_be_hidden()


@pytest.mark.parametrize("watched", [PHONE], indirect=True)
def test_a_phone_scrolls_in_one_direction_only(page: Page) -> None:
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390

    row(page, "MUG-1", "MAIN").get_by_role("button").tap()
    expect(dialog(page)).to_be_visible()
    assert page.evaluate(width) <= 390
    assert page.evaluate("document.getElementById('change').scrollWidth") <= 390
