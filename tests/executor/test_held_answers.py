"""Answers are told while the next batch commits, and never much later than their own commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import holdfast.submission
from holdfast.core.rejection import Code, Rejected
from holdfast.core.reservation import Reserve, Target
from holdfast.db.session import PostgresSession, SqliteSession
from holdfast.executor import Reply
from tests.shop import Shop, open_shop, quick_sqlite
from tests.truth import assert_truth

LONG = 60.0
"""Seconds that no test here lasts."""

PATIENCE = 10.0
"""Seconds until a test that hangs has failed."""


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop whose batches have one command each, with 10 of one product."""
    with quick_sqlite(), open_shop(database_url, batch_max=1) as shop:
        shop.product("MUG-1")
        shop.receive("MUG-1", 10)
        yield shop
        assert_truth(shop)


class Line:
    """Two commands that stand in line: the second waits already when the first is done."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.first_is_told = threading.Event()

    async def run(self, second_units: int = 1) -> tuple[Reply, Reply]:
        """Both replies."""
        first = asyncio.ensure_future(self._ask("101", 1))
        first.add_done_callback(lambda _: self.first_is_told.set())
        second = asyncio.ensure_future(self._ask("102", second_units))
        async with asyncio.timeout(PATIENCE):
            return await first, await second

    async def _ask(self, order: str, units: int) -> Reply:
        return await self.shop.holdfast.ask(self.shop.owner, Reserve("MUG-1", units, "MAIN", Target(order)))


class Watched:
    """The steps of a session, one by one: `before_begin(n)` and `in_commit(n)` of the n-th batch are called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches = 0
        self.before_begin: Any = lambda number: None
        self.in_commit: Any = lambda number: None
        for kind in (SqliteSession, PostgresSession):
            monkeypatch.setattr(kind, "begin", self._begin(kind.begin))
            monkeypatch.setattr(kind, "finish", self._finish(kind.finish))

    def _begin(self, original: Any) -> Any:
        def begin(session: Any, *arguments: Any) -> Any:
            self.batches += 1
            self.before_begin(self.batches)
            return original(session, *arguments)

        return begin

    def _finish(self, original: Any) -> Any:
        def finish(session: Any, writes: Any, *, unchanged: Any = None, meanwhile: Any = None) -> bool:
            def both() -> None:
                if meanwhile is not None:
                    meanwhile()
                self.in_commit(self.batches)

            return original(session, writes, unchanged=unchanged, meanwhile=both)  # type: ignore[no-any-return] # a bool

        return finish


@pytest.fixture
def watched(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Every step from here on, while the first batch waits for the second to stand in line."""
    return Watched(monkeypatch)


def wait_for_the_second(shop: Shop) -> None:
    """Until the second command is in the queue."""
    queues = shop.holdfast.executor._queues
    for _ in range(1000):
        if any(queues.values()):
            return
        threading.Event().wait(0.005)
    raise AssertionError("nothing stands in line")


def test_the_first_is_told_while_the_second_commits(
    shop: Shop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdfast.submission, "HELD_SECONDS", LONG)
    line = Line(shop)
    seen: list[bool] = []

    def before_begin(number: int) -> None:
        if number == 1:
            wait_for_the_second(shop)
        else:
            seen.append(line.first_is_told.wait(0.1))

    def in_commit(number: int) -> None:
        if number == 2:
            seen.append(line.first_is_told.wait(PATIENCE))

    watched.before_begin, watched.in_commit = before_begin, in_commit

    first, second = asyncio.run(line.run())

    assert seen == [False, True]
    assert (first.answer.order_number, second.answer.order_number) == ("101", "102")


def test_the_first_does_not_wait_for_a_second_that_cannot_begin(shop: Shop, watched: Watched) -> None:
    line = Line(shop)
    seen: list[bool] = []

    def before_begin(number: int) -> None:
        if number == 1:
            wait_for_the_second(shop)
        else:
            seen.append(line.first_is_told.wait(PATIENCE))

    watched.before_begin = before_begin

    asyncio.run(line.run())

    assert seen == [True]


def test_the_first_is_told_when_the_second_is_refused_and_commits_nothing(
    shop: Shop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdfast.submission, "HELD_SECONDS", LONG)
    watched.before_begin = lambda number: wait_for_the_second(shop) if number == 1 else None

    first, second = asyncio.run(Line(shop).run(second_units=100))

    assert first.answer.order_number == "101"
    assert type(second.answer) is Rejected and second.answer.code is Code.INSUFFICIENT_STOCK


def test_a_caller_that_has_gone_disturbs_nobody(shop: Shop, watched: Watched) -> None:
    line = Line(shop)

    async def leave() -> Reply:
        first = asyncio.ensure_future(line._ask("101", 1))
        second = asyncio.ensure_future(line._ask("102", 1))
        await asyncio.sleep(0)
        first.cancel()
        async with asyncio.timeout(PATIENCE):
            return await second

    watched.before_begin = lambda number: wait_for_the_second(shop) if number == 1 else None

    assert asyncio.run(leave()).answer.order_number == "102"
    assert shop.rows("SELECT count(*) AS holds FROM reservation") == [{"holds": 2}]
