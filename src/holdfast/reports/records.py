"""The organisation and what it has named: stores, locations, users, keys, products, appointments."""

from __future__ import annotations

from holdfast.db.queries import levels, products, records
from holdfast.db.queries.paging import EMPTY, Json, Page
from holdfast.reports.view import LIMIT_DEFAULT, Stores, View, instant


class RecordReports(View):
    """The organisation and what it has named."""

    # Organisation ----------------------------------------------------------------------------------------------------

    def settings(self, org_id: str) -> Json | None:
        """The organisation's settings."""
        return self._read(org_id, None, records.settings)

    def stores(
        self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Active stores: `{id, code, name, timezone, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, records.stores, stores, cursor, limit)

    def store(self, org_id: str, ref: str, *, stores: Stores = None) -> Json | None:
        """A store by id or code."""
        return self._read(org_id, None, records.store, ref, stores)

    def locations(
        self,
        org_id: str,
        *,
        store: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Active locations, of one store (id or code) if given; `reorder_points` by SKU."""
        return self._read(org_id, EMPTY, records.locations, store, stores, cursor, limit)

    def location(self, org_id: str, ref: str, *, stores: Stores = None) -> Json | None:
        """A location by id or code (any case)."""
        return self._read(org_id, None, records.location, ref, stores)

    def users(
        self,
        org_id: str,
        *,
        within: records.Within | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Active users: `{id, email, role, stores, has_pin, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, records.users, within, cursor, limit)

    def user(self, org_id: str, user_id: str) -> Json | None:
        """A user, active or not."""
        return self._read(org_id, None, records.user, user_id)

    def api_keys(
        self,
        org_id: str,
        *,
        within: records.Within | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Active API keys: `{id, name, role, stores, active, created_at, updated_at}`, never the key."""
        return self._read(org_id, EMPTY, records.api_keys, within, cursor, limit)

    def api_key(self, org_id: str, key_id: str) -> Json | None:
        """An API key, active or not."""
        return self._read(org_id, None, records.api_key, key_id)

    # Products --------------------------------------------------------------------------------------------------------

    def product(self, org_id: str, ref: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """A product by id or SKU with `total_quantity, total_reserved, total_available, backordered`."""
        return self._read(org_id, None, products.one, ref, stores, instant(now))

    def products(
        self,
        org_id: str,
        *,
        active: bool | None = None,
        search: str | None = None,
        sku: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """Products with totals; `search` is part of a title, SKU or GTIN, in any case."""
        return self._read(
            org_id,
            EMPTY,
            products.listed,
            active=active,
            search=search,
            sku=sku,
            stores=stores,
            cursor=cursor,
            limit=limit,
            now=instant(now),
        )

    def product_by_code(self, org_id: str, *, gtin: str | None = None, sku: str | None = None) -> Json | None:
        """The product that a scan means, without totals: by GTIN (8 to 14 digits, zeros in front ignored) or SKU."""
        return self._read(org_id, None, products.coded, gtin, sku)

    def product_summary(self, org_id: str, ref: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{product_id, sku, title, unlimited, total_..., backordered, locations: [entry]}` of a product."""
        return self._read(org_id, None, levels.summary, ref, stores, instant(now))

    # Appointments ----------------------------------------------------------------------------------------------------

    def appointments(
        self,
        org_id: str,
        *,
        status: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Appointments, those of the stores."""
        return self._read(org_id, EMPTY, records.appointments, status, stores, cursor, limit)

    def appointment(self, org_id: str, appointment_id: str, *, stores: Stores = None) -> Json | None:
        """An appointment, if it is in one of the stores."""
        return self._read(org_id, None, records.appointment, appointment_id, stores)
