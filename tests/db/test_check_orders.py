"""The check names who waits beside free units and what one order holds twice; old databases get no false alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from holdfast.check import check
from holdfast.core.records.stock import Reservation
from holdfast.core.reservations.order_holds import OrderLine, OrderReserve
from holdfast.core.reservations.reserve import Release, Reserve, Target
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.batch.rows import checksum, row_type
from holdfast.db.migrations.versions import __path__ as VERSIONS
from tests.shop import Shop, open_shop, quick_sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A shop on either database where mugs may be backordered."""
    with quick_sqlite():
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'shop.db'}"
        else:
            server = request.getfixturevalue("postgres_server")
            url = server.url(server.create_database())
        with open_shop(url) as opened:
            opened.product("MUG-1", price=100, oversell="backorder")
            yield opened


def found(shop: Shop) -> list[str]:
    """The invariants that do not hold."""
    return [mismatch.invariant for mismatch in check(shop.holdfast.database).mismatches]


def change(shop: Shop, where: str, **fields: Any) -> None:
    """Make holds what an older version would have left, their rows intact."""
    kind = row_type(Reservation)
    columns = ", ".join(kind.columns)
    for row in shop.rows(f"SELECT {columns} FROM reservation WHERE {where}"):
        values = {**row, **fields}
        if isinstance(values["allocations"], str):
            values["allocations"] = json.loads(values["allocations"])
        values["allocations"] = tuple(map(tuple, values["allocations"]))
        hold = Reservation(**values)
        names = [*fields, "checksum"]
        sets = ", ".join(f"{name} = :{name}" for name in names)
        with shop.holdfast.database.writing() as connection:
            connection.execute(
                text(f"UPDATE reservation SET {sets} WHERE CAST(id AS text) = :id"),
                {**fields, "checksum": checksum(hold), "id": hold.id},
            )


def test_a_hold_that_waits_beside_free_units_is_named_and_the_sweep_serves_it(shop: Shop) -> None:
    shop.receive("MUG-1", 1, "MAIN")
    shop.ok(OpenSale(order_number="1", lines=(LineRequest("MUG-1", 3, location="MAIN"),)))
    shop.ok(Reserve("MUG-1", 2, "MAIN", Target("2")))
    shop.receive("MUG-1", 5, "EAST")
    assert found(shop) == []
    change(shop, "order_number IN ('1', '2')", served_from="online")
    assert found(shop) == ["reservation.waits beside free units"] * 2
    assert shop.holdfast.sweep() == 1
    assert found(shop) == []
    assert shop.rows("SELECT sum(backordered) AS n FROM reservation") == [{"n": 0}]
    assert shop.holdfast.sweep() == 0


def test_what_cannot_be_helped_is_not_named(shop: Shop) -> None:
    shop.receive("MUG-1", 1, "MAIN")
    shop.ok(Reserve("MUG-1", 5, None, Target("1")))
    shop.receive("MUG-1", 1, "EAST")  # no better for a hold that is not split
    shop.location("MAIN-BACK", ships_online=False)
    shop.receive("MUG-1", 9, "MAIN-BACK")
    assert found(shop) == []
    assert shop.holdfast.sweep() == 0


def test_a_second_hold_of_an_order_line_is_named(shop: Shop) -> None:
    shop.receive("MUG-1", 9, "MAIN")
    taken = shop.ok(ImportOrder("#1", "shopify", (OrderedLine("MUG-1", 2),)))
    other = shop.ok(ImportOrder("#2", "shopify", (OrderedLine("MUG-1", 1),)))
    shop.ok(OrderReserve("999", "shopify", (OrderLine("MUG-1", 2),)))
    shop.ok(OrderReserve("998", "shopify", (OrderLine("MUG-1", 2),)))
    shop.ok(CancelSale(other.sale_id))
    assert found(shop) == []
    change(shop, "order_number = '999'", order_number="#1")
    assert found(shop) == ["reservation.one hold of an order line"]
    shop.ok(CompleteSale(taken.sale_id))
    assert found(shop) == []
    change(shop, "order_number = '998'", order_number="#2")
    assert found(shop) == ["reservation.one hold of an order line"]


