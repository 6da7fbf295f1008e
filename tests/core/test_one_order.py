"""One order is one thing, whatever door it came through: (source, order number) holds, ships and ends once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from holdfast.check import check
from holdfast.core.reservations.order_holds import OrderClose, OrderReserve, ReserveAtLevel
from holdfast.core.reservations.order_holds import OrderLine as Line
from holdfast.core.reservations.reserve import Release, Reserve, Target
from holdfast.core.sales.cart import AddLine, CancelSale
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from tests.core.books import book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import SECOND, Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

NUMERIC = "820982911946154508"


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """10 mugs at MAIN; at the end stock, sales and books agree."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=1000)
        scene.product("TEE-1", price=500)
        yield scene
        assert_truth(shop)
        assert book_faults(shop) == []
        assert sale_faults(shop) == []
        assert check(shop.holdfast.database).mismatches == []


def reserve(scene: Scene, units: int = 2, number: str = "#1001", **fields: Any) -> Any:
    return scene.do(OrderReserve(number, "shopify", (Line("MUG-1", units),), **fields))


def export(scene: Scene, units: int = 2, gone: int = 0, **fields: Any) -> Any:
    return scene.do(ImportOrder("#1001", "shopify", (OrderedLine("MUG-1", units, fulfilled=gone),), **fields))


def sums(scene: Scene) -> tuple[int, int, int]:
    """(on hand, reserved, backordered) of the mugs."""
    [row] = scene.shop.rows(
        "SELECT sum(v.on_hand) AS on_hand, sum(v.reserved) AS reserved, sum(v.backordered) AS waits FROM level v "
        "JOIN product p ON p.id = v.product_id WHERE p.sku = 'MUG-1'"
    )
    return row["on_hand"], row["reserved"], row["waits"]


def sale_status(scene: Scene) -> str:
    return str(scene.shop.rows("SELECT status FROM sale")[0]["status"])


