"""A year of a real shop with two tax rates: `python -m benchmarks.replay_taxes [--database URL] [--rows N]`.

The data set of `replay_sales`, imported as sales and returns. By their code products are taxed at 20 percent, at 5, or
not at all. In the first half of the year prices are without tax, in the second half tax is in them; goods of the first
half that come back in the second have no sale that the file can name. The sums that must come out are made from the
rows with Decimal alone. They are held against the tax report, the postings to account 2100, revenue and refunds; the
trial balance must be zero, `holdfast check` clean, and bean-check (where it is installed) find nothing in the journal.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from rich.console import Console

from benchmarks.replay import PATIENCE_SECONDS
from benchmarks.replay_sales import CENT, books_of, expected_of, must, on_databases, open_year, year
from holdfast.app import Holdfast, spare_collector
from holdfast.check import check
from holdfast.core.organisation.settings import AddTaxRate, ChangeSettings
from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from holdfast.import_export import beancount, import_orders
from holdfast.organisation import establish, organisation_of

RATES = {"standard": Decimal("0.20"), "reduced": Decimal("0.05")}
NAMES = {"standard": "VAT 20%", "reduced": "VAT 5%"}
CLASSES = ("standard", "standard", "reduced", None)
"""Tax classes by what is left of a code's CRC-32, divided by four."""

BEAN_CHECK = shutil.which("bean-check", path=str(Path(sys.executable).parent))


def tax_class_of(sku: str) -> str | None:
    """The tax class of a product, the same in every run."""
    return CLASSES[zlib.crc32(sku.encode()) % len(CLASSES)]


# What the file says --------------------------------------------------------------------------------------------------


class Taxed(NamedTuple):
    """An amount in pounds without its tax, and the tax."""

    net: Decimal
    tax: Decimal


class Bought:
    """A line that somebody bought; how much of it came back."""

    def __init__(self, units: int, taxed: Taxed) -> None:
        self.units, self.taxed, self.back = units, taxed, 0

    def given_back(self) -> Taxed:
        """What was refunded of it so far: its proportion of the tax, and of all, each rounded up to a penny."""
        part = Decimal(self.back)
        tax = (self.taxed.tax * part / self.units).quantize(CENT, ROUND_UP)
        whole = ((self.taxed.net + self.taxed.tax) * part / self.units).quantize(CENT, ROUND_UP)
        return Taxed(whole - tax, tax)


