"""What all tables are made of: the metadata with its names for constraints, and columns that return everywhere."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Id = String(36).with_variant(UUID(as_uuid=False), "postgresql")
"""A UUIDv7: native in PostgreSQL, text in SQLite."""

Name = String(200)
"""Texts have 1 to 200 characters."""

HOT: dict[str, Any] = {
    "postgresql_with": {
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_threshold": 2000,
    }
}


def org() -> Column[str]:
    return Column("org_id", Id, nullable=False)


def id_of(name: str = "id", *, nullable: bool = False) -> Column[str]:
    return Column(name, Id, nullable=nullable)


def big(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def digest(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def unique_in_use(table: str, column: str) -> Index:
    """Names are unique among the records that are in use."""
    return Index(
        f"uq_{table}_{column}_active",
        "org_id",
        column,
        unique=True,
        postgresql_where=text("active"),
        sqlite_where=text("active"),
    )
