"""New stock serves the waiting first, whatever brings it (docs/reference/invariants.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.core.decide import CommandGroup, Sweep
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.order_holds import OrderClose, ReleaseAtLevel, ReserveAtLevel
from holdfast.core.reservations.order_holds import OrderLine as Line
from holdfast.core.reservations.reserve import Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from tests.core.scene import Scene
from tests.shop import SECOND


def a_receipt(scene: Scene) -> None:
    answer = scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 2, lot_code="B"),)))
    assert answer.served == [scene.hold("102")]


def a_release(scene: Scene) -> None:
    scene.do(Release(scene.hold("101"), 2))


def an_amendment(scene: Scene) -> None:
    scene.do(Amend(scene.hold("101"), 1))


def an_expiry(scene: Scene) -> None:
    scene.pass_(60)
    scene.do(Sweep((level_of(scene),)))


def an_expiry_noticed_by_a_refused_command(scene: Scene) -> None:
    scene.pass_(60)
    assert scene.shop.refused(Reserve("MUG-1", 100, "MAIN")).code == "INSUFFICIENT_STOCK"


def a_transfer(scene: Scene) -> None:
    scene.given("MUG-1 EAST  B 2")
    sent = scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 2),)))
    scene.do(ReceiveTransfer(sent.id))


def a_count(scene: Scene) -> None:
    scene.do(Count("MAIN", (CountLine("MUG-1", 5),)))


def a_count_of_the_lot(scene: Scene) -> None:
    scene.do(Count("MAIN", (CountLine("MUG-1", 5, scene.lot("A")),)))


def a_set(scene: Scene) -> None:
    scene.do(SetStock("MUG-1", "MAIN", 5))


def an_adjustment(scene: Scene) -> None:
    scene.do(AdjustStock("MUG-1", "MAIN", 2))


def a_readmission(scene: Scene) -> None:
    scene.given("MUG-1 MAIN-QUARANTINE  Q 2")
    scene.do(ReleaseFromQuarantine(scene.lot("Q"), "MAIN"))


def a_release_at_the_level(scene: Scene) -> None:
    scene.do(ReleaseAtLevel("MUG-1", "MAIN", 2, "101"))


def an_order_that_is_cancelled(scene: Scene) -> None:
    scene.do(OrderClose("101", "manual", consume=False, lines=(Line("MUG-1", 2),)))


def level_of(scene: Scene) -> tuple[str, str]:
    row = scene.shop.rows("SELECT product_id, location_id FROM level ORDER BY id")[0]
    return row["product_id"], row["location_id"]


@pytest.mark.parametrize(
    "brings_two",
    [
        a_receipt,
        a_release,
        an_amendment,
        an_expiry,
        an_expiry_noticed_by_a_refused_command,
        a_transfer,
        a_count,
        a_count_of_the_lot,
        a_set,
        an_adjustment,
        a_readmission,
        a_release_at_the_level,
        an_order_that_is_cancelled,
    ],
    ids=lambda bring: bring.__name__,
)
def test_who_waits_is_served_by(scene: Scene, brings_two: Callable[[Scene], None]) -> None:
    scene.given("""
        MUG-1 MAIN  A 3
        101         3 MUG-1 MAIN until 60
        102         2 MUG-1 MAIN
    """)
    brings_two(scene)
    query = "SELECT backordered FROM reservation WHERE order_number = '102'"
    assert scene.shop.rows(query) == [{"backordered": 0}]
    level = scene.shop.rows("SELECT reserved, on_hand, backordered FROM level ORDER BY id")[0]
    assert (
        (level["reserved"], level["backordered"]) == (level["on_hand"], 0)
        or brings_two is an_expiry
        or (brings_two is an_expiry_noticed_by_a_refused_command)
    )
    served = [event["data"] for event in scene.events("BackorderAllocated")]
    assert [(told["order_number"], told["quantity"]) for told in served] == [("102", 2)]
    lines = [line for line in scene.ledger("RESERVE") if line["reason"] == "backorder"]
    assert sum(line["backordered_delta"] for line in lines) == -2


def test_the_best_priority_is_served_first_then_the_oldest(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.product("MUG-1")
    scene.given("""
        101  2 MUG-1 MAIN
        102  2 MUG-1 MAIN priority 10
        103  2 MUG-1 MAIN priority 10
        104  2 MUG-1 MAIN priority 200
    """)
    answer = scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 5, lot_code="A"),)))
    assert answer.served == [scene.hold("102"), scene.hold("103"), scene.hold("101")]
    scene.stands("""
        MUG-1 MAIN  A 5/5, waits 3
        101         A 1, waits 1
        102         A 2
        103         A 2
        104         waits 2
    """)


def test_nobody_overtakes_who_waits(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2
        101         5 MUG-1 MAIN
    """)
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 2, lot_code="B"),)))
    scene.refuses(Reserve("MUG-1", 1, "MAIN", Target("102")), "INSUFFICIENT_STOCK")


def test_who_waits_for_a_lot_is_not_served_from_another(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2
        101         3 MUG-1 MAIN lot A
        MUG-1 MAIN  B 5
    """)
    scene.stands("""
        MUG-1 MAIN  A 2/2, B 5/0, waits 1
        101         A 2, waits 1
    """)
    scene.do(Reserve("MUG-1", 5, "MAIN", Target("102")))
    scene.do(Receive("MAIN", (ReceiptLine("MUG-1", 1, lot_code="A"),)))
    scene.stands("""
        MUG-1 MAIN  A 3/3, B 5/5
        101         A 3
        102         B 5
    """)


def test_one_release_may_serve_many(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 5
        101         5 MUG-1 MAIN
        102         2 MUG-1 MAIN
        103         2 MUG-1 MAIN
        104         2 MUG-1 MAIN
    """)
    scene.do(Release(scene.hold("101")))
    scene.stands("""
        MUG-1 MAIN  A 5/5, waits 1
        101         cancelled
        102         A 2
        103         A 2
        104         A 1, waits 1
    """)


