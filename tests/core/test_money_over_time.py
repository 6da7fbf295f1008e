"""Money over time: deposits, what is owed, corrected tenders, refunds by several methods, money off.

See docs/how-to/get-paid.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from holdfast.check import check
from holdfast.core.organisation.settings import AddRegister, AddTaxRate
from holdfast.core.records.rejection import Rejected
from holdfast.core.sales.cart import CancelSale, EditLine
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.documents import SaleDocument
from holdfast.core.sales.order_entry import FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.refunds import RefundRequest
from holdfast.core.sales.register import CloseSession, OpenSession
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from tests.core.books import balances, book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """Sofas at 100.00, cups at 9.98, coins of 0.05."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        shop.settings(cash_rounding="0.05")
        scene.product("SOFA-1", price=10000)
        scene.product("CUP-1", price=998)
        scene.given("SOFA-1 MAIN  A 50 @10.00\nCUP-1 MAIN  B 50 @1.00")
        yield scene
        sound(scene)


def sound(scene: Scene) -> None:
    assert_truth(scene.shop)
    assert check(scene.shop.holdfast.database).mismatches == []
    assert book_faults(scene.shop) == []
    assert sale_faults(scene.shop) == []


def order(scene: Scene, sofas: int = 1, cups: int = 0, **fields: Any) -> Any:
    lines = tuple(LineRequest(sku, units) for sku, units in (("SOFA-1", sofas), ("CUP-1", cups)) if units)
    return scene.do(OpenSale(scene.shop.stores["MAIN"], lines=lines, **fields))


def pay(scene: Scene, sale: Any, method: str, amount: str) -> Any:
    return scene.do(TakePayment(sale.id, PaymentRequest(method, amount)))


def account(scene: Scene, code: str) -> int:
    return balances(scene.shop).get(code, 0)


def money(scene: Scene) -> tuple[int, int]:
    """(cash, receivable)."""
    return account(scene, "1000"), account(scene, "1100")


def till(scene: Scene, opening: str = "50.00") -> Any:
    """The owner at a till of its own; (actor, session id)."""
    register = scene.do(AddRegister("MAIN", f"till-{len(scene.shop.rows('SELECT id FROM register'))}"))
    session = scene.do(OpenSession(register.id, opening, f"hash {register.id}", "Ana"))
    return replace(scene.shop.owner, session_id=session.id), session.id


# Deposits ------------------------------------------------------------------------------------------------------------


def test_a_deposit_counts_when_the_sale_is_completed(scene: Scene) -> None:
    sale = order(scene)
    sale = pay(scene, sale, "cash", "30.00")
    assert (sale.paid, sale.owed, money(scene)) == ("30.00", "70.00", (3000, -3000))
    done = scene.do(CompleteSale(sale.id, (PaymentRequest("cash", "80.00"),)))
    assert (done.paid, done.change, done.owed) == ("110.00", "10.00", "0.00")
    assert [(one["method"], one["amount"], one["change"]) for one in done.payments] == [
        ("cash", "30.00", "0.00"),
        ("cash", "80.00", "10.00"),
    ]
    assert money(scene) == (10000, 0)


@pytest.mark.parametrize("cash", ["0.00", "1.00", "4.99"])
def test_a_deposit_in_cash_is_no_change_of_what_a_card_pays_too_much(scene: Scene, cash: str) -> None:
    """90.00 are left: with 95.00 by card only cash of 5.00 or more can be more than is due."""
    sale = pay(scene, order(scene), "cash", "10.00")
    handed = (PaymentRequest("card", "95.00"), PaymentRequest("cash", cash))
    refused = scene.refuses(CompleteSale(sale.id, handed), "PAYMENT_MISMATCH")
    assert (refused.numbers["due"], refused.numbers["paid"]) == ("90.00", f"{Decimal(cash) + 95}")
    assert money(scene) == (1000, -1000)


