"""Sales from the cart to the till: before, one command, after; and what the books say (section 8).

See docs/how-to/sell.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.check import check
from holdfast.core.decide import CommandGroup
from holdfast.core.organisation.products import ChangeProduct
from holdfast.core.organisation.settings import AddTaxRate, ChangeTaxRate
from holdfast.core.reservations.order_holds import OrderClose
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import AddLine, CancelSale, ChangeSale, EditLine, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, ShipSupplierOrder
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.core.books import balances, book_faults, entries_of, sale_faults
from tests.core.scene import Scene
from tests.shop import SECOND, Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

CASH = PaymentRequest("cash", "1000.00")
HOLD_SECONDS = 30 * 60


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop where mugs are 9.90 and shirts 20.00; at the end stock, books and sales agree."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=990)
        scene.product("TEE-1", price=2000, oversell="backorder")
        scene.product("SONG-1", price=500, kind="digital")
        scene.product("SOFA-1", price=30000, dropship=True, supplier="Acme")
        yield scene
        assert_truth(shop)
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def cart(scene: Scene, *lines: tuple[str, int], **fields: Any) -> Any:
    """A sale at the store MAIN with lines of (SKU, units)."""
    asked = tuple(LineRequest(sku, units) for sku, units in lines)
    return scene.do(OpenSale(scene.shop.stores["MAIN"], lines=asked, **fields))


def checkout(
    scene: Scene, *lines: LineRequest, pay: tuple[PaymentRequest, ...] | None = (CASH,), **fields: Any
) -> Checkout:
    """The command of a till of the store MAIN."""
    return Checkout(scene.shop.stores["MAIN"], lines, payments=pay, **fields)


def now(scene: Scene, sale: Any) -> Any:
    """The sale as it stands, read by a command that changes nothing about it."""
    return scene.do(ChangeSale(sale.id))


def test_pieces_are_counted_and_what_is_weighed_is_one(scene: Scene) -> None:
    """3 mugs, 2 songs and 1.250 of cheese are 6 units in a cart, and of what was read again."""
    scene.product("CHEESE-1", price=2400, precision=3)
    scene.given("MUG-1 MAIN  A 5 @1.00\nCHEESE-1 MAIN  B 9000 @1.00")
    lines = (LineRequest("MUG-1", 3), LineRequest("SONG-1", 2), LineRequest("CHEESE-1", Decimal("1.250")))
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=lines))
    assert sale.units == 6
    assert scene.do(RemoveLine(sale.id, sale.lines[1].id)).units == 4
    read = scene.shop.holdfast.reports.sale(scene.shop.org_id, sale.id)
    assert read is not None and dict(read)["units"] == 4


def held(sale: Any) -> list[tuple[str, Any, Any, Any]]:
    """(SKU, held, of it waiting, lapsed) line by line."""
    return [(line.sku, line.held, line.backordered, line.lapsed) for line in sale.lines]


# The cart ------------------------------------------------------------------------------------------------------------


def test_a_line_holds_its_units_and_follows_its_quantity(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = cart(scene)
    assert (sale.status, sale.number, sale.order_number, sale.source) == ("open", "S-000001", "S-000001", "manual")
    sale = scene.do(AddLine(sale.id, LineRequest("MUG-1", 2)))
    line = sale.lines[0].id
    for units in (4, 1, 5):
        sale = scene.do(EditLine(sale.id, line, quantity=units))
        scene.stands(f"""
            MUG-1 MAIN  A 5/{units}
            S-000001    A {units}
        """)
        assert (sale.total, held(sale)) == (f"{units * 9.9:.2f}", [("MUG-1", units, 0, 0)])
    assert scene.refuses(EditLine(sale.id, line, quantity=6), "INSUFFICIENT_STOCK").numbers["available"] == 0
    sale = scene.do(RemoveLine(sale.id, line))
    assert (sale.lines, sale.total) == ([], "0.00")
    scene.stands("""
        MUG-1 MAIN  A 5/0
        S-000001    edited
    """)
    scene.refuses(EditLine(sale.id, line, quantity=1), "NOT_FOUND")


def test_two_lines_of_one_product_compete(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    refused = scene.refuses(
        OpenSale(lines=(LineRequest("MUG-1", 3), LineRequest("MUG-1", 3), LineRequest("MUG-1", 4))),
        "INSUFFICIENT_STOCK",
    )
    assert [(one["index"], one["available"]) for one in refused.numbers["lines"]] == [(1, 2), (2, 2)]
    assert cart(scene, ("MUG-1", 3), ("MUG-1", 2)).number == "S-000001"


def test_a_line_is_split_over_the_fewest_locations(scene: Scene) -> None:
    for code, priority in (("BACK", 50), ("SIDE", 150)):
        scene.shop.location(code, priority=priority)
    scene.given("""
        MUG-1 BACK  B 2
        MUG-1 MAIN  A 3
        MUG-1 SIDE  C 4
        MUG-1 EAST  E 9
    """)
    sale = cart(scene, ("MUG-1", 6))
    scene.stands("""
        MUG-1 BACK B 2/0
        MUG-1 EAST E 9/0
        MUG-1 MAIN A 3/2
        MUG-1 SIDE C 4/4
        S-000001 A 2
        S-000001 C 4
    """)
    assert len(sale.lines[0].reservations) == 2
    refused = scene.refuses(AddLine(sale.id, LineRequest("MUG-1", 4)), "INSUFFICIENT_STOCK")
    assert refused.numbers["available"] == 3
    scene.do(EditLine(sale.id, sale.lines[0].id, quantity=9))
    scene.do(CompleteSale(sale.id, (CASH,)))
    scene.stands("""
        MUG-1 EAST E 9/0
        S-000001 consumed 3
        S-000001 consumed 4
        S-000001 consumed 2
    """)


def test_one_location_that_can_fill_it_alone_is_preferred(scene: Scene) -> None:
    scene.shop.location("BACK", priority=50)
    scene.given("""
        MUG-1 BACK  B 2
        MUG-1 MAIN  A 3
    """)
    cart(scene, ("MUG-1", 3))
    scene.stands("""
        MUG-1 BACK B 2/0
        MUG-1 MAIN A 3/3
        S-000001 A 3
    """)


def test_what_is_not_there_waits_at_the_first_location(scene: Scene) -> None:
    scene.shop.location("SIDE", priority=150)
    scene.given("TEE-1 SIDE  T 2")
    sale = cart(scene, ("TEE-1", 5))
    scene.stands("""
        TEE-1 MAIN waits 3
        TEE-1 SIDE T 2/2
        S-000001 T 2
        S-000001 waits 3
    """)
    assert (held(sale), sale.conflict) == ([("TEE-1", 5, 3, 0)], True)
    sale = scene.do(EditLine(sale.id, sale.lines[0].id, quantity=3))
    assert held(sale) == [("TEE-1", 3, 1, 0)]
    scene.shop.receive("TEE-1", 4, lot="U")
    assert held(now(scene, sale)) == [("TEE-1", 3, 0, 0)]


def test_a_preorder_waits_up_to_its_limit(scene: Scene) -> None:
    scene.product("BOOK-1", price=100, oversell="preorder", preorder_limit=3)
    scene.given("BOOK-1 MAIN  K 1")
    sale = cart(scene, ("BOOK-1", 3))
    assert held(sale) == [("BOOK-1", 3, 2, 0)]
    scene.refuses(AddLine(sale.id, LineRequest("BOOK-1", 2)), "INSUFFICIENT_STOCK")
    scene.do(AddLine(sale.id, LineRequest("BOOK-1", 1)))


def test_digital_lines_need_no_hold_and_no_ledger(scene: Scene) -> None:
    sale = cart(scene, ("SONG-1", 3))
    assert (sale.lines[0].reservations, sale.lines[0].held, sale.lines[0].lapsed) == ([], 0, 0)
    sale = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "15.00"),)))
    assert (sale.status, sale.lines[0].fulfilled) == ("completed", 3)
    assert scene.table() == scene.ledger() == []
    assert entries_of(scene.shop, sale.id) == [{"1100": 1500, "4000": -1500}]


def test_a_line_that_names_a_location_or_a_lot(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 3
        MUG-1 EAST  E 3
    """)
    lot = scene.lot("B")
    line = LineRequest("MUG-1", 2, lot_id=lot)
    sale = scene.do(OpenSale(lines=(line, LineRequest("MUG-1", 1, location="east"))))
    scene.stands("""
        MUG-1 EAST E 3/1
        MUG-1 MAIN A 3/0, B 3/2
        S-000001 B 2
        S-000001 E 1
    """)
    scene.refuses(AddLine(sale.id, line), "INSUFFICIENT_STOCK")
    scene.refuses(AddLine(sale.id, LineRequest("MUG-1", 1, lot_id=scene.shop.org_id)), "LOT_NOT_FOUND")
    scene.refuses(AddLine(sale.id, LineRequest("MUG-1", 1, location="NOWHERE")), "LOCATION_NOT_FOUND")
    scene.refuses(AddLine(sale.id, LineRequest("GHOST-1", 1)), "PRODUCT_NOT_FOUND")
    for units in (0, -1):
        scene.refuses(AddLine(sale.id, LineRequest("MUG-1", units)), "INVALID_QUANTITY")
    scene.do(Quarantine(lot))
    scene.refuses(AddLine(sale.id, line), "LOT_NOT_AVAILABLE")


