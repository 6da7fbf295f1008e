"""Recall, expiry, write-off, readmission: lots that may not be sold (docs/how-to/count-and-move.md)."""

from __future__ import annotations

from datetime import datetime

import pytest

from holdfast.access import Actor, Role
from holdfast.core.decide import CommandGroup, Sweep
from holdfast.core.organisation.places import AddLocation, AddStore, ChangeStore
from holdfast.core.records.time import end_of_day, instant_text
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from tests.core.scene import Scene
from tests.shop import SECOND


def settle(scene: Scene) -> None:
    """A command at every level, so that time is settled there."""
    levels = scene.shop.rows("SELECT product_id, location_id FROM level")
    scene.do(Sweep(tuple((row["product_id"], row["location_id"]) for row in levels)))


def test_a_recall_clears_every_shelf_into_its_own_store(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 EAST  A 2 @1.00
        MUG-1 MAIN  A 5 @1.00
    """)
    answer = scene.do(Quarantine(scene.lot("A"), "glaze"))
    scene.stands("""
        MUG-1 EAST-QUARANTINE  A 2/0
        MUG-1 MAIN-QUARANTINE  A 5/0
    """)
    assert (answer.status, {row["location"] for row in answer.locations}) == (
        "quarantined",
        {"EAST-QUARANTINE", "MAIN-QUARANTINE"},
    )
    assert {line["reason"] for line in scene.ledger("TRANSFER")} == {"glaze"}
    assert scene.values() == 700
    assert len(scene.events("LotQuarantined")) == 2
    scene.refuses(Quarantine(scene.lot("A")), "INVALID_STATE")


def test_a_recalled_lot_is_not_promised(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5, B 1")
    scene.do(Quarantine(scene.lot("A")))
    scene.refuses(Reserve("MUG-1", 1, "MAIN", lot_id=scene.lot("A")), "LOT_NOT_AVAILABLE")
    scene.refuses(Reserve("MUG-1", 1, None, lot_id=scene.lot("A")), "LOT_NOT_AVAILABLE")
    scene.refuses(Reserve("MUG-1", 2, None, Target("101")), "INSUFFICIENT_STOCK")


def test_what_comes_back_goes_where_it_came_from(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.shop.location("BACK")
    scene.given("""
        MUG-1 BACK  A 2 @1.50
        MUG-1 MAIN  A 5 @1.50
    """)
    scene.do(Quarantine(scene.lot("A")))
    scene.do(ReleaseFromQuarantine(scene.lot("A"), None, 6))
    scene.stands("""
        MUG-1 BACK             A 2/0
        MUG-1 MAIN             A 4/0
        MUG-1 MAIN-QUARANTINE  A 1/0
    """)
    scene.do(ReleaseFromQuarantine(scene.lot("A"), "EAST"))
    assert scene.table()[1] == "MUG-1 EAST A 1/0"
    scene.refuses(ReleaseFromQuarantine(scene.lot("A")), "INSUFFICIENT_STOCK")


def test_units_that_came_to_quarantine_otherwise_go_home_too(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(Quarantine(scene.lot("A")))
    scene.do(SetStock("MUG-1", "MAIN-QUARANTINE", 3))
    scene.do(ReleaseFromQuarantine(scene.lot("A")))
    scene.stands("MUG-1 MAIN  A 3/0")


def test_a_readmission_says_how_much_and_where(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(Quarantine(scene.lot("A")))
    lot = scene.lot("A")
    scene.refuses(ReleaseFromQuarantine(lot, None, 6), "INSUFFICIENT_STOCK")
    scene.refuses(ReleaseFromQuarantine(lot, None, 0), "INVALID_QUANTITY")
    scene.refuses(ReleaseFromQuarantine(lot, "EAST-QUARANTINE"), "INVALID_REQUEST")
    scene.refuses(ReleaseFromQuarantine(lot, "NOWHERE"), "LOCATION_NOT_FOUND")
    scene.refuses(ReleaseFromQuarantine(scene.products["MUG-1"].id), "LOT_NOT_FOUND")


def test_nobody_takes_from_another_stores_quarantine(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  A 2
        MUG-1 MAIN  A 5
    """)
    east = Actor(scene.shop.org_id, "user:east-manager", Role.MANAGER, (scene.shop.stores["EAST"],))
    lot = scene.lot("A")
    scene.refuses(Quarantine(lot), "FORBIDDEN", actor=east)
    scene.do(Quarantine(lot))
    for command in (
        ReleaseFromQuarantine(lot),
        ReleaseFromQuarantine(lot, "EAST"),
        WriteOff(lot),
        WriteOff(lot, "MAIN-QUARANTINE"),
    ):
        scene.refuses(command, "FORBIDDEN", actor=east)
    scene.do(WriteOff(lot, "EAST-QUARANTINE"), actor=east)


