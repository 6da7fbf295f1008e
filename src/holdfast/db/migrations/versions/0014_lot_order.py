"""When a lot was received stands beside it at each level, and two indexes have its lots in the order in which units are
taken from them: a command reads the first of them, however many there are.

The column is filled for all lots, so the table is written once; no checksum covers it. The index of lot codes has only
the lots with a code from now on, and that of lots at levels begins with the lot: where PostgreSQL's statistics were
older than the lots it took these indexes by the organisation alone, and walked over all its lots.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"

DATED = "is_open AND sellable_until IS NOT NULL"


def upgrade() -> None:
    """Add the column, fill it, then make the indexes."""
    op.add_column("lot_stock", sa.Column("received_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE lot_stock SET received_at = (SELECT l.received_at FROM lot l "
        "WHERE l.org_id = lot_stock.org_id AND l.id = lot_stock.lot_id)"
    )
    op.drop_index("ix_lot_code", "lot")
    op.create_index(
        "ix_lot_code",
        "lot",
        ["org_id", "code", "product_id"],
        unique=False,
        postgresql_where=sa.text("code IS NOT NULL"),
        sqlite_where=sa.text("code IS NOT NULL"),
    )
    op.drop_index("ix_lot_stock_lot", "lot_stock")
    op.create_index("ix_lot_stock_lot", "lot_stock", ["lot_id", "org_id"], unique=False)
    op.drop_index("ix_lot_stock_open", "lot_stock")
    op.create_index(
        "ix_lot_stock_open",
        "lot_stock",
        ["org_id", "level_id", "received_at", "lot_id"],
        unique=False,
        postgresql_where=sa.text("is_open"),
        sqlite_where=sa.text("is_open"),
    )
    op.create_index(
        "ix_lot_stock_dated",
        "lot_stock",
        ["org_id", "level_id", "sellable_until", "received_at", "lot_id"],
        unique=False,
        postgresql_where=sa.text(DATED),
        sqlite_where=sa.text(DATED),
    )
