"""Imports over HTTP: jobs, their files and rows; and which opening receipts were taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")
Name = sa.String(length=200)

revision = "0024"
down_revision: str | None = "0023"

DUE = sa.text("state IN ('waiting', 'running', 'taking_back')")
TAKEN = sa.text("owner IS NOT NULL")
COUNTS = (
    "done", "added", "changed", "unchanged", "refused", "waiting", "unmapped", "taken_back", "kept", "interruptions",
)  # fmt: skip


def upgrade() -> None:
    """Add the tables, and the column of receipts."""
    op.add_column("receipt", sa.Column("taken_back_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "import_job",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("name", Name, nullable=True),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("file", sa.String(length=64), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("actor", Name, nullable=False),
        sa.Column("actor_id", Id, nullable=False),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in COUNTS),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("owner", Id, nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_import_job")),
        sa.CheckConstraint("kind IN ('products', 'stock', 'orders')", name=op.f("ck_import_job_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'refused', 'interrupted', 'taking_back', 'taken_back')",
            name=op.f("ck_import_job_state"),
        ),
        sa.CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name=op.f("ck_import_job_lease")),
    )
    op.create_index("ix_import_job_state", "import_job", ["org_id", "state"], unique=False)
    op.create_index(
        "ix_import_job_due", "import_job", ["created_at"], unique=False, postgresql_where=DUE, sqlite_where=DUE
    )
    op.create_index(
        "uq_import_job_org_id_owned",
        "import_job",
        ["org_id"],
        unique=True,
        postgresql_where=TAKEN,
        sqlite_where=TAKEN,
    )
    op.create_table(
        "import_file",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "digest", name=op.f("pk_import_file")),
    )
    _create_rows()


def _create_rows() -> None:
    op.create_table(
        "import_row",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("import_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("field", Name, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("made", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("undo", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in ("waiting", "unmapped")),
        sa.Column("back", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "import_id", "position", name=op.f("pk_import_row")),
        sa.ForeignKeyConstraint(
            ["org_id", "import_id"],
            ["import_job.org_id", "import_job.id"],
            name=op.f("fk_import_row_org_id_import_id"),
        ),
        sa.CheckConstraint(
            "state IN ('added', 'changed', 'unchanged', 'refused', 'note')", name=op.f("ck_import_row_state")
        ),
        sa.CheckConstraint("back IN ('taken_back', 'kept')", name=op.f("ck_import_row_back")),
    )
