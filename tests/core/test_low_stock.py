"""Low stock: whose line counts, and when it is told (docs/reference/events.md); what events say."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.core.organisation.places import ChangeLocation
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, WriteOff
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from tests.core.scene import Scene
from tests.shop import SECOND


def told(scene: Scene) -> list[tuple[str, Any, Any]]:
    return [
        (event["data"]["location"], event["data"]["quantity"], event["data"]["threshold"])
        for event in scene.events("LowStock")
    ]


@pytest.mark.parametrize(
    ("organisation", "product", "location", "line"),
    [
        (5, None, None, 5),
        (5, 3, None, 3),
        (5, 3, 2, 2),
        (5, 0, None, 0),
        (5, 3, 0, 0),
        (None, 3, None, 3),
        (None, None, 2, 2),
        (None, None, None, None),
        (0, None, None, 0),
    ],
)
def test_the_locations_line_then_the_products_then_the_organisations(
    scene: Scene, organisation: int | None, product: int | None, location: int | None, line: int | None
) -> None:
    scene.shop.settings(default_reorder_point=organisation)
    scene.product("MUG-1", reorder_point=product)
    if location is not None:
        main = scene.shop.rows("SELECT id FROM location WHERE code = 'MAIN'")[0]["id"]
        scene.do(ChangeLocation(main, reorder_points={"MUG-1": location}))
    scene.given("MUG-1 MAIN  A 6")
    answer = None
    for left in range(5, -1, -1):
        answer = scene.do(SetStock("MUG-1", "MAIN", left))
        assert (answer.threshold, answer.is_low_stock) == (line, line is not None and left <= line)
    assert told(scene) == ([] if line is None else [("MAIN", line, line)])


def test_a_reorder_point_is_merged_and_removed(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 6
        TEE-1 MAIN  T 6
    """)
    main = scene.shop.rows("SELECT id FROM location WHERE code = 'MAIN'")[0]["id"]

    def points(**skus: int | None) -> dict[str, int]:
        change = ChangeLocation(main, reorder_points={sku.replace("_", "-"): n for sku, n in skus.items()})
        by_id: dict[str, int] = scene.do(change).reorder_points
        return {sku: by_id[row.id] for sku, row in scene.products.items() if row.id in by_id}

    assert points(MUG_1=2) == {"MUG-1": 2}
    assert points(TEE_1=0) == {"MUG-1": 2, "TEE-1": 0}
    assert points(MUG_1=None) == {"TEE-1": 0}
    scene.refuses(ChangeLocation(main, reorder_points={"GHOST-1": 1}), "PRODUCT_NOT_FOUND")
    scene.refuses(ChangeLocation(main, reorder_points={"MUG-1": -1}), "INVALID_QUANTITY")


def test_it_is_told_on_crossing_only_and_again_after_it_rose(scene: Scene) -> None:
    scene.product("MUG-1", reorder_point=3)
    scene.given("MUG-1 MAIN  A 2")
    assert told(scene) == []
    for left in (5, 4, 3, 2, 0, 4, 1):
        scene.do(SetStock("MUG-1", "MAIN", left))
    assert told(scene) == [("MAIN", 3, 3), ("MAIN", 1, 3)]


@pytest.mark.parametrize("fact", ["consume", "adjust", "count", "write off", "dispatch", "recall", "expiry"])
def test_whatever_takes_units_away_tells(scene: Scene, fact: str) -> None:
    scene.product("MUG-1", reorder_point=3)
    scene.given("""
        MUG-1 MAIN  A 2 until 60, B 3
        101         2 MUG-1 MAIN
    """)
    if fact == "consume":
        scene.do(Consume(scene.hold("101")))
    elif fact == "adjust":
        scene.do(AdjustStock("MUG-1", "MAIN", -2))
    elif fact == "count":
        scene.do(Count("MAIN", (CountLine("MUG-1", 3),)))
    elif fact == "write off":
        scene.do(WriteOff(scene.lot("A"), "MAIN"))
    elif fact == "dispatch":
        scene.do(ReceiveTransfer(scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2),))).id))
    elif fact == "recall":
        scene.do(Quarantine(scene.lot("A")))
    else:
        scene.pass_(60)
        scene.do(Amend(scene.hold("101"), priority=1))
    assert told(scene) == [("MAIN", 3, 3)]


