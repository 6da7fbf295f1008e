"""A fact is never refused because stock is reserved: holds give way, exactly the missing units.

See docs/reference/invariants.md.
"""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, WriteOff
from tests.core.scene import Scene

FACTS = [
    pytest.param(lambda: Count("MAIN", (CountLine("MUG-1", 3),)), "COUNT", id="count"),
    pytest.param(lambda: SetStock("MUG-1", "MAIN", 3), "ADJUSTMENT", id="set"),
    pytest.param(lambda: AdjustStock("MUG-1", "MAIN", -3), "ADJUSTMENT", id="adjust"),
]


@pytest.mark.parametrize(("fact", "ref_type"), FACTS)
def test_the_worst_priority_loses_exactly_what_is_missing(scene_anywhere: Scene, fact: Any, ref_type: str) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 6
        101         2 MUG-1 MAIN
        102         2 MUG-1 MAIN priority 200
        103         2 MUG-1 MAIN priority 10
    """)
    scene.do(fact())
    scene.stands("""
        MUG-1 MAIN  A 3/3, waits 3
        101         A 1, waits 1
        102         waits 2
        103         A 2
    """)
    told = [
        (event["data"]["order_number"], event["data"]["quantity"]) for event in scene.events("ReservationBackordered")
    ]
    assert told == [("102", 2), ("101", 1)]
    shortfalls = [line for line in scene.ledger("RELEASE") if line["reason"] == "shortfall"]
    assert [(line["order_number"], line["backordered_delta"]) for line in shortfalls] == [("102", 2), ("101", 1)]
    assert [line["qty_delta"] for line in scene.ledger(ref_type)] == [-3]


def test_of_equal_priority_the_newest_loses(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 6
        101         2 MUG-1 MAIN
        102         2 MUG-1 MAIN
        103         2 MUG-1 MAIN
    """)
    answer = scene.do(Count("MAIN", (CountLine("MUG-1", 3),)))
    scene.stands("""
        MUG-1 MAIN  A 3/3, waits 3
        101         A 2
        102         A 1, waits 1
        103         waits 2
    """)
    assert answer.lines[0].shorted == [scene.hold("103"), scene.hold("102")]
    assert (answer.lines[0].before, answer.lines[0].counted, answer.lines[0].difference) == (6, 3, -3)


def test_unreserved_units_leave_first_from_the_oldest_lots(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 3, C 3
        101         2 MUG-1 MAIN
        102         1 MUG-1 MAIN lot C
    """)
    scene.do(Count("MAIN", (CountLine("MUG-1", 5),)))
    scene.stands("""
        MUG-1 MAIN  A 2/2, C 3/1
        101         A 2
        102         C 1
    """)


def test_nobody_is_shorted_while_unreserved_units_suffice(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 3
        101         3 MUG-1 MAIN
    """)
    scene.do(SetStock("MUG-1", "MAIN", 3))
    scene.stands("""
        MUG-1 MAIN  A 3/3
        101         A 3
    """)
    assert scene.events("ReservationBackordered") == []


