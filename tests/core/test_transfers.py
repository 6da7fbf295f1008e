"""Transfers: units on the road keep lot, cost and expiry (docs/how-to/count-and-move.md)."""

from __future__ import annotations

import pytest

from holdfast.check import check
from holdfast.core.organisation.places import RemoveLocation
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from holdfast.db import schema
from tests.core.scene import Scene


def send(quantity: int, lot: str | None = None, *, to: str = "EAST") -> Dispatch:
    return Dispatch("MAIN", to, (TransferLine("MUG-1", quantity, lot),), "truck 7")


def test_units_leave_for_the_road_and_come_in(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 3 @1.33, B 5 @2.00")
    sent = scene.do(send(4))
    scene.stands("""
        MUG-1 MAIN     B 4/0
        MUG-1 TRANSIT  A 3/0, B 1/0
    """)
    assert sent.status == "shipped" and sent.lines[0].received is None
    arrived = scene.do(ReceiveTransfer(sent.id))
    scene.stands("""
        MUG-1 EAST  A 3/0, B 1/0
        MUG-1 MAIN  B 4/0
    """)
    assert (arrived.status, [line.received for line in arrived.lines]) == ("received", [3, 1])
    assert (scene.value("A", "EAST"), scene.value("B", "EAST"), scene.value("B")) == (399, 200, 800)
    scene.refuses(ReceiveTransfer(sent.id), "INVALID_STATE")


def test_only_unreserved_units_may_leave(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 3
        101         2 MUG-1 MAIN
    """)
    refused = scene.refuses(send(5), "INSUFFICIENT_STOCK")
    assert (refused.numbers["requested"], refused.numbers["available"]) == (5, 4)
    scene.do(send(4))
    scene.stands("""
        MUG-1 MAIN     A 2/2
        MUG-1 TRANSIT  A 1/0, B 3/0
        101            A 2
    """)


def test_a_lot_can_be_named(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3, B 3")
    scene.do(send(2, scene.lot("B")))
    scene.stands("""
        MUG-1 MAIN     A 3/0, B 1/0
        MUG-1 TRANSIT  B 2/0
    """)
    scene.refuses(send(2, scene.lot("B")), "INSUFFICIENT_STOCK")
    scene.refuses(send(1, scene.products["MUG-1"].id), "LOT_NOT_FOUND")
    scene.do(Quarantine(scene.lot("A")))
    scene.refuses(send(1, scene.lot("A")), "LOT_NOT_AVAILABLE")


def test_what_expires_first_travels_first(scene: Scene) -> None:
    scene.product("MUG-1", track_expiry=True)
    scene.given("MUG-1 MAIN  A 3, B 3 until 900")
    scene.do(send(4))
    scene.stands("""
        MUG-1 MAIN     A 2/0
        MUG-1 TRANSIT  A 1/0, B 3/0
    """)


def test_what_did_not_come_yet_stays_on_the_road(scene_anywhere: Scene) -> None:
    """12 are sent; 8 come on Monday, 4 on Tuesday: with their lots and costs."""
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5 @1.01, B 7 @2.00")
    sent = scene.do(send(12))
    monday = scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 8),)))
    scene.stands("""
        MUG-1 EAST     A 5/0, B 3/0
        MUG-1 TRANSIT  B 4/0
    """)
    assert monday.status == "shipped"
    assert [(line.received, line.in_transit) for line in monday.lines] == [(5, 0), (3, 4)]
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 5),)), "INVALID_STATE")
    tuesday = scene.do(ReceiveTransfer(sent.id))
    scene.stands("MUG-1 EAST  A 5/0, B 7/0")
    assert (tuesday.status, [line.received for line in tuesday.lines]) == ("received", [5, 7])
    assert (scene.value("A", "EAST"), scene.value("B", "EAST")) == (505, 1400)
    scene.refuses(ReceiveTransfer(sent.id), "INVALID_STATE")


def test_the_rest_is_written_off_when_that_is_said(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5 @1.01")
    sent = scene.do(send(5))
    ended = scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 3),), short=True))
    scene.stands("MUG-1 EAST  A 3/0")
    assert ended.status == "received"
    assert [(line.received, line.written_off, line.in_transit) for line in ended.lines] == [(3, 2, 0)]
    lost = scene.ledger("ADJUSTMENT")
    assert [(line["qty_delta"], line["value_delta"], line["reason"]) for line in lost] == [
        (-2, -202, "lost in transfer")
    ]


def test_a_part_is_written_off_while_the_rest_goes_on(scene: Scene) -> None:
    """Of 10, 6 come and 1 lies broken beside them; the other 3 come later."""
    scene.given("MUG-1 MAIN  A 10 @0.99")
    sent = scene.do(send(10))
    first = scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 6, lost=1),)))
    scene.stands("""
        MUG-1 EAST     A 6/0
        MUG-1 TRANSIT  A 3/0
    """)
    [line] = first.lines
    assert (first.status, line.received, line.written_off, line.in_transit) == ("shipped", 6, 1, 3)
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 3, lost=1),)), "INVALID_STATE")
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 1, lost=-1),)), "INVALID_QUANTITY")
    assert scene.do(ReceiveTransfer(sent.id)).status == "received"
    scene.stands("MUG-1 EAST  A 9/0")
    assert scene.values() == 891


def test_a_transfer_is_sent_back(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 3 @1.33, B 5 @2.00
    """)
    sent = scene.do(send(8))
    scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 2),)))
    part = scene.do(SendBack(sent.id, (TransferLine("MUG-1", 2, scene.lot("B")),), "too many"))
    assert (part.status, [line.returned for line in part.lines]) == ("shipped", [0, 2])
    scene.stands("""
        MUG-1 EAST     A 2/0
        MUG-1 MAIN     B 2/0
        MUG-1 TRANSIT  A 1/0, B 3/0
    """)
    whole = scene.do(SendBack(sent.id))
    assert (whole.status, [(line.received, line.returned) for line in whole.lines]) == ("received", [(2, 1), (0, 5)])
    scene.stands("""
        MUG-1 EAST  A 2/0
        MUG-1 MAIN  A 1/0, B 5/0
    """)
    assert (scene.value("A"), scene.value("B")) == (133, 1000)
    assert {line["reason"] for line in scene.ledger("TRANSFER")} == {None, "too many", "sent back"}
    scene.refuses(SendBack(sent.id), "INVALID_STATE")


