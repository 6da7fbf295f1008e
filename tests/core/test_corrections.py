"""What can be put right once a part of a sale went out: less of what is open, and a shipment that never left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.check import check
from holdfast.core.organisation.places import RemoveLocation
from holdfast.core.organisation.products import ChangeProduct
from holdfast.core.organisation.settings import AddRegister, AddTaxRate
from holdfast.core.records.proportion import share_of_older_versions
from holdfast.core.records.sale import Fulfillment, Sale
from holdfast.core.reservations.reserve import Consume, Reserve, Target
from holdfast.core.sales.cart import CancelSale, ChangeSale, EditLine, SuspendSale
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import CloseSession, OpenSession
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.db.batch.rows import checksum, row_type
from tests.core.books import balances, book_faults, entries_of, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

OLDER = ("S-000002: 1000 at 2400 are not 3000",)
"""What an older version booked for a kilogram stays, though it was too much."""


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop with goods; at the end stock, books and sales agree, and the check says so."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=990)
        scene.product("TEE-1", price=2000, oversell="backorder")
        scene.product("SONG-1", price=500, kind="digital")
        scene.product("SOFA-1", price=30000, dropship=True, supplier="Wood Ltd")
        scene.product("CHEESE-1", price=2400, precision=3)
        shop.receive("CHEESE-1", 10, lot="C", cost="9.99")
        yield scene
        assert_truth(shop)
        assert book_faults(shop) == []
        assert [fault for fault in sale_faults(shop) if fault not in OLDER] == []
        assert check(shop.holdfast.database).mismatches == []


def order(scene: Scene, *lines: tuple[str, Any], **fields: Any) -> Any:
    """An open sale."""
    return scene.do(OpenSale(lines=tuple(LineRequest(sku, units) for sku, units in lines), **fields))


def ship(scene: Scene, sale: Any, *parts: tuple[int, Any]) -> Any:
    """Units of lines by their number go out."""
    return scene.do(Fulfill(sale.id, tuple(ShipLine(sale.lines[index].id, units) for index, units in parts)))


def revert(sale: Any, number: int = 0, reason: str = "wrong order") -> RevertShipment:
    """One of the sale's shipments never left."""
    return RevertShipment(sale.id, sale.fulfillments[number]["id"], reason)


def less(scene: Scene, sale: Any, index: int, units: Any) -> Any:
    """A line is made smaller."""
    return scene.do(EditLine(sale.id, sale.lines[index].id, quantity=units))


def money(scene: Scene) -> dict[str, int]:
    """What the accounts of a sale have come to."""
    return {account: amount for account, amount in balances(scene.shop).items() if account not in ("1200", "2000")}


# Parts of an amount --------------------------------------------------------------------------------------------------


def test_a_part_that_is_shipped_and_the_rest_cancelled_is_paid_in_proportion(scene: Scene) -> None:
    """2.5 kg at 24.00; 1 kg goes out; the rest is given up: 24.00 for 1 kg, not 30.00."""
    sale = order(scene, ("CHEESE-1", Decimal("2.5")))
    sale = ship(scene, sale, (0, 1))
    assert entries_of(scene.shop, sale.id)[0]["4000"] == -2400
    sale = scene.do(CancelSale(sale.id))
    [line] = sale.lines
    assert (sale.status, sale.total, sale.subtotal, sale.discount_total) == ("completed", "24.00", "24.00", "0.00")
    assert (line.quantity, line.unit_price, line.line_total) == (1, "24.00", "24.00")
    assert money(scene) == {"1100": 2400, "4000": -2400, "5000": 999}


def test_revenue_and_tax_of_parts_are_in_proportion(scene: Scene) -> None:
    scene.do(AddTaxRate(tax_class="std", rate="0.25"))
    scene.do(ChangeProduct(scene.products["CHEESE-1"].id, tax_class="std"))
    sale = order(scene, ("CHEESE-1", Decimal("2.5")), discount=DiscountRequest(amount="10.00"))
    for part in (1, Decimal("0.5"), 1):
        sale = ship(scene, sale, (0, part))
    posted = [(entry["2100"], entry["4000"]) for entry in entries_of(scene.shop, sale.id)]
    assert (sale.status, sale.total, sale.tax_total) == ("completed", "62.50", "12.50")
    assert posted == [(-500, -2000), (-250, -1000), (-500, -2000)]


