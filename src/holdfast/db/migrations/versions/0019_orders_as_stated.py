"""Orders from elsewhere: when they were ordered, what they came to there, lines whose product is not known yet, and
what a line is called there. Entries of the journal of a day long before they were made.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

Name = sa.String(length=200)

revision = "0019"
down_revision: str | None = "0018"

COLUMNS: tuple[tuple[str, sa.Column[Any]], ...] = (
    ("sale", sa.Column("ordered_at", sa.BigInteger(), nullable=True)),
    ("sale", sa.Column("stated", sa.JSON(), nullable=True)),
    ("sale", sa.Column("unmapped", sa.JSON(), nullable=True)),
    ("sale_line", sa.Column("title", Name, nullable=True)),
    ("journal_entry", sa.Column("earlier", sa.Boolean(), nullable=True)),
)


def upgrade() -> None:
    """Add the columns, and an index of the few entries of earlier days."""
    for table, column in COLUMNS:
        op.add_column(table, column)
    earlier = sa.text("earlier")
    op.create_index(
        "ix_journal_entry_earlier", "journal_entry", ["org_id", "at"], postgresql_where=earlier, sqlite_where=earlier
    )
