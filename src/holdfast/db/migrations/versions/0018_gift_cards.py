"""Gift cards: what the organisation owes to whoever knows a code, and every change of it.

Entries are only added to: on SQLite triggers refuse to change or remove one, on PostgreSQL the application's role is
not granted it (`db.roles`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision: str | None = "0017"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    """Make the two tables, and close that of the entries."""
    op.create_table(
        "gift_card",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("issued_by_sale", Id, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'blocked')", name="ck_gift_card_status"),
        sa.CheckConstraint("balance >= 0 AND (status = 'active' OR balance = 0)", name="ck_gift_card_balance"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_gift_card"),
        sa.UniqueConstraint("org_id", "code", name="uq_gift_card_org_id_code"),
    )
    op.create_index(
        "ix_gift_card_sale",
        "gift_card",
        ["org_id", "issued_by_sale"],
        unique=False,
        postgresql_where=sa.text("issued_by_sale IS NOT NULL"),
        sqlite_where=sa.text("issued_by_sale IS NOT NULL"),
    )
    op.create_table(
        "gift_card_entry",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("card_id", Id, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("ref_type", sa.String(length=10), nullable=False),
        sa.Column("ref_id", sa.String(length=36), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("ref_type IN ('SALE', 'PAYMENT', 'RETURN')", name="ck_gift_card_entry_ref_type"),
        sa.CheckConstraint("amount <> 0 AND balance_after >= 0", name="ck_gift_card_entry_amount"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_gift_card_entry"),
        sa.UniqueConstraint("org_id", "card_id", "seq", name="uq_gift_card_entry_org_id_card_id_seq"),
    )
    if op.get_bind().dialect.name == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'gift_card_entry is append-only'); END"
        for name, change in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
            op.execute(f"CREATE TRIGGER gift_card_entry_{name} BEFORE {change} ON gift_card_entry {refuse}")
