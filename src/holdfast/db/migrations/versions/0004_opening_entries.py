"""Books for stock that is older than the books, and what databases of the first weeks lack.

An organisation whose ledger moved value before there was a journal gets one entry (`OPENING`, at the time of this
step): what those movements have left of value, Dr 1200 Inventory, Cr 3000 Opening equity. What is booked stays.
Databases that were made while 0001 to 0003 were still written lack an index, or have postings with ids of their own.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
import uuid_utils
from alembic import op

revision = "0004"
down_revision: str | None = "0003"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")

ENTRIES = sa.table(
    "journal_entry",
    sa.column("org_id", Id),
    sa.column("id", Id),
    sa.column("at", sa.BigInteger()),
    sa.column("day", sa.String()),
    sa.column("description", sa.String()),
    sa.column("ref_type", sa.String()),
    sa.column("ref_id", sa.String()),
    sa.column("ledger_ids", sa.JSON()),
    sa.column("actor", sa.String()),
    sa.column("checksum", sa.BigInteger()),
)
POSTINGS = sa.table(
    "posting",
    sa.column("org_id", Id),
    sa.column("entry_id", Id),
    sa.column("position", sa.Integer()),
    sa.column("account", sa.String()),
    sa.column("amount", sa.BigInteger()),
    sa.column("day", sa.String()),
    sa.column("at", sa.BigInteger()),
    sa.column("checksum", sa.BigInteger()),
)


def upgrade() -> None:
    """Mend the tables first: the entries are written into them."""
    connection = op.get_bind()
    _lot_code(connection)
    _unstocked_lines(connection)
    _postings(connection)
    _opening_entries(connection)


# Tables ---------------------------------------------------------------------------------------------------------------


def _lot_code(connection: sa.Connection) -> None:
    """The first 0001 had the columns of this index in another order."""
    columns = [one["column_names"] for one in sa.inspect(connection).get_indexes("lot") if one["name"] == "ix_lot_code"]
    if columns != [["org_id", "code", "product_id"]]:
        op.execute("DROP INDEX IF EXISTS ix_lot_code")
        op.create_index("ix_lot_code", "lot", ["org_id", "code", "product_id"], unique=False)


def _unstocked_lines(connection: sa.Connection) -> None:
    """The first 0003 (`0003_day_ends`) did not make this index."""
    if all(one["name"] != "ix_sale_line_unstocked" for one in sa.inspect(connection).get_indexes("sale_line")):
        op.create_index(
            "ix_sale_line_unstocked",
            "sale_line",
            ["org_id", "product_id"],
            unique=False,
            postgresql_where=sa.text("kind <> 'stock'"),
            sqlite_where=sa.text("kind <> 'stock'"),
        )


def _postings(connection: sa.Connection) -> None:
    """The first 0002 gave each posting an id; now its entry and its position name it, in the checksum as well."""
    if all(one["name"] != "id" for one in sa.inspect(connection).get_columns("posting")):
        return
    op.execute("DROP INDEX IF EXISTS ix_posting_entry")
    if connection.dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE posting DROP CONSTRAINT pk_posting, DROP COLUMN id, "
            "ADD CONSTRAINT pk_posting PRIMARY KEY (org_id, entry_id, position)"
        )
    else:
        _rebuild_postings()
    rows = connection.execute(sa.select(POSTINGS)).all()
    own = (POSTINGS.c.org_id == sa.bindparam("org"), POSTINGS.c.entry_id == sa.bindparam("entry"))
    again = sa.update(POSTINGS).where(*own, POSTINGS.c.position == sa.bindparam("place"))
    changed = [
        {"org": row.org_id, "entry": row.entry_id, "place": row.position, "checksum": _checksum(_posting_of(row))}
        for row in rows
    ]
    if changed:
        connection.execute(again, changed)


def _rebuild_postings() -> None:
    """SQLite cannot drop a column of the key: the table is made anew."""
    op.execute("DROP INDEX IF EXISTS ix_posting_account")
    op.execute("ALTER TABLE posting RENAME TO posting_with_ids")
    op.create_table(
        "posting",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "entry_id", "position", name="pk_posting"),
    )
    names = "org_id, entry_id, position, account, amount, day, at, checksum"
    op.execute(f"INSERT INTO posting ({names}) SELECT {names} FROM posting_with_ids")
    op.execute("DROP TABLE posting_with_ids")
    covering = ["org_id", "account", "at", "entry_id", "day", "amount"]
    op.create_index("ix_posting_account", "posting", covering, unique=False)


# Entries --------------------------------------------------------------------------------------------------------------


def _opening_entries(connection: sa.Connection) -> None:
    """One entry for each organisation of whose ledger something that moved value is in no entry."""
    now = _now(connection)
    for org_id, timezone, closed, value in connection.execute(sa.text(_UNBOOKED[connection.dialect.name])).all():
        _book(connection, str(org_id), _open_day(connection, str(org_id), timezone, closed, now), int(value), now)


_ALL_UNBOOKED = """
    WITH booked AS (SELECT DISTINCT t.org_id, {booked} AS ledger_id FROM journal_entry t, {ids})
    SELECT o.org_id, o.timezone, o.books_closed_through, u.value FROM (
        SELECT l.org_id AS org_id, sum(l.value_delta) AS value FROM ledger l
        LEFT JOIN booked b ON b.org_id = l.org_id AND b.ledger_id = l.id
        WHERE l.value_delta <> 0 AND l.ref_type NOT IN ('TRANSFER', 'EXPIRY') AND b.ledger_id IS NULL
        GROUP BY l.org_id
    ) u JOIN organisation o ON o.org_id = u.org_id ORDER BY o.org_id"""
_UNBOOKED = {
    "sqlite": _ALL_UNBOOKED.format(booked="k.value", ids="json_each(t.ledger_ids) k"),
    "postgresql": _ALL_UNBOOKED.format(
        booked="k.value::uuid", ids="json_array_elements_text(t.ledger_ids::json) AS k (value)"
    ),
}


def _book(connection: sa.Connection, org_id: str, day: str, value: int, now: int) -> None:
    entry = {
        "id": str(uuid_utils.uuid7()),
        "at": now,
        "day": day,
        "description": "Stock when the books began",
        "ref_type": "OPENING",
        "ref_id": None,
        "ledger_ids": [],
        "actor": "migration",
    }
    connection.execute(sa.insert(ENTRIES).values(org_id=org_id, **entry, checksum=_checksum(entry)))
    lines = (("1200", value), ("3000", -value)) if value else ()
    for position, (account, amount) in enumerate(lines):
        line = {
            "entry_id": entry["id"],
            "position": position,
            "account": account,
            "amount": amount,
            "day": day,
            "at": now,
        }
        connection.execute(sa.insert(POSTINGS).values(org_id=org_id, **line, checksum=_checksum(line)))


def _open_day(connection: sa.Connection, org_id: str, timezone: str, closed: str | None, now: int) -> str:
    """Today there, or the day after what is closed; balances that were kept of it or later are added up again."""
    day = datetime.fromtimestamp(now / 1_000_000, UTC).astimezone(ZoneInfo(timezone)).date().isoformat()
    if closed is not None and day <= closed:
        day = (date.fromisoformat(closed) + timedelta(days=1)).isoformat()
    ends = sa.table("day_end", sa.column("org_id", Id), sa.column("id", sa.String()))
    connection.execute(sa.delete(ends).where(ends.c.org_id == org_id, ends.c.id >= day))
    return day


def _now(connection: sa.Connection) -> int:
    """The database's clock, in microseconds since 1970; SQLite's is this machine's."""
    if connection.dialect.name == "sqlite":
        return time.time_ns() // 1000
    asked = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    return int(connection.execute(asked).scalar_one())


def _posting_of(row: Any) -> dict[str, Any]:
    names = ("entry_id", "position", "account", "amount", "day", "at")
    return {name: getattr(row, name) for name in names}


def _checksum(fields: dict[str, Any]) -> int:
    """CRC-32 of the row as JSON, its fields in their order, as every row of the books carries it."""
    return crc32(msgspec.json.encode(fields))
