"""How long a command takes as the shop around it grows: `python -m benchmarks.shapes [--only sqlite] [--times 15]`.

    cart edit        the quantity of a cart line, where 1, 13 and 40 locations sell the product (promised: 20 ms at 40)
    hold             one unit of a product of which 1, 500 and 5,000 lots are open at the location
    sale             1, 100 and 1,000 lines, opened with their holds

Each command is given alone and waited for: what is shown is the median in milliseconds, the commit included, and the
time for one unit more of the shape. The yardstick of the same run is the same command at the smallest size.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.engine import prepare
from benchmarks.server import benchmark_server
from holdfast.access import Actor
from holdfast.app import Holdfast, spare_collector
from holdfast.core.organisation.places import AddLocation
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.cart import EditLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.warehouse.receiving import ReceiptLine, Receive

PLACES = (1, 13, 40)
LOTS = (1, 500, 5_000)
LINES = (1, 100, 1_000)
PROMISED_MS = 20
RECEIVED_AT_ONCE = 500
WARM_UP = 3
STOCK = 10_000


class Till:
    """A shop to give commands to, one after another."""

    def __init__(self, url: str) -> None:
        shop = prepare(url, skus=LINES[-1], stock=STOCK, price=100)
        self.skus = shop.skus
        self._actor: Actor = shop.actor
        self._holdfast = Holdfast.open(url)

    def do(self, command: Any) -> Any:
        """The answer; a refusal ends the benchmark."""
        answer = self._holdfast.do(self._actor, command).answer
        assert not isinstance(answer, Rejected), answer
        return answer

    def median_ms(self, command_of: Callable[[int], Any], times: int) -> float:
        """The median of giving one command after another."""
        taken = []
        for index in range(times + WARM_UP):
            command = command_of(index)
            started = time.perf_counter()
            self.do(command)
            taken.append((time.perf_counter() - started) * 1000)
        return statistics.median(taken[WARM_UP:])

    def close(self) -> None:
        """Stop."""
        self._holdfast.close()


def cart_edits(till: Till, times: int) -> Iterator[tuple[int, float]]:
    """Editing the quantity of a cart line up and down; every location sells the product."""
    known = 1
    for places in PLACES:
        for number in range(known, places):
            till.do(AddLocation(f"P{number}", "MAIN"))
            till.do(Receive(f"P{number}", (ReceiptLine(till.skus[0], STOCK, "1.00"),)))
        known = places
        sale = till.do(OpenSale(lines=(LineRequest(till.skus[0], 1),)))
        line = sale.lines[0].id
        edits = [EditLine(sale.id, line, quantity=2 + index % 2) for index in range(times + WARM_UP)]
        yield places, till.median_ms(edits.__getitem__, times)


def holds(till: Till, times: int) -> Iterator[tuple[int, float]]:
    """A hold of one unit on a level with many open lots."""
    sku, known = till.skus[1], 1

    def hold(index: int) -> Reserve:
        return Reserve(sku, 1, "MAIN", Target(f"{known}-{index}"))

    for lots in LOTS:
        for start in range(known, lots, RECEIVED_AT_ONCE):
            count = min(RECEIVED_AT_ONCE, lots - start)
            till.do(Receive("MAIN", tuple(ReceiptLine(sku, 1, "1.00") for _ in range(count))))
        known = lots
        yield lots, till.median_ms(hold, times)


def sales(till: Till, times: int) -> Iterator[tuple[int, float]]:
    """A sale of many lines, opened with its holds."""
    for lines in LINES:
        sale = OpenSale(lines=tuple(LineRequest(sku, 1) for sku in till.skus[:lines]))
        count = min(times, 5)
        yield lines, till.median_ms(([sale] * (count + WARM_UP)).__getitem__, count)


SHAPES = {"cart edit, places": cart_edits, "hold, lots": holds, "sale, lines": sales}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=__doc__)
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database")
    parser.add_argument("--times", type=int, default=15, help="how often each command is given")
    options = parser.parse_args()
    spare_collector()
    table = Table(title=f"Medians in ms; a cart edit at {PLACES[-1]} places is promised in {PROMISED_MS}")
    for heading in ("shape", "database", "size", "ms", "smallest", "ms for one more"):
        table.add_column(heading, justify="left" if heading in ("shape", "database") else "right")
    with ExitStack() as stack:
        for database in ("sqlite", "postgresql"):
            if options.only not in (None, database):
                continue
            for name, shape in SHAPES.items():
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="shapes-"))
                url = f"sqlite:///{folder}/shop.db"
                till = Till(url if database == "sqlite" else stack.enter_context(benchmark_server()))
                found = dict(shape(till, options.times))
                till.close()
                smallest = min(found)
                for size, taken in found.items():
                    more = (taken - found[smallest]) / max(1, size - smallest)
                    table.add_row(name, database, f"{size:,}", f"{taken:.1f}", f"{found[smallest]:.1f}", f"{more:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
