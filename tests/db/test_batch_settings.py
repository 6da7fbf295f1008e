"""How PostgreSQL plans the statements of a batch: once, by key, and on Citus not before it knows the organisation."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from holdfast.core.records.stock import Level
from holdfast.db.batch import save
from holdfast.db.batch.rows import row_type
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate

CITUS = (
    "INSERT INTO pg_extension SELECT 4000000000, 'citus', extowner, extnamespace, false, '13.2-1', NULL, NULL "
    "FROM pg_extension WHERE extname = 'plpgsql'"
)
"""Citus is where its extension is; all that is asked for is the row."""


@contextlib.contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    database = Database(url)
    with contextlib.closing(database.connect_postgresql()) as connection:
        yield connection
    database.dispose()


def _mode(url: str) -> str:
    with _connected(url) as connection:
        row = connection.execute("SHOW plan_cache_mode").fetchone()
    assert row is not None
    return str(row[0])


def test_statements_are_planned_once(postgres_url: str) -> None:
    assert _mode(postgres_url) == "force_generic_plan"


def test_citus_plans_each_time(postgres_url: str) -> None:
    """Its planner refuses a plan without the organisation ("could not create distributed plan")."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(CITUS)

    assert _mode(postgres_url) == "auto"


def test_citus_keeps_the_mode_that_its_operator_chose(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(CITUS)
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET plan_cache_mode = 'force_custom_plan'")

    assert _mode(postgres_url) == "force_custom_plan"


@pytest.mark.parametrize("kind", ["postgres_url", "partitioned_url"])
@pytest.mark.parametrize("gathered", [None, 1], ids=["no statistics", "statistics of one row"])
def test_an_update_goes_to_its_rows_by_place(request: pytest.FixtureRequest, kind: str, gathered: int | None) -> None:
    """Whatever the planner believes of the table: else every row of the organisation is read for each that changes."""
    url = request.getfixturevalue(kind)
    database = Database(url)
    migrate(database)
    database.dispose()
    org = str(uuid.uuid4())
    with _connected(url) as connection:
        connection.execute("SET session_replication_role = replica")  # levels of no product
        if gathered:
            _fill(connection, org, gathered)
            connection.execute("ANALYZE level")
        _fill(connection, org, 2_000)
        statement, parameters = _prepared(save._update(Level, "postgresql", whole=False), org)
        connection.execute(f"PREPARE changed AS {statement}", prepare=False)
        plan = connection.execute(f"EXPLAIN EXECUTE changed ({parameters})", prepare=False).fetchall()

    told = "\n".join(line for (line,) in plan)
    assert "Tid Scan on level" in told, told


def _fill(connection: psycopg.Connection[Any], org: str, rows: int) -> None:
    """Levels of one organisation, of which nothing but their number matters."""
    connection.execute(
        "INSERT INTO level (org_id, id, product_id, location_id, on_hand, reserved, backordered, seq, listed, "
        "created_at, updated_at, checksum) SELECT %s::uuid, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), "
        "1, 0, 0, 1, true, 1, 1, 1 FROM generate_series(1, %s::integer)",
        [org, rows],
    )


def _prepared(sql: str, org: str) -> tuple[str, str]:
    """The statement with numbered parameters, and empty arrays for them."""
    kind = row_type(Level)
    values = []
    for number, name in enumerate((*kind.columns, "checksum"), start=1):
        sql = re.sub(rf":{name}::", f"${number}::", sql)
        values.append("'{}'")
    return sql.replace(":org", f"${len(values) + 1}"), ", ".join([*values, f"'{org}'"])
