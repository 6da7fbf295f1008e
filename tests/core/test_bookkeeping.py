"""Entries by hand, bills of receipts, and accounts of methods of payment, with worked numbers."""

from __future__ import annotations

import json
import tempfile
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.access import Actor, Role, may
from holdfast.check import check
from holdfast.core.organisation.bookkeeping import BillReceipt, EntryLine, PostEntry, ReverseEntry
from holdfast.core.organisation.periods import AddAccount, ClosePeriod, RenameAccount
from holdfast.core.organisation.settings import AddRegister, ChangeSettings
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.rejection import Rejected
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.refunds import RefundRequest
from holdfast.core.sales.register import CloseSession, MoveCash, OpenSession
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.upkeep.day_ends import keep_day_ends
from tests.core.books import balances, entries_of
from tests.core.scene import Scene
from tests.shop import DAY, Clock, Shop, open_shop, quick_sqlite

TODAY = "2027-01-15"
"""Where the clock of a scene begins."""

RENT = (EntryLine("6000", debit="900.00"), EntryLine("2010", credit="900.00"))


@pytest.fixture
def office(scene: Scene) -> Scene:
    """A shop whose chart has a bank, a clearing account for cards, rent and fees."""
    for code, name in (("1010", "Bank"), ("1110", "Cards"), ("6000", "Rent"), ("6100", "Fees")):
        scene.do(AddAccount(code, name))
    return scene


def receipt(scene: Scene, *lines: ReceiptLine, **fields: Any) -> str:
    """The id of a receipt of mugs, of ten at 3.50 unless it is told otherwise."""
    scene.product("MUG-1", price=990)
    made = scene.do(Receive("MAIN", lines or (ReceiptLine("MUG-1", 10, "3.50"),), **fields))
    return str(made.id)


# Entries by hand -----------------------------------------------------------------------------------------------------


def test_the_bookkeeper_posts_an_entry(office: Scene) -> None:
    office.do(RenameAccount("2010", "Creditors"))
    made = office.do(PostEntry("Rent of January", RENT, "2027-01-02"))

    assert entries_of(office.shop) == [{"2010": -90_000, "6000": 90_000}]
    assert (made.day, made.ref_type, made.ref_id, made.ledger_ids) == ("2027-01-02", "ENTRY", None, [])
    assert [(line.account, line.name, line.debit, line.credit) for line in made.lines] == [
        ("2010", "Creditors", "0.00", "900.00"),
        ("6000", "Rent", "900.00", "0.00"),
    ]
    assert office.do(PostEntry("Today", RENT)).day == TODAY


@pytest.mark.parametrize(
    ("lines", "code", "field"),
    [
        ((EntryLine("6000", "1.00"),), "INVALID_REQUEST", "lines"),
        ((EntryLine("6000", "1.00"), EntryLine("2010", credit="1.01")), "INVALID_AMOUNT", "lines"),
        ((EntryLine("6000", "1.00", "1.00"), EntryLine("2010", credit="1.00")), "INVALID_REQUEST", "lines.0.debit"),
        ((EntryLine("6000"), EntryLine("2010", credit="1.00")), "INVALID_REQUEST", "lines.0.debit"),
        ((EntryLine("6000", "0.00"), EntryLine("2010", credit="1.00")), "INVALID_AMOUNT", "lines.0.debit"),
        ((EntryLine("6000", "1.00"), EntryLine("2010", credit="-1.00")), "INVALID_AMOUNT", "lines.1.credit"),
        ((EntryLine("6000", "1.005"), EntryLine("2010", credit="1.00")), "INVALID_AMOUNT", "lines.0.debit"),
        ((EntryLine("6000", "1.00"), EntryLine("6000", credit="1.00")), "INVALID_REQUEST", "lines.1.account"),
        ((EntryLine("6000", "1.00"), EntryLine("7777", credit="1.00")), "INVALID_REQUEST", "lines.1.account"),
        ((EntryLine("6000", "1.00"), EntryLine("1000", credit="1.00")), "INVALID_REQUEST", "lines.1.account"),
        ((EntryLine("6000", "1.00"), EntryLine("1200", credit="1.00")), "INVALID_REQUEST", "lines.1.account"),
        ((EntryLine("2200", "1.00"), EntryLine("2010", credit="1.00")), "INVALID_REQUEST", "lines.0.account"),
    ],
)
def test_an_entry_that_makes_no_sense_names_the_field(
    office: Scene, lines: tuple[EntryLine, ...], code: str, field: str
) -> None:
    refused = office.shop.refused(PostEntry("Odd", lines))

    assert (refused.code, refused.numbers["field"]) == (code, field)
    assert entries_of(office.shop) == []


