"""Returns: what comes back, what is paid back, and what the books say of it.

See docs/how-to/sell.md and docs/how-to/books.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.check import check
from holdfast.core.organisation.settings import AddRegister, AddTaxRate, ChangeSettings
from holdfast.core.records.proportion import share_of_older_versions
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import OpenSession
from holdfast.core.sales.return_record import KeptLine
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.executor import transaction
from tests.core.books import balances, book_faults, entries_of, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop where mugs are 9.90; at the end stock, books and sales agree."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=990)
        yield scene
        assert_truth(shop)
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def sell(scene: Scene, *lines: LineRequest, method: str = "cash", amount: str = "1000.00", **fields: Any) -> Any:
    """Sold at a till of the store MAIN."""
    payments = (PaymentRequest(method, amount),)
    return scene.do(Checkout(scene.shop.stores["MAIN"], lines, payments=payments, **fields))


def bring(sale: Any, *parts: tuple[int, int] | tuple[int, int, str], method: str = "cash") -> ReturnSale:
    """Units of the sale's lines by their number: (line, units, condition)."""
    return ReturnSale(sale.id, tuple(ReturnedLine(sale.lines[part[0]].id, *part[1:]) for part in parts), method)


def test_parts_refund_exactly_what_was_paid(scene: Scene) -> None:
    """3 for 10.00 in all: 3.34, then 6.66."""
    scene.product("PEN-1", price=334)
    scene.given("PEN-1 MAIN  P 3 @1.11")
    sale = sell(scene, LineRequest("PEN-1", 3, discount=DiscountRequest(amount="0.02")))
    assert sale.total == "10.00"
    first, rest = scene.do(bring(sale, (0, 1))), scene.do(bring(sale, (0, 2)))
    assert (first.refund_total, rest.refund_total) == ("3.34", "6.66")
    assert first.refund == {"method": "cash", "amount": "3.34"}
    assert entries_of(scene.shop, first.id) == [{"1000": -334, "1200": 111, "4100": 334, "5000": -111}]
    lines = [(line["ref_id"], line["qty_delta"], line["value_delta"]) for line in scene.ledger("RETURN")]
    assert lines == [(first.id, 1, 111), (rest.id, 2, 222)]
    scene.refuses(bring(sale, (0, 1)), "RETURN_EXCEEDS_SALE")
    assert balances(scene.shop) == {"1200": 333, "2000": -333, "4000": -1000, "4100": 1000}


def test_rounding_fees_and_tax_come_back_in_any_parts(scene: Scene) -> None:
    shop = scene.shop
    shop.settings(cash_rounding="0.05")
    scene.do(AddTaxRate(tax_class="std", rate="0.077"))
    scene.product("PEN-1", price=333, tax_class="std")
    scene.product("SONG-1", price=101, kind="digital", tax_class="std")
    scene.given("PEN-1 MAIN  P 7 @1.00")
    fees = (FeeRequest("wrap", "1.01", "std"),)
    sale = sell(
        scene, LineRequest("PEN-1", 7), LineRequest("SONG-1", 2), fees=fees, discount=DiscountRequest(percent=7)
    )
    paid = round(float(sale.paid) - float(sale.change), 2)
    assert sale.rounding != "0.00"
    refunds = [
        scene.do(bring(sale, *parts)).refund_total for parts in (((0, 3), (1, 1, "none")), ((0, 4), (1, 1, "none")))
    ]
    assert round(sum(map(float, refunds)), 2) == paid
    left = balances(shop)
    assert "1000" not in left, "all the cash went back"
    assert "2100" not in left, "and all the tax, the fee's too"


