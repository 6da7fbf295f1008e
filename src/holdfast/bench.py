"""`holdfast bench`: how many holds a second this machine makes.

In a checkout it is the whole suite with the yardsticks (`benchmarks/`); in an installed package, which has none, it is
the engine on a SQLite file of its own, beside itself with one transaction a reservation.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import tempfile
import threading
import time
from concurrent.futures import Future
from typing import Any

from rich.console import Console

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.organisation.products import AddProduct
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.organisation import establish

IN_FLIGHT = 64
SECONDS = 4.0


def main(arguments: list[str]) -> int:
    """Run the suite of the checkout that one stands in, else the small benchmark."""
    if importlib.util.find_spec("benchmarks") is not None:
        return int(importlib.import_module("benchmarks.__main__").main(arguments))
    console = Console()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        url = f"sqlite:///{folder}/bench.db"
        database = Database(url)
        migrate(database)
        actor = establish(database, "Bench", "owner@bench.test").actor
        database.dispose()
        with Holdfast.open(url) as shop:
            shop.do(actor, AddProduct("MUG-1", "Mug"))
            shop.do(actor, Receive("MAIN", (ReceiptLine("MUG-1", 1_000_000_000),), kind="opening"))
        rates = []
        ways: list[tuple[str, dict[str, Any]]] = [("one transaction a hold", {"batch_max": 1}), ("Holdfast", {})]
        for title, limits in ways:
            with Holdfast.open(url, **limits) as shop:
                rates.append(_rate(shop, actor))
            console.print(f"{title:<24} {rates[-1]:>10,.0f} holds a second (SQLite FULL, {IN_FLIGHT} in flight)")
    console.print(f"ratio {rates[1] / rates[0]:.1f}; the yardsticks of other designs are in the project's checkout")
    return 0


def _rate(shop: Holdfast, actor: Actor) -> float:
    """Holds a second with IN_FLIGHT of them under way, each sent when the one before is answered."""
    numbers = itertools.count()
    ended = threading.Semaphore(0)
    until = time.monotonic() + SECONDS

    def send() -> None:
        command = Reserve("MUG-1", 1, "MAIN", Target(f"B-{next(numbers)}"))
        shop.submit(actor, command).add_done_callback(answered)

    def answered(future: Future[Any]) -> None:
        future.result()
        if time.monotonic() < until:
            send()
        else:
            ended.release()

    started = time.monotonic()
    for _ in range(IN_FLIGHT):
        send()
    for _ in range(IN_FLIGHT):
        ended.acquire()
    return next(numbers) / (time.monotonic() - started)