def test_closed_and_future_days_are_refused(office: Scene) -> None:
    office.do(ClosePeriod("2027-01-10"))

    for day in ("2027-01-10", "2026-12-31", "2027-01-16"):
        assert office.shop.refused(PostEntry("Rent", RENT, day)).code == "INVALID_STATE", day
    assert office.shop.refused(PostEntry("Rent", RENT, "2027-1-11")).code == "INVALID_REQUEST"
    assert office.do(PostEntry("Rent", RENT, "2027-01-11")).day == "2027-01-11"
    office.do(ClosePeriod(TODAY))
    assert office.do(PostEntry("Rent", RENT)).day == "2027-01-16"


def test_only_owners_and_admins_of_all_stores_post(office: Scene) -> None:
    shop = office.shop
    assert may(Actor(shop.org_id, "user:admin", Role.ADMIN), PostEntry("Rent", RENT))
    assert not may(shop.manager, PostEntry("Rent", RENT))
    assert not may(shop.manager, ReverseEntry("x"))
    assert may(shop.manager, BillReceipt("x", "1.00"))
    assert not may(shop.staff, BillReceipt("x", "1.00"))


def test_an_entry_is_taken_back_once_by_another_one(office: Scene) -> None:
    first = office.do(PostEntry("Rent", RENT, "2027-01-02"))

    back = office.do(ReverseEntry(first.id, description="Paid twice"))

    assert entries_of(office.shop) == [{"2010": -90_000, "6000": 90_000}, {"2010": 90_000, "6000": -90_000}]
    assert (back.day, back.ref_type, back.ref_id, back.reverses) == (TODAY, "ENTRY", first.id, first.id)
    assert balances(office.shop) == {}
    assert office.shop.refused(ReverseEntry(first.id)).code == "INVALID_STATE"
    assert office.shop.refused(ReverseEntry(back.id)).code == "INVALID_STATE"
    assert office.shop.refused(ReverseEntry(office.shop.org_id)).code == "NOT_FOUND"
    assert office.shop.refused(ReverseEntry("rent")).code == "NOT_FOUND"


def test_what_the_shop_posted_is_not_taken_back_by_hand(office: Scene) -> None:
    receipt(office)
    entry = office.shop.rows("SELECT id FROM journal_entry")[0]["id"]

    assert office.shop.refused(ReverseEntry(entry)).code == "INVALID_STATE"


def test_two_reversals_in_one_batch_are_one(office: Scene) -> None:
    first = office.do(PostEntry("Rent", RENT))

    refused = office.shop.refused(CommandGroup((ReverseEntry(first.id), ReverseEntry(first.id))))

    assert refused.code == "INVALID_STATE"
    assert len(entries_of(office.shop)) == 1


# Bills ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "expected", "variance"),
    [
        ("36.20", {"2000": 3500, "2010": -3620, "5400": 120}, "1.20"),
        ("33.00", {"2000": 3500, "2010": -3300, "5400": -200}, "-2.00"),
        ("35.00", {"2000": 3500, "2010": -3500}, "0.00"),
    ],
)
def test_a_bill_clears_what_was_not_invoiced(
    scene: Scene, amount: str, expected: dict[str, int], variance: str
) -> None:
    made = scene.do(BillReceipt(receipt(scene, reference="PO-1"), amount, "INV-7"))

    assert entries_of(scene.shop)[-1] == expected
    assert (made.amount, made.received, made.variance, made.reference) == (amount, "35.00", variance, "INV-7")
    assert scene.shop.rows("SELECT description FROM journal_entry ORDER BY id")[-1]["description"] == (
        "Bill INV-7 for PO-1"
    )


