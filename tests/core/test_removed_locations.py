"""A location that something relies on is not removed, and nothing is stranded at one that was.

Databases of older versions may have stock at a removed location: a count sheet kept none of them there. It is named by
`holdfast check`, it can leave by a transfer, and no command puts more there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.check import check
from holdfast.core.decide import DECISIONS, CommandGroup, Sweep
from holdfast.core.organisation.places import AddLocation, AddStore, ChangeLocation, RemoveLocation, RemoveStore
from holdfast.core.organisation.products import ChangeProduct
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.order_holds import (
    ConsumeAtLevel,
    OrderClose,
    OrderLine,
    OrderReserve,
    ReleaseAtLevel,
    ReserveAtLevel,
)
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import AddLine, CancelSale, ChangeSale, EditLine, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.correction import RevertShipment, TakeBackOrder
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, TakeBackQuantity, UnlistLevel
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountLine, FillSheet, RemoveSheetLine
from holdfast.core.warehouse.opening_stock import TakeBackReceipt
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from holdfast.db import schema
from tests.core.scene import Scene
from tests.truth import assert_truth

MUG = (TransferLine("MUG-1", 2),)


def removal(scene: Scene, code: str = "SIDE") -> RemoveLocation:
    """The command that removes a location."""
    return RemoveLocation(place_id(scene, code))


def place_id(scene: Scene, code: str) -> str:
    return str(scene.shop.rows("SELECT id FROM location WHERE code = :code ORDER BY id", code=code)[-1]["id"])


def stock(scene: Scene) -> Any:
    scene.given("MUG-1 SIDE  A 3")
    return lambda: scene.do(SetStock("MUG-1", "SIDE", 0))


def promise(scene: Scene) -> Any:
    scene.product("MUG-1", oversell="backorder")
    hold = scene.do(Reserve("MUG-1", 1, "SIDE", Target("101")))
    return lambda: scene.do(Release(hold.id))


def sheet(scene: Scene) -> Any:
    scene.product("MUG-1")
    opened = scene.do(Count("SIDE", (CountLine("MUG-1", 3),), draft=True))
    return lambda: scene.do(CloseSheet(opened.id, post=False))


def empty_sheet(scene: Scene) -> Any:
    opened = scene.do(Count("SIDE", (), draft=True))
    return lambda: scene.do(CloseSheet(opened.id, post=True))


def transfer_to(scene: Scene) -> Any:
    scene.given("MUG-1 MAIN  A 3")
    sent = scene.do(Dispatch("MAIN", "SIDE", MUG))
    return lambda: scene.do(SendBack(sent.id))


def transfer_from(scene: Scene) -> Any:
    scene.given("MUG-1 SIDE  A 2")
    sent = scene.do(Dispatch("SIDE", "MAIN", MUG))
    scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 1),)))
    return lambda: scene.do(ReceiveTransfer(sent.id))


USES = {
    stock: "product_id",
    promise: "product_id",
    sheet: "count_id",
    empty_sheet: "count_id",
    transfer_to: "transfer_id",
    transfer_from: "transfer_id",
}


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_a_location_in_use_stays_and_the_refusal_names_what_uses_it(
    scene_anywhere: Scene, use: Callable[[Scene], Any]
) -> None:
    scene = scene_anywhere
    store = scene.do(AddStore(code="WEST", name="West")).id
    scene.shop.stores["WEST"] = store
    scene.shop.location("SIDE", "WEST")
    finish = use(scene)
    refused = scene.refuses(removal(scene), "INVALID_STATE")
    assert refused.numbers[USES[use]] and "SIDE" in refused.detail
    scene.refuses(ChangeLocation(place_id(scene, "SIDE"), kind="quarantine"), "INVALID_STATE")
    scene.refuses(ChangeLocation(place_id(scene, "SIDE"), store_id=scene.shop.stores["EAST"]), "INVALID_STATE")
    assert scene.refuses(RemoveStore(store), "INVALID_STATE").numbers[USES[use]]
    finish()
    scene.do(removal(scene))
    scene.do(RemoveStore(store))


def test_within_a_batch_as_between_batches(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.shop.location("SIDE")
    draft, goods = Count("SIDE", (), draft=True), Dispatch("MAIN", "SIDE", MUG)
    scene.refuses(CommandGroup((draft, removal(scene))), "INVALID_STATE")
    scene.refuses(CommandGroup((removal(scene), draft)), "LOCATION_NOT_FOUND")
    scene.refuses(CommandGroup((goods, removal(scene))), "INVALID_STATE")
    scene.refuses(CommandGroup((removal(scene), goods)), "LOCATION_NOT_FOUND")
    new = AddLocation(code="SHED", store_id=scene.shop.stores["MAIN"])
    scene.do(
        CommandGroup((new, Count("SHED", (), draft=True), SetStock("MUG-1", "SHED", 1), Dispatch("MAIN", "SHED", MUG)))
    )


# Documents that outlive what they name ----------------------------------------------------------------------------


def test_a_cart_line_of_a_removed_location_is_filled_from_nowhere(scene: Scene) -> None:
    """Its hold has ended, so the location could go; a backorder there would wait for ever."""
    scene.product("MUG-1", oversell="backorder", price=100)
    scene.shop.location("SIDE")
    sale = scene.do(
        OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 2, location="SIDE"),), source="pos")
    )
    scene.pass_(3600)
    scene.do(Sweep(((scene.products["MUG-1"].id, place_id(scene, "SIDE")),)))
    scene.do(removal(scene))
    scene.refuses(CompleteSale(sale.id), "INSUFFICIENT_STOCK")
    scene.refuses(EditLine(sale.id, sale.lines[0].id, quantity=3), "INSUFFICIENT_STOCK")
    scene.do(CancelSale(sale.id))


def test_a_lot_is_not_released_into_a_removed_location(scene: Scene) -> None:
    scene.shop.location("SIDE", "EAST")
    scene.given("MUG-1 SIDE  A 5")
    scene.do(Quarantine(scene.lot("A")))
    for code in ("SIDE", "EAST"):
        scene.do(removal(scene, code))
    scene.refuses(ReleaseFromQuarantine(scene.lot("A")), "INVALID_STATE")
    scene.do(ReleaseFromQuarantine(scene.lot("A"), "MAIN"))
    scene.stands("MUG-1 MAIN  A 5/0")


@pytest.mark.parametrize("condition", ["good", "damaged"])
@pytest.mark.parametrize("gone", ["location", "all locations", "store"])
def test_goods_come_back_where_something_is(scene: Scene, gone: str, condition: str) -> None:
    scene.product("MUG-1", price=100)
    scene.shop.location("SIDE", "EAST")
    scene.given("MUG-1 SIDE  A 1 @1.00")
    sale = scene.do(OpenSale(None, lines=(LineRequest("MUG-1", 1, location="SIDE"),)))
    scene.do(CompleteSale(sale.id))
    for code in {"location": ("SIDE",), "all locations": ("SIDE", "EAST"), "store": ()}[gone]:
        scene.do(removal(scene, code))
    if gone == "store":
        scene.do(RemoveStore(scene.shop.stores["EAST"]))
    scene.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1, condition),), "card"))
    home = {"location": "EAST", "all locations": "EAST-QUARANTINE", "store": "MAIN"}[gone]
    if condition == "damaged":
        home = "MAIN-QUARANTINE" if gone == "store" else "EAST-QUARANTINE"
    assert scene.table()[:1] == [f"MUG-1 {home} A 1/0"]


def test_what_was_counted_in_another_precision_is_counted_again(scene: Scene) -> None:
    """A sheet may name a product without any ledger entry, whose precision and kind are not fixed yet."""
    scene.product("OIL-1")
    oil = scene.products["OIL-1"].id
    opened = scene.do(Count("MAIN", (CountLine("OIL-1", 7),), draft=True))
    scene.do(ChangeProduct(oil, precision=2))
    shown = scene.shop.holdfast.reports.count(scene.shop.org_id, opened.id)
    assert shown["lines"][0]["counted"] == 7
    scene.refuses(CloseSheet(opened.id, post=True), "INVALID_STATE")
    scene.do(ChangeProduct(oil, kind="digital"))
    scene.refuses(CloseSheet(opened.id, post=True), "PRODUCT_NOT_STOCK_TRACKED")
    scene.do(ChangeProduct(oil, kind="physical"))
    scene.do(FillSheet(opened.id, (CountLine("OIL-1", 7),)))
    scene.do(CloseSheet(opened.id, post=True))
    assert scene.shop.rows("SELECT on_hand FROM level") == [{"on_hand": 700}]


# Databases of older versions ----------------------------------------------------------------------------


def lose(scene: Scene, code: str = "SIDE") -> None:
    """Let the location be removed as an older version removed it, whatever relies on it."""
    with scene.shop.holdfast.database.engine.begin() as connection:
        place, organisation = schema.location, schema.organisation
        connection.execute(sa.update(place).where(place.c.code == code).values(active=False))
        version = organisation.c.catalog_version
        connection.execute(sa.update(organisation).values(catalog_version=version + 1))


def test_stock_at_a_removed_location_is_named_and_can_leave(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", oversell="backorder")
    scene.shop.location("SIDE")
    scene.given("""
        MUG-1 SIDE  A 5 @1.00
        101         6 MUG-1 SIDE
    """)
    lose(scene)
    found = check(scene.shop.holdfast.database).mismatches
    assert [(one.invariant, one.sku, one.location) for one in found] == [("level.location is active", "MUG-1", "SIDE")]
    assert place_id(scene, "SIDE") in found[0].found
    scene.refuses(Dispatch("SIDE", "MAIN", MUG), "INSUFFICIENT_STOCK")
    scene.do(Release(scene.hold("101")))
    scene.shop.location("SIDE")  # another one of the same name: the removed one is named by its id
    scene.refuses(Dispatch("SIDE", "MAIN", MUG), "INSUFFICIENT_STOCK")
    old = str(scene.shop.rows("SELECT id FROM location WHERE code = 'SIDE' ORDER BY id")[0]["id"])
    sent = scene.do(Dispatch(old, "MAIN", (TransferLine("MUG-1", 5),)))
    scene.refuses(SendBack(sent.id), "INVALID_STATE")
    scene.do(ReceiveTransfer(sent.id))
    assert scene.value("A") == 500
    assert check(scene.shop.holdfast.database).mismatches == []


def test_an_expired_lot_at_a_removed_store_can_leave(scene: Scene) -> None:
    scene.shop.location("SIDE", "EAST")
    scene.given("MUG-1 SIDE  A 5 until 60, B 1")
    for code in ("SIDE", "EAST-QUARANTINE"):
        lose(scene, code)
    scene.pass_(60)
    scene.do(ReceiveTransfer(scene.do(Dispatch("SIDE", "MAIN", (TransferLine("MUG-1", 1),))).id))
    scene.stands("""
        MUG-1 EAST-QUARANTINE  A 5/0
        MUG-1 MAIN             B 1/0
    """)


def test_open_documents_of_a_removed_location_are_named_and_can_be_ended(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.shop.location("SIDE")
    opened = scene.do(Count("SIDE", (CountLine("MUG-1", 1),), draft=True))
    sent = scene.do(Dispatch("MAIN", "SIDE", MUG))
    lose(scene)
    found = check(scene.shop.holdfast.database).mismatches
    assert {(one.invariant, one.row, one.location) for one in found} == {
        ("count_sheet.location is active", f"count_sheet {opened.id}", "SIDE"),
        ("transfer.location is active", f"transfer {sent.id}", "SIDE"),
    }
    scene.do(CloseSheet(opened.id, post=False))
    scene.do(SendBack(sent.id, (TransferLine("MUG-1", 1),)))
    scene.do(ReceiveTransfer(sent.id, (), short=True))
    assert check(scene.shop.holdfast.database).mismatches == []


# Every command that names a document ----------------------------------------------------------------------------


class Documents:
    """Documents of every kind at SIDE, which is then gone; commands name them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        shop = scene.shop
        scene.product("MUG-1", oversell="backorder", price=100)
        shop.location("SIDE")
        scene.given("MUG-1 SIDE  A 40 @1.00")
        self.store = shop.stores["MAIN"]
        self.lot = scene.lot("A")
        self.hold = shop.ok(Reserve("MUG-1", 2, "SIDE", Target("101"))).id
        shop.ok(ReserveAtLevel("MUG-1", "SIDE", 1))
        shop.ok(OrderReserve("102", "shopify", (OrderLine("MUG-1", 1),), "SIDE"))
        self.meeting = shop.ok(Book(1)).id
        shop.ok(Reserve("MUG-1", 1, "SIDE", Target(reserved_for_type="appointment", reserved_for_id=self.meeting)))
        opening = Receive("SIDE", (ReceiptLine("MUG-1", 4),), kind="opening")
        self.opening = shop.ok(opening).id
        self.draft = shop.ok(Count("SIDE", (CountLine("MUG-1", 50),), draft=True))
        self.coming = shop.ok(Dispatch(*self._to_side(), MUG)).id
        self.going = shop.ok(Dispatch("SIDE", "MAIN", MUG)).id
        self.sale = self._sale()
        self.resting = self._sale()
        shop.ok(SuspendSale(self.resting.id))
        self.sold = self._sale()
        shop.ok(CompleteSale(self.sold.id))
        begun = self._sale()
        self.shipped = shop.ok(Fulfill(begun.id, (ShipLine(begun.lines[0].id, 1),)))
        shop.ok(Quarantine(shop.receive("MUG-1", 5, "SIDE", lot="Q")))
        self.recalled = scene.lot("Q")
        lose(scene)

    def _to_side(self) -> tuple[str, str]:
        self.scene.shop.receive("MUG-1", 5, "MAIN", lot="M")
        return "MAIN", "SIDE"

    def _sale(self) -> Any:
        return self.scene.shop.ok(OpenSale(self.store, lines=(LineRequest("MUG-1", 2, location="SIDE"),)))


