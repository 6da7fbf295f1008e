"""Tax by rate: lines keep their tax at each rate, postings of tax say at which rate and of what net, entries in which
store. What was kept before has none of it: its one rate stands on the line, and its postings stay without a rate.
Products have prices of so many units together.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")
Name = sa.String(length=200)

revision = "0016"
down_revision: str | None = "0015"

COLUMNS = (
    ("sale_line", sa.Column("taxes", sa.JSON(), nullable=True)),
    ("sale_line", sa.Column("breaks", sa.JSON(), nullable=True)),
    ("sale", sa.Column("tax_exempt", Name, nullable=True)),
    ("sale", sa.Column("exempted", sa.BigInteger(), nullable=False, server_default="0")),
    ("sale", sa.Column("posted_taxes", sa.JSON(), nullable=True)),
    ("register_session", sa.Column("taxes", sa.JSON(), nullable=True)),
    ("journal_entry", sa.Column("store_id", Id, nullable=True)),
    ("posting", sa.Column("tax_name", Name, nullable=True)),
    ("posting", sa.Column("tax_rate", sa.Integer(), nullable=True)),
    ("posting", sa.Column("tax_net", sa.BigInteger(), nullable=True)),
    ("product", sa.Column("price_breaks", sa.JSON(), nullable=True)),
    ("organisation", sa.Column("tax_rounding", sa.String(length=10), nullable=False, server_default="line")),
)


def upgrade() -> None:
    """Add the columns."""
    for table, column in COLUMNS:
        op.add_column(table, column)
