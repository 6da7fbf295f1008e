"""The check finds every field that was changed behind Holdfast's back, and names the row."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.check import CheckResult, check
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from holdfast.db import schema
from holdfast.db.batch.rows import SALE_TABLES
from holdfast.db.engine import Database
from tests.conftest import DATABASES, PARTITIONED
from tests.db.trading import trade
from tests.shop import Shop, open_shop, quick_sqlite, unguard

TABLES = {
    "level": ("id",),
    "lot": ("id",),
    "lot_stock": ("level_id", "lot_id"),
    "reservation": ("id",),
    "ledger": ("id",),
    **{table.name: ("id",) for table in SALE_TABLES.values()},
    "posting": ("entry_id", "position"),
}
COLUMNS = [(table, column.name) for table in TABLES for column in schema.metadata.tables[table].c]

STOCK = ("level", "lot", "lot_stock", "reservation", "ledger")

NEIGHBOURS = ("level_id", "lot_id", "sale_id", "line_id", "session_id", "entry_id", "card_id")
"""Columns that name rows which tell of a row that is missing."""

Row = dict[str, Any]


def lively(shop: Shop) -> None:
    """Give every table rows of many kinds."""
    shop.product("MUG-1", oversell="backorder")
    shop.product("SALT", precision=2, track_expiry=True)
    first = shop.receive("MUG-1", 5, lot="A", cost="3.50")
    shop.receive("MUG-1", 5, lot="B", cost="4.00")
    shop.receive("SALT", Decimal("2.5"), lot="S", cost="1.10", expires_on="2099-01-31", gtin="04006381333931")
    sold = shop.ok(Reserve("MUG-1", 3, "MAIN", Target("101", "shopify")))
    shop.ok(Consume(sold.id, 2))
    shop.ok(Release(shop.ok(Reserve("MUG-1", 1, "MAIN", Target("102"))).id, reason="changed their mind"))
    shop.ok(Reserve("MUG-1", 1, "MAIN", Target("103"), lot_id=first, expires_at=4_000_000_000_000_000))
    shop.ok(Reserve("MUG-1", 20, "MAIN", Target("104")))
    shop.ok(Reserve("SALT", Decimal("0.25"), "MAIN"))
    shop.ok(Count("MAIN", (CountLine("MUG-1", 6),)))
    shop.ok(SetStock("SALT", "EAST", 3, reason="found"))
    sent = shop.ok(Dispatch("MAIN", "EAST", (TransferLine("SALT", 1),)))
    shop.ok(ReceiveTransfer(sent.id))
    shop.receive("MUG-1", 2, "EAST", lot="C")
    shop.ok(Quarantine(first, "cracks"))
    trade(shop)


@pytest.fixture(scope="module", params=[*DATABASES, PARTITIONED])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with a history, whose database no longer defends itself."""
    server = None
    if request.param in ("postgresql", PARTITIONED):
        server = request.getfixturevalue("postgres_server")
        name = server.create_database() if request.param == "postgresql" else server.create_partitioned()
        url = server.url(name)
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('check') / 'holdfast.db'}"
    with quick_sqlite(), open_shop(url) as shop:
        lively(shop)
        unguard(shop.holdfast.database)
        if server is not None:
            _disarm(shop.holdfast.database)
        yield shop
    if server is not None:
        server.drop_database(name)


def _disarm(database: Database) -> None:
    """Drop PostgreSQL's constraints, which would refuse what the tests do."""
    with database.engine.begin() as connection:
        for kind in ("f", "c", "u", "p"):
            found = connection.exec_driver_sql(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = %(kind)s "
                "AND conrelid::regclass::text = ANY (%(tables)s) AND conparentid = 0",
                {"kind": kind, "tables": list(TABLES)},
            ).all()
            for table, name in found:
                connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for table in TABLES:
            for column in schema.metadata.tables[table].c:
                connection.exec_driver_sql(f"ALTER TABLE {table} ALTER COLUMN {column.name} DROP NOT NULL")


