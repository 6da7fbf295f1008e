"""What somebody gave to a sale is not stretched or taken off by somebody without the right (docs/how-to/sell.md).

Discounts stand in `test_given_discounts`; here are exemptions from tax, fees, and prices of so many together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.organisation.products import ChangeProduct, PriceBreakRequest
from holdfast.core.organisation.settings import AddTaxRate
from holdfast.core.sales.cart import AddLine, ChangeSale, EditLine, RemoveLine
from holdfast.core.sales.order_entry import FeeRequest, LineRequest, OpenSale
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

DELIVERY = FeeRequest("Delivery", "200.00")
WRAP = FeeRequest("Wrap", "5.00")
TIP = FeeRequest("Tip", "3.00", tip=True)


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop with televisions at 500.00, taxed at 20 percent, and pens at 1.00, ten of them at 2.00."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.do(AddTaxRate("standard", "0.2"))
        scene.product("TV-1", price=50_000, tax_class="standard")
        scene.product("PEN-1", price=100)
        scene.do(ChangeProduct(product_id="PEN-1", price_breaks=(PriceBreakRequest(10, "2.00"),)))
        scene.given("TV-1 MAIN  A 50 @1.00\nPEN-1 MAIN  B 500 @0.10")
        yield scene
        assert_truth(shop)


def cart(scene: Scene, *lines: LineRequest, **fields: Any) -> Any:
    """A cart of a manager."""
    return scene.do(OpenSale(scene.shop.stores["MAIN"], lines=lines, **fields))


# A sale without tax --------------------------------------------------------------------------------------------------


def test_more_of_a_sale_without_tax(scene: Scene) -> None:
    """More units and more lines are refused to a cashier and to the staff; fewer, and the tax again, are not."""
    sale = cart(scene, LineRequest("TV-1", 2), tax_exempt="diplomat")
    line = sale.lines[0].id
    for actor in (scene.shop.cashier, scene.shop.staff):
        for command in (AddLine(sale.id, LineRequest("PEN-1", 1)), EditLine(sale.id, line, quantity=3)):
            scene.refuses(command, "PRICE_MISMATCH", actor=actor)
    assert scene.do(EditLine(sale.id, line, quantity=3)).tax_total == "0.00"
    assert scene.do(EditLine(sale.id, line, quantity=1), actor=scene.shop.cashier).total == "500.00"
    scene.do(AddLine(sale.id, LineRequest("PEN-1", 1)))
    taxed = scene.do(ChangeSale(sale.id, tax_exempt=None), actor=scene.shop.cashier)
    assert taxed.tax_total == "100.00"
    scene.do(EditLine(sale.id, line, quantity=3), actor=scene.shop.cashier)


# Fees ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fees",
    [
        (),
        (TIP,),
        (DELIVERY,),
        (DELIVERY, FeeRequest("Wrap", "4.99")),
        (DELIVERY, FeeRequest("Wrap", "5.00", tip=True)),
        (DELIVERY, FeeRequest("Wrap", "5.00", "standard")),
        (DELIVERY, WRAP, WRAP),
    ],
)
def test_a_cashier_changes_no_fee(scene: Scene, fees: tuple[FeeRequest, ...]) -> None:
    """A fee is not left out, made smaller, made a tip, taxed otherwise, or there twice."""
    sale = cart(scene, LineRequest("TV-1", 1), fees=(DELIVERY, WRAP))
    scene.refuses(ChangeSale(sale.id, fees=fees), "PRICE_MISMATCH", actor=scene.shop.cashier)
    scene.do(ChangeSale(sale.id, fees=fees))


def test_a_cashier_takes_tips_and_leaves_them_out(scene: Scene) -> None:
    """Beside fees that stay as they are, in any order."""
    sale = cart(scene, LineRequest("TV-1", 1), fees=(DELIVERY, WRAP))
    with_tip = scene.do(ChangeSale(sale.id, fees=(WRAP, TIP, DELIVERY)), actor=scene.shop.cashier)
    assert with_tip.fee_total == "208.00"
    without = scene.do(ChangeSale(sale.id, fees=(DELIVERY, WRAP)), actor=scene.shop.cashier)
    assert without.fee_total == "205.00"
    scene.do(ChangeSale(sale.id, customer="Ana"), actor=scene.shop.cashier)


# Prices of so many together ------------------------------------------------------------------------------------------


def test_prices_of_so_many_that_ended(scene: Scene) -> None:
    """Of what was put in at them, no more units are sold; at the price of today there may be."""
    sale = cart(scene, LineRequest("PEN-1", 10))
    assert sale.total == "2.00"
    line = sale.lines[0].id
    scene.do(ChangeProduct(product_id="PEN-1", price_breaks=()))
    more = EditLine(sale.id, line, quantity=100)
    for actor in (scene.shop.cashier, scene.shop.staff):
        scene.refuses(more, "PRICE_MISMATCH", actor=actor)
    scene.do(EditLine(sale.id, line, quantity=10), actor=scene.shop.cashier)
    today = scene.do(EditLine(sale.id, line, quantity=100, unit_price="1.00"), actor=scene.shop.cashier)
    assert today.total == "100.00"
    scene.do(RemoveLine(sale.id, line), actor=scene.shop.cashier)


def test_prices_of_so_many_that_changed_or_go_on(scene: Scene) -> None:
    """Those of today may be had for more; those of before for more only from who may set prices."""
    sale = cart(scene, LineRequest("PEN-1", 10))
    line = sale.lines[0].id
    assert scene.do(EditLine(sale.id, line, quantity=20), actor=scene.shop.cashier).total == "4.00"
    scene.do(ChangeProduct(product_id="PEN-1", price_breaks=(PriceBreakRequest(10, "3.00"),)))
    scene.refuses(EditLine(sale.id, line, quantity=30), "PRICE_MISMATCH", actor=scene.shop.cashier)
    assert scene.do(EditLine(sale.id, line, quantity=30)).total == "6.00"


# Amounts that nothing stands behind ----------------------------------------------------------------------------------


def test_fees_and_tips_have_a_bound(scene: Scene) -> None:
    """Nobody tips ten thousand million, and no manager takes as much for a delivery."""
    most = "10000000000.00"
    sale = cart(scene, LineRequest("PEN-1", 1), fees=(FeeRequest("Delivery", most), FeeRequest("Tip", most, tip=True)))
    for tip in (False, True):
        wrong = FeeRequest("More", "10000000000.01", tip=tip)
        scene.refuses(ChangeSale(sale.id, fees=(wrong,)), "INVALID_AMOUNT")
