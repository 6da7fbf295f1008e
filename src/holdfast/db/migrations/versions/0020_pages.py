"""What the pages keep: the prefixes of codes that scales print, a register's quick keys, the views a person saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")

revision = "0020"
down_revision: str | None = "0019"

COLUMNS = (
    ("organisation", sa.Column("barcode_prefixes", sa.JSON(), nullable=True)),
    ("register", sa.Column("quick_keys", sa.JSON(), nullable=True)),
)


def upgrade() -> None:
    """Add the columns and the table."""
    for table, column in COLUMNS:
        op.add_column(table, column)
    op.create_table(
        "saved_views",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("views", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_saved_views"),
        sa.ForeignKeyConstraint(["org_id", "id"], ["app_user.org_id", "app_user.id"], name="fk_saved_views_org_id_id"),
    )