def test_change_is_of_no_payment_more_than_it_was(scene: Scene) -> None:
    """Two bills and a coin of 2.00 for 100.00, of which 10.00 are change: a correction of the coin is nothing of it."""
    handed = tuple(PaymentRequest("cash", amount) for amount in ("58.00", "50.00", "2.00"))
    done = scene.do(CompleteSale(order(scene).id, handed))
    assert [(one["amount"], one["change"]) for one in done.payments] == [
        ("58.00", "0.00"),
        ("50.00", "8.00"),
        ("2.00", "2.00"),
    ]
    fixed = scene.do(CorrectPayment(done.id, done.payments[0]["id"], "card"))
    assert ([one["amount"] for one in fixed.payments], fixed.owed) == (["58.00", "50.00", "2.00"], "0.00")
    assert money(scene) == (4200, 5800)


def test_a_sale_that_is_completed_unpaid_is_paid_later(scene: Scene) -> None:
    done = scene.do(CompleteSale(pay(scene, order(scene), "cash", "30.00").id))
    assert (done.status, done.owed, money(scene)) == ("completed", "70.00", (3000, 7000))
    paid = pay(scene, done, "cash", "80.00")
    assert (paid.owed, paid.change, money(scene)) == ("0.00", "10.00", (10000, 0))
    scene.refuses(TakePayment(done.id, PaymentRequest("cash", "1.00")), "PAYMENT_MISMATCH")


def test_a_deposit_stays_when_the_cart_changes(scene: Scene) -> None:
    sale = pay(scene, order(scene, 2), "card", "150.00")
    smaller = scene.do(EditLine(sale.id, sale.lines[0].id, quantity=1))
    assert (smaller.paid, smaller.owed, smaller.total) == ("150.00", "0.00", "100.00")
    done = scene.do(CompleteSale(sale.id))
    assert [(one["method"], one["amount"]) for one in done.payments] == [("card", "150.00"), ("card", "-50.00")]
    assert (done.paid, done.owed) == ("100.00", "0.00")


def test_what_was_paid_goes_back_when_the_sale_is_given_up(scene: Scene) -> None:
    sale = pay(scene, pay(scene, order(scene), "cash", "30.00"), "card", "20.00")
    gone = scene.do(CancelSale(sale.id))
    assert [one["amount"] for one in gone.payments] == ["30.00", "20.00", "-20.00", "-30.00"]
    assert (gone.paid, gone.owed, money(scene)) == ("0.00", "0.00", (0, 0))


def test_a_sale_that_is_shipped_in_parts_takes_deposits_and_is_paid_at_the_end(scene: Scene) -> None:
    sale = order(scene, 2)
    sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    sale = pay(scene, sale, "card", "120.00")
    assert (sale.owed, money(scene)) == ("80.00", (0, 10000))  # shipped 100.00; card money lies on 1100 as well
    sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    assert (sale.status, sale.owed) == ("completed", "80.00")
    assert pay(scene, sale, "cash", "80.00").owed == "0.00"
    assert money(scene) == (8000, 12000)


def test_a_rest_that_is_given_up_gives_back_what_is_too_much(scene: Scene) -> None:
    sale = order(scene, 2)
    sale = pay(scene, sale, "cash", "150.00")
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    gone = scene.do(CancelSale(sale.id))
    assert (gone.status, gone.total, gone.paid, gone.owed) == ("completed", "100.00", "100.00", "0.00")
    assert money(scene) == (10000, 0)


def test_cash_is_rounded_when_it_pays_off_what_is_left(scene: Scene) -> None:
    """9.98 is 10.00 in coins: what a card paid before is not rounded."""
    done = scene.do(CompleteSale(order(scene, 0, 1).id))
    done = pay(scene, done, "card", "4.00")
    done = pay(scene, done, "cash", "10.00")
    assert (done.rounding, done.change, done.owed) == ("0.02", "4.00", "0.00")
    assert (account(scene, "1000"), account(scene, "5300")) == (600, -2)
    back = scene.do(
        ReturnSale(
            done.id,
            (ReturnedLine(done.lines[0].id, 1),),
            refunds=(RefundRequest("card", "4.00"), RefundRequest("cash", "6.00")),
        )
    )
    assert (back.refund_total, back.rounding) == ("10.00", "0.00")


