"""What of a product can be had: here, and elsewhere, by location.

    of_product(connection, catalog, "MUG-1", store="MAIN", seen=None)
        -> {"available": 4, "elsewhere": [{"location": "RIVERSIDE", "store_name": "Riverside", "available": 12, ...}]}

Only locations that sell count. `seen` are the stores that whoever asks may read of (None: all); nothing is said of
others. The numbers are those after settling, and nobody holds them: the next command may find others.
"""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.product import UNLIMITED
from holdfast.db.queries.catalog import places_of, product_of
from holdfast.db.queries.levels import of_product as levels_of_product
from holdfast.db.queries.paging import Json, Stores
from holdfast.db.queries.settled import foresee
from holdfast.db.queries.settling import instant

ELSEWHERE_MAX = 20
"""Most other locations that are named: those with most."""


def of_product(
    connection: sa.Connection,
    catalog: Catalog,
    ref: str,
    *,
    seen: Stores = None,
    stores: Stores = None,
    store: str | None = None,
    location: str | None = None,
    now: int | None = None,
) -> Json | None:
    """What there is of a product (id or SKU) here, and at each other location that is seen, most first.

    Here is the `location`, else the `store` (id or code), else all of the `stores` (None: all).
    """
    product = product_of(connection, catalog.settings.id, ref)
    if product is None:
        return None
    here = places_of(catalog, location=location, store=store, stores=None if location or store else stores)
    if product.unlimited:
        return {"title": product.title, "available": UNLIMITED, "elsewhere": []}
    future = foresee(connection, catalog, instant(now), {product.id})
    found = [future.level(level) for level in levels_of_product(connection, catalog, product, seen)]
    levels = [level for level in found if catalog.locations[level.location_id].sellable]
    free = sum(level.available for level in levels if here is None or level.location_id in here)
    others = [] if here is None else [one for one in levels if one.location_id not in here and one.available > 0]
    others.sort(key=lambda level: (-level.available, catalog.locations[level.location_id].code))
    elsewhere = []
    for level in others[:ELSEWHERE_MAX]:
        place = catalog.locations[level.location_id]
        elsewhere.append(
            {
                "location": place.code,
                "store_id": place.store_id,
                "store_name": catalog.stores[place.store_id].name,
                "available": product.number(level.available),
            }
        )
    return {"title": product.title, "available": product.number(free), "elsewhere": elsewhere}