def test_what_an_older_version_booked_stays_and_the_rest_follows(scene: Scene, monkeypatch: Any) -> None:
    """It booked 30.00 for the first kilogram of 60.00 for 2.5 kg, and kept nothing of it but the sum."""
    sales = [order(scene, ("CHEESE-1", Decimal("2.5"))) for _ in range(3)]
    with monkeypatch.context() as older:
        older.setattr(
            "holdfast.core.sales.shipment.share_still_due",
            lambda amount, whole, reached, given: share_of_older_versions(amount, whole, 0, reached),
        )
        for sale in sales:
            ship(scene, sale, (0, 1))
    _forget(scene)
    assert [entries_of(scene.shop, sale.id)[0]["4000"] for sale in sales] == [-3000] * 3
    assert check(scene.shop.holdfast.database).mismatches == []
    shipped = [ship(scene, sales[0], (0, part)).status for part in (Decimal("0.1"), Decimal("0.4"), 1)]
    assert shipped == ["open", "open", "completed"]
    assert [entry["4000"] for entry in entries_of(scene.shop, sales[0].id) if "4000" in entry] == [-3000, -600, -2400]
    assert scene.do(CancelSale(sales[1].id)).total == "30.00"
    sale = less(scene, sales[2], 0, Decimal("1.5"))
    assert (sale.total, sale.lines[0].quantity) == ("36.00", 1.5)
    scene.refuses(revert(sale), "INVALID_STATE")
    assert ship(scene, sale, (0, Decimal("0.5"))).status == "completed"
    assert entries_of(scene.shop, sale.id)[-1]["4000"] == -600


def _forget(scene: Scene) -> None:
    """Shipments as an older version wrote them: without amounts, terms and lots."""
    kind = row_type(Sale)
    with scene.shop.holdfast.database.writing() as connection:
        for row in connection.execute(sa.text(f"SELECT {kind.select} FROM sale")).all():
            sale = kind.read(row)
            plain = tuple(
                Fulfillment(part.id, part.at, part.tracking, part.lines, part.actor) for part in sale.fulfillments
            )
            told = {
                "id": sale.id,
                "told": json.dumps(msgspec.to_builtins(plain), separators=(",", ":")),
                "sum": checksum(msgspec.structs.replace(sale, fulfillments=plain)),
            }
            connection.execute(sa.text("UPDATE sale SET fulfillments = :told, checksum = :sum WHERE id = :id"), told)


# Less of what is open ------------------------------------------------------------------------------------------------


def test_the_customer_drops_one_of_what_is_open(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.00")
    sale = order(scene, ("MUG-1", 5), ("SONG-1", 1))
    sale = ship(scene, sale, (0, 2))
    for units, code in ((0, "INVALID_QUANTITY"), (1, "INVALID_STATE"), (6, "INVALID_STATE")):
        scene.refuses(EditLine(sale.id, sale.lines[0].id, quantity=units), code)
    scene.refuses(EditLine(sale.id, sale.lines[0].id, quantity=4, unit_price="1.00"), "INVALID_STATE")
    scene.refuses(EditLine(sale.id, scene.shop.org_id, quantity=4), "NOT_FOUND")
    assert less(scene, sale, 0, 5).total == "54.50"
    sale = less(scene, sale, 0, 4)
    line = sale.lines[0]
    assert (line.quantity, line.fulfilled, line.held, line.line_total) == (4, 2, 2, "39.60")
    assert (sale.status, sale.subtotal, sale.discount_total, sale.total) == ("open", "44.60", "0.00", "44.60")
    scene.stands("""
        CHEESE-1 MAIN C 10000/0
        MUG-1 MAIN A 3/2
        S-000001 A 2
    """)
    sale = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "44.60"),)))
    assert (sale.status, sale.total, sale.lines[0].fulfilled) == ("completed", "44.60", 4)
    assert money(scene) == {"1100": 4460, "4000": -4460, "5000": 400}


