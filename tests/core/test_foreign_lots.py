"""Lots of other stores: who is limited to stores neither recalls them, nor names them, nor is told where they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from holdfast.access import Actor, Role
from holdfast.core.decide import DECISIONS, CommandGroup
from holdfast.core.records.command import Command
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import AddLine
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.warehouse.count_sheet import Count, CountLine, FillSheet
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from tests.core.scene import Scene

RECALLS = (Quarantine, ReleaseFromQuarantine, WriteOff)


def manager_of(scene: Scene, *stores: str) -> Actor:
    ids = tuple(scene.shop.stores[store] for store in stores)
    return Actor(scene.shop.org_id, "user:manager", Role.MANAGER, ids)


@pytest.fixture
def west(scene: Scene) -> Scene:
    """A third store, WEST, whose location is WEST."""
    scene.shop.stores["WEST"] = scene.shop.store("WEST").id
    scene.shop.location("WEST", "WEST")
    return scene


def on_the_road(scene: Scene, origin: str = "MAIN", destination: str = "WEST", units: int = 2) -> Any:
    line = TransferLine("MUG-1", units, scene.lot("A"))
    return scene.do(Dispatch(origin, destination, (line,)))


# Recall --------------------------------------------------------------------------------------------------------------


def test_nobody_recalls_what_is_on_the_road_between_other_stores(west: Scene) -> None:
    west.given("MUG-1 MAIN  A 2")
    on_the_road(west)
    for recall in RECALLS:
        west.refuses(recall(west.lot("A")), "FORBIDDEN", actor=manager_of(west, "EAST"))
    west.do(Quarantine(west.lot("A")), actor=manager_of(west, "WEST"))


def test_nobody_recalls_an_empty_lot_that_was_never_theirs(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    lot = scene.lot("A")
    scene.do(WriteOff(lot))
    for recall in RECALLS:
        scene.refuses(recall(lot), "FORBIDDEN", actor=manager_of(scene, "EAST"))
    scene.do(Quarantine(lot), actor=manager_of(scene, "MAIN"))


def test_nobody_recalls_a_lot_of_which_another_stores_units_are_set_aside_or_on_the_road(west: Scene) -> None:
    west.given("MUG-1 MAIN  A 5")
    west.do(ReceiveTransfer(on_the_road(west, "MAIN", "EAST").id))
    west.do(Dispatch("MAIN", "MAIN-QUARANTINE", (TransferLine("MUG-1", 3, west.lot("A")),)))
    east = manager_of(west, "EAST")
    west.refuses(Quarantine(west.lot("A")), "FORBIDDEN", actor=east)
    transfer = west.shop.rows("SELECT id FROM transfer WHERE status = 'shipped'")[0]["id"]
    west.do(ReceiveTransfer(str(transfer)))
    west.refuses(Quarantine(west.lot("A")), "FORBIDDEN", actor=east)


def test_a_lot_that_comes_to_the_own_store_may_be_recalled(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 3")
    transfer = on_the_road(scene, "MAIN", "EAST", 3)
    answer = scene.do(Quarantine(scene.lot("A")), actor=manager_of(scene, "EAST"))
    assert (answer.status, answer.locations) == ("quarantined", [])
    scene.do(ReceiveTransfer(transfer.id))
    scene.stands("MUG-1 EAST-QUARANTINE  A 3/0")


def test_who_has_a_part_does_not_lift_the_recall(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 7")
    lot = scene.lot("A")
    scene.do(ReceiveTransfer(on_the_road(scene, "MAIN", "EAST", 2).id))
    transfer = on_the_road(scene, "MAIN", "EAST", 5)
    scene.do(Quarantine(lot))
    assert scene.do(ReleaseFromQuarantine(lot), actor=manager_of(scene, "EAST")).status == "partial"
    scene.do(SendBack(transfer.id))
    scene.stands("""
        MUG-1 EAST             A 2/0
        MUG-1 MAIN-QUARANTINE  A 5/0
    """)
    assert scene.do(ReleaseFromQuarantine(lot)).status == "active"


def test_who_has_all_of_it_lifts_the_recall(scene: Scene) -> None:
    scene.given("MUG-1 EAST  A 4")
    east = manager_of(scene, "EAST")
    scene.do(Quarantine(scene.lot("A")), actor=east)
    assert scene.do(ReleaseFromQuarantine(scene.lot("A"), None, 1), actor=east).status == "partial"
    assert scene.do(ReleaseFromQuarantine(scene.lot("A")), actor=east).status == "active"


def test_a_whole_release_of_all_stores_lifts_the_recall_of_what_is_on_the_road(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 4")
    transfer = on_the_road(scene, "MAIN", "EAST")
    scene.do(Quarantine(scene.lot("A")))
    assert scene.do(ReleaseFromQuarantine(scene.lot("A"))).status == "active"
    scene.do(ReceiveTransfer(transfer.id))
    scene.stands("""
        MUG-1 EAST  A 2/0
        MUG-1 MAIN  A 2/0
    """)


# What is told --------------------------------------------------------------------------------------------------------


def test_a_recall_tells_only_places_that_its_caller_may_read(west: Scene) -> None:
    west.given("""
        MUG-1 EAST  A 4
        MUG-1 MAIN  A 6
    """)
    on_the_road(west)
    lot, east = west.lot("A"), manager_of(west, "EAST")
    answers = [west.do(WriteOff(lot, "EAST", 1), actor=east)]
    west.do(ReceiveTransfer(on_the_road(west, "MAIN", "EAST", 4).id))
    west.do(Quarantine(lot))
    answers.append(west.do(ReleaseFromQuarantine(lot, "EAST", 1), actor=manager_of(west, "EAST")))
    told = [{row["location"] for row in answer.locations} for answer in answers]
    assert told == [{"EAST"}, {"EAST", "EAST-QUARANTINE"}]
    everybody = west.do(WriteOff(lot, "EAST", 1), actor=manager_of(west, "EAST", "MAIN", "WEST"))
    assert {row["location"] for row in everybody.locations} == {"EAST-QUARANTINE", "TRANSIT"}


# Lots that a command names -------------------------------------------------------------------------------------------


def _sheet(scene: Scene) -> str:
    return str(scene.do(Count("EAST", (CountLine("MUG-2", None),), draft=True)).id)


def _cart(scene: Scene) -> str:
    return str(scene.do(OpenSale(scene.shop.stores["EAST"], lines=(LineRequest("MUG-2", 1),))).id)


def _line(scene: Scene) -> tuple[LineRequest, ...]:
    return (LineRequest("MUG-1", 1, lot_id=scene.lot("A")),)


NAMING: dict[type[Command], Callable[[Scene], Command]] = {
    Count: lambda scene: Count("EAST", (CountLine("MUG-1", 1, scene.lot("A")),)),
    FillSheet: lambda scene: FillSheet(_sheet(scene), (CountLine("MUG-1", 1, scene.lot("A")),)),
    Dispatch: lambda scene: Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1, scene.lot("A")),)),
    Reserve: lambda scene: Reserve("MUG-1", 1, "EAST", Target("101"), lot_id=scene.lot("A")),
    Release: lambda scene: Release(scene.hold("100"), lot_id=scene.lot("A")),
    Consume: lambda scene: Consume(scene.hold("100"), lot_id=scene.lot("A")),
    OpenSale: lambda scene: OpenSale(scene.shop.stores["EAST"], lines=_line(scene)),
    AddLine: lambda scene: AddLine(_cart(scene), _line(scene)[0]),
    Checkout: lambda scene: Checkout(scene.shop.stores["EAST"], _line(scene)),
}
"""Commands whose caller names a lot, with a lot that the caller's store never had."""

