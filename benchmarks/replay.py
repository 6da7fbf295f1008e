"""A year of a real shop through Holdfast: `python -m benchmarks.replay [--database URL] [--rows N]`.

The data set (UCI Online Retail, 541,909 rows) is not part of the project; it is read from `../shared/data/retail`.
Every row becomes what it was, in time order: a sale is a reserve and a fulfilment, a cancellation ("C") comes back as
a receipt at the price, a negative row without a customer is a write-off (ADJUSTMENT), a free row is stock found. At the
end every product's units on hand must equal a sum made without Holdfast, and `holdfast check` must be clean.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from benchmarks.server import benchmark_server
from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.check import check
from holdfast.core.decide import Refusal
from holdfast.core.organisation.products import AddProduct
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.order_holds import ConsumeAtLevel, ReserveAtLevel
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.organisation import establish
from holdfast.reports import Reports

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "retail"
ROWS = "uci_online_retail.csv.gz"
OPENING = "uci_opening_stock_needed.csv.gz"

PATIENCE_SECONDS = 3600.0
"""How long a command may wait here: a machine that does other things beside is no fault of the file."""

SERVICES = frozenset(("POST", "DOT", "M", "D", "C2", "BANK CHARGES", "AMAZONFEE", "S", "B", "CRUK", "PADS", "GIFT"))
"""Codes of services and fees: they are no goods and have no stock."""

GROUP_ROWS = 100
"""Rows of one group: it is one command, decided in order."""

GROUPS_IN_FLIGHT = 16


class Row(NamedTuple):
    """A row of the data set: signed units of a SKU, the invoice, and what it was."""

    kind: str
    invoice: str
    sku: str
    units: int


def rows(limit: int | None) -> Iterator[Row]:
    """The rows in time order (stable: lines of an invoice keep theirs)."""
    known: dict[str, str] = {}
    found = []
    with gzip.open(DATA / ROWS, "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            sku = line["StockCode"].strip().upper()
            units = int(line["Quantity"])
            invoice = known.setdefault(line["InvoiceNo"], line["InvoiceNo"])
            row = Row(_kind(line, sku, units), invoice, known.setdefault(sku, sku), units)
            found.append((known.setdefault(line["InvoiceDate"], line["InvoiceDate"]), row))
    found.sort(key=lambda pair: pair[0])
    for _, row in found[:limit]:
        yield row


def _kind(line: dict[str, str], sku: str, units: int) -> str:
    if sku in SERVICES or sku.startswith("GIFT_0001") or line["InvoiceNo"].startswith("A"):
        return "service"
    if units < 0:
        return "return" if line["InvoiceNo"].startswith("C") else "write-off"
    return "found" if float(line["UnitPrice"]) == 0 and not line["CustomerID"] else "sale"


def commands_of(row: Row) -> tuple[Any, ...]:
    """What happened, as commands."""
    if row.kind == "sale":
        return (
            ReserveAtLevel(row.sku, "MAIN", row.units, row.invoice, "uci"),
            ConsumeAtLevel(row.sku, "MAIN", row.units, row.invoice, "uci"),
        )
    if row.kind == "return":
        return (Receive("MAIN", (ReceiptLine(row.sku, -row.units),), reference=row.invoice),)
    return (AdjustStock(row.sku, "MAIN", row.units, reason=f"{row.kind} {row.invoice}"),)


def opening_stock() -> dict[str, int]:
    """Units that each SKU needs at the start so that it never falls below zero."""
    with gzip.open(DATA / OPENING, "rt", encoding="utf-8") as file:
        return {line["stock_code_upper"]: int(line["opening_on_hand_needed"]) for line in csv.DictReader(file)}


def replay(url: str, limit: int | None, console: Console) -> bool:
    """Replay into a fresh organisation at `url`; print the figures; True when everything is equal and clean."""
    database = Database(url)
    migrate(database)
    actor = establish(database, "A year of gifts", "owner@replay.test", currency="GBP").actor
    year = list(rows(limit))
    expected: defaultdict[str, int] = defaultdict(int)
    for sku, units in opening_stock().items():
        expected[sku] += units
    goods = [row for row in year if row.kind != "service"]
    started = time.monotonic()
    with Holdfast.open(url, queue_age_seconds=PATIENCE_SECONDS) as shop:
        _open(shop, actor, sorted({row.sku for row in goods} | set(expected)), dict(expected))
        refused = _run(shop, actor, goods, console)
        seconds = time.monotonic() - started
        for row in goods:
            expected[row.sku] += (
                -row.units if row.kind == "sale" else (-row.units if row.kind == "return" else row.units)
            )
        different = _differences(database, actor.org_id, expected)
    checking = time.monotonic()
    result = check(database)
    checked = time.monotonic() - checking
    database.dispose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kinds = Counter(row.kind for row in year)
    console.print(f"rows {len(year):,}: " + ", ".join(f"{kind} {number:,}" for kind, number in sorted(kinds.items())))
    console.print(f"replayed in {seconds:.1f} s ({len(goods) / seconds:,.0f} rows a second), peak {peak:.0f} MiB")
    console.print(f"refused {refused}, products that differ from the independent sum: {len(different)}")
    console.print(f"holdfast check: {'clean' if result.ok else result.mismatches[:3]}, {checked:.1f} s")
    return result.ok and not different and not refused


def _open(shop: Holdfast, actor: Actor, skus: list[str], opening: dict[str, int]) -> None:
    for start in range(0, len(skus), 500):
        part = skus[start : start + 500]
        _must(shop.do(actor, CommandGroup(tuple(AddProduct(sku=sku, title=sku) for sku in part))).answer)
        lines = tuple(ReceiptLine(sku, opening[sku], "1.00") for sku in part if opening.get(sku))
        if lines:
            _must(shop.do(actor, Receive("MAIN", lines, kind="opening")).answer)


def _must(answer: Any) -> None:
    if isinstance(answer, Rejected):
        raise RuntimeError(answer.detail)


def _run(shop: Holdfast, actor: Actor, goods: list[Row], console: Console) -> int:
    """All rows in order, in groups; the number of refused commands."""
    refused = 0
    waiting: list[Any] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("replaying", total=len(goods))
        for start in range(0, len(goods), GROUP_ROWS):
            part = goods[start : start + GROUP_ROWS]
            commands = tuple(command for row in part for command in commands_of(row))
            waiting.append((shop.submit(actor, CommandGroup(commands, atomic=False)), len(part)))
            if len(waiting) >= GROUPS_IN_FLIGHT:
                refused += _finished(waiting.pop(0), progress, task)
        while waiting:
            refused += _finished(waiting.pop(0), progress, task)
    return refused


def _finished(pair: Any, progress: Progress, task: Any) -> int:
    future, count = pair
    answer = future.result().answer
    progress.advance(task, count)
    return sum(isinstance(one, Refusal) for one in answer)


def _differences(database: Database, org_id: str, expected: dict[str, int]) -> dict[str, tuple[int, int]]:
    """SKUs whose units on hand are not the expected ones: (expected, found)."""
    found: dict[str, int] = {}
    reports, cursor = Reports(database), None
    while True:
        page = reports.levels(org_id, cursor=cursor, limit=200)
        for entry in page.items:
            found[entry["sku"]] = found.get(entry["sku"], 0) + int(entry["quantity"])
        cursor = page.next_cursor
        if cursor is None:
            break
    return {sku: (units, found.get(sku, 0)) for sku, units in expected.items() if found.get(sku, 0) != units}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--database", help="an empty database; default: a SQLite file and then a PostgreSQL of its own")
    parser.add_argument("--rows", type=int, default=None, help="only the first rows of the year")
    options = parser.parse_args()
    console = Console()
    if not (DATA / ROWS).exists():
        console.print(f"The data set is not there ({ROWS}); nothing was replayed.")
        return 0
    fine = True
    with ExitStack() as stack:
        if options.database:
            urls = [options.database]
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="replay-"))
            urls = [f"sqlite:///{folder}/replay.db", stack.enter_context(benchmark_server())]
        for url in urls:
            console.rule("SQLite" if url.startswith("sqlite") else "PostgreSQL")
            fine = replay(url, options.rows, console) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
