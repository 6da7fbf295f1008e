"""Databases of older versions, with data: after the steps they are what a new one is, and check finds nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from holdfast.check import Mismatch, check
from holdfast.core.organisation.keys import AddKey, ChangeKey, RollKey
from holdfast.core.records.permission import Permission
from holdfast.core.reservations.reserve import Consume, Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from holdfast.db import migrations, schema
from holdfast.db.batch.rows import SALE_TABLES, STOCK_TABLES, checksum, row_type
from holdfast.db.credentials import key_of
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate, revisions, state
from holdfast.tokens import digest_of
from tests.db.test_migrations import _catalogue
from tests.db.trading import trade
from tests.shop import Shop, open_shop, quick_sqlite, rows, shop_in, unguard

MIGRATIONS = Path(next(iter(migrations.__path__)))

KINDS = {table: struct for struct, table in (STOCK_TABLES | SALE_TABLES).items()}
"""The structs whose rows carry a checksum."""

BOOKS = ("journal_entry", "posting", "period", "day_end")

SHIPPED = {
    "0001_initial.py": "2ab9494dc93243d989e85c979acec4c16657906fe42a15938d18c2a908c90d4d",
    "0002_sales.py": "5e8930d2652e0ebc20bf99701eac6846d23ac68500d76ff6387c800f76098e74",
    "0003_upkeep.py": "1bbc2ceb50401b05282349695d750705bf87fb4f3b831cc7646152ed93a38ec3",
    "0004_opening_entries.py": "3d18d97e55e4d4beb35feb7f0e15cc47736f5ab53795c11d20febf9e100f1380",
    "0007_waiting.py": "d6eed00f8a10893b10d62d4973be4d60f143d0c428d26a10d508d8b2a6f367f3",
    "0008_spelling.py": "1f2f1c569bd89d0bbdfd6f3608da4f4317d3b3f7c8790c50afceebc9faa5f84b",
    "0009_appointment_stores.py": "1aa3d8b6b76609d3bfc29586f9e85fc537cb168c1d5bbfdbc7e4845c6d436571",
    "0010_keys.py": "c7a93f2b4891b9903b1b5af9d45b9a0aa4691a30a46cda178e0298936c8284b7",
    "0012_append_only.py": "966b345eee2a51bdcc654b98606e2c6a59338847dddc186906d0fd9f49b16cf8",
}
"""SHA-256 of every step that may have run somewhere."""


def test_a_step_that_was_shipped_is_never_rewritten() -> None:
    """A database that has run it would count as current without what was added; what is missing is a new step."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in MIGRATIONS.glob("versions/0*.py")}

    assert {name: found.get(name) for name in SHIPPED} == SHIPPED


# Older databases ------------------------------------------------------------------------------------------------------


def step_to(database: Database, revision: str) -> None:
    """Run the steps of an empty database up to a revision."""
    scripts = ScriptDirectory(str(MIGRATIONS))

    def steps(present: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs(revision, present)

    with database.engine.begin() as connection, EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()


def copy_into(source: Database, target: Database, *, without: tuple[str, ...] = ()) -> None:
    """Copy all rows, as far as the older database has tables and columns for them."""
    with source.reading() as reading, target.engine.begin() as writing:
        inspector = sa.inspect(writing)
        present = set(inspector.get_table_names())
        for table in schema.metadata.sorted_tables:
            if table.name not in present or table.name in without:
                continue
            known = {column["name"] for column in inspector.get_columns(table.name)}
            columns = [column for column in table.c if column.name in known]
            found = [dict(row) for row in reading.execute(sa.select(*columns)).mappings()]
            if len(columns) < len(table.c) and table in KINDS:
                for row in found:
                    row["checksum"] = _older_checksum(KINDS[table], row)
            json = {column.name: sa.JSON(none_as_null=True) for column in columns if isinstance(column.type, sa.JSON)}
            values = {
                column.name: sa.bindparam(column.name, type_=json.get(column.name, column.type)) for column in columns
            }
            if found:
                writing.execute(sa.insert(table).values(values), found)


def _older_checksum(struct: type[Any], row: dict[str, Any]) -> int:
    """The checksum of a row without the columns that came later."""
    kind = row_type(struct)
    defaults = {field.name: field.default for field in msgspec.structs.fields(struct) if not field.required}
    return checksum(kind.read([row.get(name, defaults.get(name)) for name in kind.columns]))


@pytest.fixture
def older(database_url: str) -> Iterator[Database]:
    """An empty database, to be made an older one; once on each kind."""
    database = Database(database_url)
    yield database
    database.dispose()


@contextmanager
def _source(tmp_path: Path) -> Iterator[Shop]:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'source.db'}") as shop:
        yield shop


