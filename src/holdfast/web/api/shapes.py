"""The shapes of answers that only reads give: they document, reports build them (holdfast.reports)."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.records.documents import LevelDocument, Num
from holdfast.core.records.organisation import BarcodePrefix, QuickKey


class PriceBreakDocument(msgspec.Struct):
    """So many units together cost `price`."""

    quantity: int
    price: str


class ProductDocument(msgspec.Struct, forbid_unknown_fields=False):
    """A product and what there is of it at all locations together; `total_available` counts sellable ones only."""

    id: str
    sku: str
    title: str
    kind: str
    price: str | None
    price_breaks: list[PriceBreakDocument]
    tax_class: str | None
    digital_delivery_method: str | None
    download_url: str | None
    gtin: str | None
    precision: int
    reorder_point: Num | None
    oversell: str
    preorder_limit: Num | None
    available_from: str | None
    track_expiry: bool
    dropship: bool
    supplier: str | None
    active: bool
    is_digital: bool
    unlimited: bool
    created_at: str
    updated_at: str
    total_quantity: Num
    total_reserved: Num
    total_available: Num
    backordered: Num


class ProductSummary(msgspec.Struct):
    """A product with its entries."""

    product_id: str
    sku: str
    title: str
    unlimited: bool
    total_quantity: Num
    total_reserved: Num
    total_available: Num
    backordered: Num
    locations: list[LevelDocument]


class InventoryStats(msgspec.Struct):
    """Figures over all entries."""

    total_entries: int
    total_quantity: Num
    total_reserved: Num
    total_available: Num
    total_backordered: Num
    low_stock_count: int
    stores_with_inventory: int
    unique_locations: int


class StoreOverview(msgspec.Struct):
    """A store's figures."""

    store_id: str
    store_name: str
    total_entries: int
    total_quantity: Num


class StoreInventory(msgspec.Struct):
    """A store's figures and entries."""

    store_id: str
    store_name: str
    total_entries: int
    total_quantity: Num
    items: list[LevelDocument]
    next_cursor: str | None


class LocationOverview(msgspec.Struct):
    """A location's figures."""

    location: str
    store_id: str
    total_quantity: Num


class LotRow(msgspec.Struct):
    """A lot at a location; `value` and `unit_cost` are for managers, null for others."""

    id: str
    lot_code: str | None
    product_id: str
    sku: str
    location: str
    on_hand: Num
    reserved: Num
    value: str | None
    unit_cost: str | None
    expires_at: str | None
    received_at: str
    supplier: str | None
    status: str


class Trace(msgspec.Struct):
    """Where a lot came from, lies, is promised and went."""

    lot: dict[str, Any]
    received: list[dict[str, Any]]
    on_hand: list[dict[str, Any]]
    held: list[dict[str, Any]]
    sold: list[dict[str, Any]]
    returned: list[dict[str, Any]]


class OrderLot(msgspec.Struct):
    """A lot that an order got, and how much of it."""

    lot_id: str | None
    lot_code: str | None
    product_id: str
    sku: str
    location: str
    source: str | None
    quantity: Num
    held: Num
    sold: Num
    returned: Num
    expires_at: str | None


class LedgerEntry(msgspec.Struct):
    """A line of the ledger; `value_delta` is for managers, null for others."""

    id: str
    seq: int
    product_id: str
    sku: str
    location: str
    lot_id: str | None
    lot_code: str | None
    ref_type: str
    ref_id: str | None
    qty_delta: Num
    balance_after: Num
    reserved_delta: Num
    reserved_after: Num
    backordered_delta: Num
    backordered_after: Num
    value_delta: str | None
    order_number: str | None
    source: str | None
    reservation_id: str | None
    actor: str
    reason: str | None
    note: str | None
    created_at: str


class HistoryStep(msgspec.Struct):
    """How much there was of a product from an instant on; `marks` say what of `RECEIPT` and `COUNT` happened then, null
    where the time is divided into parts."""

    at: str
    on_hand: Num
    reserved: Num
    backordered: Num
    marks: list[str] | None


class HistoryDocument(msgspec.Struct):
    """A product's past as a line of steps, the oldest first."""

    product_id: str
    sku: str
    from_: str = msgspec.field(name="from")
    to: str
    exact: bool
    steps: list[HistoryStep]


class AuditEntry(msgspec.Struct):
    """A line of the audit log or, with kind `stock`, of the ledger; `address` is where the request came from."""

    id: str
    actor: str
    action: str
    kind: str
    record_id: str
    changes: Any
    created_at: str
    address: str | None
    request_id: str | None