COMMANDS: dict[type, Callable[[Documents], Any]] = {
    Reserve: lambda d: Reserve("MUG-1", 1, "SIDE"),
    Amend: lambda d: Amend(d.hold, 60),
    Release: lambda d: Release(d.hold, 1),
    Consume: lambda d: Consume(d.hold, 1),
    ReserveAtLevel: lambda d: ReserveAtLevel("MUG-1", "SIDE", 1),
    ReleaseAtLevel: lambda d: ReleaseAtLevel("MUG-1", "SIDE", 1),
    ConsumeAtLevel: lambda d: ConsumeAtLevel("MUG-1", "SIDE", 1),
    OrderReserve: lambda d: OrderReserve("103", "shopify", (OrderLine("MUG-1", 1),), "SIDE"),
    OrderClose: lambda d: OrderClose("102", "shopify", consume=True),
    ChangeAppointment: lambda d: ChangeAppointment(d.meeting, status="completed"),
    Receive: lambda d: Receive("SIDE", (ReceiptLine("MUG-1", 1),)),
    SetStock: lambda d: SetStock("MUG-1", "SIDE", 50),
    AdjustStock: lambda d: AdjustStock("MUG-1", "SIDE", 1),
    TakeBackQuantity: lambda d: TakeBackQuantity("MUG-1", "SIDE", 90, 0),
    TakeBackReceipt: lambda d: TakeBackReceipt(d.opening),
    UnlistLevel: lambda d: UnlistLevel("MUG-1", "SIDE"),
    Count: lambda d: Count("SIDE", (CountLine("MUG-1", 50),)),
    FillSheet: lambda d: FillSheet(d.draft.id, (CountLine("MUG-1", 60),)),
    RemoveSheetLine: lambda d: RemoveSheetLine(d.draft.id, d.draft.lines[0].id),
    CloseSheet: lambda d: CloseSheet(d.draft.id, post=True),
    Dispatch: lambda d: Dispatch("MAIN", "SIDE", MUG),
    ReceiveTransfer: lambda d: ReceiveTransfer(d.coming),
    SendBack: lambda d: SendBack(d.going),
    Quarantine: lambda d: Quarantine(d.lot),
    ReleaseFromQuarantine: lambda d: ReleaseFromQuarantine(d.recalled),
    WriteOff: lambda d: WriteOff(d.lot, quantity=1),
    OpenSale: lambda d: OpenSale(d.store, lines=(LineRequest("MUG-1", 1, location="SIDE"),)),
    AddLine: lambda d: AddLine(d.sale.id, LineRequest("MUG-1", 1, location="SIDE")),
    EditLine: lambda d: EditLine(d.sale.id, d.sale.lines[0].id, quantity=50),
    RemoveLine: lambda d: RemoveLine(d.sale.id, d.sale.lines[0].id),
    ChangeSale: lambda d: ChangeSale(d.sale.id, customer="Ana"),
    SuspendSale: lambda d: SuspendSale(d.sale.id),
    ResumeSale: lambda d: ResumeSale(d.resting.id),
    CancelSale: lambda d: CancelSale(d.sale.id),
    TakeBackOrder: lambda d: TakeBackOrder(d.resting.id),
    CompleteSale: lambda d: CompleteSale(d.sale.id),
    Fulfill: lambda d: Fulfill(d.sale.id, (ShipLine(d.sale.lines[0].id, 1),)),
    Checkout: lambda d: Checkout(
        d.store, (LineRequest("MUG-1", 1, location="SIDE"),), payments=(PaymentRequest("card", "1.00"),)
    ),
    ImportOrder: lambda d: ImportOrder("104", "shopify", (OrderedLine("MUG-1", 1, location="SIDE"),)),
    RevertShipment: lambda d: RevertShipment(d.shipped.id, d.shipped.fulfillments[0]["id"], "wrong order"),
    ReturnSale: lambda d: ReturnSale(d.sold.id, (ReturnedLine(d.sold.lines[0].id, 1),), "card"),
}
"""Every command that names a location, or a document that does."""