def test_less_than_what_waits_goes_first_and_the_last_open_unit_completes(scene: Scene) -> None:
    scene.given("TEE-1 MAIN  T 3 @2.00")
    sale = order(scene, ("TEE-1", 5), ("SONG-1", 1), fees=(FeeRequest("delivery", "3.00"),))
    sale = ship(scene, sale, (0, 2))
    sale = less(scene, sale, 0, 3)
    assert (sale.lines[0].backordered, sale.lines[0].held, sale.status) == (0, 1, "open")
    sale = less(scene, sale, 0, 2)
    assert (sale.status, sale.total, [line.fulfilled for line in sale.lines]) == ("completed", "48.00", [2, 1])
    scene.stands("""
        CHEESE-1 MAIN C 10000/0
        TEE-1 MAIN T 1/0
        S-000001 consumed 2
    """)


def test_money_never_drifts_however_often_a_line_is_made_smaller(scene: Scene) -> None:
    """60.00 for 2.5 kg, less 1 gram a hundred times: 2.4 kg are 57.60."""
    scene.do(AddTaxRate(tax_class="std", rate="0.077"))
    scene.do(ChangeProduct(scene.products["CHEESE-1"].id, tax_class="std"))
    sale = ship(scene, order(scene, ("CHEESE-1", Decimal("2.5")), discount=DiscountRequest(percent=7)), (0, 1))
    assert sale.total == "60.10"
    for gram in range(1, 101):
        sale = less(scene, sale, 0, Decimal(2500 - gram) / 1000)
    assert (sale.total, sale.tax_total) == ("57.70", "4.13")
    for _ in range(2):
        sale = ship(scene, sale, (0, Decimal("0.7")))
    assert sale.status == "completed"


def test_a_line_whose_hold_lapsed_is_made_smaller_without_competing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = ship(scene, order(scene, ("MUG-1", 4)), (0, 1))
    scene.pass_(31 * 60)
    scene.do(SetStock("MUG-1", "MAIN", 0))
    sale = less(scene, sale, 0, 3)
    assert (sale.lines[0].quantity, sale.lines[0].held, sale.lines[0].lapsed) == (3, 0, 2)