def stock_of_all_kinds(shop: Shop) -> None:
    """What a shop did before there were sales and books."""
    shop.product("MUG-1", oversell="backorder", price=990)
    shop.product("SALT", precision=2, track_expiry=True)
    first = shop.receive("MUG-1", 5, lot="A", cost="3.50")
    shop.ok(Receive("MAIN", (ReceiptLine("MUG-1", 5, "4.00", lot_code="B"),), kind="opening"))
    shop.receive("SALT", Decimal("2.5"), lot="S", cost="1.10", expires_on="2099-01-31")
    sold = shop.ok(Reserve("MUG-1", 3, "MAIN", Target("101", "shopify")))
    shop.ok(Consume(sold.id, 2))
    shop.ok(Count("MAIN", (CountLine("MUG-1", 6),)))
    shop.ok(AdjustStock("SALT", "EAST", 3, unit_cost="0.333"))
    shop.ok(Dispatch("MAIN", "EAST", (TransferLine("SALT", 1),)))
    shop.ok(Quarantine(first, "cracks"))


def balances(shop: Shop) -> dict[str, str]:
    """The accounts that are not zero."""
    items = shop.holdfast.reports.trial_balance(shop.org_id)["items"]
    return {item["account"]: item["balance"] for item in items if Decimal(item["balance"])}


def openings(database: Database) -> list[dict[str, Any]]:
    return rows(database, "SELECT * FROM journal_entry WHERE ref_type = 'OPENING' ORDER BY org_id")


def _all_rows(database: Database, table: str) -> list[str]:
    """The rows; columns that have nothing may have come with a later step."""
    found = rows(database, f"SELECT * FROM {table}")
    return sorted(repr({name: value for name, value in row.items() if value is not None}) for row in found)


@contextmanager
def _opened(older: Database, facts: dict[str, Any]) -> Iterator[Shop]:
    with shop_in(older.url, facts) as shop:
        yield shop


def _facts(shop: Shop) -> dict[str, Any]:
    return {"org_id": shop.org_id, "stores": shop.stores, "api_key": shop.api_key}


def test_a_database_from_before_the_books_gets_an_opening_entry(older: Database, tmp_path: Path) -> None:
    with _source(tmp_path) as source:
        stock_of_all_kinds(source)
        step_to(older, "0001")
        copy_into(source.holdfast.database, older)
        facts = _facts(source)
    assert state(older) == "outdated"

    assert migrate(older) == list(revisions()[1:])

    result = check(older)
    assert (result.ok, result.mismatches) == (True, [])
    (entry,) = openings(older)
    assert entry["ledger_ids"] in ("[]", []) and entry["day"] == max(entry["day"], "2026-01-01")
    worth = rows(older, "SELECT sum(value) AS value FROM lot_stock")[0]["value"]
    with _opened(older, facts) as shop:
        assert balances(shop) == {"1200": f"{Decimal(worth) / 100:.2f}", "3000": f"{-Decimal(worth) / 100:.2f}"}
        assert shop.holdfast.reports.valuation(shop.org_id)["total"] == f"{Decimal(worth) / 100:.2f}"
        shown = shop.holdfast.reports.journal(shop.org_id).items
        assert [one["ref_type"] for one in shown] == ["OPENING"]
        assert [line["account"] for line in shown[0]["lines"]] == ["1200", "3000"]

        trade(shop, late=False)
        assert check(older).mismatches == []


def test_stock_that_was_worth_nothing_when_the_books_began(older: Database, tmp_path: Path) -> None:
    """All of it was sold again: there is nothing to book, and nothing that was not booked."""
    with _source(tmp_path) as source:
        source.product("MUG-1")
        source.receive("MUG-1", 5, cost="3.50")
        source.ok(Consume(source.ok(Reserve("MUG-1", 5, "MAIN", Target("101"))).id))
        step_to(older, "0001")
        copy_into(source.holdfast.database, older)

    migrate(older)

    assert check(older).mismatches == []
    assert len(openings(older)) == 1 and rows(older, "SELECT * FROM posting") == []


def test_an_organisation_that_had_its_books_gets_none(older: Database, tmp_path: Path) -> None:
    with _source(tmp_path) as source:
        stock_of_all_kinds(source)
        trade(source, late=False)
        step_to(older, "0003")
        copy_into(source.holdfast.database, older)
    before = [_all_rows(older, table) for table in BOOKS]

    migrate(older)

    assert [_all_rows(older, table) for table in BOOKS] == before
    assert check(older).mismatches == []