@pytest.mark.parametrize(
    ("price", "precision", "bought", "parts", "refunds"),
    [
        (2400, 3, "2.5", ("1", "1.5"), ("24.00", "36.00")),
        (2400, 3, "2.5", ("0.001", "0.001", "2.498"), ("0.03", "0.02", "59.95")),
        (250, 3, "2", ("1", "1"), ("2.50", "2.50")),
        (1, 4, "30", ("10", "20"), ("0.10", "0.20")),
        (690, 4, "2", ("0.8", "1.2"), ("5.52", "8.28")),
    ],
)
def test_a_part_of_what_was_weighed_refunds_its_proportion(
    scene: Scene, price: int, precision: int, bought: str, parts: tuple[str, ...], refunds: Any
) -> None:
    """60.00 for 2.5 kg: one kilogram back is 24.00, however many smallest units there are in a cent."""
    scene.product("CHEESE-1", price=price, precision=precision)
    scene.shop.receive("CHEESE-1", 100, lot="C", cost="1.00")
    sale = sell(scene, LineRequest("CHEESE-1", Decimal(bought)), method="cash", amount="1000")
    made = [
        scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, Decimal(part)),), "card")).refund_total
        for part in parts
    ]
    assert tuple(made) == refunds
    assert check(scene.shop.holdfast.database).mismatches == []


def test_a_line_named_twice_in_one_return_is_shared_once(scene: Scene) -> None:
    scene.product("PEN-1", price=334)
    scene.given("PEN-1 MAIN  P 3 @1.11")
    sale = sell(scene, LineRequest("PEN-1", 3, discount=DiscountRequest(amount="0.02")))
    one = scene.do(bring(sale, (0, 1), (0, 1), (0, 1, "damaged")))
    assert ([line.refund for line in one.lines], one.refund_total) == (["3.34", "3.33", "3.33"], "10.00")


def test_the_tax_goes_back_in_the_same_proportion(scene: Scene) -> None:
    scene.do(AddTaxRate(tax_class="std", rate="0.25"))
    scene.product("CHEESE-1", price=2400, precision=3, tax_class="std")
    scene.shop.receive("CHEESE-1", 10, lot="C", cost="1.00")
    fees = (FeeRequest("delivery", "10.00", "std"),)
    sale = sell(scene, LineRequest("CHEESE-1", Decimal("2.5")), fees=fees)
    made = scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "cash"))
    [entry] = entries_of(scene.shop, made.id)
    assert (sale.total, made.refund_total, entry["2100"], entry["4100"]) == ("87.50", "35.00", 700, 2800)


def test_what_an_older_version_refunded_stays_and_the_rest_follows(scene: Scene, monkeypatch: Any) -> None:
    """It gave 30.00 for the first kilogram of 60.00 for 2.5 kg: 26.40 are due for 1.1 kg, 36.00 for 1.5 kg."""
    scene.product("CHEESE-1", price=2400, precision=3)
    scene.shop.receive("CHEESE-1", 10, lot="C", cost="1.00")
    sale = sell(scene, LineRequest("CHEESE-1", Decimal("2.5")))
    with monkeypatch.context() as older:
        older.setattr(
            "holdfast.core.sales.refunds.share_still_due",
            lambda amount, whole, reached, given: share_of_older_versions(amount, whole, reached - 1000, 1000),
        )
        older.setattr("holdfast.core.sales.refunds.KeptLine", lambda **fields: KeptLine(*list(fields.values())[:7]))
        first = scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "cash"))
    assert first.refund_total == "30.00"
    parts = (Decimal("0.1"), Decimal("0.4"), 1)
    made = [scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, part),), "cash")) for part in parts]
    assert [one.refund_total for one in made] == ["0.00", "6.00", "24.00"]
    assert check(scene.shop.holdfast.database).mismatches == []


def test_the_check_sees_money_that_was_given_against_proportion(scene: Scene, monkeypatch: Any) -> None:
    """The older rule, planted: every row is intact, every sum is right, and the check still tells."""

    def planted(amount: int, whole: int, reached: int, given: int) -> int:
        return share_of_older_versions(amount, whole, 0, reached) - given

    scene.product("CHEESE-1", price=2400, precision=3)
    scene.shop.receive("CHEESE-1", 10, lot="C", cost="1.00")
    lines = (LineRequest("CHEESE-1", Decimal("2.5")),)
    sale, shipped = sell(scene, *lines), scene.do(OpenSale(lines=lines))
    monkeypatch.setattr("holdfast.core.sales.refunds.share_still_due", planted)
    monkeypatch.setattr("holdfast.core.sales.shipment.share_still_due", planted)
    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "card"))
    scene.do(Fulfill(shipped.id, (ShipLine(shipped.lines[0].id, 1),)))
    told = [(one.invariant, one.found) for one in check(scene.shop.holdfast.database).mismatches]
    assert told == [("sale_return.refund is in proportion", "3000"), ("fulfillment.total is in proportion", "3000")]


