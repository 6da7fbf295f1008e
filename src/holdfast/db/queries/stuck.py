"""Holds that wait beside free units which may serve them elsewhere: what the sweeper mends and the check names.

    levels_beside(connection, limit, now)   -> [(organisation, [(product id, location id), ...])]

Commands never leave such a hold behind. A location that begins to sell may, and so may a version before holds knew
from where they may be served. What cannot be helped is not among it: a direct hold is not split, so only a level that
backs more of it than it has counts; a hold that is bound to a lot, or has ended, does not count.
"""

from __future__ import annotations

import sqlalchemy as sa

BESIDE = (
    "FROM reservation r JOIN level l ON l.org_id = r.org_id AND l.product_id = r.product_id "
    "AND l.id <> r.level_id AND l.on_hand > l.reserved "
    "JOIN location c ON c.org_id = l.org_id AND c.id = l.location_id "
    "WHERE r.status = 'active' AND r.backordered > 0 AND r.served_from IS NOT NULL AND r.lot_id IS NULL "
    "AND (r.expires_at IS NULL OR r.expires_at > :now) "
    "AND c.active AND c.kind NOT IN ('quarantine', 'transit') "
    "AND (r.served_from = 'everywhere' OR (r.served_from = 'online' AND c.ships_online) "
    "OR {find}(r.served_from, CAST(c.store_id AS text)) > 0) "
    "AND (r.sale_line_id IS NOT NULL OR l.on_hand - l.reserved > r.quantity - r.consumed - r.released - r.backordered) "
)
"""Such a hold `r`, the level `l` of free units beside it, and that level's location `c`."""


def beside(*, is_sqlite: bool) -> str:
    """`BESIDE` for a database."""
    return BESIDE.format(find="instr" if is_sqlite else "strpos")


def levels_beside(connection: sa.Connection, limit: int, now: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(organisation, [(product id, location id), ...]) of at most `limit` levels whose free units may serve others."""
    from_where = beside(is_sqlite=connection.dialect.name == "sqlite")
    query = sa.text(f"SELECT DISTINCT l.org_id, l.product_id, l.location_id {from_where} LIMIT :limit")
    found: dict[str, list[tuple[str, str]]] = {}
    for org_id, product_id, location_id in connection.execute(query, {"now": now, "limit": limit}):
        found.setdefault(str(org_id), []).append((str(product_id), str(location_id)))
    return list(found.items())
