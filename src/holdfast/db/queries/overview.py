"""Figures over all inventory entries: totals, how many run low, by store and by location.

Sums are grouped by location and precision (quantities of different precision can only be added as numbers). What has
ended but is not settled is put right afterwards, level by level: it is little.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import Number
from holdfast.core.records.stock import Level
from holdfast.db import schema
from holdfast.db.exact_sum import exact_sum
from holdfast.db.queries import levels
from holdfast.db.queries.catalog import places_of, products_of, store_of
from holdfast.db.queries.paging import LIMIT_DEFAULT, Json, Part, Stores, among
from holdfast.db.queries.settled import foresee
from holdfast.db.queries.settling import ended, instant

_level, _product = schema.level.c, schema.product.c


SETTLED_MAX = 100
"""Products of which somebody waits that the figures settle in memory; of more, sums are taken level by level."""


class Sum(NamedTuple):
    """Entries of one location and one precision, in smallest units."""

    location_id: str
    precision: int
    entries: int
    on_hand: int
    reserved: int
    backordered: int


_NUMBERS: tuple[sa.ColumnElement[int], ...] = (
    sa.func.count(),
    exact_sum(_level.on_hand),
    exact_sum(_level.reserved),
    exact_sum(_level.backordered),
)


def sums(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None, now: int) -> list[Sum]:
    """The listed entries summed up by location and precision, as settling would leave them."""
    groups = {(group.location_id, group.precision): group for group in _stored_sums(connection, catalog, places)}
    for level, settled, precision in unsettled(connection, catalog, places, now):
        name = (level.location_id, precision)
        known = groups.get(name, Sum(*name, 0, 0, 0, 0))
        groups[name] = known._replace(
            entries=known.entries + settled.listed - level.listed,
            on_hand=known.on_hand - level.on_hand + settled.on_hand,
            reserved=known.reserved - level.reserved + settled.reserved,
            backordered=known.backordered - level.backordered + settled.backordered,
        )
    return list(groups.values())


def _stored_sums(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None) -> list[Sum]:
    """The listed entries summed up by location and precision, as they are stored.

    The levels alone give the sums by location; most products have no decimal places, so only those that have some are
    looked at, and their part is told apart. (Looking for the product of every level takes twice as long.)
    """
    org_id = catalog.settings.id
    here = [_level.listed] if places is None else [_level.listed, _level.location_id.in_(places)]
    all_of = sa.select(_level.location_id, *_NUMBERS).where(_level.org_id == org_id, *here).group_by(_level.location_id)
    # The outer join makes SQLite begin with the few products; those that lie nowhere have no location.
    of_product = sa.and_(_level.org_id == _product.org_id, _level.product_id == _product.id, *here)
    divisible = (
        sa.select(_level.location_id, _product.precision, *_NUMBERS)
        .select_from(schema.product.outerjoin(schema.level, of_product))
        .where(_product.org_id == org_id, _product.precision > 0)
        .group_by(_level.location_id, _product.precision)
    )
    whole = {row[0]: [int(number) for number in row[1:]] for row in connection.execute(all_of)}
    found = [
        Sum(row[0], row[1], *(int(number) for number in row[2:]))
        for row in connection.execute(divisible)
        if row[0] is not None
    ]
    for group in found:
        whole[group.location_id] = [
            number - part for number, part in zip(whole[group.location_id], group[2:], strict=True)
        ]
    found += [Sum(location_id, 0, *numbers) for location_id, numbers in whole.items() if numbers[0]]
    return found


def _running_low(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None, now: int) -> int:
    """How many listed entries are at or below their line."""
    low = levels.low_levels(connection, catalog, None, [_level.id], now)[0].where(_level.listed)
    if places is not None:
        low = low.where(_level.location_id.in_(places))
    return int(connection.execute(sa.select(sa.func.count()).select_from(low.subquery())).scalar() or 0)


def stats(
    connection: sa.Connection,
    catalog: Catalog,
    *,
    store: str | None = None,
    stores: Stores = None,
    now: int | None = None,
) -> Json:
    """`{total_entries, total_quantity, total_reserved, total_available, low_stock_count, ...}`, of a store or all."""
    at, places = instant(now), places_of(catalog, stores=stores, store=store)
    groups = sums(connection, catalog, places, at)
    sellable = set(levels.sellable(catalog))
    reserved = sum((_scaled(group.reserved, group.precision) for group in groups), Decimal(0))
    backordered = sum((_scaled(group.backordered, group.precision) for group in groups), Decimal(0))
    available = sum(
        (_scaled(group.on_hand - group.reserved, group.precision) for group in groups if group.location_id in sellable),
        Decimal(0),
    )
    here = {group.location_id for group in groups}
    return {
        "total_entries": sum(group.entries for group in groups),
        "total_quantity": _number(_on_hand(groups)),
        "total_reserved": _number(reserved),
        "total_available": _number(available),
        "total_backordered": _number(backordered),
        "low_stock_count": _running_low(connection, catalog, places, at),
        "stores_with_inventory": len({catalog.locations[name].store_id for name in here}),
        "unique_locations": len(here),
    }


def unsettled(
    connection: sa.Connection, catalog: Catalog, places: Collection[str] | None, now: int
) -> list[tuple[Level, Level, int]]:
    """The levels that settling will change: as stored, as they will be, and their product's precision.

    A level in quarantine that settling begins is stored as one without units, not listed.
    """
    org_id = catalog.settings.id
    over = ended(connection, org_id, now)
    if not over:
        return []
    query = sa.select(_level.product_id).where(_level.org_id == org_id, among(connection, _level.id, over))
    seen = foresee(connection, catalog, now, set(connection.execute(query).scalars()), most=SETTLED_MAX)
    changes = [(level, seen.level(level)) for level in seen.before.values()]
    changes += [(msgspec.structs.replace(level, on_hand=0, listed=False), level) for level in seen.begun.values()]
    inside = [pair for pair in changes if places is None or pair[0].location_id in places]
    precision = products_of(connection, org_id, {level.product_id for level, _ in inside})
    return [(level, settled, precision[level.product_id].precision) for level, settled in inside]


def by_store(
    connection: sa.Connection, catalog: Catalog, *, stores: Stores = None, now: int | None = None
) -> list[Json]:
    """`{store_id, store_name, total_entries, total_quantity}` of each store with inventory, by name."""
    places = places_of(catalog, stores=stores)
    groups: dict[str, list[Sum]] = {}
    for group in sums(connection, catalog, places, instant(now)):
        groups.setdefault(catalog.locations[group.location_id].store_id, []).append(group)
    rows = [
        {
            "store_id": store_id,
            "store_name": catalog.stores[store_id].name,
            "total_entries": sum(group.entries for group in own),
            "total_quantity": _number(_on_hand(own)),
        }
        for store_id, own in groups.items()
    ]
    return sorted(rows, key=lambda row: (str(row["store_name"]), str(row["store_id"])))


def of_store(
    connection: sa.Connection,
    catalog: Catalog,
    store: str,
    *,
    stores: Stores = None,
    cursor: str | None = None,
    limit: int = LIMIT_DEFAULT,
    now: int | None = None,
) -> Json | None:
    """One store (id or code): `{store_id, store_name, total_entries, total_quantity, items, next_cursor}`."""
    found = store_of(catalog, store)
    if found is None or (stores is not None and found.id not in stores):
        return None
    part = Part(cursor=cursor, limit=limit, now=instant(now))
    groups = sums(connection, catalog, places_of(catalog, store=found.id), part.now)
    page = levels.listed(connection, catalog, levels.LevelFilter(store=found.id), part)
    return {
        "store_id": found.id,
        "store_name": found.name,
        "total_entries": sum(group.entries for group in groups),
        "total_quantity": _number(_on_hand(groups)),
        "items": page.items,
        "next_cursor": page.next_cursor,
    }


def by_location(
    connection: sa.Connection,
    catalog: Catalog,
    *,
    store: str | None = None,
    stores: Stores = None,
    now: int | None = None,
) -> list[Json]:
    """`{location, store_id, total_quantity}` of each location with inventory, by code."""
    places = places_of(catalog, stores=stores, store=store)
    groups: dict[str, list[Sum]] = {}
    for group in sums(connection, catalog, places, instant(now)):
        groups.setdefault(group.location_id, []).append(group)
    rows = [
        {
            "location": catalog.locations[name].code,
            "store_id": catalog.locations[name].store_id,
            "total_quantity": _number(_on_hand(own)),
        }
        for name, own in groups.items()
    ]
    return sorted(rows, key=lambda row: str(row["location"]))


def _on_hand(groups: Iterable[Sum]) -> Decimal:
    return sum((_scaled(group.on_hand, group.precision) for group in groups), Decimal(0))


def _scaled(units: int, precision: int) -> Decimal:
    return Decimal(units).scaleb(-precision)


def _number(total: Decimal) -> Number | float:
    """A sum as a plain JSON number."""
    return int(total) if total == total.to_integral_value() else float(total)