@pytest.mark.parametrize(
    ("payment", "code"),
    [
        (PaymentRequest("card", "100.01"), "PAYMENT_MISMATCH"),
        (PaymentRequest("cash", "0.00"), "INVALID_AMOUNT"),
        (PaymentRequest("cash", "-5.00"), "INVALID_AMOUNT"),
        (PaymentRequest("cash", "x"), "INVALID_AMOUNT"),
        (PaymentRequest("cash", "1.001"), "INVALID_AMOUNT"),
        (PaymentRequest("cash", "99999999999999999.00"), "INVALID_AMOUNT"),
    ],
)
def test_payments_that_make_no_sense(scene: Scene, payment: PaymentRequest, code: str) -> None:
    sale = order(scene)
    scene.refuses(TakePayment(sale.id, payment), code)
    scene.refuses(TakePayment("01980a3e-5f00-7000-8000-000000000001", payment), "SALE_NOT_FOUND")
    scene.do(CancelSale(sale.id))
    scene.refuses(TakePayment(sale.id, PaymentRequest("cash", "1.00")), "INVALID_STATE")


# The drawer ----------------------------------------------------------------------------------------------------------


def session_of(scene: Scene, session_id: str) -> Any:
    [row] = scene.shop.rows(f"SELECT * FROM register_session WHERE id = '{session_id}'")
    return row


def test_a_payment_belongs_to_the_till_at_which_it_was_made(scene: Scene) -> None:
    first, one = till(scene)
    second, two = till(scene)
    sale = order(scene)
    scene.shop.ok(TakePayment(sale.id, PaymentRequest("cash", "30.00")), actor=first)
    scene.shop.ok(CompleteSale(sale.id, (PaymentRequest("cash", "70.00"),)), actor=second)
    assert (session_of(scene, one)["cash_sales"], session_of(scene, one)["sales"]) == (3000, 0)
    assert (session_of(scene, two)["cash_sales"], session_of(scene, two)["sales"]) == (7000, 1)


def test_a_deposit_that_goes_back_needs_cash_in_the_drawer(scene: Scene) -> None:
    first, _ = till(scene)
    empty, two = till(scene, "0.00")
    sale = order(scene)
    scene.shop.ok(TakePayment(sale.id, PaymentRequest("cash", "30.00")), actor=first)
    refused = scene.shop.do(CancelSale(sale.id), actor=empty)
    assert isinstance(refused, Rejected) and refused.code == "INVALID_STATE"
    scene.shop.ok(CancelSale(sale.id), actor=first)
    assert session_of(scene, two)["cash_refunds"] == 0


def test_a_tender_that_was_pressed_wrongly_is_corrected_at_its_till(scene: Scene) -> None:
    actor, session_id = till(scene)
    sale = scene.shop.ok(CompleteSale(order(scene, 0, 1).id, (PaymentRequest("cash", "20.00"),)), actor=actor)
    assert (sale.rounding, sale.change) == ("0.02", "10.00")
    fixed = scene.shop.ok(CorrectPayment(sale.id, sale.payments[0]["id"], "card"), actor=actor)
    assert (fixed.rounding, fixed.change, fixed.paid) == ("0.00", "0.00", "9.98")
    assert money(scene) == (0, 998)
    assert session_of(scene, session_id)["cash_sales"] == 0
    again = scene.shop.ok(CorrectPayment(sale.id, sale.payments[0]["id"], "cash"), actor=actor)
    assert (again.rounding, again.paid, money(scene)) == ("0.02", "10.00", (1000, 0))