OTHERWISE = {*RECALLS, ReceiveTransfer, SendBack}
"""Recalls have rules of their own; a transfer takes the lots alone that were shipped with it."""


def _names_lots(kind: type[Command]) -> bool:
    """Has the command, or a line of it, a field `lot_id`?"""
    found = msgspec.json.schema(kind, schema_hook=lambda _: {"type": "number"})
    return any("lot_id" in one.get("properties", {}) for one in found["$defs"].values())


def test_every_command_that_names_a_lot_is_here() -> None:
    naming = {kind for kind in DECISIONS if kind is not CommandGroup and _names_lots(kind)}
    assert naming == {*NAMING, *OTHERWISE}


@pytest.mark.parametrize("kind", NAMING, ids=lambda kind: kind.__name__)
def test_a_lot_that_was_never_there_does_not_exist_for_its_store(scene: Scene, kind: type[Command]) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        MUG-1 EAST  B 5
        MUG-2 EAST  C 5
        100         1 MUG-1 EAST
    """)
    command = NAMING[kind](scene)
    scene.refuses(command, "LOT_NOT_FOUND", actor=manager_of(scene, "EAST"))
    places = "SELECT l.code FROM lot_stock s JOIN location l ON l.id = s.location_id WHERE s.lot_id = :lot"
    assert scene.shop.rows(places, lot=scene.lot("A")) == [{"code": "MAIN"}]


def test_a_lot_that_was_once_there_may_be_counted(scene: Scene) -> None:
    scene.given("MUG-1 EAST  A 1")
    scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)))
    scene.do(Count("EAST", (CountLine("MUG-1", 1, scene.lot("A")),)), actor=manager_of(scene, "EAST"))
    scene.do(Receive("EAST", (ReceiptLine("MUG-1", 1, "1.00", lot_code="B"),)))
    scene.do(Count("EAST", (CountLine("MUG-1", 2, scene.lot("B")),)), actor=manager_of(scene, "EAST"))