def _write(database: Database, statement: Any) -> int:
    """Do a statement past everything that would refuse it; how many rows it changed."""
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            return connection.execute(statement).rowcount
    engine = sa.create_engine(f"sqlite:///{database.path}", poolclass=sa.pool.NullPool)

    @sa.event.listens_for(engine, "connect")
    def defenceless(connection: Any, _record: object) -> None:
        for pragma in ("foreign_keys=OFF", "ignore_check_constraints=ON", "synchronous=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    with engine.begin() as connection:
        return connection.execute(statement).rowcount


def _rows(shop: Shop, table: str) -> list[Row]:
    """All rows of a table, in a steady order."""
    with shop.holdfast.database.reading() as connection:
        found = connection.execute(sa.select(schema.metadata.tables[table]))
        rows = [{str(key): value for key, value in row._mapping.items()} for row in found]
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in TABLES[table]))


def _others(value: Any, column: sa.Column[Any]) -> list[Any]:
    """Other values that the column could have."""
    if isinstance(column.type, sa.JSON):
        return [[], [[str(uuid.uuid4()), 1]]] if value else [[[str(uuid.uuid4()), 1]]]
    if isinstance(column.type, sa.Boolean):
        return [not value]
    if isinstance(column.type, (sa.BigInteger, sa.Integer)):
        others = [7] if value is None else [value + 1, value - 1, -value - 1]
    elif column.type is schema.Id or (column.name == "ref_id"):
        others = [str(uuid.uuid4())]
    elif isinstance(column.type, sa.LargeBinary):
        # An entry that lost its link looks older than the chain: the level misses it, and names no entry.
        return [bytes([value[0] ^ 1]) + value[1:] if value else b"x" * 32] if value is not None else [b"x" * 32]
    else:
        others = ["x" if value != "x" else "y"]
    return [*others, *([None] if value is not None and column.nullable else [])]


def _named(result: CheckResult, table: str, row: Row) -> bool:
    """Does a mismatch name the row as it now is?"""
    name = " ".join([table, *(str(row[part]) for part in TABLES[table])])
    return any(mismatch.row == name for mismatch in result.mismatches)


def _key(row: Row, table: str) -> list[Any]:
    return [row[name] for name in ("org_id", *TABLES[table])]


def _match(table: sa.Table, row: Row) -> list[Any]:
    return [table.c[name] == row[name] for name in ("org_id", *TABLES[table.name])]


def test_a_clean_database_is_clean(lived: Shop) -> None:
    told: list[tuple[int, int]] = []
    result = check(lived.holdfast.database, progress=lambda done, total: told.append((done, total)))

    assert result.mismatches == []
    assert result.ok
    assert result.checked == sum(len(_rows(lived, table)) for table in TABLES)
    assert told and told[-1] == (result.checked, result.checked)


@pytest.mark.parametrize("lived", DATABASES, indirect=True, scope="module")  # partitions: the deleted rows below
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_field_is_found_and_the_row_is_named(lived: Shop, table: str, column: str) -> None:
    database, columns = lived.holdfast.database, schema.metadata.tables[table]
    rows = _rows(lived, table)
    # One row of each look of this column: set, not set.
    for row in {row[column] is None: row for row in rows}.values():
        for value in _others(row[column], columns.c[column]):
            now = {**row, column: value}
            if column in TABLES[table] and any(_key(now, table) == _key(other, table) for other in rows):
                continue  # two rows of one key could not be told apart afterwards
            try:
                _write(database, sa.update(columns).where(*_match(columns, row)).values({column: value}))
            except sa.exc.IntegrityError:
                continue  # SQLite keeps its unique indexes
            try:
                result = check(database)
            finally:
                undone = _write(database, sa.update(columns).where(*_match(columns, now)).values({column: row[column]}))
            assert undone == 1
            assert _named(result, table, now), (column, value, result.mismatches)
    assert check(database).ok


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_missed(lived: Shop, table: str) -> None:
    database, columns = lived.holdfast.database, schema.metadata.tables[table]
    for row in _rows(lived, table):
        if row.get("removed"):
            continue  # the last line of a cart that was taken out of it leaves no trace
        _write(database, sa.delete(columns).where(*_match(columns, row)))
        try:
            result = check(database)
        finally:
            _write(database, sa.insert(columns).values(**row))
        keys = {str(row[name]) for name in (*TABLES[table], *NEIGHBOURS) if row.get(name)}
        told = {part for mismatch in result.mismatches for part in mismatch.row.split()}
        # What tells of a sale's or journal's missing row may be its children, or a sum of money.
        assert keys & told or (table not in STOCK and told), (row, result.mismatches)
    assert check(database).ok


