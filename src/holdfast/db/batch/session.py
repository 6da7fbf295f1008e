"""One connection that runs the executor's transactions, on SQLite or PostgreSQL: begin and load, ask, write, commit.

    session.begin(org, pairs, holds, keys)  -> what the batch needs, with its levels locked in one global order
    session.fetch("SELECT ... :org", ...)   -> more of it, in the same transaction
    session.finish(writes)                  -> written and committed

On PostgreSQL `begin` is one round trip (a pipeline: the lock first, then, each with a fresh snapshot, what it
protects), and `finish` is the other (the writes that `send` has not sent ahead, and the commit). A batch that begins a
level asks once more whether product and location are unchanged. SQLite has no round trips and locks as a whole.

Whatever the driver raises leaves here as `db.failures` has it.
"""

from __future__ import annotations

import functools
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple

import msgspec
import psycopg

from holdfast.core.records.stock import Level, LevelKey, Reservation
from holdfast.db.batch import lot_queries
from holdfast.db.batch.rows import row_type
from holdfast.db.engine import LOCK_SECONDS, Database
from holdfast.db.failures import Full, Lost, translated

EXPIRED_FIRST = 500
"""Most expired holds that the beginning of a transaction reads; more are asked for when a decision needs them."""

HURRIED_MILLISECONDS = 50
"""How long a batch waits for a lock when one was met lately."""

STATEMENTS_MAX = 1_000
"""Statements whose translation into the driver's notation is kept."""

Row = Sequence[Any]


class Loaded(NamedTuple):
    """What `begin` read: raw rows, the organisation's catalog version, the database's clock (microseconds).

    `lots` are the first of each level (`lot_queries.FIRST`), `roaming_products` those that a roaming hold waits for.
    """

    levels: list[Row]
    lots: list[Row]
    holds: list[Row]
    expired: list[Row]
    roaming_products: list[str]
    answered: list[Row]
    also: list[list[Row]]
    version: int
    now: int


class Query(NamedTuple):
    """A query with `:name` parameters."""

    sql: str
    parameters: dict[str, Any]


class SeenRecords(NamedTuple):
    """Records that a commit depends on: `updated_at` by id of products and locations that get their first level."""

    org_id: str
    products: dict[str, int]
    locations: dict[str, int]


class Write(NamedTuple):
    """One bulk statement. `parameters` is a dict for one execution, or a list of tuples for SQLite's executemany."""

    sql: str
    parameters: dict[str, Any] | list[tuple[Any, ...]]


_LEVEL = row_type(Level)
_HOLD = row_type(Reservation)
HOLD_WIDTH = len(_HOLD.columns)
"""How many columns a hold has."""