def test_a_receipt_is_billed_once_until_the_bill_is_taken_back(scene: Scene) -> None:
    name = receipt(scene)
    first = scene.do(BillReceipt(name, "36.20"))

    refused = scene.shop.refused(BillReceipt(name, "36.20"))
    assert (refused.code, refused.numbers["entry_id"]) == ("INVALID_STATE", first.id)
    back = scene.do(ReverseEntry(first.id))
    assert (back.ref_type, back.ref_id, back.reverses) == ("BILL", name, first.id)
    assert balances(scene.shop) == {"1200": 3500, "2000": -3500}
    assert scene.shop.refused(ReverseEntry(first.id)).code == "INVALID_STATE"
    scene.do(BillReceipt(name, "36.30"))
    assert balances(scene.shop) == {"1200": 3500, "2010": -3630, "5400": 130}
    group = CommandGroup((BillReceipt(receipt_again(scene), "1.00"), BillReceipt(name, "1.00")))
    assert scene.shop.refused(group).code == "INVALID_STATE"


def receipt_again(scene: Scene) -> str:
    """Another receipt of mugs."""
    return str(scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 1, "3.50"),))).id)


def test_a_bill_of_goods_without_a_cost_is_all_variance(scene: Scene) -> None:
    scene.do(BillReceipt(receipt(scene, ReceiptLine("MUG-1", 10)), "35.00"))

    assert entries_of(scene.shop)[-1] == {"2010": -3500, "5400": 3500}


def test_what_cannot_be_billed_is_refused(scene: Scene) -> None:
    name = receipt(scene, kind="opening")

    assert scene.shop.refused(BillReceipt(name, "35.00")).code == "INVALID_STATE"
    for amount in ("0.00", "-1.00", "1.005", "x"):
        refused = scene.shop.refused(BillReceipt(receipt_again(scene), amount))
        assert (refused.code, refused.numbers["field"]) == ("INVALID_AMOUNT", "amount")
    assert scene.shop.refused(BillReceipt(scene.shop.org_id, "35.00")).code == "NOT_FOUND"


def test_a_bill_is_posted_on_the_day_of_its_store_and_by_its_people(scene: Scene) -> None:
    scene.product("MUG-1")
    name = scene.do(Receive("EAST", (ReceiptLine("MUG-1", 10, "3.50"),))).id
    east = Actor(scene.shop.org_id, "user:east", Role.MANAGER, (scene.shop.stores["EAST"],))
    main = Actor(scene.shop.org_id, "user:main", Role.MANAGER, (scene.shop.stores["MAIN"],))

    assert scene.shop.refused(BillReceipt(name, "35.00"), actor=main).code == "FORBIDDEN"
    assert scene.do(BillReceipt(name, "35.00"), actor=east).day == TODAY


# Accounts of methods of payment --------------------------------------------------------------------------------------


def test_a_card_payout_less_its_fee_empties_the_clearing_account(office: Scene) -> None:
    office.product("MUG-1", price=990)
    office.given("MUG-1 MAIN A 10 @3.50")
    office.do(ChangeSettings(payment_accounts={"card": "1110"}))
    main = office.shop.stores["MAIN"]
    payments = (PaymentRequest("card", "9.80"), PaymentRequest("cash", "10.00"))
    sold = office.do(Checkout(main, (LineRequest("MUG-1", 2),), payments=payments))
    assert entries_of(office.shop)[-1] == {"1000": 1000, "1110": 980, "1200": -700, "4000": -1980, "5000": 700}
    office.do(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1, "none"),), "cash"))
    office.do(ReturnBlind(main, (BlindLine("MUG-1", 1, "1.00", "none"),), "card"))

    lines = (EntryLine("1010", "8.50"), EntryLine("6100", "0.30"), EntryLine("1110", credit="8.80"))
    office.do(PostEntry("Card payout", lines))

    assert balances(office.shop).get("1110") is None
    assert balances(office.shop)["1010"] == 850
    assert check(office.shop.holdfast.database).mismatches == []


