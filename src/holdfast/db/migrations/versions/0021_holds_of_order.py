"""Holds are found by the order that they are for: the index by order number has its source as well, so that no other
order of that number is walked over.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision: str | None = "0020"

NUMBERED = "order_number IS NOT NULL"


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index("ix_reservation_order", "reservation")
    op.create_index(
        "ix_reservation_order",
        "reservation",
        ["org_id", "order_number", "source", "id"],
        unique=False,
        postgresql_where=sa.text(NUMBERED),
        sqlite_where=sa.text(NUMBERED),
    )
