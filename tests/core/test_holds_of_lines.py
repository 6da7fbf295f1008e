"""Holds that are asked for by an order number that is a sale already, and how the holds of a line follow it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.reservations.reserve import Release, Reserve, Target
from holdfast.core.sales.cart import EditLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from tests.core.books import sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop of mugs that nobody may wait for and of shirts that may be backordered."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=1000)
        scene.product("TEE-1", price=500, oversell="backorder")
        yield scene
        assert_truth(shop)
        assert sale_faults(shop) == []


def order(scene: Scene, *lines: LineRequest) -> Any:
    """Order 55 of `phone`, a sale."""
    return scene.do(OpenSale(source="phone", order_number="55", lines=lines))


def again(units: int, sku: str = "MUG-1", location: str | None = None, **fields: Any) -> Reserve:
    """A hold for that order."""
    return Reserve(sku, units, location, Target("55", "phone"), **fields)


def held(scene: Scene, line_id: str) -> list[dict[str, Any]]:
    """The active holds of a line, as they were made."""
    query = "SELECT * FROM reservation WHERE sale_line_id = :line AND status = 'active' ORDER BY created_at, id"
    return [dict(row) for row in scene.shop.rows(query, line=line_id)]


# A hold for an order that is a sale ----------------------------------------------------------------------------------


def test_an_override_counts_for_an_order_that_is_a_sale(scene: Scene) -> None:
    """5 ordered, all given back by hand, 2 lost since: a manager promises them again, and the ledger says so."""
    scene.given("MUG-1 MAIN  A 5")
    line = order(scene, LineRequest("MUG-1", 5)).lines[0]
    scene.do(Release(scene.hold("55")))
    scene.given("""
        77  2 MUG-1 MAIN
    """)

    assert scene.refuses(again(5, override=True), "INSUFFICIENT_STOCK", actor=scene.shop.staff).code
    scene.refuses(again(5), "INSUFFICIENT_STOCK")
    hold = scene.do(again(5, override=True))

    assert (hold.sale_line_id, hold.quantity, hold.backordered_quantity) == (line.id, 5, 2)
    [entry] = [row for row in scene.ledger() if row["backordered_delta"] == 2]
    assert entry["reason"] == "override"


def test_an_override_counts_where_the_line_has_a_hold_already(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    line = order(scene, LineRequest("MUG-1", 5)).lines[0]
    scene.do(Release(scene.hold("55"), 3))
    scene.given("""
        77  2 MUG-1 MAIN
    """)

    scene.do(again(3, override=True))

    assert sum(row["backordered"] for row in held(scene, line.id)) == 2
    [entry] = [row for row in scene.ledger() if row["backordered_delta"] == 2]
    assert entry["reason"] == "override"


def test_a_lot_and_a_priority_count_for_an_order_that_is_a_sale(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5, B 5")
    line = order(scene, LineRequest("MUG-1", 4)).lines[0]
    scene.do(Release(scene.hold("55"), 2))

    hold = scene.do(again(2, lot_id=scene.lot("B"), priority=10))

    assert (hold.sale_line_id, hold.lot_id, hold.priority) == (line.id, scene.lot("B"), 10)
    assert [one.lot_code for one in hold.allocations] == ["B"]
    assert [(row["quantity"], row["lot_id"]) for row in held(scene, line.id)] == [(4, None), (2, scene.lot("B"))]


def test_a_lot_that_is_not_there_is_refused_for_an_order_that_is_a_sale(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        MUG-1 EAST  B 5
    """)
    order(scene, LineRequest("MUG-1", 2))
    scene.do(Release(scene.hold("55")))

    scene.refuses(again(2, location="MAIN", lot_id=scene.lot("B")), "LOT_NOT_AVAILABLE")


def test_a_line_of_another_lot_does_not_take_the_units(scene: Scene) -> None:
    """As a hold of another lot is not adopted: it stays the order's, and ends with it."""
    scene.given("MUG-1 MAIN  A 5, B 5")
    order(scene, LineRequest("MUG-1", 2, lot_id=scene.lot("A")))
    scene.do(Release(scene.hold("55")))

    hold = scene.do(again(2, lot_id=scene.lot("B")))

    assert (hold.sale_line_id, [one.lot_code for one in hold.allocations]) == (None, ["B"])


def test_a_line_that_is_edited_does_not_ask_more_of_a_lot_that_it_never_named(scene: Scene) -> None:
    """It has adopted a hold of lot A, of which nothing is left; lot B has what the edit asks for."""
    scene.given("MUG-1 MAIN  A 2, B 5")
    scene.do(again(2, location="MAIN", lot_id=scene.lot("A")))
    sale = order(scene, LineRequest("MUG-1", 2))

    scene.do(EditLine(sale.id, sale.lines[0].id, quantity=5))

    assert [(row["quantity"], row["lot_id"]) for row in held(scene, sale.lines[0].id)] == [
        (2, scene.lot("A")),
        (3, None),
    ]


# What a line gives back ----------------------------------------------------------------------------------------------


def test_the_newest_of_the_waiting_units_are_given_back_first(scene: Scene) -> None:
    scene.given("TEE-1 MAIN  T 2")
    sale = order(scene, LineRequest("TEE-1", 6, location="MAIN"))
    line = sale.lines[0]
    scene.do(Release(scene.hold("55"), 2))
    scene.pass_(1)
    scene.do(again(2, "TEE-1", "MAIN", priority=10))
    scene.shop.receive("TEE-1", 1, "MAIN")  # serves the better priority: 1 of it waits now, 2 of the older hold
    assert [row["backordered"] for row in held(scene, line.id)] == [2, 1]

    scene.do(EditLine(sale.id, line.id, quantity=4))

    assert [(row["quantity"] - row["released"], row["backordered"]) for row in held(scene, line.id)] == [(3, 1), (1, 0)]
