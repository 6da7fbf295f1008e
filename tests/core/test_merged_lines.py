"""Lines that grow: what is added with `merge` goes onto the line that sells the same on the same terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.sales.cart import AddLine, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.order_entry import DiscountRequest, LineRequest, OpenSale
from tests.core.scene import Scene
from tests.shop import FOUNDED, SECOND, Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

HOLD_SECONDS = 30 * 60


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """Mugs at 9.90 and cheese by the gram at 24.00."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=990)
        scene.product("CHEESE", price=2400, precision=3)
        shop.receive("MUG-1", 500)
        shop.receive("CHEESE", 500)
        yield scene
        assert_truth(shop)


def cart(scene: Scene) -> Any:
    """An empty cart of the store MAIN."""
    return scene.do(OpenSale(scene.shop.stores["MAIN"]))


def test_a_quantity_with_places_adds_up_exactly(scene: Scene) -> None:
    sale = cart(scene)
    for _ in range(3):
        sale = scene.do(AddLine(sale.id, LineRequest("CHEESE", Decimal("0.1")), merge=True))

    assert [(line.quantity, line.line_total) for line in sale.lines] == [(0.3, "7.20")]


def test_a_line_that_was_removed_does_not_grow(scene: Scene) -> None:
    sale = scene.do(AddLine(cart(scene).id, LineRequest("MUG-1", 1)))
    scene.do(RemoveLine(sale.id, sale.lines[0].id))

    sale = scene.do(AddLine(sale.id, LineRequest("MUG-1", 2), merge=True))

    assert [line.quantity for line in sale.lines] == [2]


LINES = st.lists(
    st.tuples(
        st.sampled_from(["MUG-1", "CHEESE"]),
        st.integers(1, 5),
        st.sampled_from([None, DiscountRequest(percent=10), DiscountRequest(amount="0.50")]),
        st.sampled_from([None, "5.00"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_merged_lines_are_as_many_units_in_one_line_for_each_terms(scene: Scene, lines: list[Any]) -> None:
    sale = cart(scene)
    units: Counter[Any] = Counter()
    for sku, quantity, discount, price in lines:
        sale = scene.do(AddLine(sale.id, LineRequest(sku, quantity, price, discount), merge=True))
        units[sku, discount, price] += quantity
    whole = cart(scene)
    for (sku, discount, price), quantity in units.items():
        whole = scene.do(AddLine(whole.id, LineRequest(sku, quantity, price, discount)))

    assert [line.quantity for line in sale.lines] == [line.quantity for line in whole.lines] == list(units.values())
    assert [line.line_total for line in sale.lines] == [line.line_total for line in whole.lines]
    assert (sale.total, sale.discount_total) == (whole.total, whole.discount_total)


def test_a_resumed_cart_is_held_from_now_on(scene: Scene) -> None:
    sale = scene.do(AddLine(cart(scene).id, LineRequest("MUG-1", 2)))
    scene.do(SuspendSale(sale.id))
    scene.clock.pass_(3600 * SECOND)
    scene.do(ResumeSale(sale.id))

    hold = scene.shop.holdfast.reports.reservations(scene.shop.org_id, product="MUG-1", status="active").items[0]

    assert scene.clock.now - FOUNDED >= 3600 * SECOND
    assert hold["expires_at"] is not None
    scene.clock.pass_((HOLD_SECONDS - 1) * SECOND)
    assert scene.do(AddLine(sale.id, LineRequest("MUG-1", 1), merge=True)).lines[0].quantity == 3
