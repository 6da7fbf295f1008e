"""The makers' page as docs/how-to/make.md has it: on a phone, by keyboard, by scanner; what is refused; undo."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Site, Watched
from tests.browser.test_accessibility import DANGLING, DOUBLED_IDS
from tests.browser.test_till_looks import CUT, SEEN, SMALL, TARGET
from tests.docs.pages import DOCS
from tests.pages.household import PASSWORD

OWNER, STAFF, CASHIER = (f"{who}@arcoiris.example" for who in ("owner", "staff", "cashier"))
JAM = "4006381333931"
"""The code of JAM-1: 6.50, 8 at MAIN."""
SLOWLY_MILLISECONDS = 90
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DARK_TABLET = {"viewport": {"width": 768, "height": 1024}, "color_scheme": "dark"}


class Bench:
    """A maker at the page, and what the API says of the shop."""

    def __init__(self, watched: Watched) -> None:
        self.page: Page = watched.page
        self.site: Site = watched.site

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API as the owner; the document. It must be granted."""
        answer = self.site.api.request(method, path, json=body)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    def sign_in(self, email: str = OWNER, path: str = "/simple") -> Page:
        """Sign in on the way to a path."""
        self.page.goto(self.site.address + path)
        self.page.get_by_label("Email address").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="What is left", level=1)).to_be_visible()
        expect(self.page.locator("#left-list li, #empty:not([hidden])").first).to_be_visible()
        return self.page

    def left(self, sku: str) -> Any:
        """What the API says can be sold."""
        return self.ask("GET", f"/products/{sku}")["total_available"]

    def lots(self) -> dict[str, Any]:
        """The lots by their codes."""
        return {one["lot_code"]: one for one in self.ask("GET", "/inventory/lots")["items"]}

    def row(self, title: str) -> Locator:
        """The row of a product in the list."""
        return self.page.locator("#left-list li").filter(has_text=title)

    def choose(self, words: str, title: str) -> None:
        """Type words into the dialog and tap what they find."""
        self.dialog.get_by_label("Which product?").fill(words)
        self.dialog.locator("#found li").filter(has_text=title).get_by_role("button").click()
        expect(self.quantity).to_be_focused()

    def scan(self, code: str) -> None:
        """What a scanner does: the code and Enter, into whatever has the focus."""
        self.page.keyboard.type(code + "\n")

    @property
    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.get_by_role("dialog")

    @property
    def quantity(self) -> Locator:
        """How many."""
        return self.page.locator("#quantity")

    @property
    def now(self) -> Locator:
        """What was done last."""
        return self.page.locator("#now-list li").first


@pytest.fixture
def bench(watched: Watched) -> Bench:
    """A shop in simple mode with 8 jars of jam."""
    bench = Bench(watched)
    bench.ask("PATCH", "/settings", {"mode": "simple"})
    bench.ask("POST", "/products", {"sku": "JAM-1", "title": "Plum jam", "price": "6.50", "gtin": JAM})
    line = {"product_id": "JAM-1", "quantity": 8, "unit_cost": "2.00", "lot_code": "OLD"}
    bench.ask("POST", "/receipts", {"location": "MAIN", "lines": [line]})
    return bench


def looks_right(page: Page) -> None:
    """Everything has a name, a finger hits it, and nothing is cut off at the side."""
    page.wait_for_timeout(200)
    for rule in (SEEN, DOUBLED_IDS, DANGLING, CUT):
        assert page.evaluate(rule) == [], rule
    assert page.evaluate(SMALL, TARGET) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def steps() -> list[str]:
    """The buttons that the numbered steps of the page name, in their order."""
    text = (DOCS / "how-to" / "make.md").read_text(encoding="utf-8")
    return [name for line in re.findall(r"^\d\. .*", text, re.MULTILINE) for name in re.findall(r'"([^"]+)"', line)]


