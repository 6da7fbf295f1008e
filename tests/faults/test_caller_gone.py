"""Callers in event loops that are cancelled, time out, or whose loop ends before the answer."""

from __future__ import annotations

import asyncio

from holdfast.executor import Overloaded
from tests.races.stand import assert_books, buy, do, found, open_shop, stock_up


def test_tasks_that_are_cancelled_hurt_nobody(database_url):
    """Half of the requests are cancelled (the client hung up); the others are answered, the writer goes on."""
    with open_shop(database_url, batch_max=25) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)

        async def serve() -> list[object]:
            tasks = [asyncio.create_task(shop.ask(actor, buy("MUG-1", f"o-{n}"))) for n in range(300)]
            await asyncio.sleep(0.01)
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        outcomes = asyncio.run(serve())

        assert [one.answer.order_number for one in outcomes[1::2]] == [f"o-{n}" for n in range(1, 300, 2)]
        orders = assert_books(shop, actor).orders()
        assert set(orders.values()) == {1}
        assert {f"o-{n}" for n in range(1, 300, 2)} <= set(orders)
        assert do(shop, actor, buy("MUG-1", "after")).quantity == 1


def test_an_event_loop_that_ends_before_its_answers_hurts_nobody(database_url):
    """A worker's loop is closed with commands in flight; callers elsewhere get every answer."""
    with open_shop(database_url, batch_max=25) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)

        async def leave() -> None:
            for n in range(100):
                task = asyncio.ensure_future(shop.ask(actor, buy("MUG-1", f"gone-{n}")))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.sleep(0)

        asyncio.run(leave())
        futures = [shop.submit(actor, buy("MUG-1", f"o-{n}")) for n in range(100)]

        assert [future.result(60).answer.order_number for future in futures] == [f"o-{n}" for n in range(100)]
        orders = assert_books(shop, actor).orders()
        assert set(orders.values()) == {1}


def test_a_caller_that_times_out_finds_its_answer_under_its_key(database_url):
    """The usual client: gives up waiting, comes back with the same key, and gets one reservation."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)

        async def impatient(n: int) -> object:
            command, options = buy("MUG-1", f"o-{n}"), {"key": f"o-{n}", "fingerprint": "f"}
            try:
                return await asyncio.wait_for(shop.ask(actor, command, **options), 0.0005 * (n % 4))
            except TimeoutError:
                return await shop.ask(actor, command, **options)

        async def serve() -> list[object]:
            return await asyncio.gather(*(impatient(n) for n in range(200)))

        replies = asyncio.run(serve())

        assert len(replies) == 200
        assert assert_books(shop, actor).orders() == {f"o-{n}": 1 for n in range(200)}


def test_too_many_waiting_are_turned_away_undone(database_url):
    """Overload is an answer: what was turned away was not done, what was taken is answered."""
    with open_shop(database_url, queue_max=50, batch_max=10) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 10_000)
        taken, away = {}, []
        for n in range(3000):
            try:
                taken[f"o-{n}"] = shop.submit(actor, buy("MUG-1", f"o-{n}"))
            except Overloaded:
                away.append(f"o-{n}")

        for future in taken.values():
            assert future.result(60).answer.status == "active"
        assert away, "nobody was turned away: the test has tested nothing"
        assert assert_books(shop, actor).orders() == dict.fromkeys(taken, 1)
