"""What a till needs to begin with: the carts that are open at it, and what its store sells most.

    carts_of(connection, catalog, session_id)       -> ["0198...", ...], the one that was changed last first
    best_sellers(connection, catalog, store_id)     -> [{"label": "Mug", "product_id": "...", "colour": None}, ...]
    taker_of(connection, catalog, sale_id)          -> {"resumed_by": "user:bruno@...", "register": "Till 2"}, or None

Best sellers are those in most sales of the last 28 days. However many sales there are, only the newest are looked at.
"""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.status import COMPLETED, OPEN
from holdfast.db import schema
from holdfast.db.queries.catalog import products_of
from holdfast.db.queries.paging import Json, among
from holdfast.db.queries.settling import instant

CARTS_MAX = 50
"""Most open carts of a till that are named."""

KEYS_MAX = 24
"""Most best sellers: as many as a register has quick keys."""

LOOKED_AT = 2_000
"""Most sales of the organisation, the newest ones, among which those of the store are counted."""

WEEKS = 4 * 7 * 86_400 * 1_000_000
"""How far back best sellers are counted, in microseconds: 28 days."""

LABEL_MAX = 40
"""Most characters of a title on a key."""

_sale, _line = schema.sale.c, schema.sale_line.c


def carts_of(connection: sa.Connection, catalog: Catalog, session_id: str) -> list[str]:
    """The ids of the carts that are open in a register session, the one that was changed last first."""
    where = (_sale.org_id == catalog.settings.id, _sale.session_id == session_id, _sale.status == OPEN)
    query = sa.select(_sale.id).where(*where).order_by(_sale.updated_at.desc(), _sale.id.desc()).limit(CARTS_MAX)
    return [str(name) for name in connection.execute(query).scalars()]


def taker_of(connection: sa.Connection, catalog: Catalog, sale_id: str) -> Json | None:
    """Who has an open sale, and the name of the register where it is; None for a sale that is not open."""
    session, register = schema.register_session.c, schema.register.c
    joined = (
        schema.sale.outerjoin(
            schema.register_session, sa.and_(session.org_id == _sale.org_id, session.id == _sale.session_id)
        )
    ).outerjoin(schema.register, sa.and_(register.org_id == _sale.org_id, register.id == session.register_id))
    query = sa.select(_sale.actor, register.name, register.code).select_from(joined)
    where = (_sale.org_id == catalog.settings.id, _sale.id == sale_id, _sale.status == OPEN)
    found = connection.execute(query.where(*where)).first()
    return None if found is None else {"resumed_by": found.actor, "register": found.name or found.code}


def best_sellers(connection: sa.Connection, catalog: Catalog, store_id: str, *, now: int | None = None) -> list[Json]:
    """The products that were in most sales of the store, as quick keys; only what has a price and is still sold."""
    org_id, since = catalog.settings.id, instant(now) - WEEKS
    newest = (
        sa.select(_sale.id, _sale.store_id, _sale.status, _sale.created_at)
        .where(_sale.org_id == org_id)
        .order_by(_sale.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    own = sa.select(newest.c.id).where(
        newest.c.store_id == store_id, newest.c.status == COMPLETED, newest.c.created_at >= since
    )
    names = list(connection.execute(own).scalars())
    if not names:
        return []
    times = sa.func.count()
    query = (
        sa.select(_line.product_id)
        .where(_line.org_id == org_id, among(connection, _line.sale_id, names), sa.not_(_line.removed))
        .group_by(_line.product_id)
        .order_by(times.desc(), _line.product_id)
        .limit(2 * KEYS_MAX)
    )
    ids = [str(name) for name in connection.execute(query).scalars()]
    products = products_of(connection, org_id, set(ids))
    sold = [products[name] for name in ids if name in products]
    sold = [product for product in sold if product.active and product.price is not None]
    return [
        {"label": product.title[:LABEL_MAX], "product_id": product.id, "colour": None} for product in sold[:KEYS_MAX]
    ]