class Sums:
    """Sums of the year in pounds by tax class: sold and given back, net and tax; and how many lines of each kind."""

    def __init__(self) -> None:
        self.sold: defaultdict[str | None, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        self.back: defaultdict[str | None, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        self.lines: defaultdict[str, int] = defaultdict(int)

    def less_returns(self, tax_class: str | None) -> Taxed:
        """Sales less returns."""
        return Taxed(*(sold - back for sold, back in zip(self.sold[tax_class], self.back[tax_class], strict=True)))

    @property
    def revenue(self) -> Decimal:
        """All nets sold."""
        return sum((net for net, _ in self.sold.values()), Decimal(0))

    @property
    def refunds(self) -> Decimal:
        """All nets given back."""
        return sum((net for net, _ in self.back.values()), Decimal(0))


def taxed(sku: str, amount: Decimal, *, included: bool) -> Taxed:
    """The net and the tax of an amount, which has the tax in it or not."""
    tax_class = tax_class_of(sku)
    if tax_class is None:
        return Taxed(amount, Decimal(0))
    rate = RATES[tax_class]
    if included:
        net = (amount / (1 + rate)).quantize(CENT, ROUND_HALF_UP)
        return Taxed(net, amount - net)
    return Taxed(amount, (amount * rate).quantize(CENT, ROUND_HALF_UP))


def _add(sums: dict[str | None, list[Decimal]], sku: str, one: Taxed) -> None:
    own = sums[tax_class_of(sku)]
    own[0] += one.net
    own[1] += one.tax


def half_of_year(text: str, sums: Sums, *, included: bool) -> None:
    """Add up the invoices of a half, in the order in which they begin."""
    invoices: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(StringIO(text, newline="")):
        invoices.setdefault(row["InvoiceNo"], []).append(row)
    bought: defaultdict[tuple[str, str, Decimal], list[Bought]] = defaultdict(list)
    came_back: dict[int, tuple[str, Bought]] = {}
    for invoice, rows in invoices.items():
        for row in rows:
            customer, sku, units = row["CustomerID"], row["StockCode"].strip().upper(), int(row["Quantity"])
            price = Decimal(row["UnitPrice"]).quantize(CENT, ROUND_HALF_UP)
            if invoice.startswith("C"):
                left = -units
                for one in reversed(bought[customer, sku, price] if customer else []):
                    part = min(left, one.units - one.back)
                    one.back += part
                    left -= part
                    if part:
                        came_back[id(one)] = (sku, one)
                        sums.lines["returned of a sale"] += 1
                if left:
                    sums.lines["returned without a sale"] += 1
                    _add(sums.back, sku, taxed(sku, left * price, included=included))
            elif not invoice.startswith("A") and units > 0 and (price or customer):
                line = Bought(units, taxed(sku, units * price, included=included))
                sums.lines["sold"] += 1
                _add(sums.sold, sku, line.taxed)
                if customer:
                    bought[customer, sku, price].append(line)
    for sku, one in came_back.values():
        _add(sums.back, sku, one.given_back())


def halves(limit: int | None) -> Iterator[str]:
    """The file as two, each with the header: parted where a day begins, about in the middle."""
    with year(limit) as file:
        header, *lines = file.readlines()
    days = [row[4][:10] for row in csv.reader(lines)]
    middle = len(lines) // 2
    while middle < len(lines) and days[middle] == days[middle - 1]:
        middle += 1
    yield header + "".join(lines[:middle])
    yield header + "".join(lines[middle:])


# The replay ----------------------------------------------------------------------------------------------------------


def replay(url: str, limit: int | None, console: Console) -> bool:
    """Replay into a fresh organisation at `url`; print the figures; True when everything comes out equal and clean."""
    expected = expected_of(limit)
    parts = list(halves(limit))
    sums = Sums()
    half_of_year(parts[0], sums, included=False)
    half_of_year(parts[1], sums, included=True)
    database = Database(url)
    migrate(database)
    actor = establish(database, "A year of taxes", "owner@replay.test", currency="GBP").actor
    organisation = organisation_of(database, actor.org_id)
    spare_collector()
    with Holdfast.open(url, queue_age_seconds=PATIENCE_SECONDS) as shop:
        for tax_class, rate in RATES.items():
            must(shop.do(actor, AddTaxRate(tax_class, str(rate), name=NAMES[tax_class])).answer)
        open_year(shop, actor, expected, tax_class_of)
        started, done = time.monotonic(), []
        modes = (ChangeSettings(tax_mode="exclusive"), ChangeSettings(tax_mode="inclusive"))
        for text, mode in zip(parts, modes, strict=True):
            must(shop.do(actor, mode).answer)
            done.append(import_orders(shop, actor, organisation, StringIO(text, newline="")))
        seconds, asked = time.monotonic() - started, time.monotonic()
        report = shop.reports.tax_report(actor.org_id)
        assert report is not None
        asked = time.monotonic() - asked
    counts = ", ".join(f"{number:,} {kind}" for kind, number in sums.lines.items())
    console.print(f"lines: {counts}; imported in {seconds:.1f} s, the tax report in {asked * 1000:.0f} ms")
    console.print(
        f"sales {sum(one.added for one in done):,}, returns {sum(one.returns for one in done):,}, "
        f"refused {sum(one.refused for one in done)}"
    )
    fine = _report(database, actor.org_id, sums, report, console)
    fine = _journal(database, actor.org_id, console) and fine
    checking = time.monotonic()
    result = check(database)
    database.dispose()
    said = "clean" if result.ok else result.mismatches[:3]
    console.print(f"holdfast check: {said}, {time.monotonic() - checking:.1f} s")
    return fine and result.ok and sum(one.refused for one in done) == expected.rows["refused"]


def _report(database: Database, org_id: str, sums: Sums, report: dict[str, Any], console: Console) -> bool:
    """Say what came out beside what had to; True when it is the same."""
    told = {item["name"]: item for item in report["items"]}
    posted = _postings(database, org_id)
    balances, _, _ = books_of(database, org_id)
    compared: dict[str, tuple[Decimal, Decimal]] = {}
    for tax_class, name in NAMES.items():
        wanted = sums.less_returns(tax_class)
        item = told.pop(name, {"net": "0", "tax": "0", "rate": "0"})
        found = posted.pop((name, RATES[tax_class]), Taxed(Decimal(0), Decimal(0)))
        compared |= {
            f"{name}: rate": (RATES[tax_class], Decimal(item["rate"])),
            f"{name}: net of the report": (wanted.net, Decimal(item["net"])),
            f"{name}: tax of the report": (wanted.tax, Decimal(item["tax"])),
            f"{name}: net of the postings": (wanted.net, found.net),
            f"{name}: tax of the postings": (wanted.tax, found.tax),
        }
    all_tax = sum((sums.less_returns(tax_class).tax for tax_class in NAMES), Decimal(0))
    compared |= {
        "tax payable (2100)": (all_tax, -balances["2100"]),
        "revenue (4000)": (sums.revenue, -balances["4000"]),
        "refunds (4100)": (sums.refunds, balances["4100"]),
        "trial balance": (Decimal(0), sum(balances.values(), Decimal(0))),
    }
    for what, (expected, came) in compared.items():
        console.print(f"{what}: {came:,} " + ("as expected" if expected == came else f"but {expected:,} was expected"))
    for other in (*told, *posted):
        console.print(f"a rate that is not one of the year: {other}")
    return all(expected == came for expected, came in compared.values()) and not told and not posted


def _postings(database: Database, org_id: str) -> dict[tuple[str | None, Decimal], Taxed]:
    """What was posted to account 2100 at each rate: read past every report."""
    posting = schema.posting.c
    query = sa.select(
        posting.tax_name, posting.tax_rate, sa.func.sum(-posting.tax_net), sa.func.sum(-posting.amount)
    ).where(posting.org_id == org_id, posting.account == "2100")
    with database.reading() as connection:
        rows = connection.execute(query.group_by(posting.tax_name, posting.tax_rate)).all()
    return {
        (name, Decimal(int(rate or 0)).scaleb(-6)): Taxed(Decimal(int(net)) * CENT, Decimal(int(tax)) * CENT)
        for name, rate, net, tax in rows
    }


def _journal(database: Database, org_id: str, console: Console) -> bool:
    """Does bean-check find nothing in the journal, where it is installed?"""
    if BEAN_CHECK is None:
        console.print("bean-check is not installed: the journal was not read by it.")
        return True
    with tempfile.NamedTemporaryFile("w", suffix=".beancount", encoding="utf-8") as file:
        file.writelines(beancount(database, organisation_of(database, org_id)))
        file.flush()
        started = time.monotonic()
        read = subprocess.run([BEAN_CHECK, "--no-cache", file.name], capture_output=True, text=True, check=False)
    found = (read.stdout + read.stderr).strip()
    console.print(f"bean-check: {found[:300] or 'nothing found'}, {time.monotonic() - started:.1f} s")
    return read.returncode == 0 and not found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay_taxes", description=__doc__)
    return on_databases(parser, lambda url, asked, console: replay(url, asked.rows, console))


if __name__ == "__main__":
    sys.exit(main())