class PostgresBatchSession:
    """Batches on PostgreSQL."""

    dialect = "postgresql"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None
        self._pipeline: AbstractContextManager[psycopg.Pipeline] | None = None

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The connection, made anew when it is gone."""
        if self._connection is None or self._connection.closed or self._connection.broken:
            with translated():
                self._connection = self._database.connect_postgresql()
        return self._connection

    def begin(
        self,
        org_id: str,
        pairs: Sequence[LevelKey],
        holds: Sequence[str],
        keys: Sequence[str],
        targets: Sequence[str] = (),
        taken: Sequence[str] = (),
        also: Sequence[Query] = (),
        *,
        hurried: bool = False,
    ) -> Loaded:
        """Begin, lock the levels of `pairs`, of the reservations `holds` and of those active for `targets` (sales).

        And those that the sale lines `taken` took from. Then read what the locks protect, and what `also` asks for.
        When `hurried`, wait only shortly for locks that others hold.
        """
        parameters = {
            "org": org_id,
            "products": _array([product for product, _ in pairs]),
            "locations": _array([location for _, location in pairs]),
            "holds": _array(holds),
            "targets": _array(targets),
            "taken": _array(taken),
            "keys": _text_array(keys),
        }
        of_holds = (
            (_PG_OF_HOLDS if holds else "") + (_PG_OF_TARGETS if targets else "") + (_PG_OF_TAKEN if taken else "")
        )
        connection = self.connection
        with translated(), connection.pipeline() as pipeline:
            _leave_idle_timer(pipeline)
            connection.execute("BEGIN")
            if hurried:
                connection.execute(f"SET LOCAL lock_timeout = '{HURRIED_MILLISECONDS}ms'")
            levels = connection.execute(_PG_LOCK.format(of_holds=of_holds), parameters)
            lots = connection.execute(_PG_LOTS.format(of_holds=of_holds, first=lot_queries.FIRST), parameters)
            expired = connection.execute(_PG_EXPIRED_AND_ROAMING.format(of_holds=of_holds), parameters)
            held = connection.execute(_PG_HOLDS, parameters) if holds else None
            others = [connection.execute(_percent(query.sql), query.parameters) for query in also]
            answered = connection.execute(_PG_ANSWERED, parameters) if keys else None  # after everything that locks
            clock = connection.execute(_PG_CLOCK, parameters)
            version, now = clock.fetchone() or (0, 0)
            told = expired.fetchall()
            return Loaded(
                levels.fetchall(),
                lots.fetchall(),
                held.fetchall() if held else [],
                [row[:HOLD_WIDTH] for row in told if row[HOLD_WIDTH] is None],
                [row[HOLD_WIDTH] for row in told if row[HOLD_WIDTH] is not None],
                answered.fetchall() if answered else [],
                [other.fetchall() for other in others],
                version,
                int(now),
            )

    def fetch(self, sql: str, **parameters: Any) -> list[Row]:
        """Rows of a query with `:name` parameters, in the transaction if one is open."""
        with translated():
            return self.connection.execute(_percent(sql), parameters).fetchall()

    def fetch_all(self, queries: Sequence[Query]) -> list[list[Row]]:
        """The rows of several queries, in the transaction that is open, in one round trip."""
        if not queries:
            return []
        if self._pipeline is not None or len(queries) == 1:
            return [self.fetch(query.sql, **query.parameters) for query in queries]
        connection = self.connection
        with translated(), connection.pipeline() as pipeline:
            _leave_idle_timer(pipeline)
            cursors = [connection.execute(_percent(query.sql), query.parameters) for query in queries]
            return [cursor.fetchall() for cursor in cursors]

    def send(self, writes: Sequence[Write]) -> None:
        """Write in the transaction that is open, without waiting for it: what fails is told by a later call."""
        connection = self.connection
        with translated():
            if self._pipeline is None:
                self._pipeline = connection.pipeline()
                _leave_idle_timer(self._pipeline.__enter__())
            for write in writes:
                connection.execute(_percent(write.sql), write.parameters)

    def _received(self) -> None:
        """Wait for what was sent."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.__exit__(None, None, None)

    def finish(self, writes: Sequence[Write], *, unchanged: SeenRecords | None = None) -> bool:
        """Write everything and commit.

        With `unchanged` the commit only happens when those records are still as the decisions saw them; else False,
        and the transaction is rolled back. (The foreign keys of a level's first row have waited for their changers.)
        """
        connection = self.connection
        with translated(committing=connection):
            if unchanged is not None:
                self._received()
                for write in writes:
                    connection.execute(_percent(write.sql), write.parameters)
                if not self._still(unchanged):
                    self.rollback()
                    return False
                connection.execute("COMMIT")
                return True
            self.send(writes)
            connection.execute("COMMIT")
            self._received()
        return True

    def _still(self, unchanged: SeenRecords) -> bool:
        """Are the products and locations of the given `updated_at` what they were?"""
        for table, seen in (("product", unchanged.products), ("location", unchanged.locations)):
            rows = self.connection.execute(
                f"SELECT id, updated_at FROM {table} WHERE org_id = %s AND id = ANY (%s::uuid[])",
                (unchanged.org_id, _array(list(seen))),
            ).fetchall()
            if dict(rows) != seen:
                return False
        return True

    def locked_elsewhere(self, org_id: str, pairs: Sequence[LevelKey]) -> set[LevelKey]:
        """Those of the levels that somebody else has locked; looking locks the others until the next rollback."""
        if not pairs:
            return set()
        parameters = {
            "org": org_id,
            "products": _array([product for product, _ in pairs]),
            "locations": _array([location for _, location in pairs]),
        }
        with translated():
            connection = self.connection
            connection.execute("BEGIN")
            connection.execute(f"SET LOCAL lock_timeout = '{HURRIED_MILLISECONDS}ms'")
            known = connection.execute(_PG_KNOWN, parameters).fetchall()
            free = connection.execute(_PG_FREE, parameters).fetchall()
        return {(row[0], row[1]) for row in known} - {(row[0], row[1]) for row in free}

    def rollback(self) -> None:
        """Give up the transaction, whatever its state."""
        connection = self._connection
        if connection is None or connection.closed or connection.broken:
            self._pipeline = None
            return
        with suppress(psycopg.Error):
            self._received()
        if connection.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF:
            connection.close()  # results of the failed pipeline are still under way; the server rolls back as well
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


