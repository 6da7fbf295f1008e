"""The first schema: everything as it stood when Holdfast was first released.

It says everything itself, storage options of PostgreSQL included. It refuses to import the schema, which goes on
changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    """Make every table, those that others refer to first."""
    _organisation()
    _store()
    _location()
    _product()
    _product_cost()
    _app_user()
    _api_key()
    _browser_session()
    _appointment()
    _audit()
    _level()
    _lot()
    _lot_stock()
    _reservation()
    _ledger()
    _event_batch()
    _answered()
    _receipt()
    _count_sheet()
    _transfer()


def _organisation() -> None:
    op.create_table(
        "organisation",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("minor_digits", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("allow_override", sa.Boolean(), nullable=False),
        sa.Column("cart_hold_minutes", sa.Integer(), nullable=False),
        sa.Column("default_reorder_point", sa.BigInteger(), nullable=True),
        sa.Column("tax_mode", sa.String(length=10), nullable=False),
        sa.Column("cash_rounding", sa.String(length=20), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("api_rate_limit", sa.Integer(), nullable=True),
        sa.Column("catalog_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name="pk_organisation"),
    )


def _store() -> None:
    op.create_table(
        "store",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name="fk_store_org_id"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_store"),
    )
    op.create_index(
        "uq_store_code_active",
        "store",
        ["org_id", "code"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )


def _location() -> None:
    op.create_table(
        "location",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("store_id", Id, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("ships_online", sa.Boolean(), nullable=False),
        sa.Column("reorder_points", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('warehouse', 'store', 'bin', 'quarantine', 'transit')", name="ck_location_kind"),
        sa.ForeignKeyConstraint(
            ["org_id", "store_id"], ["store.org_id", "store.id"], name="fk_location_org_id_store_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_location"),
    )
    op.create_index(
        "uq_location_code_active",
        "location",
        ["org_id", "code"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )


def _product() -> None:
    op.create_table(
        "product",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("sku", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("tax_class", sa.String(length=200), nullable=True),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("precision", sa.Integer(), nullable=False),
        sa.Column("reorder_point", sa.BigInteger(), nullable=True),
        sa.Column("oversell", sa.String(length=10), nullable=False),
        sa.Column("preorder_limit", sa.BigInteger(), nullable=True),
        sa.Column("available_from", sa.BigInteger(), nullable=True),
        sa.Column("track_expiry", sa.Boolean(), nullable=False),
        sa.Column("dropship", sa.Boolean(), nullable=False),
        sa.Column("supplier", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("precision BETWEEN 0 AND 4", name="ck_product_precision"),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name="fk_product_org_id"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_product"),
        sa.UniqueConstraint("org_id", "sku", name="uq_product_org_id_sku"),
    )
    op.create_index("ix_product_gtin", "product", ["org_id", "gtin"], unique=False)


def _product_cost() -> None:
    op.create_table(
        "product_cost",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"], ["product.org_id", "product.id"], name="fk_product_cost_org_id_product_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "product_id", name="pk_product_cost"),
    )


def _app_user() -> None:
    op.create_table(
        "app_user",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("pin_hash", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name="fk_app_user_org_id"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_app_user"),
    )
    op.create_index("ix_app_user_email", "app_user", ["email"], unique=False)
    op.create_index(
        "uq_app_user_email_active",
        "app_user",
        ["org_id", "email"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )


def _api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name="fk_api_key_org_id"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_api_key"),
    )
    op.create_index("ix_api_key_key_hash", "api_key", ["key_hash"], unique=False)


def _browser_session() -> None:
    op.create_table(
        "browser_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("org_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_browser_session"),
    )


def _appointment() -> None:
    op.create_table(
        "appointment",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name="fk_appointment_org_id"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_appointment"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.String(length=200), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_audit"),
    )


def _level() -> None:
    op.create_table(
        "level",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("location_id", Id, nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("backordered", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("backordered >= 0", name="ck_level_backordered"),
        sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="ck_level_reserved"),
        sa.ForeignKeyConstraint(
            ["org_id", "location_id"], ["location.org_id", "location.id"], name="fk_level_org_id_location_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"], ["product.org_id", "product.id"], name="fk_level_org_id_product_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_level"),
        sa.UniqueConstraint("org_id", "product_id", "location_id", name="uq_level_org_id_product_id_location_id"),
        postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 2000},
    )


def _lot() -> None:
    op.create_table(
        "lot",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("code", sa.String(length=200), nullable=True),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_on", sa.String(length=10), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("supplier", sa.String(length=200), nullable=True),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"], ["product.org_id", "product.id"], name="fk_lot_org_id_product_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_lot"),
    )
    op.create_index("ix_lot_code", "lot", ["org_id", "code", "product_id"], unique=False)


def _lot_stock() -> None:
    op.create_table(
        "lot_stock",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("level_id", Id, nullable=False),
        sa.Column("lot_id", Id, nullable=False),
        sa.Column("location_id", Id, nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("sellable_until", sa.BigInteger(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("origins", sa.JSON(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="ck_lot_stock_reserved"),
        sa.CheckConstraint("value >= 0 AND (on_hand > 0 OR value = 0)", name="ck_lot_stock_value"),
        sa.ForeignKeyConstraint(
            ["org_id", "level_id"], ["level.org_id", "level.id"], name="fk_lot_stock_org_id_level_id"
        ),
        sa.ForeignKeyConstraint(["org_id", "lot_id"], ["lot.org_id", "lot.id"], name="fk_lot_stock_org_id_lot_id"),
        sa.PrimaryKeyConstraint("org_id", "level_id", "lot_id", name="pk_lot_stock"),
        postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 2000},
    )
    op.create_index(
        "ix_lot_stock_expiring",
        "lot_stock",
        ["sellable_until"],
        unique=False,
        postgresql_where=sa.text("is_open AND sellable_until IS NOT NULL"),
        sqlite_where=sa.text("is_open AND sellable_until IS NOT NULL"),
    )
    op.create_index("ix_lot_stock_lot", "lot_stock", ["org_id", "lot_id"], unique=False)
    op.create_index(
        "ix_lot_stock_open",
        "lot_stock",
        ["org_id", "level_id", "lot_id"],
        unique=False,
        postgresql_where=sa.text("is_open"),
        sqlite_where=sa.text("is_open"),
    )


def _reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("level_id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("location_id", Id, nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("consumed", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("backordered", sa.BigInteger(), nullable=False),
        sa.Column("allocations", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("release_reason", sa.String(length=20), nullable=True),
        sa.Column("lot_id", Id, nullable=True),
        sa.Column("held_for", sa.String(length=12), nullable=False),
        sa.Column("sale_line_id", Id, nullable=True),
        sa.Column("reserved_for_type", sa.String(length=12), nullable=True),
        sa.Column("reserved_for_id", Id, nullable=True),
        sa.Column("order_number", sa.String(length=200), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_reservation"),
    )
    op.create_index(
        "ix_reservation_active",
        "reservation",
        ["org_id", "level_id", "held_for", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
        sqlite_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_reservation_expiring",
        "reservation",
        ["org_id", "level_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'active' AND expires_at IS NOT NULL"),
        sqlite_where=sa.text("status = 'active' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_reservation_order",
        "reservation",
        ["org_id", "order_number", "id"],
        unique=False,
        postgresql_where=sa.text("order_number IS NOT NULL"),
        sqlite_where=sa.text("order_number IS NOT NULL"),
    )
    op.create_index(
        "ix_reservation_target",
        "reservation",
        ["org_id", "reserved_for_id", "id"],
        unique=False,
        postgresql_where=sa.text("reserved_for_id IS NOT NULL"),
        sqlite_where=sa.text("reserved_for_id IS NOT NULL"),
    )
    op.create_index(
        "ix_reservation_waiting",
        "reservation",
        ["org_id", "level_id"],
        unique=False,
        postgresql_where=sa.text("backordered > 0"),
        sqlite_where=sa.text("backordered > 0"),
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("level_id", Id, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("location_id", Id, nullable=False),
        sa.Column("lot_id", Id, nullable=True),
        sa.Column("ref_type", sa.String(length=10), nullable=False),
        sa.Column("ref_id", sa.String(length=36), nullable=True),
        sa.Column("qty_delta", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("reserved_delta", sa.BigInteger(), nullable=False),
        sa.Column("reserved_after", sa.BigInteger(), nullable=False),
        sa.Column("backordered_delta", sa.BigInteger(), nullable=False),
        sa.Column("backordered_after", sa.BigInteger(), nullable=False),
        sa.Column("value_delta", sa.BigInteger(), nullable=False),
        sa.Column("order_number", sa.String(length=200), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column("reservation_id", Id, nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_ledger"),
        sa.UniqueConstraint("org_id", "level_id", "seq", name="uq_ledger_org_id_level_id_seq"),
    )
    op.create_index(
        "ix_ledger_lot",
        "ledger",
        ["org_id", "lot_id", "id"],
        unique=False,
        postgresql_where=sa.text("qty_delta <> 0"),
        sqlite_where=sa.text("qty_delta <> 0"),
    )
    op.create_index(
        "ix_ledger_order",
        "ledger",
        ["org_id", "order_number", "id"],
        unique=False,
        postgresql_where=sa.text("order_number IS NOT NULL"),
        sqlite_where=sa.text("order_number IS NOT NULL"),
    )


def _event_batch() -> None:
    op.create_table(
        "event_batch",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_event_batch"),
    )
    op.create_index("uq_event_batch_position", "event_batch", ["org_id", "position"], unique=True)
    if op.get_context().dialect.name == "postgresql":
        # Payloads are read whole and written once: compressing them costs more than it saves.
        op.execute("ALTER TABLE event_batch ALTER payload SET STORAGE EXTERNAL")


def _answered() -> None:
    op.create_table(
        "answered",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "key", name="pk_answered"),
    )
    op.create_index("ix_answered_created_at", "answered", ["created_at"], unique=False, postgresql_using="brin")


def _receipt() -> None:
    op.create_table(
        "receipt",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("location_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("supplier", sa.String(length=200), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_receipt"),
    )


def _count_sheet() -> None:
    op.create_table(
        "count_sheet",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("location_id", Id, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_count_sheet"),
    )
    op.create_index(
        "ix_count_sheet_draft",
        "count_sheet",
        ["org_id", "location_id"],
        unique=False,
        postgresql_where=sa.text("status = 'draft'"),
        sqlite_where=sa.text("status = 'draft'"),
    )


def _transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("from_location_id", Id, nullable=False),
        sa.Column("to_location_id", Id, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("lots", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_transfer"),
    )