def test_a_hold_that_only_lost_its_lot_gets_another(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("""
        MUG-1 MAIN  A 3, B 5
        101         3 MUG-1 MAIN
    """)
    answer = scene.do(Count("MAIN", (CountLine("MUG-1", 0, scene.lot("A")),)))
    scene.stands("""
        MUG-1 MAIN  B 5/3
        101         B 3
    """)
    assert answer.lines[0].shorted == []
    assert scene.events("ReservationBackordered") == []


def test_a_hold_pinned_to_the_lot_loses_and_nobody_else(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5, B 5
        101         5 MUG-1 MAIN lot A priority 1
        102         5 MUG-1 MAIN
        103         5 MUG-1 MAIN priority 50
    """)
    answer = scene.do(Count("MAIN", (CountLine("MUG-1", 0, scene.lot("A")),)))
    scene.stands("""
        MUG-1 MAIN  B 5/5, waits 10
        101         waits 5
        102         B 5
        103         waits 5
    """)
    assert answer.lines[0].shorted == [scene.hold("101")]


def test_of_those_pinned_to_the_lot_the_worst_loses(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5, B 1
        101         2 MUG-1 MAIN lot A
        102         2 MUG-1 MAIN lot A priority 200
        103         1 MUG-1 MAIN
    """)
    scene.do(Count("MAIN", (CountLine("MUG-1", 2, scene.lot("A")),)))
    scene.stands("""
        MUG-1 MAIN  A 2/2, B 1/1, waits 2
        101         A 2
        102         waits 2
        103         B 1
    """)


def test_what_is_missing_for_a_lost_lot_is_taken_from_the_worst_of_all(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 3
        101         3 MUG-1 MAIN priority 10
        102         3 MUG-1 MAIN
    """)
    scene.do(Count("MAIN", (CountLine("MUG-1", 1, scene.lot("A")),)))
    scene.stands("""
        MUG-1 MAIN  A 1/1, B 3/3, waits 2
        101         A 1, B 2
        102         B 1, waits 2
    """)


def test_recall_gives_way_like_a_count(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 3
        101         3 MUG-1 MAIN
        102         1 MUG-1 MAIN
    """)
    answer = scene.do(Quarantine(scene.lot("A"), "glaze"))
    scene.stands("""
        MUG-1 MAIN             B 3/3, waits 1
        MUG-1 MAIN-QUARANTINE  A 3/0
        101                    B 3
        102                    waits 1
    """)
    assert answer.shorted == [scene.hold("102")]


def test_a_write_off_gives_way_too(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3, B 1
        101         3 MUG-1 MAIN
    """)
    answer = scene.do(WriteOff(scene.lot("A"), "MAIN", 2, "broken"))
    scene.stands("""
        MUG-1 MAIN  A 1/1, B 1/1, waits 1
        101         A 1, B 1, waits 1
    """)
    assert answer.shorted == [scene.hold("101")]


def test_an_expired_lot_gives_way_too(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 4 until 60, B 2
        101         3 MUG-1 MAIN
        102         1 MUG-1 MAIN lot A
    """)
    scene.pass_(60)
    assert scene.shop.refused(Reserve("MUG-1", 1, "MAIN", Target("103"))).code == "INSUFFICIENT_STOCK"
    scene.stands("""
        MUG-1 MAIN             B 2/2, waits 2
        MUG-1 MAIN-QUARANTINE  A 4/0
        101                    B 2, waits 1
        102                    waits 1
    """)
    assert {line["actor"] for line in scene.ledger("EXPIRY")} == {"system"}


def test_below_zero_is_refused(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2")
    refused = scene.refuses(AdjustStock("MUG-1", "MAIN", -3), "INSUFFICIENT_STOCK")
    assert (refused.numbers["requested"], refused.numbers["available"]) == (3, 2)
    scene.refuses(SetStock("MUG-1", "MAIN", -1), "INVALID_QUANTITY")
    scene.refuses(Count("MAIN", (CountLine("MUG-1", -1),)), "INVALID_QUANTITY")


def test_compare_and_set_sets_only_what_it_compared(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN  A 4")
    refused = scene.refuses(SetStock("MUG-1", "MAIN", 9, expected=5), "QUANTITY_CHANGED")
    assert (refused.numbers["quantity"], refused.numbers["expected_quantity"]) == (4, 5)
    assert scene.do(SetStock("MUG-1", "MAIN", 9, expected=4)).quantity == 9
    scene.refuses(SetStock("MUG-1", "MAIN", 1, expected=4), "QUANTITY_CHANGED")
    scene.refuses(SetStock("MUG-1", "EAST", 1, expected=4), "QUANTITY_CHANGED")
    scene.do(SetStock("MUG-1", "EAST", 1, expected=0))


def test_a_fact_that_changes_nothing_writes_nothing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 4")
    before = len(scene.ledger())
    scene.do(SetStock("MUG-1", "MAIN", 4))
    scene.do(Count("MAIN", (CountLine("MUG-1", 4),)))
    assert len(scene.ledger()) == before


def test_a_level_that_never_was_can_be_set_to_zero(scene: Scene) -> None:
    scene.product("MUG-1")
    answer = scene.do(SetStock("MUG-1", "MAIN", 0))
    assert scene.shop.rows("SELECT id FROM level") == [{"id": answer.id}]
