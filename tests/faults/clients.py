"""Clients that go on buying while the database comes and goes, and what must be true of them afterwards.

A client gives commands one after another. With keys it repeats an unanswered command until it has an answer, as any
good client does. Without keys it takes Unavailable by its word: nothing was done, unless it says that the outcome is
unknown.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from holdfast.app import Holdfast
from holdfast.core.records.rejection import Rejected
from holdfast.executor import OutcomeUnknown, Overloaded, Unavailable
from tests.races.stand import ANSWER_SECONDS, Books, assert_books, buy

PATIENCE_SECONDS = 90
"""How long a client repeats a command before the test says that traffic did not resume."""


class Clients:
    """Threads that buy one unit of MUG-1 under order after order; half of them with keys."""

    def __init__(self, shop: Holdfast, actor: Any, *, count: int = 8) -> None:
        self.shop = shop
        self.actor = actor
        self.told: dict[str, str] = {}
        self.not_done: list[str] = []
        self.unknown: list[str] = []
        self.strange: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._buy, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def accepted(self) -> int:
        """How many commands heard yes so far."""
        return len(self.told)

    def wait_for_more(self, number: int) -> None:
        """Wait until that many more commands heard yes."""
        target = self.accepted() + number
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.accepted() < target:
            assert time.monotonic() < deadline, f"traffic did not resume: {self.strange[:3]}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Let every client finish the command it is at."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS + ANSWER_SECONDS)
            assert not thread.is_alive(), "a client waits for an answer that does not come"

    def assert_kept(self) -> Books:
        """What was acknowledged is there once, what was answered with Unavailable is not, and the books add up."""
        assert not self.strange, f"{len(self.strange)} clients heard of a bug: {self.strange[:3]}"
        books = assert_books(self.shop, self.actor)
        orders = books.orders()
        ids = {hold["order_number"]: hold["id"] for hold in books.holds}
        lost = [order for order, name in self.told.items() if ids.get(order) != name]
        assert not lost, f"acknowledged and lost: {lost[:5]}"
        double = [order for order, number in orders.items() if number > 1]
        assert not double, f"done twice: {double[:5]}"
        done = [order for order in self.not_done if orders[order]]
        assert not done, f"told that nothing was done, and it was: {done[:5]}"
        unheard = orders.keys() - self.told.keys() - set(self.unknown)
        assert not unheard, f"done and never acknowledged: {sorted(unheard)[:5]}"
        return books

    def _buy(self, client: int) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            order = f"c{client}-{turn}"
            try:
                self._one(order, keyed=client % 2 == 0)
            except Exception as error:  # noqa: BLE001 - judged by the test, in its own thread
                with self._lock:
                    self.strange.append(f"{order}: {error!r}")
                return

    def _one(self, order: str, *, keyed: bool) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                options = {"key": order, "fingerprint": "f"} if keyed else {}
                reply = self.shop.submit(self.actor, buy("MUG-1", order), **options).result(ANSWER_SECONDS)
                break
            except (Unavailable, Overloaded) as error:
                if not keyed:
                    with self._lock:
                        (self.unknown if isinstance(error, OutcomeUnknown) else self.not_done).append(order)
                    return
                assert time.monotonic() < deadline, "the database is back, and the answer is still 503"
                time.sleep(0.05)
        assert not isinstance(reply.answer, Rejected), reply
        name = json.loads(reply.body or b"{}")["id"] if reply.replayed else reply.answer.id
        with self._lock:
            self.told[order] = name
