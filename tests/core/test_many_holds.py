"""What has very many holds is found out soon: bounds on the holds of an order, a sale, an appointment, and of nobody.

The bounds are small here; that they are what the database stops at is tested with them.
"""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.core.records import wants
from holdfast.core.records.command import CommandGroup
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.order_holds import ConsumeAtLevel, OrderClose, OrderLine, OrderReserve, ReleaseAtLevel
from holdfast.core.reservations.reserve import Release, Reserve, Target
from holdfast.core.sales.cart import EditLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.stock.working_set import WorkingSet
from holdfast.db.batch import loaders
from tests.core.scene import Scene
from tests.shop import FOUNDED

MADE = 3
READ = 6


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three holds of one order, and six that are looked at."""
    for module in ("core.records.wants", "core.reservations.hold_bounds"):
        monkeypatch.setattr(f"holdfast.{module}.HOLDS_MAX", MADE)
    for module in ("core.stock.working_set", "core.reservations.order_holds"):
        monkeypatch.setattr(f"holdfast.{module}.HOLDS_READ_MAX", READ)
    keys = {
        wants.HoldsOfOrder: (("order_number", "text"), ("source", "text")),
        wants.ActiveOfOrder: (("order_number", "text"), ("source", "text")),
        wants.ActiveOfNumber: (("order_number", "text"),),
        wants.AdhocAt: (("level_id", "uuid"),),
    }
    where = {
        wants.HoldsOfOrder: "",
        wants.AdhocAt: "t.status = 'active' AND t.held_for = 'adhoc' ORDER BY t.id",
    }
    known: Any = loaders.LOADERS
    for kind, of in keys.items():
        loader = loaders._holds(*of, where=where.get(kind, "t.status = 'active'"), most=READ + 1)
        monkeypatch.setitem(known, kind, loader)


@pytest.fixture
def many(scene_anywhere: Scene) -> Scene:
    """Mugs at MAIN."""
    scene_anywhere.product("MUG-1", price=990)
    scene_anywhere.product("TEE-1", price=2000)
    scene_anywhere.given("MUG-1 MAIN  A 50\nTEE-1 MAIN  B 50")
    return scene_anywhere


def hold(number: str = "W9", source: str = "website") -> Reserve:
    """One mug for an order."""
    return Reserve("MUG-1", 1, "MAIN", Target(number, source))


def test_an_order_has_so_many_holds(many: Scene) -> None:
    """One more is refused until one of them has ended; the same number of another source is another order."""
    made = [many.do(hold()) for _ in range(MADE)]
    assert many.refuses(hold(), "INVALID_STATE").detail == "Order W9 has 3 active holds."
    many.do(hold(source="phone"))
    many.do(Release(made[0].id))
    many.do(hold())
    many.refuses(hold(), "INVALID_STATE")
    assert many.do(ReleaseAtLevel("MUG-1", "MAIN", 3, "W9", "website")).reserved_quantity == 1


def test_holds_of_an_order_in_one_batch(many: Scene) -> None:
    """What the same batch has made is counted as well."""
    answers = many.do(CommandGroup(tuple(hold() for _ in range(MADE + 2)), atomic=False))
    assert [type(one).__name__ for one in answers].count("Refusal") == 2


def test_holds_that_were_made_before_there_was_a_bound(many: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever means all of them is told to name them; each can be released, and then all of what is left."""
    with monkeypatch.context() as before:
        before.setattr("holdfast.core.reservations.hold_bounds.refuse_crowded_order", lambda *_: None)
        before.setattr("holdfast.core.reservations.order_holds.refuse_crowded_order", lambda *_: None)
        made = [many.do(hold()) for _ in range(READ + 2)]
    lines = (LineRequest("MUG-1", 1),)
    too_many = (
        ReleaseAtLevel("MUG-1", "MAIN", 1, "W9", "website"),
        ConsumeAtLevel("MUG-1", "MAIN", 1, "W9"),
        OrderReserve("W9", "website", (OrderLine("MUG-1", 1),)),
        OrderClose("W9", "website", consume=False),
        OpenSale(many.shop.stores["MAIN"], source="website", order_number="W9", lines=lines),
    )
    for command in too_many:
        assert "name them by their ids" in many.refuses(command, "INVALID_STATE").detail
    many.do(OpenSale(many.shop.stores["MAIN"], source="phone", order_number="W9", lines=lines))
    for one in made[:2]:
        many.do(Release(one.id))
    many.do(ReleaseAtLevel("MUG-1", "MAIN", READ, "W9", "website"))
    many.refuses(too_many[-1], "INVALID_STATE")  # ended ones count where they matter
    many.do(hold())
    many.do(ReleaseAtLevel("MUG-1", "MAIN", 1, "W9", "website"))  # and nowhere else