def test_a_transfer_of_which_nothing_arrived_was_returned(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(5))
    assert scene.do(SendBack(sent.id)).status == "returned"
    scene.stands("MUG-1 MAIN  A 5/0")
    scene.refuses(ReceiveTransfer(sent.id), "INVALID_STATE")


def test_what_is_sent_back_serves_who_waits_there(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(5))
    scene.do(Reserve("MUG-1", 2, "MAIN", Target("101")))
    scene.do(SendBack(sent.id, (TransferLine("MUG-1", 3),)))
    scene.stands("""
        MUG-1 MAIN     A 3/2
        MUG-1 TRANSIT  A 2/0
        101            A 2
    """)


def test_a_lot_that_is_recalled_or_expired_on_the_road_is_set_aside_when_it_comes_back(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5, B 3 until 60")
    sent = scene.do(send(8))
    scene.do(Quarantine(scene.lot("A"), "glaze"))
    scene.do(SendBack(sent.id, (TransferLine("MUG-1", 2, scene.lot("A")),)))
    scene.pass_(60)
    scene.do(SendBack(sent.id))
    scene.shop.refused(Reserve("MUG-1", 1, None, Target("101")))
    scene.stands("MUG-1 MAIN-QUARANTINE  A 5/0, B 3/0")


@pytest.mark.parametrize("parts", [(1, 1, 1, 1, 1, 1, 1), (3, 3, 1), (2, 5), (6, 1), (7,)])
def test_value_ends_at_nothing_on_the_road_whatever_the_parts(scene: Scene, parts: tuple[int, ...]) -> None:
    scene.given("MUG-1 MAIN  A 7 @0.333333")
    sent = scene.do(send(7))
    for number, units in enumerate(parts):
        line = (TransferLine("MUG-1", units),)
        scene.do(SendBack(sent.id, line) if number % 2 else ReceiveTransfer(sent.id, line))
    assert scene.value("A", "TRANSIT") == 0
    assert scene.values() == 233


def test_something_must_move(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(5))
    for lines in ((), (TransferLine("MUG-1", 0),)):
        scene.refuses(ReceiveTransfer(sent.id, lines), "INVALID_REQUEST")
        scene.refuses(SendBack(sent.id, lines), "INVALID_REQUEST")
    lost = (TransferLine("MUG-1", 1, lost=1),)
    scene.refuses(SendBack(sent.id, lost), "INVALID_REQUEST")
    scene.refuses(Dispatch("MAIN", "EAST", lost), "INVALID_REQUEST")
    scene.refuses(SendBack(scene.lot("A")), "NOT_FOUND")


def test_who_gets_the_units_says_that_they_came(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(5))
    scene.refuses(SendBack(sent.id), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 1),)), actor=scene.shop.east_staff)
    back = scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)), actor=scene.shop.east_staff)
    scene.do(SendBack(back.id), actor=scene.shop.east_staff)


