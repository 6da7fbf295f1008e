"""The tables, once for SQLite and PostgreSQL.

Every key begins with `org_id`, so that a distributed PostgreSQL (Citus) can spread all of it by organisation. Times are
microseconds since 1970 (BIGINT), quantities smallest units, money minor units. The five tables that hold stock carry
a `checksum` over their other columns: `holdfast check` finds any field that was changed behind Holdfast's back.

The append-only tables (reservation, ledger, event_batch, answered) have no foreign keys: measured, they cost 2.4 times
the whole write, and `holdfast check` proves what they would. Levels and lots keep half of every page free, so that
their updates stay on the page (HOT); no column that the hot path updates is indexed but a reservation's status, which
changes once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Id = String(36).with_variant(UUID(as_uuid=False), "postgresql")
"""A UUIDv7: native in PostgreSQL, text in SQLite."""

Name = String(200)
"""SPEC section 2: texts have 1 to 200 characters."""

_HOT: dict[str, Any] = {
    "postgresql_with": {
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_threshold": 2000,
    }
}


def _org() -> Column[str]:
    return Column("org_id", Id, nullable=False)


def _id(name: str = "id", *, nullable: bool = False) -> Column[str]:
    return Column(name, Id, nullable=nullable)


def _big(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _active(table: str, column: str) -> Index:
    """Names are unique among the records that are in use."""
    return Index(
        f"uq_{table}_{column}_active",
        "org_id",
        column,
        unique=True,
        postgresql_where=text("active"),
        sqlite_where=text("active"),
    )


# The organisation ----------------------------------------------------------------------------------------------------

organisation = Table(
    "organisation",
    metadata,
    _org(),
    Column("name", Name, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("mode", String(10), nullable=False),
    Column("allow_override", Boolean, nullable=False),
    Column("cart_hold_minutes", Integer, nullable=False),
    _big("default_reorder_point", nullable=True),
    Column("tax_mode", String(10), nullable=False),
    Column("cash_rounding", String(20), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("api_rate_limit", Integer, nullable=True),
    Column("catalog_version", BigInteger, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    Column("books_closed_through", String(10), nullable=True),
    PrimaryKeyConstraint("org_id"),
)
"""`catalog_version` grows with every change of a record below, so that a process knows when its copies are stale."""

store = Table(
    "store",
    metadata,
    _org(),
    _id(),
    Column("code", String(64), nullable=False),
    Column("name", Name, nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    _active("store", "code"),
)

location = Table(
    "location",
    metadata,
    _org(),
    _id(),
    _id("store_id"),
    Column("code", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("ships_online", Boolean, nullable=False),
    Column("reorder_points", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "store_id"], ["store.org_id", "store.id"]),
    CheckConstraint("kind IN ('warehouse', 'store', 'bin', 'quarantine', 'transit')", name="kind"),
    _active("location", "code"),
)

product = Table(
    "product",
    metadata,
    _org(),
    _id(),
    Column("sku", Name, nullable=False),
    Column("title", Name, nullable=False),
    Column("kind", String(12), nullable=False),
    _big("price", nullable=True),
    Column("tax_class", Name, nullable=True),
    Column("gtin", String(14), nullable=True),
    Column("precision", Integer, nullable=False),
    _big("reorder_point", nullable=True),
    Column("oversell", String(10), nullable=False),
    _big("preorder_limit", nullable=True),
    _big("available_from", nullable=True),
    Column("track_expiry", Boolean, nullable=False),
    Column("dropship", Boolean, nullable=False),
    Column("supplier", Name, nullable=True),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    UniqueConstraint("org_id", "sku"),
    CheckConstraint("precision BETWEEN 0 AND 4", name="precision"),
    Index("ix_product_gtin", "org_id", "gtin"),
)

product_cost = Table(
    "product_cost",
    metadata,
    _org(),
    _id("product_id"),
    _big("unit_cost"),
    PrimaryKeyConstraint("org_id", "product_id"),
    ForeignKeyConstraint(["org_id", "product_id"], ["product.org_id", "product.id"]),
)
"""The last receipt cost of a product, in 10**-6 of the major unit."""

app_user = Table(
    "app_user",
    metadata,
    _org(),
    _id(),
    Column("email", Name, nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(10), nullable=False),
    Column("stores", JSON, nullable=False),
    Column("pin_hash", String(200), nullable=True),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    _active("app_user", "email"),
    Index("ix_app_user_email", "email"),
)

api_key = Table(
    "api_key",
    metadata,
    _org(),
    _id(),
    Column("name", Name, nullable=False),
    Column("key_hash", String(64), nullable=False),
    Column("role", String(10), nullable=False),
    Column("stores", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    Index("ix_api_key_key_hash", "key_hash"),
)

browser_session = Table(
    "browser_session",
    metadata,
    Column("token_hash", String(64), nullable=False),
    _org(),
    _id("user_id"),
    _big("created_at"),
    _big("expires_at"),
    PrimaryKeyConstraint("token_hash"),
)
"""Looked up without an organisation: who holds the token is what tells it."""

appointment = Table(
    "appointment",
    metadata,
    _org(),
    _id(),
    _big("starts_at"),
    Column("customer", Name, nullable=True),
    Column("status", String(10), nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
)

audit = Table(
    "audit",
    metadata,
    _org(),
    _id(),
    Column("actor", Name, nullable=False),
    Column("action", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("record_id", String(200), nullable=False),
    Column("changes", JSON, nullable=False),
    _big("created_at"),
    PrimaryKeyConstraint("org_id", "id"),
)

# Stock ---------------------------------------------------------------------------------------------------------------

level = Table(
    "level",
    metadata,
    _org(),
    _id(),
    _id("product_id"),
    _id("location_id"),
    _big("on_hand"),
    _big("reserved"),
    _big("backordered"),
    _big("seq"),
    Column("listed", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "product_id", "location_id"),
    ForeignKeyConstraint(["org_id", "product_id"], ["product.org_id", "product.id"]),
    ForeignKeyConstraint(["org_id", "location_id"], ["location.org_id", "location.id"]),
    CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
    CheckConstraint("backordered >= 0", name="backordered"),
    **_HOT,
)

lot = Table(
    "lot",
    metadata,
    _org(),
    _id(),
    _id("product_id"),
    Column("code", Name, nullable=True),
    _big("unit_cost"),
    _big("expires_at", nullable=True),
    Column("expires_on", String(10), nullable=True),
    _big("received_at"),
    Column("supplier", Name, nullable=True),
    Column("gtin", String(14), nullable=True),
    Column("kind", String(16), nullable=False),
    Column("status", String(12), nullable=False),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "product_id"], ["product.org_id", "product.id"]),
    Index("ix_lot_code", "org_id", "code", "product_id"),
)

lot_stock = Table(
    "lot_stock",
    metadata,
    _org(),
    _id("level_id"),
    _id("lot_id"),
    _id("location_id"),
    _big("on_hand"),
    _big("reserved"),
    _big("value"),
    _big("sellable_until", nullable=True),
    Column("is_open", Boolean, nullable=False),
    Column("origins", JSON, nullable=False),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "level_id", "lot_id"),
    ForeignKeyConstraint(["org_id", "level_id"], ["level.org_id", "level.id"]),
    ForeignKeyConstraint(["org_id", "lot_id"], ["lot.org_id", "lot.id"]),
    CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
    CheckConstraint("value >= 0 AND (on_hand > 0 OR value = 0)", name="value"),
    Index(
        "ix_lot_stock_open",
        "org_id",
        "level_id",
        "lot_id",
        postgresql_where=text("is_open"),
        sqlite_where=text("is_open"),
    ),
    Index("ix_lot_stock_lot", "org_id", "lot_id"),
    Index(
        "ix_lot_stock_expiring",
        "sellable_until",
        postgresql_where=text("is_open AND sellable_until IS NOT NULL"),
        sqlite_where=text("is_open AND sellable_until IS NOT NULL"),
    ),
    **_HOT,
)
"""`is_open` (units are on hand) changes twice in a lot's life, so its partial index costs the hot path nothing."""