def test_a_reserved_order_that_is_imported_holds_once_and_ends_once(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", price=1000)
    scene.given("MUG-1 MAIN  A 10")
    held = reserve(scene)
    taken = export(scene)
    assert sums(scene) == (10, 2, 0)
    assert (taken.brought, taken.status) == ("added", "suspended")
    [hold] = scene.shop.rows("SELECT id, held_for, sale_line_id, created_at FROM reservation WHERE status = 'active'")
    assert (hold["id"], hold["held_for"]) == (held[0].id, "sale")
    assert scene.do(CompleteSale(taken.sale_id)).status == "completed"
    assert sums(scene) == (8, 0, 0)
    assert export(scene, gone=2).brought == "unchanged"


@pytest.mark.parametrize("on_hand", [10, 2])
def test_a_completed_export_of_a_reserved_order_sells_what_it_holds(scene: Scene, on_hand: int) -> None:
    scene.given(f"MUG-1 MAIN  A {on_hand} @3.00")
    reserve(scene)
    taken = export(scene, gone=2, payment="card")
    assert (taken.status, taken.waiting) == ("completed", ())
    assert sums(scene) == (on_hand - 2, 0, 0)


@pytest.mark.parametrize(("held", "ordered"), [(3, 2), (2, 3), (1, 4)])
def test_other_quantities_follow_the_order(scene: Scene, held: int, ordered: int) -> None:
    scene.given("MUG-1 MAIN  A 4")
    reserve(scene, held)
    taken = export(scene, ordered)
    assert sums(scene) == (4, ordered, 0)
    scene.do(CompleteSale(taken.sale_id))
    assert sums(scene) == (4 - ordered, 0, 0)


def test_nobody_of_one_store_takes_a_channels_number(scene: Scene) -> None:
    """The channel's order would find its number taken, and be dropped."""
    east = msgspec.structs.replace(scene.shop.owner, stores=(scene.shop.stores["MAIN"],))

    refused = scene.shop.refused(OpenSale(source="shopify", order_number="#1001"), actor=east)

    assert refused.code == "FORBIDDEN"
    assert reserve(scene)[0].quantity == 2


@pytest.mark.parametrize("source", ["shopify", "woocommerce", "amazon", "etsy"])
def test_nobody_of_one_store_holds_for_a_channels_number(scene: Scene, source: str) -> None:
    scene.given("TEE-1 EAST  B 5")
    east = scene.shop.east_staff
    for command in (
        Reserve("TEE-1", 1, "EAST", Target("#1001", source)),
        Reserve("TEE-1", 1, None, Target("#1001", source)),
        ReserveAtLevel("TEE-1", "EAST", 1, "#1001", source),
        OrderReserve("#1001", source, (Line("TEE-1", 1),), "EAST"),
        OpenSale(source=source, order_number="#1001", lines=(LineRequest("TEE-1", 1),)),
    ):
        scene.refuses(command, "FORBIDDEN", actor=east)
    assert scene.do(Reserve("TEE-1", 1, "EAST", Target("#1001")), actor=east).source == "manual"
    assert scene.do(Reserve("TEE-1", 1, "EAST", Target("#1001", "website")), actor=east).source == "website"


def test_a_source_has_one_spelling(scene: Scene) -> None:
    scene.given("TEE-1 EAST  B 5")
    for source in ("Shopify", "ETSY", "Manual", "POS"):
        for command in (
            Reserve("TEE-1", 1, "EAST", Target("#1001", source)),
            ReserveAtLevel("TEE-1", "EAST", 1, "#1001", source),
            OpenSale(source=source, order_number="#1001"),
        ):
            for actor in (scene.shop.owner, scene.shop.east_staff):
                scene.refuses(command, "INVALID_REQUEST", actor=actor)


def test_nothing_is_held_for_a_number_that_our_next_sale_will_have(scene: Scene) -> None:
    """The sale would adopt the hold, wherever it is, and its cashier could neither complete nor cancel it."""
    scene.given("MUG-1 MAIN  A 5")
    scene.given("MUG-1 EAST  B 5")
    east = scene.shop.east_staff
    for source in ("manual", "pos"):
        for command in (
            Reserve("MUG-1", 3, "EAST", Target("S-000001", source)),
            ReserveAtLevel("MUG-1", "EAST", 3, "S-000001", source),
        ):
            scene.refuses(command, "TARGET_NOT_FOUND", actor=east)
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"]))
    assert scene.do(AddLine(sale.id, LineRequest("MUG-1", 3))).number == "S-000001"
    scene.stands("""
        MUG-1 EAST  B 5/0
        MUG-1 MAIN  A 5/3
        S-000001    A 3
    """)
    beside = scene.do(Reserve("TEE-1", 1, "MAIN", Target("S-000001"), override=True))
    assert (beside.order_number, scene.do(CancelSale(sale.id)).status) == ("S-000001", "cancelled")


def test_an_order_is_held_beside_what_somebody_else_held_for_its_number(scene: Scene) -> None:
    """A hold of another product, or of fewer units, is not the order."""
    scene.given("MUG-1 MAIN  A 3")
    scene.given("TEE-1 MAIN  T 5")
    scene.do(Reserve("TEE-1", 1, "MAIN", Target("#1001", "shopify")))
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("#1001", "shopify")))
    for _ in range(2):
        held = reserve(scene, 5)
        assert [(hold.sku, hold.quantity, hold.backordered_quantity) for hold in held] == [
            ("TEE-1", 1, 0),
            ("MUG-1", 2, 0),
            ("MUG-1", 3, 2),
        ]
    assert sums(scene) == (3, 3, 2)


