"""Ends of days make reads of the books fast, and never wrong: with them and without them every answer is the same."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast import sweeper
from holdfast.check import check
from holdfast.core.organisation.periods import ClosePeriod
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db import schema
from holdfast.db.upkeep import day_ends
from holdfast.db.upkeep.day_ends import keep_day_ends
from tests.shop import DAY, Clock, Shop, founded, open_shop, quick_sqlite, shop_in


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop with a product, on each kind of database."""
    with shop_in(database_url, founded(database_url)) as shop:
        shop.product("MUG-1")
        yield shop


def receive(shop: Shop, units: int = 1) -> None:
    """Goods for 3.50 each."""
    shop.ok(Receive("MAIN", (ReceiptLine("MUG-1", units, "3.50"),)))


def ends(shop: Shop) -> dict[str, Any]:
    """What is kept, by day."""
    with shop.holdfast.database.reading() as connection:
        return {row.id: row.balances for row in connection.execute(sa.select(schema.day_end))}


def inventory(shop: Shop, as_of: Any = None) -> str:
    """The inventory account."""
    found = shop.holdfast.reports.trial_balance(shop.org_id, as_of=as_of)
    return next(row["balance"] for row in found["items"] if row["account"] == "1200")


def ahead(days: int = 2) -> int:
    """An instant at which today is over."""
    return time.time_ns() // 1000 + days * DAY


def test_a_day_that_is_over_is_added_up_once(shop: Shop) -> None:
    database = shop.holdfast.database
    assert keep_day_ends(database, ahead()) == 0  # nothing was posted yet
    receive(shop, 2)

    assert [keep_day_ends(database, ahead()) for _ in range(2)] == [1, 0]
    assert set(map(str, ends(shop).values())) == {"[['1200', 700, 0], ['2000', 0, 700]]"}
    assert check(database).mismatches == []

    with database.writing() as connection:
        connection.execute(sa.update(schema.day_end).values(balances=[["1200", 800, 0]]))
    assert inventory(shop) == "8.00"  # it is what is read
    assert {one.invariant for one in check(database).mismatches} == {"day_end.balances"}


def test_what_posts_on_a_day_that_was_added_up_takes_that_away(shop: Shop) -> None:
    database = shop.holdfast.database
    receive(shop, 2)
    keep_day_ends(database, ahead())

    receive(shop, 1)

    assert ends(shop) == {}
    assert inventory(shop) == "10.50"
    assert keep_day_ends(database, ahead(5)) == 1
    assert (inventory(shop), inventory(shop, "2099-01-01")) == ("10.50", "10.50")
    shop.ok(SetStock("MUG-1", "MAIN", 1))
    assert inventory(shop) == "3.50"
    assert check(database).mismatches == []


def test_what_posts_while_a_day_is_added_up_is_not_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the balances are read, and between reading and keeping them."""
    database = shop.holdfast.database
    receive(shop, 2)
    read = day_ends._ends

    def disturbed(*arguments: Any) -> Any:
        receive(shop)
        found = read(*arguments)
        receive(shop)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(day_ends, "_ends", disturbed)
        assert keep_day_ends(database, ahead()) == 0
    assert (ends(shop), inventory(shop)) == ({}, "14.00")
    assert keep_day_ends(database, ahead()) == 1
    assert check(database).mismatches == []


def test_two_processes_that_add_up_the_same_day_do_not_mix(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one has read is old when the other begins."""
    database = shop.holdfast.database
    receive(shop, 2)
    read = day_ends._ends

    def outrun(given: Any, due: Any) -> Any:
        found = read(given, due)
        receive(shop)
        with given.writing() as connection:
            row = {"org_id": due.org_id, "id": due.day, "balances": sa.null(), "created_at": 1}
            connection.execute(sa.insert(schema.day_end).values(**row))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(day_ends, "_ends", outrun)
        assert keep_day_ends(database, ahead()) == 0
    assert (list(ends(shop).values()), inventory(shop)) == ([None], "10.50")
    assert keep_day_ends(database, ahead()) == 1  # whoever made the row is gone: it is taken over
    assert check(database).mismatches == []


def test_days_are_added_up_beside_a_busy_shop(shop: Shop) -> None:
    database = shop.holdfast.database
    receive(shop)
    over = threading.Event()
    kept: list[int] = []

    def keep() -> None:
        while not over.is_set():
            kept.append(keep_day_ends(database, ahead(2 + len(kept) % 2)))

    thread = threading.Thread(target=keep)
    thread.start()
    for number in range(60):
        receive(shop)
        if number % 5 == 0:
            assert inventory(shop) == f"{(number + 2) * 3.5:.2f}"
        if number % 10 == 0:
            time.sleep(0.03)
            assert check(database).mismatches == []
    over.set()
    thread.join()

    assert (inventory(shop), check(database).mismatches) == ("213.50", [])
    assert len(kept) > 1


def test_every_answer_is_the_same_without_them(tmp_path: Path) -> None:
    """Weeks of trading, closes, moves of the calendar to the east and to the west, and a clock that is put back."""
    dice = random.Random(7)
    with (
        Clock().running() as clock,
        quick_sqlite(),
        open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop,
    ):
        shop.product("MUG-1")
        instants = []
        for _ in range(80):
            clock.pass_(dice.randrange(DAY))
            receive(shop, dice.randrange(1, 4))
            instants.append(clock.now)
            what = dice.random()
            if what < 0.4:
                keep_day_ends(shop.holdfast.database, clock.now + dice.choice((0, 0, DAY // 2)))
            elif what < 0.5:
                shop.settings(timezone=dice.choice(("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago")))
            elif what < 0.55:
                clock.pass_(-dice.randrange(DAY))
            elif what < 0.6:
                days = shop.rows("SELECT max(day) AS day FROM journal_entry")
                shop.do(ClosePeriod(days[0]["day"]))
        days = [row["day"] for row in shop.rows("SELECT DISTINCT day FROM journal_entry ORDER BY day")]
        assert len(ends(shop)) > 5 and check(shop.holdfast.database).mismatches == []
        asked = [None, *days, *(at + more for at in instants for more in (-1, 0, DAY, 3 * DAY))]
        reports = shop.holdfast.reports

        with_ends = [reports.trial_balance(shop.org_id, as_of=as_of) for as_of in asked]
        with shop.holdfast.database.writing() as connection:
            connection.execute(sa.delete(schema.day_end))

        assert [reports.trial_balance(shop.org_id, as_of=as_of) for as_of in asked] == with_ends


def test_the_sweeper_adds_up_the_days(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    monkeypatch.setattr(sweeper, "keep_day_ends", lambda *_: looked.set())

    shop.holdfast.start_sweeping(0.05)

    assert looked.wait(10)
