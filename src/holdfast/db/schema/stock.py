"""Stock: levels, lots, holds, the ledger, events, kept answers, and the documents of receipts, counts, transfers."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from holdfast.db.schema.columns import HOT, Name, big, digest, id_of, metadata, org

# Stock ------------------------------------------------------------------------------------------------

level = Table(
    "level",
    metadata,
    org(),
    id_of(),
    id_of("product_id"),
    id_of("location_id"),
    big("on_hand"),
    big("reserved"),
    big("backordered"),
    big("seq"),
    Column("listed", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    big("checksum"),
    digest("head", nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "product_id", "location_id"),
    ForeignKeyConstraint(["org_id", "product_id"], ["product.org_id", "product.id"]),
    ForeignKeyConstraint(["org_id", "location_id"], ["location.org_id", "location.id"]),
    CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
    CheckConstraint("backordered >= 0", name="backordered"),
    **HOT,
)

lot = Table(
    "lot",
    metadata,
    org(),
    id_of(),
    id_of("product_id"),
    Column("code", Name, nullable=True),
    big("unit_cost"),
    big("expires_at", nullable=True),
    Column("expires_on", String(10), nullable=True),
    big("received_at"),
    Column("supplier", Name, nullable=True),
    Column("gtin", String(14), nullable=True),
    Column("kind", String(16), nullable=False),
    Column("status", String(12), nullable=False),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "product_id"], ["product.org_id", "product.id"]),
    # Partial, so that no planner takes it for a lot's id: with old statistics it would walk the organisation's lots.
    Index(
        "ix_lot_code",
        "org_id",
        "code",
        "product_id",
        postgresql_where=text("code IS NOT NULL"),
        sqlite_where=text("code IS NOT NULL"),
    ),
)

_DATED = "is_open AND sellable_until IS NOT NULL"
lot_stock = Table(
    "lot_stock",
    metadata,
    org(),
    id_of("level_id"),
    id_of("lot_id"),
    id_of("location_id"),
    big("on_hand"),
    big("reserved"),
    big("value"),
    big("sellable_until", nullable=True),
    Column("is_open", Boolean, nullable=False),
    Column("origins", JSON, nullable=False),
    big("checksum"),
    Column("received_at", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("org_id", "level_id", "lot_id"),
    ForeignKeyConstraint(["org_id", "level_id"], ["level.org_id", "level.id"]),
    ForeignKeyConstraint(["org_id", "lot_id"], ["lot.org_id", "lot.id"]),
    CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
    CheckConstraint("value >= 0 AND (on_hand > 0 OR value = 0)", name="value"),
    Index(
        "ix_lot_stock_open",
        "org_id",
        "level_id",
        "received_at",
        "lot_id",
        postgresql_where=text("is_open"),
        sqlite_where=text("is_open"),
    ),
    Index(
        "ix_lot_stock_dated",
        "org_id",
        "level_id",
        "sellable_until",
        "received_at",
        "lot_id",
        postgresql_where=text(_DATED),
        sqlite_where=text(_DATED),
    ),
    # The organisation stands last, as `ix_lot_code` is partial: so that this is taken for a lot alone.
    Index("ix_lot_stock_lot", "lot_id", "org_id"),
    Index(
        "ix_lot_stock_expiring",
        "sellable_until",
        postgresql_where=text(_DATED),
        sqlite_where=text(_DATED),
    ),
    **HOT,
)
"""`is_open` (units are on hand) changes twice in a lot's life, so its partial indexes cost the hot path nothing.

