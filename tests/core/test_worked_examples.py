"""The worked examples at the heads of the long modules, number by number: a head that is wrong fails here."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.cart import CancelSale, EditLine
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import DiscountRequest, LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.sales.payments import PaymentRequest
from holdfast.db.batch.load import WriterCatalogs
from holdfast.db.batch.session import open_batch_session
from holdfast.executor import Batch, Submission, batch, transaction
from tests.core.books import balances, book_faults, sale_faults
from tests.core.scene import Scene
from tests.shop import Clock, open_shop, quick_sqlite
from tests.truth import assert_truth


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Iterator[Scene]:
    """A shop with MAIN and EAST; at the end stock, books and sales agree."""
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'scene.db'}") as shop:
        yield Scene(shop, clock)
        assert_truth(shop)
        assert book_faults(shop) == []
        assert sale_faults(shop) == []


def where(scene: Scene, order: str) -> list[tuple[str, int, int]]:
    """(location, units that lots back, units that wait) of the order's active holds, by location."""
    query = (
        "SELECT l.code, r.quantity - r.consumed - r.released - r.backordered AS backed, r.backordered "
        "FROM reservation r JOIN location l ON l.id = r.location_id "
        "WHERE r.order_number = :order AND r.status = 'active' ORDER BY l.code, r.id"
    )
    return [(row["code"], row["backed"], row["backordered"]) for row in scene.shop.rows(query, order=order)]


def levels(scene: Scene) -> dict[str, tuple[int, int, int]]:
    """(on hand, reserved, backordered) by location code, of what the shop has of one product."""
    query = "SELECT l.code, v.on_hand, v.reserved, v.backordered FROM level v JOIN location l ON l.id = v.location_id"
    return {row["code"]: (row["on_hand"], row["reserved"], row["backordered"]) for row in scene.shop.rows(query)}


# core/stock/backorders.py --------------------------------------------------------------------------------------------


def test_backorders_of_sale_lines(scene: Scene) -> None:
    scene.product("MUG-1", price=990, oversell="backorder")
    scene.given("MUG-1 MAIN  A 3")
    for number, units in (("101", 5), ("102", 4)):
        scene.do(OpenSale(order_number=number, lines=(LineRequest("MUG-1", units),)))
        scene.pass_(1)
    assert (where(scene, "101"), where(scene, "102")) == ([("MAIN", 3, 2)], [("MAIN", 0, 4)])

    scene.shop.receive("MUG-1", 5, "EAST", lot="B")

    assert where(scene, "101") == [("EAST", 2, 0), ("MAIN", 3, 0)]
    assert where(scene, "102") == [("EAST", 3, 0), ("MAIN", 0, 1)]
    assert levels(scene) == {"MAIN": (3, 3, 1), "EAST": (5, 5, 0)}


def test_backorders_of_direct_holds(scene: Scene) -> None:
    scene.product("MUG-1", price=990, oversell="backorder")
    scene.given("MUG-1 MAIN  A 3")
    for number, units in (("101", 5), ("102", 4)):
        scene.do(Reserve("MUG-1", units, None, Target(number)))
        scene.pass_(1)
    assert (where(scene, "101"), where(scene, "102")) == ([("MAIN", 3, 2)], [("MAIN", 0, 4)])

    scene.shop.receive("MUG-1", 5, "EAST", lot="B")

    assert where(scene, "101") == [("EAST", 5, 0)]
    assert where(scene, "102") == [("MAIN", 3, 1)]
    assert levels(scene) == {"MAIN": (3, 3, 1), "EAST": (5, 5, 0)}


# core/reservations/sourcing.py ---------------------------------------------------------------------------------------


def test_sourcing_splits_over_the_fewest_locations(scene: Scene) -> None:
    scene.product("MUG-1", price=990)
    scene.shop.location("BACK", priority=200)
    scene.given("""
        MUG-1 EAST  A 3
        MUG-1 MAIN  B 4
        MUG-1 BACK  C 6
    """)

    def held(units: int, number: str) -> list[tuple[str, int, int]]:
        sale = scene.do(OpenSale(order_number=number, lines=(LineRequest("MUG-1", units),)))
        found = where(scene, number)
        scene.do(CancelSale(sale.id))
        return found

    assert held(3, "1") == [("EAST", 3, 0)]
    assert held(5, "2") == [("BACK", 5, 0)]
    assert held(7, "3") == [("BACK", 6, 0), ("MAIN", 1, 0)]
    assert held(12, "4") == [("BACK", 6, 0), ("EAST", 2, 0), ("MAIN", 4, 0)]
    refused = scene.refuses(OpenSale(lines=(LineRequest("MUG-1", 14),)), "INSUFFICIENT_STOCK")
    assert [(line["requested"], line["available"]) for line in refused.numbers["lines"]] == [(14, 13)]


def test_sourcing_competes_for_the_difference_only(scene: Scene) -> None:
    scene.product("MUG-1", price=990)
    scene.given("MUG-1 EAST  A 3\nMUG-1 MAIN  B 4")
    sale = scene.do(OpenSale(order_number="1", lines=(LineRequest("MUG-1", 5),)))
    line = sale.lines[0].id
    assert where(scene, "1") == [("EAST", 1, 0), ("MAIN", 4, 0)]

    scene.do(EditLine(sale.id, line, quantity=7))
    assert where(scene, "1") == [("EAST", 3, 0), ("MAIN", 4, 0)]
    scene.refuses(EditLine(sale.id, line, quantity=8), "INSUFFICIENT_STOCK")

    scene.do(EditLine(sale.id, line, quantity=2))
    assert sum(backed for _, backed, _ in where(scene, "1")) == 2