class SqliteBatchSession:
    """Batches on SQLite: BEGIN IMMEDIATE takes the one write lock, so everything after it is exact."""

    dialect = "sqlite"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._hurried = False

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, opened at first use."""
        if self._connection is None:
            with translated():
                self._connection = self._database.connect_sqlite()
        return self._connection

    def begin(
        self,
        org_id: str,
        pairs: Sequence[LevelKey],
        holds: Sequence[str],
        keys: Sequence[str],
        targets: Sequence[str] = (),
        taken: Sequence[str] = (),
        also: Sequence[Query] = (),
        *,
        hurried: bool = False,
    ) -> Loaded:
        """Begin and read what the batch needs (see PostgresBatchSession.begin)."""
        with translated():
            execute = self.connection.execute
            if hurried != self._hurried:
                patience = HURRIED_MILLISECONDS if hurried else int(LOCK_SECONDS * 1000)
                execute(f"PRAGMA busy_timeout={patience}")
                self._hurried = hurried
            execute("BEGIN IMMEDIATE")
            now = time.time_ns() // 1000
            held = execute(_LITE_HOLDS, (org_id, _json(holds))).fetchall() if holds else []
            aimed = execute(_LITE_OF_TARGETS, (org_id, _json(targets))).fetchall() if targets else []
            left = execute(_LITE_OF_TAKEN, (org_id, _json(taken))).fetchall() if taken else []
            wanted = [*pairs, *((row[2], row[3]) for row in held), *aimed, *left]
            levels = execute(_LITE_LEVELS, (org_id, _json(wanted))).fetchall()
            names = _json([row[0] for row in levels])
            lots = execute(lot_queries.LITE_FIRST, (org_id, names, lot_queries.FIRST)).fetchall()
            expired = execute(_LITE_EXPIRED, (org_id, names, now)).fetchall()
            products = _json(list({pair[0] for pair in wanted}))
            roaming = [row[0] for row in execute(_LITE_ROAMING, (org_id, products))]
            answered = execute(_LITE_ANSWERED, (org_id, _json(keys))).fetchall() if keys else []
            row = execute("SELECT catalog_version FROM organisation WHERE org_id = ?", (org_id,)).fetchone()
            others = [execute(_unlocked(query.sql), query.parameters).fetchall() for query in also]
            return Loaded(levels, lots, held, expired, roaming, answered, others, row[0] if row else 0, now)

    def fetch(self, sql: str, **parameters: Any) -> list[Row]:
        """Rows of a query with `:name` parameters, in the transaction if one is open."""
        with translated():
            return self.connection.execute(_unlocked(sql), parameters).fetchall()

    def fetch_all(self, queries: Sequence[Query]) -> list[list[Row]]:
        """The rows of several queries, in the transaction that is open."""
        return [self.fetch(query.sql, **query.parameters) for query in queries]

    def finish(self, writes: Sequence[Write], *, unchanged: SeenRecords | None = None) -> bool:
        """Write everything and commit; nobody else can have changed the catalog meanwhile."""
        self.send(writes)
        try:
            with translated():
                self.connection.execute("COMMIT")
        except Full as full:
            if self.connection.in_transaction:
                raise
            raise Lost(str(full)) from full
        return True

    def send(self, writes: Sequence[Write]) -> None:
        """Write in the transaction that is open."""
        with translated():
            for write in writes:
                if isinstance(write.parameters, dict):
                    self.connection.execute(write.sql, write.parameters)
                else:
                    self.connection.executemany(write.sql, write.parameters)

    def locked_elsewhere(self, org_id: str, pairs: Sequence[LevelKey]) -> set[LevelKey]:
        """The levels that somebody else has locked: here only the whole file can be."""
        del org_id, pairs
        return set()

    def rollback(self) -> None:
        """Give up the transaction, if one is open."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


