"""A command costs the same at a level of 500 lots and at one of 2,000: statements, and lines of Python.

A level of fewer lots than are loaded with a lock is read as a whole; a larger one takes two statements more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import EditLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from holdfast.db.batch import lot_queries, session
from tests.shapes.measuring import Cost, Workbench
from tests.shop import SECOND, Shop, open_shop, quick_sqlite, shop_in
from tests.truth import assert_truth

SOME, MANY = 500, 2_000
RECEIVED_AT_ONCE = 500
LINES_FACTOR_MAX = 1.02
"""Most growth of the work from 500 lots to 2,000."""

EXPIRES_AT = 4_102_444_800_000_000
"""Microseconds: when the first lot expires; each that follows does a second before it."""


def _sku(shop: Shop, purpose: str, lots: int, *, dated: bool) -> str:
    """A product with that many lots of two units each at MAIN; when dated, the last one received expires first."""
    sku = f"{purpose}-{lots}"
    shop.product(sku, price=100, track_expiry=dated)
    for start in range(0, lots, RECEIVED_AT_ONCE):
        count = min(RECEIVED_AT_ONCE, lots - start)
        ends = [EXPIRES_AT - (start + index) * SECOND if dated else None for index in range(count)]
        shop.ok(Receive("MAIN", tuple(ReceiptLine(sku, 2, "0.50", expires_at=end) for end in ends)))
    return sku


def _cart_edit(shop: Shop, sku: str) -> Any:
    sale = shop.ok(OpenSale(lines=(LineRequest(sku, 1),)))
    return EditLine(sale.id, sale.lines[0].id, quantity=3)


def _held(shop: Shop, sku: str) -> str:
    return str(shop.ok(Reserve(sku, 3, "MAIN", Target(f"held-{sku}"))).id)


def _behind_many_holds(shop: Shop, sku: str) -> Any:
    """All lots that are loaded with the lock are promised."""
    shop.ok(Reserve(sku, lot_queries.FIRST * 2, "MAIN", Target(f"many-{sku}")))
    return Reserve(sku, 1, "MAIN", Target(f"behind-{sku}"))


COMMANDS: dict[str, Callable[[Shop, str], Any]] = {
    "hold": lambda _, sku: Reserve(sku, 3, "MAIN", Target(f"order-{sku}")),
    "hold anywhere": lambda _, sku: Reserve(sku, 3, None, Target(f"order-{sku}")),
    "hold behind many holds": _behind_many_holds,
    "ship": lambda shop, sku: Consume(_held(shop, sku)),
    "release": lambda shop, sku: Release(_held(shop, sku)),
    "receive": lambda _, sku: Receive("MAIN", (ReceiptLine(sku, 1, "0.50"),)),
    "adjust": lambda _, sku: AdjustStock(sku, "MAIN", -1),
    "dispatch": lambda _, sku: Dispatch("MAIN", "EAST", (TransferLine(sku, 1),)),
    "cart edit": _cart_edit,
}


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path_factory.mktemp('lots') / 'shop.db'}") as shop:
        yield shop
        assert_truth(shop)


@pytest.fixture(scope="module")
def on_postgresql(postgres_server, founded_shop) -> Iterator[Shop]:
    yield from _copy_of(postgres_server, founded_shop)


@pytest.fixture
def new_on_postgresql(postgres_server, founded_shop) -> Iterator[Shop]:
    yield from _copy_of(postgres_server, founded_shop)


def _copy_of(postgres_server, founded_shop) -> Iterator[Shop]:
    template, facts = founded_shop
    name = postgres_server.create_database(template=template)
    with shop_in(postgres_server.url(name), facts) as shop:
        yield shop
        assert_truth(shop)
    postgres_server.drop_database(name)


def _costs(shop: Shop, name: str, *, dated: bool = False, counting_lines: bool = False) -> tuple[Cost, Cost]:
    found = []
    for lots in (SOME, MANY):
        sku = _sku(shop, f"{name}{dated}{counting_lines}".replace(" ", ""), lots, dated=dated)
        command = COMMANDS[name](shop, sku)
        found.append(Workbench(shop).measure(command, counting_lines=counting_lines))
        assert not isinstance(found[-1].answer, Rejected), found[-1].answer
    return found[0], found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_statements_are_the_same_on_sqlite(on_sqlite: Shop, name: str) -> None:
    some, many = _costs(on_sqlite, name)
    assert (many.rounds, many.statements) == (some.rounds, some.statements)


@pytest.mark.parametrize("name", COMMANDS)
def test_statements_are_the_same_on_postgresql(on_postgresql: Shop, name: str) -> None:
    some, many = _costs(on_postgresql, name)
    assert (many.rounds, many.statements) == (some.rounds, some.statements)


@pytest.mark.parametrize("dated", [False, True], ids=["undated", "dated"])
@pytest.mark.parametrize("name", COMMANDS)
def test_work_is_the_same(on_sqlite: Shop, name: str, dated: bool) -> None:
    some, many = _costs(on_sqlite, name, dated=dated, counting_lines=True)
    assert many.lines <= some.lines * LINES_FACTOR_MAX, (some.lines, many.lines)


def test_old_statistics_do_not_make_postgresql_walk_over_lots(new_on_postgresql: Shop) -> None:
    """The planner believes that there is one lot: what it does must not depend on it."""
    shop, database = new_on_postgresql, new_on_postgresql.holdfast.database
    _sku(shop, "FIRST", 1, dated=False)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE lot, lot_stock, level")
    sku = _sku(shop, "STALE", MANY, dated=False)
    at = shop.rows("SELECT v.* FROM level v JOIN product p ON p.id = v.product_id WHERE p.sku = :sku", sku=sku)[0]
    parameters = {"org": shop.org_id, "products": [at["product_id"]], "locations": [at["location_id"]]}
    lots = session._PG_LOTS.format(of_holds="", first=lot_queries.FIRST)
    with database.engine.begin() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {lots}", parameters).scalar_one()
    plans = [plan for plan in _plans(explained[0]["Plan"]) if plan.get("Relation Name") in ("lot", "lot_stock")]
    assert len(plans) == 2
    assert [plan.get("Rows Removed by Filter", 0) for plan in plans] == [0, 0], plans


def _plans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _plans(below)