def test_what_an_order_lacks_of_a_weighed_product_is_held_to_the_gram(scene: Scene) -> None:
    scene.product("TEA-1", price=1000, precision=3)
    scene.do(OrderReserve("#1001", "shopify", (Line("TEA-1", Decimal("0.107")),)))
    held = scene.do(OrderReserve("#1001", "shopify", (Line("TEA-1", Decimal("0.1")), Line("TEA-1", Decimal("1.2")))))
    assert [hold.quantity for hold in held] == [0.107, 1.193]


def test_an_order_that_was_given_back_is_not_held_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 9")
    [first] = reserve(scene)
    scene.do(OrderClose("#1001", "shopify", consume=False))
    assert [(hold.id, hold.status) for hold in reserve(scene)] == [(first.id, "released")]
    assert sums(scene) == (9, 0, 0)
    assert [hold.quantity for hold in reserve(scene, 3)] == [2, 1]
    assert sums(scene) == (9, 1, 0)


def test_an_order_is_held_after_a_hold_of_its_number_has_lapsed(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("#1001", "shopify"), expires_at=scene.now + 60 * SECOND))
    scene.pass_(61)
    for _ in range(2):
        assert [hold.status for hold in reserve(scene)] == ["released", "active"]
    assert sums(scene) == (5, 2, 0)


def test_an_order_is_held_though_a_sale_of_its_number_has_none_of_its_goods(scene: Scene) -> None:
    scene.shop.ok(OpenSale(source="shopify", order_number="#1001"))

    held = reserve(scene)

    assert [hold.quantity for hold in held] == [2]
    assert [hold.id for hold in reserve(scene)] == [hold.id for hold in held]


