"""Yardstick (b): the strongest single SQL statement, prepared, in autocommit, one round trip.

One data-modifying CTE does what the textbook does in five round trips. There are two ways to order it:

- `LOCK_FIRST` updates the stock row under a condition and inserts what follows from it; the row is locked
  while the inserts run.
- `LOCK_LAST` inserts first and updates last, so the lock is held for the shortest time that SQL allows: the
  update and the commit. A CHECK on the stock row refuses what the unlocked look at it let pass.

`measure` gives the strongest of them, through psycopg or pgbench; `variants` gives every one.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import uuid_utils

from benchmarks.load import Layout, Measurement, Worker, process_load
from benchmarks.yardsticks import pgbench, schema

NAME = "one statement"

LOCK_FIRST = """
WITH taken AS (
    UPDATE stock SET reserved = reserved + 1
    WHERE sku_id = {sku} AND on_hand - reserved >= 1
    RETURNING sku_id
), held AS (
    INSERT INTO reservation (id, sku_id, quantity, idempotency_key)
    SELECT {id}, sku_id, 1, {key} FROM taken
    RETURNING id, sku_id
)
INSERT INTO ledger (sku_id, reservation_id, reserved_change)
SELECT sku_id, id, 1 FROM held
"""

LOCK_LAST = """
WITH held AS (
    INSERT INTO reservation (id, sku_id, quantity, idempotency_key)
    SELECT {id}, sku_id, 1, {key} FROM stock WHERE sku_id = {sku} AND on_hand - reserved >= 1
    RETURNING id, sku_id
), entered AS (
    INSERT INTO ledger (sku_id, reservation_id, reserved_change)
    SELECT sku_id, id, 1 FROM held
    RETURNING sku_id
)
UPDATE stock SET reserved = reserved + 1 FROM entered WHERE stock.sku_id = entered.sku_id
"""

STATEMENTS = {"lock first": LOCK_FIRST, "lock last": LOCK_LAST}


def for_psycopg(statement: str) -> str:
    """The statement with psycopg's named parameters."""
    return statement.format(sku="%(sku)s::bigint", id="%(id)s::uuid", key="%(key)s::text")


def for_pgbench(statement: str) -> str:
    """The statement with pgbench's variables."""
    return statement.format(sku=":sku::bigint", id=pgbench.UUID, key=pgbench.KEY)


@contextmanager
def client(url: str, statement: str, skus: int, number: int) -> Iterator[Worker]:
    """One client with a connection of its own, reserving one unit of a random SKU at a time."""
    query = for_psycopg(statement).encode("ascii")
    choose = random.Random(number).randrange
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
        cursor = connection.cursor()

        def work() -> bool:
            key = str(uuid_utils.uuid7())
            sku_id = choose(schema.FIRST_SKU, schema.FIRST_SKU + skus)
            try:
                cursor.execute(query, {"sku": sku_id, "id": key, "key": key})
            except psycopg.errors.CheckViolation:
                return False
            return cursor.rowcount == 1

        yield work


def setup(url: str, skus: int) -> None:
    """Make the tables anew."""
    schema.create_tables(url, skus)


PROCESSES = 2
"""Measured for 32 clients, medians of three: 2 x 16 gave 9,800/s on 10,000 SKUs, 1 x 32, 4 x 8 and
8 x 4 gave 7,300, 8,700 and 9,400/s; on one hot row all are equal within the noise."""


def layout_of(clients: int) -> Layout:
    """The fastest way to spread psycopg clients on two cores."""
    processes = math.gcd(clients, PROCESSES)
    return Layout(processes, clients // processes)


def measure_psycopg(
    url: str, order: str, *, skus: int, clients: int, seconds: float, layout: Layout | None = None
) -> Measurement:
    """Measure one of STATEMENTS through psycopg, then check the books."""
    make = functools.partial(client, url, STATEMENTS[order], skus)
    layout = layout or layout_of(clients)
    measured = process_load(f"{NAME}, {order}, psycopg", make, layout, seconds)
    schema.check_books(url, measured.operations)
    return measured


def measure_pgbench(url: str, order: str, *, skus: int, clients: int, seconds: float) -> Measurement | None:
    """Measure one of STATEMENTS through pgbench, then check the books; None where there is no pgbench."""
    statement = for_pgbench(STATEMENTS[order])
    measured = pgbench.run(f"{NAME}, {order}, pgbench", url, statement, skus=skus, clients=clients, seconds=seconds)
    if measured is not None:
        schema.check_books(url, measured.operations)
    return measured


def variants(url: str, *, skus: int, clients: int, seconds: float) -> list[Measurement]:
    """Every statement through every driver that is there, each on fresh tables."""
    measured: list[Measurement] = []
    for order in STATEMENTS:
        setup(url, skus)
        measured.append(measure_psycopg(url, order, skus=skus, clients=clients, seconds=seconds))
        setup(url, skus)
        by_pgbench = measure_pgbench(url, order, skus=skus, clients=clients, seconds=seconds)
        if by_pgbench is not None:
            measured.append(by_pgbench)
    return measured


def measure(url: str, *, skus: int, clients: int, seconds: float) -> Measurement:
    """The strongest variant: what a ratio is to be taken against."""
    return max(variants(url, skus=skus, clients=clients, seconds=seconds), key=lambda each: each.per_second)