def test_promises_do_not_make_stock_low(scene: Scene) -> None:
    scene.product("MUG-1", reorder_point=3)
    scene.given("MUG-1 MAIN  A 5")
    scene.do(Reserve("MUG-1", 5, "MAIN", Target("101")))
    scene.do(Release(scene.hold("101")))
    assert told(scene) == []


def test_the_line_is_in_the_products_own_unit(scene: Scene) -> None:
    scene.shop.settings(default_reorder_point=2)
    scene.product("OIL-1", precision=2)
    scene.given("OIL-1 MAIN  A 500")
    scene.do(SetStock("OIL-1", "MAIN", 2))
    assert told(scene) == [("MAIN", 2, 2)]


# What events say -----------------------------------------------------------------------------------------------------


def test_an_event_says_what_was_reserved_for_whom(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    hold = scene.do(Reserve("MUG-1", 2, "MAIN", Target("101", "shopify"), expires_at=scene.now + 60 * SECOND))
    (event,) = scene.events("InventoryReserved")
    assert event["data"] == {
        "reservation_id": hold.id,
        "product_id": scene.products["MUG-1"].id,
        "sku": "MUG-1",
        "location": "MAIN",
        "store_id": scene.shop.stores["MAIN"],
        "quantity": 2,
        "reserved_for_id": None,
        "reserved_for_type": None,
        "order_number": "101",
        "source": "shopify",
        "expires_at": "2027-01-15T08:01:00.000000Z",
        "timestamp": "2027-01-15T08:00:00.000000Z",
    }
    assert event["product_id"] == scene.products["MUG-1"].id


def test_every_change_tells_and_a_refusal_does_not(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5 @1.00
        101         2 MUG-1 MAIN
        102         2 MUG-1 MAIN until 60
    """)
    scene.do(Consume(scene.hold("101"), 1))
    scene.do(Release(scene.hold("101")))
    scene.pass_(60)
    scene.do(Count("MAIN", (CountLine("MUG-1", 7),)))
    scene.do(AdjustStock("MUG-1", "MAIN", -1, "broken"))
    sent = scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 1),)))
    scene.do(ReceiveTransfer(sent.id))
    scene.do(Quarantine(scene.lot("A")))
    scene.refuses(Reserve("MUG-1", 100, "MAIN"), "INSUFFICIENT_STOCK")
    kinds = [event["type"] for event in scene.events()]
    assert kinds == [
        "StockReceived",
        "InventoryReserved",
        "InventoryReserved",
        "ReservationConsumed",
        "ReservationReleased",
        "ReservationExpired",
        "StockCounted",
        "StockAdjusted",
        "StockTransferred",
        "StockTransferred",
        "LowStock",
        "LotQuarantined",
        "LotQuarantined",
    ]
    adjusted = scene.events("StockAdjusted")[0]["data"]
    assert (adjusted["quantity"], adjusted["on_hand"], adjusted["reason"]) == (-1, 6, "broken")
    assert [event["data"]["difference"] for event in scene.events("StockCounted")] == [3]


def test_the_ledger_says_who_for_whom_and_why(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.00")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("101", "shopify")), actor=scene.shop.staff)
    scene.do(Consume(scene.hold("101"), 1), actor=scene.shop.manager)
    scene.do(AdjustStock("MUG-1", "MAIN", -1, "broken"), actor=scene.shop.staff)
    lines = scene.ledger()
    told = [
        (line["seq"], line["ref_type"], line["qty_delta"], line["balance_after"], line["reserved_after"])
        for line in lines
    ]
    assert told == [
        (1, "RECEIPT", 5, 5, 0),
        (2, "RESERVE", 0, 5, 2),
        (3, "SALE", -1, 4, 1),
        (4, "ADJUSTMENT", -1, 3, 1),
    ]
    assert [line["actor"] for line in lines] == ["user:owner", "user:staff", "user:manager", "user:staff"]
    assert [line["order_number"] for line in lines] == [None, "101", "101", None]
    assert [line["source"] for line in lines[1:3]] == ["shopify", "shopify"]
    assert lines[3]["reason"] == "broken"
    assert [line["reservation_id"] for line in lines] == [None, scene.hold("101"), scene.hold("101"), None]
