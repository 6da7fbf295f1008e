"""What was written stays: the database refuses to change or remove it, and a rewritten past does not fit its chain."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.check import check
from holdfast.check.heads import HeadsRefused, heads_lines, read_heads
from holdfast.core.decide import CommandGroup
from holdfast.core.records.ledger import Entry
from holdfast.core.reservations.reserve import Consume, Reserve, Target
from holdfast.db import schema
from holdfast.db.audit_rows import snapshot
from holdfast.db.audit_shapes import Head
from holdfast.db.batch.chain import WITHIN, begin, chained
from holdfast.db.batch.rows import checksum, content
from holdfast.db.engine import Database
from holdfast.db.migrate import MigrationRefused, migrate
from holdfast.db.queries.catalog import columns_of
from holdfast.db.roles import owner_of
from holdfast.db.upkeep.seal import seal
from holdfast.db.upkeep.totals import refresh_statistics
from holdfast.sweeper import serve_stuck, sweep
from tests.conftest import APPLICATION, Postgres, as_role
from tests.db.trading import trade
from tests.shop import Shop, open_shop, quick_sqlite, rows, unguard

KEY = b"a key that is long enough"


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """A shop that has traded; on PostgreSQL it is the application's role that did."""
    with quick_sqlite(), open_shop(database_url) as shop:
        shop.product("MUG-1")
        shop.receive("MUG-1", 9, lot="A", cost="3.50")
        shop.ok(Consume(shop.ok(Reserve("MUG-1", 3, "MAIN", Target("101"))).id))
        trade(shop)
        yield shop


