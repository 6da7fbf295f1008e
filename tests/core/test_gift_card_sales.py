"""Gift cards are sold, pay, get refunds and come back (docs/how-to/gift-cards.md)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.core.sales.cart import CancelSale, EditLine
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.refunds import RefundRequest
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from tests.core.scene import Scene
from tests.core.test_money_over_time import account, money, scene

__all__ = ["scene"]


@pytest.fixture
def cards(scene: Scene) -> Scene:
    """A product that is a gift card of any amount."""
    scene.product("GIFT", kind="gift_card", price=None)
    return scene


def sell_card(scene: Scene, amount: str = "50.00", units: int = 1, **fields: Any) -> Any:
    line = LineRequest("GIFT", units, amount, **fields)
    due = f"{float(amount) * units:.2f}"
    return scene.do(Checkout(scene.shop.stores["MAIN"], (line,), payments=(PaymentRequest("cash", due),)))


def pay(scene: Scene, sku: str, units: int, *payments: PaymentRequest) -> Any:
    return scene.do(Checkout(scene.shop.stores["MAIN"], (LineRequest(sku, units),), payments=payments))


def balance(scene: Scene, code: str) -> str:
    found = scene.shop.holdfast.reports.gift_card(scene.shop.org_id, code)
    assert found is not None
    return str(found["balance"])


def test_a_card_is_sold_and_spent(cards: Scene) -> None:
    sold = sell_card(cards)
    [card] = sold.gift_cards
    assert (card["amount"], account(cards, "2200"), account(cards, "4000")) == ("50.00", -5000, 0)
    paid = pay(cards, "CUP-1", 2, PaymentRequest("gift_card", "19.96", card["code"]))
    assert [(one["method"], one["amount"]) for one in paid.payments] == [("gift_card", "19.96")]
    assert (balance(cards, card["code"]), account(cards, "2200"), account(cards, "4000")) == ("30.04", -3004, -1996)
    shown = cards.shop.holdfast.reports.sale(cards.shop.org_id, sold.id)
    assert shown is not None and shown["gift_cards"] == [{"code": f"...{card['code'][-4:]}", "amount": "50.00"}]


def test_several_cards_and_a_printed_one(cards: Scene) -> None:
    sold = sell_card(cards, "10.00", 3)
    assert len({one["code"] for one in sold.gift_cards}) == 3
    printed = sell_card(cards, "20.00", code=" printed-77 ")
    assert printed.gift_cards == [{"code": "PRINTED-77", "amount": "20.00"}]
    again = LineRequest("GIFT", 1, "20.00", code="PRINTED-77")
    cards.refuses(OpenSale(cards.shop.stores["MAIN"], lines=(again,)), "ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (LineRequest("GIFT", 1), "PRICE_MISMATCH"),
        (LineRequest("GIFT", 1, "0.00"), "INVALID_AMOUNT"),
        (LineRequest("GIFT", 101, "1.00"), "INVALID_QUANTITY"),
        (LineRequest("GIFT", 2, "1.00", code="PRINTED-1"), "INVALID_REQUEST"),
        (LineRequest("GIFT", 1, "1.00", code="x"), "INVALID_REQUEST"),
        (LineRequest("GIFT", 1, "1.00", DiscountRequest(percent=10)), "INVALID_REQUEST"),
        (LineRequest("CUP-1", 1, code="PRINTED-1"), "INVALID_REQUEST"),
    ],
)
def test_cards_that_cannot_be_sold(cards: Scene, line: LineRequest, code: str) -> None:
    cards.refuses(OpenSale(cards.shop.stores["MAIN"], lines=(line,)), code, actor=cards.shop.staff)


def test_a_cart_with_a_card_keeps_its_rules(cards: Scene) -> None:
    cashier = cards.shop.cashier
    lines = (LineRequest("GIFT", 1, "30.00", code="PRINTED-5"), LineRequest("CUP-1", 1))
    sale = cards.shop.ok(OpenSale(cards.shop.stores["MAIN"], lines=lines), actor=cashier)
    cards.refuses(EditLine(sale.id, sale.lines[0].id, quantity=2), "INVALID_REQUEST")
    cards.refuses(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)), "INVALID_STATE")
    done = cards.do(CompleteSale(sale.id, (PaymentRequest("card", "39.98"),)))
    assert (done.gift_cards, account(cards, "4000")) == ([{"code": "PRINTED-5", "amount": "30.00"}], -998)


def test_a_discount_of_the_sale_leaves_cards_alone(cards: Scene) -> None:
    lines = (LineRequest("GIFT", 1, "50.00"), LineRequest("SOFA-1", 1))
    sale = cards.do(OpenSale(cards.shop.stores["MAIN"], lines=lines, discount=DiscountRequest(percent=10)))
    assert [line.discount for line in sale.lines] == ["0.00", "10.00"]
    assert cards.do(CompleteSale(sale.id, (PaymentRequest("card", "140.00"),))).gift_cards[0]["amount"] == "50.00"


@pytest.mark.parametrize(
    ("payment", "code"),
    [
        (PaymentRequest("gift_card", "50.01", "PRINTED-9"), "PAYMENT_MISMATCH"),
        (PaymentRequest("gift_card", "100.00", "PRINTED-9"), "PAYMENT_MISMATCH"),
        (PaymentRequest("gift_card", "50.00", "PRINTED-8"), "NOT_FOUND"),
        (PaymentRequest("gift_card", "50.00"), "INVALID_REQUEST"),
        (PaymentRequest("card", "50.00", "PRINTED-9"), "INVALID_REQUEST"),
    ],
)
def test_payments_that_a_card_cannot_make(cards: Scene, payment: PaymentRequest, code: str) -> None:
    sell_card(cards, code="PRINTED-9")
    sale = cards.do(OpenSale(cards.shop.stores["MAIN"], lines=(LineRequest("SOFA-1", 1),)))
    cards.refuses(TakePayment(sale.id, payment), code)
    assert balance(cards, "PRINTED-9") == "50.00"


def test_a_deposit_by_card_goes_back_to_it(cards: Scene) -> None:
    sell_card(cards, code="PRINTED-9")
    sale = cards.do(OpenSale(cards.shop.stores["MAIN"], lines=(LineRequest("SOFA-1", 1),)))
    cards.do(TakePayment(sale.id, PaymentRequest("gift_card", "40.00", "PRINTED-9")))
    assert balance(cards, "PRINTED-9") == "10.00"
    cards.do(CancelSale(sale.id))
    assert (balance(cards, "PRINTED-9"), account(cards, "2200")) == ("50.00", -5000)


def test_one_payment_with_the_same_card_twice(cards: Scene) -> None:
    sell_card(cards, code="PRINTED-9")
    twice = PaymentRequest("gift_card", "30.00", "PRINTED-9")
    line = (LineRequest("SOFA-1", 1),)
    store = cards.shop.stores["MAIN"]
    cards.refuses(Checkout(store, line, payments=(twice, twice, PaymentRequest("cash", "40.00"))), "PAYMENT_MISMATCH")
    assert balance(cards, "PRINTED-9") == "50.00"


def test_a_refund_goes_to_a_card(cards: Scene) -> None:
    sell_card(cards, code="PRINTED-9")
    sale = pay(cards, "SOFA-1", 1, PaymentRequest("gift_card", "50.00", "PRINTED-9"), PaymentRequest("cash", "50.00"))
    line = (ReturnedLine(sale.lines[0].id, 1),)
    cashier = cards.shop.cashier
    over = ReturnSale(sale.id, line, "gift_card", code="PRINTED-9")
    cards.refuses(over, "PAYMENT_MISMATCH", actor=cashier)
    ways = (RefundRequest("gift_card", "50.00"), RefundRequest("cash", "50.00"))
    back = cards.shop.ok(ReturnSale(sale.id, line, refunds=ways), actor=cashier)
    code = back.refunds[0]["code"]
    assert (balance(cards, code), balance(cards, "PRINTED-9")) == ("50.00", "0.00")
    assert account(cards, "2200") == -5000


def test_a_card_comes_back_whole_or_not_at_all(cards: Scene) -> None:
    sold = sell_card(cards, "10.00", 2)
    line = ReturnedLine(sold.lines[0].id, 1)
    pay(cards, "CUP-1", 1, PaymentRequest("gift_card", "9.98", sold.gift_cards[0]["code"]))
    cards.do(ReturnSale(sold.id, (line,), "cash"))
    assert account(cards, "2200") == -2
    cards.refuses(ReturnSale(sold.id, (line,), "cash"), "INVALID_STATE")
    whole = sold.gift_cards[1]["code"]
    cards.refuses(
        Checkout(
            cards.shop.stores["MAIN"],
            (LineRequest("CUP-1", 1),),
            payments=(PaymentRequest("gift_card", "9.98", whole),),
        ),
        "INVALID_STATE",
    )


def test_a_card_is_made_when_it_is_paid(cards: Scene) -> None:
    """Else whoever may sell could make money."""
    lines = (LineRequest("GIFT", 1, "50.00"), LineRequest("CUP-1", 1))
    sale = cards.do(OpenSale(cards.shop.stores["MAIN"], lines=lines))
    cards.refuses(CompleteSale(sale.id), "PAYMENT_MISMATCH")
    cards.refuses(Fulfill(sale.id, (ShipLine(sale.lines[1].id, 1),)), "PAYMENT_MISMATCH")
    cards.do(TakePayment(sale.id, PaymentRequest("card", "59.98")))
    assert cards.do(CompleteSale(sale.id)).gift_cards[0]["amount"] == "50.00"


def test_of_several_cards_it_is_said_which_comes_back(cards: Scene) -> None:
    sold = sell_card(cards, "10.00", 3)
    codes = [one["code"] for one in sold.gift_cards]
    line = sold.lines[0].id
    cards.refuses(ReturnSale(sold.id, (ReturnedLine(line, 1),), "cash"), "INVALID_REQUEST")
    cards.refuses(ReturnSale(sold.id, (ReturnedLine(line, 1, code="PRINTED-9"),), "cash"), "INVALID_STATE")
    cards.do(ReturnSale(sold.id, (ReturnedLine(line, 1, code=codes[1].lower()),), "cash"))
    assert [balance(cards, code) for code in codes] == ["10.00", "0.00", "10.00"]
    cards.do(ReturnSale(sold.id, (ReturnedLine(line, 2),), "cash"))
    assert account(cards, "2200") == 0


def test_a_card_with_fees_comes_back(cards: Scene) -> None:
    """The fee is shared by the lines, the card among them; its value goes back to the last cent."""
    lines = (LineRequest("GIFT", 1, "50.00"), LineRequest("SOFA-1", 1))
    sale = cards.do(OpenSale(cards.shop.stores["MAIN"], lines=lines, fees=(FeeRequest("Wrapping", "3.00"),)))
    done = cards.do(CompleteSale(sale.id, (PaymentRequest("card", "153.00"),)))
    back = cards.do(ReturnSale(done.id, tuple(ReturnedLine(line.id, 1) for line in done.lines), "card"))
    assert (back.refund_total, account(cards, "2200"), money(cards)) == ("153.00", 0, (0, 0))


def test_money_off_leaves_cards_alone(cards: Scene) -> None:
    lines = (LineRequest("GIFT", 1, "50.00"), LineRequest("SOFA-1", 1))
    sale = cards.do(OpenSale(cards.shop.stores["MAIN"], lines=lines))
    done = cards.do(CompleteSale(sale.id, (PaymentRequest("card", "150.00"),)))
    cards.refuses(MoneyOff(done.id, "100.01", "late", "card"), "INVALID_AMOUNT")
    off = cards.do(MoneyOff(done.id, "10.00", "late", "card"))
    assert [line.sku for line in off.lines] == ["SOFA-1"]


def test_a_payment_by_card_is_no_wrong_button(cards: Scene) -> None:
    sell_card(cards, code="PRINTED-9")
    sale = pay(cards, "CUP-1", 1, PaymentRequest("gift_card", "9.98", "PRINTED-9"))
    cards.refuses(CorrectPayment(sale.id, sale.payments[0]["id"], "cash"), "INVALID_STATE")
    assert replace(PaymentRequest("cash", "1.00"), code=None).code is None
