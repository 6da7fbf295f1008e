"""A year of a real shop as its sales: `python -m benchmarks.replay_sales [--database URL] [--rows N] [--profile FILE]`.

The data set (UCI Online Retail, 541,909 rows) is read from `../shared/data/retail` and goes through
`import_orders`, as `holdfast import orders` would take it: invoices are sales, cancellations returns, the rest found or
written off. Every unit of a SKU costs the same, so at the end all of it can be said without Holdfast: units on hand,
revenue, refunds, cost of goods, and what the stock is worth. The books must balance and `holdfast check` be clean.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import gzip
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import sqlalchemy as sa
from rich.console import Console
from rich.progress import Progress

from benchmarks.replay import DATA, OPENING, PATIENCE_SECONDS, ROWS, SERVICES, opening_stock
from benchmarks.server import benchmark_server
from holdfast.access import Actor
from holdfast.app import Holdfast, spare_collector
from holdfast.check import check
from holdfast.core.organisation.products import AddProduct
from holdfast.core.records.command import CommandGroup
from holdfast.core.records.product import ProductKind
from holdfast.core.records.rejection import Rejected
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.import_export import OrdersOutcome, import_orders
from holdfast.organisation import establish, organisation_of

CENT = Decimal("0.01")


class Expected(NamedTuple):
    """What the file says, summed up without Holdfast: units by SKU, costs by SKU, money in pounds."""

    units: dict[str, int]
    costs: dict[str, Decimal]
    services: set[str]
    revenue: Decimal
    refunds: Decimal
    goods_cost: Decimal
    rows: Counter[str]


@contextmanager
def year(limit: int | None) -> Iterator[TextIO]:
    """The file, or its first rows."""
    with gzip.open(DATA / ROWS, "rt", encoding="utf-8", newline="") as file:
        assert isinstance(file, TextIOWrapper)
        yield file if limit is None else StringIO("".join(islice(file, limit + 1)), newline="")


def expected_of(limit: int | None) -> Expected:
    """What must come out."""
    units: defaultdict[str, int] = defaultdict(int, opening_stock())
    costs: dict[str, Decimal] = dict.fromkeys(units, CENT)
    services: set[str] = set()
    rows: Counter[str] = Counter()
    net: defaultdict[str, int] = defaultdict(int)
    revenue = refunds = Decimal(0)
    with year(limit) as file:
        for row in csv.DictReader(file):
            invoice, sku, quantity = row["InvoiceNo"], row["StockCode"].strip().upper(), int(row["Quantity"])
            price = Decimal(row["UnitPrice"]).quantize(CENT, ROUND_HALF_UP)
            if sku in SERVICES or sku.startswith("GIFT_0001"):
                services.add(sku)
            elif price > 0 and costs.get(sku, CENT) == CENT:
                costs[sku] = max((price * Decimal("0.4")).quantize(CENT, ROUND_HALF_UP), CENT)
            else:
                costs.setdefault(sku, CENT)
            if invoice.startswith("A"):
                rows["refused"] += 1
                continue
            if invoice.startswith("C"):
                rows["returned"] += 1
                refunds += -quantity * price
                net[sku] += quantity
            elif quantity < 0 or (not price and not row["CustomerID"]):
                rows["written off" if quantity < 0 else "found"] += 1
                units[sku] += quantity
                continue
            else:
                rows["sold"] += 1
                revenue += quantity * price
                net[sku] += quantity
            units[sku] -= quantity
    for sku in services:
        units.pop(sku, None)
    cost = sum((number * costs[sku] for sku, number in net.items() if sku not in services), Decimal(0))
    return Expected(units, costs, services, revenue, refunds, cost, rows)


def replay(url: str, limit: int | None, console: Console, profile: Path | None) -> bool:
    """Replay into a fresh organisation at `url`; print the figures; True when everything comes out equal and clean."""
    expected = expected_of(limit)
    database = Database(url)
    migrate(database)
    actor = establish(database, "A year of gifts", "owner@replay.test", currency="GBP").actor
    organisation = organisation_of(database, actor.org_id)
    spare_collector()
    total = sum(expected.rows.values())
    profiler = cProfile.Profile() if profile else None
    with (
        Holdfast.open(url, queue_age_seconds=PATIENCE_SECONDS) as shop,
        year(limit) as file,
        Progress(console=console, transient=True) as progress,
    ):
        open_year(shop, actor, expected)
        if profiler is not None:
            _profile_writer(shop, profiler)
        task = progress.add_task("replaying", total=total)
        started, worked = time.monotonic(), time.process_time()
        outcome = import_orders(shop, actor, organisation, file, progress=lambda lines: progress.advance(task, lines))
        seconds, worked = time.monotonic() - started, time.process_time() - worked
    if profiler is not None:
        profiler.dump_stats(str(profile))
    fine = _report(database, actor.org_id, expected, outcome, console)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    documents = outcome.added + outcome.returns + outcome.adjustments
    console.print(
        f"imported in {seconds:.1f} s: {total / seconds:,.0f} rows, {documents / seconds:,.0f} documents a second, "
        f"{worked:.1f} s of this process's CPU, peak {peak:.0f} MiB"
    )
    checking = time.monotonic()
    result = check(database)
    database.dispose()
    said = "clean" if result.ok else result.mismatches[:3]
    console.print(f"holdfast check: {said}, {time.monotonic() - checking:.1f} s")
    return fine and result.ok


def _profile_writer(shop: Holdfast, profiler: cProfile.Profile) -> None:
    """Profile the thread that decides and writes: it takes its batches one by one."""
    run_batch = shop.executor._run_batch

    def profiled(*arguments: Any) -> None:
        profiler.enable()
        try:
            run_batch(*arguments)
        finally:
            profiler.disable()

    shop.executor._run_batch = profiled  # type: ignore[method-assign, assignment] # only while it is measured


def open_year(
    shop: Holdfast, actor: Actor, expected: Expected, tax_class_of: Callable[[str], str | None] = lambda _: None
) -> None:
    """The catalogue and the stock that the year begins with; `expected` has one unit of what needs none."""
    opening = opening_stock()
    skus = sorted(set(expected.units) | expected.services)
    for start in range(0, len(skus), 500):
        part = skus[start : start + 500]
        kinds: dict[str, ProductKind] = {sku: "service" if sku in expected.services else "physical" for sku in part}
        adds = tuple(AddProduct(sku=sku, title=sku, kind=kinds[sku], tax_class=tax_class_of(sku)) for sku in part)
        must(shop.do(actor, CommandGroup(adds)).answer)
        lines = tuple(
            ReceiptLine(sku, opening.get(sku) or 1, str(expected.costs[sku]))
            for sku in part
            if kinds[sku] == "physical"
        )
        if lines:
            must(shop.do(actor, Receive("MAIN", lines, kind="opening")).answer)
    for sku in expected.units:
        if not opening.get(sku):
            expected.units[sku] += 1


def must(answer: Any) -> None:
    """The year cannot begin with a refusal."""
    if isinstance(answer, Rejected):
        raise RuntimeError(answer.detail)


def _report(database: Database, org_id: str, expected: Expected, outcome: OrdersOutcome, console: Console) -> bool:
    """Say what came out beside what had to; True when it is the same."""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in sorted(expected.rows.items()))
    console.print(f"rows {sum(expected.rows.values()):,}: {kinds}")
    console.print(
        f"sales {outcome.added:,}, returns {outcome.returns:,}, adjustments {outcome.adjustments:,}, "
        f"refused {outcome.refused} ({expected.rows['refused']} expected), lines that wait {outcome.waiting}"
    )
    for line, words in [*outcome.bad[:5], *outcome.notes[:5]]:
        console.print(f"  line {line}: {words}")
    balances, levels, lots = books_of(database, org_id)
    inventory = sum((units * expected.costs[sku] for sku, units in expected.units.items()), Decimal(0))
    different = {
        sku: (units, levels.get(sku, 0)) for sku, units in expected.units.items() if levels.get(sku, 0) != units
    }
    compared = {
        "revenue (4000)": (expected.revenue, -balances["4000"]),
        "refunds (4100)": (expected.refunds, balances["4100"]),
        "cost of goods (5000)": (expected.goods_cost, balances["5000"]),
        "inventory (1200)": (inventory, balances["1200"]),
        "inventory and lots": (balances["1200"], lots),
        "trial balance": (Decimal(0), sum(balances.values(), Decimal(0))),
    }
    for account, balance in sorted(balances.items()):
        console.print(f"  {account} {balance:>16,}")
    for name, (wanted, found) in compared.items():
        console.print(f"{name}: {found:,} " + ("as expected" if wanted == found else f"but {wanted:,} was expected"))
    console.print(
        f"products that differ from the independent sum: {len(different)} {list(different.items())[:3] or ''}"
    )
    same = all(wanted == found for wanted, found in compared.values())
    return same and not different and outcome.refused == expected.rows["refused"] and not outcome.waiting


def books_of(database: Database, org_id: str) -> tuple[defaultdict[str, Decimal], dict[str, int], Decimal]:
    """Balances by account, units on hand by SKU, and what all lots are worth: read past every report."""
    posting, level, product, lot = schema.posting, schema.level, schema.product, schema.lot_stock
    with database.reading() as connection:
        money = connection.execute(
            sa.select(posting.c.account, sa.func.sum(posting.c.amount))
            .where(posting.c.org_id == org_id)
            .group_by(posting.c.account)
        )
        balances = defaultdict(Decimal, {account: Decimal(int(amount)) * CENT for account, amount in money})
        counted = connection.execute(
            sa.select(product.c.sku, sa.func.sum(level.c.on_hand))
            .join_from(level, product, (product.c.org_id == level.c.org_id) & (product.c.id == level.c.product_id))
            .where(level.c.org_id == org_id)
            .group_by(product.c.sku)
        )
        levels = {sku: int(units) for sku, units in counted}
        worth = connection.execute(sa.select(sa.func.sum(lot.c.value)).where(lot.c.org_id == org_id)).scalar_one()
    return balances, levels, Decimal(int(worth)) * CENT


def on_databases(parser: argparse.ArgumentParser, replay_on: Callable[[str, argparse.Namespace, Console], bool]) -> int:
    """Parse the command, and replay on the database that it names, or on SQLite and on PostgreSQL; its exit code."""
    parser.add_argument("--database", help="an empty database; default: a SQLite file and then a PostgreSQL of its own")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="only one of the two")
    parser.add_argument("--rows", type=int, default=None, help="only the first rows of the year")
    options = parser.parse_args()
    console = Console()
    if not (DATA / ROWS).exists() or not (DATA / OPENING).exists():
        console.print(f"The data set is not there ({ROWS}); nothing was replayed.")
        return 0
    fine = True
    with ExitStack() as stack:
        urls = [options.database] if options.database else []
        if not urls and options.only != "postgresql":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="replay-"))
            urls.append(f"sqlite:///{folder}/replay.db")
        if not options.database and options.only != "sqlite":
            urls.append(stack.enter_context(benchmark_server()))
        for url in urls:
            console.rule("SQLite" if url.startswith("sqlite") else "PostgreSQL")
            fine = replay_on(url, options, console) and fine
    return 0 if fine else 1


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay_sales", description=__doc__)
    parser.add_argument("--profile", type=Path, default=None, help="write a cProfile of the writer to this file")
    return on_databases(parser, lambda url, asked, console: replay(url, asked.rows, console, asked.profile))


if __name__ == "__main__":
    sys.exit(main())