def test_the_check_sees_cash_that_is_no_nearest_coin(scene: Scene, monkeypatch: Any) -> None:
    scene.shop.settings(cash_rounding="0.05")
    scene.given("MUG-1 MAIN  A 5")
    sale = sell(scene, LineRequest("MUG-1", 1, discount=DiscountRequest(amount="0.01")), method="card", amount="9.89")
    monkeypatch.setattr("holdfast.core.sales.refunds.cash_rounded", lambda amount, coin: amount - amount % coin)
    assert scene.do(bring(sale, (0, 1))).refund_total == "9.85"
    assert [one.invariant for one in check(scene.shop.holdfast.database).mismatches] == ["sale_return.refund_total"]


def test_cash_goes_back_in_coins_and_all_of_it_in_the_end(scene: Scene) -> None:
    """Each part is the nearest coin of what is due so far: 3.34, 6.68, 10.02, 13.35 are 3.35, 6.70, 10.00, 13.35."""
    scene.shop.settings(cash_rounding="0.05")
    scene.product("PEN-1", price=334)
    scene.given("PEN-1 MAIN  P 4 @1.00")
    sale = sell(scene, LineRequest("PEN-1", 3), LineRequest("PEN-1", 1), amount="20.00")
    assert (sale.total, sale.rounding) == ("13.36", "-0.01")
    parts = [scene.do(bring(sale, part)) for part in ((0, 1, "none"), (1, 1, "none"), (0, 1, "none"), (0, 1, "none"))]
    assert [one.refund_total for one in parts] == ["3.35", "3.35", "3.30", "3.35"]
    assert [one.rounding for one in parts] == ["0.01", "0.01", "-0.04", "0.02"]
    assert [one.lines[0].refund for one in parts] == ["3.34", "3.34", "3.34", "3.33"]
    assert entries_of(scene.shop, parts[0].id) == [{"1000": -335, "4100": 334, "5300": 1}]
    left = balances(scene.shop)
    assert "1000" not in left and left["4000"] + left["4100"] + left["5300"] == 0


def test_a_card_sale_refunded_in_cash_is_paid_in_coins(scene: Scene) -> None:
    """1.98 by card, back in cash: 2.00, and 0.02 to 5300."""
    scene.shop.settings(cash_rounding="0.05")
    scene.product("PEN-1", price=198)
    scene.given("PEN-1 MAIN  P 9 @1.00")
    sale = sell(scene, LineRequest("PEN-1", 1), method="card", amount="1.98")
    made = scene.do(bring(sale, (0, 1, "none")))
    assert (made.refund_total, made.rounding, made.lines[0].refund) == ("2.00", "0.02", "1.98")
    assert entries_of(scene.shop, made.id) == [{"1000": -200, "4100": 198, "5300": 2}]


def test_refunds_by_several_means(scene: Scene) -> None:
    """A card gives back to the cent, cash the nearest coin of all that went back in cash."""
    scene.shop.settings(cash_rounding="0.05")
    scene.product("PEN-1", price=334)
    scene.given("PEN-1 MAIN  P 9 @1.00")
    sale = sell(scene, LineRequest("PEN-1", 3), method="card", amount="10.02")
    made = [scene.do(bring(sale, (0, 1, "none"), method=method)) for method in ("cash", "card", "cash")]
    assert [(one.refund_total, one.rounding) for one in made] == [("3.35", "0.01"), ("3.34", "0.00"), ("3.35", "0.01")]
    blindly = ReturnBlind(scene.shop.stores["MAIN"], (BlindLine("PEN-1", 1, "15.72", "none"),), "cash")
    assert (scene.do(blindly).refund_total, scene.do(blindly).rounding) == ("15.70", "-0.02")
    by_card = msgspec.structs.replace(blindly, method="card")
    assert scene.do(by_card).refund_total == "15.72"


