"""Holds found by what they are for: at a level, by order number (docs/reference/api.md#inventory); simple mode."""

from __future__ import annotations

from holdfast.core.reservations.order_holds import (
    ConsumeAtLevel,
    OrderClose,
    OrderReserve,
    ReleaseAtLevel,
    ReserveAtLevel,
)
from holdfast.core.reservations.order_holds import OrderLine as Line
from holdfast.core.reservations.reserve import Reserve, Target
from tests.core.scene import Scene
from tests.shop import SECOND


def test_ad_hoc_holds_are_used_oldest_first(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 9")
    for units in (2, 3):
        answer = scene.do(ReserveAtLevel("MUG-1", "MAIN", units))
    assert (answer.reserved_quantity, answer.available_quantity) == (5, 4)
    scene.do(ConsumeAtLevel("MUG-1", "MAIN", 3))
    scene.stands("""
        MUG-1 MAIN  A 6/2
        -           consumed 2
        -           A 2
    """)
    scene.do(ReleaseAtLevel("MUG-1", "MAIN", 1))
    scene.refuses(ReleaseAtLevel("MUG-1", "MAIN", 2), "INSUFFICIENT_RESERVED")
    scene.refuses(ConsumeAtLevel("MUG-1", "MAIN", 2), "INSUFFICIENT_RESERVED")


def test_ad_hoc_commands_leave_orders_alone(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 9
        101         4 MUG-1 MAIN
    """)
    scene.refuses(ReleaseAtLevel("MUG-1", "MAIN", 1), "INSUFFICIENT_RESERVED")
    scene.refuses(ConsumeAtLevel("MUG-1", "MAIN", 1), "INSUFFICIENT_RESERVED")
    scene.do(ConsumeAtLevel("MUG-1", "MAIN", 1, "101"))
    scene.stands("""
        MUG-1 MAIN  A 8/3
        101         A 3
    """)


def test_an_order_number_of_two_sources_must_be_told_apart(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 9")
    ids = [scene.do(Reserve("MUG-1", 2, "MAIN", Target("101", source))).id for source in ("shopify", "amazon")]
    refused = scene.refuses(ReleaseAtLevel("MUG-1", "MAIN", 1, "101"), "INVALID_STATE")
    assert [one["reservation_id"] for one in refused.numbers["candidates"]] == ids
    scene.do(ReleaseAtLevel("MUG-1", "MAIN", 2, "101", "amazon"))
    scene.do(ConsumeAtLevel("MUG-1", "MAIN", 1, "101"))
    scene.stands("""
        MUG-1 MAIN  A 8/1
        101         A 1
        101         cancelled
    """)


def test_an_order_that_holds_nothing_here_is_not_found(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 9
        101         2 MUG-1 MAIN
    """)
    for command in (ReleaseAtLevel, ConsumeAtLevel):
        scene.refuses(command("MUG-1", "MAIN", 1, "999"), "RESERVATION_NOT_FOUND")
        scene.refuses(command("MUG-1", "EAST", 1, "101"), "RESERVATION_NOT_FOUND")
        scene.refuses(command("MUG-1", "MAIN", 1, "101", "shopify"), "RESERVATION_NOT_FOUND")
        scene.refuses(command("MUG-1", "NOWHERE", 1, "101"), "LOCATION_NOT_FOUND")
        scene.refuses(command("GHOST-1", "MAIN", 1, "101"), "PRODUCT_NOT_FOUND")


def test_unlimited_products_succeed_and_do_nothing(scene: Scene) -> None:
    scene.product("SONG-1", kind="digital")
    for command in (ReserveAtLevel, ReleaseAtLevel, ConsumeAtLevel):
        answer = scene.do(command("SONG-1", "MAIN", 3))
        assert (answer.unlimited, answer.total_available) == (True, 999_999)
        scene.refuses(command("SONG-1", "MAIN", 0), "INVALID_QUANTITY")
    assert scene.table() == []


def test_an_order_is_reserved_once_however_often_it_comes(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 MAIN  T 5
    """)
    command = OrderReserve("820982", "shopify", (Line("MUG-1", 2), Line("TEE-1", 1)))
    first = scene.do(command)
    assert [one.id for one in scene.do(command)] == [one.id for one in first]
    scene.do(OrderReserve("820982", "amazon", (Line("MUG-1", 1),)))
    scene.stands("""
        MUG-1 MAIN  A 5/3
        TEE-1 MAIN  T 5/1
        820982      A 2
        820982      T 1
        820982      A 1
    """)


def test_an_order_is_reserved_as_a_whole_or_not(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 MAIN  T 1
    """)
    command = OrderReserve("1", "shopify", (Line("MUG-1", 2), Line("TEE-1", 0), Line("GHOST-1", 1)))
    refused = scene.refuses(command, "INVALID_QUANTITY")
    assert [line["index"] for line in refused.numbers["lines"]] == [1, 2]
    nowhere = OrderReserve("1", "shopify", (Line("MUG-1", 2),), "TRANSIT")
    scene.refuses(nowhere, "INSUFFICIENT_STOCK")


def test_cancelling_an_order_releases_it_once(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(OrderReserve("1", "shopify", (Line("MUG-1", 2), Line("MUG-1", 1))))
    for _ in range(2):
        answer = scene.do(OrderClose("1", "shopify", consume=False))
        assert [one.status for one in answer] == ["released", "released"]
    scene.stands("""
        MUG-1 MAIN  A 5/0
        1           cancelled
        1           cancelled
    """)
    assert [one.status for one in scene.do(OrderReserve("1", "shopify", (Line("MUG-1", 2),)))] == ["released"] * 2


def test_converting_an_order_sells_it_once(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5")
    scene.do(OrderReserve("1", "shopify", (Line("MUG-1", 2),)))
    for _ in range(2):
        assert [one.status for one in scene.do(OrderClose("1", "shopify", consume=True))] == ["consumed"]
    scene.stands("""
        MUG-1 MAIN  A 3/0
        1           consumed 2
    """)
    assert [(line["order_number"], line["source"]) for line in scene.ledger("SALE")] == [("1", "shopify")]
    scene.refuses(OrderClose("2", "shopify", consume=True), "RESERVATION_NOT_FOUND")
    scene.refuses(OrderClose("1", "amazon", consume=True), "RESERVATION_NOT_FOUND")


def test_an_order_that_waits_for_units_is_not_converted(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given("MUG-1 MAIN  A 1")
    scene.do(OrderReserve("1", "shopify", (Line("MUG-1", 1), Line("MUG-1", 2))))
    refused = scene.refuses(OrderClose("1", "shopify", consume=True), "INSUFFICIENT_RESERVED")
    assert (refused.numbers["allocated"], refused.numbers["backordered"]) == (0, 2)


def test_a_part_of_an_order_is_closed_product_by_product(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 9
        TEE-1 MAIN  T 9
    """)
    scene.do(OrderReserve("1", "shopify", (Line("MUG-1", 2), Line("MUG-1", 3), Line("TEE-1", 1))))
    scene.do(OrderClose("1", "shopify", consume=True, lines=(Line("MUG-1", 1), Line("MUG-1", 3))))
    scene.stands("""
        MUG-1 MAIN  A 5/1
        TEE-1 MAIN  T 9/1
        1           consumed 2
        1           A 1
        1           T 1
    """)


def test_expired_holds_of_an_order_are_neither_sold_nor_released_twice(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("1", "shopify"), expires_at=scene.now + 60 * SECOND))
    scene.pass_(60)
    assert [one.release_reason for one in scene.do(OrderClose("1", "shopify", consume=True))] == ["expired"]
    scene.stands("""
        MUG-1 MAIN  A 5/0
        1           expired
    """)


# Simple mode ---------------------------------------------------------------------------------------------------------


def test_a_maker_may_sell_without_a_hold(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 2 @1.00, B 3 @2.00")
    scene.refuses(ConsumeAtLevel("MUG-1", "MAIN", 3), "INSUFFICIENT_RESERVED")
    scene.shop.settings(mode="simple")
    scene.do(ConsumeAtLevel("MUG-1", "MAIN", 3))
    scene.stands("MUG-1 MAIN  B 2/0")
    assert [(line["qty_delta"], line["value_delta"]) for line in scene.ledger("SALE")] == [(-2, -200), (-1, -200)]


def test_a_maker_cannot_sell_what_is_promised_or_not_there(scene: Scene) -> None:
    scene.shop.settings(mode="simple")
    scene.given("""
        MUG-1 MAIN  A 5
        101         3 MUG-1 MAIN
    """)
    scene.refuses(ConsumeAtLevel("MUG-1", "MAIN", 3), "INSUFFICIENT_RESERVED")
    scene.do(ReserveAtLevel("MUG-1", "MAIN", 1))
    scene.do(ConsumeAtLevel("MUG-1", "MAIN", 2))
    scene.stands("""
        MUG-1 MAIN  A 3/3
        101         A 3
        -           consumed 1
    """)
    scene.refuses(ConsumeAtLevel("MUG-1", "MAIN", 4, "101"), "INSUFFICIENT_RESERVED")


def test_a_maker_sells_what_expires_first(scene: Scene) -> None:
    scene.shop.settings(mode="simple")
    scene.product("BUN-1", track_expiry=True)
    scene.given("BUN-1 MAIN  A 2, B 2 until 900")
    scene.do(ConsumeAtLevel("BUN-1", "MAIN", 3))
    scene.stands("BUN-1 MAIN  A 1/0")
