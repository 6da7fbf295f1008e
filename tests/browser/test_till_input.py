"""What types into a till: a scanner at any moment, a keyboard alone, a finger on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched
from tests.browser.counter import BOWL, CASHIER_PIN, MUG, Counter, Stand
from tests.pages.household import PASSWORD

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LATENCY_MILLISECONDS = 300
SLOW_LINE = {
    "offline": False,
    "latency": LATENCY_MILLISECONDS,
    "downloadThroughput": -1,
    "uploadThroughput": -1,
}
TARGET = 44

SMALL = """(least) => [...document.querySelectorAll('button, a, input, select, [role=tab]')]
  .filter((one) => one.checkVisibility() && !one.closest('header, footer, .skip') && !one.classList.contains('skip'))
  .map((one) => [one.closest('label')?.getBoundingClientRect() ?? one.getBoundingClientRect(), one])
  .filter(([box]) => box.width > 1 && (Math.round(box.width) < least || Math.round(box.height) < least))
  .map(([box, one]) => `${Math.round(box.width)}x${Math.round(box.height)} ${one.outerHTML.slice(0, 90)}`)"""


@pytest.fixture
def stand(site: Site) -> Stand:
    """A shop with a till."""
    return Stand(site)


@pytest.fixture
def counter(stand: Stand, watched: Watched) -> Counter:
    """A till that is not open yet."""
    return Counter(watched)


def slow_down(page: Page) -> None:
    """Every request takes LATENCY_MILLISECONDS longer from now on."""
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW_LINE)


def test_ten_scans_ahead_of_a_slow_line_all_arrive(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    slow_down(page)
    for _ in range(9):
        counter.scan(MUG)
    counter.scan(BOWL)
    expect(page.locator(".pos-live")).to_contain_text("on the way")
    expect(counter.quantity("Teapot, cobalt")).to_have_value("9", timeout=20_000)
    expect(counter.line("Salad bowl")).to_be_visible()
    expect(counter.total).to_have_text("113.60")
    assert stand.available("POT-1") == 3


def test_a_scan_while_a_quantity_is_typed_is_no_quantity(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F2")
    expect(counter.quantity("Teapot, cobalt")).to_be_focused()
    counter.scan(BOWL)
    expect(counter.line("Salad bowl")).to_be_visible()
    expect(counter.quantity("Teapot, cobalt")).to_have_value("1")
    expect(page.locator("#scan")).to_be_focused()

    counter.line("Teapot").locator(".line-choose").click()
    page.keyboard.press("F2")
    counter.write("3")
    page.keyboard.press("Enter")
    expect(counter.total).to_have_text("54.20")
    page.keyboard.press("F2")
    counter.write("x")
    page.keyboard.press("Enter")
    expect(counter.said).to_contain_text("A quantity is a number, as 2 or 0.5.")
    expect(counter.quantity("Teapot, cobalt")).to_have_value("3")


def test_a_scan_while_it_is_paid_is_no_amount(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F9")
    counter.scan(BOWL)
    expect(counter.dialog.get_by_text("Pay is open. Esc, then it is added")).to_be_visible()
    expect(counter.dialog.get_by_label("Cash handed over")).to_have_value("")
    page.keyboard.press("Escape")
    expect(counter.line("Salad bowl")).to_be_visible()
    expect(counter.total).to_have_text("34.40")
    assert stand.sales(status="completed") == []


def test_a_scan_on_the_receipt_begins_the_next_sale(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F9")
    page.keyboard.press("F9")
    expect(page.locator("#receipt")).to_be_visible()
    counter.scan(BOWL)
    expect(page.locator("#receipt")).to_be_hidden()
    expect(counter.line("Salad bowl")).to_be_visible()
    expect(page.locator(".cart-head")).to_contain_text("S-000002")


def test_a_scan_where_nothing_is_typed_counts_and_words_find(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    page.locator(".pos-place").click()
    page.evaluate("document.activeElement.blur()")
    counter.scan(MUG)
    expect(counter.line("Teapot")).to_be_visible()
    expect(page.locator("#scan")).to_be_focused()

    counter.scan("olive wood")
    expect(page.get_by_role("list", name="Products found")).to_contain_text("Salad bowl")
    page.keyboard.press("Enter")
    expect(counter.line("Salad bowl")).to_be_visible()
    counter.write("beeswax zebra")
    expect(page.get_by_role("heading", name="Nothing for")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#scan")).to_have_value("")
    expect(counter.lines).to_have_count(2)


def test_weighed_goods_take_parts_of_a_unit(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan("TEA-1")
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F2")
    counter.write("0,25")
    page.keyboard.press("Enter")
    expect(counter.total).to_have_text("7.50")
    assert stand.available("TEA-1") == 2.25


def test_a_whole_sale_by_keyboard_alone(stand: Stand, counter: Counter) -> None:
    page = counter.page
    page.goto(counter.address + "/pos")
    page.keyboard.press("Tab")
    page.get_by_label("Email address").focus()
    page.keyboard.type("cashier@arcoiris.example")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Cash in the drawer")).to_be_focused()
    counter.write("80")
    page.keyboard.press("Tab")
    counter.write(CASHIER_PIN)
    page.keyboard.press("Enter")
    expect(page.locator("#scan")).to_be_focused()

    counter.write("candle")
    expect(page.get_by_role("list", name="Products found").get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(counter.line("Beeswax")).to_be_visible()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(2)
    page.keyboard.press("+")
    expect(counter.quantity("Teapot, cobalt")).to_have_value("2")
    page.keyboard.press("-")
    expect(counter.quantity("Teapot, cobalt")).to_have_value("1")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("+")
    expect(counter.quantity("Beeswax candle")).to_have_value("2")
    page.keyboard.press("F8")
    counter.write("Ana Lima")
    page.keyboard.press("Enter")
    expect(page.locator(".cart-head")).to_contain_text("Ana Lima")
    page.keyboard.press("?")
    expect(counter.dialog).to_contain_text("Quantity of the chosen line")
    page.keyboard.press("Escape")
    expect(counter.dialog).to_be_hidden()
    page.keyboard.press("Alt+p")
    counter.write("20")
    page.keyboard.press("Enter")
    expect(page.locator(".receipt-change")).to_contain_text("1.70")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Scan the first product")).to_be_visible()
    sale = stand.sales(status="completed")[0]
    assert (sale["customer"], sale["total"]) == ("Ana Lima", "18.30")


@pytest.mark.parametrize("watched", [PHONE], indirect=True)
def test_a_whole_sale_by_touch_on_a_phone(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    assert page.evaluate(SMALL, TARGET) == []
    page.locator("#scan").tap()
    page.keyboard.type("teapot", delay=80)
    page.get_by_role("button", name="Teapot, cobalt").tap()
    expect(counter.total).to_have_text("9.90")
    page.get_by_role("button", name="One more Teapot, cobalt").tap()
    expect(counter.total).to_have_text("19.80")
    expect(page.get_by_role("button", name="Pay")).to_be_in_viewport()
    assert page.evaluate(SMALL, TARGET) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at the side"
    page.get_by_role("button", name="Pay").tap()
    assert page.evaluate(SMALL, TARGET) == []
    counter.dialog.get_by_role("button", name="20.00").tap()
    expect(page.locator(".receipt-change")).to_contain_text("0.20")
    expect(page.get_by_role("button", name="Next sale")).to_be_in_viewport()
    assert page.evaluate(SMALL, TARGET) == []
    page.get_by_role("button", name="Next sale").tap()
    expect(page.get_by_text("Scan the first product")).to_be_visible()
