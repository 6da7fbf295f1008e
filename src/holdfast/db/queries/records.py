"""The organisation's own records as they go outside: settings, stores, locations, users, API keys, appointments.

They are few, or read by id; deactivated stores, locations, users and keys are found by id only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.organisation.changes import ApiKey, User
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.core.records.time import instant_text
from holdfast.core.reservations.appointments import Appointment, appointment_document
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, places_of, read_records, records, store_of
from holdfast.db.queries.paging import Json, Page, as_id, bounded, encode_cursor, id_of_cursor, newest, page_of


def settings(_: sa.Connection, catalog: Catalog) -> Json | None:
    """The organisation's settings."""
    return settings_fields(catalog.settings)


def settings_fields(settings: Settings) -> Json:
    """Settings as they go outside."""
    return {
        "id": settings.id,
        "name": settings.name,
        "currency": settings.currency,
        "mode": settings.mode,
        "allow_override": settings.allow_override,
        "cart_hold_minutes": settings.cart_hold_minutes,
        "default_reorder_point": settings.default_reorder_point,
        "tax_mode": settings.tax_mode,
        "cash_rounding": settings.cash_rounding,
        "timezone": settings.timezone,
        "api_rate_limit": settings.api_rate_limit,
        "totp_roles": (settings.totp_roles or "").split(),
        "created_at": instant_text(settings.created_at),
        "updated_at": instant_text(settings.updated_at),
    }


def store_fields(store: Store) -> Json:
    """A store."""
    return _with_times(store)


def location_fields(location: Location, skus: dict[str, str], places: dict[str, int]) -> Json:
    """A location; `reorder_points` by SKU, `skus` and `places` (precisions) by product id."""
    fields = _with_times(location)
    fields["reorder_points"] = {
        skus[name]: units if not places[name] else units / 10 ** places[name]
        for name, units in location.reorder_points.items()
        if name in skus
    }
    return fields


def user_fields(user: User) -> Json:
    """A user, without the hashes."""
    fields = _with_times(user)
    for name in ("password_hash", "pin_hash", "pin_index", "sessions_from"):
        del fields[name]
    return {**fields, "has_pin": user.pin_hash is not None}


def api_key_fields(key: ApiKey) -> Json:
    """An API key, without its hashes; `previous` is the secret that it had before it was rolled."""
    fields = _with_times(key)
    del fields["key_hash"], fields["previous_hash"]
    hint, until = fields.pop("previous_hint"), fields.pop("previous_until")
    for name in ("expires_at", "last_used_at"):
        fields[name] = _instant(fields[name])
    fields["previous"] = None if until is None else {"hint": hint, "until": instant_text(until)}
    return fields


def _instant(at: int | None) -> str | None:
    return None if at is None else instant_text(at)


def _with_times(record: Any) -> Json:
    fields: Json = msgspec.to_builtins(record)
    fields["created_at"] = instant_text(record.created_at)
    fields["updated_at"] = instant_text(record.updated_at)
    return fields


# Stores and locations: they are in the catalog -----------------------------------------------------------------------


def stores(_: sa.Connection, catalog: Catalog, only: Collection[str] | None, cursor: str | None, limit: int) -> Page:
    """Active stores."""
    chosen = [store for store in catalog.stores.values() if store.active and (only is None or store.id in only)]
    part, following = _cut(chosen, cursor, limit)
    return Page([store_fields(store) for store in part], following)


def store(_: sa.Connection, catalog: Catalog, ref: str, only: Collection[str] | None) -> Json | None:
    """A store by id or code."""
    found = store_of(catalog, ref)
    return None if found is None or (only is not None and found.id not in only) else store_fields(found)


