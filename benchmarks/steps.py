"""How many steps of the interpreter a command takes, from the caller's thread to the writer's.

    python -m benchmarks.steps            -> steps and calls of a reservation and of a checkout of five lines
    python -m benchmarks.steps --top 30   -> and in which functions they are

A step is one instruction of Python's bytecode. The count repeats to a fraction of a percent whatever else the machine
does, so it tells small changes that a clock on a shared machine cannot. What C code does (the database, msgspec) is not
in it. Two versions are compared by running it in each.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from benchmarks.engine import prepare
from holdfast.app import Holdfast
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.order_entry import LineRequest
from holdfast.core.sales.payments import PaymentRequest

AT_ONCE = 64
"""Commands that are given before the first answer is waited for: so many lie in a few batches."""

ROUNDS = 4

LINES = 5


class Steps:
    """Steps and calls, by function, of all threads while it counts."""

    def __init__(self) -> None:
        self.steps: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()
        self._on = False

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Watch this thread and all that are started from here on."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what is done meanwhile."""
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any]:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if self._on:
            self.calls[frame.f_code] += 1
        return self._step

    def _step(self, frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        if self._on and event == "opcode":
            self.steps[frame.f_code] += 1
        return self._step


def measure(give: Callable[[Holdfast, int], list[Any]], shop: Holdfast, steps: Steps) -> int:
    """Give commands in rounds, count their steps, and answer how many commands there were."""
    given = 0
    with steps.counting():
        for number in range(ROUNDS):
            futures = give(shop, number)
            for future in futures:
                assert not isinstance(future.result(60).answer, Rejected)
            given += len(futures)
    return given


def main() -> None:
    """Count the steps of a reservation and of a checkout, and tell them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--top", type=int, default=0, help="name so many functions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(f"sqlite:///{folder}/steps.db", skus=LINES, price=1999)
        cart = tuple(LineRequest(sku, 1) for sku in prepared.skus)

        def reserve(shop: Holdfast, number: int) -> list[Any]:
            orders = [f"{number}-{index}" for index in range(AT_ONCE)]
            return [
                shop.submit(prepared.actor, Reserve(prepared.skus[0], 1, None, Target(order, "website")))
                for order in orders
            ]

        def checkout(shop: Holdfast, _number: int) -> list[Any]:
            command = Checkout(store, cart, payments=(PaymentRequest("cash", "200.00"),))
            return [shop.submit(prepared.actor, command) for _ in range(AT_ONCE)]

        for name, give in (("a reservation", reserve), (f"a checkout of {LINES} lines", checkout)):
            steps = Steps()
            with steps.tracing(), Holdfast.open(prepared.url) as shop:
                store = shop.reports.stores(prepared.actor.org_id).items[0]["id"]
                give(shop, -1)[-1].result(60)  # everything is loaded once
                given = measure(give, shop, steps)
            total, calls = sum(steps.steps.values()) / given, sum(steps.calls.values()) / given
            print(f"{name}: {total:,.0f} steps in {calls:,.0f} calls")
            for code, count in steps.steps.most_common(options.top):
                where = f"{code.co_filename.rpartition('/src/')[2]}:{code.co_qualname}"
                print(f"{count / given:10,.1f} {steps.calls[code] / given:8,.2f}  {where}")


if __name__ == "__main__":
    main()
