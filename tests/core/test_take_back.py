"""What an import has done is taken back where nothing has moved since, and nobody loses a promise by it."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.access import Actor, Role
from holdfast.check import check
from holdfast.core.organisation.imports import UNDER_WAY_MAX, StartImport, TakeBackImport
from holdfast.core.organisation.products import ChangeProduct, TakeBackProduct, seen_as
from holdfast.core.records.command import CommandGroup
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.completion import Fulfill, ShipLine
from holdfast.core.sales.correction import TakeBackOrder
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest, TakePayment
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, TakeBackQuantity
from holdfast.core.warehouse.opening_stock import TakeBackReceipt
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from tests.core.books import balances
from tests.core.scene import Scene
from tests.truth import assert_truth

STRANGER = "00000000-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def _stock_and_books_agree(scene: Scene) -> Any:
    yield
    assert_truth(scene.shop)
    assert check(scene.shop.holdfast.database).mismatches == []


def opening(scene: Scene, sku: str = "MUG-1", units: int = 5, **fields: Any) -> str:
    """The id of a receipt of opening stock; a unit costs 2.00."""
    line = ReceiptLine(sku, units, "2.00", **fields)
    receipt: str = scene.do(Receive("MAIN", (line,), kind="opening")).id
    return receipt


def test_opening_stock_leaves_its_lot_and_opening_equity(scene: Scene) -> None:
    scene.product("MUG-1")
    scene.product("TEA-1")
    lines = (ReceiptLine("MUG-1", 5, "2.00", lot_code="A"), ReceiptLine("TEA-1", 3, "1.00", lot_code="B"))
    receipt = scene.do(Receive("MAIN", lines, kind="opening"))
    assert balances(scene.shop) == {"1200": 1300, "3000": -1300}
    scene.do(TakeBackReceipt(receipt.id))
    scene.stands("")
    assert not any(balances(scene.shop).values())
    assert "already" in scene.refuses(TakeBackReceipt(receipt.id), "INVALID_STATE").detail


def test_what_has_moved_or_is_promised_stays(scene: Scene) -> None:
    scene.product("MUG-1")
    receipt = opening(scene)
    hold = scene.do(Reserve("MUG-1", 2, "MAIN", Target("101")))
    assert "promised" in scene.refuses(TakeBackReceipt(receipt), "INVALID_STATE").detail
    scene.do(Release(hold.id))
    sold = scene.do(Reserve("MUG-1", 1, "MAIN", Target("102")))
    scene.do(Consume(sold.id))
    assert "moved" in scene.refuses(TakeBackReceipt(receipt), "INVALID_STATE").detail


def test_a_promise_that_was_given_back_moves_nothing(scene: Scene) -> None:
    scene.product("MUG-1")
    receipt = opening(scene)
    scene.do(Release(scene.do(Reserve("MUG-1", 5, "MAIN", Target("101"))).id))
    scene.do(TakeBackReceipt(receipt))
    assert not [line for line in scene.table() if line.startswith("MUG-1")]


def test_units_that_left_and_came_again_have_moved(scene: Scene) -> None:
    scene.product("MUG-1")
    receipt = opening(scene)
    scene.do(AdjustStock("MUG-1", "MAIN", -1))
    scene.do(AdjustStock("MUG-1", "MAIN", 1))
    assert "moved" in scene.refuses(TakeBackReceipt(receipt), "INVALID_STATE").detail
    other = opening(scene)
    scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 8),)))
    assert "moved" in scene.refuses(TakeBackReceipt(other), "INVALID_STATE").detail


def test_two_receipts_of_one_lot_are_taken_back_each_for_itself(scene: Scene) -> None:
    scene.product("MUG-1")
    first, second = opening(scene, lot_code="A"), opening(scene, units=3, lot_code="A")
    scene.do(TakeBackReceipt(first))
    scene.stands("MUG-1 MAIN A 3/0")
    scene.do(TakeBackReceipt(second))
    scene.stands("")
    assert not any(balances(scene.shop).values())


def test_within_a_batch_as_between_batches(scene: Scene) -> None:
    scene.product("MUG-1")
    receipt = opening(scene)
    move = AdjustStock("MUG-1", "MAIN", -1)
    scene.refuses(CommandGroup((move, TakeBackReceipt(receipt))), "INVALID_STATE")
    scene.do(CommandGroup((TakeBackReceipt(receipt), AdjustStock("MUG-1", "MAIN", 1))))


def test_a_purchase_is_not_taken_back(scene: Scene) -> None:
    scene.product("MUG-1")
    bought = scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 5, "2.00"),)))
    scene.refuses(TakeBackReceipt(bought.id), "INVALID_STATE")
    scene.refuses(TakeBackReceipt(STRANGER), "NOT_FOUND")


def test_a_level_is_set_back_if_it_has_what_was_set(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(SetStock("MUG-1", "MAIN", 9))
    scene.refuses(TakeBackQuantity("MUG-1", "MAIN", 5, 8), "QUANTITY_CHANGED")
    hold = scene.do(Reserve("MUG-1", 7, "MAIN", Target("101")))
    assert "7 of MUG-1" in scene.refuses(TakeBackQuantity("MUG-1", "MAIN", 5, 9), "INVALID_STATE").detail
    scene.do(Release(hold.id, 2))
    assert scene.do(TakeBackQuantity("MUG-1", "MAIN", 5, 9)).quantity == 5


def test_an_order_is_cancelled_before_anything_of_it_has_gone_out(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")

    def order(number: str) -> Any:
        line = LineRequest("MUG-1", 1, unit_price="10.00")
        return scene.do(OpenSale(source="shop", order_number=number, lines=(line,), fact=True))

    assert scene.do(TakeBackOrder(order("1").id)).status == "cancelled"
    shipped, paid = order("2"), order("3")
    scene.do(Fulfill(shipped.id, (ShipLine(shipped.lines[0].id, 1),)))
    scene.refuses(TakeBackOrder(shipped.id), "INVALID_STATE")
    scene.do(TakePayment(paid.id, PaymentRequest("card", "4.00")))
    assert "paid" in scene.refuses(TakeBackOrder(paid.id), "INVALID_STATE").detail
    cart = scene.do(OpenSale(lines=(LineRequest("MUG-1", 1, unit_price="10.00"),)))
    scene.refuses(TakeBackOrder(cart.id), "INVALID_STATE")


def test_a_product_is_as_it_was_or_out_of_use(scene: Scene) -> None:
    scene.product("MUG-1", price=990)
    product = scene.products["MUG-1"]
    changed = scene.do(ChangeProduct(product.id, title="Cup", price="12.00"))
    back = TakeBackProduct(product_id=product.id, seen=seen_as(changed), title=product.title, price="9.90")
    scene.refuses(TakeBackProduct(product_id=product.id, seen="0" * 64, title="x"), "INVALID_STATE")
    assert seen_as(scene.do(back)) == seen_as(product)
    gone = TakeBackProduct(product_id=product.id, seen=seen_as(product), unused=True, active=False)
    receipt = opening(scene)
    scene.refuses(gone, "INVALID_STATE")
    scene.do(TakeBackReceipt(receipt))
    scene.do(gone)
    assert scene.shop.rows("SELECT active FROM product WHERE sku = 'MUG-1'")[0]["active"] in (0, False)


def test_a_product_with_a_past_stays(scene: Scene) -> None:
    scene.product("MUG-1")
    gone = TakeBackProduct(
        product_id=scene.products["MUG-1"].id, seen=seen_as(scene.products["MUG-1"]), unused=True, active=False
    )
    scene.do(AdjustStock("MUG-1", "MAIN", 1))
    scene.do(AdjustStock("MUG-1", "MAIN", -1))
    scene.refuses(gone, "INVALID_STATE")


def test_few_imports_are_under_way_and_each_is_of_somebody(scene: Scene) -> None:
    start = StartImport("stock", "0" * 64, 1)
    scene.refuses(start, "FORBIDDEN")
    owner = Actor(scene.shop.org_id, "user:owner", Role.OWNER, id=STRANGER)
    names = [scene.do(start, actor=owner).id for _ in range(UNDER_WAY_MAX)]
    scene.refuses(start, "INVALID_STATE", actor=owner)
    scene.refuses(TakeBackImport(names[0]), "FORBIDDEN")
    scene.refuses(TakeBackImport(names[0]), "INVALID_STATE", actor=owner)
    scene.refuses(TakeBackImport(STRANGER), "NOT_FOUND", actor=owner)
    east = Actor(scene.shop.org_id, "user:east", Role.OWNER, (scene.shop.stores["EAST"],), id=STRANGER)
    scene.refuses(TakeBackImport(names[0]), "NOT_FOUND", actor=east)