def test_two_lines_of_one_product_share_a_hold(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    reserve(scene, 5)
    lines = (OrderedLine("MUG-1", 2), OrderedLine("MUG-1", 3, fulfilled=3))
    taken = scene.do(ImportOrder("#1001", "shopify", lines))
    assert (sums(scene), taken.waiting) == ((2, 2, 0), ())


def test_several_holds_become_one_line(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    scene.given("MUG-1 EAST  B 2")
    for place, units in (("MAIN", 3), ("EAST", 2)):
        scene.do(Reserve("MUG-1", units, place, Target("#1001", "shopify")))
    taken = export(scene, 5)
    assert (sums(scene), taken.waiting) == ((5, 5, 0), ())
    assert scene.do(CompleteSale(taken.sale_id)).status == "completed"
    assert sums(scene) == (0, 0, 0)


def test_what_waits_keeps_its_place_in_the_queue(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1")
    reserve(scene, 3)
    scene.pass_(1)
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("9"), override=True))
    scene.pass_(1)
    taken = export(scene, 3)
    scene.shop.receive("MUG-1", 2, lot="B")
    assert scene.do(CompleteSale(taken.sale_id)).status == "completed"
    assert sums(scene) == (0, 0, 2)


def test_a_sale_that_is_opened_adopts_the_orders_holds(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", price=1000)
    scene.given("MUG-1 MAIN  A 2")
    scene.do(Reserve("MUG-1", 2, None, Target("55", "phone")))
    opened = scene.do(OpenSale(source="phone", order_number="55", lines=(LineRequest("MUG-1", 2),)))
    assert (sums(scene), opened.lines[0].held) == ((2, 2, 0), 2)
    scene.do(CancelSale(opened.id))
    assert sums(scene) == (2, 0, 0)


def test_the_same_number_of_another_source_is_another_order(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    scene.do(OrderReserve("#1001", "amazon", (Line("MUG-1", 2),)))
    taken = export(scene)
    assert sums(scene) == (10, 4, 0)
    scene.do(CompleteSale(taken.sale_id))
    assert sums(scene) == (8, 2, 0)


def test_what_the_order_does_not_ask_for_ends_with_it(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    scene.given("TEE-1 MAIN  T 5")
    scene.do(OrderReserve("#1001", "shopify", (Line("MUG-1", 2), Line("TEE-1", 1))))
    taken = export(scene)
    scene.do(CompleteSale(taken.sale_id))
    assert scene.shop.rows("SELECT sum(reserved) AS n FROM level") == [{"n": 0}]
    assert scene.shop.rows("SELECT sum(on_hand) AS n FROM level") == [{"n": 13}]


def test_a_line_that_is_added_later_adopts_too(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    scene.given("TEE-1 MAIN  T 1")
    scene.do(OrderReserve("55", "phone", (Line("MUG-1", 2), Line("TEE-1", 1))))
    opened = scene.do(OpenSale(source="phone", order_number="55", lines=(LineRequest("MUG-1", 2),)))
    shown = scene.do(AddLine(opened.id, LineRequest("TEE-1", 1)))
    assert [line.held for line in shown.lines] == [2, 1]
    scene.do(CompleteSale(opened.id))
    assert scene.shop.rows("SELECT sum(on_hand) AS n FROM level") == [{"n": 0}]


def test_a_line_of_a_given_location_moves_the_orders_units_there(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    scene.given("MUG-1 EAST  B 2")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("55", "phone")))
    lines = (LineRequest("MUG-1", 2, location="EAST"),)
    scene.do(OpenSale(source="phone", order_number="55", lines=lines))
    scene.stands("""
        MUG-1 EAST  B 2/2
        MUG-1 MAIN  A 2/0
        55          edited
        55          B 2
    """)


# The other way round -------------------------------------------------------------------------------------------------


def test_an_imported_order_that_is_reserved_later_holds_once(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", price=1000)
    scene.given("MUG-1 MAIN  A 10")
    export(scene)
    [hold] = reserve(scene)
    assert (hold.open_quantity, sums(scene)) == (2, (10, 2, 0))
    again = scene.do(Reserve("MUG-1", 2, None, Target("#1001", "shopify")))
    assert (again.id, sums(scene)) == (hold.id, (10, 2, 0))
    assert scene.do(ReserveAtLevel("MUG-1", "MAIN", 2, "#1001", "shopify")).reservation_id == hold.id
    assert sums(scene) == (10, 2, 0)


def test_an_order_that_is_sold_already_is_not_reserved_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    export(scene, gone=2)
    assert reserve(scene) == []
    scene.refuses(Reserve("MUG-1", 2, None, Target("#1001", "shopify")), "INVALID_STATE")
    scene.refuses(ReserveAtLevel("MUG-1", "MAIN", 2, "#1001", "shopify"), "INVALID_STATE")
    assert sums(scene) == (8, 0, 0)


def test_a_reservation_holds_what_a_line_of_the_order_lacks(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    opened = scene.do(OpenSale(source="phone", order_number="55", lines=(LineRequest("MUG-1", 3),)))
    scene.do(Release(scene.hold("55"), 2))
    held = scene.do(Reserve("MUG-1", 5, None, Target("55", "phone")))
    assert (sums(scene), held.sale_line_id) == ((10, 3, 0), opened.lines[0].id)
    other = scene.do(Reserve("TEE-1", 1, None, Target("55", "phone"), override=True))
    assert other.sale_line_id is None
    scene.do(CompleteSale(opened.id))
    assert scene.shop.rows("SELECT sum(reserved + backordered) AS n FROM level") == [{"n": 0}]


def test_converting_an_order_ships_its_sale(scene: Scene) -> None:
    """Nothing of it is left to ship; its money is settled by whoever completes it, or by the next import."""
    scene.given("MUG-1 MAIN  A 10 @4.00")
    reserve(scene)
    taken = export(scene)
    for _ in range(2):
        assert [one.status for one in scene.do(OrderClose("#1001", "shopify", consume=True))] == ["consumed"]
        assert (sums(scene), sale_status(scene)) == ((8, 0, 0), "suspended")
    shown = scene.do(CompleteSale(taken.sale_id, (PaymentRequest("card", "20.00"),)))
    assert (shown.status, shown.lines[0].fulfilled, sums(scene)) == ("completed", 2, (8, 0, 0))


def test_converting_a_part_leaves_the_rest_of_the_sale(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    export(scene, 3)
    scene.do(OrderClose("#1001", "shopify", consume=True, lines=(Line("MUG-1", 1),)))
    assert (sums(scene), sale_status(scene)) == ((9, 2, 0), "suspended")
    assert export(scene, 3, gone=3).status == "completed"
    assert sums(scene) == (7, 0, 0)


def test_cancelling_an_order_cancels_its_sale(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    reserve(scene)
    export(scene)
    scene.do(OrderClose("#1001", "shopify", consume=False))
    assert (sums(scene), sale_status(scene)) == ((10, 0, 0), "cancelled")
    assert reserve(scene)[0].status == "released"


@pytest.mark.parametrize("gone", [0, 2])
def test_units_that_were_converted_before_the_order_came_are_not_sold_again(scene: Scene, gone: int) -> None:
    scene.given("MUG-1 MAIN  A 6 @4.00, B 4 @5.00")
    reserve(scene)
    scene.do(OrderClose("#1001", "shopify", consume=True))
    taken = export(scene, gone=gone)
    assert sums(scene) == (8, 0, 0)
    if not gone:
        scene.do(CompleteSale(taken.sale_id))
    assert (sums(scene), sale_status(scene)) == ((8, 0, 0), "completed")
    line = scene.shop.rows("SELECT id FROM sale_line")[0]["id"]
    scene.do(ReturnSale(taken.sale_id, (ReturnedLine(line, 1, "good"),), "other"))
    assert sums(scene) == (9, 0, 0)


def test_a_part_that_was_converted_before_counts_as_shipped(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    reserve(scene, 3)
    scene.do(OrderClose("#1001", "shopify", consume=True, lines=(Line("MUG-1", 1),)))
    taken = export(scene, 4)
    assert sums(scene) == (9, 3, 0)
    [line] = scene.shop.rows("SELECT id, fulfilled FROM sale_line")
    assert line["fulfilled"] == 1
    scene.do(Fulfill(taken.sale_id, (ShipLine(line["id"], 3),)))
    assert (sums(scene), sale_status(scene)) == ((6, 0, 0), "completed")


# Shopify's two numbers -----------------------------------------------------------------------------------------------


def test_a_hold_by_shopifys_numeric_id_is_the_order_of_the_export(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", price=1000)
    scene.given("MUG-1 MAIN  A 2")
    reserve(scene, number=NUMERIC)
    assert export(scene, external_id=NUMERIC).waiting == ()
    assert sums(scene) == (2, 2, 0)
    [hold] = reserve(scene, number=NUMERIC)
    assert (hold.order_number, sums(scene)) == ("#1001", (2, 2, 0))
    scene.do(OrderClose(NUMERIC, "shopify", consume=True))
    assert sums(scene) == (0, 0, 0)
    assert export(scene, gone=2, external_id=NUMERIC).status == "completed"
    assert export(scene, gone=2, external_id=NUMERIC).brought == "unchanged"


def test_an_order_that_was_imported_without_its_id_learns_it(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    export(scene)
    export(scene, external_id=NUMERIC)
    assert reserve(scene, number=NUMERIC)[0].order_number == "#1001"
    assert sums(scene) == (10, 2, 0)


def test_a_hold_and_a_sale_that_were_two_become_one_when_the_order_comes_again(scene: Scene) -> None:
    """As an older version left them, or two doors at the same instant."""
    scene.given("MUG-1 MAIN  A 10")
    taken = export(scene)
    reserve(scene, number=NUMERIC)
    assert sums(scene) == (10, 4, 0)
    assert export(scene, external_id=NUMERIC).brought == "changed"
    assert sums(scene) == (10, 2, 0)
    assert scene.do(CompleteSale(taken.sale_id)).status == "completed"
    assert sums(scene) == (8, 0, 0)


# Several stores ------------------------------------------------------------------------------------------------------


def test_units_of_another_store_serve_the_order_that_they_were_held_for(scene: Scene) -> None:
    scene.given("MUG-1 EAST  A 2")
    reserve(scene, location="EAST")
    taken = export(scene, store_id=scene.shop.stores["MAIN"])
    assert (sums(scene), taken.waiting) == ((2, 2, 0), ())
    scene.do(CompleteSale(taken.sale_id))
    assert sums(scene) == (0, 0, 0)


def test_who_acts_in_one_store_does_not_touch_the_orders_units_of_another(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.given("MUG-1 EAST  B 5")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("55")))
    opened = scene.do(OpenSale(order_number="55", lines=(LineRequest("MUG-1", 2),)), actor=scene.shop.east_staff)
    scene.do(CancelSale(opened.id), actor=scene.shop.east_staff)
    scene.stands("""
        MUG-1 EAST  B 5/0
        MUG-1 MAIN  A 5/2
        55          A 2
        55          voided
    """)


def test_the_holds_of_another_stores_order_are_not_told(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    reserve(scene)
    command = OrderReserve("#1001", "shopify", (Line("MUG-1", 2),))
    scene.refuses(command, "FORBIDDEN", actor=scene.shop.east_staff)
    export(scene, gone=2)
    scene.refuses(command, "FORBIDDEN", actor=scene.shop.east_staff)


def test_a_waiting_hold_of_a_given_location_is_served_elsewhere_as_a_line(scene: Scene) -> None:
    """The reservation named its location, the order does not."""
    scene.given("MUG-1 MAIN  A 1")
    scene.given("MUG-1 EAST  B 5")
    reserve(scene, 3, location="MAIN")
    assert sums(scene) == (6, 1, 2)
    assert export(scene, 3).waiting == ()
    assert sums(scene) == (6, 3, 0)


def test_a_hold_that_no_place_could_fill_is_split_as_a_line(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    scene.given("MUG-1 EAST  B 1")
    reserve(scene, 3)
    assert sums(scene)[1] < 3
    assert export(scene, 3).waiting == ()
    assert sums(scene) == (3, 3, 0)


# Facts and products that are not sold any more ------------------------------------------------------------------------


def test_an_order_that_shopify_took_waits_for_what_is_not_there(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1")
    [hold] = reserve(scene, 3)
    assert (hold.allocated_quantity, hold.backordered_quantity, hold.conflict) == (1, 2, True)
    assert sums(scene) == (1, 1, 2)
    assert reserve(scene, 3)[0].conflict is True
    scene.shop.receive("MUG-1", 2, lot="B")
    assert reserve(scene, 3)[0].conflict is UNSET
    assert b'"conflict"' not in msgspec.json.encode(reserve(scene, 3))


def test_what_is_not_sold_any_more_is_promised_to_facts_only(scene: Scene) -> None:
    scene.product("OLD-1", price=100, active=False)
    scene.given("OLD-1 MAIN  A 5")
    for command in (
        Reserve("OLD-1", 1, "MAIN", Target("1")),
        Reserve("OLD-1", 1, None, Target("1")),
        ReserveAtLevel("OLD-1", "MAIN", 1),
        OpenSale(lines=(LineRequest("OLD-1", 1),)),
    ):
        scene.refuses(command, "INVALID_STATE")
    scene.do(OrderReserve("#1", "shopify", (Line("OLD-1", 1),)))
    scene.do(ImportOrder("#2", "shopify", (OrderedLine("OLD-1", 1),)))
    assert scene.shop.rows("SELECT sum(reserved) AS n FROM level") == [{"n": 2}]


def test_an_ended_hold_is_not_adopted(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 10")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("#1001", "shopify"), expires_at=scene.now + 60 * SECOND))
    scene.pass_(61)
    export(scene)
    scene.stands("""
        MUG-1 MAIN  A 10/2
        #1001       expired
        #1001       A 2
    """)