def test_the_account_of_a_method_may_change_and_go(office: Scene) -> None:
    office.product("GIFT-1", price=1000, kind="digital")
    main = office.shop.stores["MAIN"]
    lines = (LineRequest("GIFT-1", 1),)
    both = (PaymentRequest("card", "4.00"), PaymentRequest("other", "6.00"))
    seen = []
    for accounts in ({"card": "1110", "other": "1110"}, {"other": "1010"}, {"card": None, "other": None}):
        office.do(ChangeSettings(payment_accounts=accounts))
        office.do(Checkout(main, lines, payments=both))
        seen.append(entries_of(office.shop)[-1])

    assert seen == [
        {"1110": 1000, "4000": -1000},
        {"1010": 600, "1110": 400, "4000": -1000},
        {"1100": 1000, "4000": -1000},
    ]
    assert check(office.shop.holdfast.database).mismatches == []


@pytest.mark.parametrize("code", ["1000", "1200", "2010", "1999", "x"])
def test_a_method_of_payment_settles_on_an_asset_of_the_chart(office: Scene, code: str) -> None:
    refused = office.shop.refused(ChangeSettings(payment_accounts={"card": code}))

    assert (refused.code, refused.numbers["field"]) == ("INVALID_REQUEST", "payment_accounts.card")
    assert office.shop.refused(ChangeSettings(payment_accounts={"cash": "1010"})).code == "INVALID_REQUEST"


def order(scene: Scene, songs: int = 10) -> Any:
    """A sale of songs at 10.00 each, which is open."""
    return scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("SONG-1", songs),)))


def paid(scene: Scene, sale: Any, method: str, amount: str) -> Any:
    """The sale with one more payment."""
    return scene.do(TakePayment(sale.id, PaymentRequest(method, amount)))


@pytest.fixture
def songs(office: Scene) -> Scene:
    """The office sells songs, and card money lies on an account of its own."""
    office.product("SONG-1", price=1000, kind="digital")
    office.do(ChangeSettings(payment_accounts={"card": "1110"}))
    return office


def sound(scene: Scene, **expected: int) -> None:
    """Accounts of money have come to this (the others to nothing), and the check finds nothing."""
    found = {code: amount for code, amount in balances(scene.shop).items() if code[:2] in ("10", "11", "52")}
    assert found == {code[1:]: amount for code, amount in expected.items()}
    assert check(scene.shop.holdfast.database).mismatches == []


def test_the_account_of_cards_ends_at_what_cards_brought(songs: Scene) -> None:
    by_card = songs.do(CompleteSale(order(songs).id, (PaymentRequest("card", "100.00"),)))
    sound(songs, _1110=10000)

    deposit = paid(songs, order(songs), "card", "30.00")
    assert entries_of(songs.shop)[-1] == {"1100": -3000, "1110": 3000}
    both = songs.do(CompleteSale(deposit.id, (PaymentRequest("cash", "70.00"),)))
    sound(songs, _1000=7000, _1110=13000)

    wrong = songs.do(CompleteSale(order(songs, 5).id, (PaymentRequest("card", "50.00"),)))
    songs.do(CorrectPayment(wrong.id, wrong.payments[0]["id"], "cash"))
    assert entries_of(songs.shop)[-1] == {"1000": 5000, "1110": -5000}
    sound(songs, _1000=12000, _1110=13000)

    split = (RefundRequest("card", "30.00"), RefundRequest("cash", "70.00"))
    songs.do(ReturnSale(both.id, (ReturnedLine(both.lines[0].id, 10),), "other", refunds=split))
    assert entries_of(songs.shop)[-1] == {"1000": -7000, "1110": -3000, "4100": 10000}
    sound(songs, _1000=5000, _1110=10000)

    songs.do(ReturnSale(by_card.id, (ReturnedLine(by_card.lines[0].id, 4),), "card"))
    sound(songs, _1000=5000, _1110=6000)


