"""A register session knows the key whose request opened it, also where a PIN said who acts at it. A key knows since
when the secret is gone that opened its sessions of before.

Sessions of before have none: those that a key opened in its own name still name it as their opener.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")

revision = "0015"
down_revision: str | None = "0014"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("api_key", sa.Column("sessions_from", sa.BigInteger(), nullable=True))
    op.add_column("register_session", sa.Column("key_id", Id, nullable=True))
