"""Money over time under concurrency: what is owed is paid once, a tender is corrected once, goods pay once."""

from __future__ import annotations

from holdfast.check import check
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from tests.races.stand import Tally, do, found, open_shop, rush, stock_up
from tests.races.test_sales import sell, store_of
from tests.shop import rows


def _cash(shop) -> int:
    found = rows(shop.database, "SELECT amount FROM posting WHERE account = '1000'")
    return sum(line["amount"] for line in found)


def test_what_is_owed_is_paid_once(database_url):
    """Twenty tills take the same 19.80: one has it."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 5, price=990)
        sale = do(shop, actor, OpenSale(store_of(shop), lines=(LineRequest("MUG-1", 2),)))
        do(shop, actor, CompleteSale(sale.id))

        tally = Tally(rush([shop, other], actor, [TakePayment(sale.id, PaymentRequest("cash", "19.80"))] * 20))

        assert (tally.accepted, tally.refused, tally.failed) == (1, {"PAYMENT_MISMATCH": 19}, [])
        assert _cash(shop) == 1980
        assert check(shop.database).mismatches == []


def test_deposits_completion_and_giving_up_end_in_one_way(database_url):
    """Ten deposits of 1.00, completing and giving up at once: what stands of the deposits is what the sale has."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50, price=990)
        for turn in range(6):
            sale = do(shop, actor, OpenSale(store_of(shop), lines=(LineRequest("MUG-1", 2),)))
            before = _cash(shop)
            ends = [CompleteSale(sale.id), CancelSale(sale.id)][:: 1 if turn % 2 else -1]
            deposits = [TakePayment(sale.id, PaymentRequest("cash", "1.00"))] * 10

            tally = Tally(rush([shop, other], actor, [*deposits[:5], *ends, *deposits[5:]]))

            assert tally.failed == []
            [kept] = rows(shop.database, f"SELECT status, paid, change FROM sale WHERE id = '{sale.id}'")
            assert kept["status"] in ("completed", "cancelled")
            assert _cash(shop) - before == kept["paid"] - kept["change"]
            assert kept["status"] == "completed" or not kept["paid"]
        assert check(shop.database).mismatches == []


def test_goods_pay_once(database_url):
    """Two units came from one sale: exchanges and returns of the same line share them, and no cent comes twice."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50, price=990)
        store = store_of(shop)
        old = do(shop, actor, sell(store, "MUG-1", units=2))
        line = (ReturnedLine(old.lines[0].id, 1),)
        exchange = Checkout(store, (LineRequest("MUG-1", 1),), exchange=Exchanged((ExchangedSale(old.id, line),)))
        commands = [exchange, ReturnSale(old.id, line, "cash"), MoneyOff(old.id, "0.10", "late", "cash")] * 10

        tally = Tally(rush([shop, other], actor, commands))

        assert tally.failed == []
        sums = "SELECT refunded, due FROM sale s JOIN sale_line l ON l.sale_id = s.id"
        [row] = rows(shop.database, f"{sums} WHERE s.id = '{old.id}'")
        assert row["refunded"] == row["due"] == 1980
        assert check(shop.database).mismatches == []


def test_a_tender_is_corrected_once(database_url):
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50, price=990)
        sale = do(shop, actor, sell(store_of(shop), "MUG-1"))
        payment = sale.payments[0]["id"]

        tally = Tally(rush([shop, other], actor, [CorrectPayment(sale.id, payment, "card")] * 20))

        assert (tally.accepted, tally.refused, tally.failed) == (1, {"INVALID_STATE": 19}, [])
        assert _cash(shop) == 0
        assert check(shop.database).mismatches == []


def test_one_card_is_not_spent_twice(database_url):
    """20.00 on a card, thirty sales of 9.90 by it at two executors: two of them are paid, the rest is left on it."""
    with open_shop(database_url, batch_max=5) as shop, open_shop(database_url, batch_max=5) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50, price=990)
        stock_up(shop, actor, "GIFT", 0, price=2000, kind="gift_card")
        store = store_of(shop)
        sold = do(shop, actor, Checkout(store, (LineRequest("GIFT", 1),), payments=(PaymentRequest("cash", "20.00"),)))
        by_card = (PaymentRequest("gift_card", "9.90", sold.gift_cards[0]["code"]),)

        tally = Tally(rush([shop, other], actor, [Checkout(store, (LineRequest("MUG-1", 1),), payments=by_card)] * 30))

        assert (tally.accepted, tally.refused, tally.failed) == (2, {"PAYMENT_MISMATCH": 28}, [])
        assert rows(shop.database, "SELECT balance FROM gift_card") == [{"balance": 20}]
        assert check(shop.database).mismatches == []
