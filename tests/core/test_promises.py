"""Reserve, amend, consume, release: which lots back a promise, and how much is promised.

See docs/reference/api.md#reservations.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.access import Actor, Role
from holdfast.core.decide import CommandGroup, Refusal
from holdfast.core.organisation.places import AddStore
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.order_holds import OrderLine as Line
from holdfast.core.reservations.order_holds import OrderReserve
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from tests.core.scene import Scene
from tests.shop import SECOND


def test_the_oldest_lot_is_promised_first(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 3, B 5")
    scene.do(Reserve("MUG-1", 4, "MAIN", Target("102")))
    scene.stands("""
        MUG-1 MAIN  A 3/3, B 5/1
        102         A 3, B 1
    """)


def test_what_expires_first_is_promised_first_when_the_product_tracks_expiry(scene: Scene) -> None:
    scene.product("BUN-1", track_expiry=True)
    scene.given("BUN-1 MAIN  A 3, B 3 until 900, C 3 until 300")
    scene.do(Reserve("BUN-1", 7, "MAIN", Target("102")))
    scene.stands("""
        BUN-1 MAIN  A 3/1, B 3/3, C 3/3
        102         C 3, B 3, A 1
    """)


def test_without_tracking_expiry_the_older_lot_goes_first(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 until 900, B 3 until 300")
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("102")))
    scene.stands("""
        MUG-1 MAIN  A 3/2, B 3/0
        102         A 2
    """)


def test_a_pinned_lot_alone_backs_the_hold(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 3, B 5")
    scene.do(Reserve("MUG-1", 4, "MAIN", Target("102"), lot_id=scene.lot("B")))
    scene.stands("""
        MUG-1 MAIN  A 3/0, B 5/4
        102         B 4
    """)
    refused = scene.refuses(Reserve("MUG-1", 2, "MAIN", Target("103"), lot_id=scene.lot("B")), "INSUFFICIENT_STOCK")
    assert refused.numbers["available"] == 1


def test_a_hold_is_sold_in_parts_and_ends_consumed(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 3, B 5
        102         4 MUG-1 MAIN
    """)
    scene.do(Consume(scene.hold("102"), 2))
    scene.stands("""
        MUG-1 MAIN  A 1/1, B 5/1
        102         A 1, B 1
    """)
    scene.do(Release(scene.hold("102"), 1))
    scene.stands("""
        MUG-1 MAIN  A 1/1, B 5/0
        102         A 1
    """)
    answer = scene.do(Consume(scene.hold("102")))
    scene.stands("""
        MUG-1 MAIN  B 5/0
        102         consumed 3
    """)
    told = (answer.quantity, answer.open_quantity, answer.consumed_quantity, answer.released_quantity, answer.status)
    assert told == (4, 0, 3, 1, "consumed")


def test_released_units_go_back_to_the_lots_they_came_from(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 5
        102         4 MUG-1 MAIN
    """)
    answer = scene.do(Release(scene.hold("102"), reason="customer left"))
    scene.stands("""
        MUG-1 MAIN  A 3/0, B 5/0
        102         cancelled
    """)
    assert (answer.status, answer.release_reason) == ("released", "cancelled")
    assert [line["note"] for line in scene.ledger("RELEASE")] == ["customer left"] * 2


def test_one_lot_of_a_hold_is_given_back_or_sold(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 5
        102         6 MUG-1 MAIN
    """)
    scene.do(Release(scene.hold("102"), lot_id=scene.lot("A")))
    scene.do(Consume(scene.hold("102"), 1, lot_id=scene.lot("B")))
    scene.stands("""
        MUG-1 MAIN  A 3/0, B 4/2
        102         B 2
    """)
    scene.refuses(Consume(scene.hold("102"), 1, lot_id=scene.lot("A")), "INSUFFICIENT_RESERVED")