_ACTIVE = "status = 'active'"
reservation = Table(
    "reservation",
    metadata,
    _org(),
    _id(),
    _id("level_id"),
    _id("product_id"),
    _id("location_id"),
    _big("quantity"),
    _big("consumed"),
    _big("released"),
    _big("backordered"),
    Column("allocations", JSON, nullable=False),
    Column("status", String(10), nullable=False),
    Column("release_reason", String(20), nullable=True),
    _id("lot_id", nullable=True),
    Column("held_for", String(12), nullable=False),
    _id("sale_line_id", nullable=True),
    Column("reserved_for_type", String(12), nullable=True),
    _id("reserved_for_id", nullable=True),
    Column("order_number", Name, nullable=True),
    Column("source", Name, nullable=False),
    Column("priority", Integer, nullable=False),
    _big("expires_at", nullable=True),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    # Active holds of a level, ad-hoc ones together: shortfalls, releases without an order number.
    Index(
        "ix_reservation_active",
        "org_id",
        "level_id",
        "held_for",
        "id",
        postgresql_where=text(_ACTIVE),
        sqlite_where=text(_ACTIVE),
    ),
    Index(
        "ix_reservation_order",
        "org_id",
        "order_number",
        "id",
        postgresql_where=text("order_number IS NOT NULL"),
        sqlite_where=text("order_number IS NOT NULL"),
    ),
    Index(
        "ix_reservation_target",
        "org_id",
        "reserved_for_id",
        "id",
        postgresql_where=text("reserved_for_id IS NOT NULL"),
        sqlite_where=text("reserved_for_id IS NOT NULL"),
    ),
    Index(
        "ix_reservation_expiring",
        "org_id",
        "level_id",
        "expires_at",
        postgresql_where=text(f"{_ACTIVE} AND expires_at IS NOT NULL"),
        sqlite_where=text(f"{_ACTIVE} AND expires_at IS NOT NULL"),
    ),
    Index(
        "ix_reservation_waiting",
        "org_id",
        "level_id",
        postgresql_where=text("backordered > 0"),
        sqlite_where=text("backordered > 0"),
    ),
)
"""The allocations, [[lot id, units], ...], lie in the row: one row a hold instead of two or more (decision 0004)."""