class SettingsDocument(msgspec.Struct):
    """The organisation and its rules."""

    id: str
    name: str
    currency: str
    mode: str
    allow_override: bool
    cart_hold_minutes: int
    default_reorder_point: int | None
    tax_mode: str
    tax_rounding: str
    cash_rounding: str
    timezone: str
    api_rate_limit: int | None
    totp_roles: list[str]
    barcode_prefixes: list[BarcodePrefix]
    payment_accounts: dict[str, str]
    created_at: str
    updated_at: str


class StoreDocument(msgspec.Struct):
    """A store."""

    id: str
    code: str
    name: str
    timezone: str
    active: bool
    created_at: str
    updated_at: str


class LocationDocument(msgspec.Struct):
    """A location; `reorder_points` by SKU."""

    id: str
    store_id: str
    code: str
    kind: str
    priority: int
    ships_online: bool
    reorder_points: dict[str, Num]
    active: bool
    created_at: str
    updated_at: str


class UserDocument(msgspec.Struct):
    """A user; neither password nor PIN are ever shown."""

    id: str
    email: str
    role: str
    stores: list[str]
    has_pin: bool
    first_password: bool
    active: bool
    created_at: str
    updated_at: str


class PreviousSecret(msgspec.Struct):
    """The secret that a rolled key had before, and until when it works."""

    hint: str | None
    until: str


class SessionSeen(msgspec.Struct):
    """A browser session of one's own; `this` is the one that asks."""

    id: str
    begun_at: str
    used_at: str
    address: str | None
    device: str | None
    this: bool


class ViewDocument(msgspec.Struct):
    """A page as one wants to see it again: its path and query string."""

    id: str
    page: str
    name: str
    query: str
    created_at: str
    updated_at: str


class EndedSessions(msgspec.Struct):
    """How many sessions were ended."""

    ended: int


class KeyDocument(msgspec.Struct):
    """An API key; the key itself is shown once, when it is made or rolled. `hint` are its last four characters."""

    id: str
    name: str
    role: str
    stores: list[str]
    permissions: list[str] | None
    addresses: list[str] | None
    hint: str | None
    expires_at: str | None
    last_used_at: str | None
    previous: PreviousSecret | None
    active: bool
    created_at: str
    updated_at: str


class NewKeyDocument(KeyDocument):
    """A new API key; `api_key` is never shown again: a replay has null there."""

    api_key: str | None


class RegisterDocument(msgspec.Struct):
    """A till of a store."""

    id: str
    store_id: str
    code: str
    name: str | None
    active: bool
    created_at: str
    updated_at: str
    quick_keys: list[QuickKey]


class RegisterSeen(RegisterDocument):
    """A till of a store, and since when and by whom its drawer is open; both null while it is closed."""

    open_since: str | None
    opened_by: str | None


class NewSessionDocument(msgspec.Struct):
    """A register session that was just opened; `token` is never shown again. It is null where it is in a cookie."""

    id: str
    token: str | None
    number: int
    register_id: str
    store_id: str
    status: str
    opened_by: str
    opened_at: str
    opening_float: str


class CashierDocument(msgspec.Struct):
    """Who acts at the till. `until` is when their PIN is asked for again if they change nothing; null: never."""

    id: str
    name: str
    role: str
    until: str | None


class EventDocument(msgspec.Struct):
    """Something that happened."""

    id: str
    type: str
    timestamp: str
    product_id: str | None
    data: dict[str, Any]


class AvailableElsewhere(msgspec.Struct):
    """What can be had at another location."""

    location: str
    store_id: str
    store_name: str
    available: Num


class ScanDocument(msgspec.Struct):
    """What a scanned code means here. `quantity` is in `unit`s (kg, lb, m ...); `gtin` is the number that was read."""

    product_id: str
    sku: str
    title: str
    price: str | None
    precision: int
    available: Num
    available_elsewhere: list[AvailableElsewhere]
    gtin: str | None
    lot_code: str | None
    expires_at: str | None
    best_before: str | None
    count: int | None
    quantity: Num | None
    unit: str | None
    amount: str | None
    serial: str | None
    sscc: str | None
    warnings: list[str]


COSTS = frozenset({"value", "unit_cost", "value_delta"})
"""What only those may see who may see costs."""


def without_costs(document: Any) -> Any:
    """The document with every cost in it null."""
    if isinstance(document, dict):
        return {name: None if name in COSTS else without_costs(one) for name, one in document.items()}
    if isinstance(document, list):
        return [without_costs(one) for one in document]
    return document
