"""The organisation's own records as they go outside: settings, stores, locations, users, API keys, appointments.

They are few, or read by id; deactivated stores, locations, users and keys are found by id only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from holdfast.core.organisation.changes import ApiKey, User
from holdfast.core.organisation.views import SavedView, SavedViews
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.core.records.status import AppointmentStatus
from holdfast.core.records.time import instant_text
from holdfast.core.reservations.appointments import Appointment, appointment_document
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, places_of, read_records, records, store_of
from holdfast.db.queries.filters import STATUS, Everything, Filter
from holdfast.db.queries.paging import (
    Json,
    Page,
    Part,
    Stores,
    as_id,
    bounded,
    encode_cursor,
    id_of_cursor,
    newest,
    page_of,
)


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
        "tax_rounding": settings.tax_rounding,
        "cash_rounding": settings.cash_rounding,
        "timezone": settings.timezone,
        "api_rate_limit": settings.api_rate_limit,
        "totp_roles": (settings.totp_roles or "").split(),
        "barcode_prefixes": msgspec.to_builtins(settings.barcode_prefixes or ()),
        "payment_accounts": settings.payment_accounts or {},
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
    del fields["sessions_from"]
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


class LocationFilter(Filter, frozen=True, kw_only=True):
    """Which locations: those of a store (id or code), or all."""

    store: str | None = None


def stores(_: sa.Connection, catalog: Catalog, __: Everything, part: Part) -> Page:
    """A page of active stores: `{id, code, name, timezone, active, created_at, updated_at}`."""
    within = part.stores
    chosen = [store for store in catalog.stores.values() if store.active and (within is None or store.id in within)]
    shown, following = _cut(chosen, part)
    return Page([store_fields(store) for store in shown], following)


def store(_: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None) -> Json | None:
    """A store by id or code."""
    found = store_of(catalog, ref)
    return None if found is None or (stores is not None and found.id not in stores) else store_fields(found)


def locations(connection: sa.Connection, catalog: Catalog, filters: LocationFilter, part: Part) -> Page:
    """A page of active locations, within the stores, with their `reorder_points` by SKU."""
    ids = places_of(catalog, stores=part.stores, store=filters.store)
    chosen = [place for place in catalog.locations.values() if place.active and (ids is None or place.id in ids)]
    shown, following = _cut(chosen, part)
    return Page(_describe_locations(connection, catalog, shown), following)


def location(connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None) -> Json | None:
    """A location by id (also a removed one) or code (any case)."""
    found = catalog.locations.get(as_id(ref) or "") or catalog.location(ref)
    if found is None or (stores is not None and found.store_id not in stores):
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


def _cut(chosen: list[Any], part: Part) -> tuple[list[Any], str | None]:
    """The page of records after the cursor, newest first, and the cursor to go on with."""
    before, limit = id_of_cursor(part.cursor), bounded(part.limit)
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


class WithinFilter(Filter, frozen=True, kw_only=True):
    """Which users or API keys: those that somebody limited to stores may see, or all."""

    within: Within | None = None


def users(connection: sa.Connection, catalog: Catalog, filters: WithinFilter, part: Part) -> Page:
    """A page of active users: `{id, email, role, stores, has_pin, active, created_at, updated_at}`."""
    return _active(connection, schema.app_user, User, user_fields, catalog, filters, part)


def user(connection: sa.Connection, catalog: Catalog, user_id: str) -> Json | None:
    """A user by id, active or not."""
    return _one(connection, schema.app_user, User, user_fields, catalog, user_id)


def saved_views(connection: sa.Connection, catalog: Catalog, user_id: str) -> list[Json]:
    """What a user has saved of lists, by page and name: `{id, page, name, query, created_at, updated_at}`."""
    table = schema.saved_views
    found = records(connection, table, SavedViews, table.c.org_id == catalog.settings.id, table.c.id == user_id)
    kept = sorted(found[0].views, key=lambda one: (one.page, one.name)) if found else []
    return [view_fields(one) for one in kept]


def view_fields(view: SavedView) -> Json:
    """A saved view."""
    return _with_times(view)


def api_keys(connection: sa.Connection, catalog: Catalog, filters: WithinFilter, part: Part) -> Page:
    """A page of active API keys: `{id, name, role, stores, active, created_at, updated_at}`, never the key."""
    return _active(connection, schema.api_key, ApiKey, api_key_fields, catalog, filters, part)


def _active(
    connection: sa.Connection,
    table: sa.Table,
    struct: type[Any],
    fields: Any,
    catalog: Catalog,
    filters: WithinFilter,
    part: Part,
) -> Page:
    """Active users or keys; they are few, so those of some stores are picked from all."""
    within = filters.within
    if within is None:
        return _listed(connection, table, struct, fields, catalog, part, [table.c.active])
    every = records(connection, table, struct, table.c.org_id == catalog.settings.id, table.c.active)
    shown, following = _cut([record for record in every if within.shows(record)], part)
    return Page([fields(record) for record in shown], following)


def api_key(connection: sa.Connection, catalog: Catalog, key_id: str) -> Json | None:
    """An API key by id, active or not."""
    return _one(connection, schema.api_key, ApiKey, api_key_fields, catalog, key_id)


class AppointmentFilter(Filter, frozen=True, kw_only=True):
    """Which appointments."""

    status: Annotated[AppointmentStatus | None, STATUS] = None


def appointments(connection: sa.Connection, catalog: Catalog, filters: AppointmentFilter, part: Part) -> Page:
    """A page of appointments, those of the stores."""
    where = [] if filters.status is None else [schema.appointment.c.status == filters.status]
    if part.stores is not None:
        where.append(schema.appointment.c.store_id.in_(part.stores))
    return _listed(connection, schema.appointment, Appointment, _appointment, catalog, part, where)


def appointment(
    connection: sa.Connection, catalog: Catalog, appointment_id: str, *, stores: Stores = None
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
    part: Part,
    where: list[Any],
) -> Page:
    found = newest(
        connection,
        table,
        columns_of(table, struct),
        catalog.settings.id,
        where,
        before=id_of_cursor(part.cursor),
        limit=bounded(part.limit),
    )
    return page_of(
        found,
        bounded(part.limit),
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