def test_a_tender_of_a_closed_till_is_corrected_against_what_the_count_booked(scene: Scene) -> None:
    actor, session_id = till(scene)
    sale = scene.shop.ok(CompleteSale(order(scene).id, (PaymentRequest("cash", "100.00"),)), actor=actor)
    scene.shop.ok(CloseSession("50.00"), actor=actor)
    assert (money(scene), account(scene, "5200")) == ((0, 0), 10000)
    before = session_of(scene, session_id)
    scene.refuses(CorrectPayment(sale.id, sale.payments[0]["id"], "card"), "FORBIDDEN", actor=scene.shop.cashier)
    scene.do(CorrectPayment(sale.id, sale.payments[0]["id"], "card"))
    assert (money(scene), account(scene, "5200")) == ((0, 10000), 0)
    assert session_of(scene, session_id) == before
    scene.do(CorrectPayment(sale.id, sale.payments[0]["id"], "cash"))
    assert (money(scene), account(scene, "5200")) == ((0, 0), 10000)


def test_what_cannot_be_corrected(scene: Scene) -> None:
    sale = scene.do(CompleteSale(order(scene).id, (PaymentRequest("cash", "100.00"),)))
    payment = sale.payments[0]["id"]
    scene.refuses(CorrectPayment(sale.id, payment, "cash"), "INVALID_STATE")
    scene.refuses(CorrectPayment(sale.id, "01980a3e-5f00-7000-8000-000000000001", "card"), "NOT_FOUND")
    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "cash"))
    scene.refuses(CorrectPayment(sale.id, payment, "card"), "INVALID_STATE")


# Refunds -------------------------------------------------------------------------------------------------------------


def both(scene: Scene) -> Any:
    """135.00, of it 55.00 by card and 80.00 in cash."""
    sale = order(scene, 1, fees=(FeeRequest("Delivery", "35.00"),))
    return scene.do(CompleteSale(sale.id, (PaymentRequest("card", "55.00"), PaymentRequest("cash", "80.00"))))


def take_back(sale: Any, units: int = 1, **fields: Any) -> ReturnSale:
    return ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, units),), **fields)


def test_never_all_of_it_to_the_card(scene: Scene) -> None:
    sale = both(scene)
    cashier = scene.shop.cashier
    scene.refuses(take_back(sale, method="card"), "PAYMENT_MISMATCH", actor=cashier)
    scene.refuses(take_back(sale, refunds=(RefundRequest("card", "135.00"),)), "PAYMENT_MISMATCH", actor=cashier)
    ways = (RefundRequest("card", "55.00"), RefundRequest("cash", "80.00"))
    back = scene.shop.ok(take_back(sale, refunds=ways), actor=cashier)
    assert back.refunds == [{"method": "card", "amount": "55.00"}, {"method": "cash", "amount": "80.00"}]
    assert money(scene) == (0, 0)


def test_fees_are_kept(scene: Scene) -> None:
    back = scene.do(take_back(both(scene), method="cash", fees=False))
    assert (back.refund_total, back.lines[0].withheld) == ("100.00", "35.00")


def test_a_refund_below_what_is_due_is_withheld_for_good(scene: Scene) -> None:
    sale = scene.do(CompleteSale(order(scene, 2).id, (PaymentRequest("cash", "200.00"),)))
    back = scene.do(take_back(sale, refunds=(RefundRequest("cash", "90.00"),)))
    assert (back.refund_total, back.lines[0].withheld) == ("90.00", "10.00")
    rest = scene.do(take_back(sale, method="cash"))
    assert (rest.refund_total, rest.lines[0].withheld) == ("100.00", "0.00")
    assert money(scene) == (1000, 0)


