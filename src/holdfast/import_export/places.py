"""The stores and locations that whoever imports may act in: of others a file's reader knows nothing.

stores_of(shop, actor)       -> all stores of the organisation, or those to which the actor is limited
locations_of(shop, actor)    -> their locations by code
"""

from __future__ import annotations

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.records.organisation import Location
from holdfast.db.bulk import locations_by_code
from holdfast.db.organisations import StoreRow, stores


def stores_of(shop: Holdfast, actor: Actor) -> list[StoreRow]:
    """The stores in use that the actor may act in, by code."""
    return [row for row in stores(shop.database, actor.org_id) if not actor.stores or row.id in actor.stores]


def locations_of(shop: Holdfast, actor: Actor) -> dict[str, Location]:
    """The locations in use of those stores, by code."""
    known = locations_by_code(shop.database, actor.org_id)
    return {code: place for code, place in known.items() if not actor.stores or place.store_id in actor.stores}
