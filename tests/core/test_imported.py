"""Orders taken elsewhere: brought to the state that they are in there, once, whatever stock says.

See docs/how-to/import.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from tests.core.books import balances, book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth

replace = msgspec.structs.replace


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop where mugs are 9.90, tea goes by weight and songs are digital; at the end all of it agrees."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        scene = Scene(shop, clock)
        scene.product("MUG-1", price=990)
        scene.product("TEA-1", price=2000, precision=2)
        scene.product("SONG-1", price=500, kind="digital")
        yield scene
        assert_truth(shop)
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def order(scene: Scene, *lines: OrderedLine, number: str = "#1", **fields: Any) -> ImportOrder:
    """An order of Shopify in the store MAIN."""
    return ImportOrder(number, "shopify", lines, scene.shop.stores["MAIN"], **fields)


def mugs(units: int, **fields: Any) -> OrderedLine:
    """A line of mugs."""
    return OrderedLine("MUG-1", units, **fields)


def test_what_has_gone_out_is_sold_from_the_shelf(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 3 @4.00, B 3 @5.00")
    sold = order(scene, mugs(4, fulfilled=4), OrderedLine("SONG-1", 1, fulfilled=1), payment="cash")
    taken = scene.do(sold)
    assert (taken.brought, taken.status, taken.total) == ("added", "completed", "44.60")
    scene.stands("MUG-1 MAIN B 2/0")
    books = balances(scene.shop)
    assert (books["1000"], books["4000"], books["5000"]) == (4460, -4460, 1700)
    assert scene.do(sold).brought == "unchanged"


def test_what_has_not_is_held_and_goes_on_from_there(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    assert scene.do(order(scene, mugs(3))).status == "suspended"
    scene.stands("""
        MUG-1 MAIN A 5/3
        #1 A 3
    """)
    assert scene.do(order(scene, mugs(3, fulfilled=1))).brought == "changed"
    assert scene.do(order(scene, mugs(3, fulfilled=1))).brought == "unchanged"
    done = scene.do(order(scene, mugs(3, fulfilled=3, returned=1), payment="card"))
    assert (done.brought, done.status, done.refunded) == ("changed", "completed", "9.90")
    assert scene.do(order(scene, mugs(3, fulfilled=3, returned=1))).brought == "unchanged"
    scene.stands("""
        MUG-1 MAIN A 3/0
        #1 consumed 3
    """)


def test_a_shortfall_waits_and_what_is_there_goes_out(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1")
    taken = scene.do(order(scene, mugs(4, fulfilled=4)))
    assert (taken.status, [(short.sku, short.quantity) for short in taken.waiting]) == ("suspended", [("MUG-1", 3)])
    scene.shop.receive("MUG-1", 9, lot="B")
    assert scene.do(order(scene, mugs(4, fulfilled=4))).status == "completed"
    scene.stands("""
        MUG-1 MAIN B 6/0
        #1 consumed 4
    """)


def test_what_came_back_of_an_unfinished_sale_waits_for_its_end(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    assert scene.do(order(scene, mugs(3, fulfilled=2, returned=1))).pending == 1
    ended = scene.do(order(scene, mugs(3, fulfilled=2, returned=1), cancelled=True))
    assert (ended.status, ended.pending, ended.refunded) == ("completed", 0, "9.90")
    assert scene.do(order(scene, mugs(3, fulfilled=2, returned=1), cancelled=True)).brought == "unchanged"


def test_a_cancelled_order_holds_nothing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    gone = order(scene, mugs(3), OrderedLine("TEA-1", 1), cancelled=True)
    assert scene.do(gone).status == "cancelled"
    assert scene.do(gone).brought == "unchanged"
    scene.stands("""
        MUG-1 MAIN A 5/0
        #1 voided
        #1 voided
    """)


def test_a_cancellation_of_what_was_sold_says_that_it_changes_nothing(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    sold, gone = order(scene, mugs(3, fulfilled=3)), order(scene, mugs(3), cancelled=True)
    assert scene.do(sold).stays_sold is False
    told = scene.do(gone)
    assert (told.brought, told.status, told.stays_sold) == ("unchanged", "completed", True)
    assert scene.do(order(scene, mugs(3, fulfilled=3, returned=1), cancelled=True)).stays_sold is False
    assert scene.do(gone).stays_sold is True
    scene.do(order(scene, mugs(3, fulfilled=3, returned=3)))
    assert scene.do(gone).stays_sold is False, "all of it came back"
    part = order(scene, mugs(2, fulfilled=1), number="#2", cancelled=True)
    assert [scene.do(part).stays_sold for _ in range(2)] == [False, False]


@pytest.mark.parametrize("there", [0, 1])
def test_a_cancelled_order_waits_until_stock_covers_what_went_out(scene: Scene, there: int) -> None:
    if there:
        scene.given("MUG-1 MAIN  A 1")
    gone = order(scene, mugs(3, fulfilled=2), cancelled=True)
    taken = scene.do(gone)
    assert (taken.status, bool(taken.waiting)) == ("suspended", True)
    scene.shop.receive("MUG-1", 9, lot="B")
    ended = scene.do(gone)
    assert (ended.brought, ended.status, ended.total, ended.waiting) == ("changed", "completed", "19.80", ())
    assert scene.do(gone).brought == "unchanged"
    [level] = scene.shop.rows("SELECT on_hand, reserved, backordered FROM level WHERE on_hand > 0")
    assert (level["on_hand"], level["reserved"], level["backordered"]) == (7 + there, 0, 0)


def test_a_part_that_was_shipped_before_the_cancellation_stays_sold(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    gone = order(scene, mugs(2, fulfilled=1), OrderedLine("TEA-1", 1), cancelled=True)
    taken = scene.do(gone)
    assert (taken.status, taken.total, taken.line_ids[1]) == ("completed", "9.90", None)
    assert scene.do(gone).brought == "unchanged"


def test_what_the_supplier_sent_is_not_ordered_again(scene: Scene) -> None:
    scene.product("SOFA-1", price=30000, dropship=True, supplier="Acme")
    open_orders = "SELECT id FROM supplier_order WHERE status = 'open'"
    scene.do(order(scene, OrderedLine("SOFA-1", 1)))
    assert len(scene.shop.rows(open_orders)) == 1
    scene.do(order(scene, OrderedLine("SOFA-1", 1, fulfilled=1)))
    scene.do(order(scene, OrderedLine("SOFA-1", 2, fulfilled=2), number="#2"))
    assert scene.shop.rows(open_orders) == []


def test_what_the_supplier_sent_of_a_cancelled_order_is_all_of_it(scene: Scene) -> None:
    scene.product("SOFA-1", price=30000, dropship=True, supplier="Acme")
    scene.do(order(scene, OrderedLine("SOFA-1", 2, fulfilled=1), cancelled=True))
    assert scene.shop.rows("SELECT quantity, status FROM supplier_order") == [{"quantity": 1, "status": "shipped"}]


def test_an_order_of_more_lines_than_a_cart_may_have(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 2000")
    taken = scene.do(order(scene, *(mugs(1, fulfilled=1) for _ in range(1_114))))
    assert (taken.status, len(taken.line_ids)) == ("completed", 1_114)


def test_prices_discounts_and_fees_are_the_orders(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    line = mugs(2, unit_price="8.00", discount="1.00", fulfilled=2)
    taken = scene.do(order(scene, line, discount="3.00", fees=(FeeRequest("Shipping", "4.50"),), payment="card"))
    assert taken.total == "16.50"


def test_an_order_is_taken_as_a_whole_or_not_at_all(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.refuses(order(scene, mugs(1), OrderedLine("NOPE", 1)), "PRODUCT_NOT_FOUND")
    scene.refuses(order(scene, mugs(2, fulfilled=2, returned=3)), "RETURN_EXCEEDS_SALE")
    scene.refuses(order(scene, OrderedLine("TEA-1", 1, fulfilled=-1)), "INVALID_QUANTITY")
    scene.do(order(scene, mugs(1)))
    scene.refuses(order(scene, mugs(2)), "ALREADY_EXISTS")
    scene.refuses(order(scene, mugs(1), mugs(1)), "ALREADY_EXISTS")


def test_a_part_that_went_out_of_a_cancelled_order_is_booked_with_its_money(scene: Scene) -> None:
    """Shipped and cancelled in one command: the money of the part is not lost behind that of the end."""
    scene.given("MUG-1 MAIN  A 5 @3.00")
    scene.do(order(scene, mugs(2, fulfilled=1, unit_price="12.00"), cancelled=True))
    booked = balances(scene.shop)
    assert {name: booked[name] for name in ("1100", "1200", "4000", "5000")} == {
        "1100": 1200,
        "1200": 1200,
        "4000": -1200,
        "5000": 300,
    }


# Cancelled here, gone out there --------------------------------------------------------------------------------------


def test_an_order_that_was_cancelled_here_and_has_gone_out_is_taken_up_again(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5 @3.00")
    sale = scene.do(order(scene, mugs(3), OrderedLine("SONG-1", 1))).sale_id
    scene.do(CancelSale(sale))
    gone = order(scene, mugs(3, fulfilled=3, returned=1), OrderedLine("SONG-1", 1, fulfilled=1), payment="card")
    taken = scene.do(gone)
    assert (taken.sale_id, taken.brought, taken.status, taken.taken_up) == (sale, "changed", "completed", True)
    assert (taken.total, taken.refunded) == ("34.70", "9.90")
    scene.stands("""
        MUG-1 MAIN A 3/0
        #1 voided
        #1 consumed 3
    """)
    again = scene.do(gone)
    assert (again.brought, again.taken_up, again.owing) == ("unchanged", False, False)


def test_of_a_cancelled_order_goes_what_is_there_and_the_rest_waits(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 1")
    scene.do(CancelSale(scene.do(order(scene, mugs(3))).sale_id))
    gone = order(scene, mugs(3, fulfilled=2))
    taken = scene.do(gone)
    assert (taken.brought, taken.status, taken.taken_up, taken.owing) == ("changed", "suspended", True, True)
    assert [short.quantity for short in taken.waiting] == [2]
    assert scene.do(gone).owing, "it is told until stock covers it"
    scene.shop.receive("MUG-1", 9, lot="B")
    assert (scene.do(gone).owing, scene.do(order(scene, mugs(3, fulfilled=3))).status) == (False, "completed")


def test_a_part_of_what_was_cancelled_here_and_there_has_gone_out(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(order(scene, mugs(3), cancelled=True))
    taken = scene.do(order(scene, mugs(3, fulfilled=1), cancelled=True))
    assert (taken.status, taken.total, taken.taken_up, taken.owing) == ("completed", "9.90", True, False)
    more = scene.do(order(scene, mugs(3, fulfilled=2), cancelled=True))
    assert (more.brought, more.owing) == ("unchanged", True), "it is finished with one: it says so"
    scene.stands("""
        MUG-1 MAIN A 4/0
        #1 voided
        #1 consumed 1
    """)


def test_a_cancelled_order_of_which_nothing_has_gone_out_stays_so(scene: Scene) -> None:
    scene.given("MUG-1 MAIN  A 5")
    scene.do(order(scene, mugs(3), cancelled=True))
    taken = scene.do(order(scene, mugs(3)))
    assert (taken.brought, taken.status, taken.taken_up, taken.owing) == ("unchanged", "cancelled", False, False)
    scene.refuses(order(scene, mugs(2, fulfilled=2)), "ALREADY_EXISTS")
    scene.stands("""
        MUG-1 MAIN A 5/0
        #1 voided
    """)


def test_what_the_supplier_sent_of_a_cancelled_order_is_ordered_once(scene: Scene) -> None:
    scene.product("SOFA-1", price=30000, dropship=True, supplier="Acme")
    scene.do(order(scene, OrderedLine("SOFA-1", 2), cancelled=True))
    assert scene.shop.rows("SELECT status FROM supplier_order") == [{"status": "cancelled"}]
    scene.do(order(scene, OrderedLine("SOFA-1", 2, fulfilled=2)))
    assert scene.shop.rows("SELECT quantity, status FROM supplier_order") == [{"quantity": 2, "status": "shipped"}]
