"""Reads of a shop where much waits or has ended, all of it of other products: `python -m benchmarks.reads --waiting`.

    waiting   backorders that any location may serve
    due       as many holds that have ended, of the products for which somebody waits
    expired   lots that have expired, where the product was never in quarantine

A read shows its rows as settling would leave them, so it looks whether anything of theirs has ended or may be served.
That must not cost more when 20,000 others wait. Each kind is added to a full database in steps, and the same reads are
timed after each.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from benchmarks.fill import DAY, ORG, Bulk, Ids
from holdfast.core.records.catalog import EVERYWHERE
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.engine import Database
from holdfast.db.queries.catalog import columns_of
from holdfast.db.queries.paging import among
from holdfast.reports import Reports

STEPS = (0, 1_000, 20_000)
"""How many there are of a kind."""

SPREAD = 4_000
"""Products that they are of; none of them is on a first page."""

LONG_MS = 3_000
"""A read that has taken so long altogether is not asked again."""

KINDS = ("waiting", "due", "expired")


def _reads(reports: Reports) -> dict[str, Callable[[], Any]]:
    """The reads, as calls without arguments."""
    entry = reports.levels(ORG, limit=1).items[0]
    hold = next(hold for hold in reports.reservations(ORG, status="active").items if hold["sku"] == "SKU-000000")
    past = time.time_ns() // 1000 - DAY
    return {
        "products": lambda: reports.products(ORG),
        "product": lambda: reports.product(ORG, entry["sku"]),
        "levels": lambda: reports.levels(ORG),
        "levels, as of yesterday": lambda: reports.levels(ORG, as_of=past),
        "levels, quarantine": lambda: reports.levels(ORG, location="EAST-QUARANTINE"),
        "level": lambda: reports.level(ORG, entry["id"]),
        "reservations": lambda: reports.reservations(ORG, product="SKU-000000"),
        "reservations, all": lambda: reports.reservations(ORG),
        "reservation": lambda: reports.reservation(ORG, hold["id"]),
        "lots": lambda: reports.lots(ORG),
        "lots, in stock": lambda: reports.lots(ORG, in_stock=True),
        "valuation": lambda: reports.valuation(ORG),
        "inventory stats": lambda: reports.inventory_stats(ORG),
    }


class _Crowd:
    """Adds holds and lots to the levels at WEST of SPREAD products in the middle of the catalogue.

    All that these products have is promised, so that nothing is served before a hold ends.
    """

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._ids = Ids(seed)
        self._now = time.time_ns() // 1000
        self._count = itertools.count()
        level, stock, product = schema.level.c, schema.lot_stock.c, schema.product.c
        mine = (
            sa.select(level.id)
            .join_from(
                schema.level, schema.product, (product.org_id == level.org_id) & (product.id == level.product_id)
            )
            .where(level.org_id == ORG, product.sku.between("SKU-000100", f"SKU-{99 + SPREAD:06}"))
        )
        with database.writing() as connection:
            names = list(connection.execute(mine).scalars())
            connection.execute(sa.update(schema.level).where(level.id.in_(mine)).values(reserved=level.on_hand))
            promised = sa.update(schema.lot_stock).where(stock.level_id.in_(mine))
            connection.execute(promised.values(reserved=stock.on_hand, sellable_until=None))
            west = sa.select(schema.location.c.id).where(schema.location.c.code == "WEST").scalar_subquery()
            query = sa.select(*columns_of(schema.level, Level)).where(level.id.in_(mine), level.location_id == west)
            self._levels = [row_type(Level).read(row) for row in connection.execute(query)]
            lots = sa.select(stock.level_id, stock.lot_id).where(
                stock.org_id == ORG, among(connection, stock.level_id, names)
            )
            self._lot_of = dict(connection.execute(lots.where(stock.is_open).order_by(stock.on_hand)).tuples().all())

    def add(self, kind: str, number: int) -> None:
        """So many more of the kind."""
        bulk = Bulk(self._database)
        levels = list(itertools.islice(itertools.cycle(self._levels), number))
        if kind == "expired":
            pairs = [self._expired(level) for level in levels]
            bulk.structs(Lot, [lot for lot, _ in pairs])
            bulk.structs(LotStock, [at for _, at in pairs])
        elif kind == "due":
            bulk.structs(Reservation, [self._due(level) for level in levels])
        else:
            bulk.structs(Reservation, [self._waiting(level) for level in levels])
        column = "on_hand" if kind == "expired" else "backordered"
        with self._database.writing() as connection:
            for level_id, more in Counter(level.id for level in levels).items() if kind != "due" else ():
                own = (schema.level.c.org_id == ORG, schema.level.c.id == level_id)
                units = {column: schema.level.c[column] + more}
                connection.execute(sa.update(schema.level).where(*own).values(units))
        bulk.finish()

    def _waiting(self, level: Level) -> Reservation:
        number = f"W-{next(self._count)}"
        return Reservation(
            self._ids.at(self._now - 200 * DAY), level.id, level.product_id, level.location_id, 1, 0, 0, 1, (),
            "active", None, None, "order", None, None, None, number, "manual", 100, None, "ann",
            self._now, self._now, EVERYWHERE,
        )  # fmt: skip

    def _due(self, level: Level) -> Reservation:
        held = ((self._lot_of[level.id], 1),)
        return replace(self._waiting(level), backordered=0, allocations=held, expires_at=self._now - 1)

    def _expired(self, level: Level) -> tuple[Lot, LotStock]:
        lot_id, until = self._ids.at(self._now - 200 * DAY), self._now - 1
        lot = Lot(
            lot_id, level.product_id, None, 5_000_000, until, None, self._now - DAY, None, None, "purchase", "active"
        )
        return lot, LotStock(level.id, lot_id, level.location_id, 1, 0, 500, until, True)


def _medians(database: Database, times: int) -> Iterator[tuple[str, float]]:
    for name, read in _reads(Reports(database)).items():
        taken: list[float] = []
        while len(taken) <= times and sum(taken) < LONG_MS:
            started = time.perf_counter()
            read()
            taken.append((time.perf_counter() - started) * 1000)
        yield name, statistics.median(taken[1:] or taken)


def measure(url: str, times: int) -> None:
    """Show the medians of the reads at each step of each kind; the database is changed."""
    database = Database(url)
    where = "SQLite" if database.is_sqlite else "PostgreSQL"
    table = Table(title=f"Medians in ms on {where}, by how many wait or have ended", title_justify="left")
    table.add_column("read")
    columns = []
    for seed, kind in enumerate(KINDS, 2):
        crowd, there = _Crowd(database, seed), 0
        for step in STEPS if kind == KINDS[0] else STEPS[1:]:
            if step:
                crowd.add(kind, step - there)
            there = step
            columns.append(dict(_medians(database, times)))
            table.add_column(f"{step:,} {kind}" if step else "none", justify="right")
    for name in columns[0]:
        table.add_row(name, *(f"{column[name]:.1f}" for column in columns))
    Console(width=150).print(table)
    database.dispose()
