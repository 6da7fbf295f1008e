"""One organisation never has all of what those of a process share: threads that read, requests under way."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from holdfast.access import Actor
from holdfast.core.records.permission import Role
from holdfast.web.http.callers import (
    ORGANISATION_CALLERS,
    ORGANISATION_READS_MAX,
    READS_MAX,
    Callers,
)
from holdfast.web.http.dispatcher import READERS
from holdfast.web.http.problems import Problem
from tests.api.conftest import Shop

KEYS = 5


def key(org_id: str, number: int) -> Actor:
    """One of the keys of an organisation."""
    return Actor(org_id, f"key:{number}", Role.CASHIER, id=f"{org_id}-{number}", key_id=f"{org_id}-{number}")


def test_an_organisation_reads_in_half_of_the_threads() -> None:
    """However many keys it has; another one's reads begin at once, and what waits has its turn."""
    assert READS_MAX < ORGANISATION_READS_MAX <= READERS // 2

    async def rush() -> tuple[Counter[str], Counter[str]]:
        callers, inside, most = Callers(), Counter[str](), Counter[str]()
        barrier = asyncio.Barrier(ORGANISATION_READS_MAX + 1)

        async def read(actor: Actor, *, waits: bool) -> None:
            with callers.one_more(actor):
                async with callers.reading(actor):
                    for name in (actor.org_id, actor.id):
                        inside[name] += 1
                        most[name] = max(most[name], inside[name])
                    if waits:
                        await barrier.wait()
                    for name in (actor.org_id, actor.id):
                        inside[name] -= 1

        keys = [key("one", number % KEYS) for number in range(2 * ORGANISATION_READS_MAX)]
        one = [asyncio.create_task(read(actor, waits=True)) for actor in keys]
        for _ in range(20):
            await asyncio.sleep(0)
        assert barrier.n_waiting == ORGANISATION_READS_MAX  # no more of them are inside, and they stay there
        await asyncio.wait_for(read(key("other", 1), waits=False), 5)
        for _ in range(2):
            await asyncio.wait_for(barrier.wait(), 5)
        await asyncio.gather(*one)
        assert callers._reads == {} and callers._requests == {}
        return inside, most

    inside, most = asyncio.run(rush())
    assert most["one"] == ORGANISATION_READS_MAX and most["other"] == 1
    assert max(most[f"one-{number}"] for number in range(KEYS)) <= READS_MAX
    assert set(inside.values()) == {0}


def test_a_caller_reads_less_than_its_organisation() -> None:
    async def rush() -> None:
        callers, actor = Callers(), key("one", 1)
        async with AsyncExitStack() as inside:
            inside.enter_context(callers.one_more(actor))
            for _ in range(READS_MAX):
                await inside.enter_async_context(callers.reading(actor))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(inside.enter_async_context(callers.reading(actor)), 0.05)
            await asyncio.wait_for(inside.enter_async_context(callers.reading(key("one", 2))), 5)

    asyncio.run(rush())


def test_an_organisation_has_so_many_requests_under_way() -> None:
    """As many as some of its callers may have; those of another one are answered."""
    callers = Callers(requests_max=2)
    with ExitStack() as under_way:
        for number in range(ORGANISATION_CALLERS):
            for _ in range(2):
                under_way.enter_context(callers.one_more(key("one", number)))
        with pytest.raises(Problem, match="The organisation has 8 requests under way") as refused:
            under_way.enter_context(callers.one_more(key("one", ORGANISATION_CALLERS)))
        assert refused.value.status == 429
        under_way.enter_context(callers.one_more(key("other", 1)))
    assert callers._requests == {}


def test_what_a_command_looks_up_is_a_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is planned by a question to the database waits for its turn as other reads do."""
    shop.product("MUG-1", 5)
    seen: list[str] = []
    reading = Callers.reading

    def read(callers: Callers, actor: Actor) -> Any:
        seen.append(actor.org_id)
        return reading(callers, actor)

    monkeypatch.setattr(Callers, "reading", read)
    level = shop.owner.get("/api/v1/store/inventory").json()["items"][0]["id"]
    before = len(seen)
    assert shop.owner.request("PUT", f"/api/v1/store/inventory/{level}", {"quantity": 4}).status == 200
    assert len(seen) == before + 1