def test_units_of_a_named_lot_wait_where_it_lies(scene: Scene) -> None:
    scene.shop.location("BACK", priority=50)
    scene.given("TEE-1 MAIN  T 2")
    cart_with_lot = OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("TEE-1", 3, lot_id=scene.lot("T")),))
    scene.do(cart_with_lot)
    scene.stands("""
        TEE-1 MAIN T 2/2, waits 1
        S-000001 T 2, waits 1
    """)


def test_nothing_is_sold_from_quarantine(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    scene.do(Quarantine(scene.lot("A")))
    scene.shop.receive("MUG-1", 2, "MAIN-QUARANTINE", lot="B")
    line = LineRequest("MUG-1", 1, location="MAIN-QUARANTINE")
    scene.refuses(OpenSale(lines=(line,)), "INSUFFICIENT_STOCK")
    scene.refuses(checkout(scene, line), "INSUFFICIENT_STOCK")


# Drop-shipped --------------------------------------------------------------------------------------------------------


def test_a_drop_shipped_line_becomes_a_supplier_order_when_it_is_sold(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    sale = cart(scene, ("SOFA-1", 2), ("MUG-1", 1))
    assert scene.shop.rows("SELECT id FROM supplier_order") == []
    sale = scene.do(CompleteSale(sale.id, (CASH,)))
    [order] = scene.shop.rows("SELECT * FROM supplier_order")
    assert (order["quantity"], order["supplier"], order["status"]) == (2, "Acme", "open")
    shipped = scene.do(ShipSupplierOrder(order["id"], "T-1"))
    assert (shipped.status, shipped.tracking, shipped.quantity) == ("shipped", "T-1", 2)
    scene.refuses(ShipSupplierOrder(order["id"]), "INVALID_STATE")
    assert len(scene.ledger("SALE")) == 1


def test_the_supplier_ships_an_imported_order(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @2.00")
    lines = (LineRequest("SOFA-1", 2), LineRequest("MUG-1", 1))
    sale = scene.do(OpenSale(lines=lines, source="shopify", order_number="1", fact=True))
    [order] = scene.shop.rows("SELECT * FROM supplier_order")
    scene.do(EditLine(sale.id, sale.lines[0].id, quantity=3))
    assert scene.do(ShipSupplierOrder(order["id"], "T-1")).quantity == 3
    assert entries_of(scene.shop, sale.id) == [{"1100": 90000, "4000": -90000}]
    sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[1].id, 1),)))
    assert sale.status == "completed"
    assert entries_of(scene.shop, sale.id)[1] == {"1100": 990, "1200": -200, "4000": -990, "5000": 200}


def test_a_line_that_is_taken_out_is_not_shipped_by_its_supplier(scene: Scene) -> None:
    lines = (LineRequest("SOFA-1", 2), LineRequest("SOFA-1", 1))
    sale = scene.do(OpenSale(lines=lines, source="shopify", order_number="1", fact=True))
    scene.do(RemoveLine(sale.id, sale.lines[0].id))
    orders = scene.shop.rows("SELECT * FROM supplier_order ORDER BY id")
    assert [order["status"] for order in orders] == ["cancelled", "open"]
    scene.refuses(ShipSupplierOrder(orders[0]["id"]), "INVALID_STATE")
    scene.do(CancelSale(sale.id))
    scene.refuses(ShipSupplierOrder(orders[1]["id"]), "INVALID_STATE")


def test_only_what_was_not_shipped_is_withdrawn_from_the_supplier(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    sale = cart(scene, ("SOFA-1", 3), ("SOFA-1", 1), ("MUG-1", 1))
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 2),)))
    sale = scene.do(CancelSale(sale.id))
    assert (sale.status, sale.total, [line.fulfilled for line in sale.lines]) == ("completed", "600.00", [2])
    [order] = scene.shop.rows("SELECT * FROM supplier_order")
    assert (order["quantity"], order["status"]) == (2, "open")
    shipped = scene.do(ShipSupplierOrder(order["id"], "T-1"))
    assert (shipped.status, shipped.quantity) == ("shipped", 2)
    scene.refuses(ShipSupplierOrder(order["id"]), "INVALID_STATE")
    assert balances(scene.shop)["4000"] == -60000, "shipped once, earned once"


