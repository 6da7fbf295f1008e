"""Holdfast itself under load: a closed loop of commands in flight through the real executor, or over HTTP.

>>> shop = prepare(url, skus=1)
>>> measure(shop, in_flight=256, seconds=5).per_second

Each command is sent when the one before it is answered, from the very callback that answers it, so that no thread of
the load fights the writer. Everything is durable and complete: lots, ledger, events, and an order number a hold. The
load runs in a process of its own; `processes` runs several on one database, each with its own SKUs.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from benchmarks.load import Measurement, percentile
from holdfast.access import Actor, Role
from holdfast.app import Holdfast, spare_collector
from holdfast.core.organisation.products import AddProduct
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.db.upkeep.totals import refresh_statistics
from holdfast.organisation import establish

PER_SKU = 50_000_000
"""Units received of each SKU: more than any run can sell."""

WARM_UP_SECONDS = 1.0

STATISTICS_SECONDS = 1.2
"""After that PostgreSQL has counted what was written."""

PREPARED_AT_ONCE = 500


class Shop(NamedTuple):
    """An organisation to load: its database, the actor, its SKUs and the API key of its owner."""

    url: str
    actor: Actor
    skus: tuple[str, ...]
    api_key: str


def prepare(url: str, *, skus: int, stock: int = PER_SKU, price: int | None = None) -> Shop:
    """A fresh organisation with `skus` products of `stock` units each at MAIN, for sale at `price` (cents)."""
    shown = None if price is None else f"{price // 100}.{price % 100:02}"
    database = Database(url)
    migrate(database)
    made = establish(database, f"Bench {os.urandom(4).hex()}", "owner@bench.test")
    database.dispose()
    names = tuple(f"SKU-{number:05d}" for number in range(skus))
    with Holdfast.open(url) as shop:
        for start in range(0, skus, PREPARED_AT_ONCE):
            part = names[start : start + PREPARED_AT_ONCE]
            products = CommandGroup(tuple(AddProduct(sku=name, title=name, price=shown) for name in part))
            added = shop.do(made.actor, products)
            assert not isinstance(added.answer, Rejected), added.answer
            lines = tuple(ReceiptLine(name, stock, "1.00") for name in part)
            reply = shop.do(made.actor, Receive("MAIN", lines, kind="opening"))
            assert not isinstance(reply.answer, Rejected), reply.answer
        time.sleep(STATISTICS_SECONDS)
        refresh_statistics(shop.database)  # as the sweeper of a server does
    return Shop(url, made.actor, names, made.api_key)


class Loop:
    """Keeps `in_flight` commands under way in this process and counts what is answered inside the window."""

    def __init__(self, holdfast: Holdfast, actor: Actor, command_of: Callable[[int], Any], in_flight: int) -> None:
        self._holdfast = holdfast
        self._actor = actor
        self._command_of = command_of
        self._numbers = itertools.count()
        self._in_flight = in_flight
        self._ended = threading.Semaphore(0)
        self._begin = self._end = 0.0
        self.latencies: list[float] = []
        self.refused = 0

    def run(self, seconds: float) -> None:
        """Warm up, then count for `seconds`; returns when all is answered."""
        self._begin = time.monotonic() + WARM_UP_SECONDS
        self._end = self._begin + seconds
        for _ in range(self._in_flight):
            self._send()
        for _ in range(self._in_flight):
            self._ended.acquire()

    def _send(self) -> None:
        sent = time.monotonic()
        future = self._holdfast.submit(self._actor, self._command_of(next(self._numbers)))
        future.add_done_callback(functools.partial(self._answered, sent))

    def _answered(self, sent: float, future: Future[Any]) -> None:
        now = time.monotonic()
        reply = future.result()
        if self._begin <= now < self._end:
            if type(reply.answer) is Rejected:
                self.refused += 1
            else:
                self.latencies.append(now - sent)
        if now < self._end:
            self._send()
        else:
            self._ended.release()


class Load(NamedTuple):
    """What one load process does: reserve from its `skus`; every `refuse_every`-th asks for more than there is not."""

    in_flight: int
    seconds: float
    skus: tuple[str, ...]
    accepted_percent: int = 100
    batch_max: int | None = None


def _run_load(connection: Connection, shop: Shop, load: Load, number: int) -> None:
    """The load process: says that it is ready, begins when told, sends its tally."""
    limits: dict[str, Any] = {} if load.batch_max is None else {"batch_max": load.batch_max}
    with Holdfast.open(shop.url, **limits) as holdfast:
        skus, count = load.skus, len(load.skus)

        def command_of(index: int) -> Reserve:
            wanted = 1 if index % 100 < load.accepted_percent else PER_SKU * 10
            return Reserve(skus[index * 7919 % count], wanted, "MAIN", Target(f"B{number}-{index}"))

        spare_collector()  # as a server does
        loop = Loop(holdfast, shop.actor, command_of, load.in_flight)
        connection.send("ready")
        connection.recv()
        loop.run(load.seconds)
        connection.send((loop.latencies, loop.refused))


def measure(
    shop: Shop,
    *,
    in_flight: int,
    seconds: float,
    processes: int = 1,
    accepted_percent: int = 100,
    batch_max: int | None = None,
    name: str = "Holdfast engine",
) -> Measurement:
    """Commands answered per second with `in_flight` of them under way in each of `processes`, on disjoint SKUs."""
    context = multiprocessing.get_context("spawn")
    pairs = []
    for number in range(processes):
        ours, theirs = context.Pipe()
        load = Load(in_flight, seconds, shop.skus[number::processes], accepted_percent, batch_max)
        worker = context.Process(target=_run_load, args=(theirs, shop, load, number), daemon=True)
        worker.start()
        pairs.append((worker, ours))
    for _, ours in pairs:
        assert ours.recv() == "ready"
    for _, ours in pairs:
        ours.send("go")
    latencies: list[float] = []
    refused = 0
    for worker, ours in pairs:
        times, no = ours.recv()
        latencies += times
        refused += no
        worker.join()
    return Measurement(
        name=name,
        seconds=seconds,
        operations=len(latencies),
        refused=refused,
        p50_ms=percentile(latencies, 50) * 1000,
        p99_ms=percentile(latencies, 99) * 1000,
        clients=f"{processes} x {in_flight} in flight",
    )


@contextmanager
def serving(url: str) -> Iterator[str]:
    """`holdfast serve` on the database in a process of its own; gives its address."""
    import socket
    import subprocess
    import sys

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HOLDFAST_DATABASE_URL": url, "HOLDFAST_LOG_LEVEL": "warning"}
    command = [str(Path(sys.executable).with_name("holdfast")), "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await_port(port: int, server: Any) -> None:
    import socket

    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError("the server did not start")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server does not listen")


def single_body(sku: str, number: int) -> bytes:
    """The body of POST /inventory-reservations number `number`."""
    return b'{"product_id":"%b","quantity":1,"location":"MAIN","order_number":"H%d"}' % (sku.encode(), number)


def batch_body(sku: str, number: int) -> bytes:
    """The body of POST /inventory-reservations/batch with 100 reservations."""
    one = b'{"op":"reserve","product_id":"%b","quantity":1,"location":"MAIN","order_number":"H%d-%d"}'
    return b'{"operations":[' + b",".join(one % (sku.encode(), number, i) for i in range(100)) + b"]}"


def checkout_body(skus: tuple[str, ...], lines: int, number: int) -> bytes:
    """The body of POST /pos/checkout: one unit of each of some random products, paid in cash."""
    one = b'{"product_id":"%b","quantity":1}'
    sold = b",".join(one % sku.encode() for sku in random.sample(skus, lines))
    return b'{"store_id":"MAIN","lines":[%b],"payments":[{"method":"cash","amount":"100.00"}]}' % sold


def till(address: str, shop: Shop) -> dict[str, str]:
    """Open a register session over HTTP; the headers of its calls."""
    headers = {"Authorization": f"Bearer {shop.api_key}"}
    with httpx.Client(base_url=f"{address}/api/v1", headers=headers) as client:
        store = client.get("/stores").raise_for_status().json()["items"][0]
        code = f"R{os.urandom(4).hex()}"
        made = client.post("/registers", json={"store_id": store["code"], "code": code}).raise_for_status().json()
        opened = client.post(f"/registers/{made['id']}/sessions", json={"opening_float": "100.00"}).raise_for_status()
    return {"Authorization": f"Register {opened.json()['token']}"}


def manager_of(shop: Shop) -> Actor:
    """An actor with a manager's permissions in the shop."""
    return Actor(shop.actor.org_id, "key:bench", Role.MANAGER)
