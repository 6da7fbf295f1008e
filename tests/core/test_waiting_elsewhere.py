"""Who waits where, and nobody is overtaken over all locations that may serve a hold.

The shop has MAIN and EAST at the same priority; by code EAST comes first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.check import check
from holdfast.core.decide import CommandGroup, Sweep
from holdfast.core.organisation.places import ChangeLocation
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import CancelSale, EditLine, ResumeSale
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from holdfast.db.upkeep.totals import beside_waiting
from tests.core.scene import Scene
from tests.shop import SECOND, Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop of which also the product's own check finds nothing wrong at the end."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        yield Scene(shop, clock)
        assert_truth(shop)
        assert check(shop.holdfast.database).mismatches == []


def backorders(scene: Scene, **fields: Any) -> None:
    scene.product("MUG-1", price=100, oversell="backorder", **fields)


def sale(scene: Scene, units: int, number: str | None = None, **fields: Any) -> Any:
    return scene.do(OpenSale(order_number=number, lines=(LineRequest("MUG-1", units),), **fields))


def where(scene: Scene, order: str) -> list[tuple[str, int, int]]:
    """(location, units that lots back, units that wait) of the order's active holds, by location."""
    query = (
        "SELECT l.code, r.quantity - r.consumed - r.released - r.backordered AS backed, r.backordered "
        "FROM reservation r JOIN location l ON l.id = r.location_id "
        "WHERE r.order_number = :order AND r.status = 'active' ORDER BY l.code, r.id"
    )
    return [(row["code"], row["backed"], row["backordered"]) for row in scene.shop.rows(query, order=order)]


# Where it waits ------------------------------------------------------------------------------------------------------


def test_a_sale_line_waits_where_the_product_lies_and_is_served_there(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    sale(scene, 5, "FIRST")
    assert where(scene, "FIRST") == [("MAIN", 3, 2)]
    answer = scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 10, lot_code="B"),)))
    assert answer.served == [scene.hold("FIRST")]
    scene.do(Reserve("MUG-1", 8, None, Target("LATE")))
    assert where(scene, "FIRST") == [("MAIN", 5, 0)]
    assert where(scene, "LATE") == [("MAIN", 8, 0)]


def test_a_direct_hold_waits_where_the_product_lies(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    assert scene.do(Reserve("MUG-1", 5, None, Target("1"))).location == "MAIN"
    assert where(scene, "1") == [("MAIN", 3, 2)]


def test_an_imported_order_waits_where_the_product_lies(scene: Scene) -> None:
    scene.product("MUG-1", price=100)
    scene.given("MUG-1 MAIN  A 1")
    scene.do(ImportOrder("#1", "shopify", (OrderedLine("MUG-1", 2, fulfilled=2),)))
    assert where(scene, "#1") == [("MAIN", 0, 1)]
    scene.shop.receive("MUG-1", 9, lot="B")
    done = scene.do(ImportOrder("#1", "shopify", (OrderedLine("MUG-1", 2, fulfilled=2),)))
    assert (done.status, done.waiting) == ("completed", ())


def test_among_equals_it_waits_where_goods_came_last(scene: Scene) -> None:
    backorders(scene)
    for last in ("MAIN", "EAST", "MAIN"):
        scene.shop.receive("MUG-1", 1, last)
        scene.pass_(1)
        hold = scene.do(Reserve("MUG-1", 9, None, Target("1")))
        assert hold.location == last
        scene.do(Release(hold.id))


def test_goods_that_came_by_transfer_have_come(scene: Scene) -> None:
    backorders(scene)
    scene.shop.receive("MUG-1", 2, "MAIN")
    scene.pass_(1)
    sent = scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 1),)))
    scene.do(ReceiveTransfer(sent.id))
    assert scene.do(Reserve("MUG-1", 9, None, Target("1"))).location == "EAST"