def test_an_organisation_that_nothing_happened_in_gets_none(older: Database, tmp_path: Path) -> None:
    with _source(tmp_path) as source:
        step_to(older, "0001")
        copy_into(source.holdfast.database, older)

    migrate(older)

    assert (check(older).mismatches, openings(older)) == ([], [])


def _half_booked(source: Shop, older: Database) -> None:
    """A database of 0003 that came from 0001: what was moved before has no entry, what came later has."""
    stock_of_all_kinds(source)
    early = [row["id"] for row in rows(source.holdfast.database, "SELECT id FROM journal_entry")]
    trade(source, late=False)
    step_to(older, "0003")
    copy_into(source.holdfast.database, older, without=("day_end", "period"))
    with older.engine.begin() as connection:
        for table, name in (
            (schema.posting, schema.posting.c.entry_id),
            (schema.journal_entry, schema.journal_entry.c.id),
        ):
            connection.execute(sa.delete(table).where(name.in_(early)))


def test_books_that_began_in_the_middle_are_mended(older: Database, tmp_path: Path) -> None:
    """It was upgraded before this step existed, and has traded since."""
    with _source(tmp_path) as source:
        _half_booked(source, older)
        facts = _facts(source)

    migrate(older)

    assert check(older).mismatches == []
    assert len(openings(older)) == 1
    worth = rows(older, "SELECT sum(value) AS value FROM lot_stock")[0]["value"]
    with _opened(older, facts) as shop:
        assert balances(shop)["1200"] == f"{Decimal(worth) / 100:.2f}"
        shop.receive("MUG-1", 3, cost="1.00")
    assert check(older).mismatches == []


def test_closed_days_stay_closed(older: Database, tmp_path: Path) -> None:
    with _source(tmp_path) as source:
        _half_booked(source, older)
    with older.engine.begin() as connection:
        connection.execute(sa.update(schema.organisation).values(books_closed_through="2999-12-31"))
        for day in ("2020-01-01", "2999-12-31", "3000-01-01"):
            end = {"org_id": source.org_id, "id": day, "balances": [], "created_at": 0}
            connection.execute(sa.insert(schema.day_end).values(**end))

    migrate(older)

    assert [entry["day"] for entry in openings(older)] == ["3000-01-01"]
    assert [end["id"] for end in rows(older, "SELECT id FROM day_end ORDER BY id")] == ["2020-01-01", "2999-12-31"]


# The first versions of the steps --------------------------------------------------------------------------------------


def _first_lot_code(connection: sa.Connection) -> None:
    connection.exec_driver_sql("DROP INDEX ix_lot_code")
    connection.exec_driver_sql("CREATE INDEX ix_lot_code ON lot (org_id, product_id, code)")


def _first_day_ends(connection: sa.Connection) -> None:
    connection.exec_driver_sql("DROP INDEX ix_sale_line_unstocked")


def _first_postings(connection: sa.Connection) -> None:
    """A posting had an id of its own, which its checksum knew."""
    kind = "VARCHAR(36)" if connection.dialect.name == "sqlite" else "UUID"
    connection.exec_driver_sql("ALTER TABLE posting RENAME TO later_posting")
    connection.exec_driver_sql("DROP INDEX ix_posting_account")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE later_posting DROP CONSTRAINT pk_posting")
    connection.exec_driver_sql(
        f"CREATE TABLE posting (org_id {kind} NOT NULL, id {kind} NOT NULL, entry_id {kind} NOT NULL, "
        "position INTEGER NOT NULL, account VARCHAR(20) NOT NULL, amount BIGINT NOT NULL, day VARCHAR(10) NOT NULL, "
        "at BIGINT NOT NULL, checksum BIGINT NOT NULL, CONSTRAINT pk_posting PRIMARY KEY (org_id, id))"
    )
    made = "lower(hex(randomblob(16)))" if connection.dialect.name == "sqlite" else "gen_random_uuid()"
    names = "entry_id, position, account, amount, day, at, checksum"
    connection.exec_driver_sql(
        f"INSERT INTO posting (org_id, id, {names}) SELECT org_id, {made}, "
        f"{names.removesuffix('checksum')} checksum + 1 FROM later_posting"
    )
    connection.exec_driver_sql("DROP TABLE later_posting")
    connection.exec_driver_sql("CREATE INDEX ix_posting_entry ON posting (org_id, entry_id)")
    connection.exec_driver_sql(
        "CREATE INDEX ix_posting_account ON posting (org_id, account, at, entry_id, day, amount)"
    )


