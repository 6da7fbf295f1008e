"""A day at the till: open, scan, change, get paid, set aside, take back, close."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, Watched
from tests.browser.counter import BOWL, CASHIER_PIN, MANAGER_PIN, MUG, STAFF_PIN, UNKNOWN, Counter, Stand


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
    assert stand.available("BOWL-1") == 0

    page.get_by_role("button", name="Pay").click()
    expect(counter.dialog.locator(".pay-due strong")).to_have_text("54.20")
    counter.dialog.get_by_label("Cash handed over").fill("60")
    expect(counter.dialog.get_by_text("Change")).to_be_visible()
    expect(counter.dialog.locator("output")).to_have_text("5.80")
    page.keyboard.press("Enter")

    receipt = page.locator("#receipt")
    expect(receipt.locator(".receipt-change")).to_have_text("Change5.80")
    expect(receipt.locator(".sheet")).to_contain_text("Salad bowl")
    sale = stand.sales(status="completed")[0]
    assert (sale["total"], sale["change"], sale["cashier"]) == ("54.20", "5.80", "user:cashier@arcoiris.example")

    page.keyboard.press("Enter")
    expect(page.get_by_text("Scan the first product")).to_be_visible()
    expect(page.locator("#recent-rows li")).to_have_count(1)
    expect(page.locator("#scan")).to_be_focused()


def test_card_and_cash_pay_a_sale_together(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan("2*" + MUG)
    expect(counter.total).to_have_text("19.80")
    page.keyboard.press("F9")
    counter.pay_by("Card")
    counter.dialog.get_by_label("Amount").fill("25")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_have_text("Only cash can be more than is due.")

    counter.dialog.get_by_label("Amount").fill("5.80")
    page.keyboard.press("Enter")
    expect(counter.dialog.locator(".pay-due")).to_contain_text("Still to pay14.00")
    expect(counter.dialog.get_by_role("list", name="Paid already")).to_contain_text("5.80")
    counter.pay_by("Cash")
    counter.dialog.get_by_label("Cash handed over").fill("0")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_have_text("Give an amount, as 14.00.")
    counter.dialog.get_by_role("button", name="20.00").click()

    expect(page.locator(".receipt-change")).to_contain_text("6.00")
    sale = stand.sales(status="completed")[0]
    assert [(one["method"], one["amount"]) for one in sale["payments"]] == [("card", "5.80"), ("cash", "20.00")]


def test_a_sale_is_set_aside_with_a_name_and_taken_back(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F4")
    expect(counter.said).to_contain_text("S-000001 is in the queue.")
    expect(page.get_by_text("Scan the first product")).to_be_visible()
    counter.said.get_by_role("button", name="Add a name").click()
    counter.write("Blue scarf")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Queue 1")).to_be_visible()
    assert stand.available("BOWL-1") == 0

    page.keyboard.press("F6")
    expect(counter.dialog).to_contain_text("Blue scarf")
    counter.write("nobody")
    expect(counter.dialog).to_contain_text("No sale in the queue has \u201cnobody\u201d.")
    counter.dialog.get_by_label("Find in the queue").fill("scarf")
    page.keyboard.press("Enter")
    expect(counter.dialog).to_be_hidden()
    expect(counter.line("Salad bowl")).to_be_visible()
    expect(page.locator(".cart-head")).to_contain_text("S-000001, Blue scarf")
    assert stand.sales(status="open")[0]["customer"] == "Blue scarf"


def test_goods_come_back_for_money_and_in_exchange(stand: Stand, counter: Counter) -> None:
    page = counter.open("50.00")
    counter.scan("3*" + MUG)
    expect(counter.total).to_have_text("29.70")
    page.keyboard.press("F9")
    page.keyboard.press("F9")
    expect(page.locator("#receipt")).to_be_visible()
    page.keyboard.press("Enter")

    page.keyboard.press("F7")
    counter.scan("S-999999")
    expect(counter.dialog.get_by_role("alert")).to_have_text("No sale has the number S-999999 here.")
    counter.scan("S-000001")
    expect(counter.dialog).to_contain_text("S-000001: 29.70 paid by Cash.")
    counter.dialog.get_by_role("button", name="Give the money back").click()
    expect(counter.dialog.get_by_role("alert")).to_have_text("Say how much comes back.")
    counter.dialog.get_by_role("button", name="One more Teapot, cobalt").click()
    counter.dialog.get_by_role("button", name="Give the money back").click()
    expect(counter.dialog.locator(".give-back")).to_have_text("Give back (Cash)9.90")
    counter.dialog.get_by_role("button", name="Done").click()
    assert stand.available("POT-1") == 10

    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F7")
    counter.scan("S-000001")
    counter.dialog.get_by_role("button", name="One more Teapot, cobalt").click()
    counter.dialog.get_by_role("button", name="Exchange").click()
    expect(page.locator("#exchange")).to_contain_text("S-000001: 1 Teapot, cobalt")
    page.keyboard.press("F9")
    expect(counter.dialog.locator(".pay-due strong")).to_have_text("14.60")
    page.keyboard.press("F9")
    expect(page.locator("#receipt .sheet")).to_contain_text("Exchange9.90")
    assert stand.available("POT-1") == 11


def test_an_exchange_for_less_asks_how_the_rest_goes_back(stand: Stand, counter: Counter) -> None:
    page = counter.open("50.00")
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F9")
    page.keyboard.press("F9")
    expect(page.locator("#receipt")).to_be_visible()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F7")
    counter.scan("S-000001")
    counter.dialog.get_by_role("button", name="One more Salad bowl").click()
    counter.dialog.get_by_role("button", name="Exchange").click()
    page.keyboard.press("F9")
    expect(counter.dialog.locator(".pay-due strong")).to_have_text("0.00")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_text("14.60 goes back to the customer")).to_be_visible()
    counter.dialog.get_by_role("button", name="In cash").click()
    expect(page.locator("#receipt")).to_be_visible()
    expect(page.locator(".receipt-big")).to_contain_text("Give back14.60")
    assert stand.available("BOWL-1") == 1


def test_a_return_without_a_receipt_needs_the_staff(stand: Stand, counter: Counter) -> None:
    page = counter.open("50.00")
    page.keyboard.press("F7")
    counter.dialog.get_by_role("button", name="No receipt").click()
    counter.write("POT-1")
    counter.dialog.get_by_label("Refund for one").fill("9.90")
    counter.dialog.get_by_role("button", name="Give the money back").click()
    expect(counter.dialog.get_by_role("alert")).to_be_visible()
    assert stand.available("POT-1") == 12
    counter.dialog.get_by_role("textbox", name="PIN", exact=True).fill(MANAGER_PIN)
    counter.dialog.get_by_role("button", name="Give the money back").click()
    expect(counter.dialog.locator(".give-back")).to_have_text("Give back (Cash)9.90")
    assert stand.available("POT-1") == 13


def test_a_gift_card_is_sold_and_pays(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan("CARD-1")
    expect(counter.dialog).to_contain_text("Gift card")
    counter.write("15")
    page.keyboard.press("Enter")
    expect(counter.total).to_have_text("15.00")
    page.keyboard.press("F9")
    page.keyboard.press("F9")
    printed = page.locator("#receipt .sheet-sums dt").filter(has_text="Gift card ")
    expect(printed).to_have_text(re.compile(r"^Gift card (\w{4}-){3}\w{4}$"))
    code = printed.inner_text().removeprefix("Gift card ")

    counter.scan("2*" + MUG)
    expect(counter.total).to_have_text("19.80")
    page.keyboard.press("F9")
    counter.pay_by("Gift card")
    counter.scan("NOSUCHCARD")
    expect(counter.dialog.get_by_role("alert")).to_contain_text("No gift card has this code.")
    counter.scan(code)
    expect(counter.dialog).to_contain_text("15.00 is on the card.")
    page.keyboard.press("Enter")
    expect(counter.dialog.locator(".pay-due strong")).to_have_text("4.80")
    counter.pay_by("Card")
    page.keyboard.press("Enter")
    expect(page.locator("#receipt .sheet")).to_contain_text("Gift card15.00")


def test_a_discount_needs_the_pin_of_the_staff(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan("2*" + MUG)
    expect(counter.total).to_have_text("19.80")
    page.keyboard.press("F3")
    expect(counter.dialog.get_by_role("heading")).to_have_text("Discount of Teapot, cobalt")
    counter.write("nonsense")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_have_text("Give a discount as 10% or 1.50; 0 takes it away.")
    counter.dialog.get_by_role("textbox", name="Discount").fill("10%")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_have_text("A discount needs the PIN of somebody of the staff.")
    counter.dialog.get_by_label("PIN of somebody of the staff").fill(CASHIER_PIN)
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_contain_text("prices:discount")
    counter.dialog.get_by_label("PIN of somebody of the staff").fill(STAFF_PIN)
    page.keyboard.press("Enter")
    expect(counter.dialog).to_be_hidden()
    expect(counter.total).to_have_text("17.82")
    expect(counter.line("Teapot")).to_contain_text("1.98 (10%)")
    page.keyboard.press("Shift+F3")
    expect(counter.dialog.get_by_role("heading")).to_have_text("Discount of the sale")


def test_a_line_that_is_removed_comes_back_by_undo(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(MUG)
    counter.scan(BOWL)
    expect(counter.lines).to_have_count(2)
    page.keyboard.press("Delete")
    expect(counter.lines).to_have_count(1)
    expect(counter.said).to_contain_text("Salad bowl, olive wood is removed.")
    counter.said.get_by_role("button", name="Undo").click()
    expect(counter.lines).to_have_count(2)
    page.get_by_role("button", name="Empty").click()
    expect(counter.dialog).to_contain_text("2 units are held, 34.40 in all.")
    counter.dialog.get_by_role("button", name="Give it up").click()
    expect(page.get_by_text("Scan the first product")).to_be_visible()
    assert stand.available("POT-1") == 12


def test_the_drawer_is_counted_and_closed(stand: Stand, counter: Counter) -> None:
    page = counter.open("100.00")
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F9")
    page.keyboard.press("F9")
    expect(page.locator("#receipt")).to_be_visible()
    page.keyboard.press("F10")
    expect(counter.dialog.locator("#x-report")).to_contain_text("Float100.00")
    expect(counter.dialog.locator("#x-report")).to_contain_text("shown when it was counted")
    counter.dialog.get_by_role("tab", name="Cash in or out").click()
    counter.dialog.get_by_label("Amount").fill("20")
    counter.dialog.get_by_role("button", name="Do it").click()
    expect(counter.dialog.get_by_role("alert")).to_be_visible()
    counter.dialog.get_by_role("button", name="Bank").click()
    counter.dialog.get_by_role("button", name="Do it").click()
    expect(counter.said).to_contain_text("20.00 taken out of the drawer: Bank.")

    counter.scan(BOWL)
    expect(counter.lines).to_have_count(1)
    page.keyboard.press("F10")
    counter.dialog.get_by_role("tab", name="Close").click()
    expect(counter.dialog).to_contain_text("The open cart S-000002 goes to the queue.")
    counter.dialog.get_by_label("Cash counted in the drawer").fill("89.00")
    counter.dialog.get_by_role("button", name="Close the drawer").click()
    report = page.locator("#z-report")
    expect(report).to_contain_text("Z report 1")
    expect(report).to_contain_text("Should be in the drawer89.90")
    expect(report).to_contain_text("Short0.90")
    assert [one["number"] for one in stand.sales(status="suspended")] == ["S-000002"]
    page.get_by_role("button", name="Open a drawer").click()
    expect(page.get_by_role("radio", name="Front")).to_be_enabled()


def test_somebody_else_takes_over_by_their_pin(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(MUG)
    expect(counter.lines).to_have_count(1)
    page.get_by_role("button", name="Cashier").click()
    counter.write("99")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_have_text("A PIN has 4 to 8 digits.")
    counter.dialog.get_by_label("PIN").fill("9999")
    page.keyboard.press("Enter")
    expect(counter.dialog.get_by_role("alert")).to_contain_text("PIN")
    for digit in STAFF_PIN:
        counter.dialog.get_by_role("button", name=digit, exact=True).click()
    counter.dialog.get_by_role("button", name="OK").click()
    expect(counter.dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Cashier Staff")).to_be_visible()
    expect(counter.lines).to_have_count(1)


def test_a_code_that_nobody_knows_waits_in_a_strip(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan(UNKNOWN)
    counter.scan(MUG)
    strips = page.locator("#strips")
    expect(strips).to_contain_text(f"Not known: {UNKNOWN}")
    expect(counter.lines).to_have_count(1)
    strips.get_by_role("button", name="Make the product").click()
    counter.write("Tall vase")
    counter.dialog.get_by_label("Price").fill("12.00")
    counter.dialog.get_by_label("PIN of a manager").fill(MANAGER_PIN)
    page.keyboard.press("Enter")
    expect(counter.said).to_contain_text("Tall vase is made.")
    expect(strips).not_to_contain_text(UNKNOWN)
    assert stand.ask("GET", f"/scan?code={UNKNOWN}")["title"] == "Tall vase"


def test_a_price_is_looked_up_without_a_line(stand: Stand, counter: Counter) -> None:
    page = counter.open()
    counter.scan("=" + MUG)
    expect(page.locator("#last")).to_have_text("Teapot, cobalt: 9.90 USD. 12 left here, 4 at East.")
    expect(counter.lines).to_have_count(0)
    assert stand.sales() == []