def test_a_hold_gives_back_what_waits_before_what_is_backed(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3
        102         5 MUG-1 MAIN
    """)
    scene.do(Release(scene.hold("102"), 3))
    scene.stands("""
        MUG-1 MAIN  A 3/2
        102         A 2
    """)


def test_the_oldest_lot_is_sold_first_however_the_hold_got_it(scene: Scene) -> None:
    scene.product("BUN-1", track_expiry=True)
    scene.given("""
        BUN-1 MAIN  L 2 until 900
        102         4 BUN-1 MAIN
        BUN-1 MAIN  E 2 until 300
    """)
    scene.do(Consume(scene.hold("102"), 2))
    scene.stands("""
        BUN-1 MAIN  L 2/2
        102         L 2
    """)


def test_a_backordered_part_cannot_be_sold(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 2
        102         5 MUG-1 MAIN
    """)
    for quantity in (None, 3):
        refused = scene.refuses(Consume(scene.hold("102"), quantity), "INSUFFICIENT_RESERVED")
        assert (refused.numbers["allocated"], refused.numbers["backordered"]) == (2, 3)
    scene.do(Consume(scene.hold("102"), 2))
    scene.stands("""
        MUG-1 MAIN  waits 3
        102         waits 3
    """)


def test_more_than_the_hold_has_is_refused(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         2 MUG-1 MAIN
    """)
    scene.refuses(Consume(scene.hold("102"), 3), "INSUFFICIENT_RESERVED")
    scene.refuses(Release(scene.hold("102"), 3), "INSUFFICIENT_RESERVED")
    scene.do(Release(scene.hold("102")))
    for command in (Consume, Release):
        refused = scene.refuses(command(scene.hold("102")), "RESERVATION_NOT_ACTIVE")
        assert refused.numbers == {"reservation_status": "released", "release_reason": "cancelled"}


# Amend ---------------------------------------------------------------------------------------------------------------


def test_amending_up_needs_only_the_addition(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 3, B 2
        102         3 MUG-1 MAIN
    """)
    scene.do(Amend(scene.hold("102"), 5))
    scene.stands("""
        MUG-1 MAIN  A 3/3, B 2/2
        102         A 3, B 2
    """)
    refused = scene.refuses(Amend(scene.hold("102"), 6), "INSUFFICIENT_STOCK")
    assert (refused.numbers["requested"], refused.numbers["available"]) == (1, 0)


def test_amending_down_gives_back_and_shrinks_the_total(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 2
        102         5 MUG-1 MAIN
    """)
    answer = scene.do(Amend(scene.hold("102"), 2))
    scene.stands("""
        MUG-1 MAIN  A 3/2, B 2/0
        102         A 2
    """)
    assert (answer.quantity, answer.open_quantity, answer.released_quantity) == (2, 2, 0)


def test_amending_down_to_what_was_sold_ends_the_hold(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         5 MUG-1 MAIN
    """)
    scene.do(Consume(scene.hold("102"), 2))
    scene.refuses(Amend(scene.hold("102"), 1), "INVALID_STATE")
    scene.do(Amend(scene.hold("102"), 2))
    scene.stands("""
        MUG-1 MAIN  A 3/0
        102         consumed 2
    """)