@pytest.mark.parametrize("watched", [PHONE], indirect=True, ids=["phone"])
def test_the_steps_of_the_page_of_the_docs(watched: Watched) -> None:
    """A shop without a product; each button that a step names is pressed, in the order of the page."""
    bench = Bench(watched)
    bench.ask("PATCH", "/settings", {"mode": "simple"})
    for product in bench.ask("GET", "/products")["items"]:
        bench.ask("PATCH", f"/products/{product['id']}", {"active": False})
    page, buttons = bench.sign_in(path="/"), iter(steps())

    def press() -> str:
        name = next(buttons)
        page.get_by_role("button", name=name, exact=True).and_(page.locator(":visible")).first.tap()
        return name

    assert press() == "Make the first product"
    bench.dialog.get_by_label("Name").fill("Crème brûlée soap")
    bench.dialog.get_by_label("Price").fill("4,20")
    assert press() == "Make it"
    expect(bench.dialog).to_contain_text("How many did you make?")
    page.keyboard.press("Escape")
    expect(bench.dialog).to_be_hidden()
    assert [one["sku"] for one in bench.ask("GET", "/products?active=true")["items"]] == ["CREME-BRULEE-SOAP"]

    assert press() == "I made"
    bench.choose("soap", "Crème brûlée soap")
    bench.quantity.fill("12")
    assert press() == "I made them"
    expect(bench.now).to_contain_text("12 × Crème brûlée soap made. 12 left.")

    assert press() == "I sold"
    bench.choose("soap", "Crème brûlée soap")
    bench.dialog.get_by_role("button", name="One more").tap()
    bench.dialog.get_by_role("button", name="One more").tap()
    assert press() == "I sold them"
    expect(bench.now).to_contain_text("2 × Crème brûlée soap sold for 8.40. 10 left.")

    assert press() == "I counted"
    bench.choose("soap", "Crème brûlée soap")
    bench.quantity.fill("7")
    assert press() == "I counted them"
    expect(bench.now).to_contain_text("counted: 3 fewer than we thought. 7 left.")
    expect(bench.row("soap").locator(".left-number")).to_have_text("7 left")
    assert next(buttons, None) is None
    assert bench.left("CREME-BRULEE-SOAP") == 7


def test_what_was_made_is_a_batch_of_its_own_and_can_be_taken_back(bench: Bench) -> None:
    page = bench.sign_in()
    bench.row("Plum jam").get_by_role("button").click()
    bench.quantity.fill("5")
    bench.dialog.get_by_text("Batch and cost").click()
    bench.dialog.get_by_label("Batch", exact=True).fill("PLUM-7")
    bench.dialog.get_by_label("What one cost you").fill("2,25")
    page.get_by_role("button", name="I made them").click()
    expect(bench.now).to_contain_text("5 × Plum jam made. 13 left.")
    lots = bench.lots()
    assert (lots["PLUM-7"]["on_hand"], lots["PLUM-7"]["unit_cost"]) == (5, "2.25")

    bench.now.get_by_role("button", name="Undo").click()
    expect(bench.now).to_contain_text("Taken back. Plum jam: 8 left.")
    assert (bench.lots()["OLD"]["on_hand"], bench.left("JAM-1")) == (8, 8)


def test_what_expires_is_asked_for_its_day(bench: Bench) -> None:
    bench.ask("PATCH", "/products/JAM-1", {"track_expiry": True})
    page = bench.sign_in()
    bench.row("Plum jam").get_by_role("button").click()
    bench.quantity.fill("5")
    bench.dialog.get_by_label("Best before").fill("2031-05-31")
    page.get_by_role("button", name="I made them").click()
    expect(bench.now).to_contain_text("5 × Plum jam made. 13 left.")
    assert [one["expires_at"][:10] for one in bench.lots().values() if one["expires_at"]] != []
    page.get_by_role("button", name="I made", exact=True).click()
    bench.choose("plum", "Plum jam")
    expect(bench.dialog.get_by_label("Best before")).to_have_value("")


def test_a_long_list_is_read_on_and_stays_as_long(bench: Bench) -> None:
    for number in range(120):
        bench.ask("POST", "/products", {"sku": f"ROW-{number:03}", "title": f"Row {number:03}"})
    page = bench.sign_in()
    rows = page.locator("#left-list li")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="More products").click()
    expect(rows).to_have_count(100)
    expect(rows.nth(50).get_by_role("button")).to_be_focused()
    bench.site.adjust("JAM-1", -3)
    expect(bench.row("Plum jam").locator(".left-number")).to_have_text("5 left")
    page.get_by_role("button", name="More products").click()
    expect(rows).to_have_count(123)
    expect(page.get_by_role("button", name="More products")).to_be_hidden()
    page.get_by_role("searchbox").fill("row 11")
    expect(rows).to_have_count(11)  # 110 to 119, and 011