@pytest.mark.parametrize("amounts", [("200.01",), ("150.00", "50.05"), ("-1.00",), ("x",)])
def test_more_than_is_left_never_goes_back(scene: Scene, amounts: tuple[str, ...]) -> None:
    sale = scene.do(CompleteSale(order(scene, 2).id, (PaymentRequest("cash", "200.00"),)))
    ways = tuple(RefundRequest(method, amount) for method, amount in zip(("cash", "card"), amounts, strict=False))
    scene.refuses(take_back(sale, 2, refunds=ways), "INVALID_AMOUNT")


def test_money_off_makes_what_is_left_smaller(scene: Scene) -> None:
    sale = scene.do(CompleteSale(order(scene, 2).id, (PaymentRequest("cash", "200.00"),)))
    scene.refuses(MoneyOff(sale.id, "20.00", "scratched", "cash"), "FORBIDDEN", actor=scene.shop.cashier)
    off = scene.do(MoneyOff(sale.id, "20.00", "scratched", "cash"))
    assert (off.refund_total, off.reason, off.lines[0].quantity) == ("20.00", "scratched", 0)
    assert scene.do(take_back(sale, method="cash")).refund_total == "90.00"
    scene.refuses(MoneyOff(sale.id, "90.01", "scratched", "cash"), "INVALID_AMOUNT")
    assert scene.do(take_back(sale, method="cash")).refund_total == "90.00"
    assert money(scene) == (0, 0)


def test_money_off_after_a_part_came_back_is_shared_by_the_rest(scene: Scene) -> None:
    """Three for 300.00; one came back for 100.00, 20.00 are given off: the others are worth 90.00 each."""
    sale = scene.do(CompleteSale(order(scene, 3).id, (PaymentRequest("card", "300.00"),)))
    scene.do(take_back(sale, method="card"))
    scene.do(MoneyOff(sale.id, "20.00", "late", "card"))
    assert [scene.do(take_back(sale, method="card")).refund_total for _ in range(2)] == ["90.00", "90.00"]


def test_what_is_owed_comes_first(scene: Scene) -> None:
    """40.00 are owed; goods for 100.00 come back: 40.00 are set against that, 60.00 go back."""
    sale = pay(scene, scene.do(CompleteSale(order(scene, 2).id)), "cash", "160.00")
    back = scene.do(take_back(sale, method="cash"))
    assert back.refunds == [{"method": "owed", "amount": "40.00"}, {"method": "cash", "amount": "60.00"}]
    assert money(scene) == (10000, 0)
    scene.refuses(TakePayment(sale.id, PaymentRequest("cash", "1.00")), "PAYMENT_MISMATCH")


# Anything at all -----------------------------------------------------------------------------------------------------

METHODS = ("cash", "card", "other")
AMOUNTS = st.sampled_from(["0.05", "3.00", "9.98", "40.00", "100.00", "333.33"])
STEPS = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from(METHODS), AMOUNTS),
    st.tuples(st.just("return"), st.sampled_from(METHODS), st.integers(1, 2), st.booleans()),
    st.tuples(st.just("split"), AMOUNTS, AMOUNTS, st.integers(1, 2)),
    st.tuples(st.just("off"), st.sampled_from(METHODS), AMOUNTS),
    st.tuples(st.just("correct"), st.integers(0, 3), st.sampled_from(METHODS)),
    st.tuples(st.just("ship"), st.integers(0, 1)),
    st.tuples(st.just("complete"), st.sampled_from([None, "cash", "card"])),
    st.tuples(st.just("edit"), st.integers(1, 3)),
    st.tuples(st.just("cancel")),
)