def test_units_that_left_by_their_hold_alone_are_no_bar(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @3.00")
    sale = order(scene, ("MUG-1", 4))
    scene.do(Consume(sale.lines[0].reservations[0], 2))
    scene.refuses(EditLine(sale.id, sale.lines[0].id, quantity=1), "INVALID_STATE")
    sale = less(scene, sale, 0, 3)
    assert (sale.total, sale.lines[0].held) == ("29.70", 1)
    sale = less(scene, sale, 0, 2)
    assert (sale.status, sale.lines[0].held) == ("open", 0)
    assert scene.do(CompleteSale(sale.id)).total == "19.80"


def test_a_suppliers_order_follows_the_smaller_line(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    lines = (LineRequest("SOFA-1", 3), LineRequest("MUG-1", 1))
    sale = scene.do(OpenSale(lines=lines, source="shopify", order_number="77", fact=True))
    sale = ship(scene, sale, (1, 1))
    less(scene, sale, 0, 2)
    assert [row["quantity"] for row in scene.shop.rows("SELECT quantity FROM supplier_order")] == [2]


# A shipment that never left ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_shipment_is_taken_back(scene: Scene, queued: bool, whole: bool) -> None:
    """Units, value, holds, money and the sale are what they were before, also when it completed the sale."""
    scene.given("""
        MUG-1 MAIN  A 3 @1.01, B 5 @2.02
        TEE-1 MAIN  T 2 @8.00
    """)
    sale = order(scene, ("MUG-1", 5), ("TEE-1", 2), ("SONG-1", 1), fees=(FeeRequest("delivery", "3.00"),))
    if queued:
        sale = scene.do(SuspendSale(sale.id))
    before, stood, worth, booked = sale, scene.table(), scene.values(), balances(scene.shop)
    sale = ship(scene, sale, (0, 5), (1, 2)) if whole else ship(scene, sale, (0, 4))
    assert sale.status == ("completed" if whole else before.status)
    written = len(scene.ledger())
    again = scene.do(revert(sale))
    assert (again.status, again.fulfillments, again.total) == (before.status, [], before.total)
    assert (again.lines, again.paid) == (before.lines, "0.00")
    assert (scene.table(), scene.values(), balances(scene.shop)) == (stood, worth, booked)
    new = scene.ledger()[written:]
    assert {(line["ref_type"], line["ref_id"], line["reason"], line["note"]) for line in new} == {
        ("SALE", sale.id, "reverted", "wrong order")
    }
    first, second = entries_of(scene.shop, sale.id)
    assert second == {account: -amount for account, amount in first.items()}
    scene.refuses(revert(sale), "NOT_FOUND")
    [told] = scene.events("SaleFulfillmentReverted")
    assert told["data"]["fulfillment_id"] == sale.fulfillments[0]["id"]
    # It is a sale like any other again.
    edited = scene.do(EditLine(sale.id, sale.lines[0].id, quantity=6, discount=None))
    assert edited.lines[0].held == 6
    assert scene.do(CompleteSale(sale.id, (PaymentRequest("cash", "200.00"),))).status == "completed"


def test_one_of_several_shipments_is_taken_back(scene: Scene) -> None:
    """10.00 over three: 3.34, 3.33, 3.33; without the first the others have 6.67."""
    scene.product("PEN-1", price=334)
    scene.given("PEN-1 MAIN  P 2 @1.00, Q 5 @1.10")
    sale = scene.do(OpenSale(lines=(LineRequest("PEN-1", 3, discount=DiscountRequest(amount="0.02")),)))
    for _ in range(3):
        sale = ship(scene, sale, (0, 1))
    assert (sale.status, money(scene)["4000"]) == ("completed", -1000)
    sale = scene.do(revert(sale))
    assert (sale.status, sale.lines[0].fulfilled, sale.lines[0].held, money(scene)["4000"]) == ("open", 2, 1, -667)
    sale = scene.do(revert(sale))
    assert (sale.lines[0].fulfilled, money(scene)["4000"]) == (1, -334)
    sale = ship(scene, sale, (0, 2))
    assert (sale.status, money(scene)["4000"]) == ("completed", -1000)


def test_taken_back_made_smaller_and_given_up(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.00")
    sale = ship(scene, order(scene, ("MUG-1", 5)), (0, 2))
    sale = scene.do(revert(less(scene, sale, 0, 3)))
    assert (sale.lines[0].quantity, sale.lines[0].held, sale.total) == (3, 3, "29.70")
    sale = ship(scene, sale, (0, 2))
    done = scene.do(CancelSale(sale.id))
    assert (done.status, done.total) == ("completed", "19.80")
    again = scene.do(revert(done))
    assert (again.status, again.lines[0].held, again.total) == ("open", 2, "19.80")
    assert scene.do(CancelSale(sale.id)).status == "cancelled"
    assert money(scene) == {}


@pytest.mark.parametrize("given_up", [True, False])
@pytest.mark.parametrize(
    ("of_line", "of_sale"),
    [
        (None, DiscountRequest(percent=10)),
        (None, DiscountRequest(amount="9.90")),
        (DiscountRequest(percent=10), None),
        (DiscountRequest(amount="9.90"), None),
        (DiscountRequest(amount="4.95"), DiscountRequest(amount="4.95")),
    ],
)
def test_what_is_left_of_a_sale_keeps_its_share_of_the_discounts(
    scene: Scene, of_line: Any, of_sale: Any, given_up: bool
) -> None:
    """10 mugs at 9.90 for 89.10; of one or two of them that are left, none of which left the shop, 8.91 each is due."""
    scene.given("MUG-1 MAIN  A 10")
    asked = LineRequest("MUG-1", 10, discount=of_line), LineRequest("SONG-1", 1, discount=DiscountRequest(percent=100))
    sale = ship(scene, scene.do(OpenSale(lines=asked, discount=of_sale)), (0, 1))
    cut = scene.do(CancelSale(sale.id)) if given_up else less(scene, sale, 0, 2)
    due = "8.91" if given_up else "17.82"
    again = scene.do(revert(cut))
    assert (cut.total, again.total, again.fulfillments) == (due, due, [])
    assert scene.do(ChangeSale(sale.id, customer="Ana")).total == due
    assert scene.do(CompleteSale(sale.id, (PaymentRequest("card", due),))).status == "completed"


def test_a_discount_never_stands_in_the_way_of_what_is_left(scene: Scene) -> None:
    """30.00 off ten mugs are more than one of them costs: 3.00 are off the one that is left."""
    scene.given("MUG-1 MAIN  A 10")
    sale = scene.do(OpenSale(lines=(LineRequest("MUG-1", 10, discount=DiscountRequest(amount="30.00")),)))
    done = scene.do(CancelSale(ship(scene, sale, (0, 1)).id))
    again = scene.do(revert(done))
    assert (done.total, again.total) == ("6.90", "6.90")
    assert scene.do(CompleteSale(sale.id, (PaymentRequest("card", "6.90"),))).status == "completed"


def test_goods_that_others_wait_for_are_not_lost_to_them(scene: Scene) -> None:
    """Units that come back are held at once: nobody who waits at the level gets them."""
    scene.given("TEE-1 MAIN  T 2")
    sale = ship(scene, order(scene, ("TEE-1", 2), ("SONG-1", 1)), (0, 1))
    scene.do(Reserve("TEE-1", 1, "MAIN", Target("101")))
    sale = scene.do(revert(sale))
    assert sale.lines[0].held == 2 and sale.lines[0].backordered == 0


def test_a_hold_that_ended_meanwhile_holds_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = ship(scene, order(scene, ("MUG-1", 4)), (0, 2))
    scene.pass_(31 * 60)
    sale = scene.do(revert(sale))
    assert (sale.lines[0].held, sale.lines[0].lapsed) == (2, 2)
    assert scene.do(CompleteSale(sale.id)).status == "completed"


def test_what_cannot_be_taken_back(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 20 @1.00")
    paid = ship(scene, order(scene, ("MUG-1", 2)), (0, 1))
    paid = scene.do(CompleteSale(paid.id, (PaymentRequest("card", "19.80"),)))
    assert "return" in scene.refuses(revert(paid), "INVALID_STATE").detail
    back = ship(scene, order(scene, ("MUG-1", 2)), (0, 2))
    scene.do(ReturnSale(back.id, (ReturnedLine(back.lines[0].id, 1),), "card"))
    scene.refuses(revert(back), "INVALID_STATE")
    supplied = ship(scene, order(scene, ("SOFA-1", 1), ("MUG-1", 1)), (0, 1))
    scene.refuses(revert(supplied), "INVALID_STATE")
    scene.refuses(RevertShipment(supplied.id, supplied.id, "x"), "NOT_FOUND")
    scene.refuses(RevertShipment(scene.shop.org_id, supplied.id, "x"), "SALE_NOT_FOUND")
    recalled = ship(scene, order(scene, ("MUG-1", 2)), (0, 1))
    scene.do(Quarantine(scene.lot("A"), "cracks"))
    assert scene.refuses(revert(recalled), "INVALID_STATE").numbers["lot_id"] == scene.lot("A")
    scene.refuses(revert(recalled), "FORBIDDEN", actor=scene.shop.east_staff)


def test_a_place_that_is_gone_takes_nothing_back(scene: Scene) -> None:
    side = scene.shop.location("SIDE", priority=1)
    scene.given("MUG-1 SIDE  A 1")
    sale = ship(scene, order(scene, ("MUG-1", 1), ("SONG-1", 1)), (0, 1))
    scene.do(RemoveLocation(side.id if hasattr(side, "id") else side))
    scene.refuses(revert(sale), "INVALID_STATE")


def test_the_report_of_a_till_that_was_closed_stands(scene: Scene) -> None:
    shop = scene.shop
    scene.given("MUG-1 MAIN  A 5")
    register = scene.do(AddRegister(store_id=shop.stores["MAIN"], code="TILL-1"))
    session = scene.do(OpenSession(register.id, "0.00", "hash", "bo"))
    till = msgspec.structs.replace(shop.owner, session_id=session.id)
    sale = order(scene, ("MUG-1", 1))
    sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)), actor=till)
    assert scene.do(revert(sale)).status == "open"
    assert [row["sales"] for row in shop.rows("SELECT sales FROM register_session")] == [0]
    sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)), actor=till)
    scene.do(CloseSession("0.00"), actor=till)
    scene.refuses(revert(sale), "INVALID_STATE")


