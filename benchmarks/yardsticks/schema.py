"""The tables the PostgreSQL yardsticks share, and the check of the books after a run.

`stock` holds the counters, `reservation` one row per hold, `ledger` one row per change. This is the smallest
schema that can be called an inventory: no foreign keys (they would double the cost of an insert) and one
index on the ledger, which is its primary key.
"""

from __future__ import annotations

import psycopg

UNITS_ON_HAND = 1_000_000_000
"""Per SKU: enough never to run out."""

FIRST_SKU = 1

STOCK_ROWS_MIN = 10_000
"""A shop with one hot SKU has others too. It also helps the yardsticks: a stock table of one row is scanned,
with the dead versions of the row, where this one is looked up (lock last, 32 clients: 2,700/s against 2,000/s).
"""

TABLES = """
DROP TABLE IF EXISTS unit, ledger, reservation, stock;
CREATE TABLE stock (
    sku_id bigint PRIMARY KEY,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL DEFAULT 0,
    CONSTRAINT never_oversold CHECK (reserved BETWEEN 0 AND on_hand)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE TABLE reservation (
    id uuid PRIMARY KEY,
    sku_id bigint NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    idempotency_key text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ledger (
    sku_id bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    reservation_id uuid NOT NULL,
    reserved_change bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sku_id, seq)
);
"""


def create_tables(url: str, skus: int) -> None:
    """Make the tables anew, with at least `skus` stock rows numbered from FIRST_SKU."""
    with psycopg.connect(url, autocommit=True) as connection:
        require_durable(connection)
        connection.execute(TABLES)
        connection.execute(
            "INSERT INTO stock (sku_id, on_hand) SELECT n, %s FROM generate_series(%s::bigint, %s::bigint) n",
            (UNITS_ON_HAND, FIRST_SKU, FIRST_SKU + max(skus, STOCK_ROWS_MIN) - 1),
        )
        settle(connection)


def settle(connection: psycopg.Connection) -> None:
    """Leave nothing of the setup for the run to pay: statistics, visibility, dirty pages."""
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")


def require_durable(connection: psycopg.Connection) -> None:
    """Refuse to measure a database that may lose what it has acknowledged."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        row = connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()
        if row != ("on",):
            raise RuntimeError(f"{setting} must be on for a durable measurement")


def check_books(url: str, operations: int, *, reserved_from: str = "SELECT sum(reserved) FROM stock") -> None:
    """Raise unless the counters, the reservations and the ledger agree, and hold at least `operations`."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            f"SELECT coalesce(({reserved_from}), 0)::bigint,"
            " (SELECT count(*) FROM reservation),"
            " (SELECT count(*) FROM ledger),"
            " (SELECT coalesce(sum(reserved_change), 0)::bigint FROM ledger)"
        ).fetchone()
    assert row is not None
    reserved, reservations, entries, reserved_by_ledger = row
    if not reserved == reservations == entries == reserved_by_ledger:
        raise RuntimeError(
            f"the books disagree: {reserved} reserved, {reservations} reservations,"
            f" {entries} ledger entries over {reserved_by_ledger}"
        )
    if reservations < operations:
        raise RuntimeError(f"{operations} operations were acknowledged but {reservations} are on record")
