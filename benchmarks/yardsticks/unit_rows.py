"""Yardstick (c): one row per unit, taken with FOR UPDATE SKIP LOCKED, as Shopify has described it.

Nobody waits for a row: each buyer starts at a random place in a pool of unit rows and takes the first that is
not locked; the same statement inserts the reservation and the ledger entry. Shopify caps the pool at 1,000
rows per item and location and refills it from the ledger as it drains.

The refill is a gift here: a taken unit is back in the pool with the same commit (`times_taken` counts, so
that the books can be checked), where the real design deletes rows, inserts new ones and scans past the dead.
One buyer takes one unit; a line of 30 units, which costs Holdfast no more than a line of one, would cost
this design 30 rows.
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

NAME = "unit rows, SKIP LOCKED"

POOL_ROWS = 1_000
"""Unit rows of a SKU, Shopify's cap."""

POOL_ROWS_OF_MANY = 100
"""Unit rows of each of many SKUs: a smaller table stays in memory, which favours the yardstick."""

SKUS_WITH_FULL_POOL_MAX = 100

START_MARGIN = pgbench.CLIENTS_MAX
"""Nobody starts in the last rows of a pool, so there is always an unlocked row ahead."""

ATTEMPTS_MAX = 3
"""About one statement in 100,000 takes nothing although rows are free (seen far from the pool's end, cause not
known), so the psycopg client asks again. pgbench cannot, and counts such a one as done: in the yardstick's favour.
"""

UNITS = """
CREATE TABLE unit (
    sku_id bigint NOT NULL,
    unit_no integer NOT NULL,
    times_taken bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (sku_id, unit_no)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
"""

STATEMENT = """
WITH taken AS (
    UPDATE unit SET times_taken = times_taken + 1
    WHERE sku_id = {sku} AND unit_no = (
        SELECT unit_no FROM unit WHERE sku_id = {sku} AND unit_no >= {start}
        ORDER BY unit_no LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING sku_id
), held AS (
    INSERT INTO reservation (id, sku_id, quantity, idempotency_key)
    SELECT {id}, sku_id, 1, {key} FROM taken
    RETURNING id, sku_id
)
INSERT INTO ledger (sku_id, reservation_id, reserved_change)
SELECT sku_id, id, 1 FROM held
"""

TIMES_TAKEN = "SELECT sum(times_taken) FROM unit"


def pool_rows(skus: int) -> int:
    """How many unit rows each SKU has."""
    return POOL_ROWS if skus <= SKUS_WITH_FULL_POOL_MAX else POOL_ROWS_OF_MANY


@contextmanager
def client(url: str, skus: int, number: int) -> Iterator[Worker]:
    """One client with a connection of its own, taking one unit of a random SKU at a time."""
    statement = STATEMENT.format(
        sku="%(sku)s::bigint", id="%(id)s::uuid", key="%(key)s::text", start="%(start)s::integer"
    )
    query = statement.encode("ascii")
    starts = pool_rows(skus) - START_MARGIN
    choose = random.Random(number).randrange
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
        cursor = connection.cursor()

        def work() -> bool:
            key = str(uuid_utils.uuid7())
            sku_id = choose(schema.FIRST_SKU, schema.FIRST_SKU + skus)
            for _ in range(ATTEMPTS_MAX):
                start = choose(1, starts + 1)
                cursor.execute(query, {"sku": sku_id, "id": key, "key": key, "start": start})
                if cursor.rowcount == 1:
                    return True
            return False

        yield work


def setup(url: str, skus: int) -> None:
    """Make the tables anew, with the pools filled."""
    schema.create_tables(url, skus)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(UNITS)
        connection.execute(
            "INSERT INTO unit (sku_id, unit_no)"
            " SELECT sku_id, unit_no FROM generate_series(%s::bigint, %s::bigint) sku_id,"
            " generate_series(1, %s::integer) unit_no",
            (schema.FIRST_SKU, schema.FIRST_SKU + skus - 1, pool_rows(skus)),
        )
        schema.settle(connection)


PROCESSES = 2
"""Measured for 32 clients, means of two: 2 x 16 gave 9,500/s on 10,000 SKUs, 1 x 32, 4 x 8 and
8 x 4 gave 8,100, 8,100 and 8,800/s; on one hot row all are equal within the noise."""


def layout_of(clients: int) -> Layout:
    """The fastest way to spread psycopg clients on two cores."""
    processes = math.gcd(clients, PROCESSES)
    return Layout(processes, clients // processes)


def measure_psycopg(url: str, *, skus: int, clients: int, seconds: float, layout: Layout | None = None) -> Measurement:
    """Measure through psycopg, then check the books."""
    layout = layout or layout_of(clients)
    measured = process_load(f"{NAME}, psycopg", functools.partial(client, url, skus), layout, seconds)
    schema.check_books(url, measured.operations, reserved_from=TIMES_TAKEN)
    return measured


def measure_pgbench(url: str, *, skus: int, clients: int, seconds: float) -> Measurement | None:
    """Measure through pgbench, then check the books; None where there is no pgbench."""
    starts = pool_rows(skus) - START_MARGIN
    statement = STATEMENT.format(sku=":sku::bigint", id=pgbench.UUID, key=pgbench.KEY, start=":start::integer")
    measured = pgbench.run(
        f"{NAME}, pgbench",
        url,
        f"\\set start random(1, {starts})\n{statement}",
        skus=skus,
        clients=clients,
        seconds=seconds,
    )
    if measured is not None:
        schema.check_books(url, measured.operations, reserved_from=TIMES_TAKEN)
    return measured


def variants(url: str, *, skus: int, clients: int, seconds: float) -> list[Measurement]:
    """Through every driver that is there, each on fresh tables."""
    setup(url, skus)
    measured = [measure_psycopg(url, skus=skus, clients=clients, seconds=seconds)]
    setup(url, skus)
    by_pgbench = measure_pgbench(url, skus=skus, clients=clients, seconds=seconds)
    return measured if by_pgbench is None else [*measured, by_pgbench]


def measure(url: str, *, skus: int, clients: int, seconds: float) -> Measurement:
    """The stronger variant: what a ratio is to be taken against."""
    return max(variants(url, skus=skus, clients=clients, seconds=seconds), key=lambda each: each.per_second)
