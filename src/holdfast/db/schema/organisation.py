"""The organisation and its records: stores, locations, products, users, keys, sessions, appointments, the audit log."""

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
    UniqueConstraint,
)

from holdfast.db.schema.columns import Id, Name, big, id_of, metadata, org, unique_in_use

organisation = Table(
    "organisation",
    metadata,
    org(),
    Column("name", Name, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("mode", String(10), nullable=False),
    Column("allow_override", Boolean, nullable=False),
    Column("cart_hold_minutes", Integer, nullable=False),
    big("default_reorder_point", nullable=True),
    Column("tax_mode", String(10), nullable=False),
    Column("cash_rounding", String(20), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("api_rate_limit", Integer, nullable=True),
    Column("catalog_version", BigInteger, nullable=False),
    big("created_at"),
    big("updated_at"),
    Column("books_closed_through", String(10), nullable=True),
    Column("totp_roles", String(100), nullable=True),
    Column("tax_rounding", String(10), nullable=False, server_default="line"),
    Column("barcode_prefixes", JSON, nullable=True),
    Column("payment_accounts", JSON, nullable=True),
    PrimaryKeyConstraint("org_id"),
)
"""`catalog_version` grows with every change of a record below, so that a process knows when its copies are stale."""

store = Table(
    "store",
    metadata,
    org(),
    id_of(),
    Column("code", String(64), nullable=False),
    Column("name", Name, nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    unique_in_use("store", "code"),
)

location = Table(
    "location",
    metadata,
    org(),
    id_of(),
    id_of("store_id"),
    Column("code", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("ships_online", Boolean, nullable=False),
    Column("reorder_points", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "store_id"], ["store.org_id", "store.id"]),
    CheckConstraint("kind IN ('warehouse', 'store', 'bin', 'quarantine', 'transit')", name="kind"),
    unique_in_use("location", "code"),
)

product = Table(
    "product",
    metadata,
    org(),
    id_of(),
    Column("sku", Name, nullable=False),
    Column("title", Name, nullable=False),
    Column("kind", String(12), nullable=False),
    big("price", nullable=True),
    Column("tax_class", Name, nullable=True),
    Column("gtin", String(14), nullable=True),
    Column("precision", Integer, nullable=False),
    big("reorder_point", nullable=True),
    Column("oversell", String(10), nullable=False),
    big("preorder_limit", nullable=True),
    big("available_from", nullable=True),
    Column("track_expiry", Boolean, nullable=False),
    Column("dropship", Boolean, nullable=False),
    Column("supplier", Name, nullable=True),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    Column("price_breaks", JSON, nullable=True),
    Column("digital_delivery_method", String(12), nullable=True),
    Column("download_url", Name, nullable=True),
    Column("pooled", Boolean, nullable=False, server_default="false"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    UniqueConstraint("org_id", "sku"),
    CheckConstraint("precision BETWEEN 0 AND 4", name="precision"),
    Index("ix_product_gtin", "org_id", "gtin"),
)

product_cost = Table(
    "product_cost",
    metadata,
    org(),
    id_of("product_id"),
    big("unit_cost"),
    PrimaryKeyConstraint("org_id", "product_id"),
    ForeignKeyConstraint(["org_id", "product_id"], ["product.org_id", "product.id"]),
)
"""The last receipt cost of a product, in 10**-6 of the major unit."""

app_user = Table(
    "app_user",
    metadata,
    org(),
    id_of(),
    Column("email", Name, nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(10), nullable=False),
    Column("stores", JSON, nullable=False),
    Column("pin_hash", String(200), nullable=True),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    Column("pin_index", Integer, nullable=True),
    Column("first_password", Boolean, nullable=False, server_default="false"),
    Column("sessions_from", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    unique_in_use("app_user", "email"),
    Index("ix_app_user_email", "email"),
    Index("ix_app_user_pin", "org_id", "pin_index"),
)
"""`pin_index` narrows the search for a PIN (decision 0025); sessions begun before `sessions_from` have ended."""

second_factor = Table(
    "second_factor",
    metadata,
    org(),
    id_of("user_id"),
    Column("secret", String(64), nullable=False),
    Column("codes", JSON, nullable=False),
    big("last_step"),
    big("created_at"),
    PrimaryKeyConstraint("org_id", "user_id"),
    ForeignKeyConstraint(["org_id", "user_id"], ["app_user.org_id", "app_user.id"]),
)
"""What a user's authenticator app counts with, the SHA-256 of each recovery code that is left, the last step used."""

attempt = Table(
    "attempt",
    metadata,
    org(),
    Column("name", String(64), nullable=False),
    Column("failures", Integer, nullable=False),
    big("last_at"),
    big("locked_until"),
    big("waits_until"),
    big("told_at"),
    Column("untold", Integer, nullable=False),
    PrimaryKeyConstraint("org_id", "name"),
    Index("ix_attempt_last_at", "last_at"),
)
"""Failures to sign in or of PINs, by the SHA-256 of what is counted; those of strangers belong to no organisation."""

saved_views = Table(
    "saved_views",
    metadata,
    org(),
    id_of(),
    Column("views", JSON, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "id"], ["app_user.org_id", "app_user.id"]),
)
"""What a person has saved of lists, all in one row; `id` is the user's."""

api_key = Table(
    "api_key",
    metadata,
    org(),
    id_of(),
    Column("name", Name, nullable=False),
    Column("key_hash", String(64), nullable=False),
    Column("role", String(10), nullable=False),
    Column("stores", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    Column("hint", String(4), nullable=True),
    Column("permissions", JSON, nullable=True),
    Column("addresses", JSON, nullable=True),
    big("expires_at", nullable=True),
    Column("previous_hash", String(64), nullable=True),
    Column("previous_hint", String(4), nullable=True),
    big("previous_until", nullable=True),
    big("sessions_from", nullable=True),
    big("last_used_at", nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    # By hash first: a key of before is looked up without its organisation.
    Index("ix_api_key_key_hash", "key_hash", "org_id"),
    Index("ix_api_key_previous_hash", "previous_hash", "org_id"),
)

browser_session = Table(
    "browser_session",
    metadata,
    Column("token_hash", String(64), nullable=False),
    org(),
    id_of("user_id"),
    big("created_at"),
    big("expires_at"),
    Column("id", Id, nullable=True),
    Column("stage", String(10), nullable=False, server_default="open"),
    Column("begun_at", BigInteger, nullable=False, server_default="0"),
    Column("used_at", BigInteger, nullable=False, server_default="0"),
    Column("address", String(64), nullable=True),
    Column("device", Name, nullable=True),
    PrimaryKeyConstraint("token_hash"),
    Index("ix_browser_session_user", "org_id", "user_id"),
)
"""Looked up without an organisation: who holds the token is what tells it.

`stage` is `open`, or what is still to be done before it opens. `created_at` moves when its user changes the password in
it, which ends the others; `begun_at` stays.
"""

appointment = Table(
    "appointment",
    metadata,
    org(),
    id_of(),
    big("starts_at"),
    Column("customer", Name, nullable=True),
    Column("status", String(10), nullable=False),
    big("created_at"),
    big("updated_at"),
    id_of("store_id", nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
)

audit = Table(
    "audit",
    metadata,
    org(),
    id_of(),
    Column("actor", Name, nullable=False),
    Column("action", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("record_id", String(200), nullable=False),
    Column("changes", JSON, nullable=False),
    big("created_at"),
    Column("address", String(64), nullable=True),
    Column("request_id", String(128), nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
)
