"""Events: a cursor that never skips one, and a stream that follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from holdfast.web.api import events
from holdfast.web.http import callers
from tests.api.client import scope_of
from tests.api.conftest import Shop

PATH = "/api/v1/events"


def test_events_come_oldest_first_and_the_cursor_goes_on(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)
    hold = shop.owner.post(
        "/api/v1/inventory-reservations", {"product_id": "MUG-1", "quantity": 2, "order_number": "102"}
    ).json()

    first = shop.owner.get(f"{PATH}?limit=1").json()
    rest = shop.owner.get(f"{PATH}?cursor={first['next_cursor']}").json()
    types = [event["type"] for event in first["items"] + rest["items"]]
    assert types.index("StockReceived") < types.index("InventoryReserved")
    reserved = next(event for event in rest["items"] if event["type"] == "InventoryReserved")
    assert reserved["data"]["reservation_id"] == hold["id"] and reserved["data"]["quantity"] == 2
    end = shop.owner.get(f"{PATH}?cursor={rest['next_cursor']}").json()
    assert end["items"] == [] and end["next_cursor"]
    shop.owner.post(f"/api/v1/inventory-reservations/{hold['id']}/release")
    later = shop.owner.get(f"{PATH}?cursor={end['next_cursor']}").json()
    assert [event["type"] for event in later["items"]] == ["ReservationReleased"]
    assert shop.owner.get(f"{PATH}?cursor=nonsense").code == "INVALID_REQUEST"


class Stream:
    """What a client of the stream has received, and how it goes away."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.text = ""
        self.ended = False
        self._told = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """Nothing comes from the client until it goes away."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """A part of the response."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.text += message["body"].decode()
            self.ended = not message.get("more_body", False)
        self._told.set()

    async def until(self, text: str) -> None:
        """Wait until the text came."""
        async with asyncio.timeout(10):
            while text not in self.text:
                self._told.clear()
                await self._told.wait()


@asynccontextmanager
async def _stream(shop: Shop, path: str = PATH, **headers: str) -> AsyncIterator[tuple[Stream, asyncio.Task[None]]]:
    sent = {"authorization": f"Bearer {shop.owner.key}", "accept": "text/event-stream", **headers}
    stream = Stream()
    task = asyncio.create_task(shop.application(scope_of("GET", path, sent), stream.receive, stream.send))
    try:
        yield stream, task
    finally:
        stream.gone.set()
        async with asyncio.timeout(10):
            await task


def test_a_stream_replays_and_follows(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", 5)

    async def scenario() -> None:
        async with _stream(shop) as (stream, _):
            await stream.until("event: StockReceived")
            assert stream.status == 200
            assert stream.headers[b"content-type"].startswith(b"text/event-stream")
            assert stream.headers[b"x-accel-buffering"] == b"no"
            await shop.owner.send(
                "POST", "/api/v1/inventory-reservations", {"product_id": "MUG-1", "quantity": 2, "order_number": "102"}
            )
            await stream.until("event: InventoryReserved")
            last = [line for line in stream.text.splitlines() if line.startswith("id: ")][-1].removeprefix("id: ")
        async with _stream(shop, **{"last-event-id": last}) as (stream, _):
            await shop.owner.send(
                "POST", "/api/v1/inventory-reservations", {"product_id": "MUG-1", "quantity": 1, "order_number": "102"}
            )
            await stream.until("event: InventoryReserved")
            assert "StockReceived" not in stream.text and stream.text.count("event: InventoryReserved") == 1
        assert shop.application.callers.streams == 0

    shop.owner.runner.run(scenario())


def test_an_idle_stream_says_that_it_is_alive(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.0)

    async def scenario() -> None:
        async with _stream(shop) as (stream, _):
            await stream.until(": alive")

    shop.owner.runner.run(scenario())


def test_a_stream_ends_when_the_key_is_revoked(shop: Shop) -> None:
    made = shop.owner.post("/api/v1/api-keys", {"role": "staff"}).json()

    async def scenario() -> None:
        async with _stream(shop, authorization=f"Bearer {made['api_key']}") as (stream, task):
            await stream.until(": connected")
            await shop.owner.send("DELETE", f"/api/v1/api-keys/{made['id']}")
            async with asyncio.timeout(5):
                await asyncio.shield(task)
            assert stream.ended

    shop.owner.runner.run(scenario())


def test_a_stream_ends_when_the_process_stops(shop: Shop) -> None:
    async def scenario() -> None:
        async with _stream(shop) as (stream, task):
            await stream.until(": connected")
            shop.application.stopping.set()
            async with asyncio.timeout(5):
                await asyncio.shield(task)
            assert stream.ended

    shop.owner.runner.run(scenario())


def test_streams_are_bounded_and_refused_like_anything_else(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    accept = {"Accept": "text/event-stream"}
    assert shop.caller("cashier").get(PATH, headers=accept).status == 403
    assert shop.owner.get(f"{PATH}?cursor=nonsense", headers=accept).status == 400
    assert shop.owner.get(PATH, headers={**accept, "Last-Event-ID": "non\x00sense"}).status == 400

    monkeypatch.setattr(callers, "STREAMS_MAX", 0)
    busy = shop.owner.get(PATH, headers=accept)

    assert (busy.status, busy.code, busy.headers["retry-after"]) == (503, "UNAVAILABLE", "5")