def test_a_method_gives_back_at_most_what_it_took(scene: Scene) -> None:
    """55 by card and 80 in cash: never 135 to the card, nor the card's money from the drawer, unless a manager does."""
    scene.product("COAT-1", price=1350)
    scene.given("COAT-1 MAIN  P 10 @1.00")
    store = scene.shop.stores["MAIN"]
    payments = (PaymentRequest("card", "55.00"), PaymentRequest("cash", "100.00"))
    sale = scene.do(Checkout(store, (LineRequest("COAT-1", 10),), payments=payments))
    assert (sale.total, sale.change) == ("135.00", "20.00")
    cashier, staff = scene.shop.cashier, scene.shop.staff

    for actor in (cashier, staff):
        refused = scene.refuses(bring(sale, (0, 10, "none"), method="card"), "PAYMENT_MISMATCH", actor=actor)
        assert (refused.numbers["requested"], refused.numbers["available"]) == ("135.00", "55.00")
        assert refused.numbers["override_required"] == "manager"
    scene.do(bring(sale, (0, 4, "none"), method="card"), actor=cashier)
    scene.refuses(bring(sale, (0, 1, "none"), method="card"), "PAYMENT_MISMATCH", actor=cashier)
    scene.refuses(bring(sale, (0, 1, "none"), method="other"), "PAYMENT_MISMATCH", actor=cashier)
    scene.do(bring(sale, (0, 5, "none")), actor=cashier)
    refused = scene.refuses(bring(sale, (0, 1, "none")), "PAYMENT_MISMATCH", actor=cashier)
    assert refused.numbers["available"] == "12.50"
    assert scene.do(bring(sale, (0, 1, "none"))).refund_total == "13.50"


@pytest.mark.parametrize("method", ["cash", "card", "other"])
def test_no_money_goes_out_for_what_was_never_paid(scene: Scene, method: str) -> None:
    """Completed without payments, shipped in full, cancelled after a part: the refund is set against what is owed."""
    scene.given("MUG-1 MAIN  A 9 @1.00")
    line = LineRequest("MUG-1", 2)
    made = [scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(line,))) for _ in range(3)]
    scene.do(CompleteSale(made[0].id))
    scene.do(Fulfill(made[1].id, (ShipLine(made[1].lines[0].id, 2),)))
    scene.do(Fulfill(made[2].id, (ShipLine(made[2].lines[0].id, 1),)))
    scene.do(CancelSale(made[2].id))
    for sale in made:
        for actor in (scene.shop.cashier, None):
            returned = scene.shop.do(bring(sale, (0, 1, "none"), method=method), actor=actor)
            if not isinstance(returned, Rejected):
                assert returned.refund == {"method": "owed", "amount": "9.90"}
    assert not {"1000", "1100"} & set(balances(scene.shop))


def test_cash_comes_back_whatever_the_smallest_coin_was(scene: Scene) -> None:
    """9.98 was paid in 10.00, and 10.00 goes back; 9.98 was paid exactly, and the coin of 0.05 is there now."""
    scene.product("PEN-1", price=998)
    scene.given("PEN-1 MAIN  P 9 @1.00")
    scene.shop.settings(cash_rounding="0.05")
    rounded = sell(scene, LineRequest("PEN-1", 1))
    scene.shop.settings(cash_rounding="0.00")
    exact = sell(scene, LineRequest("PEN-1", 1))
    scene.shop.settings(cash_rounding="0.05")
    for sale in (rounded, exact):
        assert scene.do(bring(sale, (0, 1, "none")), actor=scene.shop.cashier).refund_total == "10.00"