ELSEWHERE = {
    "AddAccount", "RenameAccount", "ClosePeriod", "Book", "CommandGroup", "Sweep", "ShipSupplierOrder", "ReturnBlind",
    "OpenSession", "MoveCash", "CloseSession", "NoteSecurity", "RefreshPin", "PostEntry", "ReverseEntry", "BillReceipt",
    "TakePayment", "CorrectPayment", "MoneyOff", "SaveView", "RemoveView",
    "StartImport", "TakeBackImport",
}  # fmt: skip
"""Commands that name no location and no document of one; those of records are tried above."""


def test_every_command_is_tried_or_said_to_be_elsewhere() -> None:
    names = {kind.__name__ for kind, decision in DECISIONS.items() if not decision.changes_catalog} | {"ClosePeriod"}

    assert names - {kind.__name__ for kind in COMMANDS} == ELSEWHERE


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_no_command_brings_anything_to_a_removed_location(scene: Scene, kind: type) -> None:
    documents = Documents(scene)
    before = _stranded(scene)

    answer = scene.shop.do(COMMANDS[kind](documents))

    after = _stranded(scene)
    assert isinstance(answer, (Rejected, msgspec.Struct, list)), answer
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
    assert_truth(scene.shop)


def _stranded(scene: Scene) -> tuple[int, int]:
    """Units on hand, and units promised, at removed locations."""
    query = (
        "SELECT coalesce(sum(v.on_hand), 0) AS units, coalesce(sum(v.reserved + v.backordered), 0) AS promised "
        "FROM level v JOIN location c ON c.id = v.location_id WHERE NOT c.active"
    )
    [row] = scene.shop.rows(query)
    return int(row["units"]), int(row["promised"])