def test_a_supplier_order_of_which_nothing_went_out_is_withdrawn_beside_one_that_did(scene: Scene) -> None:
    lines = (LineRequest("SOFA-1", 2), LineRequest("SOFA-1", 1))
    sale = scene.do(OpenSale(lines=lines, source="shopify", order_number="1", fact=True))
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    scene.do(CancelSale(sale.id))
    orders = scene.shop.rows("SELECT * FROM supplier_order ORDER BY id")
    assert [(order["quantity"], order["status"]) for order in orders] == [(1, "open"), (1, "cancelled")]


# The queue and time --------------------------------------------------------------------------------------------------


def test_suspended_holds_do_not_end_and_resuming_changes_nothing_but_their_time(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = cart(scene, ("MUG-1", 2))
    sale = scene.do(SuspendSale(sale.id))
    scene.refuses(SuspendSale(sale.id), "INVALID_STATE")
    scene.pass_(HOLD_SECONDS * 10)
    holds = scene.shop.rows("SELECT * FROM reservation")
    sale = scene.do(ResumeSale(sale.id), actor=scene.shop.cashier)
    assert (sale.status, sale.cashier, held(sale)) == ("open", "user:cashier", [("MUG-1", 2, 0, 0)])
    [before], [after] = holds, scene.shop.rows("SELECT * FROM reservation")
    timed = ("expires_at", "updated_at", "checksum")
    assert (before["expires_at"], after["expires_at"]) == (None, scene.now + HOLD_SECONDS * SECOND)
    assert {**before, **{name: after[name] for name in timed}} == after
    scene.refuses(ResumeSale(sale.id), "INVALID_STATE")


def test_activity_renews_every_hold_and_a_cart_left_alone_lapses(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 MAIN  T 5
    """)
    sale = cart(scene, ("MUG-1", 2), ("TEE-1", 1))
    for _ in range(3):
        scene.pass_(HOLD_SECONDS - 1)
        sale = scene.do(ChangeSale(sale.id, customer="Ana"))
        assert held(sale) == [("MUG-1", 2, 0, 0), ("TEE-1", 1, 0, 0)]
    scene.pass_(HOLD_SECONDS)
    sale = now(scene, sale)
    assert held(sale) == [("MUG-1", 0, 0, 2), ("TEE-1", 0, 0, 1)]
    assert sale.status == "open"
    scene.stands("""
        MUG-1 MAIN A 5/0
        TEE-1 MAIN T 5/0
        S-000001 expired
        S-000001 expired
    """)


def test_another_price_does_not_compete_for_what_lapsed(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    sale = cart(scene, ("MUG-1", 2))
    line = sale.lines[0].id
    scene.pass_(HOLD_SECONDS)
    cart(scene, ("MUG-1", 1))
    sale = scene.do(EditLine(sale.id, line, unit_price="5.00", discount=DiscountRequest(percent=10)))
    assert (sale.total, held(sale)) == ("9.00", [("MUG-1", 0, 0, 2)])
    scene.refuses(EditLine(sale.id, line, quantity=2), "INSUFFICIENT_STOCK")
    sale = scene.do(EditLine(sale.id, line, quantity=1))
    assert held(sale) == [("MUG-1", 1, 0, 0)]


def test_a_lapsed_cart_competes_again_when_it_is_completed(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    sale = cart(scene, ("MUG-1", 2))
    scene.pass_(HOLD_SECONDS)
    rival = cart(scene, ("MUG-1", 2))
    refused = scene.refuses(CompleteSale(sale.id, (CASH,)), "INSUFFICIENT_STOCK")
    assert [(one["index"], one["requested"], one["available"]) for one in refused.numbers["lines"]] == [(0, 2, 1)]
    assert now(scene, sale).status == "open"
    scene.do(CancelSale(rival.id))
    sold = scene.do(CompleteSale(sale.id, (CASH,)))
    assert (sold.status, sold.lines[0].fulfilled, len(sold.lines[0].reservations)) == ("completed", 2, 2)


def test_without_a_limit_carts_never_lapse(scene: Scene) -> None:
    with scene.shop.holdfast.database.writing() as connection:  # as an older version could be told
        connection.exec_driver_sql("UPDATE organisation SET cart_hold_minutes = 0")
    scene.given("MUG-1 MAIN  A 3")
    sale = cart(scene, ("MUG-1", 2))
    scene.pass_(HOLD_SECONDS * 1000)
    assert held(now(scene, sale)) == [("MUG-1", 2, 0, 0)]


# Completing and cancelling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suspended", [False, True])
def test_completing_consumes_and_books_once(scene: Scene, suspended: bool) -> None:
    scene.given("MUG-1 MAIN  A 1 @3.00, B 4 @3.50")
    sale = cart(scene, ("MUG-1", 3))
    if suspended:
        scene.do(SuspendSale(sale.id))
    sale = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "20.00"), PaymentRequest("cash", "10.00"))))
    assert (sale.status, sale.total, sale.paid, sale.change) == ("completed", "29.70", "30.00", "0.30")
    assert sale.receipt["due"] == "29.70"
    assert [(line["qty_delta"], line["ref_id"]) for line in scene.ledger("SALE")] == [(-1, sale.id), (-2, sale.id)]
    assert entries_of(scene.shop, sale.id) == [{"1000": 970, "1100": 2000, "1200": -1000, "4000": -2970, "5000": 1000}]
    for command in (CompleteSale(sale.id, (CASH,)), CancelSale(sale.id), SuspendSale(sale.id), ResumeSale(sale.id)):
        scene.refuses(command, "INVALID_STATE")
    scene.refuses(AddLine(sale.id, LineRequest("MUG-1", 1)), "INVALID_STATE")


def test_what_is_not_paid_stays_receivable(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @1.00")
    sale = scene.do(CompleteSale(cart(scene, ("MUG-1", 2)).id))
    assert (sale.paid, sale.change) == ("0.00", "0.00")
    assert entries_of(scene.shop, sale.id) == [{"1100": 1980, "1200": -200, "4000": -1980, "5000": 200}]


def test_cancelling_gives_everything_back(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    sale = scene.do(CancelSale(cart(scene, ("MUG-1", 2)).id))
    assert sale.status == "cancelled"
    scene.stands("""
        MUG-1 MAIN A 3/0
        S-000001 voided
    """)
    scene.refuses(CancelSale(sale.id), "INVALID_STATE")
    scene.refuses(CompleteSale(sale.id, (CASH,)), "INVALID_STATE")


def test_an_empty_or_unknown_sale_cannot_be_completed(scene: Scene) -> None:
    scene.refuses(CompleteSale(cart(scene).id, ()), "INVALID_STATE")
    for name in (scene.shop.org_id, "S-000001"):
        scene.refuses(CompleteSale(name, ()), "SALE_NOT_FOUND")


def test_a_waiting_line_is_named_and_what_is_there_can_be_shipped(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3
        TEE-1 MAIN  T 2 @8.00
    """)
    sale = cart(scene, ("MUG-1", 1), ("TEE-1", 5))
    refused = scene.refuses(CompleteSale(sale.id, (CASH,)), "INSUFFICIENT_RESERVED")
    assert [(one["index"], one["requested"], one["available"]) for one in refused.numbers["lines"]] == [(1, 5, 2)]
    mug, tee = (line.id for line in sale.lines)
    refused = scene.refuses(Fulfill(sale.id, (ShipLine(mug, 2), ShipLine(tee, 3))), "INSUFFICIENT_RESERVED")
    assert [one["index"] for one in refused.numbers["lines"]] == [0, 1]
    scene.refuses(Fulfill(sale.id, ()), "INVALID_REQUEST")
    scene.refuses(Fulfill(sale.id, (ShipLine(sale.id, 1),)), "NOT_FOUND")
    sale = scene.do(Fulfill(sale.id, (ShipLine(tee, 1), ShipLine(tee, 1)), "T-1"))
    assert (sale.status, [line.fulfilled for line in sale.lines]) == ("open", [0, 2])
    assert sale.fulfillments[0]["lines"] == [{"line_id": tee, "quantity": 2}]
    unpriced = ChangeSale(sale.id, fees=())
    for command in (EditLine(sale.id, mug, quantity=2), RemoveLine(sale.id, mug), unpriced):
        scene.refuses(command, "INVALID_STATE")
    scene.shop.receive("TEE-1", 3, lot="U", cost="9.00")
    sale = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "109.90"),)))
    assert [line.fulfilled for line in sale.lines] == [1, 5]
    assert entries_of(scene.shop, sale.id) == [
        {"1100": 4000, "1200": -1600, "4000": -4000, "5000": 1600},
        {"1100": 6990, "1200": -2700, "4000": -6990, "5000": 2700},
    ]