def test_a_correction_takes_the_payment_off_the_account_where_it_lies(songs: Scene) -> None:
    """Whatever the settings say by then, and again when it is corrected back."""
    sale = songs.do(CompleteSale(order(songs).id, (PaymentRequest("card", "100.00"),)))
    payment = sale.payments[0]["id"]
    songs.do(ChangeSettings(payment_accounts={"card": "1010", "other": "1110"}))

    songs.do(CorrectPayment(sale.id, payment, "cash"))
    sound(songs, _1000=10000)
    songs.do(CorrectPayment(sale.id, payment, "card"))
    sound(songs, _1010=10000)
    songs.do(ChangeSettings(payment_accounts={"card": None}))
    songs.do(CorrectPayment(sale.id, payment, "other"))
    sound(songs, _1110=10000)
    songs.do(CorrectPayment(sale.id, payment, "card"))
    sound(songs, _1100=10000)


def test_methods_that_share_an_account_are_corrected_without_an_entry(songs: Scene) -> None:
    songs.do(ChangeSettings(payment_accounts={"other": "1110"}))
    sale = songs.do(CompleteSale(order(songs).id, (PaymentRequest("card", "100.00"),)))
    before = len(entries_of(songs.shop))

    songs.do(CorrectPayment(sale.id, sale.payments[0]["id"], "other"))

    assert len(entries_of(songs.shop)) == before
    sound(songs, _1110=10000)
    songs.do(CorrectPayment(sale.id, sale.payments[0]["id"], "cash"))
    sound(songs, _1000=10000)


@pytest.mark.parametrize("method", ["card", "cash"])
def test_the_count_of_a_closed_till_meets_the_account_of_cards(songs: Scene, method: str) -> None:
    register = songs.do(AddRegister("MAIN", "till"))
    session = songs.do(OpenSession(register.id, "50.00", "hash", "Ana"))
    actor = msgspec.structs.replace(songs.shop.owner, session_id=session.id)
    asked = CompleteSale(order(songs).id, (PaymentRequest(method, "100.00"),))
    sale = songs.shop.ok(asked, actor=actor)
    counted = {"card": "150.00", "cash": "50.00"}[method]
    songs.shop.ok(CloseSession(counted), actor=actor)

    songs.do(CorrectPayment(sale.id, sale.payments[0]["id"], {"card": "cash", "cash": "card"}[method]))

    assert songs.shop.rows("SELECT sum(amount) AS amount FROM posting WHERE account = '5200'") == [{"amount": 0}]
    sound(songs, **({"_1000": 10000} if method == "card" else {"_1110": 10000}))


def test_a_deposit_goes_back_from_where_it_lies(songs: Scene) -> None:
    sale = paid(songs, order(songs), "card", "30.00")
    songs.do(ChangeSettings(payment_accounts={"card": "1010"}))
    paid(songs, sale, "card", "20.00")
    sound(songs, _1010=2000, _1100=-5000, _1110=3000)

    songs.do(CancelSale(sale.id))

    sound(songs)


def test_a_refund_leaves_the_account_of_today(songs: Scene) -> None:
    sale = songs.do(CompleteSale(order(songs).id, (PaymentRequest("card", "100.00"),)))
    songs.do(ChangeSettings(payment_accounts={"card": "1010"}))

    songs.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 10),), "card"))

    sound(songs, _1010=-10000, _1110=10000)


def test_what_moves_no_money_is_on_no_account_of_payments(songs: Scene) -> None:
    """Goods for goods, and a refund that is set against what is owed, stay on 1100; gift cards are owed on 2200."""
    songs.do(ChangeSettings(payment_accounts={"card": "1110", "other": "1110"}))
    songs.product("CARD-1", price=5000, kind="gift_card")
    sold = songs.do(OpenSale(songs.shop.stores["MAIN"], lines=(LineRequest("CARD-1", 1, code="XMAS-0001"),)))
    songs.do(CompleteSale(sold.id, (PaymentRequest("cash", "50.00"),)))
    by_gift = (PaymentRequest("gift_card", "50.00", "XMAS-0001"), PaymentRequest("card", "50.00"))
    first = songs.do(CompleteSale(order(songs).id, by_gift))
    sound(songs, _1000=5000, _1110=5000)
    assert balances(songs.shop).get("2200") is None

    back = Exchanged((ExchangedSale(first.id, (ReturnedLine(first.lines[0].id, 10),)),))
    swapped = songs.do(CompleteSale(order(songs).id, exchange=back))
    assert [one["method"] for one in swapped.payments] == ["exchange"]
    sound(songs, _1000=5000, _1110=5000)

    owed = songs.do(CompleteSale(order(songs).id))
    songs.do(ReturnSale(owed.id, (ReturnedLine(owed.lines[0].id, 4),), "card"))
    sound(songs, _1000=5000, _1100=6000, _1110=5000)