def locations(
    connection: sa.Connection,
    catalog: Catalog,
    store: str | None,
    stores: Collection[str] | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Active locations, of one store (id or code), within the stores."""
    ids = places_of(catalog, stores=stores, store=store)
    chosen = [place for place in catalog.locations.values() if place.active and (ids is None or place.id in ids)]
    part, following = _cut(chosen, cursor, limit)
    return Page(_describe_locations(connection, catalog, part), following)


def location(connection: sa.Connection, catalog: Catalog, ref: str, only: Collection[str] | None) -> Json | None:
    """A location by id (also a removed one) or code."""
    found = catalog.locations.get(as_id(ref) or "") or catalog.location(ref)
    if found is None or (only is not None and found.store_id not in only):
        return None
    return _describe_locations(connection, catalog, [found])[0]


def _describe_locations(connection: sa.Connection, catalog: Catalog, places: Sequence[Location]) -> list[Json]:
    ids = {name for place in places for name in place.reorder_points}
    product = schema.product.c
    skus: dict[str, str] = {}
    digits: dict[str, int] = {}
    for part in _pieces(ids):
        query = sa.select(product.id, product.sku, product.precision)
        for name, sku, precision in connection.execute(
            query.where(product.org_id == catalog.settings.id, product.id.in_(part))
        ):
            skus[name], digits[name] = sku, precision
    return [location_fields(place, skus, digits) for place in places]


def _pieces(ids: Collection[str]) -> list[Sequence[str]]:
    ordered = sorted(ids)
    return [ordered[start : start + 5_000] for start in range(0, len(ordered), 5_000)]


def _cut(chosen: list[Any], cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
    """The page of records after the cursor, newest first, and the cursor to go on with."""
    before, limit = id_of_cursor(cursor), bounded(limit)
    rest = sorted(
        (record for record in chosen if before is None or record.id < before),
        key=lambda record: record.id,
        reverse=True,
    )
    return rest[:limit], encode_cursor(rest[limit - 1].id) if len(rest) > limit else None


# Users, keys, appointments -------------------------------------------------------------------------------------------


class Within(msgspec.Struct, frozen=True):
    """Whom somebody limited to stores may see: `me`, and who is limited to some of the same stores."""

    stores: Collection[str]
    me: str

    def shows(self, record: User | ApiKey | Json) -> bool:
        """May the user or key be seen?"""
        fields = record if isinstance(record, dict) else {"id": record.id, "stores": record.stores}
        return fields["id"] == self.me or (bool(fields["stores"]) and set(fields["stores"]) <= set(self.stores))


def users(connection: sa.Connection, catalog: Catalog, within: Within | None, cursor: str | None, limit: int) -> Page:
    """Active users."""
    return _active(connection, schema.app_user, User, user_fields, catalog, within, cursor, limit)


def user(connection: sa.Connection, catalog: Catalog, user_id: str) -> Json | None:
    """A user by id."""
    return _one(connection, schema.app_user, User, user_fields, catalog, user_id)


def api_keys(
    connection: sa.Connection, catalog: Catalog, within: Within | None, cursor: str | None, limit: int
) -> Page:
    """Active API keys."""
    return _active(connection, schema.api_key, ApiKey, api_key_fields, catalog, within, cursor, limit)


def _active(
    connection: sa.Connection,
    table: sa.Table,
    struct: type[Any],
    fields: Any,
    catalog: Catalog,
    within: Within | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Active users or keys; they are few, so those of some stores are picked from all."""
    if within is None:
        return _listed(connection, table, struct, fields, catalog, cursor, limit, [table.c.active])
    every = records(connection, table, struct, table.c.org_id == catalog.settings.id, table.c.active)
    part, following = _cut([record for record in every if within.shows(record)], cursor, limit)
    return Page([fields(record) for record in part], following)


def api_key(connection: sa.Connection, catalog: Catalog, key_id: str) -> Json | None:
    """An API key by id."""
    return _one(connection, schema.api_key, ApiKey, api_key_fields, catalog, key_id)


def appointments(
    connection: sa.Connection,
    catalog: Catalog,
    status: str | None,
    stores: Collection[str] | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Appointments, those of the stores."""
    where = [] if status is None else [schema.appointment.c.status == status]
    if stores is not None:
        where.append(schema.appointment.c.store_id.in_(stores))
    return _listed(connection, schema.appointment, Appointment, _appointment, catalog, cursor, limit, where)


def appointment(
    connection: sa.Connection, catalog: Catalog, appointment_id: str, stores: Collection[str] | None
) -> Json | None:
    """An appointment by id, if it is in one of the stores."""
    found = _one(connection, schema.appointment, Appointment, _appointment, catalog, appointment_id)
    return found if found is None or stores is None or found["store_id"] in stores else None


def _appointment(record: Appointment) -> Json:
    fields: Json = msgspec.to_builtins(appointment_document(record))
    return fields


def _listed(
    connection: sa.Connection,
    table: sa.Table,
    struct: type[Any],
    fields: Any,
    catalog: Catalog,
    cursor: str | None,
    limit: int,
    where: list[Any],
) -> Page:
    found = newest(
        connection,
        table,
        columns_of(table, struct),
        catalog.settings.id,
        where,
        before=id_of_cursor(cursor),
        limit=bounded(limit),
    )
    return page_of(
        found,
        bounded(limit),
        lambda rows: [fields(record) for record in read_records(table, struct, rows)],
    )


def _one(
    connection: sa.Connection, table: sa.Table, struct: type[Any], fields: Any, catalog: Catalog, record_id: str
) -> Json | None:
    name = as_id(record_id)
    if name is None:
        return None
    found = records(connection, table, struct, table.c.org_id == catalog.settings.id, table.c.id == name)
    return fields(found[0]) if found else None
