"""What a key may do, from where and until when, the last characters of its secret, the secret that it had before, and
when it was last used. Keys of before have all rights of their role, from anywhere, for ever; their hints are not known.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"

COLUMNS = (
    ("hint", sa.String(length=4)),
    ("permissions", sa.JSON()),
    ("addresses", sa.JSON()),
    ("expires_at", sa.BigInteger()),
    ("previous_hash", sa.String(length=64)),
    ("previous_hint", sa.String(length=4)),
    ("previous_until", sa.BigInteger()),
    ("last_used_at", sa.BigInteger()),
)


def upgrade() -> None:
    """Add the columns; a key is looked up by its hash within its organisation, or by the hash alone."""
    for name, kind in COLUMNS:
        op.add_column("api_key", sa.Column(name, kind, nullable=True))
    op.drop_index("ix_api_key_key_hash", table_name="api_key")
    op.create_index("ix_api_key_key_hash", "api_key", ["key_hash", "org_id"], unique=False)
    op.create_index("ix_api_key_previous_hash", "api_key", ["previous_hash", "org_id"], unique=False)