def test_cash_is_never_put_in_from_where_the_shop_keeps_the_account(songs: Scene) -> None:
    register = songs.do(AddRegister("MAIN", "till"))
    session = songs.do(OpenSession(register.id, "50.00", "hash", "Ana"))
    actor = msgspec.structs.replace(songs.shop.owner, session_id=session.id)
    for code in ("1000", "1200", "2200"):
        refused = songs.shop.refused(MoveCash("in", "1.00", "coins", code), actor=actor)
        assert (refused.code, refused.numbers["field"]) == ("INVALID_REQUEST", "account")


PAYMENTS = st.lists(
    st.tuples(
        st.sampled_from(["open", "deposit", "complete", "pay", "correct", "refund", "cancel", "settle"]),
        st.integers(0, 20),
        st.sampled_from(["cash", "card", "other"]),
    ),
    max_size=20,
)


@given(acts=PAYMENTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_payments_lie_where_they_say(acts: list[tuple[str, int, str]]) -> None:
    """Accounts of methods have what the payments of all sales say to lie there, less refunds by the account of then."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Clock().running(),
        quick_sqlite(),
        open_shop(f"sqlite:///{folder}/x.db") as shop,
    ):
        Payments(shop).walk(acts)


class Payments:
    """A shop whose sales are paid, corrected and refunded, and what refunds took off which account."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.sales: list[str] = []
        self.named: dict[str, str] = {}
        self.refunded: dict[str, int] = {}
        for code in ("1010", "1110"):
            shop.ok(AddAccount(code, code))
        shop.product("SONG-1", price=1000, kind="digital")

    def walk(self, acts: list[tuple[str, int, str]]) -> None:
        """Do everything that is accepted, and compare at the end."""
        self.open(0, "cash")
        for name, which, method in acts:
            getattr(self, name)(which, method)
        lies: dict[str, int] = dict(self.refunded)
        for [told] in (row.values() for row in self.shop.rows("SELECT payments FROM sale")):
            for one in json.loads(told) if isinstance(told, str) else told:
                account = one.get("account", "1000" if one["method"] == "cash" else "1100")
                lies[account] = lies.get(account, 0) + one["amount"] - one.get("change", 0)
        found = balances(self.shop)
        for account in ("1000", "1010", "1110"):
            assert found.get(account, 0) == lies.get(account, 0), account
        assert check(self.shop.holdfast.database).mismatches == []

    def sale(self, which: int) -> Any:
        """One of the sales, as it stands."""
        return self.shop.holdfast.reports.sale(self.shop.org_id, self.sales[which % len(self.sales)])

    def open(self, which: int, _: str) -> None:
        """A sale begins."""
        lines = (LineRequest("SONG-1", which % 3 + 1),)
        self.sales.append(self.shop.ok(OpenSale(self.shop.stores["MAIN"], lines=lines)).id)

    def deposit(self, which: int, method: str) -> None:
        """Money is paid on a sale, whatever its state."""
        self.shop.do(TakePayment(self.sale(which)["id"], PaymentRequest(method, f"{which}.50")))

    def complete(self, which: int, method: str) -> None:
        """A sale is completed, with a payment of what is owed or without one."""
        sale = self.sale(which)
        payments = None if which % 2 else (PaymentRequest(method, sale["owed"]),)
        self.shop.do(CompleteSale(sale["id"], payments))

    def pay(self, which: int, method: str) -> None:
        """What is owed is paid."""
        sale = self.sale(which)
        self.shop.do(TakePayment(sale["id"], PaymentRequest(method, sale["owed"])))

    def correct(self, which: int, method: str) -> None:
        """A payment was made by another method."""
        sale = self.sale(which)
        if sale["payments"]:
            payment = sale["payments"][which % len(sale["payments"])]
            self.shop.do(CorrectPayment(sale["id"], payment["id"], method))

    def refund(self, which: int, method: str) -> None:
        """A unit comes back."""
        sale = self.sale(which)
        made = self.shop.do(ReturnSale(sale["id"], (ReturnedLine(sale["lines"][0]["id"], 1),), method))
        for part in [] if isinstance(made, Rejected) else made.refunds:
            if part["method"] in ("cash", "card", "other"):
                usual = "1000" if part["method"] == "cash" else "1100"
                account = self.named.get(part["method"], usual)
                self.refunded[account] = self.refunded.get(account, 0) - round(float(part["amount"]) * 100)

    def cancel(self, which: int, _: str) -> None:
        """A sale is given up."""
        self.shop.do(CancelSale(self.sale(which)["id"]))

    def settle(self, which: int, method: str) -> None:
        """A method gets another account, or its usual one."""
        account = (None, "1110", "1010")[which % 3]
        if method != "cash":
            self.shop.ok(ChangeSettings(payment_accounts={method: account}))
            self.named.pop(method, None)
            self.named.update({} if account is None else {method: account})


# Late entries --------------------------------------------------------------------------------------------------------


def test_an_entry_for_a_day_long_ago_is_of_that_day_and_of_no_instant_before(office: Scene) -> None:
    """With ends of days and without them, before and after they are made again."""
    shop, database = office.shop, office.shop.holdfast.database
    office.do(PostEntry("First", RENT))
    before = office.clock.now
    office.pass_(60 * 86_400)
    keep_day_ends(database, office.clock.now)
    late = office.do(PostEntry("Late", RENT, "2027-01-20"))
    after = office.clock.now

    def balance(as_of: Any) -> str:
        rows = shop.holdfast.reports.trial_balance(shop.org_id, as_of=as_of)["items"]
        return str(next(row["balance"] for row in rows if row["account"] == "6000"))

    def all_of_it() -> list[str]:
        instants = (before, before + 30 * DAY, after - 1, after)
        return [balance(as_of) for as_of in (TODAY, "2027-01-19", "2027-01-20", "2027-02-20", None, *instants)]

    expected = ["900.00", "900.00", "1800.00", "1800.00", "1800.00", "900.00", "900.00", "900.00", "1800.00"]
    assert all_of_it() == expected
    office.pass_(86_400)
    assert keep_day_ends(database, office.clock.now) == 1
    assert all_of_it() == expected
    office.do(ReverseEntry(late.id, "2027-01-21"))
    assert [balance("2027-01-20"), balance("2027-01-21"), balance(after), balance(None)] == [
        "1800.00",
        "900.00",
        "1800.00",
        "900.00",
    ]
    assert check(database).mismatches == []


def test_what_is_paid_to_the_state_is_no_tax_of_a_sale(office: Scene) -> None:
    shop = office.shop
    office.do(PostEntry("VAT of 2026", (EntryLine("2100", "12.00"), EntryLine("1010", credit="12.00"))))

    assert shop.holdfast.reports.tax_report(shop.org_id)["items"] == []
    assert balances(shop) == {"1010": -1200, "2100": 1200}


# Any sequence --------------------------------------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["post", "reverse", "receive", "bill", "sell", "refund", "settle", "night"]),
        st.integers(0, 20),
        st.integers(1, 999),
    ),
    max_size=14,
)


