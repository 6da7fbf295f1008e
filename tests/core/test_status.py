"""Statuses: each thing goes every way that its table has, and no other one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.core.records import status
from holdfast.core.records.stock import Reservation
from holdfast.core.reservations.appointments import Appointment, Book, ChangeAppointment
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import CancelSale, EditLine, ResumeSale, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, ShipSupplierOrder
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import CloseSession, OpenSession
from holdfast.core.stock import posting, record_changes
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from tests.core.scene import Scene
from tests.gift_cards import ActOnCard, acting_on_cards

TABLES = {
    "Sale": status.SALE,
    "Reservation": status.RESERVATION,
    "Lot": status.LOT,
    "RegisterSession": status.REGISTER_SESSION,
    "Transfer": status.TRANSFER,
    "CountSheet": status.COUNT_SHEET,
    "Appointment": status.APPOINTMENT,
    "SupplierOrder": status.SUPPLIER_ORDER,
    "GiftCard": status.GIFT_CARD,
}

CASH = (PaymentRequest("cash", "100.00"),)


def sales(scene: Scene) -> None:
    """Sold at once, put together, queued, given up; taken back to where they stood, and taken up again."""
    store = scene.shop.stores["MAIN"]
    mugs = (LineRequest("MUG-1", 2),)
    scene.do(Checkout(store, mugs, payments=CASH))
    cart = scene.do(OpenSale(store, lines=mugs))
    scene.do(SuspendSale(cart.id))
    scene.do(ResumeSale(cart.id))
    scene.do(CompleteSale(cart.id, CASH))
    scene.do(CancelSale(scene.do(OpenSale(store, lines=mugs)).id))
    for fact in (False, True):
        sale = scene.do(OpenSale(store, source="website", order_number=f"w{fact}", lines=mugs, fact=fact))
        shipped = scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 2),)))
        again = scene.do(RevertShipment(sale.id, shipped.fulfillments[0]["id"], "by mistake"))
        assert (shipped.status, again.status) == ("completed", sale.status)
    order = ImportOrder("1001", "shopify", (OrderedLine("MUG-1", 1), OrderedLine("PRINT-1", 1)))
    imported = scene.do(order)
    scene.do(CancelSale(imported.sale_id))
    gone = tuple(msgspec.structs.replace(line, fulfilled=1) for line in order.lines)
    assert scene.do(msgspec.structs.replace(order, lines=gone)).taken_up
    supplied = scene.do(OpenSale(store, lines=(LineRequest("PRINT-1", 1),)))
    scene.do(CompleteSale(supplied.id, CASH))
    [one] = scene.shop.rows("SELECT id FROM supplier_order WHERE sale_id = :sale", sale=supplied.id)
    scene.do(ShipSupplierOrder(str(one["id"])))


def holds(scene: Scene) -> None:
    """Given back, sold, held again; and a hold that moved away before its shipment was taken back."""
    scene.do(Release(scene.do(Reserve("MUG-1", 1, "MAIN")).id))
    scene.do(Consume(scene.do(Reserve("MUG-1", 1, "MAIN", Target("1"))).id))
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 2, location="MAIN"),)))
    line = sale.lines[0].id
    part = scene.do(Fulfill(sale.id, (ShipLine(line, 1),))).fulfillments[0]["id"]
    scene.do(EditLine(sale.id, line, location="BACK"))
    scene.do(EditLine(sale.id, line, quantity=1))
    scene.do(RevertShipment(sale.id, part, "by mistake"))


def documents(scene: Scene) -> None:
    """Recalls, transfers, counts, appointments, and a till that is opened and closed."""
    for part, rest in ((None, None), (1, None), (1, "again")):
        scene.do(Quarantine(scene.lot("A")))
        scene.do(ReleaseFromQuarantine(scene.lot("A"), quantity=part))
        if rest is not None:
            scene.do(Quarantine(scene.lot("A")))
        if part is not None:
            scene.do(ReleaseFromQuarantine(scene.lot("A")))
    for end in (ReceiveTransfer, SendBack):
        scene.do(end(scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 1),))).id))
    counted = (CountLine("MUG-1", 20),)
    scene.do(Count("MAIN", counted))
    for post in (True, False):
        scene.do(CloseSheet(scene.do(Count("MAIN", counted, draft=True)).id, post))
    for ended in ("completed", "cancelled"):
        scene.do(Book(1, status=ended, store_id="MAIN"))
        scene.do(ChangeAppointment(scene.do(Book(1, store_id="MAIN")).id, status=ended))
    till = scene.do(OpenSession(scene.shop.register("TILL-1").id, "0.00", "0" * 64, "bo"))
    scene.do(CloseSession("0.00", till.id))


def gift_cards(scene: Scene) -> None:
    """Sold, and given back."""
    with acting_on_cards():
        scene.do(ActOnCard("issue", 500, code="XMAS-0001"))
        scene.do(ActOnCard("block", code="XMAS-0001"))


def test_every_way_of_the_tables_is_gone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: dict[str, set[Any]] = {kind: set() for kind in TABLES}

    def follow(record: Any, before: Any) -> None:
        status.assert_follows(record, before)
        ways = gone.get(type(record).__name__)
        was = getattr(before, "status", None)
        if ways is not None and record.status != was:
            ways.add((was, record.status))

    for module in (posting, record_changes):
        monkeypatch.setattr(module, "assert_follows", follow)
    scene.shop.location("BACK", priority=200)
    scene.product("PRINT-1", price=500, dropship=True)
    scene.product("MUG-1", price=500)
    scene.given("MUG-1 MAIN  A 40 @1.00")
    scene.given("MUG-1 BACK  B 5 @1.00")
    sales(scene)
    holds(scene)
    documents(scene)
    gift_cards(scene)
    for kind, table in TABLES.items():
        assert gone[kind] == {(was, after) for was, ways in table.items() for after in ways}, kind


def test_another_way_is_a_bug() -> None:
    over = Appointment("1", 0, None, "completed", 0, 0)
    status.assert_follows(over, None)
    with pytest.raises(AssertionError):
        status.assert_follows(msgspec.structs.replace(over, status="booked"), over)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_names_all_its_statuses(kind: str) -> None:
    table = TABLES[kind]
    followers = {after for ways in table.values() for after in ways}
    assert followers == {name for name in table if name is not None}
    assert Reservation.transitions is status.RESERVATION