BatchSession = PostgresBatchSession | SqliteBatchSession


def open_batch_session(database: Database) -> BatchSession:
    """A session for the database's dialect."""
    return SqliteBatchSession(database) if database.is_sqlite else PostgresBatchSession(database)


# The hot statements --------------------------------------------------------------------------------------------------

# Every lookup is a LATERAL behind an OFFSET 0 fence: an index probe per key, whatever the statistics say.
_PG_CHOSEN = (
    "WITH chosen AS MATERIALIZED (SELECT product_id, location_id FROM "
    "unnest(%(products)s::uuid[], %(locations)s::uuid[]) AS k (product_id, location_id){of_holds} ORDER BY 1, 2) "
)
_PG_OF_HOLDS = (
    " UNION SELECT r.product_id, r.location_id FROM unnest(%(holds)s::uuid[]) AS h (id) CROSS JOIN LATERAL ("
    "SELECT product_id, location_id FROM reservation WHERE org_id = %(org)s::uuid AND id = h.id OFFSET 0) r"
)
_PG_OF_TARGETS = (
    " UNION SELECT r.product_id, r.location_id FROM unnest(%(targets)s::uuid[]) AS g (id) CROSS JOIN LATERAL ("
    "SELECT product_id, location_id FROM reservation WHERE org_id = %(org)s::uuid AND reserved_for_id = g.id "
    "AND status = 'active' OFFSET 0) r"
)
_PG_OF_TAKEN = (
    " UNION SELECT r.product_id, r.location_id FROM unnest(%(taken)s::uuid[]) AS t (id) CROSS JOIN LATERAL ("
    "SELECT product_id, (part ->> 'location_id')::uuid AS location_id FROM sale_line "
    "CROSS JOIN LATERAL json_array_elements(taken) AS part WHERE org_id = %(org)s::uuid AND id = t.id OFFSET 0) r"
)
_PG_LOCK = (
    f"{_PG_CHOSEN}SELECT l.* FROM chosen k CROSS JOIN LATERAL (SELECT {_LEVEL.select} FROM level "
    "WHERE org_id = %(org)s::uuid AND product_id = k.product_id AND location_id = k.location_id FOR UPDATE) l"
)
_PG_PAIRS = "unnest(%(products)s::uuid[], %(locations)s::uuid[]) AS k (product_id, location_id)"
_PG_LEVEL_OF_PAIR = (
    "SELECT product_id, location_id FROM level WHERE org_id = %(org)s::uuid AND product_id = k.product_id "
    "AND location_id = k.location_id"
)
_PG_KNOWN = f"SELECT l.* FROM {_PG_PAIRS} CROSS JOIN LATERAL ({_PG_LEVEL_OF_PAIR} OFFSET 0) l"
_PG_FREE = f"SELECT l.* FROM {_PG_PAIRS} CROSS JOIN LATERAL ({_PG_LEVEL_OF_PAIR} FOR UPDATE SKIP LOCKED) l"
_PG_LEVEL_IDS = (
    "chosen k CROSS JOIN LATERAL (SELECT id FROM level "
    "WHERE org_id = %(org)s::uuid AND product_id = k.product_id AND location_id = k.location_id OFFSET 0) l"
)
_PG_LOTS = _PG_CHOSEN + lot_queries.PG_FIRST.replace("{levels}", _PG_LEVEL_IDS)
# Two results: the expired holds of the levels, oldest first; and a row for each product that a roaming hold waits for,
# which it has in the last column, behind those of a hold (HOLD_WIDTH).
_PG_EXPIRED_AND_ROAMING = (
    f"{_PG_CHOSEN}(SELECT {_HOLD.select_as('r')}, NULL::uuid AS roaming FROM {_PG_LEVEL_IDS} CROSS JOIN LATERAL ("
    "SELECT * FROM reservation "
    "WHERE org_id = %(org)s::uuid AND level_id = l.id AND status = 'active' AND expires_at IS NOT NULL "
    "AND expires_at <= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint OFFSET 0) r "
    f"ORDER BY r.expires_at, r.id LIMIT {EXPIRED_FIRST}) UNION ALL "
    f"SELECT {_HOLD.select_as('r')}, k.product_id FROM (SELECT DISTINCT product_id FROM chosen) k CROSS JOIN LATERAL ("
    "SELECT * FROM reservation WHERE org_id = %(org)s::uuid AND product_id = k.product_id AND backordered > 0 "
    "AND served_from IS NOT NULL LIMIT 1) r"
)
_PG_HOLDS = f"SELECT {_HOLD.select} FROM reservation WHERE org_id = %(org)s::uuid AND id = ANY (%(holds)s::uuid[])"
_PG_ANSWERED = (
    "SELECT key, fingerprint, status, body FROM answered WHERE org_id = %(org)s::uuid AND key = ANY (%(keys)s::text[])"
)
_PG_CLOCK = (
    "SELECT catalog_version, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint "
    "FROM organisation WHERE org_id = %(org)s::uuid"
)
# In SQLite, CROSS JOIN keeps the order of the tables: the keys drive, an index answers.
_LITE_LEVELS = (
    f"SELECT DISTINCT {_LEVEL.select_as('l')} FROM json_each(?2) k CROSS JOIN level l ON l.org_id = ?1 "
    "AND l.product_id = k.value ->> 0 AND l.location_id = k.value ->> 1"
)
_LITE_EXPIRED = (
    f"SELECT {_HOLD.select_as('r')} FROM json_each(?2) k CROSS JOIN reservation r ON r.org_id = ?1 "
    "AND r.level_id = k.value AND r.status = 'active' AND r.expires_at IS NOT NULL AND r.expires_at <= ?3 "
    f"ORDER BY r.expires_at, r.id LIMIT {EXPIRED_FIRST}"
)
_LITE_ROAMING = (
    "SELECT k.value FROM json_each(?2) k WHERE EXISTS (SELECT 1 FROM reservation r WHERE r.org_id = ?1 "
    "AND r.product_id = k.value AND r.backordered > 0 AND r.served_from IS NOT NULL)"
)
_LITE_HOLDS = (
    f"SELECT {_HOLD.select_as('r')} FROM json_each(?2) k CROSS JOIN reservation r ON r.org_id = ?1 AND r.id = k.value"
)
_LITE_OF_TARGETS = (
    "SELECT DISTINCT r.product_id, r.location_id FROM json_each(?2) k CROSS JOIN reservation r ON r.org_id = ?1 "
    "AND r.reserved_for_id = k.value AND r.status = 'active'"
)
_LITE_OF_TAKEN = (
    "SELECT DISTINCT s.product_id, part.value ->> 'location_id' FROM json_each(?2) k CROSS JOIN sale_line s "
    "ON s.org_id = ?1 AND s.id = k.value CROSS JOIN json_each(s.taken) part"
)
_LITE_ANSWERED = (
    "SELECT a.key, a.fingerprint, a.status, a.body FROM json_each(?2) k "
    "CROSS JOIN answered a ON a.org_id = ?1 AND a.key = k.value"
)


def _leave_idle_timer(pipeline: psycopg.Pipeline) -> None:
    """Leave the pipeline with a Sync only.

    psycopg sends a Flush behind it, which disarms the server's idle_in_transaction_session_timeout: a process that
    stops in mid-batch would then hold its levels for ever. (Private names of the pinned psycopg; a test watches them.)
    """
    pipeline._exit_gen = pipeline._sync_gen  # type: ignore[method-assign]  # see above


_NAMED = re.compile(r"(?<![:\w]):(\w+)")


@functools.lru_cache(maxsize=STATEMENTS_MAX)
def _percent(sql: str) -> str:
    """`:name` parameters as psycopg writes them."""
    return _NAMED.sub(r"%(\1)s", sql)


def _unlocked(sql: str) -> str:
    """The query for SQLite, which has locked everything already."""
    return sql.replace(" FOR UPDATE", "")


def _json(values: Sequence[Any]) -> str:
    return msgspec.json.encode(values).decode()


def _array(ids: Sequence[str]) -> str:
    """A PostgreSQL array literal of ids: one text parameter is six times cheaper than a list of them."""
    return "{" + ",".join(ids) + "}"


def _text_array(texts: Sequence[str]) -> str:
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"
