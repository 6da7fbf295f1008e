"""Events are read in an order that holds: nothing is skipped, whatever commits late, and nothing is told twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.core.reservations.reserve import Reserve
from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.queries import events
from holdfast.reports import Page, Reports
from tests.shop import Shop, open_shop, quick_sqlite


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A founded shop, on each database."""
    with quick_sqlite(), open_shop(database_url) as opened:
        yield opened


def batch(org_id: str, number: int, *, at: int, size: int = 1) -> dict[str, Any]:
    """The row of a batch of events without a position."""
    name = f"01900000-0000-7000-8000-{number:012d}"
    told = [
        f'{{"id":"{number}-{index}","type":"T","timestamp":"","product_id":null,"data":{{}}}}' for index in range(size)
    ]
    return {"org_id": org_id, "id": name, "position": None, "at": at, "size": size, "payload": f"[{','.join(told)}]"}


def insert(database: Database, *rows: dict[str, Any]) -> None:
    """Commit batches."""
    with database.engine.begin() as connection:
        connection.execute(sa.insert(schema.event_batch), list(rows))


def read_all(reports: Reports, org_id: str, cursor: str | None, limit: int = 3) -> tuple[list[str], str]:
    """The ids of every event after the cursor, and the cursor behind them."""
    found: list[str] = []
    while True:
        page: Page = reports.events(org_id, cursor=cursor, limit=limit)
        assert page.next_cursor is not None and len(page.items) <= limit
        found += [item["id"] for item in page.items]
        cursor = page.next_cursor
        if not page.items:
            return found, cursor


def test_events_come_in_the_order_in_which_they_happened(shop: Shop) -> None:
    org, reports = shop.org_id, shop.holdfast.reports
    end = reports.events_end(org)
    insert(shop.holdfast.database, batch(org, 1, at=30), batch(org, 2, at=10, size=2), batch(org, 3, at=20))

    assert read_all(reports, org, end)[0] == ["2-0", "2-1", "3-0", "1-0"]


def test_what_commits_late_is_not_skipped(shop: Shop) -> None:
    org, reports = shop.org_id, shop.holdfast.reports
    end = reports.events_end(org)
    insert(shop.holdfast.database, batch(org, 2, at=200))
    seen, cursor = read_all(reports, org, end)
    insert(shop.holdfast.database, batch(org, 1, at=100))
    late, _ = read_all(reports, org, cursor)

    assert (seen, late) == (["2-0"], ["1-0"])
    assert read_all(reports, org, end)[0] == ["2-0", "1-0"]


def test_pages_end_within_batches_and_empty_batches_are_passed(shop: Shop) -> None:
    org, reports = shop.org_id, shop.holdfast.reports
    end = reports.events_end(org)
    sizes = [5, 0, 0, 0, 0, 0, 1, 0, 7, 3, 0]
    insert(shop.holdfast.database, *(batch(org, number, at=number, size=size) for number, size in enumerate(sizes)))
    expected = [f"{number}-{index}" for number, size in enumerate(sizes) for index in range(size)]

    for limit in (1, 2, 3, 5, 7, 200):
        assert read_all(reports, org, end, limit)[0] == expected, limit
    assert reports.events(org, cursor=reports.events_end(org)).items == []


def test_a_cursor_stays_where_it_is_while_nothing_happens(shop: Shop) -> None:
    end = shop.holdfast.reports.events_end(shop.org_id)
    page = shop.holdfast.reports.events(shop.org_id, cursor=end)

    assert page == Page([], end)


def test_organisations_are_numbered_apart(shop: Shop) -> None:
    other = "01900000-0000-7000-8000-00000000beef"
    end = shop.holdfast.reports.events_end(shop.org_id)
    insert(shop.holdfast.database, batch(other, 1, at=1), batch(shop.org_id, 2, at=2))

    assert read_all(shop.holdfast.reports, shop.org_id, end)[0] == ["2-0"]
    assert read_all(shop.holdfast.reports, other, None)[0] == ["1-0"]


def test_more_than_one_numbering_takes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.number, "__defaults__", (4,))
    end = shop.holdfast.reports.events_end(shop.org_id)
    insert(shop.holdfast.database, *(batch(shop.org_id, number, at=number) for number in range(30)))

    assert read_all(shop.holdfast.reports, shop.org_id, end, 9)[0] == [f"{number}-0" for number in range(30)]


def test_readers_beside_writers_see_every_event_once_and_in_one_order(shop: Shop) -> None:
    shop.product("MUG-1")
    shop.receive("MUG-1", 10_000)
    org, reports = shop.org_id, shop.holdfast.reports
    begin = reports.events_end(org)
    stop = threading.Event()
    heard: list[list[str]] = [[], [], []]

    def write() -> None:
        for _ in range(60):
            shop.ok(Reserve("MUG-1", 1, "MAIN"))

    def listen(own: list[str]) -> None:
        cursor = begin
        while True:
            last = stop.is_set()
            found, cursor = read_all(reports, org, cursor, 7)
            own += found
            if last:
                return

    writers = [threading.Thread(target=write) for _ in range(4)]
    listeners = [threading.Thread(target=listen, args=(own,)) for own in heard]
    for thread in [*writers, *listeners]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in listeners:
        thread.join()

    assert len(heard[0]) == len(set(heard[0])) == 240
    assert heard[0] == heard[1] == heard[2]


def test_a_transaction_that_is_still_open_is_heard_later(postgres_url: str) -> None:
    """PostgreSQL: one batch is written before another, and commits after it."""
    with open_shop(postgres_url) as shop:
        org, reports, database = shop.org_id, shop.holdfast.reports, shop.holdfast.database
        end = reports.events_end(org)
        with database.engine.connect() as slow:
            slow.execute(sa.insert(schema.event_batch), [batch(org, 1, at=1)])
            insert(database, batch(org, 2, at=2))
            first, cursor = read_all(reports, org, end)
            slow.commit()
        second, _ = read_all(reports, org, cursor)

    assert (first, second) == (["2-0"], ["1-0"])
