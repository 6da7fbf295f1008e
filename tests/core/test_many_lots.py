"""Levels with more lots than are loaded with their lock: units leave in the same order, and nothing is overlooked.

`few_loaded` loads two lots with a lock, so that three are many.
"""

from __future__ import annotations

import pytest

from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from holdfast.db.batch import lot_queries
from tests.core.scene import Scene
from tests.shop import SECOND

MANY = 70
"""More lots than a transaction has questions."""


@pytest.fixture
def few_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot_queries, "FIRST", 2)


pytestmark = pytest.mark.usefixtures("few_loaded")


def test_units_leave_in_the_order_of_receipt(scene_anywhere: Scene) -> None:
    shop = scene_anywhere.shop
    scene_anywhere.given("MUG-1 MAIN  A 1, B 1, C 1, D 2, E 1")
    for order in ("1", "2", "3"):
        shop.ok(Reserve("MUG-1", 1, "MAIN", Target(order)))
    scene_anywhere.stands("""
        MUG-1 MAIN  A 1/1, B 1/1, C 1/1, D 2/0, E 1/0
        1           A 1
        2           B 1
        3           C 1
    """)
    shop.ok(Release(scene_anywhere.hold("2")))
    shop.ok(Reserve("MUG-1", 4, "MAIN", Target("4")))
    scene_anywhere.stands("""
        MUG-1 MAIN  A 1/1, B 1/1, C 1/1, D 2/2, E 1/1
        1           A 1
        2           cancelled
        3           C 1
        4           B 1, D 2, E 1
    """)
    assert shop.refused(Reserve("MUG-1", 1, "MAIN", Target("5"))).code == "INSUFFICIENT_STOCK"


def test_what_expires_first_leaves_first_wherever_it_stands_in_the_order_of_receipt(scene: Scene) -> None:
    scene.product("MUG-1", track_expiry=True)
    scene.given("MUG-1 MAIN  N 1, A 1 until 9000, B 1 until 8000, C 1 until 7000, D 1 until 6000, E 1 until 5000")
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("1")))
    scene.do(Reserve("MUG-1", 3, "MAIN", Target("2")))
    scene.do(AdjustStock("MUG-1", "MAIN", -1))
    scene.stands("""
        MUG-1 MAIN  A 1/0, B 1/1, C 1/1, D 1/1, E 1/1
        1           E 1
        2           D 1, C 1, B 1
    """)
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("3")))
    assert scene.table()[-1].endswith("A 1")


def test_lots_expire_that_are_behind_those_that_are_loaded(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1, B 1, C 1, D 1 until 60, E 2 until 60")
    scene.do(Reserve("MUG-1", 5, "MAIN", Target("1")))
    scene.pass_(60)
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("2"), override=True))
    scene.stands("""
        MUG-1 MAIN             A 1/1, B 1/1, C 1/1, waits 3
        MUG-1 MAIN-QUARANTINE  D 1/0, E 2/0
        1                      C 1, A 1, B 1, waits 2
        2                      waits 1
    """)


def test_a_lot_is_found_by_its_name(scene_anywhere: Scene) -> None:
    shop = scene_anywhere.shop
    scene_anywhere.given("MUG-1 MAIN  A 1, B 1, C 1, D 2, E 2")
    lot_d, lot_e = scene_anywhere.lot("D"), scene_anywhere.lot("E")
    pinned = shop.ok(Reserve("MUG-1", 1, "MAIN", Target("1"), lot_id=lot_d))
    shop.ok(Consume(pinned.id))
    shop.ok(Reserve("MUG-1", 1, "MAIN", Target("2"), lot_id=lot_d))
    shop.ok(Reserve("MUG-1", 2, None, Target("3"), lot_id=lot_e))
    shop.ok(Quarantine(lot_d))
    scene_anywhere.stands("""
        MUG-1 MAIN             A 1/0, B 1/0, C 1/0, E 2/2, waits 1
        MUG-1 MAIN-QUARANTINE  D 1/0
        1                      consumed 1
        2                      waits 1
        3                      E 2
    """)


def test_holds_of_a_recalled_lot_move_to_lots_that_are_not_loaded(scene: Scene) -> None:
    scene.given("""
        MUG-1 MAIN   A 3, B 1, C 1, D 1
        101          3 MUG-1 MAIN
    """)
    scene.do(Quarantine(scene.lot("A")))
    scene.stands("""
        MUG-1 MAIN             B 1/1, C 1/1, D 1/1
        MUG-1 MAIN-QUARANTINE  A 3/0
        101                    B 1, C 1, D 1
    """)


def test_more_lots_may_expire_at_once_than_a_transaction_has_questions(scene: Scene) -> None:
    """Where others lie in quarantine already, each may have been there before."""
    scene.given("MUG-1 MAIN  A 1, Z 1 until 60")
    scene.pass_(60)
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("1")))
    until = scene.now + 60 * SECOND
    lines = tuple(ReceiptLine("MUG-1", 1, lot_code=f"E{number}", expires_at=until) for number in range(MANY))
    scene.do(Receive("MAIN", (*lines, ReceiptLine("MUG-1", 1))))
    scene.pass_(60)
    scene.do(Reserve("MUG-1", 1, "MAIN", Target("2")))
    aside = "SELECT count(*) AS n FROM lot_stock s JOIN location l ON l.id = s.location_id WHERE l.kind = 'quarantine'"
    assert scene.shop.rows(aside) == [{"n": MANY + 1}]


def test_lots_may_take_a_road_again_that_they_took_before(scene_anywhere: Scene) -> None:
    shop = scene_anywhere.shop
    shop.product("MUG-1")
    shop.ok(Receive("MAIN", tuple(ReceiptLine("MUG-1", 1) for _ in range(MANY))))
    first = shop.ok(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", MANY),)))
    shop.ok(SendBack(first.id))
    again = shop.ok(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", MANY),)))
    assert shop.ok(ReceiveTransfer(again.id)).status == "received"