def test_sums_are_compared_even_when_every_row_is_intact(lived: Shop) -> None:
    """Rows rewritten with a checksum that fits: what they say together cannot be true."""
    from holdfast.core.records.stock import LotStock
    from holdfast.db.batch.rows import checksum

    database, columns = lived.holdfast.database, schema.lot_stock
    row = next(row for row in _rows(lived, "lot_stock") if row["on_hand"] > row["reserved"] + 1)
    fields = {name: row[name] for name in LotStock.__struct_fields__}
    fields |= {"on_hand": row["on_hand"] + 1, "origins": tuple((name, units) for name, units in row["origins"])}
    forged = {"on_hand": row["on_hand"] + 1, "checksum": checksum(LotStock(**fields))}

    _write(database, sa.update(columns).where(*_match(columns, row)).values(forged))
    result = check(database)
    _write(
        database,
        sa.update(columns).where(*_match(columns, row)).values(on_hand=row["on_hand"], checksum=row["checksum"]),
    )

    assert {mismatch.invariant for mismatch in result.mismatches} == {
        "level is the sum of its lots",
        "lot_stock is its entries",
    }
    mismatch = result.mismatches[0]
    assert (mismatch.org_id, mismatch.sku is not None, mismatch.location is not None) == (lived.org_id, True, True)


def test_one_organisation_can_be_checked_alone(lived: Shop) -> None:
    database, columns = lived.holdfast.database, schema.level
    row = _rows(lived, "level")[0]
    _write(database, sa.update(columns).where(*_match(columns, row)).values(backordered=row["backordered"] + 5))
    nobody = check(database, org_id=str(uuid.uuid4()))
    own = check(database, org_id=lived.org_id)
    _write(database, sa.update(columns).where(*_match(columns, row)).values(backordered=row["backordered"]))

    assert (nobody.ok, nobody.checked) == (True, 0)
    assert not own.ok


def test_it_may_run_while_others_write(database_url: str) -> None:
    stop = threading.Event()
    with quick_sqlite(), open_shop(database_url) as shop:
        shop.product("MUG-1")
        shop.receive("MUG-1", 1000)

        def sell() -> None:
            while not stop.is_set():
                hold = shop.ok(Reserve("MUG-1", 1, "MAIN"))
                shop.ok(Consume(hold.id))

        seller = threading.Thread(target=sell)
        seller.start()
        try:
            results = [check(shop.holdfast.database) for _ in range(10)]
        finally:
            stop.set()
            seller.join()

    assert all(result.ok for result in results), results
    assert results[-1].checked > results[0].checked


def test_an_unreadable_row_is_named_and_the_rest_is_checked(sqlite_url: str, tmp_path: Path) -> None:
    """SQLite keeps whatever it is given, whatever the column says."""
    with quick_sqlite(), open_shop(sqlite_url) as shop:
        shop.product("MUG-1")
        lot_id = shop.receive("MUG-1", 3)
        hold = shop.ok(Reserve("MUG-1", 1, "MAIN"))
        database = shop.holdfast.database
        for sql in (
            "UPDATE reservation SET allocations = 'nonsense'",
            "UPDATE lot_stock SET is_open = 7",
            "UPDATE lot SET received_at = 'yesterday'",
        ):
            with database.engine.begin() as connection:
                connection.exec_driver_sql(sql)
        result = check(database)

    named = {mismatch.row for mismatch in result.mismatches}
    assert f"reservation {hold.id}" in named
    assert f"lot {lot_id}" in named
    assert any(name.startswith("lot_stock") for name in named)
