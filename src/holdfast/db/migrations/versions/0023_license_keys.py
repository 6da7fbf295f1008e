"""License keys: a pool of them for each digital product, encrypted; how a product is delivered; which keys a line got,
and how many are to follow.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")
Name = sa.String(length=200)

revision = "0023"
down_revision: str | None = "0022"

COLUMNS: tuple[tuple[str, sa.Column[Any]], ...] = (
    ("product", sa.Column("digital_delivery_method", sa.String(length=12), nullable=True)),
    ("product", sa.Column("download_url", Name, nullable=True)),
    ("product", sa.Column("pooled", sa.Boolean(), nullable=False, server_default="false")),
    ("sale_line", sa.Column("key_ids", sa.JSON(), nullable=True)),
    ("sale_line", sa.Column("keys_owed", sa.BigInteger(), nullable=False, server_default="0")),
)


def upgrade() -> None:
    """Add the columns, the table and the indexes."""
    for table, column in COLUMNS:
        op.add_column(table, column)
    op.create_index(
        "ix_sale_line_owed",
        "sale_line",
        ["org_id", "product_id", "id"],
        unique=False,
        postgresql_where=sa.text("keys_owed > 0"),
        sqlite_where=sa.text("keys_owed > 0"),
    )
    op.create_table(
        "license_key",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("encrypted", sa.Text(), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("sale_id", Id, nullable=True),
        sa.Column("line_id", Id, nullable=True),
        sa.Column("actor", Name, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_license_key")),
        sa.UniqueConstraint("org_id", "product_id", "digest", name=op.f("uq_license_key_org_id_product_id_digest")),
        sa.CheckConstraint("status IN ('free', 'sold', 'blocked')", name=op.f("ck_license_key_status")),
        sa.CheckConstraint("(status = 'free') = (sale_id IS NULL)", name=op.f("ck_license_key_sale")),
    )
    op.create_index("ix_license_key_pool", "license_key", ["org_id", "product_id", "status", "id"], unique=False)
    op.create_index(
        "ix_license_key_sale",
        "license_key",
        ["org_id", "sale_id"],
        unique=False,
        postgresql_where=sa.text("sale_id IS NOT NULL"),
        sqlite_where=sa.text("sale_id IS NOT NULL"),
    )
