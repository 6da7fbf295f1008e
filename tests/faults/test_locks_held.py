"""Somebody else holds a lock: its own commands wait, nobody else's, and nobody longer than the queue's age.

A forgotten console on the database locks a row, a table or the whole SQLite file while clients go on buying. The
queue's age is short here, so that a test takes seconds.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.executor.submission import LockedElsewhere, Overloaded
from tests.races.stand import ANSWER_SECONDS, Tally, assert_books, buy, do, found, open_shop, outcome_of, stock_up

QUEUE_AGE_SECONDS = 2.0

GRACE_SECONDS = 3.0
"""What a loaded machine may add to the queue's age."""

HELD_SECONDS = 5.0
"""How long the console keeps its lock."""


class Buyers:
    """Threads that buy a unit of a product again and again, each after the last answer; what they heard and when."""

    def __init__(self, shop: Any, actor: Any, sku: str, count: int) -> None:
        self.outcomes: list[Any] = []
        self.waited: list[float] = []
        self._shop, self._actor, self._sku = shop, actor, sku
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._buy, args=(number,)) for number in range(count)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def _buy(self, number: int) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            began = time.monotonic()
            order = f"{self._sku}-{number}-{turn}"
            outcome = outcome_of(self._shop.submit(self._actor, buy(self._sku, order), key=order, fingerprint="f"))
            self.waited.append(time.monotonic() - began)
            self.outcomes.append(outcome)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS)


@contextmanager
def held(url: str, statement: str) -> Iterator[None]:
    """A console that has locked something and was forgotten."""
    with psycopg.connect(url) as console:
        console.execute(statement)
        yield
        console.rollback()


LEVEL = "SELECT 1 FROM level WHERE product_id = (SELECT id FROM product WHERE sku = 'MUG-1') FOR UPDATE"


def test_a_locked_level_stops_nobody_else(postgres_url: str) -> None:
    with open_shop(postgres_url, queue_age_seconds=QUEUE_AGE_SECONDS) as shop:
        actor = found(shop)
        for sku in ("MUG-1", "TEE-1", "PIN-1"):
            stock_up(shop, actor, sku, 1_000_000)
        blocked, free = Buyers(shop, actor, "MUG-1", 2), [Buyers(shop, actor, sku, 2) for sku in ("TEE-1", "PIN-1")]
        with held(postgres_url, LEVEL):
            for buyers in (blocked, *free):
                buyers.start()
            time.sleep(HELD_SECONDS)
            told = list(blocked.outcomes)
            for buyers in (blocked, *free):
                buyers._stop.set()
        for buyers in (blocked, *free):
            buyers.stop()
        assert told and all(isinstance(one, LockedElsewhere) for one in told), told
        for buyers in free:
            assert Tally(buyers.outcomes).accepted == len(buyers.outcomes) > 20
            assert sorted(buyers.waited)[len(buyers.waited) // 2] < QUEUE_AGE_SECONDS / 2
        assert max(blocked.waited + free[0].waited + free[1].waited) < QUEUE_AGE_SECONDS + GRACE_SECONDS
        do(shop, actor, buy("MUG-1", "afterwards"))
        assert_books(shop, actor)


def test_a_hold_behind_a_locked_level_waits_and_is_done_once(postgres_url: str) -> None:
    """The lock goes before the command's time is over: it is done, once."""
    with open_shop(postgres_url, queue_age_seconds=20) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 10)
        with held(postgres_url, LEVEL):
            future = shop.submit(actor, buy("MUG-1", "102"), key="k", fingerprint="f")
            time.sleep(2.5)
            assert not future.done()
        assert future.result(ANSWER_SECONDS).answer.quantity == 1
        assert assert_books(shop, actor).orders() == {"102": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM organisation FOR UPDATE",
        "LOCK TABLE level IN ACCESS EXCLUSIVE MODE",
        "SELECT 1 FROM product WHERE sku = 'NEW-1' FOR UPDATE",
    ],
    ids=["organisation", "table", "product"],
)
def test_whoever_needs_what_is_locked_is_told_so_in_time(postgres_url: str, statement: str) -> None:
    """A receipt that begins a level needs all of these."""
    with open_shop(postgres_url, queue_age_seconds=QUEUE_AGE_SECONDS) as shop:
        actor = found(shop)
        stock_up(shop, actor, "NEW-1", 0)
        with held(postgres_url, statement):
            began = time.monotonic()
            receipts = [Receive("MAIN", (ReceiptLine("NEW-1", 1, "1.00"),)) for _ in range(20)]
            outcomes = [outcome_of(future) for future in [shop.submit(actor, one) for one in receipts]]
            waited = time.monotonic() - began
        assert all(isinstance(one, LockedElsewhere | Overloaded) for one in outcomes), outcomes
        assert any(isinstance(one, LockedElsewhere) for one in outcomes)
        assert waited < QUEUE_AGE_SECONDS + GRACE_SECONDS
        do(shop, actor, receipts[0])
        assert_books(shop, actor)


def test_a_locked_file_is_told_in_time(sqlite_url: str) -> None:
    """On SQLite a console's transaction locks everything."""
    with open_shop(sqlite_url, queue_age_seconds=QUEUE_AGE_SECONDS) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 10)
        console = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        console.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        outcomes = [outcome_of(future) for future in [shop.submit(actor, buy("MUG-1", str(n))) for n in range(5)]]
        assert time.monotonic() - began < QUEUE_AGE_SECONDS + GRACE_SECONDS
        assert all(isinstance(one, LockedElsewhere) for one in outcomes), outcomes
        console.execute("ROLLBACK")
        console.close()
        do(shop, actor, buy("MUG-1", "afterwards"))
        assert assert_books(shop, actor).orders() == {"afterwards": 1}


def test_closing_answers_what_is_blocked(postgres_url: str) -> None:
    shop = open_shop(postgres_url, queue_age_seconds=QUEUE_AGE_SECONDS)
    actor = found(shop)
    stock_up(shop, actor, "MUG-1", 10)
    with held(postgres_url, LEVEL):
        future = shop.submit(actor, buy("MUG-1", "102"))
        time.sleep(1.5)
        shop.close()
    assert isinstance(outcome_of(future), LockedElsewhere)