def test_another_smallest_coin_between_two_parts(scene: Scene) -> None:
    scene.product("PEN-1", price=334)
    scene.given("PEN-1 MAIN  P 9 @1.00")
    sale = sell(scene, LineRequest("PEN-1", 3), method="card", amount="10.02")
    refunds = []
    for coin in ("1.00", "0.05", "0.00"):
        scene.shop.settings(cash_rounding=coin)
        refunds.append(scene.do(bring(sale, (0, 1, "none"))).refund_total)
    assert refunds == ["3.00", "3.70", "3.32"]
    assert check(scene.shop.holdfast.database).mismatches == []


def test_never_more_than_was_bought_over_all_lines_of_the_request(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = sell(scene, LineRequest("MUG-1", 3), LineRequest("MUG-1", 1))
    refused = scene.refuses(bring(sale, (0, 2), (1, 2), (0, 2)), "RETURN_EXCEEDS_SALE")
    assert [(one["requested"], one["available"]) for one in refused.numbers["lines"]] == [(4, 3), (2, 1)]
    scene.do(bring(sale, (0, 2), (0, 1, "damaged")))
    scene.refuses(bring(sale, (0, 1), (1, 1)), "RETURN_EXCEEDS_SALE")
    scene.do(bring(sale, (1, 1)))


def test_good_units_go_back_to_their_lots_at_their_cost_and_serve_who_waits(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1 @3.00, B 4 @3.50")
    sale = sell(scene, LineRequest("MUG-1", 3))
    scene.do(Reserve("MUG-1", 3, "MAIN", Target("101"), override=True))
    scene.do(bring(sale, (0, 2)))
    scene.stands("""
        MUG-1 MAIN A 1/1, B 3/2
        101 B 2, A 1
    """)
    assert (scene.value("A"), scene.value("B")) == (300, 1050)
    scene.do(bring(sale, (0, 1)))
    assert (scene.value("A"), scene.value("B")) == (300, 1400)


def test_a_return_knows_ahead_where_its_goods_go(scene_anywhere: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transaction need not begin again to lock the levels from which the lines were taken."""
    scene = scene_anywhere
    scene.product("MUG-1", price=990)
    scene.shop.location("SIDE", priority=150)
    scene.given("""
        MUG-1 MAIN  A 2
        MUG-1 SIDE  B 2
    """)
    sale = sell(scene, LineRequest("MUG-1", 3))
    begun = []
    begin = transaction.begin
    monkeypatch.setattr(transaction, "begin", lambda *given, **how: begun.append(given) or begin(*given, **how))
    scene.do(bring(sale, (0, 3)))
    assert len(begun) == 1
    scene.refuses(ReturnSale(sale.id, (ReturnedLine("junk", 1),), "cash"), "NOT_FOUND")
    scene.stands("""
        MUG-1 MAIN A 2/0
        MUG-1 SIDE B 2/0
    """)


def test_damaged_units_are_lost_at_once_and_lie_in_quarantine(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 4 @3.50")
    sale = sell(scene, LineRequest("MUG-1", 3))
    made = scene.do(bring(sale, (0, 1, "damaged"), (0, 1, "none")))
    assert made.refund_total == "19.80"
    scene.stands("""
        MUG-1 MAIN A 1/0
        MUG-1 MAIN-QUARANTINE A 1/0
    """)
    assert scene.value("A", "MAIN-QUARANTINE") == 0
    assert entries_of(scene.shop, made.id) == [{"1000": -1980, "4100": 1980, "5000": -350, "5100": 350}]
    [line] = scene.ledger("RETURN")
    assert (line["reason"], line["value_delta"]) == ("damaged", 0)


@pytest.mark.parametrize("why", ["recalled", "expired"])
def test_units_of_a_lot_that_is_off_sale_go_to_quarantine(scene: Scene, why: str) -> None:
    scene.given("MUG-1 MAIN  A 4 @3.50 until 100")
    sale = sell(scene, LineRequest("MUG-1", 3))
    if why == "recalled":
        scene.do(Quarantine(scene.lot("A")))
    else:
        scene.pass_(100)
    scene.do(bring(sale, (0, 2)))
    scene.stands("MUG-1 MAIN-QUARANTINE A 3/0")  # with the one on the shelf, which the return has looked at
    assert scene.value("A", "MAIN-QUARANTINE") == 350 * 3


def test_digital_and_drop_shipped_lines_come_back_as_money_alone(scene: Scene) -> None:
    scene.product("SONG-1", price=500, kind="digital")
    scene.product("SOFA-1", price=30000, dropship=True)
    sale = sell(scene, LineRequest("SONG-1", 2), LineRequest("SOFA-1", 1), method="card", amount="310.00")
    made = scene.do(bring(sale, (0, 1), (1, 1, "damaged"), method="card"))
    assert made.refund_total == "305.00"
    assert scene.ledger() == []
    assert entries_of(scene.shop, made.id) == [{"1100": -30500, "4100": 30500}]


def test_only_a_completed_sale_can_be_returned(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 4")
    sale = scene.do(OpenSale(lines=(LineRequest("MUG-1", 2),)))
    scene.refuses(bring(sale, (0, 1)), "INVALID_STATE")
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    scene.refuses(bring(sale, (0, 1)), "INVALID_STATE")
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    scene.refuses(ReturnSale(sale.id, (), "cash"), "INVALID_REQUEST")
    scene.refuses(ReturnSale(sale.id, (ReturnedLine(sale.id, 1),), "cash"), "NOT_FOUND")
    scene.refuses(ReturnSale(scene.shop.org_id, (), "cash"), "SALE_NOT_FOUND")
    for units in (0, -1):
        scene.refuses(bring(sale, (0, units)), "INVALID_QUANTITY")
    scene.do(bring(sale, (0, 2)))


def test_parts_of_a_unit_come_back_to_the_cent(scene: Scene) -> None:
    scene.product("CLOTH-1", price=799, precision=2)
    scene.shop.receive("CLOTH-1", Decimal("2.50"), lot="C", cost="3.333333")
    sale = sell(scene, LineRequest("CLOTH-1", Decimal("1.37")))
    parts = [Decimal("0.50"), Decimal("0.01"), Decimal("0.86")]
    made = [scene.do(bring(sale, (0, part))) for part in parts]
    cents = [int(one.refund_total.replace(".", "")) for one in made]
    assert sum(cents) == int(sale.total.replace(".", "")) == 1095
    assert scene.value("C") == 833


# Without a sale ------------------------------------------------------------------------------------------------------


def blind(scene: Scene, *lines: BlindLine, method: str = "cash") -> ReturnBlind:
    """Brought back to the store MAIN."""
    return ReturnBlind(scene.shop.stores["MAIN"], lines, method)


def test_a_return_without_a_sale_makes_a_lot_at_the_last_cost(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1 @3.00, B 1 @3.50")
    made = scene.do(blind(scene, BlindLine("MUG-1", 2, "8.00")))
    assert (made.refund_total, made.sale_id) == ("16.00", None)
    scene.stands("MUG-1 MAIN A 1/0, B 1/0, ~ 2/0")
    assert entries_of(scene.shop, made.id) == [{"1000": -1600, "1200": 700, "4100": 1600, "5000": -700}]
    [line] = scene.ledger("RETURN")
    assert (line["ref_id"], line["value_delta"]) == (made.id, 700)


@pytest.mark.parametrize("mode", ["exclusive", "inclusive"])
def test_the_tax_in_a_refund_without_a_sale_is_that_of_today(scene: Scene, mode: str) -> None:
    """What is refunded is what the customer gets, so its tax is a part of it, whatever prices say."""
    scene.shop.settings(tax_mode=mode)
    scene.product("PEN-1", price=1150, tax_class="std")
    scene.given("PEN-1 MAIN  A 1 @3.00")
    scene.do(AddTaxRate(tax_class="std", rate="0.15"))
    scene.do(AddTaxRate(tax_class="std", rate="0.2", store_id=scene.shop.stores["EAST"]))
    made = scene.do(blind(scene, BlindLine("PEN-1", 1, "11.50", "none"), BlindLine("MUG-1", 1, "8.00", "none")))
    assert made.refund_total == "19.50"
    assert entries_of(scene.shop, made.id) == [{"1000": -1950, "2100": 150, "4100": 1800}]
    east = ReturnBlind(scene.shop.stores["EAST"], (BlindLine("PEN-1", 1, "12.00", "none"),), "card")
    assert entries_of(scene.shop, scene.do(east).id) == [{"1100": -1200, "2100": 200, "4100": 1000}]


def test_damaged_ones_without_a_sale_are_worth_nothing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1 @3.00")
    made = scene.do(blind(scene, BlindLine("MUG-1", 1, "8.00", "damaged"), BlindLine("MUG-1", 1, "8.00", "none")))
    scene.stands("""
        MUG-1 MAIN A 1/0
        MUG-1 MAIN-QUARANTINE ~ 1/0
    """)
    assert scene.values() == 300
    assert entries_of(scene.shop, made.id) == [{"1000": -1600, "4100": 1600, "5000": -300, "5100": 300}]


def test_who_may_take_goods_back_without_a_sale(scene: Scene) -> None:
    line = BlindLine("MUG-1", 1, "8.00")
    assert not scene.shop.cashier.caller.may_return_blind
    scene.refuses(blind(scene, line), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.do(blind(scene, line), actor=scene.shop.staff)


def test_what_cannot_be_returned_without_a_sale(scene: Scene) -> None:
    scene.refuses(blind(scene), "INVALID_REQUEST")
    scene.refuses(ReturnBlind("NOWHERE", (BlindLine("MUG-1", 1, "8.00"),), "cash"), "STORE_NOT_FOUND")
    wrong = {
        "PRODUCT_NOT_FOUND": BlindLine("GHOST-1", 1, "8.00"),
        "INVALID_QUANTITY": BlindLine("MUG-1", 0, "8.00"),
        "INVALID_AMOUNT": BlindLine("MUG-1", 1, "-8.00"),
    }
    for code, line in wrong.items():
        refused = scene.refuses(blind(scene, BlindLine("MUG-1", 1, "1.00"), line), code)
        assert [one["index"] for one in refused.numbers["lines"]] == [1]
    scene.refuses(blind(scene, BlindLine("MUG-1", 10**11, "1000000000.00")), "INVALID_AMOUNT")


# In the drawer -------------------------------------------------------------------------------------------------------


def test_a_refund_at_another_stores_till_lies_in_its_drawer_and_on_its_shelf(scene: Scene) -> None:
    shop = scene.shop
    register = scene.do(AddRegister(store_id=shop.stores["EAST"], code="R1"))
    session = scene.do(OpenSession(register.id, "50.00", "h", "user:ana", ""))
    till = msgspec.structs.replace(shop.staff, stores=(shop.stores["EAST"],), session_id=session.id)
    scene.given("MUG-1 MAIN  A 4 @3.50")
    sale = sell(scene, LineRequest("MUG-1", 3))
    made = scene.do(bring(sale, (0, 1)), actor=till)
    assert made.store_id == shop.stores["EAST"]
    scene.stands("""
        MUG-1 EAST A 1/0
        MUG-1 MAIN A 1/0
    """)
    [drawer] = shop.rows("SELECT * FROM register_session")
    assert (drawer["cash_sales"], drawer["cash_refunds"], drawer["returns"]) == (0, 990, 1)
    scene.do(bring(sale, (0, 1)))
    assert shop.rows("SELECT cash_refunds FROM register_session") == [{"cash_refunds": 990}]


def test_no_cash_goes_out_for_what_was_never_paid(scene: Scene) -> None:
    """The refund is set against what is owed."""
    scene.given("MUG-1 MAIN  A 2 @1.00")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 1),)))
    scene.do(CompleteSale(sale.id))

    returned = scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "cash"))

    assert returned.refund == {"method": "owed", "amount": sale.total}
    assert not {"1000", "1100"} & set(balances(scene.shop))


def test_the_books_keep_their_currency(scene: Scene) -> None:
    scene.shop.settings(currency="EUR")
    scene.given("MUG-1 MAIN  A 2 @1.00")
    scene.refuses(ChangeSettings(currency="USD"), "INVALID_STATE")