def test_the_customer_and_prices_after_it_was_taken_back(scene: Scene) -> None:
    """Prices stand only while something is out."""
    scene.given("MUG-1 MAIN  A 5")
    sale = ship(scene, order(scene, ("MUG-1", 2)), (0, 1))
    scene.refuses(ChangeSale(sale.id, discount=DiscountRequest(percent=10)), "INVALID_STATE")
    sale = scene.do(revert(sale))
    assert scene.do(ChangeSale(sale.id, discount=DiscountRequest(percent=10))).total == "17.82"


# The rest keeps its share --------------------------------------------------------------------------------------------


def _a_third_off(scene: Scene, **fields: Any) -> Any:
    """3.000 at 3.33, a third off, 7.7 % tax: 7.17, of which 0.7 are 1.68. Priced by themselves they are 1.67."""
    scene.do(AddTaxRate(tax_class="std", rate="0.077"))
    scene.product("HAM-1", price=333, precision=3, tax_class="std")
    scene.shop.receive("HAM-1", 5, lot="H", cost="1.00")
    line = LineRequest("HAM-1", 3, discount=DiscountRequest(percent=Decimal("33.3333")))
    return scene.do(OpenSale(lines=(line,), **fields))


@pytest.mark.parametrize("by", ["cancel", "edit"])
@pytest.mark.parametrize("fee", [None, "1.01"])
def test_what_is_left_keeps_its_share_when_the_shipment_is_taken_back(scene: Scene, by: str, fee: str | None) -> None:
    fees = () if fee is None else (FeeRequest("Delivery", fee, "std"),)
    sale = _a_third_off(scene, fees=fees)
    assert sale.total == ("7.17" if fee is None else "8.26")
    sale = ship(scene, sale, (0, Decimal("0.7")))
    sale = scene.do(CancelSale(sale.id)) if by == "cancel" else less(scene, sale, 0, Decimal("0.7"))
    total = "1.68" if fee is None else "2.77"
    amounts = sale.total, sale.tax_total, sale.lines[0].discount, sale.lines[0].line_total
    assert (sale.status, sale.total) == ("completed", total)
    for _ in range(2):
        sale = scene.do(revert(sale))
        shown = sale.total, sale.tax_total, sale.lines[0].discount, sale.lines[0].line_total
        assert (sale.status, shown, sale.fulfillments) == ("open", amounts, [])
        assert money(scene) == {}
        sale = scene.do(ChangeSale(sale.id, customer="Ana"))
        sale = ship(scene, sale, (0, Decimal("0.7")))
        assert (sale.status, sale.total, sale.tax_total) == ("completed", *amounts[:2])