@pytest.mark.parametrize("first", [_first_lot_code, _first_day_ends, _first_postings])
def test_what_the_first_versions_of_a_step_left_out(
    older: Database, tmp_path: Path, first: Callable[[sa.Connection], None]
) -> None:
    """Such a database counted as current, and was served without it."""
    with _source(tmp_path) as source:
        stock_of_all_kinds(source)
        trade(source, late=False)
        step_to(older, "0003")
        copy_into(source.holdfast.database, older)
    with older.engine.begin() as connection:
        first(connection)

    migrate(older)

    assert check(older).mismatches == []
    assert openings(older) == []
    with older.engine.begin() as connection:
        migrated = _catalogue(connection)
        for table in reversed(schema.metadata.sorted_tables):
            connection.execute(sa.schema.DropTable(table))
        schema.metadata.create_all(connection)
        assert migrated == _catalogue(connection)


# What check sees ------------------------------------------------------------------------------------------------------


@pytest.fixture
def mended(older: Database, tmp_path: Path) -> Database:
    """A database whose organisation has an opening entry, and has traded since."""
    with _source(tmp_path) as source:
        _half_booked(source, older)
        facts = _facts(source)
    migrate(older)
    with _opened(older, facts) as shop:
        shop.receive("MUG-1", 3, cost="1.00")
    assert check(older).ok
    unguard(older)
    return older


def _found(database: Database) -> set[str]:
    mismatches: list[Mismatch] = check(database).mismatches
    return {mismatch.invariant for mismatch in mismatches}


def test_check_sees_an_opening_entry_of_another_amount(mended: Database) -> None:
    (entry,) = openings(mended)
    with mended.engine.begin() as connection:
        for row in connection.execute(sa.select(schema.posting).where(schema.posting.c.entry_id == entry["id"])).all():
            own = (schema.posting.c.entry_id == entry["id"], schema.posting.c.position == row.position)
            connection.execute(sa.update(schema.posting).where(*own).values(amount=row.amount * 2))

    assert _found(mended) >= {"checksum", "inventory is its lots"}


def test_check_sees_what_was_not_booked_since(mended: Database) -> None:
    last = rows(mended, "SELECT id FROM journal_entry WHERE ref_type = 'RECEIPT' ORDER BY id DESC LIMIT 1")[0]["id"]
    with mended.engine.begin() as connection:
        connection.execute(sa.delete(schema.posting).where(schema.posting.c.entry_id == last))
        connection.execute(sa.delete(schema.journal_entry).where(schema.journal_entry.c.id == last))

    assert _found(mended) >= {"ledger is booked", "inventory is its lots"}


def test_check_sees_an_older_entry_that_is_gone(mended: Database) -> None:
    """Then more was moved before than the opening entry says."""
    early = rows(mended, "SELECT id FROM journal_entry WHERE ref_type = 'RECEIPT' ORDER BY id LIMIT 1")[0]["id"]
    with mended.engine.begin() as connection:
        connection.execute(sa.delete(schema.posting).where(schema.posting.c.entry_id == early))
        connection.execute(sa.delete(schema.journal_entry).where(schema.journal_entry.c.id == early))

    assert _found(mended) >= {"opening entry is what was moved before", "inventory is its lots"}


def test_keys_of_before_have_all_of_their_role(older: Database, tmp_path: Path) -> None:
    """From anywhere, for ever; they are found by their hash as before, and can be narrowed and rolled."""
    old = "hf_" + "x" * 43
    with _source(tmp_path) as source:
        key = source.ok(AddKey(name="old", key_hash=digest_of(old), role="staff"))
        step_to(older, "0008")
        copy_into(source.holdfast.database, older)
        facts = _facts(source)

    migrate(older)

    row = key_of(older, digest_of(old))
    assert row is not None and (row.id, row.permissions, row.addresses, row.expires_at) == (key.id, None, None, None)
    with _opened(older, facts) as shop:
        shown = shop.holdfast.reports.api_key(shop.org_id, key.id)
        assert shown is not None
        assert [shown[name] for name in ("hint", "permissions", "expires_at", "last_used_at", "previous")] == [None] * 5
        shop.ok(RollKey(key_id=key.id, key_hash="0" * 64, hint="abcd", overlap_hours=1))
        shop.ok(ChangeKey(key.id, permissions=(Permission.READ,)))
        assert {
            digest: getattr(key_of(older, digest), "permissions", None) for digest in ("0" * 64, digest_of(old))
        } == {
            "0" * 64: ("stock:read",),
            digest_of(old): ("stock:read",),
        }