def test_who_may_not_act_hears_that_before_anything_about_the_lot(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    east = Actor(scene.shop.org_id, "user:east-manager", Role.MANAGER, (scene.shop.stores["EAST"],))
    lot = scene.lot("A")
    recalls = (
        ReleaseFromQuarantine(lot),
        ReleaseFromQuarantine(lot, "EAST"),
        ReleaseFromQuarantine(lot, "NOWHERE"),
        ReleaseFromQuarantine(lot, "MAIN"),
        WriteOff(lot),
    )
    for command in (*recalls, WriteOff(lot, "MAIN"), WriteOff(lot, None, 9), WriteOff(lot, "NOWHERE")):
        scene.refuses(command, "FORBIDDEN", actor=east)
    scene.do(Quarantine(lot))
    for command in (*recalls, Quarantine(lot), ReleaseFromQuarantine(lot, None, 9), WriteOff(lot, None, 0)):
        scene.refuses(command, "FORBIDDEN", actor=east)


def test_a_lot_of_the_own_store_may_lie_elsewhere_too(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  A 2
        MUG-1 MAIN  A 5
    """)
    east = Actor(scene.shop.org_id, "user:east-manager", Role.MANAGER, (scene.shop.stores["EAST"],))
    scene.refuses(ReleaseFromQuarantine(scene.lot("A")), "INSUFFICIENT_STOCK", actor=east)
    scene.do(WriteOff(scene.lot("A"), "EAST"), actor=east)


def test_a_lot_that_has_too_little_says_where_it_was_looked_for(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    lot = scene.lot("A")
    told = [
        scene.refuses(command, "INSUFFICIENT_STOCK").detail
        for command in (
            ReleaseFromQuarantine(lot),
            ReleaseFromQuarantine(lot, None, 2),
            WriteOff(lot, "EAST"),
            WriteOff(lot, "MAIN", 6),
        )
    ]
    assert told == [
        "Lot A of MUG-1 has no units in quarantine.",
        "Lot A of MUG-1 has no units in quarantine: 2 requested.",
        "Lot A of MUG-1 has no units at EAST.",
        "Lot A of MUG-1 has 5 at MAIN: 6 requested.",
    ]


def test_a_write_off_takes_what_is_in_quarantine(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5 @1.50, B 1")
    scene.do(Quarantine(scene.lot("A")))
    scene.do(ReleaseFromQuarantine(scene.lot("A"), None, 2))
    scene.do(WriteOff(scene.lot("A"), reason="smashed"))
    scene.stands("MUG-1 MAIN  A 2/0, B 1/0")
    lost = scene.ledger("ADJUSTMENT")
    assert [(line["qty_delta"], line["value_delta"], line["reason"]) for line in lost] == [(-3, -450, "smashed")]


def test_a_write_off_of_a_lot_on_the_shelf_takes_all_or_a_part(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  B 1
        MUG-1 MAIN  A 5
    """)
    scene.do(WriteOff(scene.lot("A"), None, 2))
    scene.do(WriteOff(scene.lot("B")))
    scene.stands("MUG-1 MAIN  A 3/0")
    scene.refuses(WriteOff(scene.lot("A"), None, 4), "INSUFFICIENT_STOCK")
    scene.refuses(WriteOff(scene.lot("A"), "EAST"), "INSUFFICIENT_STOCK")


def test_goods_do_not_join_a_recalled_lot(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.00")
    scene.do(Quarantine(scene.lot("A")))
    scene.refuses(Receive("MAIN", (ReceiptLine("MUG-1", 1, "1.00", lot_code="A"),)), "LOT_NOT_AVAILABLE")


# Expiry --------------------------------------------------------------------------------------------------------------


def test_an_expired_lot_leaves_the_shelf_at_its_instant(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.00 until 60")
    scene.clock.pass_(60 * SECOND - 1)
    settle(scene)
    scene.stands("MUG-1 MAIN  A 5/0")
    scene.clock.pass_(1)
    settle(scene)
    scene.stands("MUG-1 MAIN-QUARANTINE  A 5/0")
    assert {(line["ref_type"], line["reason"]) for line in scene.ledger()[1:]} == {("EXPIRY", "expired")}
    assert scene.value("A", "MAIN-QUARANTINE") == 500
    scene.refuses(ReleaseFromQuarantine(scene.lot("A")), "LOT_NOT_AVAILABLE")
    scene.do(WriteOff(scene.lot("A")))
    assert scene.table() == []


@pytest.mark.parametrize(
    ("timezone", "ends"),
    [
        ("UTC", "2027-01-16T00:00:00Z"),
        ("Pacific/Auckland", "2027-01-15T11:00:00Z"),
        ("America/Los_Angeles", "2027-01-16T08:00:00Z"),
        ("Asia/Kathmandu", "2027-01-15T18:15:00Z"),
    ],
)
def test_a_lot_that_expires_on_a_day_is_sold_through_that_day_where_it_lies(
    scene: Scene, timezone: str, ends: str
) -> None:
    store = scene.do(AddStore(code="FAR", name="Far", timezone=timezone))
    scene.do(AddLocation(code="FAR", store_id=store.id))
    scene.product("MUG-1")
    scene.shop.receive("MUG-1", 5, "FAR", lot="A", expires_on="2027-01-15")
    end = int(datetime.fromisoformat(ends).timestamp()) * SECOND
    scene.clock.pass_(end - scene.now - 1)
    scene.do(Reserve("MUG-1", 1, "FAR", Target("101")))
    scene.clock.pass_(1)
    settle(scene)
    scene.stands("""
        MUG-1 FAR             waits 1
        MUG-1 FAR-QUARANTINE  A 5/0
        101                   waits 1
    """)


def test_one_lot_expires_in_each_store_at_its_own_midnight(scene: Scene) -> None:
    scene.do(ChangeStore(scene.shop.stores["EAST"], timezone="Asia/Tokyo"))
    scene.product("MUG-1")
    for place in ("MAIN", "EAST"):
        scene.shop.receive("MUG-1", 2, place, lot="A", expires_on="2027-01-15")
    scene.pass_(8 * 3600)
    settle(scene)
    scene.stands("""
        MUG-1 EAST-QUARANTINE  A 2/0
        MUG-1 MAIN             A 2/0
    """)


def test_a_store_that_moves_its_clock_moves_its_expiries(scene: Scene) -> None:
    scene.product("MUG-1")
    for place in ("MAIN", "EAST"):
        scene.shop.receive("MUG-1", 3, place, lot="A", expires_on="2027-01-15")
    scene.given("""
        MUG-1 MAIN  B 1, C 1 until 50000
        101         2 MUG-1 MAIN
    """)
    scene.do(ChangeStore(scene.shop.stores["MAIN"], timezone="Pacific/Auckland"))
    scene.pass_(4 * 3600)
    settle(scene)
    scene.stands("""
        MUG-1 EAST             A 3/0
        MUG-1 MAIN             B 1/1, C 1/1
        MUG-1 MAIN-QUARANTINE  A 3/0
        101                    B 1, C 1
    """)


def test_a_clock_that_moves_back_lets_a_lot_be_sold_again(scene: Scene) -> None:
    """What was set aside by the old clock stays where it is; whoever wants it back may have it now."""
    main = scene.shop.stores["MAIN"]
    scene.product("MUG-1")
    for lot in ("A", "B"):
        scene.shop.receive("MUG-1", 3, lot=lot, expires_on="2027-01-15" if lot == "A" else "2027-01-16")
    scene.pass_(17 * 3600)
    settle(scene)
    scene.refuses(ReleaseFromQuarantine(scene.lot("A")), "LOT_NOT_AVAILABLE")
    scene.do(ChangeStore(main, timezone="America/Los_Angeles"))
    scene.do(ReleaseFromQuarantine(scene.lot("A")))
    scene.pass_(24 * 3600)
    settle(scene)
    scene.stands("""
        MUG-1 MAIN             B 3/0
        MUG-1 MAIN-QUARANTINE  A 3/0
    """)


def test_a_clock_that_moves_and_is_refused_moves_nothing(scene_anywhere: Scene) -> None:
    """In one group with something that cannot be done; and then, alone, with goods received in the same breath."""
    scene, main = scene_anywhere, scene_anywhere.shop.stores["MAIN"]
    for sku in ("MUG-1", "MUG-2"):
        scene.product(sku)
    scene.shop.receive("MUG-1", 3, lot="A", expires_on="2999-01-15")
    moved = ChangeStore(main, timezone="Asia/Tokyo")
    line = ReceiptLine("MUG-2", 1, "1.00", lot_code="B", expires_on="2999-01-15")
    scene.refuses(CommandGroup((moved, Receive("NOWHERE", (line,)))), "LOCATION_NOT_FOUND")
    assert _ends(scene) == {"A": "2999-01-16T00:00"}
    scene.do(CommandGroup((Receive("MAIN", (line,)), moved)))
    assert _ends(scene) == {"A": "2999-01-15T15:00", "B": "2999-01-15T15:00"}


def _ends(scene: Scene) -> dict[str, str]:
    """Until when the lots that lie somewhere may be sold there, by lot code."""
    query = "SELECT l.code, s.sellable_until FROM lot_stock s JOIN lot l ON l.id = s.lot_id WHERE s.on_hand > 0"
    return {row["code"]: instant_text(row["sellable_until"])[:16] for row in scene.shop.rows(query)}


def test_two_lots_that_expire_together_short_exactly_what_is_missing(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2 until 60, B 2 until 60, C 3
        101         2 MUG-1 MAIN priority 10
        102         2 MUG-1 MAIN
        103         2 MUG-1 MAIN
    """)
    scene.pass_(60)
    settle(scene)
    scene.stands("""
        MUG-1 MAIN             C 3/3, waits 3
        MUG-1 MAIN-QUARANTINE  A 2/0, B 2/0
        101                    C 2
        102                    C 1, waits 1
        103                    waits 2
    """)


def test_lots_that_expire_together_are_one_fact(scene: Scene) -> None:
    """Who loses must not depend on which of them is looked at first."""
    scene.given("""
        MUG-1 MAIN  A 2 until 60, B 1 until 60, C 2
        101         2 MUG-1 MAIN priority 10
        102         2 MUG-1 MAIN
    """)
    scene.stands("""
        MUG-1 MAIN  A 2/2, B 1/1, C 2/1
        101         A 2
        102         B 1, C 1
    """)
    scene.pass_(60)
    settle(scene)
    scene.stands("""
        MUG-1 MAIN             C 2/2, waits 2
        MUG-1 MAIN-QUARANTINE  A 2/0, B 1/0
        101                    C 2
        102                    waits 2
    """)


def test_a_lot_on_its_way_back_meets_its_expiry(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 until 60")
    scene.do(Quarantine(scene.lot("A")))
    scene.pass_(60)
    scene.refuses(ReleaseFromQuarantine(scene.lot("A")), "LOT_NOT_AVAILABLE")


def test_a_part_that_is_released_does_not_lift_the_recall_from_the_rest(scene_anywhere: Scene) -> None:
    """Two on the road, two in quarantine: one is inspected and sold, whatever else turns up is set aside."""
    shop = scene_anywhere.shop
    shop.product("MUG-1")
    lot = shop.receive(quantity=4, lot="Z")
    shipped = shop.ok(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2),)))
    shop.ok(Quarantine(lot, "recall"))
    released = shop.ok(ReleaseFromQuarantine(lot, quantity=1, reason="one inspected"))

    assert released.status == "partial"
    assert {row["location"]: row["status"] for row in released.locations} == {
        "MAIN": "active",
        "MAIN-QUARANTINE": "quarantined",
        "TRANSIT": "quarantined",
    }
    assert shop.ok(Reserve("MUG-1", 1, "MAIN", Target("1"))).allocated_quantity == 1
    again = Receive("EAST", (ReceiptLine("MUG-1", 1, "0", lot_code="Z"),))
    assert shop.refused(again).code == "LOT_NOT_AVAILABLE"
    shop.ok(ReceiveTransfer(shipped.id))
    assert shop.refused(Reserve("MUG-1", 1, "EAST", Target("2"))).code == "INSUFFICIENT_STOCK"

    freed = shop.ok(ReleaseFromQuarantine(lot, reason="all inspected"))

    assert freed.status == "active"
    assert shop.ok(Reserve("MUG-1", 2, "EAST", Target("3"))).allocated_quantity == 2


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_last_day_of_the_calendar_has_an_end(timezone: str) -> None:
    """Many write 9999-12-31 for what never expires."""
    eve, last = (end_of_day(day, timezone) for day in ("9999-12-30", "9999-12-31"))
    assert eve < last
    assert instant_text(last) == "9999-12-31T23:59:59.999999Z"