def test_a_transfer_of_an_older_version_that_has_ended_says_what_was_lost(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(5))
    scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 3),), short=True))
    old = [{"product_id": scene.products["MUG-1"].id, "lot_id": scene.lot("A"), "units": 5, "received": 3}]
    with scene.shop.holdfast.database.engine.begin() as connection:
        connection.execute(schema.transfer.update().values(lots=old))
    [line] = scene.shop.holdfast.reports.transfer(scene.shop.org_id, sent.id)["lines"]
    assert (line["received"], line["written_off"], line["returned"], line["in_transit"]) == (3, 2, 0, 0)
    scene.refuses(SendBack(sent.id), "INVALID_STATE")


@pytest.mark.parametrize(("units", "found"), [(5, 5), (6, 5), (0, 5)])
def test_units_on_the_road_that_no_transfer_has_are_named(scene_anywhere: Scene, units: int, found: int) -> None:
    """A transfer of an older version says nothing of what was lost or sent back, which is no mismatch."""
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 5")
    scene.do(send(5))
    line = {"product_id": scene.products["MUG-1"].id, "lot_id": scene.lot("A"), "units": units, "received": None}
    with scene.shop.holdfast.database.engine.begin() as connection:
        connection.execute(schema.transfer.update().values(lots=[line]))
    told = check(scene.shop.holdfast.database).mismatches
    with scene.shop.holdfast.database.engine.begin() as connection:
        mended = {**line, "units": 5, "lost": 0, "sent_back": 0}
        connection.execute(schema.transfer.update().values(lots=[mended]))
    expected = [] if units == found else [("transit is its transfers'", scene.lot("A"), str(units), str(found))]
    assert [(one.invariant, one.lot_id, one.expected, one.found) for one in told] == expected


@pytest.mark.parametrize("lots", [40])
def test_a_transfer_of_many_lots_arrives_line_by_line(scene: Scene, lots: int) -> None:
    scene.product("MUG-1")
    names = [scene.shop.receive("MUG-1", 2, lot=f"L{number}") for number in range(lots)]
    sent = scene.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2 * lots),)))
    scene.do(ReceiveTransfer(sent.id, tuple(TransferLine("MUG-1", 1, name) for name in names)))
    ended = scene.do(ReceiveTransfer(sent.id, tuple(TransferLine("MUG-1", 1) for _ in names)))
    assert (ended.status, {line.received for line in ended.lines}) == ("received", {2})


def test_more_than_shipped_cannot_arrive(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5, B 1")
    sent = scene.do(send(6))
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 7),)), "INVALID_STATE")
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 2, scene.lot("B")),), short=True), "INVALID_STATE")
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("MUG-1", -1),), short=True), "INVALID_QUANTITY")
    scene.refuses(ReceiveTransfer(sent.id, (TransferLine("GHOST-1", 1),), short=True), "PRODUCT_NOT_FOUND")
    scene.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 1, scene.lot("B")), TransferLine("MUG-1", 2)), short=True))
    scene.stands("MUG-1 EAST  A 2/0, B 1/0")