# core/sales/completion.py --------------------------------------------------------------------------------------------


def test_completion_with_cash(scene: Scene) -> None:
    scene.product("MUG-1", price=990)
    scene.given("MUG-1 MAIN  A 3 @4.00")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 2),)))

    done = scene.do(CompleteSale(sale.id, (PaymentRequest("cash", "20.00"),)))

    assert (done.status, done.total, done.change) == ("completed", "19.80", "0.20")
    books = balances(scene.shop)
    assert (books["1000"], books["4000"], books["5000"]) == (1980, -1980, 800)


def test_completion_in_parts(scene: Scene) -> None:
    scene.product("MUG-1", price=1000)
    scene.given("MUG-1 MAIN  A 3 @4.00")
    asked = OpenSale(
        scene.shop.stores["MAIN"], lines=(LineRequest("MUG-1", 3),), discount=DiscountRequest(amount="20.00")
    )
    sale = scene.do(asked)
    assert sale.total == "10.00"
    line = sale.lines[0].id

    shares = []
    for _ in range(2):
        before = balances(scene.shop).get("4000", 0)
        scene.do(Fulfill(sale.id, (ShipLine(line, 1),)))
        shares.append(before - balances(scene.shop)["4000"])
        assert balances(scene.shop)["1100"] == sum(shares)
    done = scene.do(CompleteSale(sale.id, None))

    assert (shares, done.status) == ([334, 333], "completed")
    assert (balances(scene.shop)["4000"], balances(scene.shop)["1100"]) == (-1000, 1000)


def test_completion_after_a_cancellation(scene: Scene) -> None:
    scene.product("MUG-1", price=1000)
    scene.given("MUG-1 MAIN  A 3 @4.00")
    sale = scene.do(OpenSale(scene.shop.stores["MAIN"], order_number="7", lines=(LineRequest("MUG-1", 3),)))
    scene.do(Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),)))

    done = scene.do(CancelSale(sale.id))

    assert (done.status, done.total) == ("completed", "10.00")
    assert levels(scene) == {"MAIN": (2, 0, 0)}


# core/sales/order_import.py ------------------------------------------------------------------------------------------


def test_an_order_is_brought_five_times(scene: Scene) -> None:
    scene.product("MUG-1", price=990)
    scene.given("MUG-1 MAIN  A 2")

    def brought(**fields: Any) -> Any:
        line = OrderedLine("MUG-1", 3, **fields)
        return scene.do(ImportOrder("#1002", "shopify", (line,), scene.shop.stores["MAIN"], payment="card"))

    first = brought()
    assert (first.brought, first.status, first.waiting[0].quantity) == ("added", "suspended", 1)
    assert where(scene, "#1002") == [("MAIN", 2, 1)]

    second = brought(fulfilled=3)
    assert (second.brought, second.status, second.owing) == ("changed", "suspended", True)
    assert levels(scene) == {"MAIN": (0, 0, 1)}
    assert brought(fulfilled=3).brought == "unchanged"

    scene.shop.receive("MUG-1", 5, lot="B")
    third = brought(fulfilled=3)
    assert (third.brought, third.status, third.total, third.owing) == ("changed", "completed", "29.70", False)
    assert levels(scene) == {"MAIN": (4, 0, 0)}

    fourth = brought(fulfilled=3, returned=1)
    assert (fourth.brought, fourth.refunded) == ("changed", "9.90")
    assert levels(scene) == {"MAIN": (5, 0, 0)}


# executor/batch.py ---------------------------------------------------------------------------------------------------


def test_a_batch_of_three_is_one_transaction(scene: Scene) -> None:
    scene.product("MUG-1", price=990)
    scene.given("MUG-1 MAIN  A 3")
    shop = scene.shop
    commands = [Reserve("MUG-1", units, "MAIN", Target(order)) for order, units in (("101", 2), ("102", 2), ("103", 1))]
    replies: list[Future[Any]] = [Future() for _ in commands]
    submissions = [
        Submission(shop.owner.caller, command, key=None, fingerprint="", render=None, status=201, loop=None, future=one)
        for command, one in zip(commands, replies, strict=True)
    ]
    session = open_batch_session(shop.holdfast.database)
    [before] = shop.rows("SELECT count(*) AS batches FROM event_batch")

    Batch(session, WriterCatalogs(), shop.org_id, submissions).run()

    session.close()
    [after] = shop.rows("SELECT count(*) AS batches FROM event_batch")
    assert after["batches"] == before["batches"] + 1
    refused = replies[1].result().answer
    assert (refused.code, refused.numbers["requested"], refused.numbers["available"]) == ("INSUFFICIENT_STOCK", 2, 1)
    scene.stands("""
        MUG-1 MAIN A 3/3
        101 A 2
        103 A 1
    """)


def test_the_bounds_of_a_batch_are_those_of_its_head() -> None:
    bounds = (transaction.BEGINNINGS_MAX, transaction.QUESTIONS_MAX, batch.FIRST_PAUSE_SECONDS, batch.TRIES_MAX)

    assert (bounds, batch.UNKNOWN_SECONDS) == ((12, 60, 0.02, 6), 60.0)
