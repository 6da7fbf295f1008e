"""SKUs, titles and tax classes in the one spelling in which texts are kept and compared from now on: Unicode NFC, plain
spaces, without format characters, which nobody sees.

Two products whose SKUs become the same are not merged: the one that has the spelling already, or was made first, keeps
the SKU; the other gets ` (2)` behind it, and the audit log names both. Nothing else of them changes.
"""

from __future__ import annotations

import json
import time
import unicodedata
from typing import Any

import sqlalchemy as sa
import uuid_utils
from alembic import op

revision = "0008"
down_revision: str | None = "0007"

ACTOR = "migration 0008"
TEXT_MAX = 200

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")
_product = sa.table(
    "product",
    sa.column("org_id", Id),
    sa.column("id", Id),
    sa.column("sku", sa.String),
    sa.column("title", sa.String),
    sa.column("tax_class", sa.String),
)
_rate = sa.table("tax_rate", sa.column("org_id", Id), sa.column("id", Id), sa.column("tax_class", sa.String))
_audit = sa.table(
    "audit",
    sa.column("org_id", Id),
    sa.column("id", Id),
    sa.column("actor", sa.String),
    sa.column("action", sa.String),
    sa.column("kind", sa.String),
    sa.column("record_id", sa.String),
    sa.column("changes", sa.JSON),
    sa.column("created_at", sa.BigInteger),
)
_organisation = sa.table("organisation", sa.column("org_id", Id), sa.column("catalog_version", sa.BigInteger))


def upgrade() -> None:
    """Respell what is not spelt so yet."""
    connection = op.get_bind()
    found = connection.execute(sa.select(_product).order_by(_product.c.org_id, _product.c.id)).mappings()
    products = [dict(row) for row in found]
    taken = {(row["org_id"], row["sku"]) for row in products if row["sku"] == _spelt(row["sku"])}
    touched: set[Any] = set()
    for row in products:
        changes = {name: _spelt(row[name]) for name in ("title", "tax_class") if row[name] is not None}
        if row["sku"] != _spelt(row["sku"]):
            changes["sku"] = _free(row["org_id"], _spelt(row["sku"]), taken)
            taken.add((row["org_id"], changes["sku"]))
        changes = {name: text for name, text in changes.items() if text != row[name]}
        if changes:
            _change(connection, _product, "product", row, changes)
            touched.add(row["org_id"])
    for rate in [dict(row) for row in connection.execute(sa.select(_rate)).mappings()]:
        if rate["tax_class"] != _spelt(rate["tax_class"]):
            _change(connection, _rate, "tax_rate", rate, {"tax_class": _spelt(rate["tax_class"])})
            touched.add(rate["org_id"])
    for org_id in touched:
        version = _organisation.c.catalog_version + 1
        connection.execute(
            sa.update(_organisation).where(_organisation.c.org_id == org_id).values(catalog_version=version)
        )


def _spelt(text: str) -> str:
    """The text as it is kept; one that has nothing but what nobody sees becomes a question mark."""
    if text.isascii():
        return text
    signs = (" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    seen = "".join(sign for sign in signs if unicodedata.category(sign) != "Cf")
    return unicodedata.normalize("NFC", seen).strip()[:TEXT_MAX] or "?"


def _free(org_id: Any, sku: str, taken: set[tuple[Any, str]]) -> str:
    """The SKU, with a number behind it when another product has it."""
    number, free = 1, sku
    while (org_id, free) in taken:
        number += 1
        free = f"{sku[: TEXT_MAX - 8]} ({number})"
    return free


def _change(connection: sa.Connection, table: Any, kind: str, row: dict[str, Any], changes: dict[str, str]) -> None:
    """Write the changes, and say in the audit log what stood there before."""
    same = sa.and_(table.c.org_id == row["org_id"], table.c.id == row["id"])
    connection.execute(sa.update(table).where(same).values(**changes))
    told = {**changes, "before": {name: row[name] for name in changes}}
    connection.execute(
        sa.insert(_audit).values(
            org_id=row["org_id"],
            id=str(uuid_utils.uuid7()),
            actor=ACTOR,
            action="change",
            kind=kind,
            record_id=str(row["id"]),
            changes=json.loads(json.dumps(told)),
            created_at=time.time_ns() // 1000,
        )
    )
