"""The store in which an appointment takes place.

An older one takes place where everything lies that is held for it, when that is one store; otherwise it stays the
organisation's, and only who acts in all stores sees it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")
_appointment = sa.table("appointment", sa.column("org_id", Id), sa.column("id", Id), sa.column("store_id", Id))
ROWS = 1_000


def upgrade() -> None:
    """Add the column and tell it of the appointments whose holds all lie in one store."""
    connection = op.get_bind()
    op.add_column("appointment", sa.Column("store_id", Id, nullable=True))
    text = "::text" if connection.dialect.name == "postgresql" else ""
    found = connection.exec_driver_sql(
        f"SELECT r.org_id, r.reserved_for_id, min(p.store_id{text}) AS store_id FROM reservation r JOIN location p "
        "ON p.org_id = r.org_id AND p.id = r.location_id WHERE r.held_for = 'appointment' "
        f"GROUP BY r.org_id, r.reserved_for_id HAVING min(p.store_id{text}) = max(p.store_id{text})"
    ).fetchall()
    update = (
        sa.update(_appointment)
        .where(_appointment.c.org_id == sa.bindparam("org"), _appointment.c.id == sa.bindparam("one"))
        .values(store_id=sa.bindparam("store"))
    )
    for start in range(0, len(found), ROWS):
        part = found[start : start + ROWS]
        connection.execute(update, [{"org": str(row[0]), "one": str(row[1]), "store": row[2]} for row in part])