def test_parts_are_booked_as_shares_and_the_last_takes_the_rest(scene: Scene) -> None:
    scene.do(AddTaxRate(tax_class="std", rate="0.15"))
    scene.product("PEN-1", price=334, tax_class="std")
    scene.given("PEN-1 MAIN  P 3 @1.00")
    fee = FeeRequest("delivery", "2.00")
    sale = scene.do(
        OpenSale(
            lines=(LineRequest("PEN-1", 3, discount=DiscountRequest(amount="0.02")), LineRequest("SONG-1", 1)),
            fees=(fee,),
        )
    )
    assert (sale.lines[0].line_total, sale.lines[0].tax, sale.total) == ("11.50", "1.50", "18.50")
    for _ in range(3):
        sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    assert (sale.status, [line.fulfilled for line in sale.lines]) == ("completed", [3, 1])
    assert entries_of(scene.shop, sale.id) == [
        {"1100": 384, "1200": -100, "2100": -50, "4000": -334, "5000": 100},
        {"1100": 383, "1200": -100, "2100": -50, "4000": -333, "5000": 100},
        {"1100": 383 + 700, "1200": -100, "2100": -50, "4000": -333 - 700, "5000": 100},
    ]


@pytest.mark.parametrize("way", ["fulfilment", "hold"])
def test_the_customer_can_be_put_right_after_a_part_went_out(scene: Scene, way: str) -> None:
    rate = scene.do(AddTaxRate(tax_class="std", rate="0.15"))
    scene.do(ChangeProduct(scene.products["MUG-1"].id, tax_class="std"))
    scene.given("MUG-1 MAIN  A 5")
    sale = cart(scene, ("MUG-1", 3))
    line = sale.lines[0]
    scene.do(Fulfill(sale.id, (ShipLine(line.id, 1),)) if way == "fulfilment" else Consume(line.reservations[0], 1))
    scene.do(ChangeTaxRate(rate.id, rate="0.2"))
    sale = scene.do(ChangeSale(sale.id, customer="Ana"))
    # What was booked stands; what only left by its hold is booked by the completion, at the rates of its day.
    stands = ("34.16", "4.46") if way == "fulfilment" else ("35.64", "5.94")
    assert (sale.customer, sale.total, sale.tax_total) == ("Ana", *stands)
    for changes in ({"discount": None}, {"customer": "Bo", "fees": ()}):
        scene.refuses(ChangeSale(sale.id, **changes), "INVALID_STATE")
    sold = scene.do(CompleteSale(sale.id, (CASH,)))
    assert (sold.customer, sold.total, sold.tax_total) == ("Ana", *stands)
    scene.refuses(ChangeSale(sale.id, customer="Bo"), "INVALID_STATE")


