"""The bookkeeper: an entry names the one that it takes back, and what of it was paid by methods with an account of
their own; the settings name those accounts. Two indexes: an entry is taken back once, and entries by hand, whose day
may be long before they were made, are found by when they were made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")

revision = "0022"
down_revision: str | None = "0021"

BY_HAND = "ref_type IN ('ENTRY', 'BILL')"
REVERSES = "reverses IS NOT NULL"


def upgrade() -> None:
    """Add the columns and the indexes."""
    op.add_column("organisation", sa.Column("payment_accounts", sa.JSON(), nullable=True))
    op.add_column("journal_entry", sa.Column("settled", sa.JSON(), nullable=True))
    op.add_column("journal_entry", sa.Column("reverses", Id, nullable=True))
    op.create_index(
        "ix_journal_entry_reverses",
        "journal_entry",
        ["org_id", "reverses"],
        unique=True,
        postgresql_where=sa.text(REVERSES),
        sqlite_where=sa.text(REVERSES),
    )
    op.create_index(
        "ix_journal_entry_by_hand",
        "journal_entry",
        ["org_id", "at", "day", "id"],
        unique=False,
        postgresql_where=sa.text(BY_HAND),
        sqlite_where=sa.text(BY_HAND),
    )
