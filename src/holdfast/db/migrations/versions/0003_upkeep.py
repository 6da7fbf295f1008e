"""What accounts had come to at the end of past days, so that a trial balance need not add up all of history; and which
products without stock are in sales, so that their precision stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    """Make the table, which the sweeper fills, and the index."""
    op.create_table(
        "day_end",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", sa.String(length=10), nullable=False),
        sa.Column("balances", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_day_end"),
    )
    op.create_index(
        "ix_sale_line_unstocked",
        "sale_line",
        ["org_id", "product_id"],
        unique=False,
        postgresql_where=sa.text("kind <> 'stock'"),
        sqlite_where=sa.text("kind <> 'stock'"),
    )
