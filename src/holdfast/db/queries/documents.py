"""Counts and transfers: lists and single ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.warehouse.count_sheet import CountSheet, count_document
from holdfast.core.warehouse.transfer import Transfer, transfer_document
from holdfast.db import schema
from holdfast.db.queries.catalog import places_of, products_of, records
from holdfast.db.queries.filters import LOCATION, STATUS, Filter
from holdfast.db.queries.paging import (
    EMPTY,
    Json,
    Page,
    Part,
    Stores,
    among,
    as_id,
    bounded,
    id_of_cursor,
    in_order,
    newest,
    page_in_pieces,
)

_sheet, _transfer = schema.count_sheet.c, schema.transfer.c


class CountFilter(Filter, frozen=True, kw_only=True):
    """Which counts."""

    status: Annotated[Literal["draft", "posted", "cancelled"] | None, STATUS] = None
    location: Annotated[str | None, LOCATION] = None


class TransferFilter(Filter, frozen=True, kw_only=True):
    """Which transfers."""

    status: Annotated[Literal["shipped", "received", "returned"] | None, STATUS] = None


def counts(connection: sa.Connection, catalog: Catalog, filters: CountFilter, part: Part) -> Page:
    """A page of counts, drafts included."""
    where = [] if filters.status is None else [_sheet.status == filters.status]
    places = places_of(catalog, stores=part.stores, location=filters.location)
    if places is not None:
        where.append(_sheet.location_id.in_(places))
    return _listed(connection, catalog, schema.count_sheet, CountSheet, where, part)


def count(connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None) -> Json | None:
    """A count by id."""
    sheet = _one(connection, catalog, schema.count_sheet, CountSheet, ref)
    if sheet is None or _outside(catalog, stores, sheet.location_id):
        return None
    return _describe(connection, catalog, [sheet])[0]


def transfers(connection: sa.Connection, catalog: Catalog, filters: TransferFilter, part: Part) -> Page:
    """A page of transfers from or to the stores."""
    where: list[sa.ColumnElement[bool]] = [] if filters.status is None else [_transfer.status == filters.status]
    places = places_of(catalog, stores=part.stores)
    if places is not None:
        if not places:
            return EMPTY
        where.append(sa.or_(_transfer.from_location_id.in_(places), _transfer.to_location_id.in_(places)))
    return _listed(connection, catalog, schema.transfer, Transfer, where, part)


def transfer(connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None) -> Json | None:
    """A transfer by id."""
    found = _one(connection, catalog, schema.transfer, Transfer, ref)
    if found is None or _outside(catalog, stores, found.from_location_id, found.to_location_id):
        return None
    return _describe(connection, catalog, [found])[0]


def _outside(catalog: Catalog, stores: Stores, *location_ids: str) -> bool:
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
    part: Part,
) -> Page:
    limit = bounded(part.limit)
    found = newest(
        connection,
        table,
        [table.c.id],
        catalog.settings.id,
        where,
        before=id_of_cursor(part.cursor),
        limit=limit,
    )

    def described(ids: Sequence[str]) -> list[Json]:
        where = (table.c.org_id == catalog.settings.id, among(connection, table.c.id, ids))
        return _describe(connection, catalog, in_order(records(connection, table, struct, *where), ids))

    return page_in_pieces(found, limit, described)


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