def command_of(sale: Any, step: Any) -> Any:
    """The command of a drawn step."""
    kind, *drawn = step
    if kind == "pay":
        return TakePayment(sale.id, PaymentRequest(*drawn))
    if kind == "return":
        method, units, fees = drawn
        return ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, units),), method, fees=fees)
    if kind == "split":
        cash, card, units = drawn
        ways = (RefundRequest("cash", cash), RefundRequest("card", card))
        return ReturnSale(sale.id, (ReturnedLine(sale.lines[-1].id, units),), refunds=ways)
    if kind == "off":
        method, amount = drawn
        return MoneyOff(sale.id, amount, "late", method)
    if kind == "correct":
        index, method = drawn
        payment = sale.payments[index]["id"] if index < len(sale.payments) else sale.id
        return CorrectPayment(sale.id, payment, method)
    if kind == "ship":
        return Fulfill(sale.id, (ShipLine(sale.lines[drawn[0] % len(sale.lines)].id, 1),))
    if kind == "complete":
        [method] = drawn
        return CompleteSale(sale.id, None if method is None else (PaymentRequest(method, sale.owed),))
    if kind == "edit":
        return EditLine(sale.id, sale.lines[0].id, quantity=drawn[0])
    return CancelSale(sale.id)


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(STEPS, min_size=3, max_size=12), last=st.sampled_from(METHODS))
def test_any_sequence_keeps_the_books(tmp_path_factory: Any, steps: list[Any], last: str) -> None:
    """Drawer = cash movements, 1100 = what is owed and what cards owe, tax = tax report, refunds at most what was paid;
    in the end all of it in any parts is all of it."""
    note(f"{steps} {last}")
    path = tmp_path_factory.mktemp("walk")
    with quick_sqlite(), open_shop(f"sqlite:///{path / 'scene.db'}") as shop:
        scene = Scene(shop, None)
        shop.settings(cash_rounding="0.05")
        scene.do(AddTaxRate(tax_class="full", rate="0.20", name="VAT"))
        scene.product("SOFA-1", price=10000, tax_class="full")
        scene.product("CUP-1", price=333)
        scene.given("SOFA-1 MAIN  A 50 @10.00\nCUP-1 MAIN  B 50 @1.00")
        actor, session_id = till(scene, "1000.00")
        sale = order(scene, 2, 3, fees=(FeeRequest("Delivery", "7.77", "full"),))
        for step in steps:
            shop.do(command_of(shown(scene, sale.id), step), actor=actor)
            _agree(scene, sale.id, session_id)
        left = shown(scene, sale.id)
        rest = tuple(ReturnedLine(line.id, units) for line in left.lines if (units := line.fulfilled - line.returned))
        if left.status == "completed" and rest:
            shop.ok(ReturnSale(sale.id, rest, last), actor=shop.owner)
        sound(scene)


def shown(scene: Scene, sale_id: str) -> Any:
    """The sale as the API shows it."""
    return convert(scene.shop.holdfast.reports.sale(scene.shop.org_id, sale_id), SaleDocument)


def _agree(scene: Scene, sale_id: str, session_id: str) -> None:
    """The drawer is the cash of the books; 1100 is what is owed and what cards bring; no more went back than came."""
    session = session_of(scene, session_id)
    assert session["cash_sales"] - session["cash_refunds"] == account(scene, "1000")
    sale = shown(scene, sale_id)
    made = [one for one in scene.shop.holdfast.reports.returns(scene.shop.org_id).items if one["sale_id"] == sale_id]
    parts = [part for one in made for part in one["refunds"]]
    cards = sum(cents(one["amount"]) for one in sale.payments if one["method"] != "cash")
    cards -= sum(cents(part["amount"]) for part in parts if part["method"] in ("card", "other"))
    if sale.status == "completed":
        assert account(scene, "1100") == cents(sale.owed) + cards
    if sale.status == "cancelled":
        assert money(scene) == (0, 0)
    back = sum(cents(part["amount"]) for part in parts if part["method"] != "owed")
    assert back <= cents(sale.paid) - cents(sale.change) + 3 * len(made)  # a coin may be half a coin more
    report = scene.shop.holdfast.reports.tax_report(scene.shop.org_id, from_="2020-01-01", to="2040-01-01")
    assert report is not None and cents(report["total_tax"]) == -account(scene, "2100")


def cents(text: str) -> int:
    return round(Decimal(text) * 100)
