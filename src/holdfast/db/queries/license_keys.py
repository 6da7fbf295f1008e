"""The pool of a product's license keys: how many there are in each status, and which, by their last characters.

    of_product(connection, catalog, "GAME-1")     -> {product_id, sku, free, sold, blocked, owed, items, next_cursor}

No key is read: what is encrypted is for who may see the sale that has it.
"""

from __future__ import annotations

from typing import Any, get_args

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.license_key import KeyStatus, LicenseKey
from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.catalog import columns_of, product_of
from holdfast.db.queries.paging import Json, bounded, id_of_cursor, newest, page_of

_key, _line = schema.license_key.c, schema.sale_line.c


def of_product(
    connection: sa.Connection, catalog: Catalog, product_id: str, *, cursor: str | None = None, limit: int = 50
) -> Json | None:
    """The pool of a product (id or SKU), its newest keys first; None when there is no such product."""
    product = product_of(connection, catalog.settings.id, product_id)
    if product is None:
        return None
    own = (_key.org_id == catalog.settings.id, _key.product_id == product.id)
    counts = dict.fromkeys(get_args(KeyStatus), 0)
    query = sa.select(_key.status, sa.func.count()).where(*own).group_by(_key.status)
    counts.update({status: int(count) for status, count in connection.execute(query)})
    waits = (_line.org_id == catalog.settings.id, _line.product_id == product.id, sa.text("sale_line.keys_owed > 0"))
    owed = connection.execute(sa.select(sa.func.sum(_line.keys_owed)).where(*waits)).scalar() or 0
    found = newest(
        connection,
        schema.license_key,
        columns_of(schema.license_key, LicenseKey),
        catalog.settings.id,
        [_key.product_id == product.id],
        before=id_of_cursor(cursor),
        limit=bounded(limit),
    )
    page = page_of(found, bounded(limit), lambda rows: [_shown(row_type(LicenseKey).read(row)) for row in rows])
    head: dict[str, Any] = {"product_id": product.id, "sku": product.sku, **counts, "owed": int(owed)}
    return {**head, "items": page.items, "next_cursor": page.next_cursor}


def _shown(key: LicenseKey) -> Json:
    return {
        "id": key.id,
        "hint": key.hint,
        "status": key.status,
        "sale_id": key.sale_id,
        "line_id": key.line_id,
        "created_at": instant_text(key.created_at),
        "updated_at": instant_text(key.updated_at),
    }