def test_what_was_sold_comes_back_with_its_money(bench: Bench) -> None:
    page = bench.sign_in(path="/simple/sell")
    expect(bench.dialog.get_by_label("Which product?")).to_be_focused()
    bench.choose("plum", "Plum jam")
    expect(bench.dialog).to_contain_text("6.50 USD each, as usual.")
    bench.quantity.fill("3")
    bench.dialog.get_by_text("Card", exact=True).click()
    bench.dialog.get_by_text("Online", exact=True).click()
    page.get_by_role("button", name="I sold them").click()
    expect(bench.now).to_contain_text("3 × Plum jam sold for 19.50. 5 left.")
    [sale] = bench.ask("GET", "/sales")["items"]
    assert (sale["status"], sale["source"], sale["paid"]) == ("completed", "online", "19.50")
    assert [one["method"] for one in sale["payments"]] == ["card"]

    page.keyboard.press("u")
    expect(bench.now).to_contain_text("Taken back. Plum jam: 8 left.")
    [returned] = bench.ask("GET", "/returns")["items"]
    assert (returned["sale_id"], returned["refund_total"]) == (sale["id"], "19.50")


def test_more_than_there_is_is_refused_beside_the_number_and_holds_nothing(bench: Bench) -> None:
    page = bench.sign_in()
    page.get_by_role("button", name="I sold").click()
    bench.choose("plum", "Plum jam")
    bench.quantity.fill("9")
    page.keyboard.press("Enter")
    problem = page.locator("#problem-quantity")
    expect(problem).to_have_text("Only 8 are left there. If there are more on the shelf, count them first.")
    expect(bench.quantity).to_be_focused()
    expect(bench.quantity).to_have_attribute("aria-invalid", "true")
    assert bench.left("JAM-1") == 8 and bench.ask("GET", "/sales")["items"] == []

    bench.quantity.fill("none")
    page.keyboard.press("Enter")
    expect(problem).to_have_text("Give a number above 0.")
    bench.quantity.fill("1")
    expect(problem).to_be_hidden()
    bench.dialog.get_by_label("Another price for one").fill("cheap")
    page.get_by_role("button", name="I sold them").click()
    expect(page.locator("#problem-price")).to_be_visible()
    expect(bench.dialog.get_by_label("Another price for one")).to_be_focused()
    assert bench.ask("GET", "/sales")["items"] == []


def test_what_has_no_price_is_given_one_by_a_manager(bench: Bench) -> None:
    bench.ask("PATCH", "/products/JAM-1", {"price": None})
    page = bench.sign_in(path="/simple/sell")
    bench.choose("plum", "Plum jam")
    expect(bench.dialog).to_contain_text("It has no price yet: give one below.")
    bench.quantity.fill("2")
    bench.dialog.get_by_label("Another price for one").fill("5,25")
    page.keyboard.press("Enter")
    expect(bench.now).to_contain_text("2 × Plum jam sold for 10.50. 6 left.")

    page.context.clear_cookies()
    bench.sign_in(STAFF, "/simple/sell")
    bench.choose("plum", "Plum jam")
    expect(bench.dialog).to_contain_text("It has no price yet: a manager gives it one.")
    bench.quantity.fill("1")
    page.keyboard.press("Enter")
    expect(page.locator("#problem-all")).to_contain_text("Nothing was sold.")
    assert bench.left("JAM-1") == 6


def test_what_waits_for_stock_is_not_sold_and_nothing_stays_held(bench: Bench) -> None:
    """A product that may be promised beyond its stock is refused by the second request of a sale."""
    bench.ask("PATCH", "/products/JAM-1", {"oversell": "backorder"})
    page = bench.sign_in()
    bench.row("Plum jam").get_by_role("button").click()
    bench.dialog.get_by_text("I sold", exact=True).click()
    bench.quantity.fill("9")
    page.keyboard.press("Enter")
    expect(page.locator("#problem-quantity")).to_contain_text("Only 8 are left there.")
    [sale] = bench.ask("GET", "/sales")["items"]
    assert sale["status"] == "cancelled"
    assert bench.left("JAM-1") == 8