`received_at` is the lot's own, for the order in which a level's lots are taken; no checksum covers it, a check does.
"""

_ACTIVE = "status = 'active'"
reservation = Table(
    "reservation",
    metadata,
    org(),
    id_of(),
    id_of("level_id"),
    id_of("product_id"),
    id_of("location_id"),
    big("quantity"),
    big("consumed"),
    big("released"),
    big("backordered"),
    Column("allocations", JSON, nullable=False),
    Column("status", String(10), nullable=False),
    Column("release_reason", String(20), nullable=True),
    id_of("lot_id", nullable=True),
    Column("held_for", String(12), nullable=False),
    id_of("sale_line_id", nullable=True),
    Column("reserved_for_type", String(12), nullable=True),
    id_of("reserved_for_id", nullable=True),
    Column("order_number", Name, nullable=True),
    Column("source", Name, nullable=False),
    Column("priority", Integer, nullable=False),
    big("expires_at", nullable=True),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("updated_at"),
    big("checksum"),
    Column("served_from", Text, nullable=True),
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
        "source",
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
    # Who waits for a product and may be served at more than one location.
    Index(
        "ix_reservation_roaming",
        "org_id",
        "product_id",
        postgresql_where=text("backordered > 0 AND served_from IS NOT NULL"),
        sqlite_where=text("backordered > 0 AND served_from IS NOT NULL"),
    ),
)
"""The allocations, [[lot id, units], ...], lie in the row: one row a hold instead of two or more (decision 0004)."""

_CAME_IN = "ref_type IN ('RECEIPT', 'TRANSFER') AND qty_delta > 0"
ledger = Table(
    "ledger",
    metadata,
    org(),
    id_of(),
    id_of("level_id"),
    big("seq"),
    id_of("product_id"),
    id_of("location_id"),
    id_of("lot_id", nullable=True),
    Column("ref_type", String(10), nullable=False),
    Column("ref_id", String(36), nullable=True),
    big("qty_delta"),
    big("balance_after"),
    big("reserved_delta"),
    big("reserved_after"),
    big("backordered_delta"),
    big("backordered_after"),
    big("value_delta"),
    Column("order_number", Name, nullable=True),
    Column("source", Name, nullable=True),
    id_of("reservation_id", nullable=True),
    Column("actor", Name, nullable=False),
    Column("reason", Name, nullable=True),
    Column("note", Name, nullable=True),
    big("created_at"),
    big("checksum"),
    digest("link", nullable=True),
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
    # When goods last came to a level: the location where units wait.
    Index(
        "ix_ledger_came_in",
        "org_id",
        "level_id",
        "seq",
        postgresql_where=text(_CAME_IN),
        sqlite_where=text(_CAME_IN),
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

ledger_seal = Table(
    "ledger_seal",
    metadata,
    org(),
    id_of("level_id"),
    big("entries"),
    digest("digest"),
    big("created_at"),
    PrimaryKeyConstraint("org_id", "level_id"),
)
"""Of levels whose ledger began before there were chains: how many entries have no link, and what they come to."""

event_batch = Table(
    "event_batch",
    metadata,
    org(),
    id_of(),
    big("position", nullable=True),
    big("at"),
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
    org(),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    big("created_at"),
    PrimaryKeyConstraint("org_id", "key"),
    Index("ix_answered_created_at", "created_at", postgresql_using="brin"),
)
"""What was answered to an idempotency key. Rows older than the promise (24 h) are removed by the sweeper."""


# Documents ------------------------------------------------------------------------------------------------

receipt = Table(
    "receipt",
    metadata,
    org(),
    id_of(),
    id_of("location_id"),
    Column("kind", String(16), nullable=False),
    Column("reference", Name, nullable=True),
    Column("supplier", Name, nullable=True),
    Column("actor", Name, nullable=False),
    Column("lines", JSON, nullable=False),
    big("created_at"),
    big("taken_back_at", nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
)

count_sheet = Table(
    "count_sheet",
    metadata,
    org(),
    id_of(),
    id_of("location_id"),
    Column("status", String(10), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("updated_at"),
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
    org(),
    id_of(),
    id_of("from_location_id"),
    id_of("to_location_id"),
    Column("status", String(10), nullable=False),
    Column("reference", Name, nullable=True),
    Column("lots", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
)
