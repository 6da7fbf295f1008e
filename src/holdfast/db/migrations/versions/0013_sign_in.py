"""Signing in: failures that every process counts, sessions that can be seen and ended, a second factor, PINs with a
salt of their own, and the audit log's address and request.

Users keep their passwords, and PINs work as they are until they are used or changed. Sessions that are open stay open.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
import uuid_utils
from alembic import op

revision = "0013"
down_revision: str | None = "0012"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    """Add the columns, then the tables."""
    op.add_column("organisation", sa.Column("totp_roles", sa.String(length=100), nullable=True))
    op.add_column("app_user", sa.Column("pin_index", sa.Integer(), nullable=True))
    op.add_column("app_user", sa.Column("first_password", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("app_user", sa.Column("sessions_from", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_app_user_pin", "app_user", ["org_id", "pin_index"], unique=False)
    op.add_column("browser_session", sa.Column("id", Id, nullable=True))
    op.add_column("browser_session", sa.Column("stage", sa.String(length=10), nullable=False, server_default="open"))
    op.add_column("browser_session", sa.Column("begun_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("browser_session", sa.Column("used_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("browser_session", sa.Column("address", sa.String(length=64), nullable=True))
    op.add_column("browser_session", sa.Column("device", sa.String(length=200), nullable=True))
    op.create_index("ix_browser_session_user", "browser_session", ["org_id", "user_id"], unique=False)
    op.add_column("till_lock", sa.Column("locks", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("audit", sa.Column("address", sa.String(length=64), nullable=True))
    op.add_column("audit", sa.Column("request_id", sa.String(length=128), nullable=True))
    _sessions_begun()
    _second_factor()
    _attempt()


def _sessions_begun() -> None:
    """Open sessions get an id, began when they were made, and were last used now: nobody is signed out by this."""
    session = sa.table(
        "browser_session",
        sa.column("token_hash", sa.String),
        sa.column("id", Id),
        sa.column("created_at", sa.BigInteger),
        sa.column("begun_at", sa.BigInteger),
        sa.column("used_at", sa.BigInteger),
    )
    connection = op.get_bind()
    now = time.time_ns() // 1000
    for token_hash in list(connection.execute(sa.select(session.c.token_hash)).scalars()):
        connection.execute(
            sa.update(session)
            .where(session.c.token_hash == token_hash)
            .values(id=str(uuid_utils.uuid7()), begun_at=session.c.created_at, used_at=now)
        )


def _second_factor() -> None:
    op.create_table(
        "second_factor",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "user_id", name="pk_second_factor"),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["app_user.org_id", "app_user.id"], name="fk_second_factor_org_id_user_id"
        ),
    )


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.Column("waits_until", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("untold", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "name", name="pk_attempt"),
    )
    op.create_index("ix_attempt_last_at", "attempt", ["last_at"], unique=False)