ledger = Table(
    "ledger",
    metadata,
    _org(),
    _id(),
    _id("level_id"),
    _big("seq"),
    _id("product_id"),
    _id("location_id"),
    _id("lot_id", nullable=True),
    Column("ref_type", String(10), nullable=False),
    Column("ref_id", String(36), nullable=True),
    _big("qty_delta"),
    _big("balance_after"),
    _big("reserved_delta"),
    _big("reserved_after"),
    _big("backordered_delta"),
    _big("backordered_after"),
    _big("value_delta"),
    Column("order_number", Name, nullable=True),
    Column("source", Name, nullable=True),
    _id("reservation_id", nullable=True),
    Column("actor", Name, nullable=False),
    Column("reason", Name, nullable=True),
    Column("note", Name, nullable=True),
    _big("created_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "level_id", "seq"),
    Index(
        "ix_ledger_order",
        "org_id",
        "order_number",
        "id",
        postgresql_where=text("order_number IS NOT NULL"),
        sqlite_where=text("order_number IS NOT NULL"),
    ),
    Index(
        "ix_ledger_lot",
        "org_id",
        "lot_id",
        "id",
        postgresql_where=text("qty_delta <> 0"),
        sqlite_where=text("qty_delta <> 0"),
    ),
)

event_batch = Table(
    "event_batch",
    metadata,
    _org(),
    _id(),
    _big("position", nullable=True),
    _big("at"),
    Column("size", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    PrimaryKeyConstraint("org_id", "id"),
    Index("uq_event_batch_position", "org_id", "position", unique=True),
)
"""One row a transaction: its events as a JSON list. `position` is given after the commit (decision 0005), so a cursor
never skips one that commits late. The row also proves that a transaction whose outcome was unknown did commit."""

answered = Table(
    "answered",
    metadata,
    _org(),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    _big("created_at"),
    PrimaryKeyConstraint("org_id", "key"),
    Index("ix_answered_created_at", "created_at", postgresql_using="brin"),
)
"""What was answered to an idempotency key. Rows older than the promise (24 h) are removed by the sweeper."""

# Documents -----------------------------------------------------------------------------------------------------------

receipt = Table(
    "receipt",
    metadata,
    _org(),
    _id(),
    _id("location_id"),
    Column("kind", String(16), nullable=False),
    Column("reference", Name, nullable=True),
    Column("supplier", Name, nullable=True),
    Column("actor", Name, nullable=False),
    Column("lines", JSON, nullable=False),
    _big("created_at"),
    PrimaryKeyConstraint("org_id", "id"),
)

count_sheet = Table(
    "count_sheet",
    metadata,
    _org(),
    _id(),
    _id("location_id"),
    Column("status", String(10), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    Index(
        "ix_count_sheet_draft",
        "org_id",
        "location_id",
        postgresql_where=text("status = 'draft'"),
        sqlite_where=text("status = 'draft'"),
    ),
)

transfer = Table(
    "transfer",
    metadata,
    _org(),
    _id(),
    _id("from_location_id"),
    _id("to_location_id"),
    Column("status", String(10), nullable=False),
    Column("reference", Name, nullable=True),
    Column("lots", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
)

# Sales ---------------------------------------------------------------------------------------------------------------

counter = Table(
    "counter",
    metadata,
    _org(),
    Column("id", String(40), nullable=False),
    _big("value"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""The last number given out for each purpose."""

tax_rate = Table(
    "tax_rate",
    metadata,
    _org(),
    _id(),
    _id("store_id", nullable=True),
    Column("tax_class", Name, nullable=False),
    Column("rate", Integer, nullable=False),
    Column("name", Name, nullable=True),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    CheckConstraint("rate BETWEEN 0 AND 10000000", name="rate"),
)

sale = Table(
    "sale",
    metadata,
    _org(),
    _id(),
    Column("number", String(40), nullable=False),
    Column("order_number", Name, nullable=False),
    Column("source", Name, nullable=False),
    _id("store_id", nullable=True),
    Column("customer", Name, nullable=True),
    Column("status", String(10), nullable=False),
    Column("discount", JSON, nullable=True),
    Column("fees", JSON, nullable=False),
    _big("subtotal"),
    _big("discount_total"),
    _big("tax_total"),
    _big("fee_total"),
    _big("total"),
    _big("rounding"),
    _big("paid"),
    _big("change"),
    Column("payments", JSON, nullable=False),
    _big("posted"),
    _big("posted_tax"),
    Column("fulfillments", JSON, nullable=False),
    _id("session_id", nullable=True),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    _big("completed_at", nullable=True),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "source", "order_number"),
    UniqueConstraint("org_id", "number"),
    CheckConstraint("status IN ('open', 'suspended', 'completed', 'cancelled')", name="status"),
    Index(
        "ix_sale_unfinished",
        "org_id",
        "id",
        postgresql_where=text("status IN ('open', 'suspended')"),
        sqlite_where=text("status IN ('open', 'suspended')"),
    ),
    Index(
        "ix_sale_session",
        "org_id",
        "session_id",
        postgresql_where=text("session_id IS NOT NULL"),
        sqlite_where=text("session_id IS NOT NULL"),
    ),
)

sale_line = Table(
    "sale_line",
    metadata,
    _org(),
    _id(),
    _id("sale_id"),
    Column("position", Integer, nullable=False),
    _id("product_id"),
    Column("kind", String(10), nullable=False),
    _id("location_id", nullable=True),
    _id("lot_id", nullable=True),
    _big("quantity"),
    _big("fulfilled"),
    _big("returned"),
    _big("unit_price"),
    Column("asked", JSON, nullable=True),
    Column("tax_class", Name, nullable=True),
    Column("tax_rate", Integer, nullable=False),
    _big("gross"),
    _big("discount"),
    _big("tax"),
    _big("total"),
    _big("due"),
    Column("taken", JSON, nullable=False),
    Column("reservations", JSON, nullable=False),
    Column("removed", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    CheckConstraint("fulfilled BETWEEN 0 AND quantity", name="fulfilled"),
    CheckConstraint("returned BETWEEN 0 AND fulfilled", name="returned"),
    Index("ix_sale_line_sale", "org_id", "sale_id"),
)

sale_return = Table(
    "sale_return",
    metadata,
    _org(),
    _id(),
    _id("sale_id", nullable=True),
    _id("store_id", nullable=True),
    _id("session_id", nullable=True),
    Column("method", String(10), nullable=False),
    _big("refund_total"),
    Column("lines", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index("ix_sale_return_sale", "org_id", "sale_id"),
)

supplier_order = Table(
    "supplier_order",
    metadata,
    _org(),
    _id(),
    _id("sale_id"),
    _id("line_id"),
    _id("product_id"),
    Column("supplier", Name, nullable=True),
    _big("quantity"),
    Column("status", String(10), nullable=False),
    Column("tracking", Name, nullable=True),
    _big("created_at"),
    _big("updated_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index("ix_supplier_order_sale", "org_id", "sale_id"),
)

register = Table(
    "register",
    metadata,
    _org(),
    _id(),
    _id("store_id"),
    Column("code", String(64), nullable=False),
    Column("name", Name, nullable=True),
    Column("active", Boolean, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "store_id"], ["store.org_id", "store.id"]),
    _active("register", "code"),
)

register_session = Table(
    "register_session",
    metadata,
    _org(),
    _id(),
    Column("number", Integer, nullable=False),
    _id("register_id"),
    _id("store_id"),
    Column("status", String(10), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("opened_by", Name, nullable=False),
    _id("opener_id", nullable=True),
    Column("closed_by", Name, nullable=True),
    _big("opening_float"),
    _big("cash_sales"),
    _big("cash_refunds"),
    _big("paid_in"),
    _big("paid_out"),
    Column("sales", Integer, nullable=False),
    Column("returns", Integer, nullable=False),
    Column("by_method", JSON, nullable=False),
    _big("counted_cash", nullable=True),
    _big("opened_at"),
    _big("closed_at", nullable=True),
    _big("updated_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "register_id", "number"),
    # Looked up without an organisation: the token says whose session it is.
    Index("ix_register_session_token", "token_hash"),
)

till_lock = Table(
    "till_lock",
    metadata,
    _org(),
    _id("register_id"),
    Column("wrong", Integer, nullable=False),
    _big("since"),
    _big("locked_until"),
    PrimaryKeyConstraint("org_id", "register_id"),
)
"""Wrong PINs given at a till since an instant, and until when it is locked for them (0: it is not)."""

cash_movement = Table(
    "cash_movement",
    metadata,
    _org(),
    _id(),
    _id("session_id"),
    Column("direction", String(3), nullable=False),
    _big("amount"),
    Column("reason", Name, nullable=False),
    Column("account", String(20), nullable=True),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_cash_movement_session", "org_id", "session_id"),
)

# Books ---------------------------------------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    _org(),
    Column("id", String(20), nullable=False),
    Column("name", Name, nullable=False),
    _big("created_at"),
    _big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""Accounts that were renamed or added; the others have the names of `core.journal.ACCOUNTS`."""

journal_entry = Table(
    "journal_entry",
    metadata,
    _org(),
    _id(),
    _big("at"),
    Column("day", String(10), nullable=False),
    Column("description", Name, nullable=False),
    Column("ref_type", String(10), nullable=False),
    Column("ref_id", String(36), nullable=True),
    Column("ledger_ids", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index(
        "ix_journal_entry_ref",
        "org_id",
        "ref_id",
        "id",
        postgresql_where=text("ref_id IS NOT NULL"),
        sqlite_where=text("ref_id IS NOT NULL"),
    ),
)

posting = Table(
    "posting",
    metadata,
    _org(),
    _id(),
    _id("entry_id"),
    Column("position", Integer, nullable=False),
    Column("account", String(20), nullable=False),
    _big("amount"),
    Column("day", String(10), nullable=False),
    _big("at"),
    _big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index("ix_posting_entry", "org_id", "entry_id"),
    # All that a balance and a list of one account need, so that neither touches the rows.
    Index("ix_posting_account", "org_id", "account", "at", "entry_id", "day", "amount"),
)
"""One line of a journal entry, in minor units: debit positive, credit negative."""

period = Table(
    "period",
    metadata,
    _org(),
    Column("id", String(10), nullable=False),
    Column("balances", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    _big("created_at"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""A close of the books; `id` is its last day, `balances` [[account, debits, credits], ...] through it: what is asked as
of a later day is added to that."""