@given(acts=ACTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_agrees_with_a_sum_by_hand(acts: list[tuple[str, int, int]]) -> None:
    """Accounts are what was said of them, day by day; receipts and bills agree; the check finds nothing."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Clock().running() as clock,
        quick_sqlite(),
        open_shop(f"sqlite:///{folder}/x.db") as shop,
    ):
        Walk(shop, clock).walk(acts)


class Walk:
    """A shop, and what its accounts must have come to, by day."""

    def __init__(self, shop: Shop, clock: Clock) -> None:
        self.shop, self.clock = shop, clock
        self.posted: list[tuple[str, dict[str, int]]] = []
        self.entries: list[tuple[str, dict[str, int]]] = []
        self.receipts: list[tuple[str, int]] = []
        self.clearing = "1100"
        for code in ("1010", "1110", "6000"):
            shop.ok(AddAccount(code, code))
        shop.product("MUG-1", price=100)
        shop.product("SONG-1", price=100, kind="digital")

    @property
    def today(self) -> str:
        """The day of the organisation."""
        days = self.clock.now // DAY
        return (date(1970, 1, 1) + timedelta(days=days)).isoformat()

    def walk(self, acts: list[tuple[str, int, int]]) -> None:
        """Do everything, and compare at the end."""
        for name, which, amount in acts:
            getattr(self, name)(which, amount)
        days = {day for day, _ in self.posted} | {self.today}
        for day in days:
            expected: dict[str, int] = {}
            for own, amounts in self.posted:
                for account, amount in amounts.items() if own <= day else ():
                    expected[account] = expected.get(account, 0) + amount
            rows = self.shop.holdfast.reports.trial_balance(self.shop.org_id, as_of=day)["items"]
            found = {row["account"]: round(float(row["balance"]) * 100) for row in rows if row["balance"] != "0.00"}
            assert found == {account: amount for account, amount in expected.items() if amount}, day
        assert check(self.shop.holdfast.database).mismatches == []

    def post(self, which: int, amount: int) -> None:
        """An entry by hand on a day up to twenty days ago."""
        day = (date.fromisoformat(self.today) - timedelta(days=which)).isoformat()
        text = f"{amount / 100:.2f}"
        made = self.shop.ok(PostEntry("x", (EntryLine("6000", text), EntryLine("1110", credit=text)), day))
        self.posted.append((day, {"6000": amount, "1110": -amount}))
        self.entries.append((made.id, {"6000": amount, "1110": -amount}))

    def reverse(self, which: int, _: int) -> None:
        """An entry or a bill is taken back, once."""
        if self.entries:
            entry, amounts = self.entries[which % len(self.entries)]
            accepted = not hasattr(self.shop.do(ReverseEntry(entry)), "code")
            if accepted:
                self.posted.append((self.today, {account: -amount for account, amount in amounts.items()}))

    def receive(self, which: int, amount: int) -> None:
        """Goods come in."""
        line = ReceiptLine("MUG-1", which + 1, line_cost=f"{amount / 100:.2f}")
        self.receipts.append((self.shop.ok(Receive("MAIN", (line,))).id, amount))
        self.posted.append((self.today, {"1200": amount, "2000": -amount}))

    def bill(self, which: int, amount: int) -> None:
        """A receipt is billed, unless it is billed already."""
        if self.receipts:
            name, value = self.receipts[which % len(self.receipts)]
            made = self.shop.do(BillReceipt(name, f"{amount / 100:.2f}"))
            if not hasattr(made, "code"):
                amounts = {"2000": value, "2010": -amount, "5400": amount - value}
                self.posted.append((self.today, amounts))
                self.entries.append((made.id, amounts))

    def sell(self, which: int, _: int) -> None:
        """Songs are sold by card."""
        units = which + 1
        payment = (PaymentRequest("card", f"{units}.00"),)
        self.shop.ok(Checkout(self.shop.stores["MAIN"], (LineRequest("SONG-1", units),), payments=payment))
        self.posted.append((self.today, {self.clearing: units * 100, "4000": -units * 100}))

    def refund(self, which: int, amount: int) -> None:
        """Money goes back by card, without a sale."""
        line = BlindLine("SONG-1", 1, f"{amount / 100:.2f}", "none")
        self.shop.ok(ReturnBlind(self.shop.stores["MAIN"], (line,), "card"))
        self.posted.append((self.today, {self.clearing: -amount, "4100": amount}))

    def settle(self, which: int, _: int) -> None:
        """Cards get another account."""
        account = (None, "1110", "1010")[which % 3]
        self.shop.ok(ChangeSettings(payment_accounts={"card": account}))
        self.clearing = account or "1100"

    def night(self, which: int, _: int) -> None:
        """Days pass, and those that are over are added up."""
        self.clock.pass_((which + 1) * DAY)
        keep_day_ends(self.shop.holdfast.database, self.clock.now)
