"""Founding an organisation, and finding one again by id or name: what happens before any actor exists.

    found(database, Founding(...))          organisation, store, locations, owner and key in one transaction
    organisations(database, "Arco Iris")    -> [OrganisationRow(...)]

Everything after that goes through the executor. It refuses nothing: what may be founded is decided in
`holdfast.organisation`.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from holdfast.core.organisation.changes import ApiKey, User
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.db import schema
from holdfast.db.batch.rows import record_row
from holdfast.db.engine import Database


class Founding(NamedTuple):
    """The records that an organisation begins with."""

    organisation: Settings
    store: Store
    locations: tuple[Location, ...]
    owner: User
    key: ApiKey


class OrganisationRow(NamedTuple):
    """An organisation as the command line names it; `minor_digits` of its currency, its IANA time zone."""

    id: str
    name: str
    currency: str
    minor_digits: int
    timezone: str


class StoreRow(NamedTuple):
    """A store in use."""

    id: str
    code: str
    name: str
    timezone: str


def clock(database: Database) -> int:
    """The database's clock, in microseconds since 1970; SQLite's is this machine's."""
    if database.is_sqlite:
        return time.time_ns() // 1000
    with database.reading() as connection:
        asked = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(connection.execute(asked).scalar_one())


def found(database: Database, founding: Founding) -> None:
    """Insert the records of a new organisation, all or none."""
    org_id = founding.organisation.id
    records: list[tuple[sa.Table, Any]] = [
        (schema.organisation, founding.organisation),
        (schema.store, founding.store),
        *((schema.location, place) for place in founding.locations),
        (schema.app_user, founding.owner),
        (schema.api_key, founding.key),
    ]
    with database.writing() as connection:
        for table, record in records:
            connection.execute(sa.insert(table).values(record_row(org_id, table, record)))


def organisations(database: Database, reference: str | None = None) -> list[OrganisationRow]:
    """The organisations with that id or name (in any case), or all of them, by name."""
    table = schema.organisation
    columns = (table.c.org_id, table.c.name, table.c.currency, table.c.minor_digits, table.c.timezone)
    asked = sa.select(*columns).order_by(table.c.name)
    if reference is not None:
        text_id = sa.cast(table.c.org_id, sa.String)
        asked = asked.where((text_id == reference.lower()) | (sa.func.lower(table.c.name) == sa.func.lower(reference)))
    with database.reading() as connection:
        return [OrganisationRow(str(row[0]), *row[1:]) for row in connection.execute(asked)]


def stores(database: Database, org_id: str) -> list[StoreRow]:
    """The organisation's stores in use, by code."""
    table = schema.store
    asked = sa.select(table.c.id, table.c.code, table.c.name, table.c.timezone)
    asked = asked.where(table.c.org_id == org_id, table.c.active)
    with database.reading() as connection:
        return [StoreRow(str(row[0]), *row[1:]) for row in connection.execute(asked.order_by(table.c.code))]