@pytest.fixture
def owned(shop: Shop, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The same database, for its owner, with nothing that refuses."""
    database = shop.holdfast.database
    if database.is_sqlite:
        unguard(database)
        yield database
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    as_owner = Database(server.url(database.path.rpartition("/")[2].partition("?")[0]))
    yield as_owner
    as_owner.dispose()


# Refusing -------------------------------------------------------------------------------------------------------------


def test_every_table_is_append_only_or_not() -> None:
    """A new table has to be put on one of the lists (`db.schema.append_only`)."""
    assert set(schema.APPEND_ONLY) | schema.CHANGING == set(schema.metadata.tables)
    assert not set(schema.APPEND_ONLY) & schema.CHANGING


@pytest.mark.parametrize("table", schema.APPEND_ONLY)
def test_what_was_written_cannot_be_changed_or_removed(shop: Shop, table: str) -> None:
    columns = [column.name for column in schema.metadata.tables[table].c]
    fixed = [name for name in columns if name not in schema.APPEND_ONLY[table]]
    if table == "ledger_seal":
        row = {"org": shop.org_id, "level": shop.org_id}
        _execute(shop, "INSERT INTO ledger_seal VALUES (:org, :level, 1, '', 1)", row)
    before = rows(shop.holdfast.database, f"SELECT count(*) AS n FROM {table}")
    assert before[0]["n"]

    for statement in (f"DELETE FROM {table}", *(f"UPDATE {table} SET {name} = {name}" for name in fixed)):
        with pytest.raises(sa.exc.DBAPIError, match=r"append-only|permission denied"):
            _execute(shop, statement, {})

    for name in schema.APPEND_ONLY[table]:
        _execute(shop, f"UPDATE {table} SET {name} = {name}", {})
    assert rows(shop.holdfast.database, f"SELECT count(*) AS n FROM {table}") == before


def _execute(shop: Shop, statement: str, parameters: dict[str, Any]) -> None:
    with shop.holdfast.database.engine.begin() as connection:
        connection.execute(sa.text(statement), parameters)


def test_a_truncated_table_is_refused(application_url: str) -> None:
    with open_shop(application_url) as shop, pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        _execute(shop, "TRUNCATE ledger", {})


def test_the_application_sweeps_and_gathers_statistics(application_url: str) -> None:
    with open_shop(application_url) as shop:
        for number in range(60):
            shop.ok(shop.new_product(f"P-{number}"))
        assert sweep(shop.holdfast.database, shop.holdfast.executor) == 0
        assert serve_stuck(shop.holdfast.database, shop.holdfast.executor) == 0
        with shop.holdfast.database.engine.begin() as connection:
            connection.execute(sa.text("SELECT holdfast_analyze('ledger')"))
        refresh_statistics(shop.holdfast.database)


# Roles ----------------------------------------------------------------------------------------------------------------


def test_the_application_cannot_migrate_and_is_told_who_can(application_url: str) -> None:
    database = Database(application_url)

    with pytest.raises(MigrationRefused, match=r"belong to the role .*: run `holdfast migrate` as that role"):
        migrate(database)
    assert owner_of(database) is None
    database.dispose()


def test_an_owner_is_known_as_one(postgres_url: str) -> None:
    database = Database(postgres_url)
    migrate(database)

    assert owner_of(database) == sa.make_url(postgres_url).username
    database.dispose()


def test_later_migrations_remember_the_role(postgres_server: Postgres) -> None:
    """A role that was granted once is granted what came since."""
    name = postgres_server.create_for_application()
    owner = Database(postgres_server.url(name))
    with owner.engine.begin() as connection:
        connection.exec_driver_sql(f"REVOKE ALL ON product FROM {APPLICATION}")
        connection.exec_driver_sql(f"GRANT DELETE ON ledger TO {APPLICATION}")

    migrate(owner)

    with open_shop(as_role(owner.url, APPLICATION)) as shop:
        shop.product("MUG-1")
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            _execute(shop, "DELETE FROM ledger", {})
    owner.dispose()
    postgres_server.drop_database(name)


def test_roles_that_would_be_no_protection_are_refused(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(MigrationRefused, match="no role nobody_here"):
        migrate(database, application_role="nobody_here")
    with pytest.raises(MigrationRefused, match=r"superuser|owns the tables"):
        migrate(database, application_role=sa.make_url(postgres_url).username)
    database.dispose()


def test_sqlite_has_no_roles(sqlite_url: str) -> None:
    with pytest.raises(MigrationRefused, match="SQLite has no roles"):
        migrate(Database(sqlite_url), application_role="holdfast_app")


# The chain ------------------------------------------------------------------------------------------------------------


def _entries(database: Database, sku: str = "MUG-1") -> list[Entry]:
    """The entries of the product's level, in their order."""
    asked = sa.select(*columns_of(schema.ledger, Entry)).join(
        schema.product, schema.product.c.id == schema.ledger.c.product_id
    )
    with database.reading() as connection:
        found = connection.execute(asked.where(schema.product.c.sku == sku).order_by(schema.ledger.c.seq))
        return [Entry(*row) for row in found]


def _rewrite(database: Database, entries: list[Entry]) -> None:
    """Write entries anew, with checksums that fit."""
    with database.engine.begin() as connection:
        for entry in entries:
            values = {name: getattr(entry, name) for name in entry.__struct_fields__}
            changed = sa.update(schema.ledger).where(schema.ledger.c.id == entry.id)
            connection.execute(changed.values(**values, checksum=checksum(entry)))


def _chain_anew(database: Database, org_id: str, entries: list[Entry]) -> None:
    """Compute the chain of a level anew, as somebody can who may write everything: one run, and its head."""
    level_id = entries[0].level_id
    level = rows(database, "SELECT * FROM level WHERE id = :id", id=level_id)[0]
    from holdfast.core.records.stock import Level

    known = Level(**{name: level[name] for name in Level.__struct_fields__})
    known.listed = bool(known.listed)
    known.head = None
    known.seq = entries[-1].seq
    links = chained(org_id, {level_id: known}, entries, [content(entry) for entry in entries])
    with database.engine.begin() as connection:
        for entry, link in zip(entries, links, strict=True):
            connection.execute(sa.update(schema.ledger).where(schema.ledger.c.id == entry.id).values(link=link))
        own = sa.update(schema.level).where(schema.level.c.id == level_id)
        connection.execute(own.values(head=known.head, seq=known.seq, checksum=checksum(known)))


def _exported(database: Database, key: bytes | None = KEY) -> bytes:
    with snapshot(database) as found:
        return "".join(heads_lines(found.heads(None), "2026-11-29T00:00:00Z", key)).encode()


def _changed(entry: Entry, **fields: Any) -> Entry:
    return Entry(**{**{name: getattr(entry, name) for name in entry.__struct_fields__}, **fields})


def test_a_rewritten_entry_is_named_although_its_checksum_fits(shop: Shop, owned: Database) -> None:
    assert check(owned).mismatches == []
    before = _entries(owned)[1]

    _rewrite(owned, [_changed(before, actor="user:somebody-else")])

    found = check(owned).mismatches
    assert [(one.invariant, one.row, one.sku) for one in found] == [("ledger.link", f"ledger {before.id}", "MUG-1")]


def test_a_run_of_several_entries_is_named_by_its_last(shop: Shop, owned: Database) -> None:
    """Commands of one transaction write a run: one of its entries that is rewritten breaks it."""
    shop.ok(CommandGroup(tuple(Reserve("MUG-1", 1, "MAIN", Target(f"10{number}")) for number in range(2, 5))))
    with owned.reading() as connection:
        within = connection.execute(sa.select(schema.ledger.c.id).where(schema.ledger.c.link == WITHIN)).scalars().all()
    assert len(within) >= 2
    entry = next(entry for entry in _all(owned) if entry.id == str(within[0]))

    _rewrite(owned, [_changed(entry, note="not what was written")])

    found = check(owned).mismatches
    assert [one.invariant for one in found] == ["ledger.link"]
    assert f"entries {entry.seq} to" in found[0].expected


def _all(database: Database) -> list[Entry]:
    with database.reading() as connection:
        return [Entry(*row) for row in connection.execute(sa.select(*columns_of(schema.ledger, Entry)))]


def test_a_head_of_an_earlier_day_shows_a_past_that_was_chained_anew(shop: Shop, owned: Database) -> None:
    exported = _exported(owned)
    entries = _entries(owned)
    entries[1] = _changed(entries[1], actor="user:somebody-else")

    _rewrite(owned, entries)
    _chain_anew(owned, shop.org_id, entries)

    assert check(owned).mismatches == []  # the database alone cannot know
    found = check(owned, heads=read_heads(io.BytesIO(exported), KEY)).mismatches
    assert {(one.invariant, one.sku) for one in found} == {("ledger is as it was exported", "MUG-1")}


def test_a_head_of_an_earlier_day_shows_a_past_that_was_cut_off(shop: Shop, owned: Database) -> None:
    shop.product("CUP-1")
    shop.receive("CUP-1", 5, lot="C")
    hold = shop.ok(Reserve("CUP-1", 1, "MAIN", Target("103")))
    exported = _exported(owned)
    entries = _entries(owned, "CUP-1")

    with owned.engine.begin() as connection:
        connection.execute(sa.delete(schema.ledger).where(schema.ledger.c.id == entries[-1].id))
        connection.execute(sa.delete(schema.reservation).where(schema.reservation.c.id == hold.id))
    _chain_anew(owned, shop.org_id, entries[:-1])

    found = check(owned, heads=read_heads(io.BytesIO(exported), KEY)).mismatches
    told = [(one.expected, one.found) for one in found if one.invariant == "ledger is as it was exported"]
    assert told == [(f"{len(entries)} entries", f"{len(entries) - 1} entries")]


def test_heads_fit_a_ledger_that_went_on(shop: Shop, owned: Database) -> None:
    exported = _exported(owned)

    shop.receive("MUG-1", 2)
    shop.product("NEW-1")
    shop.receive("NEW-1", 2)

    assert check(owned, heads=read_heads(io.BytesIO(exported), KEY)).mismatches == []
    heads = list(read_heads(io.BytesIO(exported), KEY))
    assert sum(head.entries for head in heads) == len(_all(owned)) - 2
    assert all(isinstance(head, Head) and head.head for head in heads if head.entries)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"entries":1,', b'"entries":2,', 1),
        lambda text: text[: text.rindex(b"\n]")],
        lambda text: b"\n".join([*text.split(b"\n")[:1], *text.split(b"\n")[2:]]),
        lambda _text: b'{"format": "another"}\n',
        lambda _text: b"",
    ],
)
def test_a_file_that_was_changed_is_refused(sqlite_url: str, change: Any) -> None:
    with quick_sqlite(), open_shop(sqlite_url) as shop:
        shop.product("MUG-1")
        shop.receive("MUG-1", 1)
        text = _exported(shop.holdfast.database)
    list(read_heads(io.BytesIO(text), KEY))

    with pytest.raises(HeadsRefused):
        read_heads(io.BytesIO(change(text)), KEY)
    with pytest.raises(HeadsRefused, match="not signed with this key"):
        read_heads(io.BytesIO(text), b"another key of some length")


