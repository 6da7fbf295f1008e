"""A day at the till: open, scan, change, get paid, set aside, take back, close."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, Watched
from tests.browser.counter import MUG, Counter, Stand


@pytest.fixture
def stand(site: Site) -> Stand:
    """A shop with a till."""
    return Stand(site)


@pytest.fixture
def counter(stand: Stand, watched: Watched) -> Counter:
    """A till that is not open yet."""
    return Counter(watched)


def test_a_sale_from_the_pin_to_the_next_customer(stand: Stand, counter: Counter) -> None:
    page = counter.open("100.00")
    page.screenshot(path="/tmp/shots/empty.png")
    counter.scan(MUG)
    expect(counter.line("Teapot")).to_contain_text("9.90")
    expect(counter.total).to_have_text("9.90")
    counter.scan(MUG)
    expect(counter.quantity("Teapot, cobalt")).to_have_value("2")
    expect(counter.lines).to_have_count(1)
    page.keyboard.type("bowl")
    page.get_by_role("button", name="Salad bowl").click()
    expect(counter.lines).to_have_count(2)
    page.get_by_role("button", name="One more Teapot, cobalt").click()
    expect(counter.total).to_have_text("54.20")
    page.screenshot(path="/tmp/shots/cart.png")
    assert stand.available("BOWL-1") == 0

    page.get_by_role("button", name="Pay").click()
    expect(counter.dialog.locator(".pay-due strong")).to_have_text("54.20")
    counter.dialog.get_by_label("Cash handed over").fill("60")
    expect(counter.dialog.get_by_text("Change")).to_be_visible()
    expect(counter.dialog.locator("output")).to_have_text("5.80")
    page.screenshot(path="/tmp/shots/pay.png")
    page.keyboard.press("Enter")

    receipt = page.locator("#receipt")
    expect(receipt.locator(".receipt-change")).to_have_text("Change5.80")
    expect(receipt.locator(".sheet")).to_contain_text("Salad bowl")
    page.screenshot(path="/tmp/shots/receipt.png")
    sale = stand.sales(status="completed")[0]
    assert (sale["total"], sale["change"], sale["cashier"]) == ("54.20", "5.80", "user:cashier@arcoiris.example")

    page.keyboard.press("Enter")
    expect(page.get_by_text("Scan the first product")).to_be_visible()
    expect(page.locator("#recent-rows li")).to_have_count(1)
    expect(page.locator("#scan")).to_be_focused()