def test_an_addition_may_wait_where_the_product_allows_it(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given("""
        MUG-1 MAIN  A 3
        102         2 MUG-1 MAIN
    """)
    scene.do(Amend(scene.hold("102"), 6))
    scene.stands("""
        MUG-1 MAIN  A 3/3, waits 3
        102         A 3, waits 3
    """)


def test_priority_and_expiry_are_moved_and_cleared(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         5 MUG-1 MAIN until 60
    """)
    moved = scene.do(Amend(scene.hold("102"), priority=7, expires_at=scene.now + 90 * SECOND, set_expiry=True))
    assert (moved.priority, moved.expires_at) == (7, "2027-01-15T08:01:30.000001Z")
    scene.pass_(80)
    assert scene.do(Amend(scene.hold("102"), set_expiry=True)).expires_at is None
    scene.pass_(10_000)
    scene.do(Consume(scene.hold("102")))
    scene.stands("102  consumed 5")


def test_an_expired_hold_cannot_be_extended(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         5 MUG-1 MAIN until 60
    """)
    scene.pass_(60)
    for command in (
        Amend(scene.hold("102"), expires_at=scene.now + SECOND, set_expiry=True),
        Consume(scene.hold("102")),
        Release(scene.hold("102")),
    ):
        refused = scene.shop.refused(command)
        assert (refused.code, refused.numbers["release_reason"]) == ("RESERVATION_NOT_ACTIVE", "expired")
    scene.stands("""
        MUG-1 MAIN  A 5/0
        102         expired
    """)


def test_a_hold_lives_until_the_very_instant_it_expires(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         5 MUG-1 MAIN until 60
    """)
    scene.clock.pass_(60 * SECOND - 1)
    scene.do(Consume(scene.hold("102"), 1))
    scene.clock.pass_(1)
    assert scene.shop.refused(Consume(scene.hold("102"), 1)).code == "RESERVATION_NOT_ACTIVE"


def test_an_expiry_lies_in_the_future(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         1 MUG-1 MAIN
    """)
    for at in (scene.now, scene.now - 1):
        scene.refuses(Reserve("MUG-1", 1, "MAIN", expires_at=at), "INVALID_EXPIRY")
        scene.refuses(Amend(scene.hold("102"), expires_at=at, set_expiry=True), "INVALID_EXPIRY")


# Without stock -------------------------------------------------------------------------------------------------------


def test_deny_refuses_and_says_who_could_override(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 2")
    refused = scene.refuses(Reserve("MUG-1", 3, "MAIN", Target("102")), "INSUFFICIENT_STOCK", actor=scene.shop.staff)
    assert refused.numbers == {
        "product_id": scene.products["MUG-1"].id,
        "requested": 3,
        "available": 2,
        "override_required": "manager",
    }


def test_staff_cannot_override(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    command = Reserve("MUG-1", 3, "MAIN", Target("102"), override=True)
    scene.refuses(command, "INSUFFICIENT_STOCK", actor=scene.shop.staff)


def test_a_managers_override_backorders_the_shortfall_and_the_ledger_says_who(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 2")
    scene.do(Reserve("MUG-1", 3, "MAIN", Target("102"), override=True), actor=scene.shop.manager)
    scene.stands("""
        MUG-1 MAIN  A 2/2, waits 1
        102         A 2, waits 1
    """)
    lines = scene.ledger("RESERVE")
    assert {(line["actor"], line["reason"]) for line in lines} == {("user:manager", "override")}
    assert [(line["reserved_delta"], line["backordered_delta"]) for line in lines] == [(2, 0), (0, 1)]
    assert [event["data"]["quantity"] for event in scene.events("ReservationBackordered")] == [1]


def test_override_is_ignored_when_stock_suffices(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    scene.do(Reserve("MUG-1", 3, "MAIN", Target("102"), override=True), actor=scene.shop.manager)
    assert [line["reason"] for line in scene.ledger("RESERVE")] == [None]


def test_nobody_overrides_where_the_organisation_forbids_it(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    scene.shop.settings(allow_override=False)
    refused = scene.refuses(Reserve("MUG-1", 3, "MAIN", override=True), "INSUFFICIENT_STOCK")
    assert "override_required" not in refused.numbers


def test_nobody_is_sent_for_a_manager_where_none_could_help(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2
        102         1 MUG-1 MAIN
    """)
    shop = scene.shop
    west = shop.ok(AddStore(code="WEST", name="West")).id
    nowhere = Actor(shop.org_id, "user:west", Role.STAFF, (west,))
    for command, actor in (
        (Reserve("MUG-1", 3, "MAIN-QUARANTINE", override=True), shop.manager),
        (Reserve("MUG-1", 3, "TRANSIT"), shop.staff),
        (Reserve("MUG-1", 3), nowhere),
        (Amend(scene.hold("102"), 9), shop.staff),
    ):
        refused = scene.refuses(command, "INSUFFICIENT_STOCK", actor=actor)
        assert "override_required" not in refused.numbers, command
    for command in (Reserve("MUG-1", 3), Reserve("MUG-1", 3, "MAIN"), Reserve("MUG-1", 3, lot_id=scene.lot("A"))):
        refused = scene.refuses(command, "INSUFFICIENT_STOCK", actor=shop.staff)
        assert refused.numbers["override_required"] == "manager", command
        assert scene.shop.ok(msgspec.structs.replace(command, override=True), actor=shop.manager).backordered_quantity


def test_backorders_wait_without_limit(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1", oversell="backorder")
    scene.do(Reserve("MUG-1", 700, "MAIN", Target("102")), actor=scene.shop.staff)
    scene.stands("""
        MUG-1 MAIN  waits 700
        102         waits 700
    """)
    assert [(line["reserved_delta"], line["backordered_delta"]) for line in scene.ledger("RESERVE")] == [(0, 700)]


def test_preorders_wait_up_to_the_limit_of_the_level(scene: Scene) -> None:
    scene.product("MUG-1", oversell="preorder", preorder_limit=3)
    scene.given("MUG-1 MAIN  A 1")
    scene.do(Reserve("MUG-1", 3, "MAIN", Target("102")), actor=scene.shop.staff)
    scene.refuses(Reserve("MUG-1", 2, "MAIN", Target("103")), "INSUFFICIENT_STOCK")
    scene.refuses(Reserve("MUG-1", 2, "MAIN", Target("103"), override=True), "INSUFFICIENT_STOCK")
    scene.refuses(Amend(scene.hold("102"), 5), "INSUFFICIENT_STOCK")
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("103")))
    scene.do(Reserve("MUG-1", 3, "EAST", Target("104")))
    scene.stands("""
        MUG-1 EAST  waits 3
        MUG-1 MAIN  A 1/1, waits 3
        102         A 1, waits 2
        103         waits 1
        104         waits 3
    """)


@pytest.mark.parametrize("kind", ["digital", "service", "subscription"])
def test_what_has_no_stock_needs_no_hold(scene: Scene, kind: str) -> None:
    scene.product("SONG-1", kind=kind)
    scene.refuses(Reserve("SONG-1", 1, "MAIN"), "PRODUCT_NOT_STOCK_TRACKED")
    assert scene.do(OrderReserve("9", "shopify", (Line("SONG-1", 3),)))[0].unlimited is True
    assert scene.ledger() == []


# Where ---------------------------------------------------------------------------------------------------------------


def test_without_a_location_the_first_that_can_fill_it_alone_holds(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.shop.location("BACK", priority=1)
    scene.given("""
        MUG-1 BACK  A 2
        MUG-1 EAST  B 4
        MUG-1 MAIN  C 9
    """)
    for order, units in (("101", 2), ("102", 3), ("103", 5)):
        scene.do(Reserve("MUG-1", units, None, Target(order)))
    scene.stands("""
        MUG-1 BACK  A 2/2
        MUG-1 EAST  B 4/3
        MUG-1 MAIN  C 9/5
        101         A 2
        102         B 3
        103         C 5
    """)


def test_a_hold_is_not_split_over_locations(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  B 4
        MUG-1 MAIN  C 3
    """)
    refused = scene.refuses(Reserve("MUG-1", 5, None, Target("102")), "INSUFFICIENT_STOCK")
    assert refused.numbers["available_by_location"] == {"EAST": 4, "MAIN": 3}
    assert refused.numbers["available"] == 4


def test_online_orders_only_take_what_ships_online(scene: Scene) -> None:
    scene.shop.location("SHELF", priority=1, ships_online=False)
    scene.given("""
        MUG-1 MAIN   A 4
        MUG-1 SHELF  B 4
    """)
    scene.do(Reserve("MUG-1", 1, None, Target("102")))
    scene.do(Reserve("MUG-1", 1, "SHELF", Target("103")))
    scene.stands("""
        MUG-1 MAIN   A 4/1
        MUG-1 SHELF  B 4/1
        102          A 1
        103          B 1
    """)


def test_a_store_takes_its_own(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  A 1
        MUG-1 MAIN  B 9
    """)
    scene.do(Reserve("MUG-1", 1, None, Target("102")), actor=scene.shop.east_staff)
    scene.refuses(Reserve("MUG-1", 1, None, Target("103")), "INSUFFICIENT_STOCK", actor=scene.shop.east_staff)
    scene.refuses(Reserve("MUG-1", 1, "MAIN", Target("103")), "FORBIDDEN", actor=scene.shop.east_staff)


def test_quarantine_and_transit_are_never_promised(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given("MUG-1 MAIN-QUARANTINE  A 4")
    scene.refuses(Reserve("MUG-1", 1, "MAIN-QUARANTINE"), "INSUFFICIENT_STOCK")
    scene.refuses(Reserve("MUG-1", 1, "TRANSIT"), "INSUFFICIENT_STOCK")


def test_a_pinned_lot_decides_where_the_hold_waits(scene: Scene) -> None:
    scene.given("""
        MUG-1 EAST  B 9
        MUG-1 MAIN  A 2
    """)
    scene.do(Reserve("MUG-1", 3, None, Target("102"), lot_id=scene.lot("A"), override=True))
    scene.stands("""
        MUG-1 EAST  B 9/0
        MUG-1 MAIN  A 2/2, waits 1
        102         A 2, waits 1
    """)


# Groups --------------------------------------------------------------------------------------------------------------


def test_two_lines_of_one_product_compete_for_the_same_stock(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5")
    pair = (Reserve("MUG-1", 3, "MAIN", Target("102")), Reserve("MUG-1", 3, "MAIN", Target("103")))
    refused = scene.refuses(CommandGroup(pair), "INSUFFICIENT_STOCK")
    assert [(line["index"], line["requested"], line["available"]) for line in refused.numbers["lines"]] == [(1, 3, 2)]


def test_a_group_is_all_or_nothing_and_names_every_short_line(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        TEE-1 MAIN  B 1
    """)
    group = tuple(Reserve(sku, 2, "MAIN", Target("102")) for sku in ("MUG-1", "TEE-1", "CUP-1"))
    refused = scene.refuses(CommandGroup(group), "INSUFFICIENT_STOCK")
    assert [(line["index"], line["code"]) for line in refused.numbers["lines"]] == [
        (1, "INSUFFICIENT_STOCK"),
        (2, "PRODUCT_NOT_FOUND"),
    ]
    assert scene.events("InventoryReserved") == []


def test_a_group_that_is_not_atomic_does_what_can_be_done(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    group = (
        Reserve("MUG-1", 3, "MAIN", Target("102")),
        Reserve("MUG-1", 3, "MAIN", Target("103")),
        Reserve("MUG-1", 2, "MAIN", Target("104")),
    )
    answers = scene.do(CommandGroup(group, atomic=False))
    assert [isinstance(answer, Refusal) for answer in answers] == [False, True, False]
    scene.stands("""
        MUG-1 MAIN  A 5/5
        102         A 3
        104         A 2
    """)


def test_a_group_may_give_back_and_take_in_one_breath(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         5 MUG-1 MAIN
    """)
    scene.do(CommandGroup((Release(scene.hold("102"), 3), Reserve("MUG-1", 3, "MAIN", Target("103")))))
    scene.stands("""
        MUG-1 MAIN  A 5/5
        102         A 2
        103         A 3
    """)


# Targets -------------------------------------------------------------------------------------------------------------


def for_appointment(scene: Scene, appointment_id: str, units: int = 2) -> Reserve:
    return Reserve(
        "MUG-1", units, "MAIN", Target(reserved_for_type="appointment", reserved_for_id=appointment_id), override=True
    )


def test_completing_an_appointment_sells_its_holds(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5")
    appointment = scene.do(Book(1_800_000_000 * SECOND, "Ada"))
    scene.do(for_appointment(scene, appointment.id))
    scene.do(for_appointment(scene, appointment.id, 1))
    scene.do(ChangeAppointment(appointment.id, status="completed"))
    scene.stands("""
        MUG-1 MAIN  A 2/0
        -           consumed 2
        -           consumed 1
    """)
    assert {line["ref_id"] for line in scene.ledger("SALE")} == {appointment.id}
    scene.refuses(for_appointment(scene, appointment.id), "INVALID_STATE")
    scene.refuses(ChangeAppointment(appointment.id, status="cancelled"), "INVALID_STATE")


def test_cancelling_an_appointment_gives_its_holds_back(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    appointment = scene.do(Book(scene.now))
    scene.do(for_appointment(scene, appointment.id, 2))
    scene.do(for_appointment(scene, appointment.id, 4))
    scene.do(ChangeAppointment(appointment.id, status="cancelled"))
    scene.stands("""
        MUG-1 MAIN  A 3/0
        -           cancelled
        -           cancelled
    """)


def test_an_appointment_is_not_completed_while_units_are_missing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    appointment = scene.do(Book(scene.now))
    scene.do(for_appointment(scene, appointment.id, 4))
    refused = scene.refuses(ChangeAppointment(appointment.id, status="completed"), "INSUFFICIENT_RESERVED")
    assert (refused.numbers["allocated"], refused.numbers["backordered"]) == (3, 1)


def test_a_hold_made_in_the_same_breath_ends_with_its_appointment(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    appointment = scene.do(Book(scene.now))
    scene.do(
        CommandGroup((for_appointment(scene, appointment.id), ChangeAppointment(appointment.id, status="completed")))
    )
    scene.stands("""
        MUG-1 MAIN  A 1/0
        -           consumed 2
    """)


def test_a_target_must_exist(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3")
    unknown = scene.products["MUG-1"].id
    scene.refuses(for_appointment(scene, unknown), "TARGET_NOT_FOUND")


# Quantities ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quantity",
    [
        0,
        -1,
        Decimal("0.5"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1e400"),
        Decimal("1e-400"),
        10**12 + 1,
        10**40,
    ],
    ids=str,
)
def test_a_quantity_that_is_none_is_refused(scene: Scene, quantity: int | Decimal) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        102         2 MUG-1 MAIN
    """)
    scene.refuses(Reserve("MUG-1", quantity, "MAIN"), "INVALID_QUANTITY")
    scene.refuses(Amend(scene.hold("102"), quantity), "INVALID_QUANTITY")
    scene.refuses(Consume(scene.hold("102"), quantity), "INVALID_QUANTITY")
    scene.refuses(Release(scene.hold("102"), quantity), "INVALID_QUANTITY")


@pytest.mark.parametrize(
    "quantity", [3, Decimal("3.0"), Decimal("3e0"), Decimal("0.3e1"), Decimal("3.000000")], ids=str
)
def test_three_is_three_however_it_is_written(scene: Scene, quantity: int | Decimal) -> None:
    scene.given("MUG-1 MAIN  A 5")
    assert scene.do(Reserve("MUG-1", quantity, "MAIN", Target("102"))).quantity == 3


@pytest.mark.parametrize("precision", [0, 1, 2, 3, 4])
def test_quantities_are_exact_to_the_products_precision(scene: Scene, precision: int) -> None:
    scene.product("OIL-1", precision=precision)
    smallest = Decimal(1).scaleb(-precision)
    scene.shop.receive("OIL-1", 3 * smallest, lot="A")
    scene.refuses(Reserve("OIL-1", smallest / 10, "MAIN"), "INVALID_QUANTITY")
    answer = scene.do(Reserve("OIL-1", smallest, "MAIN", Target("102")))
    assert Decimal(str(answer.quantity)) == smallest
    assert isinstance(answer.quantity, int) == (precision == 0)
    scene.stands("""
        OIL-1 MAIN  A 3/1
        102         A 1
    """)
