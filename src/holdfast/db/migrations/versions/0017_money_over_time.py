"""Money over time: sales know what returns gave back and what of it was set against what was owed; returns say by which
methods money went back, why it was given off, and for which sale goods were exchanged; lines say which printed gift
card they sell. What was kept before has none of it: its one method stands on the return.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")

revision = "0017"
down_revision: str | None = "0016"

COLUMNS = (
    ("sale_line", sa.Column("gift_code", sa.String(length=64), nullable=True)),
    ("sale", sa.Column("refunded", sa.BigInteger(), nullable=False, server_default="0")),
    ("sale", sa.Column("settled", sa.BigInteger(), nullable=False, server_default="0")),
    ("sale_return", sa.Column("refunds", sa.JSON(), nullable=True)),
    ("sale_return", sa.Column("reason", sa.String(length=200), nullable=True)),
    ("sale_return", sa.Column("exchanged_for", Id, nullable=True)),
)


def upgrade() -> None:
    """Add the columns."""
    for table, column in COLUMNS:
        op.add_column(table, column)