def test_a_better_priority_comes_before_where_the_product_lies(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("FIRST", priority=1)
    scene.given("MUG-1 MAIN  A 3")
    scene.do(Reserve("MUG-1", 3, None, Target("0")))
    scene.do(Reserve("MUG-1", 5, None, Target("1")))
    assert where(scene, "1") == [("FIRST", 0, 5)]


def test_a_direct_hold_waits_where_stock_backs_most_of_it_so_nobody_overtakes(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("BACK", priority=200)
    scene.shop.location("LAST", priority=300)
    scene.given("""
        MUG-1 BACK  A 3
        MUG-1 LAST  B 1
    """)
    scene.do(Reserve("MUG-1", 5, None, Target("1")))
    assert where(scene, "1") == [("BACK", 3, 2)]
    scene.pass_(1)
    scene.do(Reserve("MUG-1", 3, None, Target("LATE")))
    assert where(scene, "1") == [("BACK", 3, 2)]
    assert where(scene, "LATE") == [("LAST", 1, 2)]


def test_a_preorder_is_where_most_of_it_is_backed_though_the_limit_closed_that_place(scene: Scene) -> None:
    """EAST has one unit and nobody waits there. MAIN has three, and a hold waits there for another lot."""
    scene.product("MUG-1", oversell="preorder", preorder_limit=4)
    scene.given("""
        MUG-1 MAIN  A 1, B 3
        MUG-1 EAST  C 1
    """)
    scene.do(Reserve("MUG-1", 5, "MAIN", Target("1"), lot_id=scene.lot("A")))
    hold = scene.do(Reserve("MUG-1", 5, None, Target("2")))
    assert where(scene, "2") == [("MAIN", 3, 2)] and hold.location == "MAIN"


def test_a_pinned_hold_waits_where_most_of_its_lot_lies(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("BACK", priority=200)
    scene.given("""
        MUG-1 MAIN  A 1
        MUG-1 BACK  B 9
    """)
    lot = scene.shop.receive("MUG-1", 4, "MAIN", lot="P")
    sent = scene.do(Dispatch("MAIN", "BACK", (TransferLine("MUG-1", 3, lot_id=lot),)))
    scene.do(ReceiveTransfer(sent.id))
    scene.do(Reserve("MUG-1", 5, None, Target("1"), lot_id=lot))
    assert where(scene, "1") == [("BACK", 3, 2)]


def test_a_product_that_is_nowhere_waits_at_the_first_place(scene: Scene) -> None:
    backorders(scene)
    scene.do(Reserve("MUG-1", 5, None, Target("1")))
    assert where(scene, "1") == [("EAST", 0, 5)]


def test_the_same_batch_sees_what_it_received(scene: Scene) -> None:
    backorders(scene)
    scene.do(CommandGroup((Receive("MAIN", (ReceiptLine("MUG-1", 1),)), Reserve("MUG-1", 5, None, Target("1")))))
    assert where(scene, "1") == [("MAIN", 1, 4)]


# Who serves it -------------------------------------------------------------------------------------------------------


def test_a_direct_hold_moves_whole_to_where_units_come(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    held = scene.do(Reserve("MUG-1", 5, None, Target("1")))
    answer = scene.do(Receive("EAST", (ReceiptLine("MUG-1", 10, lot_code="B"),)))
    assert answer.served == [held.id]
    scene.stands("""
        MUG-1 EAST  B 10/5
        MUG-1 MAIN  A 3/0
        1           B 5
    """)
    [row] = scene.shop.rows("SELECT created_at FROM reservation")
    assert where(scene, "1") == [("EAST", 5, 0)]
    moved = scene.events("ReservationMoved")
    assert [(told["data"]["from_location"], told["data"]["location"]) for told in moved] == [("MAIN", "EAST")]
    assert row["created_at"] == scene.ledger("RESERVE")[0]["created_at"]


def test_a_direct_hold_moves_to_where_more_of_it_is_backed_and_nowhere_else(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    scene.do(Reserve("MUG-1", 5, None, Target("1")))
    scene.shop.receive("MUG-1", 2, "EAST", lot="B")
    assert where(scene, "1") == [("MAIN", 3, 2)]
    scene.shop.receive("MUG-1", 2, "EAST", lot="C")
    assert where(scene, "1") == [("EAST", 4, 1)]
    scene.stands("""
        MUG-1 EAST  B 2/2, C 2/2, waits 1
        MUG-1 MAIN  A 3/0
        1           B 2, C 2, waits 1
    """)


def test_what_a_moved_hold_leaves_behind_serves_others(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    scene.do(Reserve("MUG-1", 5, None, Target("1")))
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("2")))
    scene.shop.receive("MUG-1", 5, "EAST", lot="B")
    assert (where(scene, "1"), where(scene, "2")) == ([("EAST", 5, 0)], [("MAIN", 2, 0)])


def test_a_sale_line_is_served_from_several_places(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    opened = sale(scene, 8, "1")
    scene.shop.receive("MUG-1", 2, "EAST", lot="B")
    assert where(scene, "1") == [("EAST", 2, 0), ("MAIN", 3, 3)]
    scene.shop.receive("MUG-1", 1, "EAST", lot="C")
    assert where(scene, "1") == [("EAST", 3, 0), ("MAIN", 3, 2)]
    scene.shop.receive("MUG-1", 9, "EAST", lot="D")
    assert where(scene, "1") == [("EAST", 5, 0), ("MAIN", 3, 0)]
    [line] = scene.shop.rows("SELECT id, reservations FROM sale_line")
    kept = json.loads(line["reservations"]) if isinstance(line["reservations"], str) else line["reservations"]
    ids = [row["id"] for row in scene.shop.rows("SELECT id FROM reservation ORDER BY id")]
    assert sorted(kept) == ids
    assert scene.do(CompleteSale(opened.id)).status == "completed"
    scene.stands("""
        MUG-1 EAST  D 7/0
        1           consumed 3
        1           consumed 5
    """)


def test_a_line_that_waits_with_all_of_it_takes_its_hold_along(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("0")))
    opened = sale(scene, 2, "1")
    scene.shop.receive("MUG-1", 9, "EAST", lot="B")
    assert where(scene, "1") == [("EAST", 2, 0)]
    assert len(scene.shop.rows("SELECT id FROM reservation WHERE order_number = '1'")) == 1
    assert scene.do(CancelSale(opened.id)).status == "cancelled"


def test_a_hold_of_a_given_location_never_moves_by_itself(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    scene.do(Reserve("MUG-1", 5, "MAIN", Target("1")))
    scene.do(OpenSale(order_number="2", lines=(LineRequest("MUG-1", 2, location="MAIN"),)))
    scene.shop.receive("MUG-1", 9, "EAST", lot="B")
    assert (where(scene, "1"), where(scene, "2")) == ([("MAIN", 1, 4)], [("MAIN", 0, 2)])
    scene.shop.receive("MUG-1", 9, "MAIN", lot="C")
    assert (where(scene, "1"), where(scene, "2")) == ([("MAIN", 5, 0)], [("MAIN", 2, 0)])


def test_best_priority_then_oldest_over_all_places(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    scene.given("MUG-1 EAST  B 1")
    for place in ("MAIN", "EAST"):
        scene.do(Reserve("MUG-1", 1, place, Target("0")))
    scene.do(Reserve("MUG-1", 2, "EAST", Target("1")))
    scene.do(Reserve("MUG-1", 2, None, Target("2")))
    scene.do(Reserve("MUG-1", 2, "EAST", Target("3")))
    scene.do(Reserve("MUG-1", 2, None, Target("4"), priority=10))
    scene.shop.receive("MUG-1", 5, "EAST", lot="C")
    assert where(scene, "4") == [("EAST", 2, 0)]
    assert where(scene, "1") == [("EAST", 2, 0)]
    assert where(scene, "2") == [("EAST", 1, 1)], "nobody overtakes, though it gets only a part"
    assert where(scene, "3") == [("EAST", 0, 2)]


def test_a_store_is_served_from_its_own_locations_only(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("MAIN-BACK", ships_online=False)
    scene.given("MUG-1 MAIN  A 1")
    sale(scene, 3, "1", store_id="MAIN")
    scene.shop.receive("MUG-1", 9, "EAST", lot="B")
    assert where(scene, "1") == [("MAIN", 1, 2)]
    scene.shop.receive("MUG-1", 1, "MAIN-BACK", lot="C")
    assert where(scene, "1") == [("MAIN", 1, 1), ("MAIN-BACK", 1, 0)]


def test_online_orders_are_served_where_goods_are_shipped_from(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("MAIN-BACK", ships_online=False)
    scene.given("MUG-1 MAIN  A 1")
    sale(scene, 3, "1")
    scene.do(Reserve("MUG-1", 1, None, Target("2")))
    scene.shop.receive("MUG-1", 9, "MAIN-BACK", lot="B")
    assert (where(scene, "1"), where(scene, "2")) == ([("MAIN", 1, 2)], [("MAIN", 0, 1)])


def release(scene: Scene) -> None:
    scene.do(Release(scene.hold("EAST")))


def count(scene: Scene) -> None:
    scene.do(Count("EAST", (CountLine("MUG-1", 8),)))


def adjustment(scene: Scene) -> None:
    scene.do(AdjustStock("MUG-1", "EAST", 4))


def amendment(scene: Scene) -> None:
    scene.do(Amend(scene.hold("EAST"), 1))


def transfer(scene: Scene) -> None:
    scene.shop.receive("MUG-1", 9, "MAIN-BACK", lot="X")
    sent = scene.do(Dispatch("MAIN-BACK", "EAST", (TransferLine("MUG-1", 4),)))
    scene.do(ReceiveTransfer(sent.id))


def expiry(scene: Scene) -> None:
    scene.do(Amend(scene.hold("EAST"), expires_at=scene.now + 60 * SECOND, set_expiry=True))
    scene.pass_(61)
    level = scene.shop.rows(
        "SELECT v.product_id, v.location_id FROM level v JOIN location l ON l.id = v.location_id WHERE l.code = 'EAST'"
    )[0]
    scene.do(Sweep(((level["product_id"], level["location_id"]),)))


@pytest.mark.parametrize("bring", [release, count, adjustment, amendment, transfer, expiry], ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", ["sale", "hold"])
def test_whatever_frees_units_elsewhere_serves_who_waits(scene: Scene, bring: Any, kind: str) -> None:
    backorders(scene)
    scene.shop.location("MAIN-BACK", ships_online=False)
    scene.given("""
        MUG-1 EAST  A 4
        EAST        4 MUG-1 EAST
        MUG-1 MAIN  B 1
    """)
    scene.pass_(1)
    sale(scene, 3, "1") if kind == "sale" else scene.do(Reserve("MUG-1", 3, None, Target("1")))
    bring(scene)
    assert sum(waits for _, _, waits in where(scene, "1")) == 0


def test_a_hold_that_loses_its_units_looks_elsewhere(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    backorders(scene)
    scene.given("MUG-1 MAIN  A 4")
    opened = sale(scene, 2, "1")
    scene.do(Reserve("MUG-1", 2, None, Target("2")))
    scene.given("MUG-1 EAST  B 3")
    scene.do(AdjustStock("MUG-1", "MAIN", -4))
    assert (where(scene, "1"), where(scene, "2")) == ([("EAST", 2, 0)], [("EAST", 1, 1)])
    scene.shop.receive("MUG-1", 1, "EAST", lot="C")
    assert where(scene, "2") == [("EAST", 2, 0)]
    assert scene.do(CompleteSale(opened.id)).status == "completed"


def test_a_direct_hold_that_shrinks_fits_elsewhere(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    scene.do(Reserve("MUG-1", 3, "EAST", Target("2")))
    scene.pass_(1)
    held = scene.do(Reserve("MUG-1", 5, None, Target("1")))
    scene.shop.receive("MUG-1", 4, "EAST", lot="B")  # 3 for order 2, one is no better for order 1
    assert where(scene, "1") == [("MAIN", 1, 4)]
    scene.do(Consume(held.id, 1))
    scene.do(Release(held.id, 3))
    assert where(scene, "1") == [("EAST", 1, 0)]


def test_a_cart_that_has_ended_is_not_served(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    sale(scene, 3, "1")
    scene.pass_(31 * 60)
    scene.shop.receive("MUG-1", 9, "EAST", lot="B")
    scene.stands("""
        MUG-1 EAST  B 9/0
        MUG-1 MAIN  A 1/0
        1           expired
    """)


def test_a_waiting_cart_goes_on_after_it_was_served_elsewhere(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    taken = scene.do(ImportOrder("#1", "shopify", (OrderedLine("MUG-1", 3),)))
    scene.shop.receive("MUG-1", 1, "EAST", lot="B")
    shown = scene.do(ResumeSale(taken.sale_id))
    assert (shown.lines[0].held, shown.lines[0].backordered) == (3, 1)
    assert scene.do(Fulfill(taken.sale_id, (ShipLine(shown.lines[0].id, 2),))).status == "open"
    assert where(scene, "#1") == [("MAIN", 0, 1)]


def test_a_receipt_of_many_products_serves_all_who_wait_elsewhere(scene: Scene) -> None:
    """Rounds do not grow with products: everything is asked for at once."""
    skus = [f"CUP-{n}" for n in range(20)]
    for sku in skus:
        scene.product(sku, price=100, oversell="backorder")
        scene.shop.receive(sku, 1, "MAIN")
    scene.do(OpenSale(order_number="1", lines=tuple(LineRequest(sku, 3) for sku in skus)))
    scene.do(CommandGroup(tuple(Reserve(sku, 1, None, Target("2")) for sku in skus)))
    scene.do(Receive("EAST", tuple(ReceiptLine(sku, 2 + n % 2) for n, sku in enumerate(skus))))
    assert scene.shop.rows("SELECT sum(backordered) AS n FROM reservation") == [{"n": 10}]
    scene.do(Receive("EAST", tuple(ReceiptLine(sku, 9) for sku in skus)))
    assert scene.shop.rows("SELECT sum(backordered) AS n FROM reservation") == [{"n": 0}]


def test_many_lines_that_lose_their_units_look_elsewhere_at_once(scene: Scene) -> None:
    skus = [f"CUP-{n}" for n in range(20)]
    for sku in skus:
        scene.product(sku, price=100)
        scene.shop.receive(sku, 2, "MAIN")
    scene.do(OpenSale(order_number="1", lines=tuple(LineRequest(sku, 2) for sku in skus)))
    scene.do(Receive("EAST", tuple(ReceiptLine(sku, 2) for sku in skus)))
    scene.do(Count("MAIN", tuple(CountLine(sku, 0) for sku in skus)))
    assert scene.shop.rows("SELECT sum(backordered) AS n FROM reservation") == [{"n": 0}]


# Moved by hand -------------------------------------------------------------------------------------------------------


def test_a_hold_is_moved_and_keeps_its_place_in_the_queue(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 3
        101         5 MUG-1 MAIN
        102         1 MUG-1 MAIN
    """)
    scene.given("MUG-1 EAST  B 2")
    scene.do(Reserve("MUG-1", 2, "EAST", Target("103")))
    scene.do(Reserve("MUG-1", 1, "EAST", Target("104"), override=True))
    scene.refuses(Amend(scene.hold("101"), location="EAST"), "INSUFFICIENT_STOCK")
    scene.do(Release(scene.hold("103"), 1))
    scene.shop.receive("MUG-1", 3, "EAST", lot="C")
    moved = scene.do(Amend(scene.hold("101"), location="east"))
    assert (moved.location, moved.allocated_quantity, moved.backordered_quantity) == ("EAST", 3, 2)
    scene.stands("""
        MUG-1 EAST  B 2/2, C 3/3, waits 2
        MUG-1 MAIN  A 3/1
        101         C 3, waits 2
        102         A 1
        103         B 1
        104         B 1
    """)
    scene.do(Reserve("MUG-1", 2, "EAST", Target("105"), override=True))
    scene.shop.receive("MUG-1", 2, "EAST", lot="D")
    assert where(scene, "101") == [("EAST", 5, 0)], "it is older"


def test_a_hold_that_was_moved_by_hand_stays(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 1")
    held = scene.do(Reserve("MUG-1", 3, None, Target("1")))
    scene.do(Amend(held.id, location="MAIN"))
    scene.shop.receive("MUG-1", 9, "EAST", lot="B")
    assert where(scene, "1") == [("MAIN", 1, 2)]


def test_where_a_hold_cannot_be_moved(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3, B 3")
    scene.given("MUG-1 EAST  C 3")
    pinned = scene.do(Reserve("MUG-1", 1, "MAIN", Target("1"), lot_id=scene.lot("A")))
    held = scene.do(Reserve("MUG-1", 2, "MAIN", Target("2")))
    scene.refuses(Amend(held.id, location="NOWHERE"), "LOCATION_NOT_FOUND")
    scene.refuses(Amend(held.id, location="TRANSIT"), "INSUFFICIENT_STOCK")
    scene.refuses(Amend(held.id, location="MAIN-QUARANTINE"), "INSUFFICIENT_STOCK")
    scene.refuses(Amend(pinned.id, location="EAST"), "LOT_NOT_AVAILABLE")
    scene.refuses(Amend(held.id, 4, location="EAST"), "INSUFFICIENT_STOCK")
    scene.refuses(Amend(held.id, location="EAST"), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.do(Amend(held.id, 3, location="EAST"))
    assert where(scene, "2") == [("EAST", 3, 0)]
    scene.refuses(Amend(held.id, location="MAIN"), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.do(Amend(held.id, 1, location="MAIN"))
    assert where(scene, "2") == [("MAIN", 1, 0)]


def test_a_hold_that_was_sold_in_part_moves_with_the_rest(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    scene.given("MUG-1 EAST  B 3")
    held = scene.do(Reserve("MUG-1", 3, "MAIN", Target("1")))
    scene.do(Consume(held.id, 1))
    scene.do(Amend(held.id, location="EAST"))
    scene.do(Consume(held.id))
    scene.stands("""
        MUG-1 EAST  B 1/0
        MUG-1 MAIN  A 2/0
        1           consumed 3
    """)


def test_a_line_is_moved_with_all_that_it_holds(scene: Scene) -> None:
    backorders(scene)
    scene.given("MUG-1 MAIN  A 2")
    scene.given("MUG-1 EAST  B 1")
    opened = sale(scene, 4, "1")
    line = opened.lines[0].id
    scene.shop.location("BACK", ships_online=False)
    scene.shop.receive("MUG-1", 3, "BACK", lot="C")
    shown = scene.do(EditLine(opened.id, line, location="BACK"))
    assert (shown.lines[0].held, shown.lines[0].backordered) == (4, 1)
    assert [code for code, _, _ in where(scene, "1")] == ["BACK", "BACK"]
    scene.shop.receive("MUG-1", 9, "MAIN", lot="D")
    assert sum(waits for _, _, waits in where(scene, "1")) == 1, "it was given its location"
    scene.do(EditLine(opened.id, line, location="MAIN", quantity=6))
    assert {code for code, _, _ in where(scene, "1")} == {"MAIN"}
    scene.do(CompleteSale(opened.id))
    assert scene.table()[:3] == ["MUG-1 BACK C 3/0", "MUG-1 EAST B 1/0", "MUG-1 MAIN D 5/0"]


def test_the_open_part_of_a_shipped_line_is_moved(scene: Scene) -> None:
    scene.product("MUG-1", price=100)
    scene.given("MUG-1 MAIN  A 3")
    opened = sale(scene, 3, "1")
    line = opened.lines[0].id
    scene.do(Fulfill(opened.id, (ShipLine(line, 1),)))
    scene.given("MUG-1 EAST  B 2")
    scene.do(EditLine(opened.id, line, location="EAST"))
    scene.refuses(EditLine(opened.id, line, location="NOWHERE"), "LOCATION_NOT_FOUND")
    scene.refuses(EditLine(opened.id, line, location="MAIN", quantity=2), "INVALID_STATE")
    assert scene.do(Fulfill(opened.id, (ShipLine(line, 2),))).status == "completed"


def test_an_order_given_back_as_a_whole_is_served_by_none_of_its_own_units(scene: Scene) -> None:
    """What one of its holds leaves behind would else go to another one, which is moved, and stays."""
    backorders(scene)
    scene.given("MUG-1 MAIN  A 3")
    opened = sale(scene, 3, "1")
    scene.given("MUG-1 EAST  B 2")
    scene.do(AdjustStock("MUG-1", "EAST", -2))
    scene.do(EditLine(opened.id, opened.lines[0].id, quantity=6))
    scene.shop.receive("MUG-1", 2, "EAST", lot="C")
    assert where(scene, "1") == [("EAST", 2, 1), ("MAIN", 3, 0)]
    scene.do(CancelSale(opened.id))
    assert where(scene, "1") == []
    assert scene.shop.rows("SELECT sum(reserved + backordered) AS n FROM level") == [{"n": 0}]


# One rule: where stock backs more of it ------------------------------------------------------------------------------


@pytest.fixture
def counted_away(scene: Scene) -> Scene:
    """A direct hold of 4 at MAIN has just lost all of it; 2 lie free at BACK and 1 at LAST."""
    backorders(scene)
    scene.shop.location("BACK", priority=200)
    scene.shop.location("LAST", priority=300)
    scene.given("""
        MUG-1 MAIN  A 5
        MUG-1 BACK  B 2
        MUG-1 LAST  C 1
    """)
    scene.do(Reserve("MUG-1", 4, None, Target("1")))
    scene.do(Count("MAIN", (CountLine("MUG-1", 0),)))
    return scene


def test_a_hold_that_begins_to_wait_moves_to_where_stock_backs_more_of_it(counted_away: Scene) -> None:
    scene = counted_away
    assert where(scene, "1") == [("BACK", 2, 2)]
    scene.pass_(1)
    scene.do(Reserve("MUG-1", 2, None, Target("LATE")))
    assert where(scene, "LATE") == [("LAST", 1, 1)], "what lies at BACK is its elder's"


def test_it_moves_on_only_to_more_and_comes_to_rest(counted_away: Scene) -> None:
    scene = counted_away
    scene.shop.receive("MUG-1", 2, "MAIN", lot="D")
    assert where(scene, "1") == [("BACK", 2, 2)], "as much is not more"
    scene.shop.receive("MUG-1", 1, "MAIN", lot="E")
    assert where(scene, "1") == [("MAIN", 3, 1)]
    scene.shop.receive("MUG-1", 1, "BACK", lot="F")
    assert where(scene, "1") == [("MAIN", 3, 1)]
    assert len(scene.events("ReservationMoved")) == 2


def test_what_it_leaves_behind_serves_the_next(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("BACK", priority=200)
    scene.given("""
        MUG-1 MAIN  A 4
        MUG-1 BACK  B 3
    """)
    scene.do(Reserve("MUG-1", 4, None, Target("OLD")))
    scene.pass_(1)
    scene.do(Reserve("MUG-1", 3, None, Target("ASIDE")))
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("HERE")))
    scene.do(Count("MAIN", (CountLine("MUG-1", 1),)))
    assert where(scene, "OLD") == [("MAIN", 1, 3)]
    scene.do(Release(scene.hold("ASIDE")))
    assert where(scene, "OLD") == [("BACK", 3, 1)]
    assert where(scene, "HERE") == [("MAIN", 1, 1)]


def test_what_is_left_of_a_hold_after_a_part_went_out_looks_again(scene: Scene) -> None:
    backorders(scene)
    scene.shop.location("BACK", priority=200)
    scene.given("""
        MUG-1 MAIN  A 3
        MUG-1 BACK  B 1
    """)
    held = scene.do(Reserve("MUG-1", 5, None, Target("1")))
    assert where(scene, "1") == [("MAIN", 3, 2)]
    scene.do(Consume(held.id, 3))
    assert where(scene, "1") == [("BACK", 1, 1)]


def test_the_sweeper_offers_a_part_too(scene: Scene) -> None:
    """A location that begins to sell raises nothing at its levels."""
    backorders(scene)
    scene.shop.location("BACK", ships_online=False)
    scene.do(Reserve("MUG-1", 5, None, Target("1")))
    scene.shop.receive("MUG-1", 3, "BACK")
    scene.do(ChangeLocation("BACK", ships_online=True))
    assert where(scene, "1") == [("EAST", 0, 5)]
    found = beside_waiting(scene.shop.holdfast.database, scene.now, 10)
    for _, levels in found:
        scene.do(Sweep(tuple(levels)))
    assert where(scene, "1") == [("BACK", 3, 2)]
    assert beside_waiting(scene.shop.holdfast.database, scene.now, 10) == []