def test_the_rest_is_shipped_in_parts_or_completed_with_its_share(scene: Scene) -> None:
    sale = ship(scene, _a_third_off(scene), (0, Decimal("0.7")))
    sale = scene.do(revert(scene.do(CancelSale(sale.id))))
    scene.refuses(RevertShipment(sale.id, _kept(scene, sale.id), "again"), "NOT_FOUND")
    sale = ship(scene, sale, (0, Decimal("0.3")))
    sale = scene.do(revert(ship(scene, sale, (0, Decimal("0.4")))))
    assert (sale.total, len(sale.fulfillments)) == ("1.68", 1)
    sale = scene.do(revert(sale))
    done = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "1.68"),)))
    assert (done.status, done.total, done.paid) == ("completed", "1.68", "1.68")


def _kept(scene: Scene, sale_id: str) -> str:
    """The id of the shipment that is kept for its terms."""
    [row] = scene.shop.rows("SELECT fulfillments FROM sale WHERE id = :id", id=sale_id)
    [part] = json.loads(row["fulfillments"]) if isinstance(row["fulfillments"], str) else row["fulfillments"]
    return str(part["id"])


def test_the_discount_of_the_sale_stays_in_what_is_left(scene: Scene) -> None:
    """Giving up the rest has put the sale's discount into its lines: taken back, they still have it."""
    scene.shop.receive("MUG-1", 5, lot="M", cost="1.00")
    sale = order(scene, ("MUG-1", 1), ("CHEESE-1", 1), discount=DiscountRequest(percent=10))
    sale = ship(scene, sale, (1, Decimal("0.5")))
    sale = scene.do(revert(scene.do(CancelSale(sale.id))))
    assert (sale.status, sale.total) == ("open", "10.80")
    sale = scene.do(EditLine(sale.id, sale.lines[0].id, location="MAIN"))
    assert sale.total == "10.80", "moving it prices nothing anew"