def test_nothing_of_it_may_arrive(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.00")
    sent = scene.do(send(5))
    scene.do(ReceiveTransfer(sent.id, (), short=True))
    assert scene.table() == [] and scene.values() == 0


def test_two_transfers_of_one_lot_do_not_mix_their_units(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @1.01")
    first, second = scene.do(send(2)), scene.do(send(3))
    scene.do(ReceiveTransfer(first.id, (), short=True))
    scene.do(ReceiveTransfer(second.id))
    scene.stands("MUG-1 EAST  A 3/0")
    assert scene.values() == 303


@pytest.mark.parametrize(
    ("origin", "destination"), [("MAIN", "MAIN"), ("MAIN", "main"), ("TRANSIT", "MAIN"), ("MAIN", "TRANSIT")]
)
def test_a_transfer_goes_from_one_place_to_another(scene: Scene, origin: str, destination: str) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.refuses(Dispatch(origin, destination, (TransferLine("MUG-1", 1),)), "INVALID_REQUEST")


def test_every_line_or_none(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    command = Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 3), TransferLine("MUG-1", 3), TransferLine("GHOST-1", 1)))
    refused = scene.refuses(command, "INSUFFICIENT_STOCK")
    assert [(line["index"], line["code"]) for line in refused.numbers["lines"]] == [
        (1, "INSUFFICIENT_STOCK"),
        (2, "PRODUCT_NOT_FOUND"),
    ]


def test_both_ends_belong_to_somebody(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(2))
    scene.refuses(send(1), "FORBIDDEN", actor=scene.shop.east_staff)
    scene.do(ReceiveTransfer(sent.id), actor=scene.shop.east_staff)
    back = scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)), actor=scene.shop.east_staff)
    scene.refuses(ReceiveTransfer(back.id), "FORBIDDEN", actor=scene.shop.east_staff)


def test_a_lot_recalled_on_the_road_arrives_in_quarantine(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 5 @1.00
        MUG-1 EAST  B 1
        101         2 MUG-1 EAST
    """)
    sent = scene.do(send(5))
    scene.do(Quarantine(scene.lot("A"), "glaze"))
    scene.stands("""
        MUG-1 EAST     B 1/1, waits 1
        MUG-1 TRANSIT  A 5/0
        101            B 1, waits 1
    """)
    scene.do(ReceiveTransfer(sent.id))
    scene.stands("""
        MUG-1 EAST             B 1/1, waits 1
        MUG-1 EAST-QUARANTINE  A 5/0
        101                    B 1, waits 1
    """)
    assert scene.value("A", "EAST-QUARANTINE") == 500
    scene.do(ReleaseFromQuarantine(scene.lot("A")))
    scene.stands("""
        MUG-1 EAST  A 5/1, B 1/1
        101         B 1, A 1
    """)


def test_a_lot_that_expires_on_the_road_is_set_aside_on_arrival(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 until 60")
    sent = scene.do(send(5))
    scene.pass_(60)
    scene.do(ReceiveTransfer(sent.id))
    scene.shop.refused(Reserve("MUG-1", 1, None, Target("101")))
    scene.stands("MUG-1 EAST-QUARANTINE  A 5/0")


def test_what_is_on_the_road_changes_by_transfers_only(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sent = scene.do(send(5))
    scene.refuses(SetStock("MUG-1", "TRANSIT", 0), "INVALID_REQUEST")
    scene.refuses(AdjustStock("MUG-1", "TRANSIT", -1), "INVALID_REQUEST")
    scene.refuses(Receive("TRANSIT", (ReceiptLine("MUG-1", 1),)), "INVALID_REQUEST")
    scene.refuses(WriteOff(scene.lot("A")), "INSUFFICIENT_STOCK")
    scene.refuses(WriteOff(scene.lot("A"), "TRANSIT"), "INVALID_REQUEST")
    scene.do(ReceiveTransfer(sent.id))


def test_a_place_to_which_something_is_on_the_road_stays(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    side = scene.shop.location("SIDE")
    sent = scene.do(send(2, to="SIDE"))
    scene.refuses(RemoveLocation(side.id), "INVALID_STATE")
    scene.do(ReceiveTransfer(sent.id))
    scene.refuses(RemoveLocation(side.id), "INVALID_STATE")
    scene.do(SetStock("MUG-1", "SIDE", 0))
    scene.do(RemoveLocation(side.id))
    scene.refuses(send(1, to="SIDE"), "LOCATION_NOT_FOUND")


def test_transfers_post_no_value(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @0.333333")
    before = scene.values()
    sent = scene.do(send(2))
    assert scene.values() == before
    scene.do(ReceiveTransfer(sent.id))
    assert scene.values() == before == 100
    assert sum(line["value_delta"] for line in scene.ledger("TRANSFER")) == 0