def test_a_hold_that_moved_agrees_with_both_ledgers(shop: Shop) -> None:
    shop.receive("MUG-1", 3, "MAIN")
    shop.ok(Reserve("MUG-1", 5, None, Target("1")))
    shop.ok(Receive("EAST", (ReceiptLine("MUG-1", 9),)))
    assert shop.rows("SELECT sum(backordered) AS n FROM reservation") == [{"n": 0}]
    assert found(shop) == []


# Step 0007 on what older versions left ------------------------------------------------------------------------------


def as_before(shop: Shop) -> None:
    """Take back what the step makes."""
    change(shop, "served_from IS NOT NULL", served_from=None)
    with shop.holdfast.database.writing() as connection:
        for index in ("ix_reservation_roaming", "ix_ledger_came_in", "ix_sale_external"):
            connection.exec_driver_sql(f"DROP INDEX {index}")
        connection.exec_driver_sql("ALTER TABLE reservation DROP COLUMN served_from")
        connection.exec_driver_sql("ALTER TABLE sale DROP COLUMN external_id")


def step(shop: Shop) -> None:
    """Run the step alone."""
    names: dict[str, Any] = {}
    source = Path(next(iter(VERSIONS)), "0007_waiting.py").read_text()
    exec(compile(source, "0007_waiting.py", "exec"), names)
    with shop.holdfast.database.writing() as connection, Operations.context(MigrationContext.configure(connection)):
        names["upgrade"]()


def served_from(shop: Shop) -> dict[str, Any]:
    rows = shop.rows("SELECT order_number, served_from FROM reservation")
    return {row["order_number"]: row["served_from"] for row in rows}


def test_old_holds_learn_from_where_they_may_be_served(shop: Shop) -> None:
    shop.product("CUP-1", price=100, oversell="backorder")
    shop.receive("MUG-1", 1, "MAIN")
    shop.ok(OpenSale(order_number="online", lines=(LineRequest("MUG-1", 3),)))
    shop.ok(OpenSale(order_number="store", store_id="EAST", lines=(LineRequest("MUG-1", 3),)))
    shop.ok(OpenSale(order_number="given", lines=(LineRequest("MUG-1", 3, location="MAIN"),)))
    ended = shop.ok(Reserve("MUG-1", 3, None, Target("ended")))
    shop.ok(Release(ended.id))
    shop.ok(Reserve("MUG-1", 3, "MAIN", Target("direct")))
    shop.ok(Reserve("CUP-1", 3, None, Target("lost")))  # it waits at EAST, where no cup ever was
    as_before(shop)
    step(shop)
    assert served_from(shop) == {
        "online": "online",
        "store": shop.stores["EAST"],
        "given": None,
        "ended": None,
        "direct": None,
        "lost": "online",
    }
    assert check(shop.holdfast.database).mismatches == []
    shop.ok(Receive("MAIN", (ReceiptLine("CUP-1", 3),)))
    assert shop.rows("SELECT backordered FROM reservation WHERE order_number = 'lost'") == [{"backordered": 0}]


def test_who_waits_beside_free_units_since_an_older_version_is_served_by_the_next(shop: Shop) -> None:
    """The order that waited for ever where the product never was."""
    shop.receive("MUG-1", 3, "MAIN")
    shop.ok(OpenSale(order_number="FIRST", lines=(LineRequest("MUG-1", 5),)))
    as_it_was = "order_number = 'FIRST'"
    change(shop, as_it_was, served_from=None)
    shop.receive("MUG-1", 1, "EAST")
    as_before(shop)
    step(shop)
    assert found(shop) == ["reservation.waits beside free units"]
    shop.ok(Receive("EAST", (ReceiptLine("MUG-1", 10),)))
    assert found(shop) == []
    assert shop.rows("SELECT sum(backordered) AS n FROM reservation") == [{"n": 0}]