def test_a_cart_that_is_changed_after_it_is_priced_like_any_cart(scene: Scene) -> None:
    sale = ship(scene, _a_third_off(scene), (0, Decimal("0.7")))
    sale = scene.do(revert(scene.do(CancelSale(sale.id))))
    sale = scene.do(EditLine(sale.id, sale.lines[0].id, quantity=3))
    assert sale.total == "7.17"


# As much of a sale as can be kept with it ----------------------------------------------------------------------------


def test_shipments_of_many_lines_are_fewer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines and lots of the shipments are counted: beyond the bound nothing more is shipped, the rest is completed."""
    monkeypatch.setattr("holdfast.core.sales.shipment.SHIPPED_PARTS_MAX", 8)
    scene.given("MUG-1 MAIN  A 2, B 18\nTEE-1 MAIN  C 20")
    sale = order(scene, ("MUG-1", 9), ("TEE-1", 9))
    sale = ship(scene, sale, (0, 3), (1, 1))  # two lines, from three lots
    sale = ship(scene, sale, (0, 1), (1, 1))  # two lines, from two lots: nine parts, and so the last
    refused = scene.refuses(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)), "INVALID_STATE")
    assert refused.detail == "The 2 shipments of the sale have 9 lines and lots: complete it."
    sale = scene.do(RevertShipment(sale.id, sale.fulfillments[1]["id"], "wrong order"))
    sale = ship(scene, sale, (0, 1), (1, 1))
    done = scene.do(CompleteSale(sale.id))
    assert (done.status, [line.fulfilled for line in done.lines]) == ("completed", [9, 9])


def test_returns_of_many_lines_are_fewer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each return of a sale reads the others: beyond the bound there is none."""
    monkeypatch.setattr("holdfast.core.sales.return_record.RETURNED_LINES_MAX", 3)
    scene.given("MUG-1 MAIN  A 20\nTEE-1 MAIN  B 20")
    sale = order(scene, ("MUG-1", 9), ("TEE-1", 9))
    scene.do(CompleteSale(sale.id))
    both = ReturnSale(sale.id, tuple(ReturnedLine(line.id, 1) for line in sale.lines), "cash")
    scene.do(both)
    scene.do(both)
    scene.refuses(both, "INVALID_STATE")
