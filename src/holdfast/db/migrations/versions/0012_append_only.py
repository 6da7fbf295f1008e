"""Ledger, journal, audit log and events are only added to, and each level's ledger is a chain.

The columns are added empty, which takes no time however large the ledger is: a chain begins with the next entry of its
level. What the entries before come to is computed after the steps, level by level (`db.seal`).

On SQLite triggers refuse to change or remove rows. On PostgreSQL the application's role is not granted it (`db.roles`);
what it needs the owner for otherwise, gathering statistics, it gets as a function.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0010"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")

EVENTS = "org_id, id, at, size, payload"
"""All columns of event_batch but `position`."""

TABLES = {
    "audit": "",
    "event_batch": f" OF {EVENTS}",
    "journal_entry": "",
    "ledger": "",
    "ledger_seal": "",
    "posting": "",
}
"""The tables that are only added to; behind one of which a column may be changed, the others."""

ANALYZE = """
CREATE FUNCTION holdfast_analyze(stale regclass) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$ BEGIN EXECUTE format('ANALYZE %s', stale); END $$"""


def upgrade() -> None:
    """Add the columns and the table, then close the tables."""
    op.add_column("level", sa.Column("head", sa.LargeBinary(), nullable=True))
    op.add_column("ledger", sa.Column("link", sa.LargeBinary(), nullable=True))
    op.create_table(
        "ledger_seal",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("level_id", Id, nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "level_id", name="pk_ledger_seal"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text(ANALYZE.replace(":", "\\:")))
        op.execute(sa.text("REVOKE ALL ON FUNCTION holdfast_analyze(regclass) FROM PUBLIC"))
        return
    for table, columns in TABLES.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE{columns} ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
