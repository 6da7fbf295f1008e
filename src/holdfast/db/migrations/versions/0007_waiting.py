"""From where a hold may be served, so that units that come anywhere reach who waits; when goods last came to a level;
the other number of an order at its source.

Holds of sale lines tell it by their line and sale. Of other holds it is not known whether their location was given:
they stay where they are, but for those that wait where the product never had a unit, which somebody else chose.
"""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from alembic import op
from msgspec import json as msgspec_json

revision = "0007"
down_revision: str | None = "0004"

COLUMNS = (
    *("id", "level_id", "product_id", "location_id", "quantity", "consumed", "released", "backordered"),
    *("allocations", "status", "release_reason", "lot_id", "held_for", "sale_line_id", "reserved_for_type"),
    *("reserved_for_id", "order_number", "source", "priority", "expires_at", "actor", "created_at", "updated_at"),
)
"""A hold as its checksum reads it; `served_from` comes last, and only where there is one."""

ROAMING = "backordered > 0 AND served_from IS NOT NULL"
CAME_IN = "ref_type IN ('RECEIPT', 'TRANSFER') AND qty_delta > 0"
ROWS = 1_000


def upgrade() -> None:
    """Add the column, tell it of the holds that are active, and make the indexes."""
    op.add_column("reservation", sa.Column("served_from", sa.Text(), nullable=True))
    connection = op.get_bind()
    lines = (
        "SELECT {columns}, coalesce({store}, 'online') FROM reservation r "
        "JOIN sale_line l ON l.org_id = r.org_id AND l.id = r.sale_line_id "
        "JOIN sale s ON s.org_id = l.org_id AND s.id = l.sale_id "
        "WHERE r.status = 'active' AND l.location_id IS NULL"
    )
    lost = (
        "SELECT {columns}, 'online' FROM reservation r WHERE r.status = 'active' AND r.backordered > 0 "
        "AND r.sale_line_id IS NULL AND r.held_for <> 'adhoc' AND r.lot_id IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM ledger g WHERE g.org_id = r.org_id AND g.level_id = r.level_id AND g.qty_delta <> 0)"
    )
    text = "::text" if connection.dialect.name == "postgresql" else ""
    columns = ", ".join(f"r.{name}" for name in ("org_id", *COLUMNS))
    for query in (lines, lost):
        found = connection.exec_driver_sql(query.format(columns=columns, store=f"s.store_id{text}")).fetchall()
        for start in range(0, len(found), ROWS):
            _tell(connection, found[start : start + ROWS])
    op.create_index(
        "ix_reservation_roaming",
        "reservation",
        ["org_id", "product_id"],
        unique=False,
        postgresql_where=sa.text(ROAMING),
        sqlite_where=sa.text(ROAMING),
    )
    op.add_column("sale", sa.Column("external_id", sa.String(length=200), nullable=True))
    op.create_index(
        "ix_sale_external",
        "sale",
        ["org_id", "external_id", "source"],
        unique=False,
        postgresql_where=sa.text("external_id IS NOT NULL"),
        sqlite_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_came_in",
        "ledger",
        ["org_id", "level_id", "seq"],
        unique=False,
        postgresql_where=sa.text(CAME_IN),
        sqlite_where=sa.text(CAME_IN),
    )


def _tell(connection: sa.Connection, rows: Any) -> None:
    changed = [
        {"org": str(row[0]), "id": str(row[1]), "served_from": row[-1], "checksum": _checksum(row[1:-1], row[-1])}
        for row in rows
    ]
    update = sa.text(
        "UPDATE reservation SET served_from = :served_from, checksum = :checksum WHERE org_id = :org AND id = :id"
    )
    if connection.dialect.name == "postgresql":
        update = sa.text(
            "UPDATE reservation SET served_from = :served_from, checksum = :checksum "
            "WHERE org_id = CAST(:org AS uuid) AND id = CAST(:id AS uuid)"
        )
    connection.execute(update, changed)


def _checksum(values: Any, served_from: str) -> int:
    """What the row's checksum becomes: CRC-32 of the hold's JSON, as it was written then."""
    hold: dict[str, Any] = {}
    for name, value in zip(COLUMNS, values, strict=True):
        if name == "allocations":
            hold[name] = json.loads(value) if isinstance(value, str) else value
        else:
            hold[name] = value if value is None or isinstance(value, int) else str(value)
    hold["served_from"] = served_from
    return crc32(msgspec_json.encode(hold))