def test_an_answer_that_is_lost_sells_once(bench: Bench, watched: Watched) -> None:
    page = bench.sign_in()
    lost: list[str] = []

    def lose(route: Route) -> None:
        response = route.fetch()
        lost.append(route.request.url)
        route.abort() if len(lost) == 1 else route.fulfill(response=response)

    page.route("**/complete", lose)
    page.get_by_role("button", name="I sold").click()
    bench.choose("plum", "Plum jam")
    bench.quantity.fill("2")
    page.keyboard.press("Enter")
    expect(page.locator("#problem-all")).to_contain_text("it is not known whether this was done")
    page.get_by_role("button", name="I sold them").click()
    expect(bench.now).to_contain_text("2 × Plum jam sold for 13.00. 6 left.")
    assert len(bench.ask("GET", "/sales")["items"]) == 1
    assert watched.complaints == ["Failed to load resource: net::ERR_FAILED"]
    watched.complaints.clear()


def test_who_gives_up_without_an_answer_is_told_what_was_done(bench: Bench, watched: Watched) -> None:
    """The sale was completed and its answer was lost; then another one was opened and never completed."""
    page = bench.sign_in()

    def sell_without_an_answer(quantity: str) -> None:
        page.get_by_role("button", name="I sold").click()
        bench.choose("plum", "Plum jam")
        bench.quantity.fill(quantity)
        page.keyboard.press("Enter")
        expect(page.locator("#problem-all")).to_be_visible()
        page.keyboard.press("Escape")

    def done_unheard(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/complete", done_unheard)
    sell_without_an_answer("2")
    expect(bench.now).to_contain_text("2 × Plum jam sold for 13.00. 6 left.")
    page.unroute("**/complete")
    page.route("**/complete", lambda route: route.abort())
    sell_without_an_answer("3")
    expect(bench.row("Plum jam").locator(".left-number")).to_have_text("6 left")
    page.wait_for_function("fetch('/api/v1/sales?status=open').then((a) => a.json()).then((a) => !a.items.length)")
    assert sorted(one["status"] for one in bench.ask("GET", "/sales")["items"]) == ["cancelled", "completed"]
    assert bench.left("JAM-1") == 6
    assert set(watched.complaints) == {"Failed to load resource: net::ERR_FAILED"}
    watched.complaints.clear()


def test_a_count_is_set_back_only_while_nothing_has_moved(bench: Bench) -> None:
    page = bench.sign_in(path="/simple/count")
    bench.choose("plum", "Plum jam")
    bench.quantity.fill("8")
    page.keyboard.press("Enter")
    expect(bench.now).to_contain_text("counted: just as many as we thought. 8 left.")
    expect(bench.now.get_by_role("button", name="Undo")).to_be_hidden()

    for counted in ("10", "6"):
        page.get_by_role("button", name="I counted").click()
        bench.choose("plum", "Plum jam")
        bench.quantity.fill(counted)
        page.keyboard.press("Enter")
        expect(bench.dialog).to_be_hidden()
    expect(bench.now).to_contain_text("4 fewer than we thought. 6 left.")
    older = page.locator("#now-list li").nth(1)
    older.get_by_role("button", name="Undo").click()
    expect(older.get_by_role("alert")).to_contain_text("Not taken back.")
    bench.now.get_by_role("button", name="Undo").click()
    expect(bench.now).to_contain_text("Taken back. Plum jam: 10 left.")
    older.get_by_role("button", name="Undo").click()
    expect(older).to_contain_text("Taken back. Plum jam: 8 left.")
    assert bench.left("JAM-1") == 8


def test_a_scan_opens_its_product_and_is_never_a_number(bench: Bench) -> None:
    page = bench.sign_in()
    expect(bench.row("Plum jam")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    bench.scan(JAM)
    expect(bench.dialog).to_contain_text("Plum jam")
    expect(bench.quantity).to_be_focused()
    page.keyboard.type("2", delay=SLOWLY_MILLISECONDS)
    page.wait_for_timeout(200)
    bench.scan(JAM)
    expect(page.locator("#problem-quantity")).to_contain_text("That was a scan, not a number.")
    expect(bench.quantity).to_have_value("2")
    bench.quantity.fill(JAM)  # by a scanner that is as slow as a person
    page.get_by_role("button", name="I made them").click()
    expect(page.locator("#problem-quantity")).to_contain_text("That was a scan, not a number.")
    expect(bench.quantity).to_have_value("")
    assert bench.left("JAM-1") == 8

    page.get_by_role("button", name="Other product").click()
    bench.scan("5901234123457")
    expect(page.locator("#problem-product")).to_have_text("No product has the code or the name “5901234123457”.")
    page.get_by_role("button", name="Make this product").click()
    expect(bench.dialog.get_by_label("Barcode")).to_have_value("5901234123457")
    bench.dialog.get_by_label("Name").fill("Pear jam")
    bench.dialog.get_by_label("Short code").fill("JAM-1")
    page.keyboard.press("Enter")
    expect(page.locator("#problem-sku")).to_be_visible()
    bench.dialog.get_by_label("Short code").fill("JAM-2")
    page.keyboard.press("Enter")
    expect(bench.dialog).to_contain_text("How many did you make?")
    bench.quantity.fill("4")
    page.keyboard.press("Enter")
    expect(bench.row("Pear jam").locator(".left-number")).to_have_text("4 left")


def test_all_of_it_by_keyboard(bench: Bench) -> None:
    page = bench.sign_in()
    expect(bench.row("Plum jam")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("s")
    expect(bench.dialog.get_by_label("Which product?")).to_be_focused()
    page.keyboard.type("plum")
    expect(page.locator("#found li")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(bench.quantity).to_be_focused()
    page.keyboard.type("1", delay=SLOWLY_MILLISECONDS)
    page.keyboard.press("Enter")
    expect(bench.now).to_contain_text("1 × Plum jam sold for 6.50. 7 left.")
    expect(page.get_by_role("button", name="I sold")).to_be_focused()
    page.keyboard.press("u")
    expect(bench.now).to_contain_text("Taken back. Plum jam: 8 left.")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("lantern", delay=SLOWLY_MILLISECONDS)
    expect(page.locator("#left-list li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(bench.dialog).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(bench.dialog).to_contain_text("Keys of this page")


def test_what_others_do_is_seen(bench: Bench) -> None:
    page = bench.sign_in()
    page.wait_for_selector('#live[data-state="on"]')
    expect(bench.row("Plum jam").locator(".left-number")).to_have_text("8 left")
    bench.site.adjust("JAM-1", -3)
    expect(bench.row("Plum jam").locator(".left-number")).to_have_text("5 left")


def test_staff_undo_no_batch_and_cashiers_only_sell(bench: Bench) -> None:
    page = bench.sign_in(STAFF)
    bench.row("Plum jam").get_by_role("button").click()
    expect(bench.dialog.get_by_label("Another price for one")).to_have_count(0)
    bench.quantity.fill("1")
    page.keyboard.press("Enter")
    expect(bench.now).to_contain_text("1 × Plum jam made. 9 left.")
    expect(bench.now.get_by_role("button", name="Undo")).to_be_hidden()

    page.context.clear_cookies()
    bench.sign_in(CASHIER, "/simple/count")
    expect(bench.dialog).to_be_hidden()
    expect(page.get_by_role("button", name="I made")).to_have_count(0)
    expect(page.get_by_role("button", name="I counted")).to_have_count(0)
    page.get_by_role("button", name="I sold").click()
    bench.choose("plum", "Plum jam")
    bench.quantity.fill("1")
    bench.dialog.get_by_text("Not yet", exact=True).click()
    page.get_by_role("button", name="I sold them").click()
    expect(bench.now).to_contain_text("1 × Plum jam sold for 6.50, to be paid. 8 left.")
    bench.now.get_by_role("button", name="Undo").click()
    expect(bench.now).to_contain_text("Taken back. Plum jam: 9 left.")


@pytest.mark.parametrize("watched", [PHONE, DARK_TABLET], indirect=True, ids=["phone", "tablet-dark"])
def test_every_part_looks_right(bench: Bench) -> None:
    page = bench.sign_in()
    expect(bench.row("Plum jam")).to_be_visible()
    looks_right(page)
    for act, button in (("made", "I made"), ("sold", "I sold"), ("counted", "I counted")):
        page.get_by_role("button", name=button, exact=True).click()
        expect(bench.dialog.locator("#found li").first).to_be_visible()
        looks_right(page)
        bench.choose("plum", "Plum jam")
        if act == "made":
            bench.dialog.get_by_text("Batch and cost").click()
        looks_right(page)
        bench.quantity.fill("x")
        page.keyboard.press("Enter")
        expect(page.locator("#problem-quantity")).to_be_visible()
        looks_right(page)
        page.keyboard.press("Escape")
        expect(bench.dialog).to_be_hidden()
    page.get_by_role("button", name="New product").click()
    looks_right(page)