def test_cancelling_after_a_part_completes_with_what_was_shipped(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5 @1.00
        TEE-1 MAIN  T 5 @2.00
    """)
    sale = cart(scene, ("MUG-1", 3), ("TEE-1", 2), discount=DiscountRequest(amount="1.00"))
    sale = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 2),)))
    shipped = entries_of(scene.shop, sale.id)
    sale = scene.do(CancelSale(sale.id))
    assert (sale.status, [(line.sku, line.quantity, line.fulfilled) for line in sale.lines]) == (
        "completed",
        [("MUG-1", 2, 2)],
    )
    assert (sale.subtotal, sale.discount_total, sale.total) == ("19.80", "0.28", "19.52")
    assert shipped == [{"1100": 1952, "1200": -200, "4000": -1952, "5000": 200}] == entries_of(scene.shop, sale.id)
    scene.stands("""
        MUG-1 MAIN A 3/0
        TEE-1 MAIN T 5/0
        S-000001 consumed 2
        S-000001 voided
    """)
    scene.refuses(CancelSale(sale.id), "INVALID_STATE")


def test_a_hold_that_gave_way_to_a_count_keeps_the_sale_open(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    sale = cart(scene, ("MUG-1", 3))
    scene.do(SetStock("MUG-1", "MAIN", 2))
    refused = scene.refuses(CompleteSale(sale.id, (CASH,)), "INSUFFICIENT_RESERVED")
    assert (refused.numbers["allocated"], refused.numbers["backordered"]) == (2, 1)
    scene.do(SetStock("MUG-1", "MAIN", 3))
    scene.do(CompleteSale(sale.id, (CASH,)))


# Direct reservations that name the sale ------------------------------------------------------------------------------


def named(sale: Any) -> Target:
    """The target of a direct reservation for the sale as a whole."""
    return Target(reserved_for_type="transaction", reserved_for_id=sale.id)


@pytest.mark.parametrize("way", ["complete", "ship", "cancel"])
def test_holds_that_name_the_sale_go_with_it(scene: Scene, way: str) -> None:
    scene.given("MUG-1 MAIN  A 9 @1.00")
    sale = cart(scene, ("MUG-1", 2))
    scene.do(Reserve("MUG-1", 3, "MAIN", named(sale)))
    if way == "complete":
        scene.do(CompleteSale(sale.id, (CASH,)))
    elif way == "ship":
        scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 2),)))
    else:
        scene.do(CancelSale(sale.id))
    left, outcome = (9, ("voided", "voided")) if way == "cancel" else (4, ("consumed 2", "consumed 3"))
    scene.stands(f"""
        MUG-1 MAIN A {left}/0
        S-000001 {outcome[0]}
        - {outcome[1]}
    """)
    scene.refuses(Reserve("MUG-1", 1, "MAIN", named(sale)), "INVALID_STATE")
    if way != "cancel":
        [entry] = entries_of(scene.shop, sale.id)
        assert (entry["4000"], entry["5000"]) == (-1980, 500)


def test_a_hold_for_a_line_or_a_sale_that_is_not_there(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    ghost = scene.shop.org_id
    scene.refuses(Reserve("MUG-1", 1, "MAIN", Target(sale_line_id=ghost)), "TARGET_NOT_FOUND")
    scene.refuses(
        Reserve("MUG-1", 1, "MAIN", Target(reserved_for_type="transaction", reserved_for_id=ghost)), "TARGET_NOT_FOUND"
    )


def test_a_hold_for_a_line_is_of_what_the_line_sells(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 MAIN  B 5
    """)
    sale = cart(scene, ("MUG-1", 1))
    line = Target(sale_line_id=sale.lines[0].id)
    refused = scene.refuses(Reserve("TEE-1", 1, "MAIN", line), "INVALID_REQUEST")
    assert (refused.numbers["field"], refused.detail) == ("sale_line_id", "The line sells MUG-1, not TEE-1.")
    scene.do(Reserve("MUG-1", 1, "MAIN", line))
    scene.do(Reserve("TEE-1", 1, "MAIN", Target(reserved_for_type="transaction", reserved_for_id=sale.id)))


def test_a_hold_for_a_line_goes_with_the_line(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    sale = cart(scene, ("MUG-1", 2))
    hold = scene.do(Reserve("MUG-1", 3, "MAIN", Target(sale_line_id=sale.lines[0].id)))
    assert (hold.reserved_for_type, hold.reserved_for_id) == ("transaction", sale.id)
    scene.do(CompleteSale(sale.id, (CASH,)))
    assert sum(line["qty_delta"] for line in scene.ledger("SALE")) == -2
    assert scene.shop.rows("SELECT id FROM reservation WHERE status = 'active'") == []


def test_units_of_a_line_that_went_out_by_their_hold_are_not_sold_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9 @1.00")
    sale = cart(scene, ("MUG-1", 3))
    [hold] = sale.lines[0].reservations
    scene.do(Consume(hold, 2))
    scene.refuses(EditLine(sale.id, sale.lines[0].id, quantity=1), "INVALID_STATE")
    sale = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "29.70"),)))
    assert sale.lines[0].fulfilled == 3
    assert [line["qty_delta"] for line in scene.ledger("SALE")] == [-2, -1]
    assert balances(scene.shop)["4000"] == -2970


@pytest.mark.parametrize("shipped", [0, 1])
@pytest.mark.parametrize("beside", [(), (("SONG-1", 1),), (("SOFA-1", 1),)])
def test_a_sale_whose_holds_were_all_sold_is_completed(scene: Scene, shipped: int, beside: Any) -> None:
    scene.given("MUG-1 MAIN  A 5 @3.00")
    sale = cart(scene, ("MUG-1", 3), *beside)
    mugs = sale.lines[0]
    if shipped:
        scene.do(Fulfill(sale.id, (ShipLine(mugs.id, shipped),)))
    scene.do(Consume(mugs.reservations[0]))
    refused = scene.refuses(
        Fulfill(sale.id, (ShipLine(mugs.id, 1),)), "INSUFFICIENT_RESERVED" if beside else "INVALID_STATE"
    )
    assert beside or refused.detail == "All of the sale has gone out: complete it."
    sold = scene.do(CompleteSale(sale.id, (CASH,)))
    assert (sold.status, [line.fulfilled for line in sold.lines]) == ("completed", [3, *(1 for _ in beside)])
    total = round(float(sold.total) * 100)
    assert total == 2970 + {(): 0, "SONG-1": 500, "SOFA-1": 30000}[beside and beside[0][0]]
    books = balances(scene.shop)
    assert (books["1000"], books["4000"], books["5000"], "1100" in books) == (total, -total, 900, False)


