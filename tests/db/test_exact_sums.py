"""Sums of amounts are exact however large they are, and one organisation's trouble is nobody else's."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from hypothesis import given
from hypothesis import strategies as st

from holdfast.check import check
from holdfast.core.organisation.periods import ClosePeriod
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.bulk import level_rows
from holdfast.db.credentials import is_away
from holdfast.db.exact_sum import exact, exact_sum, exact_sum_sql
from holdfast.db.upkeep import day_ends
from holdfast.db.upkeep.day_ends import keep_day_ends
from holdfast.organisation import establish
from tests.shop import DAY, Shop, founded, shop_in

EACH = 9 * 10**17
"""Minor units of one receipt here: ten times as much is more than 64 bits."""

RECEIPTS = 12

UNITS = 10**10


@pytest.fixture
def shop(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop on each kind of database, in which one command may move very much."""
    monkeypatch.setattr("holdfast.core.records.number.AMOUNT_MAX", 10**18)
    monkeypatch.setattr("holdfast.core.warehouse.receiving.AMOUNT_MAX", 10**18)
    with shop_in(database_url, founded(database_url)) as shop:
        shop.product("MUG-1", price=100)
        yield shop


def rich(shop: Shop) -> None:
    """Goods for more than 64 bits of money."""
    for number in range(RECEIPTS):
        line = ReceiptLine("MUG-1", UNITS, line_cost=f"{EACH // 100}.00", lot_code=f"L{number}")
        shop.ok(Receive("MAIN", (line,)))


def money(minor: int) -> str:
    """An amount as it goes outside."""
    return f"{minor // 100}.{minor % 100:02d}"


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20))
def test_halves_make_the_sum(numbers: list[int | None]) -> None:
    """Of any numbers of 64 bits, none of them too."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x BIGINT)")
    connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in numbers])
    [(answer,)] = connection.execute(f"SELECT {exact_sum_sql('x', is_sqlite=True)} FROM t")
    connection.close()
    assert exact(answer) == sum(number for number in numbers if number is not None)


def test_an_overflow_is_no_absence(tmp_path: Path) -> None:
    """A sum that SQLite cannot keep is a fault of ours, and is not told as a database that is away."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    most = sa.text(f"SELECT sum(x) FROM (SELECT {2**63 - 1} AS x UNION ALL SELECT 1)")
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError) as raised:
        connection.execute(most).all()
    assert not is_away(raised.value)
    engine.dispose()


def test_nothing_has_no_sum(shop: Shop) -> None:
    nothing = sa.select(exact_sum(sa.column("amount", sa.BigInteger))).select_from(sa.text("posting"))
    with shop.holdfast.database.reading() as connection:
        assert connection.execute(nothing.where(sa.false())).scalar() is None


def test_the_books_of_who_has_very_much(shop: Shop) -> None:
    """Trial balance, valuation, days, close and check: nothing fails, and nothing is rounded."""
    rich(shop)
    database = shop.holdfast.database
    reports: Any = shop.holdfast.reports

    def books() -> tuple[Any, ...]:
        balance = reports.trial_balance(shop.org_id)
        worth = {row["account"]: row["balance"] for row in balance["items"]}
        return worth["1200"], worth["2000"], balance["total_debit"], reports.valuation(shop.org_id)["total"]

    all_of_it = money(RECEIPTS * EACH)
    assert books() == (all_of_it, f"-{all_of_it}", all_of_it, all_of_it)
    assert keep_day_ends(database, time.time_ns() // 1000 + 2 * DAY) == 1
    assert books() == (all_of_it, f"-{all_of_it}", all_of_it, all_of_it)
    assert [row.value for row in level_rows(database, shop.org_id)] == [RECEIPTS * EACH]
    assert check(database).mismatches == []
    shop.ok(ClosePeriod(reports.journal(shop.org_id).items[0]["day"]))
    assert books() == (all_of_it, f"-{all_of_it}", all_of_it, all_of_it)
    assert check(database).mismatches == []
    assert reports.tax_report(shop.org_id)["total_tax"] == "0.00"


def test_one_command_moves_no_more_than_an_entry_holds(shop: Shop) -> None:
    """The goods of twelve lots are worth more than one line of the journal: they are not sold together."""
    rich(shop)
    sale = shop.ok(OpenSale(shop.stores["MAIN"], lines=(LineRequest("MUG-1", UNITS * RECEIPTS),)))
    assert shop.refused(CompleteSale(sale.id)).code == "INVALID_AMOUNT"


def test_days_of_one_organisation_keep_nobody_waiting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be added up is told; all others are added up, and it is tried again."""
    shop.receive("MUG-1", 1, cost="1.00")
    other = establish(shop.holdfast.database, "Other", "bo@other.example").org_id
    troubled: list[str] = []
    ends = day_ends._ends

    def failing(database: Any, due: Any) -> Any:
        if due.org_id == other:
            troubled.append(due.org_id)
            raise OverflowError("integer overflow")
        return ends(database, due)

    monkeypatch.setattr(day_ends, "_ends", failing)
    found = day_ends._due
    monkeypatch.setattr(day_ends, "_due", lambda *given: [day_ends._Due(other, "UTC", "2000-01-01"), *found(*given)])
    with structlog.testing.capture_logs() as logs:
        assert keep_day_ends(shop.holdfast.database, time.time_ns() // 1000 + 2 * DAY) == 1
    assert troubled == [other]
    assert [(line["event"], line["org_id"]) for line in logs] == [("day_not_added_up", other)]