def test_holds_for_nobody(many: Scene) -> None:
    """The oldest of them are found, so much as is asked of them; more is asked for again."""
    for _ in range(READ + 3):
        many.do(Reserve("MUG-1", 1, "MAIN"))
    refused = many.refuses(ReleaseAtLevel("MUG-1", "MAIN", READ + 2), "INVALID_STATE")
    assert "for nobody in particular: ask for less" in refused.detail
    assert many.do(ReleaseAtLevel("MUG-1", "MAIN", READ)).reserved_quantity == 3
    assert many.do(ReleaseAtLevel("MUG-1", "MAIN", 3)).reserved_quantity == 0
    many.refuses(ReleaseAtLevel("MUG-1", "MAIN", 1), "INSUFFICIENT_RESERVED")


def test_an_appointment_has_so_many_holds(many: Scene) -> None:
    """And its end gives all of them back."""
    meeting = many.do(Book(FOUNDED + 10**12, store_id=many.shop.stores["MAIN"]))
    target = Target(reserved_for_type="appointment", reserved_for_id=meeting.id)
    for _ in range(MADE):
        many.do(Reserve("MUG-1", 1, "MAIN", target))
    many.refuses(Reserve("MUG-1", 1, "MAIN", target), "INVALID_STATE")
    many.do(ChangeAppointment(meeting.id, status="cancelled"))


def test_a_sale_has_so_many_holds(many: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside those of its lines; and its lines make no more of them than that."""
    sale = many.do(OpenSale(many.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 1),)))
    target = Target(reserved_for_type="transaction", reserved_for_id=sale.id)
    for _ in range(MADE - 1):
        many.do(Reserve("TEE-1", 1, "MAIN", target))
    many.refuses(Reserve("TEE-1", 1, "MAIN", target), "INVALID_STATE")
    many.do(EditLine(sale.id, sale.lines[0].id, quantity=2))
    monkeypatch.setattr("holdfast.core.reservations.hold_bounds.HOLDS_OF_SALE_MAX", MADE)
    many.refuses(EditLine(sale.id, sale.lines[0].id, quantity=3), "INVALID_STATE")
    many.do(EditLine(sale.id, sale.lines[0].id, quantity=1))


def test_other_orders_of_the_number_are_not_looked_at(many: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's thousands of holds for 1002 of the phone do not slow order 1002 of Shopify."""
    seen: list[str] = []
    know = WorkingSet.know_hold

    def known(stock: WorkingSet, hold: Any) -> Any:
        seen.append(str(hold.source))
        return know(stock, hold)

    monkeypatch.setattr(WorkingSet, "know_hold", known)
    for _ in range(MADE):
        many.do(hold("1002", "phone"))
    seen.clear()
    many.do(OrderReserve("1002", "shopify", (OrderLine("MUG-1", 1),)))
    many.do(ReleaseAtLevel("MUG-1", "MAIN", 1, "1002", "shopify"))
    many.do(OrderClose("1002", "shopify", consume=False))
    assert "phone" not in seen


def test_holds_that_were_refused_are_not_counted(many: Scene) -> None:
    """Two groups of three are undone for want of stock; the hold after them, in the same batch, is the first."""
    too_much = Reserve("TEE-1", 51, "MAIN", Target("W9", "website"))
    group = CommandGroup((hold(), hold(), too_much))

    told = many.do(CommandGroup((group, group, hold()), atomic=False))

    assert [hasattr(one, "rejected") for one in told] == [True, True, False]