def test_an_order_given_back_as_a_whole_does_not_serve_itself_for_long(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given("""
        MUG-1 MAIN  A 5
        101         5 MUG-1 MAIN
        101         5 MUG-1 MAIN
    """)
    scene.do(OrderClose("101", "manual", consume=False))
    scene.stands("""
        MUG-1 MAIN  A 5/0
        101         cancelled
        101         cancelled
    """)


def test_ad_hoc_holds_are_given_back_oldest_first_even_when_they_serve_each_other(scene: Scene) -> None:
    scene.product("MUG-1", oversell="backorder")
    scene.given("MUG-1 MAIN  A 5")
    scene.do(ReserveAtLevel("MUG-1", "MAIN", 5))
    scene.do(ReserveAtLevel("MUG-1", "MAIN", 5))
    scene.do(ReleaseAtLevel("MUG-1", "MAIN", 8))
    scene.stands("""
        MUG-1 MAIN  A 5/2
        -           cancelled
        -           A 2
    """)


def test_a_dead_hold_is_never_served(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2
        101         2 MUG-1 MAIN
        102         2 MUG-1 MAIN until 60
        103         2 MUG-1 MAIN
    """)
    scene.pass_(61)
    scene.do(Release(scene.hold("101")))
    scene.stands("""
        MUG-1 MAIN  A 2/2
        101         cancelled
        102         expired
        103         A 2
    """)


def test_dead_holds_are_released_oldest_first_each_serving_whoever_waits(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2, B 2
        101         2 MUG-1 MAIN until 50
        102         2 MUG-1 MAIN until 40
        103         3 MUG-1 MAIN
    """)
    scene.pass_(60)
    scene.do(Sweep((level_of(scene),)))
    scene.stands("""
        MUG-1 MAIN  A 2/1, B 2/2
        101         expired
        102         expired
        103         B 2, A 1
    """)
    assert [event["data"]["order_number"] for event in scene.events("ReservationExpired")] == ["102", "101"]


DEAD = 601
"""More than one load brings in."""


def many_die(scene: Scene) -> None:
    """Hundreds of holds of one order, all dead at once, and nobody has looked yet."""
    expires_at = scene.now + 10 * SECOND
    command = Reserve("MUG-1", 1, "MAIN", Target("101", "shopify"), priority=10, expires_at=expires_at)
    scene.do(CommandGroup((command,) * DEAD))
    scene.pass_(10)


@pytest.mark.parametrize(
    "command",
    [
        Reserve("MUG-1", DEAD, "MAIN", Target("102")),
        Reserve("MUG-1", DEAD, None, Target("102")),
        Dispatch("MAIN", "EAST", (TransferLine("MUG-1", DEAD),)),
        ReserveAtLevel("MUG-1", "MAIN", DEAD),
        AdjustStock("MUG-1", "MAIN", -DEAD),
    ],
    ids=lambda command: type(command).__name__,
)
def test_hundreds_of_dead_holds_do_not_hide_the_stock(scene: Scene, command: Any) -> None:
    scene.given(f"MUG-1 MAIN  A {DEAD}")
    many_die(scene)
    scene.do(command)
    assert scene.events("ReservationBackordered") == []
    assert len(scene.events("ReservationExpired")) == DEAD


@pytest.mark.parametrize("consume", [True, False])
def test_hundreds_of_dead_holds_are_neither_sold_nor_given_back_twice(scene: Scene, consume: bool) -> None:
    scene.given(f"MUG-1 MAIN  A {DEAD}")
    many_die(scene)
    answer = scene.do(OrderClose("101", "shopify", consume=consume))
    assert {(one.status, one.release_reason) for one in answer} == {("released", "expired")}
    assert scene.ledger("SALE") == []


@pytest.mark.parametrize("fact", ["count", "recall"])
def test_the_dead_lose_before_the_living(scene: Scene, fact: str) -> None:
    scene.given(f"MUG-1 MAIN  A {DEAD}, B 5")
    many_die(scene)
    scene.clock.pass_(-SECOND)
    scene.do(Reserve("MUG-1", 5, "MAIN", Target("102"), priority=200))
    scene.clock.pass_(SECOND)
    if fact == "count":
        answer = scene.do(Count("MAIN", (CountLine("MUG-1", 5),)))
        assert answer.lines[0].shorted == []
    else:
        assert scene.do(Quarantine(scene.lot("A"))).shorted == []
    assert scene.table()[-1] == "102 B 5"


def test_a_recalled_lot_that_comes_back_serves_whom_it_left(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 3
        101         3 MUG-1 MAIN
    """)
    scene.do(Quarantine(scene.lot("A"), "bad glaze"))
    scene.stands("""
        MUG-1 MAIN             waits 3
        MUG-1 MAIN-QUARANTINE  A 3/0
        101                    waits 3
    """)
    scene.do(ReleaseFromQuarantine(scene.lot("A")))
    scene.stands("""
        MUG-1 MAIN  A 3/3
        101         A 3
    """)


def test_a_sheet_that_finds_more_serves(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN  A 2
        101         4 MUG-1 MAIN
    """)
    sheet = scene.do(Count("MAIN", (CountLine("MUG-1", 5),), draft=True))
    scene.stands("""
        MUG-1 MAIN  A 2/2, waits 2
        101         A 2, waits 2
    """)
    scene.do(CloseSheet(sheet.id, post=True))
    scene.stands("""
        MUG-1 MAIN  A 2/2, ~ 3/2
        101         A 2, ~ 2
    """)
