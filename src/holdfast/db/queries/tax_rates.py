"""Tax rates: the list of those in use, and single ones.

tax_rate(connection, catalog, rate_id)     -> {"tax_class": "standard", "rate": "0.15", ...}, or None
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import from_unit_cost
from holdfast.core.records.organisation import TaxRate
from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, read_records, records
from holdfast.db.queries.filters import Everything
from holdfast.db.queries.paging import Json, Page, Part, Stores, as_id, bounded, id_of_cursor, newest, page_of

_rate = schema.tax_rate.c

RATE_PLACES_MIN = 2
"""Decimal places that a tax rate is shown with at least."""


def tax_rate_fields(rate: TaxRate) -> Json:
    """A tax rate as it goes outside: 150000 millionths are "0.15"."""
    fields: Json = msgspec.to_builtins(rate)
    fields["rate"] = from_unit_cost(rate.rate, RATE_PLACES_MIN)
    fields["created_at"] = instant_text(rate.created_at)
    fields["updated_at"] = instant_text(rate.updated_at)
    return fields


def tax_rates(connection: sa.Connection, catalog: Catalog, _: Everything, part: Part) -> Page:
    """A page of active tax rates: the organisation's, and those of the stores."""
    limit = bounded(part.limit)
    where: list[sa.ColumnElement[bool]] = [_rate.active]
    if part.stores is not None:
        where.append(sa.or_(_rate.store_id.is_(None), _rate.store_id.in_(sorted(part.stores))))
    table = schema.tax_rate
    found = newest(
        connection,
        table,
        columns_of(table, TaxRate),
        catalog.settings.id,
        where,
        before=id_of_cursor(part.cursor),
        limit=limit,
    )
    return page_of(found, limit, lambda rows: [tax_rate_fields(rate) for rate in read_records(table, TaxRate, rows)])


def tax_rate(connection: sa.Connection, catalog: Catalog, rate_id: str, *, stores: Stores = None) -> Json | None:
    """An active tax rate by id: the organisation's, or of the stores."""
    name = as_id(rate_id)
    if name is None:
        return None
    where = (_rate.org_id == catalog.settings.id, _rate.id == name, _rate.active)
    found = records(connection, schema.tax_rate, TaxRate, *where)
    if not found or (stores is not None and found[0].store_id is not None and found[0].store_id not in stores):
        return None
    return tax_rate_fields(found[0])
