"""How long every list and figure takes on a full database: `python -m benchmarks.reads [--database URL]`.

The database is one of `benchmarks.fill` (10,000 products at three places, a million ledger rows); without `--database`
it is made anew, on SQLite and on PostgreSQL. Each read is asked of `Reports` as the API asks it, once to warm up and
then `--times` times; what is shown is the median, and the promise is 50 ms. With `--waiting` the reads are timed while
more and more waits and has ended (`benchmarks.waiting`); it changes the database.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import waiting
from benchmarks.fill import ORG, fill
from benchmarks.server import benchmark_server
from holdfast.core.records.time import day_at
from holdfast.db.engine import Database
from holdfast.db.upkeep.day_ends import keep_day_ends
from holdfast.reports import Reports

PROMISED_MS = 50
DAY = 86_400 * 1_000_000


def reads_of(reports: Reports) -> dict[str, Callable[[], Any]]:
    """Every list and figure, and each single thing, as calls without arguments."""
    now = time.time_ns() // 1000
    entry = reports.levels(ORG, limit=1).items[0]
    hold = reports.reservations(ORG, limit=1).items[0]
    lot = reports.lots(ORG, limit=1).items[0]
    past = day_at(now - 100 * DAY, "UTC")
    sku, hot = entry["sku"], "SKU-000000"  # the hot product has a tenth of the ledger
    return {
        "settings": lambda: reports.settings(ORG),
        "stores": lambda: reports.stores(ORG),
        "locations": lambda: reports.locations(ORG),
        "product": lambda: reports.product(ORG, hot),
        "product summary": lambda: reports.product_summary(ORG, hot),
        "products": lambda: reports.products(ORG),
        "products, search": lambda: reports.products(ORG, search="no. 99"),
        "products, nothing found": lambda: reports.products(ORG, search="zzzz"),
        "levels": lambda: reports.levels(ORG),
        "levels, 200": lambda: reports.levels(ORG, limit=200),
        "levels, search": lambda: reports.levels(ORG, search="no. 99"),
        "levels, nothing found": lambda: reports.levels(ORG, search="zzzz"),
        "levels, low": lambda: reports.levels(ORG, low_stock=True),
        "levels, as of a past day": lambda: reports.levels(ORG, as_of=now - 100 * DAY),
        "level": lambda: reports.level(ORG, entry["id"]),
        "low stock": lambda: reports.low_stock(ORG),
        "low stock, threshold": lambda: reports.low_stock(ORG, threshold=5),
        "inventory stats": lambda: reports.inventory_stats(ORG),
        "inventory stats, store": lambda: reports.inventory_stats(ORG, store="S1"),
        "stores overview": lambda: reports.stores_overview(ORG),
        "locations overview": lambda: reports.locations_overview(ORG),
        "store inventory": lambda: reports.store_inventory(ORG, "S1"),
        "reservations": lambda: reports.reservations(ORG),
        "reservations, product": lambda: reports.reservations(ORG, product=hot),
        "reservations, status": lambda: reports.reservations(ORG, status="active"),
        "reservation": lambda: reports.reservation(ORG, hold["id"]),
        "ledger": lambda: reports.ledger(ORG),
        "ledger, product": lambda: reports.ledger(ORG, product=hot),
        "ledger, quiet product": lambda: reports.ledger(ORG, product=sku),
        "ledger, type": lambda: reports.ledger(ORG, ref_type="COUNT"),
        "lots": lambda: reports.lots(ORG),
        "lots, product": lambda: reports.lots(ORG, product=hot),
        "lot trace": lambda: reports.trace(ORG, lot["id"]),
        "counts": lambda: reports.counts(ORG),
        "journal": lambda: reports.journal(ORG),
        "journal, account": lambda: reports.journal(ORG, account="5100"),
        "trial balance": lambda: reports.trial_balance(ORG),
        "trial balance, as of a past day": lambda: reports.trial_balance(ORG, as_of=past),
        "trial balance, as of a past instant": lambda: reports.trial_balance(ORG, as_of=now - 100 * DAY),
        "valuation": lambda: reports.valuation(ORG),
        "valuation, as of a past day": lambda: reports.valuation(ORG, as_of=past),
    }


def medians(url: str, times: int) -> dict[str, float]:
    """The median of each read in milliseconds."""
    database = Database(url)
    keep_day_ends(database, time.time_ns() // 1000)  # as a server's sweeper has done
    found = {}
    for name, read in reads_of(Reports(database)).items():
        read()
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            read()
            taken.append((time.perf_counter() - started) * 1000)
        found[name] = statistics.median(taken)
    database.dispose()
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reads", description=__doc__)
    parser.add_argument("--database", action="append", help="one that benchmarks.fill has filled; may be repeated")
    parser.add_argument("--waiting", action="store_true", help="time them while others wait; changes the database")
    parser.add_argument("--times", type=int, default=9, help="how often each is read")
    options = parser.parse_args()
    with ExitStack() as stack:
        urls = options.database
        if not urls:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reads-"))
            urls = [f"sqlite:///{folder}/full.db", stack.enter_context(benchmark_server())]
            for url in urls:
                fill(url, products=10_000, ledger=1_000_000)
        if options.waiting:
            for url in urls:
                waiting.measure(url, options.times)
            return 0
        columns = [medians(url, options.times) for url in urls]
    table = Table(title=f"Medians in ms, promised {PROMISED_MS}", title_justify="left")
    table.add_column("read")
    for url in urls:
        table.add_column("SQLite" if url.startswith("sqlite") else "PostgreSQL", justify="right")
    for name in columns[0]:
        shown = [column[name] for column in columns]
        table.add_row(name, *(f"[{'red' if ms >= PROMISED_MS else 'green'}]{ms:.1f}[/]" for ms in shown))
    Console().print(table)
    return 0 if all(ms < PROMISED_MS for column in columns for ms in column.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