# What was before ------------------------------------------------------------------------------------------------------


def _forget_chains(database: Database) -> None:
    """Make all entries older than the chain, as a migration finds them."""
    from holdfast.core.records.stock import Level

    with database.engine.begin() as connection:
        connection.execute(sa.update(schema.ledger).values(link=None))
        for row in connection.execute(sa.select(schema.level)).mappings().all():
            fields = {name: row[name] for name in Level.__struct_fields__} | {"head": None}
            own = sa.update(schema.level).where(schema.level.c.id == row["id"])
            connection.execute(own.values(head=None, checksum=checksum(Level(**fields))))


def test_older_entries_are_sealed_once_and_the_chain_goes_on(shop: Shop, owned: Database) -> None:
    _forget_chains(owned)
    assert check(owned).mismatches == []
    shop.receive("MUG-1", 2)  # the chain begins before anything was sealed
    count = len(_entries(owned)) - 1

    told: list[int] = []
    sealed = seal(owned, told.append)

    assert sealed == len(rows(owned, "SELECT * FROM ledger_seal")) == told[-1] > 0
    assert seal(owned) == 0
    shop.receive("MUG-1", 2)
    assert check(owned).mismatches == []
    head = next(head for head in read_heads(io.BytesIO(_exported(owned)), KEY) if head.sku == "MUG-1")
    assert (head.older, head.entries) == (count, count + 2)


def test_an_older_entry_that_is_rewritten_breaks_the_seal(shop: Shop, owned: Database) -> None:
    _forget_chains(owned)
    seal(owned)
    exported = _exported(owned)

    _rewrite(owned, [_changed(_entries(owned)[0], note="another past")])

    assert [(one.invariant, one.sku) for one in check(owned).mismatches] == [("ledger.seal", "MUG-1")]
    with owned.engine.begin() as connection:
        connection.execute(sa.delete(schema.ledger_seal))
    assert check(owned).mismatches == []
    found = check(owned, heads=read_heads(io.BytesIO(exported), KEY)).mismatches
    assert [(one.invariant, one.sku) for one in found] == [("ledger is as it was exported", "MUG-1")]


def test_a_chain_belongs_to_its_level() -> None:
    assert begin("o", "a") != begin("o", "b")
