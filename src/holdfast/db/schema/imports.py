"""Imports over HTTP: the jobs, their files, and what became of each row."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from holdfast.db.schema.columns import Id, Name, big, id_of, metadata, org

_DUE = text("state IN ('waiting', 'running', 'taking_back')")
_TAKEN = text("owner IS NOT NULL")


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


import_job = Table(
    "import_job",
    metadata,
    org(),
    id_of(),
    Column("kind", String(8), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("name", Name, nullable=True),
    Column("choices", JSON, nullable=False),
    Column("file", String(64), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("actor", Name, nullable=False),
    id_of("actor_id"),
    Column("stores", JSON, nullable=False),
    big("created_at"),
    big("updated_at"),
    _count("done"),
    _count("added"),
    _count("changed"),
    _count("unchanged"),
    _count("refused"),
    _count("waiting"),
    _count("unmapped"),
    _count("taken_back"),
    _count("kept"),
    _count("interruptions"),
    Column("detail", Text, nullable=True),
    Column("owner", Id, nullable=True),
    Column("lease_until", BigInteger, nullable=True),
    big("started_at", nullable=True),
    big("finished_at", nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
    CheckConstraint("kind IN ('products', 'stock', 'orders')", name="kind"),
    CheckConstraint(
        "state IN ('waiting', 'running', 'done', 'refused', 'interrupted', 'taking_back', 'taken_back')", name="state"
    ),
    CheckConstraint("(owner IS NULL) = (lease_until IS NULL)", name="lease"),
    Index("ix_import_job_state", "org_id", "state"),
    Index("ix_import_job_due", "created_at", postgresql_where=_DUE, sqlite_where=_DUE),
    Index("uq_import_job_org_id_owned", "org_id", unique=True, postgresql_where=_TAKEN, sqlite_where=_TAKEN),
)
"""An uploaded file on its way. `owner` is the worker that has it, until `lease_until`: one of an organisation at a
time. What comes after `updated_at` is the worker's; the columns before are written by commands."""

import_file = Table(
    "import_file",
    metadata,
    org(),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    big("created_at"),
    PrimaryKeyConstraint("org_id", "digest"),
)
"""The text of a file in UTF-8, compressed, by the SHA-256 of the text: a file that is sent twice is kept once."""

import_row = Table(
    "import_row",
    metadata,
    org(),
    id_of("import_id"),
    Column("position", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("last_line", Integer, nullable=False),
    Column("state", String(9), nullable=False),
    Column("subject", Text, nullable=False),
    Column("field", Name, nullable=True),
    Column("detail", Text, nullable=True),
    Column("made", JSON, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("undo", JSON, nullable=False),
    _count("waiting"),
    _count("unmapped"),
    Column("back", String(10), nullable=True),
    Column("reason", Text, nullable=True),
    PrimaryKeyConstraint("org_id", "import_id", "position"),
    ForeignKeyConstraint(["org_id", "import_id"], ["import_job.org_id", "import_job.id"]),
    CheckConstraint("state IN ('added', 'changed', 'unchanged', 'refused', 'note')", name="state"),
    CheckConstraint("back IN ('taken_back', 'kept')", name="back"),
)
"""What became of a row of the file: what it made, what it changed (old, new), how that is taken back, and what came of
taking it back. `subject` is what the row is about: one row may be about several."""
