"""Counts and transfers: lists and single ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.warehouse.count_sheet import CountSheet, count_document
from holdfast.core.warehouse.transfer import Transfer, transfer_document
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, places_of, products_of, read_records, records
from holdfast.db.queries.paging import EMPTY, Json, Page, as_id, bounded, id_of_cursor, newest, page_of

_sheet, _transfer = schema.count_sheet.c, schema.transfer.c


def counts(
    connection: sa.Connection,
    catalog: Catalog,
    *,
    status: str | None,
    location: str | None,
    stores: Collection[str] | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """A page of counts."""
    where = [] if status is None else [_sheet.status == status]
    places = places_of(catalog, stores=stores, location=location)
    if places is not None:
        where.append(_sheet.location_id.in_(places))
    return _listed(connection, catalog, schema.count_sheet, CountSheet, where, cursor, limit)


def count(connection: sa.Connection, catalog: Catalog, ref: str, stores: Collection[str] | None) -> Json | None:
    """A count by id."""
    sheet = _one(connection, catalog, schema.count_sheet, CountSheet, ref)
    if sheet is None or _outside(catalog, stores, sheet.location_id):
        return None
    return _describe(connection, catalog, [sheet])[0]


def transfers(
    connection: sa.Connection,
    catalog: Catalog,
    *,
    status: str | None,
    stores: Collection[str] | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """A page of transfers from or to the stores."""
    where: list[sa.ColumnElement[bool]] = [] if status is None else [_transfer.status == status]
    places = places_of(catalog, stores=stores)
    if places is not None:
        if not places:
            return EMPTY
        where.append(sa.or_(_transfer.from_location_id.in_(places), _transfer.to_location_id.in_(places)))
    return _listed(connection, catalog, schema.transfer, Transfer, where, cursor, limit)


def transfer(connection: sa.Connection, catalog: Catalog, ref: str, stores: Collection[str] | None) -> Json | None:
    """A transfer by id."""
    found = _one(connection, catalog, schema.transfer, Transfer, ref)
    if found is None or _outside(catalog, stores, found.from_location_id, found.to_location_id):
        return None
    return _describe(connection, catalog, [found])[0]


def _outside(catalog: Catalog, stores: Collection[str] | None, *location_ids: str) -> bool:
    return stores is not None and all(catalog.locations[name].store_id not in stores for name in location_ids)


def _one(connection: sa.Connection, catalog: Catalog, table: sa.Table, struct: type[Any], ref: str) -> Any:
    name = as_id(ref)
    if name is None:
        return None
    found = records(connection, table, struct, table.c.org_id == catalog.settings.id, table.c.id == name)
    return found[0] if found else None


def _listed(
    connection: sa.Connection,
    catalog: Catalog,
    table: sa.Table,
    struct: type[Any],
    where: Sequence[sa.ColumnElement[bool]],
    cursor: str | None,
    limit: int,
) -> Page:
    limit = bounded(limit)
    found = newest(
        connection,
        table,
        columns_of(table, struct),
        catalog.settings.id,
        where,
        before=id_of_cursor(cursor),
        limit=limit,
    )
    return page_of(
        found,
        limit,
        lambda rows: _describe(connection, catalog, read_records(table, struct, rows)),
    )


def _describe(connection: sa.Connection, catalog: Catalog, found: Sequence[CountSheet | Transfer]) -> list[Json]:
    ids = {line.product_id for one in found for line in (one.lines if isinstance(one, CountSheet) else one.lots)}
    products = products_of(connection, catalog.settings.id, ids)
    return [
        msgspec.to_builtins(
            count_document(one, products, catalog.locations[one.location_id])
            if isinstance(one, CountSheet)
            else transfer_document(one, products, catalog.locations)
        )
        for one in found
    ]
