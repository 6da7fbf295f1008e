"""A copy of one organisation in a database of its own, to try commands on: what becomes of it touches nobody.

    with Holdfast.open("sqlite:////tmp/x/scratch.db") as scratch:
        copy_organisation(shop.database, org_id, scratch.database)

Everything that a command may look at is copied, from one consistent view: the catalog, the stock, the sales and what
came back of them. What is written and never looked at again (ledger, journal, events, audit) is left behind. It locks
nothing and keeps nobody waiting.
"""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.db import schema
from holdfast.db.bulk import ROWS
from holdfast.db.engine import Database

_LEFT_BEHIND = {
    schema.audit,
    schema.browser_session,
    schema.cash_movement,
    schema.event_batch,
    schema.gift_card_entry,
    schema.import_file,
    schema.import_job,
    schema.import_row,
    schema.journal_entry,
    schema.ledger,
    schema.posting,
}
"""What commands write and never read. (Whether anything was booked is asked by a change of the currency alone.)"""


def copy_organisation(source: Database, org_id: str, target: Database) -> None:
    """Copy what commands need of an organisation into a database that has the tables, and nothing of it yet."""
    with source.reading() as reading, target.writing() as writing:
        for table in schema.metadata.sorted_tables:
            if table not in _LEFT_BEHIND:
                rows = reading.execution_options(yield_per=ROWS).execute(
                    sa.select(table).where(table.c.org_id == org_id)
                )
                for part in rows.mappings().partitions(ROWS):
                    writing.execute(_insert(table), [dict(row) for row in part])


def _insert(table: sa.Table) -> sa.Insert:
    """An insert in which no JSON is NULL, not JSON's null."""
    values = {
        column.name: sa.bindparam(
            column.name, type_=sa.JSON(none_as_null=True) if isinstance(column.type, sa.JSON) else column.type
        )
        for column in table.c
    }
    return sa.insert(table).values(values)