def test_cancelling_after_a_part_went_out_by_its_hold_keeps_the_shares(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @3.00")
    sale = cart(scene, ("MUG-1", 2), ("SONG-1", 2), discount=DiscountRequest(amount="2.98"))
    scene.do(Consume(sale.lines[0].reservations[0], 1))
    cut = scene.do(CancelSale(sale.id))
    assert (cut.status, cut.subtotal, cut.discount_total, cut.total) == ("completed", "9.90", "0.99", "8.91")
    assert [part["lines"] for part in cut.fulfillments] == [[{"line_id": sale.lines[0].id, "quantity": 1}]]
    assert check(scene.shop.holdfast.database).mismatches == []


def test_an_order_that_was_converted_past_the_sale_is_not_sold_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9 @1.00")
    lines = (LineRequest("MUG-1", 3),)
    sale = scene.do(OpenSale(lines=lines, source="shopify", order_number="1001", fact=True))
    scene.do(OrderClose("1001", "shopify", consume=True))
    sale = scene.do(CompleteSale(sale.id, (PaymentRequest("card", "29.70"),)))
    assert [line["qty_delta"] for line in scene.ledger("SALE")] == [-3]


def test_a_hold_that_was_given_back_by_hand_lapses_and_competes(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    sale = cart(scene, ("MUG-1", 2))
    scene.do(Release(sale.lines[0].reservations[0], 1))
    assert held(now(scene, sale)) == [("MUG-1", 1, 0, 1)]
    assert scene.do(CompleteSale(sale.id, (CASH,))).lines[0].fulfilled == 2


# Imported orders -----------------------------------------------------------------------------------------------------


def test_an_imported_order_is_always_taken(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1")
    order = OpenSale(
        scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 4),), source="shopify", order_number="1001", fact=True
    )
    sale = scene.do(order)
    assert (sale.status, sale.conflict, sale.number, sale.order_number) == ("suspended", True, "S-000001", "1001")
    scene.stands("""
        MUG-1 MAIN A 1/1, waits 3
        1001 A 1, waits 3
    """)
    scene.refuses(order, "ALREADY_EXISTS")
    scene.do(msgspec.structs.replace(order, source="amazon"))
    scene.shop.receive("MUG-1", 3, lot="B")
    assert now(scene, sale).conflict is False
    scene.do(CompleteSale(sale.id))


def test_our_numbers_cannot_be_brought_along(scene: Scene) -> None:
    scene.refuses(OpenSale(order_number="S-000001"), "INVALID_REQUEST")
    assert scene.do(OpenSale(order_number="A-1")).order_number == "A-1"
    scene.refuses(OpenSale(order_number="A-1"), "ALREADY_EXISTS")


def test_a_refused_sale_takes_no_number(scene: Scene) -> None:
    scene.refuses(OpenSale(lines=(LineRequest("MUG-1", 1),)), "INSUFFICIENT_STOCK")
    scene.refuses(checkout(scene, LineRequest("MUG-1", 1)), "INSUFFICIENT_STOCK")
    scene.do(checkout(scene, LineRequest("SONG-1", 1), quote=True))
    group = CommandGroup((OpenSale(), OpenSale(lines=(LineRequest("MUG-1", 1),)), OpenSale()), atomic=False)
    assert [getattr(one, "number", None) for one in scene.do(group)] == ["S-000001", None, "S-000002"]


# Money ---------------------------------------------------------------------------------------------------------------


def test_fees_alone_are_no_sale(scene: Scene) -> None:
    """Such a sale could never be completed, so it is not begun; a cart gets its fees after its first line."""
    fees = (FeeRequest("delivery", "4.50"),)
    empty = scene.do(OpenSale())
    for command in (
        OpenSale(fees=fees),
        OpenSale(scene.shop.stores["MAIN"], order_number="7", fees=fees),
        ChangeSale(empty.id, fees=fees),
    ):
        refused = scene.shop.refused(command)
        assert (refused.code, refused.numbers["field"]) == ("INVALID_REQUEST", "fees")
    assert len(scene.shop.rows("SELECT id FROM sale")) == 1

    assert scene.do(ChangeSale(empty.id, fees=())).fee_total == "0.00"
    scene.do(AddLine(empty.id, LineRequest("SONG-1", 1)))
    assert scene.do(ChangeSale(empty.id, fees=fees)).total == "9.50"
    assert scene.do(CompleteSale(empty.id, (CASH,))).status == "completed"


def test_prices_discounts_and_fees_need_their_permissions(scene: Scene) -> None:
    shop = scene.shop
    scene.given("MUG-1 MAIN  A 5")
    sale = scene.do(OpenSale(shop.stores["MAIN"]), actor=shop.cashier)
    line = LineRequest("MUG-1", 1, unit_price="9.90")
    sale = scene.do(AddLine(sale.id, line), actor=shop.cashier)
    cheaper = {"unit_price": "5.00"}
    reduced = {"discount": DiscountRequest(percent=10)}
    fee = {"fees": (FeeRequest("wrap", "1.00"),)}
    edit, change = (
        (lambda fields: EditLine(sale.id, sale.lines[0].id, **fields)),
        lambda fields: ChangeSale(sale.id, **fields),
    )
    for command in (edit(cheaper), edit(reduced), change(reduced), change(fee)):
        scene.refuses(command, "PRICE_MISMATCH", actor=shop.cashier)
    refused = scene.refuses(
        AddLine(sale.id, LineRequest("MUG-1", 1, unit_price="5.00")), "PRICE_MISMATCH", actor=shop.staff
    )
    assert refused.numbers["unit_price"] == "9.90"
    scene.refuses(change(fee), "PRICE_MISMATCH", actor=shop.staff)
    assert scene.do(change(reduced), actor=shop.staff).total == "8.91"
    assert scene.do(edit(cheaper), actor=shop.manager).total == "4.50"
    assert scene.do(change(fee), actor=shop.manager).total == "5.50"
    too_much = (
        edit({"discount": DiscountRequest(amount="5.01")}),
        edit({"discount": DiscountRequest(percent=101)}),
        edit({"discount": DiscountRequest(amount="-1.00")}),
        edit({"unit_price": "-1.00"}),
        edit({"unit_price": "1.001"}),
        change({"discount": DiscountRequest(amount="6.00")}),
    )
    for command in too_much:
        scene.refuses(command, "INVALID_AMOUNT")


def test_more_units_at_a_given_price_need_the_permission_to_give_it(scene: Scene) -> None:
    """A manager gives one mug away for a cent, and that is no price for twenty."""
    shop = scene.shop
    scene.given("MUG-1 MAIN  A 30")
    sale = scene.do(OpenSale(shop.stores["MAIN"], lines=(LineRequest("MUG-1", 2),)), actor=shop.cashier)
    line = sale.lines[0].id
    scene.do(EditLine(sale.id, line, unit_price="0.01"), actor=shop.manager)
    for actor in (shop.cashier, shop.staff):
        refused = scene.refuses(EditLine(sale.id, line, quantity=20), "PRICE_MISMATCH", actor=actor)
        assert refused.numbers["unit_price"] == "9.90"
    scene.do(EditLine(sale.id, line, quantity=2), actor=shop.cashier)
    assert scene.do(EditLine(sale.id, line, quantity=1), actor=shop.cashier).total == "0.01"
    assert scene.do(EditLine(sale.id, line, quantity=3), actor=shop.manager).total == "0.03"
    assert scene.do(EditLine(sale.id, line, quantity=20, unit_price=None), actor=shop.cashier).total == "198.00"

    scene.do(EditLine(sale.id, line, discount=DiscountRequest(percent=50)), actor=shop.staff)
    scene.refuses(EditLine(sale.id, line, quantity=21), "PRICE_MISMATCH", actor=shop.cashier)
    assert scene.do(EditLine(sale.id, line, quantity=10), actor=shop.cashier).total == "49.50"
    assert scene.do(EditLine(sale.id, line, quantity=12), actor=shop.staff).total == "59.40"
    assert scene.do(EditLine(sale.id, line, quantity=13, discount=None), actor=shop.cashier).total == "128.70"


def test_a_product_that_is_not_sold_any_more_is_put_on_no_sale(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = cart(scene, ("MUG-1", 1))
    scene.do(ChangeProduct(scene.products["MUG-1"].id, active=False))
    mugs = LineRequest("MUG-1", 1)
    quote = checkout(scene, mugs, pay=None, quote=True)
    for command in (OpenSale(lines=(mugs,)), AddLine(sale.id, mugs), checkout(scene, mugs), quote):
        assert "not sold any more" in scene.refuses(command, "INVALID_STATE").detail
    refused = scene.refuses(OpenSale(lines=(LineRequest("SONG-1", 1), mugs, mugs)), "INVALID_STATE")
    assert [one["index"] for one in refused.numbers["lines"]] == [1, 2]
    scene.refuses(OpenSale(lines=(mugs, LineRequest("SONG-1", 0))), "INVALID_QUANTITY")
    assert scene.do(CompleteSale(sale.id, (CASH,))).status == "completed", "what was in the cart already"
    past = OpenSale(lines=(mugs,), source="shopify", order_number="1", fact=True)
    assert scene.do(past).total == "9.90", "an order that was taken elsewhere is a fact"


def test_nothing_without_a_price_is_sold_by_those_who_may_set_none(scene: Scene) -> None:
    scene.product("GIFT-1")
    scene.given("GIFT-1 MAIN  A 9")
    unpriced, given = LineRequest("GIFT-1", 1), LineRequest("GIFT-1", 1, "0.00")
    staff = scene.shop.staff
    assert staff.caller.may_price is False
    for command in (OpenSale(lines=(unpriced,)), checkout(scene, unpriced), checkout(scene, unpriced, quote=True)):
        assert scene.refuses(command, "PRICE_MISMATCH", actor=staff).numbers["unit_price"] is None
    for price in ("0.00", "5.00"):
        scene.refuses(OpenSale(lines=(LineRequest("GIFT-1", 1, price),)), "PRICE_MISMATCH", actor=staff)
    for line in (given, unpriced):
        sale = scene.do(OpenSale(lines=(line,)), actor=scene.shop.manager)
        assert (sale.total, sale.lines[0].unit_price) == ("0.00", "0.00"), "by somebody who may give it away"
    scene.refuses(AddLine(sale.id, unpriced), "PRICE_MISMATCH", actor=staff)
    scene.refuses(EditLine(sale.id, sale.lines[0].id, unit_price=None), "PRICE_MISMATCH", actor=staff)
    assert scene.do(OpenSale(lines=(unpriced,), source="shopify", order_number="1", fact=True)).total == "0.00"


def test_a_fee_is_taxed_by_a_class_that_there_is(scene: Scene) -> None:
    sale = cart(scene, ("SONG-1", 1))
    fees = (FeeRequest("wrap", "1.00"), FeeRequest("delivery", "2.00", "standrad"))
    for command in (ChangeSale(sale.id, fees=fees), OpenSale(fees=fees)):
        refused = scene.refuses(command, "INVALID_REQUEST")
        assert (refused.numbers["field"], "'standrad'" in refused.detail) == ("fees.1.tax_class", True)
    scene.do(AddTaxRate("standrad", "0.15", "EAST"))
    assert scene.do(ChangeSale(sale.id, fees=fees)).tax_total == "0.00", "as goods of the class are in this store"


def test_a_tax_is_at_most_all_of_the_price(scene: Scene) -> None:
    for rate in ("-0.000001", "1.000001", "15"):
        refused = scene.refuses(AddTaxRate(tax_class="std", rate=rate), "INVALID_REQUEST")
        assert refused.numbers["field"] == "rate"
    made = scene.do(AddTaxRate(tax_class="std", rate="1"))
    scene.refuses(ChangeTaxRate(made.id, rate="8"), "INVALID_REQUEST")


def test_a_discount_of_the_sale_takes_off_no_more_than_is_left(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    sale = cart(scene, ("MUG-1", 2), ("SONG-1", 1), discount=DiscountRequest(amount="12.00"))
    mugs, song = (line.id for line in sale.lines)
    sale = scene.do(RemoveLine(sale.id, mugs))
    assert (sale.discount_total, sale.total) == ("5.00", "0.00")
    sale = scene.do(EditLine(sale.id, song, unit_price="4.00"))
    assert (sale.discount_total, sale.total) == ("4.00", "0.00")
    refused = scene.refuses(ChangeSale(sale.id, discount=DiscountRequest(amount="4.01")), "INVALID_AMOUNT")
    assert "discount of the sale" in refused.detail
    sale = scene.do(AddLine(sale.id, LineRequest("MUG-1", 1)))
    assert (sale.discount_total, sale.total) == ("12.00", "1.90"), "what was given comes back with the goods"
    sale = scene.do(RemoveLine(sale.id, sale.lines[1].id))
    assert scene.do(CompleteSale(sale.id, ())).total == "0.00"
    assert scene.shop.rows("SELECT discount_total FROM sale") == [{"discount_total": 400}]


def test_payments_that_do_not_fit(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sale = cart(scene, ("MUG-1", 2))

    def pay(*payments: tuple[str, str]) -> CompleteSale:
        return CompleteSale(sale.id, tuple(PaymentRequest(*one) for one in payments))

    for payments in ((), (("cash", "19.79"),), (("card", "19.81"),), (("card", "15.00"), ("other", "5.00"))):
        refused = scene.refuses(pay(*payments), "PAYMENT_MISMATCH")
        assert refused.numbers["due"] == "19.80"
    for amount in ("-1.00", "19.805", "much"):
        scene.refuses(pay(("cash", amount)), "INVALID_AMOUNT")
    sold = scene.do(pay(("other", "10.00"), ("card", "9.00"), ("cash", "5.00")))
    assert (sold.paid, sold.change) == ("24.00", "4.20")
    assert entries_of(scene.shop, sold.id) == [{"1000": 80, "1100": 1900, "4000": -1980}]


def test_cash_is_rounded_last_and_booked_apart(scene: Scene) -> None:
    """The worked number of POS.md: 13.67 and 15 percent are 15.72; in cash 15.70, the tax stays 2.05."""
    scene.shop.settings(cash_rounding="0.05")
    scene.do(AddTaxRate(tax_class="std", rate="0.15"))
    scene.product("PEN-1", price=1367, tax_class="std")
    scene.given("PEN-1 MAIN  P 2 @4.00")
    sold = scene.do(checkout(scene, LineRequest("PEN-1", 1), pay=(PaymentRequest("cash", "20.00"),)))
    assert (sold.total, sold.tax_total, sold.rounding, sold.change) == ("15.72", "2.05", "-0.02", "4.30")
    assert entries_of(scene.shop, sold.id) == [
        {"1000": 1570, "1200": -400, "2100": -205, "4000": -1367, "5000": 400, "5300": 2}
    ]
    by_card = scene.do(checkout(scene, LineRequest("PEN-1", 1), pay=(PaymentRequest("card", "15.72"),)))
    assert (by_card.rounding, by_card.change) == ("0.00", "0.00")


# At the till ---------------------------------------------------------------------------------------------------------


def test_a_checkout_sells_straight_from_the_shelf(scene: Scene) -> None:
    scene.shop.location("BACK", priority=50)
    scene.given("""
        MUG-1 BACK  B 2 @1.00
        MUG-1 MAIN  A 3 @2.00
        MUG-1 EAST  E 9
    """)
    sold = scene.do(
        checkout(scene, LineRequest("MUG-1", 4), LineRequest("SONG-1", 1), LineRequest("SOFA-1", 1), customer="Ana")
    )
    assert (sold.status, sold.source, sold.total, sold.customer) == ("completed", "pos", "344.60", "Ana")
    assert [line.fulfilled for line in sold.lines] == [4, 1, 1]
    scene.stands("""
        MUG-1 BACK B 1/0
        MUG-1 EAST E 9/0
    """)
    assert {line["ref_id"] for line in scene.ledger("SALE")} == {sold.id}
    assert entries_of(scene.shop, sold.id) == [{"1000": 34460, "1200": -700, "4000": -34460, "5000": 700}]


def test_a_checkout_names_every_short_line_and_changes_nothing_at_all(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3
        TEE-1 MAIN  T 2
    """)
    tables = ("ledger", "sale", "sale_line", "journal_entry", "counter", "event_batch", "reservation", "supplier_order")
    before = {table: scene.shop.rows(f"SELECT * FROM {table}") for table in tables}
    lines = (LineRequest("MUG-1", 2), LineRequest("TEE-1", 3), LineRequest("SOFA-1", 1), LineRequest("MUG-1", 2))
    refused = scene.refuses(checkout(scene, *lines), "INSUFFICIENT_STOCK")
    assert [(one["index"], one["requested"], one["available"]) for one in refused.numbers["lines"]] == [
        (1, 3, 2),
        (3, 2, 1),
    ]
    assert before == {table: scene.shop.rows(f"SELECT * FROM {table}") for table in tables}
    for pay in ((), None, (PaymentRequest("cash", "1.00"),)):
        scene.refuses(checkout(scene, LineRequest("MUG-1", 1), pay=pay), "PAYMENT_MISMATCH")
    scene.refuses(checkout(scene), "INVALID_REQUEST")
    assert before == {table: scene.shop.rows(f"SELECT * FROM {table}") for table in tables}


def test_a_quote_is_what_the_checkout_then_costs(scene: Scene) -> None:
    scene.shop.settings(tax_mode="inclusive")
    scene.do(AddTaxRate(tax_class="std", rate="0.19"))
    scene.product("PEN-1", price=1999, tax_class="std")
    scene.given("PEN-1 MAIN  P 9")
    lines = (LineRequest("PEN-1", 3, discount=DiscountRequest(percent=5)), LineRequest("SONG-1", 1))
    fields = {"discount": DiscountRequest(amount="1.00"), "fees": (FeeRequest("wrap", "1.00", "std"),)}
    quoted = scene.do(checkout(scene, *lines, pay=None, quote=True, **fields))
    opened = scene.do(OpenSale(lines=lines, **fields))
    sold = scene.do(checkout(scene, *lines, **fields))
    assert (quoted.id, quoted.number, [line.id for line in quoted.lines]) == (None, None, [None, None])
    for name in ("subtotal", "discount_total", "tax_total", "fee_total", "total"):
        assert getattr(quoted, name) == getattr(opened, name) == getattr(sold, name), name


def test_lots_leave_first_in_first_out_or_first_expired_or_as_named(scene: Scene) -> None:
    scene.product("MILK-1", price=100, track_expiry=True)
    scene.given("""
        MUG-1 MAIN   A 1, B 5
        MILK-1 MAIN  M 2 until 9000, N 2 until 100, O 2 until 500
    """)
    scene.do(
        checkout(
            scene, LineRequest("MUG-1", 2), LineRequest("MILK-1", 3), LineRequest("MILK-1", 1, lot_id=scene.lot("M"))
        )
    )
    scene.stands("""
        MILK-1 MAIN M 1/0, O 1/0
        MUG-1 MAIN B 4/0
    """)
    scene.pass_(600)
    refused = scene.shop.refused(checkout(scene, LineRequest("MILK-1", 1, lot_id=scene.lot("O"))))
    assert (refused.code, refused.numbers["lot_id"]) == ("LOT_NOT_AVAILABLE", scene.lot("O"))


def test_others_cannot_sell_in_a_store_that_is_not_theirs(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        MUG-1 EAST  E 5
    """)
    east = scene.shop.east_staff
    scene.refuses(checkout(scene, LineRequest("MUG-1", 1)), "FORBIDDEN", actor=east)
    scene.refuses(CancelSale(cart(scene, ("MUG-1", 1)).id), "FORBIDDEN", actor=east)
    sale = scene.do(OpenSale(lines=(LineRequest("MUG-1", 2),)), actor=east)
    assert sale.store_id == scene.shop.stores["EAST"]
    scene.refuses(AddLine(sale.id, LineRequest("MUG-1", 4)), "INSUFFICIENT_STOCK", actor=east)


def test_a_group_books_each_of_its_members_once(scene: Scene) -> None:
    scene.do(
        CommandGroup((Receive("MAIN", (ReceiptLine("MUG-1", 4, "3.50"),)), checkout(scene, LineRequest("MUG-1", 2))))
    )
    assert balances(scene.shop) == {"1000": 1980, "1200": 700, "2000": -1400, "4000": -1980, "5000": 700}


def test_prices_stand_once_a_part_has_gone_out_whatever_the_taxes_do(scene: Scene) -> None:
    """The organisation begins to include tax in its prices between two parts: the sale stays what it was."""
    rate = scene.do(AddTaxRate(tax_class="std", rate="0.15"))
    scene.product("VASE-1", price=1000, tax_class="std")
    scene.given("VASE-1 MAIN  V 3 @1.00")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("VASE-1", 3),)))
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))
    scene.shop.settings(tax_mode="inclusive")
    scene.do(ChangeTaxRate(rate.id, rate="0.2"))

    sold = scene.do(CompleteSale(sale.id, (PaymentRequest("cash", "40.00"),)))

    assert (sold.tax_total, sold.total, sold.change) == ("4.50", "34.50", "5.50")
    assert book_faults(scene.shop) == []
