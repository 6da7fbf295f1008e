"""The textbook on SQLite: one transaction per reservation, write-ahead log, synchronous=FULL.

SQLite has one writer. Left to its busy handler, waiting clients sleep and poll for the file lock; threads of
one process that take turns by a mutex never do, and are the fastest way to drive it, so that is what is
measured. `url` is the path of the database file, on a disk that really syncs (not tmpfs).
"""

from __future__ import annotations

import functools
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uuid_utils

from benchmarks.load import Measurement, Worker, threads_load
from benchmarks.yardsticks.schema import FIRST_SKU, UNITS_ON_HAND

NAME = "textbook on SQLite, FULL"

BUSY_SECONDS_MAX = 30.0

TABLES = """
DROP TABLE IF EXISTS ledger;
DROP TABLE IF EXISTS reservation;
DROP TABLE IF EXISTS stock;
CREATE TABLE stock (
    sku_id INTEGER PRIMARY KEY,
    on_hand INTEGER NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0,
    CHECK (reserved BETWEEN 0 AND on_hand)
);
CREATE TABLE reservation (
    id BLOB PRIMARY KEY,
    sku_id INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    sku_id INTEGER NOT NULL,
    reservation_id BLOB NOT NULL,
    reserved_change INTEGER NOT NULL
);
"""


def connect(path: str) -> sqlite3.Connection:
    """A durable connection that begins its transactions itself."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS_MAX, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def reserve(connection: sqlite3.Connection, sku_id: int, quantity: int, key: str) -> bool:
    """Reserve in one transaction; False when there is too little."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        on_hand, reserved = connection.execute(
            "SELECT on_hand, reserved FROM stock WHERE sku_id = ?", (sku_id,)
        ).fetchone()
        if on_hand - reserved < quantity:
            connection.execute("ROLLBACK")
            return False
        reservation_id = uuid_utils.uuid7().bytes
        connection.execute("UPDATE stock SET reserved = reserved + ? WHERE sku_id = ?", (quantity, sku_id))
        connection.execute(
            "INSERT INTO reservation (id, sku_id, quantity, idempotency_key) VALUES (?, ?, ?, ?)",
            (reservation_id, sku_id, quantity, key),
        )
        connection.execute(
            "INSERT INTO ledger (sku_id, reservation_id, reserved_change) VALUES (?, ?, ?)",
            (sku_id, reservation_id, quantity),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


@contextmanager
def client(path: str, skus: int, turn: threading.Lock, number: int) -> Iterator[Worker]:
    """One client with a connection of its own, reserving one unit of a random SKU when its turn comes."""
    choose = random.Random(number).randrange
    with closing(connect(path)) as connection:

        def work() -> bool:
            sku_id = choose(FIRST_SKU, FIRST_SKU + skus)
            with turn:
                return reserve(connection, sku_id, 1, str(uuid_utils.uuid7()))

        yield work


def setup(url: str, skus: int) -> None:
    """Make the tables anew in the file at `url`."""
    Path(url).parent.mkdir(parents=True, exist_ok=True)
    with closing(connect(url)) as connection:
        connection.executescript(TABLES)
        rows = ((FIRST_SKU + n, UNITS_ON_HAND) for n in range(skus))
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO stock (sku_id, on_hand) VALUES (?, ?)", rows)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measure(url: str, *, skus: int, clients: int, seconds: float) -> Measurement:
    """Reserve from `clients` threads for some seconds, then check the books."""
    make = functools.partial(client, url, skus, threading.Lock())
    measured = threads_load(make, clients, seconds, name=NAME)
    with closing(connect(url)) as connection:
        reserved, reservations, entries = connection.execute(
            "SELECT (SELECT sum(reserved) FROM stock), (SELECT count(*) FROM reservation),"
            " (SELECT sum(reserved_change) FROM ledger)"
        ).fetchone()
    if not reserved == reservations == entries or reservations < measured.operations:
        raise RuntimeError(f"the books disagree: {reserved}, {reservations}, {entries}; {measured}")
    return measured
