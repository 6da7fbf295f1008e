"""A discount that somebody with the right gave is not stretched by somebody without it (docs/how-to/sell.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.sales.cart import AddLine, EditLine, RemoveLine
from holdfast.core.sales.order_entry import DiscountRequest, LineRequest, OpenSale
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop with televisions at 500.00 and cables at 10.00."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("TV-1", price=50_000)
        scene.product("CABLE-1", price=1_000)
        scene.given("TV-1 MAIN  A 50 @1.00\nCABLE-1 MAIN  B 50 @1.00")
        yield scene
        assert_truth(shop)


def cart(scene: Scene, *lines: LineRequest, **fields: Any) -> Any:
    return scene.do(OpenSale(scene.shop.stores["MAIN"], lines=lines, **fields), actor=scene.shop.staff)


@pytest.mark.parametrize("discount", [DiscountRequest(percent=50), DiscountRequest(amount="250.00")])
def test_more_under_a_discount_of_the_sale(scene: Scene, discount: DiscountRequest) -> None:
    """More units and more lines are refused to a cashier, and are the staff's to give."""
    sale = cart(scene, LineRequest("TV-1", 1), discount=discount)
    more = (AddLine(sale.id, LineRequest("TV-1", 10)), EditLine(sale.id, sale.lines[0].id, quantity=100))
    for command in more:
        scene.refuses(command, "PRICE_MISMATCH", actor=scene.shop.cashier)
    assert scene.do(EditLine(sale.id, sale.lines[0].id, quantity=1), actor=scene.shop.cashier).total == "250.00"
    scene.do(more[0], actor=scene.shop.staff)


def test_an_amount_off_a_line_gets_smaller_with_it(scene: Scene) -> None:
    """500.00 off ten televisions are 50.00 off one: never one for nothing."""
    off = DiscountRequest(amount="500.00")
    sale = cart(scene, LineRequest("TV-1", 10, discount=off), LineRequest("TV-1", 10, discount=off))
    first, second = (line.id for line in sale.lines)
    less = scene.do(EditLine(sale.id, first, quantity=1), actor=scene.shop.cashier)
    assert (less.lines[0].discount, less.lines[0].line_total) == ("50.00", "450.00")
    kept = scene.do(EditLine(sale.id, second, quantity=1), actor=scene.shop.staff)
    assert kept.lines[1].line_total == "0.00"


@pytest.mark.parametrize("how", ["removed", "smaller"])
def test_an_amount_off_the_sale_goes_with_what_bore_it(scene: Scene, how: str) -> None:
    """500.00 off a television and fifty cables: without the television the cables bear their half alone."""
    lines = (LineRequest("TV-1", 2), LineRequest("CABLE-1", 50))
    sale = cart(scene, *lines, discount=DiscountRequest(amount="600.00"))
    assert [line.discount for line in sale.lines] == ["400.00", "200.00"]
    tv = sale.lines[0].id
    if how == "removed":
        left = scene.do(RemoveLine(sale.id, tv), actor=scene.shop.cashier)
        assert (left.discount_total, left.total) == ("200.00", "300.00")
    else:
        left = scene.do(EditLine(sale.id, tv, quantity=1), actor=scene.shop.cashier)
        assert (left.discount_total, left.total) == ("400.00", "600.00")
