"""One stream for all tabs of a browser: they hear of everything, and hold no connections that others need."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import WAIT_MILLISECONDS, Site, Watched
from tests.browser.test_inventory import row

TABS = 8


def wait_until(held: Callable[[], bool], what: str) -> None:
    """Wait for something that the server does."""
    until = time.monotonic() + WAIT_MILLISECONDS / 1000
    while not held():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def streams(site: Site) -> int:
    """Event streams that the server holds open."""
    count: int = site.application.callers.streams
    return count


def another(context: BrowserContext, site: Site) -> Page:
    """A new tab with the inventory, alive."""
    page = context.new_page()
    page.goto(site.address + "/admin/inventory")
    page.wait_for_selector('#live[data-state="on"]')
    return page


def test_eight_tabs_share_one_stream_and_all_answer(page: Page, site: Site) -> None:
    tabs = [page, *(another(page.context, site) for _ in range(TABS - 1))]

    assert streams(site) == 1
    site.reserve("MUG-1", 2)
    for tab in tabs:
        expect(row(tab, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
    for tab in tabs:
        began = time.monotonic()
        assert tab.evaluate("fetch('/healthz').then((answer) => answer.status)") == 200
        assert time.monotonic() - began < 5
    assert streams(site) == 1


def test_the_stream_ends_with_the_last_tab_that_listens(page: Page, site: Site) -> None:
    other = another(page.context, site)
    page.locator("#live").click()
    expect(page.locator("#live")).to_have_text("Paused")
    site.reserve("MUG-1", 2)
    expect(row(other, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
    assert streams(site) == 1

    other.goto(site.address + "/account")
    wait_until(lambda: streams(site) == 0, "the stream stays open")
    page.locator("#live").click()
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
    assert streams(site) == 1


def test_a_tab_that_comes_later_reads_what_it_missed(page: Page, site: Site) -> None:
    """Its rows were read before the units were promised, and it joined a stream that had told of it already."""

    def late(route: Route) -> None:
        response = route.fetch()
        site.reserve("MUG-1", 2)
        expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
        route.fulfill(response=response)

    other = page.context.new_page()
    other.route(re.compile(r"/admin/inventory$"), late)
    other.goto(site.address + "/admin/inventory")

    expect(row(other, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")


def test_signing_out_is_heard_in_every_tab(page: Page, site: Site) -> None:
    other = page.context.new_page()
    with other.expect_response(re.compile(r"/admin/inventory/rows\?")):  # it joins, and reads what it may have missed
        other.goto(site.address + "/admin/inventory")
    expect(other.locator("#live")).to_have_text("Live")
    page.locator(".person summary").click()
    page.get_by_role("button", name="Sign out").click()

    expect(other.locator("#live")).to_have_text("Signed out")
    wait_until(lambda: streams(site) == 0, "the stream stays open")
    other.locator("#live").click()
    expect(other).to_have_url(re.compile(r"/sign-in\?next=%2Fadmin%2Finventory$"))


def test_who_signs_in_next_is_not_overheard(page: Page, watched: Watched) -> None:
    """Tabs of the first person stay open, and hear nothing of what the second one's tabs are told."""
    site = watched.site
    other = page.context.new_page()
    other.goto(site.address + "/sign-in")
    other.get_by_label("Email address").fill("owner@arcoiris.example")
    other.get_by_label("Password").fill("hitch and hold")
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_selector('#live[data-state="on"]')

    expect(page.locator("#live")).to_have_text("Signed out")
    site.reserve("MUG-1", 2)
    expect(row(other, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("3")
    assert streams(site) == 1


@pytest.mark.parametrize("watched", [{"viewport": {"width": 1280, "height": 800}}], indirect=True)
def test_where_there_is_no_shared_worker_a_page_has_a_stream_while_it_is_seen(watched: Watched) -> None:
    site = watched.site
    watched.page.add_init_script("delete window.SharedWorker")
    page = watched.sign_in()
    assert streams(site) == 1

    hide = "(hidden) => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    wait_until(lambda: streams(site) == 0, "the stream stays open")
    site.reserve("MUG-1", 2)
    page.evaluate(hide, False)
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
    assert streams(site) == 1


def test_a_server_that_is_away_is_said_and_found_again(watched: Watched) -> None:
    site = watched.site
    watched.page.add_init_script("delete window.SharedWorker")
    page = watched.sign_in()
    page.route("**/api/v1/events?*", lambda route: route.abort("connectionrefused"))
    site.stop_streams()

    expect(page.locator("#live")).to_have_text(re.compile(r"Not live since \d\d:\d\d"))
    site.reserve("MUG-1", 2)
    page.unroute("**/api/v1/events?*")
    expect(page.locator("#live")).to_have_text("Live")
    expect(row(page, "MUG-1", "MAIN").locator(".cell-reserved")).to_have_text("5")
    watched.complaints[:] = [one for one in watched.complaints if "ERR_CONNECTION_REFUSED" not in one]
